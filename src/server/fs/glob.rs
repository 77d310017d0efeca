//! Wildcards in the arguments of LIST and NLST: `*`, `?` and `[a-z]` in every component of a path.
//! If a file with exactly the name of a component exists, the component is that name and not a
//! pattern.
//!
//! A short pattern can cause much work, so everything is bounded: the depth, the number of names
//! that are compared, the number of matches, the memory and the time.

use crate::protocol::pattern::{is_pattern, matches};
use crate::protocol::{FtpPath, Name};
use crate::server::error::Refusal;
use crate::server::fs::jail::{DirEntry, FinalLink, Jail};
use crate::sys;
use std::time::{Duration, Instant};

/// The limits for one pattern.
const MAX_NAMES: u32 = 500_000;
const MAX_MATCHES: usize = 50_000;
const MAX_BYTES: usize = 8 * 1024 * 1024;
const MAX_TIME: Duration = Duration::from_secs(2);
const MAX_DEPTH: usize = 32;

const TOO_MUCH: Refusal =
    Refusal::Unavailable("The pattern takes too long to expand; narrow it down.");

/// Returns the entries of the tree that match `pattern`, sorted. The names of the entries have the
/// form of the pattern, relative or absolute, so that they lead from `cwd` to the files.
///
/// # Errors
/// Fails if a limit is exceeded or nothing matches.
pub fn expand(jail: &Jail, cwd: &FtpPath, pattern: &Name) -> Result<Vec<DirEntry>, Refusal> {
    let pattern = pattern.as_bytes();
    let mut search = Search::new(jail);
    let (start, shown) = match pattern.strip_prefix(b"/") {
        Some(_) => (FtpPath::root(), b"/".to_vec()),
        None => (cwd.clone(), Vec::new()),
    };
    let parts: Vec<&[u8]> = pattern.split(|&b| b == b'/').filter(|part| !part.is_empty()).collect();
    if parts.len() > MAX_DEPTH {
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
    found: Vec<DirEntry>,
    /// The memory in bytes that the matches and the names still to be followed take.
    memory: usize,
}

impl Search<'_> {
    fn new(jail: &Jail) -> Search<'_> {
        let until = Instant::now() + MAX_TIME;
        Search { jail, names: MAX_NAMES, until, found: Vec::new(), memory: 0 }
    }

    /// Finds the matches for the rest of the pattern below `at`.
    fn walk(&mut self, at: &FtpPath, shown: &[u8], parts: &[&[u8]]) -> Result<(), Refusal> {
        self.count_name()?;
        let Some((part, rest)) = parts.split_first() else { return self.add(at, shown) };
        if !is_pattern(part) || self.exists(at, part) {
            return self.step(at, shown, part, rest);
        }
        // A directory that cannot be read has no matches.
        let Ok(names) = self.matching_names(at, part)? else { return Ok(()) };
        names.into_iter().try_for_each(|name| {
            self.step(at, shown, &name, rest)?;
            self.memory -= memory_of(&name);
            Ok(())
        })
    }

    fn exists(&self, at: &FtpPath, name: &[u8]) -> bool {
        let path = Name::new(name).and_then(|name| at.join(&name).ok());
        path.is_some_and(|path| self.jail.stat(&path, FinalLink::NoFollow).is_ok())
    }

    fn step(
        &mut self,
        at: &FtpPath,
        shown: &[u8],
        name: &[u8],
        rest: &[&[u8]],
    ) -> Result<(), Refusal> {
        let Some(wanted) = Name::of_file(name) else { return Ok(()) };
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
            self.count_name()?;
            let name = sys::name_bytes(&name);
            // As in shells, a leading dot has to be matched explicitly.
            let hidden = name.starts_with(b".") && !part.starts_with(b".");
            if !hidden && matches(part, &name) {
                let name = name.into_owned();
                self.add_memory(memory_of(&name))?;
                names.push(name);
            }
        }
        names.sort_unstable();
        Ok(Ok(names))
    }

    fn add(&mut self, at: &FtpPath, shown: &[u8]) -> Result<(), Refusal> {
        if let Ok(mut listed) = self.jail.entry(at) {
            // The name of each match is its whole path.
            self.add_memory(size_of::<DirEntry>() + shown.len() + listed.target.len())?;
            listed.name = shown.to_vec();
            self.found.push(listed);
        }
        Ok(())
    }

    fn add_memory(&mut self, bytes: usize) -> Result<(), Refusal> {
        self.memory += bytes;
        if self.memory > MAX_BYTES { Err(TOO_MUCH) } else { Ok(()) }
    }

    fn count_name(&mut self) -> Result<(), Refusal> {
        self.names = self.names.checked_sub(1).ok_or(TOO_MUCH)?;
        // The clock is read only once in 256 names.
        let late = self.names.is_multiple_of(256) && Instant::now() >= self.until;
        if late || self.found.len() >= MAX_MATCHES { Err(TOO_MUCH) } else { Ok(()) }
    }
}

/// Returns the memory in bytes that a name takes.
fn memory_of(name: &[u8]) -> usize {
    size_of::<Vec<u8>>() + name.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_component_is_matched() {
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

    #[test]
    fn matches_take_no_more_memory_than_the_limit() {
        let dir = tempfile::tempdir().unwrap();
        let long = [b'd'; 250];
        let way = [&long[..], b".."].repeat(15);
        let many = MAX_BYTES / way.concat().len();
        for number in 0..many {
            std::fs::write(dir.path().join(number.to_string()), "").unwrap();
        }
        let jail = Jail::new(dir.path()).unwrap();
        let search = |way: &[&[u8]], last: &[u8]| {
            let mut search = Search::new(&jail);
            search.until += Duration::from_secs(60); // so that a busy machine does not make the test fail
            let parts: Vec<&[u8]> = way.iter().copied().chain([last]).collect();
            search.walk(&FtpPath::root(), b"", &parts).map(|()| search.found.len())
        };
        assert_eq!(search(&[], b"*").unwrap(), many);
        assert_eq!(search(&way, b"*0").unwrap(), many.div_ceil(10));
        assert!(matches!(search(&way, b"*"), Err(Refusal::Unavailable(_))));
    }

    #[test]
    fn the_counted_memory_is_that_of_the_matches() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["a/x", "a/y", "b/x", "c"] {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        let jail = Jail::new(dir.path()).unwrap();
        let mut search = Search::new(&jail);
        search.walk(&FtpPath::root(), b"", &[b"*", b"x"]).unwrap();
        assert_eq!(search.memory, 2 * (size_of::<DirEntry>() + "a/x".len()));
    }
}
