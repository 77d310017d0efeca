//! Quotas: limits on the total size of the files below a directory.
//!
//! The quota of an account belongs to its home directory and applies to every client that stores
//! there: other accounts, anonymous visitors, and accounts whose homes are above or below it. If
//! several quotas belong to the same directory, the smallest applies; if one directory is inside
//! another, both apply.
//!
//! The size of every regular file counts at all times, including partial uploads. The disk
//! therefore never contains more than the quota, and a file that replaces another needs additional
//! space until it is complete. Bytes are reserved before they are written, and released if the
//! write fails. The bytes of a removed or replaced file are released after the change; such
//! changes are made one at a time.
//!
//! No data is stored on the disk: the files are counted when the usage is first needed. Changes by
//! other programs are noticed by counting again ten minutes after the last count and after every
//! reload, when a client stores a file and no upload is running. A count during which something
//! changed is discarded.

mod rename;
mod table;
mod writing;

pub use rename::{NameInDir, rename};
pub use writing::Writing;

use crate::server::fs::tree_size::{size_below, walk};
use crate::sys::{self, Dir, FileId, FileKind};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, ErrorKind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use table::{DirId, QuotaDir, QuotaTable};

/// The number of times that the files of a busy directory are counted before further changes have
/// to wait for the count.
const TRIES: usize = 3;

/// The quotas of all directories. A directory is found by the names on its path from the root.
#[derive(Debug)]
pub struct Quotas {
    root: Arc<Dir>,
    /// True if there are any quotas.
    any: AtomicBool,
    table: Mutex<QuotaTable>,
    /// Held while a file is removed or renamed, so that exactly the bytes that existed are
    /// released.
    changing: Mutex<()>,
}

/// The usage of a quota.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuotaUsage {
    /// The number of bytes stored.
    pub used: u64,
    /// The limit in bytes.
    pub quota: u64,
    /// The number of bytes that this quota and all others that apply still allow.
    pub left: u64,
}

impl Quotas {
    /// Creates an empty set of quotas for the tree below `root`.
    pub fn new(root: Arc<Dir>) -> Quotas {
        Quotas {
            root,
            any: AtomicBool::new(false),
            table: Mutex::default(),
            changing: Mutex::default(),
        }
    }

    /// Replaces all quotas; all are counted again. Returns the number of the new generation.
    pub fn set(&self, quotas: impl IntoIterator<Item = (Vec<OsString>, u64)>) -> u64 {
        let mut table = self.table();
        table.generation += 1;
        let mut before = std::mem::take(&mut table.homes);
        for (trail, quota) in quotas {
            if let Some(known) = before.remove(&trail) {
                let again = QuotaDir { quota, counted: None, changes: known.changes + 1, ..known };
                table.homes.insert(trail, again);
            } else {
                table.add(trail, quota);
            }
        }
        self.any.store(!table.homes.is_empty(), Ordering::Release);
        table.generation
    }

    /// Adds a quota to a generation, if that is still the current one. Its directory may be new or
    /// may have replaced the one that was counted.
    pub fn add(&self, generation: u64, trail: Vec<OsString>, quota: u64) {
        let place = walk(&self.root, &trail).and_then(|dir| dir_id(&dir)).ok();
        let mut table = self.table();
        if table.generation == generation {
            table.discard_count_of_other(&trail, place);
            table.add(trail, quota);
            self.any.store(true, Ordering::Release);
        }
    }

    /// Returns the quotas that apply in the directory with these names from the root; `None` if
    /// there are no quotas at all.
    pub fn ledger(self: &Arc<Quotas>, trail: impl FnOnce() -> Vec<OsString>) -> Option<Ledger> {
        let any = self.any.load(Ordering::Acquire);
        any.then(|| Ledger { quotas: Arc::clone(self), trail: trail() })
    }

    fn table(&self) -> MutexGuard<'_, QuotaTable> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self) -> MutexGuard<'_, ()> {
        self.changing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts the files below every directory of `trail` whose last count is missing or too old.
    fn count_if_needed(&self, trail: &[OsString]) -> io::Result<()> {
        let now = Instant::now();
        let due: Vec<usize> = {
            let table = self.table();
            let depths = (0..=trail.len()).filter(|depth| {
                table.homes.get(&trail[..*depth]).is_some_and(|home| home.needs_count(now))
            });
            depths.collect()
        };
        due.into_iter().try_for_each(|depth| self.count(&trail[..depth]))
    }

    fn count(&self, trail: &[OsString]) -> io::Result<()> {
        for attempt in 1.. {
            let stop = (attempt >= TRIES).then(|| self.change());
            let Some(before) = self.table().state(trail) else { return Ok(()) };
            if before.is_known && (before.is_busy || attempt > 1) {
                return Ok(());
            }
            let dir = walk(&self.root, trail)?;
            let (size, place) = (size_below(&dir)?, dir_id(&dir)?);
            let last_try = stop.is_some();
            // Waits until a change and its entry in the table are complete.
            let _guard = stop.unwrap_or_else(|| self.change());
            let mut table = self.table();
            let after = table.state(trail);
            let is_good = after == Some(before) && !before.is_busy;
            let Some(home) = table.homes.get_mut(trail) else { return Ok(()) };
            // Even an inexact first count is better than none; the next upload counts again.
            if is_good || (last_try && home.used.is_none()) {
                home.used = Some(size);
                home.counted_dir = Some(place);
                home.counted = is_good.then(Instant::now);
                return Ok(());
            }
        }
        Ok(())
    }
}

/// Returns the identity of a directory.
fn dir_id(dir: &Dir) -> io::Result<DirId> {
    dir.stat_self().map(|stat| (stat.device, stat.inode))
}

/// The quotas that apply in one directory.
#[derive(Clone, Debug)]
pub struct Ledger {
    quotas: Arc<Quotas>,
    trail: Vec<OsString>,
}

impl Ledger {
    /// Returns the quotas that apply in the subdirectory `name`.
    pub fn below(&self, name: &OsStr) -> Ledger {
        let mut trail = self.trail.clone();
        trail.push(name.to_owned());
        Ledger { quotas: Arc::clone(&self.quotas), trail }
    }

    /// Returns the usage of the nearest quota; `None` if no quota applies here.
    ///
    /// # Errors
    /// Fails if the files cannot be counted.
    pub fn usage(&self) -> io::Result<Option<QuotaUsage>> {
        self.quotas.count_if_needed(&self.trail)?;
        let mut nearest: Option<QuotaUsage> = None;
        self.quotas.table().each(&self.trail, |_, home| {
            let (used, quota) = (home.used.unwrap_or(0), home.quota);
            let above = nearest.map_or(u64::MAX, |usage| usage.left);
            nearest = Some(QuotaUsage { used, quota, left: above.min(quota.saturating_sub(used)) });
        });
        Ok(nearest)
    }

    /// Begins to write at the end of the file `name` in `dir`, the directory of this ledger.
    ///
    /// # Errors
    /// Fails if the files cannot be counted, or if the directory or the file was renamed.
    pub(crate) fn open(
        self,
        dir: &Dir,
        name: &OsStr,
        file: &File,
        id: FileId,
    ) -> io::Result<Writing> {
        let quotas = Arc::clone(&self.quotas);
        quotas.count_if_needed(&self.trail)?;
        let _guard = quotas.change();
        self.check(dir)?;
        if !sys::is_named(dir, name, id) {
            return Err(ErrorKind::ResourceBusy.into());
        }
        let length = file.metadata()?.len();
        quotas.table().open.push((id, self.trail.clone()));
        Ok(Writing { ledger: self, id, length, at: length, taken: 0, is_open: true })
    }

    /// Checks that `dir` is still at its path, since it may have been moved. The caller must hold
    /// the lock for changes.
    fn check(&self, dir: &Dir) -> io::Result<()> {
        let (named, held) = (walk(&self.quotas.root, &self.trail)?.stat_self()?, dir.stat_self()?);
        match (named.device, named.inode) == (held.device, held.inode) {
            true => Ok(()),
            false => Err(ErrorKind::ResourceBusy.into()),
        }
    }

    fn reserve(&self, bytes: u64) -> io::Result<()> {
        let mut table = self.quotas.table();
        let mut known = true;
        table.each(&self.trail, |_, home| known &= home.used.is_some());
        if !known {
            // The quota was added after the upload began.
            drop(table);
            self.quotas.count_if_needed(&self.trail)?;
            table = self.quotas.table();
        }
        let mut fits = true;
        table.each(&self.trail, |_, home| fits &= home.has_room(bytes));
        if !fits {
            return Err(ErrorKind::QuotaExceeded.into());
        }
        table.each(&self.trail, |_, home| home.reserve(bytes));
        Ok(())
    }

    /// Releases bytes.
    pub fn release(&self, bytes: u64) {
        self.quotas.table().each(&self.trail, |_, home| home.release(bytes));
    }

    /// Returns the number of bytes that are released with the name `name` of `dir`; 0 for a file
    /// that is being written, whose bytes its writer releases.
    fn size_of(&self, dir: &Dir, name: &OsStr) -> u64 {
        let size = dir.stat(name).ok().filter(|stat| stat.kind == FileKind::File);
        size.filter(|_| !self.is_open(dir, name)).map_or(0, |stat| stat.size)
    }

    fn is_open(&self, dir: &Dir, name: &OsStr) -> bool {
        let table = self.quotas.table();
        let mut here = table.open.iter().filter(|(_, trail)| *trail == self.trail);
        here.any(|(id, _)| sys::is_named(dir, name, *id))
    }
}

/// Removes a file or link, and releases its bytes.
///
/// # Errors
/// Returns the system error.
pub fn remove_file(ledger: Option<&Ledger>, dir: &Dir, name: &OsStr) -> io::Result<()> {
    let Some(ledger) = ledger else { return dir.remove_file(name) };
    let _guard = ledger.quotas.change();
    ledger.check(dir)?;
    let size = ledger.size_of(dir, name);
    dir.remove_file(name)?;
    ledger.release(size);
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_login_with_old_settings_does_not_restore_an_old_quota() {
        let dir = tempfile::tempdir().unwrap();
        let quotas = Arc::new(Quotas::new(Arc::new(Dir::open_path(dir.path()).unwrap())));
        let quota = || {
            let ledger = quotas.ledger(Vec::new)?;
            ledger.usage().unwrap().map(|usage| usage.quota)
        };
        let first = quotas.set([(Vec::new(), 1000)]);
        quotas.add(first, Vec::new(), 500);
        assert_eq!(quota(), Some(500));
        let second = quotas.set([(Vec::new(), 2000)]);
        quotas.add(first, Vec::new(), 500);
        assert_eq!(quota(), Some(2000));
        quotas.set([]);
        quotas.add(second, Vec::new(), 2000);
        assert_eq!(quota(), None);
    }
}
