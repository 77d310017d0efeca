//! The partial files of one command: made, found again, and held against other clients.
//!
//! - A partial file is opened in its directory without following links. What was opened must be a
//!   plain file of ours with one name and no other writer; anything else under the name is removed,
//!   or stays, and another name is taken.
//! - Who writes a partial file holds a lock on it (flock), which ends with the process. Another client
//!   that fetches the same file at that time takes a name with a number.
//! - Partial files of other remote files, or of other versions, for the same target are removed,
//!   unless somebody holds them.

use super::partial_name::{self, PartOf, is_partial, numbered};
use crate::client::signals::{Interrupt, Registration, Tidying};
use crate::sys::{self, Dir, FileKind, Open, name_bytes};
use crate::text::{Reason, shown};
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::{File, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// The most clients that fetch the same file to the same place at once.
const MOST_CLIENTS: usize = 10;

/// The most tries to get a name that others remove or take meanwhile.
const TRIES: usize = 16;

/// The partial files of one command.
#[derive(Clone, Default)]
pub(in crate::client) struct PartialFiles {
    interrupt: Interrupt,
    /// The partial files that were in each directory when the command came to it. It is read once,
    /// since many files may be fetched into it.
    found: Arc<Mutex<BTreeMap<PathBuf, Vec<OsString>>>>,
}

/// A partial file that this client holds, and its place.
pub(super) struct Held {
    pub(super) file: File,
    pub(super) dir: Arc<Dir>,
    pub(super) name: OsString,
}

impl PartialFiles {
    /// Returns those of a new command.
    pub(in crate::client) fn new(interrupt: Interrupt) -> PartialFiles {
        PartialFiles { interrupt, found: Arc::default() }
    }

    /// Holds the partial file of `of` that is to become `target`: one that an earlier run left, or a new
    /// one. `tidying` returns what is done with it if a signal ends the program.
    pub(super) fn hold(
        &self,
        target: &Path,
        of: &PartOf,
        tidying: impl FnOnce(&Held) -> Tidying,
    ) -> io::Result<(Held, Registration)> {
        let name = file_name(target)?;
        let parent = parent(target);
        let failed = |error| cannot_write(parent, &error);
        let dir = Arc::new(Dir::open_path(parent).map_err(failed)?);
        let replaces = dir.stat(name).is_ok_and(|stat| stat.kind == FileKind::File);
        let (held, registration) = self.interrupt.create(|| {
            let held = hold_any(dir, &partial_name::partial_name(name, of), replaces);
            let held = held.map_err(failed)?;
            let tidying = tidying(&held);
            Ok((held, tidying))
        })?;
        // Those that cannot be removed stay, and are found again the next time.
        let _ = self.remove_others(&held.dir, target, &held.name);
        Ok((held, registration))
    }

    /// Forgets a partial file that was renamed, removed or left where it is.
    pub(super) fn forget(&self, registration: Registration) {
        self.interrupt.forget(registration);
    }

    /// Removes the other partial files that were to become the same target: of other remote files, or of
    /// clients that have ended meanwhile.
    pub(super) fn remove_others(&self, dir: &Dir, target: &Path, own: &OsStr) -> io::Result<()> {
        let beginning = partial_name::beginning(file_name(target)?);
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        let found = found.entry(parent(target).to_owned());
        let names = found.or_insert_with(|| partial_names(dir));
        let is_other =
            |name: &&OsString| *name != own && name_bytes(name).starts_with(beginning.as_bytes());
        for other in names.iter().filter(is_other) {
            if let Existing::Ours(_file) = hold_existing(dir, other)? {
                dir.remove_file(other)?;
            }
        }
        Ok(())
    }
}

/// Returns the names of the partial files in a directory; one that cannot be read has none.
fn partial_names(dir: &Dir) -> Vec<OsString> {
    let names = dir.entries().into_iter().flatten().flatten();
    names.filter(|name| is_partial(&name_bytes(name))).collect()
}

/// Removes the partial files in a directory that no client holds.
///
/// # Errors
/// What the system says.
pub(in crate::client) fn remove_partials(path: &Path) -> io::Result<()> {
    let dir = Dir::open_path(path)?;
    for name in partial_names(&dir) {
        if let Existing::Ours(_file) = hold_existing(&dir, &name)? {
            dir.remove_file(&name)?;
        }
    }
    Ok(())
}

/// Returns the directory of a path.
fn parent(path: &Path) -> &Path {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    parent.unwrap_or(Path::new("."))
}

/// Returns the last part of a path that names a file.
pub(super) fn file_name(path: &Path) -> io::Result<&OsStr> {
    // Path::file_name overlooks a `/` at the end.
    let end = path.as_os_str().as_encoded_bytes().last().copied().map(char::from);
    let name = path.file_name().filter(|_| !end.is_some_and(std::path::is_separator));
    name.ok_or_else(|| io::Error::new(ErrorKind::InvalidInput, "not the name of a file"))
}

fn cannot_write(dir: &Path, error: &io::Error) -> io::Error {
    if error.kind() == ErrorKind::NotFound {
        // The error of the file says which directory is missing.
        return ErrorKind::NotFound.into();
    }
    let dir = std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
    let dir = shown(dir.as_os_str().as_encoded_bytes());
    io::Error::new(error.kind(), format!("cannot create files in \"{dir}\": {}", Reason(error)))
}

/// Holds the file of this name in a directory, or the first of those with a number that no other client
/// holds. It is for its owner alone if it is `private`.
fn hold_any(dir: Arc<Dir>, name: &str, private: bool) -> io::Result<Held> {
    for before in 0..MOST_CLIENTS {
        let name = OsString::from(numbered(name, before));
        if let Some(file) = hold(&dir, &name, private)? {
            return Ok(Held { file, dir, name });
        }
    }
    Err(io::Error::new(ErrorKind::ResourceBusy, "other clients are fetching the same file"))
}

/// Opens or makes a partial file and locks it; returns `None` if another client holds it.
fn hold(dir: &Dir, name: &OsStr, private: bool) -> io::Result<Option<File>> {
    for _ in 0..TRIES {
        match dir.open(name, Open::CreateNew { private }) {
            // A file system without locks is no reason not to fetch.
            Ok(file) if !is_locked(&file) && is_named(dir, name, &file) => return Ok(Some(file)),
            // Another client took it for one that nobody writes.
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                match hold_existing(dir, name)? {
                    Existing::Ours(file) if private => {
                        sys::set_file_mode(&file, 0o600);
                        return Ok(Some(file));
                    }
                    Existing::Ours(file) => return Ok(Some(file)),
                    Existing::Held => return Ok(None),
                    Existing::Gone => {}
                }
            }
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

/// The result of looking at a name that was there already.
enum Existing {
    /// It is a partial file of ours, and locked.
    Ours(File),
    /// Another client writes it, or it cannot be removed.
    Held,
    Gone,
}

/// Opens and locks a file that another run has left. What can be no such file is removed: a link, a file
/// of another user, or one that has another name too.
fn hold_existing(dir: &Dir, name: &OsStr) -> io::Result<Existing> {
    let kind = match dir.stat(name) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Existing::Gone),
        other => other?.kind,
    };
    // To open a device can have effects.
    let opened = (kind == FileKind::File).then(|| dir.open(name, Open::Write));
    if let Some(Ok(file)) = opened
        && is_ours(dir, &file)?
    {
        // Without locks it cannot be known whether somebody writes it.
        let is_mine = file.try_lock().is_ok();
        return Ok(match is_named(dir, name, &file) {
            true if is_mine => Existing::Ours(file),
            true => Existing::Held,
            false => Existing::Gone,
        });
    }
    match dir.remove_file(name) {
        Ok(()) => Ok(Existing::Gone),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Existing::Gone),
        Err(_) => Ok(Existing::Held),
    }
}

/// Returns whether an open file is a plain one with one name that belongs to this user. Some file systems
/// give every file to the owner of its directory.
fn is_ours(dir: &Dir, file: &File) -> io::Result<bool> {
    let data = file.metadata()?;
    let (owner, links) = sys::owner_and_links(&data);
    let is_own = owner == sys::effective_user() || owner == dir.stat_self()?.owner;
    Ok(data.is_file() && links == 1 && is_own)
}

/// Locks a file; returns whether another client has locked it.
fn is_locked(file: &File) -> bool {
    matches!(file.try_lock(), Err(TryLockError::WouldBlock))
}

/// Returns whether an open file has this name.
fn is_named(dir: &Dir, name: &OsStr, file: &File) -> bool {
    sys::identify(file).is_ok_and(|(_, id)| sys::is_named(dir, name, id))
}
