//! [`Event`]: set once, for any number of waiting threads.

use super::{Handle, Pair, Waitable, pair};
use std::io;
use std::sync::{Mutex, PoisonError};

/// Set once and for good: every thread that waits for it in [`poll`](super::poll) wakes, now and
/// later.
///
/// It is two connected streams: when one of them is closed, the other is ready for ever and for any
/// number of threads at once.
#[derive(Debug)]
pub struct Event {
    near: Pair,
    far: Mutex<Option<Pair>>,
}

impl Event {
    /// An event that is not set.
    ///
    /// # Errors
    /// Out of descriptors.
    pub fn new() -> io::Result<Event> {
        let (near, far) = pair()?;
        Ok(Event { near, far: Mutex::new(Some(far)) })
    }

    /// Sets it.
    pub fn set(&self) {
        self.far.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// What to [`poll`](super::poll) for [`Interest::Read`](super::Interest::Read).
    pub fn handle(&self) -> Handle<'_> {
        Waitable::handle(&self.near)
    }
}
