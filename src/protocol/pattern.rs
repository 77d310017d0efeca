//! Wildcard patterns as in a shell: `*`, `?`, `[a-z]`, `[!a-z]`, and a backslash that makes the
//! next character literal.
//!
//! The cost of a match is at most the product of both lengths, whatever the pattern.

/// Returns whether a name contains wildcards.
pub fn is_pattern(name: &[u8]) -> bool {
    name.iter().any(|byte| matches!(byte, b'*' | b'?' | b'['))
}

/// Returns whether `name` matches one component of a pattern.
pub fn matches(pattern: &[u8], name: &[u8]) -> bool {
    let (mut p, mut n) = (0, 0);
    // The position of the last star, and the number of bytes of the name that it has consumed.
    // Returning to an earlier star can never help, so the cost is not exponential.
    let mut star = None;
    while n < name.len() {
        match one(&pattern[p..], name[n]) {
            Some(length) => {
                p += length;
                n += 1;
            }
            None if pattern.get(p) == Some(&b'*') => {
                star = Some((p, n));
                p += 1;
            }
            None => match star {
                Some((at, taken)) => {
                    star = Some((at, taken + 1));
                    (p, n) = (at + 1, taken + 1);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|&byte| byte == b'*')
}

/// Returns the length of the pattern element at the start of `pattern` if that element matches
/// `byte`.
fn one(pattern: &[u8], byte: u8) -> Option<usize> {
    match pattern {
        [] | [b'*', ..] => None,
        [b'?', ..] => Some(1),
        [b'\\', escaped, ..] => (*escaped == byte).then_some(2),
        [b'[', rest @ ..] => match class(rest, byte) {
            Some((length, true)) => Some(length + 1),
            Some((_, false)) => None,
            // Without a closing bracket, `[` is a literal character.
            None => (byte == b'[').then_some(1),
        },
        [plain, ..] => (*plain == byte).then_some(1),
    }
}

/// Returns the length of a character class after its opening bracket, and whether the class
/// contains `byte`; `None` if the closing bracket is missing.
fn class(rest: &[u8], byte: u8) -> Option<(usize, bool)> {
    let negated = matches!(rest.first(), Some(b'!' | b'^'));
    let start = usize::from(negated);
    // A bracket in the first place is a literal member.
    let end = start + 1 + rest.get(start + 1..)?.iter().position(|&b| b == b']')?;
    let mut members = &rest[start..end];
    let mut held = false;
    while let Some(&first) = members.first() {
        if let [_, b'-', last, ..] = members {
            held |= (first..=*last).contains(&byte);
            members = &members[3..];
        } else {
            held |= first == byte;
            members = &members[1..];
        }
    }
    Some((end + 1, held != negated))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_in_a_shell() {
        let cases = [
            ("*", "anything", true),
            ("*.c", "main.c", true),
            ("*.c", "main.cc", false),
            ("a*b*c", "aXXbYYc", true),
            ("a*b*c", "acb", false),
            ("?", "", false),
            ("?", "x", true),
            ("[a-c]x", "bx", true),
            ("[a-c]x", "dx", false),
            ("[!a-c]x", "dx", true),
            ("[^a]", "a", false),
            ("[]]", "]", true),
            ("[]-]", "-", true),
            ("[abc", "[abc", true),
            ("\\*", "*", true),
            ("\\*", "x", false),
            ("**", "", true),
            ("", "", true),
            ("", "x", false),
        ];
        for (pattern, name, expected) in cases {
            assert_eq!(matches(pattern.as_bytes(), name.as_bytes()), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn a_malicious_pattern_is_matched_in_quadratic_time() {
        let pattern = "a*".repeat(1000) + "b";
        assert!(!matches(pattern.as_bytes(), "a".repeat(4000).as_bytes()));
    }
}
