//! Limits the size of a download to the size that the server reported and the allowed growth.

use crate::client::error::Error;
use crate::pump::FileSink;
use std::fs::File;
use std::io::{self, Write};

/// A sink that fails beyond the limit, so that an endless file does not fill the disk.
pub(super) struct SizeLimit<'s, W> {
    sink: &'s mut W,
    promise: Option<u64>,
    /// The largest number of bytes to accept.
    limit: Option<u64>,
    taken: u64,
}

impl<W: Write> SizeLimit<'_, W> {
    pub(super) fn new(sink: &mut W, promise: Option<u64>, growth: u64) -> SizeLimit<'_, W> {
        let limit = promise.map(|promise| promise.saturating_add(growth));
        SizeLimit { sink, promise, limit, taken: 0 }
    }

    /// Fails if the limit was exceeded.
    pub(super) fn kept(&self) -> Result<(), Error> {
        match self.promise {
            Some(expected) if self.limit.is_some_and(|limit| self.taken > limit) => {
                Err(Error::TooLong { expected })
            }
            _ => Ok(()),
        }
    }
}

impl<W: Write> Write for SizeLimit<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let after = self.taken.saturating_add(bytes.len() as u64);
        if self.limit.is_some_and(|limit| after > limit) {
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
        self.limit.map_or(u64::MAX, |limit| limit.saturating_sub(self.taken))
    }

    fn after_splice(&mut self, count: u64) {
        self.taken += count;
    }
}
