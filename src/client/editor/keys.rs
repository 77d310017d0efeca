//! Converts the bytes of terminals to keys: those of xterm, the VT series, the Linux console,
//! rxvt, tmux and screen.

use crate::client::output::text::{chars_of, held};

/// A key or a pasted text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Char(char),
    /// With Ctrl held; the letter is lower case.
    Control(char),
    /// With Alt held, or after Escape.
    Alt(char),
    Enter,
    Tab,
    Backspace,
    Delete,
    Left,
    Right,
    Up,
    Down,
    Home,
    End,
    WordLeft,
    WordRight,
    /// Escape by itself.
    Escape,
    Paste(Vec<char>),
}

/// The longest escape sequence that a key sends, in bytes.
const LONGEST: usize = 32;

/// The end of a pasted text.
const PASTE_END: &[u8] = b"\x1b[201~";

/// The state of the parser.
#[derive(Debug, Default)]
enum KeyState {
    #[default]
    Between,
    /// After the first bytes of a character.
    Character(Vec<u8>),
    /// After Escape.
    Escaped,
    /// After `ESC [`.
    Sequence(Vec<u8>),
    /// After `ESC O`.
    Shifted,
    Paste(Vec<u8>),
}

/// Parses keys byte by byte.
#[derive(Debug, Default)]
pub(super) struct Keys {
    state: KeyState,
}

impl Keys {
    /// Processes a byte, and returns the key that it completes.
    pub(super) fn byte(&mut self, byte: u8) -> Option<Key> {
        match std::mem::take(&mut self.state) {
            KeyState::Between => self.first(byte),
            KeyState::Character(begun) => self.character(begun, byte),
            KeyState::Escaped => self.escaped(byte),
            KeyState::Sequence(begun) => self.sequence(begun, byte),
            KeyState::Shifted => cursor(byte, b""),
            KeyState::Paste(begun) => self.paste(begun, byte),
        }
    }

    /// Returns whether a key has begun that may be complete if nothing follows soon.
    pub(super) fn is_waiting(&self) -> bool {
        !matches!(self.state, KeyState::Between | KeyState::Paste(_))
    }

    /// Returns the key for the bytes so far, since nothing followed.
    pub(super) fn timeout(&mut self) -> Option<Key> {
        match std::mem::take(&mut self.state) {
            KeyState::Escaped => Some(Key::Escape),
            KeyState::Sequence(_) => Some(Key::Alt('[')),
            KeyState::Shifted => Some(Key::Alt('O')),
            KeyState::Character(begun) => begun.first().map(|byte| Key::Char(held(*byte))),
            state @ (KeyState::Between | KeyState::Paste(_)) => {
                self.state = state;
                None
            }
        }
    }

    fn first(&mut self, byte: u8) -> Option<Key> {
        match byte {
            0x1b => self.state = KeyState::Escaped,
            0x80.. => return self.character(Vec::new(), byte),
            _ => return Some(plain(byte)),
        }
        None
    }

    fn character(&mut self, mut begun: Vec<u8>, byte: u8) -> Option<Key> {
        begun.push(byte);
        match std::str::from_utf8(&begun) {
            Ok(text) => text.chars().next().map(Key::Char),
            Err(error) if error.error_len().is_none() => {
                self.state = KeyState::Character(begun);
                None
            }
            // Invalid UTF-8 is taken byte by byte, except a last byte that may begin a key.
            Err(_) if begun.len() == 1 => Some(Key::Char(held(byte))),
            Err(_) => Some(Key::Paste(self.broken(&begun))),
        }
    }

    fn broken(&mut self, bytes: &[u8]) -> Vec<char> {
        let kept = if bytes.last() == Some(&0x1b) { bytes.len() - 1 } else { bytes.len() };
        if kept < bytes.len() {
            self.state = KeyState::Escaped;
        }
        printable(&bytes[..kept])
    }

    fn escaped(&mut self, byte: u8) -> Option<Key> {
        match byte {
            b'[' => self.state = KeyState::Sequence(Vec::new()),
            b'O' => self.state = KeyState::Shifted,
            0x1b => {
                self.state = KeyState::Escaped;
                return Some(Key::Escape);
            }
            0x7f | 0x08 => return Some(Key::Alt('\x7f')),
            0x20.. => return Some(Key::Alt(char::from(byte))),
            _ => return Some(plain(byte)),
        }
        None
    }

    fn sequence(&mut self, mut begun: Vec<u8>, byte: u8) -> Option<Key> {
        match byte {
            0x40..=0x7e if begun == b"200" && byte == b'~' => {
                self.state = KeyState::Paste(Vec::new());
                None
            }
            // The Linux console sends ESC [ [ A for F1.
            b'[' if begun.is_empty() => {
                self.state = KeyState::Shifted;
                None
            }
            0x40..=0x7e => cursor(byte, &begun),
            0x20..=0x3f if begun.len() < LONGEST => {
                begun.push(byte);
                self.state = KeyState::Sequence(begun);
                None
            }
            _ => None,
        }
    }

    fn paste(&mut self, mut begun: Vec<u8>, byte: u8) -> Option<Key> {
        begun.push(byte);
        if !begun.ends_with(PASTE_END) {
            self.state = KeyState::Paste(begun);
            return None;
        }
        begun.truncate(begun.len() - PASTE_END.len());
        Some(Key::Paste(printable(&begun)))
    }
}

/// Converts a pasted text to one line: line ends and other control characters become spaces.
fn printable(bytes: &[u8]) -> Vec<char> {
    let text = bytes.trim_ascii_end();
    let chars = chars_of(text).into_iter();
    chars.map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn plain(byte: u8) -> Key {
    match byte {
        b'\r' | b'\n' => Key::Enter,
        b'\t' => Key::Tab,
        0x08 | 0x7f => Key::Backspace,
        0..0x20 => Key::Control(char::from(byte | 0x60)),
        _ => Key::Char(char::from(byte)),
    }
}

/// Parses `ESC [ PARAMETERS LAST`; `None` for an unknown key.
fn cursor(last: u8, parameters: &[u8]) -> Option<Key> {
    // Shift has no effect here; Alt and Ctrl move by words.
    let by_word = parameters.split(|byte| *byte == b';').nth(1).is_some_and(|held| held != b"2");
    let by_word = by_word || matches!(last, b'c' | b'd');
    Some(match (last, parameters) {
        (b'A', _) => Key::Up,
        (b'B', _) => Key::Down,
        (b'C' | b'c', _) => {
            if by_word {
                Key::WordRight
            } else {
                Key::Right
            }
        }
        (b'D' | b'd', _) => {
            if by_word {
                Key::WordLeft
            } else {
                Key::Left
            }
        }
        (b'H', _) | (b'~', b"1" | b"7") => Key::Home,
        (b'F', _) | (b'~', b"4" | b"8") => Key::End,
        (b'~', b"3") => Key::Delete,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(bytes: &[u8]) -> Vec<Key> {
        let mut reader = Keys::default();
        let mut keys: Vec<Key> = bytes.iter().filter_map(|byte| reader.byte(*byte)).collect();
        keys.extend(reader.timeout());
        keys
    }

    #[test]
    fn characters_and_control_keys() {
        assert_eq!(keys("aü日".as_bytes()), ['a', 'ü', '日'].map(Key::Char));
        assert_eq!(
            keys(b"\x01\x12\t\r\x7f"),
            [Key::Control('a'), Key::Control('r'), Key::Tab, Key::Enter, Key::Backspace]
        );
    }

    #[test]
    fn cursor_keys_in_every_dialect() {
        for (bytes, key) in [
            (&b"\x1b[A"[..], Key::Up),
            (b"\x1bOA", Key::Up),
            (b"\x1b[D", Key::Left),
            (b"\x1b[1;2D", Key::Left),
            (b"\x1b[1;5D", Key::WordLeft),
            (b"\x1b[1;3C", Key::WordRight),
            (b"\x1bOc", Key::WordRight),
            (b"\x1b[H", Key::Home),
            (b"\x1b[1~", Key::Home),
            (b"\x1bOF", Key::End),
            (b"\x1b[8~", Key::End),
            (b"\x1b[3~", Key::Delete),
            (b"\x1bb", Key::Alt('b')),
            (b"\x1b\x7f", Key::Alt('\x7f')),
            (b"\x1b", Key::Escape),
        ] {
            assert_eq!(keys(bytes), [key], "{bytes:?}");
        }
        assert_eq!(keys(b"\x1b[15~a"), [Key::Char('a')], "F5 does nothing");
    }

    #[test]
    fn a_paste_is_text_whatever_is_in_it() {
        let pasted = keys(b"\x1b[200~a\tb\x03\r\nc\x1b[A\n\x1b[201~d");
        assert_eq!(pasted, [Key::Paste("a b   c [A".chars().collect()), Key::Char('d')]);
    }

    #[test]
    fn bytes_that_are_not_utf_8_are_kept() {
        let typed = keys(b"\xff\xe6\x97a");
        let chars: Vec<char> = typed
            .into_iter()
            .flat_map(|key| match key {
                Key::Char(c) => vec![c],
                Key::Paste(chars) => chars,
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(crate::client::output::text::bytes_of(&chars), b"\xff\xe6\x97a");
    }

    #[test]
    fn any_bytes_are_some_keys() {
        for first in 0..=255 {
            for second in 0..=255 {
                keys(&[0x1b, first, second, b'a']);
                keys(&[first, second, 0x1b]);
            }
        }
    }
}
