//! The jail: the served directory, and all file system operations for clients.
//!
//! Three rules keep clients inside the directory:
//!
//! 1. A path is walked component by component. Each directory is opened from the previous one
//!    without following links, and operations on the last component use the directory that was
//!    reached. Renames and replacements by other processes in the meantime cannot move the walk outside
//!    of the root.
//! 2. Links are followed here and not by the system, at most [`MAX_LINKS`] of them. `..` in a
//!    target returns to a directory of this walk, never to the parent that the system knows. A
//!    target above or outside of the root is reported like a missing file.
//! 3. No real path leaves this module.
//!
//! Partial uploads are invisible: they are never listed, and no path of a client can name them.

mod entries;
mod ops;
mod resolve;
#[cfg(all(test, unix))]
mod tests;
mod trees;

pub use entries::{DirEntry, DirReader};

use crate::protocol::FtpPath;
use crate::server::error::RootGone;
use crate::server::fs::quota::Quotas;
use crate::sys::{self, Dir, FileId, Stat};
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// The treatment of a link in the last component of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FinalLink {
    /// Follow the link.
    Follow,
    /// Follow the link; the name is probably new ([`Dir::stat_new`]).
    FollowNew,
    /// Use the link itself.
    NoFollow,
}

/// A directory tree that clients cannot leave. Clones share it.
#[derive(Clone, Debug)]
pub struct Jail {
    root: Arc<Dir>,
    /// The metadata of the root when it was opened, which identifies it.
    root_stat: Stat,
    /// The paths of the root on the system, for absolute links into it.
    root_paths: Arc<[PathBuf]>,
    /// The names of the directories from the served root to this one, without links.
    above: Arc<[OsString]>,
    quotas: Arc<Quotas>,
    interrupted_upload: InterruptedUpload,
}

/// The partial of the last interrupted upload of one login.
#[derive(Clone, Debug, Default)]
pub struct InterruptedUpload(Arc<Mutex<Option<FileId>>>);

impl InterruptedUpload {
    /// Records that the upload to this partial was interrupted.
    pub(crate) fn set(&self, partial: FileId) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(partial);
    }

    /// Returns the partial of the last interrupted upload, if there is one.
    pub(crate) fn get(&self) -> Option<FileId> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The result of resolving a path: a name in an open directory.
#[derive(Clone, Debug)]
pub struct ResolvedPath {
    /// The directory.
    dir: Arc<Dir>,
    /// The name in the directory; `.` for the root.
    name: OsString,
    /// The metadata of the name when the path was resolved, if it existed; it may have changed
    /// since.
    found: Option<Stat>,
    /// The names of the directories from the root to `dir`, without links.
    trail: Vec<OsString>,
}

impl Jail {
    /// Opens the directory `root` as a jail.
    ///
    /// # Errors
    /// Fails if the directory does not exist or may not be entered.
    pub fn new(root: &Path) -> io::Result<Jail> {
        let dir = Dir::open_path(root)?;
        // Opening alone also succeeds for a directory without search permission.
        dir.open_dir(OsStr::new("."))?;
        let mut root_paths = vec![std::path::absolute(root)?];
        root_paths.extend(root.canonicalize());
        root_paths.dedup();
        let root = Arc::new(dir);
        let quotas = Arc::new(Quotas::new(Arc::clone(&root)));
        let (root_paths, above) = (root_paths.into(), Arc::default());
        let root_stat = root.stat_self()?;
        Ok(Jail {
            root,
            root_stat,
            root_paths,
            above,
            quotas,
            interrupted_upload: InterruptedUpload::default(),
        })
    }

    /// Returns the jail for another login.
    pub fn for_login(&self) -> Jail {
        Jail { interrupted_upload: InterruptedUpload::default(), ..self.clone() }
    }

    /// Returns the jail of a login whose `/` is the directory at `path` in this one.
    ///
    /// # Errors
    /// Fails if the directory does not exist or may not be entered.
    pub fn enter(&self, path: &FtpPath) -> io::Result<Jail> {
        if path.is_root() {
            return Ok(self.for_login());
        }
        let (place, dir) = self.enter_dir(path)?;
        let below = |root: &PathBuf| {
            let mut root = root.clone();
            path.parts().for_each(|part| root.extend(sys::os_name(part)));
            root
        };
        let root_paths = self.root_paths.iter().map(below).collect();
        let (above, quotas) = (self.trail_into(&place).into(), Arc::clone(&self.quotas));
        let (root_stat, interrupted_upload) = (dir.stat_self()?, InterruptedUpload::default());
        Ok(Jail { root: Arc::new(dir), root_stat, root_paths, above, quotas, interrupted_upload })
    }

    /// Checks that the root is still the directory at its path. If it was removed or renamed, or
    /// if something was mounted on it, stored files would be lost, and listings would show a
    /// directory that other processes do not see.
    ///
    /// # Errors
    /// Returns [`RootGone`] or the system error.
    pub fn check_root(&self) -> io::Result<()> {
        let Some(path) = self.root_paths.first() else { return Ok(()) };
        match sys::is_dir_at(path, &self.root_stat) {
            Ok(true) => Ok(()),
            Ok(false) => Err(RootGone.into()),
            Err(error) => match error.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Err(RootGone.into()),
                _ => Err(error),
            },
        }
    }

    /// Returns the quotas of the served tree.
    pub fn quotas(&self) -> &Quotas {
        &self.quotas
    }

    /// Returns the partial of the last interrupted upload of this login.
    pub fn interrupted_upload(&self) -> &InterruptedUpload {
        &self.interrupted_upload
    }

    /// Returns the names of the directories from the served root to the one at `path`, inclusive.
    ///
    /// # Errors
    /// Fails if `path` is not a directory or may not be entered.
    pub fn trail_to(&self, path: &FtpPath) -> io::Result<Vec<OsString>> {
        self.enter_dir(path).map(|(place, _)| self.trail_into(&place))
    }

    fn trail_into(&self, place: &ResolvedPath) -> Vec<OsString> {
        let itself = (place.name != ".").then_some(&place.name);
        self.above.iter().chain(&place.trail).chain(itself).cloned().collect()
    }
}
