//! [`TlsSession`]: what another connection is resumed with.

use super::api::{Api, Pointer};
use std::fmt;
use std::sync::Arc;

/// A session of a connection, with which others to the same server can be resumed.
#[derive(Clone)]
pub struct TlsSession(Arc<Counted>);

struct Counted {
    api: &'static Api,
    raw: Pointer,
}

// SAFETY: a session is counted by OpenSSL with atomic counters and is not changed once it is established;
// the cache of the client, which would change it, is off.
unsafe impl Send for Counted {}
// SAFETY: as above.
unsafe impl Sync for Counted {}

impl Drop for Counted {
    fn drop(&mut self) {
        // SAFETY: counted for us by SSL_get1_session, given back once.
        unsafe { (self.api.SSL_SESSION_free)(self.raw) };
    }
}

impl TlsSession {
    /// The session of this `SSL`, which lives through the call.
    pub(super) fn of(api: &'static Api, ssl: Pointer) -> Option<TlsSession> {
        // SAFETY: the object lives; what it returns is counted for us.
        let raw = unsafe { (api.SSL_get1_session)(ssl) };
        (!raw.is_null()).then(|| TlsSession(Arc::new(Counted { api, raw })))
    }

    /// A copy for one connection: OpenSSL forbids a session to be resumed once one of its connections was
    /// cut. LibreSSL has no function for it.
    pub(super) fn copy(&self) -> TlsSession {
        let api = self.0.api;
        let Some(duplicate) = api.SSL_SESSION_dup else { return self.clone() };
        // SAFETY: the session lives; the copy is ours.
        let raw = unsafe { duplicate(self.raw()) };
        if raw.is_null() { self.clone() } else { TlsSession(Arc::new(Counted { api, raw })) }
    }

    /// The session, for as long as this lives.
    pub(super) fn raw(&self) -> Pointer {
        self.0.raw
    }
}

impl fmt::Debug for TlsSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TlsSession")
    }
}
