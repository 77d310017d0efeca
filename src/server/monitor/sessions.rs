//! Who is here, and what they move: for SITE WHO and for who watches the server.
//!
//! A session has an entry of its own. The list of all is locked when a session begins or ends, and
//! an entry's lock is taken by its own session and by who looks; the counts of bytes need none.

use crate::protocol::Name;
use crate::server::monitor::transfer::TransferInfo;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// All sessions by their number.
#[derive(Debug, Default)]
pub struct SessionList {
    present: Mutex<BTreeMap<u64, Arc<SessionEntry>>>,
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
pub struct SessionEntry {
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
    state: Mutex<SessionState>,
}

/// What changes about a session.
#[derive(Clone, Debug, Default)]
pub struct SessionState {
    /// Who has logged in.
    pub user: Option<Name>,
    /// The transfer that runs.
    pub info: Option<TransferInfo>,
}

/// Takes the session off the roster when it ends.
#[derive(Debug)]
pub struct Registration<'a> {
    session_list: &'a SessionList,
    entry: Arc<SessionEntry>,
}

impl SessionList {
    /// Enters a session.
    pub fn register(
        &self,
        number: u64,
        peer: SocketAddr,
        via: Option<SocketAddr>,
    ) -> Registration<'_> {
        let entry = Arc::new(SessionEntry {
            number,
            peer,
            via,
            since: Instant::now(),
            moved: AtomicU64::new(0),
            receives: AtomicBool::new(false),
            state: Mutex::default(),
        });
        self.present().insert(number, Arc::clone(&entry));
        Registration { session_list: self, entry }
    }

    /// Everybody, in the order they came.
    pub fn all(&self) -> Vec<Arc<SessionEntry>> {
        self.present().values().map(Arc::clone).collect()
    }

    /// The bytes of all transfers so far, those that run among them.
    pub fn traffic(&self) -> Traffic {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Traffic { received: get(&self.received), sent: get(&self.sent) }
    }

    fn present(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<SessionEntry>>> {
        self.present.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SessionEntry {
    /// What it is doing just now.
    pub fn state(&self) -> SessionState {
        self.lock().clone()
    }

    /// The name of the login, if there is one.
    pub fn user(&self) -> Option<Name> {
        self.lock().user.clone()
    }

    /// How many bytes of the running transfer, or else of the last one, have moved.
    pub fn moved(&self) -> u64 {
        self.moved.load(Ordering::Relaxed)
    }

    /// Since when a transfer runs, if one does.
    pub fn moves_since(&self) -> Option<Instant> {
        self.lock().info.as_ref().map(|info| info.started)
    }

    fn lock(&self) -> MutexGuard<'_, SessionState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Registration<'_> {
    /// Notes who has logged in, or that nobody is any more.
    pub fn set_user(&self, user: Option<&Name>) {
        self.entry.lock().user = user.cloned();
    }

    /// Notes that a transfer begins.
    pub fn begin(&self, info: &TransferInfo) {
        self.entry.moved.store(0, Ordering::Relaxed);
        self.entry.receives.store(info.kind.is_upload(), Ordering::Relaxed);
        self.entry.lock().info = Some(info.clone());
    }

    /// So many bytes of it have moved.
    pub fn set_moved(&self, total: u64) {
        let before = self.entry.moved.swap(total, Ordering::Relaxed);
        let receives = self.entry.receives.load(Ordering::Relaxed);
        let all = if receives { &self.session_list.received } else { &self.session_list.sent };
        all.fetch_add(total.saturating_sub(before), Ordering::Relaxed);
    }

    /// Notes that it is over.
    pub fn end(&self) {
        self.entry.lock().info = None;
    }

    /// The session's entry.
    pub fn entry(&self) -> &SessionEntry {
        &self.entry
    }
}

impl Drop for Registration<'_> {
    fn drop(&mut self) {
        self.session_list.present().remove(&self.entry.number);
    }
}
