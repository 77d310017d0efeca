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
