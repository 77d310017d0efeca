//! Uploads: a name always refers to a complete file, wherever the system allows a file to be
//! replaced.
//!
//! The data is written to a hidden partial file in the same directory and renamed to the final
//! name when it is complete. Until then the name refers to the previous file, or does not exist.
//!
//! A new file is created without a name if the system supports that (`O_TMPFILE`), and linked to its
//! name when it is complete. This changes the directory only once, so that uploads to one directory
//! wait less for each other, and a crash leaves nothing behind. The file becomes a partial when the
//! upload waits for more data, is interrupted, or reaches 1 MiB.
//!
//! | situation | what happens |
//! |---|---|
//! | STOR of a new name | a file without a name, linked to the name at the end |
//! | STOR of an existing name | a new partial, renamed to the name at the end |
//! | the upload is interrupted | the name keeps its file; the partial remains for a resume |
//! | REST n, STOR, a partial exists | the partial is truncated to n bytes and continued; 554 if n is beyond its end |
//! | APPE, a partial exists, the name does not | the partial is continued |
//! | APPE, the name exists, and the last upload of this login to it was interrupted | 550: this could be an append or a resume |
//! | REST n + STOR without a partial, or APPE, the name exists | the file is written in place |
//! | the name may be written but not replaced | the partial is copied into the file at the end |
//! | no partial can be created either | the file is truncated at the first byte and written in place |
//! | disk or quota full | 552, the partial is removed |
//! | `--sync`, and the file cannot be written to the disk | 451, the partial is removed |
//! | two uploads to one name | each has its own partial; the last to finish wins with a complete file |
//! | the login may store only new names, and the name exists | 553, even if it was created during the upload |
//!
//! The name of a partial is a digest of the final name, so it can be found again, even after a
//! crash. The session that writes it holds a lock on it. Another upload to the same name uses a
//! partial with a random suffix, which could not be found again and is removed if that upload is
//! interrupted.
//!
//! A file may be written but not replaced if it is itself a mount point, if it belongs to
//! another user in a sticky directory, or if its directory is not writable. Only the attempt to
//! rename shows this reliably, so the data is in the partial by then, and the space for the copy
//! is reserved before the old content is overwritten. A new file takes over the owner, the
//! permissions and the attributes of the file that it replaces ([`sys::copy_attributes`]).

use crate::protocol::digest::hex;
use crate::protocol::{FtpPath, Name};
use crate::pump::FileSink;
use crate::server::error::Refusal;
use crate::server::fs::jail::{FinalLink, InterruptedUpload, Jail, ResolvedPath};
use crate::server::fs::partial::Locked;
use crate::server::fs::quota::{Ledger, Writing};
use crate::server::fs::stored_text::{self, Direction};
use crate::sys::{self, FileId, FileKind, Open};
use std::collections::hash_map::RandomState;
use std::fs::{File, Metadata, TryLockError};
use std::hash::{BuildHasher, Hasher};
use std::io::{self, ErrorKind, Seek, SeekFrom, Write};

/// The size from which a file without a name gets the name of its partial, so that a crash leaves
/// something to resume.
const NAMED_FROM: u64 = 1024 * 1024;

/// The kind of upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UploadMode {
    /// STOR: replaces the file.
    Replace,
    /// REST n, then STOR.
    Resume(u64),
    /// REST n, then STOR in TYPE A, where n is an offset in the transfer, whose lines end in CR
    /// LF.
    ResumeText(u64),
    /// APPE.
    Append,
}

/// An upload in progress. If it is dropped without [`Upload::commit`], it was interrupted.
#[derive(Debug)]
pub struct Upload {
    file: File,
    place: ResolvedPath,
    kind: Kind,
    /// The length to which the file is truncated before the first byte is written.
    cut: Option<u64>,
    /// The reservations in the quotas that apply.
    writing: Option<Writing>,
    /// The number of bytes written. Before the first one, the partial still contains the data of an
    /// earlier upload.
    written: u64,
    /// The record in which the login notes an interrupted upload.
    interrupted_upload: InterruptedUpload,
    /// True if the name must not exist, neither when the upload begins nor when it is committed.
    only_new: bool,
}

#[derive(Debug)]
enum Kind {
    /// The data is written to the file itself.
    InPlace(FileId),
    /// The file has no name yet. It gets that of its partial when the upload is large, pauses, or is
    /// interrupted; `None` if that name was taken.
    Unnamed(Option<ResolvedPath>),
    /// The data is written to this name in the same directory. It is kept after an interruption if
    /// `resumable`.
    Partial { path: ResolvedPath, id: FileId, resumable: bool },
    /// The upload was committed or discarded.
    Done,
}

impl Upload {
    /// Begins an upload to `path`; with `only_new`, the name must not exist.
    ///
    /// # Errors
    /// The errors of the table above, and system errors.
    pub fn begin(
        jail: &Jail,
        path: &FtpPath,
        mode: UploadMode,
        only_new: bool,
    ) -> Result<Upload, Refusal> {
        let place = jail.locate(path, FinalLink::FollowNew)?;
        if only_new && place.found().is_some() {
            return Err(Refusal::NameTaken);
        }
        let mut upload = Upload::open(jail, place, mode)?;
        upload.only_new = only_new;
        upload.interrupted_upload = jail.interrupted_upload().clone();
        if let Some(ledger) = jail.ledger(&upload.place) {
            upload.begin_counting(ledger, mode)?;
        }
        Ok(upload)
    }

    /// Begins to count the bytes in the quotas of `ledger`.
    fn begin_counting(&mut self, ledger: Ledger, mode: UploadMode) -> Result<(), Refusal> {
        let Some((path, id)) = self.named() else { return Ok(()) };
        let mut writing = path.begin_writing(ledger, &self.file, id)?;
        if mode != UploadMode::Append {
            writing.seek(self.file.stream_position()?);
        }
        self.writing = Some(writing);
        Ok(())
    }

    fn open(jail: &Jail, place: ResolvedPath, mode: UploadMode) -> Result<Upload, Refusal> {
        match place.found().map(|stat| stat.kind) {
            None | Some(FileKind::File) => {}
            Some(FileKind::Dir) => return Err(io::Error::from(ErrorKind::IsADirectory).into()),
            Some(FileKind::Link | FileKind::Other) => return Err(Refusal::NotPlainFile),
        }
        if let UploadMode::Replace | UploadMode::Resume(0) | UploadMode::ResumeText(0) = mode {
            return Upload::begin_replace(jail, place);
        }
        let partial = place.partial();
        // A partial without data has nothing to continue.
        let waiting = partial.found().filter(|stat| stat.size > 0);
        let is_own = || jail.interrupted_upload().get().is_some_and(|id| partial.has_id(id));
        match (mode, waiting, place.found()) {
            (UploadMode::Replace, _, _) | (UploadMode::Append, None, None) => {
                Upload::to_partial(place, partial)
            }
            (UploadMode::Resume(_) | UploadMode::ResumeText(_), Some(_), _)
            | (UploadMode::Append, Some(_), None) => Upload::resume(place, partial, mode),
            (UploadMode::Append, Some(_), Some(_)) if is_own() => Err(Refusal::Unavailable(
                "Your last upload of this file was interrupted: resume it with REST and STOR, \
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

    /// Begins an upload to a new name in the directory `dir`: `prefix`, a dot and a random number.
    /// Returns the upload and the name.
    ///
    /// # Errors
    /// The errors of [`Upload::begin`]; fails if `prefix` cannot be part of a file name.
    pub fn begin_unique(
        jail: &Jail,
        dir: &FtpPath,
        prefix: &[u8],
    ) -> Result<(Upload, Name), Refusal> {
        let name = [prefix, b".", hex(&random().to_be_bytes()).as_bytes()].concat();
        let name = Name::of_file(name).ok_or(Refusal::BadName)?;
        Ok((Upload::begin(jail, &dir.join(&name)?, UploadMode::Replace, true)?, name))
    }

    /// Begins to store a complete file (STOR).
    fn begin_replace(jail: &Jail, place: ResolvedPath) -> Result<Upload, Refusal> {
        // A quota counts names, so it needs one from the start.
        if place.found().is_none() && jail.ledger(&place).is_none() {
            let partial = place.new_partial();
            if partial.found().is_none()
                && let Ok(file) = place.create_unnamed()
            {
                return Ok(Upload::new(file, place, Kind::Unnamed(Some(partial)), None));
            }
        }
        let partial = place.partial_name();
        Upload::to_partial(place, partial)
    }

    fn to_partial(place: ResolvedPath, partial: ResolvedPath) -> Result<Upload, Refusal> {
        // A file that may not be written must not be replaced either.
        let old = place.found().map(|_| place.open_with_metadata(Open::Write)).transpose()?;
        let (file, data, kind) = match make_partial(partial, old.is_some()) {
            Ok(made) => made,
            Err(error) => match old {
                Some((old, _)) if cannot_create(&error) => return Upload::overwrite(place, old),
                _ => return Err(error.into()),
            },
        };
        if let Some((old, before)) = &old {
            // Done at the start and not at the end: a user who may not read the old file must not
            // be able to read the new one during the upload.
            sys::copy_attributes((&file, &data), (old, before));
        }
        // Only this session writes to the partial, so an empty one remains empty.
        let cut = (data.len() > 0).then_some(0);
        Ok(Upload::new(file, place, kind, cut))
    }

    fn new(file: File, place: ResolvedPath, kind: Kind, cut: Option<u64>) -> Upload {
        let interrupted_upload = InterruptedUpload::default();
        Upload {
            file,
            place,
            kind,
            cut,
            writing: None,
            written: 0,
            interrupted_upload,
            only_new: false,
        }
    }

    /// Begins to overwrite an existing file from its first byte.
    fn overwrite(place: ResolvedPath, file: File) -> Result<Upload, Refusal> {
        lock(&file)?;
        let (_, id) = sys::identify(&file)?;
        Ok(Upload::new(file, place, Kind::InPlace(id), Some(0)))
    }

    fn resume(
        place: ResolvedPath,
        partial: ResolvedPath,
        mode: UploadMode,
    ) -> Result<Upload, Refusal> {
        if place.found().is_some() {
            place.open(Open::Write)?;
        }
        let Locked::Acquired(mut file, _, id) = partial.lock(false)? else {
            return Err(Refusal::Busy);
        };
        let cut = Some(offset(&mut file, mode, Direction::Received)?);
        Ok(Upload::new(file, place, Kind::Partial { path: partial, id, resumable: true }, cut))
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
        Ok(Upload::new(file, place, Kind::InPlace(id), None))
    }

    /// Truncates the file to the start of the upload, once: the existing data is kept until the
    /// first byte arrives.
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

    /// Sets the permission bits of the file if the name did not exist before.
    pub fn set_mode_if_new(&self, mode: u32) {
        if self.place.found().is_none() {
            sys::set_file_mode(&self.file, mode);
        }
    }

    /// Renames the partial to the final name, or copies it into the existing file if that may be
    /// written but not replaced. With `sync`, the file and its name are on the disk when this
    /// returns.
    ///
    /// # Errors
    /// Returns the system error. The name then refers to the previous file, unless the fsync of
    /// the directory or the copy failed.
    pub fn commit(&mut self, sync: bool) -> Result<(), Refusal> {
        self.begin_writing()?;
        if sync {
            // After a failed fsync the system does not try to write the data again but reports
            // success the next time, so the partial must not be used any more.
            self.file.sync_all().inspect_err(|_| self.clear())?;
        }
        let in_place = matches!(self.kind, Kind::InPlace(_));
        if self.link_unnamed()? {
            return if sync { Ok(self.place.sync_dir()?) } else { Ok(()) };
        }
        let mut writing = self.writing.take();
        let Some((from, id)) = self.named() else { return Ok(()) };
        let named = self.place.commit(from, id, self.only_new, writing.as_mut());
        let Err(error) = named else {
            self.kind = Kind::Done;
            return if sync && !in_place { Ok(self.place.sync_dir()?) } else { Ok(()) };
        };
        self.writing = writing;
        // The data is complete, so the upload was not interrupted.
        self.interrupted_upload = InterruptedUpload::default();
        if self.only_new && error.kind() == ErrorKind::AlreadyExists {
            self.clear();
            return Err(Refusal::NameTaken);
        }
        match !in_place && !self.only_new && sys::cannot_replace(&error) {
            true => self.copy_into_place(error, sync),
            false => Err(error.into()),
        }
    }

    /// Copies the partial into the existing file, because the rename was `refused`, and removes
    /// the partial.
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
            writing.reserve(length)?;
        }
        sys::reserve(&file, length)?;
        let copied = copy(&mut self.file, &mut file, length, sync);
        if let Some(mut writing) = writing {
            writing.set_length(file.metadata()?.len());
            self.place.end_writing(Some(writing), false);
        }
        copied?;
        // If the partial cannot be removed, it is at least empty and cannot be resumed.
        self.cut = Some(0);
        self.begin_writing()?;
        self.clear();
        Ok(())
    }

    /// Gives the final name to a file without a name, and returns true if that completes the upload.
    /// If the name exists by now, the file becomes a partial.
    fn link_unnamed(&mut self) -> Result<bool, Refusal> {
        let Kind::Unnamed(_) = self.kind else { return Ok(false) };
        match self.place.link(&self.file) {
            Ok(()) => {
                self.place.report_complete();
                self.kind = Kind::Done;
                return Ok(true);
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => self.check_replaceable()?,
            Err(_) => {}
        }
        self.become_partial();
        if let Kind::Unnamed(_) = self.kind {
            // The partial belongs to another upload, or this process cannot name such files (without
            // /proc, for example).
            let (mut file, _, kind) = make_partial(self.place.partial(), false)?;
            let length = self.file.metadata()?.len();
            copy(&mut self.file, &mut file, length, false)?;
            (self.file, self.kind) = (file, kind);
        }
        Ok(false)
    }

    /// Checks that the file that now has the name may be replaced, and takes over its owner,
    /// permissions and attributes. Otherwise discards the upload.
    fn check_replaceable(&mut self) -> Result<(), Refusal> {
        let kind = std::mem::replace(&mut self.kind, Kind::Done);
        if self.only_new {
            return Err(Refusal::NameTaken);
        }
        match self.place.refreshed() {
            Ok(place) => {
                let (old, before) = place.open_with_metadata(Open::Write)?;
                sys::copy_attributes((&self.file, &self.file.metadata()?), (&old, &before));
            }
            // The file was removed a moment ago.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error.into()),
        }
        self.kind = kind;
        Ok(())
    }

    /// Gives a file without a name that of its partial, if no other upload has taken that. From then
    /// on a crash leaves the partial for a resume.
    fn become_partial(&mut self) {
        let Kind::Unnamed(partial) = &mut self.kind else { return };
        let Some(path) = partial.take() else { return };
        // The lock shows that the partial is in use; no other upload can hold it.
        let _ = self.file.try_lock();
        if let (Ok((_, id)), Ok(())) = (sys::identify(&self.file), path.link(&self.file)) {
            self.kind = Kind::Partial { path, id, resumable: true };
        }
    }

    /// Counts bytes that were written.
    fn count(&mut self, bytes: u64) {
        self.written += bytes;
        if self.written >= NAMED_FROM {
            self.become_partial();
        }
    }

    /// Returns the name to which the data is written until it is complete, and the identity of the
    /// file; `None` for a file without a name and for a finished upload.
    fn named(&self) -> Option<(&ResolvedPath, FileId)> {
        match &self.kind {
            Kind::Partial { path, id, .. } => Some((path, *id)),
            Kind::InPlace(id) => Some((&self.place, *id)),
            Kind::Unnamed(_) | Kind::Done => None,
        }
    }

    /// Removes the data stored so far.
    pub fn discard(mut self) {
        self.clear();
    }

    fn clear(&mut self) {
        match &self.kind {
            Kind::Partial { path, .. } => path.end_writing(self.writing.take(), true),
            Kind::Unnamed(_) => {}
            Kind::InPlace(_) | Kind::Done => return,
        }
        self.kind = Kind::Done;
    }
}

impl Write for Upload {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.begin_writing()?;
        self.before_splice(bytes.len() as u64)?;
        let count = self.file.write(bytes)?;
        self.after_splice(count as u64);
        Ok(count)
    }

    /// Called before a wait for more data. A file without a name becomes a partial, which other sessions
    /// can see and which is left after a crash.
    fn flush(&mut self) -> io::Result<()> {
        if self.written > 0 {
            self.become_partial();
        }
        Ok(())
    }
}

/// Writes go to the file directly, after the first one.
impl FileSink for Upload {
    fn file(&self) -> &File {
        &self.file
    }

    fn before_splice(&mut self, count: u64) -> io::Result<()> {
        self.writing.as_mut().map_or(Ok(()), |writing| writing.reserve(count))
    }

    fn after_splice(&mut self, count: u64) {
        if let Some(writing) = &mut self.writing {
            writing.wrote(count);
        }
        self.count(count);
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if self.written > 0 {
            self.become_partial();
        }
        let is_empty = || self.file.metadata().is_ok_and(|data| data.len() == 0);
        match &self.kind {
            Kind::Partial { resumable, .. } if !resumable || is_empty() => self.clear(),
            Kind::Partial { id, .. } if self.written > 0 => self.interrupted_upload.set(*id),
            Kind::Partial { .. } | Kind::InPlace(_) | Kind::Unnamed(_) | Kind::Done => {}
        }
        if let (Some(writing), Some((path, _))) = (self.writing.take(), self.named()) {
            path.end_writing(Some(writing), false);
        }
    }
}

/// Returns whether an error means that no file can be created in a directory, although an existing
/// one may be writable.
fn cannot_create(error: &io::Error) -> bool {
    sys::cannot_replace(error) || error.kind() == ErrorKind::ReadOnlyFilesystem
}

/// Opens or creates the partial and locks it; creates another one if it is being written.
fn make_partial(partial: ResolvedPath, private: bool) -> io::Result<(File, Metadata, Kind)> {
    if let Locked::Acquired(file, data, id) = partial.lock(private)? {
        return Ok((file, data, Kind::Partial { path: partial, id, resumable: true }));
    }
    let path = partial.with_suffix(&format!("-{}", hex(&random().to_be_bytes())));
    let file = path.create_new(private)?;
    // The lock shows that the partial is in use.
    let _ = file.try_lock();
    let (data, id) = sys::identify(&file)?;
    Ok((file, data, Kind::Partial { path, id, resumable: false }))
}

/// Locks a file that is written in place.
fn lock(file: &File) -> Result<(), Refusal> {
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => Err(Refusal::Busy),
        // Uploads must also work on a file system without locks.
        Ok(()) | Err(TryLockError::Error(_)) => Ok(()),
    }
}

/// Copies the content of `from`, which has this length, to `to`.
fn copy(from: &mut File, to: &mut File, length: u64, sync: bool) -> io::Result<()> {
    from.rewind()?;
    io::copy(from, to)?;
    to.set_len(length)?;
    if sync { to.sync_all() } else { Ok(()) }
}

/// Returns the offset in an open file at which an upload continues. The current size is used,
/// because the file may have changed since it was resolved.
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

#[cfg(all(test, target_os = "linux"))]
mod tests;
