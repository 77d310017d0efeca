//! The result of a run: named texts and numbers, as a line of JSON.
//!
//! [`Record::to_json`] writes an object on one line, and [`Record::parse`] reads it back. The
//! parser accepts only this form: an object of strings and numbers.

use std::fmt::Write as _;

/// Names and values in the order in which they were added.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Record(Vec<(String, Value)>);

/// A text or a number.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A string.
    Text(String),
    /// A number.
    Number(f64),
}

impl Record {
    /// Adds a text.
    pub fn text(&mut self, name: &str, value: &str) {
        self.0.push((name.to_owned(), Value::Text(value.to_owned())));
    }

    /// Adds a number if it exists and is finite.
    pub fn number(&mut self, name: &str, value: impl Into<Option<f64>>) {
        if let Some(value) = value.into().filter(|value| value.is_finite()) {
            self.0.push((name.to_owned(), Value::Number(value)));
        }
    }

    /// Returns the text with this name, or an empty text.
    pub fn get_text(&self, name: &str) -> &str {
        match self.get(name) {
            Some(Value::Text(text)) => text,
            _ => "",
        }
    }

    /// Returns the number with this name.
    pub fn get_number(&self, name: &str) -> Option<f64> {
        match self.get(name) {
            Some(Value::Number(number)) => Some(*number),
            _ => None,
        }
    }

    /// Returns all names and values in their order.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// Returns the object on one line, without a line end.
    pub fn to_json(&self) -> String {
        let mut out = String::from("{");
        for (index, (name, value)) in self.0.iter().enumerate() {
            if index > 0 {
                out.push_str(", ");
            }
            quote(name, &mut out);
            out.push_str(": ");
            match value {
                Value::Text(text) => quote(text, &mut out),
                Value::Number(number) => out.push_str(&plain(*number)),
            }
        }
        out.push('}');
        out
    }

    /// Parses the output of [`Record::to_json`].
    pub fn parse(line: &str) -> Option<Record> {
        let mut rest = line.trim().strip_prefix('{')?.trim_start();
        let mut record = Record::default();
        while !rest.starts_with('}') {
            let (name, after) = unquote(rest)?;
            let (value, after) = parse_value(after.trim_start().strip_prefix(':')?.trim_start())?;
            record.0.push((name, value));
            rest = after.trim_start();
            match rest.strip_prefix(',') {
                Some(more) => rest = more.trim_start(),
                None if rest.starts_with('}') => {}
                None => return None,
            }
        }
        (rest == "}").then_some(record)
    }

    fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }
}

/// Formats a number with at most six decimals, which exceeds the resolution of the clocks used
/// here.
fn plain(number: f64) -> String {
    let text = format!("{number:.6}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn quote(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => {
                // Writing to a String cannot fail. No control character is beyond U+FFFF.
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

fn parse_value(text: &str) -> Option<(Value, &str)> {
    if text.starts_with('"') {
        return unquote(text).map(|(text, rest)| (Value::Text(text), rest));
    }
    let end = text.find([',', '}', ' ']).unwrap_or(text.len());
    Some((Value::Number(text[..end].parse().ok()?), &text[end..]))
}

fn unquote(text: &str) -> Option<(String, &str)> {
    let mut chars = text.strip_prefix('"')?.chars();
    let mut out = String::new();
    loop {
        match chars.next()? {
            '"' => return Some((out, chars.as_str())),
            '\\' => match chars.next()? {
                'u' => {
                    let rest = chars.as_str();
                    let number = u32::from_str_radix(rest.get(..4)?, 16).ok()?;
                    out.push(char::from_u32(number)?);
                    chars = rest[4..].chars();
                }
                c @ ('"' | '\\' | '/') => out.push(c),
                _ => return None,
            },
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_survives_writing_and_parsing() {
        let mut record = Record::default();
        assert_eq!(Record::parse(&record.to_json()), Some(record.clone()));
        record.text("row \"1\"", "a\\b\n\u{1b}[31m\u{9b}é, }: {");
        record.number("rate", 17_900.25);
        record.number("tiny", 0.000_001);
        record.number("none", f64::NAN);
        record.number("less", -3.0);
        let line = record.to_json();
        assert!(!line.contains(char::is_control), "{line}");
        assert_eq!(Record::parse(&line), Some(record.clone()));
        assert_eq!(record.get_number("rate"), Some(17_900.25));
        assert_eq!(record.get_number("none"), None);
        assert_eq!(record.get_text("rate"), "");
    }

    #[test]
    fn other_text_is_not_a_record() {
        for line in ["", "{", "[]", "{\"a\": }", "{\"a\": 1", "{\"a\": 1} x", "{\"a\" 1}", "{a: 1}"]
        {
            assert_eq!(Record::parse(line), None, "{line}");
        }
    }
}
