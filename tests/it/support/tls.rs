//! TLS for tests: a certificate made with [`mt_ftp::sys`], and streams that can be encrypted.

use super::PATIENCE;
use mt_ftp::sys::{PollItem, Waitable, poll};
use mt_ftp::sys::{Tls, TlsContext, TlsVersion, make_certificate, tls_library};
use mt_ftp::text::fingerprint;
use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::path::PathBuf;
use tempfile::TempDir;

/// A server's certificate and key in a file, and the TLS context that uses them.
pub struct Identity {
    dir: TempDir,
    context: TlsContext,
    /// The SHA-256 fingerprint of the certificate, in the form of `--tls-pin`.
    pub pin: String,
}

impl Identity {
    /// Makes a self-signed certificate for 127.0.0.1. Prints a message and returns `None` if there is no
    /// TLS library.
    pub fn new() -> Option<Identity> {
        Identity::with(TlsVersion::V1_2)
    }

    /// Like [`Identity::new`], for a server that requires this TLS version or a later one.
    pub fn with(min: TlsVersion) -> Option<Identity> {
        let library = match tls_library(None) {
            Ok(library) => library,
            Err(error) => {
                println!("skipped: {error}");
                return None;
            }
        };
        let dir = TempDir::new().unwrap();
        let made = make_certificate(library, &["127.0.0.1".to_owned()], 7).unwrap();
        let file = dir.path().join("certificate.pem");
        fs::write(&file, made.pem).unwrap();
        let context = TlsContext::server(library, &file, &file, min).unwrap();
        let pin = fingerprint(&context.own_certificate().unwrap().sha256());
        Some(Identity { dir, context, pin })
    }

    /// Returns the file with the certificate and its key, which can also be the file of `--tls-ca`.
    pub fn file(&self) -> PathBuf {
        self.dir.path().join("certificate.pem")
    }

    /// Performs the handshake as the server. A TLS session can be resumed only with the same `id`.
    pub fn accept(&self, tcp: TcpStream, id: u8) -> io::Result<Wire> {
        let mut tls = self.context.accept(tcp, &[id; 16], None)?;
        wait_for(&mut tls, Tls::handshake)?;
        Ok(Wire::Tls(Box::new(tls)))
    }
}

/// A stream with or without TLS. Its calls wait at most [`PATIENCE`] each.
pub enum Wire {
    Plain(TcpStream),
    Tls(Box<Tls>),
}

impl Wire {
    pub fn tcp(&self) -> &TcpStream {
        match self {
            Wire::Plain(tcp) => tcp,
            Wire::Tls(tls) => tls.tcp(),
        }
    }

    /// Returns whether the stream is encrypted and resumed the TLS session of another stream.
    pub fn is_resumed(&self) -> bool {
        matches!(self, Wire::Tls(tls) if tls.is_resumed())
    }

    /// Performs the TLS handshake as the server on a stream without TLS.
    pub fn accept(&mut self, identity: &Identity, id: u8) -> io::Result<()> {
        *self = identity.accept(self.tcp().try_clone()?, id)?;
        Ok(())
    }

    /// Sends close_notify if the stream is encrypted, and closes its sending direction.
    pub fn end(&mut self) {
        // The peer may already have disconnected.
        if let Wire::Tls(tls) = self {
            let _ = wait_for(tls, Tls::end_sending);
        }
        let _ = self.tcp().shutdown(Shutdown::Write);
    }

    /// Reads to the end of the stream; with TLS that is close_notify.
    pub fn all(&mut self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.read_to_end(&mut bytes).map(|_| bytes)
    }
}

fn wait_for<T>(tls: &mut Tls, mut call: impl FnMut(&mut Tls) -> io::Result<T>) -> io::Result<T> {
    loop {
        match call(tls) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                let ready = poll(&mut [PollItem::new(tls.handle(), tls.wants())], Some(PATIENCE))?;
                assert!(ready > 0, "timed out waiting for TLS");
            }
            other => return other,
        }
    }
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Wire::Plain(tcp) => tcp.read(buffer),
            Wire::Tls(tls) => wait_for(tls, |tls| tls.read(buffer)),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Wire::Plain(tcp) => tcp.write(bytes),
            Wire::Tls(tls) => wait_for(tls, |tls| tls.write(bytes)),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
