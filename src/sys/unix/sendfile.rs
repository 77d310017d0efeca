//! Bytes that go from a file to a socket, or back, without passing through the program.

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

/// Sends at most `count` bytes of `file`, from `at` on, and says how many went. The position of the
/// file stays where it is. 0 is the end of the file.
///
/// # Errors
/// `WouldBlock`; else what the system says, without saying whether of the file or of the socket.
pub(crate) fn send_file(to: Handle<'_>, file: &File, at: u64, count: usize) -> io::Result<usize> {
    let mut at = i64::try_from(at).map_err(|_| io::ErrorKind::InvalidInput)?;
    // SAFETY: both descriptors are open, and `at` lives through the call.
    length(unsafe { sendfile(to.as_raw_fd(), file.as_raw_fd(), &mut at, count) })
}

/// A pipe as a buffer in the kernel, from a socket to a file.
///
/// It is filled only while it is empty: then `WouldBlock` can come from nothing but the socket, and
/// nobody waits for room that only he himself could make.
#[derive(Debug)]
pub(crate) struct Pipe {
    reader: PipeReader,
    writer: PipeWriter,
    held: usize,
}

impl Pipe {
    /// An empty pipe for so many bytes.
    ///
    /// # Errors
    /// Out of descriptors, or of the pages a user may have in pipes.
    pub(crate) fn new(capacity: usize) -> io::Result<Pipe> {
        const F_SETPIPE_SZ: c_int = 1031;
        let (reader, writer) = io::pipe()?;
        let capacity = c_int::try_from(capacity).unwrap_or(c_int::MAX);
        // SAFETY: the descriptor is open, and F_SETPIPE_SZ takes one int.
        check(unsafe { fcntl(writer.as_raw_fd(), F_SETPIPE_SZ, capacity) })?;
        Ok(Pipe { reader, writer, held: 0 })
    }

    /// Whether nothing is in it.
    pub(crate) fn is_empty(&self) -> bool {
        self.held == 0
    }

    /// Takes at most `count` bytes from a socket, if it is empty; 0 is the end of the stream.
    ///
    /// # Errors
    /// `WouldBlock` where nothing has arrived; else what the system says of the socket.
    pub(crate) fn fill(&mut self, from: Handle<'_>, count: usize) -> io::Result<usize> {
        const SPLICE_F_NONBLOCK: u32 = 2;
        if !self.is_empty() {
            return Err(io::ErrorKind::ResourceBusy.into());
        }
        self.held = transfer(from.as_raw_fd(), self.writer.as_raw_fd(), count, SPLICE_F_NONBLOCK)?;
        Ok(self.held)
    }

    /// Writes to the file, at its position, some of what it holds; what was written is said.
    ///
    /// # Errors
    /// What the system says of the file; `InvalidInput` and `Unsupported` where this one takes
    /// nothing from a pipe.
    pub(crate) fn pour(&mut self, file: &File) -> io::Result<usize> {
        if self.is_empty() {
            return Ok(0);
        }
        let poured = transfer(self.reader.as_raw_fd(), file.as_raw_fd(), self.held, 0)?;
        self.held -= poured;
        Ok(poured)
    }
}

/// Takes out some of what it holds; 0 where that is nothing.
impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = buffer.len().min(self.held);
        if most == 0 {
            return Ok(0);
        }
        let count = self.reader.read(&mut buffer[..most])?;
        self.held -= count;
        Ok(count)
    }
}

fn transfer(from: c_int, to: c_int, count: usize, flags: u32) -> io::Result<usize> {
    let here = std::ptr::null_mut;
    // SAFETY: both descriptors are open; without offsets their own positions count.
    length(unsafe { splice(from, here(), to, here(), count, flags) })
}

fn length(result: isize) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::last_os_error())
}
