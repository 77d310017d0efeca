//! [`Data`]: a data connection.

use crate::sys::{Handle, Waitable};
use std::io::{self, Read, Write};
use std::net::TcpStream;

/// A data connection, which does not block.
#[derive(Debug)]
pub enum Data {
    /// In clear.
    Plain(TcpStream),
}

impl Data {
    /// Returns true if the bytes of files go as they are, so that the system can move them by itself.
    pub fn is_plain(&self) -> bool {
        match self {
            Data::Plain(_) => true,
        }
    }

    /// The socket.
    pub fn tcp(&self) -> &TcpStream {
        match self {
            Data::Plain(tcp) => tcp,
        }
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
        }
    }
}

impl Write for Data {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Data::Plain(tcp) => tcp.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
