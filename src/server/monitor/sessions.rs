//! The list of sessions with their transfers, for SITE WHO and the status page.
//!
//! Each session has an entry. The list is locked when a session begins or ends; an entry is locked
//! by its own session and by readers. Byte counts need no lock.

use crate::protocol::Name;
use crate::server::monitor::transfer::TransferInfo;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// All sessions by number.
#[derive(Debug, Default)]
pub struct SessionList {
    entries: Mutex<BTreeMap<u64, Arc<SessionEntry>>>,
    received: AtomicU64,
    sent: AtomicU64,
}

/// The number of bytes moved since startup.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Bytes from clients.
    pub received: u64,
    /// Bytes to clients.
    pub sent: u64,
}

/// The entry of a session.
#[derive(Debug)]
pub struct SessionEntry {
    /// The number of the session, as in the log.
    pub number: u64,
    /// The address of the client.
    pub peer: SocketAddr,
    /// The load balancer that forwarded the connection.
    pub via: Option<SocketAddr>,
    /// The start of the session.
    pub since: Instant,
    moved: AtomicU64,
    /// True if the moved bytes come from the client.
    receives: AtomicBool,
    state: Mutex<SessionState>,
}

/// The changing part of an entry.
#[derive(Clone, Debug, Default)]
pub struct SessionState {
    /// The logged-in user.
    pub user: Option<Name>,
    /// The running transfer.
    pub info: Option<TransferInfo>,
    /// The TLS version of the control connection; `None` without TLS.
    pub tls: Option<&'static str>,
}

/// The registration of a session, removed from the list on drop.
#[derive(Debug)]
pub struct Registration<'a> {
    session_list: &'a SessionList,
    entry: Arc<SessionEntry>,
}

impl SessionList {
    /// Adds a session.
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
        self.entries().insert(number, Arc::clone(&entry));
        Registration { session_list: self, entry }
    }

    /// Returns all entries in the order of their numbers.
    pub fn all(&self) -> Vec<Arc<SessionEntry>> {
        self.entries().values().map(Arc::clone).collect()
    }

    /// Returns the bytes of all transfers since startup, including running ones.
    pub fn traffic(&self) -> Traffic {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Traffic { received: get(&self.received), sent: get(&self.sent) }
    }

    fn entries(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<SessionEntry>>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SessionEntry {
    /// Returns the current state.
    pub fn state(&self) -> SessionState {
        self.lock().clone()
    }

    /// Returns the name of the login, if there is one.
    pub fn user(&self) -> Option<Name> {
        self.lock().user.clone()
    }

    /// Returns the TLS version of the control connection; `None` without TLS.
    pub fn tls(&self) -> Option<&'static str> {
        self.lock().tls
    }

    /// Returns the number of bytes that the running or the last transfer has moved.
    pub fn moved(&self) -> u64 {
        self.moved.load(Ordering::Relaxed)
    }

    /// Returns the start of the running transfer, if there is one.
    pub fn transfer_started(&self) -> Option<Instant> {
        self.lock().info.as_ref().map(|info| info.started)
    }

    fn lock(&self) -> MutexGuard<'_, SessionState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Registration<'_> {
    /// Records the user of the login, or the end of the login.
    pub fn set_user(&self, user: Option<&Name>) {
        self.entry.lock().user = user.cloned();
    }

    /// Records the TLS version of the control connection; `None` without TLS.
    pub fn set_tls(&self, version: Option<&'static str>) {
        self.entry.lock().tls = version;
    }

    /// Records the start of a transfer.
    pub fn begin(&self, info: &TransferInfo) {
        self.entry.moved.store(0, Ordering::Relaxed);
        self.entry.receives.store(info.kind.is_upload(), Ordering::Relaxed);
        self.entry.lock().info = Some(info.clone());
    }

    /// Records the number of bytes that the transfer has moved so far.
    pub fn set_moved(&self, total: u64) {
        let before = self.entry.moved.swap(total, Ordering::Relaxed);
        let receives = self.entry.receives.load(Ordering::Relaxed);
        let all = if receives { &self.session_list.received } else { &self.session_list.sent };
        all.fetch_add(total.saturating_sub(before), Ordering::Relaxed);
    }

    /// Records the end of the transfer.
    pub fn end(&self) {
        self.entry.lock().info = None;
    }

    /// Returns the entry of the session.
    pub fn entry(&self) -> &SessionEntry {
        &self.entry
    }
}

impl Drop for Registration<'_> {
    fn drop(&mut self) {
        self.session_list.entries().remove(&self.entry.number);
    }
}
