//! The ports of `--passive-ports`, shared by all sessions.
//!
//! Behind a firewall there may be ten ports for thousands of transfers. One listener serves many
//! clients at once, told apart by their addresses: whoever accepts a connection that is meant for
//! another session hands it over. So a port is taken only for clients of the same address, from
//! PASV to the moment the data connection stands. Ports are given out in random order, because one
//! that can be guessed can be taken by a stranger (RFC 2577 section 6).

use crate::net::{self, Attention, Strangers, Waited};
use crate::server::data::proxied::{IdentifiedConnection, ProxiedConnections};
use crate::server::proxy::Balancers;
use crate::sys::{Interest, PollItem, Waitable, Waker};
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
    /// `None` while there is no `--passive-ports`.
    range: Mutex<Option<RangeInclusive<u16>>>,
    /// By the server's address. Some ports stay bound when nobody has reserved them.
    open: Mutex<HashMap<SocketAddr, Arc<Port>>>,
    releases: Arc<Releases>,
}

/// Counts reservations that were given back, for those who wait for one.
#[derive(Debug, Default)]
struct Releases {
    count: Mutex<u64>,
    changed: Condvar,
}

/// How long a port is held for a client that has not begun its transfer, if another session of its
/// address wants the port.
const HELD: Duration = Duration::from_secs(30);

/// How long PASV waits for a port if all are taken for its client's address. The other transfers of
/// that address end their reservations as soon as their data connections stand.
const PATIENCE: Duration = Duration::from_secs(5);

/// One listener and the clients it waits for.
#[derive(Debug)]
struct Port {
    number: u16,
    listener: TcpListener,
    lobby: Mutex<Lobby>,
}

/// Who is expected at a port, and who has come.
#[derive(Debug, Default)]
struct Lobby {
    guests: HashMap<IpAddr, Guest>,
    /// Those of balancers that no session waits for at the moment.
    proxied: ProxiedConnections,
    /// How many invitations there were: no number is given twice.
    invited: u64,
}

/// A client that was told to come.
#[derive(Debug)]
struct Guest {
    /// Tells it from one that was told before and never came.
    number: u64,
    since: Instant,
    identified: Option<TcpStream>,
    /// Connections that no client was expected for while this was the only one that was.
    strangers: Strangers,
    /// Wakes the session that waits for it.
    waker: Option<Arc<Waker>>,
}

/// A port that is reserved for one client's next data connection.
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
    /// The ports of a range, none of them open yet.
    pub fn new(range: Option<RangeInclusive<u16>>) -> PassivePorts {
        PassivePorts { range: Mutex::new(range), open: Mutex::default(), releases: Arc::default() }
    }

    /// Gives out ports of another range from now on. Those that are reserved stay so; what is
    /// outside the range is closed when its last reservation goes.
    pub fn set_range(&self, range: Option<RangeInclusive<u16>>) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|at, _| range.as_ref().is_some_and(|range| range.contains(&at.port())));
        *self.range() = range;
    }

    /// How many ports of the range are reserved, and how many it has; `None` without a range.
    pub fn reserved(&self) -> Option<(usize, usize)> {
        let all = self.range().as_ref()?.len();
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        // What nobody has reserved is held by this map alone.
        Some((open.values().filter(|port| Arc::strong_count(port) > 1).count(), all))
    }

    fn range(&self) -> MutexGuard<'_, Option<RangeInclusive<u16>>> {
        self.range.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reserves a port at the address of `local` for a client at `peer`, who may come by one of these
    /// balancers, waiting a while if all are taken. The port `avoided` is given out only if no other one
    /// is free.
    ///
    /// # Errors
    /// `AddrInUse` if none came free, or what the system says.
    pub fn reserve(
        &self,
        local: SocketAddr,
        peer: IpAddr,
        avoided: Option<u16>,
        balancers: &Arc<Balancers>,
    ) -> io::Result<Reservation> {
        self.reserve_within(PATIENCE, local, peer, avoided, balancers)
    }

    fn reserve_within(
        &self,
        patience: Duration,
        local: SocketAddr,
        peer: IpAddr,
        avoided: Option<u16>,
        balancers: &Arc<Balancers>,
    ) -> io::Result<Reservation> {
        let until = Instant::now() + patience;
        // Before a port is taken: who runs out of descriptors here must not leave it taken.
        let waker = Arc::new(Waker::new()?);
        loop {
            let before = *self.releases.lock();
            if let Some((port, number)) = self.invite_somewhere(local, peer, avoided, balancers)? {
                let (waker, releases) = (Arc::clone(&waker), Arc::clone(&self.releases));
                let balancers = Arc::clone(balancers);
                return Ok(Reservation { port, peer, number, waker, releases, balancers });
            }
            if !self.releases.wait_for_more_than(before, until) {
                return Err(AddrInUse.into());
            }
        }
    }

    fn invite_somewhere(
        &self,
        mut local: SocketAddr,
        peer: IpAddr,
        avoided: Option<u16>,
        balancers: &Balancers,
    ) -> io::Result<Option<(Arc<Port>, u64)>> {
        let Some(range) = self.range().clone() else { return Ok(None) };
        let (first, count) = (*range.start(), range.len());
        let start = RandomState::new().hash_one(count) as usize % count;
        // At most 65,535 of them, so the sum fits.
        let all = (0..count).map(|step| first + ((start + step) % count) as u16);
        let last = avoided.filter(|port| range.contains(port));
        for port in all.filter(|port| Some(*port) != last).chain(last) {
            local.set_port(port);
            let Some(port) = self.port(local)? else { continue };
            if let Some(number) = port.invite(peer, balancers) {
                return Ok(Some((port, number)));
            }
        }
        Ok(None)
    }

    /// The listener there; `None` if another program has the port, or it is not ours any more.
    fn port(&self, at: SocketAddr) -> io::Result<Option<Arc<Port>>> {
        /// So many listeners are kept for those who come next: a range may have tens of thousands
        /// of ports, and each takes a descriptor.
        const MOST_IDLE: usize = 64;
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(port) = open.get(&at) {
            return Ok(Some(Arc::clone(port)));
        }
        if self.range().as_ref().is_none_or(|range| !range.contains(&at.port())) {
            return Ok(None);
        }
        if open.len() >= MOST_IDLE {
            // What nobody has reserved is held by this map alone.
            open.retain(|_, port| Arc::strong_count(port) > 1);
        }
        let listener = match TcpListener::bind(at) {
            Err(error) if matches!(error.kind(), AddrInUse | PermissionDenied) => return Ok(None),
            other => other?,
        };
        listener.set_nonblocking(true)?;
        let port = Arc::new(Port { number: at.port(), listener, lobby: Mutex::default() });
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

    /// Whether the count has gone up, or goes up in time.
    fn wait_for_more_than(&self, before: u64, until: Instant) -> bool {
        let left = until.saturating_duration_since(Instant::now());
        let waited = self.changed.wait_timeout_while(self.lock(), left, |count| *count == before);
        *waited.unwrap_or_else(PoisonError::into_inner).0 != before
    }
}

impl Port {
    fn lobby(&self) -> MutexGuard<'_, Lobby> {
        self.lobby.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Expects a client, if none of its address is expected already. What waits in the queue was
    /// meant for someone before and is dealt with first.
    /// Gives the number of the invitation.
    fn invite(&self, peer: IpAddr, balancers: &Balancers) -> Option<u64> {
        let mut lobby = self.lobby();
        let before = lobby.guests.get(&peer);
        if before.is_some_and(|guest| guest.waker.is_some() || guest.since.elapsed() < HELD) {
            return None;
        }
        self.let_in(&mut lobby, balancers).ok()?;
        lobby.wake_all_for_arrivals();
        let number = lobby.invited;
        lobby.invited += 1;
        let (since, strangers) = (Instant::now(), Strangers::default());
        let guest = Guest { number, since, identified: None, strangers, waker: None };
        lobby.guests.insert(peer, guest);
        Some(number)
    }

    /// Accepts all that have come, and gives each to the session that expects it. Strangers are
    /// dropped.
    fn let_in(&self, lobby: &mut Lobby, balancers: &Balancers) -> io::Result<()> {
        // No more at a time, however many strangers go on coming.
        const MOST: usize = 256;
        for _ in 0..MOST {
            match self.listener.accept() {
                Ok((stream, from)) if balancers.include(from.ip()) => {
                    lobby.proxied.add(stream, from, lobby.invited);
                }
                Ok((stream, from)) => {
                    let (client, mark) = (from.ip().to_canonical(), lobby.invited);
                    lobby.hand_over(IdentifiedConnection { stream, client, mark });
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => return Err(error),
            }
        }
        while let Some(identified) = lobby.proxied.next() {
            lobby.hand_over(identified);
        }
        let headless = lobby.proxied.take_headless();
        headless.into_iter().for_each(|(balancer, since)| lobby.note_stranger(balancer, since));
        Ok(())
    }
}

impl Lobby {
    /// Gives a connection to the session that expected it when it came.
    fn hand_over(&mut self, IdentifiedConnection { stream, client, mark }: IdentifiedConnection) {
        let Some(guest) = self.guests.get_mut(&client) else {
            return self.note_stranger(client, Instant::now());
        };
        // The first one is it; a second is somebody else's idea. One that came before the invitation,
        // and said only now for whom, was meant for someone before.
        if guest.identified.is_none() && guest.number < mark {
            guest.identified = Some(stream);
            guest.waker.iter().for_each(|waker| waker.wake());
        }
    }

    /// Notes a connection of nobody who is expected. It is told to a client that is the only one
    /// expected here; of several nobody can know whose it was meant to be.
    fn note_stranger(&mut self, address: IpAddr, since: Instant) {
        let mut guests = self.guests.values_mut();
        if let (Some(guest), None) = (guests.next(), guests.next()) {
            guest.strangers.add(address, since);
            guest.waker.iter().for_each(|waker| waker.wake());
        }
    }

    /// Lets those who wait look at what nobody waits for.
    fn wake_all_for_arrivals(&self) {
        if !self.proxied.is_empty() {
            self.guests.values().flat_map(|guest| &guest.waker).for_each(|waker| waker.wake());
        }
    }
}

impl Reservation {
    /// The port to announce.
    pub fn number(&self) -> u16 {
        self.port.number
    }

    /// Waits for the client, listening to `attention` meanwhile.
    ///
    /// # Errors
    /// What the system says.
    pub fn accept(
        &self,
        deadline: Option<Instant>,
        strangers: &mut Strangers,
        attention: &mut impl Attention,
    ) -> io::Result<Result<TcpStream, Waited>> {
        let mut proxied = ProxiedConnections::default();
        let accepted = self.accept_among(&mut proxied, deadline, strangers, attention);
        let mut lobby = self.port.lobby();
        lobby.proxied.append(&mut proxied);
        lobby.wake_all_for_arrivals();
        accepted
    }

    /// Waits for all that may be the client: these connections too.
    fn accept_among(
        &self,
        proxied: &mut ProxiedConnections,
        deadline: Option<Instant>,
        strangers: &mut Strangers,
        attention: &mut impl Attention,
    ) -> io::Result<Result<TcpStream, Waited>> {
        let begun = Instant::now();
        loop {
            if let Some(stream) = self.look(proxied, strangers, begun)? {
                return Ok(Ok(stream));
            }
            let end = strangers.limit(deadline);
            // Also a crowd that goes on coming meets the deadline.
            if net::has_passed(end) {
                return Ok(Err(Waited::TimedOut));
            }
            let wanted = || {
                let port = PollItem::new(Waitable::handle(&self.port.listener), Interest::Read);
                let waker = PollItem::new(self.waker.handle(), Interest::Read);
                [port, waker].into_iter().chain(proxied.items()).collect()
            };
            match net::wait_for_any(wanted, net::sooner(end, proxied.next_expiry()), 0, attention)?
            {
                Waited::Ready => {}
                Waited::TimedOut if !net::has_passed(end) => {}
                ended => return Ok(Err(ended)),
            }
        }
    }

    /// Looks whether the client has come, for a wait that began at `begun`.
    /// Under the lock nobody can hand over between the look and the request to be woken.
    fn look(
        &self,
        proxied: &mut ProxiedConnections,
        strangers: &mut Strangers,
        begun: Instant,
    ) -> io::Result<Option<TcpStream>> {
        let mut lobby = self.port.lobby();
        self.waker.reset();
        lobby.proxied.append(proxied);
        let let_in = self.port.let_in(&mut lobby, &self.balancers);
        proxied.append(&mut lobby.proxied);
        let_in?;
        let guest = lobby.guests.get_mut(&self.peer).filter(|guest| guest.number == self.number);
        // It was held for so long without a transfer that somebody else has it now.
        let guest = guest.ok_or(io::ErrorKind::TimedOut)?;
        guest.waker.get_or_insert_with(|| Arc::clone(&self.waker));
        *strangers = guest.strangers.during(begun);
        Ok(guest.identified.take())
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let mut lobby = self.port.lobby();
        if lobby.guests.get(&self.peer).is_some_and(|guest| guest.number == self.number) {
            lobby.guests.remove(&self.peer);
        }
        drop(lobby);
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

    struct BlockingWriter;

    impl Attention for BlockingWriter {
        fn items(&self) -> [PollItem<'_>; 2] {
            [PollItem::nothing(), PollItem::nothing()]
        }

        fn attend(&mut self, _moved: u64) -> Verdict {
            Verdict::Continue
        }
    }

    const HERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

    fn client(number: u8) -> IpAddr {
        IpAddr::V4(Ipv4Addr::new(127, 0, 0, number))
    }

    /// A range of one port that is free.
    fn one_port() -> PassivePorts {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = free.local_addr().unwrap().port();
        PassivePorts::new(Some(port..=port))
    }

    fn reserve(ports: &PassivePorts, peer: IpAddr) -> io::Result<Reservation> {
        ports.reserve(HERE, peer, None, &Arc::default())
    }

    fn connect(from: IpAddr, port: u16) -> TcpStream {
        let stream = crate::sys::connect_from(from, SocketAddr::new(HERE.ip(), port)).unwrap();
        net::wait(&mut [PollItem::new(Waitable::handle(&stream), Interest::Write)], None).unwrap();
        stream.set_nonblocking(false).unwrap();
        stream
    }

    fn accept(reservation: &Reservation) -> TcpStream {
        let deadline = net::deadline(Duration::from_secs(20));
        let stream = reservation
            .accept(deadline, &mut Strangers::default(), &mut BlockingWriter)
            .unwrap()
            .unwrap();
        stream.set_nonblocking(false).unwrap();
        stream
    }

    #[test]
    fn one_port_serves_many_addresses_at_once_and_each_gets_its_own() {
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
    fn a_port_is_taken_for_an_address_until_its_reservation_goes() {
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
    fn no_invitation_is_taken_for_a_later_one() {
        let ports = one_port();
        let numbers: Vec<u64> =
            (0..3).map(|_| reserve(&ports, client(1)).unwrap().number).collect();
        assert_eq!(numbers, [0, 1, 2]);
    }

    #[test]
    fn a_stranger_before_the_wait_leaves_it_its_time() {
        let ports = one_port();
        let reservation = reserve(&ports, client(1)).unwrap();
        reservation.port.lobby().note_stranger(client(2), Instant::now());
        let (begun, mut strangers) = (Instant::now() + HELD, Strangers::default());
        let none = &mut ProxiedConnections::default();
        assert!(reservation.look(none, &mut strangers, begun).unwrap().is_none());
        assert_eq!(strangers.first(), Some(client(2)));
        assert!(strangers.limit(None).is_some_and(|end| end > begun));
    }

    #[test]
    fn strangers_and_late_comers_are_dropped() {
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
