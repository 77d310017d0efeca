//! Partial files of uploads: their names, locks and age.
//!
//! A partial is in the same directory as the final file, and its name contains a digest of the
//! final name. The session that writes it holds a lock on it, so an abandoned partial can be
//! recognized, and resumed, replaced or removed.

use crate::protocol::digest::{Sha256, hex};
use crate::server::fs::quota::{self, Ledger};
use crate::sys::{self, Dir, FileId, FileKind, Open, Stat};
use std::ffi::{OsStr, OsString};
use std::fs::{File, Metadata, TryLockError};
use std::io;
use std::time::{Duration, SystemTime};

/// The first bytes of every partial's name.
const PREFIX: &str = ".ftp-partial-";

/// The age after which an abandoned partial is removed.
const AGE: Duration = Duration::from_secs(24 * 60 * 60);

/// The result of [`lock`].
#[derive(Debug)]
pub(crate) enum Locked {
    /// The partial, opened for reading and writing and locked until it is closed, with its
    /// metadata and its identity.
    Acquired(File, Metadata, FileId),
    /// Another session is writing the partial.
    Busy,
}

/// Returns whether this is the name of a partial, which clients cannot see or name.
///
/// Case is ignored, because some file systems ignore it.
pub fn is_partial(name: &[u8]) -> bool {
    name.get(..PREFIX.len()).is_some_and(|start| start.eq_ignore_ascii_case(PREFIX.as_bytes()))
}

/// Returns the name of the partial of the file `name`.
pub fn name_for(name: &OsStr) -> OsString {
    let digest = Sha256::of(&sys::name_bytes(name));
    [PREFIX, &hex(&digest[..16])].concat().into()
}

/// Returns the metadata of a partial, if it exists.
pub fn stat_partial(dir: &Dir, partial: &OsStr) -> Option<Stat> {
    dir.stat(partial).ok().filter(|stat| stat.kind == FileKind::File)
}

/// Opens or creates a partial and locks it. If `private`, only its owner may access it.
///
/// Between the opening and the locking, its writer may have renamed it to its final name. The
/// locked file is then no longer a partial, so the function tries again.
///
/// # Errors
/// Returns the system error.
pub(crate) fn lock(dir: &Dir, partial: &OsStr, private: bool) -> io::Result<Locked> {
    const TRIES: usize = 16;
    for _ in 0..TRIES {
        let file = dir.open(partial, Open::Create { private })?;
        let (data, id) = sys::identify(&file)?;
        if !data.is_file() {
            break;
        }
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => break,
            // Uploads must also work on a file system without locks.
            Ok(()) | Err(TryLockError::Error(_)) => {}
        }
        if sys::is_named(dir, partial, id) {
            return Ok(Locked::Acquired(file, data, id));
        }
    }
    Ok(Locked::Busy)
}

/// Removes all partials in `dir` that are not being written, before the directory is removed.
///
/// # Errors
/// Fails if the directory cannot be read.
pub fn remove_abandoned(dir: &Dir, ledger: Option<&Ledger>) -> io::Result<()> {
    for name in dir.entries()? {
        let name = name?;
        if is_partial(&sys::name_bytes(&name)) {
            remove_unlocked(dir, &name, ledger);
        }
    }
    Ok(())
}

/// Removes a partial that was not continued for a day.
pub fn remove_if_old(dir: &Dir, partial: &OsStr, ledger: Option<&Ledger>) {
    let old =
        |stat: Stat| SystemTime::now().duration_since(stat.modified).is_ok_and(|age| age > AGE);
    if stat_partial(dir, partial).is_some_and(old) {
        remove_unlocked(dir, partial, ledger);
    }
}

fn remove_unlocked(dir: &Dir, name: &OsStr, ledger: Option<&Ledger>) {
    let Ok(file) = dir.open(name, Open::Write) else { return };
    let Ok((data, id)) = sys::identify(&file) else { return };
    // The name may have been given to another file between the opening and the locking.
    if data.is_file() && file.try_lock().is_ok() && sys::is_named(dir, name, id) {
        let _ = quota::remove_file(ledger, dir, name);
    }
}
