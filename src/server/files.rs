//! Commands about names: where one stands, what is there, and changing it.

use super::jail::Last;
use super::listing::{self, Form, Lines, Options};
use super::login::Home;
use super::partial;
use super::refusal::Refusal;
use super::session::{Pending, Session};
use super::upload;
use crate::protocol::time::write_timestamp;
use crate::protocol::{Code, FtpPath, Name, Reply, ascii, write_quoted};
use crate::sys::FileKind;
use std::io::{self, ErrorKind, Read};
use std::time::SystemTime;

/// Up to which size a text file is read to tell its size in TYPE A. Beyond, the answer is a 550 as
/// RFC 3659 section 4 allows, so that a question cannot cost more than that.
const LARGEST_COUNTED: u64 = 16 * 1024 * 1024;

/// How many bytes of a directory one STAT may show: it is held in memory and sent as one reply.
const LARGEST_STATUS: u64 = 1024 * 1024;

type Answer = Result<Reply, Refusal>;

impl Session<'_> {
    pub(super) fn cwd(&mut self, name: &Name) -> Answer {
        let path = self.path(name)?;
        self.enter(path)
    }

    pub(super) fn cdup(&mut self) -> Answer {
        let parent = self.home()?.cwd.parent();
        self.enter(parent)
    }

    fn enter(&mut self, path: FtpPath) -> Answer {
        self.home()?.jail.open_dir(&path)?;
        let reply = Reply::new(Code::FILE_DONE, [b"Now in ", path.as_bytes(), b"."].concat());
        self.login.home_mut()?.cwd = path;
        Ok(reply)
    }

    pub(super) fn pwd(&self) -> Answer {
        Ok(path_reply(&self.home()?.cwd, " is the current directory."))
    }

    pub(super) fn mkd(&mut self, name: &Name) -> Answer {
        let path = self.path(name)?;
        self.home()?.jail.make_dir(&path)?;
        self.log_change("mkd", &path);
        Ok(path_reply(&path, " created."))
    }

    pub(super) fn rmd(&mut self, name: &Name) -> Answer {
        let path = self.changeable(name)?;
        let place = self.home()?.jail.locate(&path, Last::Keep)?;
        match place.dir.remove_dir(&place.name) {
            // What keeps it may be partial uploads alone, which nobody can see.
            Err(error) if error.kind() == ErrorKind::DirectoryNotEmpty => {
                if self.home()?.jail.read_dir(&path)?.next_name()?.is_some() {
                    return Err(error.into());
                }
                partial::sweep(&place.dir.open_dir(&place.name)?)?;
                place.dir.remove_dir(&place.name)?;
            }
            other => other?,
        }
        self.log_change("rmd", &path);
        Ok(Reply::new(Code::FILE_DONE, "Directory removed."))
    }

    pub(super) fn dele(&mut self, name: &Name) -> Answer {
        let path = self.changeable(name)?;
        let place = self.home()?.jail.locate(&path, Last::Keep)?;
        match place.found {
            Some(stat) if stat.kind == FileKind::Dir => {
                return Err(io::Error::from(ErrorKind::IsADirectory).into());
            }
            Some(_) => {
                place.dir.remove_file(&place.name)?;
                // Someone may be writing it anew; then it is theirs.
                let _ = upload::remove_waiting(&place);
            }
            // An unfinished upload is all there is: deleting it is what is meant.
            None if upload::remove_waiting(&place)? => {}
            None => return Err(io::Error::from(ErrorKind::NotFound).into()),
        }
        self.log_change("dele", &path);
        Ok(Reply::new(Code::FILE_DONE, "File deleted."))
    }

    pub(super) fn rnfr(&mut self, name: &Name) -> Answer {
        let path = self.changeable(name)?;
        self.home()?.jail.stat(&path, Last::Keep)?;
        self.pending = Pending::Rename(path);
        Ok(Reply::new(Code::PENDING, "Now send RNTO with the new name."))
    }

    pub(super) fn rnto(&mut self, name: &Name, pending: Pending) -> Answer {
        let Pending::Rename(from) = pending else {
            return Err(Refusal::Sequence("Send RNFR first."));
        };
        let to = self.changeable(name)?;
        self.home()?.jail.rename(&from, &to)?;
        self.log_change("rnfr", &from);
        self.log_change("rnto", &to);
        Ok(Reply::new(Code::FILE_DONE, "Renamed."))
    }

    pub(super) fn size(&mut self, name: &Name) -> Answer {
        let path = self.path(name)?;
        let place = self.home()?.jail.locate(&path, Last::Follow)?;
        let size = match place.found {
            Some(stat) if stat.kind == FileKind::File && self.is_ascii() => {
                self.text_size(&path, stat.size)?
            }
            Some(stat) if stat.kind == FileKind::File => stat.size,
            Some(_) => return Err(Refusal::NotPlainFile),
            None => upload::waiting_size(&place).ok_or(io::Error::from(ErrorKind::NotFound))?,
        };
        Ok(Reply::new(Code::FILE_STATUS, size.to_string()))
    }

    /// RFC 3659 section 4: the size is that of the transfer, which in TYPE A has longer lines.
    fn text_size(&self, path: &FtpPath, size: u64) -> Result<u64, Refusal> {
        if size > LARGEST_COUNTED {
            return Err(Refusal::Unavailable("Too large to be counted in TYPE A; use TYPE I."));
        }
        let (file, _) = self.home()?.jail.open_file(path)?;
        let mut text = ascii::EncodingReader::new(file.take(LARGEST_COUNTED));
        Ok(io::copy(&mut text, &mut io::sink())?)
    }

    pub(super) fn mdtm(&mut self, name: &Name) -> Answer {
        let path = self.path(name)?;
        let stat = self.home()?.jail.stat(&path, Last::Follow)?;
        let mut text = Vec::new();
        write_timestamp(stat.modified, &mut text);
        Ok(Reply::new(Code::FILE_STATUS, text))
    }

    pub(super) fn mfmt(&mut self, time: SystemTime, name: &Name) -> Answer {
        let path = self.path(name)?;
        self.home()?.jail.set_modified(&path, time)?;
        self.log_change("mfmt", &path);
        let mut text = b"Modify=".to_vec();
        write_timestamp(time, &mut text);
        text.extend_from_slice(b"; ");
        text.extend_from_slice(path.as_bytes());
        // 213 and not another success: rclone takes other codes for a failure.
        Ok(Reply::new(Code::FILE_STATUS, text))
    }

    pub(super) fn chmod(&mut self, mode: u32, name: &Name) -> Answer {
        let path = self.path(name)?;
        self.home()?.jail.set_mode(&path, mode)?;
        self.log_change("chmod", &path);
        Ok(Reply::new(Code::OK, "Mode changed."))
    }

    pub(super) fn mlst(&mut self, name: Option<&Name>) -> Answer {
        let path = self.path_or_cwd(name)?;
        let home = self.home()?;
        let place = home.jail.locate(&path, Last::Follow)?;
        let stat = place.found.ok_or(io::Error::from(ErrorKind::NotFound))?;
        let name = path.as_bytes().to_vec();
        let mut entry = listing::entry(super::jail::Listed { name, stat, target: Vec::new() });
        entry.perm = Some(listing::perm(&entry, home.access));
        // RFC 3659 section 7.2: the line with the facts begins with a space.
        let mut line = b" ".to_vec();
        entry.write_mlsx(self.facts, &mut line);
        Ok(Reply::lines(Code::FILE_DONE, "Listing:", [line], "End."))
    }

    pub(super) fn stat_path(&mut self, argument: &Name) -> Answer {
        let (options, path) = self.split_options(argument)?;
        let path = self.path_or_cwd(path.as_ref())?;
        let lines = Lines::open(&self.home()?.jail, &path, Form::Long, options)?;
        let mut text = Vec::new();
        let length = lines.take(LARGEST_STATUS).read_to_end(&mut text)?;
        if length as u64 == LARGEST_STATUS {
            return Err(Refusal::Unavailable("Too much to show on this connection; use LIST."));
        }
        let body = text.strip_suffix(b"\r\n").map_or(Vec::new(), |text| {
            text.split(|&b| b == b'\n').map(|line| line.trim_ascii_end().to_vec()).collect()
        });
        Ok(Reply::lines(Code::FILE_STATUS, "Status:", body, "End."))
    }

    /// Options and path of an `ls`-like argument. One that begins with a dash may also be a name.
    pub(super) fn split_options(
        &self,
        argument: &Name,
    ) -> Result<(Options, Option<Name>), Refusal> {
        let dashed = argument.as_bytes().starts_with(b"-");
        if dashed && self.home()?.jail.stat(&self.path(argument)?, Last::Keep).is_err() {
            return Ok(Options::split(argument.as_bytes()));
        }
        Ok((Options::default(), Some(argument.clone())))
    }

    /// What `name` means to who is logged in.
    pub(super) fn path(&self, name: &Name) -> Result<FtpPath, Refusal> {
        Ok(self.home()?.cwd.join(name)?)
    }

    pub(super) fn path_or_cwd(&self, name: Option<&Name>) -> Result<FtpPath, Refusal> {
        name.map_or_else(|| Ok(self.home()?.cwd.clone()), |name| self.path(name))
    }

    /// [`Session::path`] for commands that remove or rename: the root stays where it is.
    fn changeable(&self, name: &Name) -> Result<FtpPath, Refusal> {
        let path = self.path(name)?;
        if path.is_root() { Err(Refusal::NotPermitted) } else { Ok(path) }
    }

    pub(super) fn home(&self) -> Result<&Home, Refusal> {
        self.login.home()
    }
}

/// A 257 (RFC 959 appendix II).
fn path_reply(path: &FtpPath, text: &str) -> Reply {
    let mut line = Vec::new();
    write_quoted(path.as_bytes(), &mut line);
    line.extend_from_slice(text.as_bytes());
    Reply::new(Code::PATH, line)
}
