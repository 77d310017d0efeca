//! Commands that change names: make, remove, rename, and their times and modes.

use crate::net::{Attention, Verdict};
use crate::protocol::time::write_timestamp;
use crate::protocol::{Changes, Code, FtpPath, Name, Reply};
use crate::server::auth::identity::Right;
use crate::server::error::Refusal;
use crate::server::fs::jail::Last;
use crate::server::session::commands::query::path_reply;
use crate::server::session::control_watch::ControlWatch;
use crate::server::session::{Pending, Session};
use crate::sys;
use std::io::ErrorKind;
use std::time::SystemTime;

type Answer = Result<Reply, Refusal>;

impl Session<'_> {
    pub(in crate::server::session) fn mkd(&mut self, name: &Name) -> Answer {
        let path = self.path(name)?;
        self.identity()?.jail.make_dir(&path, self.dir_mode())?;
        self.log_change("mkd", &path);
        Ok(path_reply(&path, " created."))
    }

    pub(in crate::server::session) fn rmd(&mut self, name: &Name) -> Answer {
        let path = self.path(name)?;
        self.identity()?.jail.remove_dir(&path)?;
        self.log_change("rmd", &path);
        Ok(Reply::new(Code::FILE_DONE, "Directory removed."))
    }

    pub(in crate::server::session) fn dele(&mut self, name: &Name) -> Answer {
        let path = self.path(name)?;
        self.identity()?.jail.remove_file(&path)?;
        self.record_deleted(&path);
        Ok(Reply::new(Code::FILE_DONE, "File deleted."))
    }

    pub(in crate::server::session) fn rnfr(&mut self, name: &Name) -> Answer {
        let path = self.path(name)?;
        self.identity()?.jail.stat(&path, Last::Keep)?;
        self.pending = Pending::Rename(path);
        Ok(Reply::new(Code::PENDING, "Now send RNTO with the new name."))
    }

    pub(in crate::server::session) fn rnto(&mut self, name: &Name, pending: Pending) -> Answer {
        let Pending::Rename(from) = pending else {
            return Err(Refusal::Sequence("Send RNFR first."));
        };
        let to = self.path(name)?;
        self.identity()?.jail.rename(&from, &to).map_err(|error| match error.kind() {
            ErrorKind::InvalidInput => {
                Refusal::Unavailable("A directory cannot be moved into itself.")
            }
            _ => error.into(),
        })?;
        self.log_change("rnfr", &from);
        self.log_change("rnto", &to);
        Ok(Reply::new(Code::FILE_DONE, "Renamed."))
    }

    pub(in crate::server::session) fn mfmt(&mut self, time: SystemTime, name: &Name) -> Answer {
        let path = self.set_modified(time, name)?;
        let mut text = b"Modify=".to_vec();
        write_timestamp(time, &mut text);
        text.extend_from_slice(b"; ");
        text.extend_from_slice(path.as_bytes());
        // 213 and not another success: rclone takes other codes for a failure.
        Ok(Reply::new(Code::FILE_STATUS, text))
    }

    pub(in crate::server::session) fn chmod(&mut self, mode: u32, name: &Name) -> Answer {
        check_mode(mode)?;
        let path = self.path(name)?;
        self.identity()?.jail.set_mode(&path, mode)?;
        self.log_change("chmod", &path);
        Ok(Reply::new(Code::OK, "Mode changed."))
    }

    /// What `MDTM time name` answers, which is not what MFMT answers.
    pub(in crate::server::session) fn mdtm_set(&mut self, time: SystemTime, name: &Name) -> Answer {
        self.require(Right::Write)?;
        self.set_modified(time, name)?;
        Ok(Reply::new(Code::FILE_TIME_SET, "Time changed."))
    }

    /// SITE UTIME.
    pub(in crate::server::session) fn utime(&mut self, time: SystemTime, name: &Name) -> Answer {
        self.set_modified(time, name)?;
        Ok(Reply::new(Code::OK, "Time changed."))
    }

    fn set_modified(&self, time: SystemTime, name: &Name) -> Result<FtpPath, Refusal> {
        let path = self.path(name)?;
        self.identity()?.jail.set_modified(&path, time)?;
        self.log_change("mfmt", &path);
        Ok(path)
    }

    pub(in crate::server::session) fn mfct(&mut self, time: SystemTime, name: &Name) -> Answer {
        self.mff(Changes { created: Some(time), ..Changes::default() }, name)
    }

    pub(in crate::server::session) fn mff(&mut self, changes: Changes, name: &Name) -> Answer {
        changes.mode.map_or(Ok(()), check_mode)?;
        let path = self.path(name)?;
        let jail = &self.identity()?.jail;
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
        self.log_change("mff", &path);
        let mut text = Vec::new();
        changes.write_to(&mut text);
        text.push(b' ');
        text.extend_from_slice(path.as_bytes());
        Ok(Reply::new(Code::FILE_STATUS, text))
    }

    /// SITE SYMLINK. The link leads to a place inside, whatever stands there.
    pub(in crate::server::session) fn symlink(&mut self, target: &Name, link: &Name) -> Answer {
        let link = self.path(link)?;
        // As with any link, a relative target counts from where the link stands.
        let target = link.parent().join(target)?;
        self.identity()?.jail.link(&target, &link)?;
        self.log_change("symlink", &link);
        Ok(Reply::new(Code::OK, "Link made."))
    }

    /// SITE MKDIR: a directory and all that is missing above it.
    pub(in crate::server::session) fn mkdirs(&mut self, name: &Name) -> Answer {
        let path = self.path(name)?;
        let (made, result) = self.identity()?.jail.make_dirs(&path, self.dir_mode());
        // One line, however many were made: the log must not grow much faster than what is said.
        if let Some(deepest) = made {
            self.log_change("mkd", &deepest);
        }
        result.map(|()| Reply::new(Code::OK, "Directories made."))
    }

    /// The permission bits of a new directory, if SITE UMASK decides them.
    fn dir_mode(&self) -> Option<u32> {
        self.umask.map(|mask| 0o777 & !mask)
    }

    /// RMDA: a directory with all that is in it. Links in it are removed, never followed.
    pub(in crate::server::session) fn rmda(&mut self, name: &Name) -> Answer {
        let path = self.path(name)?;
        let jail = self.identity()?.jail.clone();
        let mut watch = ControlWatch::for_abort(&mut self.control, &self.server.shutdown);
        if jail.remove_tree(&path, &mut || watch.attend(0))? == Verdict::Stop {
            return Err(watch.refusal());
        }
        self.log_change("rmda", &path);
        Ok(Reply::new(Code::FILE_DONE, "Directory removed with all that was in it."))
    }
}

/// Bits that lend the rights of a file's owner to whoever runs it are not for clients to set.
fn check_mode(mode: u32) -> Result<(), Refusal> {
    match mode {
        0..=0o777 => Ok(()),
        _ => Err(Refusal::Argument("Only the modes 000 to 777 can be set.")),
    }
}
