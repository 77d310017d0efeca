//! The listings of VMS, whose names carry a version.

use super::super::date::{moment, parse_vms_date};
use super::super::entry::{Entry, Kind, Owner};
use super::super::words::{Words, number, split_at_first};
use crate::protocol::time::parse_clock;

/// `README.TXT;4  1/2  2-JAN-2025 03:04:05 [SYSTEM] (RWED,RE,RE,)`
///
/// The version goes, since RETR without it fetches the newest, and so does `.DIR`, since CWD does
/// not want it. Sizes are in blocks and thus not known.
pub(super) fn parse_vms(line: &[u8]) -> Option<Entry> {
    let mut words = Words { rest: line };
    let (name, version) = split_at_first(b';', words.next()?)?;
    number::<10>(version)?;
    let blocks = words.next()?;
    number::<10>(split_at_first(b'/', blocks).map_or(blocks, |(used, _)| used))?;
    let mut entry = match name.strip_suffix(b".DIR").or(name.strip_suffix(b".dir")) {
        Some(name) => Entry::new(name, Kind::Dir),
        None => Entry::new(name, Kind::File),
    };
    let date = parse_vms_date(words.next()?)?;
    let mut after_date = words;
    let clock = after_date.next().and_then(parse_clock).unwrap_or([0, 0, 0]);
    entry.modified = Some(moment(date, clock)?);
    (entry.group, entry.owner) = parse_uic(words.rest);
    Some(entry)
}

/// `[OWNER]` or `[GROUP,OWNER]`
fn parse_uic(text: &[u8]) -> (Option<Owner>, Option<Owner>) {
    let inside = split_at_first(b'[', text).and_then(|(_, rest)| split_at_first(b']', rest));
    let Some((inside, _)) = inside else { return (None, None) };
    match split_at_first(b',', inside) {
        Some((group, owner)) => (Owner::parse(group), Owner::parse(owner)),
        None => (None, Owner::parse(inside)),
    }
}
