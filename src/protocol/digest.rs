//! Message digests, implemented here because the crate uses std only.
//!
//! Each follows its standard and is tested with the vectors of that standard. MD5, SHA-1 and
//! CRC-32 exist because clients use them (HASH, XMD5, XCRC, …) to detect transfer errors; nothing
//! that must withstand an attacker relies on them.

mod legacy;
mod pbkdf2;
mod sha2;

pub use pbkdf2::{Hmac, pbkdf2_sha256};
pub use sha2::Sha256;

use super::Algorithm;
use legacy::{Crc32, Md5, Sha1};
use sha2::Sha512;
use std::slice;

/// The state of a digest of any algorithm.
pub enum Hasher {
    /// SHA-256.
    Sha256(Sha256),
    /// SHA-512.
    Sha512(Sha512),
    /// SHA-1.
    Sha1(Sha1),
    /// MD5.
    Md5(Md5),
    /// CRC-32.
    Crc32(Crc32),
}

impl Hasher {
    /// Creates the state of an empty message.
    pub fn new(algorithm: Algorithm) -> Hasher {
        match algorithm {
            Algorithm::Sha256 => Hasher::Sha256(Sha256::new()),
            Algorithm::Sha512 => Hasher::Sha512(Sha512::new()),
            Algorithm::Sha1 => Hasher::Sha1(Sha1::new()),
            Algorithm::Md5 => Hasher::Md5(Md5::new()),
            Algorithm::Crc32 => Hasher::Crc32(Crc32::new()),
        }
    }

    /// Adds bytes to the message.
    pub fn update(&mut self, bytes: &[u8]) {
        match self {
            Hasher::Sha256(digest) => digest.update(bytes),
            Hasher::Sha512(digest) => digest.update(bytes),
            Hasher::Sha1(digest) => digest.update(bytes),
            Hasher::Md5(digest) => digest.update(bytes),
            Hasher::Crc32(digest) => digest.update(bytes),
        }
    }

    /// Returns the digest of the whole message in hexadecimal digits.
    pub fn finish(self) -> String {
        match self {
            Hasher::Sha256(digest) => hex(&digest.finish()),
            Hasher::Sha512(digest) => hex(&digest.finish()),
            Hasher::Sha1(digest) => hex(&digest.finish()),
            Hasher::Md5(digest) => hex(&digest.finish()),
            Hasher::Crc32(digest) => hex(&digest.finish()),
        }
    }
}

/// Returns bytes as lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(2 * bytes.len());
    for digit in bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]) {
        text.push(char::from(DIGITS[usize::from(digit)]));
    }
    text
}

/// Splits a message into blocks of `N` bytes and pads its end, as MD5 and the SHA family do.
#[derive(Clone)]
struct Blocks<const N: usize> {
    block: [u8; N],
    filled: usize,
    length: u64,
}

impl<const N: usize> Blocks<N> {
    fn new() -> Blocks<N> {
        Blocks { block: [0; N], filled: 0, length: 0 }
    }

    fn update(&mut self, mut bytes: &[u8], mut compress: impl FnMut(&[[u8; N]])) {
        self.length = self.length.wrapping_add(bytes.len() as u64);
        if self.filled > 0 {
            let take = bytes.len().min(N - self.filled);
            self.block[self.filled..self.filled + take].copy_from_slice(&bytes[..take]);
            self.filled += take;
            bytes = &bytes[take..];
            if self.filled < N {
                return;
            }
            compress(slice::from_ref(&self.block));
        }
        let (blocks, rest) = bytes.as_chunks::<N>();
        compress(blocks);
        self.block[..rest.len()].copy_from_slice(rest);
        self.filled = rest.len();
    }

    /// Appends the padding: a one bit, zeros, and the length in bits in the last `size` bytes of a
    /// block.
    fn finish(mut self, size: usize, order: Order, mut compress: impl FnMut(&[[u8; N]])) {
        let bits = self.length.wrapping_mul(8);
        let mut end = [0u8; 16];
        match order {
            Order::BigEndian => end[size - 8..size].copy_from_slice(&bits.to_be_bytes()),
            Order::LittleEndian => end[..8].copy_from_slice(&bits.to_le_bytes()),
        }
        let used = self.filled + 1;
        let zeros = (2 * N - size - used) % N;
        let mut padding = [0u8; 256];
        padding[0] = 0x80;
        padding[1 + zeros..1 + zeros + size].copy_from_slice(&end[..size]);
        self.update(&padding[..1 + zeros + size], &mut compress);
    }
}

/// The byte order of the length in the padding.
#[derive(Clone, Copy)]
enum Order {
    BigEndian,
    LittleEndian,
}

#[cfg(test)]
mod tests {
    use super::*;

    const ABC56: &[u8] = b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";

    fn digest(algorithm: Algorithm, message: &[u8]) -> String {
        let mut hasher = Hasher::new(algorithm);
        hasher.update(message);
        hasher.finish()
    }

    #[test]
    fn digests_match_the_test_vectors_of_the_standards() {
        use Algorithm::*;
        let cases: &[(Algorithm, &[u8], &str)] = &[
            // FIPS 180-4, examples of NIST
            (Sha256, b"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            (Sha256, b"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            (Sha256, ABC56, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"),
            (
                Sha512,
                b"abc",
                "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
                 2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
            ),
            (
                Sha512,
                b"",
                "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce\
                 47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e",
            ),
            (Sha1, b"abc", "a9993e364706816aba3e25717850c26c9cd0d89d"),
            (Sha1, b"", "da39a3ee5e6b4b0d3255bfef95601890afd80709"),
            (Sha1, ABC56, "84983e441c3bd26ebaae4aa1f95129e5e54670f1"),
            // RFC 1321 section A.5
            (Md5, b"", "d41d8cd98f00b204e9800998ecf8427e"),
            (Md5, b"message digest", "f96b697d7cb7938d525a2f31aaf161d0"),
            (
                Md5,
                b"12345678901234567890123456789012345678901234567890123456789012345678901234567890",
                "57edf4a22be3c955ac49da2e2107b67a",
            ),
            // the check value of CRC-32/ISO-HDLC
            (Crc32, b"123456789", "cbf43926"),
            (Crc32, b"", "00000000"),
        ];
        for (algorithm, message, expected) in cases {
            assert_eq!(digest(*algorithm, message), *expected, "{algorithm:?}");
        }
    }

    #[test]
    fn a_long_message_may_arrive_in_pieces_of_any_size() {
        use Algorithm::*;
        let million = vec![b'a'; 1_000_000];
        let expected = [
            (Sha256, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"),
            (Sha1, "34aa973cd4c4daa4f61eeb2bdbad27316534016f"),
            (Md5, "7707d6ae4e027c70eea2a935c2296f21"),
            (Crc32, "dc25bfbc"),
        ];
        for (algorithm, expected) in expected {
            let mut hasher = Hasher::new(algorithm);
            million.chunks(997).for_each(|piece| hasher.update(piece));
            assert_eq!(hasher.finish(), expected, "{algorithm:?}");
        }
    }

    #[test]
    fn messages_of_every_length_around_a_block_are_padded_correctly() {
        // One piece and many pieces must agree where the padding just fits and where it does not.
        for algorithm in Algorithm::ALL {
            for length in 0..300 {
                let message = vec![7u8; length];
                let mut hasher = Hasher::new(algorithm);
                message.iter().for_each(|byte| hasher.update(&[*byte]));
                assert_eq!(hasher.finish(), digest(algorithm, &message), "{algorithm:?} {length}");
            }
        }
    }
}
