//! Base64 (RFC 4648 section 4).

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Encodes bytes as base64 with padding.
pub fn base64(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let group = chunk.iter().fold(0u32, |group, byte| group << 8 | u32::from(*byte));
        let group = group << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let letter = ALPHABET[(group >> (18 - 6 * place)) as usize & 63];
            text.push(if place <= chunk.len() { char::from(letter) } else { '=' });
        }
    }
    text
}

/// Decodes base64 with or without padding.
pub fn parse_base64(text: &str) -> Option<Vec<u8>> {
    let letters = match text.strip_suffix("==").or(text.strip_suffix('=')) {
        Some(letters) if text.len().is_multiple_of(4) => letters,
        Some(_) => return None,
        None => text,
    };
    let mut bytes = Vec::new();
    for chunk in letters.as_bytes().chunks(4) {
        if chunk.len() == 1 {
            return None;
        }
        let mut group = 0u32;
        for byte in chunk {
            group = group << 6 | ALPHABET.iter().position(|letter| letter == byte)? as u32;
        }
        let group = group << (6 * (4 - chunk.len()));
        let [_, three @ ..] = group.to_be_bytes();
        bytes.extend_from_slice(&three[..chunk.len() - 1]);
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoded_bytes_of_every_length_are_decoded_back() {
        for length in 0..20u8 {
            let bytes: Vec<u8> = (0..length).map(|i| i.wrapping_mul(89)).collect();
            let text = base64(&bytes);
            assert_eq!(parse_base64(text.trim_end_matches('=')).as_ref(), Some(&bytes));
            assert_eq!(parse_base64(&text), Some(bytes));
        }
        // RFC 4648 section 10
        for (bytes, text) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foobar", "Zm9vYmFy")] {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
        assert_eq!(base64(&[0xfb, 0xff]), "+/8=");
    }

    #[test]
    fn invalid_base64_is_rejected() {
        for text in
            ["a", "abcde", "ab=", "abc==", "a===", "=", "====", "a.bc", "ab c", "ab\n", "äb"]
        {
            assert_eq!(parse_base64(text), None, "{text:?}");
        }
    }
}
