//! The size of everything below a directory.
//!
//! It may be deeper than any path that a client can name, since directories can be moved into one
//! another. So each is opened from the one above it and left by its `..`, which takes two
//! descriptors and as many steps as there are directories; opened from the top each time, ten
//! thousand within one another took a minute. A `..` is believed where it leads to the directory
//! that was come from. Where it does not, since something was moved meanwhile, or cannot be told,
//! the way from the top is gone again.

use crate::sys::{Dir, FileKind, Stat};
use std::ffi::{OsStr, OsString};
use std::io;

/// The size of all plain files below a directory. What cannot be read does not count.
///
/// # Errors
/// A directory cannot be read to its end.
pub fn size_below(top: &Dir) -> io::Result<u64> {
    let mut here = walk(top, &[])?;
    let (mut total, mut trail) = (0, Vec::new());
    let mut levels = vec![Level::look(&here, &mut total)?];
    while let Some(level) = levels.last_mut() {
        if let Some(name) = level.dirs.pop() {
            let Ok(dir) = here.open_dir(&name) else { continue };
            here = dir;
            trail.push(name);
            levels.push(Level::look(&here, &mut total)?);
            continue;
        }
        levels.pop();
        trail.pop();
        let Some(level) = levels.last_mut() else { break };
        match level.again(&here).map_or_else(|| walk(top, &trail), Ok) {
            Ok(dir) => here = dir,
            // It has gone, and what is in it with it.
            Err(_) => level.dirs.clear(),
        }
    }
    Ok(total)
}

/// The directory with these names below `top`, no link among them.
///
/// # Errors
/// One is missing, or is no directory.
pub fn walk(top: &Dir, trail: &[OsString]) -> io::Result<Dir> {
    let mut here = top.open_dir(OsStr::new("."))?;
    for name in trail {
        here = here.open_dir(name)?;
    }
    Ok(here)
}

/// A directory on the way to the one that is read.
struct Level {
    itself: Option<Stat>,
    /// Those in it whose turn comes.
    dirs: Vec<OsString>,
}

impl Level {
    /// Adds the sizes of the files in `dir` to `total`.
    fn look(dir: &Dir, total: &mut u64) -> io::Result<Level> {
        let mut level = Level { itself: dir.stat_self().ok(), dirs: Vec::new() };
        let Ok(names) = dir.entries() else { return Ok(level) };
        for name in names {
            let name = name?;
            let Ok(stat) = dir.stat(&name) else { continue };
            match stat.kind {
                FileKind::File => *total = total.saturating_add(stat.size),
                FileKind::Dir => level.dirs.push(name),
                FileKind::Link | FileKind::Other => {}
            }
        }
        Ok(level)
    }

    /// This directory, if it is the one above `below` for sure.
    fn again(&self, below: &Dir) -> Option<Dir> {
        let itself = self.itself.filter(|stat| stat.inode != 0)?;
        let above = below.open_dir(OsStr::new("..")).ok()?;
        let stat = above.stat_self().ok()?;
        ((stat.device, stat.inode) == (itself.device, itself.inode)).then_some(above)
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::sys::Open;
    use std::fs;
    use std::path::Path;
    use tempfile::TempDir;

    fn size(dir: &Path) -> u64 {
        size_below(&Dir::open_path(dir).unwrap()).unwrap()
    }

    #[test]
    fn every_plain_file_counts_once() {
        let dir = TempDir::new().unwrap();
        let mut expected = 0;
        for (number, name) in ["", "a", "a/b", "a/c", "a/c/d", "e", "e/f/g/h"].iter().enumerate() {
            let inner = dir.path().join(name);
            fs::create_dir_all(&inner).unwrap();
            fs::write(inner.join("file"), vec![0; 1 << number]).unwrap();
            expected += 1 << number;
        }
        std::os::unix::fs::symlink("a", dir.path().join("link")).unwrap();
        std::os::unix::fs::symlink("../a/file", dir.path().join("e/link")).unwrap();
        assert_eq!(size(dir.path()), expected);
    }

    #[test]
    #[ignore = "long: makes and removes 20,000 directories"]
    fn a_tree_that_no_path_reaches_to_its_end_takes_as_many_steps_as_it_has_directories() {
        const DEPTH: usize = 20_000; // from the top each time, some minutes
        let dir = TempDir::new().unwrap();
        let name = OsStr::new("d");
        let mut here = Dir::open_path(dir.path()).unwrap();
        for _ in 0..DEPTH {
            here.make_dir(name).unwrap();
            here = here.open_dir(name).unwrap();
        }
        here.open(name, Open::CreateNew { private: false }).unwrap().set_len(7).unwrap();
        assert_eq!(size(dir.path()), 7);
        // Too deep for what cleans up after tests.
        here.remove_file(name).unwrap();
        for _ in 0..DEPTH {
            here = here.open_dir(OsStr::new("..")).unwrap();
            here.remove_dir(name).unwrap();
        }
    }

    #[test]
    fn what_is_moved_meanwhile_is_left_by_the_way_from_the_top() {
        let dir = TempDir::new().unwrap();
        fs::create_dir_all(dir.path().join("a/b")).unwrap();
        let top = Dir::open_path(dir.path()).unwrap();
        let above = Level::look(&walk(&top, &["a".into()]).unwrap(), &mut 0).unwrap();
        let below = walk(&top, &["a".into(), "b".into()]).unwrap();
        assert!(above.again(&below).is_some());
        fs::rename(dir.path().join("a/b"), dir.path().join("b")).unwrap();
        assert!(above.again(&below).is_none());
    }
}
