//! The addresses of `--passive-address`, which PASV announces instead of the server's own.
//!
//! There may be one for all clients, and others for clients of certain networks: clients behind the same
//! NAT as the server reach it by another address.

use crate::args::Expected;
use crate::server::cidr::Network;
use crate::server::error::Refusal;
use crate::server::log::{Field, Level, Log};
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, ToSocketAddrs};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

/// The first and the longest pause between two lookups of a name.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// The stack size of the lookup thread, which is enough for the system's resolver.
const STACK: usize = 256 * 1024;

/// A value of `--passive-address`: `HOST` for all clients, or `NETWORK=HOST` for those of a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PassiveAddress {
    /// The clients for which the address is announced.
    pub network: Network,
    /// An address or a host name.
    pub host: String,
}

impl PassiveAddress {
    /// Parses a value; `host` parses the host in it.
    ///
    /// # Errors
    /// Returns the expected form.
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

/// The addresses that are announced in PASV replies.
///
/// Host names are resolved when this is created, and repeatedly by the thread that
/// [`PassiveAddresses::keep_current`] starts, but never by a session: the address of a name may change
/// daily, and the name server may be unreachable when the server starts.
#[derive(Debug)]
pub struct PassiveAddresses {
    hosts: Arc<Hosts>,
    /// Ends the thread when it is dropped.
    thread: OnceLock<Sender<()>>,
}

impl PassiveAddresses {
    /// Resolves all names. A failure is not an error: see [`PassiveAddresses::unresolved`].
    ///
    /// # Errors
    /// Returns an address that is not an IPv4 address, which a 227 reply cannot contain.
    pub fn new(values: &[PassiveAddress]) -> io::Result<PassiveAddresses> {
        let hosts = Arc::new(Hosts::new(values, look_up)?);
        Ok(PassiveAddresses { hosts, thread: OnceLock::new() })
    }

    /// Returns the names that could not be resolved yet, each with the reason.
    pub fn unresolved(&self) -> Vec<io::Error> {
        self.hosts.0.iter().filter_map(|(_, host)| host.address().err()).collect()
    }

    /// Returns the address to announce to this client; `None` means the address that it connected to.
    ///
    /// # Errors
    /// 425 while the name for this client could not be resolved.
    pub fn address_for(&self, client: IpAddr) -> Result<Option<Ipv4Addr>, Refusal> {
        const UNKNOWN: Refusal =
            Refusal::NoDataConnection("The address for PASV could not be resolved yet; use EPSV.");
        let mut hosts = self.hosts.0.iter();
        let host = hosts.find(|(network, _)| network.contains(client));
        host.map(|(_, host)| host.address()).transpose().map_err(|_| UNKNOWN)
    }

    /// Logs the names that could not be resolved, and starts a thread that resolves all names every
    /// minute, and unresolved ones more often at first. The thread ends when this is dropped.
    pub fn keep_current(&self, log: &Arc<Log>) {
        for error in self.unresolved() {
            log.event(Level::Warn, "passive-address-unknown", &[("cause", &error)]);
        }
        if self.thread.get().is_some() || self.hosts.0.iter().all(|(_, host)| host.is_address()) {
            return;
        }
        let (ends, end) = channel();
        let (hosts, thread_log) = (Arc::clone(&self.hosts), Arc::clone(log));
        let thread = thread::Builder::new().name("addresses".into()).stack_size(STACK);
        match thread.spawn(move || keep_looking_up(&hosts, &end, &thread_log)) {
            Ok(_) => drop(self.thread.set(ends)),
            Err(error) => {
                log.event(Level::Error, "passive-address-fixed", &[("cause", &error)]);
            }
        }
    }
}

/// Runs the thread that resolves names, until `end` is closed.
fn keep_looking_up(hosts: &Hosts, end: &Receiver<()>, log: &Log) {
    let mut pause = FIRST_PAUSE;
    while end.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
        for (name, address) in hosts.refresh(look_up) {
            let fields: [Field<'_>; 2] = [("name", &name), ("address", &IpAddr::V4(address))];
            log.event(Level::Info, "passive-address", &fields);
        }
        pause = hosts.next_pause(pause);
    }
}

/// The hosts to announce, sorted so that the first network that contains a client is the narrowest.
#[derive(Debug)]
struct Hosts(Vec<(Network, AnnouncedHost)>);

impl Hosts {
    fn new(
        values: &[PassiveAddress],
        look_up: impl Fn(&str) -> io::Result<Ipv4Addr>,
    ) -> io::Result<Hosts> {
        let known =
            values.iter().map(|it| Ok((it.network, AnnouncedHost::new(&it.host, &look_up)?)));
        let mut hosts: Vec<(Network, AnnouncedHost)> = known.collect::<io::Result<_>>()?;
        hosts.sort_by_key(|(network, _)| std::cmp::Reverse(network.prefix()));
        Ok(Hosts(hosts))
    }

    /// Resolves all names, and returns those whose address has changed.
    fn refresh(&self, look_up: impl Fn(&str) -> io::Result<Ipv4Addr>) -> Vec<(&str, Ipv4Addr)> {
        self.0.iter().filter_map(|(_, host)| host.refresh(&look_up)).collect()
    }

    /// Returns the pause after this one: a minute if all names are known; otherwise twice as long as the
    /// last one, but at most a minute.
    fn next_pause(&self, pause: Duration) -> Duration {
        match self.0.iter().all(|(_, host)| host.address().is_ok()) {
            true => LONGEST_PAUSE,
            false => (pause * 2).min(LONGEST_PAUSE),
        }
    }
}

/// An address, or a name with its last known address.
#[derive(Debug)]
enum AnnouncedHost {
    Address(Ipv4Addr),
    Name(String, Mutex<io::Result<Ipv4Addr>>),
}

impl AnnouncedHost {
    fn new(
        text: &str,
        look_up: impl Fn(&str) -> io::Result<Ipv4Addr>,
    ) -> io::Result<AnnouncedHost> {
        let is_address =
            text.contains(':') || text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'.'));
        if !is_address {
            return Ok(AnnouncedHost::Name(text.into(), Mutex::new(look_up(text))));
        }
        let address = text.parse().ok().filter(|address: &Ipv4Addr| !address.is_unspecified());
        let wrong = || io::Error::new(ErrorKind::InvalidInput, text.to_owned());
        address.map(AnnouncedHost::Address).ok_or_else(wrong)
    }

    fn is_address(&self) -> bool {
        matches!(self, AnnouncedHost::Address(_))
    }

    /// Returns the address, or the name and the reason why its address is unknown.
    fn address(&self) -> io::Result<Ipv4Addr> {
        match self {
            AnnouncedHost::Address(address) => Ok(*address),
            AnnouncedHost::Name(name, found) => match &*locked(found) {
                Ok(address) => Ok(*address),
                Err(error) => Err(io::Error::new(error.kind(), format!("{name}: {error}"))),
            },
        }
    }

    /// Resolves the name, and returns it with its address if that has changed. If this fails, the name
    /// keeps its last address.
    fn refresh(&self, look_up: impl Fn(&str) -> io::Result<Ipv4Addr>) -> Option<(&str, Ipv4Addr)> {
        let AnnouncedHost::Name(name, found) = self else { return None };
        // The name is resolved without the lock, because this may take long.
        let now = look_up(name);
        let mut found = locked(found);
        match (&*found, &now) {
            (Ok(before), Ok(address)) if before == address => None,
            (Ok(_), Err(_)) => None,
            _ => {
                *found = now;
                found.as_ref().ok().map(|address| (name.as_str(), *address))
            }
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn look_up(name: &str) -> io::Result<Ipv4Addr> {
    let addresses = (name, 0).to_socket_addrs()?;
    let v4 = addresses.filter_map(|address| match address.ip() {
        IpAddr::V4(ip) => Some(ip),
        IpAddr::V6(_) => None,
    });
    let missing = || io::Error::new(ErrorKind::NotFound, "the name has no IPv4 address");
    v4.into_iter().find(|ip| !ip.is_unspecified()).ok_or_else(missing)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Code;

    fn parsed(values: &[&str]) -> Vec<PassiveAddress> {
        let host = |text: &str| Ok(text.to_owned());
        values.iter().map(|value| PassiveAddress::parse(value, host).unwrap()).collect()
    }

    fn announced(values: &[&str]) -> io::Result<PassiveAddresses> {
        PassiveAddresses::new(&parsed(values))
    }

    fn address_for(announced: &PassiveAddresses, client: &str) -> Option<String> {
        let address = announced.address_for(client.parse().unwrap());
        address.unwrap().map(|address| address.to_string())
    }

    #[test]
    fn ipv4_addresses_and_names_are_accepted() {
        let text = |name| {
            announced(&[name]).map(|announced| address_for(&announced, "192.0.2.1").unwrap())
        };
        assert_eq!(text("203.0.113.7").unwrap(), "203.0.113.7");
        assert_eq!(text("localhost").unwrap(), "127.0.0.1");
        assert!(text("::1").is_err() && text("0.0.0.0").is_err() && text("300.1.1.1").is_err());
    }

    #[test]
    fn the_narrowest_network_of_the_client_wins() {
        let values = ["203.0.113.7", "10.0.0.0/8=10.0.0.5", "10.1.0.0/16=10.1.0.5"];
        for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
            let it = announced(&order.map(|at| values[at])).unwrap();
            assert_eq!(address_for(&it, "198.51.100.1").unwrap(), "203.0.113.7");
            assert_eq!(address_for(&it, "10.2.0.1").unwrap(), "10.0.0.5");
            assert_eq!(address_for(&it, "10.1.255.1").unwrap(), "10.1.0.5");
        }
        let it = announced(&["10.0.0.0/8=10.0.0.5"]).unwrap();
        assert_eq!(address_for(&it, "198.51.100.1"), None);
    }
    #[test]
    fn a_name_is_resolved_repeatedly_and_keeps_its_last_address() {
        let fails = |_: &str| Err(io::Error::other("no name server"));
        let finds = |last: u8| move |_: &str| Ok(Ipv4Addr::new(203, 0, 113, last));
        let hosts =
            Hosts::new(&parsed(&["ftp.example.com", "10.0.0.0/8=10.0.0.5"]), fails).unwrap();
        let it = PassiveAddresses { hosts: Arc::new(hosts), thread: OnceLock::new() };
        let world = "192.0.2.1".parse().unwrap();
        let mut pause = FIRST_PAUSE;
        for seconds in [2, 4, 8, 16, 32, 60, 60] {
            assert!(it.hosts.refresh(fails).is_empty());
            assert_eq!(it.address_for(world).unwrap_err().reply().code(), Code::CANNOT_OPEN_DATA);
            assert_eq!(it.unresolved()[0].to_string(), "ftp.example.com: no name server");
            assert_eq!(address_for(&it, "10.2.0.1").unwrap(), "10.0.0.5");
            pause = it.hosts.next_pause(pause);
            assert_eq!(pause.as_secs(), seconds);
        }
        for (last, changes) in [(7, 1), (7, 0), (8, 1)] {
            assert_eq!(it.hosts.refresh(finds(last)).len(), changes);
            assert_eq!(address_for(&it, "192.0.2.1").unwrap(), format!("203.0.113.{last}"));
        }
        assert!(it.hosts.refresh(fails).is_empty() && it.unresolved().is_empty());
        assert_eq!(address_for(&it, "192.0.2.1").unwrap(), "203.0.113.8");
        assert_eq!(it.hosts.next_pause(FIRST_PAUSE), LONGEST_PAUSE);
    }
}
