//! Counts the sessions, in total and by address, and waits for the last one.

use crate::protocol::{Code, Reply};
use crate::server::cidr::client_network;
use crate::sys;
use std::cmp::Reverse;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Counts sessions. Clones share the counts.
#[derive(Clone, Debug)]
pub struct SessionLimits {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    counts: Mutex<Counts>,
    ended: Condvar,
}

#[derive(Debug)]
struct Counts {
    most: usize,
    max_by_address: Option<usize>,
    all: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// The slot of one session, released on drop.
#[derive(Debug)]
pub struct SessionSlot {
    limits: SessionLimits,
    /// The address under which the session is counted; not known yet for a connection from a load
    /// balancer.
    address: Option<IpAddr>,
}

/// The limit that a session would exceed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    /// `--max-sessions`.
    Server,
    /// `--max-sessions-per-ip`.
    Address,
}

impl Full {
    /// Returns the reply to the client.
    pub fn reply(self) -> Reply {
        let why = match self {
            Full::Server => "Too many sessions; try again later.",
            Full::Address => "Too many sessions from your address; try again later.",
        };
        Reply::new(Code::NOT_AVAILABLE, why)
    }
}

impl SessionLimits {
    /// Creates limits: at most `most` sessions or as many as there can be threads, and
    /// `max_by_address` from one address.
    pub fn new(most: usize, max_by_address: Option<usize>) -> SessionLimits {
        let most = most.min(sys::max_threads());
        let counts = Counts { most, max_by_address, all: 0, by_address: HashMap::new() };
        let shared = Shared { counts: Mutex::new(counts), ended: Condvar::new() };
        SessionLimits { shared: Arc::new(shared) }
    }

    /// Changes the limits. Sessions above them continue.
    pub fn set(&self, most: usize, max_by_address: Option<usize>) {
        let mut counts = self.counts();
        counts.most = most.min(sys::max_threads());
        counts.max_by_address = max_by_address;
    }

    /// Takes a slot for a session from `address`; an IPv6 /64 network counts as one address.
    ///
    /// # Errors
    /// Returns the limit that is reached.
    pub fn acquire(&self, address: IpAddr) -> Result<SessionSlot, Full> {
        let mut slot = self.acquire_without_address()?;
        slot.set_address(address)?;
        Ok(slot)
    }

    /// Takes a slot for a session whose address is not known yet.
    ///
    /// # Errors
    /// Fails if no slot is free.
    pub fn acquire_without_address(&self) -> Result<SessionSlot, Full> {
        let mut counts = self.counts();
        if counts.all >= counts.most {
            return Err(Full::Server);
        }
        counts.all += 1;
        Ok(SessionSlot { limits: self.clone(), address: None })
    }

    /// Returns the number of sessions.
    pub fn count(&self) -> usize {
        self.counts().all
    }

    /// Returns the addresses with the most sessions and their counts, at most `most` of them.
    pub fn busiest(&self, most: usize) -> Vec<(IpAddr, usize)> {
        let mut all: Vec<_> = self.counts().by_address.iter().map(|(ip, n)| (*ip, *n)).collect();
        all.sort_by_key(|(ip, sessions)| (Reverse(*sessions), *ip));
        all.truncate(most);
        all
    }

    /// Waits until there are no sessions, at most until `deadline`. Returns whether there are
    /// none.
    pub fn wait_until_empty(&self, deadline: Option<Instant>) -> bool {
        let mut counts = self.counts();
        while counts.all > 0 {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            counts = match left {
                Some(left) if left.is_zero() => return false,
                Some(left) => {
                    let waited = self.shared.ended.wait_timeout(counts, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.shared.ended.wait(counts).unwrap_or_else(PoisonError::into_inner),
            };
        }
        true
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.shared.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SessionSlot {
    /// Counts the session under its address, once that is known.
    ///
    /// # Errors
    /// Fails if the address has reached its limit.
    pub fn set_address(&mut self, address: IpAddr) -> Result<(), Full> {
        let address = client_network(address);
        let mut counts = self.limits.counts();
        let here = counts.by_address.get(&address).copied().unwrap_or(0);
        if counts.max_by_address.is_some_and(|most| here >= most) {
            return Err(Full::Address);
        }
        counts.by_address.insert(address, here + 1);
        self.address = Some(address);
        Ok(())
    }

    /// Returns whether the session is counted under an address.
    pub fn has_address(&self) -> bool {
        self.address.is_some()
    }
}

impl Drop for SessionSlot {
    fn drop(&mut self) {
        let mut counts = self.limits.counts();
        counts.all -= 1;
        if let Some(address) = self.address
            && let Some(here) = counts.by_address.get_mut(&address)
        {
            *here -= 1;
            if *here == 0 {
                counts.by_address.remove(&address);
            }
        }
        if counts.all == 0 {
            self.limits.shared.ended.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(127, 0, 0, 1));
    const B: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(127, 0, 0, 2));

    #[test]
    fn slots_are_counted_and_released() {
        let limits = SessionLimits::new(3, Some(2));
        let first = limits.acquire(A).unwrap();
        let _second = limits.acquire(A).unwrap();
        assert_eq!(limits.acquire(A).unwrap_err(), Full::Address);
        let _third = limits.acquire(B).unwrap();
        assert_eq!(limits.acquire(B).unwrap_err(), Full::Server);
        drop(first);
        assert_eq!(limits.count(), 2);
        let _fourth = limits.acquire(A).unwrap();
        assert_eq!(limits.busiest(9), [(A, 2), (B, 1)]);
        assert_eq!(limits.busiest(1), [(A, 2)]);
    }

    #[test]
    fn a_slot_is_counted_by_its_address_once_that_is_known() {
        let limits = SessionLimits::new(2, Some(1));
        let mut first = limits.acquire_without_address().unwrap();
        let mut second = limits.acquire_without_address().unwrap();
        assert_eq!(limits.acquire_without_address().unwrap_err(), Full::Server);
        first.set_address(A).unwrap();
        assert_eq!(second.set_address(A).unwrap_err(), Full::Address);
        assert!(first.has_address() && !second.has_address());
        second.set_address(B).unwrap();
        drop((first, second));
        assert!(limits.counts().by_address.is_empty() && limits.count() == 0);
    }

    #[test]
    fn a_lower_limit_ends_no_existing_session() {
        let limits = SessionLimits::new(2, None);
        let (first, second) = (limits.acquire(A).unwrap(), limits.acquire(B).unwrap());
        limits.set(1, None);
        drop(first);
        assert_eq!(limits.acquire(A).unwrap_err(), Full::Server);
        drop(second);
        let _third = limits.acquire(A).unwrap();
        limits.set(2, Some(1));
        assert_eq!(limits.acquire(A).unwrap_err(), Full::Address);
    }

    #[test]
    fn the_last_session_wakes_the_waiting_thread() {
        let limits = SessionLimits::new(1, None);
        let slot = limits.acquire(A).unwrap();
        assert!(!limits.wait_until_empty(Some(Instant::now())));
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| limits.wait_until_empty(None));
            drop(slot);
            assert!(waiting.join().unwrap());
        });
        assert!(limits.counts().by_address.is_empty());
    }
}
