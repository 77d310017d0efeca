//! Errors of TLS.

use super::text;
use crate::client::pin::Pin;
use crate::protocol::Reply;
use crate::sys::{TlsError, TlsErrorKind};
use crate::text::shown;
use std::fmt;
use std::io;
use std::path::PathBuf;

/// The reason why a connection is not protected as required.
#[derive(Debug)]
pub enum TlsFailure {
    /// The library cannot be used, or does not support these options.
    Unavailable(String),
    /// The server refused AUTH TLS.
    Refused(Reply),
    /// Cleartext followed the reply that starts TLS.
    Injected,
    /// The handshake failed.
    Handshake(io::Error),
    /// The server broke the protocol after the handshake.
    Broken(io::Error),
    /// The certificate of the server is not trusted.
    Untrusted {
        /// The host.
        host: String,
        /// The error of the certificate.
        wrong: String,
        /// The pin that accepts it, unless there is no certificate or the user has rejected it.
        shown: Option<Pin>,
    },
    /// The certificate differs from the one that the user has accepted before.
    Changed {
        /// The host and port.
        server: String,
        /// The accepted certificate.
        known: Pin,
        /// The current certificate.
        shown: Pin,
        /// The file with the accepted certificate.
        file: PathBuf,
    },
    /// The certificate matches no `--tls-pin`.
    NotPinned {
        /// The host.
        host: String,
        /// The certificate of the server.
        shown: Pin,
    },
    /// The server refused the requested protection of data connections.
    DataProtection(Reply),
    /// A data connection leads to a different server than the control connection.
    OtherServer,
}

/// In the alternate form `{:#}` fingerprints have lines of their own, for a terminal of 80 columns.
impl fmt::Display for TlsFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = f.alternate();
        match self {
            TlsFailure::Unavailable(text) => f.write_str(text),
            TlsFailure::Refused(reply) => {
                write!(f, "the server refuses TLS: {}", text(reply))
            }
            TlsFailure::Injected => f.write_str(
                "the server sent cleartext after agreeing to TLS; an attacker may have injected it",
            ),
            TlsFailure::Handshake(error) | TlsFailure::Broken(error) => f.write_str(&words(error)),
            TlsFailure::Untrusted { host, wrong, shown: pin } => {
                let (host, wrong) = (shown(host.as_bytes()), shown(wrong.as_bytes()));
                write!(f, "cannot verify the certificate of {host} ({wrong})")?;
                match pin {
                    None => Ok(()),
                    Some(pin) if lines => {
                        let digits = pin.to_string().replace(':', "");
                        write!(f, ":\nSHA-256 {pin:#}\nTo accept it, use\n--tls-pin {digits}")
                    }
                    Some(pin) => write!(f, ": SHA-256 {pin}; to accept it, use --tls-pin {pin}"),
                }
            }
            TlsFailure::Changed { server, known, shown: now, file } => {
                let file = shown(file.as_os_str().as_encoded_bytes());
                let server = shown(server.as_bytes());
                write!(f, "the certificate of {server} is not the one that you have accepted. ")?;
                match lines {
                    true => write!(f, "Accepted:\nSHA-256 {known:#}\nNow:\nSHA-256 {now:#}\n")?,
                    false => write!(f, "Accepted: SHA-256 {known}; now: SHA-256 {now}. ")?,
                }
                write!(f, "If the new one is right, remove the line of {server} from {file}")
            }
            TlsFailure::NotPinned { host, shown: now } => {
                let host = shown(host.as_bytes());
                write!(f, "the certificate of {host} does not match --tls-pin:")?;
                if lines { write!(f, "\nSHA-256 {now:#}") } else { write!(f, " SHA-256 {now}") }
            }
            TlsFailure::DataProtection(reply) => {
                write!(f, "the server refuses this protection of data: {}", text(reply))
            }
            TlsFailure::OtherServer => f.write_str(
                "the data connection leads to another server: its certificate differs from that of \
                 the control connection",
            ),
        }
    }
}

/// Returns the message for a failed read or write, from TLS if it has one.
pub(super) fn words(error: &io::Error) -> String {
    match TlsError::of(error) {
        None => error.to_string(),
        Some(error) if error.kind() == TlsErrorKind::ClearText => {
            "the server continued without TLS".to_owned()
        }
        Some(error) => shown(error.to_string().as_bytes()),
    }
}
