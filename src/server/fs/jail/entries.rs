//! The entries of a directory, as far as clients may see them.

use crate::protocol::FtpPath;
use crate::server::fs::jail::{FinalLink, Jail};
use crate::server::fs::partial;
use crate::server::fs::quota::Ledger;
use crate::sys::{self, Dir, Entries, FileKind, Stat};
use std::ffi::{OsStr, OsString};
use std::io::{self, ErrorKind};
use std::path::{Component, Path};

impl Jail {
    /// Opens the directory at `path` for reading its names and their metadata.
    ///
    /// # Errors
    /// Fails if it is missing, not a directory, or not readable.
    pub fn read_dir(&self, path: &FtpPath) -> io::Result<DirReader> {
        let place = self.locate(path, FinalLink::Follow)?;
        let dir = place.dir.open_dir(&place.name)?;
        let entries = dir.entries()?;
        let depth = place.trail.len() + usize::from(place.name != ".");
        let ledger = self.ledger_inside(&place);
        Ok(DirReader { jail: self.clone(), depth, dir, ledger, entries })
    }

    /// Returns the metadata of the name at `path` without following a link.
    ///
    /// # Errors
    /// Fails if the name does not exist or the path to it is not accessible.
    pub fn entry(&self, path: &FtpPath) -> io::Result<DirEntry> {
        let place = self.locate(path, FinalLink::NoFollow)?;
        let stat = place.found.ok_or(ErrorKind::NotFound)?;
        let target = match stat.kind {
            FileKind::Link => self.shown_target(&place.dir, place.trail.len(), &place.name),
            FileKind::File | FileKind::Dir | FileKind::Other => Vec::new(),
        };
        let name = sys::name_bytes(&place.name).into_owned();
        Ok(DirEntry { name, stat, target })
    }

    /// Returns the target of the link `name` in `dir`, which is `depth` directories below the
    /// root, as far as a client may see it: a target outside of the jail is hidden.
    fn shown_target(&self, dir: &Dir, depth: usize, name: &OsStr) -> Vec<u8> {
        let Ok(target) = dir.read_link(name) else { return Vec::new() };
        let path = Path::new(&target);
        if !path.is_absolute() {
            let shown = if stays_inside(path, depth) { target.as_os_str() } else { OsStr::new("") };
            return sys::name_bytes(shown).into_owned();
        }
        match self.inside(path).filter(|inside| stays_inside(inside, 0)) {
            Some(inside) => [b"/", sys::name_bytes(inside.as_os_str()).as_ref()].concat(),
            None => Vec::new(),
        }
    }
}

/// Returns whether a path from a directory `depth` levels below the root never leaves the root.
fn stays_inside(path: &Path, depth: usize) -> bool {
    let mut depth = Some(depth);
    for component in path.components() {
        depth = match component {
            Component::ParentDir => depth.and_then(|depth| depth.checked_sub(1)),
            Component::Normal(_) => depth.map(|depth| depth + 1),
            Component::CurDir | Component::RootDir | Component::Prefix(_) => depth,
        };
    }
    depth.is_some()
}

/// Reads the names of a directory with their metadata, in the order that the system returns them.
#[derive(Debug)]
pub struct DirReader {
    jail: Jail,
    /// The number of directories from the root to this one.
    depth: usize,
    dir: Dir,
    ledger: Option<Ledger>,
    entries: Entries,
}

/// An entry of a directory.
#[derive(Clone, Debug)]
pub struct DirEntry {
    /// The name.
    pub name: Vec<u8>,
    /// The metadata.
    pub stat: Stat,
    /// The target of a link; empty if the client may not see it.
    pub target: Vec<u8>,
}

impl DirReader {
    /// Returns the next name of the directory, without partial uploads.
    ///
    /// # Errors
    /// Fails if the directory cannot be read further.
    pub fn next_name(&mut self) -> io::Result<Option<OsString>> {
        let mut name = Vec::new();
        let found = self.read_name(&mut name)?;
        Ok(found.then(|| sys::name_of(&name).into_owned()))
    }

    /// Like [`DirReader::next_name`], but appends the name to `to`. Returns whether there was one.
    ///
    /// # Errors
    /// Fails if the directory cannot be read further.
    pub fn read_name(&mut self, to: &mut Vec<u8>) -> io::Result<bool> {
        let start = to.len();
        while self.entries.read_name(to)? {
            if !partial::is_partial(&to[start..]) {
                return Ok(true);
            }
            let name = sys::name_of(&to[start..]);
            partial::remove_if_old(&self.dir, &name, self.ledger.as_ref());
            to.truncate(start);
        }
        Ok(false)
    }

    /// Returns the metadata of a name and the target of a link; `None` if the name no longer
    /// exists.
    pub fn stat(&self, name: &[u8]) -> Option<(Stat, Vec<u8>)> {
        let name = sys::name_of(name);
        let stat = self.dir.stat(&name).ok()?;
        let target = match stat.kind {
            FileKind::Link => self.jail.shown_target(&self.dir, self.depth, &name),
            FileKind::File | FileKind::Dir | FileKind::Other => Vec::new(),
        };
        Some((stat, target))
    }
}
