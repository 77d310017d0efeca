//! A token bucket, which limits a rate and allows bursts.

use std::time::{Duration, Instant};

/// Contains tokens, each good for one action, and refills over time.
#[derive(Clone, Debug)]
pub struct TokenBucket {
    capacity: f64,
    per_second: f64,
    tokens: f64,
    filled: Instant,
}

impl TokenBucket {
    /// Creates a full bucket of `capacity` tokens that receives `per_second` new ones.
    pub fn new(capacity: u32, per_second: u32, now: Instant) -> TokenBucket {
        let capacity = f64::from(capacity);
        TokenBucket { capacity, per_second: f64::from(per_second), tokens: capacity, filled: now }
    }

    /// Takes a token.
    ///
    /// # Errors
    /// Returns the time until a token is available to a caller that is `behind` this many other
    /// callers.
    pub fn take(&mut self, behind: u32, now: Instant) -> Result<(), Duration> {
        self.fill(now);
        if self.tokens >= 1.0 {
            self.tokens -= 1.0;
            return Ok(());
        }
        let missing = 1.0 - self.tokens + f64::from(behind);
        Err(Duration::from_secs_f64(missing / self.per_second))
    }

    /// Returns a token that was not needed.
    pub fn put_back(&mut self) {
        self.tokens = (self.tokens + 1.0).min(self.capacity);
    }

    /// Returns whether the bucket is full.
    pub fn is_full(&mut self, now: Instant) -> bool {
        self.fill(now);
        self.tokens >= self.capacity
    }

    fn fill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.filled).as_secs_f64();
        self.tokens = (self.tokens + passed * self.per_second).min(self.capacity);
        self.filled = self.filled.max(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_followed_by_the_rate() {
        let start = Instant::now();
        let mut bucket = TokenBucket::new(3, 10, start);
        let taken = (0..10).filter(|_| bucket.take(0, start).is_ok()).count();
        assert_eq!(taken, 3);
        let wait = bucket.take(0, start).unwrap_err();
        assert_eq!(wait, Duration::from_millis(100));
        assert!(bucket.take(0, start + wait).is_ok());
        assert!(bucket.take(0, start + wait).is_err());
        let mut later = (0..1000).map(|ms| start + wait + Duration::from_millis(ms));
        assert_eq!(later.by_ref().filter(|now| bucket.take(0, *now).is_ok()).count(), 9);
    }

    #[test]
    fn a_caller_behind_others_waits_longer() {
        let start = Instant::now();
        let mut bucket = TokenBucket::new(1, 5, start);
        bucket.take(0, start).unwrap();
        assert_eq!(bucket.take(0, start), Err(Duration::from_millis(200)));
        assert_eq!(bucket.take(4, start), Err(Duration::from_secs(1)));
    }

    #[test]
    fn a_returned_token_can_be_taken_once() {
        let start = Instant::now();
        let mut bucket = TokenBucket::new(2, 1, start);
        assert!(bucket.is_full(start));
        bucket.take(0, start).unwrap();
        assert!(!bucket.is_full(start));
        bucket.put_back();
        bucket.put_back();
        assert_eq!((0..9).filter(|_| bucket.take(0, start).is_ok()).count(), 2);
        // A clock that goes backwards changes nothing.
        assert!(bucket.take(0, start - Duration::from_secs(9)).is_err());
    }
}
