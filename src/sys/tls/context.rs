//! [`TlsContext`]: the certificate, the authorities and the rules that connections have in common.

use super::api::{Api, Pointer, ctrl};
use super::certificate::Certificate;
use super::connection::Tls;
use super::error::{self, TlsError, TlsErrorKind};
use super::library::TlsLibrary;
use super::session::TlsSession;
use std::ffi::{CString, OsStr, c_char, c_int, c_long, c_uchar, c_uint};
use std::net::TcpStream;
use std::path::Path;
use std::{env, fmt, fs, io, ptr, slice};

/// The oldest version of TLS that a context accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsVersion {
    /// RFC 5246.
    V1_2,
    /// RFC 8446.
    V1_3,
}

impl TlsVersion {
    fn number(self) -> c_long {
        match self {
            TlsVersion::V1_2 => 0x0303,
            TlsVersion::V1_3 => 0x0304,
        }
    }
}

/// `SSL_MODE_ENABLE_PARTIAL_WRITE`, `SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER` and `SSL_MODE_RELEASE_BUFFERS`:
/// an idle connection holds no buffers.
const MODE: c_long = 1 | 2 | 16;

/// `SSL_OP_NO_RENEGOTIATION` and `SSL_OP_CIPHER_SERVER_PREFERENCE`. Not `SSL_OP_IGNORE_UNEXPECTED_EOF`:
/// a connection that is cut must not look like one that has ended.
const OPTIONS: u32 = 1 << 30 | 1 << 22;

/// `SSL_SESS_CACHE_OFF`. OpenSSL's cache at the client forbids a TLS 1.3 session to be resumed twice,
/// and a client that only sends never reads the ticket for the next time.
const CACHE_OFF: c_long = 0;

/// `SSL_SESS_CACHE_SERVER`, for TLS 1.2 clients that know no tickets.
const CACHE_SERVER: c_long = 2;

/// How many sessions such clients may leave in the memory of a server.
const CACHED_SESSIONS: c_long = 1024;

/// How long a session can be resumed, in seconds: as long as a control connection can reasonably live.
const SESSION_TIMEOUT: c_long = 24 * 60 * 60;

/// Where systems have the certificates of authorities, for an OpenSSL that was made for another system.
/// Debian, Fedora, openSUSE, Alpine, FreeBSD, macOS with Homebrew.
const USUAL_AUTHORITIES: &[&str] = &[
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
    "/usr/local/share/certs/ca-root-nss.crt",
    "/usr/local/etc/ssl/cert.pem",
    "/opt/homebrew/etc/openssl@3/cert.pem",
    "/usr/local/etc/openssl@3/cert.pem",
];

/// What the connections of a server or of a client have in common. Connections keep what they need of
/// it, so it may be dropped before them.
pub struct TlsContext {
    library: &'static TlsLibrary,
    raw: Pointer,
}

// SAFETY: an SSL_CTX is counted with atomic counters, has a lock of its own for the cache of sessions,
// and is not changed here after it was made.
unsafe impl Send for TlsContext {}
// SAFETY: as above.
unsafe impl Sync for TlsContext {}

impl Drop for TlsContext {
    fn drop(&mut self) {
        // SAFETY: made by SSL_CTX_new, given back once; connections have counted themselves.
        unsafe { (self.library.api.SSL_CTX_free)(self.raw) };
    }
}

impl TlsContext {
    /// Makes the context of a server. `certificate` is a PEM file with the server's certificate first and
    /// those of the authorities between it and the root behind it; `key` one with the private key, which
    /// may be the same file.
    ///
    /// # Errors
    /// A file that cannot be read or is something else, a key that is encrypted, too weak for the system
    /// or of another certificate. The text names the file.
    pub fn server(
        library: &'static TlsLibrary,
        certificate: &Path,
        key: &Path,
        min: TlsVersion,
    ) -> Result<TlsContext, TlsError> {
        let context = TlsContext::new(library, min, CACHE_SERVER)?;
        let (api, raw) = (&library.api, context.raw);
        context.control(ctrl::SESSION_CACHE_SIZE, CACHED_SESSIONS);
        let certificate_name = pem_file(certificate, "CERTIFICATE-----", "certificate")?;
        let key_name = pem_file(key, "PRIVATE KEY-----", "private key")?;
        // SAFETY: the context is new, and the callback has this signature and refuses.
        unsafe { (api.SSL_CTX_set_default_passwd_cb)(raw, refuse_password) };
        clear_queue(api);
        // SAFETY: the context lives, and the name ends in NUL.
        if unsafe { (api.SSL_CTX_use_certificate_chain_file)(raw, certificate_name.as_ptr()) } != 1
        {
            return Err(unusable(api, certificate, "certificate"));
        }
        /// `SSL_FILETYPE_PEM`.
        const PEM: c_int = 1;
        // SAFETY: as above.
        if unsafe { (api.SSL_CTX_use_PrivateKey_file)(raw, key_name.as_ptr(), PEM) } != 1 {
            return Err(unusable(api, key, "private key"));
        }
        // SAFETY: the context lives.
        if unsafe { (api.SSL_CTX_check_private_key)(raw) } != 1 {
            clear_queue(api);
            return Err(mismatch(key));
        }
        // SAFETY: the callback has this signature and needs no argument.
        unsafe { (api.SSL_CTX_set_alpn_select_cb)(raw, select_protocol, ptr::null_mut()) };
        Ok(context)
    }

    /// Makes the context of a client. `authorities` is a PEM file or a directory of hashed names; without
    /// it `SSL_CERT_FILE` and `SSL_CERT_DIR` say where they are, else those of the system are used.
    ///
    /// Verification does not end a handshake: ask [`Tls::verdict`] before a byte is sent.
    ///
    /// # Errors
    /// Authorities that are named and cannot be read.
    pub fn client(
        library: &'static TlsLibrary,
        authorities: Option<&Path>,
        min: TlsVersion,
    ) -> Result<TlsContext, TlsError> {
        /// `SSL_VERIFY_NONE`.
        const TELL_ONLY: c_int = 0;
        let context = TlsContext::new(library, min, CACHE_OFF)?;
        // SAFETY: the context is new; without a callback there is nothing to be called.
        unsafe { (library.api.SSL_CTX_set_verify)(context.raw, TELL_ONLY, ptr::null_mut()) };
        match authorities {
            Some(path) => context.trust(path)?,
            None => context.trust_system(),
        }
        Ok(context)
    }

    fn new(
        library: &'static TlsLibrary,
        min: TlsVersion,
        cache: c_long,
    ) -> Result<TlsContext, TlsError> {
        let api = &library.api;
        clear_queue(api);
        // SAFETY: the method is a constant of the library.
        let raw = unsafe { (api.SSL_CTX_new)((api.TLS_method)()) };
        if raw.is_null() {
            let words = error::take_queue(api).map_or("out of memory".to_owned(), |e| e.words);
            return Err(TlsError::new(
                TlsErrorKind::Library,
                format!("cannot use the TLS library: {words}"),
            ));
        }
        let context = TlsContext { library, raw };
        context.limit_versions(min)?;
        context.control(ctrl::MODE, MODE);
        context.control(ctrl::SESSION_CACHE_MODE, cache);
        context.set_options();
        // SAFETY: the context lives; takes a number.
        unsafe { (api.SSL_CTX_set_timeout)(raw, SESSION_TIMEOUT) };
        Ok(context)
    }

    /// Accepts `min` and what is newer, unless the system's policy asks for more.
    fn limit_versions(&self, min: TlsVersion) -> Result<(), TlsError> {
        let least = self.control(ctrl::GET_MIN_VERSION, 0).max(min.number());
        let mut limited = self.control(ctrl::SET_MIN_VERSION, least) == 1;
        if self.library.is_libre() {
            let most = TlsVersion::V1_2.number();
            limited &= least <= most && self.control(ctrl::SET_MAX_VERSION, most) == 1;
        }
        let version = self.library.version();
        let text = || format!("cannot use {version}: it has no such TLS version");
        limited.then_some(()).ok_or_else(|| TlsError::new(TlsErrorKind::Library, text()))
    }

    fn set_options(&self) {
        let Some(set_options) = self.library.api.SSL_CTX_set_options else {
            self.control(ctrl::OPTIONS, OPTIONS as c_long);
            return;
        };
        // Before version 3 the options were an unsigned long, which has 64 bits where pointers have.
        // SAFETY: a call without arguments that returns a constant.
        #[cfg(target_pointer_width = "32")]
        if unsafe { (self.library.api.OpenSSL_version_num)() } < 0x3000_0000 {
            // SAFETY: the signature in this version.
            let set_options = unsafe {
                std::mem::transmute::<
                    unsafe extern "C" fn(Pointer, u64) -> u64,
                    unsafe extern "C" fn(Pointer, u32) -> u32,
                >(set_options)
            };
            // SAFETY: the context lives; takes a number.
            unsafe { set_options(self.raw, OPTIONS) };
            return;
        }
        // SAFETY: the context lives; takes a number.
        unsafe { set_options(self.raw, OPTIONS.into()) };
    }

    /// One of the calls that take and return a number.
    fn control(&self, command: c_int, number: c_long) -> c_long {
        // SAFETY: the context lives; these commands take a number and no pointer.
        unsafe { (self.library.api.SSL_CTX_ctrl)(self.raw, command, number, ptr::null_mut()) }
    }

    /// Trusts the authorities in a file or directory, and no others.
    fn trust(&self, path: &Path) -> Result<(), TlsError> {
        let is_dir = fs::metadata(path).is_ok_and(|metadata| metadata.is_dir());
        let name = match is_dir {
            true => c_path(path)?,
            false => pem_file(path, "CERTIFICATE-----", "certificate")?,
        };
        let (file, dir) = if is_dir { (None, Some(&name)) } else { (Some(&name), None) };
        let pointer = |name: Option<&CString>| name.map_or(ptr::null(), |name| name.as_ptr());
        clear_queue(&self.library.api);
        // SAFETY: the context lives, and each name is null or ends in NUL.
        let loaded = unsafe {
            (self.library.api.SSL_CTX_load_verify_locations)(self.raw, pointer(file), pointer(dir))
        };
        if loaded == 1 { Ok(()) } else { Err(unusable(&self.library.api, path, "certificate")) }
    }

    /// Trusts the system's authorities. Where there are none, no certificate is trusted.
    fn trust_system(&self) {
        let api = &self.library.api;
        let named =
            ["SSL_CERT_FILE", "SSL_CERT_DIR"].iter().any(|name| env::var_os(name).is_some());
        // SAFETY: both return constant strings.
        let defaults =
            unsafe { [(api.X509_get_default_cert_file)(), (api.X509_get_default_cert_dir)()] };
        let exists =
            |name: *const c_char| error::text(name).is_some_and(|p| Path::new(&p).exists());
        let usual = USUAL_AUTHORITIES.iter().map(Path::new).find(|path| path.exists());
        match usual {
            Some(path) if !named && !defaults.into_iter().any(exists) => {
                let _ = self.trust(path);
            }
            _ => {
                // SAFETY: the context lives.
                unsafe { (api.SSL_CTX_set_default_verify_paths)(self.raw) };
            }
        }
        clear_queue(api);
    }

    /// Makes the server's end of a connection; its handshake is still to be done. Sessions are bound to
    /// `id`: only connections with the same one resume them. `tickets` is how many a TLS 1.3 client gets
    /// after the handshake; `None` leaves that to OpenSSL.
    ///
    /// # Errors
    /// What the system says of the socket; out of memory.
    pub fn accept(&self, tcp: TcpStream, id: &[u8; 16], tickets: Option<u32>) -> io::Result<Tls> {
        let mut tls = self.connection(tcp)?;
        tls.be_server(id, tickets)?;
        Ok(tls)
    }

    /// Makes the client's end of a connection; its handshake is still to be done. The certificate must be
    /// for `host`, a name or an address. `session` is resumed if the server agrees.
    ///
    /// # Errors
    /// `InvalidInput` for a host that no certificate can be for; what the system says of the socket.
    pub fn connect(
        &self,
        tcp: TcpStream,
        host: &str,
        session: Option<&TlsSession>,
    ) -> io::Result<Tls> {
        let mut tls = self.connection(tcp)?;
        tls.be_client(host, session)?;
        Ok(tls)
    }

    /// Whether [`Tls::renew_ticket`] can send a ticket (OpenSSL 3).
    pub fn can_renew_tickets(&self) -> bool {
        self.library.api.SSL_new_session_ticket.is_some()
    }

    /// The context's own certificate: that of a server.
    pub fn own_certificate(&self) -> Option<Certificate> {
        let api = &self.library.api;
        // SAFETY: the context lives.
        let ssl = unsafe { (api.SSL_new)(self.raw) };
        if ssl.is_null() {
            return None;
        }
        // SAFETY: the object lives, and so does the certificate, which is not ours to free.
        let certificate = Certificate::copy(api, unsafe { (api.SSL_get_certificate)(ssl) });
        // SAFETY: made by SSL_new, freed once.
        unsafe { (api.SSL_free)(ssl) };
        certificate
    }

    /// Has a client speak TLS 1.2 at most.
    #[cfg(test)]
    pub(super) fn hold_at_1_2(&mut self) {
        assert_eq!(self.control(ctrl::SET_MAX_VERSION, TlsVersion::V1_2.number()), 1);
    }

    fn connection(&self, tcp: TcpStream) -> io::Result<Tls> {
        clear_queue(&self.library.api);
        // SAFETY: the context lives as long as this.
        unsafe { Tls::new(&self.library.api, self.raw, tcp) }
    }
}

impl fmt::Debug for TlsContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TlsContext")
    }
}

fn clear_queue(api: &Api) {
    // SAFETY: touches the queue of this thread alone.
    unsafe { (api.ERR_clear_error)() };
}

/// Makes sure that a file can be read and has a PEM block whose first line ends in `mark`, since OpenSSL's
/// words for a file that has not are hard to read. Returns the name as OpenSSL wants it.
fn pem_file(path: &Path, mark: &str, what: &str) -> Result<CString, TlsError> {
    let shown = path.display();
    let content = fs::read(path).map_err(|error| {
        let text = error.to_string();
        let reason = text.split(" (os error").next().unwrap_or_default();
        TlsError::new(TlsErrorKind::File, format!("cannot read {shown}: {reason}"))
    })?;
    let headers =
        || content.split(|byte| *byte == b'\n').filter(|line| line.starts_with(b"-----BEGIN "));
    let is_it = |line: &[u8]| line.trim_ascii_end().ends_with(mark.as_bytes());
    if !headers().any(is_it) {
        let text = format!("cannot use {shown}: it has no {what} in PEM form");
        return Err(TlsError::new(TlsErrorKind::File, text));
    }
    c_path(path)
}

fn c_path(path: &Path) -> Result<CString, TlsError> {
    let name: &OsStr = path.as_os_str();
    CString::new(name.as_encoded_bytes()).map_err(|_| {
        TlsError::new(TlsErrorKind::File, format!("cannot read {}: it has a NUL", path.display()))
    })
}

/// The error for a file that OpenSSL did not take.
fn unusable(api: &Api, path: &Path, what: &str) -> TlsError {
    let shown = path.display();
    let queued = error::take_queue(api);
    let words = queued.as_ref().map_or("unknown error", |queued| queued.words.as_str());
    match queued.as_ref().map(|queued| (queued.library, queued.reason)) {
        // X509_R_KEY_VALUES_MISMATCH and X509_R_KEY_TYPE_MISMATCH.
        Some((11, 115 | 116)) => mismatch(path),
        // SSL_R_CA_KEY_TOO_SMALL, SSL_R_CA_MD_TOO_WEAK, SSL_R_EE_KEY_TOO_SMALL.
        Some((20, 397..=399)) => TlsError::new(
            TlsErrorKind::TooWeak,
            format!("cannot use {shown}: its {what} is too weak ({words})"),
        ),
        _ if is_encrypted(path) => TlsError::new(
            TlsErrorKind::KeyEncrypted,
            format!(
                "cannot use {shown}: its private key is encrypted; store it without a password"
            ),
        ),
        _ => TlsError::new(
            TlsErrorKind::File,
            format!("cannot use {shown}: its {what} cannot be read ({words})"),
        ),
    }
}

fn mismatch(key: &Path) -> TlsError {
    let shown = key.display();
    let text = format!("cannot use {shown}: its private key is not that of the certificate");
    TlsError::new(TlsErrorKind::KeyMismatch, text)
}

/// Whether a key in a PEM file is encrypted, in the form of PKCS #8 or in the older one.
fn is_encrypted(path: &Path) -> bool {
    let content = fs::read(path).unwrap_or_default();
    let marks: [&[u8]; 2] = [b"BEGIN ENCRYPTED PRIVATE KEY", b"Proc-Type: 4,ENCRYPTED"];
    marks.iter().any(|mark| content.windows(mark.len()).any(|bytes| bytes == *mark))
}

/// Refuses to give a password: OpenSSL would ask for it on the terminal.
unsafe extern "C" fn refuse_password(_: *mut c_char, _: c_int, _: c_int, _: Pointer) -> c_int {
    -1
}

/// Chooses the application protocol (ALPN). A client that offers some, and none of FTP, was tricked into
/// speaking to this server (ALPACA, CVE-2021-3618): its handshake ends with an alert.
unsafe extern "C" fn select_protocol(
    _: Pointer,
    chosen: *mut *const c_uchar,
    chosen_length: *mut c_uchar,
    offered: *const c_uchar,
    length: c_uint,
    _: Pointer,
) -> c_int {
    /// `SSL_TLSEXT_ERR_OK` and `SSL_TLSEXT_ERR_ALERT_FATAL`.
    const ACCEPTED: c_int = 0;
    const REFUSED: c_int = 2;
    // SAFETY: OpenSSL passes a list of that many bytes, and places for the answer.
    let list = unsafe { slice::from_raw_parts(offered, length as usize) };
    let Some(protocol) = ftp_among(list) else { return REFUSED };
    // SAFETY: as above; the answer points into the list, as it may, and is no longer than 255.
    unsafe {
        *chosen = protocol.as_ptr();
        *chosen_length = protocol.len() as c_uchar;
    }
    ACCEPTED
}

/// The first protocol of FTP in a list, in which each has its length before it (RFC 7301 section 3.1).
fn ftp_among(mut list: &[u8]) -> Option<&[u8]> {
    const OURS: [&[u8]; 3] = [b"ftp", b"ftp-data", b"x-filezilla-ftp"];
    loop {
        let (length, rest) = list.split_first()?;
        let (name, rest) = rest.split_at_checked(usize::from(*length))?;
        if OURS.contains(&name) {
            return Some(name);
        }
        list = rest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protocols_of_ftp_are_found_in_a_list() {
        assert_eq!(ftp_among(b"\x02h2\x03ftp"), Some(&b"ftp"[..]));
        assert_eq!(ftp_among(b"\x0fx-filezilla-ftp"), Some(&b"x-filezilla-ftp"[..]));
        assert_eq!(ftp_among(b"\x08ftp-data\x03ftp"), Some(&b"ftp-data"[..]));
        for others in
            [&b""[..], b"\x02h2", b"\x08http/1.1", b"\x04ftp", b"\x03ft", b"\xff", b"\x00"]
        {
            assert_eq!(ftp_among(others), None, "{others:?}");
        }
    }
}
