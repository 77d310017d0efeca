//! The traversal of a tree for `ls -R`, in bounded memory.

use crate::protocol::{FtpPath, Name};
use crate::server::fs::jail::Jail;
use crate::sys::FileKind;
use std::io;

/// The maximum depth, the maximum number of directories waiting to be listed, and their memory.
const MAX_DEPTH: usize = 64;
const MAX_WAITING: usize = 100_000;
const MAX_WAITING_BYTES: usize = 8 * 1024 * 1024;

/// The state of the traversal.
#[derive(Debug)]
pub(super) struct Tree {
    pub(super) jail: Jail,
    /// The length of the prefix of names at the root of the traversal.
    pub(super) start: usize,
    pub(super) at: PendingDir,
    /// The subdirectories found in the current directory, in their order.
    children: Vec<PendingDir>,
    /// The directories to list afterwards; the next one is last.
    next: Vec<PendingDir>,
    /// The memory in bytes that `children` and `next` take.
    held: usize,
}

/// A directory of the tree.
#[derive(Clone, Debug)]
pub(super) struct PendingDir {
    pub(super) path: FtpPath,
    pub(super) shown: Vec<u8>,
    depth: usize,
}

impl Tree {
    /// Begins at the directory `path`, whose names have a prefix of `start` bytes.
    pub(super) fn new(jail: &Jail, path: &FtpPath, start: usize) -> Tree {
        let at = PendingDir { path: path.clone(), shown: b".".to_vec(), depth: 0 };
        Tree { jail: jail.clone(), start, at, children: Vec::new(), next: Vec::new(), held: 0 }
    }

    /// Records a subdirectory, to be listed after the current directory.
    pub(super) fn add(&mut self, name: &[u8], kind: FileKind) -> io::Result<()> {
        if kind != FileKind::Dir {
            return Ok(());
        }
        let Some(name) = Name::of_file(name) else { return Ok(()) };
        if self.next.len() + self.children.len() >= MAX_WAITING || self.at.depth >= MAX_DEPTH {
            return Err(too_large());
        }
        let Ok(path) = self.at.path.join(&name) else { return Ok(()) };
        let shown = [self.at.shown.as_slice(), b"/", name.as_bytes()].concat();
        let dir = PendingDir { path, shown, depth: self.at.depth + 1 };
        let held = self.held + dir.bytes();
        if held > MAX_WAITING_BYTES {
            return Err(too_large());
        }
        self.held = held;
        self.children.push(dir);
        Ok(())
    }

    /// Returns the next directory: subdirectories of the current one come first.
    pub(super) fn take(&mut self) -> Option<PendingDir> {
        self.next.extend(self.children.drain(..).rev());
        let dir = self.next.pop()?;
        self.held -= dir.bytes();
        Some(dir)
    }
}

impl PendingDir {
    /// Returns the memory that this takes. Its path is stored twice and may be much longer than
    /// its name.
    pub(super) fn bytes(&self) -> usize {
        size_of::<PendingDir>() + self.path.as_bytes().len() + self.shown.len()
    }
}

fn too_large() -> io::Error {
    io::Error::other("the tree is too large to be listed at once")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns a tree that begins `parts` directories deep, each with a name of 250 bytes.
    fn tree(dir: &tempfile::TempDir, parts: usize) -> Tree {
        let shown = format!(".{}", format!("/{}", "d".repeat(250)).repeat(parts)).into_bytes();
        let path = FtpPath::root().join(&Name::new(shown.clone()).unwrap()).unwrap();
        let jail = Jail::new(dir.path()).unwrap();
        let at = PendingDir { path, shown, depth: 0 };
        Tree { jail, start: 0, at, children: Vec::new(), next: Vec::new(), held: 0 }
    }

    /// Returns the number of directories that the tree records before it refuses one.
    fn fill(tree: &mut Tree) -> usize {
        let add = |number: usize| tree.add(number.to_string().as_bytes(), FileKind::Dir);
        (0..=MAX_WAITING).map(add).take_while(Result::is_ok).count()
    }

    #[test]
    fn waiting_directories_take_no_more_memory_than_the_limit() {
        let dir = tempfile::tempdir().unwrap();
        let mut deep = tree(&dir, 15);
        let added = fill(&mut deep);
        let each = deep.at.bytes();
        assert!(
            (MAX_WAITING_BYTES / (each + 20)..MAX_WAITING_BYTES / each).contains(&added),
            "{added}"
        );
        let bytes: usize = deep.children.iter().map(PendingDir::bytes).sum();
        assert!(bytes == deep.held && bytes <= MAX_WAITING_BYTES, "{bytes}, {}", deep.held);
        assert_eq!(fill(&mut tree(&dir, 0)), MAX_WAITING);
    }

    #[test]
    fn a_directory_that_was_listed_releases_its_memory() {
        let dir = tempfile::tempdir().unwrap();
        let mut deep = tree(&dir, 15);
        let added = fill(&mut deep);
        assert_eq!(deep.take().unwrap().shown, [&deep.at.shown[..], b"/0"].concat());
        deep.add(b"0", FileKind::Dir).unwrap();
        assert_eq!(std::iter::from_fn(|| deep.take()).count(), added);
        assert_eq!(deep.held, 0);
    }
}
