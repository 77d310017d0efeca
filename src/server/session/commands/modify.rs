//! Commands that change files and directories: create, remove, rename, and set times and modes.

use crate::net::{TransferHooks, Verdict};
use crate::protocol::time::write_timestamp;
use crate::protocol::{Code, FtpPath, MffFacts, Name, Reply};
use crate::server::error::Refusal;
use crate::server::fs::jail::FinalLink;
use crate::server::session::commands::Answer;
use crate::server::session::commands::query::path_reply;
use crate::server::session::control::ControlConnection;
use crate::server::session::login::Login;
use crate::server::session::parameters::Parameters;
use crate::server::session::session_log::SessionLog;
use crate::sys;
use std::io::ErrorKind;
use std::time::SystemTime;

pub(in crate::server::session) fn mkd(
    login: &Login,
    parameters: &Parameters,
    log: &SessionLog<'_>,
    name: &Name,
) -> Answer {
    let path = login.path(name)?;
    login.jail()?.make_dir(&path, parameters.dir_mode())?;
    log.change("mkd", &path);
    Ok(path_reply(&path, " created."))
}

pub(in crate::server::session) fn rmd(login: &Login, log: &SessionLog<'_>, name: &Name) -> Answer {
    let path = login.path(name)?;
    login.jail()?.remove_dir(&path)?;
    log.change("rmd", &path);
    Ok(Reply::new(Code::FILE_DONE, "Directory removed."))
}

pub(in crate::server::session) fn dele(
    login: &Login,
    parameters: &Parameters,
    log: &SessionLog<'_>,
    name: &Name,
) -> Answer {
    let path = login.path(name)?;
    login.jail()?.remove_file(&path)?;
    log.deleted(&path, login.identity()?, parameters.is_ascii());
    Ok(Reply::new(Code::FILE_DONE, "File deleted."))
}

pub(in crate::server::session) fn rnfr(
    login: &Login,
    parameters: &mut Parameters,
    name: &Name,
) -> Answer {
    let path = login.path(name)?;
    login.jail()?.stat(&path, FinalLink::NoFollow)?;
    parameters.set_rename_source(path);
    Ok(Reply::new(Code::PENDING, "Ready for RNTO with the new name."))
}

pub(in crate::server::session) fn rnto(
    login: &Login,
    log: &SessionLog<'_>,
    name: &Name,
    renamed: Option<&FtpPath>,
) -> Answer {
    let from = renamed.ok_or(Refusal::Sequence("Send RNFR first."))?;
    let to = login.path(name)?;
    login.jail()?.rename(from, &to).map_err(|error| match error.kind() {
        ErrorKind::InvalidInput => Refusal::Unavailable("A directory cannot be moved into itself."),
        _ => error.into(),
    })?;
    log.change("rnfr", from);
    log.change("rnto", &to);
    Ok(Reply::new(Code::FILE_DONE, "Renamed."))
}

pub(in crate::server::session) fn mfmt(
    login: &Login,
    log: &SessionLog<'_>,
    time: SystemTime,
    name: &Name,
) -> Answer {
    let path = set_modified(login, log, time, name)?;
    let mut text = b"Modify=".to_vec();
    write_timestamp(time, &mut text);
    text.extend_from_slice(b"; ");
    text.extend_from_slice(&path.to_wire());
    // The code must be 213: rclone treats other codes as failures.
    Ok(Reply::new(Code::FILE_STATUS, text))
}

/// Sets the modification time of a file or directory, and returns its path.
pub(super) fn set_modified(
    login: &Login,
    log: &SessionLog<'_>,
    time: SystemTime,
    name: &Name,
) -> Result<FtpPath, Refusal> {
    let path = login.path(name)?;
    login.jail()?.set_modified(&path, time)?;
    log.change("mfmt", &path);
    Ok(path)
}

pub(in crate::server::session) fn mfct(
    login: &Login,
    log: &SessionLog<'_>,
    time: SystemTime,
    name: &Name,
) -> Answer {
    mff(login, log, MffFacts { created: Some(time), ..MffFacts::default() }, name)
}

pub(in crate::server::session) fn mff(
    login: &Login,
    log: &SessionLog<'_>,
    changes: MffFacts,
    name: &Name,
) -> Answer {
    changes.mode.map_or(Ok(()), check_mode)?;
    let path = login.path(name)?;
    let jail = login.jail()?;
    if changes.created.is_some() && !sys::CAN_SET_CREATED {
        return Err(Refusal::NotImplemented);
    }
    if let Some(mode) = changes.mode {
        jail.set_mode(&path, mode)?;
    }
    if let Some(time) = changes.modified {
        jail.set_modified(&path, time)?;
    }
    if let Some(time) = changes.created {
        jail.set_created(&path, time)?;
    }
    log.change("mff", &path);
    let mut text = Vec::new();
    changes.write_to(&mut text);
    text.push(b' ');
    text.extend_from_slice(&path.to_wire());
    Ok(Reply::new(Code::FILE_STATUS, text))
}

/// RMDA: removes a directory and its contents. Links in it are removed, not followed.
pub(in crate::server::session) fn rmda(
    login: &Login,
    log: &SessionLog<'_>,
    control: &mut ControlConnection<'_>,
    name: &Name,
) -> Answer {
    let path = login.path(name)?;
    let mut watch = control.watch_for_abort();
    if login.jail()?.remove_tree(&path, &mut || watch.check(0))? == Verdict::Stop {
        return Err(watch.refusal());
    }
    log.change("rmda", &path);
    Ok(Reply::new(Code::FILE_DONE, "Directory and its contents removed."))
}

/// Refuses the set-user-ID, set-group-ID and sticky bits.
pub(super) fn check_mode(mode: u32) -> Result<(), Refusal> {
    match mode {
        0..=0o777 => Ok(()),
        _ => Err(Refusal::Argument("Only the modes 000 to 777 can be set.")),
    }
}
