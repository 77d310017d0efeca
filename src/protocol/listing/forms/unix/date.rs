//! The dates of `ls -l` in the formats and languages of many systems.

use std::time::{Duration, SystemTime};

use super::super::super::context::Context;
use super::super::super::date::{
    Clock, Date, moment, parse_date, parse_month_name, readings, recent_moment, two_digits,
};
use super::super::super::words::{Words, number, split_at_first};
use crate::protocol::time::parse_clock;

/// The form in which months are written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Months {
    /// By name, by number with a sign after it, or in a date of one word.
    ByName,
    /// By number alone, `8 17 03:26`, which could also be an owner and a size.
    ByNumber,
}

/// The name after a date.
#[derive(Clone, Copy)]
pub(super) struct Name<'a> {
    /// The name after one space; further spaces belong to it.
    pub(super) exact: Option<&'a [u8]>,
    /// The name without the spaces before it.
    pub(super) trimmed: &'a [u8],
}

/// Reads a date and the name that follows it.
pub(super) fn take_date<'a>(
    words: Words<'a>,
    months: Months,
    context: &Context<'_>,
) -> Option<(SystemTime, Name<'a>)> {
    let mut reader = Reader { words, context, padded: false };
    let time = match months {
        Months::ByName => reader.any_date()?,
        Months::ByNumber => reader.numeric_date()?,
    };
    let trimmed = reader.words.rest.trim_ascii_start();
    let exact = reader.words.name().map(|name| if reader.padded { trimmed } else { name });
    Some((time, Name { exact: exact.filter(|name| !name.is_empty()), trimmed }))
}

struct Reader<'a, 'c> {
    words: Words<'a>,
    context: &'c Context<'c>,
    /// True if spaces may follow the date where other listings have a time.
    padded: bool,
}

impl Reader<'_, '_> {
    fn any_date(&mut self) -> Option<SystemTime> {
        let first = self.words.next()?;
        if is_weekday(first) {
            return self.full_time();
        }
        if let Some(date) = parse_date(first, &self.context.dates) {
            return self.after_date(date);
        }
        if let Some((month, day)) = month_and_day(first) {
            return self.year_or_clock(month, day, false);
        }
        if let Some(month) = self.month(first) {
            let (day, comma) = day(self.words.next()?)?;
            return self.year_or_clock(month, day, comma);
        }
        if let Some(date) = glued_signs(first) {
            return match date {
                (Some(year), month, day) => self.after_date((year, month, day)),
                (None, month, day) => self.year_or_clock(month, day, false),
            };
        }
        if let Some((year, signed)) = parse_signed_year(first)
            && (signed || self.words.peek().is_some_and(|month| split_sign(month).is_some()))
        {
            return self.year_first(year);
        }
        let (day, _) = day(first)?;
        let month = self.words.next().and_then(|word| self.month(word))?;
        self.year_or_clock(month, day, false)
    }

    /// Reads `8 17 03:26` or `3 29 2003`. The month comes first, unless it can only be the day.
    fn numeric_date(&mut self) -> Option<SystemTime> {
        let (one, two) = (two_digits(self.words.next()?)?, two_digits(self.words.next()?)?);
        let (month, day) = if one > 12 { (two, one) } else { (one, two) };
        self.year_or_clock(month, day, false)
    }

    /// Reads the words after a month and a day: a year; a time of day; a year and a time, if a
    /// comma follows the day; or a time with seconds and a year, as in `ls -lT`.
    fn year_or_clock(&mut self, month: u8, day: u8, comma: bool) -> Option<SystemTime> {
        let word = self.words.next()?;
        if let Some((year, _)) = parse_signed_year(word) {
            let clock = if comma { self.clock_before_name() } else { None };
            return moment((year, month, day), clock.unwrap_or_default());
        }
        let clock = parse_clock(word).or_else(|| parse_dotted_clock(word))?;
        if word.iter().filter(|&&byte| byte == b':').count() == 2
            && let Some(year) = self.year_before_name()
        {
            return moment((year, month, day), clock);
        }
        recent_moment(month, day, clock, self.context.dates.now)
    }

    /// Reads an optional time of day after a complete date: `03:04`, `03:04:05.678 +0200`.
    fn after_date(&mut self, date: Date) -> Option<SystemTime> {
        let Some(clock) = self.clock_before_name() else {
            self.padded = true;
            return moment(date, [0, 0, 0]);
        };
        let local = moment(date, clock)?;
        match self.words.peek().and_then(parse_zone) {
            Some((east, offset)) => {
                self.words.next();
                if east { local.checked_sub(offset) } else { local.checked_add(offset) }
            }
            None => Some(local),
        }
    }

    /// Reads `Jan  2 03:04:05 2025` after the day of the week.
    fn full_time(&mut self) -> Option<SystemTime> {
        let month = self.words.next().and_then(|word| self.month(word))?;
        let (day, _) = day(self.words.next()?)?;
        let clock = parse_clock(self.words.next()?)?;
        let (year, _) = parse_signed_year(self.words.next()?)?;
        moment((year, month, day), clock)
    }

    /// Reads the month and the day after a year: `2005<year>  1<month>  6<day>`.
    fn year_first(&mut self, year: i64) -> Option<SystemTime> {
        let month = self.words.next().and_then(|word| self.month(word))?;
        let (day, _) = day(self.words.next()?)?;
        let clock = self.clock_before_name().unwrap_or_default();
        moment((year, month, day), clock)
    }

    fn month(&self, word: &[u8]) -> Option<u8> {
        let by_name = parse_month_name(word, self.context.dates.croatian);
        by_name.or_else(|| match split_sign(word)? {
            (month, Sign::Month | Sign::Unknown) => two_digits(month),
            _ => None,
        })
    }

    /// Takes a time of day if a name follows it.
    fn clock_before_name(&mut self) -> Option<Clock> {
        let mut words = self.words;
        let clock = parse_clock(words.next()?)?;
        words.peek()?;
        self.words = words;
        Some(clock)
    }

    /// Takes a year if a name follows it.
    fn year_before_name(&mut self) -> Option<i64> {
        let mut words = self.words;
        let (year, _) = parse_signed_year(words.next()?)?;
        words.peek()?;
        self.words = words;
        Some(year).filter(|year| (1970..2100).contains(year))
    }
}

fn is_weekday(word: &[u8]) -> bool {
    let days = [b"Mon", b"Tue", b"Wed", b"Thu", b"Fri", b"Sat", b"Sun"];
    days.iter().any(|day| word == *day)
}

/// Parses the day of a month, `7`, `7.` or `7,`, or with the sign of a day. Returns the day and
/// whether a comma follows it.
fn day(word: &[u8]) -> Option<(u8, bool)> {
    let comma = word.ends_with(b",");
    let bare = word.strip_suffix(b",").unwrap_or(word);
    let bare = bare.strip_suffix(b".").unwrap_or(bare);
    let day = two_digits(bare).or_else(|| match split_sign(bare)? {
        (day, Sign::Day | Sign::Unknown) => two_digits(day),
        _ => None,
    })?;
    Some((day, comma))
}

/// Parses `09-26`, which precedes a year or a time. The month comes first, unless it can only be
/// the day.
fn month_and_day(word: &[u8]) -> Option<(u8, u8)> {
    let (one, two) = split_at_first(b'-', word).or_else(|| split_at_first(b'/', word))?;
    let (one, two) = (two_digits(one)?, two_digits(two)?);
    Some(if one > 12 { (two, one) } else { (one, two) })
}

/// Parses `3.04` in place of a time or a year.
fn parse_dotted_clock(word: &[u8]) -> Option<Clock> {
    let (hour, minute) = split_at_first(b'.', word).filter(|(_, minute)| minute.len() == 2)?;
    Some([two_digits(hour)?, two_digits(minute)?, 0])
}

/// Parses a time zone such as `+0200`. Returns whether it is east of Greenwich, and the offset.
fn parse_zone(word: &[u8]) -> Option<(bool, Duration)> {
    let (sign, digits) = word.split_first()?;
    let number = number::<10>(digits).filter(|_| digits.len() == 4)?;
    let seconds = (number / 100 * 60 + number % 100) * 60;
    let east = match sign {
        b'+' => true,
        b'-' => false,
        _ => return None,
    };
    (number % 100 < 60 && seconds <= 24 * 3600).then(|| (east, Duration::from_secs(seconds)))
}

// ---- East Asia ---------------------------------------------------------------------------------

/// The meaning of the sign after a number.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sign {
    Year,
    Month,
    Day,
    /// Non-ASCII bytes in an unknown encoding; the position of the number decides its meaning.
    Unknown,
}

fn sign_of(sign: &str) -> Option<Sign> {
    match sign {
        "年" | "년" => Some(Sign::Year),
        "月" | "월" => Some(Sign::Month),
        "日" | "일" => Some(Sign::Day),
        _ => None,
    }
}

/// Splits a number from the sign after it.
fn split_sign(word: &[u8]) -> Option<(&[u8], Sign)> {
    let digits = word.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (number, sign) = word.split_at(digits);
    if number.is_empty() || sign.is_empty() || sign.is_ascii() || sign.len() > 4 {
        return None;
    }
    let known = readings(sign).find_map(|sign: String| sign_of(&sign));
    Some((number, known.unwrap_or(Sign::Unknown)))
}

/// Parses a year of four digits. Returns the year and whether a sign follows it.
fn parse_signed_year(word: &[u8]) -> Option<(i64, bool)> {
    let (digits, signed) = match split_sign(word) {
        Some((digits, Sign::Year | Sign::Unknown)) => (digits, true),
        Some(_) => return None,
        None => (word, false),
    };
    let year = number::<10>(digits).filter(|_| digits.len() == 4)?;
    Some((i64::try_from(year).ok()?, signed))
}

/// Parses a date of one word with a sign after each number, with or without a year.
fn glued_signs(word: &[u8]) -> Option<(Option<i64>, u8, u8)> {
    if word.is_ascii() || !word.first()?.is_ascii_digit() {
        return None;
    }
    readings(word).find_map(|reading| {
        let parts: Vec<&str> = reading.split_inclusive(|sign: char| !sign.is_ascii()).collect();
        let read = |part: &str, wanted: Sign| {
            let digits = part.trim_end_matches(|sign: char| !sign.is_ascii());
            let fits = sign_of(&part[digits.len()..]) == Some(wanted);
            digits.parse::<i64>().ok().filter(|_| fits)
        };
        let small = |part, wanted| read(part, wanted).and_then(|number| u8::try_from(number).ok());
        match *parts.as_slice() {
            [year, month, day] => Some((
                Some(read(year, Sign::Year)?),
                small(month, Sign::Month)?,
                small(day, Sign::Day)?,
            )),
            [month, day] => Some((None, small(month, Sign::Month)?, small(day, Sign::Day)?)),
            _ => None,
        }
    })
}
