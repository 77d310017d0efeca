//! The commands of SITE.
//!
//! A new one needs a variant and a row in `protocol/command/site.rs`, its right in
//! `auth/permissions.rs`, and a function here.

use crate::protocol::{Code, Name, Reply, SITE_TABLE, Site};
use crate::server::Server;
use crate::server::error::Refusal;
use crate::server::fs::quota::QuotaUsage;
use crate::server::monitor::sessions::{SessionEntry, SessionState};
use crate::server::session::commands::{Answer, modify};
use crate::server::session::login::Login;
use crate::server::session::parameters::{LONGEST_IDLE, Parameters};
use crate::server::session::session_log::SessionLog;
use crate::server::settings::Settings;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// Executes a command of SITE.
pub(in crate::server::session) fn execute(
    server: &Server,
    settings: &Settings,
    login: &Login,
    parameters: &mut Parameters,
    log: &SessionLog<'_>,
    command: &Site,
) -> Answer {
    match command {
        Site::Help => Ok(help()),
        Site::Chmod(mode, name) => chmod(login, log, *mode, name),
        Site::Utime(_, time, name) => utime(login, log, *time, name),
        Site::Umask(mask) => Ok(umask(parameters, *mask)),
        Site::Symlink(target, link) => symlink(login, log, target, link),
        Site::Mkdir(name) => mkdir(login, parameters, log, name),
        Site::Idle(seconds) => idle(parameters, settings, *seconds),
        Site::Who => who(server, login),
        Site::Quota => quota(login),
    }
}

/// SITE CHMOD.
fn chmod(login: &Login, log: &SessionLog<'_>, mode: u32, name: &Name) -> Answer {
    modify::check_mode(mode)?;
    let path = login.path(name)?;
    login.jail()?.set_mode(&path, mode)?;
    log.change("chmod", &path);
    Ok(Reply::new(Code::OK, "Mode changed."))
}

/// SITE UTIME.
fn utime(login: &Login, log: &SessionLog<'_>, time: SystemTime, name: &Name) -> Answer {
    modify::set_modified(login, log, time, name)?;
    Ok(Reply::new(Code::OK, "Time changed."))
}

/// SITE SYMLINK. The target is a path inside the jail, which need not exist.
fn symlink(login: &Login, log: &SessionLog<'_>, target: &Name, link: &Name) -> Answer {
    let link = login.path(link)?;
    // A relative target is relative to the directory of the link.
    let target = link.parent().join(target)?;
    login.jail()?.link(&target, &link)?;
    log.change("symlink", &link);
    Ok(Reply::new(Code::OK, "Link created."))
}

/// SITE MKDIR: creates a directory and its missing parents.
fn mkdir(login: &Login, parameters: &Parameters, log: &SessionLog<'_>, name: &Name) -> Answer {
    let path = login.path(name)?;
    let (made, result) = login.jail()?.make_dirs(&path, parameters.dir_mode());
    // Only the deepest directory is logged, so that a short command cannot write many lines.
    if let Some(deepest) = made {
        log.change("mkd", &deepest);
    }
    result.map(|()| Reply::new(Code::OK, "Directories created."))
}

/// SITE UMASK: sets or shows the mask for new files and directories of the session.
fn umask(parameters: &mut Parameters, mask: Option<u32>) -> Reply {
    if let Some(mask) = mask {
        parameters.set_umask(mask);
    }
    Reply::new(
        Code::OK,
        match parameters.umask() {
            Some(mask) => format!("UMASK is {mask:03o}."),
            None => "UMASK is the server's default.".into(),
        },
    )
}

/// SITE IDLE: sets or shows the idle timeout of the session, which may be up to ten times the default.
fn idle(parameters: &mut Parameters, settings: &Settings, seconds: Option<u64>) -> Answer {
    if let Some(seconds) = seconds {
        let wanted = Duration::from_secs(seconds);
        if wanted > settings.config.idle_timeout.saturating_mul(LONGEST_IDLE) {
            return Err(Refusal::Argument("The idle timeout is too long."));
        }
        parameters.set_idle_timeout(wanted);
    }
    Ok(Reply::new(
        Code::OK,
        format!(
            "The idle timeout is {} seconds.",
            parameters.idle_timeout(settings.config.idle_timeout).as_secs()
        ),
    ))
}

/// SITE WHO: lists the sessions and the number of bytes that they move, but no file names, which may be
/// private. Anonymous visitors may not see client addresses.
fn who(server: &Server, login: &Login) -> Answer {
    if login.identity()?.account().is_none() {
        return Err(Refusal::Unavailable("SITE WHO requires an account."));
    }
    let line = |entry: Arc<SessionEntry>| {
        let SessionState { user, info, tls } = entry.state();
        let user = user.map_or("(not logged in)".into(), |user| user.to_string());
        let (ip, seconds) = (entry.peer.ip(), entry.since.elapsed().as_secs());
        let doing = info.map_or(String::new(), |info| {
            let of = info.expected.map_or(String::new(), |size| format!(" of {size}"));
            format!(", {} {}{of} bytes", info.kind.event(), entry.moved())
        });
        let under = tls.map_or(String::new(), |version| format!(", {version}"));
        let line =
            format!(" {} {user} from {ip} for {seconds} seconds{under}{doing}", entry.number);
        line.into_bytes()
    };
    let lines: Vec<Vec<u8>> = server.session_list.all().into_iter().map(line).collect();
    Ok(Reply::lines(Code::SYSTEM_STATUS, "Sessions:", lines, "End."))
}

/// SITE QUOTA: shows the quota and its use.
fn quota(login: &Login) -> Answer {
    let text = match login.jail()?.usage()? {
        Some(usage) => {
            let QuotaUsage { used, quota, left } = usage;
            format!("{used} of {quota} bytes used, {left} bytes left.")
        }
        None => "No quota is set.".into(),
    };
    Ok(Reply::new(Code::OK, text))
}

pub(super) fn help() -> Reply {
    let lines = SITE_TABLE.iter().map(|row| format!(" {}", row.syntax).into_bytes());
    Reply::lines(Code::HELP, "SITE commands:", lines, "End.")
}
