//! The loop that moves the bytes of files, in both directions and in both programs.
//!
//! `std::io::copy` to a socket moves 8 KiB at a time. This loop has one buffer, which grows while reads fill it and is
//! freed at the end. While it waits, the caller's hooks can end the transfer, and the outcome says why the transfer
//! ended. The stall timeout counts from the last byte that moved, so a slow transfer continues and a stalled one ends;
//! time spent waiting for a rate limit does not count.
//!
//! Plain files need no buffer where the system moves the bytes itself: [`send_file`] and [`receive_file`] use sendfile
//! and splice. Where the system does not support them, the buffer continues from the position reached.

mod file;

pub use file::{FileSink, receive_file, send_file};

use crate::net::{self, Data, TransferHooks, Verdict, Waited};
use crate::sys::{self, Interest, Waitable};
use std::io::{self, ErrorKind, Read, Write};
use std::time::{Duration, Instant};

/// The initial and the largest size of the buffer. Small files should not need a large buffer, and for reads from a
/// file, more than 1 MiB was no faster. The receive buffer is smaller, so that the data stays in the processor's cache
/// between socket and file.
const FIRST_BUFFER: usize = 32 * 1024;
const FIRST_RECEIVED: usize = 8 * 1024; // clearing 32 KiB takes as long as storing a small file
const LARGEST_SENT: usize = 1024 * 1024;
const LARGEST_RECEIVED: usize = 256 * 1024;

/// The largest buffer under TLS, in both directions; its 16 KiB records take equally long in any buffer.
const LARGEST_UNDER_TLS: usize = 64 * 1024;

/// The number of bytes after which the hooks are called even if the loop did not wait. Even at the lowest speed
/// without waits this takes a few milliseconds.
const CHECK_EVERY: u64 = 8 * 1024 * 1024;

/// The result of a transfer.
#[derive(Debug)]
pub struct Outcome {
    /// The number of bytes that went over the data connection.
    pub moved: u64,
    /// The reason for the end.
    pub end: End,
}

/// The reason why a transfer ended.
#[derive(Debug)]
pub enum End {
    /// The source ended.
    Done,
    /// The [`TransferHooks`] stopped the transfer.
    Stopped,
    /// Nothing moved within the timeout.
    Stalled,
    /// The data connection failed.
    Peer(io::Error),
    /// The local file or listing failed.
    Local(io::Error),
}

/// Sends all of `source` over `data`, which must be nonblocking.
pub fn send(
    source: &mut impl Read,
    data: &mut Data,
    stall: Duration,
    hooks: &mut impl TransferHooks,
) -> Outcome {
    let mut pump = Pump::new(stall, hooks);
    let end = pump.send(source, data).err().unwrap_or(End::Done);
    Outcome { moved: pump.moved, end }
}

/// Receives from `data`, which must be nonblocking, to its end and writes all of it to `sink`.
pub fn receive(
    data: &mut Data,
    sink: &mut impl Write,
    stall: Duration,
    hooks: &mut impl TransferHooks,
) -> Outcome {
    let mut pump = Pump::new(stall, hooks);
    let end = pump.receive(data, sink).err().unwrap_or(End::Done);
    Outcome { moved: pump.moved, end }
}

/// Ends the sending side of a completed transfer and returns the final outcome. Under TLS this sends close_notify;
/// without TLS nothing is sent, because the end of the connection ends the data.
pub fn finish(
    outcome: Outcome,
    data: &mut Data,
    stall: Duration,
    hooks: &mut impl TransferHooks,
) -> Outcome {
    if !matches!(outcome.end, End::Done) || data.is_plain() {
        return outcome;
    }
    let mut pump = Pump::new(stall, hooks);
    pump.moved = outcome.moved;
    let end = pump.end_sending(data).err().unwrap_or(End::Done);
    Outcome { end, ..outcome }
}

/// The reason why [`Pump::receive_up_to`] returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reached {
    /// The given number of bytes has been received.
    Count,
    /// The peer ended the data.
    End,
}

/// A running transfer.
struct Pump<'a, A> {
    moved: u64,
    checked_at: u64,
    stall: Duration,
    hooks: &'a mut A,
}

impl<A: TransferHooks> Pump<'_, A> {
    fn new(stall: Duration, hooks: &mut A) -> Pump<'_, A> {
        Pump { moved: 0, checked_at: 0, stall, hooks }
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

    /// Receives to the end, or until this many bytes have moved in total. Flushes the sink before it waits for
    /// more data.
    fn receive_up_to(
        &mut self,
        most: u64,
        data: &mut Data,
        sink: &mut impl Write,
    ) -> Result<Reached, End> {
        let (first, largest) = match data.is_plain() {
            true => (FIRST_RECEIVED, LARGEST_RECEIVED),
            false => (FIRST_BUFFER, LARGEST_UNDER_TLS),
        };
        if self.moved == 0 && data.is_plain() {
            // Clients send after the 150, so a read without a wait would be in vain.
            self.wait(data, Interest::Read)?;
        }
        let mut buffer = vec![0; first];
        while self.moved < most {
            let piece = self.allowance()?.min(buffer.len());
            match data.read(&mut buffer[..piece]) {
                Ok(0) => return Ok(Reached::End),
                Ok(length) => {
                    sink.write_all(&buffer[..length]).map_err(End::Local)?;
                    self.advance(length)?;
                    grow(&mut buffer, length, largest);
                }
                Err(error) => {
                    if self.moved > 0 && error.kind() == ErrorKind::WouldBlock {
                        sink.flush().map_err(End::Local)?;
                    }
                    self.pause(error, data, Interest::Read)?;
                }
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

    /// Waits until bytes may move, and returns their number. This wait does not count as a stall.
    fn allowance(&mut self) -> Result<usize, End> {
        loop {
            match self.hooks.allowance() {
                Ok(most) => return Ok(most),
                Err(until) => self.wait_for_rate(until)?,
            }
        }
    }

    fn wait_for_rate(&mut self, until: Instant) -> Result<(), End> {
        self.checked_at = self.moved;
        match net::wait_for_any(Vec::new, Some(until), self.moved, self.hooks) {
            Ok(Waited::TimedOut | Waited::Ready) => Ok(()),
            Ok(Waited::Stopped) => Err(End::Stopped),
            Err(error) => Err(End::Local(error)),
        }
    }

    /// Counts moved bytes, and calls the hooks regularly, even if the loop never waits.
    fn advance(&mut self, count: usize) -> Result<(), End> {
        self.moved += count as u64;
        self.hooks.moved(self.moved);
        if self.moved - self.checked_at < CHECK_EVERY {
            return Ok(());
        }
        self.checked_at = self.moved;
        match self.hooks.check(self.moved) {
            Verdict::Continue => Ok(()),
            Verdict::Stop => Err(End::Stopped),
        }
    }

    /// Handles an error of the data connection: waits after `WouldBlock`, and returns other errors. `interest` is the
    /// direction of the failed call.
    fn pause(&mut self, error: io::Error, data: &Data, interest: Interest) -> Result<(), End> {
        match error.kind() {
            ErrorKind::Interrupted => return Ok(()),
            ErrorKind::WouldBlock => {}
            _ => return Err(End::Peer(error)),
        }
        self.wait(data, data.wants(interest))
    }

    /// Waits until the data connection is ready.
    fn wait(&mut self, data: &Data, interest: Interest) -> Result<(), End> {
        self.checked_at = self.moved;
        let mut patience = StallTimer::new(self.stall);
        loop {
            let (handle, look) = (data.handle(), patience.next_check());
            match net::wait_with(handle, interest, look, self.moved, self.hooks) {
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

/// Detects a stalled peer, but not a slow one.
///
/// The system buffers megabytes of data to send, and is ready for more only after much of it has been acknowledged. A
/// peer that reads slowly but steadily can take longer for that than the timeout. So the timer restarts whenever the
/// number of unacknowledged bytes falls.
struct StallTimer {
    stall: Duration,
    /// The last time at which the peer was seen to acknowledge data.
    progress: Instant,
    unacknowledged: Option<usize>,
}

impl StallTimer {
    /// The number of checks within a timeout.
    const CHECKS: u32 = 4;

    fn new(stall: Duration) -> StallTimer {
        StallTimer { stall, progress: Instant::now(), unacknowledged: None }
    }

    fn end(&self) -> Option<Instant> {
        self.progress.checked_add(self.stall)
    }

    fn next_check(&self) -> Option<Instant> {
        net::sooner(self.end(), net::deadline(self.stall / StallTimer::CHECKS))
    }

    /// Checks whether the peer has acknowledged data, and returns whether the timeout has passed.
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

/// Enlarges a buffer that a read has filled, because more data is likely. If memory is short, the buffer stays as it
/// is, because a failed allocation aborts the program.
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
