//! One connection: its request comes in, the answer goes out, and the end is told.
//!
//! Nothing here waits. Each step does what can be done without that and says what to wait for.

use crate::server::monitor::http::message::MAX_HEAD;
use crate::sys::{Interest, PollItem, Waitable};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

/// How long a connection may take in all.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long, while others wait for its place.
const CROWDED: Duration = Duration::from_secs(1);

/// How long a client has to take note of the end.
const PARTING: Duration = Duration::from_secs(1);

/// A connection.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    since: Instant,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// The request has come so far.
    Asking(Vec<u8>),
    /// The answer, and how much of it has gone.
    Hearing(Vec<u8>, usize),
    /// All is said. What the client still sends is read away, or the system would take the answer
    /// back with a reset.
    Parting(Instant),
    /// Nothing is left to do.
    Gone,
}

impl Connection {
    /// One who has just come.
    ///
    /// # Errors
    /// What the system says of a broken socket.
    pub fn new(stream: TcpStream) -> io::Result<Connection> {
        stream.set_nonblocking(true)?;
        Ok(Connection { stream, since: Instant::now(), stage: Stage::Asking(Vec::new()) })
    }

    /// What to wait for.
    pub fn item(&self) -> PollItem<'_> {
        let interest = match self.stage {
            Stage::Hearing(..) => Interest::Write,
            Stage::Asking(_) | Stage::Parting(_) | Stage::Gone => Interest::Read,
        };
        PollItem::new(Waitable::handle(&self.stream), interest)
    }

    /// Until when it may be here.
    pub fn deadline(&self, crowded: bool) -> Instant {
        let last = self.since + if crowded { CROWDED } else { PATIENCE };
        match self.stage {
            Stage::Parting(since) => last.min(since + PARTING),
            _ => last,
        }
    }

    /// Whether there is nothing left to do.
    pub fn is_gone(&self) -> bool {
        matches!(self.stage, Stage::Gone)
    }

    /// Goes on as far as that is possible without waiting. `answer` gives the answer to what was
    /// read, once it is enough.
    pub fn go_on(&mut self, mut answer: impl FnMut(&[u8]) -> Option<Vec<u8>>) {
        /// So many steps at a time, since somebody may never stop to send.
        const STEPS: usize = 16;
        for _ in 0..STEPS {
            match self.step(&mut answer) {
                Ok(()) if !self.is_gone() => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Ok(()) | Err(_) => return self.stage = Stage::Gone,
            }
        }
    }

    fn step(&mut self, answer: &mut impl FnMut(&[u8]) -> Option<Vec<u8>>) -> io::Result<()> {
        let mut chunk = [0; 4096];
        match &mut self.stage {
            Stage::Asking(head) => {
                // Never more than there is room for, so that the head has a bound.
                let room = (MAX_HEAD - head.len()).min(chunk.len());
                let length = self.stream.read(&mut chunk[..room])?;
                head.extend_from_slice(&chunk[..length]);
                match answer(head) {
                    Some(text) => self.stage = Stage::Hearing(text, 0),
                    None if length == 0 => self.stage = Stage::Gone,
                    None => {}
                }
            }
            Stage::Hearing(text, gone) if *gone < text.len() => {
                *gone += self.stream.write(&text[*gone..])?;
            }
            Stage::Hearing(..) => {
                self.stream.shutdown(Shutdown::Write)?;
                self.stage = Stage::Parting(Instant::now());
            }
            Stage::Parting(_) if self.stream.read(&mut chunk)? == 0 => self.stage = Stage::Gone,
            Stage::Parting(_) | Stage::Gone => {}
        }
        Ok(())
    }
}
