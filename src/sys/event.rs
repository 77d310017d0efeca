//! [`Event`]: wakes any number of waiting threads once.

use super::{Handle, Pair, Waitable, pair};
use std::io;
use std::sync::{Mutex, PoisonError};

/// A one-time event: after it is set, every thread that waits for it in [`poll`](super::poll)
/// wakes, and later waits end at once.
///
/// It consists of two connected streams: when one of them is closed, the other remains ready for
/// all threads.
#[derive(Debug)]
pub struct Event {
    near: Pair,
    far: Mutex<Option<Pair>>,
}

impl Event {
    /// Creates an event that is not set.
    ///
    /// # Errors
    /// Fails if the process is out of descriptors.
    pub fn new() -> io::Result<Event> {
        let (near, far) = pair()?;
        Ok(Event { near, far: Mutex::new(Some(far)) })
    }

    /// Sets the event.
    pub fn set(&self) {
        self.far.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// Returns the handle to [`poll`](super::poll) for [`Interest::Read`](super::Interest::Read).
    pub fn handle(&self) -> Handle<'_> {
        Waitable::handle(&self.near)
    }
}
