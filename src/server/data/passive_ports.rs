//! The ports of `--passive-ports`, shared by all sessions.
//!
//! Behind a firewall there may be ten ports for thousands of transfers. One listener serves many clients
//! at once, which are distinguished by their addresses: a session that accepts another session's
//! connection delivers it to that session. So a port is blocked only for clients of the same address,
//! from PASV until the data connection is open. Ports are assigned in random order, because an attacker
//! could take a predictable port (RFC 2577 section 6).

use crate::net::{self, TransferHooks, UnexpectedPeers, Waited};
use crate::server::data::proxied::{IdentifiedConnection, ProxiedConnections};
use crate::server::proxy::Balancers;
use crate::sys::{self, Interest, PollItem, Waitable, Waker};
use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::io::{
    self,
    ErrorKind::{AddrInUse, PermissionDenied},
};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::ops::RangeInclusive;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// All ports of the range.
#[derive(Debug)]
pub struct PassivePorts {
    /// The range; `None` without `--passive-ports`.
    range: Mutex<Option<RangeInclusive<u16>>>,
    /// The open ports, by the server's address. Some remain bound without a reservation.
    open: Mutex<HashMap<SocketAddr, Arc<Port>>>,
    releases: Arc<Releases>,
}

/// Counts released reservations, and wakes sessions that wait for one.
#[derive(Debug, Default)]
struct Releases {
    count: Mutex<u64>,
    changed: Condvar,
}

/// The time for which a port stays reserved for a client without a transfer, if another session of the
/// same address needs the port.
const HOLD_TIME: Duration = Duration::from_secs(30);

/// The time that PASV waits for a port if all are reserved for the client's address. Other transfers of
/// that address release their ports as soon as their data connections are open.
const TIMEOUT: Duration = Duration::from_secs(5);

/// A listener and the clients that it waits for.
#[derive(Debug)]
struct Port {
    number: u16,
    listener: TcpListener,
    state: Mutex<PortState>,
}

/// The clients that are expected at a port, and the connections that have come.
#[derive(Debug, Default)]
struct PortState {
    expected: HashMap<IpAddr, ExpectedClient>,
    /// Connections of balancers that no session is waiting for at the moment.
    proxied: ProxiedConnections,
    /// The number of reservations so far; each gets a new number.
    reservations: u64,
}

/// A client for which the port is reserved.
#[derive(Debug)]
struct ExpectedClient {
    /// Distinguishes the client from an earlier one that never connected.
    number: u64,
    since: Instant,
    identified: Option<TcpStream>,
    /// Unexpected connections that came while this client was the only expected one.
    unexpected: UnexpectedPeers,
    /// Wakes the session that waits for the client.
    waker: Option<Arc<Waker>>,
}

/// A port that is reserved for the next data connection of one client.
#[derive(Debug)]
pub struct Reservation {
    port: Arc<Port>,
    peer: IpAddr,
    number: u64,
    waker: Arc<Waker>,
    releases: Arc<Releases>,
    balancers: Arc<Balancers>,
}

impl PassivePorts {
    /// Creates the ports of a range, none of them open yet.
    pub fn new(range: Option<RangeInclusive<u16>>) -> PassivePorts {
        PassivePorts { range: Mutex::new(range), open: Mutex::default(), releases: Arc::default() }
    }

    /// Changes the range. Ports outside it that are reserved are closed when their last reservation is
    /// released.
    pub fn set_range(&self, range: Option<RangeInclusive<u16>>) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|at, _| range.as_ref().is_some_and(|range| range.contains(&at.port())));
        *self.range() = range;
    }

    /// Returns the numbers of reserved ports and of all ports; `None` without a range.
    pub fn reserved(&self) -> Option<(usize, usize)> {
        let all = self.range().as_ref()?.len();
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        // The map holds the only reference to a port without reservations.
        Some((open.values().filter(|port| Arc::strong_count(port) > 1).count(), all))
    }

    fn range(&self) -> MutexGuard<'_, Option<RangeInclusive<u16>>> {
        self.range.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reserves a port at the address of `local` for a client at `peer`, which may connect through one
    /// of `balancers`. Waits a while if all ports are taken. The port `avoided` is used only if no other
    /// one is free.
    ///
    /// # Errors
    /// `AddrInUse` if no port became free, or the system's error.
    pub fn reserve(
        &self,
        local: SocketAddr,
        peer: IpAddr,
        avoided: Option<u16>,
        balancers: &Arc<Balancers>,
    ) -> io::Result<Reservation> {
        self.reserve_within(TIMEOUT, local, peer, avoided, balancers)
    }

    fn reserve_within(
        &self,
        timeout: Duration,
        local: SocketAddr,
        peer: IpAddr,
        avoided: Option<u16>,
        balancers: &Arc<Balancers>,
    ) -> io::Result<Reservation> {
        let until = Instant::now() + timeout;
        // Created first, so that no port stays reserved if the descriptors run out.
        let waker = Arc::new(Waker::new()?);
        loop {
            let before = *self.releases.lock();
            if let Some((port, number)) =
                self.expect_on_any_port(local, peer, avoided, balancers)?
            {
                let (waker, releases) = (Arc::clone(&waker), Arc::clone(&self.releases));
                let balancers = Arc::clone(balancers);
                return Ok(Reservation { port, peer, number, waker, releases, balancers });
            }
            if !self.releases.wait_for_more_than(before, until) {
                return Err(AddrInUse.into());
            }
        }
    }

    fn expect_on_any_port(
        &self,
        mut local: SocketAddr,
        peer: IpAddr,
        avoided: Option<u16>,
        balancers: &Balancers,
    ) -> io::Result<Option<(Arc<Port>, u64)>> {
        let Some(range) = self.range().clone() else { return Ok(None) };
        let (first, count) = (*range.start(), range.len());
        let start = RandomState::new().hash_one(count) as usize % count;
        // The range has at most 65,535 ports, so the sum does not overflow.
        let all = (0..count).map(|step| first + ((start + step) % count) as u16);
        let last = avoided.filter(|port| range.contains(port));
        for port in all.filter(|port| Some(*port) != last).chain(last) {
            local.set_port(port);
            let Some(port) = self.port(local)? else { continue };
            if let Some(number) = port.expect(peer, balancers) {
                return Ok(Some((port, number)));
            }
        }
        Ok(None)
    }

    /// Returns the port at this address, which is opened if necessary; `None` if another program uses
    /// it, or it is no longer in the range.
    fn port(&self, at: SocketAddr) -> io::Result<Option<Arc<Port>>> {
        /// The number of ports that are kept open without a reservation. A range may have tens of
        /// thousands of ports, and each open one needs a descriptor.
        const MAX_IDLE: usize = 64;
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(port) = open.get(&at) {
            return Ok(Some(Arc::clone(port)));
        }
        if self.range().as_ref().is_none_or(|range| !range.contains(&at.port())) {
            return Ok(None);
        }
        if open.len() >= MAX_IDLE {
            // The map holds the only reference to a port without reservations.
            open.retain(|_, port| Arc::strong_count(port) > 1);
        }
        let listener = match TcpListener::bind(at) {
            Err(error) if matches!(error.kind(), AddrInUse | PermissionDenied) => return Ok(None),
            other => other?,
        };
        listener.set_nonblocking(true)?;
        let port = Arc::new(Port { number: at.port(), listener, state: Mutex::default() });
        open.insert(at, Arc::clone(&port));
        Ok(Some(port))
    }
}

impl Releases {
    fn lock(&self) -> MutexGuard<'_, u64> {
        self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self) {
        *self.lock() += 1;
        self.changed.notify_all();
    }

    /// Waits until the count has increased, and returns false if it has not in time.
    fn wait_for_more_than(&self, before: u64, until: Instant) -> bool {
        let left = until.saturating_duration_since(Instant::now());
        let waited = self.changed.wait_timeout_while(self.lock(), left, |count| *count == before);
        *waited.unwrap_or_else(PoisonError::into_inner).0 != before
    }
}

impl Port {
    fn state(&self) -> MutexGuard<'_, PortState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reserves the port for a client and returns the number of the reservation, or `None` if a client
    /// of the same address is already expected. Connections that are already waiting belong to earlier
    /// reservations and are delivered first.
    fn expect(&self, peer: IpAddr, balancers: &Balancers) -> Option<u64> {
        let mut state = self.state();
        let before = state.expected.get(&peer);
        if before.is_some_and(|client_entry| {
            client_entry.waker.is_some() || client_entry.since.elapsed() < HOLD_TIME
        }) {
            return None;
        }
        self.accept_waiting(&mut state, balancers).ok()?;
        state.wake_for_proxied();
        let number = state.reservations;
        state.reservations += 1;
        let (since, unexpected) = (Instant::now(), UnexpectedPeers::default());
        let client_entry =
            ExpectedClient { number, since, identified: None, unexpected, waker: None };
        state.expected.insert(peer, client_entry);
        Some(number)
    }

    /// Accepts all waiting connections, and delivers each to the session that expects it. Unexpected
    /// ones are dropped.
    fn accept_waiting(&self, state: &mut PortState, balancers: &Balancers) -> io::Result<()> {
        // Limits the work if unexpected connections keep coming.
        const MAX: usize = 256;
        for _ in 0..MAX {
            match sys::accept(&self.listener) {
                Ok((stream, from)) if balancers.contains(from.ip()) => {
                    state.proxied.add(stream, from, state.reservations);
                }
                Ok((stream, from)) => {
                    let (client, sequence) = (from.ip().to_canonical(), state.reservations);
                    state.deliver(IdentifiedConnection { stream, client, sequence });
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => return Err(error),
            }
        }
        while let Some(identified) = state.proxied.next() {
            state.deliver(identified);
        }
        let dropped = state.proxied.take_dropped();
        dropped.into_iter().for_each(|(balancer, since)| state.note_unexpected(balancer, since));
        Ok(())
    }
}

impl PortState {
    /// Delivers a connection to the session that expected it when it came.
    fn deliver(&mut self, IdentifiedConnection { stream, client, sequence }: IdentifiedConnection) {
        let Some(client_entry) = self.expected.get_mut(&client) else {
            return self.note_unexpected(client, Instant::now());
        };
        // Only the first connection counts. One that came before the reservation, but whose PROXY header
        // is read only now, belonged to an earlier reservation.
        if client_entry.identified.is_none() && client_entry.number < sequence {
            client_entry.identified = Some(stream);
            client_entry.waker.iter().for_each(|waker| waker.wake());
        }
    }

    /// Records an unexpected connection for the expected client, if there is only one. With several, the
    /// connection cannot be attributed.
    fn note_unexpected(&mut self, address: IpAddr, since: Instant) {
        let mut expected = self.expected.values_mut();
        if let (Some(client_entry), None) = (expected.next(), expected.next()) {
            client_entry.unexpected.add(address, since);
            client_entry.waker.iter().for_each(|waker| waker.wake());
        }
    }

    /// Wakes all waiting sessions to take over the connections of balancers.
    fn wake_for_proxied(&self) {
        if !self.proxied.is_empty() {
            self.expected
                .values()
                .flat_map(|client_entry| &client_entry.waker)
                .for_each(|waker| waker.wake());
        }
    }
}

impl Reservation {
    /// Returns the port to announce.
    pub fn number(&self) -> u16 {
        self.port.number
    }

    /// Waits for the client's connection, calling `hooks` while it waits.
    ///
    /// # Errors
    /// The system's error.
    pub fn accept(
        &self,
        deadline: Option<Instant>,
        unexpected: &mut UnexpectedPeers,
        hooks: &mut impl TransferHooks,
    ) -> io::Result<Result<TcpStream, Waited>> {
        let mut proxied = ProxiedConnections::default();
        let accepted = self.accept_among(&mut proxied, deadline, unexpected, hooks);
        let mut state = self.port.state();
        state.proxied.append(&mut proxied);
        state.wake_for_proxied();
        accepted
    }

    /// Waits for the client's connection, at the port and among these connections of balancers.
    fn accept_among(
        &self,
        proxied: &mut ProxiedConnections,
        deadline: Option<Instant>,
        unexpected: &mut UnexpectedPeers,
        hooks: &mut impl TransferHooks,
    ) -> io::Result<Result<TcpStream, Waited>> {
        let begun = Instant::now();
        loop {
            if let Some(stream) = self.poll_client(proxied, unexpected, begun)? {
                return Ok(Ok(stream));
            }
            let end = unexpected.limit(deadline);
            // Many unexpected connections must not delay the deadline.
            if net::has_passed(end) {
                return Ok(Err(Waited::TimedOut));
            }
            let wanted = || {
                let port = PollItem::new(Waitable::handle(&self.port.listener), Interest::Read);
                let waker = PollItem::new(self.waker.handle(), Interest::Read);
                [port, waker].into_iter().chain(proxied.items()).collect()
            };
            match net::wait_for_any(wanted, net::sooner(end, proxied.next_expiry()), 0, hooks)? {
                Waited::Ready => {}
                Waited::TimedOut if !net::has_passed(end) => {}
                ended => return Ok(Err(ended)),
            }
        }
    }

    /// Returns the client's connection if it has come, for a wait that began at `begun`. The lock
    /// prevents that a connection is delivered between the check and the registration of the waker.
    fn poll_client(
        &self,
        proxied: &mut ProxiedConnections,
        unexpected: &mut UnexpectedPeers,
        begun: Instant,
    ) -> io::Result<Option<TcpStream>> {
        let mut state = self.port.state();
        self.waker.reset();
        state.proxied.append(proxied);
        let accept_waiting = self.port.accept_waiting(&mut state, &self.balancers);
        proxied.append(&mut state.proxied);
        accept_waiting?;
        let client_entry = state
            .expected
            .get_mut(&self.peer)
            .filter(|client_entry| client_entry.number == self.number);
        // The reservation was unused for so long that it has been given to another session.
        let client_entry = client_entry.ok_or(io::ErrorKind::TimedOut)?;
        client_entry.waker.get_or_insert_with(|| Arc::clone(&self.waker));
        *unexpected = client_entry.unexpected.during(begun);
        Ok(client_entry.identified.take())
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let mut state = self.port.state();
        if state
            .expected
            .get(&self.peer)
            .is_some_and(|client_entry| client_entry.number == self.number)
        {
            state.expected.remove(&self.peer);
        }
        drop(state);
        self.releases.add();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::Verdict;
    use std::io::{Read, Write};
    use std::net::Ipv4Addr;
    use std::thread;

    struct NoHooks;

    impl TransferHooks for NoHooks {
        fn items(&self) -> [PollItem<'_>; 2] {
            [PollItem::nothing(), PollItem::nothing()]
        }

        fn check(&mut self, _moved: u64) -> Verdict {
            Verdict::Continue
        }
    }

    const HERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

    fn client(number: u8) -> IpAddr {
        IpAddr::V4(Ipv4Addr::new(127, 0, 0, number))
    }

    /// Returns a range of one free port.
    fn one_port() -> PassivePorts {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = free.local_addr().unwrap().port();
        PassivePorts::new(Some(port..=port))
    }

    fn reserve(ports: &PassivePorts, peer: IpAddr) -> io::Result<Reservation> {
        ports.reserve(HERE, peer, None, &Arc::default())
    }

    fn connect(from: IpAddr, port: u16) -> TcpStream {
        let stream = sys::connect_from(from, SocketAddr::new(HERE.ip(), port)).unwrap();
        net::wait(&mut [PollItem::new(Waitable::handle(&stream), Interest::Write)], None).unwrap();
        stream.set_nonblocking(false).unwrap();
        stream
    }

    fn accept(reservation: &Reservation) -> TcpStream {
        let deadline = net::deadline(Duration::from_secs(20));
        let stream = reservation
            .accept(deadline, &mut UnexpectedPeers::default(), &mut NoHooks)
            .unwrap()
            .unwrap();
        stream.set_nonblocking(false).unwrap();
        stream
    }

    #[test]
    fn one_port_serves_many_addresses_at_once() {
        let ports = one_port();
        let reservations: Vec<Reservation> =
            (1..=20).map(|n| reserve(&ports, client(n)).unwrap()).collect();
        thread::scope(|scope| {
            for reservation in &reservations {
                scope.spawn(move || {
                    let mut stream = accept(reservation);
                    write!(stream, "{}", reservation.peer).unwrap();
                });
            }
            for n in (1..=20).rev() {
                let number = reservations[0].number();
                scope.spawn(move || {
                    let mut text = String::new();
                    connect(client(n), number).read_to_string(&mut text).unwrap();
                    assert_eq!(text, client(n).to_string());
                });
            }
        });
    }

    #[test]
    fn a_port_is_reserved_for_an_address_until_it_is_released() {
        let ports = one_port();
        let first = reserve(&ports, client(1)).unwrap();
        let refused = ports
            .reserve_within(Duration::ZERO, HERE, client(1), None, &Arc::default())
            .unwrap_err();
        assert_eq!(refused.kind(), AddrInUse);
        thread::scope(|scope| {
            let waiting = scope.spawn(|| reserve(&ports, client(1)).is_ok());
            drop(first);
            assert!(waiting.join().unwrap());
        });
    }

    #[test]
    fn every_reservation_has_a_new_number() {
        let ports = one_port();
        let numbers: Vec<u64> =
            (0..3).map(|_| reserve(&ports, client(1)).unwrap().number).collect();
        assert_eq!(numbers, [0, 1, 2]);
    }

    #[test]
    fn an_unexpected_connection_before_the_wait_does_not_shorten_it() {
        let ports = one_port();
        let reservation = reserve(&ports, client(1)).unwrap();
        reservation.port.state().note_unexpected(client(2), Instant::now());
        let (begun, mut unexpected) = (Instant::now() + HOLD_TIME, UnexpectedPeers::default());
        let none = &mut ProxiedConnections::default();
        assert!(reservation.poll_client(none, &mut unexpected, begun).unwrap().is_none());
        assert_eq!(unexpected.first(), Some(client(2)));
        assert!(unexpected.limit(None).is_some_and(|end| end > begun));
    }

    #[test]
    fn unexpected_and_late_connections_are_dropped() {
        let ports = one_port();
        let first = reserve(&ports, client(1)).unwrap();
        let mut stranger = connect(client(2), first.number());
        let mut late = connect(client(1), first.number());
        drop(first);
        let second = reserve(&ports, client(1)).unwrap();
        let right = connect(client(1), second.number());
        assert_eq!(accept(&second).peer_addr().unwrap(), right.local_addr().unwrap());
        for dropped in [&mut stranger, &mut late] {
            assert!(matches!(dropped.read(&mut [0]), Ok(0) | Err(_)));
        }
    }
}
