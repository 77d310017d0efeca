//! Patterns in the names that LIST and NLST take: `*`, `?` and `[a-z]`, in every part of a path.
//!
//! A pattern costs the server work that its client does not feel, so all of it is bounded: how deep
//! it goes, how many names are looked at, how many may match, and for how long.

use super::jail::{Jail, Listed};
use super::refusal::Refusal;
use crate::protocol::pattern::{is_pattern, matches};
use crate::protocol::{FtpPath, Name};
use crate::sys;
use std::time::{Duration, Instant};

/// What one pattern may cost.
const MOST_NAMES: u32 = 500_000;
const MOST_MATCHES: usize = 50_000;
const LONGEST: Duration = Duration::from_secs(2);
const DEEPEST: usize = 32;

const TOO_MUCH: Refusal = Refusal::Unavailable("Too much to look through for a pattern.");

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

#[cfg(test)]
mod tests {
    use super::*;

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
