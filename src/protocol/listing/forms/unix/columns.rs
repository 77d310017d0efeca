//! The columns of `ls -l` between the mode and the name.

use std::time::SystemTime;

use super::super::super::context::Context;
use super::super::super::entry::{Entry, Kind, Owner};
use super::super::super::words::{Words, number, split_at_first};
use super::date::{Months, take_date};

/// A limit above the number of columns before the date on any server: Windows groups have names of
/// many words.
const MAX_COLUMNS: usize = 20;

/// The number of columns that `ls -l` has between the mode and the size: links, owner and group.
const USUAL_COLUMNS: usize = 3;

/// The columns between the mode and the name, and the name.
pub(in super::super) struct Columns<'a> {
    /// The columns before the size: usually links, owner and group.
    before_size: Vec<&'a [u8]>,
    /// The size; `None` for a device, which has two numbers instead, and for a rounded size.
    size: Option<u64>,
    modified: SystemTime,
    /// The name after one space; `None` if it is missing.
    pub(in super::super) name: Option<&'a [u8]>,
    /// The name without the spaces before it.
    pub(in super::super) trimmed_name: &'a [u8],
}

impl<'a> Columns<'a> {
    /// Finds a size that a date follows, because all dialects have that in common. Owners and
    /// names may look like a size or a date, so the position of the size in `ls -l` is tried
    /// first, months by name are tried before months by number, and a size that is joined to the
    /// group is tried last.
    pub(in super::super) fn parse(
        mut words: Words<'a>,
        context: &Context<'_>,
    ) -> Option<Columns<'a>> {
        let mut found = Vec::new();
        while let (Some(word), true) = (words.next(), found.len() < MAX_COLUMNS) {
            found.push((word, words));
        }
        let usual = found.get(USUAL_COLUMNS).map(|_| USUAL_COLUMNS);
        let order = || usual.into_iter().chain(0..found.len());
        let plain = |at: usize, months| {
            let (word, after) = found[at];
            parse_size(word)
                .zip(take_date(after, months, context))
                .map(|(size, date)| (at, size, date))
        };
        let glued = |at: usize| {
            let (word, after) = found[at];
            let (_, size) = split_glued(word)?;
            Some((at, size, take_date(after, Months::ByName, context)?))
        };
        let (at, size, (modified, name)) = order()
            .find_map(|at| plain(at, Months::ByName))
            .or_else(|| order().find_map(|at| plain(at, Months::ByNumber)))
            .or_else(|| order().find_map(glued))?;
        let mut before_size: Vec<_> = found[..at].iter().map(|(word, _)| *word).collect();
        before_size.extend(split_glued(found[at].0).map(|(group, _)| group));
        let size = drop_device(&mut before_size, size);
        let trimmed_name = name.trimmed;
        Some(Columns { before_size, size, modified, name: name.exact, trimmed_name })
    }

    /// Builds an entry from the columns. A leading number is the link count. If the server shows
    /// only one name, it is the owner.
    pub(in super::super) fn entry(&self, name: &[u8], kind: Kind) -> Entry {
        let mut entry = Entry::new(name, kind);
        let links = self.before_size.first().and_then(|word| number::<10>(word));
        let owners = &self.before_size[usize::from(links.is_some())..];
        entry.links = links;
        entry.owner = owners.first().and_then(|word| Owner::parse(word));
        entry.group = owners.get(1..).and_then(<[_]>::last).and_then(|word| Owner::parse(word));
        entry.size = self.size;
        entry.modified = Some(self.modified);
        entry
    }
}

/// Parses a number, the two numbers of a device in one word, or a rounded size such as `12.5k`.
/// The last two do not give the number of bytes of a transfer.
fn parse_size(word: &[u8]) -> Option<Option<u64>> {
    if let Some((major, minor)) = split_at_first(b',', word) {
        return number::<10>(major).and(number::<10>(minor)).map(|_| None);
    }
    match number::<10>(word) {
        Some(size) => Some(Some(size)),
        None => is_rounded(word).then_some(None),
    }
}

/// Returns whether a word is a size with a unit: `12.5k`, `3M`, `1GB`.
fn is_rounded(word: &[u8]) -> bool {
    let word = word.strip_suffix(b"B").or(word.strip_suffix(b"b")).unwrap_or(word);
    let Some((unit, digits)) = word.split_last() else { return false };
    let (whole, fraction) = split_at_first(b'.', digits).unwrap_or((digits, b"0"));
    b"kKmMgGtT".contains(unit) && number::<10>(whole).and(number::<10>(fraction)).is_some()
}

/// Splits `longgroup123456` into a group and a size that were joined for lack of space.
fn split_glued(word: &[u8]) -> Option<(&[u8], Option<u64>)> {
    let start = word.iter().rposition(|byte| !byte.is_ascii_digit())? + 1;
    let (group, size) = word.split_at(start);
    let letters = group.last().is_some_and(|last| last.is_ascii_alphabetic() || *last >= 128);
    number::<10>(size).filter(|_| letters).map(|size| (group, Some(size)))
}

/// Removes the size of a device: in `8,   1` the first number was mistaken for an owner.
fn drop_device(before_size: &mut Vec<&[u8]>, size: Option<u64>) -> Option<u64> {
    let major = before_size.last().and_then(|word| word.strip_suffix(b","));
    if major.and_then(number::<10>).is_none() {
        return size;
    }
    before_size.pop();
    None
}
