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

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How many pieces a second are enough for one who is alone.
const PIECES: u64 = 16;

/// In how many parts of a second every member of every party has its turn.
const ROUNDS: u64 = 2;

/// Below this a piece is not worth its turn.
const SMALLEST_PIECE: u64 = 64;

/// What moves in a few milliseconds at the best speed: larger pieces would save nothing.
const LARGEST_PIECE: u64 = 8 * 1024 * 1024;

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

/// Who waits for a rate, in which order, and until when it is paid for. The clock is the caller's.
#[derive(Debug)]
struct Queue {
    /// When all that moved is paid for.
    paid: Instant,
    /// Where the last piece stood that had its turn.
    at: u64,
    parties: BTreeMap<Party, Standing>,
    /// The pieces that wait, by where they stand and by their members.
    waiting: BTreeMap<(u64, u64), Piece>,
    members: u64,
    /// Numbers the members.
    joined: u64,
}

#[derive(Debug, Default)]
struct Standing {
    members: u64,
    /// Where the next piece stands.
    next: u64,
}

/// A piece that waits.
#[derive(Debug)]
struct Piece {
    size: u64,
    /// When its member was told to ask again.
    asks: Instant,
}

/// One who moves bytes.
#[derive(Debug)]
struct Member {
    party: Party,
    number: u64,
    /// Where its piece stands while it waits.
    waits: Option<u64>,
}

impl Queue {
    fn new(now: Instant) -> Queue {
        Queue {
            paid: now,
            at: 0,
            parties: BTreeMap::new(),
            waiting: BTreeMap::new(),
            members: 0,
            joined: 0,
        }
    }

    fn join(&mut self, party: Party, now: Instant) -> Member {
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
    fn leave(&mut self, member: &mut Member, rate: u64, unused: u64) {
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
    fn piece(&self, rate: u64, party: Party) -> u64 {
        let parties = self.parties.values().filter(|standing| standing.members > 0).count() as u64;
        let members = self.parties.get(&party).map_or(1, |standing| standing.members);
        let round = rate / ROUNDS / parties.saturating_mul(members).max(1);
        round.min(rate / PIECES).clamp(SMALLEST_PIECE, LARGEST_PIECE)
    }

    /// Lets a piece pass if its turn has come, and says how large it is by now.
    fn ask(
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
    fn change(&mut self, rate: u64, now: Instant) {
        self.paid = self.paid.min(after(now, LATE));
        if rate > 0 {
            let most = (rate / PIECES).clamp(SMALLEST_PIECE, LARGEST_PIECE);
            self.waiting.values_mut().for_each(|piece| piece.size = piece.size.min(most));
        }
    }
}

/// How long so many bytes take.
fn price(bytes: u64, rate: u64) -> Duration {
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Who moves bytes on a clock of our own.
    struct Mover {
        turns: Turns,
        /// When it asks next.
        asks: Instant,
        moved: u64,
        /// How long a byte takes it.
        speed: Option<u64>,
        /// The longest it had to wait for a piece, and since when it waits.
        longest: Duration,
        since: Instant,
        stays: bool,
    }

    impl Mover {
        fn new(rates: &[(&Rate, u128)]) -> Mover {
            let rates = rates.iter().map(|(rate, party)| ((*rate).clone(), Party(*party)));
            let (turns, now) = (Turns::new(rates), Instant::now());
            let longest = Duration::ZERO;
            Mover { turns, asks: now, moved: 0, speed: None, longest, since: now, stays: true }
        }

        /// Moves what it may, or waits as a poll does: in whole milliseconds, and `late`.
        fn go_on(&mut self, now: Instant, late: Duration) {
            match self.turns.next_piece(now) {
                Ok(piece) => {
                    self.moved += piece;
                    self.longest = self.longest.max(now - self.since);
                    let took = self.speed.map_or(Duration::ZERO, |speed| price(piece, speed));
                    self.asks = now + took;
                    self.since = self.asks;
                }
                Err(until) => {
                    let wait = (until - now).as_nanos().div_ceil(1_000_000) as u64;
                    self.asks = now + Duration::from_millis(wait) + late;
                }
            }
        }
    }

    /// Lets them begin at the same time, however long it took to make them.
    fn begin_together(movers: &mut [Mover]) {
        let start = movers.iter().map(|mover| mover.asks).max().unwrap();
        movers.iter_mut().for_each(|mover| (mover.asks, mover.since) = (start, start));
    }

    /// Lets them move for so long, each late by up to so many microseconds.
    fn run(movers: &mut [Mover], length: Duration, late: u64) {
        let end = movers.iter().map(|mover| mover.asks).min().unwrap() + length;
        let mut noise = 1u64;
        while let Some(next) =
            movers.iter_mut().filter(|mover| mover.stays).min_by_key(|mover| mover.asks)
            && next.asks < end
        {
            noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            next.go_on(next.asks, Duration::from_micros(noise % (late + 1)));
        }
    }

    fn assert_near(moved: u64, expected: f64, what: &str) {
        let ratio = moved as f64 / expected;
        assert!((0.95..=1.05).contains(&ratio), "{what}: {ratio}");
    }

    const KIB: u64 = 1024;
    const SECONDS: Duration = Duration::from_secs(4);

    #[test]
    fn any_rate_is_kept_whoever_is_late() {
        for rate in [KIB, 3000, 64 * KIB, KIB * KIB, 1 << 30, 8 << 30] {
            for late in [0, 3000, 100_000] {
                let limit = Rate::new(Some(rate));
                let mut movers = [Mover::new(&[(&limit, 0)])];
                run(&mut movers, SECONDS, late);
                assert_near(movers[0].moved, rate as f64 * 4.0, &format!("{rate}, {late}"));
            }
        }
    }

    #[test]
    fn no_party_takes_the_turns_of_another_however_many_members_it_has() {
        let rate = 10 * KIB * KIB;
        for parties in [1, 2, 3, 50] {
            for members in [1, 2, 7, 100] {
                let limit = Rate::new(Some(rate));
                let mut movers: Vec<Mover> =
                    (1..=parties).map(|party| Mover::new(&[(&limit, party)])).collect();
                movers.extend((0..members).map(|_| Mover::new(&[(&limit, 0)])));
                begin_together(&mut movers);
                run(&mut movers, 5 * SECONDS, 2000);
                let fair = rate as f64 * 20.0 / (parties + 1) as f64;
                let (others, greedy) = movers.split_at(parties as usize);
                let case = format!("{parties} and {members}");
                others.iter().for_each(|other| assert_near(other.moved, fair, &case));
                let all = greedy.iter().map(|mover| mover.moved).sum();
                assert_near(all, fair, &case);
                let most = movers.iter().map(|mover| mover.longest).max().unwrap();
                assert!(most <= Duration::from_millis(1500), "{case}: {most:?}");
            }
        }
    }

    #[test]
    fn what_one_does_not_want_the_others_have() {
        let rate = 1000 * KIB;
        let limit = Rate::new(Some(rate));
        let mut movers: Vec<Mover> = (0..10).map(|party| Mover::new(&[(&limit, party)])).collect();
        movers[0].speed = Some(20 * KIB);
        begin_together(&mut movers);
        run(&mut movers, 5 * SECONDS, 2000);
        let [slow, rest @ ..] = &movers[..] else { panic!() };
        // What it moves at most takes all of its time; waiting takes a part of that.
        assert!(slow.moved as f64 >= 20.0 * KIB as f64 * 20.0 * 0.8, "{}", slow.moved);
        let left = rate as f64 * 20.0 - slow.moved as f64;
        rest.iter().for_each(|other| assert_near(other.moved, left / 9.0, "others"));
    }

    #[test]
    fn each_of_several_rates_is_kept() {
        let (own, shared) = (Rate::new(Some(30 * KIB)), Rate::new(Some(100 * KIB)));
        let mut movers = vec![Mover::new(&[(&own, 0), (&shared, 0)])];
        movers.extend((1..3).map(|party| Mover::new(&[(&shared, party)])));
        run(&mut movers, SECONDS, 2000);
        let expected = [30.0, 35.0, 35.0].map(|share| share * KIB as f64 * 4.0);
        movers.iter().zip(expected).for_each(|(mover, share)| assert_near(mover.moved, share, ""));
    }

    #[test]
    fn who_leaves_gives_back_what_he_has_not_used() {
        let limit = Rate::new(Some(16 * KIB));
        let first = Instant::now();
        for file in 0..64 {
            let mut turns = Turns::new([(limit.clone(), Party(0))]);
            // Each file is half a piece, and comes when the last one is paid for.
            let now = first + Duration::from_micros(31_250) * file;
            assert_eq!(turns.next_piece(now), Ok(KIB), "{file}");
            turns.left = KIB / 2;
        }
        let mut movers: Vec<Mover> = (0..4).map(|party| Mover::new(&[(&limit, party)])).collect();
        run(&mut movers, SECONDS, 0);
        movers[2..].iter_mut().for_each(|mover| {
            mover.turns = Turns::new([]);
            mover.stays = false;
        });
        let before = movers[0].moved;
        run(&mut movers, SECONDS, 0);
        assert_near(movers[0].moved - before, 8.0 * KIB as f64 * 4.0, "the rest");
    }

    #[test]
    fn coming_back_is_no_better_than_waiting() {
        let limit = Rate::new(Some(100 * KIB));
        let mut movers: Vec<Mover> = (0..10).map(|party| Mover::new(&[(&limit, party)])).collect();
        run(&mut movers, SECONDS, 0);
        // Ten one after the other, of one party: each takes a piece and is gone.
        let now = movers.iter().map(|mover| mover.asks).min().unwrap();
        let mut passed = 0;
        for _ in 0..10 {
            let mut turns = Turns::new([(limit.clone(), Party(99))]);
            passed += turns.next_piece(now + Duration::from_millis(100)).unwrap_or(0);
        }
        assert!(passed <= 2 * limit.queue().piece(100 * KIB, Party(99)), "{passed}");
    }

    #[test]
    fn who_waits_and_does_not_ask_again_holds_nobody_up() {
        let limit = Rate::new(Some(KIB * KIB));
        let mut movers: Vec<Mover> = (0..16).map(|_| Mover::new(&[(&limit, 0)])).collect();
        begin_together(&mut movers);
        run(&mut movers, SECONDS, 2000);
        movers.iter_mut().for_each(|mover| mover.stays = false);
        // Lined up, all of them.
        let last = movers.iter().map(|mover| mover.asks).min().unwrap();
        movers.iter_mut().for_each(|mover| while mover.turns.next_piece(last).is_ok() {});
        assert_eq!(limit.queue().waiting.len(), 16);
        let mut other = Mover::new(&[(&limit, 1)]);
        other.asks = last;
        movers.push(other);
        run(&mut movers, 2 * SECONDS, 2000);
        let moved = movers[16].moved as f64 / (KIB * KIB) as f64;
        assert!(moved >= 6.0, "{moved} of 8 seconds' worth");
    }

    #[test]
    fn a_new_rate_counts_for_those_who_wait() {
        let limit = Rate::new(Some(1));
        let mut movers: Vec<Mover> = (0..3).map(|party| Mover::new(&[(&limit, party)])).collect();
        run(&mut movers, SECONDS, 0);
        assert!(movers.iter().map(|mover| mover.moved).sum::<u64>() <= SMALLEST_PIECE);
        limit.set(Some(KIB * KIB));
        let before = movers[0].moved;
        run(&mut movers, SECONDS, 0);
        // They look up within a second.
        let fair = (KIB * KIB) as f64 * 4.0 / 3.0;
        let ratio = (movers[0].moved - before) as f64 / fair;
        assert!((0.7..1.4).contains(&ratio), "{ratio}");
        limit.set(None);
        let asks = movers[0].asks;
        assert!(movers[0].turns.next_piece(asks).is_ok());
        assert_eq!(movers[0].turns.next_piece(asks), Ok(LARGEST_PIECE));
        limit.set(Some(10));
        run(&mut movers, SECONDS, 0);
        assert!(movers.iter().all(|mover| mover.asks - asks < 2 * SECONDS));
        drop(movers);
        assert!(limit.queue().waiting.is_empty() && limit.queue().members == 0);
    }
}
