//! [`Stream`]: a control connection whose reads and writes end.

use super::data::Data;
use super::wait::{deadline, sooner, wait};
use crate::shutdown::{Shutdown, Stage};
use crate::sys::{self, Handle, Interest, PollItem, Tls, TlsError, TlsErrorKind, Waitable};
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};
use std::{error, fmt};

/// How long a peer may leave a reply or a command of ours unread before it is given up.
const WRITE_PATIENCE: Duration = Duration::from_secs(30);

/// After how much silence the system asks a peer's machine whether it is still there.
const PROBE_AFTER: Duration = Duration::from_secs(120);

/// After how much of a wait the memory is worth a system call or two.
const LONG_WAIT: Duration = Duration::from_secs(2);

/// A stream for a control connection: reads end at a deadline that its owner sets, and when the
/// program drains; writes end when the peer does not read for half a minute.
#[derive(Debug)]
pub struct Stream {
    transport: Data,
    deadline: Option<Instant>,
    waiting: bool,
    shutdown: Option<Shutdown>,
    thrifty: bool,
}

impl Stream {
    /// Takes a connected socket. `shutdown` ends reads with [`Draining`] inside the error.
    ///
    /// # Errors
    /// What the system says of a broken socket.
    pub fn new(tcp: TcpStream, shutdown: Option<Shutdown>) -> io::Result<Stream> {
        tcp.set_nonblocking(true)?;
        if !tcp.nodelay()? {
            prepare(&tcp)?;
        }
        let transport = Data::Plain(tcp);
        Ok(Stream { transport, deadline: None, waiting: true, shutdown, thrifty: false })
    }

    /// From when on reads fail with `TimedOut`; `None` is never.
    pub fn set_deadline(&mut self, deadline: Option<Instant>) {
        self.deadline = deadline;
    }

    /// Whether reads wait. If not, they fail with `WouldBlock` where nothing has arrived.
    pub fn set_waiting(&mut self, waiting: bool) {
        self.waiting = waiting;
    }

    /// Has the thread that waits here for long give back the memory it does not need meanwhile. Not
    /// for the main thread.
    pub fn be_thrifty(&mut self) {
        self.thrifty = true;
    }

    /// The socket.
    pub fn tcp(&self) -> &TcpStream {
        self.transport.tcp()
    }

    /// The TLS that the stream is under, if it is.
    pub fn tls(&self) -> Option<&Tls> {
        self.transport.tls()
    }

    /// The TLS that the stream is under, if it is, to change it.
    pub fn tls_mut(&mut self) -> Option<&mut Tls> {
        self.transport.tls_mut()
    }

    /// Returns how many bytes can be read at once though a poll does not show them.
    pub fn pending(&self) -> usize {
        self.transport.pending()
    }

    /// Returns what to wait for before the next read. TLS may have to write first: while a peer that asks
    /// for new keys does not read the answer, its socket is ready to be read and no read gets on.
    pub fn wants_to_read(&self) -> Interest {
        self.transport.wants(Interest::Read)
    }

    /// Puts the stream under TLS, whose handshake over this socket is done. Nothing that was read in clear
    /// may be left over above it.
    pub fn secure(&mut self, tls: Box<Tls>) {
        self.transport = Data::Tls(tls);
    }

    /// Takes the TLS off, so that bytes go as they are from here on.
    ///
    /// # Errors
    /// No descriptor is free.
    pub fn strip(&mut self) -> io::Result<()> {
        self.transport = Data::Plain(self.tcp().try_clone()?);
        Ok(())
    }

    /// Says that nothing more is sent, by a close_notify under TLS, and closes this half. What the peer
    /// still sends is read as it is, to be thrown away.
    ///
    /// # Errors
    /// What the system says of a connection that is lost.
    pub fn end_sending(&mut self) -> io::Result<()> {
        self.end_tls();
        if !self.transport.is_plain() {
            // Without a descriptor for it the rest is read under TLS.
            let _ = self.strip();
        }
        self.tcp().shutdown(std::net::Shutdown::Write)
    }

    /// Says close_notify under TLS, if there is room for it, and does nothing in clear.
    pub fn end_tls(&mut self) {
        if let Some(tls) = self.transport.tls_mut() {
            // A peer that does not read needs no goodbye.
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
            // Also who never pauses meets the deadline.
            if self.deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                return Err(io::ErrorKind::TimedOut.into());
            }
            let is_plain = self.transport.is_plain();
            // What is decrypted already does not show in a poll.
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
            if self.thrifty {
                wait_thriftily(&mut items, self.deadline)?;
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
    /// Reads without waiting. A connection that ends without close_notify has ended all the same: lines
    /// have ends of their own, so that none can be cut short unseen.
    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.transport.read(buffer) {
            Err(error) if was_truncated(&error) => Ok(0),
            other => other,
        }
    }

    /// Fails with [`Draining`] if the program drains.
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
        let patience = deadline(WRITE_PATIENCE);
        loop {
            match self.transport.write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let interest = self.transport.wants(Interest::Write);
                    wait(&mut [PollItem::new(self.handle(), interest)], patience)?;
                }
                other => return other,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// [`wait`], giving back what this thread's stack holds unused once the wait is long.
fn wait_thriftily(items: &mut [PollItem<'_>], until: Option<Instant>) -> io::Result<()> {
    let at_first = sooner(until, deadline(LONG_WAIT));
    match wait(items, at_first) {
        Err(error) if error.kind() == io::ErrorKind::TimedOut && at_first != until => {
            sys::release_stack();
            wait(items, until)
        }
        other => other,
    }
}

/// Sets the options of a control connection on a listener, whose connections have them from the
/// beginning where the system hands them on: six system calls less for each.
///
/// # Errors
/// What the system says of a broken socket.
pub fn prepare_listener(listener: &TcpListener) -> io::Result<()> {
    if sys::CAN_INHERIT_OPTIONS { prepare(listener) } else { Ok(()) }
}

fn prepare(socket: &impl Waitable) -> io::Result<()> {
    // A system without one of these two serves all the same.
    // RFC 959 section 4.1.3: ABOR may come after a Telnet Synch, whose mark is urgent data.
    let _ = sys::inline_urgent(socket);
    // A peer that went away without a word would keep its place as long as it may be idle.
    let _ = sys::keep_alive(socket, PROBE_AFTER);
    // A command or reply is one write and wants to leave at once (44 ms without this). Last, since it
    // says that the others are set.
    sys::no_delay(socket)
}

/// Inside the `io::Error` of a read that ended because the program drains.
#[derive(Debug)]
pub struct Draining;

impl Draining {
    /// Whether this is why `error` came.
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
    use crate::net::data::testing::tls_pair;
    use crate::sys::{Interest, PollItem, poll};

    /// Streams of a server and of a client under TLS.
    fn streams() -> Option<(Stream, Stream)> {
        let (server, client) = tls_pair(2)?;
        let stream = |tls: Box<Tls>| {
            let mut stream = Stream::new(tls.tcp().try_clone().unwrap(), None).unwrap();
            stream.secure(tls);
            stream
        };
        Some((stream(server), stream(client)))
    }

    #[test]
    fn what_is_decrypted_is_read_without_a_poll() {
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
    fn a_socket_that_is_readable_may_have_nothing_to_read() {
        let Some((_server, mut client)) = streams() else { return };
        // The tickets of TLS 1.3 have come, or will.
        let mut items = [PollItem::new(client.handle(), Interest::Read)];
        assert_eq!(poll(&mut items, Some(Duration::from_secs(20))).unwrap(), 1);
        client.set_waiting(false);
        assert_eq!(client.read(&mut [0; 9]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        client.set_waiting(true);
        client.set_deadline(deadline(Duration::from_millis(1)));
        assert_eq!(client.read(&mut [0; 9]).unwrap_err().kind(), io::ErrorKind::TimedOut);
    }

    #[test]
    fn the_deadline_and_the_end_of_the_program_count_though_bytes_are_there() {
        let Some((mut server, client)) = tls_pair(2) else { return };
        let shutdown = Shutdown::new().unwrap();
        let tcp = client.tcp().try_clone().unwrap();
        let mut client_stream = Stream::new(tcp, Some(shutdown.clone())).unwrap();
        client_stream.secure(client);
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
    fn lines_end_with_the_connection_whatever_it_says() {
        let Some((mut server, mut client)) = streams() else { return };
        server.end_tls();
        assert_eq!(client.read(&mut [0; 9]).unwrap(), 0);
        let Some((server, mut client)) = streams() else { return };
        drop(server);
        assert_eq!(client.read(&mut [0; 9]).unwrap(), 0);
    }

    #[test]
    fn after_its_end_what_comes_is_read_as_it_is() {
        let Some((mut server, mut client)) = streams() else { return };
        client.write_all(b"under TLS").unwrap();
        server.end_sending().unwrap();
        let mut byte = [0];
        assert_eq!(server.read(&mut byte).unwrap(), 1);
        assert_eq!(byte, [23], "the first byte of a record");
        // And CCC continues in clear both ways.
        let Some((mut server, mut client)) = streams() else { return };
        server.end_tls();
        assert_eq!(client.read(&mut [0; 9]).unwrap(), 0);
        client.strip().unwrap();
        server.strip().unwrap();
        client.write_all(b"in clear").unwrap();
        let mut text = [0; 8];
        server.read_exact(&mut text).unwrap();
        assert_eq!(&text, b"in clear");
    }
}
