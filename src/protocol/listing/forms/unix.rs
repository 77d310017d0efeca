//! `ls -l` in its dialects.

mod columns;
mod date;
mod mode;

use super::super::context::Context;
use super::super::date::{is_total, since_1970};
use super::super::entry::{Entry, Kind, Owner};
use super::super::words::{Words, number};

pub(super) use columns::Columns;
use mode::{kind_of_bits, parse_mode};

/// Parses `-rw-r--r--   1 root     wheel        1234 Jan  2 03:04 name`.
pub(super) fn parse_unix(line: &[u8], context: &Context<'_>) -> Option<Entry> {
    let mut words = Words { rest: line };
    let (kind, bits, links) = parse_mode(words.next()?)?;
    let columns = Columns::parse(words, context);
    let mut entry = match &columns {
        Some(columns) => columns.entry(columns.name?, kind),
        None => parse_dateless(words, kind)?,
    };
    entry.mode = Some(bits);
    entry.links = links.or(entry.links);
    if matches!(entry.kind, Kind::Link(_)) {
        split_link(&mut entry);
    }
    drop_mark(&mut entry, context);
    Some(entry)
}

/// Parses `3 slopri devlab 512 name`, without a date. A date in an unknown format would look like
/// the start of the name, so this parser is strict: it requires the four columns of `ls -l`, owner
/// and group by name, and no number among the first words of the name.
fn parse_dateless(mut words: Words<'_>, kind: Kind) -> Option<Entry> {
    let links = number::<10>(words.next()?)?;
    let [owner, group] = [words.next()?, words.next()?];
    let size = number::<10>(words.next()?)?;
    let name = words.name()?;
    let by_name = |word: &[u8]| !word.first().is_some_and(u8::is_ascii_digit);
    if !by_name(owner) || !by_name(group) {
        return None;
    }
    let second = words.next().and_then(|_| words.peek());
    if second.is_some() && !starts_without_numbers(name) {
        return None;
    }
    let mut entry = Entry::new(name, kind);
    entry.links = Some(links);
    (entry.owner, entry.group) = (Owner::parse(owner), Owner::parse(group));
    entry.size = Some(size);
    Some(entry)
}

fn starts_without_numbers(name: &[u8]) -> bool {
    let mut words = Words { rest: name };
    let mut first = std::iter::from_fn(|| words.next()).take(3);
    first.all(|word| !word.iter().any(u8::is_ascii_digit))
}

/// Parses `0100644   500  101   12345    123456789       name`: mode, owner, group, size, seconds
/// since 1970.
pub(super) fn parse_numeric(line: &[u8]) -> Option<Entry> {
    let mut words = Words { rest: line };
    let mode = words.next().filter(|word| (5..=7).contains(&word.len()))?;
    let mode = u32::try_from(number::<8>(mode)?).ok()?;
    let kind = kind_of_bits(mode)?;
    let [owner, group] = [words.next()?, words.next()?];
    number::<10>(owner).and(number::<10>(group))?;
    let size = number::<10>(words.next()?)?;
    let modified = since_1970(number::<10>(words.next()?)?)?;
    let mut entry = Entry::new(words.name_after(usize::MAX)?, kind);
    entry.mode = Some(mode & 0o7777);
    (entry.owner, entry.group) = (Owner::parse(owner), Owner::parse(group));
    (entry.size, entry.modified) = (Some(size), Some(modified));
    Some(entry)
}

/// Returns whether a line is the total above a listing: `total 12`, in the language of the server.
pub(super) fn is_heading(line: &[u8]) -> bool {
    let words = Words { rest: line }.all(3).unwrap_or_default();
    match *words.as_slice() {
        [total, sum] => is_total(total) && is_sum(sum),
        // Spanish and Portuguese use `de`.
        [total, b"de", sum] => is_total(total) && is_sum(sum),
        _ => false,
    }
}

/// Matches a number of blocks, or of bytes with a unit: `12`, `1.5M`, `12K`.
fn is_sum(word: &[u8]) -> bool {
    let digits = word.iter().take_while(|byte| byte.is_ascii_digit() || b".,".contains(byte));
    let digits = digits.count();
    digits > 0
        && word[0].is_ascii_digit()
        && word.len() - digits <= 3
        && word[digits..].iter().all(|byte| byte.is_ascii_alphabetic())
}

/// Splits `name -> target`. The size of a link is the length of its target, so the text is split
/// at the arrow that leaves a target of that length, or otherwise at the first arrow with text on
/// both sides.
fn split_link(entry: &mut Entry) {
    const ARROW: &[u8] = b" -> ";
    let end = entry.name.len().saturating_sub(ARROW.len());
    let arrows = || (1..end).filter(|&at| entry.name[at..].starts_with(ARROW));
    let fits = |at: &usize| Some((end - at) as u64) == entry.size;
    if let Some(at) = arrows().find(fits).or_else(|| arrows().next()) {
        let target = entry.name.split_off(at + ARROW.len());
        entry.name.truncate(at);
        entry.kind = Kind::Link(target);
    }
}

/// Removes the mark of `ls -F`. A `/` after a directory is always a mark; `*`, `@`, `|` and `=`
/// may belong to the name, and are marks only if the directories of the listing carry theirs.
fn drop_mark(entry: &mut Entry, context: &Context<'_>) {
    let executable = entry.mode.is_some_and(|mode| mode & 0o111 != 0);
    let marked = match (&entry.kind, entry.name.last()) {
        (Kind::Dir, Some(b'/')) => true,
        (Kind::File, Some(b'*')) => context.classified && executable,
        (Kind::Link(_), Some(b'@')) | (Kind::Other, Some(b'|' | b'=')) => context.classified,
        _ => false,
    };
    if marked {
        entry.name.pop();
    }
}
