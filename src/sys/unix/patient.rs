//! [`Patient`]: a standard stream that accepts complete writes even if it is nonblocking.

use super::{PollItem, Waitable, poll};
use crate::sys::Interest;
use std::io::{self, ErrorKind, Write};

/// Waits when the stream cannot accept data. Standard streams are shared with other programs, and
/// one of them may have made the stream nonblocking; a write would then fail.
#[derive(Debug)]
pub struct Patient<W>(pub W);

impl<W: Write + Waitable> Patient<W> {
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

impl<W: Write + Waitable> Write for Patient<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.retry(|stream| stream.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.retry(W::flush)
    }
}
