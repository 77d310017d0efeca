//! Who waits for a rate, in which order, and until when it is paid for.

use super::{LARGEST_PIECE, PIECES, Party};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// In how many parts of a second every member of every party has its turn.
const ROUNDS: u64 = 2;

/// Below this a piece is not worth its turn.
pub(super) const SMALLEST_PIECE: u64 = 64;

/// How much time can be made up for while somebody moves bytes, and how much after nobody did: as
/// much as clocks and a client that goes from file to file are late.
const LATE: Duration = Duration::from_millis(250);
const LATE_WHEN_IDLE: Duration = Duration::from_millis(30);

/// How late somebody may be before those behind him go first.
const SLACK: Duration = Duration::from_millis(4);

/// How late somebody may be before those behind him count without him: his thread may be held up by
/// something else, for as long as his client likes.
const MISSING: Duration = LATE;

/// After how long who waits asks again, whatever was said: the rate may have changed.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// Who waits for a rate, in which order, and until when it is paid for. The clock is the caller's.
#[derive(Debug)]
pub(super) struct Queue {
    /// When all that moved is paid for.
    pub(super) paid: Instant,
    /// Where the last piece stood that had its turn.
    at: u64,
    parties: BTreeMap<Party, Standing>,
    /// The pieces that wait, by where they stand and by their members.
    pub(super) waiting: BTreeMap<(u64, u64), Piece>,
    pub(super) members: u64,
    /// Numbers the members.
    joined: u64,
}

#[derive(Debug, Default)]
struct Standing {
    pub(super) members: u64,
    /// Where the next piece stands.
    next: u64,
}

/// A piece that waits.
#[derive(Debug)]
pub(super) struct Piece {
    size: u64,
    /// When its member was told to ask again.
    asks: Instant,
}

/// One who moves bytes.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) party: Party,
    number: u64,
    /// Where its piece stands while it waits.
    waits: Option<u64>,
}

impl Queue {
    pub(super) fn new(now: Instant) -> Queue {
        Queue {
            paid: now,
            at: 0,
            parties: BTreeMap::new(),
            waiting: BTreeMap::new(),
            members: 0,
            joined: 0,
        }
    }

    pub(super) fn join(&mut self, party: Party, now: Instant) -> Member {
        if self.members == 0 {
            self.paid = self.paid.max(before(now, LATE_WHEN_IDLE));
        }
        let at = self.at;
        // A party that left must not come back to a better place than it had.
        self.parties.retain(|_, standing| standing.members > 0 || standing.next > at);
        self.parties.entry(party).or_default().members += 1;
        self.members += 1;
        self.joined += 1;
        Member { party, number: self.joined, waits: None }
    }

    /// Takes a member out that has not used so many bytes it had paid for.
    pub(super) fn leave(&mut self, member: &mut Member, rate: u64, unused: u64) {
        let mut back = unused;
        if let Some(at) = member.waits.take() {
            back += self.waiting.remove(&(at, member.number)).map_or(0, |piece| piece.size);
        }
        if rate > 0 {
            self.paid = before(self.paid, price(unused, rate));
        }
        self.members -= 1;
        if let Some(standing) = self.parties.get_mut(&member.party) {
            standing.members -= 1;
            standing.next = standing.next.saturating_sub(back);
        }
    }

    /// How large a piece of this party is: small where many share, so that each has its turn soon.
    pub(super) fn piece(&self, rate: u64, party: Party) -> u64 {
        let parties = self.parties.values().filter(|standing| standing.members > 0).count() as u64;
        let members = self.parties.get(&party).map_or(1, |standing| standing.members);
        let round = rate / ROUNDS / parties.saturating_mul(members).max(1);
        round.min(rate / PIECES).clamp(SMALLEST_PIECE, LARGEST_PIECE)
    }

    /// Lets a piece pass if its turn has come, and says how large it is by now.
    pub(super) fn ask(
        &mut self,
        member: &mut Member,
        rate: u64,
        bytes: u64,
        now: Instant,
    ) -> Result<u64, Instant> {
        let at = member.waits.unwrap_or_else(|| self.line_up(member, bytes, now));
        if rate > 0 {
            let turn = match self.ahead(at, member.number, rate, now) {
                0 => self.paid,
                // Counted from what is fixed, or it would move on while those ahead do not come.
                ahead => after(self.paid, price(ahead, rate) + SLACK),
            };
            if turn > now {
                let asks = turn.min(after(now, LONGEST_WAIT));
                self.waiting.entry((at, member.number)).and_modify(|piece| piece.asks = asks);
                return Err(asks);
            }
        }
        member.waits = None;
        let size = self.waiting.remove(&(at, member.number)).map_or(bytes, |piece| piece.size);
        if rate > 0 {
            self.paid = after(self.paid.max(before(now, LATE)), price(size, rate));
        }
        self.at = self.at.max(at);
        Ok(size)
    }

    /// Puts a piece behind those of its party, and not before those that have passed.
    fn line_up(&mut self, member: &mut Member, bytes: u64, now: Instant) -> u64 {
        let standing = self.parties.entry(member.party).or_default();
        let at = standing.next.max(self.at);
        standing.next = at.saturating_add(bytes);
        self.waiting.insert((at, member.number), Piece { size: bytes, asks: now });
        *member.waits.insert(at)
    }

    /// How many bytes are to move before those of this member. What takes longer than anybody waits
    /// is not counted to its end, and who should have asked long ago not at all.
    fn ahead(&self, at: u64, number: u64, rate: u64, now: Instant) -> u64 {
        let mut sum = 0u64;
        let ahead = self.waiting.range(..(at, number)).map(|(_, piece)| piece);
        for piece in ahead.filter(|piece| after(piece.asks, MISSING) >= now) {
            sum = sum.saturating_add(piece.size);
            if sum / 2 > rate {
                break;
            }
        }
        sum
    }

    /// From now on another rate counts: what moved before is not paid for at great length, and no
    /// piece that waits is larger than it would be now.
    pub(super) fn change(&mut self, rate: u64, now: Instant) {
        self.paid = self.paid.min(after(now, LATE));
        if rate > 0 {
            let most = (rate / PIECES).clamp(SMALLEST_PIECE, LARGEST_PIECE);
            self.waiting.values_mut().for_each(|piece| piece.size = piece.size.min(most));
        }
    }
}

/// How long so many bytes take.
pub(super) fn price(bytes: u64, rate: u64) -> Duration {
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
