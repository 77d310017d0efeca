//! The addresses at which clients can reach the server.

use crate::sys;
use std::net::{IpAddr, SocketAddr};

/// Returns the addresses at which clients can connect to listeners on `listening`, IPv4 first. A
/// listener on all addresses has each current address of the machine.
pub fn addresses(listening: &[SocketAddr]) -> Vec<SocketAddr> {
    let own = match listening.iter().any(|at| at.ip().is_unspecified()) {
        true => sys::own_addresses().unwrap_or_default(),
        false => Vec::new(),
    };
    addresses_among(listening, &own)
}

/// Returns true if no other machine can connect to these addresses.
pub fn is_local(listening: &[SocketAddr]) -> bool {
    listening.iter().all(|at| at.ip().to_canonical().is_loopback())
}

/// Returns the address as a URL.
pub fn url(address: &SocketAddr) -> String {
    match address.port() {
        21 if address.is_ipv6() => format!("ftp://[{}]/", address.ip()),
        21 => format!("ftp://{}/", address.ip()),
        _ => format!("ftp://{address}/"),
    }
}

/// Returns the command by which the client of this crate connects to the address, under TLS if the
/// server offers it.
pub fn command(address: &SocketAddr, offers_tls: bool) -> String {
    let program = if offers_tls { "ftp_client --tls" } else { "ftp_client" };
    match address.port() {
        21 => format!("{program} {}", address.ip()),
        port => format!("{program} {} {port}", address.ip()),
    }
}

fn addresses_among(listening: &[SocketAddr], own: &[IpAddr]) -> Vec<SocketAddr> {
    let mut found = Vec::new();
    for at in listening {
        let all = at.ip().is_unspecified();
        // A listener on all IPv6 addresses also accepts IPv4 connections.
        let served = own.iter().filter(|ip| all && (at.is_ipv6() || ip.is_ipv4()));
        found.extend(
            served.filter(|ip| is_usable_elsewhere(ip)).map(|ip| SocketAddr::new(*ip, at.port())),
        );
        if !all {
            found.push(SocketAddr::new(at.ip().to_canonical(), at.port()));
        }
    }
    found.sort_by_key(|at| (at.is_ipv6(), *at));
    found.dedup();
    found
}

/// Returns whether other machines can use an address as it is. A link-local IPv6 address is usable only
/// with the name of the client's interface after it.
fn is_usable_elsewhere(ip: &IpAddr) -> bool {
    match ip {
        IpAddr::V4(_) => true,
        IpAddr::V6(ip) => !ip.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn urls(listening: &[&str], own: &[&str]) -> Vec<String> {
        let listening: Vec<SocketAddr> = listening.iter().map(|at| at.parse().unwrap()).collect();
        let own: Vec<IpAddr> = own.iter().map(|ip| ip.parse().unwrap()).collect();
        addresses_among(&listening, &own).iter().map(url).collect()
    }

    #[test]
    fn a_wildcard_listener_is_reachable_at_each_address_of_its_kind() {
        let own = ["2001:db8::7", "192.0.2.7", "fe80::1", "10.0.0.5"];
        let v4 = ["ftp://10.0.0.5:1026/", "ftp://192.0.2.7:1026/"];
        assert_eq!(urls(&["0.0.0.0:1026"], &own), v4);
        let all = [&v4[..], &["ftp://[2001:db8::7]:1026/"]].concat();
        assert_eq!(urls(&["[::]:1026"], &own), all);
        assert_eq!(urls(&["0.0.0.0:1026", "[::]:1026"], &own), all);
    }

    #[test]
    fn other_listeners_are_reachable_at_their_own_address() {
        assert_eq!(urls(&["127.0.0.1:1026"], &["192.0.2.7"]), ["ftp://127.0.0.1:1026/"]);
        assert_eq!(urls(&["[::ffff:192.0.2.7]:2121"], &[]), ["ftp://192.0.2.7:2121/"]);
        assert_eq!(urls(&["192.0.2.7:21", "[::1]:21"], &[]), ["ftp://192.0.2.7/", "ftp://[::1]/"]);
    }

    #[test]
    fn the_command_leaves_out_the_port_of_ftp() {
        assert_eq!(command(&"192.0.2.7:1026".parse().unwrap(), false), "ftp_client 192.0.2.7 1026");
        assert_eq!(
            command(&"[2001:db8::7]:21".parse().unwrap(), true),
            "ftp_client --tls 2001:db8::7"
        );
    }
}
