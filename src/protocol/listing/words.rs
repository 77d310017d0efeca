//! Helpers for the words, numbers and bytes of a line.

/// Appends a number in base 8, 10 or 16, padded with zeros to `width` digits.
pub(super) fn push_number<const BASE: u64>(number: u64, width: usize, out: &mut Vec<u8>) {
    // 2^64 has 22 digits in base 8.
    let mut digits = [b'0'; 22];
    let (mut start, mut rest) = (digits.len(), number);
    while rest > 0 || start == digits.len() {
        start -= 1;
        digits[start] = b"0123456789abcdef"[(rest % BASE) as usize];
        rest /= BASE;
    }
    out.extend_from_slice(&digits[start.min(digits.len() - width)..]);
}

/// Parses digits only; also returns `None` if the number exceeds `u64`.
pub(super) fn number<const BASE: u64>(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0u64, |number, &byte| {
        let digit = char::from(byte).to_digit(BASE as u32)?;
        number.checked_mul(BASE)?.checked_add(u64::from(digit))
    })
}

pub(super) fn is_control(byte: u8) -> bool {
    byte.is_ascii_control()
}

/// Returns whether a byte cannot be part of the value of a fact.
pub(super) fn breaks_fact(byte: u8) -> bool {
    is_control(byte) || byte == b';' || byte == b' '
}

/// Appends a text with `?` for every refused byte.
pub(super) fn push_shown(text: &[u8], refused: fn(u8) -> bool, out: &mut Vec<u8>) {
    out.extend(text.iter().map(|&byte| if refused(byte) { b'?' } else { byte }));
}

pub(super) fn split_at_first(byte: u8, text: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = text.iter().position(|&b| b == byte)?;
    Some((&text[..at], &text[at + 1..]))
}

/// The words of a line, separated by spaces; `rest` is the text after the last word that was
/// taken.
#[derive(Clone, Copy)]
pub(super) struct Words<'a> {
    pub(super) rest: &'a [u8],
}

impl<'a> Words<'a> {
    pub(super) fn next(&mut self) -> Option<&'a [u8]> {
        let start = self.rest.iter().position(|b| !is_blank(b))?;
        let word = &self.rest[start..];
        let end = word.iter().position(is_blank).unwrap_or(word.len());
        self.rest = &word[end..];
        Some(&word[..end])
    }

    /// Returns the next word without taking it.
    pub(super) fn peek(mut self) -> Option<&'a [u8]> {
        self.next()
    }

    /// Returns all remaining words; `None` if there are more than `most`.
    pub(super) fn all(mut self, most: usize) -> Option<Vec<&'a [u8]>> {
        let words: Vec<_> = std::iter::from_fn(|| self.next()).take(most + 1).collect();
        (words.len() <= most).then_some(words)
    }

    /// Returns whether the remaining words begin with these.
    pub(super) fn start_with(mut self, words: &[&str]) -> bool {
        words.iter().all(|word| self.next() == Some(word.as_bytes()))
    }

    /// Returns the text after the one space that follows the last word; further spaces belong to
    /// the name.
    pub(super) fn name(self) -> Option<&'a [u8]> {
        self.name_after(1)
    }

    /// Returns the text after up to `width` spaces; further spaces belong to the name.
    pub(super) fn name_after(self, width: usize) -> Option<&'a [u8]> {
        let blanks = self.rest.iter().take(width).take_while(|b| is_blank(b)).count();
        Some(&self.rest[blanks..]).filter(|name| blanks > 0 && !name.is_empty())
    }
}

pub(super) fn is_blank(byte: &u8) -> bool {
    *byte == b' ' || *byte == b'\t'
}

/// Parses a number with or without separators of thousands: `1,234,567`.
pub(super) fn grouped_number(word: &[u8]) -> Option<u64> {
    let separator = word.iter().find(|byte| b",.'".contains(byte)).copied();
    let Some(separator) = separator else { return number::<10>(word) };
    let mut groups = word.split(|&byte| byte == separator);
    let first = groups.next().filter(|first| (1..=3).contains(&first.len()))?;
    groups.try_fold(number::<10>(first)?, |sum, group| {
        let group = number::<10>(group).filter(|_| group.len() == 3)?;
        sum.checked_mul(1000)?.checked_add(group)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_numbers_are_parsed_back() {
        for number in [0, 1, 7, 8, 15, 16, 255, 0o7777, u64::MAX] {
            let mut out = [Vec::new(), Vec::new(), Vec::new()];
            push_number::<8>(number, 0, &mut out[0]);
            push_number::<10>(number, 0, &mut out[1]);
            push_number::<16>(number, 0, &mut out[2]);
            let expected = [format!("{number:o}"), format!("{number}"), format!("{number:x}")];
            assert_eq!(out, expected.map(String::into_bytes));
        }
    }
}
