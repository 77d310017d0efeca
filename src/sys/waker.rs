//! [`Waker`]: wakes one thread repeatedly.

use super::{Handle, Pair, Waitable, pair};
use std::io::{self, Read, Write};

/// Wakes a thread that waits in [`poll`](super::poll); the thread then resets it and waits again.
#[derive(Debug)]
pub struct Waker {
    sender: Pair,
    receiver: Pair,
}

impl Waker {
    /// Creates a waker that is not ready.
    ///
    /// # Errors
    /// Fails if the process is out of descriptors.
    pub fn new() -> io::Result<Waker> {
        let (sender, receiver) = pair()?;
        sender.set_nonblocking(true)?;
        receiver.set_nonblocking(true)?;
        Ok(Waker { sender, receiver })
    }

    /// Makes the waker ready. If the byte cannot be written, the stream is full of earlier ones,
    /// so the waker is ready.
    pub fn wake(&self) {
        let _ = (&self.sender).write(&[0]);
    }

    /// Resets the waker until the next [`Waker::wake`], however many calls there were.
    pub fn reset(&self) {
        while matches!((&self.receiver).read(&mut [0; 64]), Ok(1..)) {}
    }

    /// Returns the handle to [`poll`](super::poll) for [`Interest::Read`](super::Interest::Read).
    pub fn handle(&self) -> Handle<'_> {
        Waitable::handle(&self.receiver)
    }
}
