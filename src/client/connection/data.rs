//! Data connections: how they are agreed on, and which peer they may have.
//!
//! Only the address of the control connection's peer is trusted, whatever the server says: the client
//! connects to no other unless told to (`--trust-pasv-host`), and closes a connection from any other.

use crate::client::connection::{Connection, DataMode, EXTENDED_PASSIVE};
use crate::client::error::Error;
use crate::net::{self, Attention, Strangers, Waited};
use crate::protocol::address::{parse_extended_passive, parse_passive};
use crate::protocol::{Code, Command, Reply};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Instant;

/// The direction and address of the next data connection.
pub(in crate::client) enum Route {
    /// The client connects to this address.
    To(SocketAddr),
    /// The server connects to this listener.
    From(TcpListener),
}

/// The wait ended without a connection, because its [`Attention`] stopped it.
pub(in crate::client) struct Stopped;

impl Route {
    /// Agrees with the server on the next data connection.
    pub(in crate::client) fn agree(connection: &mut Connection) -> Result<Route, Error> {
        if let Some(address) = connection.take_route() {
            return Ok(Route::To(address));
        }
        match connection.settings().mode {
            DataMode::Passive | DataMode::PassiveTrusting => passive(connection).map(Route::To),
            DataMode::Active => active(connection).map(Route::From),
        }
    }

    /// Connects, or waits for the server to connect.
    pub(in crate::client) fn connect(
        &self,
        ends: Ends,
        deadline: Option<Instant>,
        attention: &mut impl Attention,
    ) -> Result<Result<TcpStream, Stopped>, Error> {
        let (to, connected) = match self {
            Route::To(to) => (Some(*to), net::dial(source(ends, *to), *to, deadline, attention)),
            Route::From(listener) => {
                let (peer, mut strangers) = (ends.peer.ip(), Strangers::default());
                (None, net::accept_from(listener, peer, deadline, &mut strangers, attention))
            }
        };
        match connected {
            Ok(Ok(stream)) => Ok(Ok(stream)),
            Ok(Err(Waited::Stopped)) => Ok(Err(Stopped)),
            Ok(Err(Waited::TimedOut | Waited::Ready)) => {
                Err(Error::NoData { to, error: io::ErrorKind::TimedOut.into() })
            }
            Err(error) => Err(Error::NoData { to, error }),
        }
    }
}

/// Both ends of a control connection.
#[derive(Clone, Copy)]
pub(in crate::client) struct Ends {
    pub(in crate::client) peer: SocketAddr,
    pub(in crate::client) local: SocketAddr,
}

/// Notes the reply to an EPSV that was sent ahead.
pub(in crate::client) fn passive_ahead(connection: &mut Connection, reply: &Reply) {
    if reply.code() == Code::EXTENDED_PASSIVE
        && let Some(port) = parse_extended_passive(reply.text())
    {
        let route = with_port(connection.peer(), port);
        connection.keep_route(route);
    }
}

fn passive(connection: &mut Connection) -> Result<SocketAddr, Error> {
    let reply = connection.call_extended(&EXTENDED_PASSIVE, Some(&Command::Pasv))?;
    let peer = connection.peer();
    let told = if reply.code() == Code::EXTENDED_PASSIVE {
        parse_extended_passive(reply.text()).map(|port| with_port(peer, port))
    } else {
        let trusting = connection.settings().mode == DataMode::PassiveTrusting;
        passive_address(&reply, peer, trusting)
    };
    told.ok_or(Error::Unintelligible(reply))
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

/// Returns the local address to connect from: that of the control connection, since many servers
/// accept data connections from no other. To another host, and for an address that means nothing
/// without its network interface, the system chooses.
fn source(ends: Ends, to: SocketAddr) -> IpAddr {
    match (ends.local.ip(), to.ip()) {
        (IpAddr::V6(local), IpAddr::V6(_)) if local.is_unicast_link_local() => {
            Ipv6Addr::UNSPECIFIED.into()
        }
        (local, to) if to == ends.peer.ip() => local,
        (_, IpAddr::V4(_)) => Ipv4Addr::UNSPECIFIED.into(),
        (_, IpAddr::V6(_)) => Ipv6Addr::UNSPECIFIED.into(),
    }
}
