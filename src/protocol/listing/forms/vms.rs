//! The listings of VMS, in which names have a version.
//!
//! The version is removed, since RETR without it fetches the newest one, and so is `.DIR`, since
//! CWD does not accept it. Sizes are in blocks or rounded and therefore count as unknown.

use super::super::context::Context;
use super::super::date::{moment, parse_date};
use super::super::entry::{Entry, Kind, Owner};
use super::super::words::{Words, number, split_at_first};
use crate::protocol::time::parse_clock;

/// A limit above the number of words that any server puts after a name.
const MAX_WORDS: usize = 16;

/// Parses `README.TXT;4  1/2  2-JAN-2025 03:04:05 [SYSTEM] (RWED,RE,RE,)`. The columns may come in
/// any order; a size and a date are required.
pub(super) fn parse_vms(line: &[u8], context: &Context<'_>) -> Option<Entry> {
    let mut words = Words { rest: line };
    let mut entry = parse_name(words.next()?)?;
    let columns = words.rest;
    let words = words.all(MAX_WORDS)?;
    let mut words = words.iter().peekable();
    let (mut date, mut clock, mut size) = (None, None, false);
    while let Some(word) = words.next() {
        if date.is_none()
            && let Some(found) = parse_date(word, &context.dates)
        {
            date = Some(found);
            clock = words.next_if(|word| parse_clock(word).is_some());
        } else if is_size(word) {
            size = true;
        } else if word.starts_with(b"%") {
            // The server could not examine the file: `%RMS-E-PRV, insufficient privilege`.
            return None;
        }
    }
    let clock = clock.and_then(|clock| parse_clock(clock)).unwrap_or_default();
    entry.modified = Some(moment(date.filter(|_| size)?, clock)?);
    (entry.group, entry.owner) = parse_uic(columns);
    Some(entry)
}

/// Parses an entry of two lines: after a long name, the columns are on the next line.
pub(in super::super) fn parse_continued(
    line: &[u8],
    next: &[u8],
    context: &Context<'_>,
) -> Option<Entry> {
    let mut words = Words { rest: line };
    parse_name(words.next()?)?;
    if words.peek().is_some() || next.contains(&b';') {
        return None;
    }
    parse_vms(&[line, b" ", next].concat(), context)
}

/// Returns whether a line precedes or follows a listing.
pub(super) fn is_heading(line: &[u8]) -> bool {
    let mut words = Words { rest: line };
    let (first, second, third) = (words.next(), words.next(), words.next());
    match (first, second) {
        (Some(b"Directory"), Some(place)) => {
            third.is_none() && (place.contains(&b'[') || place.ends_with(b":"))
        }
        (Some(b"Total"), Some(b"of")) => third.and_then(number::<10>).is_some(),
        (Some(b"Total"), Some(count)) => {
            number::<10>(count).is_some() && third.is_some_and(|word| word.starts_with(b"file"))
        }
        (Some(b"Grand"), Some(b"total")) => third == Some(b"of"),
        _ => false,
    }
}

fn parse_name(word: &[u8]) -> Option<Entry> {
    let (name, version) = split_at_first(b';', word)?;
    number::<10>(version)?;
    let directory = name.strip_suffix(b".DIR").or(name.strip_suffix(b".dir"));
    match directory {
        Some(name) => Some(Entry::new(unescaped(name)?, Kind::Dir)),
        None => Some(Entry::new(unescaped(name)?, Kind::File)),
    }
}

/// Decodes `^.`, `^_` and `^C3` in extended names (ODS-5): a character that plain names cannot
/// contain, a space, and a byte in hexadecimal.
fn unescaped(name: &[u8]) -> Option<Vec<u8>> {
    let mut plain = Vec::with_capacity(name.len());
    let mut rest = name;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'^' {
            plain.push(byte);
            continue;
        }
        let hex = rest.get(..2).and_then(number::<16>);
        let (byte, length) = match (rest.first()?, hex) {
            (_, Some(byte)) => (byte as u8, 2),
            // A Unicode character (`^U`), whose encoding differs from that of the rest of the
            // name.
            (b'U', None) => return None,
            (b'_', None) => (b' ', 1),
            (&other, None) => (other, 1),
        };
        plain.push(byte);
        rest = &rest[length..];
    }
    Some(plain)
}

/// Matches the used blocks, optionally followed by the allocated ones, or a size with a unit:
/// `1/2`, `155`, `2KB`.
fn is_size(word: &[u8]) -> bool {
    let used = split_at_first(b'/', word);
    let (used, allocated) = used.map_or((word, None), |(used, rest)| (used, Some(rest)));
    let digits = used.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let unit = [&b""[..], b"B", b"KB", b"MB", b"GB"].contains(&&used[digits..]);
    digits > 0 && unit && allocated.is_none_or(|allocated| number::<10>(allocated).is_some())
}

/// Parses `[OWNER]` or `[GROUP,OWNER]`.
fn parse_uic(text: &[u8]) -> (Option<Owner>, Option<Owner>) {
    let inside = split_at_first(b'[', text).and_then(|(_, rest)| split_at_first(b']', rest));
    let Some((inside, _)) = inside else { return (None, None) };
    match split_at_first(b',', inside) {
        Some((group, owner)) => (Owner::parse(group), Owner::parse(owner)),
        None => (None, Owner::parse(inside)),
    }
}
