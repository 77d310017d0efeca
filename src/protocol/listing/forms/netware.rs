//! NetWare, whose access rights are not a Unix mode.

use super::super::context::Context;
use super::super::entry::{Entry, Kind};
use super::super::words::{Words, is_blank, split_at_first};
use super::unix::Columns;

/// Parses `d [R----F--] supervisor            512       Jan 16 18:53    name`, also without the
/// first space. Several spaces precede the name.
pub(super) fn parse_netware(line: &[u8], context: &Context<'_>) -> Option<Entry> {
    let kind = match line.first()? {
        b'-' => Kind::File,
        b'd' => Kind::Dir,
        _ => return None,
    };
    let (gap, rest) = split_at_first(b'[', &line[1..])?;
    let (rights, rest) = split_at_first(b']', rest)?;
    if !gap.iter().all(is_blank) || !rights.iter().all(|b| b"RWCEAFMSD- ".contains(b)) {
        return None;
    }
    let columns = Columns::parse(Words { rest }, context)?;
    Some(columns.entry(columns.trimmed_name, kind))
}
