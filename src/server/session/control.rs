//! The control connection of a session: reading commands and sending replies.

use crate::net::{self, Draining, Stream, TransferHooks, Verdict, Waited};
use crate::protocol::{Control, Line, Reply};
use crate::server::monitor::sessions::Registration;
use crate::server::session::control_watch::ControlWatch;
use crate::server::session::read_ahead;
use crate::server::session::security::accept_tls;
use crate::shutdown::{Shutdown, Stage};
use crate::sys::{Interest, PollItem, Tls, TlsContext, Waitable};
use std::io::{self, Read};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// The error of a client that continues to use TLS after CCC.
const SENT_AFTER_CCC: &str = "the client continued under TLS after CCC";

/// Returns whether the next byte begins a TLS record (RFC 8446 section 5.1). No command line begins with
/// such a byte.
fn is_tls_record(tcp: &TcpStream) -> io::Result<bool> {
    let mut first = [0];
    Ok(tcp.peek(&mut first)? > 0 && (20..=23).contains(&first[0]))
}

/// Hooks that stop a wait when the shutdown begins.
struct StopOnDrain<'a>(&'a Shutdown);

impl TransferHooks for StopOnDrain<'_> {
    fn items(&self) -> [PollItem<'_>; 2] {
        [self.0.draining(), PollItem::nothing()]
    }

    fn check(&mut self, _moved: u64) -> Verdict {
        if self.0.stage() == Stage::Running { Verdict::Continue } else { Verdict::Stop }
    }
}

/// The control connection.
pub(super) struct ControlConnection<'a> {
    control: Control<Stream>,
    shutdown: &'a Shutdown,
    /// True if the client had closed its half before the last transfer began.
    half_closed: bool,
    /// True if the last command came before the reply to the previous one, as in scripts.
    pipelined: bool,
}

impl<'a> ControlConnection<'a> {
    /// Takes the connection. Its reads end when `shutdown` begins.
    ///
    /// # Errors
    /// Fails if the system cannot configure the socket.
    pub(super) fn new(stream: TcpStream, shutdown: &'a Shutdown) -> io::Result<Self> {
        let mut stream = Stream::new(stream, Some(shutdown.clone()))?;
        stream.release_stack_when_idle();
        Ok(ControlConnection {
            control: Control::new(stream),
            shutdown,
            half_closed: false,
            pipelined: false,
        })
    }

    /// Waits for the next command. Returns `None` if the client has closed its side.
    ///
    /// # Errors
    /// `TimedOut` at the deadline, [`Draining`] if the shutdown begins, or a lost connection.
    pub(super) fn read_command(&mut self, deadline: Option<Instant>) -> io::Result<Option<Line>> {
        self.pipelined = self.has_line();
        self.control.stream_mut().set_deadline(deadline);
        self.control.read_command()
    }

    /// Waits for `wait` before the next command is read, but not beyond `deadline`.
    ///
    /// # Errors
    /// [`Draining`] if the shutdown begins, or `TimedOut` at the deadline.
    pub(super) fn delay(&self, wait: Duration, deadline: Option<Instant>) -> io::Result<()> {
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
    /// Fails if the connection is lost, or the client does not read.
    pub(super) fn send(&mut self, reply: &Reply) -> io::Result<()> {
        self.control.send_reply(reply)
    }

    /// Returns whether another command has already been read.
    pub(super) fn has_line(&self) -> bool {
        self.control.peek_line().is_some()
    }

    /// Closes the connection so that the last reply arrives. Unread data would reset the connection, and
    /// the reply might be lost, so this waits up to a second for the client to close first.
    ///
    /// # Errors
    /// Fails if the connection is lost.
    pub(super) fn close(&mut self) -> io::Result<()> {
        const TIMEOUT: Duration = Duration::from_secs(1);
        let stream = self.control.stream_mut();
        stream.end_sending()?;
        stream.set_deadline(net::deadline(TIMEOUT));
        while self.control.fill().is_ok_and(|length| length > 0) {
            while self.control.take_line().is_some() {}
        }
        Ok(())
    }

    /// Sends close_notify if the connection uses TLS.
    pub(super) fn end_tls(&mut self) {
        self.control.stream_mut().end_tls();
    }

    /// Returns whether the client has sent nothing after the last command.
    pub(super) fn is_empty(&self) -> bool {
        self.control.is_empty() && self.control.stream().pending() == 0
    }

    /// Returns the TLS connection, if any.
    pub(super) fn tls(&self) -> Option<&Tls> {
        self.control.stream().tls()
    }

    /// Sends a new session ticket with the next reply (TLS 1.3). The client may have used its last one
    /// for a data connection, or it may have expired.
    pub(super) fn renew_ticket(&mut self) {
        if let Some(tls) = self.control.stream_mut().tls_mut() {
            tls.renew_ticket();
        }
    }

    /// Performs the TLS handshake, until the deadline or the shutdown, and starts TLS on the connection.
    ///
    /// # Errors
    /// Returns why the handshake failed.
    pub(super) fn start_tls(
        &mut self,
        context: &TlsContext,
        binding: &[u8; 16],
        deadline: Option<Instant>,
    ) -> io::Result<Waited> {
        let stream = self.control.stream_mut();
        let tcp = stream.tcp().try_clone()?;
        let mut hooks = StopOnDrain(self.shutdown);
        let (waited, tls) = accept_tls(context, tcp, binding, None, deadline, &mut hooks)?;
        if waited == Waited::Ready {
            stream.start_tls(Box::new(tls));
        }
        Ok(waited)
    }

    /// Ends TLS: sends close_notify and waits for data from the client. If that is the client's
    /// close_notify, it is consumed; curl in passive mode sends none and continues without TLS.
    ///
    /// # Errors
    /// `TimedOut` at the deadline, [`Draining`] if the shutdown begins, or a lost connection.
    pub(super) fn remove_tls(&mut self, deadline: Option<Instant>) -> io::Result<()> {
        let stream = self.control.stream_mut();
        stream.end_tls();
        let mut items = [PollItem::new(stream.handle(), Interest::Read), self.shutdown.draining()];
        net::wait(&mut items, deadline)?;
        if items[1].ready() {
            return Err(io::Error::other(Draining));
        }
        if is_tls_record(stream.tcp())? {
            stream.set_deadline(deadline);
            if stream.read(&mut [0; 64])? > 0 {
                return Err(io::Error::new(io::ErrorKind::InvalidData, SENT_AFTER_CCC));
            }
        }
        stream.remove_tls()
    }

    /// Watches the control connection during a transfer, whose bytes `registration` counts.
    pub(super) fn watch<'w>(&'w mut self, registration: &'w Registration<'w>) -> ControlWatch<'w> {
        let watch = ControlWatch::new(&mut self.control, self.shutdown, registration);
        watch.with_script_state(self.half_closed, self.pipelined)
    }

    /// Watches for ABOR during a command that sends no preliminary reply.
    pub(super) fn watch_for_abort(&mut self) -> ControlWatch<'_> {
        ControlWatch::for_abort(&mut self.control, self.shutdown)
    }

    /// Checks whether the client has closed its half before a transfer begins.
    pub(super) fn check_half_closed(&mut self) {
        self.half_closed = matches!(read_ahead::read_all(&mut self.control), Some(Ok(())));
    }

    /// Records whether the client had closed its half, as the transfer's watch has found out.
    pub(super) fn set_half_closed(&mut self, half_closed: bool) {
        self.half_closed = half_closed;
    }

    /// Returns whether the client is gone after an upload, so that the end of the data may not be the
    /// end of the file.
    ///
    /// When a process is killed, the system closes its connections one after the other, the data
    /// connection often first. So this waits for the end of the control connection, for a small part of
    /// the duration of the transfer, and not at all after a small, quick one. A client that has sent
    /// QUIT may close the connection, and one that had closed its half before the upload is present
    /// until the connection is lost.
    pub(super) fn client_is_gone(&mut self, moved: u64, took: Duration) -> bool {
        const QUICK: (u64, Duration) = (64 * 1024, Duration::from_millis(50));
        const SHORTEST: Duration = Duration::from_millis(1);
        const LONGEST: Duration = Duration::from_millis(40);
        let deadline = net::deadline((took / 32).clamp(SHORTEST, LONGEST));
        let handle = self.control.stream().handle();
        if self.half_closed {
            if read_ahead::has_quit(&self.control) {
                return false;
            }
            let _ = net::wait(&mut [PollItem::new(handle, Interest::Loss)], deadline);
            return read_ahead::is_lost(&self.control);
        }
        let is_quick = moved <= QUICK.0 && took < QUICK.1;
        if !is_quick && !self.has_line() {
            let _ = net::wait(&mut [PollItem::new(handle, Interest::Read)], deadline);
        }
        match read_ahead::read_all(&mut self.control) {
            Some(Ok(())) => !read_ahead::has_quit(&self.control),
            Some(Err(_)) => true,
            None => false,
        }
    }
}
