//! The control connection of a session: commands in, replies out.

use crate::net::{self, Attention, Draining, Stream, Verdict, Waited};
use crate::protocol::{Control, Line, Reply};
use crate::server::monitor::sessions::Registration;
use crate::server::session::control_watch::ControlWatch;
use crate::server::session::read_ahead;
use crate::server::session::security::shake;
use crate::shutdown::{Shutdown, Stage};
use crate::sys::{Interest, PollItem, Tls, TlsContext, Waitable};
use std::io::{self, Read};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// What a client did that sent more under TLS after CCC.
const SENT_AFTER_CCC: &str = "the client continued under TLS after CCC";

/// Returns true if the next byte begins a record of TLS (RFC 8446 section 5.1): no line of text begins
/// so.
fn is_tls_record(tcp: &TcpStream) -> io::Result<bool> {
    let mut first = [0];
    Ok(tcp.peek(&mut first)? > 0 && (20..=23).contains(&first[0]))
}

/// Stops a wait when the server drains.
struct UntilDrain<'a>(&'a Shutdown);

impl Attention for UntilDrain<'_> {
    fn items(&self) -> [PollItem<'_>; 2] {
        [self.0.draining(), PollItem::nothing()]
    }

    fn attend(&mut self, _moved: u64) -> Verdict {
        if self.0.stage() == Stage::Running { Verdict::Continue } else { Verdict::Stop }
    }
}

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
        stream.end_sending()?;
        stream.set_deadline(net::deadline(PATIENCE));
        while self.control.fill().is_ok_and(|length| length > 0) {
            while self.control.take_line().is_some() {}
        }
        Ok(())
    }

    /// Says that nothing more comes, where TLS has a word for that.
    pub(super) fn end_tls(&mut self) {
        self.control.stream_mut().end_tls();
    }

    /// Returns true if the client has sent nothing beyond the last command.
    pub(super) fn is_empty(&self) -> bool {
        self.control.is_empty() && self.control.stream().pending() == 0
    }

    /// The TLS that the connection is under, if it is.
    pub(super) fn tls(&self) -> Option<&Tls> {
        self.control.stream().tls()
    }

    /// Sends a new ticket to a client of TLS 1.3 with the next reply: it may have used up the one for its
    /// last data connection, or the old ones may be out of date.
    pub(super) fn renew_ticket(&mut self) {
        if let Some(tls) = self.control.stream_mut().tls_mut() {
            tls.renew_ticket();
        }
    }

    /// Shakes hands, until the deadline or until the server drains, and puts the connection under TLS.
    ///
    /// # Errors
    /// Why the handshake failed.
    pub(super) fn secure(
        &mut self,
        context: &TlsContext,
        binding: &[u8; 16],
        deadline: Option<Instant>,
    ) -> io::Result<Waited> {
        let stream = self.control.stream_mut();
        let tcp = stream.tcp().try_clone()?;
        let mut attention = UntilDrain(self.shutdown);
        let (waited, tls) = shake(context, tcp, binding, None, deadline, &mut attention)?;
        if waited == Waited::Ready {
            stream.secure(Box::new(tls));
        }
        Ok(waited)
    }

    /// Takes the TLS off: says close_notify, and waits for what the client sends next. If that is its
    /// close_notify, it is read under TLS; curl sends none in passive mode and continues in clear.
    ///
    /// # Errors
    /// `TimedOut` at the deadline, [`Draining`] when the server ends, or a lost connection.
    pub(super) fn strip(&mut self, deadline: Option<Instant>) -> io::Result<()> {
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
        stream.strip()
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
