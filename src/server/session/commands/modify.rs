//! Commands that change names: make, remove, rename, and their times and modes.

use crate::net::{Attention, Verdict};
use crate::protocol::time::write_timestamp;
use crate::protocol::{Changes, Code, FtpPath, Name, Reply};
use crate::server::auth::identity::Right;
use crate::server::error::Refusal;
use crate::server::fs::jail::Last;
use crate::server::fs::partial;
use crate::server::fs::quota::{self, Ledger};
use crate::server::fs::upload;
use crate::server::session::commands::query::path_reply;
use crate::server::session::control_watch::ControlWatch;
use crate::server::session::{Pending, Session};
use crate::sys::{self, Dir, FileKind};
use std::io::{self, ErrorKind};
use std::iter;
use std::time::SystemTime;

type Answer = Result<Reply, Refusal>;

impl Session<'_> {
    pub(in crate::server::session) fn mkd(&mut self, name: &Name) -> Answer {
        let path = self.path(name)?;
        self.make_dir(&path)?;
        self.log_change("mkd", &path);
        Ok(path_reply(&path, " created."))
    }

    pub(in crate::server::session) fn rmd(&mut self, name: &Name) -> Answer {
        let path = self.path(name)?;
        let place = self.identity()?.jail.locate(&path, Last::Keep)?;
        match place.dir.remove_dir(&place.name) {
            // What keeps it may be partial uploads alone, which nobody can see.
            Err(error) if error.kind() == ErrorKind::DirectoryNotEmpty => {
                if self.identity()?.jail.read_dir(&path)?.next_name()?.is_some() {
                    return Err(error.into());
                }
                let ledger = self.identity()?.jail.ledger_inside(&place);
                partial::sweep(&place.dir.open_dir(&place.name)?, ledger.as_ref())?;
                place.dir.remove_dir(&place.name)?;
            }
            other => other?,
        }
        self.log_change("rmd", &path);
        Ok(Reply::new(Code::FILE_DONE, "Directory removed."))
    }

    pub(in crate::server::session) fn dele(&mut self, name: &Name) -> Answer {
        let path = self.path(name)?;
        let jail = &self.identity()?.jail;
        let place = jail.locate(&path, Last::Keep)?;
        match place.found {
            Some(stat) if stat.kind == FileKind::Dir => {
                return Err(io::Error::from(ErrorKind::IsADirectory).into());
            }
            Some(_) => {
                quota::remove_file(jail.ledger(&place).as_ref(), &place.dir, &place.name)?;
                // Someone may be writing it anew; then it is theirs.
                let _ = upload::remove_waiting(jail, &place);
            }
            // An unfinished upload is all there is: deleting it is what is meant.
            None if upload::remove_waiting(jail, &place)? => {}
            None => return Err(io::Error::from(ErrorKind::NotFound).into()),
        }
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
        if path.parts().any(partial::is_partial) {
            return Err(io::Error::from(ErrorKind::NotFound).into());
        }
        let (mut dir, missing) = self.deepest_dir(&path)?;
        let mut made = None;
        // Each from the one before it: from the root, a path of two thousand parts would cost two
        // million steps.
        let result = missing.iter().try_for_each(|path| {
            dir = self.make_below(&dir, path)?;
            made = Some(path);
            Ok(())
        });
        // One line, however many were made: the log must not grow much faster than what is said.
        if let Some(deepest) = made {
            self.log_change("mkd", deepest);
        }
        result.map(|()| Reply::new(Code::OK, "Directories made."))
    }

    /// The deepest directory on the way to `path` that is there, and what is missing below it.
    fn deepest_dir(&self, path: &FtpPath) -> Result<(Dir, Vec<FtpPath>), Refusal> {
        let jail = &self.identity()?.jail;
        let above = |path: &FtpPath| (!path.is_root()).then(|| path.parent());
        let mut way: Vec<FtpPath> = iter::successors(Some(path.clone()), above).collect();
        way.reverse();
        // What is below something missing is missing, too, so half of them need not be looked at.
        let there = way[1..].partition_point(|path| jail.stat(path, Last::Follow).is_ok());
        let missing = way.split_off(there + 1);
        Ok((jail.open_dir(&way[there])?, missing))
    }

    /// Makes the last directory of `path` in `dir`, where it belongs, and opens it.
    fn make_below(&self, dir: &Dir, path: &FtpPath) -> Result<Dir, Refusal> {
        let name = sys::os_name(path.file_name().ok_or(Refusal::BadName)?)?;
        dir.make_dir(&name)?;
        if let Some(mask) = self.umask {
            dir.set_mode(&name, 0o777 & !mask)?;
        }
        Ok(dir.open_dir(&name)?)
    }

    fn make_dir(&self, path: &FtpPath) -> Result<(), Refusal> {
        let jail = &self.identity()?.jail;
        jail.make_dir(path)?;
        match self.umask {
            Some(mask) => Ok(jail.set_mode(path, 0o777 & !mask)?),
            None => Ok(()),
        }
    }

    /// RMDA: a directory with all that is in it. Links in it are removed, never followed.
    pub(in crate::server::session) fn rmda(&mut self, name: &Name) -> Answer {
        let path = self.path(name)?;
        let jail = &self.identity()?.jail;
        let place = jail.locate(&path, Last::Keep)?;
        let (dir, ledger) = (place.dir.open_dir(&place.name)?, jail.ledger_inside(&place));
        let mut watch = ControlWatch::for_abort(&mut self.control, &self.server.shutdown);
        if empty(&dir, ledger.as_ref(), 0, &mut watch)? == Verdict::Stop {
            return Err(watch.refusal());
        }
        place.dir.remove_dir(&place.name)?;
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

/// Removes everything in a directory, some names at a time; stops where the client breaks it off.
fn empty(
    dir: &Dir,
    ledger: Option<&Ledger>,
    depth: u32,
    watch: &mut ControlWatch<'_>,
) -> Result<Verdict, Refusal> {
    const DEEPEST: u32 = 64;
    const AT_A_TIME: usize = 256;
    if depth > DEEPEST {
        return Err(Refusal::Unavailable("Too deep to be removed at once."));
    }
    loop {
        // The names first: what is removed while a directory is read may hide others from the reader.
        let names = dir.entries()?.take(AT_A_TIME).collect::<io::Result<Vec<_>>>()?;
        if names.is_empty() {
            return Ok(Verdict::Continue);
        }
        for name in names {
            if dir.stat(&name)?.kind != FileKind::Dir {
                quota::remove_file(ledger, dir, &name)?;
                continue;
            }
            let (inner, below) = (dir.open_dir(&name)?, ledger.map(|ledger| ledger.below(&name)));
            if empty(&inner, below.as_ref(), depth + 1, watch)? == Verdict::Stop {
                return Ok(Verdict::Stop);
            }
            dir.remove_dir(&name)?;
        }
        if watch.attend(0) == Verdict::Stop {
            return Ok(Verdict::Stop);
        }
    }
}
