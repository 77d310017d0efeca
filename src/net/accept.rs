//! Accepting connections: at the listeners of a program, or a data connection from one peer.

use super::wait::{TransferHooks, Waited, has_passed, sooner, wait, wait_with};
use crate::shutdown::{Shutdown, Stage};
use crate::sys::{self, Interest, PollItem, Waitable};
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// A connection that was just accepted.
#[derive(Debug)]
pub struct Accepted {
    /// The connection.
    pub stream: TcpStream,
    /// The address of the peer.
    pub peer: SocketAddr,
    /// The index of the listener that accepted the connection.
    pub listener: usize,
}

/// The listeners of a program. They take turns, so that a busy one does not starve the others.
#[derive(Debug)]
pub struct Listeners {
    all: Vec<TcpListener>,
    /// The index of the listener that is tried first.
    turn: AtomicUsize,
}

impl Listeners {
    /// Takes the listeners and makes them nonblocking.
    ///
    /// # Errors
    /// Fails if the system cannot configure a socket.
    pub fn new(all: Vec<TcpListener>) -> io::Result<Listeners> {
        all.iter().try_for_each(|listener| listener.set_nonblocking(true))?;
        Ok(Listeners { all, turn: AtomicUsize::new(0) })
    }

    /// Returns the addresses of all listeners.
    ///
    /// # Errors
    /// Fails if the system cannot read the address of a socket.
    pub fn addresses(&self) -> io::Result<Vec<SocketAddr>> {
        self.all.iter().map(TcpListener::local_addr).collect()
    }

    /// Duplicates the descriptor of one listener.
    ///
    /// # Errors
    /// Fails if no descriptor is free.
    pub fn try_clone(&self) -> io::Result<TcpListener> {
        self.all.first().ok_or(io::ErrorKind::NotFound)?.try_clone()
    }

    /// Accepts a connection that is already waiting.
    ///
    /// # Errors
    /// `WouldBlock` if no connection is waiting, or the system's error, such as `EMFILE`.
    pub fn accept_waiting(&self) -> io::Result<Accepted> {
        let turn = self.turn.load(Ordering::Relaxed);
        for step in 0..self.all.len() {
            let next = turn.wrapping_add(step) % self.all.len();
            match sys::accept(&self.all[next]) {
                // The client disconnected before it was accepted, which is not an error.
                Err(error) if is_transient(&error) => {}
                accepted => {
                    self.turn.store(next + 1, Ordering::Relaxed);
                    let (stream, peer) = accepted?;
                    return Ok(Accepted { stream, peer: canonical(peer), listener: next });
                }
            }
        }
        Err(io::ErrorKind::WouldBlock.into())
    }

    /// Waits until a client connects or the shutdown begins.
    ///
    /// # Errors
    /// Fails if the poll fails.
    pub fn wait(&self, shutdown: &Shutdown) -> io::Result<()> {
        let item = |listener| PollItem::new(Waitable::handle(listener), Interest::Read);
        let mut items: Vec<PollItem<'_>> = self.all.iter().map(item).collect();
        items.push(shutdown.draining());
        wait(&mut items, None)
    }
}

/// Waits for the next connection. Returns `None` once the shutdown begins.
///
/// Waiting connections are accepted without a poll, so that in a burst each one costs a single system call.
///
/// # Errors
/// The system's error, such as `EMFILE`; the listeners remain usable.
pub fn accept(listeners: &Listeners, shutdown: &Shutdown) -> io::Result<Option<Accepted>> {
    while shutdown.stage() == Stage::Running {
        match listeners.accept_waiting() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => listeners.wait(shutdown)?,
            accepted => return accepted.map(Some),
        }
    }
    Ok(None)
}

/// The remaining wait for the peer after a connection from another address has come. The peer may still be on its way,
/// but if its data comes from that other address, a full timeout would be a waste.
const AFTER_UNEXPECTED: Duration = Duration::from_secs(5);

/// Connections from unexpected addresses: the address of the first one, and its time.
#[derive(Clone, Copy, Debug, Default)]
pub struct UnexpectedPeers {
    first: Option<(IpAddr, Instant)>,
}

impl UnexpectedPeers {
    /// Records a connection from `address` that came at `since` and is dropped.
    pub fn add(&mut self, address: IpAddr, since: Instant) {
        self.first.get_or_insert((address.to_canonical(), since));
    }

    /// Returns the address of the first unexpected connection.
    pub fn first(&self) -> Option<IpAddr> {
        self.first.map(|(address, _)| address)
    }

    /// Returns a copy for a wait that began at `begun`: an earlier connection counts as having come at that time, so
    /// that it does not shorten the wait.
    pub fn during(self, begun: Instant) -> UnexpectedPeers {
        UnexpectedPeers { first: self.first.map(|(address, since)| (address, since.max(begun))) }
    }

    /// Returns the end of the wait: `deadline`, or an earlier time if an unexpected connection has come.
    pub fn limit(&self, deadline: Option<Instant>) -> Option<Instant> {
        let own = self.first.and_then(|(_, since)| since.checked_add(AFTER_UNEXPECTED));
        sooner(deadline, own)
    }
}

/// Waits for a connection from `peer`, calling `hooks` while it waits. Connections from other addresses are dropped and
/// recorded in `unexpected`. The listener must be nonblocking; the returned stream is, too.
///
/// # Errors
/// The system's error; the listener remains usable.
pub fn accept_from(
    listener: &TcpListener,
    peer: IpAddr,
    deadline: Option<Instant>,
    unexpected: &mut UnexpectedPeers,
    hooks: &mut impl TransferHooks,
) -> io::Result<Result<TcpStream, Waited>> {
    loop {
        match sys::accept(listener) {
            Ok((stream, from)) if from.ip().to_canonical() == peer => return Ok(Ok(stream)),
            // Many unexpected connections must not delay the deadline.
            Ok(_unexpected) if has_passed(deadline) => {
                return Ok(Err(Waited::TimedOut));
            }
            Ok((_, from)) => unexpected.add(from.ip(), Instant::now()),
            Err(error) if is_transient(&error) => {}
            Err(error) => return Err(error),
        }
        // The hooks are also checked after each unexpected connection.
        let (handle, until) = (Waitable::handle(listener), unexpected.limit(deadline));
        match wait_with(handle, Interest::Read, until, 0, hooks)? {
            Waited::Ready => {}
            ended => return Ok(Err(ended)),
        }
    }
}

/// Returns whether `accept` should be tried again: no connection is waiting, or a waiting client disconnected.
pub fn is_transient(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::ConnectionAborted)
}

/// Converts an IPv4-mapped IPv6 address (`::ffff:127.0.0.1`, which a dual-stack listener reports) to IPv4.
pub fn canonical(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        IpAddr::V4(ip) => SocketAddr::new(IpAddr::V4(ip), address.port()),
        IpAddr::V6(_) => address,
    }
}
