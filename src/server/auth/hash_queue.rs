//! Limits and orders the hashing of passwords.
//!
//! A hash deliberately takes tens of milliseconds of processor time, so at most as many run at
//! once as there are processors. Further passwords wait in the order of their [`Reputation`]. Within
//! one reputation the newest goes first: under overload its client is still waiting for the reply,
//! while the client of the oldest is about to give up. Each address has at most one password in
//! the queue, which [`LoginAttempts`](super::login_attempts::LoginAttempts) ensures, so a flood
//! from one address takes one entry.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// The reputation of the address that a password comes from; the best one sorts first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reputation {
    /// The address has logged in to this account before.
    Known,
    /// The number of wrong passwords from this address lately.
    WrongPasswords(u32),
}

/// The sort key of a waiting password; the lowest key is next.
type QueueKey = (Reputation, Reverse<u64>);

/// The queue of passwords to be hashed.
#[derive(Debug)]
pub struct HashQueue {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    free: usize,
    arrived: u64,
    waiting: BTreeMap<QueueKey, Arc<Condvar>>,
    /// True once the server ends; no thread waits any more.
    closed: bool,
}

impl Default for HashQueue {
    fn default() -> HashQueue {
        HashQueue::new(thread::available_parallelism().map_or(1, usize::from))
    }
}

impl HashQueue {
    fn new(free: usize) -> HashQueue {
        let (arrived, waiting, closed) = (0, BTreeMap::new(), false);
        HashQueue { state: Mutex::new(State { free, arrived, waiting, closed }) }
    }

    /// Runs `hash` when its turn has come. Returns `None` if the turn does not come by `until` or before
    /// the end of the server.
    pub fn run<T>(
        &self,
        reputation: Reputation,
        until: Option<Instant>,
        hash: impl FnOnce() -> T,
    ) -> Option<T> {
        let _slot = self.slot(reputation, until)?;
        Some(hash())
    }

    /// Ends all waits, because the server ends. Running hashes are completed.
    pub fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        state.waiting.values().for_each(|turn| turn.notify_one());
    }

    fn slot(&self, reputation: Reputation, until: Option<Instant>) -> Option<HashSlot<'_>> {
        const FOR_EVER: Duration = Duration::from_secs(60 * 60);
        let mut state = self.state();
        state.arrived += 1;
        let key = (reputation, Reverse(state.arrived));
        let turn = Arc::new(Condvar::new());
        state.waiting.insert(key, Arc::clone(&turn));
        while state.free == 0 || state.waiting.first_key_value().is_some_and(|(p, _)| *p != key) {
            let left =
                until.map_or(FOR_EVER, |until| until.saturating_duration_since(Instant::now()));
            if left.is_zero() || state.closed {
                state.waiting.remove(&key);
                state.wake_next();
                return None;
            }
            state = turn.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        state.waiting.remove(&key);
        state.free -= 1;
        state.wake_next();
        Some(HashSlot(self))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Wakes the first waiting thread if a slot is free.
    fn wake_next(&self) {
        if let Some((_, turn)) = self.waiting.first_key_value().filter(|_| self.free > 0) {
            turn.notify_one();
        }
    }
}

/// The right to hash one password.
struct HashSlot<'a>(&'a HashQueue);

impl Drop for HashSlot<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.free += 1;
        state.wake_next();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// Waits until this many threads wait in the queue.
    fn until_waiting(queue: &HashQueue, many: usize) {
        while queue.state().waiting.len() < many {
            thread::yield_now();
        }
    }

    #[test]
    fn no_more_run_at_once_than_there_are_slots() {
        let queue = HashQueue::new(3);
        let (running, peak) = (AtomicUsize::new(0), AtomicUsize::new(0));
        thread::scope(|scope| {
            for _ in 0..32 {
                scope.spawn(|| {
                    queue.run(Reputation::WrongPasswords(0), None, || {
                        let now = running.fetch_add(1, Ordering::SeqCst) + 1;
                        peak.fetch_max(now, Ordering::SeqCst);
                        thread::yield_now();
                        running.fetch_sub(1, Ordering::SeqCst);
                    });
                });
            }
        });
        assert!((1..=3).contains(&peak.load(Ordering::SeqCst)));
        assert_eq!(queue.state().free, 3);
    }

    #[test]
    fn the_best_reputation_is_first_and_then_the_newest() {
        let queue = HashQueue::new(1);
        let order = Mutex::new(Vec::new());
        let arrivals = [
            (1, Reputation::WrongPasswords(2)),
            (2, Reputation::WrongPasswords(0)),
            (3, Reputation::Known),
            (4, Reputation::WrongPasswords(0)),
            (5, Reputation::WrongPasswords(7)),
        ];
        thread::scope(|scope| {
            let first = queue.slot(Reputation::WrongPasswords(9), None).unwrap();
            for (waiting, (number, reputation)) in arrivals.into_iter().enumerate() {
                until_waiting(&queue, waiting);
                let (queue, order) = (&queue, &order);
                scope.spawn(move || {
                    queue.run(reputation, None, || order.lock().unwrap().push(number));
                });
            }
            until_waiting(&queue, arrivals.len());
            drop(first);
        });
        assert_eq!(*order.lock().unwrap(), [3, 4, 2, 1, 5]);
    }

    #[test]
    fn the_end_of_the_server_ends_all_waits_and_begins_none() {
        let queue = HashQueue::new(1);
        let first = queue.slot(Reputation::Known, None).unwrap();
        thread::scope(|scope| {
            let wait = |nth| queue.run(Reputation::WrongPasswords(nth), None, || nth);
            let waits: Vec<_> = (0..3).map(|nth| scope.spawn(move || wait(nth))).collect();
            until_waiting(&queue, waits.len());
            queue.close();
            assert!(waits.into_iter().all(|wait| wait.join().unwrap().is_none()));
            assert_eq!(wait(3), None);
        });
        drop(first);
        assert_eq!(queue.run(Reputation::Known, None, || 7), Some(7));
    }

    #[test]
    fn a_late_turn_is_passed_to_the_next() {
        let queue = HashQueue::new(1);
        let first = queue.slot(Reputation::Known, None).unwrap();
        assert_eq!(queue.run(Reputation::Known, Some(Instant::now()), || 7), None);
        assert!(queue.state().waiting.is_empty());
        drop(first);
        assert_eq!(queue.run(Reputation::WrongPasswords(0), Some(Instant::now()), || 7), Some(7));
    }
}
