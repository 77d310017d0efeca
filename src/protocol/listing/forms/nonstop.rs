//! HP NonStop (Tandem): the line begins with the name and ends with the file's security.

use super::super::context::Context;
use super::super::date::take_date_and_clock;
use super::super::entry::{Entry, Kind};
use super::super::words::{Words, number};

/// Parses `NAME 101 528 6-Apr-07 14:21:18 255, 0 "oooo"`: file code, end of file, date, owner.
pub(super) fn parse_nonstop(line: &[u8], context: &Context<'_>) -> Option<Entry> {
    let mut words = Words { rest: line };
    let name = words.next()?;
    number::<10>(words.next()?)?;
    let size = number::<10>(words.next()?)?;
    let modified = take_date_and_clock(&mut words, &context.dates)?;
    let owner = words.all(3)?;
    let (security, owner) = owner.split_last()?;
    if !is_security(security) || !is_owner(&owner.concat()) {
        return None;
    }
    let mut entry = Entry::new(name, Kind::File);
    (entry.size, entry.modified) = (Some(size), Some(modified));
    Some(entry)
}

/// Returns whether a line is the heading: `File  Code  EOF  Last Modification  Owner  RWEP`.
pub(super) fn is_heading(line: &[u8]) -> bool {
    Words { rest: line }.start_with(&["File", "Code", "EOF", "Last"])
}

/// Matches `"oooo"`: the rights to read, write, execute and purge.
fn is_security(word: &[u8]) -> bool {
    matches!(word, [b'"', b'"'] | [b'"', _, _, _, _, b'"'])
}

/// Matches `255,0`: group and user.
fn is_owner(word: &[u8]) -> bool {
    let mut numbers = word.split(|&byte| byte == b',');
    let mut next = || numbers.next().and_then(number::<10>).is_some();
    next() && next() && numbers.next().is_none()
}
