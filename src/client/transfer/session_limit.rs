//! Servers that have room for one session: cameras, printers, microcontrollers. Some of them end the first
//! session when a second one begins, and two connections that are both made again would then end each other
//! for ever.
//!
//! It is found out by the first connection, which is lost just after another has begun. If it was lost in
//! the middle of a file, that may be chance, and so may the loss of another connection: it has to happen three
//! times, or the other connection has to be lost just after the first was made again. From then on the session of the user makes no other connection, and those that
//! are there leave their work to the first.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How soon after the beginning of another connection the loss of the first one is put down to it.
const SOON: Duration = Duration::from_secs(10);

/// How many such losses are no chance.
const CERTAIN: u32 = 3;

/// The line that tells the user.
pub(in crate::client) const ONE_SESSION: &str =
    "the server ends one session when another begins; continuing with one connection";

/// What is known of a server's room for sessions, shared by the connections of one user.
#[derive(Clone, Default)]
pub(in crate::client) struct SessionLimit(Arc<Mutex<Known>>);

#[derive(Default)]
struct Known {
    /// When another connection began, if the first one has had no success since.
    newcomer: Option<Instant>,
    suspicion: Suspicion,
    /// How often a connection was lost soon after another began.
    losses: u32,
    /// Whether the server has room for one session alone.
    is_one: bool,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Suspicion {
    #[default]
    None,
    /// The first connection was lost in the middle of a file, soon after another began.
    Raised,
    /// It was made again, so that the others should be lost.
    Tested,
}

impl SessionLimit {
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns true if the server has room for one session alone.
    pub(super) fn is_one(&self) -> bool {
        self.lock().is_one
    }

    /// Notes that another connection begins.
    pub(super) fn other_begins(&self) {
        self.lock().newcomer = Some(Instant::now());
    }

    /// Notes that a connection has done a piece of work.
    pub(in crate::client) fn succeeded(&self, is_helper: bool) {
        let mut known = self.lock();
        match is_helper {
            true => known.suspicion = Suspicion::None,
            false => known.newcomer = None,
        }
    }

    /// Draws the conclusion from the loss of the first connection, which may have moved bytes until then.
    /// Returns true if the server is known from now on to have room for one session alone.
    pub(in crate::client) fn first_was_lost(&self, moved: bool) -> bool {
        let mut known = self.lock();
        if !known.has_recent_newcomer() {
            return false;
        }
        known.losses += 1;
        known.suspicion = Suspicion::Raised;
        !(moved && known.losses < CERTAIN) && known.conclude()
    }

    /// Notes that the first connection was made again.
    pub(super) fn first_is_back(&self) {
        let mut known = self.lock();
        if known.suspicion == Suspicion::Raised {
            known.suspicion = Suspicion::Tested;
        }
    }

    /// Draws the conclusion from the loss of another connection; returns the same.
    pub(super) fn other_was_lost(&self) -> bool {
        let mut known = self.lock();
        known.losses += u32::from(known.has_recent_newcomer());
        let is_certain = known.suspicion == Suspicion::Tested || known.losses >= CERTAIN;
        is_certain && known.conclude()
    }
}

impl Known {
    fn has_recent_newcomer(&self) -> bool {
        self.newcomer.is_some_and(|since| since.elapsed() < SOON)
    }

    /// Returns true if that is news.
    fn conclude(&mut self) -> bool {
        !std::mem::replace(&mut self.is_one, true)
    }
}
