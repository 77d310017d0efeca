//! Patterns of names with their directories.

use crate::protocol::pattern::matches;

/// Whether a name, path and all or its last part, is what a pattern stands for. A pattern stays in
/// its directory: `*` is no slash.
pub(super) fn fits(pattern: &[u8], name: &[u8]) -> bool {
    let last = pattern.rsplit(is_slash).next().unwrap_or_default();
    !name.is_empty() && (fits_whole(pattern, name) || !name.contains(&b'/') && matches(last, name))
}

fn fits_whole(pattern: &[u8], name: &[u8]) -> bool {
    let (patterns, names) = (pattern.split(is_slash), name.split(is_slash));
    patterns.clone().count() == names.clone().count()
        && patterns.zip(names).all(|(pattern, name)| matches(pattern, name))
}

fn is_slash(byte: &u8) -> bool {
    *byte == b'/'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_stand_for_names() {
        for (pattern, name) in [
            ("*.c", "a.c"),
            ("*", "a"),
            ("a?c*", "abc"),
            ("[a-c]1", "b1"),
            ("[!a-c]1", "d1"),
            ("[x", "[x"),
            ("dir/*.c", "dir/a.c"),
            ("dir/*.c", "a.c"),
            ("a\\*", "a*"),
            ("*a*b*", "xaybz"),
        ] {
            assert!(fits(pattern.as_bytes(), name.as_bytes()), "{pattern} {name}");
        }
        for (pattern, name) in [
            ("*.c", "a.h"),
            ("*", "dir/a"),
            ("d*", "dir/a"),
            ("?", "ab"),
            ("*", ""),
            ("[a-c]", "d"),
            ("a*b", "ac"),
        ] {
            assert!(!fits(pattern.as_bytes(), name.as_bytes()), "{pattern} {name}");
        }
    }

    #[test]
    fn any_pattern_ends() {
        for pattern in ["[", "[]", "[!", "[!]", "[a-", "\\", "**", "[--]"] {
            for name in ["", "a", "[", "]", "a/b"] {
                fits(pattern.as_bytes(), name.as_bytes());
            }
        }
        assert!(!fits(&b"*a".repeat(50), &[&b"a".repeat(5000)[..], b"b"].concat()));
    }
}
