//! The hidden files in which uploads wait to become whole: their names, locks and age.
//!
//! A partial stands in the directory of the file it is to become and is named by a digest of that
//! file's name. Who writes one holds a lock on it, so that one nobody writes can be told apart and
//! continued, replaced or swept away.

use crate::protocol::digest::{Sha256, hex};
use crate::server::fs::quota::{self, Ledger};
use crate::sys::{self, Dir, FileId, FileKind, Open, Stat};
use std::ffi::{OsStr, OsString};
use std::fs::{File, Metadata, TryLockError};
use std::io;
use std::time::{Duration, SystemTime};

/// How the name of every partial begins.
const PREFIX: &[u8] = b".ftp-partial-";

/// After how long a partial that nobody continued is removed.
const AGE: Duration = Duration::from_secs(24 * 60 * 60);

/// The result of [`lock`].
#[derive(Debug)]
pub(crate) enum Locked {
    /// The partial, opened for reading and writing, and this one's alone while it is open; what is
    /// known of it, and what tells it from others.
    Mine(File, Metadata, FileId),
    /// Someone else is writing it.
    Taken,
}

/// Whether this is the name of a partial, which clients neither see nor name.
///
/// In any case: there are file systems where those names are one.
pub fn is_partial(name: &[u8]) -> bool {
    name.get(..PREFIX.len()).is_some_and(|start| start.eq_ignore_ascii_case(PREFIX))
}

/// The name of the partial of the file `name`.
pub fn name_for(name: &OsStr) -> OsString {
    let digest = Sha256::of(&sys::name_bytes(name));
    let prefix = String::from_utf8_lossy(PREFIX);
    format!("{prefix}{}", hex(&digest[..16])).into()
}

/// What is known of a partial, if there is one.
pub fn waiting(dir: &Dir, partial: &OsStr) -> Option<Stat> {
    dir.stat(partial).ok().filter(|stat| stat.kind == FileKind::File)
}

/// Opens or makes a partial, for its owner alone if `private`, and locks it.
///
/// Between opening and locking, the one who wrote it may have given it its final name. What was
/// locked then is no partial any more and must not be touched, so it is begun again.
///
/// # Errors
/// What the system says.
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
            // A file system without locks is no reason not to store.
            Ok(()) | Err(TryLockError::Error(_)) => {}
        }
        if sys::is_named(dir, partial, id) {
            return Ok(Locked::Mine(file, data, id));
        }
    }
    Ok(Locked::Taken)
}

/// Removes every partial in `dir` that nobody writes, because the directory is to go.
///
/// # Errors
/// The directory cannot be read.
pub fn sweep(dir: &Dir, ledger: Option<&Ledger>) -> io::Result<()> {
    for name in dir.entries()? {
        let name = name?;
        if is_partial(&sys::name_bytes(&name)) {
            remove_unlocked(dir, &name, ledger);
        }
    }
    Ok(())
}

/// Removes a partial that nobody has continued for a day.
pub fn remove_if_old(dir: &Dir, partial: &OsStr, ledger: Option<&Ledger>) {
    let old =
        |stat: Stat| SystemTime::now().duration_since(stat.modified).is_ok_and(|age| age > AGE);
    if waiting(dir, partial).is_some_and(old) {
        remove_unlocked(dir, partial, ledger);
    }
}

fn remove_unlocked(dir: &Dir, name: &OsStr, ledger: Option<&Ledger>) {
    let Ok(file) = dir.open(name, Open::Write) else { return };
    let Ok((data, id)) = sys::identify(&file) else { return };
    // The name may have gone to another file between opening and locking.
    if data.is_file() && file.try_lock().is_ok() && sys::is_named(dir, name, id) {
        let _ = quota::remove_file(ledger, dir, name);
    }
}
