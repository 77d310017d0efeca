//! [`BlockingWriter`]: blocking writes to a standard stream that may be nonblocking.

use super::{PollItem, Waitable, poll};
use crate::sys::Interest;
use std::io::{self, ErrorKind, Write};

/// A writer that waits until the stream accepts data. Standard streams are shared with other programs,
/// which may have made them nonblocking; a plain write would then fail with `WouldBlock`.
#[derive(Debug)]
pub struct BlockingWriter<W>(pub W);

impl<W: Write + Waitable> BlockingWriter<W> {
    fn retry<T>(&mut self, mut call: impl FnMut(&mut W) -> io::Result<T>) -> io::Result<T> {
        loop {
            match call(&mut self.0) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    poll(&mut [PollItem::new(self.0.handle(), Interest::Write)], None)?;
                }
                other => return other,
            }
        }
    }
}

impl<W: Write + Waitable> Write for BlockingWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.retry(|stream| stream.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.retry(W::flush)
    }
}
