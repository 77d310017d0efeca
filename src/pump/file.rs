//! Plain files, whose bytes the system moves by itself where it can.

use super::{ATTEND_EVERY, End, FIRST_BUFFER, Flow, Outcome, Reached, read};
use crate::net::{Attention, Data};
use crate::sys::{self, Interest, Pipe, Waitable};
use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::time::Duration;

/// From how many received bytes on a transfer is large, so that it is worth a pipe, and how much
/// that pipe holds. With a MiB the system's own buffers fall out of the cache, and it takes twice as
/// long.
pub(super) const LARGE: u64 = 2 * 1024 * 1024;
pub(super) const PIPE: usize = 512 * 1024;

/// Sends these bytes of `file` over `data`, which must not block; fewer if the file ends before.
pub fn send_file(
    file: &File,
    bytes: Range<u64>,
    data: &mut Data,
    stall: Duration,
    attention: &mut impl Attention,
) -> Outcome {
    let mut flow = Flow::new(stall, attention);
    let end = flow.send_file(file, bytes, data).err().unwrap_or(End::Done);
    Outcome { moved: flow.moved, end }
}

/// [`receive`](super::receive) into a file.
pub fn receive_file(
    data: &mut Data,
    sink: &mut impl FileSink,
    stall: Duration,
    attention: &mut impl Attention,
) -> Outcome {
    let mut flow = Flow::new(stall, attention);
    let end = flow.receive_file(data, sink).err().unwrap_or(End::Done);
    Outcome { moved: flow.moved, end }
}

/// A sink whose writes go to its file as they are, at the file's position.
pub trait FileSink: Write {
    /// The file, to which the system may write by itself.
    fn file(&self) -> &File;

    /// How many bytes the system may write; whether the sink takes more its `write` says.
    fn room(&self) -> u64 {
        u64::MAX
    }

    /// Told before the system writes so many bytes.
    ///
    /// # Errors
    /// They may not be written.
    fn pouring(&mut self, count: u64) -> io::Result<()> {
        let _ = count;
        Ok(())
    }

    /// Told of bytes that the system wrote.
    fn poured(&mut self, count: u64) {
        let _ = count;
    }
}

impl<A: Attention> Flow<'_, A> {
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

    /// Has the system send these bytes, and returns where the next one is.
    ///
    /// What the system says against it does not tell the file's fault from the peer's, nor does 0 tell
    /// the end of a file from one that cannot be sent so. The buffer continues where it stopped, and
    /// finds out.
    fn send_directly(&mut self, file: &File, bytes: Range<u64>, data: &Data) -> Result<u64, End> {
        let mut at = bytes.start;
        while at < bytes.end {
            let most = self.allowance()?.min((bytes.end - at).min(ATTEND_EVERY) as usize);
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
        // Where there is no pipe to be had, the buffer does it all.
        if let Ok(pipe) = Pipe::new(PIPE)
            && self.receive_through(pipe, data, sink)? == Reached::End
        {
            return Ok(());
        }
        self.receive(data, sink)
    }

    /// Receives to the end, or as far as socket and file go along with it.
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
                    let may = sink.pouring(length as u64);
                    let poured = may.and_then(|()| pour(&mut pipe, sink)).map_err(End::Local)?;
                    self.advance(length)?;
                    if poured == Poured::Copied {
                        return Ok(Reached::Count);
                    }
                }
                Err(error) if refuses(&error) => return Ok(Reached::Count),
                Err(error) => self.pause(error, data, Interest::Read)?,
            }
        }
    }
}

/// How a pipe was emptied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Poured {
    /// By the system.
    Directly,
    /// By hand in the end, since the file takes nothing from a pipe.
    Copied,
}

/// Writes everything that is in a pipe, each byte once.
fn pour(pipe: &mut Pipe, sink: &mut impl FileSink) -> io::Result<Poured> {
    while !pipe.is_empty() {
        match pipe.pour(sink.file()) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(count) => sink.poured(count as u64),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if refuses(&error) => return copy_rest(pipe, sink),
            Err(error) => return Err(error),
        }
    }
    Ok(Poured::Directly)
}

fn copy_rest(pipe: &mut Pipe, sink: &mut impl Write) -> io::Result<Poured> {
    let mut buffer = vec![0; FIRST_BUFFER];
    while !pipe.is_empty() {
        let length = read(pipe, &mut buffer)?;
        sink.write_all(&buffer[..length])?;
    }
    Ok(Poured::Copied)
}

/// Whether this is no failure, but a way that is not open for this file or on this system.
fn refuses(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported)
}
