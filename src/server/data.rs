//! The data connection of a session: how the next one is to be made, and how it comes to be.
//!
//! Passive mode reserves a port of `--passive-ports` for each transfer ([`PassivePorts`]). Without
//! that option the session binds one listener and keeps it: the system keeps every closed port from
//! use for a minute, so a new port for each transfer runs out of ports. Connections that wait at the
//! listener from before are dropped when its port is announced again.
//!
//! A client must connect from the address of its control connection; a connection from elsewhere is
//! dropped and the wait continues. A connection from one of the [`Balancers`] counts as coming from
//! the address that it announces. Active mode connects to the address of the client alone, and to no
//! port below 1024 (RFC 2577 section 3).

mod endpoints;
pub(super) mod passive_address;
pub(super) mod passive_ports;
pub(super) mod proxied;

use crate::net::{self, Attention, Strangers, Waited};
use crate::server::data::passive_ports::{PassivePorts, Reservation};
use crate::server::data::proxied::ProxiedConnections;
use crate::server::error::Refusal;
use crate::server::proxy::{Balancers, ClientOrigin};
use crate::sys::{Interest, PollItem, Waitable};
use endpoints::Endpoints;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How the next transfer's data connection is to be made.
#[derive(Debug, Default)]
enum Plan {
    /// Nothing was arranged.
    #[default]
    None,
    /// The client connects to the session's own listener.
    Passive(OwnListener),
    /// The client connects to a port that is shared.
    Reserved(Reservation),
    /// The server connects there.
    Active(SocketAddr),
}

/// A session's own listener and its port.
#[derive(Debug)]
struct OwnListener {
    listener: TcpListener,
    port: u16,
    since: Instant,
    /// Transfers whose connections came here.
    transfers: u32,
}

impl OwnListener {
    /// Whether the next transfer may use it too. A port that stays the same for long can be found out
    /// and taken by a stranger (RFC 2577 section 6).
    fn may_stay(&self) -> bool {
        const MOST_TRANSFERS: u32 = 256;
        const LONGEST: Duration = Duration::from_secs(60);
        self.transfers < MOST_TRANSFERS && self.since.elapsed() < LONGEST
    }
}

/// A session's arrangements for data connections.
#[derive(Debug)]
pub struct DataConnection {
    endpoints: Endpoints,
    plan: Plan,
    /// The session's own listener while no transfer waits for it.
    spare: Option<OwnListener>,
    /// By whom the client may come.
    balancers: Arc<Balancers>,
    extended_only: bool,
    /// A transfer was refused since the last PASV or EPSV.
    keeps_port: bool,
    /// A stranger that connected during the last wait.
    stranger: Option<IpAddr>,
    told_stranger: bool,
}

impl DataConnection {
    /// Nothing arranged for this client.
    pub fn new(origin: &ClientOrigin) -> DataConnection {
        DataConnection::between(Endpoints::new(origin))
    }

    fn between(endpoints: Endpoints) -> DataConnection {
        DataConnection {
            endpoints,
            plan: Plan::None,
            spare: None,
            balancers: Arc::default(),
            extended_only: false,
            keeps_port: false,
            stranger: None,
            told_stranger: false,
        }
    }

    /// The server's address as the client knows it.
    pub fn local(&self) -> IpAddr {
        self.endpoints.reached
    }

    /// After EPSV ALL nothing but EPSV is taken (RFC 2428 section 4).
    pub fn restrict_to_extended(&mut self) {
        self.extended_only = true;
    }

    /// Refuses what EPSV ALL has ruled out.
    ///
    /// # Errors
    /// 501, since the client broke its own word.
    pub fn check_not_restricted(&self) -> Result<(), Refusal> {
        if self.extended_only {
            return Err(Refusal::Argument("Only EPSV is allowed after EPSV ALL."));
        }
        Ok(())
    }

    /// Arranges passive mode and gives the port to announce, one of `ports` if there are such. The
    /// client may come by one of these balancers.
    ///
    /// # Errors
    /// No port is to be had.
    pub fn passive(
        &mut self,
        ports: Option<&PassivePorts>,
        balancers: &Arc<Balancers>,
    ) -> Result<u16, Refusal> {
        // A client that asks again could not use the port it was given, so it gets another one, unless it
        // was the transfer that was refused.
        let unused = match std::mem::take(&mut self.plan) {
            Plan::Passive(own) if self.keeps_port => {
                self.spare = Some(own);
                Plan::None
            }
            unused => unused,
        };
        self.keeps_port = false;
        if let Some(ports) = ports {
            let avoided =
                if let Plan::Reserved(unused) = &unused { Some(unused.number()) } else { None };
            drop(unused);
            let (here, peer) = (self.endpoints.listening_at(0), self.endpoints.peer);
            let reserved = ports.reserve(here, peer, avoided, balancers).map_err(|_| NO_PORT)?;
            let port = reserved.number();
            self.plan = Plan::Reserved(reserved);
            return Ok(port);
        }
        self.balancers = Arc::clone(balancers);
        let own = match self.spare.take().filter(OwnListener::may_stay) {
            Some(own) => {
                drain(&own.listener);
                own
            }
            // Listens before what was unused is closed, so that it cannot be the same port.
            None => listen_somewhere(self.endpoints).map_err(|_| NO_PORT)?,
        };
        drop(unused);
        let port = own.port;
        self.plan = Plan::Passive(own);
        Ok(port)
    }

    /// Arranges active mode. The address is checked here, before anything is connected, so the
    /// answer tells nothing about other machines.
    ///
    /// # Errors
    /// 501 for an address other than the client's own, or a port below 1024.
    pub fn active(&mut self, to: SocketAddr) -> Result<(), Refusal> {
        self.plan = Plan::None;
        if to.ip().to_canonical() != self.endpoints.peer || self.endpoints.unnamed {
            return Err(Refusal::Argument("Only your own address is connected to."));
        }
        if to.port() < 1024 {
            return Err(Refusal::Argument("Only ports from 1024 up are connected to."));
        }
        self.plan = Plan::Active(self.endpoints.connecting_to(to));
        Ok(())
    }

    /// Notes that a transfer was refused before it used what was arranged: the next one may use the same
    /// port, since nothing is known against it.
    pub fn keep_port(&mut self) {
        self.keeps_port = true;
    }

    /// Forgets everything (REIN); no port stays open.
    pub fn reset(&mut self) {
        *self = DataConnection::between(self.endpoints);
    }

    /// Whether a transfer may begin.
    ///
    /// # Errors
    /// 425 if nothing was arranged.
    pub fn check_planned(&self) -> Result<(), Refusal> {
        match self.plan {
            Plan::None => Err(Refusal::NoDataConnection("Use PASV, EPSV, PORT or EPRT first.")),
            Plan::Passive(_) | Plan::Reserved(_) | Plan::Active(_) => Ok(()),
        }
    }

    /// Makes the connection that was arranged; the arrangement is used up.
    ///
    /// # Errors
    /// 425 if the peer does not come or cannot be reached, 426 if the wait was broken off.
    pub fn open(
        &mut self,
        deadline: Option<Instant>,
        attention: &mut impl Attention,
    ) -> Result<TcpStream, Refusal> {
        let endpoints = self.endpoints;
        let mut strangers = Strangers::default();
        let opened = match std::mem::take(&mut self.plan) {
            Plan::Passive(mut own) => {
                let (listener, peer) = (&own.listener, endpoints.peer);
                let opened = match self.balancers.are_there() {
                    false => net::accept_from(listener, peer, deadline, &mut strangers, attention),
                    true => self.accept_announced(listener, deadline, &mut strangers, attention),
                };
                // A port that the client did not come to may be one that it cannot reach.
                if !matches!(opened, Ok(Err(_))) {
                    own.transfers += 1;
                    self.spare = Some(own);
                }
                opened
            }
            Plan::Reserved(port) => {
                port.accept(deadline, &mut strangers, attention).and_then(not_blocking)
            }
            Plan::Active(to) => net::dial(endpoints.connecting_from(), to, deadline, attention),
            Plan::None => Ok(Err(Waited::TimedOut)),
        };
        self.stranger = strangers.first();
        match opened {
            Ok(Ok(stream)) => Ok(stream),
            Ok(Err(Waited::Stopped)) => Err(Refusal::Broken("Transfer aborted.")),
            Ok(Err(_)) if self.stranger.is_some() => Err(Refusal::NoDataConnection(
                "Data connections came from another address than yours alone.",
            )),
            Ok(Err(_)) => Err(Refusal::NoDataConnection("No data connection came in time.")),
            Err(_) => Err(Refusal::NoDataConnection("Cannot open the data connection.")),
        }
    }

    /// Takes the address of a stranger that connected during the last [`DataConnection::open`], the
    /// first time only: the log is told once a session.
    pub fn take_stranger(&mut self) -> Option<IpAddr> {
        let stranger = self.stranger.take().filter(|_| !self.told_stranger)?;
        self.told_stranger = true;
        Some(stranger)
    }
}

impl DataConnection {
    /// [`net::accept_from`] where the client may also come by a balancer.
    fn accept_announced(
        &self,
        listener: &TcpListener,
        deadline: Option<Instant>,
        strangers: &mut Strangers,
        attention: &mut impl Attention,
    ) -> io::Result<Result<TcpStream, Waited>> {
        let mut proxied = ProxiedConnections::default();
        loop {
            match listener.accept() {
                Ok((stream, from)) if self.balancers.include(from.ip()) => {
                    proxied.add(stream, from, 0);
                }
                Ok((stream, from)) if from.ip().to_canonical() == self.endpoints.peer => {
                    return not_blocking(Ok(stream));
                }
                Ok((_, from)) => strangers.add(from.ip(), Instant::now()),
                Err(error) if net::is_passing(&error) => {}
                Err(error) => return Err(error),
            }
            while let Some(identified) = proxied.next() {
                if identified.client == self.endpoints.peer {
                    return Ok(Ok(identified.stream));
                }
                strangers.add(identified.client, Instant::now());
            }
            let headless = proxied.take_headless();
            headless.into_iter().for_each(|(balancer, since)| strangers.add(balancer, since));
            let end = strangers.limit(deadline);
            // Also a crowd that goes on coming meets the deadline.
            if net::has_passed(end) {
                return Ok(Err(Waited::TimedOut));
            }
            let wanted = || {
                let listener = PollItem::new(Waitable::handle(listener), Interest::Read);
                proxied.items().chain([listener]).collect()
            };
            match net::wait_for_any(wanted, net::sooner(end, proxied.next_expiry()), 0, attention)?
            {
                Waited::Ready => {}
                Waited::TimedOut if !net::has_passed(end) => {}
                ended => return Ok(Err(ended)),
            }
        }
    }
}

const NO_PORT: Refusal = Refusal::NoDataConnection("No port is free for a data connection.");

/// A shared port accepts for all, and leaves this to whom it hands the stream.
fn not_blocking(opened: Result<TcpStream, Waited>) -> io::Result<Result<TcpStream, Waited>> {
    if let Ok(stream) = &opened {
        stream.set_nonblocking(true)?;
    }
    Ok(opened)
}

/// Listens on a port picked at random, so that nobody can foresee it (RFC 2577 section 6).
///
/// The system would pick one too, but passes over every port that a closed connection still holds:
/// after some ten thousand sessions in a minute it finds none. To listen on such a port is allowed.
fn listen_somewhere(endpoints: Endpoints) -> io::Result<OwnListener> {
    /// What Linux gives out itself; other systems have theirs within or above.
    const PORTS: RangeInclusive<u16> = 32_768..=60_999;
    const TRIES: u64 = 64;
    let random = RandomState::new();
    for number in 0..TRIES {
        let step = random.hash_one(number) % PORTS.len() as u64;
        let port = PORTS.start() + u16::try_from(step).unwrap_or_default();
        match listen(endpoints.listening_at(port)) {
            // Taken, or kept back by the system.
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

/// Drops connections made for a transfer that never was: as many as can wait at once, since somebody
/// may go on connecting.
fn drain(listener: &TcpListener) {
    const QUEUE: usize = 128; // what std listens with
    (0..=QUEUE).map_while(|_| listener.accept().ok()).for_each(drop);
}
