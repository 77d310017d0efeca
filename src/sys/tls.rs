//! TLS by OpenSSL, for FTPS (RFC 4217).
//!
//! The system's library is loaded at the first use ([`tls_library`]). A program built with `--cfg
//! tls_static` has OpenSSL linked in instead. A static program built without it has no TLS, because a
//! static program must never load a shared library. Supported libraries are OpenSSL 1.1.1 to 3 and, up
//! to TLS 1.2, LibreSSL.
//!
//! [`TlsContext`] is the configuration that connections share, [`Tls`] is a connection over a
//! non-blocking socket, and [`TlsSession`] is a session that other connections can resume. All
//! functions are safe with any argument. For every connection:
//!
//! - The protocol is TLS 1.2 or later, or newer if the system's policy requires it. Renegotiation is
//!   off.
//! - If the connection ends without close_notify, reading fails; this is never the end of the data.
//! - After a failure, every later call fails with the same error without calling OpenSSL.
//! - Dropping a connection sends nothing and keeps its session resumable.
//! - The client's handshake succeeds with any certificate; [`Tls::verify_peer`] checks it afterwards.

mod api;
mod certificate;
mod connection;
mod context;
mod der;
mod error;
mod library;
mod make;
mod session;
#[cfg(test)]
mod tests;

pub use certificate::Certificate;
pub use connection::Tls;
pub use context::{TlsContext, TlsVersion};
pub use error::{TlsError, TlsErrorKind, TlsUnavailable};
pub use library::{TlsLibrary, describe_tls, tls_library};
pub use make::{NewCertificate, is_certificate_name, make_certificate};
pub use session::TlsSession;
