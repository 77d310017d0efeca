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

    /// Parses 64 hexadecimal digits, with or without colons.
    pub fn parse(text: &str) -> Option<Pin> {
        let digit = |c: char| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        let digits: Option<Vec<u8>> = text.chars().filter(|c| *c != ':').map(digit).collect();
        let digits = digits.filter(|digits| digits.len() == 64)?;
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = pair[0] << 4 | pair[1];
        }
        Some(Pin(bytes))
    }
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&fingerprint(&self.0))
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
    fn a_pin_is_parsed_with_or_without_colons_in_any_case() {
        let shown = Pin([0xab; 32]).to_string();
        assert!(shown.starts_with("AB:AB:AB") && shown.len() == 95);
        for typed in [&shown, &shown.to_lowercase(), &shown.replace(':', "")] {
            assert_eq!(Pin::parse(typed), Some(Pin([0xab; 32])), "{typed}");
        }
        for wrong in ["", "ab", &shown[3..], &format!("{shown}:ab"), &shown.replace('A', "g")] {
            assert_eq!(Pin::parse(wrong), None, "{wrong}");
        }
    }
}
