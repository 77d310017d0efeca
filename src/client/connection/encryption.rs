//! Encryption of a connection: AUTH TLS and its handshake, and what data connections have of it (RFC
//! 4217).

use super::{Capabilities, Connection};
use crate::client::error::{Error, TlsFailure};
use crate::client::signals::Armed;
use crate::client::tls::{Encryption, Server, Unverified};
use crate::net::{self, Attention, Verdict, Waited};
use crate::protocol::{Code, Command, Mechanism, Protection, Reply};
use crate::sys::PollItem;
use crate::sys::Tls;
use std::net::TcpStream;
use std::time::Instant;

/// Tells whether others on the network can read what goes over a control connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::client) enum Exposure {
    /// Everybody on the way.
    Clear,
    /// The server alone.
    Encrypted,
}

/// How data connections are made from the control connection's TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum DataProtection {
    #[default]
    Clear,
    /// PROT P was agreed on.
    Private,
}

/// Ctrl-C alone.
struct CtrlC<'a>(&'a Armed);

impl Attention for CtrlC<'_> {
    fn items(&self) -> [PollItem<'_>; 2] {
        [self.0.item(), PollItem::nothing()]
    }

    fn attend(&mut self, _: u64) -> Verdict {
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

    /// Begins TLS by AUTH TLS. After an error nothing may be sent over the connection, unless the server
    /// has refused it.
    pub(super) fn start_tls(&mut self, deadline: &mut Option<Instant>) -> Result<(), Error> {
        let command = Command::Auth(Mechanism::Tls);
        let reply = self.ask_unless_interrupted(&command, *deadline)?;
        // Any other reply, however friendly, begins nothing.
        if reply.code() != Code::AUTH_ACCEPTED {
            return Err(Error::Tls(TlsFailure::Refused(reply)));
        }
        self.begin_tls(deadline)
    }

    /// Begins TLS after the server has agreed to it. After an error nothing may be sent over the
    /// connection.
    fn begin_tls(&mut self, deadline: &mut Option<Instant>) -> Result<(), Error> {
        if !self.control.is_empty() {
            self.lose();
            return Err(Error::Tls(TlsFailure::Injected));
        }
        self.encrypt(deadline)?;
        self.forget();
        Ok(())
    }

    /// Begins TLS if this is the reply to an AUTH that the user has typed: the server expects the handshake
    /// next. The connections that are made in place of this one begin with TLS, too.
    pub(super) fn begin_tls_if_agreed(&mut self, reply: &Reply) -> Result<(), Error> {
        if reply.code() != Code::AUTH_ACCEPTED || self.is_encrypted() {
            return Ok(());
        }
        self.settings.encryption = Encryption::Explicit;
        self.begin_tls(&mut net::deadline(self.settings.timeout))
    }

    /// Forgets what the server, or somebody on the way, has said in clear. That it mixes commands up can
    /// only slow the client down, and is not said again.
    fn forget(&mut self) {
        let pipelines = self.capabilities.pipelines;
        self.capabilities = Capabilities { pipelines, ..Capabilities::ALL };
        self.features = None;
        self.current = None;
        self.route = None;
        self.stored = None;
        self.followers.clear();
    }

    /// Shakes hands, and makes sure that the server is the one that was meant.
    pub(super) fn encrypt(&mut self, deadline: &mut Option<Instant>) -> Result<(), Error> {
        let encrypted = self.try_to_encrypt(deadline);
        if encrypted.is_err() {
            self.lose();
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
        self.control.stream_mut().secure(tls);
        Ok(())
    }

    /// Begins TLS because the server requires it; later connections begin with it. Servers may close the
    /// connection after they have said so, as Pure-FTPd and vsftpd do.
    pub(super) fn encrypt_on_demand(
        &mut self,
        demand: Reply,
        deadline: &mut Option<Instant>,
    ) -> Result<(), Error> {
        self.settings.encryption = Encryption::Explicit;
        match self.start_tls(deadline) {
            Err(Error::Tls(TlsFailure::Refused(_))) => Err(Error::WantsTls(demand)),
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

    /// Agrees on the protection of data connections. A server that refuses it is left.
    pub(super) fn protect_data(&mut self, deadline: Option<Instant>) -> Result<(), Error> {
        if !self.is_encrypted() {
            return Ok(());
        }
        let (level, protection) = match self.settings.tls.protects_data() {
            true => (Protection::Private, DataProtection::Private),
            false => (Protection::Clear, DataProtection::Clear),
        };
        // RFC 4217 section 9: PBSZ has to come first, but what it is answered changes nothing.
        match self.call_by(&Command::Pbsz(0), deadline) {
            Ok(_) | Err(Error::Refused(_)) => {}
            Err(error) => return Err(error),
        }
        match self.call_by(&Command::Prot(level), deadline) {
            Ok(_) => self.data_protection = protection,
            Err(Error::Refused(reply)) => {
                self.lose();
                return Err(Error::Tls(TlsFailure::DataProtection(reply)));
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Agrees on the protection of data connections if the login went past this client, as by QUOTE.
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

    /// Prepares the TLS of a data connection. It continues the session of the control connection as it is
    /// now: tickets come at any time, and many servers take no data connection without one.
    pub(in crate::client) fn data_tls(&self, tcp: TcpStream) -> Result<Tls, Error> {
        let session = self.tls().and_then(Tls::session);
        let (host, _) = self.origin.address();
        self.settings.tls.connect(tcp, host, session.as_ref())
    }

    /// Tells the server that no more comes, as far as that can be done at once.
    pub(super) fn end_tls(&mut self) {
        self.control.stream_mut().end_tls();
    }
}
