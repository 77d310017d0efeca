//! [`Data`]: a connection in clear or under TLS, and what each of them does at its ends.

use super::wait::{Attention, Waited, wait_with};
use crate::sys::{Handle, Interest, Tls, Waitable};
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Instant;

/// A data connection, or what a control connection is read from and written to. It does not block.
#[derive(Debug)]
pub enum Data {
    /// In clear.
    Plain(TcpStream),
    /// Under TLS, its handshake done.
    Tls(Box<Tls>),
}

impl Data {
    /// Returns true if the bytes of files go as they are, so that the system can move them by itself.
    pub fn is_plain(&self) -> bool {
        matches!(self, Data::Plain(_))
    }

    /// The socket.
    pub fn tcp(&self) -> &TcpStream {
        match self {
            Data::Plain(tcp) => tcp,
            Data::Tls(tls) => tls.tcp(),
        }
    }

    /// The TLS, if there is.
    pub fn tls(&self) -> Option<&Tls> {
        match self {
            Data::Plain(_) => None,
            Data::Tls(tls) => Some(tls),
        }
    }

    /// The TLS, if there is, to change it.
    pub fn tls_mut(&mut self) -> Option<&mut Tls> {
        match self {
            Data::Plain(_) => None,
            Data::Tls(tls) => Some(tls),
        }
    }

    /// Returns what to wait for after a call that would block. In clear that is `own`, the direction of
    /// the call; TLS may have to write before it can read.
    pub fn wants(&self, own: Interest) -> Interest {
        self.tls().map_or(own, Tls::wants)
    }

    /// Returns how many bytes can be read at once though a poll does not show them.
    pub fn pending(&self) -> usize {
        self.tls().map_or(0, Tls::pending)
    }

    /// Tells the peer that nothing more is sent: TLS says it by a close_notify, and then the half of the
    /// socket is closed. In clear it does nothing, since the end of the connection says it.
    ///
    /// # Errors
    /// `WouldBlock`, or what the system says of a connection that is lost.
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

/// Shakes hands, listening to `attention` meanwhile.
///
/// # Errors
/// Why it failed: a [`TlsError`](crate::sys::TlsError) inside, or what the system says.
pub fn handshake(
    tls: &mut Tls,
    deadline: Option<Instant>,
    attention: &mut impl Attention,
) -> io::Result<Waited> {
    loop {
        match tls.handshake() {
            Ok(()) => return Ok(Waited::Ready),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        }
        match wait_with(tls.handle(), tls.wants(), deadline, 0, attention)? {
            Waited::Ready => {}
            ended => return Ok(ended),
        }
    }
}

#[cfg(test)]
pub(crate) mod testing {
    //! Both ends of a connection under TLS.

    use super::*;
    use crate::net;
    use crate::sys::{PollItem, TlsContext, TlsVersion, make_certificate, tls_library};
    use std::fs;
    use std::net::TcpListener;
    use std::thread;
    use std::time::Duration;

    /// How long anything may take.
    const PATIENCE: Duration = Duration::from_secs(20);

    /// Waits for nothing else.
    pub(crate) struct Nothing;

    impl Attention for Nothing {
        fn items(&self) -> [PollItem<'_>; 2] {
            [PollItem::nothing(), PollItem::nothing()]
        }

        fn attend(&mut self, _: u64) -> net::Verdict {
            net::Verdict::Continue
        }
    }

    /// Both ends of a TCP connection, which do not block.
    pub(crate) fn tcp_pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (near, listener.accept().unwrap().0)
    }

    /// A server's context and a client's; `None`, with a word, where there is no library for TLS.
    pub(crate) fn contexts() -> Option<(TlsContext, TlsContext)> {
        let library = tls_library(None).inspect_err(|error| println!("left out: {error}")).ok()?;
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("certificate");
        fs::write(&file, make_certificate(library, &["localhost".into()], 9).unwrap().pem).unwrap();
        let server = TlsContext::server(library, &file, &file, TlsVersion::V1_2).unwrap();
        let client = TlsContext::client(library, Some(&file), TlsVersion::V1_2).unwrap();
        Some((server, client))
    }

    /// The server's end and the client's, after the handshake, with this many tickets on their way to
    /// the client.
    pub(crate) fn tls_pair(tickets: u32) -> Option<(Box<Tls>, Box<Tls>)> {
        let (server, client) = contexts()?;
        let (near, far) = tcp_pair();
        let mut near = server.accept(near, &[1; 16], Some(tickets)).unwrap();
        let mut far = client.connect(far, "localhost", None).unwrap();
        thread::scope(|scope| {
            let shake = |tls: &mut Tls| {
                let ended = handshake(tls, net::deadline(PATIENCE), &mut Nothing);
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

    /// Says stop when it is called, which is at once.
    struct Called(Event);

    impl Attention for Called {
        fn items(&self) -> [PollItem<'_>; 2] {
            [PollItem::new(self.0.handle(), Interest::Read), PollItem::nothing()]
        }

        fn attend(&mut self, _: u64) -> Verdict {
            Verdict::Stop
        }
    }

    #[test]
    fn a_handshake_that_hangs_ends_by_its_deadline_or_by_who_stops_it() {
        let Some((server, client)) = contexts() else { return };
        let (near, _far) = tcp_pair();
        let mut tls = server.accept(near, &[1; 16], None).unwrap();
        let soon = net::deadline(Duration::from_millis(1));
        assert_eq!(handshake(&mut tls, soon, &mut Nothing).unwrap(), Waited::TimedOut);
        let called = Event::new().unwrap();
        called.set();
        assert_eq!(handshake(&mut tls, None, &mut Called(called)).unwrap(), Waited::Stopped);
        // And by the end of the peer.
        let (near, far) = tcp_pair();
        let mut tls = client.connect(near, "localhost", None).unwrap();
        drop(far);
        assert!(handshake(&mut tls, None, &mut Nothing).is_err());
    }
}
