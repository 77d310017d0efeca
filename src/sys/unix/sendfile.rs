//! Transfers between files and sockets within the kernel.

use super::{Handle, check};
use std::ffi::c_int;
use std::fs::File;
use std::io::{self, PipeReader, PipeWriter, Read};
use std::os::fd::AsRawFd;

unsafe extern "C" {
    fn sendfile(to: c_int, from: c_int, at: *mut i64, count: usize) -> isize;
    fn splice(
        from: c_int,
        from_at: *mut i64,
        to: c_int,
        to_at: *mut i64,
        count: usize,
        flags: u32,
    ) -> isize;
    fn fcntl(fd: c_int, command: c_int, ...) -> c_int;
}

/// Sends at most `count` bytes of `file` from the offset `at`, and returns the number of bytes
/// sent; 0 is the end of the file. The file's own position does not change.
///
/// # Errors
/// `WouldBlock`, or the system error of the file or the socket.
pub(crate) fn send_file(to: Handle<'_>, file: &File, at: u64, count: usize) -> io::Result<usize> {
    let mut at = i64::try_from(at).map_err(|_| io::ErrorKind::InvalidInput)?;
    // SAFETY: both descriptors are open, and `at` is valid during the call.
    length(unsafe { sendfile(to.as_raw_fd(), file.as_raw_fd(), &mut at, count) })
}

/// A pipe, used as a kernel buffer between a socket and a file.
///
/// It is filled only while it is empty, so `WouldBlock` always refers to the socket and never to a
/// full pipe.
#[derive(Debug)]
pub(crate) struct Pipe {
    reader: PipeReader,
    writer: PipeWriter,
    buffered: usize,
}

impl Pipe {
    /// Creates an empty pipe for this many bytes.
    ///
    /// # Errors
    /// Fails if the process is out of descriptors, or the user has reached the limit of pipe
    /// memory.
    pub(crate) fn new(capacity: usize) -> io::Result<Pipe> {
        const F_SETPIPE_SZ: c_int = 1031;
        let (reader, writer) = io::pipe()?;
        let capacity = c_int::try_from(capacity).unwrap_or(c_int::MAX);
        // SAFETY: the descriptor is open, and F_SETPIPE_SZ takes one int.
        check(unsafe { fcntl(writer.as_raw_fd(), F_SETPIPE_SZ, capacity) })?;
        Ok(Pipe { reader, writer, buffered: 0 })
    }

    /// Returns whether the pipe is empty.
    pub(crate) fn is_empty(&self) -> bool {
        self.buffered == 0
    }

    /// Fills the empty pipe with at most `count` bytes from a socket, and returns their number; 0
    /// is the end of the stream.
    ///
    /// # Errors
    /// `WouldBlock` if no data has arrived, or the system error of the socket.
    pub(crate) fn fill(&mut self, from: Handle<'_>, count: usize) -> io::Result<usize> {
        const SPLICE_F_NONBLOCK: u32 = 2;
        if !self.is_empty() {
            return Err(io::ErrorKind::ResourceBusy.into());
        }
        self.buffered =
            transfer(from.as_raw_fd(), self.writer.as_raw_fd(), count, SPLICE_F_NONBLOCK)?;
        Ok(self.buffered)
    }

    /// Writes part of the content to the file at its position, and returns the number of bytes
    /// written.
    ///
    /// # Errors
    /// Returns the system error of the file; `InvalidInput` and `Unsupported` if this file cannot
    /// be written from a pipe.
    pub(crate) fn pour(&mut self, file: &File) -> io::Result<usize> {
        if self.is_empty() {
            return Ok(0);
        }
        let poured = transfer(self.reader.as_raw_fd(), file.as_raw_fd(), self.buffered, 0)?;
        self.buffered -= poured;
        Ok(poured)
    }
}

/// Reads part of the content; 0 if the pipe is empty.
impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = buffer.len().min(self.buffered);
        if most == 0 {
            return Ok(0);
        }
        let count = self.reader.read(&mut buffer[..most])?;
        self.buffered -= count;
        Ok(count)
    }
}

fn transfer(from: c_int, to: c_int, count: usize, flags: u32) -> io::Result<usize> {
    let here = std::ptr::null_mut;
    // SAFETY: both descriptors are open; null offsets mean their own file positions.
    length(unsafe { splice(from, here(), to, here(), count, flags) })
}

fn length(result: isize) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::last_os_error())
}
