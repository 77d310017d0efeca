//! Rates that are shared: who may move how many bytes next, and when.
//!
//! Bytes are moved in pieces, and a piece is paid for in time before the next one moves: nobody is
//! ahead of a rate by more than a piece, a sixteenth of a second's worth at most. Who comes late to
//! his turn, because the machine or the network was slow, makes up for a quarter of a second.
//!
//! Those who share a rate are parties, and a party may have many members (an address and its
//! transfers). Turns go round among the parties that want one, not among the members, by start-time
//! fair queueing: the piece of a party stands where its last one ended, counted in bytes, and the
//! piece that stands first is next. A party that wants less leaves the rest to the others, and does
//! not save it up.
//!
//! Nobody is woken: who has to wait is told until when, and asks again then. Meanwhile a party may
//! have come in before, or one have left, so it may be told to wait again, never longer than a
//! second, and a turn that was slept through is made up for.

mod queue;

use queue::{Member, Queue};

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// How many pieces a second are enough for one who is alone.
const PIECES: u64 = 16;

/// What moves in a few milliseconds at the best speed: larger pieces would save nothing.
const LARGEST_PIECE: u64 = 8 * 1024 * 1024;

/// Among whom a rate is divided.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Party(pub u128);

/// So many bytes a second, or any number. Clones are the same rate.
#[derive(Clone, Debug)]
pub struct Rate {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// Bytes a second; 0 is no limit.
    a_second: AtomicU64,
    queue: Mutex<Queue>,
}

impl Rate {
    /// So many bytes a second; `None` is no limit.
    pub fn new(a_second: Option<u64>) -> Rate {
        let queue = Mutex::new(Queue::new(Instant::now()));
        let shared = Shared { a_second: AtomicU64::new(a_second.unwrap_or(0)), queue };
        Rate { shared: Arc::new(shared) }
    }

    /// Changes it, also for those who wait.
    pub fn set(&self, a_second: Option<u64>) {
        let new = a_second.unwrap_or(0);
        if self.shared.a_second.swap(new, Ordering::Relaxed) != new {
            self.queue().change(new, Instant::now());
        }
    }

    /// Whether there is a limit.
    pub fn is_limited(&self) -> bool {
        self.shared.a_second.load(Ordering::Relaxed) > 0
    }

    /// Whether nothing is left to be remembered of it: nobody else has a clone, nobody uses it, and
    /// all is paid.
    pub fn is_forgotten(&self) -> bool {
        Arc::strong_count(&self.shared) == 1 && self.queue().paid <= Instant::now()
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.shared.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A member's turns at one rate after the other, each as one of a party.
#[derive(Debug)]
pub struct Turns {
    places: Vec<Place>,
    /// The piece that is on its way through the rates, and how many have let it pass.
    piece: u64,
    passed: usize,
    /// What may still move of a piece that all let pass.
    left: u64,
}

#[derive(Debug)]
struct Place {
    rate: Rate,
    member: Member,
}

impl Turns {
    /// One more member of these parties.
    pub fn new(rates: impl IntoIterator<Item = (Rate, Party)>) -> Turns {
        let now = Instant::now();
        let place = |(rate, party): (Rate, Party)| {
            let member = rate.queue().join(party, now);
            Place { rate, member }
        };
        Turns { places: rates.into_iter().map(place).collect(), piece: 0, passed: 0, left: 0 }
    }

    /// How many bytes may move now.
    ///
    /// # Errors
    /// None do before this moment; then it is to be asked again.
    pub fn allowance(&mut self) -> Result<usize, Instant> {
        if self.left == 0 {
            self.left = self.next_piece(Instant::now())?;
        }
        Ok(usize::try_from(self.left).unwrap_or(usize::MAX))
    }

    /// So many of them have moved.
    pub fn spend(&mut self, bytes: u64) {
        self.left = self.left.saturating_sub(bytes);
    }

    fn next_piece(&mut self, now: Instant) -> Result<u64, Instant> {
        if self.piece == 0 {
            let fitting = self.places.iter().map(Place::piece).min();
            self.piece = fitting.unwrap_or(LARGEST_PIECE);
        }
        while let Some(place) = self.places.get_mut(self.passed) {
            self.piece = place.ask(self.piece, now)?;
            self.passed += 1;
        }
        self.passed = 0;
        Ok(std::mem::take(&mut self.piece))
    }
}

impl Drop for Turns {
    fn drop(&mut self) {
        for (index, place) in self.places.iter_mut().enumerate() {
            let unused = if index < self.passed { self.piece } else { self.left };
            let rate = place.a_second();
            place.rate.queue().leave(&mut place.member, rate, unused);
        }
    }
}

impl Place {
    fn a_second(&self) -> u64 {
        self.rate.shared.a_second.load(Ordering::Relaxed)
    }

    fn piece(&self) -> u64 {
        match self.a_second() {
            0 => LARGEST_PIECE,
            rate => self.rate.queue().piece(rate, self.member.party),
        }
    }

    fn ask(&mut self, bytes: u64, now: Instant) -> Result<u64, Instant> {
        let rate = self.a_second();
        self.rate.queue().ask(&mut self.member, rate, bytes, now)
    }
}

#[cfg(test)]
mod tests;
