//! Uploads: a name holds a whole file wherever the system lets a file be replaced.
//!
//! What is stored goes to a hidden partial beside its name and takes the name only when it is
//! complete. Until then everyone sees the file that was there before, or none.
//!
//! | situation | what happens |
//! |---|---|
//! | STOR | a new partial, renamed over the name at the end |
//! | the upload breaks off | the name keeps what it had; the partial stays for a resume |
//! | REST n, STOR, a partial waits | it is cut to n bytes and continued; n beyond it is 554 |
//! | APPE, a partial waits, no file of the name | it is continued |
//! | APPE, the name exists, and the last upload of this login broke off there | 550: this could be an append or a resume |
//! | REST n + STOR without a partial, or APPE, the name exists | the file is written in place |
//! | the name may be written but not replaced | the partial is copied into the file at the end |
//! | nor can a partial be made beside it | the file is emptied at the first byte and written in place |
//! | disk or quota full | 552, the partial removed |
//! | `--sync`, and the file does not reach the disk | 451, the partial removed |
//! | two uploads of one name | each has a partial of its own; the last to finish wins, whole |
//! | the login may store new names only, and the name exists | 553, also if it came during the upload |
//!
//! A partial is named by a digest of the name, so it is found again, also after a crash. The one
//! who writes it holds a lock on it; another upload of the same name takes a partial with a random
//! ending, which nobody could find again and which therefore goes when it breaks off.
//!
//! A file may be written but not replaced where it is a mount point of its own, belongs to another
//! user in a sticky directory, or lies in a directory that may not be written. Whether the system
//! refuses the name is known for sure only when it is tried, so what came is in the partial by then,
//! and the room for it is reserved before the old content is touched. A file that is replaced gives
//! its owner, permissions and attributes to the new one ([`sys::adopt`]).

use crate::protocol::digest::hex;
use crate::protocol::{FtpPath, Name};
use crate::pump::FileSink;
use crate::server::error::Refusal;
use crate::server::fs::jail::{BrokenOff, Jail, Last, ResolvedPath};
use crate::server::fs::partial::Locked;
use crate::server::fs::quota::Writing;
use crate::server::fs::stored_text::{self, Direction};
use crate::sys::{self, FileId, FileKind, Open};
use std::collections::hash_map::RandomState;
use std::fs::{File, Metadata, TryLockError};
use std::hash::{BuildHasher, Hasher};
use std::io::{self, ErrorKind, Seek, SeekFrom, Write};

/// Which upload is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UploadMode {
    /// STOR: from the first byte on.
    Replace,
    /// REST n, then STOR.
    Resume(u64),
    /// The same in TYPE A, where n counts the bytes of the transfer, whose lines end in CR LF.
    ResumeText(u64),
    /// APPE.
    Append,
}

/// An upload on its way. Dropped without [`Upload::commit`] it counts as broken off.
#[derive(Debug)]
pub struct Upload {
    file: File,
    id: FileId,
    place: ResolvedPath,
    kind: Kind,
    /// The length to which the file is cut before the first byte is written.
    cut: Option<u64>,
    /// What it takes of the quotas that count here.
    writing: Option<Writing>,
    /// A byte came; what was there before is another upload's as long as none has.
    has_written: bool,
    /// Where its login notes it if it breaks off.
    broken_off: BrokenOff,
    /// The name must not exist, neither when the upload begins nor when it is committed.
    only_new: bool,
}

#[derive(Debug)]
enum Kind {
    /// Written to the file itself.
    InPlace,
    /// Written to this name in the same directory; kept for a resume, or not.
    Partial { path: ResolvedPath, resumable: bool },
    /// Committed or cleared away: nothing is left to do.
    Settled,
}

impl Upload {
    /// Opens what an upload to `path` writes to; with `only_new`, nothing may have that name.
    ///
    /// # Errors
    /// See the table of the module; also what the system says.
    pub fn begin(
        jail: &Jail,
        path: &FtpPath,
        mode: UploadMode,
        only_new: bool,
    ) -> Result<Upload, Refusal> {
        let place = jail.locate(path, Last::Follow)?;
        if only_new && place.found().is_some() {
            return Err(Refusal::NameTaken);
        }
        let mut upload = Upload::open(jail, place, mode)?;
        upload.only_new = only_new;
        upload.broken_off = jail.broken_off().clone();
        if let Some(ledger) = jail.ledger(&upload.place) {
            let mut writing = upload.written_to().begin_writing(ledger, &upload.file, upload.id)?;
            if mode != UploadMode::Append {
                writing.seek(upload.file.stream_position()?);
            }
            upload.writing = Some(writing);
        }
        Ok(upload)
    }

    fn open(jail: &Jail, place: ResolvedPath, mode: UploadMode) -> Result<Upload, Refusal> {
        match place.found().map(|stat| stat.kind) {
            None | Some(FileKind::File) => {}
            Some(FileKind::Dir) => return Err(io::Error::from(ErrorKind::IsADirectory).into()),
            Some(FileKind::Link | FileKind::Other) => return Err(Refusal::NotPlainFile),
        }
        let partial = place.partial();
        if let UploadMode::Replace | UploadMode::Resume(0) | UploadMode::ResumeText(0) = mode {
            return Upload::fresh(place, partial);
        }
        // One without a byte has nothing to continue.
        let waiting = partial.found().filter(|stat| stat.size > 0);
        let is_own = || jail.broken_off().get().is_some_and(|id| partial.is_of(id));
        match (mode, waiting, place.found()) {
            (UploadMode::Replace, _, _) | (UploadMode::Append, None, None) => {
                Upload::fresh(place, partial)
            }
            (UploadMode::Resume(_) | UploadMode::ResumeText(_), Some(_), _)
            | (UploadMode::Append, Some(_), None) => Upload::resume(place, partial, mode),
            (UploadMode::Append, Some(_), Some(_)) if is_own() => Err(Refusal::Unavailable(
                "Your unfinished upload of this name waits: finish it with REST and STOR, \
                 or replace it with STOR.",
            )),
            (UploadMode::Append, _, Some(_))
            | (UploadMode::Resume(_) | UploadMode::ResumeText(_), None, Some(_)) => {
                Upload::in_place(place, mode)
            }
            (UploadMode::Resume(_) | UploadMode::ResumeText(_), None, None) => {
                Err(Refusal::BadRestart)
            }
        }
    }

    /// Opens an upload to a new name in the directory at `dir` and gives that name.
    ///
    /// # Errors
    /// What the system says.
    pub fn begin_unique(
        jail: &Jail,
        dir: &FtpPath,
        prefix: &[u8],
    ) -> Result<(Upload, Name), Refusal> {
        let name = [prefix, b".", hex(&random().to_be_bytes()).as_bytes()].concat();
        let name = Name::of_file(name).ok_or(Refusal::BadName)?;
        Ok((Upload::begin(jail, &dir.join(&name)?, UploadMode::Replace, true)?, name))
    }

    fn fresh(place: ResolvedPath, partial: ResolvedPath) -> Result<Upload, Refusal> {
        // A file that may not be written must not be replaced either.
        let old = place.found().map(|_| place.open_known(Open::Write)).transpose()?;
        let (file, data, id, kind) = match make_partial(partial, old.is_some()) {
            Ok(made) => made,
            Err(error) => match old {
                Some((old, _)) if is_fixed(&error) => return Upload::over(place, old),
                _ => return Err(error.into()),
            },
        };
        if let Some((old, before)) = &old {
            // Now and not at the end: whoever may not read the old file must not read the new one
            // meanwhile.
            sys::adopt((&file, &data), (old, before));
        }
        // Nobody else writes to it, so what is empty stays so.
        let cut = (data.len() > 0).then_some(0);
        Ok(Upload::new(file, id, place, kind, cut))
    }

    fn new(file: File, id: FileId, place: ResolvedPath, kind: Kind, cut: Option<u64>) -> Upload {
        let broken_off = BrokenOff::default();
        let (writing, has_written, only_new) = (None, false, false);
        Upload { file, id, place, kind, cut, writing, has_written, broken_off, only_new }
    }

    /// Writes over the file that has the name, from its first byte on.
    fn over(place: ResolvedPath, file: File) -> Result<Upload, Refusal> {
        lock(&file)?;
        let (_, id) = sys::identify(&file)?;
        Ok(Upload::new(file, id, place, Kind::InPlace, Some(0)))
    }

    fn resume(
        place: ResolvedPath,
        partial: ResolvedPath,
        mode: UploadMode,
    ) -> Result<Upload, Refusal> {
        if place.found().is_some() {
            place.open(Open::Write)?;
        }
        let Locked::Mine(mut file, _, id) = partial.lock(false)? else {
            return Err(Refusal::Busy);
        };
        let cut = Some(offset(&mut file, mode, Direction::Received)?);
        Ok(Upload::new(file, id, place, Kind::Partial { path: partial, resumable: true }, cut))
    }

    fn in_place(place: ResolvedPath, mode: UploadMode) -> Result<Upload, Refusal> {
        let mut file =
            place.open(if mode == UploadMode::Append { Open::Append } else { Open::Write })?;
        lock(&file)?;
        if mode != UploadMode::Append {
            let at = offset(&mut file, mode, Direction::Sent)?;
            file.seek(SeekFrom::Start(at))?;
        }
        let (_, id) = sys::identify(&file)?;
        Ok(Upload::new(file, id, place, Kind::InPlace, None))
    }

    /// Cuts the file to where the upload continues, once: what is in it is worth keeping until there
    /// is something better.
    fn begin_writing(&mut self) -> io::Result<()> {
        match self.cut.take() {
            Some(at) => {
                self.file.set_len(at)?;
                self.file.seek(SeekFrom::Start(at))?;
                if let Some(writing) = &mut self.writing {
                    writing.cut(at);
                }
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Sets the permissions of a file that did not exist before to `mode`.
    pub fn set_mode_if_new(&self, mode: u32) {
        if self.place.found().is_none() {
            sys::set_file_mode(&self.file, mode);
        }
    }

    /// Gives the file its name, or copies it into the one that has the name if that may be written
    /// but not replaced. With `sync`, file and name are on the disk when this returns.
    ///
    /// # Errors
    /// What the system says; the name then holds what it held before, unless it was the directory
    /// that could not be brought to the disk, or the copy that failed.
    pub fn commit(&mut self, sync: bool) -> Result<(), Refusal> {
        self.begin_writing()?;
        if sync {
            // What could not be written once is not tried again by the system, and yet looks as if
            // it were there: nothing may build on it.
            self.file.sync_all().inspect_err(|_| self.clear())?;
        }
        let is_partial = matches!(self.kind, Kind::Partial { .. });
        let mut writing = self.writing.take();
        let (from, id) = (self.written_to(), self.id);
        let named = self.place.commit(from, id, self.only_new, writing.as_mut());
        let Err(error) = named else {
            self.kind = Kind::Settled;
            return if sync && is_partial { Ok(self.place.sync_dir()?) } else { Ok(()) };
        };
        self.writing = writing;
        // It is whole, so it did not break off.
        self.broken_off = BrokenOff::default();
        if self.only_new && error.kind() == ErrorKind::AlreadyExists {
            self.clear();
            return Err(Refusal::NameTaken);
        }
        match is_partial && !self.only_new && sys::cannot_replace(&error) {
            true => self.copy_into_place(error, sync),
            false => Err(error.into()),
        }
    }

    /// Copies the partial into the file whose name it was `refused`, and removes it.
    fn copy_into_place(&mut self, refused: io::Error, sync: bool) -> Result<(), Refusal> {
        let mut file = match self.place.open(Open::Write) {
            Err(Refusal::System(error)) if error.kind() == ErrorKind::NotFound => {
                return Err(refused.into());
            }
            other => other?,
        };
        lock(&file)?;
        let (_, id) = sys::identify(&file)?;
        let length = self.file.metadata()?.len();
        let ledger = self.writing.as_ref().map(Writing::ledger);
        let begin = |ledger| self.place.begin_writing(ledger, &file, id);
        let mut writing = ledger.map(begin).transpose()?;
        if let Some(writing) = &mut writing {
            writing.seek(0);
            writing.take(length)?;
        }
        sys::reserve(&file, length)?;
        let copied = copy(&mut self.file, &mut file, length, sync);
        if let Some(mut writing) = writing {
            writing.settle_at(file.metadata()?.len());
            self.place.end_writing(Some(writing), false);
        }
        copied?;
        // Where the partial cannot be removed it takes no room at least, and has nothing to continue.
        self.cut = Some(0);
        self.begin_writing()?;
        self.clear();
        Ok(())
    }

    /// Returns the name under which the bytes of the upload are until it is whole.
    fn written_to(&self) -> &ResolvedPath {
        match &self.kind {
            Kind::Partial { path, .. } => path,
            Kind::InPlace | Kind::Settled => &self.place,
        }
    }

    /// Removes what was stored so far: there is no use in keeping it.
    pub fn discard(mut self) {
        self.clear();
    }

    fn clear(&mut self) {
        if let Kind::Partial { path, .. } = &self.kind {
            path.end_writing(self.writing.take(), true);
            self.kind = Kind::Settled;
        }
    }
}

impl Write for Upload {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.begin_writing()?;
        self.pouring(bytes.len() as u64)?;
        let count = self.file.write(bytes)?;
        self.has_written |= count > 0;
        self.poured(count as u64);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What is written goes there as it is, from the first write on.
impl FileSink for Upload {
    fn file(&self) -> &File {
        &self.file
    }

    fn pouring(&mut self, count: u64) -> io::Result<()> {
        self.writing.as_mut().map_or(Ok(()), |writing| writing.take(count))
    }

    fn poured(&mut self, count: u64) {
        if let Some(writing) = &mut self.writing {
            writing.wrote(count);
        }
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        let is_empty = || self.file.metadata().is_ok_and(|data| data.len() == 0);
        match &self.kind {
            Kind::Partial { resumable, .. } if !resumable || is_empty() => self.clear(),
            Kind::Partial { .. } if self.has_written => self.broken_off.set(self.id),
            Kind::Partial { .. } | Kind::InPlace | Kind::Settled => {}
        }
        if let Some(writing) = self.writing.take() {
            self.written_to().end_writing(Some(writing), false);
        }
    }
}

/// Returns true if an error means that no file can be made in a directory, although one that is
/// there may perhaps be written.
fn is_fixed(error: &io::Error) -> bool {
    sys::cannot_replace(error) || error.kind() == ErrorKind::ReadOnlyFilesystem
}

/// Opens or makes the partial and locks it, or makes another one if that is being written.
fn make_partial(
    partial: ResolvedPath,
    private: bool,
) -> io::Result<(File, Metadata, FileId, Kind)> {
    if let Locked::Mine(file, data, id) = partial.lock(private)? {
        return Ok((file, data, id, Kind::Partial { path: partial, resumable: true }));
    }
    let path = partial.with_suffix(&format!("-{}", hex(&random().to_be_bytes())));
    let file = path.create_new(private)?;
    // So that nobody takes it for one that was left behind.
    let _ = file.try_lock();
    let (data, id) = sys::identify(&file)?;
    Ok((file, data, id, Kind::Partial { path, resumable: false }))
}

/// Locks a file that is to be written in place.
fn lock(file: &File) -> Result<(), Refusal> {
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => Err(Refusal::Busy),
        // A file system without locks is no reason not to store.
        Ok(()) | Err(TryLockError::Error(_)) => Ok(()),
    }
}

/// Makes the content of `to` that of `from`, which is this long.
fn copy(from: &mut File, to: &mut File, length: u64, sync: bool) -> io::Result<()> {
    from.rewind()?;
    io::copy(from, to)?;
    to.set_len(length)?;
    if sync { to.sync_all() } else { Ok(()) }
}

/// Where in an open file an upload goes on; what is there decides, not what was seen before.
fn offset(file: &mut File, mode: UploadMode, direction: Direction) -> Result<u64, Refusal> {
    let size = file.metadata()?.len();
    match mode {
        UploadMode::Replace => Ok(0),
        UploadMode::Append => Ok(size),
        UploadMode::Resume(at) if at <= size => Ok(at),
        UploadMode::Resume(_) => Err(Refusal::BadRestart),
        UploadMode::ResumeText(at) => {
            stored_text::check(size, at)?;
            stored_text::offset(file, at, direction)?.ok_or(Refusal::BadRestart)
        }
    }
}

fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}
