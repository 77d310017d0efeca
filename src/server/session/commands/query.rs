//! Commands that ask about names and change nothing: where one stands, and what is there.

use crate::net::Attention;
use crate::protocol::time::write_timestamp;
use crate::protocol::{Code, Command, FtpPath, Name, Reply, write_quoted};
use crate::server::auth::identity::{Identity, may};
use crate::server::error::Refusal;
use crate::server::fs::jail::{DirEntry, Last};
use crate::server::fs::listing::{self, Form, Lines, Options};
use crate::server::fs::stored_text;
use crate::server::session::Session;
use crate::server::session::control_watch::ControlWatch;
use crate::sys::{FileKind, Open};
use std::io::{self, ErrorKind, Read};

/// How many bytes of a directory one STAT may show: it is held in memory and sent as one reply.
const LARGEST_STATUS: u64 = 1024 * 1024;

type Answer = Result<Reply, Refusal>;

impl Session<'_> {
    pub(in crate::server::session) fn cwd(&mut self, name: &Name) -> Answer {
        let path = self.path(name)?;
        self.enter(path)
    }

    pub(in crate::server::session) fn cdup(&mut self) -> Answer {
        let parent = self.identity()?.cwd.parent();
        self.enter(parent)
    }

    fn enter(&mut self, path: FtpPath) -> Answer {
        self.identity()?.jail.check_dir(&path)?;
        let reply = Reply::new(Code::FILE_DONE, [b"Now in ", path.as_bytes(), b"."].concat());
        self.login.identity_mut()?.cwd = path;
        Ok(reply)
    }

    pub(in crate::server::session) fn pwd(&self) -> Answer {
        Ok(path_reply(&self.identity()?.cwd, " is the current directory."))
    }

    pub(in crate::server::session) fn size(&mut self, name: &Name) -> Answer {
        let path = self.path(name)?;
        let stored = self.identity()?.jail.stored(&path)?;
        let size = match stored.found() {
            // RFC 3659 section 4: the size is that of the transfer, which in TYPE A has longer lines.
            Some(stat) if stat.kind == FileKind::File && self.is_ascii() => {
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

    /// MDTM asks, but `MDTM YYYYMMDDHHMMSS name` sets, as clients from before MFMT do it, unless
    /// that is a name itself.
    pub(in crate::server::session) fn mdtm(&mut self, name: &Name) -> Answer {
        let path = self.path(name)?;
        match self.identity()?.jail.stat(&path, Last::Follow) {
            Ok(stat) => {
                let mut text = Vec::new();
                write_timestamp(stat.modified, &mut text);
                Ok(Reply::new(Code::FILE_STATUS, text))
            }
            Err(error) => match Command::parse(&[b"MFMT ", name.as_bytes()].concat()) {
                Ok(Command::Mfmt(time, name)) => self.mdtm_set(time, &name),
                _ => Err(error.into()),
            },
        }
    }

    /// How many bytes may still be stored.
    pub(in crate::server::session) fn avbl(&mut self, name: Option<&Name>) -> Answer {
        let path = self.path_or_cwd(name)?;
        Ok(Reply::new(Code::FILE_STATUS, self.identity()?.jail.space(&path)?.to_string()))
    }

    /// The size of all files below a directory.
    pub(in crate::server::session) fn dsiz(&mut self, name: Option<&Name>) -> Answer {
        let path = self.path_or_cwd(name)?;
        let jail = self.identity()?.jail.clone();
        let mut watch = ControlWatch::for_abort(&mut self.control, &self.server.shutdown);
        let size = match jail.total_size(&path, &mut |size| watch.attend(size))? {
            Some(size) => size,
            None => return Err(watch.refusal()),
        };
        Ok(Reply::new(Code::FILE_STATUS, size.to_string()))
    }

    /// ALLO: whether there is room, and nothing more; it costs nothing to be log_budget before.
    pub(in crate::server::session) fn allo(&self, bytes: u64) -> Answer {
        let identity = self.identity()?;
        if identity.jail.space(&identity.cwd)? < bytes {
            return Err(io::Error::from(ErrorKind::StorageFull).into());
        }
        Ok(Reply::new(Code::OK, "There is room."))
    }

    pub(in crate::server::session) fn mlst(&mut self, name: Option<&Name>) -> Answer {
        let path = self.path_or_cwd(name)?;
        let identity = self.identity()?;
        let stat = identity.jail.stat(&path, Last::Follow)?;
        let name = path.as_bytes().to_vec();
        let mut entry = listing::entry(DirEntry { name, stat, target: Vec::new() });
        entry.perm = Some(listing::perm(&entry, identity.access));
        // RFC 3659 section 7.2: the line with the facts begins with a space.
        let mut line = b" ".to_vec();
        entry.write_mlsx(self.facts, &mut line);
        Ok(Reply::lines(Code::FILE_DONE, "Listing:", [line], "End."))
    }

    pub(in crate::server::session) fn stat_path(&mut self, argument: &Name) -> Answer {
        let (options, path) = self.split_options(argument)?;
        let path = self.path_or_cwd(path.as_ref())?;
        let lines = Lines::open(&self.identity()?.jail, &path, Form::Long, options)?;
        let mut text = Vec::new();
        let length = lines.take(LARGEST_STATUS).read_to_end(&mut text)?;
        if length as u64 == LARGEST_STATUS {
            return Err(Refusal::Unavailable("Too much to show on this connection; use LIST."));
        }
        let body = text.strip_suffix(b"\r\n").map_or(Vec::new(), |text| {
            let without_cr = |line: &[u8]| line.strip_suffix(b"\r").unwrap_or(line).to_vec();
            text.split(|&b| b == b'\n').map(without_cr).collect()
        });
        Ok(Reply::lines(Code::FILE_STATUS, "Status:", body, "End."))
    }

    /// Options and path of an `ls`-like argument. One that begins with a dash may also be a name.
    pub(in crate::server::session) fn split_options(
        &self,
        argument: &Name,
    ) -> Result<(Options, Option<Name>), Refusal> {
        let dashed = argument.as_bytes().starts_with(b"-");
        if dashed && self.identity()?.jail.stat(&self.path(argument)?, Last::Keep).is_err() {
            return Ok(Options::split(argument.as_bytes()));
        }
        Ok((Options::default(), Some(argument.clone())))
    }

    /// What `name` means to who is logged in, if the command that is carried out may go there.
    pub(in crate::server::session) fn path(&self, name: &Name) -> Result<FtpPath, Refusal> {
        let path = self.identity()?.cwd.join(name)?;
        may(&self.login, self.right, Some(&path))?;
        Ok(path)
    }

    pub(in crate::server::session) fn path_or_cwd(
        &self,
        name: Option<&Name>,
    ) -> Result<FtpPath, Refusal> {
        name.map_or_else(|| Ok(self.identity()?.cwd.clone()), |name| self.path(name))
    }

    pub(in crate::server::session) fn identity(&self) -> Result<&Identity, Refusal> {
        self.login.identity()
    }
}

/// A 257 (RFC 959 appendix II).
pub(in crate::server::session) fn path_reply(path: &FtpPath, text: &str) -> Reply {
    let mut line = Vec::new();
    write_quoted(path.as_bytes(), &mut line);
    line.extend_from_slice(text.as_bytes());
    Reply::new(Code::PATH, line)
}
