//! AUTH, PBSZ, PROT and CCC (RFC 4217).

use crate::protocol::{Code, Mechanism, Protection, Reply};
use crate::server::error::Refusal;
use crate::server::session::commands::Answer;
use crate::server::session::control::ControlConnection;
use crate::server::session::login::Login;
use crate::server::session::security::{Security, requires_private_data};
use crate::server::settings::Settings;
use std::sync::Arc;

/// AUTH. What the client sent in clear behind it may have been put there by somebody on the way, to be
/// carried out under the login that follows (CVE-2011-0411), so it ends the session.
pub(in crate::server::session) fn auth(
    settings: &Settings,
    control: &ControlConnection<'_>,
    login: &Login,
    security: &mut Security,
    mechanism: Mechanism,
) -> Answer {
    if security.has_begun() {
        return Err(Refusal::Sequence("There is one AUTH in a session."));
    }
    let context = settings.tls.as_ref().ok_or(Refusal::NoTls)?;
    if login.is_in() {
        return Err(Refusal::Sequence("AUTH comes before USER and PASS."));
    }
    if !control.is_empty() {
        return Err(Refusal::Injected);
    }
    // The drafts before RFC 4217: SSL means that data connections are under TLS at once.
    let private = matches!(mechanism, Mechanism::Ssl | Mechanism::TlsP);
    security.announce(Arc::clone(context), private);
    Ok(Reply::new(Code::AUTH_ACCEPTED, "TLS begins now."))
}

/// Refuses what goes with a control connection under TLS alone: `otherwise`, or that the server has no
/// TLS at all.
fn check_secured(
    settings: &Settings,
    security: &Security,
    otherwise: Refusal,
) -> Result<(), Refusal> {
    match security.is_secured() {
        true => Ok(()),
        false if settings.tls.is_none() && !security.has_begun() => Err(Refusal::NoTls),
        false => Err(otherwise),
    }
}

/// PBSZ: TLS needs no buffer of an agreed size, and says 0 whatever was asked for (RFC 4217 section 8).
pub(in crate::server::session) fn pbsz(settings: &Settings, security: &mut Security) -> Answer {
    check_secured(settings, security, Refusal::Sequence("PBSZ comes after AUTH."))?;
    security.set_buffer_size();
    Ok(Reply::new(Code::OK, "PBSZ=0"))
}

/// PROT: if data connections are under TLS.
pub(in crate::server::session) fn prot(
    settings: &Settings,
    login: &Login,
    security: &mut Security,
    protection: Protection,
) -> Answer {
    check_secured(settings, security, Refusal::Sequence("PROT comes after AUTH."))?;
    if !security.has_buffer_size() {
        return Err(Refusal::Sequence("PROT comes after PBSZ 0."));
    }
    let text = match protection {
        Protection::Private => "Data connections are protected.",
        Protection::Clear if requires_private_data(settings, login) => {
            return Err(Refusal::AgainstPolicy("Data connections must be protected here."));
        }
        Protection::Clear => "Data connections are in clear.",
        Protection::Safe | Protection::Confidential => return Err(Refusal::NoSuchProtection),
    };
    security.set_private(protection == Protection::Private);
    Ok(Reply::new(Code::OK, text))
}

/// CCC: the control connection continues in clear, so that a firewall can read the ports in it.
pub(in crate::server::session) fn ccc(
    settings: &Settings,
    control: &ControlConnection<'_>,
    security: &mut Security,
) -> Answer {
    check_secured(settings, security, Refusal::NotSecured)?;
    if !settings.config.tls_ccc {
        return Err(Refusal::AgainstPolicy("CCC is not allowed on this server."));
    }
    if !control.is_empty() {
        return Err(Refusal::Sequence("Wait for the reply to CCC before the next command."));
    }
    security.announce_end();
    Ok(Reply::new(Code::OK, "The control connection continues in clear."))
}
