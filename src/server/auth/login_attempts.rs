//! Guessing passwords is slow, and being guessed at is not punished.
//!
//! Everything here is counted by the address that guesses, never by the account it guesses at, so
//! nobody can lock somebody else's account. Three things slow an address down:
//!
//! 1. A password is checked only when it is the address's turn: [`BURST`] at once and then
//!    [`CHECKS_A_SECOND`], over however many connections, and one after the other, so that an address
//!    has at most one in the [queue of hashes](super::hash_queue). A right one gives its turn back, so
//!    a class that logs in from one address is not held up.
//! 2. The answer to a wrong one is late, the later the more of them there were ([`delay`]).
//! 3. After too many the address is refused for a while, which doubles each time ([`refusal`]).
//!
//! An address that has logged in to an account before is let in to that account while it is refused
//! otherwise: it shares its address with somebody who guesses. That ends when the name itself has
//! been guessed at too often from there.
//!
//! IPv6 addresses count by their first 64 bits, which is what one customer is given. At most
//! [`MOST_ADDRESSES`] are remembered; the longest quiet ones go first, and those that have logged in
//! only while they are the most, so that no flood of guesses takes their place in the queue.

use crate::protocol::Name;
use crate::server::auth::hash_queue::Standing;
use crate::server::cidr::client_network;
use crate::server::token_bucket::TokenBucket;
use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How many passwords of one address are checked without waiting.
const BURST: u32 = 5;

/// How many a second after those.
const CHECKS_A_SECOND: u32 = 5;

/// How many sessions of one address may wait for their turn; the next is sent away.
const MOST_WAITING: u32 = 4096;

/// How many addresses are remembered.
const MOST_ADDRESSES: usize = 8192;

/// How many accounts are remembered that an address has logged in to.
const MOST_KNOWN: usize = 1024;

/// Wrong passwords over all sessions of an address lead to a refusal when there are so many times
/// as many as one session may have: there may be many people behind one address.
const SESSIONS_WORTH: u32 = 3;

/// How long it takes until one wrong password is forgotten.
const FORGET_ONE: Duration = Duration::from_secs(60);

/// How long an address must have been quiet for its refusals to be forgotten.
const FORGET_ALL: Duration = Duration::from_secs(60 * 60);

/// How long a login is remembered.
const REMEMBER_LOGIN: Duration = Duration::from_secs(24 * 60 * 60);

/// How late the answer to a wrong password comes that is the `nth` lately, from 1.
fn delay(nth: u32) -> Duration {
    const FIRST: Duration = Duration::from_millis(250);
    FIRST * (1 << nth.saturating_sub(1).min(4))
}

/// How long the `nth` refusal of an address is, from 1: 5 seconds, 10, 20, up to about 1.4 hours.
fn refusal(nth: u32) -> Duration {
    const FIRST: Duration = Duration::from_secs(5);
    FIRST * (1 << nth.saturating_sub(1).min(10))
}

/// What is remembered of all addresses, shared by all sessions. Visitors never get here.
#[derive(Debug)]
pub struct LoginAttempts {
    addresses: Mutex<HashMap<IpAddr, Memory>>,
    /// Names are remembered as hashes nobody outside can foresee.
    hasher: RandomState,
    began: Instant,
    /// Until which millisecond since it began anybody is refused. Most of the time nobody is, and
    /// then nothing has to be looked up to let somebody in.
    refusing_until: AtomicU64,
    closed: AtomicBool,
}

/// Why no password is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoTurn {
    /// The address is refused for so much longer.
    Refused(Duration),
    /// Too many sessions of the address wait already.
    Crowded,
    /// It would come too late: the time to log in is over, or the server ends.
    TooLate,
}

/// The right to have one password checked, the only one of its address. Who drops it without having
/// told the outcome had none.
#[derive(Debug)]
pub struct Turn<'a> {
    guard: &'a LoginAttempts,
    key: IpAddr,
    name: u64,
    standing: Standing,
    told: bool,
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
    /// For how long an address is refused altogether, if it is. One that has logged in to an account
    /// before is not: it may do so again.
    pub fn refuses(&self, address: IpAddr) -> Option<Duration> {
        let now = Instant::now();
        if self.milliseconds(now) >= self.refusing_until.load(Ordering::Relaxed) {
            return None;
        }
        let mut addresses = self.addresses();
        let memory = addresses.get_mut(&client_network(address))?;
        memory.forget(now);
        memory.refused_for(now).filter(|_| memory.known.is_empty())
    }

    /// Waits until a password for `name` may be checked that came from `address`, at most `until`.
    ///
    /// # Errors
    /// Why none will be.
    pub fn turn(
        &self,
        address: IpAddr,
        name: &Name,
        until: Option<Instant>,
    ) -> Result<Turn<'_>, NoTurn> {
        let (key, name) = (client_network(address), self.hasher.hash_one(name));
        let mut addresses = self.addresses();
        loop {
            let now = Instant::now();
            make_room(&mut addresses, key, now);
            let memory = addresses.entry(key).or_insert_with(|| Memory::new(now));
            let Some(wait) = memory.take_turn(name, now)? else {
                let standing = memory.standing(name);
                return Ok(Turn { guard: self, key, name, standing, told: false });
            };
            let left = until.map_or(wait, |until| until.saturating_duration_since(now));
            if left.is_zero() || self.closed.load(Ordering::SeqCst) {
                return Err(NoTurn::TooLate);
            }
            let changed = Arc::clone(&memory.changed);
            memory.waiting += 1;
            let waited = changed.wait_timeout(addresses, wait.min(left));
            addresses = waited.unwrap_or_else(PoisonError::into_inner).0;
            if let Some(memory) = addresses.get_mut(&key) {
                memory.waiting -= 1;
            }
        }
    }

    /// Nobody waits any more: the server ends.
    pub fn close(&self) {
        // Under the lock, so that nobody is between the look and the wait.
        let addresses = self.addresses();
        self.closed.store(true, Ordering::SeqCst);
        addresses.values().for_each(|memory| memory.changed.notify_all());
    }

    fn addresses(&self) -> MutexGuard<'_, HashMap<IpAddr, Memory>> {
        self.addresses.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn milliseconds(&self, moment: Instant) -> u64 {
        moment.saturating_duration_since(self.began).as_millis().try_into().unwrap_or(u64::MAX)
    }
}

impl Turn<'_> {
    /// Returns what is known of the address, which decides when the password is hashed.
    pub fn standing(&self) -> Standing {
        self.standing
    }

    /// The password was right.
    pub fn right(mut self) {
        self.told = true;
        if let Some(memory) = self.guard.addresses().get_mut(&self.key) {
            memory.right(self.name, Instant::now());
        }
    }

    /// The password was wrong, the session's `nth` wrong one of `most`. Gives how late to say so.
    pub fn wrong(mut self, nth: u32, most: u32) -> Duration {
        self.told = true;
        let now = Instant::now();
        let mut addresses = self.guard.addresses();
        let Some(memory) = addresses.get_mut(&self.key) else { return delay(nth) };
        let refuse = memory.wrong(self.name, nth, most, now);
        if let Some(until) = refuse {
            let until = self.guard.milliseconds(until).saturating_add(1);
            self.guard.refusing_until.fetch_max(until, Ordering::Relaxed);
        }
        delay(memory.wrong)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if let Some(memory) = self.guard.addresses().get_mut(&self.key).filter(|_| !self.told) {
            memory.give_back();
        }
    }
}

/// What is remembered of one address, or of one IPv6 network.
#[derive(Debug)]
struct Memory {
    turns: TokenBucket,
    /// Whether a password is being checked.
    checking: bool,
    /// How many sessions wait for their turn.
    waiting: u32,
    /// Wakes them.
    changed: Arc<Condvar>,
    /// Wrong passwords lately.
    wrong: u32,
    /// Since when one of them is being forgotten.
    forgetting: Instant,
    refusals: u32,
    refused_until: Instant,
    known: Vec<Known>,
    /// When anything was last heard of it.
    heard: Instant,
}

/// An account the address has logged in to.
#[derive(Debug)]
struct Known {
    name: u64,
    at: Instant,
    /// Wrong passwords for it since then.
    wrong: u32,
}

impl Memory {
    fn new(now: Instant) -> Memory {
        Memory {
            turns: TokenBucket::new(BURST, CHECKS_A_SECOND, now),
            checking: false,
            waiting: 0,
            changed: Arc::default(),
            wrong: 0,
            forgetting: now,
            refusals: 0,
            refused_until: now,
            known: Vec::new(),
            heard: now,
        }
    }

    /// Takes a turn for this name, or says how long to wait before another try.
    fn take_turn(&mut self, name: u64, now: Instant) -> Result<Option<Duration>, NoTurn> {
        self.heard = now;
        self.forget(now);
        if let Some(left) = self.refused_for(now)
            && !self.known.iter().any(|known| known.name == name)
        {
            return Err(NoTurn::Refused(left));
        }
        /// Who is woken by the end of the check before this one need not wait so long.
        const AGAIN: Duration = Duration::from_secs(5);
        let taken = if self.checking { Err(AGAIN) } else { self.turns.take(self.waiting, now) };
        self.checking |= taken.is_ok();
        match taken {
            Ok(()) => Ok(None),
            Err(_) if self.waiting >= MOST_WAITING => Err(NoTurn::Crowded),
            Err(wait) => Ok(Some(wait)),
        }
    }

    fn standing(&self, name: u64) -> Standing {
        match self.known.iter().any(|known| known.name == name && known.wrong == 0) {
            true => Standing::Known,
            false => Standing::Wrong(self.wrong),
        }
    }

    /// The check has ended, and nothing was wrong with the password.
    fn give_back(&mut self) {
        self.turns.put_back();
        self.checking = false;
        self.changed.notify_one();
    }

    fn right(&mut self, name: u64, now: Instant) {
        self.give_back();
        self.known.retain(|known| known.name != name);
        if self.known.len() >= MOST_KNOWN {
            self.known.remove(0);
        }
        self.known.push(Known { name, at: now, wrong: 0 });
    }

    /// Counts a wrong password, and says until when the address is refused if that was one too many.
    fn wrong(&mut self, name: u64, nth: u32, most: u32, now: Instant) -> Option<Instant> {
        let too_many = most.saturating_mul(SESSIONS_WORTH);
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
        // Those who wait shall hear of it.
        self.changed.notify_all();
        Some(self.refused_until)
    }

    fn refused_for(&self, now: Instant) -> Option<Duration> {
        Some(self.refused_until.saturating_duration_since(now)).filter(|left| !left.is_zero())
    }

    /// Forgets what is long ago.
    fn forget(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.forgetting);
        let forgotten = u32::try_from(passed.as_secs() / FORGET_ONE.as_secs()).unwrap_or(u32::MAX);
        self.wrong = self.wrong.saturating_sub(forgotten);
        self.forgetting += FORGET_ONE * forgotten;
        if now.saturating_duration_since(self.refused_until) >= FORGET_ALL {
            self.refusals = 0;
        }
        let recent = |known: &Known| now.saturating_duration_since(known.at) < REMEMBER_LOGIN;
        self.known.retain(recent);
    }

    /// Whether it can go without making a difference.
    fn is_blank(&mut self, now: Instant) -> bool {
        self.forget(now);
        let quiet = self.waiting == 0 && !self.checking && self.turns.is_full(now);
        quiet && self.wrong == 0 && self.refusals == 0 && self.known.is_empty()
    }
}

/// Forgets addresses until there is room for one more, those first that make no difference.
fn make_room(addresses: &mut HashMap<IpAddr, Memory>, key: IpAddr, now: Instant) {
    if addresses.len() < MOST_ADDRESSES || addresses.contains_key(&key) {
        return;
    }
    addresses.retain(|_, memory| !memory.is_blank(now));
    if addresses.len() < MOST_ADDRESSES {
        return;
    }
    let known = addresses.values().filter(|memory| !memory.known.is_empty()).count();
    let spares_known = known <= MOST_ADDRESSES / 2;
    let free = addresses.iter().filter(|(_, memory)| memory.waiting == 0 && !memory.checking);
    let rank = |memory: &Memory| (spares_known && !memory.known.is_empty(), memory.heard);
    if let Some(key) = free.min_by_key(|(_, memory)| rank(memory)).map(|(key, _)| *key) {
        addresses.remove(&key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;
    use std::thread;

    const MOST: u32 = 3;

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
    fn wrong_answers_come_later_and_later() {
        let delays: Vec<u128> = (1..8).map(|nth| delay(nth).as_millis()).collect();
        assert_eq!(delays, [250, 500, 1000, 2000, 4000, 4000, 4000]);
    }

    #[test]
    fn refusals_double_and_end() {
        let start = Instant::now();
        let mut memory = Memory::new(start);
        let mut now = start;
        for expected in [5, 10, 20, 40] {
            assert_eq!(memory.wrong(1, MOST, MOST, now), Some(now + second(expected)));
            assert_eq!(memory.take_turn(1, now), Err(NoTurn::Refused(second(expected))));
            now += second(expected);
            assert_eq!(memory.take_turn(1, now), Ok(None));
            memory.checking = false;
        }
        now += FORGET_ALL;
        assert_eq!(memory.wrong(1, MOST, MOST, now), Some(now + second(5)));
        assert!(refusal(u32::MAX) < second(6000));
    }

    #[test]
    fn one_guess_a_session_is_refused_too() {
        let now = Instant::now();
        let mut memory = Memory::new(now);
        let refused = (1..=20).filter(|_| memory.wrong(1, 1, MOST, now).is_some()).count();
        assert_eq!(refused, 20 - 8);
    }

    #[test]
    fn wrong_passwords_are_forgotten_one_a_minute() {
        let now = Instant::now();
        let mut memory = Memory::new(now);
        for _ in 0..4 {
            memory.wrong(1, 1, MOST, now);
        }
        memory.forget(now + second(59));
        assert_eq!(memory.wrong, 4);
        memory.forget(now + second(121));
        assert_eq!(memory.wrong, 2);
        memory.forget(now + second(9999));
        assert_eq!(memory.wrong, 0);
    }

    #[test]
    fn five_at_once_and_five_a_second_however_many_ask() {
        let start = Instant::now();
        let mut memory = Memory::new(start);
        let mut checked = 0;
        for tenth in 0..100 {
            let now = start + Duration::from_millis(100) * tenth;
            while memory.take_turn(1, now) == Ok(None) {
                checked += 1;
                memory.checking = false;
            }
        }
        assert!((53..=55).contains(&checked), "{checked}");
    }

    #[test]
    fn right_passwords_use_up_no_turns() {
        let guard = LoginAttempts::default();
        thread::scope(|scope| {
            for _ in 0..200 {
                scope.spawn(|| {
                    let until = Some(Instant::now() + second(60));
                    guard.turn(host(1), &name("anna"), until).unwrap().right();
                });
            }
        });
        assert!(guard.began.elapsed() < second(20), "they waited");
    }

    #[test]
    fn who_knows_a_password_is_let_in_while_the_neighbour_is_refused() {
        let guard = LoginAttempts::default();
        let turn = |who: &str| guard.turn(host(1), &name(who), None);
        turn("anna").unwrap().right();
        turn("root").unwrap().wrong(MOST, MOST);
        assert!(matches!(turn("root"), Err(NoTurn::Refused(_))));
        assert!(matches!(turn("ben"), Err(NoTurn::Refused(_))));
        assert_eq!(guard.refuses(host(1)), None);
        turn("anna").unwrap().right();
        assert!(guard.turn(host(2), &name("root"), None).is_ok());
        // Unless it is that account that is guessed at.
        for _ in 0..2 {
            turn("anna").unwrap().wrong(1, 1);
        }
        turn("anna").unwrap().wrong(1, 1);
        assert!(matches!(turn("anna"), Err(NoTurn::Refused(_))));
        assert!(guard.refuses(host(1)).is_some());
    }

    #[test]
    fn an_ipv6_network_is_one_and_its_neighbour_another() {
        let guard = LoginAttempts::default();
        let at = |text: &str| text.parse::<IpAddr>().unwrap();
        guard.turn(at("2001:db8:1:2::1"), &name("a"), None).unwrap().wrong(MOST, MOST);
        assert!(guard.refuses(at("2001:db8:1:2:ffff::9")).is_some());
        assert!(guard.refuses(at("2001:db8:1:3::1")).is_none());
    }

    #[test]
    fn memory_is_bounded_and_the_guilty_are_not_forgotten_for_the_innocent() {
        let guard = LoginAttempts::default();
        guard.turn(host(0), &name("a"), None).unwrap().wrong(MOST, MOST);
        for n in 1..=2 * MOST_ADDRESSES as u32 {
            drop(guard.turn(host(n), &name("a"), None).unwrap());
        }
        assert!(guard.addresses().len() <= MOST_ADDRESSES);
        assert!(guard.refuses(host(0)).is_some());
    }

    #[test]
    fn who_has_logged_in_is_not_forgotten_for_those_who_guess() {
        let guard = LoginAttempts::default();
        guard.turn(host(0), &name("a"), None).unwrap().right();
        for n in 1..=MOST_ADDRESSES as u32 + 1 {
            guard.turn(host(n), &name("a"), None).unwrap().wrong(1, MOST);
        }
        assert!(guard.addresses().len() <= MOST_ADDRESSES);
        let again = guard.turn(host(0), &name("a"), None).unwrap();
        assert_eq!(again.standing(), Standing::Known);
    }

    #[test]
    fn guesses_stay_counted_among_many_who_have_logged_in() {
        let guard = LoginAttempts::default();
        for n in 1..=MOST_ADDRESSES as u32 {
            guard.turn(host(n), &name("a"), None).unwrap().right();
        }
        let guessers = [host(0), host(MOST_ADDRESSES as u32 + 1)];
        for guesser in guessers {
            guard.turn(guesser, &name("a"), None).unwrap().wrong(1, MOST);
        }
        assert!(guard.addresses().len() <= MOST_ADDRESSES);
        assert!(guessers.iter().all(|guesser| guard.addresses().contains_key(guesser)));
    }

    #[test]
    fn nobody_waits_beyond_his_time_or_that_of_the_server() {
        let guard = LoginAttempts::default();
        let first = guard.turn(host(1), &name("anna"), None).unwrap();
        let turn = |until| guard.turn(host(1), &name("anna"), until).map(drop);
        assert_eq!(turn(Some(Instant::now())), Err(NoTurn::TooLate));
        guard.close();
        assert_eq!(turn(None), Err(NoTurn::TooLate));
        drop(first);
        assert_eq!(turn(None), Ok(()));
    }
}
