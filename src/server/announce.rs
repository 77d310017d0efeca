//! The address of `--passive-address`, which PASV announces in the place of the server's own.

use std::io;
use std::net::{IpAddr, Ipv4Addr, ToSocketAddrs};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long an address that a name stands for is taken as still right.
const FRESH: Duration = Duration::from_secs(60);

/// An address, or a name that is looked up again now and then: behind a line whose address changes
/// daily, a name is what stays.
#[derive(Debug)]
pub struct Announced {
    name: String,
    known: Mutex<(Ipv4Addr, Instant)>,
}

impl Announced {
    /// Looks the name up for the first time.
    ///
    /// # Errors
    /// It has no IPv4 address, the only kind a 227 can carry.
    pub fn new(name: &str) -> io::Result<Announced> {
        let known = Mutex::new((look_up(name)?, Instant::now()));
        Ok(Announced { name: name.into(), known })
    }

    /// The address now. If it cannot be looked up again, the old one is the best there is.
    pub fn address(&self) -> Ipv4Addr {
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

    #[test]
    fn addresses_and_names_are_taken_and_others_are_not() {
        let text = |name| Announced::new(name).map(|announced| announced.address().to_string());
        assert_eq!(text("203.0.113.7").unwrap(), "203.0.113.7");
        assert_eq!(text("localhost").unwrap(), "127.0.0.1");
        assert!(text("::1").is_err() && text("0.0.0.0").is_err() && text("300.1.1.1").is_err());
    }
}
