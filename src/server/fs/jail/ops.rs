//! The calls on the file system that the server makes for a client, each by a path in the jail.

use crate::protocol::FtpPath;
use crate::server::error::Refusal;
use crate::server::fs::jail::{Jail, Last, ResolvedPath};
use crate::server::fs::partial::{self, Locked};
use crate::server::fs::quota::{self, Ledger, Spot, Usage, Writing};
use crate::sys::{self, Dir, FileId, FileKind, Open, Stat};
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

    /// Makes sure that there is a directory at `path` and that it may be entered.
    ///
    /// # Errors
    /// It is missing, is none, or may not be entered.
    pub fn check_dir(&self, path: &FtpPath) -> io::Result<()> {
        self.enter_dir(path).map(drop)
    }

    /// Opens the directory at `path`, which may be entered.
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

    /// Resolves the file at `path`, or the partial upload that waits where there is none: what a
    /// client asks SIZE for before it resumes.
    ///
    /// # Errors
    /// `NotFound` if there is neither.
    pub fn stored(&self, path: &FtpPath) -> io::Result<ResolvedPath> {
        let place = self.locate(path, Last::Follow)?;
        let stored = if place.found.is_some() { place } else { place.partial() };
        if stored.found.is_some() { Ok(stored) } else { Err(ErrorKind::NotFound.into()) }
    }

    /// Makes a directory, with the permission bits `mode` or the system's default.
    ///
    /// # Errors
    /// What the system says.
    pub fn make_dir(&self, path: &FtpPath, mode: Option<u32>) -> io::Result<()> {
        let place = self.locate(path, Last::Keep)?;
        make_dir(&place.dir, &place.name, mode)
    }

    /// Removes a directory that is empty for clients, and the partial uploads in it.
    ///
    /// # Errors
    /// What the system says.
    pub fn remove_dir(&self, path: &FtpPath) -> io::Result<()> {
        let place = self.locate(path, Last::Keep)?;
        let Err(error) = place.dir.remove_dir(&place.name) else { return Ok(()) };
        // What keeps it may be partial uploads alone, which no client can see.
        if error.kind() != ErrorKind::DirectoryNotEmpty
            || self.read_dir(path)?.next_name()?.is_some()
        {
            return Err(error);
        }
        let ledger = self.ledger_inside(&place);
        partial::sweep(&place.dir.open_dir(&place.name)?, ledger.as_ref())?;
        place.dir.remove_dir(&place.name)
    }

    /// Removes the file or link at `path` and the partial upload that waits for its name; if there
    /// is only the partial, that is what is removed.
    ///
    /// # Errors
    /// What the system says, or [`Refusal::Busy`] while the partial is being written.
    pub fn remove_file(&self, path: &FtpPath) -> Result<(), Refusal> {
        let place = self.locate(path, Last::Keep)?;
        match place.found.map(|stat| stat.kind) {
            Some(FileKind::Dir) => Err(io::Error::from(ErrorKind::IsADirectory).into()),
            Some(FileKind::File | FileKind::Link | FileKind::Other) => {
                quota::remove_file(self.ledger(&place).as_ref(), &place.dir, &place.name)?;
                // Another session may be uploading the file again; the partial is its own then.
                let _ = self.remove_partial(&place);
                Ok(())
            }
            None if self.remove_partial(&place)? => Ok(()),
            None => Err(io::Error::from(ErrorKind::NotFound).into()),
        }
    }

    /// Removes the partial upload that waits for a name, and returns whether there was one.
    fn remove_partial(&self, place: &ResolvedPath) -> Result<bool, Refusal> {
        let partial = place.partial();
        if partial.found.is_none() {
            return Ok(false);
        }
        match partial.lock(false)? {
            Locked::Taken => Err(Refusal::Busy),
            Locked::Mine(_file, ..) => {
                let ledger = self.ledger(&partial);
                quota::remove_file(ledger.as_ref(), &partial.dir, &partial.name)?;
                Ok(true)
            }
        }
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
    /// Returns what was found when the path was resolved; it may have changed since.
    pub fn found(&self) -> Option<Stat> {
        self.found
    }

    /// Whether this is a partial upload and not a file that clients see.
    pub fn is_partial(&self) -> bool {
        partial::is_partial(self.name.as_encoded_bytes())
    }

    /// The partial upload of this file: a hidden name in the same directory.
    pub fn partial(&self) -> ResolvedPath {
        let mut partial = self.beside(partial::name_for(&self.name));
        partial.found = partial::waiting(&partial.dir, &partial.name);
        partial
    }

    /// The same with something at its end, for an upload beside another one.
    pub fn with_suffix(&self, suffix: &str) -> ResolvedPath {
        let mut name = self.name.clone();
        name.push(suffix);
        self.beside(name)
    }

    fn beside(&self, name: OsString) -> ResolvedPath {
        ResolvedPath { name, found: None, ..self.clone() }
    }

    /// Opens or makes this partial, for its owner alone if `private`, and locks it.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn lock(&self, private: bool) -> io::Result<Locked> {
        partial::lock(&self.dir, &self.name, private)
    }

    /// Makes a file that was not there before, for its owner alone if `private`.
    ///
    /// # Errors
    /// What the system says.
    pub fn create_new(&self, private: bool) -> io::Result<File> {
        self.dir.open(&self.name, Open::CreateNew { private })
    }

    /// Returns true if this name is that of the file `id`.
    pub(crate) fn is_of(&self, id: FileId) -> bool {
        sys::is_named(&self.dir, &self.name, id)
    }

    /// Counts what is written to `file`, which has this name, in the quotas of `ledger`.
    ///
    /// # Errors
    /// The files cannot be counted, or the file has another name by now.
    pub(crate) fn begin_writing(
        &self,
        ledger: Ledger,
        file: &File,
        id: FileId,
    ) -> io::Result<Writing> {
        ledger.open(&self.dir, &self.name, file, id)
    }

    /// Gives the file that is written at `from` this name, which may replace another file unless it
    /// is to be new (`only_new`).
    ///
    /// # Errors
    /// What the system says; nothing has changed then.
    pub(crate) fn commit(
        &self,
        from: &ResolvedPath,
        id: FileId,
        only_new: bool,
        writing: Option<&mut Writing>,
    ) -> io::Result<()> {
        let rename = || {
            // Whoever removed or replaced it meanwhile has the last word.
            if !from.is_of(id) {
                return Err(ErrorKind::ResourceBusy.into());
            }
            match from.name == self.name {
                true => Ok(()),
                false if only_new => self.take_new_name(from),
                false => from.dir.rename(&from.name, &self.dir, &self.name),
            }
        };
        match writing {
            Some(writing) => writing.commit(&self.dir, &self.name, rename),
            None => rename(),
        }
    }

    /// Gives the file at `from` this name, unless something has it by now.
    fn take_new_name(&self, from: &ResolvedPath) -> io::Result<()> {
        match from.dir.hard_link(&from.name, &self.dir, &self.name) {
            Ok(()) => {
                // The file has its name; the other one is swept away later if it stays.
                let _ = from.dir.remove_file(&from.name);
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(error),
            // A file system without hard links: an empty file takes the name, and is replaced at once.
            Err(_) => {
                self.create_new(true)?;
                let renamed = from.dir.rename(&from.name, &self.dir, &self.name);
                renamed.inspect_err(|_| drop(self.dir.remove_file(&self.name)))
            }
        }
    }

    /// Ends the writing of the file here, and removes it if `remove` is set.
    pub fn end_writing(&self, writing: Option<Writing>, remove: bool) {
        let last = || {
            if remove {
                let _ = self.dir.remove_file(&self.name);
            }
        };
        match writing {
            Some(writing) => writing.end(&self.dir, &self.name, last),
            None => last(),
        }
    }

    /// Brings the directory to the disk.
    ///
    /// # Errors
    /// What the system says.
    pub fn sync_dir(&self) -> io::Result<()> {
        self.dir.sync()
    }

    /// Opens the plain file here. Only plain files are opened: a FIFO would wait, and a device
    /// could do anything.
    ///
    /// # Errors
    /// It is missing, or is no plain file; also when it became something else in this moment.
    pub fn open(&self, how: Open) -> Result<File, Refusal> {
        self.open_known(how).map(|(file, _)| file)
    }

    /// The same, with what is known of the file.
    ///
    /// # Errors
    /// The same.
    pub fn open_known(&self, how: Open) -> Result<(File, Metadata), Refusal> {
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

/// Makes the directory `name` in `dir`.
pub(super) fn make_dir(dir: &Dir, name: &OsStr, mode: Option<u32>) -> io::Result<()> {
    dir.make_dir(name)?;
    mode.map_or(Ok(()), |mode| dir.set_mode(name, mode))
}
