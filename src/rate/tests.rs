//! Tests of `rate`.

use super::queue::{SMALLEST_PIECE, time_for};
use super::*;
use std::time::Duration;

/// A member that moves bytes, on a simulated clock.
struct Mover {
    turns: Turns,
    /// The time at which it asks next.
    asks: Instant,
    moved: u64,
    /// The time that it takes to move a byte.
    speed: Option<u64>,
    /// The longest wait for a piece, and the start of the current wait.
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

    /// Moves the admitted bytes; or waits like a poll, in whole milliseconds, and `late`.
    fn step(&mut self, now: Instant, late: Duration) {
        match self.turns.next_piece(now) {
            Ok(piece) => {
                self.moved += piece;
                self.longest = self.longest.max(now - self.since);
                let took = self.speed.map_or(Duration::ZERO, |speed| time_for(piece, speed));
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

/// Lets all movers begin at the same time, however long their creation took.
fn begin_together(movers: &mut [Mover]) {
    let start = movers.iter().map(|mover| mover.asks).max().unwrap();
    movers.iter_mut().for_each(|mover| (mover.asks, mover.since) = (start, start));
}

/// Runs the movers for `length`; each is late by up to `late` microseconds at each step.
fn run(movers: &mut [Mover], length: Duration, late: u64) {
    let end = movers.iter().map(|mover| mover.asks).min().unwrap() + length;
    let mut noise = 1u64;
    while let Some(next) =
        movers.iter_mut().filter(|mover| mover.stays).min_by_key(|mover| mover.asks)
        && next.asks < end
    {
        noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        next.step(next.asks, Duration::from_micros(noise % (late + 1)));
    }
}

fn assert_near(moved: u64, expected: f64, what: &str) {
    let ratio = moved as f64 / expected;
    assert!((0.95..=1.05).contains(&ratio), "{what}: {ratio}");
}

const KIB: u64 = 1024;
const SECONDS: Duration = Duration::from_secs(4);

#[test]
fn every_rate_is_kept_despite_delays() {
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
fn a_party_gets_its_share_however_many_members_others_have() {
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
fn bandwidth_that_one_party_does_not_use_goes_to_the_others() {
    let rate = 1000 * KIB;
    let limit = Rate::new(Some(rate));
    let mut movers: Vec<Mover> = (0..10).map(|party| Mover::new(&[(&limit, party)])).collect();
    movers[0].speed = Some(20 * KIB);
    begin_together(&mut movers);
    run(&mut movers, 5 * SECONDS, 2000);
    let [slow, rest @ ..] = &movers[..] else { panic!() };
    // The slow member also waits for its turns, so it is slower than its own speed.
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
fn a_leaving_member_returns_its_unused_bytes() {
    let limit = Rate::new(Some(16 * KIB));
    let first = Instant::now();
    for file in 0..64 {
        let mut turns = Turns::new([(limit.clone(), Party(0))]);
        // Each file is half a piece, and begins when the rate allows it.
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
fn rejoining_gives_no_advantage_over_waiting() {
    let limit = Rate::new(Some(100 * KIB));
    let mut movers: Vec<Mover> = (0..10).map(|party| Mover::new(&[(&limit, party)])).collect();
    run(&mut movers, SECONDS, 0);
    // Ten members of one party, one after the other: each takes a piece and leaves.
    let now = movers.iter().map(|mover| mover.asks).min().unwrap();
    let mut passed = 0;
    for _ in 0..10 {
        let mut turns = Turns::new([(limit.clone(), Party(99))]);
        passed += turns.next_piece(now + Duration::from_millis(100)).unwrap_or(0);
    }
    assert!(passed <= 2 * limit.queue().piece(100 * KIB, Party(99)), "{passed}");
}

#[test]
fn a_waiting_member_that_does_not_ask_again_delays_no_other() {
    let limit = Rate::new(Some(KIB * KIB));
    let mut movers: Vec<Mover> = (0..16).map(|_| Mover::new(&[(&limit, 0)])).collect();
    begin_together(&mut movers);
    run(&mut movers, SECONDS, 2000);
    movers.iter_mut().for_each(|mover| mover.stays = false);
    // All of them wait in the queue.
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
fn a_new_rate_applies_to_waiting_members() {
    let limit = Rate::new(Some(1));
    let mut movers: Vec<Mover> = (0..3).map(|party| Mover::new(&[(&limit, party)])).collect();
    run(&mut movers, SECONDS, 0);
    assert!(movers.iter().map(|mover| mover.moved).sum::<u64>() <= SMALLEST_PIECE);
    limit.set(Some(KIB * KIB));
    let before = movers[0].moved;
    run(&mut movers, SECONDS, 0);
    // All members ask again within a second.
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
