//! Converts any bytes to characters and back.

/// The first of the characters that represent bytes that are not UTF-8. They are the last
/// private-use characters, which file names are unlikely to contain.
const FIRST: u32 = 0x10_ff00;

/// Converts `bytes` to characters.
pub(in crate::client) fn chars_of(bytes: &[u8]) -> Vec<char> {
    let mut chars = Vec::new();
    for chunk in bytes.utf8_chunks() {
        chars.extend(chunk.valid().chars());
        chars.extend(chunk.invalid().iter().map(|byte| held(*byte)));
    }
    chars
}

/// Converts characters back to the bytes that [`chars_of`] received.
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

/// Returns the character that represents a byte.
pub(in crate::client) fn held(byte: u8) -> char {
    char::from_u32(FIRST + u32::from(byte)).unwrap_or(char::REPLACEMENT_CHARACTER)
}

/// Returns the byte that a character represents, if it represents one.
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
            // A text with these private-use characters itself is changed.
            assert!(back == bytes || bytes.ends_with("\u{10ffff}".as_bytes()), "{bytes:?}");
        }
    }
}
