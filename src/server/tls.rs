//! TLS (RFC 4217): the certificate in effect, and the reasons for failed handshakes.
//!
//! A context is created from the options at the start and at each reload. A session keeps the context of
//! its AUTH, including for its data connections, because session tickets work only with the context that
//! issued them.

use crate::server::StartError;
use crate::server::config::{Config, TlsRequired};
use crate::sys::{self, Certificate, TlsContext, TlsError, TlsErrorKind};
use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// The number of days before the expiry of a certificate at which the server starts to warn.
const WARN_DAYS: i64 = 14;

/// Creates the context of `--tls-cert`; `None` without that option.
///
/// # Errors
/// Fails if the library or a file cannot be used. Also fails if another option needs TLS but there is no
/// certificate, because the server must not silently serve without encryption.
pub fn context(config: &Config) -> Result<Option<Arc<TlsContext>>, StartError> {
    let Some(certificate) = &config.tls_cert else {
        return option_without_certificate(config)
            .map_or(Ok(None), |name| Err(StartError::NoCertificate(name)));
    };
    let library =
        sys::tls_library(config.tls_library.as_deref()).map_err(StartError::TlsLibrary)?;
    let key = config.tls_key.as_ref().unwrap_or(certificate);
    let context = TlsContext::server(library, certificate, key, config.tls_min);
    Ok(Some(Arc::new(context.map_err(StartError::Tls)?)))
}

/// Returns the first option that has no effect without a certificate.
fn option_without_certificate(config: &Config) -> Option<&'static str> {
    match config {
        Config { tls_key: Some(_), .. } => Some("--tls-key"),
        Config { tls_port: Some(_), .. } => Some("--tls-port"),
        Config { tls_required: TlsRequired::All, .. } => Some("--tls-required all"),
        _ => None,
    }
}

/// Returns the number of days until a certificate expires, rounded up, so that a new one has as many as it
/// was made for; negative after that, and `None` if its end date is unreadable.
pub fn days_left(certificate: &Certificate, now: SystemTime) -> Option<i64> {
    const DAY: u64 = 24 * 60 * 60;
    let days = |time: Duration| i64::try_from(time.as_secs() / DAY).unwrap_or(i64::MAX);
    let end = certificate.not_after()?;
    Some(match end.duration_since(now) {
        Ok(left) => days(left.saturating_add(Duration::from_secs(DAY - 1))),
        Err(over) => -1 - days(over.duration()),
    })
}

/// Returns a warning if a certificate has expired or soon will, with its file.
pub fn expiry_warning(file: &Path, certificate: &Certificate, now: SystemTime) -> Option<String> {
    let file = file.display();
    match days_left(certificate, now)? {
        ..0 => Some(format!("the certificate in {file} has expired: clients will refuse it")),
        days if days < WARN_DAYS => {
            Some(format!("the certificate in {file} expires in {days} days"))
        }
        _ => None,
    }
}

/// Returns the expiry warning for the certificate of a context.
pub fn warning(config: &Config, context: Option<&TlsContext>) -> Option<String> {
    expiry_warning(config.tls_cert.as_ref()?, &context?.own_certificate()?, SystemTime::now())
}

/// The kinds of failed handshakes, for counters and logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// The client sent unencrypted data instead of TLS.
    ClearText,
    /// Client and server have no TLS version in common.
    Version,
    /// Client and server have no cipher in common.
    Cipher,
    /// The client requested a protocol other than FTP (ALPN).
    Protocol,
    /// The client refused the certificate.
    CertificateRefused,
    /// The client disconnected.
    Disconnected,
    /// The handshake took too long.
    Timeout,
    /// A data connection did not resume the session of its control connection.
    NotResumed,
    /// Any other reason.
    Other,
}

impl FailureKind {
    /// All kinds, in the order of their numbers.
    pub const ALL: [FailureKind; 9] = [
        FailureKind::ClearText,
        FailureKind::Version,
        FailureKind::Cipher,
        FailureKind::Protocol,
        FailureKind::CertificateRefused,
        FailureKind::Disconnected,
        FailureKind::Timeout,
        FailureKind::NotResumed,
        FailureKind::Other,
    ];

    /// Returns the name in logs and metrics.
    pub fn name(self) -> &'static str {
        match self {
            FailureKind::ClearText => "clear-text",
            FailureKind::Version => "version",
            FailureKind::Cipher => "cipher",
            FailureKind::Protocol => "protocol",
            FailureKind::CertificateRefused => "certificate-refused",
            FailureKind::Disconnected => "left",
            FailureKind::Timeout => "late",
            FailureKind::NotResumed => "not-resumed",
            FailureKind::Other => "other",
        }
    }
}

/// A failed handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandshakeFailure {
    /// The kind, for counters.
    pub kind: FailureKind,
    /// The reason. It may contain data sent by the client.
    pub why: String,
}

impl HandshakeFailure {
    /// The client took too long.
    pub fn timeout() -> HandshakeFailure {
        let why = "the client did not finish the TLS handshake in time".to_owned();
        HandshakeFailure { kind: FailureKind::Timeout, why }
    }

    /// The session was not resumed, although `--tls-reuse require` is set.
    pub fn not_resumed() -> HandshakeFailure {
        let why = "the data connection did not resume the TLS session of its control connection";
        HandshakeFailure { kind: FailureKind::NotResumed, why: why.to_owned() }
    }

    /// The client sent unencrypted commands after AUTH.
    pub fn injected() -> HandshakeFailure {
        let why = "unencrypted commands followed AUTH; they were not executed".to_owned();
        HandshakeFailure { kind: FailureKind::ClearText, why }
    }
}

impl From<&io::Error> for HandshakeFailure {
    fn from(error: &io::Error) -> HandshakeFailure {
        HandshakeFailure { kind: kind_of(error), why: error.to_string() }
    }
}

impl fmt::Display for HandshakeFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

fn kind_of(error: &io::Error) -> FailureKind {
    let Some(kind) = TlsError::of(error).map(TlsError::kind) else {
        return match error.kind() {
            io::ErrorKind::ConnectionReset
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::UnexpectedEof => FailureKind::Disconnected,
            _ => FailureKind::Other,
        };
    };
    match kind {
        TlsErrorKind::ClearText => FailureKind::ClearText,
        TlsErrorKind::NoCommonVersion => FailureKind::Version,
        TlsErrorKind::NoCommonCipher => FailureKind::Cipher,
        TlsErrorKind::ApplicationProtocol => FailureKind::Protocol,
        TlsErrorKind::CertificateRefused => FailureKind::CertificateRefused,
        TlsErrorKind::Truncated | TlsErrorKind::HandshakeEnded => FailureKind::Disconnected,
        _ => FailureKind::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_left_are_rounded_up_and_negative_after_the_end() {
        const DAY: Duration = Duration::from_secs(24 * 60 * 60);
        let Ok(library) = sys::tls_library(None) else { return };
        let made = sys::make_certificate(library, &["localhost".into()], 30).unwrap();
        let certificate = made.certificate;
        let end = certificate.not_after().unwrap();
        let second = Duration::from_secs(1);
        for (now, days) in [
            (end - 30 * DAY, 30),
            (end - 14 * DAY, 14),
            (end - 30 * DAY + second, 30),
            (end - 14 * DAY + second, 14),
            (end - 13 * DAY, 13),
            (end - second, 1),
            (end, 0),
            (end + second, -1),
            (end + DAY, -2),
        ] {
            assert_eq!(days_left(&certificate, now), Some(days));
        }
        let warning = |now| expiry_warning(Path::new("tls.pem"), &certificate, now);
        assert_eq!(warning(end - 14 * DAY), None);
        let soon = warning(end - 13 * DAY).unwrap();
        assert_eq!(soon, "the certificate in tls.pem expires in 13 days");
        assert!(warning(end + second).unwrap().contains("tls.pem has expired"));
    }

    #[test]
    fn numbers_and_kinds_are_in_the_same_order() {
        for (number, kind) in FailureKind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, number);
        }
    }
}
