//! Who is here: the sessions and their users, for SITE WHO.

use crate::protocol::Name;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// All sessions by their number. Locked when one begins, logs in or ends, never while it works.
#[derive(Debug, Default)]
pub struct Roster {
    present: Mutex<BTreeMap<u64, Present>>,
}

/// One session.
#[derive(Clone, Debug)]
pub struct Present {
    /// Where it comes from.
    pub peer: SocketAddr,
    /// Since when it is here.
    pub since: Instant,
    /// Who has logged in.
    pub user: Option<Name>,
}

/// Takes the session off the roster when it ends.
#[derive(Debug)]
pub struct Signed<'a> {
    roster: &'a Roster,
    number: u64,
}

impl Roster {
    /// Enters a session.
    pub fn sign_in(&self, number: u64, peer: SocketAddr) -> Signed<'_> {
        let present = Present { peer, since: Instant::now(), user: None };
        self.present().insert(number, present);
        Signed { roster: self, number }
    }

    /// Everybody, in the order they came.
    pub fn all(&self) -> Vec<(u64, Present)> {
        self.present().iter().map(|(number, present)| (*number, present.clone())).collect()
    }

    fn present(&self) -> MutexGuard<'_, BTreeMap<u64, Present>> {
        self.present.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Signed<'_> {
    /// Notes who has logged in, or that nobody is any more.
    pub fn set_user(&self, user: Option<&Name>) {
        if let Some(present) = self.roster.present().get_mut(&self.number) {
            present.user = user.cloned();
        }
    }
}

impl Drop for Signed<'_> {
    fn drop(&mut self) {
        self.roster.present().remove(&self.number);
    }
}
