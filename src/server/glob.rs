//! Patterns in the names that LIST and NLST take: `*`, `?` and `[a-z]`, in every part of a path.
//!
//! A pattern costs the server work that its client does not feel, so all of it is bounded: how deep
//! it goes, how many names are looked at, how many may match, and for how long. Matching one name against one
//! part is linear in both lengths, whatever the pattern.

use super::jail::{Jail, Listed};
use super::refusal::Refusal;
use crate::protocol::{FtpPath, Name};
use crate::sys;
use std::time::{Duration, Instant};

/// What one pattern may cost.
const MOST_NAMES: u32 = 500_000;
const MOST_MATCHES: usize = 50_000;
const LONGEST: Duration = Duration::from_secs(2);
const DEEPEST: usize = 32;

const TOO_MUCH: Refusal = Refusal::Unavailable("Too much to look through for a pattern.");

/// Whether a name is a pattern.
pub fn is_pattern(name: &[u8]) -> bool {
    name.iter().any(|byte| matches!(byte, b'*' | b'?' | b'['))
}

/// What matches `pattern` for someone who stands at `cwd`, sorted, each named the way the pattern
/// was written, so that the names lead there from `cwd`.
///
/// # Errors
/// It costs too much, or nothing matches.
pub fn expand(jail: &Jail, cwd: &FtpPath, pattern: &Name) -> Result<Vec<Listed>, Refusal> {
    let pattern = pattern.as_bytes();
    let mut search =
        Search { jail, names: MOST_NAMES, until: Instant::now() + LONGEST, found: vec![] };
    let (start, shown) = match pattern.strip_prefix(b"/") {
        Some(_) => (FtpPath::root(), b"/".to_vec()),
        None => (cwd.clone(), Vec::new()),
    };
    let parts: Vec<&[u8]> = pattern.split(|&b| b == b'/').filter(|part| !part.is_empty()).collect();
    if parts.len() > DEEPEST {
        return Err(TOO_MUCH);
    }
    search.walk(&start, &shown, &parts)?;
    if search.found.is_empty() {
        return Err(std::io::Error::from(std::io::ErrorKind::NotFound).into());
    }
    Ok(search.found)
}

struct Search<'a> {
    jail: &'a Jail,
    names: u32,
    until: Instant,
    found: Vec<Listed>,
}

impl Search<'_> {
    /// Finds what matches the rest of the pattern below `at`, as deep as the pattern has parts.
    fn walk(&mut self, at: &FtpPath, shown: &[u8], parts: &[&[u8]]) -> Result<(), Refusal> {
        self.spend()?;
        let Some((part, rest)) = parts.split_first() else { return self.add(at, shown) };
        if !is_pattern(part) {
            return self.step(at, shown, part, rest);
        }
        // What cannot be read holds nothing that matches.
        let Ok(names) = self.matching_names(at, part)? else { return Ok(()) };
        names.iter().try_for_each(|name| self.step(at, shown, name, rest))
    }

    fn step(
        &mut self,
        at: &FtpPath,
        shown: &[u8],
        name: &[u8],
        rest: &[&[u8]],
    ) -> Result<(), Refusal> {
        let Some(wanted) = Name::new(name) else { return Ok(()) };
        let slash: &[u8] = if shown.is_empty() || shown.ends_with(b"/") { b"" } else { b"/" };
        self.walk(&at.join(&wanted)?, &[shown, slash, name].concat(), rest)
    }

    fn matching_names(
        &mut self,
        at: &FtpPath,
        part: &[u8],
    ) -> Result<std::io::Result<Vec<Vec<u8>>>, Refusal> {
        let mut listing = match self.jail.read_dir(at) {
            Ok(listing) => listing,
            Err(error) => return Ok(Err(error)),
        };
        let mut names = Vec::new();
        while let Some(name) = listing.next_name()? {
            self.spend()?;
            let name = sys::name_bytes(&name);
            // As shells do: a dot in front has to be asked for.
            let hidden = name.starts_with(b".") && !part.starts_with(b".");
            if !hidden && matches(part, &name) {
                names.push(name.into_owned());
            }
        }
        names.sort_unstable();
        Ok(Ok(names))
    }

    fn add(&mut self, at: &FtpPath, shown: &[u8]) -> Result<(), Refusal> {
        if let Ok(mut listed) = self.jail.look(at) {
            listed.name = shown.to_vec();
            self.found.push(listed);
        }
        Ok(())
    }

    fn spend(&mut self) -> Result<(), Refusal> {
        self.names = self.names.checked_sub(1).ok_or(TOO_MUCH)?;
        // The clock is asked now and then.
        let late = self.names.is_multiple_of(256) && Instant::now() >= self.until;
        if late || self.found.len() >= MOST_MATCHES { Err(TOO_MUCH) } else { Ok(()) }
    }
}

/// Whether `name` matches one part of a pattern.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    let (mut p, mut n) = (0, 0);
    // Where the last star stood, and how much of the name it has taken. Going back to an earlier
    // star can never help, which is what keeps this from being exponential.
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

/// How long the piece at the beginning of `pattern` is that matches `byte`, if it does.
fn one(pattern: &[u8], byte: u8) -> Option<usize> {
    match pattern {
        [] | [b'*', ..] => None,
        [b'?', ..] => Some(1),
        [b'\\', escaped, ..] => (*escaped == byte).then_some(2),
        [b'[', rest @ ..] => match class(rest, byte) {
            Some((length, true)) => Some(length + 1),
            Some((_, false)) => None,
            // Without its end it is a bracket.
            None => (byte == b'[').then_some(1),
        },
        [plain, ..] => (*plain == byte).then_some(1),
    }
}

/// The length of a class after its bracket, and whether it holds `byte`; `None` if it does not end.
fn class(rest: &[u8], byte: u8) -> Option<(usize, bool)> {
    let negated = matches!(rest.first(), Some(b'!' | b'^'));
    let start = usize::from(negated);
    // A bracket in the first place stands for itself.
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
    fn a_malicious_pattern_costs_no_more_than_a_plain_one() {
        let pattern = "a*".repeat(1000) + "b";
        assert!(!matches(pattern.as_bytes(), "a".repeat(4000).as_bytes()));
    }

    #[test]
    fn parts_are_matched_one_by_one_and_named_as_written() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["a/x.c", "a/y.c", "b/x.c", "b/z.h", ".hidden/x.c"] {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        let jail = Jail::new(dir.path()).unwrap();
        let found = |pattern: &str| -> Vec<String> {
            let pattern = Name::new(pattern).unwrap();
            let found = expand(&jail, &FtpPath::root(), &pattern).unwrap_or_default();
            found.into_iter().map(|listed| String::from_utf8(listed.name).unwrap()).collect()
        };
        assert_eq!(found("*/x.c"), ["a/x.c", "b/x.c"]);
        assert_eq!(found("/a/*.c"), ["/a/x.c", "/a/y.c"]);
        assert_eq!(found("[ab]/?.[ch]"), ["a/x.c", "a/y.c", "b/x.c", "b/z.h"]);
        assert_eq!(found("a/../*"), ["a/../a", "a/../b"]);
        assert_eq!(found(".h*/*"), [".hidden/x.c"]);
        assert_eq!(found("../../*.c"), Vec::<String>::new());
    }
}
