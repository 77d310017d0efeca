//! Who is here, and what they move: for SITE WHO and for who watches the server.
//!
//! A session has an entry of its own. The list of all is locked when a session begins or ends, and
//! an entry's lock is taken by its own session and by who looks; the count of bytes needs none.

use super::job::Job;
use crate::protocol::Name;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// All sessions by their number.
#[derive(Debug, Default)]
pub struct Roster {
    present: Mutex<BTreeMap<u64, Arc<Entry>>>,
}

/// One session.
#[derive(Debug)]
pub struct Entry {
    /// Its number, which the log has too.
    pub number: u64,
    /// Where it comes from.
    pub peer: SocketAddr,
    /// Since when it is here.
    pub since: Instant,
    moved: AtomicU64,
    state: Mutex<State>,
}

/// What changes about a session.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// Who has logged in.
    pub user: Option<Name>,
    /// The transfer that runs.
    pub job: Option<Job>,
}

/// Takes the session off the roster when it ends.
#[derive(Debug)]
pub struct Signed<'a> {
    roster: &'a Roster,
    entry: Arc<Entry>,
}

impl Roster {
    /// Enters a session.
    pub fn sign_in(&self, number: u64, peer: SocketAddr) -> Signed<'_> {
        let entry = Arc::new(Entry {
            number,
            peer,
            since: Instant::now(),
            moved: AtomicU64::new(0),
            state: Mutex::default(),
        });
        self.present().insert(number, Arc::clone(&entry));
        Signed { roster: self, entry }
    }

    /// Everybody, in the order they came.
    pub fn all(&self) -> Vec<Arc<Entry>> {
        self.present().values().map(Arc::clone).collect()
    }

    fn present(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<Entry>>> {
        self.present.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    /// What it is doing just now.
    pub fn state(&self) -> State {
        self.lock().clone()
    }

    /// How many bytes of the running transfer, or else of the last one, have moved.
    pub fn moved(&self) -> u64 {
        self.moved.load(Ordering::Relaxed)
    }

    /// So many bytes have moved.
    pub fn set_moved(&self, total: u64) {
        self.moved.store(total, Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Signed<'_> {
    /// Notes who has logged in, or that nobody is any more.
    pub fn set_user(&self, user: Option<&Name>) {
        self.entry.lock().user = user.cloned();
    }

    /// Notes that a transfer begins.
    pub fn begin(&self, job: &Job) {
        self.entry.set_moved(0);
        self.entry.lock().job = Some(job.clone());
    }

    /// Notes that it is over.
    pub fn end(&self) {
        self.entry.lock().job = None;
    }

    /// The session's entry.
    pub fn entry(&self) -> &Entry {
        &self.entry
    }
}

impl Drop for Signed<'_> {
    fn drop(&mut self) {
        self.roster.present().remove(&self.entry.number);
    }
}
