//! Commands that query files and directories without changing them: the current directory, sizes and
//! times.

use crate::net::TransferHooks;
use crate::protocol::time::write_timestamp;
use crate::protocol::{Code, Command, FtpPath, Name, Reply, write_quoted};
use crate::server::auth::permissions::Right;
use crate::server::error::Refusal;
use crate::server::fs::jail::FinalLink;
use crate::server::fs::stored_text;
use crate::server::session::commands::{Answer, modify};
use crate::server::session::control::ControlConnection;
use crate::server::session::login::Login;
use crate::server::session::parameters::Parameters;
use crate::server::session::session_log::SessionLog;
use crate::sys::{FileKind, Open};
use std::io::{self, ErrorKind};

pub(in crate::server::session) fn cwd(login: &mut Login, name: &Name) -> Answer {
    let path = login.path(name)?;
    enter(login, path)
}

pub(in crate::server::session) fn cdup(login: &mut Login) -> Answer {
    let parent = login.cwd()?.parent();
    enter(login, parent)
}

fn enter(login: &mut Login, path: FtpPath) -> Answer {
    let reply =
        Reply::new(Code::FILE_DONE, [b"Current directory is ", &path.to_wire()[..], b"."].concat());
    login.change_dir(path)?;
    Ok(reply)
}

pub(in crate::server::session) fn pwd(login: &Login) -> Answer {
    Ok(path_reply(login.cwd()?, " is the current directory."))
}

pub(in crate::server::session) fn size(
    login: &Login,
    parameters: &Parameters,
    name: &Name,
) -> Answer {
    let stored = login.jail()?.stored(&login.path(name)?)?;
    let size = match stored.found() {
        // RFC 3659 section 4: SIZE is the size of the transfer, which in TYPE A includes the CRs of line
        // ends.
        Some(stat) if stat.kind == FileKind::File && parameters.is_ascii() => {
            let file = stored.open(Open::Read)?;
            match stored.is_partial() {
                true => stored_text::received_length(file)?,
                false => stored_text::length(file)?,
            }
        }
        Some(stat) if stat.kind == FileKind::File => stat.size,
        Some(_) | None => return Err(Refusal::NotPlainFile),
    };
    Ok(Reply::new(Code::FILE_STATUS, size.to_string()))
}

/// MDTM queries a time. `MDTM YYYYMMDDHHMMSS name` sets it, for clients older than MFMT, unless the
/// whole argument is the name of a file.
pub(in crate::server::session) fn mdtm(
    login: &mut Login,
    log: &SessionLog<'_>,
    name: &Name,
) -> Answer {
    let path = login.path(name)?;
    match login.jail()?.stat(&path, FinalLink::Follow) {
        Ok(stat) => {
            let mut text = Vec::new();
            write_timestamp(stat.modified, &mut text);
            Ok(Reply::new(Code::FILE_STATUS, text))
        }
        Err(error) => match Command::parse(&[b"MFMT ", &name.to_wire()[..]].concat()) {
            Ok(Command::Mfmt(time, name)) => {
                login.require(Right::Change)?;
                modify::set_modified(login, log, time, &name)?;
                Ok(Reply::new(Code::FILE_TIME_SET, "Time changed."))
            }
            _ => Err(error.into()),
        },
    }
}

/// AVBL: returns the number of bytes that can still be stored.
pub(in crate::server::session) fn avbl(login: &Login, name: Option<&Name>) -> Answer {
    let path = login.path_or_cwd(name)?;
    Ok(Reply::new(Code::FILE_STATUS, login.jail()?.space(&path)?.to_string()))
}

/// DSIZ: returns the total size of all files below a directory.
pub(in crate::server::session) fn dsiz(
    login: &Login,
    control: &mut ControlConnection<'_>,
    name: Option<&Name>,
) -> Answer {
    let path = login.path_or_cwd(name)?;
    let mut watch = control.watch_for_abort();
    match login.jail()?.total_size(&path, &mut |size| watch.check(size))? {
        Some(size) => Ok(Reply::new(Code::FILE_STATUS, size.to_string())),
        None => Err(watch.refusal()),
    }
}

/// ALLO: checks whether there is enough space, and reserves nothing.
pub(in crate::server::session) fn allo(login: &Login, bytes: u64) -> Answer {
    if login.jail()?.space(login.cwd()?)? < bytes {
        return Err(io::Error::from(ErrorKind::StorageFull).into());
    }
    Ok(Reply::new(Code::OK, "Enough space is available."))
}

/// Returns a 257 reply with a quoted path (RFC 959 appendix II).
pub(in crate::server::session) fn path_reply(path: &FtpPath, text: &str) -> Reply {
    let mut line = Vec::new();
    write_quoted(path.as_bytes(), &mut line);
    line.extend_from_slice(text.as_bytes());
    Reply::new(Code::PATH, line)
}
