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

use crate::server::fs::tree_size::{size_below, walk};
use crate::sys::{self, Dir, FileId, FileKind};
use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, ErrorKind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// After how long files are counted again.
const AGE: Duration = Duration::from_secs(600);

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

#[derive(Debug, Default)]
struct Books {
    homes: HashMap<Vec<OsString>, Home>,
    /// How often they were replaced.
    edition: u64,
    /// The files that are being written, and in which directories.
    open: Vec<(FileId, Vec<OsString>)>,
}

/// A directory that has a quota.
#[derive(Debug)]
struct Home {
    quota: u64,
    /// `None` while nobody has counted.
    used: Option<u64>,
    /// When it was counted; `None` if that has to be done again.
    counted: Option<Instant>,
    /// How often something was changed.
    changes: u64,
}

/// What has to stay the same while files are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct State {
    changes: u64,
    is_known: bool,
    is_busy: bool,
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

    /// Adds one to an edition, whose directory may not have been there before. Where there is a later
    /// one, that counts alone.
    pub fn add(&self, edition: u64, trail: Vec<OsString>, quota: u64) {
        let mut books = self.books();
        if books.edition == edition {
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
            let size = size_below(&walk(&self.root, trail)?)?;
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
                home.counted = is_good.then(Instant::now);
                return Ok(());
            }
        }
        Ok(())
    }
}

impl Home {
    fn is_due(&self, now: Instant) -> bool {
        let counted = self.counted.filter(|_| self.used.is_some());
        counted.is_none_or(|counted| now.saturating_duration_since(counted) > AGE)
    }

    fn take(&mut self, bytes: u64) {
        self.used = self.used.map(|used| used.saturating_add(bytes));
        self.changes += 1;
    }

    fn give_back(&mut self, bytes: u64) {
        self.used = self.used.map(|used| used.saturating_sub(bytes));
        self.changes += 1;
    }

    fn has_room(&self, bytes: u64) -> bool {
        let used = self.used.unwrap_or(0);
        bytes == 0 || used.checked_add(bytes).is_some_and(|sum| sum <= self.quota)
    }
}

impl Books {
    fn add(&mut self, trail: Vec<OsString>, quota: u64) {
        let new = Home { quota, used: None, counted: None, changes: 0 };
        let home = self.homes.entry(trail).or_insert(new);
        home.quota = home.quota.min(quota);
    }

    fn state(&self, trail: &[OsString]) -> Option<State> {
        let home = self.homes.get(trail)?;
        let is_busy = self.open.iter().any(|(_, dir)| dir.starts_with(trail));
        Some(State { changes: home.changes, is_known: home.used.is_some(), is_busy })
    }

    fn is_open_below(&self, trail: &[OsString]) -> bool {
        self.open.iter().any(|(_, dir)| dir.starts_with(trail))
    }

    /// Does something to every quota that counts in the directory of `trail`.
    fn each(&mut self, trail: &[OsString], mut action: impl FnMut(usize, &mut Home)) {
        for depth in 0..=trail.len() {
            if let Some(home) = self.homes.get_mut(&trail[..depth]) {
                action(depth, home);
            }
        }
    }
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

/// A name in a directory, and what counts there.
#[derive(Clone, Copy, Debug)]
pub struct Spot<'a> {
    /// What counts in the directory.
    pub ledger: &'a Ledger,
    /// The directory.
    pub dir: &'a Dir,
    /// The name.
    pub name: &'a OsStr,
}

/// Renames, where what is renamed may come under other quotas.
///
/// # Errors
/// What the system says, `QuotaExceeded`, `ResourceBusy` for what is being written, and
/// `PermissionDenied` for a directory with a quota in it, whose owner would not find it any more, or
/// one that would stand where a quota counts, and for which nothing there was taken.
pub fn rename(from: Spot<'_>, to: Spot<'_>) -> io::Result<()> {
    let quotas = &from.ledger.quotas;
    quotas.count_due(&to.ledger.trail)?;
    let _turn = quotas.change();
    from.ledger.check(from.dir)?;
    to.ledger.check(to.dir)?;
    let moved = from.dir.stat(from.name)?;
    let target = to.dir.stat(to.name).ok();
    let is_itself = |stat: sys::Stat| (stat.device, stat.inode) == (moved.device, moved.inode);
    if moved.inode != 0 && target.is_some_and(is_itself) {
        return from.dir.rename(from.name, to.dir, to.name);
    }
    let size = match moved.kind {
        FileKind::File if from.ledger.is_open(from.dir, from.name) => {
            return Err(ErrorKind::ResourceBusy.into());
        }
        FileKind::File => moved.size,
        FileKind::Dir => from.size_of_tree(to)?,
        FileKind::Link | FileKind::Other => 0,
    };
    let replaced = to.ledger.size_of(to.dir, to.name);
    let shared = shared_depth(&from.ledger.trail, &to.ledger.trail);
    // What it comes to in each directory that only the new place is in.
    let gained = size.saturating_sub(replaced);
    quotas.take_beyond(&to.ledger.trail, shared, gained)?;
    if let Err(error) = from.dir.rename(from.name, to.dir, to.name) {
        quotas.books().each(&to.ledger.trail, |depth, home| {
            if depth > shared {
                home.give_back(gained);
            }
        });
        return Err(error);
    }
    let mut books = quotas.books();
    books.each(&to.ledger.trail, |depth, home| {
        home.give_back(if depth > shared { replaced.saturating_sub(size) } else { replaced });
    });
    books.each(&from.ledger.trail, |depth, home| {
        if depth > shared {
            home.give_back(size);
        }
    });
    Ok(())
}

impl Spot<'_> {
    /// The size of all that is in a directory that is to be moved to another one; 0 where the same
    /// quotas count there.
    fn size_of_tree(&self, to: Spot<'_>) -> io::Result<u64> {
        let [trail, new] = [self, &to].map(|spot| spot.ledger.below(spot.name).trail);
        let to = to.ledger;
        let shared = shared_depth(&self.ledger.trail, &to.trail);
        let books = self.ledger.quotas.books();
        let hides = |home: &[OsString]| home.starts_with(&trail) || home.starts_with(&new);
        if books.homes.keys().any(|home| hides(home)) {
            return Err(ErrorKind::PermissionDenied.into());
        }
        if books.is_open_below(&trail) {
            return Err(ErrorKind::ResourceBusy.into());
        }
        let counts = |trail: &[OsString]| {
            (shared + 1..=trail.len()).any(|depth| books.homes.contains_key(&trail[..depth]))
        };
        if !counts(&self.ledger.trail) && !counts(&to.trail) {
            return Ok(0);
        }
        drop(books);
        size_below(&self.dir.open_dir(self.name)?)
    }
}

impl Quotas {
    /// Takes bytes from the quotas that are deeper than `shared`.
    fn take_beyond(&self, trail: &[OsString], shared: usize, bytes: u64) -> io::Result<()> {
        let mut books = self.books();
        let mut fits = true;
        books.each(trail, |depth, home| fits &= depth <= shared || home.has_room(bytes));
        if !fits {
            return Err(ErrorKind::QuotaExceeded.into());
        }
        books.each(trail, |depth, home| {
            if depth > shared {
                home.take(bytes);
            }
        });
        Ok(())
    }
}

fn shared_depth(one: &[OsString], other: &[OsString]) -> usize {
    one.iter().zip(other).take_while(|(a, b)| a == b).count()
}

/// A file that is being written, and what its bytes have taken.
#[derive(Debug)]
pub struct Writing {
    ledger: Ledger,
    id: FileId,
    /// How many bytes of the file count.
    length: u64,
    /// Where the next ones go.
    at: u64,
    /// Taken for bytes that are not written yet.
    taken: u64,
    is_open: bool,
}

impl Writing {
    /// The file was cut.
    pub fn cut(&mut self, length: u64) {
        self.ledger.give_back(self.length.saturating_sub(length));
        self.length = self.length.min(length);
        self.at = length;
    }

    /// Writing goes on there.
    pub fn seek(&mut self, at: u64) {
        self.at = at;
    }

    /// So many bytes are about to be written.
    ///
    /// # Errors
    /// `QuotaExceeded`; nothing may be written then.
    pub fn take(&mut self, bytes: u64) -> io::Result<()> {
        let growth = self.at.saturating_add(bytes).saturating_sub(self.length);
        let more = growth.saturating_sub(self.taken);
        self.ledger.take(more)?;
        self.taken += more;
        Ok(())
    }

    /// So many of them were written.
    pub fn wrote(&mut self, bytes: u64) {
        self.at += bytes;
        let growth = self.at.saturating_sub(self.length);
        self.length += growth;
        self.taken = self.taken.saturating_sub(growth);
    }

    /// Gives the file its final name by `rename`, which may replace another. If that fails, nothing
    /// has changed.
    ///
    /// # Errors
    /// Those of `rename`.
    pub fn commit(
        &mut self,
        dir: &Dir,
        name: &OsStr,
        rename: impl FnOnce() -> io::Result<()>,
    ) -> io::Result<()> {
        let quotas = Arc::clone(&self.ledger.quotas);
        let _turn = quotas.change();
        let replaced = self.ledger.size_of(dir, name);
        rename()?;
        self.ledger.give_back(replaced);
        self.release();
        Ok(())
    }

    /// Leaves the file as it is after `last`, and gives back what it took if it is gone then.
    pub fn end(mut self, dir: &Dir, name: &OsStr, last: impl FnOnce()) {
        let quotas = Arc::clone(&self.ledger.quotas);
        let _turn = quotas.change();
        last();
        if !sys::is_named(dir, name, self.id) {
            self.ledger.give_back(self.length);
        }
        self.release();
    }

    fn release(&mut self) {
        self.ledger.give_back(std::mem::take(&mut self.taken));
        if std::mem::replace(&mut self.is_open, false) {
            let mut books = self.ledger.quotas.books();
            if let Some(index) = books.open.iter().position(|(id, _)| *id == self.id) {
                books.open.swap_remove(index);
            }
        }
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        self.release();
    }
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
