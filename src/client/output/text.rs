//! Bytes as characters and back, whatever the bytes are.

/// A byte that is no part of UTF-8 is held as one of the last private characters, which no file name
/// in the world is likely to hold.
const FIRST: u32 = 0x10_ff00;

/// `bytes` as characters.
pub(in crate::client) fn chars_of(bytes: &[u8]) -> Vec<char> {
    let mut chars = Vec::new();
    for chunk in bytes.utf8_chunks() {
        chars.extend(chunk.valid().chars());
        chars.extend(chunk.invalid().iter().map(|byte| held(*byte)));
    }
    chars
}

/// What [`chars_of`] was given.
pub(in crate::client) fn bytes_of(chars: &[char]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for &c in chars {
        match byte_in(c) {
            Some(byte) => bytes.push(byte),
            None => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    bytes
}

/// The character that stands for a byte.
pub(in crate::client) fn held(byte: u8) -> char {
    char::from_u32(FIRST + u32::from(byte)).unwrap_or(char::REPLACEMENT_CHARACTER)
}

/// The byte that a character stands for, if it is one of those.
pub(in crate::client) fn byte_in(c: char) -> Option<u8> {
    let offset = u32::from(c).checked_sub(FIRST)?;
    u8::try_from(offset).ok().filter(|byte| *byte >= 0x80)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_bytes_come_back() {
        let all: Vec<u8> = (0..=255).collect();
        for bytes in [&all[..], b"a\xff\xe6\x97", "Grüße 日本 \u{10ffff}".as_bytes()] {
            let back = bytes_of(&chars_of(bytes));
            // The private characters themselves are the price.
            assert!(back == bytes || bytes.ends_with("\u{10ffff}".as_bytes()), "{bytes:?}");
        }
    }
}
