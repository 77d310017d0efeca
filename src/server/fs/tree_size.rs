//! The total size of the files below a directory.
//!
//! The tree may be deeper than any path of a client, since directories can be moved into one
//! another. Each directory is therefore opened from its parent and left through its `..`, which
//! takes two descriptors and a number of steps proportional to the number of directories; opening
//! each from the top took a minute for ten thousand nested directories. `..` is used only if it
//! leads to the directory that the walk came from. If something was moved in the meantime, or if that
//! cannot be determined, the directory is opened from the top again.

use crate::sys::{Dir, FileKind, Stat};
use std::ffi::{OsStr, OsString};
use std::io;

/// Returns the total size of all regular files below a directory. Directories and files that
/// cannot be read do not count.
///
/// # Errors
/// Fails if a directory cannot be read to its end.
pub fn size_below(top: &Dir) -> io::Result<u64> {
    let mut here = walk(top, &[])?;
    let (mut total, mut trail) = (0, Vec::new());
    let mut levels = vec![Level::read(&here, &mut total)?];
    while let Some(level) = levels.last_mut() {
        if let Some(name) = level.dirs.pop() {
            let Ok(dir) = here.open_dir(&name) else { continue };
            here = dir;
            trail.push(name);
            levels.push(Level::read(&here, &mut total)?);
            continue;
        }
        levels.pop();
        trail.pop();
        let Some(level) = levels.last_mut() else { break };
        match level.reopen_from(&here).map_or_else(|| walk(top, &trail), Ok) {
            Ok(dir) => here = dir,
            // The directory is gone, and its remaining subdirectories with it.
            Err(_) => level.dirs.clear(),
        }
    }
    Ok(total)
}

/// Opens the directory with these names below `top`; no name may be a link.
///
/// # Errors
/// Fails if a name is missing or not a directory.
pub fn walk(top: &Dir, trail: &[OsString]) -> io::Result<Dir> {
    let mut here = top.open_dir(OsStr::new("."))?;
    for name in trail {
        here = here.open_dir(name)?;
    }
    Ok(here)
}

/// A directory on the path to the one that is being read.
struct Level {
    itself: Option<Stat>,
    /// The subdirectories that are still to be visited.
    dirs: Vec<OsString>,
}

impl Level {
    /// Reads a directory, and adds the sizes of its files to `total`.
    fn read(dir: &Dir, total: &mut u64) -> io::Result<Level> {
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

    /// Opens this directory as the parent of `below`, if that is certain to be the same directory.
    fn reopen_from(&self, below: &Dir) -> Option<Dir> {
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
    fn a_tree_deeper_than_any_path_is_counted_in_linear_time() {
        const DEPTH: usize = 20_000; // a walk from the top for each would take some minutes
        let dir = TempDir::new().unwrap();
        let name = OsStr::new("d");
        let mut here = Dir::open_path(dir.path()).unwrap();
        for _ in 0..DEPTH {
            here.make_dir(name).unwrap();
            here = here.open_dir(name).unwrap();
        }
        here.open(name, Open::CreateNew { private: false }).unwrap().set_len(7).unwrap();
        assert_eq!(size(dir.path()), 7);
        // The tree is too deep for the removal of temporary directories.
        here.remove_file(name).unwrap();
        for _ in 0..DEPTH {
            here = here.open_dir(OsStr::new("..")).unwrap();
            here.remove_dir(name).unwrap();
        }
    }

    #[test]
    fn a_moved_directory_is_reopened_from_the_top() {
        let dir = TempDir::new().unwrap();
        fs::create_dir_all(dir.path().join("a/b")).unwrap();
        let top = Dir::open_path(dir.path()).unwrap();
        let above = Level::read(&walk(&top, &["a".into()]).unwrap(), &mut 0).unwrap();
        let below = walk(&top, &["a".into(), "b".into()]).unwrap();
        assert!(above.reopen_from(&below).is_some());
        fs::rename(dir.path().join("a/b"), dir.path().join("b")).unwrap();
        assert!(above.reopen_from(&below).is_none());
    }
}
