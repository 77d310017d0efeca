//! What happened since the start, in numbers.
//!
//! Counted where it happens, without a lock. Bytes are counted in the list of [sessions](super::sessions),
//! piece by piece; the last transfers are remembered one by one only where somebody watches.

use crate::protocol::Name;
use crate::server::log::recent::Ring;
use crate::server::monitor::transfer::{TransferInfo, TransferKind};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

/// How many transfers are remembered one by one.
const LAST_TRANSFERS: usize = 50;

/// Up to how many seconds a transfer counts for which step of the histogram; the last step has no
/// end. From one packet on a fast network to a film on a slow one.
pub const STEPS: [f64; 7] = [0.01, 0.1, 1.0, 10.0, 60.0, 600.0, 3600.0];

/// Why a client did not get in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RejectionCause {
    /// `--max-sessions` are open.
    Full,
    /// `--max-sessions-per-ip` are open from its address.
    Address,
    /// Too many wrong passwords came from its address.
    Guessing,
    /// The system has run out of something.
    Resources,
}

impl RejectionCause {
    /// All reasons, in the order of their numbers.
    pub const ALL: [RejectionCause; 4] = [
        RejectionCause::Full,
        RejectionCause::Address,
        RejectionCause::Guessing,
        RejectionCause::Resources,
    ];

    /// Its name for machines.
    pub fn name(self) -> &'static str {
        match self {
            RejectionCause::Full => "full",
            RejectionCause::Address => "address",
            RejectionCause::Guessing => "guessing",
            RejectionCause::Resources => "resources",
        }
    }
}

/// The counters.
#[derive(Debug)]
pub struct Counters {
    /// When the server began.
    pub began: SystemTime,
    since: Instant,
    turned_away: [AtomicU64; RejectionCause::ALL.len()],
    logins: [AtomicU64; 2],
    transfers: [Counts; TransferKind::ALL.len()],
    /// The last transfers of files, and listings that failed.
    pub last: Ring<FinishedTransfer>,
}

/// What is counted of the transfers of one kind.
#[derive(Debug, Default)]
struct Counts {
    done: AtomicU64,
    failed: AtomicU64,
    microseconds: AtomicU64,
    steps: [AtomicU64; STEPS.len() + 1],
}

/// The same at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Transfers {
    /// Those that went well.
    pub done: u64,
    /// Those that did not.
    pub failed: u64,
    /// How long all of them took.
    pub seconds: f64,
    /// How many there were in each of the [`STEPS`], and beyond.
    pub steps: [u64; STEPS.len() + 1],
}

/// A transfer that is over.
#[derive(Clone, Debug)]
pub struct FinishedTransfer {
    /// When it ended.
    pub ended: SystemTime,
    /// The number of its session.
    pub session: u64,
    /// From where.
    pub peer: SocketAddr,
    /// Who.
    pub user: Option<Name>,
    /// What.
    pub info: TransferInfo,
    /// How much of it.
    pub bytes: u64,
    /// How long it took.
    pub took: Duration,
    /// Why it failed, if it did.
    pub failed: Option<String>,
}

impl Counters {
    /// Nothing has happened yet. The last transfers are kept if somebody watches.
    pub fn new(watched: bool) -> Counters {
        let last = Ring::default();
        last.keep(if watched { LAST_TRANSFERS } else { 0 });
        Counters {
            began: SystemTime::now(),
            since: Instant::now(),
            turned_away: Default::default(),
            logins: Default::default(),
            transfers: Default::default(),
            last,
        }
    }

    /// For how long the server has been running.
    pub fn uptime(&self) -> Duration {
        self.since.elapsed()
    }

    /// A client did not get in.
    pub fn turn_away(&self, why: RejectionCause) {
        add(&self.turned_away[why as usize], 1);
    }

    /// How many did not get in, and why.
    pub fn turned_away(&self) -> [(RejectionCause, u64); RejectionCause::ALL.len()] {
        RejectionCause::ALL.map(|why| (why, get(&self.turned_away[why as usize])))
    }

    /// Somebody tried to log in.
    pub fn login(&self, admitted: bool) {
        add(&self.logins[usize::from(admitted)], 1);
    }

    /// How many logins went well, and how many did not.
    pub fn logins(&self) -> (u64, u64) {
        (get(&self.logins[1]), get(&self.logins[0]))
    }

    /// A transfer is over.
    pub fn transfer(&self, kind: TransferKind, took: Duration, went_well: bool) {
        let counts = &self.transfers[kind as usize];
        let seconds = took.as_secs_f64();
        add(if went_well { &counts.done } else { &counts.failed }, 1);
        add(&counts.microseconds, u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
        let step = STEPS.iter().position(|most| seconds <= *most).unwrap_or(STEPS.len());
        add(&counts.steps[step], 1);
    }

    /// What there was of one kind.
    pub fn transfers(&self, kind: TransferKind) -> Transfers {
        let counts = &self.transfers[kind as usize];
        Transfers {
            done: get(&counts.done),
            failed: get(&counts.failed),
            seconds: get(&counts.microseconds) as f64 / 1e6,
            steps: std::array::from_fn(|step| get(&counts.steps[step])),
        }
    }
}

fn add(counter: &AtomicU64, number: u64) {
    counter.fetch_add(number, Ordering::Relaxed);
}

fn get(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_are_in_the_same_order() {
        for (number, why) in RejectionCause::ALL.into_iter().enumerate() {
            assert_eq!(why as usize, number);
        }
        for (number, kind) in TransferKind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, number);
        }
    }

    #[test]
    fn a_transfer_is_counted_once_and_in_its_step() {
        let counters = Counters::new(false);
        counters.transfer(TransferKind::Store, Duration::from_millis(10), true);
        counters.transfer(TransferKind::Store, Duration::from_millis(11), false);
        counters.transfer(TransferKind::Store, Duration::from_secs(4000), true);
        let counted = counters.transfers(TransferKind::Store);
        assert_eq!((counted.done, counted.failed), (2, 1));
        assert_eq!(counted.steps, [1, 1, 0, 0, 0, 0, 0, 1]);
        assert!((counted.seconds - 4000.021).abs() < 1e-9);
        assert_eq!(counters.transfers(TransferKind::Retrieve), Transfers::default());
    }
}
