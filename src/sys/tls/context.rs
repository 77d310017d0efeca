//! [`TlsContext`]: the certificate, authorities and settings that connections share.

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

/// The minimum TLS version of a context.
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

/// `SSL_MODE_ENABLE_PARTIAL_WRITE`, `SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER` and
/// `SSL_MODE_RELEASE_BUFFERS`. With the last one, idle connections hold no buffers.
const MODE: c_long = 1 | 2 | 16;

/// `SSL_OP_NO_RENEGOTIATION` and `SSL_OP_CIPHER_SERVER_PREFERENCE`, but not
/// `SSL_OP_IGNORE_UNEXPECTED_EOF`, so that a truncated connection does not look like a complete one.
const OPTIONS: u32 = 1 << 30 | 1 << 22;

/// `SSL_SESS_CACHE_OFF`. With OpenSSL's client cache a TLS 1.3 session can be resumed only once, and a
/// client that only sends never reads a new ticket.
const CACHE_OFF: c_long = 0;

/// `SSL_SESS_CACHE_SERVER`, for TLS 1.2 clients without ticket support.
const CACHE_SERVER: c_long = 2;

/// Maximum number of cached sessions of such clients.
const CACHED_SESSIONS: c_long = 1024;

/// Lifetime of sessions in seconds, enough for a long control connection.
const SESSION_TIMEOUT: c_long = 24 * 60 * 60;

/// The usual CA bundles, for an OpenSSL that was built for another system: Debian, Fedora, openSUSE,
/// Alpine, FreeBSD, macOS with Homebrew.
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

/// The configuration that the connections of a server or client share. It may be dropped before its
/// connections.
pub struct TlsContext {
    library: &'static TlsLibrary,
    raw: Pointer,
}

// SAFETY: an SSL_CTX has an atomic reference count and a lock for its session cache, and is not changed
// here after its creation.
unsafe impl Send for TlsContext {}
// SAFETY: as above.
unsafe impl Sync for TlsContext {}

impl Drop for TlsContext {
    fn drop(&mut self) {
        // SAFETY: created by SSL_CTX_new and freed once; connections hold their own references.
        unsafe { (self.library.api.SSL_CTX_free)(self.raw) };
    }
}

impl TlsContext {
    /// Creates the context of a server. `certificate` is a PEM file with the server's certificate
    /// followed by the intermediate certificates. `key` is a PEM file with the private key, and may be
    /// the same file.
    ///
    /// # Errors
    /// A file cannot be read or has other contents, or the key is encrypted, too weak, or belongs to
    /// another certificate. The message names the file.
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
        // SAFETY: the context is new, and the callback has this signature.
        unsafe { (api.SSL_CTX_set_default_passwd_cb)(raw, refuse_password) };
        clear_queue(api);
        // SAFETY: the context is valid, and the name is NUL-terminated.
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
        // SAFETY: the context is valid.
        if unsafe { (api.SSL_CTX_check_private_key)(raw) } != 1 {
            clear_queue(api);
            return Err(mismatch(key));
        }
        // SAFETY: the callback has this signature and ignores its argument.
        unsafe { (api.SSL_CTX_set_alpn_select_cb)(raw, select_protocol, ptr::null_mut()) };
        Ok(context)
    }

    /// Creates the context of a client. `authorities` is a PEM file or a directory of hashed names.
    /// Without it, the authorities come from `SSL_CERT_FILE` and `SSL_CERT_DIR`, or else from the
    /// system.
    ///
    /// A failed verification does not end the handshake: call [`Tls::verify_peer`] before sending any
    /// data.
    ///
    /// # Errors
    /// `authorities` cannot be read.
    pub fn client(
        library: &'static TlsLibrary,
        authorities: Option<&Path>,
        min: TlsVersion,
    ) -> Result<TlsContext, TlsError> {
        /// `SSL_VERIFY_NONE`.
        const VERIFY_NONE: c_int = 0;
        let context = TlsContext::new(library, min, CACHE_OFF)?;
        // SAFETY: the context is new, and there is no callback.
        unsafe { (library.api.SSL_CTX_set_verify)(context.raw, VERIFY_NONE, ptr::null_mut()) };
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
        // SAFETY: the method is a constant in the library.
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
        // SAFETY: the context is valid; takes a number.
        unsafe { (api.SSL_CTX_set_timeout)(raw, SESSION_TIMEOUT) };
        Ok(context)
    }

    /// Sets the minimum version to `min`, or to the system policy's minimum if that is higher.
    fn limit_versions(&self, min: TlsVersion) -> Result<(), TlsError> {
        let least = self.control(ctrl::GET_MIN_VERSION, 0).max(min.number());
        let mut limited = self.control(ctrl::SET_MIN_VERSION, least) == 1;
        if self.library.is_libressl() {
            let most = TlsVersion::V1_2.number();
            limited &= least <= most && self.control(ctrl::SET_MAX_VERSION, most) == 1;
        }
        let version = self.library.version();
        let text = || format!("cannot use {version}: it does not support the required TLS version");
        limited.then_some(()).ok_or_else(|| TlsError::new(TlsErrorKind::Library, text()))
    }

    fn set_options(&self) {
        let Some(set_options) = self.library.api.SSL_CTX_set_options else {
            self.control(ctrl::OPTIONS, OPTIONS as c_long);
            return;
        };
        // Before OpenSSL 3, options were an `unsigned long`, which is as wide as a pointer on Unix.
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
            // SAFETY: the context is valid; takes a number.
            unsafe { set_options(self.raw, OPTIONS) };
            return;
        }
        // SAFETY: the context is valid; takes a number.
        unsafe { set_options(self.raw, OPTIONS.into()) };
    }

    /// Calls SSL_CTX_ctrl with a command that takes and returns a number.
    fn control(&self, command: c_int, number: c_long) -> c_long {
        // SAFETY: the context is valid; these commands take a number and no pointer.
        unsafe { (self.library.api.SSL_CTX_ctrl)(self.raw, command, number, ptr::null_mut()) }
    }

    /// Trusts only the authorities in a file or directory.
    fn trust(&self, path: &Path) -> Result<(), TlsError> {
        let is_dir = fs::metadata(path).is_ok_and(|metadata| metadata.is_dir());
        let name = match is_dir {
            true => c_path(path)?,
            false => pem_file(path, "CERTIFICATE-----", "certificate")?,
        };
        let (file, dir) = if is_dir { (None, Some(&name)) } else { (Some(&name), None) };
        let pointer = |name: Option<&CString>| name.map_or(ptr::null(), |name| name.as_ptr());
        clear_queue(&self.library.api);
        // SAFETY: the context is valid, and each name is null or NUL-terminated.
        let loaded = unsafe {
            (self.library.api.SSL_CTX_load_verify_locations)(self.raw, pointer(file), pointer(dir))
        };
        if loaded == 1 { Ok(()) } else { Err(unusable(&self.library.api, path, "certificate")) }
    }

    /// Trusts the system's authorities. If there are none, no certificate is trusted.
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
                // SAFETY: the context is valid.
                unsafe { (api.SSL_CTX_set_default_verify_paths)(self.raw) };
            }
        }
        clear_queue(api);
    }

    /// Creates the server side of a connection, before its handshake. Only connections with the same
    /// `id` can resume its session. `tickets` is the number of tickets that a TLS 1.3 client gets after
    /// the handshake; `None` means OpenSSL's default.
    ///
    /// # Errors
    /// A system error of the socket, or out of memory.
    pub fn accept(&self, tcp: TcpStream, id: &[u8; 16], tickets: Option<u32>) -> io::Result<Tls> {
        let mut tls = self.connection(tcp)?;
        tls.init_server(id, tickets)?;
        Ok(tls)
    }

    /// Creates the client side of a connection, before its handshake. The certificate must be for
    /// `host`, a name or an address. If the server agrees, `session` is resumed.
    ///
    /// # Errors
    /// `InvalidInput` if no certificate can be for this host, or a system error of the socket.
    pub fn connect(
        &self,
        tcp: TcpStream,
        host: &str,
        session: Option<&TlsSession>,
    ) -> io::Result<Tls> {
        let mut tls = self.connection(tcp)?;
        tls.init_client(host, session)?;
        Ok(tls)
    }

    /// Returns true if [`Tls::renew_ticket`] is supported (OpenSSL 3).
    pub fn can_renew_tickets(&self) -> bool {
        self.library.api.SSL_new_session_ticket.is_some()
    }

    /// Returns the server's certificate.
    pub fn own_certificate(&self) -> Option<Certificate> {
        let api = &self.library.api;
        // SAFETY: the context is valid.
        let ssl = unsafe { (api.SSL_new)(self.raw) };
        if ssl.is_null() {
            return None;
        }
        // SAFETY: the `SSL` object is valid and owns the certificate.
        let certificate = Certificate::copy(api, unsafe { (api.SSL_get_certificate)(ssl) });
        // SAFETY: created by SSL_new, freed once.
        unsafe { (api.SSL_free)(ssl) };
        certificate
    }

    /// Limits the context to TLS 1.2.
    #[cfg(test)]
    pub(super) fn limit_to_1_2(&mut self) {
        assert_eq!(self.control(ctrl::SET_MAX_VERSION, TlsVersion::V1_2.number()), 1);
    }

    fn connection(&self, tcp: TcpStream) -> io::Result<Tls> {
        clear_queue(&self.library.api);
        // SAFETY: the context is valid as long as `self`.
        unsafe { Tls::new(&self.library.api, self.raw, tcp) }
    }
}

impl fmt::Debug for TlsContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TlsContext")
    }
}

fn clear_queue(api: &Api) {
    // SAFETY: affects only the error queue of this thread.
    unsafe { (api.ERR_clear_error)() };
}

/// Checks that a file can be read and has a PEM block whose first line ends in `mark`; OpenSSL's own
/// error messages for this are hard to understand. Returns the file name for OpenSSL.
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
        TlsError::new(
            TlsErrorKind::File,
            format!("cannot read {}: its name contains a NUL", path.display()),
        )
    })
}

/// Builds the error for a file that OpenSSL rejected.
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

/// Returns true if a PEM file has an encrypted key, in PKCS #8 or the older format.
fn is_encrypted(path: &Path) -> bool {
    let content = fs::read(path).unwrap_or_default();
    let marks: [&[u8]; 2] = [b"BEGIN ENCRYPTED PRIVATE KEY", b"Proc-Type: 4,ENCRYPTED"];
    marks.iter().any(|mark| content.windows(mark.len()).any(|bytes| bytes == *mark))
}

/// Returns no password. Without this callback, OpenSSL would ask on the terminal.
unsafe extern "C" fn refuse_password(_: *mut c_char, _: c_int, _: c_int, _: Pointer) -> c_int {
    -1
}

/// Chooses the application protocol (ALPN). If a client offers protocols but none for FTP, the
/// handshake ends with an alert, because it may be the victim of a cross-protocol attack (ALPACA,
/// CVE-2021-3618).
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
    // SAFETY: OpenSSL passes a list of `length` bytes and valid output pointers.
    let list = unsafe { slice::from_raw_parts(offered, length as usize) };
    let Some(protocol) = ftp_among(list) else { return REFUSED };
    // SAFETY: as above; the result may point into the list, and is at most 255 bytes long.
    unsafe {
        *chosen = protocol.as_ptr();
        *chosen_length = protocol.len() as c_uchar;
    }
    ACCEPTED
}

/// Returns the first FTP protocol in an ALPN list, where a length precedes each name (RFC 7301 section
/// 3.1).
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
    fn ftp_protocols_are_found_in_an_alpn_list() {
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
