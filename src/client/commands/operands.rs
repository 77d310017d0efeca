//! The words after a command, one by one.

use super::super::error::Error;

/// The operand at `index`; the table sees to it that there are enough.
pub(super) fn operand(words: &[Vec<u8>], index: usize) -> &[u8] {
    optional(words, index).unwrap_or_default()
}

pub(super) fn optional(words: &[Vec<u8>], index: usize) -> Option<&[u8]> {
    words.get(index).map(Vec::as_slice)
}

pub(super) fn text(word: &[u8]) -> Result<&str, Error> {
    std::str::from_utf8(word).map_err(|_| Error::Usage("expected text in UTF-8".to_owned()))
}
