//! The compression function of SHA-256 with the processor's SHA instructions.
//!
//! x86_64 has the SHA extensions since Zen and Ice Lake, and nearly every aarch64 processor has
//! the `sha2` feature. They are detected at run time, so one program runs on all processors.

/// A block of a SHA-256 message, as big-endian words.
type Block = [u32; 16];

/// Compresses `blocks` into `state` with the processor's instructions and these round constants,
/// and returns true. On a processor without the instructions, changes nothing and returns false.
#[inline]
pub fn compress_sha256(state: &mut [u32; 8], blocks: &[Block], constants: &[u32; 64]) -> bool {
    let found = has_sha256();
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    if found {
        // SAFETY: the processor has all the features that the function is compiled for.
        unsafe { instructions::compress(state, blocks, constants) };
    }
    let _ = (state, blocks, constants);
    found
}

/// Returns whether the processor has the instructions that [`compress_sha256`] uses.
#[inline]
pub fn has_sha256() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::is_x86_feature_detected;
        is_x86_feature_detected!("sha")
            && is_x86_feature_detected!("sse4.1")
            && is_x86_feature_detected!("ssse3")
    }
    #[cfg(target_arch = "aarch64")]
    {
        std::arch::is_aarch64_feature_detected!("sha2")
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    {
        false
    }
}

#[cfg(target_arch = "x86_64")]
mod instructions {
    use super::Block;
    use std::arch::x86_64::*;

    /// Compresses blocks. The instructions keep the state in two vectors of the words A B E F and
    /// C D G H, with the first word in the highest position.
    #[target_feature(enable = "sha,sse4.1,ssse3")]
    pub fn compress(state: &mut [u32; 8], blocks: &[Block], constants: &[u32; 64]) {
        let (constants, _) = constants.as_chunks::<4>();
        let (halves, _) = state.as_chunks::<4>();
        let (dcba, hgfe) = (words(&halves[0]), words(&halves[1]));
        let cdab = _mm_shuffle_epi32(dcba, 0b10_11_00_01);
        let efgh = _mm_shuffle_epi32(hgfe, 0b00_01_10_11);
        let mut abef = _mm_alignr_epi8(cdab, efgh, 8);
        let mut cdgh = _mm_blend_epi16(efgh, cdab, 0b1111_0000);
        for block in blocks {
            let (abef_before, cdgh_before) = (abef, cdgh);
            let (four, _) = block.as_chunks::<4>();
            let mut w = [words(&four[0]), words(&four[1]), words(&four[2]), words(&four[3])];
            for (group, constants) in constants.iter().enumerate() {
                let (w0, w1) = (w[group % 4], w[(group + 1) % 4]);
                let (w2, w3) = (w[(group + 2) % 4], w[(group + 3) % 4]);
                let four = _mm_add_epi32(w0, words(constants));
                // Each instruction computes two rounds; the former A B E F becomes C D G H.
                cdgh = _mm_sha256rnds2_epu32(cdgh, abef, four);
                abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(four, 0b00_00_11_10));
                if group < 12 {
                    // The message schedule (FIPS 180-4 section 6.2.2).
                    let sum =
                        _mm_add_epi32(_mm_sha256msg1_epu32(w0, w1), _mm_alignr_epi8(w3, w2, 4));
                    w[group % 4] = _mm_sha256msg2_epu32(sum, w3);
                }
            }
            abef = _mm_add_epi32(abef, abef_before);
            cdgh = _mm_add_epi32(cdgh, cdgh_before);
        }
        let feba = _mm_shuffle_epi32(abef, 0b00_01_10_11);
        let dchg = _mm_shuffle_epi32(cdgh, 0b10_11_00_01);
        store(state, _mm_blend_epi16(feba, dchg, 0b1111_0000), _mm_alignr_epi8(dchg, feba, 8));
    }

    #[inline]
    #[target_feature(enable = "sha,sse4.1,ssse3")]
    fn words(four: &[u32; 4]) -> __m128i {
        // SAFETY: 16 bytes can be read there, and the instruction asks for no alignment.
        unsafe { _mm_loadu_si128(four.as_ptr().cast()) }
    }

    #[inline]
    #[target_feature(enable = "sha,sse4.1,ssse3")]
    fn store(state: &mut [u32; 8], low: __m128i, high: __m128i) {
        let at = state.as_mut_ptr().cast::<__m128i>();
        // SAFETY: the state is 32 bytes, and the instruction asks for no alignment.
        unsafe {
            _mm_storeu_si128(at, low);
            _mm_storeu_si128(at.add(1), high);
        }
    }
}

#[cfg(target_arch = "aarch64")]
mod instructions {
    use super::Block;
    use std::arch::aarch64::*;

    /// Compresses blocks. The instructions keep the state in two vectors of the words A B C D and
    /// E F G H.
    #[target_feature(enable = "sha2")]
    pub fn compress(state: &mut [u32; 8], blocks: &[Block], constants: &[u32; 64]) {
        let (constants, _) = constants.as_chunks::<4>();
        let (halves, _) = state.as_chunks::<4>();
        let (mut abcd, mut efgh) = (words(&halves[0]), words(&halves[1]));
        for block in blocks {
            let (abcd_before, efgh_before) = (abcd, efgh);
            let (four, _) = block.as_chunks::<4>();
            let mut w = [words(&four[0]), words(&four[1]), words(&four[2]), words(&four[3])];
            for (group, constants) in constants.iter().enumerate() {
                let (w0, w1) = (w[group % 4], w[(group + 1) % 4]);
                let (w2, w3) = (w[(group + 2) % 4], w[(group + 3) % 4]);
                let four = vaddq_u32(w0, words(constants));
                let abcd_now = abcd;
                abcd = vsha256hq_u32(abcd, efgh, four);
                efgh = vsha256h2q_u32(efgh, abcd_now, four);
                if group < 12 {
                    // The message schedule (FIPS 180-4 section 6.2.2).
                    w[group % 4] = vsha256su1q_u32(vsha256su0q_u32(w0, w1), w2, w3);
                }
            }
            abcd = vaddq_u32(abcd, abcd_before);
            efgh = vaddq_u32(efgh, efgh_before);
        }
        let (halves, _) = state.as_chunks_mut::<4>();
        for (half, words) in halves.iter_mut().zip([abcd, efgh]) {
            // SAFETY: four words can be written there.
            unsafe { vst1q_u32(half.as_mut_ptr(), words) };
        }
    }

    #[inline]
    #[target_feature(enable = "sha2")]
    fn words(four: &[u32; 4]) -> uint32x4_t {
        // SAFETY: four words can be read there.
        unsafe { vld1q_u32(four.as_ptr()) }
    }
}
