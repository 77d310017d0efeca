//! Nortel routers: the file system of Bay Networks, and VxWorks, which other vendors use too.

use super::super::context::Context;
use super::super::date::{moment, parse_date, take_date_and_clock};
use super::super::entry::{Entry, Kind};
use super::super::words::{Words, number};
use crate::protocol::time::parse_clock;

/// Parses `name       1014196  06/03/04  Thur.   10:20:03`.
pub(super) fn parse_bay(line: &[u8], context: &Context<'_>) -> Option<Entry> {
    let words = Words { rest: line }.all(5)?;
    let [name, size, date, day, clock] = *words.as_slice() else { return None };
    let size = number::<10>(size)?;
    let day = day.strip_suffix(b".")?;
    if !(3..=5).contains(&day.len()) || !day.iter().all(u8::is_ascii_alphabetic) {
        return None;
    }
    let modified = moment(parse_date(date, &context.dates)?, parse_clock(clock)?)?;
    let mut entry = Entry::new(name, Kind::File);
    (entry.size, entry.modified) = (Some(size), Some(modified));
    Some(entry)
}

/// Parses `2048    Feb-28-1998  05:23:30   name              <DIR>`. Names are padded on the
/// right.
pub(super) fn parse_vxworks(line: &[u8], context: &Context<'_>) -> Option<Entry> {
    let mut words = Words { rest: line };
    let size = number::<10>(words.next()?)?;
    let by_name = words.peek()?.first().is_some_and(u8::is_ascii_alphabetic);
    let modified = take_date_and_clock(&mut words, &context.dates).filter(|_| by_name)?;
    let name = words.name_after(3)?.trim_ascii_end();
    let mut entry = match name.strip_suffix(b"<DIR>") {
        Some(name) => Entry::new(name.trim_ascii_end(), Kind::Dir),
        None => Entry { size: Some(size), ..Entry::new(name, Kind::File) },
    };
    entry.modified = Some(modified);
    Some(entry)
}

/// Returns whether a line is the heading of VxWorks: `  size          date       time       name`.
pub(super) fn is_heading(line: &[u8]) -> bool {
    Words { rest: line }.start_with(&["size", "date", "time", "name"])
}
