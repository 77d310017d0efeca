//! DOS, and IIS and other servers on Windows that list like it.

use super::super::date::{moment, parse_american_date, parse_iso_date};
use super::super::entry::{Entry, Kind};
use super::super::words::{Words, is_blank, number};
use crate::protocol::time::parse_clock;

/// `01-02-25  03:04PM       <DIR>          name` of IIS and other servers on Windows, whose year
/// may have four digits and come first.
pub(super) fn parse_dos(line: &[u8]) -> Option<Entry> {
    let mut words = Words { rest: line };
    let date = words.next()?;
    let date = parse_iso_date(date).or_else(|| parse_american_date(date))?;
    let modified = moment(date, parse_clock(words.next()?)?)?;
    let what = words.next()?;
    let mut entry = match what {
        [b'<', middle @ .., b'>'] => {
            let kind = if middle == b"DIR" { Kind::Dir } else { Kind::Other };
            Entry::new(after_padding(words.rest), kind)
        }
        _ => {
            let mut entry = Entry::new(words.name()?, Kind::File);
            entry.size = Some(number_with_commas(what)?);
            entry
        }
    };
    entry.modified = Some(modified);
    Some(entry)
}

/// `<DIR>` is padded with ten blanks; what is beyond them belongs to the name.
fn after_padding(text: &[u8]) -> &[u8] {
    let padding = text.iter().take(10).take_while(|b| is_blank(b)).count();
    &text[padding..]
}

fn number_with_commas(word: &[u8]) -> Option<u64> {
    let digits: Vec<u8> = word.iter().copied().filter(|&b| b != b',').collect();
    number::<10>(&digits)
}
