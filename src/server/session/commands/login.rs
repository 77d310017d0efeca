//! USER, PASS and REIN.

use crate::net;
use crate::protocol::{Code, Name, Reply, Secret};
use crate::server::Server;
use crate::server::auth::identity::{Identity, is_anonymous};
use crate::server::auth::login_attempts::CheckDenied;
use crate::server::config::TlsRequired;
use crate::server::data::DataConnection;
use crate::server::error::Refusal;
use crate::server::log::Level;
use crate::server::session::commands::Answer;
use crate::server::session::login::Login;
use crate::server::session::parameters::Parameters;
use crate::server::session::security::Security;
use crate::server::session::session_log::SessionLog;
use crate::server::settings::Settings;

/// USER: ends any earlier login. If TLS is required for this name, USER is refused, so that the password
/// is not sent in the clear. Unknown names are treated alike.
pub(in crate::server::session) fn user(
    login: &mut Login,
    log: &SessionLog<'_>,
    settings: &Settings,
    security: &Security,
    name: &Name,
) -> Answer {
    log_out(login, log);
    let is_visitor = is_visitor(settings, name);
    check_encrypted(settings, security, is_visitor)?;
    login.set_user(name.clone());
    let text = match is_visitor {
        true => "Send any password, usually your e-mail address.",
        false => "Password required.",
    };
    Ok(Reply::new(Code::NEED_PASSWORD, text))
}

/// Returns whether this name is for anonymous visitors, and they are allowed.
fn is_visitor(settings: &Settings, name: &Name) -> bool {
    is_anonymous(name) && settings.authenticator.anonymous.is_some()
}

/// Refuses a login without TLS if `--tls-required` forbids it.
fn check_encrypted(
    settings: &Settings,
    security: &Security,
    is_visitor: bool,
) -> Result<(), Refusal> {
    if settings.tls.is_none() || security.is_tls() {
        return Ok(());
    }
    match settings.config.tls_required {
        TlsRequired::All => Err(Refusal::TlsRequired("TLS is required; send AUTH TLS first.")),
        TlsRequired::Accounts if !is_visitor => {
            Err(Refusal::TlsRequired("TLS is required for accounts; send AUTH TLS first."))
        }
        TlsRequired::Accounts | TlsRequired::None => Ok(()),
    }
}

/// PASS: the only way to log in. TLS is checked again, because CCC may have ended it
/// since USER, or a reload may require it.
pub(in crate::server::session) fn pass(
    server: &Server,
    settings: &Settings,
    (login, security): (&mut Login, &Security),
    log: &SessionLog<'_>,
    password: &Secret,
) -> Answer {
    let name = login.take_user().ok_or(Refusal::Sequence("Send USER first."))?;
    check_encrypted(settings, security, is_visitor(settings, &name))?;
    let admitted = match settings.authenticator.visitor(&name) {
        Some(identity) => Ok(identity),
        None => check_password(server, settings, login, log, (&name, password)),
    };
    let admitted = admitted.and_then(|identity| with_slot(server, identity));
    server.counters.login(admitted.is_ok());
    match admitted {
        Ok(identity) => {
            log.registration().set_user(Some(identity.user()));
            login.log_in(identity);
            log.logged_in(security.server_name());
            Ok(Reply::new(Code::LOGGED_IN, "Logged in."))
        }
        Err(refusal) => {
            log.login_failed(&name, &refusal);
            Err(refusal)
        }
    }
}

/// Takes one of the account's session slots. Checked after the password, so that only its owner learns
/// that the account is in use.
fn with_slot(server: &Server, mut identity: Identity) -> Result<Identity, Refusal> {
    if let Some(account) = identity.account() {
        let slot = server.account_sessions.acquire(account).ok_or(Refusal::TooManySessions)?;
        identity.set_slot(slot);
    }
    Ok(identity)
}

/// Checks a password when the address may try one, and delays the refusal of a wrong one.
fn check_password(
    server: &Server,
    settings: &Settings,
    login: &mut Login,
    log: &SessionLog<'_>,
    (name, password): (&Name, &Secret),
) -> Result<Identity, Refusal> {
    let until = login.deadline(settings.config.login_timeout);
    let permit = server.login_attempts.acquire(log.peer().ip(), name, until);
    let permit = permit.map_err(|denied| match denied {
        CheckDenied::Refused(left) => Refusal::AddressBlocked(left),
        CheckDenied::TooManyWaiting | CheckDenied::TooLate => Refusal::TooManyLogins,
    })?;
    let (checks, reputation) = (&server.password_checks, permit.reputation());
    match settings.authenticator.admit(name, password, checks, reputation, until) {
        Err(Refusal::LoginFailed) => {}
        Err(Refusal::TooManyLogins) => return Err(Refusal::TooManyLogins),
        admitted => {
            permit.succeeded();
            return admitted;
        }
    }
    let (failures, most) = (login.fail(), settings.config.max_login_failures);
    let late = net::deadline(permit.failed(failures, most));
    // The shutdown ends the delay early.
    let _ = net::wait(&mut [server.shutdown.draining()], late);
    Err(if failures < most { Refusal::LoginFailed } else { Refusal::TooManyFailures })
}

/// REIN: resets the session to its beginning.
pub(in crate::server::session) fn rein(
    login: &mut Login,
    parameters: &mut Parameters,
    data: &mut DataConnection,
    security: &Security,
    log: &SessionLog<'_>,
) -> Answer {
    // RFC 4217 section 11 would end TLS here, which no client expects.
    if security.had_auth() {
        return Err(Refusal::Sequence("REIN cannot be used after AUTH; reconnect instead."));
    }
    reset_session(login, parameters, data, log);
    Ok(Reply::new(Code::READY, "Session reset; log in with USER."))
}

/// Resets the login, the parameters and the data connection.
pub(in crate::server::session) fn reset_session(
    login: &mut Login,
    parameters: &mut Parameters,
    data: &mut DataConnection,
    log: &SessionLog<'_>,
) {
    log_out(login, log);
    data.reset();
    *parameters = Parameters::new();
}

/// Ends a login that is no longer valid after a reload, and discards what it has prepared.
pub(in crate::server::session) fn end_invalid_login(
    login: &mut Login,
    parameters: &mut Parameters,
    data: &mut DataConnection,
    log: &SessionLog<'_>,
) {
    log.event(
        Level::Info,
        "login-ended",
        &[("why", &"the account or its permissions have changed")],
    );
    parameters.forget_pending();
    data.reset();
    log_out(login, log);
}

fn log_out(login: &mut Login, log: &SessionLog<'_>) {
    login.log_out();
    log.registration().set_user(None);
}
