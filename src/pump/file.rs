//! Plain files: the system moves the bytes itself (sendfile, splice) where it can.

use super::{CHECK_EVERY, End, FIRST_BUFFER, Outcome, Pump, Reached, read};
use crate::net::{Data, TransferHooks};
use crate::sys::{self, Interest, Pipe, Waitable};
use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::time::Duration;

/// The number of received bytes after which a pipe (splice) is worth its set-up, and the capacity of that pipe. With 1
/// MiB, the kernel's buffers fall out of the processor's cache and the transfer takes twice as long.
pub(super) const LARGE: u64 = 2 * 1024 * 1024;
pub(super) const PIPE: usize = 512 * 1024;

/// Sends this range of `file` over `data`, which must be nonblocking. Sends less if the file ends early.
pub fn send_file(
    file: &File,
    bytes: Range<u64>,
    data: &mut Data,
    stall: Duration,
    hooks: &mut impl TransferHooks,
) -> Outcome {
    let mut pump = Pump::new(stall, hooks);
    let end = pump.send_file(file, bytes, data).err().unwrap_or(End::Done);
    Outcome { moved: pump.moved, end }
}

/// Like [`receive`](super::receive), into a file.
pub fn receive_file(
    data: &mut Data,
    sink: &mut impl FileSink,
    stall: Duration,
    hooks: &mut impl TransferHooks,
) -> Outcome {
    let mut pump = Pump::new(stall, hooks);
    let end = pump.receive_file(data, sink).err().unwrap_or(End::Done);
    Outcome { moved: pump.moved, end }
}

/// A sink that writes its bytes unchanged to a file, at the file's position.
pub trait FileSink: Write {
    /// Returns the file, to which the system may write directly.
    fn file(&self) -> &File;

    /// Returns the number of bytes that may be spliced. Beyond it, `write` decides.
    fn room(&self) -> u64 {
        u64::MAX
    }

    /// Called before the system writes this many bytes.
    ///
    /// # Errors
    /// Fails if they may not be written.
    fn before_splice(&mut self, count: u64) -> io::Result<()> {
        let _ = count;
        Ok(())
    }

    /// Called after the system has written this many bytes.
    fn after_splice(&mut self, count: u64) {
        let _ = count;
    }
}

impl<A: TransferHooks> Pump<'_, A> {
    fn send_file(
        &mut self,
        mut file: &File,
        bytes: Range<u64>,
        data: &mut Data,
    ) -> Result<(), End> {
        let at = match data.is_plain() {
            true => self.send_directly(file, bytes.clone(), data)?,
            false => bytes.start,
        };
        if at == bytes.end {
            return Ok(());
        }
        file.seek(SeekFrom::Start(at)).map_err(End::Local)?;
        self.send(&mut file.take(bytes.end - at), data)
    }

    /// Lets the system send these bytes (sendfile), and returns the position after the last one sent.
    ///
    /// An error of sendfile does not say whether the file or the peer caused it, and 0 can mean the end of the file or
    /// a file that sendfile does not support. So the caller continues with a buffer, which shows the cause.
    fn send_directly(&mut self, file: &File, bytes: Range<u64>, data: &Data) -> Result<u64, End> {
        let mut at = bytes.start;
        while at < bytes.end {
            let most = self.allowance()?.min((bytes.end - at).min(CHECK_EVERY) as usize);
            match sys::send_file(data.handle(), file, at, most) {
                Ok(count @ 1..) => {
                    at += count as u64;
                    self.advance(count)?;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.pause(error, data, Interest::Write)?;
                }
                Ok(0) | Err(_) => break,
            }
        }
        Ok(at)
    }

    fn receive_file(&mut self, data: &mut Data, sink: &mut impl FileSink) -> Result<(), End> {
        if !data.is_plain() {
            return self.receive(data, sink);
        }
        if self.receive_up_to(LARGE, data, sink)? == Reached::End {
            return Ok(());
        }
        // Without a pipe, the buffer moves everything.
        if let Ok(pipe) = Pipe::new(PIPE)
            && self.receive_through(pipe, data, sink)? == Reached::End
        {
            return Ok(());
        }
        self.receive(data, sink)
    }

    /// Receives through a pipe to the end, or as long as the socket and the file support splice.
    fn receive_through(
        &mut self,
        mut pipe: Pipe,
        data: &mut Data,
        sink: &mut impl FileSink,
    ) -> Result<Reached, End> {
        loop {
            let most = sink.room().min(PIPE as u64) as usize;
            if most == 0 {
                return Ok(Reached::Count);
            }
            let most = self.allowance()?.min(most);
            match pipe.fill(data.handle(), most) {
                Ok(0) => return Ok(Reached::End),
                Ok(length) => {
                    let may = sink.before_splice(length as u64);
                    let after_splice =
                        may.and_then(|()| splice_into(&mut pipe, sink)).map_err(End::Local)?;
                    self.advance(length)?;
                    if after_splice == SpliceEnd::Copied {
                        return Ok(Reached::Count);
                    }
                }
                Err(error) if is_unsupported(&error) => return Ok(Reached::Count),
                Err(error) => self.pause(error, data, Interest::Read)?,
            }
        }
    }
}

/// The way in which a pipe was emptied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SpliceEnd {
    /// By splice.
    Directly,
    /// At least partly by read and write, because the file does not support splice.
    Copied,
}

/// Writes the whole content of a pipe to the sink, each byte once.
fn splice_into(pipe: &mut Pipe, sink: &mut impl FileSink) -> io::Result<SpliceEnd> {
    while !pipe.is_empty() {
        match pipe.pour(sink.file()) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(count) => sink.after_splice(count as u64),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if is_unsupported(&error) => return copy_rest(pipe, sink),
            Err(error) => return Err(error),
        }
    }
    Ok(SpliceEnd::Directly)
}

fn copy_rest(pipe: &mut Pipe, sink: &mut impl Write) -> io::Result<SpliceEnd> {
    let mut buffer = vec![0; FIRST_BUFFER];
    while !pipe.is_empty() {
        let length = read(pipe, &mut buffer)?;
        sink.write_all(&buffer[..length])?;
    }
    Ok(SpliceEnd::Copied)
}

/// Returns whether the error means that splice is not supported for this file or on this system.
fn is_unsupported(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported)
}
