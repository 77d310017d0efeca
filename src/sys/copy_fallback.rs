//! Replacements for systems without a direct transfer between file and socket. Every call fails, so
//! that the caller copies through a buffer.

use super::Handle;
use std::fs::File;
use std::io::{self, Read};

/// Sends no bytes.
///
/// # Errors
/// Always `Unsupported`.
pub(crate) fn send_file(_: Handle<'_>, _: &File, _: u64, _: usize) -> io::Result<usize> {
    Err(io::ErrorKind::Unsupported.into())
}

/// A pipe that cannot be created.
#[derive(Debug)]
pub(crate) enum Pipe {}

impl Pipe {
    /// Creates no pipe.
    ///
    /// # Errors
    /// Always `Unsupported`.
    pub(crate) fn new(_capacity: usize) -> io::Result<Pipe> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Returns whether the pipe is empty; never called.
    pub(crate) fn is_empty(&self) -> bool {
        match *self {}
    }

    /// Fills the pipe from a socket; never called.
    ///
    /// # Errors
    /// None, because no pipe exists.
    pub(crate) fn fill(&mut self, _: Handle<'_>, _: usize) -> io::Result<usize> {
        match *self {}
    }

    /// Writes the content of the pipe to a file; never called.
    ///
    /// # Errors
    /// None, because no pipe exists.
    pub(crate) fn pour(&mut self, _: &File) -> io::Result<usize> {
        match *self {}
    }
}

impl Read for Pipe {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        match *self {}
    }
}
