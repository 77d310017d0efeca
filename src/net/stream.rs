//! [`Stream`]: a control connection whose reads and writes have deadlines.

use super::data::Data;
use super::wait::{deadline, has_passed, sooner, wait};
use crate::shutdown::{Shutdown, Stage};
use crate::sys::{self, Handle, Interest, PollItem, Tls, TlsError, TlsErrorKind, Waitable};
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};
use std::{error, fmt};

/// The time within which a peer must read a reply or a command.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// The number of bytes that extend [`WRITE_TIMEOUT`] by a second, for long replies to slow clients.
const BYTES_PER_SECOND: u64 = 4096;

/// The idle time after which TCP keepalive probes the peer.
const PROBE_AFTER: Duration = Duration::from_secs(120);

/// The wait after which releasing memory is worth its system calls.
const LONG_WAIT: Duration = Duration::from_secs(2);

/// A stream for a control connection. Reads end at a deadline set by the owner, and when the shutdown begins; writes
/// end if the peer does not read for half a minute.
#[derive(Debug)]
pub struct Stream {
    transport: Data,
    deadline: Option<Instant>,
    waiting: bool,
    shutdown: Option<Shutdown>,
    releases_stack: bool,
}

impl Stream {
    /// Takes a connected socket. When `shutdown` begins, reads fail with [`Draining`] inside the error.
    ///
    /// # Errors
    /// Fails if the system cannot configure the socket.
    pub fn new(tcp: TcpStream, shutdown: Option<Shutdown>) -> io::Result<Stream> {
        tcp.set_nonblocking(true)?;
        if !tcp.nodelay()? {
            prepare(&tcp)?;
        }
        let transport = Data::Plain(tcp);
        Ok(Stream { transport, deadline: None, waiting: true, shutdown, releases_stack: false })
    }

    /// Sets the time from which reads fail with `TimedOut`; `None` means never.
    pub fn set_deadline(&mut self, deadline: Option<Instant>) {
        self.deadline = deadline;
    }

    /// Sets whether reads wait. If not, they fail with `WouldBlock` when no data has arrived.
    pub fn set_waiting(&mut self, waiting: bool) {
        self.waiting = waiting;
    }

    /// Makes long waits release the unused stack pages of the waiting thread, which must not be the main
    /// thread.
    pub fn release_stack_when_idle(&mut self) {
        self.releases_stack = true;
    }

    /// Returns the socket.
    pub fn tcp(&self) -> &TcpStream {
        self.transport.tcp()
    }

    /// Returns the TLS connection, if any.
    pub fn tls(&self) -> Option<&Tls> {
        self.transport.tls()
    }

    /// Returns the TLS connection, if any, for changes.
    pub fn tls_mut(&mut self) -> Option<&mut Tls> {
        self.transport.tls_mut()
    }

    /// Returns the number of decrypted bytes that can be read at once, although a poll does not show them.
    pub fn pending(&self) -> usize {
        self.transport.pending()
    }

    /// Returns what to poll for before the next read. TLS may have to write first: while a peer that requested a key
    /// update does not read the answer, its socket is readable but no read succeeds.
    pub fn wants_to_read(&self) -> Interest {
        self.transport.wants(Interest::Read)
    }

    /// Replaces the transport with a TLS connection over this socket, after its handshake. No unread cleartext may be
    /// buffered above the stream.
    pub fn start_tls(&mut self, tls: Box<Tls>) {
        self.transport = Data::Tls(tls);
    }

    /// Removes TLS, so that later bytes are sent and received unencrypted.
    ///
    /// # Errors
    /// Fails if no descriptor is free.
    pub fn remove_tls(&mut self) -> io::Result<()> {
        self.transport = Data::Plain(self.tcp().try_clone()?);
        Ok(())
    }

    /// Sends close_notify under TLS and closes the sending side of the socket. Afterwards, reads return the peer's
    /// remaining bytes undecrypted, which the caller discards.
    ///
    /// # Errors
    /// The system's error if the connection is lost.
    pub fn end_sending(&mut self) -> io::Result<()> {
        self.end_tls();
        if !self.transport.is_plain() {
            // If no descriptor is free, the remaining bytes are decrypted.
            let _ = self.remove_tls();
        }
        self.tcp().shutdown(std::net::Shutdown::Write)
    }

    /// Sends close_notify under TLS, if the socket has room for it. Does nothing without TLS.
    pub fn end_tls(&mut self) {
        if let Some(tls) = self.transport.tls_mut() {
            // If the peer does not read, close_notify is left out.
            let _ = tls.end_sending();
        }
    }
}

impl Waitable for Stream {
    fn handle(&self) -> Handle<'_> {
        self.transport.handle()
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.waiting {
            // A peer that sends without a pause must not delay the deadline.
            if self.deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                return Err(io::ErrorKind::TimedOut.into());
            }
            let is_plain = self.transport.is_plain();
            // A poll does not show data that is already decrypted.
            if !is_plain {
                self.check_running()?;
                match self.receive(buffer) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    other => return other,
                }
            }
            let shutdown = self.shutdown.as_ref().map_or(PollItem::nothing(), Shutdown::draining);
            let own = PollItem::new(self.handle(), self.wants_to_read());
            let mut items = [own, shutdown];
            if self.releases_stack {
                wait_releasing_stack(&mut items, self.deadline)?;
            } else {
                wait(&mut items, self.deadline)?;
            }
            if items[1].ready() {
                return Err(io::Error::other(Draining));
            }
            if !is_plain {
                continue;
            }
            match self.receive(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                other => return other,
            }
        }
        self.receive(buffer)
    }
}

impl Stream {
    /// Reads without waiting. A connection that ends without close_notify counts as ended: lines have terminators, so a
    /// truncated one is detected.
    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.transport.read(buffer) {
            Err(error) if was_truncated(&error) => Ok(0),
            other => other,
        }
    }

    /// Fails with [`Draining`] once the shutdown has begun.
    fn check_running(&self) -> io::Result<()> {
        match self.shutdown.as_ref().map(Shutdown::stage) {
            None | Some(Stage::Running) => Ok(()),
            Some(Stage::Draining | Stage::Stopping) => Err(io::Error::other(Draining)),
        }
    }
}

fn was_truncated(error: &io::Error) -> bool {
    TlsError::of(error).is_some_and(|error| error.kind() == TlsErrorKind::Truncated)
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_by(bytes, write_deadline(bytes.len()))
    }

    /// Writes all bytes before one deadline, which a peer that reads slowly does not move.
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all_by(bytes, write_deadline(bytes.len()))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn write_deadline(length: usize) -> Option<Instant> {
    deadline(WRITE_TIMEOUT.saturating_add(Duration::from_secs(length as u64 / BYTES_PER_SECOND)))
}

impl Stream {
    fn write_by(&mut self, bytes: &[u8], deadline: Option<Instant>) -> io::Result<usize> {
        loop {
            match self.transport.write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    // Without this a peer that always makes room again could exceed the deadline.
                    if has_passed(deadline) {
                        return Err(io::ErrorKind::TimedOut.into());
                    }
                    let interest = self.transport.wants(Interest::Write);
                    wait(&mut [PollItem::new(self.handle(), interest)], deadline)?;
                }
                other => return other,
            }
        }
    }

    fn write_all_by(&mut self, mut bytes: &[u8], deadline: Option<Instant>) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.write_by(bytes, deadline) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => bytes = &bytes[written..],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Like [`wait`], but releases the unused stack pages of this thread after a while.
fn wait_releasing_stack(items: &mut [PollItem<'_>], until: Option<Instant>) -> io::Result<()> {
    let at_first = sooner(until, deadline(LONG_WAIT));
    match wait(items, at_first) {
        Err(error) if error.kind() == io::ErrorKind::TimedOut && at_first != until => {
            sys::release_stack();
            wait(items, until)
        }
        other => other,
    }
}

/// Sets the options of a control connection on a listener if the system copies them to accepted connections. This saves
/// six system calls per connection.
///
/// # Errors
/// Fails if the system cannot configure the socket.
pub fn prepare_listener(listener: &TcpListener) -> io::Result<()> {
    if sys::CAN_INHERIT_OPTIONS { prepare(listener) } else { Ok(()) }
}

fn prepare(socket: &impl Waitable) -> io::Result<()> {
    // The first two options are not essential.
    // RFC 959 section 4.1.3: ABOR may come after a Telnet Synch, whose mark is urgent data.
    let _ = sys::inline_urgent(socket);
    // Keepalive detects peers that disappeared, which would occupy a session until the idle timeout.
    let _ = sys::keep_alive(socket, PROBE_AFTER);
    // Commands and replies are single writes and must be sent at once (44 ms faster). This option is set last, because
    // `Stream::new` treats it as a sign that all are set.
    sys::no_delay(socket)
}

/// The inner error of a read that ended because the shutdown began.
#[derive(Debug)]
pub struct Draining;

impl Draining {
    /// Returns whether `error` has this cause.
    pub fn caused(error: &io::Error) -> bool {
        error.get_ref().is_some_and(|inner| inner.is::<Draining>())
    }
}

impl fmt::Display for Draining {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the program is shutting down")
    }
}

impl error::Error for Draining {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::data::testing::{tcp_pair, tls_pair};
    use crate::sys::{Interest, PollItem, poll};

    /// Returns a server's and a client's stream of one TLS connection.
    fn streams() -> Option<(Stream, Stream)> {
        let (server, client) = tls_pair(2)?;
        let stream = |tls: Box<Tls>| {
            let mut stream = Stream::new(tls.tcp().try_clone().unwrap(), None).unwrap();
            stream.start_tls(tls);
            stream
        };
        Some((stream(server), stream(client)))
    }

    #[test]
    fn decrypted_data_is_read_without_a_poll() {
        let Some((mut server, mut client)) = streams() else { return };
        server.write_all(&[7; 3_000]).unwrap();
        let (mut piece, mut got) = ([0; 512], 0);
        while got < 3_000 {
            got += client.read(&mut piece).unwrap();
            if got < 3_000 {
                assert_eq!(client.pending(), 3_000 - got);
            }
        }
    }

    #[test]
    fn a_readable_tls_socket_may_have_no_data() {
        let Some((_server, mut client)) = streams() else { return };
        // The session tickets of TLS 1.3 make the socket readable.
        let mut items = [PollItem::new(client.handle(), Interest::Read)];
        assert_eq!(poll(&mut items, Some(Duration::from_secs(20))).unwrap(), 1);
        client.set_waiting(false);
        assert_eq!(client.read(&mut [0; 9]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        client.set_waiting(true);
        client.set_deadline(deadline(Duration::from_millis(1)));
        assert_eq!(client.read(&mut [0; 9]).unwrap_err().kind(), io::ErrorKind::TimedOut);
    }

    #[test]
    fn reads_end_at_the_deadline_and_the_shutdown_despite_pending_data() {
        let Some((mut server, client)) = tls_pair(2) else { return };
        let shutdown = Shutdown::new().unwrap();
        let tcp = client.tcp().try_clone().unwrap();
        let mut client_stream = Stream::new(tcp, Some(shutdown.clone())).unwrap();
        client_stream.start_tls(client);
        server.write_all(&[7; 100]).unwrap();
        assert_eq!(client_stream.read(&mut [0; 1]).unwrap(), 1);
        client_stream.set_deadline(Some(Instant::now()));
        let error = client_stream.read(&mut [0; 1]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        client_stream.set_deadline(None);
        shutdown.drain();
        assert!(Draining::caused(&client_stream.read(&mut [0; 1]).unwrap_err()));
    }

    #[test]
    fn a_peer_that_reads_slowly_does_not_move_the_deadline_of_a_write() {
        let (near, mut far) = tcp_pair();
        let mut stream = Stream::new(near, None).unwrap();
        let reading =
            std::thread::spawn(
                move || {
                    while far.read(&mut [0; 4096]).is_ok_and(|length| length > 0) {}
                },
            );
        // More than the buffers of any system hold.
        let long = vec![7; 64 << 20];
        let error = stream.write_all_by(&long, Some(Instant::now())).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        drop(stream);
        reading.join().unwrap();
    }

    #[test]
    fn a_connection_ends_with_or_without_close_notify() {
        let Some((mut server, mut client)) = streams() else { return };
        server.end_tls();
        assert_eq!(client.read(&mut [0; 9]).unwrap(), 0);
        let Some((server, mut client)) = streams() else { return };
        drop(server);
        assert_eq!(client.read(&mut [0; 9]).unwrap(), 0);
    }

    #[test]
    fn after_end_sending_bytes_are_read_undecrypted() {
        let Some((mut server, mut client)) = streams() else { return };
        client.write_all(b"under TLS").unwrap();
        server.end_sending().unwrap();
        let mut byte = [0];
        assert_eq!(server.read(&mut byte).unwrap(), 1);
        assert_eq!(byte, [23], "the first byte of a record");
        // After CCC, data in both directions is unencrypted.
        let Some((mut server, mut client)) = streams() else { return };
        server.end_tls();
        assert_eq!(client.read(&mut [0; 9]).unwrap(), 0);
        client.remove_tls().unwrap();
        server.remove_tls().unwrap();
        client.write_all(b"in clear").unwrap();
        let mut text = [0; 8];
        server.read_exact(&mut text).unwrap();
        assert_eq!(&text, b"in clear");
    }
}
