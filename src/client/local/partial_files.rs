//! Creates, finds and locks the partial files of one command.
//!
//! - A partial file is opened without following links. It must be a regular file of this user with one
//!   link and no other writer. Anything else of this name is removed or, if that fails, another name is
//!   used.
//! - The writer of a partial file holds a lock (flock), which ends with the process. Another client that
//!   fetches the same file uses a name with a number.
//! - Unlocked partial files of other remote files, or of other versions, for the same target are removed.

use super::partial_name::{self, RemoteIdentity, is_partial, numbered};
use crate::client::signals::{Cleanup, Interrupt, Registration};
use crate::sys::{self, Dir, FileKind, Open, name_bytes};
use crate::text::{Reason, shown};
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::{File, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// The largest number of clients that fetch the same file to the same target at once.
const MAX_CLIENTS: usize = 10;

/// The number of attempts to lock a name that other clients remove or create in the meantime.
const LOCK_ATTEMPTS: usize = 16;

/// The partial files of one command.
#[derive(Clone, Default)]
pub(in crate::client) struct PartialFiles {
    interrupt: Interrupt,
    /// The partial files of each directory. A directory is read only once per command, because many
    /// files may be fetched into it.
    found: Arc<Mutex<BTreeMap<PathBuf, Vec<OsString>>>>,
}

/// A locked partial file, with its directory and name.
pub(super) struct LockedPartial {
    pub(super) file: File,
    pub(super) dir: Arc<Dir>,
    pub(super) name: OsString,
    /// True if this client has just created the file, so that it is empty.
    pub(super) is_new: bool,
}

impl PartialFiles {
    /// Creates the state for a command.
    pub(in crate::client) fn new(interrupt: Interrupt) -> PartialFiles {
        PartialFiles { interrupt, found: Arc::default() }
    }

    /// Locks the partial file of `of` for `target`: one that an earlier run left, or a new one. `cleanup`
    /// returns the cleanup to run if a signal ends the program.
    pub(super) fn lock(
        &self,
        target: &Path,
        of: &RemoteIdentity,
        cleanup: impl FnOnce(&LockedPartial) -> Cleanup,
    ) -> io::Result<(LockedPartial, Registration)> {
        let name = file_name(target)?;
        let parent = parent(target);
        let failed = |error| cannot_write(parent, &error);
        let dir = Arc::new(Dir::open_path(parent).map_err(failed)?);
        let replaces = dir.stat(name).is_ok_and(|stat| stat.kind == FileKind::File);
        let (locked, registration) = self.interrupt.create(|| {
            let locked = lock_any(dir, &partial_name::partial_name(name, of), replaces);
            let locked = locked.map_err(failed)?;
            let cleanup = cleanup(&locked);
            Ok((locked, cleanup))
        })?;
        // The next run finds those that cannot be removed.
        let _ = self.remove_others(&locked.dir, target, &locked.name);
        Ok((locked, registration))
    }

    /// Unregisters the cleanup of a partial file.
    pub(super) fn forget(&self, registration: Registration) {
        self.interrupt.forget(registration);
    }

    /// Removes the other unlocked partial files for the same target.
    pub(super) fn remove_others(&self, dir: &Dir, target: &Path, own: &OsStr) -> io::Result<()> {
        let name_prefix = partial_name::name_prefix(file_name(target)?);
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        let found = found.entry(parent(target).to_owned());
        let names = found.or_insert_with(|| partial_names(dir));
        let is_other =
            |name: &&OsString| *name != own && name_bytes(name).starts_with(name_prefix.as_bytes());
        for other in names.iter().filter(is_other) {
            if let Existing::Acquired(_file) = lock_existing(dir, other)? {
                dir.remove_file(other)?;
            }
        }
        Ok(())
    }
}

/// Returns the names of the partial files in a directory; none if it cannot be read.
fn partial_names(dir: &Dir) -> Vec<OsString> {
    let names = dir.entries().into_iter().flatten().flatten();
    names.filter(|name| is_partial(&name_bytes(name))).collect()
}

/// Removes the unlocked partial files in a directory.
pub(in crate::client) fn remove_partials(path: &Path) -> io::Result<()> {
    let dir = Dir::open_path(path)?;
    for name in partial_names(&dir) {
        if let Existing::Acquired(_file) = lock_existing(&dir, &name)? {
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
    // Path::file_name ignores a `/` at the end.
    let end = path.as_os_str().as_encoded_bytes().last().copied().map(char::from);
    let name = path.file_name().filter(|_| !end.is_some_and(std::path::is_separator));
    name.ok_or_else(|| io::Error::new(ErrorKind::InvalidInput, "not a file name"))
}

fn cannot_write(dir: &Path, error: &io::Error) -> io::Error {
    if error.kind() == ErrorKind::NotFound {
        // The caller's error says which directory is missing.
        return ErrorKind::NotFound.into();
    }
    let dir = std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
    let dir = shown(dir.as_os_str().as_encoded_bytes());
    io::Error::new(error.kind(), format!("cannot create files in \"{dir}\": {}", Reason(error)))
}

/// Locks the partial file of this name, or the first one with a number that no other client has locked.
/// If it is `private`, only its owner can read it.
fn lock_any(dir: Arc<Dir>, name: &str, private: bool) -> io::Result<LockedPartial> {
    for before in 0..MAX_CLIENTS {
        let name = OsString::from(numbered(name, before));
        if let Some((file, is_new)) = lock(&dir, &name, private)? {
            return Ok(LockedPartial { file, dir, name, is_new });
        }
    }
    Err(io::Error::new(
        ErrorKind::ResourceBusy,
        "too many other clients are fetching the same file",
    ))
}

/// Opens or creates a partial file and locks it; returns it and whether it is new, or `None` if another
/// client has locked it.
fn lock(dir: &Dir, name: &OsStr, private: bool) -> io::Result<Option<(File, bool)>> {
    for _ in 0..LOCK_ATTEMPTS {
        match dir.open(name, Open::CreateNew { private }) {
            // On a file system without locks the file is used unlocked.
            Ok(file) if !is_locked(&file) && is_named(dir, name, &file) => {
                return Ok(Some((file, true)));
            }
            // Another client locked or removed it before this one could lock it.
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                match lock_existing(dir, name)? {
                    Existing::Acquired(file) if private => {
                        sys::set_file_mode(&file, 0o600);
                        return Ok(Some((file, false)));
                    }
                    Existing::Acquired(file) => return Ok(Some((file, false))),
                    Existing::Busy => return Ok(None),
                    Existing::Gone => {}
                }
            }
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

/// The result of opening an existing partial file.
enum Existing {
    /// The file is valid, and now locked.
    Acquired(File),
    /// Another client has locked the file, or it cannot be removed.
    Busy,
    Gone,
}

/// Opens and locks a file that an earlier run left. An invalid file is removed: a link, a file of another
/// user, or a file with several links.
fn lock_existing(dir: &Dir, name: &OsStr) -> io::Result<Existing> {
    let kind = match dir.stat(name) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Existing::Gone),
        other => other?.kind,
    };
    // Opening a device can have side effects.
    let opened = (kind == FileKind::File).then(|| dir.open(name, Open::Write));
    if let Some(Ok(file)) = opened
        && is_ours(dir, &file)?
    {
        // On a file system without locks another client may be writing it.
        let is_mine = file.try_lock().is_ok();
        return Ok(match is_named(dir, name, &file) {
            true if is_mine => Existing::Acquired(file),
            true => Existing::Busy,
            false => Existing::Gone,
        });
    }
    match dir.remove_file(name) {
        Ok(()) => Ok(Existing::Gone),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Existing::Gone),
        Err(_) => Ok(Existing::Busy),
    }
}

/// Returns whether an open file is a regular file of this user with one link. On some file systems every
/// file belongs to the owner of its directory.
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
