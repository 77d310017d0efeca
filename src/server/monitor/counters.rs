//! Counters since the server started.
//!
//! They are incremented without a lock. Bytes are counted in the list of
//! [sessions](super::sessions) as they move. The most recent transfers are kept individually only
//! if the status page is enabled.

use crate::protocol::Name;
use crate::server::log::recent::Ring;
use crate::server::monitor::transfer::{TransferInfo, TransferKind};
use crate::server::tls::FailureKind;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

/// The number of recent transfers that are kept.
const LAST_TRANSFERS: usize = 50;

/// The upper bounds of the duration histogram in seconds; a last step has no bound. They range
/// from one packet on a fast network to a movie on a slow one.
pub const STEPS: [f64; 7] = [0.01, 0.1, 1.0, 10.0, 60.0, 600.0, 3600.0];

/// The reason for rejecting a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RejectionCause {
    /// `--max-sessions` is reached.
    Full,
    /// `--max-sessions-per-ip` is reached for its address.
    Address,
    /// Too many wrong passwords came from its address.
    AddressBlocked,
    /// The system is out of a resource.
    Resources,
}

impl RejectionCause {
    /// All reasons, in the order of their numbers.
    pub const ALL: [RejectionCause; 4] = [
        RejectionCause::Full,
        RejectionCause::Address,
        RejectionCause::AddressBlocked,
        RejectionCause::Resources,
    ];

    /// Returns the name of the reason in the metrics.
    pub fn name(self) -> &'static str {
        match self {
            RejectionCause::Full => "full",
            RejectionCause::Address => "address",
            RejectionCause::AddressBlocked => "guessing",
            RejectionCause::Resources => "resources",
        }
    }
}

/// The counters of the server.
#[derive(Debug)]
pub struct Counters {
    /// The start time of the server.
    pub began: SystemTime,
    since: Instant,
    rejections: [AtomicU64; RejectionCause::ALL.len()],
    logins: [AtomicU64; 2],
    /// TLS handshakes: full ones, and those that resumed a TLS session.
    handshakes: [AtomicU64; 2],
    failed_handshakes: [AtomicU64; FailureKind::ALL.len()],
    transfers: [TransferCounts; TransferKind::ALL.len()],
    /// The most recent file transfers, and listings that failed.
    pub last: Ring<FinishedTransfer>,
}

/// The counters for transfers of one kind.
#[derive(Debug, Default)]
struct TransferCounts {
    done: AtomicU64,
    failed: AtomicU64,
    microseconds: AtomicU64,
    steps: [AtomicU64; STEPS.len() + 1],
}

/// A snapshot of the counters for transfers of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Transfers {
    /// The number of successful transfers.
    pub done: u64,
    /// The number of failed transfers.
    pub failed: u64,
    /// The total duration in seconds.
    pub seconds: f64,
    /// The number of transfers in each of the [`STEPS`], and above them.
    pub steps: [u64; STEPS.len() + 1],
}

/// A finished transfer.
#[derive(Clone, Debug)]
pub struct FinishedTransfer {
    /// The time of its end.
    pub ended: SystemTime,
    /// The number of its session.
    pub session: u64,
    /// The address of the client.
    pub peer: SocketAddr,
    /// The user, if logged in.
    pub user: Option<Name>,
    /// The kind, the file and the direction.
    pub info: TransferInfo,
    /// The number of bytes moved.
    pub bytes: u64,
    /// The duration.
    pub took: Duration,
    /// The reason for a failure.
    pub failed: Option<String>,
}

impl Counters {
    /// Creates counters at zero. Recent transfers are kept if `watched`.
    pub fn new(watched: bool) -> Counters {
        let last = Ring::default();
        last.keep(if watched { LAST_TRANSFERS } else { 0 });
        Counters {
            began: SystemTime::now(),
            since: Instant::now(),
            rejections: Default::default(),
            logins: Default::default(),
            handshakes: Default::default(),
            failed_handshakes: Default::default(),
            transfers: Default::default(),
            last,
        }
    }

    /// Returns the time since the server started.
    pub fn uptime(&self) -> Duration {
        self.since.elapsed()
    }

    /// Counts a rejected client.
    pub fn count_rejection(&self, why: RejectionCause) {
        add(&self.rejections[why as usize], 1);
    }

    /// Returns the number of rejected clients by reason.
    pub fn rejections(&self) -> [(RejectionCause, u64); RejectionCause::ALL.len()] {
        RejectionCause::ALL.map(|why| (why, get(&self.rejections[why as usize])))
    }

    /// Counts a login attempt.
    pub fn login(&self, admitted: bool) {
        add(&self.logins[usize::from(admitted)], 1);
    }

    /// Returns the numbers of successful and failed logins.
    pub fn logins(&self) -> (u64, u64) {
        (get(&self.logins[1]), get(&self.logins[0]))
    }

    /// Counts a successful TLS handshake.
    pub fn handshake(&self, resumed: bool) {
        add(&self.handshakes[usize::from(resumed)], 1);
    }

    /// Returns the numbers of full TLS handshakes and of those that resumed a TLS session.
    pub fn handshakes(&self) -> (u64, u64) {
        (get(&self.handshakes[0]), get(&self.handshakes[1]))
    }

    /// Counts a failed TLS handshake.
    pub fn handshake_failed(&self, kind: FailureKind) {
        add(&self.failed_handshakes[kind as usize], 1);
    }

    /// Returns the number of failed TLS handshakes by reason.
    pub fn failed_handshakes(&self) -> [(FailureKind, u64); FailureKind::ALL.len()] {
        FailureKind::ALL.map(|kind| (kind, get(&self.failed_handshakes[kind as usize])))
    }

    /// Counts a finished transfer.
    pub fn transfer(&self, kind: TransferKind, took: Duration, went_well: bool) {
        let counts = &self.transfers[kind as usize];
        let seconds = took.as_secs_f64();
        add(if went_well { &counts.done } else { &counts.failed }, 1);
        add(&counts.microseconds, u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
        let step = STEPS.iter().position(|most| seconds <= *most).unwrap_or(STEPS.len());
        add(&counts.steps[step], 1);
    }

    /// Returns the counters of one kind.
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
