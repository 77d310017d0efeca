//! HMAC-SHA-256 (RFC 2104), and PBKDF2 on top of it (RFC 8018 section 5.2).

use super::Sha256;
use super::sha2::{bytes_256, compress_256, words};
use std::slice;

/// Derives 32 bytes from a password at the cost of `rounds` HMACs (at least 1).
pub fn pbkdf2_sha256(password: &[u8], salt: &[u8], rounds: u32) -> [u8; 32] {
    let hmac = Hmac::new(password);
    // The result is as long as the digest, so the block T_1 suffices.
    let mut digest = words(&hmac.of(&[salt, &1u32.to_be_bytes()]));
    let mut sum = digest;
    let (inner, outer) = (hmac.inner.state(), hmac.outer.state());
    // Each further message is one digest, so it fits with its padding into one block after the
    // key's.
    let mut block = [0; 16];
    block[8] = 1 << 31;
    block[15] = 8 * (64 + 32);
    for _ in 1..rounds {
        for keyed in [inner, outer] {
            block[..8].copy_from_slice(&digest);
            digest = keyed;
            compress_256(&mut digest, slice::from_ref(&block));
        }
        sum.iter_mut().zip(digest).for_each(|(sum, word)| *sum ^= word);
    }
    bytes_256(&sum)
}

/// HMAC-SHA-256 with its key already hashed, for many messages under one key.
pub struct Hmac {
    inner: Sha256,
    outer: Sha256,
}

impl Hmac {
    /// Hashes the key.
    pub fn new(key: &[u8]) -> Hmac {
        let mut block = [0u8; 64];
        if key.len() > block.len() {
            block[..32].copy_from_slice(&Sha256::of(key));
        } else {
            block[..key.len()].copy_from_slice(key);
        }
        let keyed = |pad: u8| {
            let mut digest = Sha256::new();
            digest.update(&block.map(|byte| byte ^ pad));
            digest
        };
        Hmac { inner: keyed(0x36), outer: keyed(0x5c) }
    }

    /// Returns the authentication code of a message that is given in pieces.
    pub fn of(&self, message: &[&[u8]]) -> [u8; 32] {
        let mut inner = self.inner.clone();
        message.iter().for_each(|piece| inner.update(piece));
        let mut outer = self.outer.clone();
        outer.update(&inner.finish());
        outer.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::super::hex;
    use super::*;

    #[test]
    fn hmac_matches_the_vectors_of_rfc_4231() {
        let cases: [(&[u8], &[u8], &str); 3] = [
            (
                &[0x0b; 20],
                b"Hi There",
                "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
            ),
            (
                b"Jefe",
                b"what do ya want for nothing?",
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
            (
                &[0xaa; 131],
                b"Test Using Larger Than Block-Size Key - Hash Key First",
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
            ),
        ];
        for (key, message, expected) in cases {
            assert_eq!(hex(&Hmac::new(key).of(&[message])), expected);
        }
    }

    #[test]
    fn pbkdf2_matches_the_vectors_of_rfc_7914() {
        // The first 32 of the 64 bytes of the vector, which are T_1.
        let one = "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc";
        assert_eq!(hex(&pbkdf2_sha256(b"passwd", b"salt", 1)), one);
        let many = "4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56";
        assert_eq!(hex(&pbkdf2_sha256(b"Password", b"NaCl", 80000)), many);
    }
}
