//! Brute-force protection for logins.
//!
//! Attempts are counted per client address and never per account, so no one can lock another
//! user's account. Three measures slow an address down:
//!
//! 1. A password is checked only when it is the address's turn: [`BURST`] at once and then
//!    [`CHECKS_PER_SECOND`], over all connections and one after the other, so that an address has
//!    at most one password in the [queue of hashes](super::hash_queue). A correct password does
//!    not use up a turn, so a class that logs in from one address is not slowed down.
//! 2. The reply to a wrong password is delayed; the delay grows with the number of recent wrong
//!    ones ([`delay`]).
//! 3. After too many wrong passwords the address is refused for a period that doubles each time
//!    ([`refusal`]).
//!
//! An address that has logged in to an account before may log in to that account even while it is
//! refused, because it may share the address with an attacker. This exception ends after too many
//! wrong passwords for that account from the address.
//!
//! IPv6 addresses count by their first 64 bits, the usual allocation to one customer. At most
//! [`MAX_ADDRESSES`] are stored. The address with the longest inactivity is dropped first;
//! addresses that have logged in are dropped only if they are the majority, so that a flood of
//! attempts cannot take away their reputation in the queue.

use crate::protocol::Name;
use crate::server::auth::hash_queue::Reputation;
use crate::server::cidr::client_network;
use crate::server::token_bucket::TokenBucket;
use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The number of passwords of one address that are checked without waiting.
const BURST: u32 = 5;

/// The number of checks per second after that.
const CHECKS_PER_SECOND: u32 = 5;

/// The number of sessions of one address that may wait for their turn; further ones are rejected.
const MAX_WAITING: u32 = 4096;

/// The number of addresses that are stored.
const MAX_ADDRESSES: usize = 8192;

/// The number of accounts per address whose logins are stored.
const MAX_KNOWN: usize = 1024;

/// The factor between the allowed wrong passwords of one session and of one address, because many
/// users may share an address.
const ADDRESS_FACTOR: u32 = 3;

/// The time after which one wrong password is forgotten.
const FORGET_ONE: Duration = Duration::from_secs(60);

/// The inactivity after which the refusals of an address are forgotten.
const FORGET_ALL: Duration = Duration::from_secs(60 * 60);

/// The time for which a login is remembered.
const REMEMBER_LOGIN: Duration = Duration::from_secs(24 * 60 * 60);

/// Returns the delay of the reply to the `nth` recent wrong password, counted from 1.
fn delay(nth: u32) -> Duration {
    const FIRST: Duration = Duration::from_millis(250);
    FIRST * (1 << nth.saturating_sub(1).min(4))
}

/// Returns how long the `nth` refusal of an address lasts, counted from 1: 5 seconds, 10, 20, up to
/// about 1.4 hours.
fn refusal(nth: u32) -> Duration {
    const FIRST: Duration = Duration::from_secs(5);
    FIRST * (1 << nth.saturating_sub(1).min(10))
}

/// The recorded attempts of all addresses, shared by all sessions. Anonymous logins are not
/// recorded.
#[derive(Debug)]
pub struct LoginAttempts {
    addresses: Mutex<HashMap<IpAddr, AddressRecord>>,
    /// Hashes user names under a random key, so that clients cannot cause collisions.
    hasher: RandomState,
    began: Instant,
    /// The end of the last refusal of any address, in milliseconds since `began`. While no address
    /// is refused, a connection is admitted without a look at the table.
    refusing_until: AtomicU64,
    closed: AtomicBool,
}

/// The reason why a password is not checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckDenied {
    /// The address is refused for this remaining time.
    Refused(Duration),
    /// Too many sessions of the address are waiting.
    TooManyWaiting,
    /// The turn would come too late: after the login timeout, or after the end of the server.
    TooLate,
}

/// The right to have one password checked, the only one of its address. If it is dropped without
/// an outcome, the turn is not counted.
#[derive(Debug)]
pub struct CheckPermit<'a> {
    attempts: &'a LoginAttempts,
    key: IpAddr,
    name: u64,
    reputation: Reputation,
    has_outcome: bool,
}

impl Default for LoginAttempts {
    fn default() -> LoginAttempts {
        LoginAttempts {
            addresses: Mutex::default(),
            hasher: RandomState::new(),
            began: Instant::now(),
            refusing_until: AtomicU64::new(0),
            closed: AtomicBool::new(false),
        }
    }
}

impl LoginAttempts {
    /// Returns the remaining time for which connections from an address are refused. An address
    /// that has logged in to an account before is not refused here, because it may log in to that
    /// account.
    pub fn blocked_for(&self, address: IpAddr) -> Option<Duration> {
        let now = Instant::now();
        if self.milliseconds(now) >= self.refusing_until.load(Ordering::Relaxed) {
            return None;
        }
        let mut addresses = self.addresses();
        let record = addresses.get_mut(&client_network(address))?;
        record.forget(now);
        record.refused_for(now).filter(|_| record.known.is_empty())
    }

    /// Waits until a password for `name` from `address` may be checked, at most until `until`.
    ///
    /// # Errors
    /// Returns the reason why the password is not checked.
    pub fn acquire(
        &self,
        address: IpAddr,
        name: &Name,
        until: Option<Instant>,
    ) -> Result<CheckPermit<'_>, CheckDenied> {
        let (key, name) = (client_network(address), self.hasher.hash_one(name));
        let mut addresses = self.addresses();
        loop {
            let now = Instant::now();
            make_room(&mut addresses, key, now);
            let record = addresses.entry(key).or_insert_with(|| AddressRecord::new(now));
            let Some(wait) = record.take_turn(name, now)? else {
                let reputation = record.reputation(name);
                return Ok(CheckPermit {
                    attempts: self,
                    key,
                    name,
                    reputation,
                    has_outcome: false,
                });
            };
            let left = until.map_or(wait, |until| until.saturating_duration_since(now));
            if left.is_zero() || self.closed.load(Ordering::SeqCst) {
                return Err(CheckDenied::TooLate);
            }
            let changed = Arc::clone(&record.changed);
            record.waiting += 1;
            let waited = changed.wait_timeout(addresses, wait.min(left));
            addresses = waited.unwrap_or_else(PoisonError::into_inner).0;
            if let Some(record) = addresses.get_mut(&key) {
                record.waiting -= 1;
            }
        }
    }

    /// Ends all waits, because the server ends.
    pub fn close(&self) {
        // The lock ensures that no thread is between its check of `closed` and its wait.
        let addresses = self.addresses();
        self.closed.store(true, Ordering::SeqCst);
        addresses.values().for_each(|record| record.changed.notify_all());
    }

    fn addresses(&self) -> MutexGuard<'_, HashMap<IpAddr, AddressRecord>> {
        self.addresses.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn milliseconds(&self, moment: Instant) -> u64 {
        moment.saturating_duration_since(self.began).as_millis().try_into().unwrap_or(u64::MAX)
    }
}

impl CheckPermit<'_> {
    /// Returns the reputation of the address, which decides when the password is hashed.
    pub fn reputation(&self) -> Reputation {
        self.reputation
    }

    /// Records that the password was correct.
    pub fn succeeded(mut self) {
        self.has_outcome = true;
        if let Some(record) = self.attempts.addresses().get_mut(&self.key) {
            record.record_success(self.name, Instant::now());
        }
    }

    /// Records that the password was wrong, the session's `nth` of at most `most`. Returns the
    /// delay of the reply.
    pub fn failed(mut self, nth: u32, most: u32) -> Duration {
        self.has_outcome = true;
        let now = Instant::now();
        let mut addresses = self.attempts.addresses();
        let Some(record) = addresses.get_mut(&self.key) else { return delay(nth) };
        let refuse = record.record_failure(self.name, nth, most, now);
        if let Some(until) = refuse {
            let until = self.attempts.milliseconds(until).saturating_add(1);
            self.attempts.refusing_until.fetch_max(until, Ordering::Relaxed);
        }
        delay(record.wrong)
    }
}

impl Drop for CheckPermit<'_> {
    fn drop(&mut self) {
        if let Some(record) =
            self.attempts.addresses().get_mut(&self.key).filter(|_| !self.has_outcome)
        {
            record.return_turn();
        }
    }
}

/// The record of one address or one IPv6 network.
#[derive(Debug)]
struct AddressRecord {
    turns: TokenBucket,
    /// True while a password is being checked.
    checking: bool,
    /// The number of sessions that wait for their turn.
    waiting: u32,
    /// Wakes the waiting sessions.
    changed: Arc<Condvar>,
    /// The number of recent wrong passwords.
    wrong: u32,
    /// The time from which the decay of the next wrong password counts.
    forgetting: Instant,
    refusals: u32,
    refused_until: Instant,
    known: Vec<KnownAccount>,
    /// The time of the last attempt.
    last_seen: Instant,
}

/// An account that the address has logged in to.
#[derive(Debug)]
struct KnownAccount {
    name: u64,
    at: Instant,
    /// The number of wrong passwords for the account since then.
    wrong: u32,
}

impl AddressRecord {
    fn new(now: Instant) -> AddressRecord {
        AddressRecord {
            turns: TokenBucket::new(BURST, CHECKS_PER_SECOND, now),
            checking: false,
            waiting: 0,
            changed: Arc::default(),
            wrong: 0,
            forgetting: now,
            refusals: 0,
            refused_until: now,
            known: Vec::new(),
            last_seen: now,
        }
    }

    /// Reserves a login attempt for this name, or returns how long to wait before another try.
    fn take_turn(&mut self, name: u64, now: Instant) -> Result<Option<Duration>, CheckDenied> {
        self.last_seen = now;
        self.forget(now);
        if let Some(left) = self.refused_for(now)
            && !self.known.iter().any(|known| known.name == name)
        {
            return Err(CheckDenied::Refused(left));
        }
        /// The end of the running check wakes the waiting session earlier.
        const AGAIN: Duration = Duration::from_secs(5);
        let taken = if self.checking { Err(AGAIN) } else { self.turns.take(self.waiting, now) };
        self.checking |= taken.is_ok();
        match taken {
            Ok(()) => Ok(None),
            Err(_) if self.waiting >= MAX_WAITING => Err(CheckDenied::TooManyWaiting),
            Err(wait) => Ok(Some(wait)),
        }
    }

    fn reputation(&self, name: u64) -> Reputation {
        match self.known.iter().any(|known| known.name == name && known.wrong == 0) {
            true => Reputation::Known,
            false => Reputation::WrongPasswords(self.wrong),
        }
    }

    /// Returns the turn after a check that did not fail.
    fn return_turn(&mut self) {
        self.turns.put_back();
        self.checking = false;
        self.changed.notify_one();
    }

    fn record_success(&mut self, name: u64, now: Instant) {
        self.return_turn();
        self.known.retain(|known| known.name != name);
        if self.known.len() >= MAX_KNOWN {
            self.known.remove(0);
        }
        self.known.push(KnownAccount { name, at: now, wrong: 0 });
    }

    /// Counts a wrong password. Returns the end of the refusal if the limit is reached.
    fn record_failure(&mut self, name: u64, nth: u32, most: u32, now: Instant) -> Option<Instant> {
        let too_many = most.saturating_mul(ADDRESS_FACTOR);
        self.checking = false;
        self.changed.notify_one();
        self.forget(now);
        if self.wrong == 0 {
            self.forgetting = now;
        }
        self.wrong += 1;
        self.known.iter_mut().filter(|known| known.name == name).for_each(|known| known.wrong += 1);
        self.known.retain(|known| known.wrong < too_many);
        if nth < most && self.wrong < too_many {
            return None;
        }
        self.refusals += 1;
        self.refused_until = now + refusal(self.refusals);
        // Wakes all waiting sessions, which are refused now.
        self.changed.notify_all();
        Some(self.refused_until)
    }

    fn refused_for(&self, now: Instant) -> Option<Duration> {
        Some(self.refused_until.saturating_duration_since(now)).filter(|left| !left.is_zero())
    }

    /// Forgets old attempts, refusals and logins.
    fn forget(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.forgetting);
        let forgotten = u32::try_from(passed.as_secs() / FORGET_ONE.as_secs()).unwrap_or(u32::MAX);
        self.wrong = self.wrong.saturating_sub(forgotten);
        self.forgetting += FORGET_ONE * forgotten;
        if now.saturating_duration_since(self.refused_until) >= FORGET_ALL {
            self.refusals = 0;
        }
        let recent =
            |known: &KnownAccount| now.saturating_duration_since(known.at) < REMEMBER_LOGIN;
        self.known.retain(recent);
    }

    /// Returns whether the record can be dropped without any effect.
    fn has_no_effect(&mut self, now: Instant) -> bool {
        self.forget(now);
        let quiet = self.waiting == 0 && !self.checking && self.turns.is_full(now);
        quiet && self.wrong == 0 && self.refusals == 0 && self.known.is_empty()
    }
}

/// Drops records until there is room for one more, beginning with those that have no effect.
fn make_room(addresses: &mut HashMap<IpAddr, AddressRecord>, key: IpAddr, now: Instant) {
    if addresses.len() < MAX_ADDRESSES || addresses.contains_key(&key) {
        return;
    }
    addresses.retain(|_, record| !record.has_no_effect(now));
    if addresses.len() < MAX_ADDRESSES {
        return;
    }
    let known = addresses.values().filter(|record| !record.known.is_empty()).count();
    let spares_known = known <= MAX_ADDRESSES / 2;
    let free = addresses.iter().filter(|(_, record)| record.waiting == 0 && !record.checking);
    let rank =
        |record: &AddressRecord| (spares_known && !record.known.is_empty(), record.last_seen);
    if let Some(key) = free.min_by_key(|(_, record)| rank(record)).map(|(key, _)| *key) {
        addresses.remove(&key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;
    use std::thread;

    const MAX: u32 = 3;

    fn second(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    fn name(text: &str) -> Name {
        Name::new(text).unwrap()
    }

    fn host(n: u32) -> IpAddr {
        IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 + n))
    }

    #[test]
    fn replies_to_wrong_passwords_are_increasingly_delayed() {
        let delays: Vec<u128> = (1..8).map(|nth| delay(nth).as_millis()).collect();
        assert_eq!(delays, [250, 500, 1000, 2000, 4000, 4000, 4000]);
    }

    #[test]
    fn refusals_double_and_end() {
        let start = Instant::now();
        let mut record = AddressRecord::new(start);
        let mut now = start;
        for expected in [5, 10, 20, 40] {
            assert_eq!(record.record_failure(1, MAX, MAX, now), Some(now + second(expected)));
            assert_eq!(record.take_turn(1, now), Err(CheckDenied::Refused(second(expected))));
            now += second(expected);
            assert_eq!(record.take_turn(1, now), Ok(None));
            record.checking = false;
        }
        now += FORGET_ALL;
        assert_eq!(record.record_failure(1, MAX, MAX, now), Some(now + second(5)));
        assert!(refusal(u32::MAX) < second(6000));
    }

    #[test]
    fn one_attempt_per_session_is_refused_too() {
        let now = Instant::now();
        let mut record = AddressRecord::new(now);
        let refused = (1..=20).filter(|_| record.record_failure(1, 1, MAX, now).is_some()).count();
        assert_eq!(refused, 20 - 8);
    }

    #[test]
    fn wrong_passwords_are_forgotten_one_a_minute() {
        let now = Instant::now();
        let mut record = AddressRecord::new(now);
        for _ in 0..4 {
            record.record_failure(1, 1, MAX, now);
        }
        record.forget(now + second(59));
        assert_eq!(record.wrong, 4);
        record.forget(now + second(121));
        assert_eq!(record.wrong, 2);
        record.forget(now + second(9999));
        assert_eq!(record.wrong, 0);
    }

    #[test]
    fn five_at_once_and_five_a_second_however_many_ask() {
        let start = Instant::now();
        let mut record = AddressRecord::new(start);
        let mut checked = 0;
        for tenth in 0..100 {
            let now = start + Duration::from_millis(100) * tenth;
            while record.take_turn(1, now) == Ok(None) {
                checked += 1;
                record.checking = false;
            }
        }
        assert!((53..=55).contains(&checked), "{checked}");
    }

    #[test]
    fn correct_passwords_use_up_no_turns() {
        let attempts = LoginAttempts::default();
        thread::scope(|scope| {
            for _ in 0..200 {
                scope.spawn(|| {
                    let until = Some(Instant::now() + second(60));
                    attempts.acquire(host(1), &name("anna"), until).unwrap().succeeded();
                });
            }
        });
        assert!(attempts.began.elapsed() < second(20), "they waited");
    }

    #[test]
    fn an_account_with_an_earlier_login_is_admitted_while_the_address_is_refused() {
        let attempts = LoginAttempts::default();
        let turn = |who: &str| attempts.acquire(host(1), &name(who), None);
        turn("anna").unwrap().succeeded();
        turn("root").unwrap().failed(MAX, MAX);
        assert!(matches!(turn("root"), Err(CheckDenied::Refused(_))));
        assert!(matches!(turn("ben"), Err(CheckDenied::Refused(_))));
        assert_eq!(attempts.blocked_for(host(1)), None);
        turn("anna").unwrap().succeeded();
        assert!(attempts.acquire(host(2), &name("root"), None).is_ok());
        // The exception ends if that account is attacked from the address.
        for _ in 0..2 {
            turn("anna").unwrap().failed(1, 1);
        }
        turn("anna").unwrap().failed(1, 1);
        assert!(matches!(turn("anna"), Err(CheckDenied::Refused(_))));
        assert!(attempts.blocked_for(host(1)).is_some());
    }

    #[test]
    fn ipv6_addresses_count_by_their_64_bit_network() {
        let attempts = LoginAttempts::default();
        let at = |text: &str| text.parse::<IpAddr>().unwrap();
        attempts.acquire(at("2001:db8:1:2::1"), &name("a"), None).unwrap().failed(MAX, MAX);
        assert!(attempts.blocked_for(at("2001:db8:1:2:ffff::9")).is_some());
        assert!(attempts.blocked_for(at("2001:db8:1:3::1")).is_none());
    }

    #[test]
    fn the_table_is_bounded_and_attackers_are_not_dropped_for_others() {
        let attempts = LoginAttempts::default();
        attempts.acquire(host(0), &name("a"), None).unwrap().failed(MAX, MAX);
        for n in 1..=2 * MAX_ADDRESSES as u32 {
            drop(attempts.acquire(host(n), &name("a"), None).unwrap());
        }
        assert!(attempts.addresses().len() <= MAX_ADDRESSES);
        assert!(attempts.blocked_for(host(0)).is_some());
    }

    #[test]
    fn addresses_that_have_logged_in_are_not_dropped_for_attackers() {
        let attempts = LoginAttempts::default();
        attempts.acquire(host(0), &name("a"), None).unwrap().succeeded();
        for n in 1..=MAX_ADDRESSES as u32 + 1 {
            attempts.acquire(host(n), &name("a"), None).unwrap().failed(1, MAX);
        }
        assert!(attempts.addresses().len() <= MAX_ADDRESSES);
        let again = attempts.acquire(host(0), &name("a"), None).unwrap();
        assert_eq!(again.reputation(), Reputation::Known);
    }

    #[test]
    fn attempts_stay_counted_among_many_addresses_that_have_logged_in() {
        let attempts = LoginAttempts::default();
        for n in 1..=MAX_ADDRESSES as u32 {
            attempts.acquire(host(n), &name("a"), None).unwrap().succeeded();
        }
        let guessers = [host(0), host(MAX_ADDRESSES as u32 + 1)];
        for guesser in guessers {
            attempts.acquire(guesser, &name("a"), None).unwrap().failed(1, MAX);
        }
        assert!(attempts.addresses().len() <= MAX_ADDRESSES);
        assert!(guessers.iter().all(|guesser| attempts.addresses().contains_key(guesser)));
    }

    #[test]
    fn no_wait_exceeds_its_deadline_or_the_life_of_the_server() {
        let attempts = LoginAttempts::default();
        let first = attempts.acquire(host(1), &name("anna"), None).unwrap();
        let turn = |until| attempts.acquire(host(1), &name("anna"), until).map(drop);
        assert_eq!(turn(Some(Instant::now())), Err(CheckDenied::TooLate));
        attempts.close();
        assert_eq!(turn(None), Err(CheckDenied::TooLate));
        drop(first);
        assert_eq!(turn(None), Ok(()));
    }
}
