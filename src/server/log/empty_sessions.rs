//! Limits the log lines of empty sessions, those that end without a login or another logged event.
//!
//! A client that connects again and again must not fill the disk with log lines. Each empty session takes
//! a token when it ends. If none is left, the lines of empty sessions are joined for a while: a new session
//! is logged only when it turns out not to be empty. While no lines are joined, the beginning of a session
//! costs one atomic load.

use crate::server::log::throttle::Throttle;
use crate::server::token_bucket::TokenBucket;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The number of empty sessions that are logged at once, and per second after that.
const SESSIONS_AT_ONCE: u32 = 100;
const SESSIONS_A_SECOND: u32 = 1;

/// The time for which lines are joined after an empty session that found no token.
const JOINING: Duration = Duration::from_secs(10);

/// The empty sessions of all clients.
#[derive(Debug)]
pub struct EmptySessions {
    began: Instant,
    budget: Mutex<TokenBucket>,
    /// The time until which lines are joined, in milliseconds since `began`.
    joining_until: AtomicU64,
    joined: Throttle,
}

impl Default for EmptySessions {
    fn default() -> EmptySessions {
        EmptySessions::new(Instant::now())
    }
}

impl EmptySessions {
    fn new(began: Instant) -> EmptySessions {
        let budget = Mutex::new(TokenBucket::new(SESSIONS_AT_ONCE, SESSIONS_A_SECOND, began));
        let (joining_until, joined) = (AtomicU64::new(0), Throttle::default());
        EmptySessions { began, budget, joining_until, joined }
    }

    /// Returns whether a session that begins now is logged only if it is not empty.
    pub fn is_joining(&self) -> bool {
        let until = self.joining_until.load(Ordering::Relaxed);
        until > 0 && self.milliseconds(Instant::now()) < until
    }

    /// Counts an empty session that ends and has been logged.
    pub fn count_logged(&self) {
        self.count_at(Instant::now());
    }

    /// Counts an empty session that ends and has not been logged. Returns the number of these sessions
    /// since the last report if it is time for a report.
    pub fn count_joined(&self) -> Option<u64> {
        self.count_at(Instant::now());
        self.joined.count()
    }

    fn count_at(&self, now: Instant) {
        let mut budget = self.budget.lock().unwrap_or_else(PoisonError::into_inner);
        if budget.take(0, now).is_err() {
            self.joining_until.fetch_max(self.milliseconds(now + JOINING), Ordering::Relaxed);
        }
    }

    fn milliseconds(&self, moment: Instant) -> u64 {
        moment.saturating_duration_since(self.began).as_millis().try_into().unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_joined_from_the_session_without_a_token_until_ten_seconds_after_the_last_one() {
        let start = Instant::now();
        let sessions = EmptySessions::new(start);
        let joining_until = || sessions.joining_until.load(Ordering::Relaxed);
        for _ in 0..SESSIONS_AT_ONCE {
            sessions.count_at(start);
            assert_eq!(joining_until(), 0);
        }
        sessions.count_at(start);
        assert_eq!(joining_until(), 10_000);
        assert!(sessions.is_joining());
        sessions.count_at(start + Duration::from_millis(900));
        assert_eq!(joining_until(), 10_900);
        sessions.count_at(start + Duration::from_millis(1100));
        assert_eq!(joining_until(), 10_900, "a session in a second is within the budget");
    }
}
