//! The TLS state of a session: the control connection (AUTH, CCC) and the protection of data connections
//! (PROT).
//!
//! A session can use AUTH once. TLS starts or ends after the reply to AUTH or CCC has been sent: the
//! handler schedules the change here, and the command loop takes it.

use crate::net::{self, Data, TransferHooks, Waited};
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

/// The TLS state of a session.
pub(super) struct Security {
    control: ControlSecurity,
    /// The identifier of this control connection, to which TLS sessions are bound.
    binding: [u8; 16],
    /// True if PBSZ was sent, which PROT requires.
    has_buffer_size: bool,
    /// True if data connections use TLS (PROT P).
    private: bool,
    /// The change to make once the reply is sent.
    scheduled: Option<Change>,
    /// The reason why the last TLS handshake of a data connection failed.
    data_failure: Option<HandshakeFailure>,
    /// The host name that the client requested (SNI).
    server_name: Option<String>,
}

/// The TLS state of the control connection.
enum ControlSecurity {
    /// AUTH was not sent.
    Clear,
    /// The control connection uses TLS.
    Tls(Arc<TlsContext>),
    /// CCC has ended TLS on the control connection; data connections may still use it.
    ClearAfterCcc(Arc<TlsContext>),
}

/// A change of the control connection's TLS state, made after the reply to AUTH or CCC.
pub(super) enum Change {
    /// Start TLS.
    StartTls(Arc<TlsContext>),
    /// End TLS.
    EndTls,
}

impl Security {
    /// Creates the state of a session without TLS. `session` is its number.
    pub(super) fn new(session: u64) -> Security {
        Security {
            control: ControlSecurity::Clear,
            binding: u128::from(session).to_be_bytes(),
            has_buffer_size: false,
            private: false,
            scheduled: None,
            data_failure: None,
            server_name: None,
        }
    }

    /// Returns the identifier to which TLS sessions are bound.
    pub(super) fn binding(&self) -> &[u8; 16] {
        &self.binding
    }

    /// Returns whether the control connection uses TLS.
    pub(super) fn is_tls(&self) -> bool {
        matches!(self.control, ControlSecurity::Tls(_))
    }

    /// Returns whether AUTH was used, even if CCC has ended TLS.
    pub(super) fn had_auth(&self) -> bool {
        !matches!(self.control, ControlSecurity::Clear)
    }

    /// Returns whether data connections use TLS (PROT P).
    pub(super) fn is_private(&self) -> bool {
        self.private
    }

    /// Schedules the start of TLS with this context; `private` protects data connections too.
    pub(super) fn schedule_tls(&mut self, context: Arc<TlsContext>, private: bool) {
        self.private = private;
        self.scheduled = Some(Change::StartTls(context));
    }

    /// Schedules the end of TLS on the control connection.
    pub(super) fn schedule_tls_end(&mut self) {
        self.scheduled = Some(Change::EndTls);
    }

    /// Takes the scheduled change.
    pub(super) fn take_scheduled(&mut self) -> Option<Change> {
        self.scheduled.take()
    }

    /// Returns the host name that the client requested (SNI).
    pub(super) fn server_name(&self) -> Option<&str> {
        self.server_name.as_deref()
    }

    /// Records that the control connection uses TLS.
    pub(super) fn set_tls_started(
        &mut self,
        context: Arc<TlsContext>,
        server_name: Option<String>,
    ) {
        self.server_name = server_name;
        self.control = ControlSecurity::Tls(context);
    }

    /// Records that CCC has ended TLS on the control connection.
    pub(super) fn set_tls_ended(&mut self) {
        self.control = match std::mem::replace(&mut self.control, ControlSecurity::Clear) {
            ControlSecurity::Tls(context) => ControlSecurity::ClearAfterCcc(context),
            other => other,
        };
    }

    /// Records PBSZ.
    pub(super) fn set_buffer_size(&mut self) {
        self.has_buffer_size = true;
    }

    /// Returns whether PBSZ was sent.
    pub(super) fn has_buffer_size(&self) -> bool {
        self.has_buffer_size
    }

    /// Sets whether data connections use TLS (PROT).
    pub(super) fn set_private(&mut self, private: bool) {
        self.private = private;
    }

    /// Refuses a transfer without TLS if `--tls-required` forbids it.
    ///
    /// # Errors
    /// 521 if the transfer needs TLS.
    pub(super) fn check_data(&self, settings: &Settings, login: &Login) -> Result<(), Refusal> {
        match self.private || !requires_private_data(settings, login) {
            true => Ok(()),
            false => Err(Refusal::DataNotEncrypted),
        }
    }

    /// Performs the TLS handshake of a data connection if PROT P is set.
    ///
    /// Before an upload no session ticket is sent, because a client that closes with an unread ticket
    /// resets the connection, and the end of its upload is lost. TLS sessions of data connections are
    /// bound to the control connection, so a resumed session proves that the peer is the client. After
    /// CCC resumption is not required, because some clients (curl) lose their session with it.
    ///
    /// # Errors
    /// 425 if the handshake fails, 426 if it was aborted, 522 if the session was not resumed.
    pub(super) fn protect(
        &mut self,
        stream: TcpStream,
        rules: &DataRules,
        deadline: Option<Instant>,
        hooks: &mut impl TransferHooks,
    ) -> Result<Data, Refusal> {
        let context = match &self.control {
            ControlSecurity::Tls(context) | ControlSecurity::ClearAfterCcc(context)
                if self.private =>
            {
                context
            }
            _ => return Ok(Data::Plain(stream)),
        };
        let must_resume = rules.must_resume && self.is_tls();
        // If no new tickets can be sent on the control connection, each upload needs one.
        let needs_ticket = must_resume && !context.can_renew_tickets();
        let tickets = rules.is_upload.then_some(u32::from(needs_ticket));
        let failure = match accept_tls(context, stream, &self.binding, tickets, deadline, hooks) {
            Ok((Waited::Ready, tls)) if !must_resume || tls.is_resumed() => {
                if rules.is_upload {
                    // Without a ticket, no data of the server carries the acknowledgment of the
                    // handshake, for which Nagle's algorithm makes a client wait before it sends a small
                    // file: 40 ms.
                    let _ = sys::acknowledge_now(tls.tcp());
                }
                return Ok(Data::Tls(Box::new(tls)));
            }
            Ok((Waited::Ready, _)) => {
                self.data_failure = Some(HandshakeFailure::not_resumed());
                return Err(Refusal::NotResumed);
            }
            Ok((Waited::Stopped, _)) => return Err(Refusal::Aborted("Transfer aborted.")),
            Ok((Waited::TimedOut, _)) => HandshakeFailure::timeout(),
            Err(error) => HandshakeFailure::from(&error),
        };
        self.data_failure = Some(failure);
        Err(Refusal::NoDataConnection("The TLS handshake of the data connection failed."))
    }

    /// Takes the reason why the last TLS handshake of a data connection failed.
    pub(super) fn take_data_failure(&mut self) -> Option<HandshakeFailure> {
        self.data_failure.take()
    }
}

/// The requirements for a data connection.
pub(super) struct DataRules {
    /// True if the client sends the data.
    pub(super) is_upload: bool,
    /// `--tls-reuse require`.
    pub(super) must_resume: bool,
}

/// Returns whether the logged-in user must encrypt data connections.
pub(super) fn requires_private_data(settings: &Settings, login: &Login) -> bool {
    let is_account = || login.identity().is_ok_and(|identity| identity.account().is_some());
    settings.tls.is_some()
        && match settings.config.tls_required {
            TlsRequired::None => false,
            TlsRequired::Accounts => is_account(),
            TlsRequired::All => true,
        }
}

/// Accepts a TLS connection and performs the handshake.
pub(super) fn accept_tls(
    context: &TlsContext,
    stream: TcpStream,
    binding: &[u8; 16],
    tickets: Option<u32>,
    deadline: Option<Instant>,
    hooks: &mut impl TransferHooks,
) -> io::Result<(Waited, Tls)> {
    let mut tls = context.accept(stream, binding, tickets)?;
    let waited = net::handshake(&mut tls, deadline, hooks)?;
    Ok((waited, tls))
}
