//! TLS by OpenSSL, for FTPS (RFC 4217).
//!
//! The library is the system's, loaded when it is first asked for ([`tls_library`]); in a program that
//! was built with `--cfg tls_static` it is part of the program. A static program that was built without
//! it has no TLS, since a static program must never load a shared library. Accepted are OpenSSL 1.1.1 to
//! 3 and, up to TLS 1.2, LibreSSL.
//!
//! [`TlsContext`] has what connections share, [`Tls`] is one connection over a socket that does not block,
//! [`TlsSession`] is what further connections resume. All functions are safe with any argument. What
//! holds for every connection:
//!
//! - TLS 1.2 at least, or what the system's policy demands beyond it; no renegotiation.
//! - An end of the connection without close_notify is an error, never the end of the data.
//! - After a failure every later call fails with the same error, and OpenSSL is not asked again.
//! - A connection that is dropped leaves its session good for others, and sends nothing.
//! - The client's handshake succeeds whatever the certificate is; [`Tls::verdict`] judges it.

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
