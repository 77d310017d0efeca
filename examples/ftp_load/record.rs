//! What one run came to: named texts and numbers, as a line of JSON.
//!
//! [`Record::to_json`] writes an object on one line.

use std::fmt::Write as _;

/// Names and values in the order they were set.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Record(Vec<(String, Value)>);

/// A text or a number.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A string.
    Text(String),
    /// A number; JSON knows no other kind.
    Number(f64),
}

impl Record {
    /// Adds a text.
    pub fn text(&mut self, name: &str, value: &str) {
        self.0.push((name.to_owned(), Value::Text(value.to_owned())));
    }

    /// Adds a number, unless it is none.
    pub fn number(&mut self, name: &str, value: impl Into<Option<f64>>) {
        if let Some(value) = value.into().filter(|value| value.is_finite()) {
            self.0.push((name.to_owned(), Value::Number(value)));
        }
    }

    /// All of them, in their order.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// The object on one line, without the end of the line.
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
}

/// To the millionth, which is more than any clock here tells.
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
