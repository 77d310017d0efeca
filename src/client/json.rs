//! What scripts read: one JSON object a line.
//!
//! Names are bytes and JSON is text: what is no UTF-8 in a name is U+FFFD here.

use std::fmt::Write as _;

/// One object, its members in the order in which they are added.
pub(super) struct Object {
    text: String,
}

impl Object {
    /// Without members.
    pub(super) fn new() -> Object {
        Object { text: String::from("{") }
    }

    /// With text as a member.
    pub(super) fn text(mut self, key: &str, value: &[u8]) -> Object {
        self.key(key);
        self.quote(&String::from_utf8_lossy(value));
        self
    }

    /// With a number as a member.
    pub(super) fn number(mut self, key: &str, value: u64) -> Object {
        self.key(key);
        // Writing to a String cannot fail.
        let _ = write!(self.text, "{value}");
        self
    }

    /// All of it.
    pub(super) fn finish(mut self) -> String {
        self.text.push('}');
        self.text
    }

    fn key(&mut self, key: &str) {
        if self.text.len() > 1 {
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
                // ISO 6429 has control characters above 127 too.
                c if c.is_control() => drop(write!(self.text, "\\u{:04x}", u32::from(c))),
                c => self.text.push(c),
            }
        }
        self.text.push('"');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_a_meaning_in_json_or_on_a_terminal_is_escaped() {
        let object = Object::new().text("a", b"\"\\\n\x1b\xff\xc2\x9b").number("b", 7);
        assert_eq!(object.finish(), "{\"a\":\"\\\"\\\\\\u000a\\u001b\u{fffd}\\u009b\",\"b\":7}");
    }
}
