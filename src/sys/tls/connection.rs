//! [`Tls`]: a TLS connection.

use super::api::{Api, Pointer, ctrl, ssl_error};
use super::certificate::Certificate;
use super::error::{self, TlsError, TlsErrorKind};
use super::session::TlsSession;
use crate::sys::{Handle, Interest, Waitable};
use std::ffi::{CString, c_int};
use std::io::{self, Read, Write};
use std::net::{IpAddr, TcpStream};
use std::{fmt, mem};

/// Maximum number of bytes in a TLS record.
const RECORD: usize = 16 * 1024;

/// `SSL_SENT_SHUTDOWN` and `SSL_RECEIVED_SHUTDOWN`.
const SENT_SHUTDOWN: c_int = 1;
const RECEIVED_SHUTDOWN: c_int = 2;

/// A TLS connection over a non-blocking socket.
///
/// A call that would block fails with `WouldBlock`; [`Tls::wants`] then tells what to wait for. A
/// readable socket may have no application data (TLS 1.3 sends tickets), and decrypted data in
/// OpenSSL's buffer does not make the socket readable ([`Tls::pending`]). So always read first, and
/// poll only after `WouldBlock`.
///
/// Dropping a connection sends nothing and keeps its session resumable.
pub struct Tls {
    // Declared before `tcp`, so that it is dropped before the socket it uses.
    ssl: Ssl,
    tcp: TcpStream,
    wants: Interest,
    established: bool,
    close_notify: CloseNotify,
    /// A record that OpenSSL could not send completely. The next SSL_write must offer at least this
    /// many bytes.
    pending_record: Vec<u8>,
    /// Number of bytes already sent but not yet reported to the caller.
    unreported: usize,
    /// True if OpenSSL checks the certificate against a host name or address.
    host_checked: bool,
}

/// The state of sending our close_notify.
#[derive(Clone, Copy, PartialEq, Eq)]
enum CloseNotify {
    NotSent,
    Started,
    Sent,
}

/// An `SSL` object, freed on drop.
pub(super) struct Ssl {
    api: &'static Api,
    raw: Pointer,
    failure: Option<Failure>,
}

// SAFETY: an SSL may be used from any thread, but only from one at a time; nothing here shares it.
unsafe impl Send for Ssl {}

impl Drop for Ssl {
    fn drop(&mut self) {
        self.keep_session();
        // SAFETY: made by SSL_new, freed once.
        unsafe { (self.api.SSL_free)(self.raw) };
    }
}

impl Ssl {
    /// Marks the connection as closed by both sides. Otherwise OpenSSL invalidates the session when the
    /// connection is freed, and no other connection can resume it.
    fn keep_session(&mut self) {
        // SAFETY: the `SSL` object is valid; this only sets two flags.
        unsafe { (self.api.SSL_set_shutdown)(self.raw, SENT_SHUTDOWN | RECEIVED_SHUTDOWN) };
    }
}

/// The stored failure that every later call returns (`io::Error` is not `Clone`).
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

/// The result of an OpenSSL I/O call.
enum CallResult {
    Done(usize),
    Ended,
    Blocked,
}

impl Tls {
    /// Creates a connection, and makes the socket non-blocking with TCP_NODELAY: with Nagle's algorithm
    /// a handshake would take 40 ms longer.
    ///
    /// # Safety
    /// `context` is an `SSL_CTX` of this library that stays valid during the call.
    pub(super) unsafe fn new(
        api: &'static Api,
        context: Pointer,
        tcp: TcpStream,
    ) -> io::Result<Tls> {
        tcp.set_nonblocking(true)?;
        tcp.set_nodelay(true)?;
        // SAFETY: the caller guarantees that `context` is valid; the new object holds a reference to
        // it.
        let raw = unsafe { (api.SSL_new)(context) };
        if raw.is_null() {
            return Err(setup_error(api));
        }
        let ssl = Ssl { api, raw, failure: None };
        // SAFETY: the `SSL` object is new; the socket is open and outlives it.
        if unsafe { (api.SSL_set_fd)(raw, crate::sys::socket_number(&tcp)) } != 1 {
            return Err(setup_error(api));
        }
        Ok(Tls {
            ssl,
            tcp,
            wants: Interest::Read,
            established: false,
            close_notify: CloseNotify::NotSent,
            pending_record: Vec::new(),
            unreported: 0,
            host_checked: false,
        })
    }

    /// Makes this the server side. Only connections with the same `id` can resume its sessions.
    /// `tickets` is the number of tickets that a TLS 1.3 client gets after the handshake.
    pub(super) fn init_server(&mut self, id: &[u8; 16], tickets: Option<u32>) -> io::Result<()> {
        let (api, raw) = (self.ssl.api, self.ssl.raw);
        // SAFETY: the `SSL` object is valid, and 16 bytes are read.
        if unsafe { (api.SSL_set_session_id_context)(raw, id.as_ptr(), id.len() as u32) } != 1 {
            return Err(setup_error(api));
        }
        if let (Some(tickets), Some(set_tickets)) = (tickets, api.SSL_set_num_tickets) {
            // SAFETY: the `SSL` object is valid; takes a number.
            unsafe { set_tickets(raw, tickets as usize) };
        }
        // SAFETY: the `SSL` object is valid and has not started its handshake.
        unsafe { (api.SSL_set_accept_state)(raw) };
        Ok(())
    }

    /// Makes this the client side. The server's certificate must be for `host`.
    pub(super) fn init_client(
        &mut self,
        host: &str,
        session: Option<&TlsSession>,
    ) -> io::Result<()> {
        let (api, raw) = (self.ssl.api, self.ssl.raw);
        self.check_host(host)?;
        if let Some(copy) = session.map(TlsSession::copy) {
            // SAFETY: both objects are valid; the connection holds a reference to the session.
            unsafe { (api.SSL_set_session)(raw, copy.raw()) };
        }
        // SAFETY: the `SSL` object is valid and has not started its handshake.
        unsafe { (api.SSL_set_connect_state)(raw) };
        Ok(())
    }

    /// Makes OpenSSL check the certificate against a host name or IP address. Host names are also sent
    /// as SNI.
    fn check_host(&mut self, host: &str) -> io::Result<()> {
        /// `X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS`.
        const WHOLE_WILDCARDS: u32 = 4;
        let (api, raw) = (self.ssl.api, self.ssl.raw);
        // Certificates have neither the zone of an address (`fe80::1%eth0`) nor the trailing dot of a
        // name.
        let address: Option<IpAddr> = host.split('%').next().and_then(|host| host.parse().ok());
        let name = address.map_or(host.trim_end_matches('.').to_owned(), |ip| ip.to_string());
        let invalid = || io::Error::from(io::ErrorKind::InvalidInput);
        let text = CString::new(name).map_err(|_| invalid())?;
        if text.is_empty() {
            return Err(invalid());
        }
        // SAFETY: the `SSL` object is valid, and owns the parameters that it returns.
        let rules = unsafe { (api.SSL_get0_param)(raw) };
        let set = if address.is_some() {
            // SAFETY: the parameters are valid, and the text is NUL-terminated.
            unsafe { (api.X509_VERIFY_PARAM_set1_ip_asc)(rules, text.as_ptr()) }
        } else {
            let length = text.as_bytes().len();
            // SAFETY: takes a number.
            unsafe { (api.X509_VERIFY_PARAM_set_hostflags)(rules, WHOLE_WILDCARDS) };
            // SAFETY: the call copies the text. 0 means a host name.
            let named =
                unsafe { (api.SSL_ctrl)(raw, ctrl::HOST_NAME, 0, text.as_ptr().cast()) } == 1;
            // SAFETY: the parameters are valid, and the text has this length.
            let checked =
                unsafe { (api.X509_VERIFY_PARAM_set1_host)(rules, text.as_ptr(), length) };
            c_int::from(named && checked == 1)
        };
        self.host_checked = set == 1;
        if self.host_checked { Ok(()) } else { Err(invalid()) }
    }

    /// Makes a client offer these application protocols (ALPN), each preceded by its length.
    #[cfg(test)]
    pub(super) fn offer(&mut self, tests: &super::api::TestApi, protocols: &[u8]) {
        let (raw, length) = (self.ssl.raw, protocols.len() as u32);
        // SAFETY: the `SSL` object is valid, and `length` bytes are read. Zero means success.
        let set = unsafe { (tests.SSL_set_alpn_protos)(raw, protocols.as_ptr(), length) };
        assert_eq!(set, 0);
    }

    /// Sends a KeyUpdate that the peer must answer (RFC 8446 section 4.6.3). Returns `None` if the
    /// library or the TLS version does not support it.
    #[cfg(test)]
    pub(crate) fn ask_for_new_keys(&mut self) -> Option<io::Result<()>> {
        /// `SSL_KEY_UPDATE_REQUESTED`.
        const BOTH: c_int = 1;
        let library = super::library::tls_library(None).ok()?;
        let update = library.table::<super::api::TestApi>().ok()?.SSL_key_update?;
        // SAFETY: the `SSL` object is valid; takes a number.
        let is_due = unsafe { update(self.ssl.raw, BOTH) } == 1;
        is_due.then(|| self.handshake())
    }

    /// Continues the handshake.
    ///
    /// # Errors
    /// `WouldBlock` until the handshake is complete; an error with a [`TlsError`] inside; or a system
    /// error.
    pub fn handshake(&mut self) -> io::Result<()> {
        // SAFETY: the `SSL` object is valid.
        match self.call(|api, ssl| unsafe { (api.SSL_do_handshake)(ssl) })? {
            CallResult::Done(_) => {
                self.established = true;
                Ok(())
            }
            CallResult::Blocked => Err(io::ErrorKind::WouldBlock.into()),
            CallResult::Ended => Err(error::ended(false).into()),
        }
    }

    /// Returns the event to wait for after `WouldBlock`.
    pub fn wants(&self) -> Interest {
        self.wants
    }

    /// Returns the number of decrypted bytes that can be read immediately, which poll does not report.
    pub fn pending(&self) -> usize {
        // SAFETY: the `SSL` object is valid.
        let pending = unsafe { (self.ssl.api.SSL_pending)(self.ssl.raw) };
        usize::try_from(pending).unwrap_or(0)
    }

    /// Sends close_notify, after any partly sent record and any pending ticket. Afterwards nothing can
    /// be written, but reading still works. The caller closes the socket's sending side, if needed.
    ///
    /// # Errors
    /// `WouldBlock`, a system error, or the error with which the connection failed before.
    pub fn end_sending(&mut self) -> io::Result<()> {
        if self.close_notify == CloseNotify::Sent {
            return Ok(());
        }
        if self.close_notify == CloseNotify::NotSent && self.established {
            self.finish_writing()?;
        }
        self.close_notify = CloseNotify::Started;
        // Zero is success too: the peer's close_notify has not arrived yet.
        // SAFETY: the `SSL` object is valid.
        let sent = self.call(|api, ssl| match unsafe { (api.SSL_shutdown)(ssl) } {
            0 => 1,
            other => other,
        });
        match sent? {
            CallResult::Blocked => Err(io::ErrorKind::WouldBlock.into()),
            CallResult::Done(_) | CallResult::Ended => {
                self.close_notify = CloseNotify::Sent;
                Ok(())
            }
        }
    }

    /// Returns true if the peer's close_notify has arrived.
    pub fn received_close_notify(&self) -> bool {
        // SAFETY: the `SSL` object is valid.
        let ends = unsafe { (self.ssl.api.SSL_get_shutdown)(self.ssl.raw) };
        ends & RECEIVED_SHUTDOWN != 0 && !matches!(self.ssl.failure, Some(Failure::Abandoned))
    }

    /// Stops all further reads and writes, as after ABOR. The connection is later dropped without a
    /// close_notify.
    pub fn abandon(&mut self) {
        self.ssl.keep_session();
        self.ssl.failure.get_or_insert(Failure::Abandoned);
    }

    /// Returns the session, for resuming it in another connection. Call this right before that
    /// connection, because tickets arrive after the handshake.
    pub fn session(&self) -> Option<TlsSession> {
        TlsSession::of(self.ssl.api, self.ssl.raw)
    }

    /// Returns true if the handshake resumed a session. For the server this proves that the peer is the
    /// client of the control connection with the same id.
    pub fn is_resumed(&self) -> bool {
        let api = self.ssl.api;
        let Some(resumed) = api.SSL_session_reused.or(api.SSL_cache_hit) else { return false };
        // SAFETY: the `SSL` object is valid.
        unsafe { resumed(self.ssl.raw) == 1 }
    }

    /// Queues a new ticket for a TLS 1.3 client, sent with the next write. Only OpenSSL 3 can do this.
    pub fn renew_ticket(&mut self) {
        if let (Some(renew), true, None) =
            (self.ssl.api.SSL_new_session_ticket, self.established, &self.ssl.failure)
        {
            // SAFETY: the `SSL` object is valid; before TLS 1.3 and on a client the call does nothing.
            unsafe { renew(self.ssl.raw) };
            // SAFETY: affects only the error queue of this thread.
            unsafe { (self.ssl.api.ERR_clear_error)() };
        }
    }

    /// Checks that the peer's certificate is trusted, currently valid, and issued for the host.
    ///
    /// # Errors
    /// The reason why it is not. A missing certificate is an error too.
    pub fn verify_peer(&self) -> Result<(), TlsError> {
        let api = self.ssl.api;
        if !self.established || !self.host_checked || self.certificate().is_none() {
            let text = "the peer shows no certificate";
            return Err(TlsError::new(TlsErrorKind::NoCertificate, text));
        }
        // SAFETY: the `SSL` object is valid.
        let code = unsafe { (api.SSL_get_verify_result)(self.ssl.raw) };
        error::of_verification(api, code)
    }

    /// Returns the peer's certificate.
    pub fn certificate(&self) -> Option<Certificate> {
        let api = self.ssl.api;
        let get = api.SSL_get1_peer_certificate.or(api.SSL_get_peer_certificate)?;
        // SAFETY: the `SSL` object is valid; the caller must free the result.
        let x509 = unsafe { get(self.ssl.raw) };
        let certificate = Certificate::copy(api, x509);
        // SAFETY: null is allowed; the certificate is freed once.
        unsafe { (api.X509_free)(x509) };
        certificate
    }

    /// Returns the protocol version, such as `TLSv1.3`.
    pub fn version(&self) -> &'static str {
        // SAFETY: the `SSL` object is valid; the result is a constant string.
        let version = error::text(unsafe { (self.ssl.api.SSL_get_version)(self.ssl.raw) });
        match version.as_deref() {
            Some("TLSv1.2") => "TLSv1.2",
            Some("TLSv1.3") => "TLSv1.3",
            _ => "TLS",
        }
    }

    /// Returns the name of the cipher, such as `TLS_AES_256_GCM_SHA384`.
    pub fn cipher(&self) -> String {
        let api = self.ssl.api;
        // SAFETY: the `SSL` object is valid; the result is null or a constant.
        let cipher = unsafe { (api.SSL_get_current_cipher)(self.ssl.raw) };
        if cipher.is_null() {
            return String::new();
        }
        // SAFETY: the cipher is not null; the result is a constant string.
        error::text(unsafe { (api.SSL_CIPHER_get_name)(cipher) }).unwrap_or_default()
    }

    /// Returns the host name that the client requested (SNI).
    pub fn server_name(&self) -> Option<String> {
        // SAFETY: the `SSL` object is valid and owns the result, a string or null. 0 means a host name.
        error::text(unsafe { (self.ssl.api.SSL_get_servername)(self.ssl.raw, 0) })
    }

    /// Returns the socket. Reads and writes on it bypass TLS.
    pub fn tcp(&self) -> &TcpStream {
        &self.tcp
    }

    /// Drops TLS without sending anything, and returns the socket.
    pub fn into_tcp(self) -> TcpStream {
        self.tcp
    }

    /// Sends the rest of a partly sent record, without which OpenSSL refuses to send close_notify.
    fn finish_writing(&mut self) -> io::Result<()> {
        let pending_record = self.pending_record.clone();
        if !pending_record.is_empty() {
            self.write_once(&pending_record)?;
        }
        self.handshake()
    }

    /// Writes at most one record. A partly sent record is kept, because the next call may offer fewer
    /// bytes than OpenSSL requires.
    fn write_once(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let pending_record = mem::take(&mut self.pending_record);
        let offered =
            if bytes.len() < pending_record.len() { pending_record.as_slice() } else { bytes };
        let size = c_int::try_from(offered.len()).unwrap_or(c_int::MAX);
        // SAFETY: the `SSL` object is valid, and `size` bytes are read.
        let call = |api: &Api, ssl| unsafe { (api.SSL_write)(ssl, offered.as_ptr().cast(), size) };
        match self.call(call)? {
            CallResult::Done(count) if count > bytes.len() => {
                // More than the caller offered has been sent; the next writes skip those bytes.
                self.unreported = count - bytes.len();
                Ok(bytes.len())
            }
            CallResult::Done(count) => Ok(count),
            CallResult::Ended => Err(io::ErrorKind::BrokenPipe.into()),
            CallResult::Blocked => {
                let record = &bytes[..bytes.len().min(RECORD)];
                self.pending_record =
                    if pending_record.is_empty() { record.to_vec() } else { pending_record };
                Err(io::ErrorKind::WouldBlock.into())
            }
        }
    }

    /// Makes an OpenSSL call that returns a positive number on success. Clears the error queue first,
    /// so that errors of earlier calls are not mistaken for this call's.
    fn call(&mut self, call: impl FnOnce(&Api, Pointer) -> c_int) -> io::Result<CallResult> {
        let (api, raw) = (self.ssl.api, self.ssl.raw);
        if let Some(failure) = &self.ssl.failure {
            return Err(failure.into());
        }
        // SAFETY: affects only the error queue of this thread.
        unsafe { (api.ERR_clear_error)() };
        let result = call(api, raw);
        // Read first, before another call can change it.
        let system = io::Error::last_os_error();
        if let Ok(done @ 1..) = usize::try_from(result) {
            return Ok(CallResult::Done(done));
        }
        // SAFETY: the `SSL` object is valid, and this directly follows the call.
        match unsafe { (api.SSL_get_error)(raw, result) } {
            ssl_error::WANT_READ => self.wants = Interest::Read,
            ssl_error::WANT_WRITE => self.wants = Interest::Write,
            ssl_error::ZERO_RETURN => return Ok(CallResult::Ended),
            ssl_error::SYSCALL => {
                return Err(self.fail(match system.raw_os_error() {
                    // OpenSSL 1.1.1 reports a connection that closed without close_notify like this.
                    None | Some(0) => Failure::Tls(error::ended(self.established)),
                    Some(code) => Failure::System(code),
                }));
            }
            _ => {
                let queued = error::take_queue(api);
                return Err(self.fail(Failure::Tls(error::of_connection(queued, self.established))));
            }
        }
        Ok(CallResult::Blocked)
    }

    /// Stores the failure for all later calls, because OpenSSL must not be called again after a fatal
    /// error.
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
    /// Fills the buffer with as much as is available without blocking. For a buffer smaller than a TLS
    /// record, OpenSSL is called only once: such buffers are for lines, and a second call would usually
    /// be a wasted system call. `Ok(0)` means the peer's close_notify; an end of the connection without
    /// it is `UnexpectedEof`.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            let free = &mut buffer[filled..];
            let size = c_int::try_from(free.len()).unwrap_or(c_int::MAX);
            // SAFETY: the `SSL` object is valid, and the buffer has `size` bytes.
            let read = self
                .call(|api, ssl| unsafe { (api.SSL_read)(ssl, free.as_mut_ptr().cast(), size) });
            match read {
                Ok(CallResult::Done(count)) => filled += count,
                // The failure is stored and returned by the next read.
                _ if filled > 0 => break,
                Ok(CallResult::Ended) => break,
                Ok(CallResult::Blocked) => return Err(io::ErrorKind::WouldBlock.into()),
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
    /// Writes as much as possible without blocking. After `WouldBlock` the next write must start with
    /// the same bytes, because part of them may have been sent already; it may be shorter or longer.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.close_notify != CloseNotify::NotSent {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let mut written = self.unreported.min(bytes.len());
        self.unreported -= written;
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

/// Builds the error for a failed setup call.
fn setup_error(api: &Api) -> io::Error {
    let words = error::take_queue(api).map_or("unknown error".to_owned(), |queued| queued.words);
    TlsError::new(TlsErrorKind::Library, format!("cannot begin TLS: {words}")).into()
}
