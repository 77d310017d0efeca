//! The limit of a download: the size that the server promised.

use crate::client::error::Error;
use crate::pump::FileSink;
use std::fs::File;
use std::io::{self, Write};

/// A sink that takes no more than the server promised: a file without end should not fill a disk.
pub(super) struct SizeLimit<'s, W> {
    sink: &'s mut W,
    promise: Option<u64>,
    taken: u64,
}

impl<W: Write> SizeLimit<'_, W> {
    pub(super) fn new(sink: &mut W, promise: Option<u64>) -> SizeLimit<'_, W> {
        SizeLimit { sink, promise, taken: 0 }
    }

    pub(super) fn kept(&self) -> Result<(), Error> {
        match self.promise.filter(|promise| self.taken > *promise) {
            Some(expected) => Err(Error::TooLong { expected }),
            None => Ok(()),
        }
    }
}

impl<W: Write> Write for SizeLimit<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let after = self.taken.saturating_add(bytes.len() as u64);
        if self.promise.is_some_and(|promise| after > promise) {
            self.taken = after;
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let written = self.sink.write(bytes)?;
        self.taken += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.sink.flush()
    }
}

impl FileSink for SizeLimit<'_, File> {
    fn file(&self) -> &File {
        self.sink
    }

    fn room(&self) -> u64 {
        self.promise.map_or(u64::MAX, |promise| promise.saturating_sub(self.taken))
    }

    fn poured(&mut self, count: u64) {
        self.taken += count;
    }
}
