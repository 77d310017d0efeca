//! File system operations for clients, each on a path in the jail.

use crate::protocol::FtpPath;
use crate::server::error::Refusal;
use crate::server::fs::jail::{FinalLink, Jail, ResolvedPath};
use crate::server::fs::partial::{self, Locked};
use crate::server::fs::quota::{self, Ledger, NameInDir, QuotaUsage, Writing};
use crate::sys::{self, Dir, FileId, FileKind, Open, Stat};
use std::ffi::{OsStr, OsString};
use std::fs::{File, Metadata};
use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::time::SystemTime;

impl Jail {
    /// Returns the quotas that apply at a resolved path; `None` if there are no quotas at all.
    pub fn ledger(&self, place: &ResolvedPath) -> Option<Ledger> {
        self.quotas.ledger(|| [&self.above, place.trail.as_slice()].concat())
    }

    /// Returns the quotas that apply inside a directory.
    pub fn ledger_inside(&self, place: &ResolvedPath) -> Option<Ledger> {
        self.quotas.ledger(|| self.trail_into(place))
    }

    /// Returns the metadata of the name at `path`.
    ///
    /// # Errors
    /// Fails if the name does not exist or the path to it is not accessible.
    pub fn stat(&self, path: &FtpPath, last: FinalLink) -> io::Result<Stat> {
        self.locate(path, last)?.found.ok_or_else(|| ErrorKind::NotFound.into())
    }

    /// Checks that `path` is a directory that may be entered.
    ///
    /// # Errors
    /// Fails if it is missing, not a directory, or may not be entered.
    pub fn check_dir(&self, path: &FtpPath) -> io::Result<()> {
        self.enter_dir(path).map(drop)
    }

    /// Opens the directory at `path` if it may be entered.
    pub(super) fn enter_dir(&self, path: &FtpPath) -> io::Result<(ResolvedPath, Dir)> {
        let place = self.locate(path, FinalLink::Follow)?;
        let dir = place.dir.open_dir(&place.name)?;
        dir.open_dir(OsStr::new("."))?;
        Ok((place, dir))
    }

    /// Opens the regular file at `path` for reading, and returns it with its length.
    ///
    /// # Errors
    /// Fails if it is missing or not a regular file.
    pub fn open_file(&self, path: &FtpPath) -> Result<(File, u64), Refusal> {
        let place = self.locate(path, FinalLink::Follow)?;
        let (file, data) = place.open_with_metadata(Open::Read)?;
        Ok((file, data.len()))
    }

    /// Resolves the file at `path`, or its partial upload if the file does not exist. A client
    /// asks SIZE for the latter before it resumes.
    ///
    /// # Errors
    /// `NotFound` if neither exists.
    pub fn stored(&self, path: &FtpPath) -> io::Result<ResolvedPath> {
        let place = self.locate(path, FinalLink::Follow)?;
        let stored = if place.found.is_some() { place } else { place.partial() };
        if stored.found.is_some() { Ok(stored) } else { Err(ErrorKind::NotFound.into()) }
    }

    /// Opens the regular file at `path` for reading, or its partial upload if the file does not exist.
    /// Returns the file and its length. A client that resumes an upload compares this data with its own.
    ///
    /// # Errors
    /// Fails if both are missing or the file is not a regular file.
    pub fn open_stored(&self, path: &FtpPath) -> Result<(File, u64), Refusal> {
        let (file, data) = self.stored(path)?.open_with_metadata(Open::Read)?;
        Ok((file, data.len()))
    }

    /// Creates a directory with the permission bits `mode` or the system's default.
    ///
    /// # Errors
    /// Returns the system error.
    pub fn make_dir(&self, path: &FtpPath, mode: Option<u32>) -> io::Result<()> {
        let place = self.locate(path, FinalLink::NoFollow)?;
        make_dir(&place.dir, &place.name, mode)
    }

    /// Removes a directory that contains no visible files, with the partial uploads in it.
    ///
    /// # Errors
    /// Returns the system error.
    pub fn remove_dir(&self, path: &FtpPath) -> io::Result<()> {
        let place = self.locate(path, FinalLink::NoFollow)?;
        let Err(error) = place.dir.remove_dir(&place.name) else { return Ok(()) };
        // The directory may contain only partial uploads, which no client can see.
        if error.kind() != ErrorKind::DirectoryNotEmpty
            || self.read_dir(path)?.next_name()?.is_some()
        {
            return Err(error);
        }
        let ledger = self.ledger_inside(&place);
        partial::remove_abandoned(&place.dir.open_dir(&place.name)?, ledger.as_ref())?;
        place.dir.remove_dir(&place.name)
    }

    /// Removes the file or link at `path` and its partial upload. If only the partial exists, that
    /// is removed.
    ///
    /// # Errors
    /// Returns the system error, or [`Refusal::Busy`] while the partial is being written.
    pub fn remove_file(&self, path: &FtpPath) -> Result<(), Refusal> {
        let place = self.locate(path, FinalLink::NoFollow)?;
        match place.found.map(|stat| stat.kind) {
            Some(FileKind::Dir) => Err(io::Error::from(ErrorKind::IsADirectory).into()),
            Some(FileKind::File | FileKind::Link | FileKind::Other) => {
                quota::remove_file(self.ledger(&place).as_ref(), &place.dir, &place.name)?;
                // If another session is uploading the file again, the partial belongs to that
                // session.
                let _ = self.remove_partial(&place);
                Ok(())
            }
            None if self.remove_partial(&place)? => Ok(()),
            None => Err(io::Error::from(ErrorKind::NotFound).into()),
        }
    }

    /// Removes the partial upload of a file, and returns whether there was one.
    fn remove_partial(&self, place: &ResolvedPath) -> Result<bool, Refusal> {
        let partial = place.partial();
        if partial.found.is_none() {
            return Ok(false);
        }
        match partial.lock(false)? {
            Locked::Busy => Err(Refusal::Busy),
            Locked::Acquired(_file, ..) => {
                let ledger = self.ledger(&partial);
                quota::remove_file(ledger.as_ref(), &partial.dir, &partial.name)?;
                Ok(true)
            }
        }
    }

    /// Renames a file or directory; a file with the new name is replaced.
    ///
    /// # Errors
    /// Returns the system error.
    pub fn rename(&self, from: &FtpPath, to: &FtpPath) -> io::Result<()> {
        let from = self.locate(from, FinalLink::NoFollow)?;
        let to = self.locate(to, FinalLink::NoFollow)?;
        match (self.ledger(&from), self.ledger(&to)) {
            (Some(before), Some(after)) => {
                let from = NameInDir { ledger: &before, dir: &from.dir, name: &from.name };
                quota::rename(from, NameInDir { ledger: &after, dir: &to.dir, name: &to.name })
            }
            _ => from.dir.rename(&from.name, &to.dir, &to.name),
        }
    }

    /// Sets the permission bits of a file or directory.
    ///
    /// # Errors
    /// Returns the system error.
    pub fn set_mode(&self, path: &FtpPath, mode: u32) -> io::Result<()> {
        let place = self.locate(path, FinalLink::Follow)?;
        place.dir.set_mode(&place.name, mode)
    }

    /// Sets the modification time of a file or directory.
    ///
    /// # Errors
    /// Returns the system error.
    pub fn set_modified(&self, path: &FtpPath, time: SystemTime) -> io::Result<()> {
        let place = self.locate(path, FinalLink::Follow)?;
        place.dir.set_modified(&place.name, time)
    }

    /// Sets the creation time of a file or directory.
    ///
    /// # Errors
    /// Returns the system error; `Unsupported` if the system cannot set it.
    pub fn set_created(&self, path: &FtpPath, time: SystemTime) -> io::Result<()> {
        let place = self.locate(path, FinalLink::Follow)?;
        place.dir.set_created(&place.name, time)
    }

    /// Returns the number of bytes that can still be stored in the directory at `path`.
    ///
    /// # Errors
    /// Returns the system error.
    pub fn space(&self, path: &FtpPath) -> io::Result<u64> {
        let (place, dir) = self.enter_dir(path)?;
        let space = dir.space()?;
        let usage = self.ledger_inside(&place).map(|ledger| ledger.usage()).transpose()?;
        Ok(usage.flatten().map_or(space, |usage| space.min(usage.left)))
    }

    /// Returns the usage of the root's quota, or of the nearest quota above it; `None` if there is
    /// none.
    ///
    /// # Errors
    /// Fails if the files cannot be counted.
    pub fn usage(&self) -> io::Result<Option<QuotaUsage>> {
        let ledger = self.quotas.ledger(|| self.above.to_vec());
        Ok(ledger.map(|ledger| ledger.usage()).transpose()?.flatten())
    }

    /// Creates a link at `link` with a relative target that leads to `target`, so that it remains
    /// valid when the whole tree is moved.
    ///
    /// # Errors
    /// Returns the system error.
    pub fn link(&self, target: &FtpPath, link: &FtpPath) -> io::Result<()> {
        let place = self.locate(link, FinalLink::NoFollow)?;
        // The relative target starts at the real directory of the link, since the path to it may
        // contain links.
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
    /// Returns the metadata from when the path was resolved; it may have changed since.
    pub fn found(&self) -> Option<Stat> {
        self.found
    }

    /// Returns whether this is a partial upload, which clients do not see.
    pub fn is_partial(&self) -> bool {
        partial::is_partial(self.name.as_encoded_bytes())
    }

    /// Returns the path of this file's partial upload: a hidden name in the same directory.
    pub fn partial(&self) -> ResolvedPath {
        let mut partial = self.partial_name();
        partial.found = partial::stat_partial(&partial.dir, &partial.name);
        partial
    }

    /// Returns the path of this file's partial upload without looking for it.
    pub(crate) fn partial_name(&self) -> ResolvedPath {
        self.sibling(partial::name_for(&self.name))
    }

    /// Returns the path of this new file's partial upload, which probably does not exist
    /// ([`Dir::stat_new`]).
    pub(crate) fn new_partial(&self) -> ResolvedPath {
        let mut partial = self.partial_name();
        partial.found = self.dir.stat_new(&partial.name).ok();
        partial
    }

    /// Returns this path with the metadata of the name as it is now.
    ///
    /// # Errors
    /// Fails if the name does not exist, or with another system error.
    pub(crate) fn refreshed(&self) -> io::Result<ResolvedPath> {
        Ok(ResolvedPath { found: Some(self.dir.stat(&self.name)?), ..self.clone() })
    }

    /// Returns this path with a suffix, for a second upload at the same time.
    pub fn with_suffix(&self, suffix: &str) -> ResolvedPath {
        let mut name = self.name.clone();
        name.push(suffix);
        self.sibling(name)
    }

    fn sibling(&self, name: OsString) -> ResolvedPath {
        ResolvedPath { name, found: None, ..self.clone() }
    }

    /// Opens or creates this partial and locks it. If `private`, only its owner may access it.
    ///
    /// # Errors
    /// Returns the system error.
    pub(crate) fn lock(&self, private: bool) -> io::Result<Locked> {
        partial::lock(&self.dir, &self.name, private)
    }

    /// Creates a new file. If `private`, only its owner may access it.
    ///
    /// # Errors
    /// Returns the system error; fails if the name exists.
    pub fn create_new(&self, private: bool) -> io::Result<File> {
        self.dir.open(&self.name, Open::CreateNew { private })
    }

    /// Creates a file without a name in the directory; [`ResolvedPath::link`] names it.
    ///
    /// # Errors
    /// Returns the system error; fails on file systems without such files.
    pub(crate) fn create_unnamed(&self) -> io::Result<File> {
        self.dir.create_unnamed()
    }

    /// Gives this name to a file of [`ResolvedPath::create_unnamed`].
    ///
    /// # Errors
    /// `AlreadyExists` if the name exists, or the system error.
    pub(crate) fn link(&self, file: &File) -> io::Result<()> {
        self.dir.link_unnamed(file, &self.name)
    }

    /// Opens this name for writing and closes it, for programs that wait for complete files
    /// (inotify): the system reports the end of an upload without a name under no name.
    pub(crate) fn report_complete(&self) {
        drop(self.dir.open(&self.name, Open::Write));
    }

    /// Returns whether this is a name of the file `id`.
    pub(crate) fn has_id(&self, id: FileId) -> bool {
        sys::is_named(&self.dir, &self.name, id)
    }

    /// Begins to count bytes written to `file`, which has this name, in the quotas of `ledger`.
    ///
    /// # Errors
    /// Fails if the files cannot be counted or the file no longer has this name.
    pub(crate) fn begin_writing(
        &self,
        ledger: Ledger,
        file: &File,
        id: FileId,
    ) -> io::Result<Writing> {
        ledger.open(&self.dir, &self.name, file, id)
    }

    /// Renames the file that was written at `from` to this name. An existing file is replaced, or is
    /// an error if `only_new`.
    ///
    /// # Errors
    /// Returns the system error; nothing has changed then.
    pub(crate) fn commit(
        &self,
        from: &ResolvedPath,
        id: FileId,
        only_new: bool,
        writing: Option<&mut Writing>,
    ) -> io::Result<()> {
        let rename = || {
            // A client that removed or replaced the partial in the meantime wins.
            if !from.has_id(id) {
                return Err(ErrorKind::ResourceBusy.into());
            }
            match from.name == self.name {
                true => Ok(()),
                false if only_new => self.link_new_name(from),
                false => from.dir.rename(&from.name, &self.dir, &self.name),
            }
        };
        match writing {
            Some(writing) => writing.commit(&self.dir, &self.name, rename),
            None => rename(),
        }
    }

    /// Renames the file at `from` to this name, unless the name exists.
    fn link_new_name(&self, from: &ResolvedPath) -> io::Result<()> {
        match from.dir.hard_link(&from.name, &self.dir, &self.name) {
            Ok(()) => {
                // If the partial cannot be removed, it is removed later because of its age.
                let _ = from.dir.remove_file(&from.name);
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(error),
            // A file system without hard links: a new empty file reserves the name and is replaced.
            Err(_) => {
                self.create_new(true)?;
                let renamed = from.dir.rename(&from.name, &self.dir, &self.name);
                renamed.inspect_err(|_| drop(self.dir.remove_file(&self.name)))
            }
        }
    }

    /// Ends the counting of this file, and removes the file if `remove` is set.
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

    /// Writes the directory to the disk (fsync).
    ///
    /// # Errors
    /// Returns the system error.
    pub fn sync_dir(&self) -> io::Result<()> {
        self.dir.sync()
    }

    /// Opens the regular file at this path. No other kind is opened: a FIFO would block, and
    /// opening a device can have side effects.
    ///
    /// # Errors
    /// Fails if the file is missing or not a regular file, even if it was replaced just now.
    pub fn open(&self, how: Open) -> Result<File, Refusal> {
        self.open_with_metadata(how).map(|(file, _)| file)
    }

    /// Like [`ResolvedPath::open`], and returns the metadata of the file.
    ///
    /// # Errors
    /// Fails if the file is missing or not a regular file, even if it was replaced just now.
    pub fn open_with_metadata(&self, how: Open) -> Result<(File, Metadata), Refusal> {
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

/// Creates the directory `name` in `dir`.
pub(super) fn make_dir(dir: &Dir, name: &OsStr, mode: Option<u32>) -> io::Result<()> {
    dir.make_dir(name)?;
    mode.map_or(Ok(()), |mode| dir.set_mode(name, mode))
}
