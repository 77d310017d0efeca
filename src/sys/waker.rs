//! [`Waker`]: wakes one thread as often as needed.

use super::{Handle, Pair, Waitable, pair};
use std::io::{self, Read, Write};

/// Wakes a thread that waits in [`poll`](super::poll), which resets it and waits again.
#[derive(Debug)]
pub struct Waker {
    sender: Pair,
    receiver: Pair,
}

impl Waker {
    /// A waker that has not been used.
    ///
    /// # Errors
    /// Out of descriptors.
    pub fn new() -> io::Result<Waker> {
        let (sender, receiver) = pair()?;
        sender.set_nonblocking(true)?;
        receiver.set_nonblocking(true)?;
        Ok(Waker { sender, receiver })
    }

    /// Makes it ready. If the byte cannot be written, earlier ones fill the stream and it is ready.
    pub fn wake(&self) {
        let _ = (&self.sender).write(&[0]);
    }

    /// Makes it wait for the next [`Waker::wake`], however many there were.
    pub fn reset(&self) {
        while matches!((&self.receiver).read(&mut [0; 64]), Ok(1..)) {}
    }

    /// What to [`poll`](super::poll) for [`Interest::Read`](super::Interest::Read).
    pub fn handle(&self) -> Handle<'_> {
        Waitable::handle(&self.receiver)
    }
}
