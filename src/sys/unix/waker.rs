//! A bell that [`poll`](super::poll) can wait for.

use super::Handle;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

/// Rung by one thread, heard by another in [`poll`](super::poll), and silenced by it again.
#[derive(Debug)]
pub struct Bell {
    ringing: UnixStream,
    listening: UnixStream,
}

impl Bell {
    /// A silent bell.
    ///
    /// # Errors
    /// Out of descriptors.
    pub fn new() -> io::Result<Bell> {
        let (ringing, listening) = UnixStream::pair()?;
        ringing.set_nonblocking(true)?;
        listening.set_nonblocking(true)?;
        Ok(Bell { ringing, listening })
    }

    /// Rings it. If that cannot be written it is ringing loudly already.
    pub fn ring(&self) {
        let _ = (&self.ringing).write(&[0]);
    }

    /// Silences it, however often it was rung.
    pub fn silence(&self) {
        while matches!((&self.listening).read(&mut [0; 64]), Ok(1..)) {}
    }

    /// What to [`poll`](super::poll) for [`Interest::Read`](crate::sys::Interest::Read).
    pub fn handle(&self) -> Handle<'_> {
        self.listening.as_fd()
    }
}
