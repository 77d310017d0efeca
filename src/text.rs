//! Text output for people and for programs, with one function for each format.
//!
//! | what | where it is used |
//! |---|---|
//! | [`is_hidden`] | every place that shows bytes from outside: terminals, logs, JSON, pages |
//! | [`shown`], [`shown_lines`], [`EscapingWriter`] | the client's terminal, errors about words from outside |
//! | [`legible`] | logs, which programs also read |
//! | [`strip_bom`], [`lines`] | accounts, config files, `.netrc`, files of commands |
//! | [`rfc3339`], [`http_date`] | logs, pages, JSON, `modtime` |
//! | [`base64`], [`parse_base64`] | password hashes, the digests of a page's own scripts |
//! | [`Reason`] | system errors in messages and logs |
//! | [`fingerprint`] | certificates |
//! | [`scaled`] | sizes and rates for people |
//!
//! Nothing here panics, whatever the bytes, the clock or the number.

mod base64;
mod escape;
mod file;

pub use base64::{base64, parse_base64};
pub use escape::{EscapingWriter, append_byte, is_hidden, legible, shown, shown_lines};
pub use file::{WrongEncoding, lines, strip_bom};

use crate::protocol::time::{self, Civil};
use std::time::SystemTime;
use std::{fmt, io};

/// Displays a system error without ` (os error N)`, which std appends.
#[derive(Clone, Copy, Debug)]
pub struct Reason<'a>(pub &'a io::Error);

impl fmt::Display for Reason<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.to_string();
        let number = self.0.raw_os_error().map(|number| format!(" (os error {number})"));
        let words = number.and_then(|number| text.strip_suffix(&number));
        f.write_str(words.unwrap_or(&text))
    }
}

/// Formats a time as `2026-11-22T19:26:29Z` (RFC 3339 section 5.6).
pub fn rfc3339(time: SystemTime) -> String {
    date_time(time) + "Z"
}

/// Formats a time like [`rfc3339`] with milliseconds: `2026-11-22T19:26:29.678Z`.
pub fn rfc3339_millis(time: SystemTime) -> String {
    let since = time.duration_since(SystemTime::UNIX_EPOCH);
    let milliseconds = since.map_or(0, |since| since.subsec_millis());
    format!("{}.{milliseconds:03}Z", date_time(time))
}

fn date_time(time: SystemTime) -> String {
    let Civil { year, month, day, hour, minute, second } = Civil::from_system(time);
    // Every line of a log begins with it, and `format!` of six numbers takes 20 times as long.
    let parts = [(month, '-'), (day, '-'), (hour, 'T'), (minute, ':'), (second, ':')];
    let mut text = String::with_capacity("2026-11-22T19:26:29.678Z".len());
    let push = |text: &mut String, number: u32| {
        let digits = [number / 10 % 10, number % 10].map(|digit| char::from(b'0' + digit as u8));
        text.extend(digits);
    };
    match u32::try_from(year) {
        Ok(year @ ..=9999) => {
            push(&mut text, year / 100);
            push(&mut text, year);
        }
        _ => text += &format!("{year:04}"),
    }
    for (number, before) in parts {
        text.push(before);
        push(&mut text, number.into());
    }
    text
}

/// Formats a time as `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110 section 5.6.7).
pub fn http_date(time: SystemTime) -> String {
    let (weekday, month) = (time::weekday(time), time::month_of(time));
    let Civil { year, day, hour, minute, second, .. } = Civil::from_system(time);
    format!("{weekday}, {day:02} {month} {year:04} {hour:02}:{minute:02}:{second:02} GMT")
}

/// Formats a SHA-256 fingerprint of a certificate as `openssl x509 -fingerprint` does: `AB:CD:…`.
pub fn fingerprint(sha256: &[u8; 32]) -> String {
    sha256.map(|byte| format!("{byte:02X}")).join(":")
}

/// Converts a number of bytes to the largest unit (in powers of 1024) in which it is at least one,
/// and returns the number and the unit. A number that would be rounded to 1024 is converted to the
/// next unit.
pub fn scaled(bytes: f64) -> (f64, &'static str) {
    const UNITS: [&str; 7] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let (mut number, mut unit) = (bytes, 0);
    while number >= 1023.5 && unit + 1 < UNITS.len() {
        number /= 1024.0;
        unit += 1;
    }
    (number, UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, UNIX_EPOCH};

    #[test]
    fn times_are_formatted_in_each_format() {
        let time = UNIX_EPOCH + Duration::from_millis(784_111_777_042);
        assert_eq!(rfc3339(time), "1994-11-06T08:49:37Z");
        assert_eq!(rfc3339_millis(time), "1994-11-06T08:49:37.042Z");
        assert_eq!(http_date(time), "Sun, 06 Nov 1994 08:49:37 GMT");
        let before = UNIX_EPOCH - Duration::from_secs(1);
        assert_eq!(rfc3339_millis(before), "1969-12-31T23:59:59.000Z");
        assert_eq!(http_date(before), "Wed, 31 Dec 1969 23:59:59 GMT");
    }

    #[test]
    fn a_reason_contains_no_error_number() {
        let error = io::Error::from_raw_os_error(2);
        assert!(error.to_string().contains("os error"));
        assert_eq!(Reason(&error).to_string(), "No such file or directory");
        let error = io::Error::other("a file named (os error 2)");
        assert_eq!(Reason(&error).to_string(), "a file named (os error 2)");
    }

    #[test]
    fn a_size_is_at_least_one_in_its_unit() {
        for (bytes, number, unit) in [
            (0.0, 0.0, "B"),
            (1023.0, 1023.0, "B"),
            (1024.0, 1.0, "KiB"),
            (1536.0, 1.5, "KiB"),
            (1024.0 * 1024.0, 1.0, "MiB"),
            (u64::MAX as f64, 16.0, "EiB"),
        ] {
            assert_eq!(scaled(bytes), (number, unit));
        }
        assert_eq!(scaled(f64::INFINITY), (f64::INFINITY, "EiB"));
        assert_eq!(scaled(1024.0 * 1024.0 - 1.0).1, "MiB");
    }
}
