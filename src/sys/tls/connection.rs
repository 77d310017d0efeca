//! [`Tls`]: one connection.

use super::api::{Api, Pointer, answer, ctrl};
use super::certificate::Certificate;
use super::error::{self, TlsError, TlsErrorKind};
use super::session::TlsSession;
use crate::sys::{Handle, Interest, Waitable};
use std::ffi::{CString, c_int};
use std::io::{self, Read, Write};
use std::net::{IpAddr, TcpStream};
use std::{fmt, mem};

/// The most bytes that one TLS record carries.
const RECORD: usize = 16 * 1024;

/// `SSL_SENT_SHUTDOWN` and `SSL_RECEIVED_SHUTDOWN`.
const SENT_END: c_int = 1;
const RECEIVED_END: c_int = 2;

/// A TLS connection over a socket that does not block.
///
/// Every call that would wait fails with `WouldBlock`; then [`Tls::wants`] says what to wait for. That a
/// socket is readable does not say that there are bytes to read (TLS 1.3 sends tickets), and bytes that
/// were already received and decrypted do not show in a poll ([`Tls::pending`]): read first, and poll
/// after `WouldBlock`.
///
/// A connection that is dropped sends nothing, and its session stays good for other connections.
pub struct Tls {
    // Dropped before the socket that it writes to.
    ssl: Ssl,
    tcp: TcpStream,
    wants: Interest,
    established: bool,
    ending: Ending,
    /// The bytes of a record that OpenSSL could not send whole. It must be given as many again.
    held: Vec<u8>,
    /// How many bytes were sent of which the caller does not know yet.
    ahead: usize,
    /// Whether the certificate is checked for a host.
    host_checked: bool,
}

/// How far the close_notify is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ending {
    Open,
    Begun,
    Sent,
}

/// OpenSSL's object, freed when it is dropped.
pub(super) struct Ssl {
    api: &'static Api,
    raw: Pointer,
    failure: Option<Failure>,
}

// SAFETY: an SSL may be used by any thread, by one at a time; nothing here is shared with another.
unsafe impl Send for Ssl {}

impl Drop for Ssl {
    fn drop(&mut self) {
        self.keep_session();
        // SAFETY: made by SSL_new, freed once.
        unsafe { (self.api.SSL_free)(self.raw) };
    }
}

impl Ssl {
    /// Has OpenSSL think that both ends have said goodbye. It discards the session of a connection that
    /// is freed otherwise as a bad one, and then no other connection can resume it.
    fn keep_session(&mut self) {
        // SAFETY: the object lives; two flags are set.
        unsafe { (self.api.SSL_set_shutdown)(self.raw, SENT_END | RECEIVED_END) };
    }
}

/// An error that every later call fails with, since `io::Error` cannot be copied.
#[derive(Clone, Debug)]
enum Failure {
    System(i32),
    Tls(TlsError),
    Abandoned,
}

impl From<&Failure> for io::Error {
    fn from(failure: &Failure) -> io::Error {
        match failure {
            Failure::System(code) => io::Error::from_raw_os_error(*code),
            Failure::Tls(error) => error.clone().into(),
            Failure::Abandoned => io::ErrorKind::NotConnected.into(),
        }
    }
}

/// What came of one call.
enum Called {
    Done(usize),
    Ended,
    Blocked,
}

impl Tls {
    /// Makes a connection of the context `context`, and makes the socket one that does not block and
    /// sends at once: with Nagle's algorithm a handshake waits for 40 ms.
    ///
    /// # Safety
    /// `context` is an `SSL_CTX` of this library that lives through the call.
    pub(super) unsafe fn new(
        api: &'static Api,
        context: Pointer,
        tcp: TcpStream,
    ) -> io::Result<Tls> {
        tcp.set_nonblocking(true)?;
        tcp.set_nodelay(true)?;
        // SAFETY: the caller's promise; the new object counts as a user of the context.
        let raw = unsafe { (api.SSL_new)(context) };
        if raw.is_null() {
            return Err(refused(api));
        }
        let ssl = Ssl { api, raw, failure: None };
        // SAFETY: the object is new; the socket is open and is dropped after it.
        if unsafe { (api.SSL_set_fd)(raw, crate::sys::socket_number(&tcp)) } != 1 {
            return Err(refused(api));
        }
        Ok(Tls {
            ssl,
            tcp,
            wants: Interest::Read,
            established: false,
            ending: Ending::Open,
            held: Vec::new(),
            ahead: 0,
            host_checked: false,
        })
    }

    /// Makes it the server's end, whose sessions are good for this `id` alone. `tickets` is how many a
    /// TLS 1.3 client gets after the handshake.
    pub(super) fn be_server(&mut self, id: &[u8; 16], tickets: Option<u32>) -> io::Result<()> {
        let (api, raw) = (self.ssl.api, self.ssl.raw);
        // SAFETY: the object lives, and 16 bytes are read.
        if unsafe { (api.SSL_set_session_id_context)(raw, id.as_ptr(), id.len() as u32) } != 1 {
            return Err(refused(api));
        }
        if let (Some(tickets), Some(set_tickets)) = (tickets, api.SSL_set_num_tickets) {
            // SAFETY: the object lives; takes a number.
            unsafe { set_tickets(raw, tickets as usize) };
        }
        // SAFETY: the object lives and has not begun its handshake.
        unsafe { (api.SSL_set_accept_state)(raw) };
        Ok(())
    }

    /// Makes it the client's end of a connection with this host, whose certificate must name it.
    pub(super) fn be_client(&mut self, host: &str, session: Option<&TlsSession>) -> io::Result<()> {
        let (api, raw) = (self.ssl.api, self.ssl.raw);
        self.check_host(host)?;
        if let Some(copy) = session.map(TlsSession::copy) {
            // SAFETY: both objects live; the connection counts as a user of the session.
            unsafe { (api.SSL_set_session)(raw, copy.raw()) };
        }
        // SAFETY: the object lives and has not begun its handshake.
        unsafe { (api.SSL_set_connect_state)(raw) };
        Ok(())
    }

    /// Has the certificate checked for a host name or an address. Names are also announced (SNI).
    fn check_host(&mut self, host: &str) -> io::Result<()> {
        /// `X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS`.
        const WHOLE_WILDCARDS: u32 = 4;
        let (api, raw) = (self.ssl.api, self.ssl.raw);
        // An address may have a zone, `fe80::1%eth0`, which no certificate knows; a name may end in the
        // dot of the root.
        let address: Option<IpAddr> = host.split('%').next().and_then(|host| host.parse().ok());
        let name = address.map_or(host.trim_end_matches('.').to_owned(), |ip| ip.to_string());
        let invalid = || io::Error::from(io::ErrorKind::InvalidInput);
        let text = CString::new(name).map_err(|_| invalid())?;
        if text.is_empty() {
            return Err(invalid());
        }
        // SAFETY: the object lives, and so does what it gives out.
        let rules = unsafe { (api.SSL_get0_param)(raw) };
        let set = if address.is_some() {
            // SAFETY: the rules live, and the text ends in NUL.
            unsafe { (api.X509_VERIFY_PARAM_set1_ip_asc)(rules, text.as_ptr()) }
        } else {
            let length = text.as_bytes().len();
            // SAFETY: takes a number.
            unsafe { (api.X509_VERIFY_PARAM_set_hostflags)(rules, WHOLE_WILDCARDS) };
            // SAFETY: the text lives through the call, which copies it. 0 is the type of host names.
            let named =
                unsafe { (api.SSL_ctrl)(raw, ctrl::HOST_NAME, 0, text.as_ptr().cast()) } == 1;
            // SAFETY: the rules live, and the text has this length.
            let checked =
                unsafe { (api.X509_VERIFY_PARAM_set1_host)(rules, text.as_ptr(), length) };
            c_int::from(named && checked == 1)
        };
        self.host_checked = set == 1;
        if self.host_checked { Ok(()) } else { Err(invalid()) }
    }

    /// Has a client offer these application protocols, each with its length before it.
    #[cfg(test)]
    pub(super) fn offer(&mut self, tests: &super::api::TestApi, protocols: &[u8]) {
        let (raw, length) = (self.ssl.raw, protocols.len() as u32);
        // SAFETY: the object lives, and that many bytes are read. Zero is success.
        let set = unsafe { (tests.SSL_set_alpn_protos)(raw, protocols.as_ptr(), length) };
        assert_eq!(set, 0);
    }

    /// Asks the peer for new keys, which it has to answer (RFC 8446 section 4.6.3). `None` where the library
    /// or the version of TLS has no such message.
    #[cfg(test)]
    pub(crate) fn ask_for_new_keys(&mut self) -> Option<io::Result<()>> {
        /// `SSL_KEY_UPDATE_REQUESTED`.
        const BOTH: c_int = 1;
        let library = super::library::tls_library(None).ok()?;
        let update = library.table::<super::api::TestApi>().ok()?.SSL_key_update?;
        // SAFETY: the object lives; takes a number.
        let is_due = unsafe { update(self.ssl.raw, BOTH) } == 1;
        is_due.then(|| self.handshake())
    }

    /// Continues the handshake.
    ///
    /// # Errors
    /// `WouldBlock` until it is over; a [`TlsError`] inside, or what the system says.
    pub fn handshake(&mut self) -> io::Result<()> {
        // SAFETY: the object lives.
        match self.call(|api, ssl| unsafe { (api.SSL_do_handshake)(ssl) })? {
            Called::Done(_) => {
                self.established = true;
                Ok(())
            }
            Called::Blocked => Err(io::ErrorKind::WouldBlock.into()),
            Called::Ended => Err(error::ended(false).into()),
        }
    }

    /// What the last call that would block waits for.
    pub fn wants(&self) -> Interest {
        self.wants
    }

    /// How many bytes are decrypted and can be read at once, though a poll does not show them.
    pub fn pending(&self) -> usize {
        // SAFETY: the object lives.
        let pending = unsafe { (self.ssl.api.SSL_pending)(self.ssl.raw) };
        usize::try_from(pending).unwrap_or(0)
    }

    /// Sends the close_notify, after which nothing can be written. What a write has not sent whole, and a
    /// ticket that is due, go before it. Reading goes on. To half-close the socket is left to the caller.
    ///
    /// # Errors
    /// `WouldBlock`; what the system says; the error that the connection has failed with before.
    pub fn end_sending(&mut self) -> io::Result<()> {
        if self.ending == Ending::Sent {
            return Ok(());
        }
        if self.ending == Ending::Open && self.established {
            self.finish_writing()?;
        }
        self.ending = Ending::Begun;
        // Zero is success: the peer's close_notify has not come.
        // SAFETY: the object lives.
        let sent = self.call(|api, ssl| match unsafe { (api.SSL_shutdown)(ssl) } {
            0 => 1,
            other => other,
        });
        match sent? {
            Called::Blocked => Err(io::ErrorKind::WouldBlock.into()),
            Called::Done(_) | Called::Ended => {
                self.ending = Ending::Sent;
                Ok(())
            }
        }
    }

    /// Whether the peer's close_notify has come.
    pub fn saw_end(&self) -> bool {
        // SAFETY: the object lives.
        let ends = unsafe { (self.ssl.api.SSL_get_shutdown)(self.ssl.raw) };
        ends & RECEIVED_END != 0 && !matches!(self.ssl.failure, Some(Failure::Abandoned))
    }

    /// Has the connection end without a word when it is dropped, as after an ABOR. Nothing can be read
    /// or written any more.
    pub fn abandon(&mut self) {
        self.ssl.keep_session();
        self.ssl.failure.get_or_insert(Failure::Abandoned);
    }

    /// The session, with which another connection can be resumed. To be asked for right before that:
    /// tickets come after the handshake.
    pub fn session(&self) -> Option<TlsSession> {
        TlsSession::of(self.ssl.api, self.ssl.raw)
    }

    /// Whether the handshake resumed a session: at the server the proof that the peer is the one that
    /// has the control connection of the same id.
    pub fn is_resumed(&self) -> bool {
        let api = self.ssl.api;
        let Some(resumed) = api.SSL_session_reused.or(api.SSL_cache_hit) else { return false };
        // SAFETY: the object lives.
        unsafe { resumed(self.ssl.raw) == 1 }
    }

    /// Has a new ticket go to a TLS 1.3 client with the next write, where the library can (OpenSSL 3).
    pub fn renew_ticket(&mut self) {
        if let (Some(renew), true, None) =
            (self.ssl.api.SSL_new_session_ticket, self.established, &self.ssl.failure)
        {
            // SAFETY: the object lives; before TLS 1.3 and at a client it does nothing.
            unsafe { renew(self.ssl.raw) };
            // SAFETY: touches the queue of this thread alone.
            unsafe { (self.ssl.api.ERR_clear_error)() };
        }
    }

    /// Whether the peer's certificate is one that is trusted, valid now, and for the host.
    ///
    /// # Errors
    /// What is wrong with it. A peer without a certificate is an error too.
    pub fn verdict(&self) -> Result<(), TlsError> {
        let api = self.ssl.api;
        if !self.established || !self.host_checked || self.certificate().is_none() {
            let text = "the peer shows no certificate";
            return Err(TlsError::new(TlsErrorKind::NoCertificate, text));
        }
        // SAFETY: the object lives.
        let code = unsafe { (api.SSL_get_verify_result)(self.ssl.raw) };
        error::of_verification(api, code)
    }

    /// The peer's certificate.
    pub fn certificate(&self) -> Option<Certificate> {
        let api = self.ssl.api;
        let get = api.SSL_get1_peer_certificate.or(api.SSL_get_peer_certificate)?;
        // SAFETY: the object lives; what it returns is ours to free.
        let x509 = unsafe { get(self.ssl.raw) };
        let certificate = Certificate::copy(api, x509);
        // SAFETY: null is allowed, and it is freed once.
        unsafe { (api.X509_free)(x509) };
        certificate
    }

    /// The version of the protocol: `TLSv1.3`.
    pub fn version(&self) -> &'static str {
        // SAFETY: the object lives; the answer is a constant string.
        let version = error::text(unsafe { (self.ssl.api.SSL_get_version)(self.ssl.raw) });
        match version.as_deref() {
            Some("TLSv1.2") => "TLSv1.2",
            Some("TLSv1.3") => "TLSv1.3",
            _ => "TLS",
        }
    }

    /// The name of the cipher: `TLS_AES_256_GCM_SHA384`.
    pub fn cipher(&self) -> String {
        let api = self.ssl.api;
        // SAFETY: the object lives; the answer is null or a constant.
        let cipher = unsafe { (api.SSL_get_current_cipher)(self.ssl.raw) };
        if cipher.is_null() {
            return String::new();
        }
        // SAFETY: the cipher is one; the answer is a constant string.
        error::text(unsafe { (api.SSL_CIPHER_get_name)(cipher) }).unwrap_or_default()
    }

    /// The host name that the client asked for (SNI).
    pub fn server_name(&self) -> Option<String> {
        // SAFETY: the object lives; the answer is null or a string of its own. 0 is the type of host names.
        error::text(unsafe { (self.ssl.api.SSL_get_servername)(self.ssl.raw, 0) })
    }

    /// The socket. Bytes that are read from it or written to it do not go through TLS.
    pub fn tcp(&self) -> &TcpStream {
        &self.tcp
    }

    /// Ends TLS, without a word, and gives the socket back.
    pub fn into_tcp(self) -> TcpStream {
        self.tcp
    }

    /// Sends what OpenSSL has begun to send: it refuses the close_notify before that.
    fn finish_writing(&mut self) -> io::Result<()> {
        let held = self.held.clone();
        if !held.is_empty() {
            self.write_once(&held)?;
        }
        self.handshake()
    }

    /// Writes a record at most. One that did not go whole is held: the next call may offer less.
    fn write_once(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let held = mem::take(&mut self.held);
        let offered = if bytes.len() < held.len() { held.as_slice() } else { bytes };
        let size = c_int::try_from(offered.len()).unwrap_or(c_int::MAX);
        // SAFETY: the object lives, and that many bytes are read.
        let call = |api: &Api, ssl| unsafe { (api.SSL_write)(ssl, offered.as_ptr().cast(), size) };
        match self.call(call)? {
            Called::Done(count) if count > bytes.len() => {
                // The rest has gone, too; it is not offered to OpenSSL again.
                self.ahead = count - bytes.len();
                Ok(bytes.len())
            }
            Called::Done(count) => Ok(count),
            Called::Ended => Err(io::ErrorKind::BrokenPipe.into()),
            Called::Blocked => {
                let record = &bytes[..bytes.len().min(RECORD)];
                self.held = if held.is_empty() { record.to_vec() } else { held };
                Err(io::ErrorKind::WouldBlock.into())
            }
        }
    }

    /// Makes one call that returns a positive number if it succeeds, with the queue of errors emptied
    /// before: an error left there by another call would be taken for one of this.
    fn call(&mut self, call: impl FnOnce(&Api, Pointer) -> c_int) -> io::Result<Called> {
        let (api, raw) = (self.ssl.api, self.ssl.raw);
        if let Some(failure) = &self.ssl.failure {
            return Err(failure.into());
        }
        // SAFETY: touches the queue of this thread alone.
        unsafe { (api.ERR_clear_error)() };
        let result = call(api, raw);
        // Taken before anything else is called that could change it.
        let system = io::Error::last_os_error();
        if let Ok(done @ 1..) = usize::try_from(result) {
            return Ok(Called::Done(done));
        }
        // SAFETY: the object lives, and no other call on it came between.
        match unsafe { (api.SSL_get_error)(raw, result) } {
            answer::WANT_READ => self.wants = Interest::Read,
            answer::WANT_WRITE => self.wants = Interest::Write,
            answer::ENDED => return Ok(Called::Ended),
            answer::SYSTEM => {
                return Err(self.fail(match system.raw_os_error() {
                    // OpenSSL 1.1.1: the connection ended without close_notify.
                    None | Some(0) => Failure::Tls(error::ended(self.established)),
                    Some(code) => Failure::System(code),
                }));
            }
            _ => {
                let queued = error::take_queue(api);
                return Err(self.fail(Failure::Tls(error::of_connection(queued, self.established))));
            }
        }
        Ok(Called::Blocked)
    }

    /// Keeps the failure for every later call: OpenSSL must not be asked for more.
    fn fail(&mut self, failure: Failure) -> io::Error {
        let error = io::Error::from(&failure);
        self.ssl.failure = Some(failure);
        error
    }
}

impl Waitable for Tls {
    fn handle(&self) -> Handle<'_> {
        Waitable::handle(&self.tcp)
    }
}

impl Read for Tls {
    /// Fills the buffer as far as it goes without waiting. A buffer smaller than a TLS record gets what
    /// one call gives, since it is for lines, and a second call would be a system call for nothing.
    /// `Ok(0)` is the peer's close_notify; the end of the connection without it is `UnexpectedEof`.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            let free = &mut buffer[filled..];
            let size = c_int::try_from(free.len()).unwrap_or(c_int::MAX);
            // SAFETY: the object lives, and that many bytes may be written.
            let read = self
                .call(|api, ssl| unsafe { (api.SSL_read)(ssl, free.as_mut_ptr().cast(), size) });
            match read {
                Ok(Called::Done(count)) => filled += count,
                // What failed now fails again the next time.
                _ if filled > 0 => break,
                Ok(Called::Ended) => break,
                Ok(Called::Blocked) => return Err(io::ErrorKind::WouldBlock.into()),
                Err(error) => return Err(error),
            }
            if buffer.len() < RECORD {
                break;
            }
        }
        Ok(filled)
    }
}

impl Write for Tls {
    /// Writes as much as goes without waiting. After `WouldBlock` the next write must begin with the same
    /// bytes, since a part of them may be on its way; it may have fewer or more.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.ending != Ending::Open {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let mut written = self.ahead.min(bytes.len());
        self.ahead -= written;
        while written < bytes.len() {
            match self.write_once(&bytes[written..]) {
                Ok(count) => written += count,
                Err(_) if written > 0 => break,
                Err(error) => return Err(error),
            }
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("tcp", &self.tcp).finish_non_exhaustive()
    }
}

/// OpenSSL refused a call that sets something up.
fn refused(api: &Api) -> io::Error {
    let words = error::take_queue(api).map_or("unknown error".to_owned(), |queued| queued.words);
    TlsError::new(TlsErrorKind::Library, format!("cannot begin TLS: {words}")).into()
}
