//! The bandwidth of sessions.
//!
//! A transfer is subject to up to four rates, each with its own queue: that of its session, of its
//! account, of its address, and the total. The rate of an account or an address is divided evenly
//! among its transfers. The total is divided evenly among the addresses that have data to move, so
//! that many sessions from one address get no larger part; a class behind one address counts as
//! one address. Bandwidth that an address does not use goes to the others, and no
//! transfer waits while all rates are below their limits.
//!
//! Bytes of files and listings count in both directions; commands and replies do not.

use crate::protocol::Name;
use crate::rate::{Party, Rate};
use crate::server::accounts::Account;
use crate::server::cidr::client_network;
use crate::server::config::Config;
use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

/// The rates that all sessions share.
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
    /// The session's own rate (`--rate-limit`), once it has had a limit.
    own: OnceLock<Rate>,
}

impl Bandwidth {
    /// Creates the rates from the options.
    pub fn new(config: &Config) -> Bandwidth {
        Bandwidth {
            all: Rate::new(config.rate_limit_total),
            by_address: Rates::default(),
            by_account: Rates::default(),
        }
    }

    /// Changes the rates, also of waiting transfers.
    pub fn set(&self, config: &Config) {
        self.all.set(config.rate_limit_total);
        self.by_address.set_all(config.rate_limit_per_ip);
    }

    /// Returns the bandwidth of session `number` of a client at `address`.
    pub fn of_session(&self, number: u64, address: IpAddr) -> SessionBandwidth<'_> {
        SessionBandwidth { shared: self, session: number, address, own: OnceLock::new() }
    }
}

impl SessionBandwidth<'_> {
    /// Returns the rates that a transfer is subject to, each with the transfer's party. `account`
    /// is `None` for a visitor.
    pub fn rates(&self, account: Option<&Account>, config: &Config) -> Vec<(Rate, Party)> {
        let session = Party(self.session.into());
        let address = client_network(self.address);
        let mut rates = Vec::new();
        if let Some(own) = self.own(config.rate_limit) {
            rates.push((own.clone(), session));
        }
        if let Some(account) = account
            && account.limits.rate.is_some()
        {
            let rate = self.shared.by_account.of(&account.name, account.limits.rate);
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

    /// Returns the session's own rate, if it is limited.
    fn own(&self, per_second: Option<u64>) -> Option<&Rate> {
        let own = match per_second {
            Some(_) => self.own.get_or_init(|| Rate::new(per_second)),
            None => self.own.get()?,
        };
        own.set(per_second);
        per_second.map(|_| own)
    }
}

/// Rates by key, each created on first use.
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
        // A rate is kept until the time that its bytes should have taken has passed, so that a client cannot
        // evade it by reconnecting; then it is dropped.
        if known.len() >= FEW && known.len().is_power_of_two() {
            known.retain(|_, rate| !rate.is_idle());
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
