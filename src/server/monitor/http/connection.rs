//! One HTTP connection: reads the request, writes the response, closes the connection.
//!
//! No operation waits. Each step does what is possible without waiting, and [`HttpConnection::item`]
//! tells which event to poll for.

use crate::server::monitor::http::message::MAX_HEAD;
use crate::sys::{Interest, PollItem, Waitable};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

/// The maximum lifetime of a connection.
const LIFETIME: Duration = Duration::from_secs(5);

/// The maximum lifetime while other clients wait.
const CROWDED_LIFETIME: Duration = Duration::from_secs(1);

/// The time for the client to close its side.
const CLOSE_TIME: Duration = Duration::from_secs(1);

/// A connection.
#[derive(Debug)]
pub struct HttpConnection {
    stream: TcpStream,
    since: Instant,
    stage: ConnectionStage,
}

#[derive(Debug)]
enum ConnectionStage {
    /// Reading the request; contains the bytes so far.
    Reading(Vec<u8>),
    /// Writing the response; contains the response and the number of bytes written.
    Writing(Vec<u8>, usize),
    /// The response is complete. Further bytes from the client are read and discarded, because
    /// otherwise a reset could discard the response.
    Closing(Instant),
    /// The connection is finished.
    Closed,
}

impl HttpConnection {
    /// Creates a connection that was just accepted.
    ///
    /// # Errors
    /// Returns the system error of a broken socket.
    pub fn new(stream: TcpStream) -> io::Result<HttpConnection> {
        stream.set_nonblocking(true)?;
        Ok(HttpConnection {
            stream,
            since: Instant::now(),
            stage: ConnectionStage::Reading(Vec::new()),
        })
    }

    /// Returns the event to poll for.
    pub fn item(&self) -> PollItem<'_> {
        let interest = match self.stage {
            ConnectionStage::Writing(..) => Interest::Write,
            ConnectionStage::Reading(_) | ConnectionStage::Closing(_) | ConnectionStage::Closed => {
                Interest::Read
            }
        };
        PollItem::new(Waitable::handle(&self.stream), interest)
    }

    /// Returns the time at which the connection is dropped.
    pub fn deadline(&self, crowded: bool) -> Instant {
        let last = self.since + if crowded { CROWDED_LIFETIME } else { LIFETIME };
        match self.stage {
            ConnectionStage::Closing(since) => last.min(since + CLOSE_TIME),
            _ => last,
        }
    }

    /// Returns whether the connection is finished.
    pub fn is_closed(&self) -> bool {
        matches!(self.stage, ConnectionStage::Closed)
    }

    /// Proceeds as far as possible without waiting. `answer` returns the response once the bytes
    /// read so far are a complete request.
    pub fn advance(&mut self, mut answer: impl FnMut(&[u8]) -> Option<Vec<u8>>) {
        /// The number of steps at a time, since a client may never stop sending.
        const STEPS: usize = 16;
        for _ in 0..STEPS {
            match self.step(&mut answer) {
                Ok(()) if !self.is_closed() => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Ok(()) | Err(_) => return self.stage = ConnectionStage::Closed,
            }
        }
    }

    fn step(&mut self, answer: &mut impl FnMut(&[u8]) -> Option<Vec<u8>>) -> io::Result<()> {
        let mut chunk = [0; 4096];
        match &mut self.stage {
            ConnectionStage::Reading(head) => {
                // Bounds the size of the head.
                let room = (MAX_HEAD - head.len()).min(chunk.len());
                let length = self.stream.read(&mut chunk[..room])?;
                head.extend_from_slice(&chunk[..length]);
                match answer(head) {
                    Some(text) => self.stage = ConnectionStage::Writing(text, 0),
                    None if length == 0 => self.stage = ConnectionStage::Closed,
                    None => {}
                }
            }
            ConnectionStage::Writing(text, written) if *written < text.len() => {
                *written += self.stream.write(&text[*written..])?;
            }
            ConnectionStage::Writing(..) => {
                self.stream.shutdown(Shutdown::Write)?;
                self.stage = ConnectionStage::Closing(Instant::now());
            }
            ConnectionStage::Closing(_) if self.stream.read(&mut chunk)? == 0 => {
                self.stage = ConnectionStage::Closed
            }
            ConnectionStage::Closing(_) | ConnectionStage::Closed => {}
        }
        Ok(())
    }
}
