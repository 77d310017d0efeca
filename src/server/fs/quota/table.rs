//! The table of quotas: the usage of each quota, and the files that are being written.

use crate::sys::FileId;
use std::collections::HashMap;
use std::ffi::OsString;
use std::time::{Duration, Instant};

/// The age after which a count is repeated.
const AGE: Duration = Duration::from_secs(600);

#[derive(Debug, Default)]
pub(super) struct QuotaTable {
    pub(super) homes: HashMap<Vec<OsString>, QuotaDir>,
    /// The number of times that the quotas were replaced.
    pub(super) generation: u64,
    /// The files that are being written, with their directories.
    pub(super) open: Vec<(FileId, Vec<OsString>)>,
}

/// The identity of a directory: the numbers of its file system and its inode.
pub(super) type DirId = (u64, u64);

/// A directory with a quota.
#[derive(Debug)]
pub(super) struct QuotaDir {
    pub(super) quota: u64,
    /// The number of bytes stored; `None` before the first count.
    pub(super) used: Option<u64>,
    /// The time of the count; `None` if it has to be repeated.
    pub(super) counted: Option<Instant>,
    /// The directory that was counted.
    pub(super) counted_dir: Option<DirId>,
    /// The number of changes.
    pub(super) changes: u64,
}

/// The values that must not change during a count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct State {
    pub(super) changes: u64,
    pub(super) is_known: bool,
    pub(super) is_busy: bool,
}

impl QuotaDir {
    pub(super) fn needs_count(&self, now: Instant) -> bool {
        let counted = self.counted.filter(|_| self.used.is_some());
        counted.is_none_or(|counted| now.saturating_duration_since(counted) > AGE)
    }

    pub(super) fn reserve(&mut self, bytes: u64) {
        self.used = self.used.map(|used| used.saturating_add(bytes));
        self.changes += 1;
    }

    pub(super) fn release(&mut self, bytes: u64) {
        self.used = self.used.map(|used| used.saturating_sub(bytes));
        self.changes += 1;
    }

    pub(super) fn has_room(&self, bytes: u64) -> bool {
        let used = self.used.unwrap_or(0);
        bytes == 0 || used.checked_add(bytes).is_some_and(|sum| sum <= self.quota)
    }
}

impl QuotaTable {
    pub(super) fn add(&mut self, trail: Vec<OsString>, quota: u64) {
        let new = QuotaDir { quota, used: None, counted: None, counted_dir: None, changes: 0 };
        let home = self.homes.entry(trail).or_insert(new);
        home.quota = home.quota.min(quota);
    }

    /// Discards the count of `trail` if it was made in a directory other than `place`.
    pub(super) fn discard_count_of_other(&mut self, trail: &[OsString], place: Option<DirId>) {
        if let Some(home) = self.homes.get_mut(trail).filter(|home| home.counted_dir.is_some())
            && home.counted_dir != place
        {
            home.changes += 1;
            (home.used, home.counted, home.counted_dir) = (None, None, None);
        }
    }

    pub(super) fn state(&self, trail: &[OsString]) -> Option<State> {
        let home = self.homes.get(trail)?;
        let is_busy = self.open.iter().any(|(_, dir)| dir.starts_with(trail));
        Some(State { changes: home.changes, is_known: home.used.is_some(), is_busy })
    }

    pub(super) fn is_open_below(&self, trail: &[OsString]) -> bool {
        self.open.iter().any(|(_, dir)| dir.starts_with(trail))
    }

    /// Calls `action` for every quota that applies in the directory of `trail`.
    pub(super) fn each(
        &mut self,
        trail: &[OsString],
        mut action: impl FnMut(usize, &mut QuotaDir),
    ) {
        for depth in 0..=trail.len() {
            if let Some(home) = self.homes.get_mut(&trail[..depth]) {
                action(depth, home);
            }
        }
    }
}
