//! SHA-256 and SHA-512 (FIPS 180-4).
//!
//! SHA-256 uses the SHA instructions of the processor if it has them, and the portable code below
//! otherwise.

use super::{Blocks, Order};
use crate::sys;

/// The state of a SHA-256 digest.
#[derive(Clone)]
pub struct Sha256 {
    state: [u32; 8],
    blocks: Blocks<64>,
}

impl Sha256 {
    /// Creates the state of an empty message.
    pub fn new() -> Sha256 {
        Sha256 { state: INITIAL_256, blocks: Blocks::new() }
    }

    /// Returns the digest of `bytes`.
    pub fn of(bytes: &[u8]) -> [u8; 32] {
        let mut digest = Sha256::new();
        digest.update(bytes);
        digest.finish()
    }

    /// Adds bytes to the message.
    pub fn update(&mut self, bytes: &[u8]) {
        let state = &mut self.state;
        self.blocks.update(bytes, |blocks| compress_bytes(state, blocks));
    }

    /// Returns the digest of the whole message.
    pub fn finish(self) -> [u8; 32] {
        let mut state = self.state;
        self.blocks.finish(8, Order::BigEndian, |blocks| compress_bytes(&mut state, blocks));
        bytes_256(&state)
    }

    /// Returns the state after all whole blocks.
    pub(super) fn state(&self) -> [u32; 8] {
        self.state
    }
}

/// Compresses blocks into the state of a SHA-256, up to eight in a call, because the instructions
/// keep the state in registers between the blocks of one call.
fn compress_bytes(state: &mut [u32; 8], blocks: &[[u8; 64]]) {
    let mut batch = [[0; 16]; 8];
    for blocks in blocks.chunks(batch.len()) {
        batch.iter_mut().zip(blocks).for_each(|(block, bytes)| *block = words(bytes));
        compress_256(state, &batch[..blocks.len()]);
    }
}

/// Compresses blocks that are already split into words.
#[inline]
pub(super) fn compress_256(state: &mut [u32; 8], blocks: &[[u32; 16]]) {
    if !sys::compress_sha256(state, blocks, &K_256) {
        blocks.iter().for_each(|block| compress_256_portably(state, block));
    }
}

/// Converts big-endian bytes to words.
#[inline]
pub(super) fn words<const N: usize>(bytes: &[u8]) -> [u32; N] {
    let mut words = [0; N];
    for (word, bytes) in words.iter_mut().zip(bytes.as_chunks::<4>().0) {
        *word = u32::from_be_bytes(*bytes);
    }
    words
}

/// Converts a state to the bytes of a digest.
#[inline]
pub(super) fn bytes_256(state: &[u32; 8]) -> [u8; 32] {
    let mut out = [0; 32];
    for (bytes, word) in out.as_chunks_mut::<4>().0.iter_mut().zip(state) {
        *bytes = word.to_be_bytes();
    }
    out
}

/// Compresses one block with portable code. It computes sixteen rounds at a time, so that the
/// message schedule needs only sixteen words, which stay in or near registers, and the compiler
/// unrolls both loops.
fn compress_256_portably(state: &mut [u32; 8], block: &[u32; 16]) {
    let mut w = *block;
    let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = *state;
    for (sixteen, constants) in K_256.as_chunks::<16>().0.iter().enumerate() {
        for i in 0..16 {
            if sixteen > 0 {
                let (before_2, before_15) = (w[(i + 14) % 16], w[(i + 1) % 16]);
                let s0 = before_15.rotate_right(7) ^ before_15.rotate_right(18) ^ (before_15 >> 3);
                let s1 = before_2.rotate_right(17) ^ before_2.rotate_right(19) ^ (before_2 >> 10);
                w[i] = w[i].wrapping_add(s0).wrapping_add(w[(i + 9) % 16]).wrapping_add(s1);
            }
            let s1 = e.rotate_right(6) ^ e.rotate_right(11) ^ e.rotate_right(25);
            let choice = g ^ (e & (f ^ g));
            let t1 = h.wrapping_add(constants[i]).wrapping_add(w[i]);
            let t1 = t1.wrapping_add(s1).wrapping_add(choice);
            let s0 = a.rotate_right(2) ^ a.rotate_right(13) ^ a.rotate_right(22);
            let t2 = s0.wrapping_add((a & b) | (c & (a | b)));
            (h, g, f, e, d, c, b, a) = (g, f, e, d.wrapping_add(t1), c, b, a, t1.wrapping_add(t2));
        }
    }
    for (word, add) in state.iter_mut().zip([a, b, c, d, e, f, g, h]) {
        *word = word.wrapping_add(add);
    }
}

/// The state of a SHA-512 digest.
pub struct Sha512 {
    state: [u64; 8],
    blocks: Blocks<128>,
}

impl Sha512 {
    /// Creates the state of an empty message.
    pub fn new() -> Sha512 {
        Sha512 { state: INITIAL_512, blocks: Blocks::new() }
    }

    /// Adds bytes to the message.
    pub fn update(&mut self, bytes: &[u8]) {
        let state = &mut self.state;
        self.blocks
            .update(bytes, |blocks| blocks.iter().for_each(|block| compress_512(state, block)));
    }

    /// Returns the digest of the whole message.
    pub fn finish(self) -> [u8; 64] {
        let mut state = self.state;
        self.blocks.finish(16, Order::BigEndian, |blocks| {
            blocks.iter().for_each(|block| compress_512(&mut state, block));
        });
        let mut out = [0; 64];
        for (bytes, word) in out.as_chunks_mut::<8>().0.iter_mut().zip(state) {
            *bytes = word.to_be_bytes();
        }
        out
    }
}

fn compress_512(state: &mut [u64; 8], block: &[u8; 128]) {
    let mut w = [0u64; 80];
    for (word, bytes) in w.iter_mut().zip(block.as_chunks::<8>().0) {
        *word = u64::from_be_bytes(*bytes);
    }
    for i in 16..80 {
        let s0 = w[i - 15].rotate_right(1) ^ w[i - 15].rotate_right(8) ^ (w[i - 15] >> 7);
        let s1 = w[i - 2].rotate_right(19) ^ w[i - 2].rotate_right(61) ^ (w[i - 2] >> 6);
        w[i] = w[i - 16].wrapping_add(s0).wrapping_add(w[i - 7]).wrapping_add(s1);
    }
    let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = *state;
    for i in 0..80 {
        let s1 = e.rotate_right(14) ^ e.rotate_right(18) ^ e.rotate_right(41);
        let choice = (e & f) ^ (!e & g);
        let t1 = h.wrapping_add(s1).wrapping_add(choice).wrapping_add(K_512[i]).wrapping_add(w[i]);
        let s0 = a.rotate_right(28) ^ a.rotate_right(34) ^ a.rotate_right(39);
        let t2 = s0.wrapping_add((a & b) ^ (a & c) ^ (b & c));
        (h, g, f, e, d, c, b, a) = (g, f, e, d.wrapping_add(t1), c, b, a, t1.wrapping_add(t2));
    }
    for (word, add) in state.iter_mut().zip([a, b, c, d, e, f, g, h]) {
        *word = word.wrapping_add(add);
    }
}

/// The first 32 bits of the fractional parts of the square roots of the first eight primes
/// (section 5.3.3).
#[rustfmt::skip]
const INITIAL_256: [u32; 8] = [
    0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
];

/// The first 64 bits of the same fractional parts (section 5.3.5).
#[rustfmt::skip]
const INITIAL_512: [u64; 8] = [
    0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1,
    0x510e527fade682d1, 0x9b05688c2b3e6c1f, 0x1f83d9abfb41bd6b, 0x5be0cd19137e2179,
];

/// The first 32 bits of the fractional parts of the cube roots of the first 64 primes (section
/// 4.2.2).
#[rustfmt::skip]
const K_256: [u32; 64] = [
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
];

/// The first 64 bits of the fractional parts of the cube roots of the first 80 primes (section
/// 4.2.3).
#[rustfmt::skip]
const K_512: [u64; 80] = [
    0x428a2f98d728ae22, 0x7137449123ef65cd, 0xb5c0fbcfec4d3b2f, 0xe9b5dba58189dbbc,
    0x3956c25bf348b538, 0x59f111f1b605d019, 0x923f82a4af194f9b, 0xab1c5ed5da6d8118,
    0xd807aa98a3030242, 0x12835b0145706fbe, 0x243185be4ee4b28c, 0x550c7dc3d5ffb4e2,
    0x72be5d74f27b896f, 0x80deb1fe3b1696b1, 0x9bdc06a725c71235, 0xc19bf174cf692694,
    0xe49b69c19ef14ad2, 0xefbe4786384f25e3, 0x0fc19dc68b8cd5b5, 0x240ca1cc77ac9c65,
    0x2de92c6f592b0275, 0x4a7484aa6ea6e483, 0x5cb0a9dcbd41fbd4, 0x76f988da831153b5,
    0x983e5152ee66dfab, 0xa831c66d2db43210, 0xb00327c898fb213f, 0xbf597fc7beef0ee4,
    0xc6e00bf33da88fc2, 0xd5a79147930aa725, 0x06ca6351e003826f, 0x142929670a0e6e70,
    0x27b70a8546d22ffc, 0x2e1b21385c26c926, 0x4d2c6dfc5ac42aed, 0x53380d139d95b3df,
    0x650a73548baf63de, 0x766a0abb3c77b2a8, 0x81c2c92e47edaee6, 0x92722c851482353b,
    0xa2bfe8a14cf10364, 0xa81a664bbc423001, 0xc24b8b70d0f89791, 0xc76c51a30654be30,
    0xd192e819d6ef5218, 0xd69906245565a910, 0xf40e35855771202a, 0x106aa07032bbd1b8,
    0x19a4c116b8d2d0c8, 0x1e376c085141ab53, 0x2748774cdf8eeb99, 0x34b0bcb5e19b48a8,
    0x391c0cb3c5c95a63, 0x4ed8aa4ae3418acb, 0x5b9cca4f7763e373, 0x682e6ff3d6b2b8a3,
    0x748f82ee5defb2fc, 0x78a5636f43172f60, 0x84c87814a1f0ab72, 0x8cc702081a6439ec,
    0x90befffa23631e28, 0xa4506cebde82bde9, 0xbef9a3f7b2c67915, 0xc67178f2e372532b,
    0xca273eceea26619c, 0xd186b8c721c0c207, 0xeada7dd6cde0eb1e, 0xf57d4f7fee6ed178,
    0x06f067aa72176fba, 0x0a637dc5a2c898a6, 0x113f9804bef90dae, 0x1b710b35131c471b,
    0x28db77f523047d84, 0x32caab7b40c72493, 0x3c9ebe0a15c9bebc, 0x431d67c49c100d4c,
    0x4cc5d4becb3e42b6, 0x597f299cfc657e2a, 0x5fcb6fab3ad6faec, 0x6c44198c4a475817,
];

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the digest of a message that is padded here and compressed by the portable code.
    fn portable(message: &[u8]) -> [u8; 32] {
        let mut padded = message.to_vec();
        padded.push(0x80);
        padded.resize(padded.len().next_multiple_of(64), 0);
        if padded.len() - message.len() < 9 {
            padded.resize(padded.len() + 64, 0);
        }
        let end = padded.len() - 8;
        padded[end..].copy_from_slice(&(8 * message.len() as u64).to_be_bytes());
        let mut state = INITIAL_256;
        let (blocks, _) = padded.as_chunks::<64>();
        blocks.iter().for_each(|block| compress_256_portably(&mut state, &words(block)));
        bytes_256(&state)
    }

    #[test]
    fn the_portable_code_matches_the_test_vectors() {
        let expected = Sha256::of(b"abc").map(|byte| format!("{byte:02x}")).concat();
        assert_eq!(expected, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(portable(b"abc"), Sha256::of(b"abc"));
    }

    #[test]
    fn instructions_and_portable_code_agree_for_every_length() {
        let message: Vec<u8> = (0..1000u32).map(|i| (i * i / 8) as u8).collect();
        for length in 0..=message.len() {
            assert_eq!(Sha256::of(&message[..length]), portable(&message[..length]), "{length}");
        }
        let mut state = INITIAL_256;
        let used = sys::compress_sha256(&mut state, &[words(&message)], &K_256);
        assert_eq!((used, state != INITIAL_256), (sys::has_sha256(), sys::has_sha256()));
    }
}
