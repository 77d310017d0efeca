//! Verification of the server's certificate.
//!
//! - With pins, exactly the pinned certificates are accepted, whatever errors they have.
//! - Otherwise a certificate is accepted if it is valid for this host and a trusted authority has signed
//!   it.
//! - Otherwise it is accepted if the user has accepted it before for this host and port. If the user has
//!   accepted another one, it is refused without a question.
//! - Otherwise the user at the terminal is asked, and an accepted certificate is remembered. In scripts it is
//!   refused.

use super::TlsClient;
use super::known_certificates::KnownCertificates;
use crate::client::error::{Error, TlsFailure};
use crate::client::pin::Pin;
use crate::net::{self, TransferHooks, Waited};
use crate::sys::{Certificate, Tls};
use crate::text::shown;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Instant;

/// Asks the user at a terminal about a certificate.
pub trait TrustPrompt: Send + Sync {
    /// Asks a yes-or-no question.
    ///
    /// # Errors
    /// The answer cannot be read.
    fn confirms(&self, question: &str) -> Result<bool, Error>;

    /// Shows a warning.
    fn warns(&self, warning: &str);
}

/// A server, as the user named it.
#[derive(Clone, Copy)]
pub(in crate::client) struct Server<'a> {
    pub(in crate::client) host: &'a str,
    pub(in crate::client) port: u16,
}

impl fmt::Display for Server<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = self.host.to_lowercase();
        match host.contains(':') {
            true => write!(f, "[{host}]:{}", self.port),
            false => write!(f, "{host}:{}", self.port),
        }
    }
}

/// The rules by which certificates are accepted.
pub(in crate::client) struct TrustPolicy {
    pins: Vec<Pin>,
    known: KnownCertificates,
    person: Option<Box<dyn TrustPrompt>>,
}

impl TrustPolicy {
    pub(super) fn new(
        pins: Vec<Pin>,
        trusted: Option<PathBuf>,
        person: Option<Box<dyn TrustPrompt>>,
    ) -> TrustPolicy {
        TrustPolicy { pins, known: KnownCertificates::new(trusted), person }
    }

    /// Accepts or refuses a certificate; `wrong` is the error of its verification. The time that the user
    /// takes for the answer is added to the deadline.
    fn accept(
        &self,
        certificate: &Certificate,
        wrong: Option<String>,
        server: Server<'_>,
        asks: bool,
        deadline: &mut Option<Instant>,
    ) -> Result<(), Error> {
        let shown = Pin::of(certificate);
        let host = server.host.to_owned();
        if !self.pins.is_empty() {
            let is_pinned = self.pins.contains(&shown);
            let not_pinned = TlsFailure::NotPinned { host, shown };
            return if is_pinned { Ok(()) } else { Err(Error::Tls(not_pinned)) };
        }
        let Some(wrong) = wrong else { return Ok(()) };
        let file = || self.known.file().map_or_else(PathBuf::new, PathBuf::from);
        let unreadable = |error| Error::File { path: file(), error };
        match self.known.find(&server.to_string()).map_err(unreadable)? {
            Some(known) if known == shown => return Ok(()),
            Some(known) => {
                let server = server.to_string();
                let changed = TlsFailure::Changed { server, known, shown, file: file() };
                return Err(Error::Tls(changed));
            }
            None => {}
        }
        let asked = Instant::now();
        let person = self.person.as_ref().filter(|_| asks);
        let is_trusted = match person {
            Some(person) => person.confirms(&question(&host, &wrong, shown))?,
            None => false,
        };
        *deadline = net::later(*deadline, asked.elapsed());
        if !is_trusted {
            let shown = person.is_none().then_some(shown);
            return Err(Error::Tls(TlsFailure::Untrusted { host, wrong, shown }));
        }
        if let Err(error) = self.known.add(&server.to_string(), shown)
            && let Some(person) = &self.person
        {
            let file = file();
            person.warns(&format!("warning: cannot write {}: {error}", file.display()));
        }
        Ok(())
    }
}

fn question(host: &str, wrong: &str, fingerprint: Pin) -> String {
    format!(
        "cannot verify the certificate of {} ({}).\n\
         Compare its fingerprint with the one that the server's owner tells you:\n\
         SHA-256 {fingerprint:#}\nTrust this certificate from now on? [y/N] ",
        shown(host.as_bytes()),
        shown(wrong.as_bytes()),
    )
}

/// A connection after its handshake, whose certificate has not been verified yet.
pub(in crate::client) struct Unverified(Box<Tls>);

impl Unverified {
    /// Performs the handshake before the deadline, unless `hooks` stops it.
    pub(in crate::client) fn shake_hands(
        mut tls: Tls,
        deadline: Option<Instant>,
        hooks: &mut impl TransferHooks,
    ) -> io::Result<Result<Unverified, Waited>> {
        match net::handshake(&mut tls, deadline, hooks)? {
            Waited::Ready => Ok(Ok(Unverified(Box::new(tls)))),
            ended => Ok(Err(ended)),
        }
    }

    /// Returns the connection if the certificate is accepted.
    pub(in crate::client) fn trust(
        self,
        client: &TlsClient,
        server: Server<'_>,
        deadline: &mut Option<Instant>,
    ) -> Result<Box<Tls>, Error> {
        let wrong = self.0.verify_peer().err().map(|error| error.to_string());
        let Some(certificate) = self.0.certificate() else {
            let wrong = "the server has none".to_owned();
            let host = server.host.to_owned();
            return Err(Error::Tls(TlsFailure::Untrusted { host, wrong, shown: None }));
        };
        client.trust().accept(&certificate, wrong, server, client.asks(), deadline)?;
        Ok(self.0)
    }

    /// Returns the connection if it leads to the same server as a control connection: it resumes the session
    /// of the control connection, or has the same certificate.
    pub(in crate::client) fn belonging_to(self, control: &Tls) -> Result<Box<Tls>, Error> {
        let is_same = || {
            let certificate = self.0.certificate();
            certificate.is_some() && certificate == control.certificate()
        };
        if self.0.is_resumed() || is_same() {
            return Ok(self.0);
        }
        Err(Error::Tls(TlsFailure::OtherServer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn the_picture_in_the_readme_shows_the_question() {
        let picture = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/client.svg");
        // The picture has no-break spaces, because viewers would join plain ones.
        let picture = fs::read_to_string(picture).unwrap().replace('\u{a0}', " ");
        let texts =
            picture.lines().filter_map(|line| line.strip_suffix("</text>")?.split('>').nth(1));
        let texts: Vec<&str> = texts.collect();
        let at = texts.iter().position(|text| text.starts_with("SHA-256 ")).unwrap();
        let pin = Pin::parse(&texts[at..at + 2].concat()["SHA-256 ".len()..]).unwrap();
        let question = question("localhost", "self-signed certificate", pin);
        assert!(question.lines().all(|line| line.len() <= 80), "{question}");
        assert!(texts.join("\n").contains(&question), "{question}");
    }
}
