//! Patterns of names: `*`, `?` and `[a-z]`, as the classic clients and servers have them.

/// Whether a word is a pattern and no plain name.
pub(super) fn is_one(word: &[u8]) -> bool {
    word.iter().any(|byte| b"*?[".contains(byte))
}

/// Whether a name, path and all or its last part, is what a pattern stands for. A pattern stays in
/// its directory: `*` is no slash.
pub(super) fn fits(pattern: &[u8], name: &[u8]) -> bool {
    let last = |path: &[u8]| path.rsplit(|byte| *byte == b'/').next().unwrap_or_default().to_vec();
    !name.is_empty()
        && (matches(pattern, name) || !name.contains(&b'/') && matches(&last(pattern), name))
}

/// Goes back to the last `*` alone, so no pattern takes more than quadratic time.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        if pattern.get(p) == Some(&b'*') {
            p += 1;
            star = Some((p, n));
        } else if let Some(taken) = one(&pattern[p..], name[n]) {
            p += taken;
            n += 1;
        } else if let Some((after, from)) = star.filter(|(_, from)| name[*from] != b'/') {
            star = Some((after, from + 1));
            (p, n) = (after, from + 1);
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

/// How much of a pattern stands for one byte, if it is that byte.
fn one(pattern: &[u8], byte: u8) -> Option<usize> {
    match pattern.first()? {
        b'?' => (byte != b'/').then_some(1),
        b'[' => set(pattern, byte),
        b'\\' if pattern.len() > 1 => (pattern[1] == byte).then_some(2),
        plain => (*plain == byte).then_some(1),
    }
}

/// `[a-z]`, or `[!a-z]` for all others. Without its end it is a bracket.
fn set(pattern: &[u8], byte: u8) -> Option<usize> {
    let Some(end) = pattern.iter().skip(2).position(|byte| *byte == b']').map(|at| at + 2) else {
        return (byte == b'[').then_some(1);
    };
    let (inverted, members) = match pattern[1] {
        b'!' | b'^' if end > 2 => (true, &pattern[2..end]),
        _ => (false, &pattern[1..end]),
    };
    let mut found = false;
    let mut rest = members;
    while let [first, after @ ..] = rest {
        let (last, next) = match after {
            [b'-', last, next @ ..] => (*last, next),
            _ => (*first, after),
        };
        found |= (*first..=last).contains(&byte);
        rest = next;
    }
    (found != inverted && byte != b'/').then_some(end + 1)
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
