//! The width of characters in terminal columns.
//!
//! It follows East Asian Width (Unicode annex 11): wide and full-width characters take two
//! columns, combining marks none. A range covers a whole block if nearly all of it has the same
//! width; characters outside the ranges count as one column.

use super::text::byte_in;
use crate::text::is_hidden;

/// Combining marks, joiners and selectors, which take no column.
const NONE: &[(u32, u32)] = &[
    (0x0300, 0x036f),
    (0x0483, 0x0489),
    (0x0591, 0x05bd),
    (0x05bf, 0x05bf),
    (0x05c1, 0x05c2),
    (0x05c4, 0x05c5),
    (0x05c7, 0x05c7),
    (0x0610, 0x061a),
    (0x064b, 0x065f),
    (0x0670, 0x0670),
    (0x06d6, 0x06dc),
    (0x06df, 0x06e4),
    (0x06e7, 0x06e8),
    (0x06ea, 0x06ed),
    (0x0711, 0x0711),
    (0x0730, 0x074a),
    (0x07a6, 0x07b0),
    (0x0900, 0x0902),
    (0x093a, 0x093a),
    (0x093c, 0x093c),
    (0x0941, 0x0948),
    (0x094d, 0x094d),
    (0x0951, 0x0957),
    (0x0e31, 0x0e31),
    (0x0e34, 0x0e3a),
    (0x0e47, 0x0e4e),
    (0x0eb1, 0x0eb1),
    (0x0eb4, 0x0ebc),
    (0x0ec8, 0x0ece),
    (0x1160, 0x11ff),
    (0x1ab0, 0x1aff),
    (0x1dc0, 0x1dff),
    (0x200b, 0x200f),
    (0x202a, 0x202e),
    (0x2060, 0x2064),
    (0x20d0, 0x20f0),
    (0x302a, 0x302d),
    (0x3099, 0x309a),
    (0xfe00, 0xfe0f),
    (0xfe20, 0xfe2f),
    (0xfeff, 0xfeff),
    (0xe0100, 0xe01ef),
];

/// East Asian wide and full-width characters and emoji, which take two columns.
const TWO: &[(u32, u32)] = &[
    (0x1100, 0x115f),
    (0x231a, 0x231b),
    (0x2329, 0x232a),
    (0x23e9, 0x23ec),
    (0x23f0, 0x23f0),
    (0x23f3, 0x23f3),
    (0x25fd, 0x25fe),
    (0x2614, 0x2615),
    (0x2648, 0x2653),
    (0x267f, 0x267f),
    (0x2693, 0x2693),
    (0x26a1, 0x26a1),
    (0x26aa, 0x26ab),
    (0x26bd, 0x26be),
    (0x26c4, 0x26c5),
    (0x26ce, 0x26ce),
    (0x26d4, 0x26d4),
    (0x26ea, 0x26ea),
    (0x26f2, 0x26f3),
    (0x26f5, 0x26f5),
    (0x26fa, 0x26fa),
    (0x26fd, 0x26fd),
    (0x2705, 0x2705),
    (0x270a, 0x270b),
    (0x2728, 0x2728),
    (0x274c, 0x274c),
    (0x274e, 0x274e),
    (0x2753, 0x2755),
    (0x2757, 0x2757),
    (0x2795, 0x2797),
    (0x27b0, 0x27b0),
    (0x27bf, 0x27bf),
    (0x2b1b, 0x2b1c),
    (0x2b50, 0x2b50),
    (0x2b55, 0x2b55),
    (0x2e80, 0x303e),
    (0x3041, 0x33ff),
    (0x3400, 0x4dbf),
    (0x4e00, 0x9fff),
    (0xa000, 0xa4cf),
    (0xa960, 0xa97f),
    (0xac00, 0xd7a3),
    (0xf900, 0xfaff),
    (0xfe10, 0xfe19),
    (0xfe30, 0xfe6f),
    (0xff01, 0xff60),
    (0xffe0, 0xffe6),
    (0x16fe0, 0x18aff),
    (0x1b000, 0x1b2ff),
    (0x1f004, 0x1f004),
    (0x1f0cf, 0x1f0cf),
    (0x1f18e, 0x1f18e),
    (0x1f191, 0x1f19a),
    (0x1f200, 0x1f265),
    (0x1f300, 0x1f320),
    (0x1f32d, 0x1f335),
    (0x1f337, 0x1f37c),
    (0x1f37e, 0x1f393),
    (0x1f3a0, 0x1f3ca),
    (0x1f3cf, 0x1f3d3),
    (0x1f3e0, 0x1f3f0),
    (0x1f3f4, 0x1f3f4),
    (0x1f3f8, 0x1f43e),
    (0x1f440, 0x1f440),
    (0x1f442, 0x1f4fc),
    (0x1f4ff, 0x1f53d),
    (0x1f54b, 0x1f54e),
    (0x1f550, 0x1f567),
    (0x1f57a, 0x1f57a),
    (0x1f595, 0x1f596),
    (0x1f5a4, 0x1f5a4),
    (0x1f5fb, 0x1f64f),
    (0x1f680, 0x1f6c5),
    (0x1f6cc, 0x1f6cc),
    (0x1f6d0, 0x1f6d2),
    (0x1f6d5, 0x1f6d7),
    (0x1f6dc, 0x1f6df),
    (0x1f6eb, 0x1f6ec),
    (0x1f6f4, 0x1f6fc),
    (0x1f7e0, 0x1f7eb),
    (0x1f7f0, 0x1f7f0),
    (0x1f90c, 0x1f93a),
    (0x1f93c, 0x1f945),
    (0x1f947, 0x1f9ff),
    (0x1fa70, 0x1faff),
    (0x20000, 0x2fffd),
    (0x30000, 0x3fffd),
];

/// Returns the width of a character that is printed unchanged.
pub(in crate::client) fn columns(c: char) -> usize {
    let number = u32::from(c);
    match number {
        0..0x300 => 1,
        _ if contains(NONE, number) => 0,
        _ if contains(TWO, number) => 2,
        _ => 1,
    }
}

fn contains(ranges: &[(u32, u32)], number: u32) -> bool {
    let after = ranges.partition_point(|(_, last)| *last < number);
    ranges.get(after).is_some_and(|(first, _)| *first <= number)
}

/// Returns the representation of a character and its width; characters that could move the cursor
/// are represented by escapes.
pub(in crate::client) fn drawn(c: char) -> (String, usize) {
    let text = match (c, byte_in(c)) {
        (_, Some(byte)) => format!("\\x{byte:02x}"),
        ('\0'..='\x1f', _) => format!("^{}", char::from(c as u8 ^ 0x40)),
        _ if is_hidden(c) => c.escape_unicode().collect(),
        _ => return (c.to_string(), columns(c)),
    };
    let columns = text.len();
    (text, columns)
}

/// Returns the width of a text that is printed unchanged.
pub(in crate::client) fn width_of(text: &str) -> usize {
    text.chars().map(columns).sum()
}

/// Returns the longest suffix of a text that fits.
pub(in crate::client) fn fitting_end(text: &str, room: usize) -> &str {
    let mut taken = 0;
    let mut start = text.len();
    for (at, c) in text.char_indices().rev() {
        taken += columns(c);
        if taken > room {
            break;
        }
        start = at;
    }
    &text[start..]
}

#[cfg(test)]
mod tests {
    use super::super::text::held;
    use super::*;

    #[test]
    fn ranges_are_sorted() {
        for ranges in [NONE, TWO] {
            assert!(ranges.iter().all(|(first, last)| first <= last));
            assert!(ranges.windows(2).all(|pair| pair[0].1 < pair[1].0));
        }
    }

    #[test]
    fn widths_match_those_of_terminals() {
        assert_eq!(width_of("Grüße"), 5);
        assert_eq!(width_of("日本語"), 6);
        assert_eq!(width_of("e\u{301}"), 1);
        assert_eq!(width_of("한글😀"), 6);
        assert_eq!(drawn('\u{1}'), ("^A".to_owned(), 2));
        assert_eq!(drawn(held(0xff)), ("\\xff".to_owned(), 4));
    }

    #[test]
    fn an_end_is_cut_between_characters() {
        assert_eq!(fitting_end("/a/日本", 4), "日本");
        assert_eq!(fitting_end("/a/日本", 3), "本");
        assert_eq!(fitting_end("/a", 9), "/a");
    }
}
