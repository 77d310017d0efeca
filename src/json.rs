//! JSON output for scripts: one object per line (RFC 8259).
//!
//! Names are bytes and JSON is text. If a name is not UTF-8, its invalid bytes become U+FFFD, and a
//! further member `NAME_base64` contains all its bytes. Hidden characters are escaped, so that a line is
//! safe to print on a terminal.

use crate::text::{base64, is_hidden};
use std::fmt::{Display, Write as _};

/// An object whose members are in the order in which they were added.
#[derive(Debug, Default)]
pub struct Object {
    /// The text between the braces.
    text: String,
}

impl Object {
    /// Creates an object without members.
    pub fn new() -> Object {
        Object::default()
    }

    /// Adds a text member.
    pub fn text(mut self, key: &str, value: &[u8]) -> Object {
        self.key(key);
        let text = String::from_utf8_lossy(value);
        self.quote(&text);
        if text.as_bytes() != value {
            self.key(&format!("{key}_base64"));
            self.quote(&base64(value));
        }
        self
    }

    /// Adds a number member: an integer, or a value whose `Display` is a decimal number.
    pub fn number(mut self, key: &str, value: impl Display) -> Object {
        self.key(key);
        // Writing to a String cannot fail.
        let _ = write!(self.text, "{value}");
        self
    }

    /// Adds a Boolean member.
    pub fn flag(mut self, key: &str, value: bool) -> Object {
        self.key(key);
        self.text += if value { "true" } else { "false" };
        self
    }

    /// Returns the text of the object.
    pub fn finish(self) -> String {
        format!("{{{}}}", self.text)
    }

    fn key(&mut self, key: &str) {
        if !self.text.is_empty() {
            self.text.push(',');
        }
        self.quote(key);
        self.text.push(':');
    }

    fn quote(&mut self, text: &str) {
        self.text.push('"');
        for c in text.chars() {
            match c {
                '"' | '\\' => self.text.extend(['\\', c]),
                c if is_hidden(c) => self.escape(c),
                c => self.text.push(c),
            }
        }
        self.text.push('"');
    }

    /// Writes a character as an escape; characters above U+FFFF need two (RFC 8259 section 7).
    fn escape(&mut self, c: char) {
        for unit in c.encode_utf16(&mut [0; 2]) {
            let _ = write!(self.text, "\\u{unit:04x}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_characters_of_json_and_terminals_are_escaped() {
        let object = Object::new().text("a", b"\"\\\n\x1b\xc2\x9b").number("b", 7);
        assert_eq!(object.finish(), "{\"a\":\"\\\"\\\\\\u000a\\u001b\\u009b\",\"b\":7}");
    }

    #[test]
    fn names_that_are_not_utf_8_stay_different() {
        let object = |name: &[u8]| Object::new().text("a", name).finish();
        assert_eq!(object(b"\xe4"), "{\"a\":\"\u{fffd}\",\"a_base64\":\"5A==\"}");
        assert_ne!(object(b"\xe4"), object(b"\xf6"));
        assert_eq!(object("\u{fffd}".as_bytes()), "{\"a\":\"\u{fffd}\"}");
    }

    #[test]
    fn hidden_characters_are_escaped_and_others_are_shown() {
        let object = Object::new().text("a", "\u{202e}\u{2028}\u{e0041}ü漢🙂".as_bytes());
        assert_eq!(object.finish(), "{\"a\":\"\\u202e\\u2028\\udb40\\udc41ü漢🙂\"}");
        assert_eq!(Object::new().finish(), "{}");
    }

    #[test]
    fn a_number_may_have_decimals() {
        let object = Object::new().number("a", format_args!("{:.3}", 1.5)).number("b", u64::MAX);
        assert_eq!(object.finish(), "{\"a\":1.500,\"b\":18446744073709551615}");
    }
}
