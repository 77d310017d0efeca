//! TLS for tests: a certificate that the program's own library makes, and streams that may be under TLS.

use super::PATIENCE;
use mt_ftp::sys::{PollItem, Waitable, poll};
use mt_ftp::sys::{Tls, TlsContext, TlsVersion, make_certificate, tls_library};
use mt_ftp::text::fingerprint;
use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::path::PathBuf;
use tempfile::TempDir;

/// A server's certificate, its key, and what it does with them.
pub struct Identity {
    dir: TempDir,
    context: TlsContext,
    /// Its SHA-256, as `--tls-pin` takes it.
    pub pin: String,
}

impl Identity {
    /// A certificate for 127.0.0.1 that is its own authority; `None`, with a word, where there is no
    /// library for TLS.
    pub fn new() -> Option<Identity> {
        Identity::with(TlsVersion::V1_2)
    }

    /// The same for a server that speaks this version at least.
    pub fn with(min: TlsVersion) -> Option<Identity> {
        let library = match tls_library(None) {
            Ok(library) => library,
            Err(error) => {
                println!("left out: {error}");
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

    /// The file with the certificate and its key, which `--tls-ca` takes as well.
    pub fn file(&self) -> PathBuf {
        self.dir.path().join("certificate.pem")
    }

    /// Shakes hands as the server. Sessions are resumed among those with this `id` alone.
    pub fn accept(&self, tcp: TcpStream, id: u8) -> io::Result<Wire> {
        let mut tls = self.context.accept(tcp, &[id; 16], None)?;
        wait_for(&mut tls, Tls::handshake)?;
        Ok(Wire::Tls(Box::new(tls)))
    }
}

/// A stream that may be under TLS. Its calls wait as long as the patience of tests.
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

    /// Returns true if it is under TLS and continues the session of another.
    pub fn is_resumed(&self) -> bool {
        matches!(self, Wire::Tls(tls) if tls.is_resumed())
    }

    /// Puts it under TLS as the server.
    pub fn accept(&mut self, identity: &Identity, id: u8) -> io::Result<()> {
        *self = identity.accept(self.tcp().try_clone()?, id)?;
        Ok(())
    }

    /// Ends what it sends: by a close_notify under TLS, and by closing that half.
    pub fn end(&mut self) {
        // The other side may be gone already.
        if let Wire::Tls(tls) = self {
            let _ = wait_for(tls, Tls::end_sending);
        }
        let _ = self.tcp().shutdown(Shutdown::Write);
    }

    /// Reads to the end, which under TLS is a close_notify.
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
                assert!(ready > 0, "waited in vain under TLS");
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
