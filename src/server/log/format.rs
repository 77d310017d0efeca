//! Formats an event as a line of text or JSON.
//!
//! A line is always valid text: bytes that are not UTF-8 become `\xe4`, and `\` becomes `\\`, so
//! different names remain different. In JSON these escapes are part of the string, so each of
//! their backslashes is doubled.

use crate::json::Object;
use crate::protocol::{Code, Command, FtpPath, Name};
use crate::server::log::Level;
use crate::text::{Reason, is_hidden, legible, rfc3339, rfc3339_millis};
use std::borrow::Cow;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, SystemTime};

/// The value of a field: text, or a number that JSON writes as a number.
pub trait Value {
    /// Returns the value before escaping; names and words of clients are bytes.
    fn bytes(&self) -> Cow<'_, [u8]>;

    /// Returns whether the value is written as a number in JSON (RFC 8259 section 6).
    fn is_number(&self) -> bool {
        false
    }
}

/// A field of an event: its name and value.
pub type Field<'a> = (&'a str, &'a dyn Value);

/// A time span in seconds with three decimals.
#[derive(Clone, Copy, Debug)]
pub struct Seconds(pub Duration);

impl<T: Value + ?Sized> Value for &T {
    fn bytes(&self) -> Cow<'_, [u8]> {
        (**self).bytes()
    }

    fn is_number(&self) -> bool {
        (**self).is_number()
    }
}

macro_rules! values {
    ($is_number:literal, |$value:ident| $bytes:expr, $($type:ty),*) => {
        $(impl Value for $type {
            fn bytes(&self) -> Cow<'_, [u8]> {
                let $value = self;
                $bytes.into()
            }

            fn is_number(&self) -> bool {
                $is_number
            }
        })*
    };
}

values!(true, |number| number.to_string().into_bytes(), u16, u32, u64, usize, Code);
values!(true, |span| with_decimals(span.0), Seconds);
values!(false, |text| text.as_bytes(), str, Box<str>, String, Cow<'_, str>, FtpPath, Name);
values!(false, |bytes| bytes, [u8]);
values!(false, |shown| shown.to_string().into_bytes(), IpAddr, SocketAddr);
values!(false, |error| Reason(error).to_string().into_bytes(), io::Error);
values!(false, |command| command.masked(), Command);

/// Formats `2026-01-02T03:04:05Z info  login user=anna`.
pub(super) fn text(time: SystemTime, level: Level, event: &str, fields: &[Field<'_>]) -> String {
    /// The capacity in bytes that suffices for most lines.
    const CAPACITY: usize = 192;
    let mut line = String::with_capacity(CAPACITY);
    let padding = &"     "[level.name().len().min(5)..];
    for part in [&rfc3339(time), " ", level.name(), padding, " ", event] {
        line.push_str(part);
    }
    with_fields(line, fields)
}

/// Formats `<6>login user=anna`: the syslog priority (sd-daemon(3)), without a time.
pub(super) fn journal(_: SystemTime, level: Level, event: &str, fields: &[Field<'_>]) -> String {
    let priority = match level {
        Level::Error => 3,
        Level::Warn => 4,
        Level::Info => 6,
        Level::Debug => 7,
    };
    with_fields(format!("<{priority}>{event}"), fields)
}

/// Formats `61.007`.
fn with_decimals(span: Duration) -> Vec<u8> {
    let milliseconds = span.subsec_millis();
    let decimals = [100, 10, 1].map(|place| b'0' + (milliseconds / place % 10) as u8);
    [span.as_secs().to_string().as_bytes(), b".", &decimals].concat()
}

fn with_fields(mut line: String, fields: &[Field<'_>]) -> String {
    for (name, value) in fields {
        line.push(' ');
        line.push_str(name);
        line.push('=');
        push_escaped(&mut line, &value.bytes());
    }
    line.push('\n');
    line
}

/// Formats `{"time":"2026-01-02T03:04:05.678Z","level":"info","event":"login","user":"anna"}`.
pub(super) fn json(time: SystemTime, level: Level, event: &str, fields: &[Field<'_>]) -> String {
    let object = Object::new()
        .text("time", rfc3339_millis(time).as_bytes())
        .text("level", level.name().as_bytes())
        .text("event", event.as_bytes());
    let object = fields.iter().fold(object, |object, (name, value)| match value.is_number() {
        true => object.number(name, legible(&value.bytes())),
        false => object.text(name, legible(&value.bytes()).as_bytes()),
    });
    object.finish() + "\n"
}

/// Appends `value`, in quotes if it contains special characters.
fn push_escaped(line: &mut String, value: &[u8]) {
    let plain = |byte: &u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\' | b'=');
    if !value.is_empty()
        && value.iter().all(plain)
        && let Ok(value) = str::from_utf8(value)
    {
        line.push_str(value);
        return;
    }
    line.push('"');
    for c in legible(value).chars() {
        match c {
            '"' => line.push_str("\\\""),
            c if is_hidden(c) => line.extend(c.escape_unicode()),
            // Letters of all scripts are shown; other characters are escaped.
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

    fn one(value: impl AsRef<[u8]>) -> String {
        text(UNIX_EPOCH, Level::Info, "login", &[("user", &value.as_ref())])
    }

    #[test]
    fn different_values_stay_different() {
        let values: [(&[u8], &str, &str); 6] = [
            (b"\xe4", "\"\\xe4\"", "\"\\\\xe4\""),
            (b"\\xe4", "\"\\\\xe4\"", "\"\\\\\\\\xe4\""),
            (b"a\xff\xe2\x82z", "\"a\\xff\\xe2\\x82z\"", "\"a\\\\xff\\\\xe2\\\\x82z\""),
            ("\u{fffd}".as_bytes(), "\"\\u{fffd}\"", "\"\u{fffd}\""),
            ("ä".as_bytes(), "\"ä\"", "\"ä\""),
            (b"\x1b", "\"\\u{1b}\"", "\"\\u001b\""),
        ];
        for (value, in_text, in_json) in values {
            assert!(one(value).ends_with(&format!(" user={in_text}\n")), "{}", one(value));
            let line = json(UNIX_EPOCH, Level::Info, "login", &[("user", &value)]);
            assert!(line.ends_with(&format!(",\"user\":{in_json}}}\n")), "{line}");
        }
    }

    #[test]
    fn plain_values_are_plain() {
        assert_eq!(one("anna"), "1970-01-01T00:00:00Z info  login user=anna\n");
        assert_eq!(one("/a/b.txt"), "1970-01-01T00:00:00Z info  login user=/a/b.txt\n");
        assert!(one("für uns").contains("user=\"für uns\""));
        assert!(one("").contains("user=\"\""));
    }

    #[test]
    fn no_value_forges_or_colors_a_line() {
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
    fn numbers_stay_numbers_in_json() {
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
