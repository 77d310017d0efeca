//! How fast a session may move bytes.
//!
//! A transfer passes up to four rates, each in its own queue: that of its session, of its account,
//! of its address and of all. The rate of an account or an address is divided evenly among its
//! transfers. That of all is divided evenly among the addresses that want some of it, so that who
//! opens many sessions has no more of it; a class behind one address is one address here. What an
//! address does not want the others have, and where no limit is reached nobody waits.
//!
//! Bytes of files and of listings count, whichever way they go; commands and replies do not.

use crate::protocol::Name;
use crate::rate::{Party, Rate};
use crate::server::accounts::Account;
use crate::server::cidr::client_network;
use crate::server::config::Config;
use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What is shared by all sessions.
#[derive(Debug)]
pub struct Bandwidth {
    all: Rate,
    by_address: Rates<IpAddr>,
    by_account: Rates<Name>,
}

/// The bandwidth of one session.
#[derive(Debug)]
pub struct SessionBandwidth<'a> {
    shared: &'a Bandwidth,
    /// The number of the session.
    session: u64,
    address: IpAddr,
    /// `--rate-limit`.
    own: Rate,
}

impl Bandwidth {
    /// As the options say.
    pub fn new(config: &Config) -> Bandwidth {
        Bandwidth {
            all: Rate::new(config.rate_limit_total),
            by_address: Rates::default(),
            by_account: Rates::default(),
        }
    }

    /// Changes the rates, also of transfers that wait for them.
    pub fn set(&self, config: &Config) {
        self.all.set(config.rate_limit_total);
        self.by_address.set_all(config.rate_limit_per_ip);
    }

    /// The bandwidth of the session `number` of a client at `address`.
    pub fn of_session(&self, number: u64, address: IpAddr) -> SessionBandwidth<'_> {
        SessionBandwidth { shared: self, session: number, address, own: Rate::new(None) }
    }
}

impl SessionBandwidth<'_> {
    /// The rates that a transfer has to keep to, and as which party of each. `account` is `None` for
    /// a visitor.
    pub fn rates(&self, account: Option<&Account>, config: &Config) -> Vec<(Rate, Party)> {
        let session = Party(self.session.into());
        let address = client_network(self.address);
        let mut rates = Vec::new();
        self.own.set(config.rate_limit);
        if self.own.is_limited() {
            rates.push((self.own.clone(), session));
        }
        if let Some(account) = account
            && account.terms.rate.is_some()
        {
            let rate = self.shared.by_account.of(&account.name, account.terms.rate);
            rates.push((rate, session));
        }
        if config.rate_limit_per_ip.is_some() {
            rates.push((self.shared.by_address.of(&address, config.rate_limit_per_ip), session));
        }
        if self.shared.all.is_limited() {
            rates.push((self.shared.all.clone(), party(address)));
        }
        rates
    }
}

/// The rates of many, each made when it is first asked for.
#[derive(Debug)]
struct Rates<K> {
    known: Mutex<HashMap<K, Rate>>,
}

impl<K> Default for Rates<K> {
    fn default() -> Rates<K> {
        Rates { known: Mutex::default() }
    }
}

impl<K: Clone + Eq + Hash> Rates<K> {
    fn of(&self, key: &K, a_second: Option<u64>) -> Rate {
        const FEW: usize = 64;
        let mut known = lock(&self.known);
        // Who leaves and comes back owes what he owed, but nobody is remembered for longer.
        if known.len() >= FEW && known.len().is_power_of_two() {
            known.retain(|_, rate| !rate.is_forgotten());
        }
        let rate = known.entry(key.clone()).or_insert_with(|| Rate::new(a_second));
        rate.set(a_second);
        rate.clone()
    }

    fn set_all(&self, a_second: Option<u64>) {
        lock(&self.known).values().for_each(|rate| rate.set(a_second));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn party(address: IpAddr) -> Party {
    Party(match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
        IpAddr::V6(v6) => v6.to_bits(),
    })
}
