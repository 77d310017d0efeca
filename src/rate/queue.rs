//! The queue of one rate: the members that wait, their order, and the time until which the rate is
//! used up.

use super::{LARGEST_PIECE, PIECES, Party};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// The number of rounds per second in which every member of every party gets a turn.
const ROUNDS: u64 = 2;

/// The smallest piece in bytes; smaller ones are not worth the overhead of a turn.
pub(super) const SMALLEST_PIECE: u64 = 64;

/// The longest delay that is made up for: while bytes are moving, and after a time without members. The
/// first covers the usual delay of timers, the second the pause of a client between two files.
const LATE: Duration = Duration::from_millis(250);
const LATE_WHEN_IDLE: Duration = Duration::from_millis(30);

/// The delay after the calculated time of a turn at which the members behind it go first.
const SLACK: Duration = Duration::from_millis(4);

/// If a member has not asked again after this delay, the members behind it no longer wait for it: its
/// client may block its thread indefinitely.
const MISSING: Duration = LATE;

/// The longest wait before a member asks again, because the rate may change in the meantime.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// The queue of one rate. All times are passed in by the caller.
#[derive(Debug)]
pub(super) struct Queue {
    /// The time at which the bytes moved so far are within the rate.
    pub(super) caught_up_at: Instant,
    /// The start position of the piece that was admitted last.
    at: u64,
    parties: BTreeMap<Party, PartyState>,
    /// The waiting pieces, by start position and member number.
    pub(super) waiting: BTreeMap<(u64, u64), Piece>,
    pub(super) members: u64,
    /// The number of the member that joined last.
    joined: u64,
}

#[derive(Debug, Default)]
struct PartyState {
    pub(super) members: u64,
    /// The start position of the party's next piece.
    next: u64,
}

/// A waiting piece.
#[derive(Debug)]
pub(super) struct Piece {
    size: u64,
    /// The time at which its member was told to ask again.
    retry_at: Instant,
}

/// A member of a party.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) party: Party,
    number: u64,
    /// The start position of the member's piece while it waits.
    waits: Option<u64>,
}

impl Queue {
    pub(super) fn new(now: Instant) -> Queue {
        Queue {
            caught_up_at: now,
            at: 0,
            parties: BTreeMap::new(),
            waiting: BTreeMap::new(),
            members: 0,
            joined: 0,
        }
    }

    pub(super) fn join(&mut self, party: Party, now: Instant) -> Member {
        if self.members == 0 {
            self.caught_up_at = self.caught_up_at.max(before(now, LATE_WHEN_IDLE));
        }
        let at = self.at;
        // A party that leaves and returns must not get a better position than it had.
        self.parties.retain(|_, state| state.members > 0 || state.next > at);
        self.parties.entry(party).or_default().members += 1;
        self.members += 1;
        self.joined += 1;
        Member { party, number: self.joined, waits: None }
    }

    /// Removes a member, and returns the time of `unused` bytes that were admitted but not moved.
    pub(super) fn leave(&mut self, member: &mut Member, rate: u64, unused: u64) {
        let mut back = unused;
        if let Some(at) = member.waits.take() {
            back += self.waiting.remove(&(at, member.number)).map_or(0, |piece| piece.size);
        }
        if rate > 0 {
            self.caught_up_at = before(self.caught_up_at, time_for(unused, rate));
        }
        self.members -= 1;
        if let Some(state) = self.parties.get_mut(&member.party) {
            state.members -= 1;
            state.next = state.next.saturating_sub(back);
        }
    }

    /// Returns the size of a piece of this party. It is smaller if many members share the rate, so
    /// that each gets its turn soon.
    pub(super) fn piece(&self, rate: u64, party: Party) -> u64 {
        let parties = self.parties.values().filter(|state| state.members > 0).count() as u64;
        let members = self.parties.get(&party).map_or(1, |state| state.members);
        let round = rate / ROUNDS / parties.saturating_mul(members).max(1);
        round.min(rate / PIECES).clamp(SMALLEST_PIECE, LARGEST_PIECE)
    }

    /// Admits a piece if its turn has come, and returns its size, which a lower rate may have
    /// reduced. Otherwise returns the time at which to ask again.
    pub(super) fn ask(
        &mut self,
        member: &mut Member,
        rate: u64,
        bytes: u64,
        now: Instant,
    ) -> Result<u64, Instant> {
        let at = member.waits.unwrap_or_else(|| self.enqueue(member, bytes, now));
        if rate > 0 {
            let turn = match self.bytes_ahead(at, member.number, rate, now) {
                0 => self.caught_up_at,
                // Counted from the fixed time `caught_up_at`: counted from `now`, the time would move on
                // as long as the members ahead do not ask.
                ahead => after(self.caught_up_at, time_for(ahead, rate) + SLACK),
            };
            if turn > now {
                let retry_at = turn.min(after(now, LONGEST_WAIT));
                self.waiting
                    .entry((at, member.number))
                    .and_modify(|piece| piece.retry_at = retry_at);
                return Err(retry_at);
            }
        }
        member.waits = None;
        let size = self.waiting.remove(&(at, member.number)).map_or(bytes, |piece| piece.size);
        if rate > 0 {
            self.caught_up_at =
                after(self.caught_up_at.max(before(now, LATE)), time_for(size, rate));
        }
        self.at = self.at.max(at);
        Ok(size)
    }

    /// Appends a piece to those of its party, at a position not before the last admitted piece.
    fn enqueue(&mut self, member: &mut Member, bytes: u64, now: Instant) -> u64 {
        let state = self.parties.entry(member.party).or_default();
        let at = state.next.max(self.at);
        state.next = at.saturating_add(bytes);
        self.waiting.insert((at, member.number), Piece { size: bytes, retry_at: now });
        *member.waits.insert(at)
    }

    /// Returns the number of bytes that are to move before the piece of this member. Counting
    /// stops beyond the longest wait, and members that have not asked again in time are skipped.
    fn bytes_ahead(&self, at: u64, number: u64, rate: u64, now: Instant) -> u64 {
        let mut sum = 0u64;
        let ahead = self.waiting.range(..(at, number)).map(|(_, piece)| piece);
        for piece in ahead.filter(|piece| after(piece.retry_at, MISSING) >= now) {
            sum = sum.saturating_add(piece.size);
            if sum / 2 > rate {
                break;
            }
        }
        sum
    }

    /// Applies a new rate. The wait for bytes that moved at the old rate is shortened to `LATE`,
    /// and waiting pieces are reduced to the largest size at the new rate.
    pub(super) fn change(&mut self, rate: u64, now: Instant) {
        self.caught_up_at = self.caught_up_at.min(after(now, LATE));
        if rate > 0 {
            let most = (rate / PIECES).clamp(SMALLEST_PIECE, LARGEST_PIECE);
            self.waiting.values_mut().for_each(|piece| piece.size = piece.size.min(most));
        }
    }
}

/// Returns the time that this many bytes take.
pub(super) fn time_for(bytes: u64, rate: u64) -> Duration {
    let nanoseconds = u128::from(bytes) * 1_000_000_000 / u128::from(rate.max(1));
    Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
}

fn after(moment: Instant, length: Duration) -> Instant {
    const LONGEST: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);
    moment.checked_add(length).or(moment.checked_add(LONGEST)).unwrap_or(moment)
}

fn before(moment: Instant, length: Duration) -> Instant {
    moment.checked_sub(length).unwrap_or(moment)
}
