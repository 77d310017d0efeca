//! The local side of a download: a partial file that can be continued, or a stream that cannot.

use crate::client::error::Error;
use crate::client::local::Partial;
use std::error;
use std::fmt;
use std::io::{self, Write};
use std::time::SystemTime;

/// The local side of a download.
pub(super) enum DownloadSink<'a> {
    /// A partial file, which can be read and truncated.
    Partial(&'a mut Partial),
    /// A stream, which can only be written.
    Stream(CountedStream<'a>),
}

/// A stream that counts its bytes.
pub(super) struct CountedStream<'a> {
    stream: &'a mut dyn Write,
    count: u64,
}

impl<'a> DownloadSink<'a> {
    /// Creates a sink for a stream.
    pub(super) fn stream(stream: &'a mut dyn Write) -> DownloadSink<'a> {
        DownloadSink::Stream(CountedStream { stream, count: 0 })
    }

    pub(super) fn length(&self) -> Result<u64, Error> {
        match self {
            DownloadSink::Partial(partial) => partial.length().map_err(Error::Local),
            DownloadSink::Stream(counted) => Ok(counted.count),
        }
    }

    /// Returns whether bytes were written that cannot be removed.
    pub(super) fn is_spent(&self) -> bool {
        matches!(self, DownloadSink::Stream(CountedStream { count: 1.., .. }))
    }

    /// Removes all bytes.
    pub(super) fn restart(&mut self) -> Result<(), Error> {
        match self {
            DownloadSink::Partial(partial) => partial.restart().map_err(Error::Local),
            DownloadSink::Stream(CountedStream { count: 0, .. }) => Ok(()),
            DownloadSink::Stream(_) => Err(Error::OtherContent),
        }
    }

    /// Removes all bytes if they are of a remote file with another size or time.
    pub(super) fn update_identity(
        &mut self,
        size: Option<u64>,
        modified: Option<SystemTime>,
    ) -> Result<(), Error> {
        match self {
            DownloadSink::Partial(partial) => {
                partial.update_identity(size, modified).map_err(Error::Local)
            }
            DownloadSink::Stream(_) => Ok(()),
        }
    }

    /// Copies the existing target if it was compared but nothing was written.
    pub(super) fn settle(&mut self) -> Result<(), Error> {
        match self {
            DownloadSink::Partial(partial) => partial.copy_base().map_err(Error::Local),
            DownloadSink::Stream(_) => Ok(()),
        }
    }

    /// Returns the last `count` bytes. Fails for a stream.
    pub(super) fn tail(&mut self, count: u64) -> Result<Vec<u8>, Error> {
        match self {
            DownloadSink::Partial(partial) => partial.tail(count).map_err(Error::Local),
            DownloadSink::Stream(_) if count == 0 => Ok(Vec::new()),
            DownloadSink::Stream(_) => Err(Error::OtherContent),
        }
    }
}

impl Write for CountedStream<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.stream.write(bytes)?;
        self.count += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

/// A sink that compares the first bytes with `expected`, and writes the rest.
pub(super) struct Overlap<'a> {
    pub(super) expected: &'a [u8],
    pub(super) sink: &'a mut dyn Write,
}

impl Overlap<'_> {
    /// Returns whether all expected bytes were compared.
    pub(super) fn is_compared(&self) -> bool {
        self.expected.is_empty()
    }
}

/// The cause inside the `io::Error` of an [`Overlap`] that received other bytes.
#[derive(Debug)]
struct Differs;

impl fmt::Display for Differs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Error::OtherContent.fmt(f)
    }
}

impl error::Error for Differs {}

/// Returns whether an [`Overlap`] failed because it received other bytes.
pub(super) fn is_overlap_mismatch(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|cause| cause.is::<Differs>())
}

impl Write for Overlap<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.expected.is_empty() {
            return self.sink.write(bytes);
        }
        let count = bytes.len().min(self.expected.len());
        let (now, later) = self.expected.split_at(count);
        if now != &bytes[..count] {
            return Err(io::Error::other(Differs));
        }
        self.expected = later;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.sink.flush()
    }
}
