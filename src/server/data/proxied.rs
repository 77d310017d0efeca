//! Data connections that came by a balancer and have not yet said for whom.
//!
//! One is waited for like the listener it came in by, and never alone: a balancer that says nothing
//! must not hold up the transfers of others.

use crate::protocol::proxy::Header;
use crate::server::proxy::{PATIENCE, read_header};
use crate::sys::{Interest, PollItem, Waitable};
use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::Instant;

/// The connections, the one that has waited longest first.
#[derive(Debug, Default)]
pub struct ProxiedConnections {
    waiting: VecDeque<ProxiedConnection>,
    /// The first connection that was dropped without a header: its balancer, and when it came.
    headless: Option<(IpAddr, Instant)>,
}

#[derive(Debug)]
struct ProxiedConnection {
    stream: TcpStream,
    /// The balancer.
    from: SocketAddr,
    /// What it has said so far.
    head: Vec<u8>,
    since: Instant,
    /// What [`ProxiedConnections::add`] was told.
    mark: u64,
}

/// One whose client is known now. Its stream does not block.
#[derive(Debug)]
pub struct IdentifiedConnection {
    /// The connection, its header read.
    pub stream: TcpStream,
    /// The client, or the balancer if it connects for itself.
    pub client: IpAddr,
    /// What was told when it came.
    pub mark: u64,
}

impl ProxiedConnections {
    /// Adds a connection from a balancer. `mark` comes back with it.
    pub fn add(&mut self, stream: TcpStream, from: SocketAddr, mark: u64) {
        const MOST: usize = 64;
        if stream.set_nonblocking(true).is_err() {
            return;
        }
        if self.waiting.len() >= MOST {
            let oldest = self.waiting.pop_front();
            self.note_headless(oldest);
        }
        let (head, since) = (Vec::new(), Instant::now());
        self.waiting.push_back(ProxiedConnection { stream, from, head, since, mark });
    }

    /// Takes those of another.
    pub fn append(&mut self, other: &mut ProxiedConnections) {
        self.waiting.append(&mut other.waiting);
        self.headless = self.headless.or(other.headless.take());
    }

    fn note_headless(&mut self, dropped: Option<ProxiedConnection>) {
        let seen = dropped.map(|connection| (connection.from.ip(), connection.since));
        self.headless = self.headless.or(seen);
    }

    /// Takes the balancer of a connection that was dropped because no header came, or no valid one, and
    /// when it came.
    pub fn take_headless(&mut self) -> Option<(IpAddr, Instant)> {
        self.headless.take()
    }

    /// Returns when the first connection that waits is dropped.
    pub fn next_expiry(&self) -> Option<Instant> {
        self.waiting.iter().filter_map(|connection| connection.since.checked_add(PATIENCE)).min()
    }

    /// Whether nobody waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Takes out the next whose header is complete. Who is late, or says something else, is dropped.
    pub fn next(&mut self) -> Option<IdentifiedConnection> {
        for _ in 0..self.waiting.len() {
            let mut connection = self.waiting.pop_front()?;
            match read_header(&connection.stream, &mut connection.head) {
                Ok(Some(header)) => return Some(connection.named(header)),
                Ok(None) if connection.since.elapsed() < PATIENCE => {
                    self.waiting.push_back(connection)
                }
                Ok(None) | Err(_) => self.note_headless(Some(connection)),
            }
        }
        None
    }

    /// What to wait for.
    pub fn items(&self) -> impl Iterator<Item = PollItem<'_>> {
        let item = |connection| PollItem::new(Waitable::handle(connection), Interest::Read);
        self.waiting.iter().map(|connection| &connection.stream).map(item)
    }
}

impl ProxiedConnection {
    fn named(self, header: Header) -> IdentifiedConnection {
        let client = match header {
            Header::Proxied { from, .. } => from.ip(),
            Header::Unknown | Header::Local => self.from.ip().to_canonical(),
        };
        IdentifiedConnection { stream: self.stream, client, mark: self.mark }
    }
}
