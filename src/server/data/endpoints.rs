//! The ends of a data connection, which are those of its control connection.

use crate::net;
use crate::server::proxy::{ClientOrigin, Via};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

/// Both ends of the control connection, which the data connection has to join too.
#[derive(Clone, Copy, Debug)]
pub(super) struct Endpoints {
    /// The address the client reached, which may be a balancer's.
    pub(super) reached: IpAddr,
    /// Our own address.
    pub(super) own: SocketAddr,
    /// The client's address.
    pub(super) peer: IpAddr,
    /// Whether it is the address of a balancer that does not know for whom it comes: its ports are not
    /// the client's.
    pub(super) unnamed: bool,
}

impl Endpoints {
    pub(super) fn new(origin: &ClientOrigin) -> Endpoints {
        let unnamed = origin.via == Via::Unnamed;
        Endpoints { reached: origin.reached, own: origin.own, peer: origin.peer.ip(), unnamed }
    }

    /// The server's end with a port.
    pub(super) fn listening_at(self, port: u16) -> SocketAddr {
        with_scope(SocketAddr::new(self.own.ip(), port), scope(self.own))
    }

    /// From where the client is connected to. A balancer's address is not ours to connect from; an
    /// address of one link cannot be bound without its link. The way to the client chooses then.
    pub(super) fn connecting_from(self) -> IpAddr {
        match (self.own.ip(), self.peer) {
            (IpAddr::V6(ip), _) if ip.is_unicast_link_local() => Ipv6Addr::UNSPECIFIED.into(),
            (ip, _) if ip == self.reached => ip,
            (_, IpAddr::V4(_)) => Ipv4Addr::UNSPECIFIED.into(),
            (_, IpAddr::V6(_)) => Ipv6Addr::UNSPECIFIED.into(),
        }
    }

    /// The client's end with a port, on the link it came by if addresses count on one link alone.
    pub(super) fn connecting_to(self, to: SocketAddr) -> SocketAddr {
        let direct = self.own.ip() == self.reached;
        with_scope(net::canonical(to), if direct { scope(self.own) } else { 0 })
    }
}

/// Which link an IPv6 address is on.
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
