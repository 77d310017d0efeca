//! The contents and names of the files in these tests.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// File sizes: empty, one byte, one byte less than a common buffer size, and larger than any buffer.
pub(crate) const SIZES: [usize; 4] = [0, 1, 64 * 1024 - 1, 50 * 1024 * 1024];

/// A size large enough for a transfer to be interrupted in the middle.
pub(crate) const LARGE: usize = 8 * 1024 * 1024;

/// Names that FTP programs have mishandled.
pub(crate) const NAMES: [&[u8]; 6] = [
    b"plain.bin",
    b"two  words.bin",
    "gr\u{fc}\u{df}e \u{65e5}\u{672c}.bin".as_bytes(),
    b"say \"hi\".bin",
    b"-dash.bin",
    b"latin \xe9\xff.bin",
];

/// A text with Unix line ends, and none at the end of the last line.
pub(crate) const TEXT: &[u8] = b"first\n\n  third, with \xc3\xa9\nlast";

/// Returns `size` pseudorandom bytes, the same in every run.
pub(crate) fn noise(size: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15 ^ size as u64;
    let mut bytes = Vec::with_capacity(size + 8);
    while bytes.len() < size {
        // xorshift64, so that line ends, NUL and Telnet IAC occur.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(size);
    bytes
}

/// Converts a name to the system's type.
pub(crate) fn os(name: &[u8]) -> &OsStr {
    OsStr::from_bytes(name)
}

/// Checks that the file at `path` contains exactly `expected`. The failure shows where it differs.
#[track_caller]
pub(crate) fn assert_holds(path: impl AsRef<Path>, expected: &[u8]) {
    let path = path.as_ref();
    let found = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert_same(&path.display().to_string(), &found, expected);
}

/// Checks that `found` equals `expected`. A failure does not print megabytes.
#[track_caller]
pub(crate) fn assert_same(what: &str, found: &[u8], expected: &[u8]) {
    if found == expected {
        return;
    }
    let same = found.iter().zip(expected).take_while(|(a, b)| a == b).count();
    let around = |bytes: &[u8]| {
        bytes[same.min(bytes.len())..]
            .iter()
            .take(40)
            .copied()
            .collect::<Vec<_>>()
            .escape_ascii()
            .to_string()
    };
    panic!(
        "{what}: {} bytes instead of {}, the same up to byte {same}\n found: {}\nwanted: {}",
        found.len(),
        expected.len(),
        around(found),
        around(expected)
    );
}
