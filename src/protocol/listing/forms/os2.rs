//! OS/2: the size, then attributes, date and name.

use super::super::context::Context;
use super::super::date::take_date_and_clock;
use super::super::entry::{Entry, Kind};
use super::super::words::{Words, number};

/// Parses ` 1123 DIR  A    10-05-100  23:38  name`. Two spaces precede the name.
pub(super) fn parse_os2(line: &[u8], context: &Context<'_>) -> Option<Entry> {
    let mut words = Words { rest: line };
    let size = number::<10>(words.next()?)?;
    let mut kind = Kind::File;
    let mut attributes = false;
    while let Some(word) = words.peek().filter(|word| is_attributes(word)) {
        if word == b"DIR" {
            kind = Kind::Dir;
        }
        attributes = true;
        words.next();
    }
    let modified = take_date_and_clock(&mut words, &context.dates).filter(|_| attributes)?;
    let mut entry = Entry::new(words.name_after(2)?, kind);
    (entry.size, entry.modified) = (Some(size), Some(modified));
    Some(entry)
}

/// Matches `DIR`, or the letters for archive, hidden, read-only and system.
fn is_attributes(word: &[u8]) -> bool {
    word == b"DIR" || (word.len() <= 4 && word.iter().all(|letter| b"AHRS".contains(letter)))
}
