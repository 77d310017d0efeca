//! OS-9, on embedded systems: the line begins with the owner, and dates begin with the year.

use std::time::SystemTime;

use super::super::date::{moment, parse_year, two_digits};
use super::super::entry::{Entry, Kind};
use super::super::words::{Words, number, split_at_first};
use crate::protocol::time::parse_clock;

/// Parses `20.20 07/03/29 1026 d-ewrewr 2650 85920 name`: owner, date, time, attributes, sector,
/// size.
pub(super) fn parse_os9(line: &[u8]) -> Option<Entry> {
    let mut words = Words { rest: line };
    let (group, user) = split_at_first(b'.', words.next()?)?;
    number::<10>(group).and(number::<10>(user))?;
    let modified = parse_moment(words.next()?, words.next()?)?;
    let kind = kind(words.next()?)?;
    number::<16>(words.next()?)?;
    let size = words.next()?;
    number::<16>(size)?;
    let mut entry = Entry::new(words.name()?, kind);
    (entry.size, entry.modified) = (number::<10>(size), Some(modified));
    Some(entry)
}

/// Returns whether a line is a heading.
pub(super) fn is_heading(line: &[u8]) -> bool {
    let words = Words { rest: line };
    let columns = words.start_with(&["Owner", "Last", "modified", "Attributes"]);
    let last = words.all(4).and_then(|words| words.get(3).copied());
    let clock = last.is_some_and(|word| parse_clock(word).is_some());
    columns || (words.start_with(&["Directory", "of"]) && clock)
}

/// Parses a date such as `07/03/29` and a time such as `1026`.
fn parse_moment(date: &[u8], clock: &[u8]) -> Option<SystemTime> {
    let (year, rest) = split_at_first(b'/', date)?;
    let (month, day) = split_at_first(b'/', rest)?;
    let year = parse_year(year)?;
    let (hour, minute) = clock.split_at_checked(2).filter(|_| clock.len() == 4)?;
    let clock = [two_digits(hour)?, two_digits(minute)?, 0];
    moment((year, two_digits(month)?, two_digits(day)?), clock)
}

/// Returns the kind from the eight attributes: directory, not shareable, and execute, write, read
/// twice.
fn kind(attributes: &[u8]) -> Option<Kind> {
    let fits = |(shown, letter): (&u8, &u8)| *shown == b'-' || shown == letter;
    let valid = attributes.len() == 8 && attributes.iter().zip(b"dsewrewr").all(fits);
    valid.then(|| if attributes[0] == b'd' { Kind::Dir } else { Kind::File })
}
