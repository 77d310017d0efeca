//! A rate for all connections together.
//!
//! Each piece that moved is paid for in time, by whoever moved it, before it moves the next. Pieces
//! are small where the rate is, so that no connection stands still for long.

use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::sys::{Handle, Waitable};

/// How many pieces a second there are at most.
const PIECES: u64 = 16;
const SMALLEST_PIECE: u64 = 512;

/// So many bytes a second, however many share it.
#[derive(Clone, Debug)]
pub struct Rate {
    a_second: u64,
    /// When all that moved is paid for.
    paid: Arc<Mutex<Instant>>,
}

impl Rate {
    /// So many bytes a second; none at all is one.
    pub fn new(a_second: u64) -> Rate {
        Rate { a_second: a_second.max(1), paid: Arc::new(Mutex::new(Instant::now())) }
    }

    /// How long to wait after so many bytes.
    pub(super) fn pay(&self, bytes: u64) -> Duration {
        let price = Duration::from_secs_f64(bytes as f64 / self.a_second as f64);
        let now = Instant::now();
        let mut paid = self.paid.lock().unwrap_or_else(PoisonError::into_inner);
        // What was not used is not saved for later.
        let until = (*paid).max(now).checked_add(price).unwrap_or(now);
        *paid = until;
        until.saturating_duration_since(now)
    }

    fn piece(&self) -> usize {
        let piece = (self.a_second / PIECES).max(SMALLEST_PIECE);
        usize::try_from(piece).unwrap_or(usize::MAX)
    }
}

/// A stream that moves no more at once than its rate is made for.
pub(super) struct Paced<'a, S> {
    stream: &'a mut S,
    piece: usize,
}

impl<'a, S> Paced<'a, S> {
    pub(super) fn new(stream: &'a mut S, rate: &Rate) -> Paced<'a, S> {
        Paced { stream, piece: rate.piece() }
    }
}

impl<S: Read> Read for Paced<'_, S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let piece = buffer.len().min(self.piece);
        self.stream.read(&mut buffer[..piece])
    }
}

impl<S: Write> Write for Paced<'_, S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.write(&bytes[..bytes.len().min(self.piece)])
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

impl<S: Waitable> Waitable for Paced<'_, S> {
    fn handle(&self) -> Handle<'_> {
        self.stream.handle()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_who_share_a_rate_wait_for_each_other() {
        let rate = Rate::new(1000);
        let other = rate.clone();
        let (first, second) = (rate.pay(500), other.pay(500));
        assert!(first <= Duration::from_millis(500));
        assert!(second > first && second <= Duration::from_secs(1));
    }

    #[test]
    fn pieces_are_small_where_the_rate_is() {
        let rate = Rate::new(16 * 1024);
        let mut sink = Vec::new();
        assert_eq!(Paced::new(&mut sink, &rate).write(&[0; 4096]).unwrap(), 1024);
        assert_eq!(Paced::new(&mut sink, &Rate::new(1)).write(&[0; 4096]).unwrap(), 512);
    }
}
