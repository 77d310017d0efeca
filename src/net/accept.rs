//! Connections that the other side begins: at a program's listeners, or from one peer for its data.

use super::wait::{Attention, Waited, has_passed, sooner, wait, wait_with};
use crate::shutdown::{Shutdown, Stage};
use crate::sys::{Interest, PollItem, Waitable};
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// A connection that was just accepted.
#[derive(Debug)]
pub struct Accepted {
    /// The connection.
    pub stream: TcpStream,
    /// Its peer.
    pub peer: SocketAddr,
    /// The number of the listener that it came to.
    pub listener: usize,
}

/// The listeners of a program, of which none must keep the others from being heard.
#[derive(Debug)]
pub struct Listeners {
    all: Vec<TcpListener>,
    /// Whose turn it is, so that a crowd at one door leaves the others open.
    turn: AtomicUsize,
}

impl Listeners {
    /// Takes listeners, which will not block.
    ///
    /// # Errors
    /// What the system says of a broken socket.
    pub fn new(all: Vec<TcpListener>) -> io::Result<Listeners> {
        all.iter().try_for_each(|listener| listener.set_nonblocking(true))?;
        Ok(Listeners { all, turn: AtomicUsize::new(0) })
    }

    /// Where they listen.
    ///
    /// # Errors
    /// What the system says of a broken socket.
    pub fn addresses(&self) -> io::Result<Vec<SocketAddr>> {
        self.all.iter().map(TcpListener::local_addr).collect()
    }

    /// A descriptor of one of them once more.
    ///
    /// # Errors
    /// None is free.
    pub fn try_clone(&self) -> io::Result<TcpListener> {
        self.all.first().ok_or(io::ErrorKind::NotFound)?.try_clone()
    }

    /// A connection that waits already.
    ///
    /// # Errors
    /// `WouldBlock` if there is none, or what the system says, `EMFILE` among it.
    pub fn accept_waiting(&self) -> io::Result<Accepted> {
        let turn = self.turn.load(Ordering::Relaxed);
        for step in 0..self.all.len() {
            let next = turn.wrapping_add(step) % self.all.len();
            match self.all[next].accept() {
                // The client left before it was accepted: not an error of ours.
                Err(error) if is_passing(&error) => {}
                accepted => {
                    self.turn.store(next + 1, Ordering::Relaxed);
                    let (stream, peer) = accepted?;
                    return Ok(Accepted { stream, peer: canonical(peer), listener: next });
                }
            }
        }
        Err(io::ErrorKind::WouldBlock.into())
    }

    /// Waits until somebody connects or the program drains.
    ///
    /// # Errors
    /// What the system says of the poll.
    pub fn wait(&self, shutdown: &Shutdown) -> io::Result<()> {
        let item = |listener| PollItem::new(Waitable::handle(listener), Interest::Read);
        let mut items: Vec<PollItem<'_>> = self.all.iter().map(item).collect();
        items.push(shutdown.draining());
        wait(&mut items, None)
    }
}

/// Waits for the next connection; `None` once the program drains.
///
/// What was already waiting is accepted without a poll, so that a burst costs one system call a
/// connection.
///
/// # Errors
/// What the system says, `EMFILE` among it; the listeners can be used again.
pub fn accept(listeners: &Listeners, shutdown: &Shutdown) -> io::Result<Option<Accepted>> {
    while shutdown.stage() == Stage::Running {
        match listeners.accept_waiting() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => listeners.wait(shutdown)?,
            accepted => return accepted.map(Some),
        }
    }
    Ok(None)
}

/// How long the wait for a peer goes on after only others have connected. The peer itself may still be
/// on its way, but a minute of silence helps nobody whose data comes from another address.
const AFTER_STRANGER: Duration = Duration::from_secs(5);

/// Connections from addresses that were not waited for: the first of them, and when it came.
#[derive(Clone, Copy, Debug, Default)]
pub struct Strangers {
    first: Option<(IpAddr, Instant)>,
}

impl Strangers {
    /// Notes a connection that came at `since` and is dropped because of its address.
    pub fn add(&mut self, address: IpAddr, since: Instant) {
        self.first.get_or_insert((address.to_canonical(), since));
    }

    /// Returns the address of the first one.
    pub fn first(&self) -> Option<IpAddr> {
        self.first.map(|(address, _)| address)
    }

    /// Returns them as a wait sees them that began at `begun`: what came before it came then, since
    /// nobody was missed so far.
    pub fn during(self, begun: Instant) -> Strangers {
        Strangers { first: self.first.map(|(address, since)| (address, since.max(begun))) }
    }

    /// Returns when the wait ends: at `deadline`, or sooner if strangers have come.
    pub fn limit(&self, deadline: Option<Instant>) -> Option<Instant> {
        let own = self.first.and_then(|(_, since)| since.checked_add(AFTER_STRANGER));
        sooner(deadline, own)
    }
}

/// Waits for a connection from `peer`, listening to `attention` meanwhile; what comes from elsewhere
/// is dropped and noted in `strangers`. The listener must not block; the stream does not either.
///
/// # Errors
/// What the system says; the listener can be used again.
pub fn accept_from(
    listener: &TcpListener,
    peer: IpAddr,
    deadline: Option<Instant>,
    strangers: &mut Strangers,
    attention: &mut impl Attention,
) -> io::Result<Result<TcpStream, Waited>> {
    loop {
        match listener.accept() {
            Ok((stream, from)) if from.ip().to_canonical() == peer => {
                stream.set_nonblocking(true)?;
                return Ok(Ok(stream));
            }
            // A crowd of strangers does not keep the deadline from being seen.
            Ok(_stranger) if has_passed(deadline) => {
                return Ok(Err(Waited::TimedOut));
            }
            Ok((_, from)) => strangers.add(from.ip(), Instant::now()),
            Err(error) if is_passing(&error) => {}
            Err(error) => return Err(error),
        }
        // After a stranger too: the attention is asked between any two.
        let (handle, until) = (Waitable::handle(listener), strangers.limit(deadline));
        match wait_with(handle, Interest::Read, until, 0, attention)? {
            Waited::Ready => {}
            ended => return Ok(Err(ended)),
        }
    }
}

/// Whether nobody is there yet to be accepted, or somebody who was there has left.
pub fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::ConnectionAborted)
}

/// IPv4 in IPv6's clothes (`::ffff:127.0.0.1`, what a dual-stack listener sees) as IPv4.
pub fn canonical(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        IpAddr::V4(ip) => SocketAddr::new(IpAddr::V4(ip), address.port()),
        IpAddr::V6(_) => address,
    }
}
