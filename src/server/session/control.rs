//! The control connection of a session: commands in, replies out.

use crate::net::{self, Draining, Stream};
use crate::protocol::{Control, Line, Reply};
use crate::server::monitor::sessions::Registration;
use crate::server::session::control_watch::ControlWatch;
use crate::server::session::read_ahead;
use crate::shutdown::Shutdown;
use crate::sys::{Interest, PollItem, Waitable};
use std::io;
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// The control connection.
pub(super) struct ControlConnection<'a> {
    control: Control<Stream>,
    shutdown: &'a Shutdown,
    /// Whether the client had closed its half before the last transfer began.
    half_closed: bool,
    /// Whether the last command came before the reply to the one before it, as those of scripts do.
    unasked: bool,
}

impl<'a> ControlConnection<'a> {
    /// Speaks on `stream` until `shutdown` says that the server ends.
    ///
    /// # Errors
    /// What the system says of a broken socket.
    pub(super) fn new(stream: TcpStream, shutdown: &'a Shutdown) -> io::Result<Self> {
        let mut stream = Stream::new(stream, Some(shutdown.clone()))?;
        stream.be_thrifty();
        Ok(ControlConnection {
            control: Control::new(stream),
            shutdown,
            half_closed: false,
            unasked: false,
        })
    }

    /// Waits for the next command; `None` if the client has closed its side.
    ///
    /// # Errors
    /// `TimedOut` at the deadline, [`Draining`] when the server ends, or a lost connection.
    pub(super) fn read_command(&mut self, deadline: Option<Instant>) -> io::Result<Option<Line>> {
        self.unasked = self.has_line();
        self.control.stream_mut().set_deadline(deadline);
        self.control.read_command()
    }

    /// Waits for `wait` before the next command is read, at most until `deadline`.
    ///
    /// # Errors
    /// [`Draining`] when the server ends, or `TimedOut` at the deadline.
    pub(super) fn hold_back(&self, wait: Duration, deadline: Option<Instant>) -> io::Result<()> {
        let until = net::sooner(net::deadline(wait), deadline);
        match net::wait(&mut [self.shutdown.draining()], until) {
            Ok(()) => Err(io::Error::other(Draining)),
            Err(error) if deadline.is_some_and(|deadline| deadline <= Instant::now()) => Err(error),
            Err(_) => Ok(()),
        }
    }

    /// Sends a reply.
    ///
    /// # Errors
    /// The connection is lost, or the client does not read.
    pub(super) fn send(&mut self, reply: &Reply) -> io::Result<()> {
        self.control.send_reply(reply)
    }

    /// Returns true if a command waits that was read already.
    pub(super) fn has_line(&self) -> bool {
        self.control.peek_line().is_some()
    }

    /// Closes so that the last reply arrives: what comes in after a close, or was left unread by it,
    /// resets the connection, and the reply may be lost with it. So the client may close first.
    ///
    /// # Errors
    /// The connection is lost.
    pub(super) fn close(&mut self) -> io::Result<()> {
        const PATIENCE: Duration = Duration::from_secs(1);
        let stream = self.control.stream_mut();
        stream.tcp().shutdown(std::net::Shutdown::Write)?;
        stream.set_deadline(net::deadline(PATIENCE));
        while self.control.fill().is_ok_and(|length| length > 0) {
            while self.control.take_line().is_some() {}
        }
        Ok(())
    }

    /// Listens to the client during a transfer, whose bytes `registration` counts.
    pub(super) fn watch<'w>(&'w mut self, registration: &'w Registration<'w>) -> ControlWatch<'w> {
        let watch = ControlWatch::new(&mut self.control, self.shutdown, registration);
        watch.of_script(self.half_closed, self.unasked)
    }

    /// Listens for ABOR during a command that gives no sign before its answer.
    pub(super) fn watch_for_abort(&mut self) -> ControlWatch<'_> {
        ControlWatch::for_abort(&mut self.control, self.shutdown)
    }

    /// Looks whether the client has closed its half before a transfer begins.
    pub(super) fn look_ahead(&mut self) {
        self.half_closed = matches!(read_ahead::read_all(&mut self.control), Some(Ok(())));
    }

    /// Notes whether the client had closed its half, as the watch of the transfer has found out.
    pub(super) fn set_half_closed(&mut self, half_closed: bool) {
        self.half_closed = half_closed;
    }

    /// Returns true if nobody waits for the 226 of an upload. The system closes the connections of a
    /// process that was killed one right after the other, the data connection first as often as not, so
    /// the second end is waited for: a small part of the time the transfer took, and not at all after one
    /// that was sent in one go. A client that has said QUIT may close, and one that had closed its half
    /// before the upload began is there until the connection is lost.
    pub(super) fn client_is_gone(&mut self, moved: u64, took: Duration) -> bool {
        const ONE_GO: (u64, Duration) = (64 * 1024, Duration::from_millis(50));
        const SHORTEST: Duration = Duration::from_millis(1);
        const LONGEST: Duration = Duration::from_millis(40);
        let patience = net::deadline((took / 32).clamp(SHORTEST, LONGEST));
        let handle = self.control.stream().handle();
        if self.half_closed {
            if read_ahead::has_quit(&self.control) {
                return false;
            }
            let _ = net::wait(&mut [PollItem::new(handle, Interest::Loss)], patience);
            return read_ahead::is_lost(&self.control);
        }
        let in_one_go = moved <= ONE_GO.0 && took < ONE_GO.1;
        if !in_one_go && !self.has_line() {
            let _ = net::wait(&mut [PollItem::new(handle, Interest::Read)], patience);
        }
        match read_ahead::read_all(&mut self.control) {
            Some(Ok(())) => !read_ahead::has_quit(&self.control),
            Some(Err(_)) => true,
            None => false,
        }
    }
}
