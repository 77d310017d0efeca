//! Data connections: their negotiation, and the check of their peer.
//!
//! The only accepted peer is the address of the control connection's peer. The client connects to no other
//! address, except with `--trust-pasv-host`, and closes connections from any other address.

use crate::client::connection::{Connection, DataMode, EPSV};
use crate::client::error::Error;
use crate::net::{self, Data, TransferHooks, UnexpectedPeers, Waited};
use crate::protocol::address::{parse_extended_passive, parse_passive};
use crate::protocol::{Code, Command, Reply};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::time::Instant;

/// The direction and address of a data connection.
pub(in crate::client) enum DataEndpoint {
    /// The client connects to this address.
    Connect {
        /// The server's port, at its address.
        address: SocketAddr,
        /// The reply to EPSV named the port.
        extended: bool,
    },
    /// The server connects to this listener.
    Listen(TcpListener),
}

/// The result of a wait that its [`TransferHooks`] stopped before there was a connection.
pub(in crate::client) struct Stopped;

impl DataEndpoint {
    /// Negotiates the next data connection before the deadline.
    pub(in crate::client) fn negotiate(
        connection: &mut Connection,
        deadline: Option<Instant>,
    ) -> Result<DataEndpoint, Error> {
        if let Some(address) = connection.take_data_address() {
            return Ok(DataEndpoint::Connect { address, extended: true });
        }
        match connection.settings().mode {
            DataMode::Passive | DataMode::PassiveAnyHost => passive(connection, deadline),
            DataMode::Active => active(connection).map(DataEndpoint::Listen),
        }
    }

    /// Negotiates with PASV, because the port that EPSV named cannot be reached. Returns `None` if the
    /// server refuses PASV.
    pub(in crate::client) fn negotiate_pasv(
        connection: &mut Connection,
        deadline: Option<Instant>,
    ) -> Result<Option<DataEndpoint>, Error> {
        match classic_passive(connection, deadline) {
            Ok(address) => Ok(Some(DataEndpoint::Connect { address, extended: false })),
            Err(Error::Refused(_) | Error::Unintelligible(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Returns true if EPSV named the port.
    pub(in crate::client) fn is_extended(&self) -> bool {
        matches!(self, DataEndpoint::Connect { extended: true, .. })
    }

    /// Connects to the server, or accepts its connection.
    pub(in crate::client) fn connect(
        &self,
        ends: ControlAddresses,
        deadline: Option<Instant>,
        hooks: &mut impl TransferHooks,
    ) -> Result<Result<Data, Stopped>, Error> {
        let (to, connected) = match self {
            DataEndpoint::Connect { address: to, .. } => {
                (Some(*to), net::dial(source(ends, *to), *to, deadline, hooks))
            }
            DataEndpoint::Listen(listener) => {
                let (peer, mut unexpected) = (ends.peer.ip(), UnexpectedPeers::default());
                (None, net::accept_from(listener, peer, deadline, &mut unexpected, hooks))
            }
        };
        match connected {
            Ok(Ok(stream)) => Ok(Ok(Data::Plain(stream))),
            Ok(Err(Waited::Stopped)) => Ok(Err(Stopped)),
            Ok(Err(Waited::TimedOut | Waited::Ready)) => {
                Err(Error::NoData { to, error: io::ErrorKind::TimedOut.into() })
            }
            Err(error) => Err(Error::NoData { to, error }),
        }
    }
}

/// Both addresses of a control connection.
#[derive(Clone, Copy)]
pub(in crate::client) struct ControlAddresses {
    pub(in crate::client) peer: SocketAddr,
    pub(in crate::client) local: SocketAddr,
}

/// Keeps the address from the reply to a pipelined EPSV.
pub(in crate::client) fn keep_early_epsv_reply(connection: &mut Connection, reply: &Reply) {
    if let Some(route) = extended_address(reply, connection.peer()) {
        connection.keep_data_address(route);
    }
}

/// Sends EPSV, and PASV if the reply to EPSV is not usable: some servers reply 200, 425 or 451, or name
/// another address family. After a success of PASV, EPSV is not sent again.
fn passive(connection: &mut Connection, deadline: Option<Instant>) -> Result<DataEndpoint, Error> {
    if !connection.uses_extended() {
        let address = classic_passive(connection, deadline)?;
        return Ok(DataEndpoint::Connect { address, extended: false });
    }
    let useless = match connection.call_by(&EPSV, deadline) {
        Ok(reply) => match extended_address(&reply, connection.peer()) {
            Some(address) => return Ok(DataEndpoint::Connect { address, extended: true }),
            None => Error::Unintelligible(reply),
        },
        Err(error @ Error::Refused(_)) => error,
        Err(error) => return Err(error),
    };
    let route = DataEndpoint::negotiate_pasv(connection, deadline)?.ok_or(useless)?;
    connection.capabilities().epsv = false;
    Ok(route)
}

fn extended_address(reply: &Reply, peer: SocketAddr) -> Option<SocketAddr> {
    let is_yes = reply.code() == Code::EXTENDED_PASSIVE;
    let port = parse_extended_passive(reply.text(), peer.ip()).filter(|_| is_yes)?;
    Some(with_port(peer, port))
}

fn classic_passive(
    connection: &mut Connection,
    deadline: Option<Instant>,
) -> Result<SocketAddr, Error> {
    let reply = connection.call_by(&Command::Pasv, deadline)?;
    let trusting = connection.settings().mode == DataMode::PassiveAnyHost;
    let address = passive_address(&reply, connection.peer(), trusting);
    address.ok_or(Error::Unintelligible(reply))
}

fn passive_address(reply: &Reply, peer: SocketAddr, trusting: bool) -> Option<SocketAddr> {
    let told = parse_passive(reply.text())?;
    Some(if trusting { told.into() } else { with_port(peer, told.port()) })
}

fn with_port(mut address: SocketAddr, port: u16) -> SocketAddr {
    address.set_port(port);
    address
}

fn active(connection: &mut Connection) -> Result<TcpListener, Error> {
    let failed = |error| Error::NoData { to: None, error };
    let (listener, address) = listen(connection.local()).map_err(failed)?;
    let classic = match address {
        SocketAddr::V4(address) => Some(Command::Port(address)),
        SocketAddr::V6(_) => None,
    };
    connection.call_extended(&Command::Eprt(address), classic.as_ref())?;
    Ok(listener)
}

fn listen(local: SocketAddr) -> io::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind(with_port(local, 0))?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

/// Returns the local address to connect from: that of the control connection, because many servers accept
/// data connections from no other address. If the data address belongs to another host, or is
/// link-local and so not valid without its network interface, the system chooses the local address.
fn source(ends: ControlAddresses, to: SocketAddr) -> IpAddr {
    match (ends.local.ip(), to.ip()) {
        (IpAddr::V6(local), IpAddr::V6(_)) if local.is_unicast_link_local() => {
            Ipv6Addr::UNSPECIFIED.into()
        }
        (local, to) if to == ends.peer.ip() => local,
        (_, IpAddr::V4(_)) => Ipv4Addr::UNSPECIFIED.into(),
        (_, IpAddr::V6(_)) => Ipv6Addr::UNSPECIFIED.into(),
    }
}
