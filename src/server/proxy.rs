//! Balancers: who connects for a client and says for whom (`--proxy-protocol`).
//!
//! Only the addresses that the option names are believed, and these have to speak: what comes from
//! them without a header is closed before any greeting. From then on the announced address is the
//! client's, for limits, refusals, logs and data connections; the balancer's own counts for nothing.
//!
//! A header is read by the thread of its session, never where connections are accepted, so a balancer
//! that is slow holds up nobody but itself.

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

/// How long a header may take: balancers send it with the first packet.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// The addresses of `--proxy-protocol`.
#[derive(Debug, Default)]
pub struct Balancers {
    networks: Vec<Network>,
}

impl Balancers {
    /// Those in these networks.
    pub fn new(networks: Vec<Network>) -> Balancers {
        Balancers { networks }
    }

    /// Whether there are any.
    pub fn are_there(&self) -> bool {
        !self.networks.is_empty()
    }

    /// Whether this is one of them.
    pub fn include(&self, address: IpAddr) -> bool {
        self.networks.iter().any(|network| network.contains(address))
    }
}

/// Who is at the other end of a control connection.
#[derive(Clone, Copy, Debug)]
pub struct ClientOrigin {
    /// The client, or who claims to be it.
    pub peer: SocketAddr,
    /// The address it connected to, which may be a balancer's.
    pub reached: IpAddr,
    /// Our own end of the connection.
    pub own: SocketAddr,
    /// What connects for it.
    pub via: Via,
}

/// By what way a client came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Via {
    /// By none of the balancers.
    Nobody,
    /// By a balancer that announced it.
    Balancer(SocketAddr),
    /// The balancer does not know its address, so its own has to do.
    Unnamed,
    /// It is the balancer itself, looking whether the server is well.
    Probe,
}

impl ClientOrigin {
    /// One without a balancer.
    ///
    /// # Errors
    /// What the system says of a broken socket.
    pub fn direct(stream: &TcpStream, peer: SocketAddr) -> io::Result<ClientOrigin> {
        let own = net::canonical(stream.local_addr()?);
        Ok(ClientOrigin { peer, reached: own.ip(), own, via: Via::Nobody })
    }

    /// The same, as a balancer's header says.
    pub fn announced(self, header: Header) -> ClientOrigin {
        match header {
            Header::Proxied { from, to } => {
                ClientOrigin { peer: from, reached: to.ip(), via: Via::Balancer(self.peer), ..self }
            }
            Header::Unknown => ClientOrigin { via: Via::Unnamed, ..self },
            Header::Local => ClientOrigin { via: Via::Probe, ..self },
        }
    }

    /// The balancer that announced it.
    pub fn balancer(&self) -> Option<SocketAddr> {
        match self.via {
            Via::Balancer(balancer) => Some(balancer),
            Via::Nobody | Via::Unnamed | Via::Probe => None,
        }
    }
}

/// Why there is no header.
#[derive(Debug)]
pub enum NoHeader {
    /// It connected and left, as those do who only look whether somebody listens.
    Probe,
    /// The connection ended within it.
    Cut,
    /// It did not come in time.
    Late,
    /// Something else came.
    Malformed(Malformed),
    /// The server ends.
    Draining,
    /// What the system says.
    Broken(io::Error),
}

impl fmt::Display for NoHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NoHeader::Probe => f.write_str("it said nothing"),
            NoHeader::Cut => f.write_str("the connection ended within the PROXY protocol header"),
            NoHeader::Late => f.write_str("no PROXY protocol header came in time"),
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

/// Reads what has come of a header from a stream that does not block, and nothing that is behind it.
/// `head` is what came before. `None`: there is more to come.
///
/// # Errors
/// Why none will come to be.
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
        // They were there to be looked at, so this does not wait.
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
/// Why there is none.
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
        // Also who never pauses is late.
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
        wait_for_header(stream, net::deadline(PATIENCE * 4), &Shutdown::new().unwrap())
    }

    #[test]
    fn nothing_behind_the_header_is_read() {
        let header = b"PROXY TCP4 192.0.2.1 192.0.2.2 50000 21\r\n";
        // In two parts, cut anywhere: also where the first has all of it and more.
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
    fn who_leaves_without_a_word_is_told_from_who_leaves_within_one() {
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
    fn who_is_late_or_comes_at_the_end_is_not_waited_for() {
        let (_balancer, server) = pair();
        let shutdown = Shutdown::new().unwrap();
        let late = wait_for_header(&server, Some(Instant::now()), &shutdown);
        assert!(matches!(late, Err(NoHeader::Late)));
        shutdown.drain();
        assert!(matches!(wait_for_header(&server, None, &shutdown), Err(NoHeader::Draining)));
    }
}
