//! The ends of a data connection, which are derived from those of its control connection.

use crate::net;
use crate::server::proxy::{ClientOrigin, Via};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

/// Both ends of the control connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Endpoints {
    /// The address that the client connected to, which may be a balancer's.
    pub(super) reached: IpAddr,
    /// The server's own address.
    pub(super) own: SocketAddr,
    /// The client's address.
    pub(super) peer: IpAddr,
    /// True if `peer` is a balancer that does not announce its clients, so that its ports are not the
    /// client's.
    pub(super) client_unknown: bool,
}

impl Endpoints {
    pub(super) fn new(origin: &ClientOrigin) -> Endpoints {
        let client_unknown = origin.via == Via::UnknownClient;
        Endpoints {
            reached: origin.reached,
            own: origin.own,
            peer: origin.peer.ip(),
            client_unknown,
        }
    }

    /// Returns the address of the server's end with this port.
    pub(super) fn listening_at(self, port: u16) -> SocketAddr {
        with_scope(SocketAddr::new(self.own.ip(), port), scope(self.own))
    }

    /// Returns the address from which to connect to the client, or an unspecified one if the system
    /// should choose: the server cannot connect from a balancer's address, nor bind a link-local address
    /// without its link.
    pub(super) fn connecting_from(self) -> IpAddr {
        match (self.own.ip(), self.peer) {
            (IpAddr::V6(ip), _) if ip.is_unicast_link_local() => Ipv6Addr::UNSPECIFIED.into(),
            (ip, _) if ip == self.reached => ip,
            (_, IpAddr::V4(_)) => Ipv4Addr::UNSPECIFIED.into(),
            (_, IpAddr::V6(_)) => Ipv6Addr::UNSPECIFIED.into(),
        }
    }

    /// Returns the address of the client's end with this port, and with the link if the address is
    /// link-local.
    pub(super) fn connecting_to(self, to: SocketAddr) -> SocketAddr {
        let direct = self.own.ip() == self.reached;
        with_scope(net::canonical(to), if direct { scope(self.own) } else { 0 })
    }
}

/// Returns the scope (the link) of an IPv6 address.
fn scope(address: SocketAddr) -> u32 {
    match address {
        SocketAddr::V6(v6) => v6.scope_id(),
        SocketAddr::V4(_) => 0,
    }
}

fn with_scope(address: SocketAddr, scope: u32) -> SocketAddr {
    match address {
        SocketAddr::V6(v6) => SocketAddrV6::new(*v6.ip(), v6.port(), 0, scope).into(),
        SocketAddr::V4(_) => address,
    }
}
