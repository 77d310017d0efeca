//! The data sets of z/OS.

use super::super::super::context::Context;
use super::super::super::date::{moment, parse_date};
use super::super::super::entry::{Entry, Kind};
use super::super::super::words::{Words, number};

/// The maximum number of words in a line: volume, unit, date, extents, tracks, three columns for
/// the records, the organization and the name.
const MAX_WORDS: usize = 10;

/// Parses `WYOSPT 3420   2003/05/21  1  200  FB      80  8053  PS  NAME`, and the lines of data
/// sets that are not on a disk. A name that begins at the `column` of the heading is an entry,
/// whatever precedes it.
pub(super) fn parse_data_set(
    line: &[u8],
    column: Option<usize>,
    context: &Context<'_>,
) -> Option<Entry> {
    let words = Words { rest: line }.all(MAX_WORDS)?;
    let (name, before) = words.split_last().filter(|(_, before)| !before.is_empty())?;
    let kind = special(before).or_else(|| organized(before, context)).or_else(|| {
        column.filter(|&column| is_at(line, name, column)).map(|_| (Kind::Other, None))
    });
    let (kind, date) = kind?;
    let mut entry = Entry::new(*name, kind);
    entry.modified = date.and_then(|date| moment(date, [0, 0, 0]));
    Some(entry)
}

type Date = super::super::super::date::Date;

/// Recognizes data sets that are not on a disk, and names that are not data sets.
fn special(before: &[&[u8]]) -> Option<(Kind, Option<Date>)> {
    match before {
        [b"Migrated" | b"MIGRATED"] => Some((Kind::File, None)),
        [_volume, b"Tape" | b"TAPE"] => Some((Kind::File, None)),
        [b"ARCIVE", b"Not", b"Direct", b"Access", b"Device"] => Some((Kind::File, None)),
        [_volume, _unit, b"VSAM"] => Some((Kind::Other, None)),
        [b"Pseudo", b"Directory"] => Some((Kind::Dir, None)),
        _ => None,
    }
}

/// Parses volume, unit, date of the last use or `**NONE**`, extents and tracks, which may be
/// joined or be `????`, three columns for the records, and the organization, of which `PO` is a
/// library of members.
fn organized(before: &[&[u8]], context: &Context<'_>) -> Option<(Kind, Option<Date>)> {
    let [_volume, _unit, date, middle @ .., organization] = before else { return None };
    let date = match *date {
        b"**NONE**" => None,
        date => Some(parse_date(date, &context.dates)?),
    };
    let [first, .., block] = middle else { return None };
    if !(3..=5).contains(&middle.len()) || number::<10>(first).and(number::<10>(block)).is_none() {
        return None;
    }
    let kind = match *organization {
        b"PO" | b"PO-E" | b"POU" => Kind::Dir,
        b"PS" | b"PS-E" | b"PS-L" | b"PSU" | b"DA" | b"DAU" => Kind::File,
        other if other.iter().all(|b| b.is_ascii_uppercase() || *b == b'-') => Kind::Other,
        _ => return None,
    };
    Some((kind, date))
}

/// Returns whether the last word of a line begins near a column: headings and lines may differ by
/// one or two spaces.
fn is_at(line: &[u8], name: &[u8], column: usize) -> bool {
    let start = line.trim_ascii_end().len() - name.len();
    start.abs_diff(column) <= 2
}
