//! The one loop that moves the bytes of files, in both directions and both programs.
//!
//! `std::io::copy` to a socket moves 8 KiB a time. This loop has one buffer that grows while reads
//! fill it and is given back at the end; it never waits without listening to whoever may end the
//! transfer, and it says why it ended. Time counts from the last byte that moved, so a slow
//! transfer goes on and a stalled one does not; time for which our own side holds a transfer back
//! does not count.
//!
//! Plain files need no buffer where the system moves the bytes itself: [`send_file`] and
//! [`receive_file`] use it, and where it refuses, the buffer takes over from the byte reached.

mod file;

pub use file::{FileSink, receive_file, send_file};

use crate::net::{self, Attention, Data, Verdict, Waited};
use crate::sys::{self, Interest, Waitable};
use std::io::{self, ErrorKind, Read, Write};
use std::time::{Duration, Instant};

/// Where the buffer begins, and how large it may grow. Small files should not cost a large buffer;
/// beyond a MiB a larger one was no faster for reads from a file. What is received stays in the
/// processor's cache between socket and file only while it is less.
const FIRST_BUFFER: usize = 32 * 1024;
const LARGEST_SENT: usize = 1024 * 1024;
const LARGEST_RECEIVED: usize = 256 * 1024;

/// The same for both directions under TLS, whose records of 16 KiB cost the same in any buffer.
const LARGEST_UNDER_TLS: usize = 64 * 1024;

/// How many bytes may move before the attention is asked although nothing made the loop wait. At
/// the slowest speed that never waits this is a few milliseconds.
const ATTEND_EVERY: u64 = 8 * 1024 * 1024;

/// How a transfer ended, and how far it came.
#[derive(Debug)]
pub struct Outcome {
    /// Bytes that went over the data connection.
    pub moved: u64,
    /// Why it ended.
    pub end: End,
}

/// Why a transfer ended.
#[derive(Debug)]
pub enum End {
    /// The source came to its end.
    Done,
    /// The [`Attention`] said stop.
    Stopped,
    /// Nothing moved for as long as was allowed.
    Stalled,
    /// The data connection broke.
    Peer(io::Error),
    /// The local file or listing failed.
    Local(io::Error),
}

/// Sends all of `source` over `data`, which must not block.
pub fn send(
    source: &mut impl Read,
    data: &mut Data,
    stall: Duration,
    attention: &mut impl Attention,
) -> Outcome {
    let mut flow = Flow::new(stall, attention);
    let end = flow.send(source, data).err().unwrap_or(End::Done);
    Outcome { moved: flow.moved, end }
}

/// Receives from `data`, which must not block, to its end and writes all of it to `sink`.
pub fn receive(
    data: &mut Data,
    sink: &mut impl Write,
    stall: Duration,
    attention: &mut impl Attention,
) -> Outcome {
    let mut flow = Flow::new(stall, attention);
    let end = flow.receive(data, sink).err().unwrap_or(End::Done);
    Outcome { moved: flow.moved, end }
}

/// Tells the peer of a transfer that came to its end that nothing more is sent, where TLS has a word for
/// that (close_notify), and returns the outcome with it. In clear the end of the connection says it.
pub fn finish(
    outcome: Outcome,
    data: &mut Data,
    stall: Duration,
    attention: &mut impl Attention,
) -> Outcome {
    if !matches!(outcome.end, End::Done) || data.is_plain() {
        return outcome;
    }
    let mut flow = Flow::new(stall, attention);
    flow.moved = outcome.moved;
    let end = flow.end_sending(data).err().unwrap_or(End::Done);
    Outcome { end, ..outcome }
}

/// What [`Flow::receive_up_to`] came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reached {
    /// As many bytes as were named.
    Count,
    /// The end of what is sent.
    End,
}

/// One transfer on its way.
struct Flow<'a, A> {
    moved: u64,
    attended: u64,
    stall: Duration,
    attention: &'a mut A,
}

impl<A: Attention> Flow<'_, A> {
    fn new(stall: Duration, attention: &mut A) -> Flow<'_, A> {
        Flow { moved: 0, attended: 0, stall, attention }
    }

    fn send(&mut self, source: &mut impl Read, data: &mut Data) -> Result<(), End> {
        let largest = if data.is_plain() { LARGEST_SENT } else { LARGEST_UNDER_TLS };
        let mut buffer = vec![0; FIRST_BUFFER];
        loop {
            let length = read(source, &mut buffer).map_err(End::Local)?;
            if length == 0 {
                return Ok(());
            }
            self.send_all(&buffer[..length], data)?;
            grow(&mut buffer, length, largest);
        }
    }

    fn send_all(&mut self, mut bytes: &[u8], data: &mut Data) -> Result<(), End> {
        while !bytes.is_empty() {
            let most = self.allowance()?.min(bytes.len());
            match data.write(&bytes[..most]) {
                Ok(0) => return Err(End::Peer(ErrorKind::WriteZero.into())),
                Ok(count) => {
                    bytes = &bytes[count..];
                    self.advance(count)?;
                }
                Err(error) => self.pause(error, data, Interest::Write)?,
            }
        }
        Ok(())
    }

    fn receive(&mut self, data: &mut Data, sink: &mut impl Write) -> Result<(), End> {
        self.receive_up_to(u64::MAX, data, sink).map(drop)
    }

    /// Receives to the end, or until so many bytes have moved in all.
    fn receive_up_to(
        &mut self,
        most: u64,
        data: &mut Data,
        sink: &mut impl Write,
    ) -> Result<Reached, End> {
        let largest = if data.is_plain() { LARGEST_RECEIVED } else { LARGEST_UNDER_TLS };
        let mut buffer = vec![0; FIRST_BUFFER];
        while self.moved < most {
            let piece = self.allowance()?.min(buffer.len());
            match data.read(&mut buffer[..piece]) {
                Ok(0) => return Ok(Reached::End),
                Ok(length) => {
                    sink.write_all(&buffer[..length]).map_err(End::Local)?;
                    self.advance(length)?;
                    grow(&mut buffer, length, largest);
                }
                Err(error) => self.pause(error, data, Interest::Read)?,
            }
        }
        Ok(Reached::Count)
    }

    fn end_sending(&mut self, data: &mut Data) -> Result<(), End> {
        while let Err(error) = data.end_sending() {
            self.pause(error, data, Interest::Write)?;
        }
        Ok(())
    }

    /// How many bytes may move next, once some may. To be held back is no stall.
    fn allowance(&mut self) -> Result<usize, End> {
        loop {
            match self.attention.allowance() {
                Ok(most) => return Ok(most),
                Err(until) => self.hold_back(until)?,
            }
        }
    }

    fn hold_back(&mut self, until: Instant) -> Result<(), End> {
        self.attended = self.moved;
        match net::wait_for_any(Vec::new, Some(until), self.moved, self.attention) {
            Ok(Waited::TimedOut | Waited::Ready) => Ok(()),
            Ok(Waited::Stopped) => Err(End::Stopped),
            Err(error) => Err(End::Local(error)),
        }
    }

    /// Counts what has moved, and looks up now and then where nothing else makes the loop wait.
    fn advance(&mut self, count: usize) -> Result<(), End> {
        self.moved += count as u64;
        self.attention.moved(self.moved);
        if self.moved - self.attended < ATTEND_EVERY {
            return Ok(());
        }
        self.attended = self.moved;
        match self.attention.attend(self.moved) {
            Verdict::Continue => Ok(()),
            Verdict::Stop => Err(End::Stopped),
        }
    }

    /// After an error of the data connection: waits if that is all it was about. `interest` is the
    /// direction of what was tried.
    fn pause(&mut self, error: io::Error, data: &Data, interest: Interest) -> Result<(), End> {
        match error.kind() {
            ErrorKind::Interrupted => return Ok(()),
            ErrorKind::WouldBlock => {}
            _ => return Err(End::Peer(error)),
        }
        self.attended = self.moved;
        let interest = data.wants(interest);
        let mut patience = Patience::new(self.stall);
        loop {
            let (handle, look) = (data.handle(), patience.next_look());
            match net::wait_with(handle, interest, look, self.moved, self.attention) {
                Ok(Waited::Ready) => return Ok(()),
                Ok(Waited::Stopped) => return Err(End::Stopped),
                Ok(Waited::TimedOut) if patience.is_over(interest, data) => {
                    return Err(End::Stalled);
                }
                Ok(Waited::TimedOut) => {}
                Err(error) => return Err(End::Peer(error)),
            }
        }
    }
}

/// Waits for a peer that may be slow but steady.
///
/// The system takes megabytes to send at once, and is ready for more only when a good part of them has
/// been acknowledged. A peer that reads steadily can take longer for that part than a stall may last,
/// so what counts is whether the bytes that it has not acknowledged become fewer.
struct Patience {
    stall: Duration,
    /// The last time that the peer is known to have acknowledged something.
    progress: Instant,
    unacknowledged: Option<usize>,
}

impl Patience {
    /// How many looks a stall is long.
    const LOOKS: u32 = 4;

    fn new(stall: Duration) -> Patience {
        Patience { stall, progress: Instant::now(), unacknowledged: None }
    }

    fn end(&self) -> Option<Instant> {
        self.progress.checked_add(self.stall)
    }

    fn next_look(&self) -> Option<Instant> {
        net::sooner(self.end(), net::deadline(self.stall / Patience::LOOKS))
    }

    /// Looks whether the peer has acknowledged anything, and whether it has not for too long.
    fn is_over(&mut self, interest: Interest, data: &Data) -> bool {
        let now = Instant::now();
        if interest == Interest::Write {
            let left = sys::unacknowledged(data.handle());
            if left.zip(self.unacknowledged).is_some_and(|(left, before)| left < before) {
                self.progress = now;
            }
            self.unacknowledged = left;
        }
        self.end().is_some_and(|end| end <= now)
    }
}

fn read(source: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match source.read(buffer) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

/// A read that filled the buffer says there is more where that came from. Where memory is short the
/// transfer goes on with what it has: an allocation that fails ends the program.
fn grow(buffer: &mut Vec<u8>, filled: usize, largest: usize) {
    const LEFT: usize = 8 * LARGEST_SENT;
    if filled < buffer.len() || filled >= largest {
        return;
    }
    let size = (filled * 4).min(largest);
    if sys::check_memory(size + LEFT).is_ok() {
        *buffer = vec![0; size];
    }
}

#[cfg(test)]
mod tests;
