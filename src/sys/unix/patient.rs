//! [`Patient`]: a standard stream that is written as a whole, even if it does not block.

use super::{PollItem, Waitable, poll};
use crate::sys::Interest;
use std::io::{self, ErrorKind, Write};

/// Waits for room where the stream has none. A descriptor of a standard stream is shared with other
/// programs, and one of them may have made it non-blocking; a write would fail then.
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
