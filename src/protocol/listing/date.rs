//! The dates of directory listings, in the order and the language of the server.
//!
//! Only the dates of `ls --full-time` include a time zone; all others are assumed to be in UTC.

mod charsets;
mod months;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::words::{Words, number};
use crate::protocol::time::{Civil, latest_moment, parse_clock};

pub(super) use charsets::readings;
pub(super) use months::{is_croatian, is_total, parse_month_name};

/// The longest time that a date may lie in the future, because the peer's clock may be ahead or
/// show another time zone.
const DAY: Duration = Duration::from_secs(86_400);

/// The properties that the dates of a listing share.
pub(super) struct DateHabits {
    /// The time of the listing, which completes dates that have no year.
    pub(super) now: SystemTime,
    /// True if the months are in Croatian, in which three Polish names stand for other months.
    pub(super) croatian: bool,
    /// The orders of day, month and year in which all dates of the listing are valid.
    pub(super) orders: Orders,
}

impl DateHabits {
    /// Returns the latest time that still counts as a date in the past.
    pub(super) fn latest(&self) -> SystemTime {
        self.now.checked_add(DAY).unwrap_or(self.now)
    }
}

/// Year, month and day, not checked yet.
pub(super) type Date = (i64, u8, u8);

/// Hour, minute and second, not checked yet.
pub(super) type Clock = [u8; 3];

/// Returns the moment of a date and a time of day in UTC; 24:00 is the end of the day. Years
/// before 1000 are rejected: they come from misread columns.
pub(super) fn moment(date: Date, clock: Clock) -> Option<SystemTime> {
    let (year, month, day) = Some(date).filter(|&(year, ..)| year >= 1000)?;
    let (clock, later) = split_midnight(clock);
    let [hour, minute, second] = clock;
    Civil { year, month, day, hour, minute, second }.to_system()?.checked_add(later)
}

/// Returns the latest past moment of a date without a year.
pub(super) fn recent_moment(
    month: u8,
    day: u8,
    clock: Clock,
    now: SystemTime,
) -> Option<SystemTime> {
    let (clock, later) = split_midnight(clock);
    latest_moment(month, day, clock, now)?.checked_add(later)
}

fn split_midnight(clock: Clock) -> (Clock, Duration) {
    if clock == [24, 0, 0] { ([0, 0, 0], DAY) } else { (clock, Duration::ZERO) }
}

pub(super) fn since_1970(seconds: u64) -> Option<SystemTime> {
    UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}

/// Reads a date of one word and the time of day that follows it. `AM` or `PM` may be attached to
/// the time or be a separate word.
pub(super) fn take_date_and_clock(
    words: &mut Words<'_>,
    habits: &DateHabits,
) -> Option<SystemTime> {
    let date = parse_date(words.next()?, habits)?;
    let clock = take_clock(words)?;
    moment(date, clock)
}

/// Reads a time of day.
pub(super) fn take_clock(words: &mut Words<'_>) -> Option<Clock> {
    let clock = words.next()?;
    match words.peek() {
        Some(half) if half.eq_ignore_ascii_case(b"am") || half.eq_ignore_ascii_case(b"pm") => {
            words.next();
            parse_clock(&[clock, half].concat())
        }
        _ => parse_clock(clock),
    }
}

/// Parses a date of one word: `2025-01-02`, `1/2/25`, `2-JAN-2025`, `Jan-02-2025`, `2.1.2025`. The
/// other dates of the listing decide the order of three numbers. If several orders remain, the
/// first one that gives a past date is used: month, day, year; day, month, year; year, month, day.
/// In a date with full stops the day comes first.
pub(super) fn parse_date(word: &[u8], habits: &DateHabits) -> Option<Date> {
    if let Some(short) = split_short_date(word) {
        return habits.orders.read(short, habits.latest());
    }
    let [first, second, third] = three_parts(word)?;
    let month = |word| match number::<10>(word) {
        Some(month) => u8::try_from(month).ok(),
        None => parse_month_name(word, habits.croatian),
    };
    if first.len() == 4 && number::<10>(first).is_some() {
        return Some((parse_year(first)?, month(second)?, two_digits(third)?));
    }
    match two_digits(first) {
        Some(day) => Some((parse_year(third)?, parse_month_name(second, habits.croatian)?, day)),
        None => {
            let month = parse_month_name(first, habits.croatian)?;
            Some((parse_year(third)?, month, two_digits(second)?))
        }
    }
}

/// Parses the year of a date. Two digits mean 1970 to 2069. Three digits count from 1900; servers
/// that were written before 2000 print them.
pub(super) fn parse_year(digits: &[u8]) -> Option<i64> {
    let year = i64::try_from(number::<10>(digits)?).ok()?;
    match digits.len() {
        2 if year < 70 => Some(year + 2000),
        2 | 3 => Some(year + 1900),
        4 => Some(year),
        _ => None,
    }
}

pub(super) fn two_digits(word: &[u8]) -> Option<u8> {
    number::<10>(word).filter(|_| word.len() <= 2).and_then(|number| u8::try_from(number).ok())
}

/// Splits a word at its two `-`, `/` or `.`.
fn three_parts(word: &[u8]) -> Option<[&[u8]; 3]> {
    let separator = word.iter().copied().find(|byte| b"-/.".contains(byte))?;
    let mut parts = word.split(|&byte| byte == separator);
    let three = [parts.next()?, parts.next()?, parts.next()?];
    (parts.next().is_none() && three.iter().all(|part| !part.is_empty())).then_some(three)
}

// ---- the order of three numbers ----------------------------------------------------------------

/// A date of three numbers in an unknown order.
#[derive(Clone, Copy)]
pub(super) struct ShortDate<'a> {
    parts: [&'a [u8]; 3],
    /// True if the separators are full stops.
    dotted: bool,
}

/// Splits a date such as `04/03/18`: three numbers, of which the first has at most two digits.
pub(super) fn split_short_date(word: &[u8]) -> Option<ShortDate<'_>> {
    let parts =
        three_parts(word).filter(|[first, _, third]| first.len() <= 2 && third.len() <= 4)?;
    let numbers = parts.iter().all(|part| number::<10>(part).is_some());
    numbers.then(|| ShortDate { parts, dotted: word.contains(&b'.') })
}

/// The order of day, month and year.
#[derive(Clone, Copy)]
pub(super) enum Order {
    MonthDayYear,
    DayMonthYear,
    YearMonthDay,
}

/// The set of orders that the dates of a listing may have; never empty.
#[derive(Clone, Copy)]
pub(super) struct Orders(u8);

impl Order {
    const ALL: [Order; 3] = [Order::MonthDayYear, Order::DayMonthYear, Order::YearMonthDay];
    const DOTTED: [Order; 3] = [Order::DayMonthYear, Order::YearMonthDay, Order::MonthDayYear];

    fn read(self, short: ShortDate<'_>) -> Option<Date> {
        let [one, two, three] = short.parts;
        let (year, month, day) = match self {
            Order::MonthDayYear => (three, one, two),
            Order::DayMonthYear => (three, two, one),
            Order::YearMonthDay => (one, two, three),
        };
        Some((parse_year(year)?, two_digits(month)?, two_digits(day)?))
    }

    fn fits(self, short: ShortDate<'_>, latest: SystemTime) -> bool {
        let time = self.read(short).and_then(|date| moment(date, [0, 0, 0]));
        time.is_some_and(|time| time <= latest)
    }

    /// Returns the orders in which the date exists and is in the past.
    pub(super) fn possible(short: ShortDate<'_>, latest: SystemTime) -> Orders {
        let fitting = Order::ALL.into_iter().filter(|order| order.fits(short, latest));
        Orders(fitting.fold(0, |orders, order| orders | 1 << order as u8))
    }
}

impl Orders {
    pub(super) const ALL: Orders = Orders(0b111);

    /// Returns the orders that both sets allow, or `self` if they have none in common: a date that
    /// contradicts all others is ignored.
    pub(super) fn common_with(self, other: Orders) -> Orders {
        if self.0 & other.0 == 0 { self } else { Orders(self.0 & other.0) }
    }

    /// Reads a date in an order of the listing, otherwise in an order that gives a past date,
    /// otherwise in an order in which the date exists.
    fn read(self, short: ShortDate<'_>, latest: SystemTime) -> Option<Date> {
        let orders = if short.dotted { Order::DOTTED } else { Order::ALL };
        let of_listing = |order: &Order| self.0 >> *order as u8 & 1 == 1;
        let past = |order: &Order| order.fits(short, latest);
        let exists = |order: &Order| order.read(short).is_some_and(|d| moment(d, [0; 3]).is_some());
        let find = |fits: &dyn Fn(&Order) -> bool| orders.into_iter().find(|order| fits(order));
        let order = find(&|order| of_listing(order) && past(order));
        order.or_else(|| find(&past)).or_else(|| find(&exists))?.read(short)
    }
}
