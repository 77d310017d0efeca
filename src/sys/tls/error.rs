//! [`TlsError`]: TLS errors with readable messages, and their mapping from OpenSSL's error codes.

use super::api::Api;
use std::ffi::{CStr, c_char, c_long, c_ulong};
use std::{error, fmt, io};

/// The TLS library cannot be used. The text is a complete error message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsUnavailable(pub(super) String);

impl fmt::Display for TlsUnavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl error::Error for TlsUnavailable {}

/// A TLS error. Its message has no OpenSSL error codes such as `error:0A…`. Names in it may come from a
/// peer's certificate, so escape them for display.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsError {
    kind: TlsErrorKind,
    text: String,
}

/// The kinds of [`TlsError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TlsErrorKind {
    /// A file with a certificate, a key or authorities cannot be read or has other contents.
    File,
    /// The private key is encrypted with a password.
    KeyEncrypted,
    /// The private key does not belong to the certificate.
    KeyMismatch,
    /// A key or signature is weaker than the system's policy allows.
    TooWeak,
    /// The name cannot appear in a certificate.
    Name,
    /// An OpenSSL call failed for another reason, such as lack of memory.
    Library,
    /// The peer sent plain text instead of TLS.
    ClearText,
    /// The peers have no TLS version in common.
    NoCommonVersion,
    /// The peers have no cipher, group or signature algorithm in common.
    NoCommonCipher,
    /// The client offered application protocols (ALPN), but not FTP.
    ApplicationProtocol,
    /// The peer rejected our certificate.
    CertificateRefused,
    /// The peer ended the connection with another alert.
    Refused,
    /// The connection ended without close_notify: the data may be truncated.
    Truncated,
    /// The connection ended during the handshake.
    HandshakeEnded,
    /// The peer violated the protocol.
    Protocol,
    /// The peer sent no certificate.
    NoCertificate,
    /// The peer's certificate has expired.
    Expired,
    /// The peer's certificate is not valid yet.
    NotYetValid,
    /// The peer's certificate is self-signed and not trusted.
    SelfSigned,
    /// The peer's certificate was issued by an authority that is not trusted.
    UnknownAuthority,
    /// The peer's certificate is for other names.
    WrongName,
    /// The peer's certificate is invalid for another reason.
    BadCertificate,
}

impl TlsErrorKind {
    /// Returns a stable word for logs and metrics, such as `clear-text` or `unknown-authority`.
    pub fn word(self) -> &'static str {
        match self {
            TlsErrorKind::File => "file",
            TlsErrorKind::KeyEncrypted => "key-encrypted",
            TlsErrorKind::KeyMismatch => "key-mismatch",
            TlsErrorKind::TooWeak => "too-weak",
            TlsErrorKind::Name => "name",
            TlsErrorKind::Library => "library",
            TlsErrorKind::ClearText => "clear-text",
            TlsErrorKind::NoCommonVersion => "no-common-version",
            TlsErrorKind::NoCommonCipher => "no-common-cipher",
            TlsErrorKind::ApplicationProtocol => "application-protocol",
            TlsErrorKind::CertificateRefused => "certificate-refused",
            TlsErrorKind::Refused => "refused",
            TlsErrorKind::Truncated => "truncated",
            TlsErrorKind::HandshakeEnded => "handshake-ended",
            TlsErrorKind::Protocol => "protocol",
            TlsErrorKind::NoCertificate => "no-certificate",
            TlsErrorKind::Expired => "expired",
            TlsErrorKind::NotYetValid => "not-yet-valid",
            TlsErrorKind::SelfSigned => "self-signed",
            TlsErrorKind::UnknownAuthority => "unknown-authority",
            TlsErrorKind::WrongName => "wrong-name",
            TlsErrorKind::BadCertificate => "bad-certificate",
        }
    }
}

impl TlsError {
    pub(super) fn new(kind: TlsErrorKind, text: impl Into<String>) -> TlsError {
        TlsError { kind, text: text.into() }
    }

    /// Returns the kind.
    pub fn kind(&self) -> TlsErrorKind {
        self.kind
    }

    /// Returns the `TlsError` inside an I/O error, or `None` for an error of the socket.
    pub fn of(error: &io::Error) -> Option<&TlsError> {
        error.get_ref()?.downcast_ref()
    }

    /// Returns the kind of the `io::Error` that wraps this error.
    pub(super) fn io_kind(&self) -> io::ErrorKind {
        match self.kind {
            TlsErrorKind::Truncated | TlsErrorKind::HandshakeEnded => io::ErrorKind::UnexpectedEof,
            TlsErrorKind::Library => io::ErrorKind::Other,
            _ => io::ErrorKind::InvalidData,
        }
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl error::Error for TlsError {}

impl From<TlsError> for io::Error {
    fn from(error: TlsError) -> io::Error {
        io::Error::new(error.io_kind(), error)
    }
}

/// An error from this thread's OpenSSL error queue: library code, reason code and message.
#[derive(Debug)]
pub(super) struct Queued {
    pub(super) library: c_ulong,
    pub(super) reason: c_ulong,
    pub(super) words: String,
}

/// `ERR_LIB_SSL`.
const SSL: c_ulong = 20;

/// `SSL_R_UNEXPECTED_EOF_WHILE_READING`: OpenSSL 3's code for a missing close_notify.
const UNEXPECTED_EOF: c_ulong = 294;

/// Base of the reason codes for alerts: `SSL_AD_REASON_OFFSET`.
const ALERTS: c_ulong = 1000;

/// Empties the error queue and returns the first error.
pub(super) fn take_queue(api: &Api) -> Option<Queued> {
    // SAFETY: affects only the error queue of this thread.
    let first = unsafe { (api.ERR_get_error)() };
    if first == 0 {
        return None;
    }
    // SAFETY: any number is allowed; the result is null or a string that is never freed.
    let words = text(unsafe { (api.ERR_reason_error_string)(first) });
    // SAFETY: as the first call.
    let version = unsafe { (api.OpenSSL_version_num)() };
    // SAFETY: as the first call.
    unsafe { (api.ERR_clear_error)() };
    // In OpenSSL 3, bit 31 marks an errno; otherwise there are 8 bits of library and 23 of reason.
    // Older versions have 8 bits of library, 12 of function and 12 of reason.
    let (library, reason) = if version < 0x3000_0000 {
        (first >> 24 & 0xff, first & 0xfff)
    } else if first >> 31 & 1 == 1 {
        (2, first & 0x7fff_ffff)
    } else {
        (first >> 23 & 0xff, first & 0x7f_ffff)
    };
    let words = match words {
        Some(words) => words,
        None if library == 2 => io::Error::from_raw_os_error(reason as i32).to_string(),
        None => format!("error {reason} of part {library}"),
    };
    Some(Queued { library, reason, words })
}

/// Builds the error for a failed call on a connection.
pub(super) fn of_connection(queued: Option<Queued>, established: bool) -> TlsError {
    let Some(Queued { library, reason, words }) = queued else {
        return ended(established);
    };
    if library != SSL {
        return TlsError::new(TlsErrorKind::Protocol, format!("TLS failed: {words}"));
    }
    match reason {
        UNEXPECTED_EOF => ended(established),
        // http request, https proxy request, wrong version number, and unknown record type, which
        // OpenSSL 3.5 checks first.
        155 | 156 | 267 | 443 => clear_text(established),
        // no protocols available, unsupported or unknown protocol, version too high or too low, and the
        // alert protocol_version.
        166 | 191 | 252 | 258 | 396 | 1070 => {
            TlsError::new(TlsErrorKind::NoCommonVersion, "no TLS version in common with the peer")
        }
        // no shared cipher, groups, signature algorithms, key share; insufficient_security.
        101 | 118 | 193 | 295 | 297 | 376 | 410 | 1071 => {
            TlsError::new(TlsErrorKind::NoCommonCipher, "no cipher in common with the peer")
        }
        235 | 1120 => TlsError::new(
            TlsErrorKind::ApplicationProtocol,
            "the client speaks a protocol other than FTP",
        ),
        394 | 397 | 398 | 399 => {
            TlsError::new(TlsErrorKind::TooWeak, format!("the peer's key is too weak: {words}"))
        }
        // bad_certificate to certificate_unknown, unknown_ca, access_denied, certificate_required.
        1042..=1046 | 1048 | 1049 | 1116 => TlsError::new(
            TlsErrorKind::CertificateRefused,
            format!("the peer refused the certificate: {}", alert(&words)),
        ),
        ALERTS.. => TlsError::new(
            TlsErrorKind::Refused,
            format!("the peer ended the TLS connection: {}", alert(&words)),
        ),
        _ => TlsError::new(TlsErrorKind::Protocol, format!("TLS failed: {words}")),
    }
}

/// Builds the error for plain text instead of TLS.
fn clear_text(established: bool) -> TlsError {
    let text = match established {
        true => "the peer continued without TLS",
        false => "the peer does not speak TLS here",
    };
    TlsError::new(TlsErrorKind::ClearText, text)
}

/// Builds the error for a connection that closed without close_notify.
pub(super) fn ended(established: bool) -> TlsError {
    match established {
        true => TlsError::new(
            TlsErrorKind::Truncated,
            "the connection ended without a TLS close_notify; the data may be truncated",
        ),
        false => TlsError::new(
            TlsErrorKind::HandshakeEnded,
            "the peer closed the connection during the TLS handshake",
        ),
    }
}

/// Returns `handshake failure` from `sslv3 alert handshake failure`.
fn alert(words: &str) -> &str {
    words.split_once(" alert ").map_or(words, |(_, name)| name)
}

/// Converts a verification result code to an error; zero is success.
pub(super) fn of_verification(api: &Api, code: c_long) -> Result<(), TlsError> {
    let (kind, text) = match code {
        0 => return Ok(()),
        9 => (TlsErrorKind::NotYetValid, "the certificate is not valid yet".to_owned()),
        10 => (TlsErrorKind::Expired, "the certificate has expired".to_owned()),
        18 => (TlsErrorKind::SelfSigned, "self-signed certificate".to_owned()),
        19 => (
            TlsErrorKind::UnknownAuthority,
            "the certificate comes from an authority that is not trusted".to_owned(),
        ),
        2 | 20 | 21 | 27 => (
            TlsErrorKind::UnknownAuthority,
            "the certificate comes from an unknown authority".to_owned(),
        ),
        62 => (TlsErrorKind::WrongName, "the certificate is for another host name".to_owned()),
        64 => (TlsErrorKind::WrongName, "the certificate is for another address".to_owned()),
        66..=68 => (TlsErrorKind::TooWeak, verification_words(api, code)),
        _ => (TlsErrorKind::BadCertificate, verification_words(api, code)),
    };
    Err(TlsError::new(kind, text))
}

/// Returns OpenSSL's message for a verification result.
fn verification_words(api: &Api, code: c_long) -> String {
    // SAFETY: any number is allowed, and the result is a string that is never freed.
    let words = text(unsafe { (api.X509_verify_cert_error_string)(code) });
    format!("bad certificate: {}", words.unwrap_or_else(|| format!("error {code}")))
}

/// Copies a string from OpenSSL; null becomes `None`. The pointer must be null or NUL-terminated.
pub(super) fn text(pointer: *const c_char) -> Option<String> {
    if pointer.is_null() {
        return None;
    }
    // SAFETY: callers pass only strings returned by OpenSSL; it is copied immediately.
    let words = unsafe { CStr::from_ptr(pointer) };
    Some(words.to_string_lossy().into_owned())
}
