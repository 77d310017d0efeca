//! [`Data`]: a connection in the clear or under TLS.

use super::wait::{TransferHooks, Waited, wait_with};
use crate::sys::{Handle, Interest, Tls, Waitable};
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Instant;

/// A data connection, or the transport of a control connection. It is nonblocking.
#[derive(Debug)]
pub enum Data {
    /// Without TLS.
    Plain(TcpStream),
    /// Under TLS, after the handshake.
    Tls(Box<Tls>),
}

impl Data {
    /// Returns whether bytes are sent unencrypted, so that the system can move those of a file itself.
    pub fn is_plain(&self) -> bool {
        matches!(self, Data::Plain(_))
    }

    /// Returns the socket.
    pub fn tcp(&self) -> &TcpStream {
        match self {
            Data::Plain(tcp) => tcp,
            Data::Tls(tls) => tls.tcp(),
        }
    }

    /// Returns the TLS connection, if any.
    pub fn tls(&self) -> Option<&Tls> {
        match self {
            Data::Plain(_) => None,
            Data::Tls(tls) => Some(tls),
        }
    }

    /// Returns the TLS connection, if any, for changes.
    pub fn tls_mut(&mut self) -> Option<&mut Tls> {
        match self {
            Data::Plain(_) => None,
            Data::Tls(tls) => Some(tls),
        }
    }

    /// Returns what to poll for after a call that would block. Without TLS that is `own`, the direction of the call;
    /// TLS may have to write before it can read.
    pub fn wants(&self, own: Interest) -> Interest {
        self.tls().map_or(own, Tls::wants)
    }

    /// Returns the number of decrypted bytes that can be read at once, although a poll does not show them.
    pub fn pending(&self) -> usize {
        self.tls().map_or(0, Tls::pending)
    }

    /// Tells the peer that no more data follows: sends close_notify and closes the sending side of the socket. Without
    /// TLS nothing is done, because the end of the connection ends the data.
    ///
    /// # Errors
    /// `WouldBlock`, or the system's error if the connection is lost.
    pub fn end_sending(&mut self) -> io::Result<()> {
        match self {
            Data::Plain(_) => Ok(()),
            Data::Tls(tls) => {
                tls.end_sending()?;
                tls.tcp().shutdown(std::net::Shutdown::Write)
            }
        }
    }
}

impl From<TcpStream> for Data {
    fn from(tcp: TcpStream) -> Data {
        Data::Plain(tcp)
    }
}

impl From<Box<Tls>> for Data {
    fn from(tls: Box<Tls>) -> Data {
        Data::Tls(tls)
    }
}

impl Waitable for Data {
    fn handle(&self) -> Handle<'_> {
        Waitable::handle(self.tcp())
    }
}

impl Read for Data {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Data::Plain(tcp) => tcp.read(buffer),
            Data::Tls(tls) => tls.read(buffer),
        }
    }
}

impl Write for Data {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Data::Plain(tcp) => tcp.write(bytes),
            Data::Tls(tls) => tls.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Performs the TLS handshake, calling `hooks` while it waits.
///
/// # Errors
/// A [`TlsError`](crate::sys::TlsError) inside the error, or the system's error.
pub fn handshake(
    tls: &mut Tls,
    deadline: Option<Instant>,
    hooks: &mut impl TransferHooks,
) -> io::Result<Waited> {
    loop {
        match tls.handshake() {
            Ok(()) => return Ok(Waited::Ready),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        }
        match wait_with(tls.handle(), tls.wants(), deadline, 0, hooks)? {
            Waited::Ready => {}
            ended => return Ok(ended),
        }
    }
}

#[cfg(test)]
pub(crate) mod testing {
    //! Both ends of a TLS connection, for tests.

    use super::*;
    use crate::net;
    use crate::sys::{PollItem, TlsContext, TlsVersion, make_certificate, tls_library};
    use std::fs;
    use std::net::TcpListener;
    use std::thread;
    use std::time::Duration;

    /// The time limit of every wait in the tests.
    const TIMEOUT: Duration = Duration::from_secs(20);

    /// Hooks that never stop a wait.
    pub(crate) struct Nothing;

    impl TransferHooks for Nothing {
        fn items(&self) -> [PollItem<'_>; 2] {
            [PollItem::nothing(), PollItem::nothing()]
        }

        fn check(&mut self, _: u64) -> net::Verdict {
            net::Verdict::Continue
        }
    }

    /// Creates both ends of a nonblocking TCP connection.
    pub(crate) fn tcp_pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (near, listener.accept().unwrap().0)
    }

    /// Creates a server's and a client's TLS context. Prints a message and returns `None` without a TLS library.
    pub(crate) fn contexts() -> Option<(TlsContext, TlsContext)> {
        let library = tls_library(None).inspect_err(|error| println!("skipped: {error}")).ok()?;
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("certificate");
        fs::write(&file, make_certificate(library, &["localhost".into()], 9).unwrap().pem).unwrap();
        let server = TlsContext::server(library, &file, &file, TlsVersion::V1_2).unwrap();
        let client = TlsContext::client(library, Some(&file), TlsVersion::V1_2).unwrap();
        Some((server, client))
    }

    /// Creates the server's and the client's end of a TLS connection after the handshake, in which the server sends
    /// this many tickets.
    pub(crate) fn tls_pair(tickets: u32) -> Option<(Box<Tls>, Box<Tls>)> {
        let (server, client) = contexts()?;
        let (near, far) = tcp_pair();
        let mut near = server.accept(near, &[1; 16], Some(tickets)).unwrap();
        let mut far = client.connect(far, "localhost", None).unwrap();
        thread::scope(|scope| {
            let shake = |tls: &mut Tls| {
                let ended = handshake(tls, net::deadline(TIMEOUT), &mut Nothing);
                assert_eq!(ended.unwrap(), Waited::Ready);
            };
            let other = scope.spawn(move || {
                shake(&mut far);
                far
            });
            shake(&mut near);
            Some((Box::new(near), Box::new(other.join().unwrap())))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::testing::{Nothing, contexts, tcp_pair};
    use super::*;
    use crate::net::{self, Verdict};
    use crate::sys::{Event, PollItem};
    use std::time::Duration;

    /// Hooks that are called at once and stop the wait.
    struct Called(Event);

    impl TransferHooks for Called {
        fn items(&self) -> [PollItem<'_>; 2] {
            [PollItem::new(self.0.handle(), Interest::Read), PollItem::nothing()]
        }

        fn check(&mut self, _: u64) -> Verdict {
            Verdict::Stop
        }
    }

    #[test]
    fn a_stuck_handshake_ends_at_its_deadline_or_when_stopped() {
        let Some((server, client)) = contexts() else { return };
        let (near, _far) = tcp_pair();
        let mut tls = server.accept(near, &[1; 16], None).unwrap();
        let soon = net::deadline(Duration::from_millis(1));
        assert_eq!(handshake(&mut tls, soon, &mut Nothing).unwrap(), Waited::TimedOut);
        let called = Event::new().unwrap();
        called.set();
        assert_eq!(handshake(&mut tls, None, &mut Called(called)).unwrap(), Waited::Stopped);
        // A handshake also ends when the peer disconnects.
        let (near, far) = tcp_pair();
        let mut tls = client.connect(near, "localhost", None).unwrap();
        drop(far);
        assert!(handshake(&mut tls, None, &mut Nothing).is_err());
    }
}
