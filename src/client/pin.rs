//! The SHA-256 of a certificate, which identifies it.

use crate::sys::Certificate;
use crate::text::fingerprint;
use std::fmt;

/// The SHA-256 of a certificate.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Pin([u8; 32]);

impl Pin {
    /// Returns the pin that accepts this certificate.
    pub(super) fn of(certificate: &Certificate) -> Pin {
        Pin(certificate.sha256())
    }

    /// Parses 64 hexadecimal digits, with or without colons and spaces between them.
    pub fn parse(text: &str) -> Option<Pin> {
        let digit = |c: char| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        let digits = text.chars().filter(|c| *c != ':' && !c.is_whitespace()).map(digit);
        let digits: Option<Vec<u8>> = digits.collect();
        let digits = digits.filter(|digits| digits.len() == 64)?;
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = pair[0] << 4 | pair[1];
        }
        Some(Pin(bytes))
    }
}

/// The alternate form `{:#}` has two lines, for a terminal of 80 columns. The second is indented to be below the
/// first after `SHA-256 `.
impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = fingerprint(&self.0);
        match text.split_at_checked(text.len().div_ceil(2)) {
            Some((first, second)) if f.alternate() => write!(f, "{first}\n        {second}"),
            _ => f.write_str(&text),
        }
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_is_parsed_with_or_without_colons_and_spaces_in_any_case() {
        let shown = Pin([0xab; 32]).to_string();
        assert!(shown.starts_with("AB:AB:AB") && shown.len() == 95);
        let lines = format!("{:#}", Pin([0xab; 32]));
        assert_eq!(lines.lines().map(|line| line.trim().len()).collect::<Vec<_>>(), [48, 47]);
        let spaced = shown.replace(':', " ");
        for typed in [&shown, &lines, &spaced, &shown.to_lowercase(), &shown.replace(':', "")] {
            assert_eq!(Pin::parse(typed), Some(Pin([0xab; 32])), "{typed}");
        }
        for wrong in ["", "ab", &shown[3..], &format!("{shown}:ab"), &shown.replace('A', "g")] {
            assert_eq!(Pin::parse(wrong), None, "{wrong}");
        }
    }
}
