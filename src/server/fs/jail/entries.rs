//! The names of a directory and what a client may know of each.

use crate::protocol::FtpPath;
use crate::server::fs::jail::{Jail, Last};
use crate::server::fs::partial;
use crate::server::fs::quota::Ledger;
use crate::sys::{self, Dir, Entries, FileKind, Stat};
use std::ffi::{OsStr, OsString};
use std::io::{self, ErrorKind};
use std::path::{Component, Path};

impl Jail {
    /// Reads the directory at `path`: its names, each with its metadata.
    ///
    /// # Errors
    /// It is missing, is no directory, or may not be read.
    pub fn read_dir(&self, path: &FtpPath) -> io::Result<DirReader> {
        let place = self.locate(path, Last::Follow)?;
        let dir = place.dir.open_dir(&place.name)?;
        let entries = dir.entries()?;
        let depth = place.trail.len() + usize::from(place.name != ".");
        let ledger = self.ledger_inside(&place);
        Ok(DirReader { jail: self.clone(), depth, dir, ledger, entries })
    }

    /// What is known of the name at `path`, its link not followed.
    ///
    /// # Errors
    /// Nothing is there, or the way there is closed.
    pub fn look(&self, path: &FtpPath) -> io::Result<DirEntry> {
        let place = self.locate(path, Last::Keep)?;
        let stat = place.found.ok_or(ErrorKind::NotFound)?;
        let target = match stat.kind {
            FileKind::Link => self.shown_target(&place.dir, place.trail.len(), &place.name),
            FileKind::File | FileKind::Dir | FileKind::Other => Vec::new(),
        };
        let name = sys::name_bytes(&place.name).into_owned();
        Ok(DirEntry { name, stat, target })
    }

    /// The target of the link `name` in `dir`, so many directories below the root, as a client may
    /// see it: nothing that tells of the world outside.
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

/// Whether a path never goes above the root on its way from so many directories below it.
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

/// The names of a directory with what is known of each, in the order of the system.
#[derive(Debug)]
pub struct DirReader {
    jail: Jail,
    /// How many directories below the root.
    depth: usize,
    dir: Dir,
    ledger: Option<Ledger>,
    entries: Entries,
}

/// A name in a listing.
#[derive(Clone, Debug)]
pub struct DirEntry {
    /// The name as bytes.
    pub name: Vec<u8>,
    /// What is known of it.
    pub stat: Stat,
    /// Where it leads if it is a link; empty where that is not for clients to know.
    pub target: Vec<u8>,
}

impl DirReader {
    /// The next name of the directory, partial uploads left out.
    ///
    /// # Errors
    /// The directory cannot be read any further.
    pub fn next_name(&mut self) -> io::Result<Option<OsString>> {
        let mut name = Vec::new();
        let found = self.read_name(&mut name)?;
        Ok(found.then(|| sys::name_of(&name).into_owned()))
    }

    /// The same, appended to `to`; whether there was one.
    ///
    /// # Errors
    /// The same.
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

    /// What is known of a name, and where it leads if it is a link; `None` if it has gone since.
    pub fn look(&self, name: &[u8]) -> Option<(Stat, Vec<u8>)> {
        let name = sys::name_of(name);
        let stat = self.dir.stat(&name).ok()?;
        let target = match stat.kind {
            FileKind::Link => self.jail.shown_target(&self.dir, self.depth, &name),
            FileKind::File | FileKind::Dir | FileKind::Other => Vec::new(),
        };
        Some((stat, target))
    }
}
