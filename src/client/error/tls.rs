//! Why a connection is not protected as it has to be.

use super::text;
use crate::client::pin::Pin;
use crate::protocol::Reply;
use crate::sys::{TlsError, TlsErrorKind};
use crate::text::shown;
use std::fmt;
use std::io;
use std::path::PathBuf;

/// Why a connection is not protected as it has to be.
#[derive(Debug)]
pub enum TlsFailure {
    /// The library cannot be used, or not with these options.
    Unavailable(String),
    /// The server does not begin TLS.
    Refused(Reply),
    /// Replies in clear followed the one that begins TLS.
    Injected,
    /// The handshake failed.
    Handshake(io::Error),
    /// The server broke the protocol after the handshake.
    Broken(io::Error),
    /// Nobody vouches for the certificate of the server.
    Untrusted {
        /// The host that was named.
        host: String,
        /// What is wrong with the certificate.
        wrong: String,
        /// The pin that accepts it, if there is a certificate and nobody has been asked about it.
        shown: Option<Pin>,
    },
    /// The certificate is another one than the user has accepted before.
    Changed {
        /// The host and port that were named.
        server: String,
        /// The certificate that was accepted.
        known: Pin,
        /// The certificate that the server has now.
        shown: Pin,
        /// The file that has the accepted one.
        file: PathBuf,
    },
    /// The certificate is none of those that are pinned.
    NotPinned {
        /// The host that was named.
        host: String,
        /// The certificate that the server has.
        shown: Pin,
    },
    /// The server refuses the protection of data connections that was asked for.
    DataProtection(Reply),
    /// A data connection leads to another server than the control connection.
    OtherServer,
}

impl fmt::Display for TlsFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TlsFailure::Unavailable(text) => f.write_str(text),
            TlsFailure::Refused(reply) => {
                write!(f, "the server does not begin TLS: {}", text(reply))
            }
            TlsFailure::Injected => f.write_str(
                "the server sent more in clear after it agreed to TLS; an attacker may have added it",
            ),
            TlsFailure::Handshake(error) | TlsFailure::Broken(error) => {
                f.write_str(&words(error))
            }
            TlsFailure::Untrusted { host, wrong, shown: pin } => {
                let (host, wrong) = (shown(host.as_bytes()), shown(wrong.as_bytes()));
                write!(f, "{host} shows a certificate that nobody vouches for ({wrong})")?;
                match pin {
                    None => Ok(()),
                    Some(pin) => write!(f, ": SHA-256 {pin}; to accept it, use --tls-pin {pin}"),
                }
            }
            TlsFailure::Changed { server, known, shown: now, file } => {
                let (server, file) = (shown(server.as_bytes()), file.display().to_string());
                write!(
                    f,
                    "{server} shows another certificate than the one that you have accepted. \
                     Accepted: SHA-256 {known}; shown now: SHA-256 {now}. If it is right, remove the \
                     line of {server} from {}",
                    shown(file.as_bytes())
                )
            }
            TlsFailure::NotPinned { host, shown: now } => write!(
                f,
                "{} shows another certificate than --tls-pin names: SHA-256 {now}",
                shown(host.as_bytes())
            ),
            TlsFailure::DataProtection(reply) => {
                write!(f, "the server refuses this protection of data connections: {}", text(reply))
            }
            TlsFailure::OtherServer => f.write_str(
                "the data connection leads to another server: its certificate is not that of the \
                 control connection",
            ),
        }
    }
}

/// Returns the words for a failed read or write, which TLS may have more to say of than the system.
pub(super) fn words(error: &io::Error) -> String {
    match TlsError::of(error) {
        None => error.to_string(),
        Some(error) if error.kind() == TlsErrorKind::ClearText => {
            "the server went on without TLS".to_owned()
        }
        Some(error) => shown(error.to_string().as_bytes()),
    }
}
