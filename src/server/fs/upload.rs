//! Uploads: a name always holds a whole file.
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
//! | APPE, a partial waits and the name exists | 550: this could be an append or a resume |
//! | REST n + STOR or APPE, no partial, the name exists | the file is written in place |
//! | disk or quota full | 552, the partial removed |
//! | `--sync`, and the file does not reach the disk | 451, the partial removed |
//! | two uploads of one name | each has a partial of its own; the last to finish wins, whole |
//!
//! A partial is named by a digest of the name, so it is found again, also after a crash. The one
//! who writes it holds a lock on it; another upload of the same name takes a partial with a random
//! ending, which nobody could find again and which therefore goes when it breaks off.

use crate::protocol::digest::hex;
use crate::protocol::{FtpPath, Name};
use crate::pump::FileSink;
use crate::server::error::Refusal;
use crate::server::fs::jail::{Jail, Last, ResolvedPath};
use crate::server::fs::partial::Locked;
use crate::server::fs::quota::Writing;
use crate::server::fs::stored_text::{self, Direction};
use crate::sys::{self, FileId, FileKind, Open};
use std::collections::hash_map::RandomState;
use std::fs::{File, TryLockError};
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
    /// The length to which the partial is cut before the first byte is written.
    cut: Option<u64>,
    /// What it takes of the quotas that count here.
    writing: Option<Writing>,
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
    /// Opens what an upload to `path` writes to.
    ///
    /// # Errors
    /// See the table of the module; also what the system says.
    pub fn begin(jail: &Jail, path: &FtpPath, mode: UploadMode) -> Result<Upload, Refusal> {
        let mut upload = Upload::open(jail, path, mode)?;
        if let Some(ledger) = jail.ledger(&upload.place) {
            let mut writing = upload.written_to().begin_writing(ledger, &upload.file, upload.id)?;
            if mode != UploadMode::Append {
                writing.seek(upload.file.stream_position()?);
            }
            upload.writing = Some(writing);
        }
        Ok(upload)
    }

    fn open(jail: &Jail, path: &FtpPath, mode: UploadMode) -> Result<Upload, Refusal> {
        let place = jail.locate(path, Last::Follow)?;
        match place.found().map(|stat| stat.kind) {
            None | Some(FileKind::File) => {}
            Some(FileKind::Dir) => return Err(io::Error::from(ErrorKind::IsADirectory).into()),
            Some(FileKind::Link | FileKind::Other) => return Err(Refusal::NotPlainFile),
        }
        let partial = place.partial();
        if let UploadMode::Replace | UploadMode::Resume(0) | UploadMode::ResumeText(0) = mode {
            return Upload::fresh(place, partial);
        }
        match (mode, partial.found(), place.found()) {
            (UploadMode::Replace, _, _) | (UploadMode::Append, None, None) => {
                Upload::fresh(place, partial)
            }
            (UploadMode::Resume(_) | UploadMode::ResumeText(_), Some(_), _)
            | (UploadMode::Append, Some(_), None) => Upload::resume(place, partial, mode),
            (UploadMode::Append, Some(_), Some(_)) => Err(Refusal::Unavailable(
                "An unfinished upload of this name waits: finish it with REST and STOR, \
                 or replace it with STOR.",
            )),
            (
                UploadMode::Resume(_) | UploadMode::ResumeText(_) | UploadMode::Append,
                None,
                Some(_),
            ) => Upload::in_place(place, mode),
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
    ) -> Result<(Upload, Vec<u8>), Refusal> {
        let name = [prefix, b".", hex(&random().to_be_bytes()).as_bytes()].concat();
        let wanted = Name::new(name.clone()).ok_or(Refusal::BadName)?;
        Ok((Upload::begin(jail, &dir.join(&wanted)?, UploadMode::Replace)?, name))
    }

    fn fresh(place: ResolvedPath, partial: ResolvedPath) -> Result<Upload, Refusal> {
        if place.found().is_some() {
            // A file that may not be written must not be replaced either.
            place.check_writable()?;
        }
        let (file, data, id, kind) = match partial.lock()? {
            Locked::Mine(file, data, id) => {
                (file, data, id, Kind::Partial { path: partial, resumable: true })
            }
            Locked::Taken => {
                let path = partial.with_suffix(&format!("-{}", hex(&random().to_be_bytes())));
                let file = path.create_new()?;
                // So that nobody takes it for one that was left behind.
                let _ = file.try_lock();
                let (data, id) = sys::identify(&file)?;
                (file, data, id, Kind::Partial { path, resumable: false })
            }
        };
        if let Some(old) = place.found() {
            // As if the old one were written in place, and not readable for others meanwhile. What
            // the system refuses of it is no reason to lose the upload.
            sys::adopt(&file, &data, &old);
        }
        // Nobody else writes to it, so what is empty stays so.
        let cut = (data.len() > 0).then_some(0);
        Ok(Upload { file, id, place, kind, cut, writing: None })
    }

    fn resume(
        place: ResolvedPath,
        partial: ResolvedPath,
        mode: UploadMode,
    ) -> Result<Upload, Refusal> {
        let Locked::Mine(mut file, _, id) = partial.lock()? else {
            return Err(Refusal::Busy);
        };
        let cut = Some(offset(&mut file, mode, Direction::Received)?);
        let kind = Kind::Partial { path: partial, resumable: true };
        Ok(Upload { file, id, place, kind, cut, writing: None })
    }

    fn in_place(place: ResolvedPath, mode: UploadMode) -> Result<Upload, Refusal> {
        let mut file =
            place.open(if mode == UploadMode::Append { Open::Append } else { Open::Write })?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => return Err(Refusal::Busy),
            // A file system without locks is no reason not to store.
            Ok(()) | Err(TryLockError::Error(_)) => {}
        }
        if mode != UploadMode::Append {
            let at = offset(&mut file, mode, Direction::Sent)?;
            file.seek(SeekFrom::Start(at))?;
        }
        let (_, id) = sys::identify(&file)?;
        Ok(Upload { file, id, place, kind: Kind::InPlace, cut: None, writing: None })
    }

    /// Cuts the partial to where the upload goes on, once: what waited in it is worth keeping until
    /// there is something better.
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

    /// Gives the file its name. With `sync`, file and name are on the disk when this returns.
    ///
    /// # Errors
    /// What the system says; the name then holds what it held before, unless it was the directory
    /// that could not be brought to the disk.
    pub fn commit(&mut self, sync: bool) -> io::Result<()> {
        self.begin_writing()?;
        if sync {
            // What could not be written once is not tried again by the system, and yet looks as if
            // it were there: nothing may build on it.
            self.file.sync_all().inspect_err(|_| self.clear())?;
        }
        let mut writing = self.writing.take();
        let named = self.place.commit(self.written_to(), self.id, writing.as_mut());
        if let Err(error) = named {
            self.writing = writing;
            return Err(error);
        }
        let is_new = matches!(self.kind, Kind::Partial { .. });
        self.kind = Kind::Settled;
        if sync && is_new { self.place.sync_dir() } else { Ok(()) }
    }

    /// The name its bytes have until they are whole.
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
            Kind::Partial { .. } | Kind::InPlace | Kind::Settled => {}
        }
        if let Some(writing) = self.writing.take() {
            self.written_to().end_writing(Some(writing), false);
        }
    }
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
