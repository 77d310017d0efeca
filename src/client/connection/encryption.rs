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

    /// Starts TLS with AUTH TLS. After an error, other than the server's refusal, nothing may be sent over
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
        self.discard_server_state();
        Ok(())
    }

    /// Starts TLS if this is a 234, the reply to an AUTH sent with QUOTE: the server expects the handshake
    /// next. Connections that replace this one use TLS, too.
    pub(super) fn begin_tls_if_agreed(&mut self, reply: &Reply) -> Result<(), Error> {
        if reply.code() != Code::AUTH_ACCEPTED || self.is_encrypted() {
            return Ok(());
        }
        self.settings.encryption = Encryption::Explicit;
        self.begin_tls(&mut net::deadline(self.settings.timeout))
    }

    /// Discards everything that was learned of the server: after a handshake, because an attacker may have
    /// altered what came in the clear, and after another login, because the server may offer other users
    /// something else. The lack of pipelining is kept: it can only slow the client down, and only the
    /// greeting reveals it.
    pub(super) fn discard_server_state(&mut self) {
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
            Err(Error::Tls(TlsFailure::Refused(_))) => return Err(Error::TlsRequired(demand)),
            Err(Error::Lost(_) | Error::Closing(_)) => {
                let (host, port) = self.origin.address();
                let settings = self.settings.clone();
                let mut made = Connection::open_by(host, port, settings, deadline)?;
                made.quoted = self.quoted.clone();
                made.wanted = self.wanted;
                made.is_helper = self.is_helper;
                self.replace(made);
            }
            started => started?,
        }
        self.name_host(*deadline)
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

    /// Sends PBSZ and PROT if the login has not done so, because the user logged in with QUOTE.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::connection::Settings;
    use crate::client::pin::Pin;
    use crate::client::signals::Interrupt;
    use crate::client::test_server::Script;
    use crate::client::tls::{TlsClient, TlsOptions, TrustPrompt};
    use crate::net::data::testing::contexts;
    use crate::protocol::{Name, Secret};
    use std::net::TcpListener;
    use std::thread;

    const DEMAND: &str = "530 Non-anonymous sessions must use encryption.";

    /// A person whom nobody may ask.
    struct Undisturbed;

    impl TrustPrompt for Undisturbed {
        fn confirms(&self, question: &str) -> Result<bool, Error> {
            panic!("asked {question}")
        }

        fn warns(&self, warning: &str) {
            panic!("heard {warning}")
        }
    }

    /// Logs in without TLS to a server that follows `script`.
    fn log_in(pins: Vec<Pin>, script: impl FnOnce(TcpListener) + Send + 'static) -> Connection {
        let options = TlsOptions { pins, ..TlsOptions::default() };
        let tls = TlsClient::new(options, None, Some(Box::new(Undisturbed)));
        let settings = Settings { tls, ..Settings::default() };
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        thread::spawn(move || script(listener));
        let mut connection = Connection::open("127.0.0.1", port, settings).unwrap();
        let user = Name::new("me").unwrap();
        connection.login(&user, || Ok(Secret::new("secret").unwrap())).unwrap();
        connection
    }

    fn welcome(listener: &TcpListener) -> Script {
        let mut first = Script::accept(listener);
        first.expect("USER me", "331 password");
        first.expect("PASS secret", "230 welcome");
        first.expect("FEAT", "502 none");
        first
    }

    #[test]
    fn who_makes_another_connection_is_not_asked_about_a_certificate() {
        for closes in [false, true] {
            let Some((context, _)) = contexts() else { return };
            let first = log_in(Vec::new(), move |listener| {
                let _first = welcome(&listener);
                let mut second = Script::accept(&listener);
                second.expect("USER me", DEMAND);
                if closes {
                    drop(second);
                    second = Script::accept(&listener);
                }
                second.start_tls(&context);
                second.hear();
            });
            let plan = first.plan().helper(Interrupt::default());
            let refused = matches!(
                plan.connect().err(),
                Some(Error::Tls(TlsFailure::Untrusted { shown: Some(_), .. }))
            );
            assert!(refused, "{closes}");
        }
    }

    #[test]
    fn what_is_made_beside_another_uses_what_is_accepted_and_stays_beside_it() {
        for closes in [false, true] {
            let Some((context, _)) = contexts() else { return };
            let pin = Pin::of(&context.own_certificate().unwrap());
            let log_in_by_tls = move |server: &mut Script| {
                server.start_tls(&context);
                server.expect("USER me", "331 password");
                server.expect("PASS secret", "230 welcome");
                server.expect("PBSZ 0", "200 ok");
                server.expect("PROT P", "200 ok");
                server.expect("FEAT", "211-Extensions:\r\n HASH SHA-256\r\n211 End");
            };
            let first = log_in(vec![pin], move |listener| {
                let _first = welcome(&listener);
                let mut second = Script::accept(&listener);
                second.expect("USER me", DEMAND);
                if closes {
                    drop(second);
                    second = Script::accept(&listener);
                }
                log_in_by_tls(&mut second);
                second.hear();
            });
            let plan = first.plan().helper(Interrupt::default());
            let mut helper = plan.connect().unwrap();
            assert!(helper.is_helper() && helper.protects_data(), "{closes}");
            assert!(helper.has_feature(b"HASH").unwrap(), "{closes}");
            assert!(helper.settings().tls.asks(), "the user's own commands may ask");
        }
    }
}
