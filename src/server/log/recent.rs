//! A ring buffer of recent items, for the status page.
//!
//! Nothing is kept before [`Ring::keep`], so that a server without a status page pays only for an
//! atomic load.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Keeps the newest items and drops the oldest.
#[derive(Debug)]
pub struct Ring<T> {
    most: AtomicUsize,
    kept: Mutex<VecDeque<T>>,
}

impl<T> Default for Ring<T> {
    fn default() -> Ring<T> {
        Ring { most: AtomicUsize::new(0), kept: Mutex::default() }
    }
}

impl<T: Clone> Ring<T> {
    /// Keeps this many items from now on.
    pub fn keep(&self, most: usize) {
        self.most.store(most, Ordering::Relaxed);
    }

    /// Returns whether any items are kept.
    pub fn is_wanted(&self) -> bool {
        self.most.load(Ordering::Relaxed) > 0
    }

    /// Adds an item, which is created only if items are kept.
    pub fn push(&self, make: impl FnOnce() -> T) {
        if !self.is_wanted() {
            return;
        }
        let new = make();
        let mut kept = self.kept();
        if kept.len() >= self.most.load(Ordering::Relaxed) {
            kept.pop_front();
        }
        kept.push_back(new);
    }

    /// Returns the items, newest first.
    pub fn newest_first(&self) -> Vec<T> {
        self.kept().iter().rev().cloned().collect()
    }

    fn kept(&self) -> MutexGuard<'_, VecDeque<T>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_created_or_kept_until_it_is_enabled() {
        let ring: Ring<u32> = Ring::default();
        ring.push(|| unreachable!());
        assert_eq!(ring.newest_first(), []);
        ring.keep(2);
        (1..=3).for_each(|number| ring.push(|| number));
        assert_eq!(ring.newest_first(), [3, 2]);
    }
}
