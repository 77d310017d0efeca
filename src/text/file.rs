//! Text files that people edit.

use std::fmt;

/// The byte order marks of encodings that are not supported. Longer marks come first, because one
/// of them begins with a shorter one.
const MARKS: [(&[u8], &str); 4] = [
    (b"\xff\xfe\0\0", "UTF-32 (little-endian)"),
    (b"\0\0\xfe\xff", "UTF-32 (big-endian)"),
    (b"\xff\xfe", "UTF-16 (little-endian)"),
    (b"\xfe\xff", "UTF-16 (big-endian)"),
];

/// The error for a file in an unsupported encoding; contains the name of the encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrongEncoding(&'static str);

impl fmt::Display for WrongEncoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "text in UTF-8, but this is {}: save it as UTF-8", self.0)
    }
}

impl std::error::Error for WrongEncoding {}

/// Removes the byte order mark that Windows editors put before UTF-8. Other bytes are not checked,
/// because a name in a file need not be UTF-8.
///
/// # Errors
/// Fails if the mark belongs to another encoding.
pub fn strip_bom(text: &[u8]) -> Result<&[u8], WrongEncoding> {
    match MARKS.iter().find(|(mark, _)| text.starts_with(mark)) {
        Some((_, name)) => Err(WrongEncoding(name)),
        None => Ok(text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text)),
    }
}

/// Returns the lines of a text with their numbers, counted from 1. Line ends of Unix and Windows,
/// and spaces and tabs at both ends of a line, are removed; empty lines are skipped.
pub fn lines(text: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let lines = text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    lines.enumerate().map(|(index, line)| (index + 1, line)).filter(|(_, line)| !line.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_utf_8_mark_is_removed_and_others_are_rejected_by_name() {
        assert_eq!(strip_bom(b"\xef\xbb\xbfa"), Ok(&b"a"[..]));
        assert_eq!(strip_bom(b"\xe4"), Ok(&b"\xe4"[..]));
        assert_eq!(strip_bom(b""), Ok(&b""[..]));
        for (text, name) in [
            (&b"\xff\xfea\0"[..], "UTF-16 (little-endian)"),
            (b"\xfe\xff\0a", "UTF-16 (big-endian)"),
            (b"\xff\xfe\0\0a\0\0\0", "UTF-32 (little-endian)"),
            (b"\0\0\xfe\xff\0\0\0a", "UTF-32 (big-endian)"),
        ] {
            assert_eq!(strip_bom(text), Err(WrongEncoding(name)));
        }
    }

    #[test]
    fn lines_are_numbered_and_trimmed() {
        let all: Vec<(usize, &[u8])> = lines(b"a\r\n\n\t b c \t\n \t\r\nd").collect();
        assert_eq!(all, [(1, &b"a"[..]), (3, b"b c"), (5, b"d")]);
    }
}
