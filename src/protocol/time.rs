//! Points in time as FTP spells them: the `YYYYMMDDHHMMSS[.sss]` of RFC 3659 section 2.3, and the
//! dates of `ls -l`, which no RFC defines and every client reads.
//!
//! Everything is UTC. RFC 3659 demands it of a time-val; for `ls` dates nobody says, and UTC is
//! the one choice that does not depend on where the server stands. Nothing here allocates beyond
//! the `out` it is given, and nothing panics, whatever the clock, the disk or the peer says.
//!
//! `SystemTime` has no calendar, and std has none to give, so [`Civil`] is one: the proleptic
//! Gregorian calendar without leap seconds, which is what POSIX time counts.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

const DAY: i64 = 86_400;

/// What `ls` takes for half a year: beyond it the time of day gives way to the year (GNU ls).
const HALF_YEAR: i64 = 15_778_476;

/// No `SystemTime` reaches further (64 bits of seconds), and within it no sum below overflows.
const FARTHEST_YEAR: i64 = 300_000_000_000;

/// A year-less date is this many years old at most: from leap day to leap day across 1900 or 2100.
const LEAP_DAY_GAP: i64 = 8;

const MONTHS: [&[u8; 3]; 12] = [
    b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
];

/// A calendar date and time of day in UTC. The fields are as written; [`Civil::to_system`] judges
/// whether such a moment exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Civil {
    /// Astronomical: 0 is 1 BC.
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
    /// The second that `time` lies in, also before 1970.
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

    /// The moment itself; `None` if the calendar has no such date, the day no such time, or
    /// `SystemTime` no room. POSIX time has no leap seconds: second 60 becomes 59.
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
        (-FARTHEST_YEAR..=FARTHEST_YEAR).contains(&self.year)
            && (1..=12).contains(&self.month)
            && (1..=days_in(self.year, self.month)).contains(&self.day)
            && self.hour < 24
            && self.minute < 60
            && self.second <= 60
    }
}

/// Reads a time-val (RFC 3659 section 2.3): 14 digits and an optional fraction, of which
/// nanoseconds are kept.
///
/// Servers that printed `"19%d"` before the year 2000 print 15 digits since: `19126...` is 2026.
/// `191` cannot begin 15 digits otherwise, so these are understood too.
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

/// Writes a time-val of 14 digits (RFC 3659 section 2.3). Its year has four, so a year before 0 or
/// after 9999 is shown as 0000 or 9999.
pub fn write_timestamp(time: SystemTime, out: &mut Vec<u8>) {
    let civil = Civil::from_system(time);
    let (century, year) = split_year(civil.year);
    for pair in [century, year, civil.month, civil.day, civil.hour, civil.minute, civil.second] {
        out.extend_from_slice(&pair_of_digits(pair, b'0'));
    }
}

/// Writes the 24 columns of C's `ctime`: `Sun Nov  1 19:30:00 2026`. Its year has four digits, so a
/// year before 0 or after 9999 is shown as 0000 or 9999.
pub fn write_ctime(time: SystemTime, out: &mut Vec<u8>) {
    const DAYS: [&[u8; 3]; 7] = [b"Thu", b"Fri", b"Sat", b"Sun", b"Mon", b"Tue", b"Wed"];
    let weekday = unix_seconds(time).div_euclid(DAY).rem_euclid(7);
    let civil = Civil::from_system(time);
    out.extend_from_slice(DAYS[weekday as usize]);
    out.push(b' ');
    out.extend_from_slice(MONTHS[usize::from(civil.month - 1)]);
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
/// year, `Jan  2  2025` for what is older or lies in the future.
pub fn write_ls_date(time: SystemTime, now: SystemTime, out: &mut Vec<u8>) {
    let civil = Civil::from_system(time);
    out.extend_from_slice(MONTHS[usize::from(civil.month - 1)]);
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

/// Reads the three words of an `ls -l` date. A time of day stands for the latest such moment that
/// is at most a day after `now`: the peer's clock may run ahead or show another zone. A year
/// stands for the day's first second.
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
    let [hour, minute, second] = parse_clock(time_or_year)?;
    let latest = now.checked_add(Duration::from_secs(DAY as u64)).unwrap_or(now);
    let next_year = Civil::from_system(now).year + 1;
    (next_year - LEAP_DAY_GAP..=next_year)
        .rev()
        .filter_map(|year| Civil { year, month, day, hour, minute, second }.to_system())
        .find(|&time| time <= latest)
}

/// The number of an English three-letter month name in any case.
pub(crate) fn parse_month(name: &[u8]) -> Option<u8> {
    let index = MONTHS.iter().position(|month| month.eq_ignore_ascii_case(name))?;
    Some(index as u8 + 1)
}

/// Reads `3:04`, `03:04:05`, `03:04:05.67` or `03:04PM` as hour, minute and second. A fraction is
/// dropped; whether the numbers are in range is for [`Civil::to_system`] to say.
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

/// Splits off `AM` or `PM`, told as the hour its half of the day begins at.
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

/// The digits after a decimal point as nanoseconds.
fn parse_fraction(text: &[u8]) -> Option<u64> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let padded = text.iter().copied().chain(std::iter::repeat(b'0'));
    Some(padded.take(9).fold(0, |nanos, digit| nanos * 10 + u64::from(digit - b'0')))
}

/// One to four digits as a number.
fn digits(text: &[u8]) -> Option<i64> {
    if text.is_empty() || text.len() > 4 || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(text.iter().fold(0, |number, digit| number * 10 + i64::from(digit - b'0')))
}

/// One or two digits as a number.
fn two_digits(text: &[u8]) -> Option<u8> {
    digits(text).and_then(|number| u8::try_from(number).ok()).filter(|_| text.len() <= 2)
}

fn pair_of_digits(number: u8, pad: u8) -> [u8; 2] {
    let tens = if number < 10 { pad } else { b'0' + number / 10 };
    [tens, b'0' + number % 10]
}

/// The two halves of a year that was clamped to four digits.
fn split_year(year: i64) -> (u8, u8) {
    let year = year.clamp(0, 9999);
    ((year / 100) as u8, (year % 100) as u8)
}

/// A year, right-aligned in five columns.
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

/// Seconds since 1970, rounded down.
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

// Both directions count years from March, so that the leap day is the last of its year, and in
// eras of 400 years, after which the calendar repeats; 719,468 days lie between March 1, 0 and
// 1970. The method is Howard Hinnant's, "chrono-compatible low-level date algorithms".

const ERA_DAYS: i64 = 146_097;
const EPOCH_SHIFT: i64 = 719_468;

/// Days from 1970 to a date.
fn days_to(year: i64, month: u8, day: u8) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let of_era = year.rem_euclid(400);
    let from_march = (i64::from(month) + 9) % 12;
    let of_year = (153 * from_march + 2) / 5 + i64::from(day) - 1;
    let of_era_days = of_era * 365 + of_era / 4 - of_era / 100 + of_year;
    year.div_euclid(400) * ERA_DAYS + of_era_days - EPOCH_SHIFT
}

/// The date that lies so many days from 1970.
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
mod tests {
    use super::*;

    /// Where `SystemTime` begins on Windows.
    const BEFORE_1601: i64 = -11_644_473_600;

    fn at(seconds: i64) -> SystemTime {
        from_unix(seconds).expect("in range")
    }

    fn civil(year: i64, month: u8, day: u8, hour: u8, minute: u8, second: u8) -> Civil {
        Civil { year, month, day, hour, minute, second }
    }

    fn stamp(time: SystemTime) -> String {
        let mut out = Vec::new();
        write_timestamp(time, &mut out);
        String::from_utf8(out).expect("digits")
    }

    fn parsed(text: &str) -> SystemTime {
        parse_timestamp(text.as_bytes()).unwrap_or_else(|| panic!("{text} is a timestamp"))
    }

    #[test]
    fn ctime_is_that_of_c() {
        // As `date -u -d @... '+%a %b %e %H:%M:%S %Y'` prints them.
        for (seconds, text) in [
            (0, "Thu Jan  1 00:00:00 1970"),
            (-1, "Wed Dec 31 23:59:59 1969"),
            (951_782_400, "Tue Feb 29 00:00:00 2000"),
            (1_793_561_400, "Sun Nov  1 19:30:00 2026"),
            (2_147_483_648, "Tue Jan 19 03:14:08 2038"),
            (-62_135_596_800, "Mon Jan  1 00:00:00 0001"),
        ] {
            let mut out = Vec::new();
            write_ctime(at(seconds), &mut out);
            assert_eq!(out, text.as_bytes());
        }
    }

    fn ls(time: &str, now: &str) -> String {
        let mut out = Vec::new();
        write_ls_date(parsed(time), parsed(now), &mut out);
        String::from_utf8(out).expect("ASCII")
    }

    fn from_ls(text: &str, now: &str) -> Option<String> {
        let mut words = text.split_whitespace().map(str::as_bytes);
        let mut word = || words.next().expect("three words");
        parse_ls_date(word(), word(), word(), parsed(now)).map(stamp)
    }

    /// xorshift64: the same walk on every run.
    fn random(state: &mut u64) -> u64 {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        *state
    }

    #[test]
    fn known_moments_agree_in_both_directions() {
        // Seconds as `date -u -d ... +%s` prints them.
        for (seconds, text) in [
            (0, "19700101000000"),
            (-1, "19691231235959"),
            (951_782_400, "20000229000000"),
            (951_868_800, "20000301000000"),
            (-2_203_891_201, "19000228235959"),
            (-2_203_891_200, "19000301000000"),
            (1_709_164_800, "20240229000000"),
            (4_107_542_399, "21000228235959"),
            (4_107_542_400, "21000301000000"),
            (2_147_483_648, "20380119031408"),
            (-62_135_596_800, "00010101000000"),
            (-62_167_219_200, "00000101000000"),
            (253_402_300_799, "99991231235959"),
        ] {
            let time = from_unix(seconds);
            assert_eq!(parse_timestamp(text.as_bytes()), time, "{text}");
            if let Some(time) = time {
                assert_eq!(stamp(time), text, "{seconds}");
            } else {
                assert!(cfg!(windows) && seconds < BEFORE_1601, "{text}");
            }
        }
    }

    #[test]
    fn a_random_walk_round_trips_and_never_goes_back() {
        let mut state = 0x9e37_79b9_7f4a_7c15;
        let mut seconds = if cfg!(windows) { BEFORE_1601 } else { -80_000_000_000 };
        while seconds < 260_000_000_000 {
            let time = at(seconds);
            let shown = Civil::from_system(time);
            assert_eq!(shown.to_system(), Some(time), "{shown:?}");
            if (0..=9999).contains(&shown.year) {
                assert_eq!(parsed(&stamp(time)), time);
            }
            seconds += (random(&mut state) % 3_000_000) as i64 + 1;
        }
    }

    #[test]
    fn every_day_of_four_centuries_follows_its_predecessor() {
        let mut before = date_of(days_to(1890, 12, 31));
        for days in days_to(1891, 1, 1)..days_to(2301, 1, 1) {
            let today = date_of(days);
            let (year, month, day) = before;
            let expected = if day < days_in(year, month) {
                (year, month, day + 1)
            } else if month < 12 {
                (year, month + 1, 1)
            } else {
                (year + 1, 1, 1)
            };
            assert_eq!(today, expected);
            assert_eq!(days_to(today.0, today.1, today.2), days);
            before = today;
        }
    }

    #[test]
    fn a_fraction_before_1970_belongs_to_the_second_it_lies_in() {
        let time = UNIX_EPOCH - Duration::from_millis(1);
        assert_eq!(Civil::from_system(time), civil(1969, 12, 31, 23, 59, 59));
        let time = UNIX_EPOCH - Duration::from_millis(1000);
        assert_eq!(Civil::from_system(time), civil(1969, 12, 31, 23, 59, 59));
        let time = UNIX_EPOCH - Duration::from_millis(1001);
        assert_eq!(Civil::from_system(time), civil(1969, 12, 31, 23, 59, 58));
    }

    #[test]
    fn impossible_dates_are_refused() {
        for impossible in [
            civil(2025, 2, 29, 0, 0, 0),
            civil(1900, 2, 29, 0, 0, 0),
            civil(2024, 2, 30, 0, 0, 0),
            civil(2025, 4, 31, 0, 0, 0),
            civil(2025, 0, 1, 0, 0, 0),
            civil(2025, 13, 1, 0, 0, 0),
            civil(2025, 1, 0, 0, 0, 0),
            civil(2025, 1, 1, 24, 0, 0),
            civil(2025, 1, 1, 0, 60, 0),
            civil(2025, 1, 1, 0, 0, 61),
            civil(i64::MAX, 1, 1, 0, 0, 0),
            civil(i64::MIN, 1, 1, 0, 0, 0),
            civil(FARTHEST_YEAR, 12, 31, 0, 0, 0),
            civil(-FARTHEST_YEAR, 1, 1, 0, 0, 0),
        ] {
            assert_eq!(impossible.to_system(), None, "{impossible:?}");
        }
    }

    #[test]
    fn a_leap_second_is_the_last_second_of_its_minute() {
        assert_eq!(parsed("20161231235960"), parsed("20161231235959"));
    }

    #[test]
    fn the_ends_of_system_time_have_dates_and_texts() {
        let mut ends = vec![UNIX_EPOCH, UNIX_EPOCH];
        for power in (0..64).rev() {
            let step = Duration::new(1 << power, 999_999_999);
            ends[0] = ends[0].checked_add(step).unwrap_or(ends[0]);
            ends[1] = ends[1].checked_sub(step).unwrap_or(ends[1]);
        }
        let first_year = if cfg!(windows) { "1601" } else { "0000" };
        for (end, year) in ends.iter().zip(["9999", first_year]) {
            let _ = Civil::from_system(*end).to_system();
            assert_eq!(&stamp(*end)[..4], year);
            for now in &ends {
                let mut out = Vec::new();
                write_ls_date(*end, *now, &mut out);
                assert_eq!(out.len(), 12, "{:?}", String::from_utf8_lossy(&out));
                let _ = parse_ls_date(b"Feb", b"29", b"10:00", *now);
            }
        }
    }

    #[test]
    fn fractions_are_kept_to_nanoseconds() {
        let whole = parsed("20250102030405");
        for (fraction, nanos) in [
            ("5", 500_000_000),
            ("007", 7_000_000),
            ("123456789", 123_456_789),
            ("9999999999", 999_999_999),
        ] {
            let time = parsed(&format!("20250102030405.{fraction}"));
            assert_eq!(time, whole + Duration::from_nanos(nanos), "{fraction}");
        }
    }

    #[test]
    fn years_since_1900_are_understood() {
        assert_eq!(parsed("191000229120000"), parsed("20000229120000"));
        assert_eq!(parsed("191261122134000"), parsed("20261122134000"));
    }

    #[test]
    fn other_texts_are_no_timestamps() {
        for text in [
            "",
            ".",
            "2025",
            "2025010203040",
            "202501020304055",
            "20250102030405.",
            "20250102030405.x",
            "20250102030405.1.2",
            "2025-102030405",
            "+2025010203040",
            "20250102 30405",
            "20251302030405",
            "20250230030405",
            "20250102240000",
            "192261122134000",
            "19126112213400x",
            "1912611221340000",
            "20250102030405 ",
        ] {
            assert_eq!(parse_timestamp(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn ls_dates_show_the_time_for_half_a_year_and_then_the_year() {
        let now = "20250701120000";
        assert_eq!(ls("20250701120000", now), "Jul  1 12:00");
        assert_eq!(ls("20250102030405", now), "Jan  2 03:04");
        assert_eq!(ls("20241230120000", now), "Dec 30  2024");
        assert_eq!(ls("20250701120001", now), "Jul  1  2025");
        let edge = parsed(now) - Duration::from_secs(HALF_YEAR as u64);
        assert_eq!(ls(&stamp(edge), now), "Dec 30  2024");
        assert_eq!(ls(&stamp(edge + Duration::from_secs(1)), now), "Dec 30 21:05");
    }

    #[test]
    fn ls_years_are_right_aligned_in_five_columns() {
        for (year, columns) in [
            (-1, "    0"),
            (9, "    9"),
            (99, "   99"),
            (100, "  100"),
            (2025, " 2025"),
            (12_345, " 9999"),
        ] {
            let mut out = Vec::new();
            write_ls_year(year, &mut out);
            assert_eq!(out, columns.as_bytes());
        }
    }

    #[test]
    fn a_time_without_a_year_is_the_latest_that_can_be_meant() {
        let now = "20250301120000";
        assert_eq!(from_ls("Mar  1 12:00", now).as_deref(), Some("20250301120000"));
        assert_eq!(from_ls("Mar  2 12:00", now).as_deref(), Some("20250302120000"));
        assert_eq!(from_ls("Mar  2 12:01", now).as_deref(), Some("20240302120100"));
        assert_eq!(from_ls("dec 31 23:59", now).as_deref(), Some("20241231235900"));
        assert_eq!(from_ls("FEB 29 10:00", now).as_deref(), Some("20240229100000"));
        assert_eq!(from_ls("Feb 29 10:00", "21030101000000").as_deref(), Some("20960229100000"));
        assert_eq!(from_ls("Jan 1 0:30", "20241231120000").as_deref(), Some("20250101003000"));
        assert_eq!(from_ls("Jan  2  2025", now).as_deref(), Some("20250102000000"));
    }

    #[test]
    fn other_words_are_no_ls_date() {
        for text in [
            "Foo 1 2025",
            "Jan 32 2025",
            "Jan x 2025",
            "Jan 1 20250",
            "Feb 30 10:00",
            "Jan 1 24:00",
            "Jan 1 :",
            "Jan 1 1:2:3:4",
        ] {
            assert_eq!(from_ls(text, "20250301120000"), None, "{text}");
        }
    }

    #[test]
    fn what_ls_date_writes_it_reads() {
        let mut state = 7;
        for _ in 0..20_000 {
            let now = at((random(&mut state) % 10_000_000_000) as i64);
            let age = Duration::from_secs(random(&mut state) % 60_000_000);
            let time = now - age;
            let mut out = Vec::new();
            write_ls_date(time, now, &mut out);
            let unit = if out.contains(&b':') { 60 } else { DAY };
            let shown = at(unix_seconds(time).div_euclid(unit) * unit);
            let text = String::from_utf8(out).expect("ASCII");
            assert_eq!(from_ls(&text, &stamp(now)), Some(stamp(shown)), "{text}");
        }
    }

    #[test]
    fn clocks_of_twelve_and_of_twenty_four_hours_are_read() {
        for (text, clock) in [
            ("03:04", Some([3, 4, 0])),
            ("3:04:05", Some([3, 4, 5])),
            ("10:30:13.64", Some([10, 30, 13])),
            ("12:00AM", Some([0, 0, 0])),
            ("12:00pm", Some([12, 0, 0])),
            ("11:59PM", Some([23, 59, 0])),
            ("13:00PM", None),
            ("00:00AM", None),
            ("03:04:05:06", None),
            ("03", None),
            ("PM", None),
            ("", None),
        ] {
            assert_eq!(parse_clock(text.as_bytes()), clock, "{text}");
        }
    }
}
