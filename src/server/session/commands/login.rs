//! USER, PASS and REIN.

use crate::net;
use crate::protocol::{Code, Name, Reply, Secret};
use crate::server::Server;
use crate::server::auth::identity::{Identity, is_anonymous};
use crate::server::auth::login_attempts::NoTurn;
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

/// USER: forgets any earlier login. A name that needs TLS is refused before a password can be sent in
/// clear, also one that nobody has.
pub(in crate::server::session) fn user(
    login: &mut Login,
    log: &SessionLog<'_>,
    settings: &Settings,
    security: &Security,
    name: &Name,
) -> Answer {
    leave(login, log);
    let is_visitor = is_visitor(settings, name);
    check_encrypted(settings, security, is_visitor)?;
    login.name(name.clone());
    let text = match is_visitor {
        true => "Any password will do; your e-mail address is the custom.",
        false => "Password, please.",
    };
    Ok(Reply::new(Code::NEED_PASSWORD, text))
}

/// Returns true if a visitor may log in by this name.
fn is_visitor(settings: &Settings, name: &Name) -> bool {
    is_anonymous(name) && settings.authenticator.anonymous.is_some()
}

/// Refuses a login in clear where `--tls-required` does not allow it.
fn check_encrypted(
    settings: &Settings,
    security: &Security,
    is_visitor: bool,
) -> Result<(), Refusal> {
    if settings.tls.is_none() || security.is_secured() {
        return Ok(());
    }
    match settings.config.tls_required {
        TlsRequired::All => Err(Refusal::TlsRequired("TLS is required: AUTH TLS first.")),
        TlsRequired::Accounts if !is_visitor => {
            Err(Refusal::TlsRequired("TLS is required for accounts: AUTH TLS first."))
        }
        TlsRequired::Accounts | TlsRequired::None => Ok(()),
    }
}

/// PASS: the one way to be logged in. Between USER and PASS, CCC may have ended TLS, or a reload may
/// require it.
pub(in crate::server::session) fn pass(
    server: &Server,
    settings: &Settings,
    (login, security): (&mut Login, &Security),
    log: &SessionLog<'_>,
    password: &Secret,
) -> Answer {
    let name = login.take_name().ok_or(Refusal::Sequence("Send USER first."))?;
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
            login.enter(identity);
            log.logged_in(security.server_name());
            Ok(Reply::new(Code::LOGGED_IN, "Logged in."))
        }
        Err(refusal) => {
            let why = String::from_utf8_lossy(refusal.reply().text()).into_owned();
            log.event(Level::Warn, "login-failed", &[("name", &&*name.masked()), ("why", &why)]);
            Err(refusal)
        }
    }
}

/// Gives an account's session its place. Only who has the password learns that there is none.
fn with_slot(server: &Server, mut identity: Identity) -> Result<Identity, Refusal> {
    if let Some(account) = identity.account() {
        let slot = server.account_sessions.enter(account).ok_or(Refusal::TooManySessions)?;
        identity.occupy(slot);
    }
    Ok(identity)
}

/// Checks a password when it is the turn of its address, and is late to say that it was wrong.
fn check_password(
    server: &Server,
    settings: &Settings,
    login: &mut Login,
    log: &SessionLog<'_>,
    (name, password): (&Name, &Secret),
) -> Result<Identity, Refusal> {
    let until = login.deadline(settings.config.login_timeout);
    let turn = server.login_attempts.turn(log.peer().ip(), name, until);
    let turn = turn.map_err(|no_turn| match no_turn {
        NoTurn::Refused(left) => Refusal::Guessing(left),
        NoTurn::Crowded | NoTurn::TooLate => Refusal::NoTurn,
    })?;
    let (checks, standing) = (&server.password_checks, turn.standing());
    match settings.authenticator.admit(name, password, checks, standing, until) {
        Err(Refusal::LoginFailed) => {}
        Err(Refusal::NoTurn) => return Err(Refusal::NoTurn),
        admitted => {
            turn.right();
            return admitted;
        }
    }
    let (failures, most) = (login.fail(), settings.config.max_login_failures);
    let late = net::deadline(turn.wrong(failures, most));
    // The end of the server is nothing to wait for.
    let _ = net::wait(&mut [server.shutdown.draining()], late);
    Err(if failures < most { Refusal::LoginFailed } else { Refusal::TooManyFailures })
}

/// REIN: as if the connection had just been made.
pub(in crate::server::session) fn rein(
    login: &mut Login,
    parameters: &mut Parameters,
    data: &mut DataConnection,
    security: &Security,
    log: &SessionLog<'_>,
) -> Answer {
    // RFC 4217 section 11 would have the connection in clear again, which nobody expects to be.
    if security.has_begun() {
        return Err(Refusal::Sequence("REIN does not go with AUTH; connect again."));
    }
    begin_again(login, parameters, data, log);
    Ok(Reply::new(Code::READY, "Begin again with USER."))
}

/// Forgets all that commands have set.
pub(in crate::server::session) fn begin_again(
    login: &mut Login,
    parameters: &mut Parameters,
    data: &mut DataConnection,
    log: &SessionLog<'_>,
) {
    leave(login, log);
    data.reset();
    *parameters = Parameters::new();
}

/// Ends a login that a reload has made void, and with it what was begun under it.
pub(in crate::server::session) fn end_void_login(
    login: &mut Login,
    parameters: &mut Parameters,
    data: &mut DataConnection,
    log: &SessionLog<'_>,
) {
    log.event(Level::Info, "login-ended", &[("why", &"the rules have changed")]);
    parameters.forget_pending();
    data.reset();
    leave(login, log);
}

fn leave(login: &mut Login, log: &SessionLog<'_>) {
    login.leave();
    log.registration().set_user(None);
}
