//! Escapes bytes from outside for display.
//!
//! A peer chooses the bytes of its replies, its listings and its file names. Sent to a terminal
//! unchanged, they could move the cursor, change the window title, send input on the user's
//! behalf, or make a name look like another one. Hidden characters and bytes that are not UTF-8
//! are therefore shown as escapes. Everything else is unchanged, including backslashes: the text
//! is for people, not for parsers.

use std::fmt::Write as _;
use std::io::{self, Write};

/// Returns whether a character is invisible or affects other characters on the screen: control
/// characters, including those of ISO 6429 above 127, line and paragraph separators, marks that
/// change the text direction, and characters without a width.
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}'
                | '\u{61c}'
                | '\u{115f}' // Hangul fillers
                | '\u{1160}'
                | '\u{17b4}' // invisible Khmer vowels
                | '\u{17b5}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{3164}'
                | '\u{feff}'
                | '\u{ffa0}'
                | '\u{fff0}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e0fff}'
        )
}

/// Returns `bytes` as one line without hidden characters.
pub fn shown(bytes: &[u8]) -> String {
    let mut out = String::new();
    append(bytes, |_| false, &mut out);
    out
}

/// Returns `bytes` as text without hidden characters except line ends and tabs.
pub fn shown_lines(bytes: &[u8]) -> String {
    let mut out = String::new();
    append(bytes, is_layout, &mut out);
    out
}

/// Returns `bytes` as unambiguous text for programs: a byte that is not UTF-8 becomes `\xe4`, and
/// `\` becomes `\\`. Hidden characters are unchanged.
pub fn legible(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            out.extend((c == '\\').then_some('\\'));
            out.push(c);
        }
        chunk.invalid().iter().for_each(|byte| append_byte(*byte, &mut out));
    }
    out
}

fn is_layout(c: char) -> bool {
    matches!(c, '\n' | '\t')
}

fn append(bytes: &[u8], kept: impl Fn(char) -> bool, out: &mut String) {
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                c if !is_hidden(c) || kept(c) => out.push(c),
                c if c.is_ascii() => append_byte(c as u8, out),
                c => out.extend(c.escape_unicode()),
            }
        }
        chunk.invalid().iter().for_each(|byte| append_byte(*byte, out));
    }
}

/// Appends a byte in the form `\xe4`.
pub fn append_byte(byte: u8, out: &mut String) {
    // Writing to a String cannot fail.
    let _ = write!(out, "\\x{byte:02x}");
}

/// Writes bytes to `W` in the form of [`shown_lines`].
#[derive(Debug)]
pub struct EscapingWriter<W> {
    inner: W,
    /// The incomplete character at the end of the data so far: at most three bytes.
    begun: Vec<u8>,
}

impl<W: Write> EscapingWriter<W> {
    /// Creates a writer.
    pub fn new(inner: W) -> EscapingWriter<W> {
        EscapingWriter { inner, begun: Vec::new() }
    }

    /// Writes the rest, including an incomplete character.
    ///
    /// # Errors
    /// Returns the errors of `W`.
    pub fn finish(mut self) -> io::Result<()> {
        self.inner.write_all(shown(&self.begun).as_bytes())?;
        self.inner.flush()
    }
}

impl<W: Write> Write for EscapingWriter<W> {
    fn write(&mut self, input: &[u8]) -> io::Result<usize> {
        let mut text = std::mem::take(&mut self.begun);
        text.extend_from_slice(input);
        self.begun = text.split_off(text.len() - unfinished(&text));
        self.inner.write_all(shown_lines(&text).as_bytes())?;
        Ok(input.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Returns the number of bytes at the end that are the beginning of a character.
fn unfinished(text: &[u8]) -> usize {
    let last = text.utf8_chunks().last().map_or(&b""[..], |chunk| chunk.invalid());
    let cut_off = std::str::from_utf8(last).is_err_and(|error| error.error_len().is_none());
    if cut_off { last.len() } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_escaped_and_everything_else_is_kept() {
        assert_eq!(shown("Grüße\\ 日本".as_bytes()), "Grüße\\ 日本");
        assert_eq!(shown(b"a\x1b[2Jb\rc\nd\te\x7f"), "a\\x1b[2Jb\\x0dc\\x0ad\\x09e\\x7f");
        assert_eq!(shown("\u{9b}2J".as_bytes()), "\\u{9b}2J");
        assert_eq!(shown(b"\x9b2J\xff"), "\\x9b2J\\xff");
        assert_eq!(shown_lines(b"a\tb\r\nc"), "a\tb\\x0d\nc");
    }

    #[test]
    fn hidden_characters_are_escaped() {
        for c in ['\u{85}', '\u{ad}', '\u{200b}', '\u{202e}', '\u{2066}', '\u{3164}', '\u{fff0}'] {
            let mut bytes = [0; 4];
            assert_eq!(shown(c.encode_utf8(&mut bytes).as_bytes()), c.escape_unicode().to_string());
        }
        assert_eq!(shown("e\u{301}😀\u{fffd}".as_bytes()), "e\u{301}😀\u{fffd}");
    }

    #[test]
    fn the_output_is_the_same_at_every_split() {
        let text = "a\u{9b}\u{1b}日本\n\t".as_bytes();
        let text = [text, b"\xe6\x97"].concat();
        for split in 0..text.len() {
            let mut out = Vec::new();
            let mut writer = EscapingWriter::new(&mut out);
            writer.write_all(&text[..split]).unwrap();
            writer.write_all(&text[split..]).unwrap();
            writer.finish().unwrap();
            assert_eq!(String::from_utf8(out).unwrap(), shown_lines(&text), "{split}");
        }
    }
}
