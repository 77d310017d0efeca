//! The encryption of a session: how far AUTH has come, and what data connections are under.
//!
//! There is one AUTH in a session. What AUTH and CCC announce is done when their replies are sent: the
//! handler leaves it here, and the session's loop takes it.

use crate::net::{self, Attention, Data, Waited};
use crate::server::config::TlsRequired;
use crate::server::error::Refusal;
use crate::server::session::login::Login;
use crate::server::settings::Settings;
use crate::server::tls::HandshakeFailure;
use crate::sys::{self, Tls, TlsContext};
use std::io;
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Instant;

/// The encryption of a session.
pub(super) struct Security {
    control: ControlSecurity,
    /// What the sessions of TLS are bound to: this control connection.
    binding: [u8; 16],
    /// PBSZ was sent, which has to come before PROT.
    has_buffer_size: bool,
    /// Data connections are under TLS.
    private: bool,
    /// What is done once the reply is sent.
    announced: Option<Change>,
    /// Why the handshake of the last data connection failed.
    data_failure: Option<HandshakeFailure>,
    /// The host that the client has asked for (SNI).
    server_name: Option<String>,
}

/// How far AUTH has come.
enum ControlSecurity {
    /// It was not sent.
    Clear,
    /// The control connection is under TLS.
    Secured(Arc<TlsContext>),
    /// It was, up to CCC. Data connections may still be.
    Stripped(Arc<TlsContext>),
}

/// What AUTH or CCC has announced.
pub(super) enum Change {
    /// TLS begins.
    Secure(Arc<TlsContext>),
    /// TLS ends.
    Strip,
}

impl Security {
    /// Nothing is encrypted in the session of this number.
    pub(super) fn new(session: u64) -> Security {
        Security {
            control: ControlSecurity::Clear,
            binding: u128::from(session).to_be_bytes(),
            has_buffer_size: false,
            private: false,
            announced: None,
            data_failure: None,
            server_name: None,
        }
    }

    /// What the sessions of TLS are bound to.
    pub(super) fn binding(&self) -> &[u8; 16] {
        &self.binding
    }

    /// Returns true if the control connection is under TLS.
    pub(super) fn is_secured(&self) -> bool {
        matches!(self.control, ControlSecurity::Secured(_))
    }

    /// Returns true if there was an AUTH, also if CCC has ended it.
    pub(super) fn has_begun(&self) -> bool {
        !matches!(self.control, ControlSecurity::Clear)
    }

    /// Returns true if data connections are under TLS.
    pub(super) fn is_private(&self) -> bool {
        self.private
    }

    /// Announces TLS with this context, `private` for data connections too.
    pub(super) fn announce(&mut self, context: Arc<TlsContext>, private: bool) {
        self.private = private;
        self.announced = Some(Change::Secure(context));
    }

    /// Announces the end of TLS on the control connection.
    pub(super) fn announce_end(&mut self) {
        self.announced = Some(Change::Strip);
    }

    /// Takes what was announced.
    pub(super) fn take_announced(&mut self) -> Option<Change> {
        self.announced.take()
    }

    /// The host that the client has asked for (SNI).
    pub(super) fn server_name(&self) -> Option<&str> {
        self.server_name.as_deref()
    }

    /// Notes that the control connection is under TLS.
    pub(super) fn secured(&mut self, context: Arc<TlsContext>, server_name: Option<String>) {
        self.server_name = server_name;
        self.control = ControlSecurity::Secured(context);
    }

    /// Notes that it is not any more.
    pub(super) fn stripped(&mut self) {
        self.control = match std::mem::replace(&mut self.control, ControlSecurity::Clear) {
            ControlSecurity::Secured(context) => ControlSecurity::Stripped(context),
            other => other,
        };
    }

    /// Notes PBSZ.
    pub(super) fn set_buffer_size(&mut self) {
        self.has_buffer_size = true;
    }

    /// Returns true if PBSZ was sent.
    pub(super) fn has_buffer_size(&self) -> bool {
        self.has_buffer_size
    }

    /// Puts data connections under TLS, or in clear (PROT).
    pub(super) fn set_private(&mut self, private: bool) {
        self.private = private;
    }

    /// Refuses a transfer in clear where `--tls-required` does not allow it.
    ///
    /// # Errors
    /// 521.
    pub(super) fn check_data(&self, settings: &Settings, login: &Login) -> Result<(), Refusal> {
        match self.private || !requires_private_data(settings, login) {
            true => Ok(()),
            false => Err(Refusal::DataInClear),
        }
    }

    /// Puts a data connection under TLS if it has to be. To one that only receives no ticket is sent:
    /// a client that closes with a ticket unread resets the connection, and the end of its upload is
    /// lost. The sessions of data connections are bound to the control connection, so that one that was
    /// resumed is the client's. After CCC that is not asked for, since it has spoiled the session of
    /// some clients (curl).
    ///
    /// # Errors
    /// 425 if the handshake fails, 426 if it was broken off, 522 if the session was not resumed.
    pub(super) fn protect(
        &mut self,
        stream: TcpStream,
        rules: &DataRules,
        deadline: Option<Instant>,
        attention: &mut impl Attention,
    ) -> Result<Data, Refusal> {
        let context = match &self.control {
            ControlSecurity::Secured(context) | ControlSecurity::Stripped(context)
                if self.private =>
            {
                context
            }
            _ => return Ok(Data::Plain(stream)),
        };
        let must_resume = rules.must_resume && self.is_secured();
        // Where no new ticket can be sent on the control connection, one on each upload has to do.
        let needs_ticket = must_resume && !context.can_renew_tickets();
        let tickets = rules.is_upload.then_some(u32::from(needs_ticket));
        let failure = match shake(context, stream, &self.binding, tickets, deadline, attention) {
            Ok((Waited::Ready, tls)) if !must_resume || tls.is_resumed() => {
                if rules.is_upload {
                    // Without a ticket nothing of ours carries the acknowledgment of the handshake, which
                    // a client with Nagle's algorithm waits for before it sends a small file: 40 ms.
                    let _ = sys::acknowledge_now(tls.tcp());
                }
                return Ok(Data::Tls(Box::new(tls)));
            }
            Ok((Waited::Ready, _)) => {
                self.data_failure = Some(HandshakeFailure::not_resumed());
                return Err(Refusal::NotResumed);
            }
            Ok((Waited::Stopped, _)) => return Err(Refusal::Broken("Transfer aborted.")),
            Ok((Waited::TimedOut, _)) => HandshakeFailure::late(),
            Err(error) => HandshakeFailure::from(&error),
        };
        self.data_failure = Some(failure);
        Err(Refusal::NoDataConnection("The TLS handshake of the data connection failed."))
    }

    /// Takes the reason why the handshake of the last data connection failed.
    pub(super) fn take_data_failure(&mut self) -> Option<HandshakeFailure> {
        self.data_failure.take()
    }
}

/// What a data connection has to be like.
pub(super) struct DataRules {
    /// The client sends.
    pub(super) is_upload: bool,
    /// `--tls-reuse require`.
    pub(super) must_resume: bool,
}

/// Returns true if data may not be sent in clear to who is logged in.
pub(super) fn requires_private_data(settings: &Settings, login: &Login) -> bool {
    let is_account = || login.identity().is_ok_and(|identity| identity.account().is_some());
    settings.tls.is_some()
        && match settings.config.tls_required {
            TlsRequired::None => false,
            TlsRequired::Accounts => is_account(),
            TlsRequired::All => true,
        }
}

/// Shakes hands on a connection that was accepted.
pub(super) fn shake(
    context: &TlsContext,
    stream: TcpStream,
    binding: &[u8; 16],
    tickets: Option<u32>,
    deadline: Option<Instant>,
    attention: &mut impl Attention,
) -> io::Result<(Waited, Tls)> {
    let mut tls = context.accept(stream, binding, tickets)?;
    let waited = net::handshake(&mut tls, deadline, attention)?;
    Ok((waited, tls))
}
