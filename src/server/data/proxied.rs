//! Data connections from balancers whose PROXY header has not been read yet.
//!
//! They are polled together with their listener, never alone, so that a silent balancer does not delay
//! other transfers.

use crate::protocol::proxy::Header;
use crate::server::proxy::{TIMEOUT, read_header};
use crate::sys::{Interest, PollItem, Waitable};
use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::Instant;

/// The connections, in the order in which they came.
#[derive(Debug, Default)]
pub struct ProxiedConnections {
    waiting: VecDeque<ProxiedConnection>,
    /// The balancer and the time of the first connection that was dropped without a header.
    dropped: Option<(IpAddr, Instant)>,
}

#[derive(Debug)]
struct ProxiedConnection {
    stream: TcpStream,
    /// The address of the balancer.
    from: SocketAddr,
    /// The part of the header that has been read.
    head: Vec<u8>,
    since: Instant,
    /// The number passed to [`ProxiedConnections::add`].
    sequence: u64,
}

/// A connection whose client is known. Its stream is nonblocking.
#[derive(Debug)]
pub struct IdentifiedConnection {
    /// The connection after its header.
    pub stream: TcpStream,
    /// The address of the client, or of the balancer if the connection is its own.
    pub client: IpAddr,
    /// The number passed to [`ProxiedConnections::add`].
    pub sequence: u64,
}

impl ProxiedConnections {
    /// Adds a connection from a balancer. `sequence` is returned with it.
    pub fn add(&mut self, stream: TcpStream, from: SocketAddr, sequence: u64) {
        const MAX: usize = 64;
        if stream.set_nonblocking(true).is_err() {
            return;
        }
        if self.waiting.len() >= MAX {
            let oldest = self.waiting.pop_front();
            self.note_dropped(oldest);
        }
        let (head, since) = (Vec::new(), Instant::now());
        self.waiting.push_back(ProxiedConnection { stream, from, head, since, sequence });
    }

    /// Moves all connections of `other` here.
    pub fn append(&mut self, other: &mut ProxiedConnections) {
        self.waiting.append(&mut other.waiting);
        self.dropped = self.dropped.or(other.dropped.take());
    }

    fn note_dropped(&mut self, dropped: Option<ProxiedConnection>) {
        let seen = dropped.map(|connection| (connection.from.ip(), connection.since));
        self.dropped = self.dropped.or(seen);
    }

    /// Takes the balancer and the time of the first connection that was dropped without a valid header.
    pub fn take_dropped(&mut self) -> Option<(IpAddr, Instant)> {
        self.dropped.take()
    }

    /// Returns the time at which the next connection is dropped.
    pub fn next_expiry(&self) -> Option<Instant> {
        self.waiting.iter().filter_map(|connection| connection.since.checked_add(TIMEOUT)).min()
    }

    /// Returns whether no connection is waiting.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Removes and returns the next connection with a complete header. Drops connections that are too
    /// late or have an invalid header.
    pub fn next(&mut self) -> Option<IdentifiedConnection> {
        for _ in 0..self.waiting.len() {
            let mut connection = self.waiting.pop_front()?;
            match read_header(&connection.stream, &mut connection.head) {
                Ok(Some(header)) => return Some(connection.identify(header)),
                Ok(None) if connection.since.elapsed() < TIMEOUT => {
                    self.waiting.push_back(connection)
                }
                Ok(None) | Err(_) => self.note_dropped(Some(connection)),
            }
        }
        None
    }

    /// Returns what to poll for.
    pub fn items(&self) -> impl Iterator<Item = PollItem<'_>> {
        let item = |connection| PollItem::new(Waitable::handle(connection), Interest::Read);
        self.waiting.iter().map(|connection| &connection.stream).map(item)
    }
}

impl ProxiedConnection {
    fn identify(self, header: Header) -> IdentifiedConnection {
        let client = match header {
            Header::Proxied { from, .. } => from.ip(),
            Header::Unknown | Header::Local => self.from.ip().to_canonical(),
        };
        IdentifiedConnection { stream: self.stream, client, sequence: self.sequence }
    }
}
