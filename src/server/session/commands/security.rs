//! AUTH, PBSZ, PROT and CCC (RFC 4217).

use crate::protocol::{Code, Mechanism, Protection, Reply};
use crate::server::error::Refusal;
use crate::server::session::commands::Answer;
use crate::server::session::control::ControlConnection;
use crate::server::session::login::Login;
use crate::server::session::security::{Security, requires_private_data};
use crate::server::settings::Settings;
use std::sync::Arc;

/// AUTH. Commands that the client sent in the clear after it may have been inserted by an attacker, to be
/// executed under TLS (CVE-2011-0411), so they end the session.
pub(in crate::server::session) fn auth(
    settings: &Settings,
    control: &ControlConnection<'_>,
    login: &Login,
    security: &mut Security,
    mechanism: Mechanism,
) -> Answer {
    if security.had_auth() {
        return Err(Refusal::Sequence("AUTH was already used in this session."));
    }
    let context = settings.tls.as_ref().ok_or(Refusal::NoTls)?;
    if login.is_logged_in() {
        return Err(Refusal::Sequence("Send AUTH before USER."));
    }
    if !control.is_empty() {
        return Err(Refusal::CommandInjection);
    }
    // In the drafts before RFC 4217, AUTH SSL also protects data connections.
    let private = matches!(mechanism, Mechanism::Ssl | Mechanism::TlsP);
    security.schedule_tls(Arc::clone(context), private);
    Ok(Reply::new(Code::AUTH_ACCEPTED, "Starting TLS."))
}

/// Refuses a command that requires TLS on the control connection, with `otherwise`, or with the refusal
/// for servers without TLS.
fn require_tls(
    settings: &Settings,
    security: &Security,
    otherwise: Refusal,
) -> Result<(), Refusal> {
    match security.is_tls() {
        true => Ok(()),
        false if settings.tls.is_none() && !security.had_auth() => Err(Refusal::NoTls),
        false => Err(otherwise),
    }
}

/// PBSZ: TLS needs no agreed buffer size, so the answer is always 0 (RFC 4217 section 8).
pub(in crate::server::session) fn pbsz(settings: &Settings, security: &mut Security) -> Answer {
    require_tls(settings, security, Refusal::Sequence("Send AUTH before PBSZ."))?;
    security.set_buffer_size();
    Ok(Reply::new(Code::OK, "PBSZ=0"))
}

/// PROT: sets whether data connections use TLS.
pub(in crate::server::session) fn prot(
    settings: &Settings,
    login: &Login,
    security: &mut Security,
    protection: Protection,
) -> Answer {
    require_tls(settings, security, Refusal::Sequence("Send AUTH before PROT."))?;
    if !security.has_buffer_size() {
        return Err(Refusal::Sequence("Send PBSZ 0 before PROT."));
    }
    let text = match protection {
        Protection::Private => "Data connections are encrypted.",
        Protection::Clear if requires_private_data(settings, login) => {
            return Err(Refusal::Forbidden("This server requires PROT P."));
        }
        Protection::Clear => "Data connections are not encrypted.",
        Protection::Safe | Protection::Confidential => return Err(Refusal::UnsupportedProtection),
    };
    security.set_private(protection == Protection::Private);
    Ok(Reply::new(Code::OK, text))
}

/// CCC: ends TLS on the control connection, so that a firewall can read the ports in replies.
pub(in crate::server::session) fn ccc(
    settings: &Settings,
    control: &ControlConnection<'_>,
    security: &mut Security,
) -> Answer {
    require_tls(settings, security, Refusal::ControlNotEncrypted)?;
    if !settings.config.tls_ccc {
        return Err(Refusal::Forbidden("CCC is not allowed on this server."));
    }
    if !control.is_empty() {
        return Err(Refusal::Sequence("Wait for the reply to CCC before the next command."));
    }
    security.schedule_tls_end();
    Ok(Reply::new(Code::OK, "The control connection is no longer encrypted."))
}
