//! Load balancers that announce their clients with the PROXY protocol (`--proxy-protocol`).
//!
//! Only the addresses that the option names are trusted, and these have to send a header: without
//! one, their connection is closed before the greeting. From then on the announced address is the
//! client's, for limits, refusals, logs and data connections; the address of the load balancer
//! itself is not used.
//!
//! The thread of the session reads the header, never the listener's thread, so a slow load
//! balancer delays only its own connections.

use crate::net;
use crate::protocol::proxy::{self, Header, Malformed};
use crate::server::cidr::Network;
use crate::server::log::Value;
use crate::shutdown::Shutdown;
use crate::sys::{Interest, PollItem, Waitable};
use std::borrow::Cow;
use std::fmt;
use std::io::{self, ErrorKind, Read};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// The time limit for a header; load balancers send it in the first packet.
pub const TIMEOUT: Duration = Duration::from_secs(5);

/// The load balancers of `--proxy-protocol`.
#[derive(Debug, Default)]
pub struct Balancers {
    networks: Vec<Network>,
}

impl Balancers {
    /// Creates the set of load balancers in these networks.
    pub fn new(networks: Vec<Network>) -> Balancers {
        Balancers { networks }
    }

    /// Returns whether any load balancers are configured.
    pub fn is_configured(&self) -> bool {
        !self.networks.is_empty()
    }

    /// Returns whether an address belongs to a load balancer.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.networks.iter().any(|network| network.contains(address))
    }
}

/// The two ends of a control connection.
#[derive(Clone, Copy, Debug)]
pub struct ClientOrigin {
    /// The client's address, as connected or as announced.
    pub peer: SocketAddr,
    /// The address that the client connected to, which may be that of a load balancer.
    pub reached: IpAddr,
    /// The server's own end of the connection.
    pub own: SocketAddr,
    /// The role of a load balancer in the connection.
    pub via: Via,
}

/// The role of a load balancer in a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Via {
    /// No load balancer is involved.
    Direct,
    /// The load balancer at this address announced the client.
    Balancer(SocketAddr),
    /// The load balancer does not know the client's address, so its own address is used.
    UnknownClient,
    /// The load balancer itself connects, for a health check.
    Probe,
}

impl ClientOrigin {
    /// Creates the origin of a connection without a load balancer.
    ///
    /// # Errors
    /// Returns the system error of a broken socket.
    pub fn direct(stream: &TcpStream, peer: SocketAddr) -> io::Result<ClientOrigin> {
        let own = net::canonical(stream.local_addr()?);
        Ok(ClientOrigin { peer, reached: own.ip(), own, via: Via::Direct })
    }

    /// Returns the origin that the header of a load balancer announces.
    pub fn announced(self, header: Header) -> ClientOrigin {
        match header {
            Header::Proxied { from, to } => {
                ClientOrigin { peer: from, reached: to.ip(), via: Via::Balancer(self.peer), ..self }
            }
            Header::Unknown => ClientOrigin { via: Via::UnknownClient, ..self },
            Header::Local => ClientOrigin { via: Via::Probe, ..self },
        }
    }

    /// Returns the address of the load balancer that announced the client.
    pub fn balancer(&self) -> Option<SocketAddr> {
        match self.via {
            Via::Balancer(balancer) => Some(balancer),
            Via::Direct | Via::UnknownClient | Via::Probe => None,
        }
    }
}

/// The reason why there is no header.
#[derive(Debug)]
pub enum NoHeader {
    /// The peer connected and left without data, like a port check.
    Probe,
    /// The connection ended within the header.
    Cut,
    /// The header did not arrive in time.
    Late,
    /// The data is not a header.
    Malformed(Malformed),
    /// The server is shutting down.
    Draining,
    /// A system error.
    Broken(io::Error),
}

impl fmt::Display for NoHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NoHeader::Probe => f.write_str("the connection was closed without data"),
            NoHeader::Cut => f.write_str("the connection ended within the PROXY protocol header"),
            NoHeader::Late => f.write_str("no PROXY protocol header arrived in time"),
            NoHeader::Malformed(why) => why.fmt(f),
            NoHeader::Draining => f.write_str("the server is shutting down"),
            NoHeader::Broken(error) => error.fmt(f),
        }
    }
}

impl Value for NoHeader {
    fn bytes(&self) -> Cow<'_, [u8]> {
        self.to_string().into_bytes().into()
    }
}

/// Reads the part of a header that has arrived on a nonblocking stream, and no byte after the
/// header. `head` contains the bytes read before. Returns `None` if more is to come.
///
/// # Errors
/// Returns the reason why there will be no header.
pub fn read_header(mut stream: &TcpStream, head: &mut Vec<u8>) -> Result<Option<Header>, NoHeader> {
    let mut piece = [0; 256];
    loop {
        let come = match stream.peek(&mut piece) {
            Ok(0) if head.is_empty() => return Err(NoHeader::Probe),
            Ok(0) => return Err(NoHeader::Cut),
            Ok(come) => come,
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock => return Ok(None),
                ErrorKind::Interrupted => continue,
                ErrorKind::ConnectionReset if head.is_empty() => return Err(NoHeader::Probe),
                _ => return Err(NoHeader::Broken(error)),
            },
        };
        let before = head.len();
        head.extend_from_slice(&piece[..come]);
        let found = proxy::parse(head).map_err(NoHeader::Malformed)?;
        head.truncate(found.map_or(head.len(), |(_, length)| length));
        // These bytes were peeked, so this does not wait.
        let own = &mut piece[..head.len() - before];
        stream.read_exact(own).map_err(NoHeader::Broken)?;
        if let Some((header, _)) = found {
            return Ok(Some(header));
        }
    }
}

/// Waits for the header of a control connection, at most until `until`.
///
/// # Errors
/// Returns the reason why there is no header.
pub fn wait_for_header(
    stream: &TcpStream,
    until: Option<Instant>,
    shutdown: &Shutdown,
) -> Result<Header, NoHeader> {
    stream.set_nonblocking(true).map_err(NoHeader::Broken)?;
    let mut head = Vec::new();
    loop {
        if let Some(header) = read_header(stream, &mut head)? {
            return Ok(header);
        }
        // This also ends the wait for a peer that sends without a pause.
        if until.is_some_and(|until| until <= Instant::now()) {
            return Err(NoHeader::Late);
        }
        let coming = PollItem::new(Waitable::handle(stream), Interest::Read);
        let mut items = [coming, shutdown.draining()];
        match net::wait(&mut items, until) {
            Err(error) if error.kind() == ErrorKind::TimedOut => return Err(NoHeader::Late),
            other => other.map_err(NoHeader::Broken)?,
        }
        if items[1].ready() {
            return Err(NoHeader::Draining);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::net::TcpListener;

    fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let one = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        one.set_nodelay(true).unwrap();
        let (other, _) = listener.accept().unwrap();
        (one, other)
    }

    fn wait(stream: &TcpStream) -> Result<Header, NoHeader> {
        wait_for_header(stream, net::deadline(TIMEOUT * 4), &Shutdown::new().unwrap())
    }

    #[test]
    fn no_byte_after_the_header_is_read() {
        let header = b"PROXY TCP4 192.0.2.1 192.0.2.2 50000 21\r\n";
        // The header comes in two parts, split at every position; the first part may contain all
        // of it and more.
        let all = [&header[..], b"USER anna\r\n"].concat();
        for cut in 0..=all.len() {
            let (mut balancer, mut server) = pair();
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    balancer.write_all(&all[..cut]).unwrap();
                    balancer.write_all(&all[cut..]).unwrap();
                });
                assert!(matches!(wait(&server), Ok(Header::Proxied { .. })));
            });
            drop(balancer);
            server.set_nonblocking(false).unwrap();
            let mut rest = String::new();
            server.read_to_string(&mut rest).unwrap();
            assert_eq!(rest, "USER anna\r\n");
        }
    }

    #[test]
    fn a_silent_disconnect_is_distinguished_from_one_within_the_header() {
        let (balancer, server) = pair();
        drop(balancer);
        assert!(matches!(wait(&server), Err(NoHeader::Probe)));
        let (mut balancer, server) = pair();
        balancer.write_all(b"PROXY TCP4 192").unwrap();
        drop(balancer);
        assert!(matches!(wait(&server), Err(NoHeader::Cut)));
        let (mut balancer, server) = pair();
        balancer.write_all(b"USER anna\r\n").unwrap();
        assert!(matches!(wait(&server), Err(NoHeader::Malformed(Malformed::NoHeader))));
    }

    #[test]
    fn late_headers_and_headers_during_the_shutdown_are_refused() {
        let (_balancer, server) = pair();
        let shutdown = Shutdown::new().unwrap();
        let late = wait_for_header(&server, Some(Instant::now()), &shutdown);
        assert!(matches!(late, Err(NoHeader::Late)));
        shutdown.drain();
        assert!(matches!(wait_for_header(&server, None, &shutdown), Err(NoHeader::Draining)));
    }
}
