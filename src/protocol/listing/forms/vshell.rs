//! VShell before version 3: the line begins with the size, and the date contains a comma.

use super::super::context::Context;
use super::super::date::{moment, parse_month_name, parse_year, two_digits};
use super::super::entry::{Entry, Kind};
use super::super::words::{Words, number};
use crate::protocol::time::parse_clock;

/// Parses `206876  Apr 04, 2000 21:06 name`; a slash follows the name of a directory.
pub(super) fn parse_vshell(line: &[u8], context: &Context<'_>) -> Option<Entry> {
    let mut words = Words { rest: line };
    let size = number::<10>(words.next()?)?;
    let month = parse_month_name(words.next()?, context.dates.croatian)?;
    let day = two_digits(words.next()?.strip_suffix(b",")?)?;
    let year = parse_year(words.next()?)?;
    let modified = moment((year, month, day), parse_clock(words.next()?)?)?;
    let name = words.name()?;
    let mut entry = match name.strip_suffix(b"/").or(name.strip_suffix(b"\\")) {
        Some(name) => Entry::new(name, Kind::Dir),
        None => Entry { size: Some(size), ..Entry::new(name, Kind::File) },
    };
    entry.modified = Some(modified);
    Some(entry)
}
