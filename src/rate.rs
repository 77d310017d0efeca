//! Rate limits that several transfers share.
//!
//! Bytes move in pieces, and the time that a piece takes at the rate must pass before the next one
//! moves. A transfer therefore runs ahead of its limit by at most one piece, which is at most 1/16
//! s of data. After a delay of the machine or the network, up to 1/4 s is made up for.
//!
//! A rate is divided among parties, such as client addresses, and a party may have many members,
//! such as the transfers of one address. Turns alternate among the parties that have data to move,
//! not among their members, by start-time fair queueing: each piece has a start position, counted
//! in bytes, which is where the preceding piece of its party ends, and the piece with the lowest
//! position is next. Bandwidth that a party does not use goes to the others; the party cannot save
//! it for later.
//!
//! There is no wake-up: a member that has to wait receives the time at which it should ask again,
//! at most one second later. Other parties may have joined or left by then, so the answer may be a
//! further wait. A turn that a member overslept is made up for.

mod queue;

use queue::{Member, Queue};

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// The number of pieces per second for a member that uses the rate alone.
const PIECES: u64 = 16;

/// The largest piece in bytes: it moves within milliseconds at full speed, so larger pieces would
/// not reduce the overhead.
const LARGEST_PIECE: u64 = 8 * 1024 * 1024;

/// The identity of a party among which a rate is divided.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Party(pub u128);

/// A limit in bytes per second, or no limit. Clones share the same limit.
#[derive(Clone, Debug)]
pub struct Rate {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// The limit in bytes per second; 0 means no limit.
    per_second: AtomicU64,
    queue: Mutex<Queue>,
}

impl Rate {
    /// Creates a limit in bytes per second; `None` means no limit.
    pub fn new(per_second: Option<u64>) -> Rate {
        let queue = Mutex::new(Queue::new(Instant::now()));
        let shared = Shared { per_second: AtomicU64::new(per_second.unwrap_or(0)), queue };
        Rate { shared: Arc::new(shared) }
    }

    /// Changes the limit, including for members that are waiting.
    pub fn set(&self, per_second: Option<u64>) {
        let new = per_second.unwrap_or(0);
        if self.shared.per_second.swap(new, Ordering::Relaxed) != new {
            self.queue().change(new, Instant::now());
        }
    }

    /// Returns whether there is a limit.
    pub fn is_limited(&self) -> bool {
        self.shared.per_second.load(Ordering::Relaxed) > 0
    }

    /// Returns whether the rate holds no state that matters: there is no other clone, no member,
    /// and the time of all moved bytes has passed.
    pub fn is_idle(&self) -> bool {
        Arc::strong_count(&self.shared) == 1 && self.queue().caught_up_at <= Instant::now()
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.shared.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A member's turns at several rates, as a member of one party at each.
#[derive(Debug)]
pub struct Turns {
    members: Vec<RateMember>,
    /// The size of the piece that is waiting for the rates, and the number of rates that have
    /// admitted it.
    piece: u64,
    passed: usize,
    /// The number of bytes left of a piece that all rates have admitted.
    left: u64,
}

#[derive(Debug)]
struct RateMember {
    rate: Rate,
    member: Member,
}

impl Turns {
    /// Adds a member to each of these parties.
    pub fn new(rates: impl IntoIterator<Item = (Rate, Party)>) -> Turns {
        let now = Instant::now();
        let member = |(rate, party): (Rate, Party)| {
            let member = rate.queue().join(party, now);
            RateMember { rate, member }
        };
        Turns { members: rates.into_iter().map(member).collect(), piece: 0, passed: 0, left: 0 }
    }

    /// Returns the number of bytes that may move now.
    ///
    /// # Errors
    /// Returns the time at which to ask again if no bytes may move yet.
    pub fn allowance(&mut self) -> Result<usize, Instant> {
        if self.left == 0 {
            self.left = self.next_piece(Instant::now())?;
        }
        Ok(usize::try_from(self.left).unwrap_or(usize::MAX))
    }

    /// Records that this many of the allowed bytes have moved.
    pub fn spend(&mut self, bytes: u64) {
        self.left = self.left.saturating_sub(bytes);
    }

    fn next_piece(&mut self, now: Instant) -> Result<u64, Instant> {
        if self.piece == 0 {
            let fitting = self.members.iter().map(RateMember::piece).min();
            self.piece = fitting.unwrap_or(LARGEST_PIECE);
        }
        while let Some(member) = self.members.get_mut(self.passed) {
            self.piece = member.ask(self.piece, now)?;
            self.passed += 1;
        }
        self.passed = 0;
        Ok(std::mem::take(&mut self.piece))
    }
}

impl Drop for Turns {
    fn drop(&mut self) {
        for (index, member) in self.members.iter_mut().enumerate() {
            let unused = if index < self.passed { self.piece } else { self.left };
            let rate = member.per_second();
            member.rate.queue().leave(&mut member.member, rate, unused);
        }
    }
}

impl RateMember {
    fn per_second(&self) -> u64 {
        self.rate.shared.per_second.load(Ordering::Relaxed)
    }

    fn piece(&self) -> u64 {
        match self.per_second() {
            0 => LARGEST_PIECE,
            rate => self.rate.queue().piece(rate, self.member.party),
        }
    }

    fn ask(&mut self, bytes: u64, now: Instant) -> Result<u64, Instant> {
        let rate = self.per_second();
        self.rate.queue().ask(&mut self.member, rate, bytes, now)
    }
}

#[cfg(test)]
mod tests;
