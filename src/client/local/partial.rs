//! Partial files: downloads that are not whole yet.
//!
//! - A download is written to a partial file beside its target and renamed over it once it is whole,
//!   so that the name always holds a whole file: the old one, the new one, or none.
//! - The name of a partial file tells what it is a part of ([`PartOf`]). It is made before the first
//!   byte comes, so whatever ends the client, a later run finds what came and continues it.
//! - What one connection has fetched is the beginning of the file, as long as the partial file. What
//!   several have fetched are ranges, which a table at its end tells of ([`Piece`]).
//! - A part that is too small to be worth it is removed with the end of its transfer, and so is one
//!   that cannot be continued.

use super::partial_files::{Held, PartialFiles, file_name};
use super::partial_name::PartOf;
use super::range_table::{self, Piece};
use crate::client::error::Error;
use crate::client::output::kept;
use crate::client::signals::{Registration, Tidying};
use crate::sys::{self, Dir, FileKind, Open};
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

/// The smallest part of a file that is kept: less comes again as fast as it would be compared.
const WORTH_KEEPING: u64 = 64 * 1024;

/// The names in the message about a part that is kept.
#[derive(Clone, Debug)]
pub(in crate::client) struct Continuation {
    /// The remote file.
    pub(in crate::client) name: Vec<u8>,
    /// The command that continues it.
    pub(in crate::client) command: String,
}

/// A file that is not whole yet. Dropped it stays if it is worth that, and is removed otherwise.
pub(in crate::client) struct Partial {
    file: File,
    dir: Arc<Dir>,
    name: OsString,
    target: PathBuf,
    of: PartOf,
    continuation: Continuation,
    files: PartialFiles,
    /// The entry among the files that a signal tidies.
    registration: Registration,
    /// The file under the name of the target, while it is not known to be the beginning of the remote
    /// file.
    base: Option<File>,
    fate: Fate,
}

/// The fate of a partial file that is dropped.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Kept,
    Removed,
    Renamed,
}

impl Partial {
    /// Opens the partial file of `of` that is to become `target`: one that an earlier run left, or a new
    /// one.
    pub(in crate::client) fn open(
        files: &PartialFiles,
        target: &Path,
        of: PartOf,
        continuation: Continuation,
    ) -> io::Result<Partial> {
        let tidying = |held: &Held| Partial::tidying(held, &of, continuation.clone());
        let (Held { file, dir, name }, registration) = files.hold(target, &of, tidying)?;
        let fate = if of.is_text() { Fate::Removed } else { Fate::Kept };
        let (target, files, base) = (target.to_owned(), files.clone(), None);
        let mut partial =
            Partial { file, dir, name, target, of, continuation, files, registration, base, fate };
        if partial.length()? > 0 {
            partial.take_up()?;
        }
        Ok(partial)
    }

    /// Takes up what an earlier run left, if it is worth that.
    fn take_up(&mut self) -> io::Result<()> {
        if self.came()? < WORTH_KEEPING || self.of.is_text() {
            return self.restart();
        }
        self.file.seek(SeekFrom::End(0)).map(drop)
    }

    /// Opens a partial file that is never continued.
    pub(in crate::client) fn open_whole(
        files: &PartialFiles,
        target: &Path,
    ) -> io::Result<Partial> {
        let continuation = Continuation { name: Vec::new(), command: String::new() };
        let of = PartOf::new(Vec::new(), None, None).in_text();
        Partial::open(files, target, of, continuation)
    }

    /// Returns what is done with a partial file when a signal ends the program: it is removed unless it
    /// is worth keeping, and what the user is told is returned.
    fn tidying(held: &Held, of: &PartOf, continuation: Continuation) -> Tidying {
        let (dir, name) = (Arc::clone(&held.dir), held.name.clone());
        let (size, is_text) = (of.size(), of.is_text());
        Box::new(move || {
            // After the end of the transfer nothing has this name.
            let file = dir.open(&name, Open::Read).ok()?;
            let came = came(&file, size).ok().filter(|came| *came >= WORTH_KEEPING && !is_text);
            if came.is_none() {
                let _ = dir.remove_file(&name);
            }
            Some(kept(&continuation.name, came?, size, &continuation.command))
        })
    }

    /// Returns the file, which is written at its end.
    pub(in crate::client) fn file(&mut self) -> &mut File {
        &mut self.file
    }

    /// Returns how many bytes have come.
    pub(in crate::client) fn came(&self) -> io::Result<u64> {
        came(&self.file, self.of.size())
    }

    /// Returns how long the beginning of the file is that is here.
    pub(in crate::client) fn length(&self) -> io::Result<u64> {
        Ok(self.base.as_ref().unwrap_or(&self.file).metadata()?.len())
    }

    /// Returns the last `count` of the bytes that are here.
    pub(in crate::client) fn tail(&mut self, count: u64) -> io::Result<Vec<u8>> {
        tail(self.base.as_mut().unwrap_or(&mut self.file), count)
    }

    /// Throws away what is here.
    pub(in crate::client) fn restart(&mut self) -> io::Result<()> {
        self.base = None;
        self.file.set_len(0)?;
        self.file.rewind()
    }

    /// Throws away what is here if size or time show that the remote file is another version by now.
    pub(in crate::client) fn become_part_of(
        &mut self,
        size: Option<u64>,
        modified: Option<SystemTime>,
    ) -> io::Result<()> {
        let of = self.of.changed(size, modified);
        if self.of.differs_from(&of) && !of.is_text() {
            let continuation = self.continuation.clone();
            let mut new = Partial::open(&self.files, &self.target, of, continuation)?;
            new.restart()?;
            self.discard();
            *self = new;
        }
        Ok(())
    }

    /// Begins with what is under the name of the target, if nothing has come and there is anything;
    /// returns whether it does so. It is copied with the first byte that is written, because until then it
    /// may be of another file.
    pub(in crate::client) fn begin_with_target(&mut self) -> io::Result<bool> {
        let opened = open_plain(&self.dir, &self.target)
            .filter(|_| self.length().is_ok_and(|length| length == 0));
        self.base = opened.filter(|file| file.metadata().is_ok_and(|data| data.len() > 0));
        Ok(self.base.is_some())
    }

    /// Copies what is under the name of the target, if the download begins with it.
    pub(in crate::client) fn copy_base(&mut self) -> io::Result<()> {
        if let Some(mut base) = self.base.take() {
            base.rewind()?;
            io::copy(&mut base, &mut self.file)?;
        }
        Ok(())
    }

    /// Returns the ranges of the file, if it has come in ranges.
    pub(in crate::client) fn pieces(&self) -> Option<Vec<Piece>> {
        let size = self.of.size()?;
        let is_longer = self.file.metadata().is_ok_and(|data| data.len() > size);
        is_longer.then(|| range_table::load(&self.file, size))?
    }

    /// Begins to fetch in ranges, whose table reaches the disk before their bytes do: a file that is
    /// shorter than the table's place would be taken for the beginning of the remote file.
    pub(in crate::client) fn begin_pieces(&self, pieces: &[Piece]) -> io::Result<()> {
        self.save_pieces(pieces)?;
        // What cannot be brought to the disk can be continued as long as the machine runs.
        let _ = self.file.sync_all();
        Ok(())
    }

    /// Notes which ranges have come.
    pub(in crate::client) fn save_pieces(&self, pieces: &[Piece]) -> io::Result<()> {
        range_table::save(&self.file, self.of.size().unwrap_or(0), pieces)
    }

    /// Removes the table: all ranges have come.
    pub(in crate::client) fn end_pieces(&self) -> io::Result<()> {
        self.file.set_len(self.of.size().unwrap_or(0))?;
        (&self.file).seek(SeekFrom::End(0)).map(drop)
    }

    /// Writes bytes at their place.
    pub(in crate::client) fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        sys::write_at(&self.file, bytes, offset)
    }

    /// Reads the bytes of a range.
    pub(in crate::client) fn read_at(&self, offset: u64, count: u64) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; usize::try_from(count).unwrap_or(0)];
        let mut filled = 0;
        while filled < bytes.len() {
            match sys::read_at(&self.file, &mut bytes[filled..], offset + filled as u64)? {
                0 => return Err(ErrorKind::UnexpectedEof.into()),
                count => filled += count,
            }
        }
        Ok(bytes)
    }

    /// Brings what has come to the disk.
    pub(in crate::client) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// Has the file removed when it is dropped.
    pub(in crate::client) fn discard(&mut self) {
        self.fate = Fate::Removed;
    }

    /// Returns what the user is told of the part that stays, if one does.
    pub(in crate::client) fn kept(&self) -> Option<String> {
        let came = self.came().ok().filter(|came| self.stays(*came))?;
        Some(kept(&self.continuation.name, came, self.of.size(), &self.continuation.command))
    }

    fn stays(&self, came: u64) -> bool {
        self.fate == Fate::Kept && came >= WORTH_KEEPING
    }

    /// Makes the file appear under its name, with the time that it has at the server, and with the
    /// permissions, access control list and attributes of the file that it replaces, as far as the
    /// system allows. Until then nobody else can read it if it replaces a file.
    pub(in crate::client) fn commit(mut self, modified: Option<SystemTime>) -> Result<(), Error> {
        self.put_in_place(modified)
            .map_err(|error| Error::File { path: self.target.clone(), error })
    }

    fn put_in_place(&mut self, modified: Option<SystemTime>) -> io::Result<()> {
        self.copy_base()?;
        if let Some(modified) = modified {
            // A file system that keeps no times keeps files all the same.
            let _ = self.file.set_modified(modified);
        }
        if let Some(old) = open_plain(&self.dir, &self.target)
            && let (Ok(new_data), Ok(old_data)) = (self.file.metadata(), old.metadata())
        {
            sys::copy_attributes((&self.file, &new_data), (&old, &old_data));
        }
        self.dir.rename(&self.name, &self.dir, file_name(&self.target)?)?;
        self.fate = Fate::Renamed;
        // Another client may have held one at the beginning, and be gone by now.
        let _ = self.files.remove_others(&self.dir, &self.target, &self.name);
        Ok(())
    }
}

impl Write for Partial {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.copy_base()?;
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if self.fate != Fate::Renamed && !self.came().is_ok_and(|came| self.stays(came)) {
            // One that cannot be removed is too small to be missed, or is found by the next run.
            let _ = self.dir.remove_file(&self.name);
        }
        self.files.forget(self.registration);
    }
}

/// Returns how many bytes of a file of this size have come.
fn came(file: &File, size: Option<u64>) -> io::Result<u64> {
    let length = file.metadata()?.len();
    Ok(match size {
        Some(size) if size < length => {
            range_table::load(file, size).map_or(0, |pieces| range_table::came(&pieces))
        }
        _ => length,
    })
}

/// Opens a plain file to read it, or to write it where it may not be read, which is enough to see its
/// rights.
fn open_plain(dir: &Dir, target: &Path) -> Option<File> {
    let name = file_name(target).ok()?;
    let is_plain = dir.stat(name).is_ok_and(|stat| stat.kind == FileKind::File);
    let open = || dir.open(name, Open::Read).or_else(|_| dir.open(name, Open::Append)).ok();
    is_plain.then(open)?
}

/// Returns the last `count` bytes of a file, which then stands at its end.
fn tail(file: &mut File, count: u64) -> io::Result<Vec<u8>> {
    let end = file.seek(SeekFrom::End(0))?;
    file.seek(SeekFrom::Start(end.saturating_sub(count)))?;
    let mut bytes = Vec::new();
    file.take(count).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(all(test, unix))]
mod tests;
