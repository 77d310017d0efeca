//! AS/400, later iSeries and IBM i: each line contains the type of the object.

use std::time::SystemTime;

use super::super::context::Context;
use super::super::date::take_date_and_clock;
use super::super::entry::{Entry, Kind, Owner};
use super::super::words::{Words, number};

/// The width of the type column.
const TYPE_WIDTH: usize = 11;

/// Parses `QSYS            77824 02/23/00 15:09:55 *DIR       name/`, and members of files, which
/// have neither size nor date: `QPGMR                                   *MEM       name`.
pub(super) fn parse_as400(line: &[u8], context: &Context<'_>) -> Option<Entry> {
    let mut words = Words { rest: line };
    let object = Object::parse(&mut words, context)?;
    let name = words.name_after(TYPE_WIDTH.saturating_sub(object.kind.len()).max(1))?;
    let (name, slash) = name.strip_suffix(b"/").map_or((name, false), |name| (name, true));
    let kind = match object.kind {
        b"*DIR" | b"*DDIR" | b"*LIB" | b"*FLR" => Kind::Dir,
        _ if slash => Kind::Dir,
        b"*FILE" | b"*MEM" | b"*STMF" | b"*DSTMF" | b"*DOC" => Kind::File,
        b"*SYMLNK" => Kind::Link(Vec::new()),
        _ => Kind::Other,
    };
    let mut entry = Entry::new(name, kind);
    entry.owner = Owner::parse(object.owner);
    // For other objects the size is the allocated space, not the number of bytes of a transfer.
    entry.size = object.size.filter(|_| object.kind == b"*STMF");
    entry.modified = object.modified;
    Some(entry)
}

/// Returns whether a line describes the file whose members are listed; such a line has no name.
pub(super) fn is_heading(line: &[u8], context: &Context<'_>) -> bool {
    let mut words = Words { rest: line };
    Object::parse(&mut words, context).is_some_and(|object| {
        object.kind == b"*FILE" && object.size.is_some() && words.peek().is_none()
    })
}

struct Object<'a> {
    owner: &'a [u8],
    size: Option<u64>,
    modified: Option<SystemTime>,
    kind: &'a [u8],
}

impl<'a> Object<'a> {
    fn parse(words: &mut Words<'a>, context: &Context<'_>) -> Option<Object<'a>> {
        let owner = words.next()?;
        let member = words.peek().is_some_and(is_type);
        let size = if member { None } else { Some(number::<10>(words.next()?)?) };
        let modified =
            if member { None } else { Some(take_date_and_clock(words, &context.dates)?) };
        let kind = words.next().filter(|word| is_type(word))?;
        (member == (kind == b"*MEM")).then_some(Object { owner, size, modified, kind })
    }
}

fn is_type(word: &[u8]) -> bool {
    let letters = word.strip_prefix(b"*").unwrap_or_default();
    !letters.is_empty() && letters.iter().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
}
