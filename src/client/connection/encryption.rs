//! TLS of a connection: AUTH TLS, the handshake, and the protection of data connections (RFC 4217).

use super::{Capabilities, Connection};
use crate::client::error::{Error, TlsFailure};
use crate::client::signals::Armed;
use crate::client::tls::{Encryption, Server, Unverified};
use crate::net::{self, TransferHooks, Verdict, Waited};
use crate::protocol::{Code, Command, Mechanism, Protection, Reply};
use crate::sys::PollItem;
use crate::sys::Tls;
use std::net::TcpStream;
use std::time::Instant;

/// The encryption of the control connection at the time a password is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::client) enum Exposure {
    /// Cleartext, which anybody on the network path can read.
    Clear,
    /// TLS.
    Encrypted,
}

/// The protection of data connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum DataProtection {
    #[default]
    Clear,
    /// PROT P was agreed on.
    Private,
}

/// [`TransferHooks`] that stop at Ctrl-C.
struct CtrlC<'a>(&'a Armed);

impl TransferHooks for CtrlC<'_> {
    fn items(&self) -> [PollItem<'_>; 2] {
        [self.0.item(), PollItem::nothing()]
    }

    fn check(&mut self, _: u64) -> Verdict {
        Verdict::Stop
    }
}

impl Connection {
    pub(in crate::client) fn is_encrypted(&self) -> bool {
        self.tls().is_some()
    }

    /// Returns the TLS of the control connection.
    pub(in crate::client) fn tls(&self) -> Option<&Tls> {
        self.control.stream().tls()
    }

    pub(super) fn exposure(&self) -> Exposure {
        if self.is_encrypted() { Exposure::Encrypted } else { Exposure::Clear }
    }

    /// Returns whether data connections are encrypted.
    pub(in crate::client) fn protects_data(&self) -> bool {
        self.data_protection == DataProtection::Private
    }

    /// Starts TLS by AUTH TLS. After an error, other than the server's refusal, nothing may be sent over
    /// the connection.
    pub(super) fn start_tls(&mut self, deadline: &mut Option<Instant>) -> Result<(), Error> {
        let command = Command::Auth(Mechanism::Tls);
        let reply = self.ask_unless_interrupted(&command, *deadline)?;
        // No other positive reply starts TLS (RFC 4217 section 4).
        if reply.code() != Code::AUTH_ACCEPTED {
            return Err(Error::Tls(TlsFailure::Refused(reply)));
        }
        self.begin_tls(deadline)
    }

    /// Starts TLS after the server has replied 234. After an error nothing may be sent over the connection.
    fn begin_tls(&mut self, deadline: &mut Option<Instant>) -> Result<(), Error> {
        if !self.control.is_empty() {
            self.mark_lost();
            return Err(Error::Tls(TlsFailure::Injected));
        }
        self.encrypt(deadline)?;
        self.discard_cleartext_state();
        Ok(())
    }

    /// Starts TLS if this is a 234, the reply to an AUTH sent by QUOTE: the server expects the handshake
    /// next. Connections that replace this one use TLS, too.
    pub(super) fn begin_tls_if_agreed(&mut self, reply: &Reply) -> Result<(), Error> {
        if reply.code() != Code::AUTH_ACCEPTED || self.is_encrypted() {
            return Ok(());
        }
        self.settings.encryption = Encryption::Explicit;
        self.begin_tls(&mut net::deadline(self.settings.timeout))
    }

    /// Discards everything that was learned in clear, because an attacker may have altered it. The lack of
    /// pipelining is kept: it can only slow the client down, and only the greeting reveals it.
    fn discard_cleartext_state(&mut self) {
        let pipelining = self.capabilities.pipelining;
        self.capabilities = Capabilities { pipelining, ..Capabilities::ALL };
        self.features = None;
        self.current = None;
        self.route = None;
        self.stored = None;
        self.followers.clear();
    }

    /// Performs the TLS handshake and verifies the server's certificate.
    pub(super) fn encrypt(&mut self, deadline: &mut Option<Instant>) -> Result<(), Error> {
        let encrypted = self.try_to_encrypt(deadline);
        if encrypted.is_err() {
            self.mark_lost();
        }
        encrypted
    }

    fn try_to_encrypt(&mut self, deadline: &mut Option<Instant>) -> Result<(), Error> {
        let armed = self.settings.interrupt.begin().map_err(Error::Local)?;
        let tcp = self.control.stream().tcp().try_clone().map_err(Error::Local)?;
        let (host, port) = self.origin.address();
        let tls = self.settings.tls.connect(tcp, host, None)?;
        let shaken = Unverified::shake_hands(tls, *deadline, &mut CtrlC(&armed));
        let shaken = shaken.map_err(|error| Error::Tls(TlsFailure::Handshake(error)))?;
        drop(armed);
        let unverified = shaken.map_err(|ended| match ended {
            Waited::Stopped => Error::Interrupted,
            Waited::Ready | Waited::TimedOut => Error::TimedOut(self.settings.timeout),
        })?;
        let tls = unverified.trust(&self.settings.tls, Server { host, port }, deadline)?;
        self.control.stream_mut().start_tls(tls);
        Ok(())
    }

    /// Starts TLS because the server requires it; later connections start with it. Some servers close the
    /// connection after that reply, such as Pure-FTPd and vsftpd; then the client connects again.
    pub(super) fn encrypt_on_demand(
        &mut self,
        demand: Reply,
        deadline: &mut Option<Instant>,
    ) -> Result<(), Error> {
        self.settings.encryption = Encryption::Explicit;
        match self.start_tls(deadline) {
            Err(Error::Tls(TlsFailure::Refused(_))) => Err(Error::TlsRequired(demand)),
            Err(Error::Lost(_) | Error::Closing(_)) => {
                let (host, port) = self.origin.address();
                let settings = self.settings.clone();
                let mut made = Connection::open_by(host, port, settings, deadline)?;
                made.wanted = self.wanted;
                self.replace(made);
                Ok(())
            }
            started => started,
        }
    }

    /// Sends PBSZ and PROT. If the server refuses PROT, the connection is given up.
    pub(super) fn protect_data(&mut self, deadline: Option<Instant>) -> Result<(), Error> {
        if !self.is_encrypted() {
            return Ok(());
        }
        let (level, protection) = match self.settings.tls.protects_data() {
            true => (Protection::Private, DataProtection::Private),
            false => (Protection::Clear, DataProtection::Clear),
        };
        // RFC 4217 section 9: PBSZ has to come first, but its reply does not matter.
        match self.call_by(&Command::Pbsz(0), deadline) {
            Ok(_) | Err(Error::Refused(_)) => {}
            Err(error) => return Err(error),
        }
        match self.call_by(&Command::Prot(level), deadline) {
            Ok(_) => self.data_protection = protection,
            Err(Error::Refused(reply)) => {
                self.mark_lost();
                return Err(Error::Tls(TlsFailure::DataProtection(reply)));
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Sends PBSZ and PROT if the login has not done so, because the user logged in by QUOTE.
    pub(in crate::client) fn protect_data_if_due(
        &mut self,
        deadline: Option<Instant>,
    ) -> Result<(), Error> {
        let is_due = self.is_encrypted() && !self.protects_data();
        if is_due && self.settings.tls.protects_data() {
            self.protect_data(deadline)
        } else {
            Ok(())
        }
    }

    /// Prepares the TLS of a data connection. It resumes the newest session of the control connection:
    /// tickets arrive at any time, and many servers accept no data connection without resumption.
    pub(in crate::client) fn data_tls(&self, tcp: TcpStream) -> Result<Tls, Error> {
        let session = self.tls().and_then(Tls::session);
        let (host, _) = self.origin.address();
        self.settings.tls.connect(tcp, host, session.as_ref())
    }

    /// Sends close_notify, if that is possible without waiting.
    pub(super) fn end_tls(&mut self) {
        self.control.stream_mut().end_tls();
    }
}
