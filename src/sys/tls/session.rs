//! [`TlsSession`]: a TLS session that other connections can resume.

use super::api::{Api, Pointer};
use std::fmt;
use std::sync::Arc;

/// A session of a connection, which other connections to the same server can resume.
#[derive(Clone)]
pub struct TlsSession(Arc<SessionRef>);

struct SessionRef {
    api: &'static Api,
    raw: Pointer,
}

// SAFETY: OpenSSL counts references to a session atomically, and does not change it once it is
// established, since the client's session cache is off.
unsafe impl Send for SessionRef {}
// SAFETY: as above.
unsafe impl Sync for SessionRef {}

impl Drop for SessionRef {
    fn drop(&mut self) {
        // SAFETY: SSL_get1_session or SSL_SESSION_dup returned this reference, which is freed once.
        unsafe { (self.api.SSL_SESSION_free)(self.raw) };
    }
}

impl TlsSession {
    /// Returns the session of this `SSL`, which must be valid during the call.
    pub(super) fn of(api: &'static Api, ssl: Pointer) -> Option<TlsSession> {
        // SAFETY: the `SSL` object is valid; the caller owns the returned reference.
        let raw = unsafe { (api.SSL_get1_session)(ssl) };
        (!raw.is_null()).then(|| TlsSession(Arc::new(SessionRef { api, raw })))
    }

    /// Returns a copy for one connection, because OpenSSL invalidates a session if one of its
    /// connections is cut. LibreSSL cannot copy sessions.
    pub(super) fn copy(&self) -> TlsSession {
        let api = self.0.api;
        let Some(duplicate) = api.SSL_SESSION_dup else { return self.clone() };
        // SAFETY: the session is valid; the caller owns the copy.
        let raw = unsafe { duplicate(self.raw()) };
        if raw.is_null() { self.clone() } else { TlsSession(Arc::new(SessionRef { api, raw })) }
    }

    /// Returns the `SSL_SESSION`, valid as long as `self`.
    pub(super) fn raw(&self) -> Pointer {
        self.0.raw
    }
}

impl fmt::Debug for TlsSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TlsSession")
    }
}
