//! `ls -l` in its dialects.

use std::time::SystemTime;

use super::super::date::{moment, parse_iso_date};
use super::super::entry::{Entry, Kind, Owner};
use super::super::words::{Words, number, split_at_first};
use crate::protocol::time::{parse_clock, parse_ls_date};

/// More columns than any server puts before the date.
const MAX_COLUMNS: usize = 10;

/// `-rw-r--r--   1 root     wheel        1234 Jan  2 03:04 name`
pub(super) fn parse_unix(line: &[u8], now: SystemTime) -> Option<Entry> {
    let mut words = Words { rest: line };
    let mode = words.next()?;
    let (kind, bits) = parse_mode(mode)?;
    let columns = Columns::parse(words, now)?;
    let name = columns.after.name()?;
    let mut entry = columns.entry(name, kind);
    entry.mode = Some(bits);
    if matches!(entry.kind, Kind::Link(_)) {
        split_link(&mut entry);
    }
    Some(entry)
}

/// What stands between the mode and the name.
pub(super) struct Columns<'a> {
    /// Links, owner, group or fewer of them.
    who: Vec<&'a [u8]>,
    /// `None` for a device, which has two numbers instead.
    size: Option<u64>,
    modified: SystemTime,
    pub(super) after: Words<'a>,
}

impl<'a> Columns<'a> {
    /// Finds the first number that a date follows. That is what all dialects have in common.
    pub(super) fn parse(mut words: Words<'a>, now: SystemTime) -> Option<Columns<'a>> {
        let mut who = Vec::new();
        while who.len() < MAX_COLUMNS {
            let word = words.next()?;
            if let Some((size, (modified, after))) = parse_size(word).zip(take_date(words, now)) {
                let size = drop_device(&mut who, size);
                return Some(Columns { who, size, modified, after });
            }
            who.push(word);
        }
        None
    }

    /// A number first is the link count; a server that shows one name shows the owner.
    pub(super) fn entry(&self, name: &[u8], kind: Kind) -> Entry {
        let mut entry = Entry::new(name, kind);
        let links = self.who.first().and_then(|word| number::<10>(word));
        let owners = &self.who[usize::from(links.is_some())..];
        entry.links = links;
        entry.owner = owners.first().and_then(|word| Owner::parse(word));
        entry.group = owners.get(1..).and_then(<[_]>::last).and_then(|word| Owner::parse(word));
        entry.size = self.size;
        entry.modified = Some(self.modified);
        entry
    }
}

/// A number, or the two of a device in one word, which count as none.
fn parse_size(word: &[u8]) -> Option<Option<u64>> {
    match split_at_first(b',', word) {
        None => number::<10>(word).map(Some),
        Some((major, minor)) => number::<10>(major).and(number::<10>(minor)).map(|_| None),
    }
}

/// `8,   1` is no size but a device; its first half was taken for an owner.
fn drop_device(who: &mut Vec<&[u8]>, size: Option<u64>) -> Option<u64> {
    let major = who.last().and_then(|word| word.strip_suffix(b","));
    if major.and_then(number::<10>).is_none() {
        return size;
    }
    who.pop();
    None
}

/// `Jan  2 03:04`, `Jan  2  2025` or `2025-01-02 03:04`.
fn take_date(mut words: Words<'_>, now: SystemTime) -> Option<(SystemTime, Words<'_>)> {
    let (first, second) = (words.next()?, words.next()?);
    if let Some(date) = parse_iso_date(first) {
        return Some((moment(date, parse_clock(second)?)?, words));
    }
    let third = words.next()?;
    Some((parse_ls_date(first, second, third, now)?, words))
}

/// The kind and the permission bits of `drwxr-xr-x`, perhaps with the sign of an ACL after it.
fn parse_mode(word: &[u8]) -> Option<(Kind, u32)> {
    let kind = match word.first()? {
        b'-' => Kind::File,
        b'd' => Kind::Dir,
        b'l' => Kind::Link(Vec::new()),
        b'b' | b'c' | b'p' | b's' | b'D' | b'C' | b'M' | b'n' | b'P' => Kind::Other,
        _ => return None,
    };
    let bits = match word.get(10..)? {
        b"" | b"+" | b"." | b"@" => &word[1..10],
        _ => return None,
    };
    let user = parse_triple(&bits[..3], b's', 0o4000, 6)?;
    let group = parse_triple(&bits[3..6], b's', 0o2000, 3)?;
    let other = parse_triple(&bits[6..], b't', 0o1000, 0)?;
    Some((kind, user | group | other))
}

fn parse_triple(letters: &[u8], special: u8, special_bit: u32, shift: u32) -> Option<u32> {
    let flag = |letter, expected, bit: u32| match letter {
        b'-' => Some(0),
        _ if letter == expected => Some(bit << shift),
        _ => None,
    };
    let execute = match letters[2] {
        letter if letter == special => special_bit | 1 << shift,
        letter if letter == special.to_ascii_uppercase() => special_bit,
        // Solaris: mandatory locking, the same bit as setgid without execute.
        b'l' | b'L' if special_bit == 0o2000 => special_bit,
        letter => flag(letter, b'x', 1)?,
    };
    Some(flag(letters[0], b'r', 4)? | flag(letters[1], b'w', 2)? | execute)
}

/// Splits `name -> target` at the first arrow that has something on both sides.
fn split_link(entry: &mut Entry) {
    const ARROW: &[u8] = b" -> ";
    let end = entry.name.len().saturating_sub(ARROW.len());
    if let Some(at) = (1..end).find(|&at| entry.name[at..].starts_with(ARROW)) {
        let target = entry.name.split_off(at + ARROW.len());
        entry.name.truncate(at);
        entry.kind = Kind::Link(target);
    }
}
