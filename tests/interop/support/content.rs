//! What the files in these tests hold and how they are called.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Nothing, the least there is, one byte less than a common buffer, and more than any buffer.
pub(crate) const SIZES: [usize; 4] = [0, 1, 64 * 1024 - 1, 50 * 1024 * 1024];

/// Large enough for a transfer to be cut in the middle.
pub(crate) const LARGE: usize = 8 * 1024 * 1024;

/// Names that have broken FTP programs before.
pub(crate) const NAMES: [&[u8]; 6] = [
    b"plain.bin",
    b"two  words.bin",
    "gr\u{fc}\u{df}e \u{65e5}\u{672c}.bin".as_bytes(),
    b"say \"hi\".bin",
    b"-dash.bin",
    b"latin \xe9\xff.bin",
];

/// Lines as a text editor leaves them on Unix, the last one without an end.
pub(crate) const TEXT: &[u8] = b"first\n\n  third, with \xc3\xa9\nlast";

/// `size` bytes that look random and are the same in every run.
pub(crate) fn noise(size: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15 ^ size as u64;
    let mut bytes = Vec::with_capacity(size + 8);
    while bytes.len() < size {
        // xorshift64: no line end, NUL or Telnet IAC is spared.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(size);
    bytes
}

/// A name as the system takes it.
pub(crate) fn os(name: &[u8]) -> &OsStr {
    OsStr::from_bytes(name)
}

/// Fails unless the file at `path` holds exactly `expected`; says where it differs.
#[track_caller]
pub(crate) fn assert_holds(path: impl AsRef<Path>, expected: &[u8]) {
    let path = path.as_ref();
    let found = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert_same(&path.display().to_string(), &found, expected);
}

/// Fails unless `found` is `expected`, without printing megabytes.
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
