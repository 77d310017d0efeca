//! Quotas: how many bytes the files below a directory may have.
//!
//! The quota of an account is one of its home, and holds for everybody who stores there: other
//! accounts, visitors, and those whose home lies above or below it. Where several are one directory
//! the smallest counts, and where one lies in another both do.
//!
//! What counts is the size of every plain file at every moment, unfinished uploads too. So there is
//! never a byte more than the quota on the disk, and a file that replaces another needs room beside
//! it until it is whole. Before bytes are written they are taken from the quota, and given back if
//! that fails; what is removed or replaced is given back when it is gone, by one who changes names
//! at a time.
//!
//! Nothing is kept on the disk: who first needs to know counts the files. What happens behind the
//! server's back is found out by counting again, ten minutes after the last time and after every
//! reload, by the next one who stores, if nobody is storing meanwhile. A count that something else
//! came in between is of no use and is not used.

mod books;
mod rename;
mod writing;

pub use rename::{Spot, rename};
pub use writing::Writing;

use crate::server::fs::tree_size::{size_below, walk};
use crate::sys::{self, Dir, FileId, FileKind};
use books::{Books, Home, Place};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, ErrorKind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// How often the files of a busy directory are counted before those who would change it have to
/// wait.
const TRIES: usize = 3;

/// All quotas, by the names of the directories between the root and theirs.
#[derive(Debug)]
pub struct Quotas {
    root: Arc<Dir>,
    /// Whether there is any.
    any: AtomicBool,
    books: Mutex<Books>,
    /// Held by who removes or renames, so that what is given back is what was there.
    changing: Mutex<()>,
}

/// What a quota has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// How many bytes are stored.
    pub used: u64,
    /// How many there may be.
    pub quota: u64,
    /// How many more there may be by this quota and by all others that count here.
    pub left: u64,
}

impl Quotas {
    /// None yet, for the tree below `root`.
    pub fn new(root: Arc<Dir>) -> Quotas {
        Quotas {
            root,
            any: AtomicBool::new(false),
            books: Mutex::default(),
            changing: Mutex::default(),
        }
    }

    /// Puts these in the place of those before; all are to be counted again. Gives the number of
    /// this edition.
    pub fn set(&self, quotas: impl IntoIterator<Item = (Vec<OsString>, u64)>) -> u64 {
        let mut books = self.books();
        books.edition += 1;
        let mut before = std::mem::take(&mut books.homes);
        for (trail, quota) in quotas {
            if let Some(known) = before.remove(&trail) {
                let again = Home { quota, counted: None, changes: known.changes + 1, ..known };
                books.homes.insert(trail, again);
            } else {
                books.add(trail, quota);
            }
        }
        self.any.store(!books.homes.is_empty(), Ordering::Release);
        books.edition
    }

    /// Adds one to an edition, whose directory may not have been there before, or is another one
    /// than was counted. Where there is a later edition, that counts alone.
    pub fn add(&self, edition: u64, trail: Vec<OsString>, quota: u64) {
        let place = walk(&self.root, &trail).and_then(|dir| place_of(&dir)).ok();
        let mut books = self.books();
        if books.edition == edition {
            books.forget_other(&trail, place);
            books.add(trail, quota);
            self.any.store(true, Ordering::Release);
        }
    }

    /// What counts in the directory with these names above it; `None` if there is no quota at all.
    pub fn ledger(self: &Arc<Quotas>, trail: impl FnOnce() -> Vec<OsString>) -> Option<Ledger> {
        let any = self.any.load(Ordering::Acquire);
        any.then(|| Ledger { quotas: Arc::clone(self), trail: trail() })
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self) -> MutexGuard<'_, ()> {
        self.changing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts the files below every directory of `trail` whose last count is missing or old.
    fn count_due(&self, trail: &[OsString]) -> io::Result<()> {
        let now = Instant::now();
        let due: Vec<usize> = {
            let books = self.books();
            let depths = (0..=trail.len()).filter(|depth| {
                books.homes.get(&trail[..*depth]).is_some_and(|home| home.is_due(now))
            });
            depths.collect()
        };
        due.into_iter().try_for_each(|depth| self.count(&trail[..depth]))
    }

    fn count(&self, trail: &[OsString]) -> io::Result<()> {
        for attempt in 1.. {
            let stop = (attempt >= TRIES).then(|| self.change());
            let Some(before) = self.books().state(trail) else { return Ok(()) };
            if before.is_known && (before.is_busy || attempt > 1) {
                return Ok(());
            }
            let dir = walk(&self.root, trail)?;
            let (size, place) = (size_below(&dir)?, place_of(&dir)?);
            let last_try = stop.is_some();
            // Who is between a change and its entry in the books has to come to its end.
            let _turn = stop.unwrap_or_else(|| self.change());
            let mut books = self.books();
            let after = books.state(trail);
            let is_good = after == Some(before) && !before.is_busy;
            let Some(home) = books.homes.get_mut(trail) else { return Ok(()) };
            // Better than nothing, and counted again by the next one.
            if is_good || (last_try && home.used.is_none()) {
                home.used = Some(size);
                home.place = Some(place);
                home.counted = is_good.then(Instant::now);
                return Ok(());
            }
        }
        Ok(())
    }
}

/// What tells a directory from others.
fn place_of(dir: &Dir) -> io::Result<Place> {
    dir.stat_self().map(|stat| (stat.device, stat.inode))
}

/// The quotas that count in one directory.
#[derive(Clone, Debug)]
pub struct Ledger {
    quotas: Arc<Quotas>,
    trail: Vec<OsString>,
}

impl Ledger {
    /// What counts in the directory `name` of this one.
    pub fn below(&self, name: &OsStr) -> Ledger {
        let mut trail = self.trail.clone();
        trail.push(name.to_owned());
        Ledger { quotas: Arc::clone(&self.quotas), trail }
    }

    /// What the quota has come to whose directory is the nearest; `None` if none counts here.
    ///
    /// # Errors
    /// The files cannot be counted.
    pub fn usage(&self) -> io::Result<Option<Usage>> {
        self.quotas.count_due(&self.trail)?;
        let mut nearest: Option<Usage> = None;
        self.quotas.books().each(&self.trail, |_, home| {
            let (used, quota) = (home.used.unwrap_or(0), home.quota);
            let above = nearest.map_or(u64::MAX, |usage| usage.left);
            nearest = Some(Usage { used, quota, left: above.min(quota.saturating_sub(used)) });
        });
        Ok(nearest)
    }

    /// Begins to write at the end of the file `name` of `dir`, which is this directory.
    ///
    /// # Errors
    /// The files cannot be counted, or directory or file have another name by now.
    pub(crate) fn open(
        self,
        dir: &Dir,
        name: &OsStr,
        file: &File,
        id: FileId,
    ) -> io::Result<Writing> {
        let quotas = Arc::clone(&self.quotas);
        quotas.count_due(&self.trail)?;
        let _turn = quotas.change();
        self.check(dir)?;
        if !sys::is_named(dir, name, id) {
            return Err(ErrorKind::ResourceBusy.into());
        }
        let length = file.metadata()?.len();
        quotas.books().open.push((id, self.trail.clone()));
        Ok(Writing { ledger: self, id, length, at: length, taken: 0, is_open: true })
    }

    /// Makes sure that `dir` is still where it was found: somebody may have moved it since. For who
    /// has his turn to change names.
    fn check(&self, dir: &Dir) -> io::Result<()> {
        let (named, held) = (walk(&self.quotas.root, &self.trail)?.stat_self()?, dir.stat_self()?);
        match (named.device, named.inode) == (held.device, held.inode) {
            true => Ok(()),
            false => Err(ErrorKind::ResourceBusy.into()),
        }
    }

    fn take(&self, bytes: u64) -> io::Result<()> {
        let mut books = self.quotas.books();
        let mut known = true;
        books.each(&self.trail, |_, home| known &= home.used.is_some());
        if !known {
            // A quota that came after the writing began.
            drop(books);
            self.quotas.count_due(&self.trail)?;
            books = self.quotas.books();
        }
        let mut fits = true;
        books.each(&self.trail, |_, home| fits &= home.has_room(bytes));
        if !fits {
            return Err(ErrorKind::QuotaExceeded.into());
        }
        books.each(&self.trail, |_, home| home.take(bytes));
        Ok(())
    }

    /// So many bytes are gone.
    pub fn give_back(&self, bytes: u64) {
        self.quotas.books().each(&self.trail, |_, home| home.give_back(bytes));
    }

    /// How many bytes go with the name `name` of `dir`; what is being written goes with its writer.
    fn size_of(&self, dir: &Dir, name: &OsStr) -> u64 {
        let size = dir.stat(name).ok().filter(|stat| stat.kind == FileKind::File);
        size.filter(|_| !self.is_open(dir, name)).map_or(0, |stat| stat.size)
    }

    fn is_open(&self, dir: &Dir, name: &OsStr) -> bool {
        let books = self.quotas.books();
        let mut here = books.open.iter().filter(|(_, trail)| *trail == self.trail);
        here.any(|(id, _)| sys::is_named(dir, name, *id))
    }
}

/// Removes a file, or a link, and gives back what it took.
///
/// # Errors
/// What the system says.
pub fn remove_file(ledger: Option<&Ledger>, dir: &Dir, name: &OsStr) -> io::Result<()> {
    let Some(ledger) = ledger else { return dir.remove_file(name) };
    let _turn = ledger.quotas.change();
    ledger.check(dir)?;
    let size = ledger.size_of(dir, name);
    dir.remove_file(name)?;
    ledger.give_back(size);
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn who_logs_in_by_old_rules_brings_no_old_quota_back() {
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
