//! Dates as other servers than Unix write them, and what becomes of them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::words::number;
use crate::protocol::time::{Civil, parse_month};

/// Year, month and day, not yet checked.
pub(super) type Date = (i64, u8, u8);

pub(super) fn moment(
    (year, month, day): Date,
    [hour, minute, second]: [u8; 3],
) -> Option<SystemTime> {
    Civil { year, month, day, hour, minute, second }.to_system()
}

pub(super) fn since_1970(seconds: u64) -> Option<SystemTime> {
    UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}

/// `2025-01-02`
pub(super) fn parse_iso_date(word: &[u8]) -> Option<Date> {
    let [year, month, day] = three_parts(word)?;
    let year = number::<10>(year).filter(|_| year.len() == 4)?;
    Some((i64::try_from(year).ok()?, small(month)?, small(day)?))
}

/// `01-02-25` or `01-02-2025`. Two digits are the years from 1970 to 2069; three are those since
/// 1900, from servers that did not expect to see 2000.
pub(super) fn parse_american_date(word: &[u8]) -> Option<Date> {
    let [month, day, year] = three_parts(word)?;
    let year = match number::<10>(year).and_then(|year| i64::try_from(year).ok())? {
        year @ 0..70 => year + 2000,
        year @ 70..1000 => year + 1900,
        year => year,
    };
    Some((year, small(month)?, small(day)?))
}

/// `2-JAN-2025`
pub(super) fn parse_vms_date(word: &[u8]) -> Option<Date> {
    let [day, month, year] = three_parts(word)?;
    let year = i64::try_from(number::<10>(year)?).ok()?;
    Some((year, parse_month(month)?, small(day)?))
}

pub(super) fn three_parts(word: &[u8]) -> Option<[&[u8]; 3]> {
    let mut parts = word.split(|b| matches!(b, b'-' | b'/'));
    let three = [parts.next()?, parts.next()?, parts.next()?];
    parts.next().is_none().then_some(three)
}

pub(super) fn small(digits: &[u8]) -> Option<u8> {
    number::<10>(digits).and_then(|number| u8::try_from(number).ok())
}
