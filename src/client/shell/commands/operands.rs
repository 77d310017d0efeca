//! The words after a command, one by one.

use crate::client::error::Error;
use crate::protocol::Secret;

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

pub(super) fn secret(word: &[u8]) -> Result<Secret, Error> {
    let wrong = || Error::Usage("a password cannot hold CR, LF or NUL".to_owned());
    Secret::new(word).ok_or_else(wrong)
}
