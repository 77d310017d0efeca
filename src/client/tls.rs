//! TLS of the client: the context that connections share, and the verification of certificates.
//!
//! A handshake returns an [`Unverified`] connection, over which nothing can be sent. Only its methods
//! convert it to a usable one: [`Unverified::trust`] for a control connection, by the rules of
//! [`TrustPolicy`], and [`Unverified::belonging_to`] for a data connection.

mod known_certificates;
mod trust;

pub use trust::TrustPrompt;
pub(super) use trust::{Server, TrustPolicy, Unverified};

use super::error::{Error, TlsFailure};
use super::pin::Pin;
use crate::sys::{Tls, TlsContext, TlsSession, TlsVersion, tls_library};
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

/// The way in which a control connection becomes encrypted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encryption {
    /// No TLS, unless the server requires it for the login.
    #[default]
    Clear,
    /// AUTH TLS before any other command.
    Explicit,
    /// TLS from the first byte.
    Implicit,
}

impl Encryption {
    /// Combines the encryption of a URL with that of the options: the URL wins unless it is without TLS.
    pub(super) fn at_least(self, other: Encryption) -> Encryption {
        if self == Encryption::Clear { other } else { self }
    }
}

/// The options of TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsOptions {
    /// The file of libssl, instead of the system's.
    pub library: Option<PathBuf>,
    /// The file with the certificates of authorities, instead of the system's.
    pub authorities: Option<PathBuf>,
    /// The lowest version.
    pub min: TlsVersion,
    /// The only accepted certificates; empty if there are no pins.
    pub pins: Vec<Pin>,
    /// Data connections are not encrypted.
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

/// The TLS context of the client. Clones share it, and it is created for the first handshake.
#[derive(Clone)]
pub struct TlsClient {
    shared: Arc<Shared>,
    /// The user may be asked about a certificate.
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
    /// The default options. Only certificates of trusted authorities are accepted.
    fn default() -> TlsClient {
        TlsClient::new(TlsOptions::default(), None, None)
    }
}

impl TlsClient {
    /// Creates the context. `trusted` is the file of the certificates that the user has accepted, and
    /// `person` asks the user about others.
    pub fn new(
        options: TlsOptions,
        trusted: Option<PathBuf>,
        person: Option<Box<dyn TrustPrompt>>,
    ) -> TlsClient {
        let trust = TrustPolicy::new(options.pins.clone(), trusted, person);
        let protects_data = !options.clear_data;
        let shared = Shared { options, context: OnceLock::new(), trust };
        TlsClient { shared: Arc::new(shared), asks: true, protects_data }
    }

    /// Returns a clone that never asks the user, for helpers and reconnecting.
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

    /// Loads the library and the authorities, so that their errors are reported before anything is sent.
    pub(super) fn load(&self) -> Result<(), Error> {
        self.context().map(drop)
    }

    fn context(&self) -> Result<&TlsContext, Error> {
        let made = self.shared.context.get_or_init(|| context(&self.shared.options));
        made.as_ref().map_err(|text| Error::Tls(TlsFailure::Unavailable(text.clone())))
    }

    /// Prepares a handshake with `host`, which resumes `session` if there is one.
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
