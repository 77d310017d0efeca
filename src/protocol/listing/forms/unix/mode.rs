//! The column of `ls -l` that shows the kind and the permissions of a file.

use super::super::super::entry::Kind;
use super::super::super::words::number;

/// Returns the kind and the permission bits of `drwxr-xr-x`, and the number of links if it is
/// joined to them. The sign of an ACL or a security label may follow the permissions.
pub(super) fn parse_mode(word: &[u8]) -> Option<(Kind, u32, Option<u64>)> {
    let kind = match word.first()? {
        // Some servers write `f` for files.
        b'-' | b'f' => Kind::File,
        b'd' => Kind::Dir,
        b'l' => Kind::Link(Vec::new()),
        b'b' | b'c' | b'p' | b's' | b'D' | b'C' | b'M' | b'n' | b'P' => Kind::Other,
        _ => return None,
    };
    let links = match word.get(10..)? {
        [] | [b'+' | b'.' | b'@'] => None,
        [b'+' | b'.' | b'@', links @ ..] | links => Some(number::<10>(links)?),
    };
    let bits = &word[1..10];
    let user = parse_triple(&bits[..3], b's', 0o4000, 6)?;
    let group = parse_triple(&bits[3..6], b's', 0o2000, 3)?;
    let other = parse_triple(&bits[6..], b't', 0o1000, 0)?;
    Some((kind, user | group | other, links))
}

fn parse_triple(letters: &[u8], special: u8, special_bit: u32, shift: u32) -> Option<u32> {
    let flag = |letter, expected, bit: u32| match letter {
        b'-' => Some(0),
        _ if letter == expected => Some(bit << shift),
        _ => None,
    };
    let execute = match letters[2] {
        letter if letter == special => special_bit | 1 << shift,
        letter if letter == special.to_ascii_uppercase() => special_bit,
        // Solaris: mandatory locking, the same bit as setgid without execute.
        b'l' | b'L' if special_bit == 0o2000 => special_bit,
        letter => flag(letter, b'x', 1)?,
    };
    Some(flag(letters[0], b'r', 4)? | flag(letters[1], b'w', 2)? | execute)
}

/// Returns the kind for the file type bits of `st_mode`.
pub(super) fn kind_of_bits(mode: u32) -> Option<Kind> {
    match mode & !0o7777 {
        0o100000 => Some(Kind::File),
        0o040000 => Some(Kind::Dir),
        0o120000 => Some(Kind::Link(Vec::new())),
        0o010000 | 0o020000 | 0o060000 | 0o140000 => Some(Kind::Other),
        _ => None,
    }
}
