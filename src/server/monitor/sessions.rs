//! Who is here, and what they move: for SITE WHO and for who watches the server.
//!
//! A session has an entry of its own. The list of all is locked when a session begins or ends, and
//! an entry's lock is taken by its own session and by who looks; the counts of bytes need none.

use crate::protocol::Name;
use crate::server::monitor::transfer::Job;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// All sessions by their number.
#[derive(Debug, Default)]
pub struct Roster {
    present: Mutex<BTreeMap<u64, Arc<Entry>>>,
    received: AtomicU64,
    sent: AtomicU64,
}

/// How much has moved since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Bytes from clients.
    pub received: u64,
    /// Bytes to them.
    pub sent: u64,
}

/// One session.
#[derive(Debug)]
pub struct Entry {
    /// Its number, which the log has too.
    pub number: u64,
    /// Where it comes from.
    pub peer: SocketAddr,
    /// The balancer that brought it.
    pub via: Option<SocketAddr>,
    /// Since when it is here.
    pub since: Instant,
    moved: AtomicU64,
    /// Whether those bytes come from the client.
    receives: AtomicBool,
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
    pub fn sign_in(&self, number: u64, peer: SocketAddr, via: Option<SocketAddr>) -> Signed<'_> {
        let entry = Arc::new(Entry {
            number,
            peer,
            via,
            since: Instant::now(),
            moved: AtomicU64::new(0),
            receives: AtomicBool::new(false),
            state: Mutex::default(),
        });
        self.present().insert(number, Arc::clone(&entry));
        Signed { roster: self, entry }
    }

    /// Everybody, in the order they came.
    pub fn all(&self) -> Vec<Arc<Entry>> {
        self.present().values().map(Arc::clone).collect()
    }

    /// The bytes of all transfers so far, those that run among them.
    pub fn traffic(&self) -> Traffic {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Traffic { received: get(&self.received), sent: get(&self.sent) }
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

    /// Since when a transfer runs, if one does.
    pub fn moves_since(&self) -> Option<Instant> {
        self.lock().job.as_ref().map(|job| job.started)
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
        self.entry.moved.store(0, Ordering::Relaxed);
        self.entry.receives.store(job.kind.is_upload(), Ordering::Relaxed);
        self.entry.lock().job = Some(job.clone());
    }

    /// So many bytes of it have moved.
    pub fn set_moved(&self, total: u64) {
        let before = self.entry.moved.swap(total, Ordering::Relaxed);
        let receives = self.entry.receives.load(Ordering::Relaxed);
        let all = if receives { &self.roster.received } else { &self.roster.sent };
        all.fetch_add(total.saturating_sub(before), Ordering::Relaxed);
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
