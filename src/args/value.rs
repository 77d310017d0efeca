//! What values can be: numbers in a range, durations, sizes, one of a list.
//!
//! Each parser says in its error what it expected, in words that end the sentence
//! `--option 'value': expected ...`.

use super::Expected;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::time::Duration;

/// 114 years: `Instant::now() + duration` cannot overflow with it.
const MAX_HOURS: u64 = 1_000_000;

/// Parser for a whole number in a range; digits alone, no sign.
pub fn integer<T>(range: RangeInclusive<T>) -> impl Fn(&str) -> Result<T, Expected>
where
    T: TryFrom<u64> + PartialOrd + Display,
{
    move |text| {
        let number = digits(text).and_then(|number| T::try_from(number).ok());
        number.filter(|number| range.contains(number)).ok_or_else(|| {
            Expected(format!("a whole number from {} to {}", range.start(), range.end()))
        })
    }
}

/// Parser for a TCP port, 0 included.
pub fn port(text: &str) -> Result<u16, Expected> {
    let port = digits(text).and_then(|number| u16::try_from(number).ok());
    port.ok_or_else(|| Expected("a port number from 0 to 65535".into()))
}

/// Parser for a duration: `30` and `30s`, `5m`, `1h`; 0 included. It is short enough to be added
/// to an `Instant` without a check.
pub fn duration(text: &str) -> Result<Duration, Expected> {
    let wrong = || Expected("a duration such as 30, 30s, 5m or 1h".into());
    let too_long = || Expected(format!("a duration of at most {MAX_HOURS}h"));
    let (number, unit) = with_unit(text, &[('s', 1), ('m', 60), ('h', 3600)]).ok_or_else(wrong)?;
    let seconds = number.parse().ok().and_then(|number: u64| number.checked_mul(unit));
    let seconds = seconds.filter(|seconds| *seconds <= MAX_HOURS * 3600).ok_or_else(too_long)?;
    Ok(Duration::from_secs(seconds))
}

/// Parser for a size, or for a rate a second, in bytes: `512`, `64K`, `10M`, `1G` in powers of 1024
/// and in either case; 0 included.
pub fn size(text: &str) -> Result<u64, Expected> {
    let wrong = || Expected("a number of bytes such as 512, 64K, 10M or 1G".into());
    let too_large = || Expected(format!("at most {} bytes", u64::MAX));
    let text = text.to_ascii_uppercase();
    let units = [('K', 1 << 10), ('M', 1 << 20), ('G', 1 << 30)];
    let (number, unit) = with_unit(&text, &units).ok_or_else(wrong)?;
    let bytes = number.parse().ok().and_then(|number: u64| number.checked_mul(unit));
    bytes.ok_or_else(too_large)
}

/// Parser for `yes`, `true`, `on`, `1` and their opposites, in any case.
pub fn boolean(text: &str) -> Result<bool, Expected> {
    match text.to_ascii_lowercase().as_str() {
        "yes" | "true" | "on" | "1" => Ok(true),
        "no" | "false" | "off" | "0" => Ok(false),
        _ => Err(Expected("yes or no".into())),
    }
}

/// Parser for one word of a list, each with what it stands for.
pub fn one_of<T: Copy>(choices: &[(&str, T)]) -> impl Fn(&str) -> Result<T, Expected> {
    |text| {
        let choice = choices.iter().find(|(word, _)| *word == text);
        choice.map(|(_, meaning)| *meaning).ok_or_else(|| Expected(alternatives(choices)))
    }
}

/// `none, read or write`
fn alternatives<T>(choices: &[(&str, T)]) -> String {
    let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
    match words.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => words.concat(),
    }
}

/// A number as people write it: std also takes a `+` in front.
fn digits(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

/// The digits in front, and what the letter after them multiplies them by.
fn with_unit<'a>(text: &'a str, units: &[(char, u64)]) -> Option<(&'a str, u64)> {
    let unit = units.iter().find(|(letter, _)| text.ends_with(*letter));
    let (number, factor) = match unit {
        Some((letter, factor)) => (text.strip_suffix(*letter)?, *factor),
        None => (text, 1),
    };
    let plain = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    plain.then_some((number, factor))
}
