//! The calls on the file system that the server makes for a client, each by a path in the jail.

use crate::protocol::FtpPath;
use crate::server::error::Refusal;
use crate::server::fs::jail::{Jail, Last, ResolvedPath};
use crate::server::fs::quota::{self, Ledger, Spot, Usage};
use crate::sys::{self, Dir, FileKind, Open, Stat};
use std::ffi::{OsStr, OsString};
use std::fs::{File, Metadata};
use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::time::SystemTime;

impl Jail {
    /// The quotas that count where a place is; `None` if there are none anywhere.
    pub fn ledger(&self, place: &ResolvedPath) -> Option<Ledger> {
        self.quotas.ledger(|| [&self.above, place.trail.as_slice()].concat())
    }

    /// The quotas that count in the directory that a place is.
    pub fn ledger_inside(&self, place: &ResolvedPath) -> Option<Ledger> {
        self.quotas.ledger(|| self.trail_into(place))
    }

    /// What stands at `path`.
    ///
    /// # Errors
    /// Nothing does, or the way there is closed.
    pub fn stat(&self, path: &FtpPath, last: Last) -> io::Result<Stat> {
        self.locate(path, last)?.found.ok_or_else(|| ErrorKind::NotFound.into())
    }

    /// Opens the directory at `path`, making sure that it may be entered.
    ///
    /// # Errors
    /// It is missing, is none, or may not be entered.
    pub fn open_dir(&self, path: &FtpPath) -> io::Result<Dir> {
        self.enter_dir(path).map(|(_, dir)| dir)
    }

    pub(super) fn enter_dir(&self, path: &FtpPath) -> io::Result<(ResolvedPath, Dir)> {
        let place = self.locate(path, Last::Follow)?;
        let dir = place.dir.open_dir(&place.name)?;
        dir.open_dir(OsStr::new("."))?;
        Ok((place, dir))
    }

    /// Opens the plain file at `path` for reading, and says how long it is.
    ///
    /// # Errors
    /// It is missing, or no plain file.
    pub fn open_file(&self, path: &FtpPath) -> Result<(File, u64), Refusal> {
        let place = self.locate(path, Last::Follow)?;
        let (file, data) = place.open_known(Open::Read)?;
        Ok((file, data.len()))
    }

    /// Makes a directory.
    ///
    /// # Errors
    /// What the system says.
    pub fn make_dir(&self, path: &FtpPath) -> io::Result<()> {
        let place = self.locate(path, Last::Keep)?;
        place.dir.make_dir(&place.name)
    }

    /// Renames; what has the new name is replaced if it is a file.
    ///
    /// # Errors
    /// What the system says.
    pub fn rename(&self, from: &FtpPath, to: &FtpPath) -> io::Result<()> {
        let from = self.locate(from, Last::Keep)?;
        let to = self.locate(to, Last::Keep)?;
        match (self.ledger(&from), self.ledger(&to)) {
            (Some(before), Some(after)) => {
                let from = Spot { ledger: &before, dir: &from.dir, name: &from.name };
                quota::rename(from, Spot { ledger: &after, dir: &to.dir, name: &to.name })
            }
            _ => from.dir.rename(&from.name, &to.dir, &to.name),
        }
    }

    /// Sets permission bits of a file or directory.
    ///
    /// # Errors
    /// What the system says.
    pub fn set_mode(&self, path: &FtpPath, mode: u32) -> io::Result<()> {
        let place = self.locate(path, Last::Follow)?;
        place.dir.set_mode(&place.name, mode)
    }

    /// Sets when a file or directory was last modified.
    ///
    /// # Errors
    /// What the system says.
    pub fn set_modified(&self, path: &FtpPath, time: SystemTime) -> io::Result<()> {
        let place = self.locate(path, Last::Follow)?;
        place.dir.set_modified(&place.name, time)
    }

    /// Sets when a file or directory was created.
    ///
    /// # Errors
    /// What the system says; `Unsupported` where it cannot.
    pub fn set_created(&self, path: &FtpPath, time: SystemTime) -> io::Result<()> {
        let place = self.locate(path, Last::Follow)?;
        place.dir.set_created(&place.name, time)
    }

    /// How many bytes may still be stored in the directory at `path`.
    ///
    /// # Errors
    /// What the system says.
    pub fn space(&self, path: &FtpPath) -> io::Result<u64> {
        let (place, dir) = self.enter_dir(path)?;
        let space = dir.space()?;
        let usage = self.ledger_inside(&place).map(|ledger| ledger.usage()).transpose()?;
        Ok(usage.flatten().map_or(space, |usage| space.min(usage.left)))
    }

    /// What the quota of the root has come to, or that of the next directory above it; `None` if
    /// there is none.
    ///
    /// # Errors
    /// The files cannot be counted.
    pub fn usage(&self) -> io::Result<Option<Usage>> {
        let ledger = self.quotas.ledger(|| self.above.to_vec());
        Ok(ledger.map(|ledger| ledger.usage()).transpose()?.flatten())
    }

    /// Makes a link at `link` that leads to `target`, by the way from the one to the other, so that
    /// it stays right when the whole tree moves.
    ///
    /// # Errors
    /// What the system says.
    pub fn link(&self, target: &FtpPath, link: &FtpPath) -> io::Result<()> {
        let place = self.locate(link, Last::Keep)?;
        // From where it really stands: the way there may have led through links.
        let from = &place.trail;
        let same = |(a, b): &(&OsString, &[u8])| *sys::name_bytes(a) == **b;
        let shared = from.iter().zip(target.parts()).take_while(same).count();
        let mut way = PathBuf::new();
        from.iter().skip(shared).for_each(|_| way.push(".."));
        for part in target.parts().skip(shared) {
            way.push(sys::os_name(part)?);
        }
        if way.as_os_str().is_empty() {
            way.push(".");
        }
        place.dir.symlink(way.as_os_str(), &place.name)
    }
}

impl ResolvedPath {
    /// Opens the plain file here. Only plain files are opened: a FIFO would wait, and a device
    /// could do anything.
    ///
    /// # Errors
    /// It is missing, or is no plain file; also when it became something else in this moment.
    pub fn open(&self, how: Open) -> Result<File, Refusal> {
        self.open_known(how).map(|(file, _)| file)
    }

    fn open_known(&self, how: Open) -> Result<(File, Metadata), Refusal> {
        match self.found.map(|stat| stat.kind) {
            None | Some(FileKind::File) => {}
            Some(FileKind::Dir) => return Err(io::Error::from(ErrorKind::IsADirectory).into()),
            Some(FileKind::Link | FileKind::Other) => return Err(Refusal::NotPlainFile),
        }
        let file = self.dir.open(&self.name, how)?;
        let data = file.metadata()?;
        if data.is_file() { Ok((file, data)) } else { Err(Refusal::NotPlainFile) }
    }
}
