//! Parsers for option values: numbers in a range, durations, sizes, one of a list.
//!
//! The error of a parser completes the sentence `--option 'value': expected ...`.

use super::usage::Expected;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::time::Duration;

/// The longest duration in hours, about 114 years: `Instant::now() + duration` cannot overflow
/// with it.
const MAX_HOURS: u64 = 1_000_000;

/// Returns a parser for a whole number in a range, in digits without a sign.
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

/// Parses a TCP port, which may be 0.
pub fn port(text: &str) -> Result<u16, Expected> {
    let port = digits(text).and_then(|number| u16::try_from(number).ok());
    port.ok_or_else(|| Expected("a port number from 0 to 65535".into()))
}

/// Parses a duration, which may be 0: `30` or `30s`, `5m`, `1h`. It is short enough to be added to
/// an `Instant` without a check.
pub fn duration(text: &str) -> Result<Duration, Expected> {
    let wrong = || Expected("a duration such as 30, 30s, 5m or 1h".into());
    let too_long = || Expected(format!("a duration of at most {MAX_HOURS}h"));
    let (number, unit) = with_unit(text, &[('s', 1), ('m', 60), ('h', 3600)]).ok_or_else(wrong)?;
    let seconds = number.parse().ok().and_then(|number: u64| number.checked_mul(unit));
    let seconds = seconds.filter(|seconds| *seconds <= MAX_HOURS * 3600).ok_or_else(too_long)?;
    Ok(Duration::from_secs(seconds))
}

/// Parses a size, or a rate per second, in bytes: `512`, `64K`, `10M`, `1G` in powers of 1024, in
/// upper or lower case. It may be 0.
pub fn size(text: &str) -> Result<u64, Expected> {
    let wrong = || Expected("a number of bytes such as 512, 64K, 10M or 1G".into());
    let too_large = || Expected(format!("at most {} bytes", u64::MAX));
    let text = text.to_ascii_uppercase();
    let units = [('K', 1 << 10), ('M', 1 << 20), ('G', 1 << 30)];
    let (number, unit) = with_unit(&text, &units).ok_or_else(wrong)?;
    let bytes = number.parse().ok().and_then(|number: u64| number.checked_mul(unit));
    bytes.ok_or_else(too_large)
}

/// Parses a rate in bytes per second, which must not be 0.
pub fn rate(text: &str) -> Result<u64, Expected> {
    match size(text)? {
        0 => Err(Expected("a number of bytes per second, such as 512, 64K or 10M".into())),
        rate => Ok(rate),
    }
}

/// Writes a size as [`size`] parses it, in the largest unit that is exact.
pub fn size_text(bytes: u64) -> String {
    let units = [('G', 1 << 30), ('M', 1 << 20), ('K', 1 << 10)];
    let fits = |(_, unit): &(char, u64)| bytes > 0 && bytes.is_multiple_of(*unit);
    match units.into_iter().find(fits) {
        Some((letter, unit)) => format!("{}{letter}", bytes / unit),
        None => bytes.to_string(),
    }
}

/// Parses `yes`, `true`, `on`, `1` and their opposites, in upper or lower case.
pub fn boolean(text: &str) -> Result<bool, Expected> {
    match text.to_ascii_lowercase().as_str() {
        "yes" | "true" | "on" | "1" => Ok(true),
        "no" | "false" | "off" | "0" => Ok(false),
        _ => Err(Expected("yes or no".into())),
    }
}

/// Returns a parser for one word of a list, which maps each word to its meaning.
pub fn one_of<T: Copy>(choices: &[(&str, T)]) -> impl Fn(&str) -> Result<T, Expected> {
    |text| {
        let choice = choices.iter().find(|(word, _)| *word == text);
        choice.map(|(_, meaning)| *meaning).ok_or_else(|| Expected(alternatives(choices)))
    }
}

/// Returns the words of such a list.
pub const fn words<T, const N: usize>(choices: &[(&'static str, T); N]) -> [&'static str; N] {
    let mut words = [""; N];
    let mut at = 0;
    while at < N {
        words[at] = choices[at].0;
        at += 1;
    }
    words
}

/// Joins the words into a list such as `none, read or write`.
fn alternatives<T>(choices: &[(&str, T)]) -> String {
    let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
    match words.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => words.concat(),
    }
}

/// Parses digits only; std would also accept a leading `+`.
fn digits(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

/// Splits a number from its unit, and returns the digits and the factor of the unit.
fn with_unit<'a>(text: &'a str, units: &[(char, u64)]) -> Option<(&'a str, u64)> {
    let unit = units.iter().find(|(letter, _)| text.ends_with(*letter));
    let (number, factor) = match unit {
        Some((letter, factor)) => (text.strip_suffix(*letter)?, *factor),
        None => (text, 1),
    };
    let plain = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    plain.then_some((number, factor))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::testing::expected;

    #[test]
    fn numbers_outside_the_range_are_rejected() {
        assert_eq!(integer(1..=255_u8)("255"), Ok(255));
        assert_eq!(integer(0..=u64::MAX)("18446744073709551615"), Ok(u64::MAX));
        for text in ["", "0", "256", "+1", "-1", "1.0", " 1", "1 ", "1e2", "99999999999999999999"] {
            let text = expected(integer(1..=255_u8)(text));
            assert_eq!(text, "a whole number from 1 to 255");
        }
    }

    #[test]
    fn ports_are_16_bits() {
        assert_eq!((port("0"), port("65535")), (Ok(0), Ok(65535)));
        for text in ["", "65536", "-1", "+21", "ftp", "٢١"] {
            assert_eq!(expected(port(text)), "a port number from 0 to 65535");
        }
    }

    #[test]
    fn durations_have_units_and_a_maximum() {
        for (text, seconds) in [("0", 0), ("30", 30), ("30s", 30), ("5m", 300), ("1h", 3600)] {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "s", "-1", "+1s", "1.5h", "1 s", "1d", "1ms", "1S", "1m30s", "s1"] {
            assert_eq!(expected(duration(text)), "a duration such as 30, 30s, 5m or 1h", "{text}");
        }
        for text in ["1000001h", "18446744073709551615h", "99999999999999999999", "3600000001"] {
            assert_eq!(expected(duration(text)), "a duration of at most 1000000h", "{text}");
        }
        let longest = duration("1000000h").unwrap();
        assert!(std::time::Instant::now().checked_add(longest).is_some());
    }

    #[test]
    fn sizes_are_powers_of_1024() {
        for (text, bytes) in [("0", 0), ("512", 512), ("64K", 65_536), ("64k", 65_536)] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        assert_eq!((size("10M"), size("1g")), (Ok(10 << 20), Ok(1 << 30)));
        assert_eq!(size("17179869183G"), Ok(17_179_869_183 << 30));
        for text in ["", "K", "1KK", "1KB", "1.5M", "-1", "+1", "1 K", "1T", "K1"] {
            let text = expected(size(text));
            assert_eq!(text, "a number of bytes such as 512, 64K, 10M or 1G");
        }
        for text in ["17179869184G", "18446744073709551616", "99999999999999999999K"] {
            assert_eq!(expected(size(text)), "at most 18446744073709551615 bytes");
        }
    }

    #[test]
    fn booleans_have_several_spellings() {
        assert!(["yes", "TRUE", "On", "1"].iter().all(|text| boolean(text) == Ok(true)));
        assert!(["no", "False", "OFF", "0"].iter().all(|text| boolean(text) == Ok(false)));
        assert!(["", "y", "2", "yes "].iter().all(|text| boolean(text).is_err()));
    }

    #[test]
    fn an_unknown_word_is_reported_with_the_choices() {
        let access = one_of(&[("none", 0), ("read", 1), ("write", 2)]);
        assert_eq!(access("write"), Ok(2));
        assert_eq!(expected(access("Write")), "none, read or write");
        assert_eq!(expected(one_of(&[("a", 0), ("b", 1)])("")), "a or b");
        assert_eq!(expected(one_of(&[("a", 0)])("")), "a");
    }
}
