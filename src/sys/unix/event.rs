//! [`Event`]: set once, for any number of waiting threads.

use super::Handle;
use std::io::{self, PipeReader, PipeWriter};
use std::os::fd::AsFd;
use std::sync::{Mutex, PoisonError};

/// Set once and for good: every thread that waits for it in [`poll`](super::poll) wakes, now and
/// later.
///
/// It is a pipe nobody writes to: when its writing end goes, the reading end is "ready" for ever
/// and for any number of threads at once.
#[derive(Debug)]
pub struct Event {
    reader: PipeReader,
    writer: Mutex<Option<PipeWriter>>,
}

impl Event {
    /// An event that is not set.
    ///
    /// # Errors
    /// Out of descriptors.
    pub fn new() -> io::Result<Event> {
        let (reader, writer) = io::pipe()?;
        Ok(Event { reader, writer: Mutex::new(Some(writer)) })
    }

    /// Sets it.
    pub fn set(&self) {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// What to [`poll`](super::poll) for [`Interest::Read`](crate::sys::Interest::Read).
    pub fn handle(&self) -> Handle<'_> {
        self.reader.as_fd()
    }
}
