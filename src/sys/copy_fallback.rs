//! Where no way from file to socket and back without the program's own buffer is used: all of it
//! is refused, and the caller has that buffer.

use super::Handle;
use std::fs::File;
use std::io::{self, Read};

/// Sends nothing.
///
/// # Errors
/// Always `Unsupported`.
pub(crate) fn send_file(_: Handle<'_>, _: &File, _: u64, _: usize) -> io::Result<usize> {
    Err(io::ErrorKind::Unsupported.into())
}

/// A pipe that cannot be made.
#[derive(Debug)]
pub(crate) enum Pipe {}

impl Pipe {
    /// Makes none.
    ///
    /// # Errors
    /// Always `Unsupported`.
    pub(crate) fn new(_capacity: usize) -> io::Result<Pipe> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Whether nothing is in it.
    pub(crate) fn is_empty(&self) -> bool {
        match *self {}
    }

    /// Takes bytes from a socket.
    ///
    /// # Errors
    /// There is no pipe to ask.
    pub(crate) fn fill(&mut self, _: Handle<'_>, _: usize) -> io::Result<usize> {
        match *self {}
    }

    /// Writes bytes to a file.
    ///
    /// # Errors
    /// There is no pipe to ask.
    pub(crate) fn pour(&mut self, _: &File) -> io::Result<usize> {
        match *self {}
    }
}

impl Read for Pipe {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        match *self {}
    }
}
