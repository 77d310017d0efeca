//! FTPS by hand: a server with a certificate, and a [`Peer`] that puts its connections under TLS.

use super::tls::{Identity, Wire};
use super::wire::{Peer, connect};
use super::{PATIENCE, Server};
use mt_ftp::sys::{PollItem, Tls, TlsContext, TlsVersion, Waitable, poll, tls_library};
use std::io::{self, ErrorKind, Write};
use std::net::{SocketAddr, TcpStream};

/// A server with a certificate and the accounts `anna`, who may write, and `reader`, and what its
/// clients need. `None`, with a word, where there is no library for TLS.
pub struct Ftps {
    pub server: Server,
    pub identity: Identity,
    client: TlsContext,
}

impl Ftps {
    /// A server with these options beside those of its certificate. Visitors may store.
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

    /// Shakes hands on a connection that is made, and says how that ended.
    pub fn shake(&self, tcp: TcpStream, control: Option<&Peer>) -> io::Result<Wire> {
        let tls = self.shake_unseen(tcp, control)?;
        tls.verdict().map_err(io::Error::from)?;
        Ok(Wire::Tls(Box::new(tls)))
    }

    /// The same, whatever the certificate is.
    pub fn shake_with_anyone(&self, tcp: TcpStream) -> io::Result<Tls> {
        self.shake_unseen(tcp, None)
    }

    fn shake_unseen(&self, tcp: TcpStream, control: Option<&Peer>) -> io::Result<Tls> {
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

    /// Puts a peer under TLS with this AUTH.
    pub fn auth(&self, peer: &mut Peer, line: &str) {
        peer.say(line).expect(234);
        let wire = self.shake(peer.tcp().try_clone().unwrap(), None).unwrap();
        peer.put_under(wire);
    }

    /// A peer under TLS that has read the greeting.
    pub fn caller(&self) -> Peer {
        let mut peer = self.server.caller();
        self.auth(&mut peer, "AUTH TLS");
        peer
    }

    /// A peer at an address where TLS comes before the greeting.
    pub fn implicit(&self, address: SocketAddr) -> Peer {
        let mut peer = Peer::connect(address);
        let wire = self.shake(peer.tcp().try_clone().unwrap(), None).unwrap();
        peer.put_under(wire);
        peer.expect(220);
        peer
    }

    /// `anna`, who is logged in under TLS, has TYPE I, and protects her data connections.
    pub fn user(&self) -> Peer {
        let mut peer = self.caller();
        protect(&mut peer);
        log_in(&mut peer, "anna");
        peer
    }

    /// Begins a transfer over EPSV with a data connection under TLS that resumes the session.
    pub fn begin(&self, peer: &mut Peer, command: impl AsRef<[u8]>) -> Wire {
        let tcp = peer.begin(command);
        self.shake(tcp, Some(peer)).unwrap()
    }

    /// A whole transfer to us, whose end is a close_notify.
    pub fn fetch(&self, peer: &mut Peer, command: impl AsRef<[u8]>) -> Vec<u8> {
        let mut data = self.begin(peer, command);
        let bytes = data.all().unwrap();
        drop(data);
        peer.expect(226);
        bytes
    }

    /// A whole transfer from us.
    pub fn send(&self, peer: &mut Peer, command: impl AsRef<[u8]>, bytes: impl AsRef<[u8]>) {
        let mut data = self.begin(peer, command);
        data.write_all(bytes.as_ref()).unwrap();
        data.end();
        peer.expect(226);
    }

    /// Begins an upload and waits until the server has these bytes and wants more.
    pub fn begin_with(&self, peer: &mut Peer, command: &str, bytes: impl AsRef<[u8]>) -> Wire {
        let bytes = bytes.as_ref();
        let mut data = self.begin(peer, command);
        data.write_all(bytes).unwrap();
        let so_far = format!("{} bytes", bytes.len());
        while !peer.say("STAT").expect(213).text().contains(&so_far) {}
        data
    }
}

/// Has the data connections of a peer protected.
pub fn protect(peer: &mut Peer) {
    peer.say("PBSZ 0").expect_text(200, "PBSZ=0");
    peer.say("PROT P").expect(200);
}

/// Logs in to an account, and sets TYPE I.
pub fn log_in(peer: &mut Peer, name: &str) {
    peer.say(format!("USER {name}")).expect(331);
    peer.say("PASS secret").expect(230);
    peer.say("TYPE I").expect(200);
}

/// A data connection for EPSV that is not under TLS yet.
pub fn data_in_clear(peer: &mut Peer) -> TcpStream {
    let address = peer.epsv();
    connect(address)
}
