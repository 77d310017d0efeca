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
pub struct Arrivals {
    waiting: VecDeque<Arrival>,
}

#[derive(Debug)]
struct Arrival {
    stream: TcpStream,
    /// The balancer.
    from: SocketAddr,
    /// What it has said so far.
    head: Vec<u8>,
    since: Instant,
    /// What [`Arrivals::add`] was told.
    mark: u64,
}

/// One whose client is known now. Its stream does not block.
#[derive(Debug)]
pub struct Arrived {
    /// The connection, its header read.
    pub stream: TcpStream,
    /// The client, or the balancer if it connects for itself.
    pub client: IpAddr,
    /// What was told when it came.
    pub mark: u64,
}

impl Arrivals {
    /// Adds a connection from a balancer. `mark` comes back with it.
    pub fn add(&mut self, stream: TcpStream, from: SocketAddr, mark: u64) {
        const MOST: usize = 64;
        if stream.set_nonblocking(true).is_err() {
            return;
        }
        if self.waiting.len() >= MOST {
            self.waiting.pop_front();
        }
        let (head, since) = (Vec::new(), Instant::now());
        self.waiting.push_back(Arrival { stream, from, head, since, mark });
    }

    /// Takes those of another.
    pub fn append(&mut self, other: &mut Arrivals) {
        self.waiting.append(&mut other.waiting);
    }

    /// Whether nobody waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Takes out the next whose header is complete. Who is late, or says something else, is dropped.
    pub fn next(&mut self) -> Option<Arrived> {
        for _ in 0..self.waiting.len() {
            let mut arrival = self.waiting.pop_front()?;
            match read_header(&arrival.stream, &mut arrival.head) {
                Ok(Some(header)) => return Some(arrival.named(header)),
                Ok(None) if arrival.since.elapsed() < PATIENCE => self.waiting.push_back(arrival),
                Ok(None) | Err(_) => {}
            }
        }
        None
    }

    /// What to wait for.
    pub fn items(&self) -> impl Iterator<Item = PollItem<'_>> {
        let item = |arrival| PollItem::new(Waitable::handle(arrival), Interest::Read);
        self.waiting.iter().map(|arrival| &arrival.stream).map(item)
    }
}

impl Arrival {
    fn named(self, header: Header) -> Arrived {
        let client = match header {
            Header::Proxied { from, .. } => from.ip(),
            Header::Unknown | Header::Local => self.from.ip().to_canonical(),
        };
        Arrived { stream: self.stream, client, mark: self.mark }
    }
}
