//! The directory that is served, and every call on the file system the server makes for a client.
//!
//! Nobody gets out, by three rules:
//!
//! 1. A path is walked part by part, each directory opened from the one before it without
//!    following links, and the last part is used through the directory that was reached. Whatever
//!    another process renames or replaces meanwhile, the walk is still below the root.
//! 2. Links are followed by hand, at most [`MAX_LINKS`] of them. `..` in a target goes back to a
//!    directory this walk came through, never to what the system calls the parent; one that would
//!    go above the root, or an absolute target outside, is answered like a missing file.
//! 3. No real path leaves this file.
//!
//! Partial uploads are invisible here: they are never listed, and no path of
//! a client can name one.

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

/// What to do with a link in the last place of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Last {
    /// Go where it leads.
    Follow,
    /// Take the link itself.
    Keep,
}

/// A directory tree that nobody leaves. Clones share it.
#[derive(Clone, Debug)]
pub struct Jail {
    root: Arc<Dir>,
    /// What is known of the root since it was opened, which tells it from others.
    root_stat: Stat,
    /// Names of the root as the system knows it, to understand absolute links into it.
    known_as: Arc<[PathBuf]>,
    /// The directories between the root that is served and this one, no link among them.
    above: Arc<[OsString]>,
    quotas: Arc<Quotas>,
    broken_off: BrokenOff,
}

/// The partial of the upload that broke off last under one login.
#[derive(Clone, Debug, Default)]
pub struct BrokenOff(Arc<Mutex<Option<FileId>>>);

impl BrokenOff {
    /// Notes that the upload to this partial broke off.
    pub(crate) fn set(&self, partial: FileId) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(partial);
    }

    /// Returns the partial, if any upload broke off.
    pub(crate) fn get(&self) -> Option<FileId> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where a path leads: a name in a directory that is held open.
#[derive(Clone, Debug)]
pub struct ResolvedPath {
    /// The directory.
    dir: Arc<Dir>,
    /// The name in it; `.` for the root.
    name: OsString,
    /// What stood there when it was looked up; it may have changed since.
    found: Option<Stat>,
    /// The directories between the root and `dir`, no link among them.
    trail: Vec<OsString>,
}

impl Jail {
    /// The jail whose `/` is the directory `root`.
    ///
    /// # Errors
    /// There is no such directory, or no right to enter it.
    pub fn new(root: &Path) -> io::Result<Jail> {
        let dir = Dir::open_path(root)?;
        // Opening alone would also work for a directory that cannot be searched.
        dir.open_dir(OsStr::new("."))?;
        let mut known_as = vec![std::path::absolute(root)?];
        known_as.extend(root.canonicalize());
        known_as.dedup();
        let root = Arc::new(dir);
        let quotas = Arc::new(Quotas::new(Arc::clone(&root)));
        let (known_as, above) = (known_as.into(), Arc::default());
        let root_stat = root.stat_self()?;
        Ok(Jail { root, root_stat, known_as, above, quotas, broken_off: BrokenOff::default() })
    }

    /// The same jail for another login.
    pub fn for_login(&self) -> Jail {
        Jail { broken_off: BrokenOff::default(), ..self.clone() }
    }

    /// The jail of a login whose `/` is the directory at `path` in this one.
    ///
    /// # Errors
    /// There is no such directory, or no right to enter it.
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
        let known_as = self.known_as.iter().map(below).collect();
        let (above, quotas) = (self.trail_into(&place).into(), Arc::clone(&self.quotas));
        let (root_stat, broken_off) = (dir.stat_self()?, BrokenOff::default());
        Ok(Jail { root: Arc::new(dir), root_stat, known_as, above, quotas, broken_off })
    }

    /// Makes sure that the root is still the directory at its path. If it is not, it was removed or
    /// renamed, or something was mounted on it: what is stored there would be lost, and a listing of
    /// it would be of something that others do not see.
    ///
    /// # Errors
    /// [`RootGone`], or what the system says.
    pub fn check_root(&self) -> io::Result<()> {
        let Some(path) = self.known_as.first() else { return Ok(()) };
        match sys::is_dir_at(path, &self.root_stat) {
            Ok(true) => Ok(()),
            Ok(false) => Err(RootGone.into()),
            Err(error) => match error.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Err(RootGone.into()),
                _ => Err(error),
            },
        }
    }

    /// The quotas in the tree that is served.
    pub fn quotas(&self) -> &Quotas {
        &self.quotas
    }

    /// The partial of the upload that broke off last under this login.
    pub fn broken_off(&self) -> &BrokenOff {
        &self.broken_off
    }

    /// The directories between the root that is served and the one at `path`, and that one.
    ///
    /// # Errors
    /// It is missing, is none, or may not be entered.
    pub fn trail_to(&self, path: &FtpPath) -> io::Result<Vec<OsString>> {
        self.enter_dir(path).map(|(place, _)| self.trail_into(&place))
    }

    fn trail_into(&self, place: &ResolvedPath) -> Vec<OsString> {
        let itself = (place.name != ".").then_some(&place.name);
        self.above.iter().chain(&place.trail).chain(itself).cloned().collect()
    }
}
