//! The addresses of `--passive-address`, which PASV announces in the place of the server's own.
//!
//! There may be one for everybody, and others for clients of certain networks: who sits behind the
//! same NAT as the server reaches it by another address than the world does.

use crate::args::Expected;
use crate::server::cidr::Network;
use std::io;
use std::net::{IpAddr, Ipv4Addr, ToSocketAddrs};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long an address that a name stands for is taken as still right.
const FRESH: Duration = Duration::from_secs(60);

/// A value of `--passive-address`: `HOST` for everybody, `NETWORK=HOST` for clients from there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PassiveAddress {
    /// For whom.
    pub network: Network,
    /// An address, or a name of one.
    pub host: String,
}

impl PassiveAddress {
    /// Reads one; `host` reads the part that names a host.
    ///
    /// # Errors
    /// What was expected.
    pub fn parse(
        text: &str,
        host: impl Fn(&str) -> Result<String, Expected>,
    ) -> Result<PassiveAddress, Expected> {
        match text.split_once('=') {
            None => Ok(PassiveAddress { network: Network::ALL_V4, host: host(text)? }),
            Some((network, text)) => {
                Ok(PassiveAddress { network: Network::parse(network.trim())?, host: host(text)? })
            }
        }
    }
}

/// What is announced to whom.
#[derive(Debug)]
pub struct PassiveAddresses {
    /// The narrowest network first, so that the first that fits is it.
    hosts: Vec<(Network, Host)>,
}

impl PassiveAddresses {
    /// Looks all names up for the first time.
    ///
    /// # Errors
    /// One has no IPv4 address, the only kind a 227 can carry. The error names it.
    pub fn new(announcements: &[PassiveAddress]) -> io::Result<PassiveAddresses> {
        let known = announcements.iter().map(|it| Ok((it.network, Host::new(&it.host)?)));
        let mut hosts: Vec<(Network, Host)> = known.collect::<io::Result<_>>()?;
        hosts.sort_by_key(|(network, _)| std::cmp::Reverse(network.prefix()));
        Ok(PassiveAddresses { hosts })
    }

    /// What a client is told who comes from `client`; `None` is the address it has reached.
    pub fn address_for(&self, client: IpAddr) -> Option<Ipv4Addr> {
        let mut hosts = self.hosts.iter();
        hosts.find(|(network, _)| network.contains(client)).map(|(_, host)| host.address())
    }
}

/// An address, or a name that is looked up again now and then: behind a line whose address changes
/// daily, a name is what stays.
#[derive(Debug)]
struct Host {
    name: String,
    known: Mutex<(Ipv4Addr, Instant)>,
}

impl Host {
    fn new(name: &str) -> io::Result<Host> {
        let found = look_up(name);
        let named = |error: io::Error| io::Error::new(error.kind(), format!("{name}: {error}"));
        Ok(Host { name: name.into(), known: Mutex::new((found.map_err(named)?, Instant::now())) })
    }

    /// The address now. If it cannot be looked up again, the old one is the best there is.
    fn address(&self) -> Ipv4Addr {
        let known = {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            if known.1.elapsed() < FRESH {
                return known.0;
            }
            // The others go on with what is known: to look it up may take long.
            known.1 = Instant::now();
            known.0
        };
        let found = look_up(&self.name).unwrap_or(known);
        self.known.lock().unwrap_or_else(PoisonError::into_inner).0 = found;
        found
    }
}

fn look_up(name: &str) -> io::Result<Ipv4Addr> {
    let addresses = (name, 0).to_socket_addrs()?;
    let v4 = addresses.filter_map(|address| match address.ip() {
        IpAddr::V4(ip) => Some(ip),
        IpAddr::V6(_) => None,
    });
    let missing = || io::Error::new(io::ErrorKind::NotFound, "it has no IPv4 address");
    v4.into_iter().find(|ip| !ip.is_unspecified()).ok_or_else(missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn announced(values: &[&str]) -> io::Result<PassiveAddresses> {
        let host = |text: &str| Ok(text.to_owned());
        let parse = |value: &&str| PassiveAddress::parse(value, host).unwrap();
        PassiveAddresses::new(&values.iter().map(parse).collect::<Vec<_>>())
    }

    fn told(announced: &PassiveAddresses, client: &str) -> Option<String> {
        announced.address_for(client.parse().unwrap()).map(|address| address.to_string())
    }

    #[test]
    fn addresses_and_names_are_taken_and_others_are_not() {
        let text =
            |name| announced(&[name]).map(|announced| told(&announced, "192.0.2.1").unwrap());
        assert_eq!(text("203.0.113.7").unwrap(), "203.0.113.7");
        assert_eq!(text("localhost").unwrap(), "127.0.0.1");
        assert!(text("::1").is_err() && text("0.0.0.0").is_err() && text("300.1.1.1").is_err());
    }

    #[test]
    fn the_narrowest_network_of_the_client_decides() {
        let values = ["203.0.113.7", "10.0.0.0/8=10.0.0.5", "10.1.0.0/16=10.1.0.5"];
        for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
            let it = announced(&order.map(|at| values[at])).unwrap();
            assert_eq!(told(&it, "198.51.100.1").unwrap(), "203.0.113.7");
            assert_eq!(told(&it, "10.2.0.1").unwrap(), "10.0.0.5");
            assert_eq!(told(&it, "10.1.255.1").unwrap(), "10.1.0.5");
        }
        let it = announced(&["10.0.0.0/8=10.0.0.5"]).unwrap();
        assert_eq!(told(&it, "198.51.100.1"), None);
    }
}
