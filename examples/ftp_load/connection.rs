//! [`Connection`]: a connection with blocking calls, in the clear or under TLS.

use mt_ftp::net::{self, Data};
use mt_ftp::sys::{
    Interest, PollItem, Tls, TlsContext, TlsSession, TlsVersion, Waitable, tls_library,
};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::OnceLock;
use std::time::Duration;

/// A connection. In clear its socket blocks, so that a call is one system call. Under TLS the socket
/// does not block, and a call polls if it would.
#[derive(Debug)]
pub struct Connection {
    data: Data,
    timeout: Duration,
}

impl Connection {
    /// Takes a connected socket, whose reads and writes time out after `timeout`.
    ///
    /// # Errors
    /// Returns the errors of the socket.
    pub fn new(tcp: TcpStream, timeout: Duration) -> io::Result<Connection> {
        tcp.set_read_timeout(Some(timeout))?;
        tcp.set_write_timeout(Some(timeout))?;
        Ok(Connection { data: tcp.into(), timeout })
    }

    /// Sends small writes at once.
    ///
    /// # Errors
    /// Returns the errors of the socket.
    pub fn set_nodelay(&self) -> io::Result<()> {
        self.data.tcp().set_nodelay(true)
    }

    /// Returns the TLS of an encrypted connection.
    pub fn tls(&self) -> Option<&Tls> {
        self.data.tls()
    }

    /// Encrypts the connection. The certificate is not checked. `session` is resumed if the server
    /// agrees.
    ///
    /// # Errors
    /// Fails if there is no TLS library, or if the handshake fails.
    pub fn encrypt(&mut self, session: Option<&TlsSession>) -> io::Result<()> {
        let tcp = self.data.tcp().try_clone()?;
        let host = tcp.peer_addr()?.ip().to_string();
        self.handshake(context()?.connect(tcp, &host, session)?)
    }

    /// Continues under TLS, after the handshake.
    fn handshake(&mut self, tls: Tls) -> io::Result<()> {
        self.data = Box::new(tls).into();
        self.retry_until_ready(Interest::Read, |data| data.tls_mut().map_or(Ok(()), Tls::handshake))
    }

    /// Closes a data connection from which everything was read.
    pub fn end_download(mut self) {
        // An error means that the connection was lost, and then no close_notify is needed.
        let _ = self.data.end_sending();
    }

    /// Closes a data connection to which everything was written. Under TLS the end of the file is a
    /// close_notify, and the server closes first: closed with unread tickets in it, the connection
    /// would be reset, and the last bytes would be lost.
    ///
    /// # Errors
    /// Returns the errors of the connection.
    pub fn end_upload(mut self) -> io::Result<()> {
        if self.data.is_plain() {
            return Ok(());
        }
        self.send_close_notify()?;
        // An error is that of a connection that has ended.
        let _ = self.data.tcp().shutdown(Shutdown::Write);
        while let Ok(1..) = self.read(&mut [0; 1024]) {}
        Ok(())
    }

    /// Sends the close_notify of an encrypted connection.
    fn send_close_notify(&mut self) -> io::Result<()> {
        self.retry_until_ready(Interest::Write, |data| {
            data.tls_mut().map_or(Ok(()), Tls::end_sending)
        })
    }

    /// Reads until the server has closed the connection.
    ///
    /// # Errors
    /// Returns the errors of the connection.
    pub fn wait_for_end(&mut self) -> io::Result<()> {
        let mut piece = [0; 512];
        loop {
            match self.read(&mut piece) {
                Ok(0) => break,
                Ok(_) => {}
                // Not every server sends a close_notify here.
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        if !self.data.is_plain() {
            // Some servers wait for the client's close_notify before they close the socket.
            let _ = self.send_close_notify();
            let until = net::deadline(self.timeout);
            let readable = || PollItem::new(self.data.handle(), Interest::Read);
            while net::wait(&mut [readable()], until).is_ok()
                && let Ok(1..) = self.data.tcp().read(&mut piece)
            {}
        }
        Ok(())
    }

    /// Repeats a call that would block, once the socket is ready. In clear the socket blocks, and
    /// `WouldBlock` means that the call timed out.
    fn retry_until_ready<T>(
        &mut self,
        own: Interest,
        mut call: impl FnMut(&mut Data) -> io::Result<T>,
    ) -> io::Result<T> {
        let mut until = None;
        loop {
            match call(&mut self.data) {
                Err(error) if error.kind() == ErrorKind::WouldBlock && !self.data.is_plain() => {}
                other => return other,
            }
            until = until.or_else(|| net::deadline(self.timeout));
            net::wait(&mut [PollItem::new(self.data.handle(), self.data.wants(own))], until)?;
        }
    }
}

impl Read for Connection {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.retry_until_ready(Interest::Read, |data| data.read(buffer))
    }
}

impl Write for Connection {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.retry_until_ready(Interest::Write, |data| data.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Returns the TLS settings of all encrypted connections, which the first call creates. They require
/// TLS 1.3, so that all servers are measured with the same version.
///
/// # Errors
/// Fails if there is no TLS library, or if it cannot be used.
pub fn context() -> io::Result<&'static TlsContext> {
    static CONTEXT: OnceLock<Result<TlsContext, String>> = OnceLock::new();
    let made = CONTEXT.get_or_init(|| {
        let library = tls_library(None).map_err(|error| error.to_string())?;
        TlsContext::client(library, None, TlsVersion::V1_3).map_err(|error| error.to_string())
    });
    made.as_ref().map_err(|text| io::Error::other(text.as_str()))
}

#[cfg(test)]
impl Connection {
    /// Encrypts the server's end of a connection.
    pub fn accept(&mut self, context: &TlsContext) -> io::Result<()> {
        let tcp = self.data.tcp().try_clone()?;
        self.handshake(context.accept(tcp, &[1; 16], None)?)
    }
}
