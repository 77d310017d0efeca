//! Detects servers that allow only one session, such as cameras, printers and microcontrollers. Some of
//! them end the first session when a second one begins, so that two connections which both reconnect would
//! end each other forever.
//!
//! The sign is that the first connection is lost soon after another was opened. A loss in the middle of a
//! file may be a coincidence, and so may the loss of a helper: it counts only the third time, or if the
//! helper is lost soon after the first connection was reopened. From then on the client uses only the
//! first connection.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The time after the opening of a connection during which it may be the cause of a loss.
const RECENT: Duration = Duration::from_secs(10);

/// The number of losses that are not a coincidence.
const CERTAIN_LOSSES: u32 = 3;

/// The message to the user.
pub(in crate::client) const ONE_SESSION: &str =
    "the server ends one session when another begins; continuing with one connection";

/// The knowledge about a server's session limit, shared by all connections of the client.
#[derive(Clone, Default)]
pub(in crate::client) struct SessionLimit(Arc<Mutex<Known>>);

#[derive(Default)]
struct Known {
    /// The time when a helper was opened, if the first connection has had no success since.
    helper_opened: Option<Instant>,
    suspicion: Suspicion,
    /// The number of connections that were lost soon after a helper was opened.
    losses: u32,
    /// The server allows only one session.
    is_one: bool,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Suspicion {
    #[default]
    None,
    /// The first connection was lost soon after a helper was opened.
    Raised,
    /// The first connection was reopened, so the helpers should be lost now.
    Tested,
}

impl SessionLimit {
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns true if the server allows only one session.
    pub(super) fn is_one(&self) -> bool {
        self.lock().is_one
    }

    /// Records that a helper was opened.
    pub(super) fn helper_opens(&self) {
        self.lock().helper_opened = Some(Instant::now());
    }

    /// Records that a connection has completed a transfer.
    pub(in crate::client) fn succeeded(&self, is_helper: bool) {
        let mut known = self.lock();
        match is_helper {
            true => known.suspicion = Suspicion::None,
            false => known.helper_opened = None,
        }
    }

    /// Records the loss of the first connection; `moved` is true if it had moved bytes. Returns true if this
    /// shows for the first time that the server allows only one session.
    pub(in crate::client) fn first_was_lost(&self, moved: bool) -> bool {
        let mut known = self.lock();
        if !known.has_recent_helper() {
            return false;
        }
        known.losses += 1;
        known.suspicion = Suspicion::Raised;
        !(moved && known.losses < CERTAIN_LOSSES) && known.conclude()
    }

    /// Records that the first connection was reopened.
    pub(super) fn first_is_restored(&self) {
        let mut known = self.lock();
        if known.suspicion == Suspicion::Raised {
            known.suspicion = Suspicion::Tested;
        }
    }

    /// Records the loss of a helper. Returns the same as [`SessionLimit::first_was_lost`].
    pub(super) fn helper_was_lost(&self) -> bool {
        let mut known = self.lock();
        known.losses += u32::from(known.has_recent_helper());
        let is_certain = known.suspicion == Suspicion::Tested || known.losses >= CERTAIN_LOSSES;
        is_certain && known.conclude()
    }
}

impl Known {
    fn has_recent_helper(&self) -> bool {
        self.helper_opened.is_some_and(|since| since.elapsed() < RECENT)
    }

    /// Records that the server allows only one session; returns true if that was unknown.
    fn conclude(&mut self) -> bool {
        !std::mem::replace(&mut self.is_one, true)
    }
}
