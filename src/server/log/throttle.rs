//! Limits the log lines of an event that repeats.
//!
//! A client that floods the server must not fill the disk with log lines.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The time between two log lines of the event.
const QUIET: Duration = Duration::from_secs(10);

/// Admits one event every ten seconds and counts the others.
#[derive(Debug, Default)]
pub struct Throttle {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    last: Option<Instant>,
    times: u64,
}

impl Throttle {
    /// Counts an event. Returns the number of events since the last report if it is time for a
    /// report.
    pub fn count(&self) -> Option<u64> {
        self.count_at(Instant::now())
    }

    fn count_at(&self, now: Instant) -> Option<u64> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.times += 1;
        let quiet = |last: Instant| now.saturating_duration_since(last) < QUIET;
        if state.last.is_some_and(quiet) {
            return None;
        }
        state.last = Some(now);
        Some(std::mem::take(&mut state.times))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_event_is_reported_at_once_and_the_others_are_counted() {
        let (throttle, start) = (Throttle::default(), Instant::now());
        assert_eq!(throttle.count_at(start), Some(1));
        for second in 0..9 {
            assert_eq!(throttle.count_at(start + Duration::from_secs(second)), None);
        }
        assert_eq!(throttle.count_at(start + QUIET), Some(10));
        assert_eq!(throttle.count_at(start + QUIET), None);
    }
}
