//! A latch that [`poll`](super::poll) can wait for.

use super::Handle;
use std::io::{self, PipeReader, PipeWriter};
use std::os::fd::AsFd;
use std::sync::{Mutex, PoisonError};

/// Closed at first; once opened it stays open, and every thread that waits for it wakes.
///
/// It is a pipe nobody writes to: when its writing end goes, the reading end is "ready" for ever
/// and for any number of threads at once.
#[derive(Debug)]
pub struct Latch {
    reader: PipeReader,
    writer: Mutex<Option<PipeWriter>>,
}

impl Latch {
    /// A closed latch.
    ///
    /// # Errors
    /// Out of descriptors.
    pub fn new() -> io::Result<Latch> {
        let (reader, writer) = io::pipe()?;
        Ok(Latch { reader, writer: Mutex::new(Some(writer)) })
    }

    /// Opens it, for good.
    pub fn open(&self) {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// What to [`poll`](super::poll) for [`Interest::Read`](crate::sys::Interest::Read).
    pub fn handle(&self) -> Handle<'_> {
        self.reader.as_fd()
    }
}
