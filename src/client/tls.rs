//! TLS of the client, apart from the commands (RFC 4217): how a connection becomes encrypted, and which
//! certificates are accepted.
//!
//! A handshake gives an [`Unverified`] connection, over which nothing can be sent. Only its methods turn
//! it into one that can be used: [`Unverified::trust`] for a control connection, by the rules of
//! [`TrustPolicy`], and [`Unverified::belonging_to`] for a data connection.

mod known_certificates;
mod trust;

pub use trust::Person;
pub(super) use trust::{Server, TrustPolicy, Unverified};

use super::error::{Error, TlsFailure};
use super::pin::Pin;
use crate::sys::{Tls, TlsContext, TlsSession, TlsVersion, tls_library};
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

/// How a control connection becomes encrypted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encryption {
    /// It does not, unless the server requires TLS before it takes a password.
    #[default]
    Clear,
    /// By AUTH TLS before any other command.
    Explicit,
    /// From the first byte.
    Implicit,
}

impl Encryption {
    /// Returns the stricter of what the options and a URL ask for.
    pub(super) fn at_least(self, other: Encryption) -> Encryption {
        if self == Encryption::Clear { other } else { self }
    }
}

/// The options of TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsOptions {
    /// The file of libssl, in place of the system's.
    pub library: Option<PathBuf>,
    /// The file with the certificates of authorities, in place of the system's.
    pub authorities: Option<PathBuf>,
    /// The lowest version.
    pub min: TlsVersion,
    /// The only certificates that are accepted, if there are any.
    pub pins: Vec<Pin>,
    /// Data connections stay in clear.
    pub clear_data: bool,
}

impl Default for TlsOptions {
    /// The system's library and authorities, TLS 1.2 at least, data protected.
    fn default() -> TlsOptions {
        TlsOptions {
            library: None,
            authorities: None,
            min: TlsVersion::V1_2,
            pins: Vec::new(),
            clear_data: false,
        }
    }
}

/// The TLS that connections share. Clones share one context, which is made for the first handshake.
#[derive(Clone)]
pub struct TlsClient {
    shared: Arc<Shared>,
    /// The person may be asked about a certificate.
    asks: bool,
    /// Data connections are protected.
    protects_data: bool,
}

struct Shared {
    options: TlsOptions,
    context: OnceLock<Result<TlsContext, String>>,
    trust: TrustPolicy,
}

impl Default for TlsClient {
    /// The default options; certificates are accepted only if an authority vouches for them.
    fn default() -> TlsClient {
        TlsClient::new(TlsOptions::default(), None, None)
    }
}

impl TlsClient {
    /// Takes the options, the file of the certificates that the user trusts, and whom to ask about others.
    pub fn new(
        options: TlsOptions,
        trusted: Option<PathBuf>,
        person: Option<Box<dyn Person>>,
    ) -> TlsClient {
        let trust = TrustPolicy::new(options.pins.clone(), trusted, person);
        let protects_data = !options.clear_data;
        let shared = Shared { options, context: OnceLock::new(), trust };
        TlsClient { shared: Arc::new(shared), asks: true, protects_data }
    }

    /// Returns a clone that asks nobody, for connections that are made beside or in place of another.
    pub(super) fn without_questions(&self) -> TlsClient {
        TlsClient { asks: false, ..self.clone() }
    }

    pub(super) fn asks(&self) -> bool {
        self.asks
    }

    pub(super) fn trust(&self) -> &TrustPolicy {
        &self.shared.trust
    }

    /// Returns whether data connections are protected.
    pub(super) fn protects_data(&self) -> bool {
        self.protects_data
    }

    /// Protects data connections, or does not, whatever the options say.
    pub(super) fn set_protects_data(&mut self, protects_data: bool) {
        self.protects_data = protects_data;
    }

    /// Loads the library and the authorities, so that what is wrong with them is told before anything is
    /// sent.
    pub(super) fn load(&self) -> Result<(), Error> {
        self.context().map(drop)
    }

    fn context(&self) -> Result<&TlsContext, Error> {
        let made = self.shared.context.get_or_init(|| context(&self.shared.options));
        made.as_ref().map_err(|text| Error::Tls(TlsFailure::Unavailable(text.clone())))
    }

    /// Prepares a handshake with `host`, which continues `session`.
    pub(super) fn connect(
        &self,
        tcp: TcpStream,
        host: &str,
        session: Option<&TlsSession>,
    ) -> Result<Tls, Error> {
        let tls = self.context()?.connect(tcp, host, session);
        tls.map_err(|error| Error::Tls(TlsFailure::Handshake(error)))
    }
}

fn context(options: &TlsOptions) -> Result<TlsContext, String> {
    let library = tls_library(options.library.as_deref()).map_err(|error| error.to_string())?;
    let context = TlsContext::client(library, options.authorities.as_deref(), options.min);
    context.map_err(|error| error.to_string())
}
