//! The files of z/VM: RETR expects the name and the type joined by a full stop.

use super::super::super::context::Context;
use super::super::super::date::take_date_and_clock;
use super::super::super::entry::{Entry, Kind, Owner};
use super::super::super::words::{Words, number};

/// Parses `PROFILE  EXEC     V        65      107        2 2005-10-04 15:28:42 060191`: name,
/// type, format and length of the records, number of records, blocks, date, disk. A directory has
/// dashes instead of numbers.
pub(super) fn parse_vm(line: &[u8], context: &Context<'_>) -> Option<Entry> {
    let mut words = Words { rest: line };
    let (name, kind) = (words.next()?, words.next()?);
    let format = if kind == b"DIR" { b"-" } else { words.next()? };
    let numbers = [words.next()?, words.next()?, words.next()?];
    let modified = take_date_and_clock(&mut words, &context.dates)?;
    let disk = words.next()?;
    if words.next().is_some() {
        return None;
    }
    let mut entry = match (format, numbers.map(number::<10>)) {
        (b"F", [Some(length), Some(records), Some(_)]) => {
            let size = length.checked_mul(records);
            Entry { size, ..Entry::new(file_name(name, kind), Kind::File) }
        }
        (b"V", [Some(_), Some(_), Some(_)]) => Entry::new(file_name(name, kind), Kind::File),
        (b"-", _) if numbers == [b"-"; 3] => Entry::new(name, Kind::Dir),
        _ => return None,
    };
    entry.owner = Owner::parse(disk);
    entry.modified = Some(modified);
    Some(entry)
}

fn file_name(name: &[u8], kind: &[u8]) -> Vec<u8> {
    [name, b".", kind].concat()
}
