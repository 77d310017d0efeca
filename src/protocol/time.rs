//! Points in time in the forms of FTP: `YYYYMMDDHHMMSS[.sss]` (RFC 3659 section 2.3), and the
//! dates of `ls -l`, which no RFC defines and every client reads.
//!
//! All times are in UTC. RFC 3659 requires that for its timestamps. For `ls -l` dates no rule
//! exists; UTC does not depend on the server's time zone. The functions allocate nothing except in
//! the given `out`, and no input from clock, disk or peer causes a panic.
//!
//! `SystemTime` and std have no calendar, so [`Civil`] is one: the proleptic Gregorian calendar
//! without leap seconds, which POSIX time counts.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

const DAY: i64 = 86_400;

/// The age in seconds up to which `ls -l` shows the time of day instead of the year (GNU ls).
const HALF_YEAR: i64 = 15_778_476;

/// The farthest year in either direction. No `SystemTime` reaches it (64 bits of seconds), and no
/// calculation below overflows within it.
const MAX_YEAR: i64 = 300_000_000_000;

/// The greatest age in years of a date without a year: the distance of two leap days across 1900
/// or 2100.
const LEAP_DAY_GAP: i64 = 8;

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// A calendar date and time of day in UTC. The fields may have any values; [`Civil::to_system`]
/// checks whether the moment exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Civil {
    /// The astronomical year: 0 is 1 BC.
    pub year: i64,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
    /// 0 to 59, or 60 for a leap second.
    pub second: u8,
}

impl Civil {
    /// Returns the second that contains `time`, also before 1970.
    pub fn from_system(time: SystemTime) -> Civil {
        let seconds = unix_seconds(time);
        let (year, month, day) = date_of(seconds.div_euclid(DAY));
        let of_day = seconds.rem_euclid(DAY);
        Civil {
            year,
            month,
            day,
            hour: (of_day / 3600) as u8,
            minute: (of_day / 60 % 60) as u8,
            second: (of_day % 60) as u8,
        }
    }

    /// Returns the moment, or `None` if the date or the time of day does not exist or is outside
    /// of the range of `SystemTime`. POSIX time has no leap seconds: second 60 becomes 59.
    pub fn to_system(&self) -> Option<SystemTime> {
        if !self.exists() {
            return None;
        }
        let days = days_to(self.year, self.month, self.day);
        let of_day = i64::from(self.hour) * 3600
            + i64::from(self.minute) * 60
            + i64::from(self.second.min(59));
        from_unix(days.checked_mul(DAY)?.checked_add(of_day)?)
    }

    fn exists(&self) -> bool {
        (-MAX_YEAR..=MAX_YEAR).contains(&self.year)
            && (1..=12).contains(&self.month)
            && (1..=days_in(self.year, self.month)).contains(&self.day)
            && self.hour < 24
            && self.minute < 60
            && self.second <= 60
    }
}

/// Parses a timestamp (RFC 3659 section 2.3): 14 digits and an optional fraction, which is kept to
/// nanoseconds.
///
/// Servers that printed the year as `"19%d"` before 2000 now print 15 digits: `19126...` is 2026.
/// No other text of 15 digits begins with `191`, so these are accepted too.
pub fn parse_timestamp(text: &[u8]) -> Option<SystemTime> {
    let (whole, nanos) = match text.iter().position(|&b| b == b'.') {
        Some(dot) => (&text[..dot], parse_fraction(&text[dot + 1..])?),
        None => (text, 0),
    };
    let (year, rest) = match whole.len() {
        14 => (digits(&whole[..4])?, &whole[4..]),
        15 if whole.starts_with(b"191") => (1900 + digits(&whole[2..5])?, &whole[5..]),
        _ => return None,
    };
    let civil = Civil {
        year,
        month: two_digits(&rest[..2])?,
        day: two_digits(&rest[2..4])?,
        hour: two_digits(&rest[4..6])?,
        minute: two_digits(&rest[6..8])?,
        second: two_digits(&rest[8..10])?,
    };
    civil.to_system()?.checked_add(Duration::from_nanos(nanos))
}

/// Writes a timestamp of 14 digits (RFC 3659 section 2.3). A year before 0 or after 9999 is
/// written as 0000 or 9999, because the year has four digits.
pub fn write_timestamp(time: SystemTime, out: &mut Vec<u8>) {
    let civil = Civil::from_system(time);
    let (century, year) = split_year(civil.year);
    for pair in [century, year, civil.month, civil.day, civil.hour, civil.minute, civil.second] {
        out.extend_from_slice(&pair_of_digits(pair, b'0'));
    }
}

/// Writes the 24 columns of C's `ctime`: `Sun Nov  1 19:30:00 2026`. A year before 0 or after 9999
/// is written as 0000 or 9999, because the year has four digits.
pub fn write_ctime(time: SystemTime, out: &mut Vec<u8>) {
    let civil = Civil::from_system(time);
    out.extend_from_slice(weekday(time).as_bytes());
    out.push(b' ');
    out.extend_from_slice(MONTHS[usize::from(civil.month - 1)].as_bytes());
    out.push(b' ');
    out.extend_from_slice(&pair_of_digits(civil.day, b' '));
    for (mark, number) in [(b' ', civil.hour), (b':', civil.minute), (b':', civil.second)] {
        out.push(mark);
        out.extend_from_slice(&pair_of_digits(number, b'0'));
    }
    let (century, year) = split_year(civil.year);
    out.push(b' ');
    out.extend_from_slice(&pair_of_digits(century, b'0'));
    out.extend_from_slice(&pair_of_digits(year, b'0'));
}

/// Writes the 12 columns of an `ls -l` date as seen at `now`: `Jan  2 03:04` for the last half
/// year, `Jan  2  2025` for older and future times.
pub fn write_ls_date(time: SystemTime, now: SystemTime, out: &mut Vec<u8>) {
    let civil = Civil::from_system(time);
    out.extend_from_slice(MONTHS[usize::from(civil.month - 1)].as_bytes());
    out.push(b' ');
    out.extend_from_slice(&pair_of_digits(civil.day, b' '));
    out.push(b' ');
    let age = unix_seconds(now).saturating_sub(unix_seconds(time));
    if (0..HALF_YEAR).contains(&age) {
        out.extend_from_slice(&pair_of_digits(civil.hour, b'0'));
        out.push(b':');
        out.extend_from_slice(&pair_of_digits(civil.minute, b'0'));
    } else {
        write_ls_year(civil.year, out);
    }
}

/// Parses the three words of an `ls -l` date. A date with a time of day means the latest such
/// moment that is at most a day after `now`, because the clock of the peer may be ahead or show
/// another time zone. A date with a year means the first second of the day.
pub fn parse_ls_date(
    month: &[u8],
    day: &[u8],
    time_or_year: &[u8],
    now: SystemTime,
) -> Option<SystemTime> {
    let month = parse_month(month)?;
    let day = two_digits(day)?;
    if !time_or_year.contains(&b':') {
        let year = digits(time_or_year)?;
        return Civil { year, month, day, hour: 0, minute: 0, second: 0 }.to_system();
    }
    latest_moment(month, day, parse_clock(time_or_year)?, now)
}

/// Returns the latest moment with this month, day and time of day that is at most a day after
/// `now`.
pub(crate) fn latest_moment(
    month: u8,
    day: u8,
    [hour, minute, second]: [u8; 3],
    now: SystemTime,
) -> Option<SystemTime> {
    let latest = now.checked_add(Duration::from_secs(DAY as u64)).unwrap_or(now);
    let next_year = Civil::from_system(now).year + 1;
    (next_year - LEAP_DAY_GAP..=next_year)
        .rev()
        .filter_map(|year| Civil { year, month, day, hour, minute, second }.to_system())
        .find(|&time| time <= latest)
}

/// Returns the English three-letter name of the day of the week.
pub(crate) fn weekday(time: SystemTime) -> &'static str {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    DAYS[unix_seconds(time).div_euclid(DAY).rem_euclid(7) as usize]
}

/// Returns the English three-letter name of the month.
pub(crate) fn month_of(time: SystemTime) -> &'static str {
    MONTHS[usize::from(Civil::from_system(time).month - 1)]
}

/// Returns the number of an English three-letter month name in upper or lower case.
pub(crate) fn parse_month(name: &[u8]) -> Option<u8> {
    let index = MONTHS.iter().position(|month| month.as_bytes().eq_ignore_ascii_case(name))?;
    Some(index as u8 + 1)
}

/// Parses `3:04`, `03:04:05`, `03:04:05.67` or `03:04PM` as hour, minute and second. A fraction is
/// dropped. [`Civil::to_system`] checks whether the numbers are in range.
pub(crate) fn parse_clock(text: &[u8]) -> Option<[u8; 3]> {
    let (text, half) = split_half_of_day(text);
    let mut parts = text.split(|&b| b == b':');
    let hour = two_digits(parts.next()?)?;
    let minute = two_digits(parts.next()?)?;
    let second = parts.next().map_or(Some(0), parse_seconds)?;
    if parts.next().is_some() {
        return None;
    }
    let hour = match half {
        None => hour,
        Some(noon) => (1..=12).contains(&hour).then_some(hour % 12 + noon)?,
    };
    Some([hour, minute, second])
}

/// Splits off `AM` or `PM`, and returns it as the hour at which that half of the day begins.
fn split_half_of_day(text: &[u8]) -> (&[u8], Option<u8>) {
    let Some((clock, suffix)) = text.split_last_chunk::<2>() else { return (text, None) };
    if suffix.eq_ignore_ascii_case(b"AM") {
        (clock, Some(0))
    } else if suffix.eq_ignore_ascii_case(b"PM") {
        (clock, Some(12))
    } else {
        (text, None)
    }
}

fn parse_seconds(text: &[u8]) -> Option<u8> {
    let whole = text.iter().position(|&b| b == b'.').unwrap_or(text.len());
    two_digits(&text[..whole])
}

/// Parses the digits after a decimal point as nanoseconds.
fn parse_fraction(text: &[u8]) -> Option<u64> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let padded = text.iter().copied().chain(std::iter::repeat(b'0'));
    Some(padded.take(9).fold(0, |nanos, digit| nanos * 10 + u64::from(digit - b'0')))
}

/// Parses one to four digits as a number.
fn digits(text: &[u8]) -> Option<i64> {
    if text.is_empty() || text.len() > 4 || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(text.iter().fold(0, |number, digit| number * 10 + i64::from(digit - b'0')))
}

/// Parses one or two digits as a number.
fn two_digits(text: &[u8]) -> Option<u8> {
    digits(text).and_then(|number| u8::try_from(number).ok()).filter(|_| text.len() <= 2)
}

fn pair_of_digits(number: u8, pad: u8) -> [u8; 2] {
    let tens = if number < 10 { pad } else { b'0' + number / 10 };
    [tens, b'0' + number % 10]
}

/// Clamps a year to four digits and returns its century and its last two digits.
fn split_year(year: i64) -> (u8, u8) {
    let year = year.clamp(0, 9999);
    ((year / 100) as u8, (year % 100) as u8)
}

/// Writes a year, right-aligned in five columns.
fn write_ls_year(year: i64, out: &mut Vec<u8>) {
    let (century, of_century) = split_year(year);
    out.push(b' ');
    if century > 0 {
        out.extend_from_slice(&pair_of_digits(century, b' '));
        out.extend_from_slice(&pair_of_digits(of_century, b'0'));
    } else {
        out.extend_from_slice(b"  ");
        out.extend_from_slice(&pair_of_digits(of_century, b' '));
    }
}

/// Returns the seconds since 1970, rounded down.
fn unix_seconds(time: SystemTime) -> i64 {
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_secs()).unwrap_or(i64::MAX),
        Err(error) => {
            let before = error.duration();
            0i64.saturating_sub_unsigned(before.as_secs())
                .saturating_sub(i64::from(before.subsec_nanos() > 0))
        }
    }
}

fn from_unix(seconds: i64) -> Option<SystemTime> {
    let distance = Duration::from_secs(seconds.unsigned_abs());
    if seconds < 0 { UNIX_EPOCH.checked_sub(distance) } else { UNIX_EPOCH.checked_add(distance) }
}

fn days_in(year: i64, month: u8) -> u8 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

// The calendar functions count years from March, so that the leap day is the last day of a year,
// and use eras of 400 years, after which the calendar repeats. There are 719,468 days between
// March 1 of year 0 and January 1, 1970. The method is from Howard Hinnant, "chrono-compatible
// low-level date algorithms".

const ERA_DAYS: i64 = 146_097;
const EPOCH_SHIFT: i64 = 719_468;

/// Returns the number of days from 1970 to a date.
fn days_to(year: i64, month: u8, day: u8) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let of_era = year.rem_euclid(400);
    let from_march = (i64::from(month) + 9) % 12;
    let of_year = (153 * from_march + 2) / 5 + i64::from(day) - 1;
    let of_era_days = of_era * 365 + of_era / 4 - of_era / 100 + of_year;
    year.div_euclid(400) * ERA_DAYS + of_era_days - EPOCH_SHIFT
}

/// Returns the date that is this many days after 1970.
fn date_of(days: i64) -> (i64, u8, u8) {
    let days = days + EPOCH_SHIFT;
    let of_era_days = days.rem_euclid(ERA_DAYS);
    let of_era =
        (of_era_days - of_era_days / 1460 + of_era_days / 36_524 - of_era_days / 146_096) / 365;
    let of_year = of_era_days - (365 * of_era + of_era / 4 - of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = (of_year - (153 * from_march + 2) / 5 + 1) as u8;
    let month = ((from_march + 2) % 12 + 1) as u8;
    let year = days.div_euclid(ERA_DAYS) * 400 + of_era + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests;
