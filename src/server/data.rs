//! The data connection of a session: how the next one was arranged, and opening it.
//!
//! Passive mode reserves a port of `--passive-ports` for each transfer ([`PassivePorts`]). Without that
//! option the session binds one listener and reuses it: the system blocks every closed port for a
//! minute, so with a new port for each transfer, ports would run out. Connections that are already
//! waiting at the listener are dropped when its port is announced again.
//!
//! A client must connect from the address of its control connection; other connections are dropped and
//! the wait continues. A connection from one of the [`Balancers`] counts as coming from the address that
//! it announces. Active mode connects only to the address of the client, and only to ports from 1024
//! (RFC 2577 section 3).

mod endpoints;
pub(super) mod passive_address;
pub(super) mod passive_ports;
pub(super) mod proxied;

use crate::net::{self, TransferHooks, UnexpectedPeers, Waited};
use crate::server::data::passive_ports::{PassivePorts, Reservation};
use crate::server::data::proxied::ProxiedConnections;
use crate::server::error::Refusal;
use crate::server::proxy::{Balancers, ClientOrigin};
use crate::sys::{self, Interest, PollItem, Waitable, poll};
use endpoints::Endpoints;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The arrangement for the next data connection.
#[derive(Debug, Default)]
enum Arrangement {
    /// Nothing was arranged.
    #[default]
    None,
    /// The client connects to the session's own listener.
    Passive(OwnListener),
    /// The client connects to a reserved port, whose listener several sessions share.
    Reserved(Reservation),
    /// The server connects to this address.
    Active(SocketAddr),
}

/// A listener of one session.
#[derive(Debug)]
struct OwnListener {
    listener: TcpListener,
    port: u16,
    since: Instant,
    /// The number of transfers with this listener.
    transfers: u32,
}

impl OwnListener {
    /// Returns whether the next transfer may use this listener, too. A port that stays the same for long
    /// can be discovered and taken by an attacker (RFC 2577 section 6).
    fn is_reusable(&self) -> bool {
        const MAX_TRANSFERS: u32 = 256;
        const LONGEST: Duration = Duration::from_secs(60);
        self.transfers < MAX_TRANSFERS && self.since.elapsed() < LONGEST
    }
}

/// The data connections of a session.
#[derive(Debug)]
pub struct DataConnection {
    endpoints: Endpoints,
    arrangement: Arrangement,
    /// The session's listener between transfers.
    spare: Option<OwnListener>,
    /// The load balancers through which the client may connect.
    balancers: Arc<Balancers>,
    extended_only: bool,
    /// True if a transfer was refused since the last PASV or EPSV.
    keeps_port: bool,
    /// The address of an unexpected connection during the last wait.
    unexpected_peer: Option<IpAddr>,
    unexpected_peer_logged: bool,
}

impl DataConnection {
    /// Creates the state of a client without an arrangement.
    pub fn new(origin: &ClientOrigin) -> DataConnection {
        DataConnection::with_endpoints(Endpoints::new(origin))
    }

    fn with_endpoints(endpoints: Endpoints) -> DataConnection {
        DataConnection {
            endpoints,
            arrangement: Arrangement::None,
            spare: None,
            balancers: Arc::default(),
            extended_only: false,
            keeps_port: false,
            unexpected_peer: None,
            unexpected_peer_logged: false,
        }
    }

    /// Returns the server's address as the client knows it.
    pub fn local(&self) -> IpAddr {
        self.endpoints.reached
    }

    /// Accepts only EPSV from now on, after EPSV ALL (RFC 2428 section 4).
    pub fn restrict_to_extended(&mut self) {
        self.extended_only = true;
    }

    /// Refuses the other commands after EPSV ALL.
    ///
    /// # Errors
    /// 501 after EPSV ALL.
    pub fn check_not_restricted(&self) -> Result<(), Refusal> {
        if self.extended_only {
            return Err(Refusal::Argument("Only EPSV is allowed after EPSV ALL."));
        }
        Ok(())
    }

    /// Arranges passive mode and returns the port to announce, one of `ports` if given. The client may
    /// connect through one of `balancers`.
    ///
    /// # Errors
    /// 425 if no port is free.
    pub fn passive(
        &mut self,
        ports: Option<&PassivePorts>,
        balancers: &Arc<Balancers>,
    ) -> Result<u16, Refusal> {
        // A client that asks again could not connect to its last port, so it gets another one, unless a
        // refused transfer is the reason.
        let unused = match std::mem::take(&mut self.arrangement) {
            Arrangement::Passive(own) if self.keeps_port => {
                self.spare = Some(own);
                Arrangement::None
            }
            unused => unused,
        };
        self.keeps_port = false;
        if let Some(ports) = ports {
            let avoided = if let Arrangement::Reserved(unused) = &unused {
                Some(unused.number())
            } else {
                None
            };
            drop(unused);
            let (here, peer) = (self.endpoints.listening_at(0), self.endpoints.peer);
            let reserved = ports.reserve(here, peer, avoided, balancers).map_err(|_| NO_PORT)?;
            let port = reserved.number();
            self.arrangement = Arrangement::Reserved(reserved);
            return Ok(port);
        }
        self.balancers = Arc::clone(balancers);
        let own = match self.spare.take().filter(OwnListener::is_reusable) {
            Some(own) => {
                drain(&own.listener);
                own
            }
            // The new listener is bound before the old one is closed, so that it gets another port.
            None => listen_on_random_port(self.endpoints).map_err(|_| NO_PORT)?,
        };
        drop(unused);
        let port = own.port;
        self.arrangement = Arrangement::Passive(own);
        Ok(port)
    }

    /// Arranges active mode. The address is checked before any connection is made, so the reply reveals
    /// nothing about other machines.
    ///
    /// # Errors
    /// 501 for an address other than the client's, or a port below 1024.
    pub fn active(&mut self, to: SocketAddr) -> Result<(), Refusal> {
        self.arrangement = Arrangement::None;
        if to.ip().to_canonical() != self.endpoints.peer || self.endpoints.client_unknown {
            return Err(Refusal::Argument("The address must be your own."));
        }
        if to.port() < 1024 {
            return Err(Refusal::Argument("The port must be 1024 or higher."));
        }
        self.arrangement = Arrangement::Active(self.endpoints.connecting_to(to));
        Ok(())
    }

    /// Lets the next transfer use the same port, because a transfer was refused before it used the
    /// arranged one.
    pub fn keep_port(&mut self) {
        self.keeps_port = true;
    }

    /// Discards the arrangement and closes all ports (REIN). An unexpected peer is still logged only once a
    /// session.
    pub fn reset(&mut self) {
        let unexpected_peer_logged = self.unexpected_peer_logged;
        let new = DataConnection::with_endpoints(self.endpoints);
        *self = DataConnection { unexpected_peer_logged, ..new };
    }

    /// Checks that a transfer was arranged.
    ///
    /// # Errors
    /// 425 if nothing was arranged.
    pub fn check_arranged(&self) -> Result<(), Refusal> {
        match self.arrangement {
            Arrangement::None => {
                Err(Refusal::NoDataConnection("Use PASV, EPSV, PORT or EPRT first."))
            }
            Arrangement::Passive(_) | Arrangement::Reserved(_) | Arrangement::Active(_) => Ok(()),
        }
    }

    /// Opens the arranged connection. The arrangement is used up.
    ///
    /// # Errors
    /// 425 if the peer does not connect or cannot be reached, 426 if the wait was stopped.
    pub fn open(
        &mut self,
        deadline: Option<Instant>,
        hooks: &mut impl TransferHooks,
    ) -> Result<TcpStream, Refusal> {
        let endpoints = self.endpoints;
        let mut unexpected = UnexpectedPeers::default();
        let opened = match std::mem::take(&mut self.arrangement) {
            Arrangement::Passive(mut own) => {
                let (listener, peer) = (&own.listener, endpoints.peer);
                let opened = match self.balancers.is_configured() {
                    false => net::accept_from(listener, peer, deadline, &mut unexpected, hooks),
                    true => self.accept_proxied(listener, deadline, &mut unexpected, hooks),
                };
                // If the client did not connect, it may not be able to reach this port.
                if !matches!(opened, Ok(Err(_))) {
                    own.transfers += 1;
                    self.spare = Some(own);
                }
                opened
            }
            Arrangement::Reserved(port) => port.accept(deadline, &mut unexpected, hooks),
            Arrangement::Active(to) => net::dial(endpoints.connecting_from(), to, deadline, hooks),
            Arrangement::None => Ok(Err(Waited::TimedOut)),
        };
        self.unexpected_peer = unexpected.first();
        match opened {
            Ok(Ok(stream)) => Ok(stream),
            Ok(Err(Waited::Stopped)) => Err(Refusal::Aborted("Transfer aborted.")),
            Ok(Err(_)) if self.unexpected_peer.is_some() => Err(Refusal::NoDataConnection(
                "The only data connections came from an address other than yours.",
            )),
            Ok(Err(_)) => Err(Refusal::NoDataConnection("No data connection arrived in time.")),
            Err(_) => Err(Refusal::NoDataConnection("Cannot open the data connection.")),
        }
    }

    /// Takes the address of an unexpected connection during the last [`DataConnection::open`]. Returns
    /// it only once per session, for the log.
    pub fn take_unexpected_peer(&mut self) -> Option<IpAddr> {
        let unexpected_peer =
            self.unexpected_peer.take().filter(|_| !self.unexpected_peer_logged)?;
        self.unexpected_peer_logged = true;
        Some(unexpected_peer)
    }
}

impl DataConnection {
    /// Like [`net::accept_from`], if the client may also connect through a balancer.
    fn accept_proxied(
        &self,
        listener: &TcpListener,
        deadline: Option<Instant>,
        unexpected: &mut UnexpectedPeers,
        hooks: &mut impl TransferHooks,
    ) -> io::Result<Result<TcpStream, Waited>> {
        let mut proxied = ProxiedConnections::default();
        loop {
            match sys::accept(listener) {
                Ok((stream, from)) if self.balancers.contains(from.ip()) => {
                    proxied.add(stream, from, 0);
                }
                Ok((stream, from)) if from.ip().to_canonical() == self.endpoints.peer => {
                    return Ok(Ok(stream));
                }
                Ok((_, from)) => unexpected.add(from.ip(), Instant::now()),
                Err(error) if net::is_transient(&error) => {}
                Err(error) => return Err(error),
            }
            while let Some(identified) = proxied.next() {
                if identified.client == self.endpoints.peer {
                    return Ok(Ok(identified.stream));
                }
                unexpected.add(identified.client, Instant::now());
            }
            let dropped = proxied.take_dropped();
            dropped.into_iter().for_each(|(balancer, since)| unexpected.add(balancer, since));
            let end = unexpected.limit(deadline);
            // Many unexpected connections must not delay the deadline.
            if net::has_passed(end) {
                return Ok(Err(Waited::TimedOut));
            }
            let wanted = || {
                let listener = PollItem::new(Waitable::handle(listener), Interest::Read);
                proxied.items().chain([listener]).collect()
            };
            match net::wait_for_any(wanted, net::sooner(end, proxied.next_expiry()), 0, hooks)? {
                Waited::Ready => {}
                Waited::TimedOut if !net::has_passed(end) => {}
                ended => return Ok(Err(ended)),
            }
        }
    }
}

const NO_PORT: Refusal = Refusal::NoDataConnection("No port is free for a data connection.");

/// Listens on a random port, which an attacker cannot predict (RFC 2577 section 6).
///
/// The system would pick one, too, but skips every port that a closed connection still blocks, and finds
/// none after some ten thousand sessions in a minute. Listening on such a port explicitly is allowed.
fn listen_on_random_port(endpoints: Endpoints) -> io::Result<OwnListener> {
    /// The range that Linux uses; those of other systems lie within or above it.
    const PORTS: RangeInclusive<u16> = 32_768..=60_999;
    const TRIES: u64 = 64;
    let random = RandomState::new();
    for number in 0..TRIES {
        let step = random.hash_one(number) % PORTS.len() as u64;
        let port = PORTS.start() + u16::try_from(step).unwrap_or_default();
        match listen(endpoints.listening_at(port)) {
            // The port is in use, or reserved by the system.
            Err(error)
                if matches!(error.kind(), ErrorKind::AddrInUse | ErrorKind::PermissionDenied) => {}
            other => return other,
        }
    }
    listen(endpoints.listening_at(0))
}

fn listen(at: SocketAddr) -> io::Result<OwnListener> {
    let listener = TcpListener::bind(at)?;
    listener.set_nonblocking(true)?;
    let port = listener.local_addr()?.port();
    Ok(OwnListener { listener, port, since: Instant::now(), transfers: 0 })
}

/// Drops connections for an earlier transfer: as many as can wait, because clients may continue to
/// connect.
fn drain(listener: &TcpListener) {
    const QUEUE: usize = 128; // the backlog of std
    // A poll takes a tenth of the time of an accept that finds nothing.
    let is_waiting = || {
        let mut item = [PollItem::new(Waitable::handle(listener), Interest::Read)];
        poll(&mut item, Some(Duration::ZERO)).is_ok_and(|ready| ready > 0)
    };
    let next = |_| if is_waiting() { listener.accept().ok() } else { None };
    (0..=QUEUE).map_while(next).for_each(drop);
}
