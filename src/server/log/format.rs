//! An event as a line, for people or for machines.
//!
//! Names and words that are no UTF-8 have U+FFFD in the place of what is none: a line is text,
//! whatever a client says.

use crate::json::Object;
use crate::protocol::{Code, Command, FtpPath, Name};
use crate::server::log::Level;
use crate::text::{is_hidden, rfc3339, rfc3339_millis};
use std::borrow::Cow;
use std::fmt::{self, Display, Write as _};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, SystemTime};

/// What a field may hold: text, or a number that JSON has as one.
pub trait Value: Display {
    /// Whether it shows itself as a number (RFC 8259 section 6).
    fn is_number(&self) -> bool {
        false
    }
}

/// A named value of an event.
pub type Field<'a> = (&'a str, &'a dyn Value);

/// A time span in seconds, with three decimals.
#[derive(Clone, Copy, Debug)]
pub struct Seconds(pub Duration);

impl Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03}", self.0.as_secs(), self.0.subsec_millis())
    }
}

impl<T: Value + ?Sized> Value for &T {
    fn is_number(&self) -> bool {
        (**self).is_number()
    }
}

macro_rules! numbers {
    ($($number:ty),*) => {
        $(impl Value for $number {
            fn is_number(&self) -> bool {
                true
            }
        })*
    };
}

macro_rules! texts {
    ($($text:ty),*) => {
        $(impl Value for $text {})*
    };
}

numbers!(u16, u32, u64, usize, Seconds, Code);
texts!(str, String, Cow<'_, str>, IpAddr, SocketAddr, io::Error, FtpPath, Name, Command);

/// `2026-01-02T03:04:05Z info  login user=anna`
pub(super) fn text(time: SystemTime, level: Level, event: &str, fields: &[Field<'_>]) -> String {
    // Writing to a String cannot fail.
    let mut line = format!("{} {:<5} {event}", rfc3339(time), level.name());
    for (name, value) in fields {
        let _ = write!(line, " {name}=");
        push_escaped(&mut line, &value.to_string());
    }
    line.push('\n');
    line
}

/// `{"time":"2026-01-02T03:04:05.678Z","level":"info","event":"login","user":"anna"}`
pub(super) fn json(time: SystemTime, level: Level, event: &str, fields: &[Field<'_>]) -> String {
    let object = Object::new()
        .text("time", rfc3339_millis(time).as_bytes())
        .text("level", level.name().as_bytes())
        .text("event", event.as_bytes());
    let object = fields.iter().fold(object, |object, (name, value)| match value.is_number() {
        true => object.number(name, value),
        false => object.text(name, value.to_string().as_bytes()),
    });
    object.finish() + "\n"
}

/// Appends `value`, in quotes where it holds more than plain characters.
fn push_escaped(line: &mut String, value: &str) {
    let plain = |c: char| c.is_ascii_graphic() && !matches!(c, '"' | '\\' | '=');
    if !value.is_empty() && value.chars().all(plain) {
        line.push_str(value);
        return;
    }
    line.push('"');
    for c in value.chars() {
        match c {
            '"' | '\\' => {
                line.push('\\');
                line.push(c);
            }
            c if is_hidden(c) => line.extend(c.escape_unicode()),
            // Letters of all scripts are shown, what else there may be is not.
            c if c == ' ' || c.is_alphanumeric() || c.is_ascii_graphic() => line.push(c),
            c => line.extend(c.escape_unicode()),
        }
    }
    line.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::UNIX_EPOCH;

    fn one(value: &str) -> String {
        text(UNIX_EPOCH, Level::Info, "login", &[("user", &value)])
    }

    #[test]
    fn plain_values_are_plain() {
        assert_eq!(one("anna"), "1970-01-01T00:00:00Z info  login user=anna\n");
        assert_eq!(one("/a/b.txt"), "1970-01-01T00:00:00Z info  login user=/a/b.txt\n");
        assert!(one("für uns").contains("user=\"für uns\""));
        assert!(one("").contains("user=\"\""));
    }

    #[test]
    fn nothing_from_outside_forges_a_line_or_paints() {
        for value in
            ["a\nlogin user=root", "\u{3164}", "\x1b[31mred", "a\rb", "\u{202e}txt", "\"\\", "a=b"]
        {
            let line = one(value);
            assert_eq!(line.matches('\n').count(), 1, "{line:?}");
            assert!(line.ends_with('\n'));
            assert!(!line.contains(['\x1b', '\r', '\u{202e}', '\u{3164}']), "{line:?}");
            assert!(line.contains("user=\""), "{line:?}");
        }
    }

    #[test]
    fn for_machines_numbers_are_numbers() {
        let time = UNIX_EPOCH + Duration::from_micros(1_999);
        let took = Seconds(Duration::from_micros(61_000_900));
        let fields: [Field<'_>; 3] =
            [("session", &7u64), ("seconds", &took), ("user", &"1\n\"\u{1b}")];
        assert_eq!(
            json(time, Level::Warn, "retr", &fields),
            "{\"time\":\"1970-01-01T00:00:00.001Z\",\"level\":\"warn\",\"event\":\"retr\",\
             \"session\":7,\"seconds\":61.000,\"user\":\"1\\u000a\\\"\\u001b\"}\n"
        );
    }
}
