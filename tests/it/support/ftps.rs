//! FTPS for tests of the server: a server with a certificate, and a [`Peer`] that uses TLS.

use super::tls::{Identity, Wire};
use super::wire::{Peer, connect};
use super::{PATIENCE, Server};
use mt_ftp::sys::{PollItem, Tls, TlsContext, TlsVersion, Waitable, poll, tls_library};
use std::io::{self, ErrorKind, Write};
use std::net::{SocketAddr, TcpStream};

/// A server with a certificate and the accounts `anna`, who may write, and `reader`, and the TLS context
/// of its clients.
pub struct Ftps {
    pub server: Server,
    pub identity: Identity,
    client: TlsContext,
}

impl Ftps {
    /// Starts a server with a certificate and these options. Visitors may store. Prints a message and
    /// returns `None` if there is no TLS library.
    pub fn start(options: &[&str]) -> Option<Ftps> {
        let identity = Identity::new()?;
        let file = identity.file();
        let mut all = vec!["--tls-cert", file.to_str().unwrap(), "--anonymous", "store"];
        all.extend(options);
        let server = Server::with_accounts(&["anna:write:", "reader:read:"], &all);
        let library = tls_library(None).unwrap();
        let client = TlsContext::client(library, Some(&file), TlsVersion::V1_2).unwrap();
        Some(Ftps { server, identity, client })
    }

    /// Performs the TLS handshake on a connection and verifies the certificate. With `control`, it resumes the
    /// TLS session of that control connection.
    pub fn handshake(&self, tcp: TcpStream, control: Option<&Peer>) -> io::Result<Wire> {
        let tls = self.raw_handshake(tcp, control)?;
        tls.verify_peer().map_err(io::Error::from)?;
        Ok(Wire::Tls(Box::new(tls)))
    }

    /// Performs the TLS handshake without verifying the certificate.
    pub fn handshake_unverified(&self, tcp: TcpStream) -> io::Result<Tls> {
        self.raw_handshake(tcp, None)
    }

    fn raw_handshake(&self, tcp: TcpStream, control: Option<&Peer>) -> io::Result<Tls> {
        let session = control.and_then(|peer| peer.tls()).and_then(Tls::session);
        let mut tls = self.client.connect(tcp, "127.0.0.1", session.as_ref())?;
        loop {
            match tls.handshake() {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    let mut items = [PollItem::new(tls.handle(), tls.wants())];
                    assert!(poll(&mut items, Some(PATIENCE))? > 0, "no answer to the handshake");
                }
                Err(error) => return Err(error),
                Ok(()) => return Ok(tls),
            }
        }
    }

    /// Sends this AUTH command and does the TLS handshake.
    pub fn auth(&self, peer: &mut Peer, line: &str) {
        peer.say(line).expect(234);
        let wire = self.handshake(peer.tcp().try_clone().unwrap(), None).unwrap();
        peer.put_under(wire);
    }

    /// Connects, reads the greeting and switches to TLS.
    pub fn caller(&self) -> Peer {
        let mut peer = self.server.caller();
        self.auth(&mut peer, "AUTH TLS");
        peer
    }

    /// Connects to an address where TLS begins before the greeting, and reads the greeting.
    pub fn implicit(&self, address: SocketAddr) -> Peer {
        let mut peer = Peer::connect(address);
        let wire = self.handshake(peer.tcp().try_clone().unwrap(), None).unwrap();
        peer.put_under(wire);
        peer.expect(220);
        peer
    }

    /// Returns a session of `anna` over TLS, with TYPE I and PROT P.
    pub fn user(&self) -> Peer {
        let mut peer = self.caller();
        protect(&mut peer);
        log_in(&mut peer, "anna");
        peer
    }

    /// Begins a transfer with EPSV, on a data connection that resumes the TLS session.
    pub fn begin(&self, peer: &mut Peer, command: impl AsRef<[u8]>) -> Wire {
        let tcp = peer.begin(command);
        self.handshake(tcp, Some(peer)).unwrap()
    }

    /// Runs a complete transfer to the client, which must end with close_notify, and returns the data.
    pub fn fetch(&self, peer: &mut Peer, command: impl AsRef<[u8]>) -> Vec<u8> {
        let mut data = self.begin(peer, command);
        let bytes = data.all().unwrap();
        drop(data);
        peer.expect(226);
        bytes
    }

    /// Runs a complete transfer to the server.
    pub fn send(&self, peer: &mut Peer, command: impl AsRef<[u8]>, bytes: impl AsRef<[u8]>) {
        let mut data = self.begin(peer, command);
        data.write_all(bytes.as_ref()).unwrap();
        data.end();
        peer.expect(226);
    }

    /// Begins an upload, and waits until the server has received these bytes and waits for more.
    pub fn begin_with(&self, peer: &mut Peer, command: &str, bytes: impl AsRef<[u8]>) -> Wire {
        let bytes = bytes.as_ref();
        let mut data = self.begin(peer, command);
        data.write_all(bytes).unwrap();
        let so_far = format!("{} bytes", bytes.len());
        while !peer.say("STAT").expect(213).text().contains(&so_far) {}
        data
    }
}

/// Selects PROT P for the data connections.
pub fn protect(peer: &mut Peer) {
    peer.say("PBSZ 0").expect_text(200, "PBSZ=0");
    peer.say("PROT P").expect(200);
}

/// Logs in with an account, and selects TYPE I.
pub fn log_in(peer: &mut Peer, name: &str) {
    peer.say(format!("USER {name}")).expect(331);
    peer.say("PASS secret").expect(230);
    peer.say("TYPE I").expect(200);
}

/// Opens a data connection with EPSV, without a TLS handshake.
pub fn data_in_clear(peer: &mut Peer) -> TcpStream {
    let address = peer.epsv();
    connect(address)
}
