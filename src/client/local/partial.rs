//! Partial files of incomplete downloads.
//!
//! - A download is written to a partial file in the directory of its target, and renamed when it is
//!   complete. So the target is always a complete file, old or new, or does not exist.
//! - The name of a partial file identifies its remote file ([`RemoteIdentity`]). The file is created before the
//!   first byte arrives, so a later run finds and continues it, however this run ends.
//! - A download over one connection fills the partial file from its beginning. A download over several
//!   connections fills ranges, which a table at its end records ([`FileRange`]).
//! - A partial file that is small, or that cannot be continued, is removed at the end of the transfer.

use super::partial_files::{LockedPartial, PartialFiles, file_name};
use super::partial_name::RemoteIdentity;
use super::range_table::{self, FileRange};
use crate::client::error::Error;
use crate::client::output::kept;
use crate::client::signals::{Cleanup, Registration};
use crate::sys::{self, Dir, FileKind, Open};
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

/// The smallest partial file that is kept: fetching fewer bytes again is as fast as comparing them.
const MIN_KEPT: u64 = 64 * 1024;

/// The names in the message about a partial file that is kept.
#[derive(Clone, Debug)]
pub(in crate::client) struct Continuation {
    /// The remote file.
    pub(in crate::client) name: Vec<u8>,
    /// The command that continues the download.
    pub(in crate::client) command: String,
}

/// A partial file. When it is dropped, it is kept if it is large enough, and removed otherwise.
pub(in crate::client) struct Partial {
    file: File,
    dir: Arc<Dir>,
    name: OsString,
    target: PathBuf,
    of: RemoteIdentity,
    continuation: Continuation,
    files: PartialFiles,
    /// The registered cleanup in case a signal ends the program.
    registration: Registration,
    /// The old target, if the download may continue it and has not compared it yet.
    base: Option<File>,
    /// True if this client created the file and has not written to it, so that its length is known.
    is_untouched: bool,
    on_drop: DropAction,
}

/// The state of a partial file when it is dropped.
#[derive(Clone, Copy, PartialEq, Eq)]
enum DropAction {
    Kept,
    Removed,
    Renamed,
}

impl Partial {
    /// Opens the partial file of `of` for `target`: one that an earlier run left, or a new one.
    pub(in crate::client) fn open(
        files: &PartialFiles,
        target: &Path,
        of: RemoteIdentity,
        continuation: Continuation,
    ) -> io::Result<Partial> {
        let cleanup = |locked: &LockedPartial| Partial::cleanup(locked, &of, continuation.clone());
        let (locked, registration) = files.lock(target, &of, cleanup)?;
        let LockedPartial { file, dir, name, is_new: is_untouched } = locked;
        let on_drop = if of.is_text() { DropAction::Removed } else { DropAction::Kept };
        let (target, files, base) = (target.to_owned(), files.clone(), None);
        let mut partial = Partial {
            file,
            dir,
            name,
            target,
            of,
            continuation,
            files,
            registration,
            base,
            is_untouched,
            on_drop,
        };
        if partial.length()? > 0 {
            partial.continue_existing()?;
        }
        Ok(partial)
    }

    /// Continues the file of an earlier run if it is large enough, else empties it.
    fn continue_existing(&mut self) -> io::Result<()> {
        if self.received()? < MIN_KEPT || self.of.is_text() {
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
        let of = RemoteIdentity::new(Vec::new(), None, None).for_ascii();
        Partial::open(files, target, of, continuation)
    }

    /// Returns the cleanup of a partial file in case a signal ends the program: a small file is
    /// removed, and for a larger one the message to the user is returned.
    fn cleanup(locked: &LockedPartial, of: &RemoteIdentity, continuation: Continuation) -> Cleanup {
        let (dir, name) = (Arc::clone(&locked.dir), locked.name.clone());
        let (size, is_text) = (of.size(), of.is_text());
        Box::new(move || {
            // After the end of the transfer the file does not exist.
            let file = dir.open(&name, Open::Read).ok()?;
            let received =
                received(&file, size).ok().filter(|received| *received >= MIN_KEPT && !is_text);
            if received.is_none() {
                let _ = dir.remove_file(&name);
            }
            Some(kept(&continuation.name, received?, size, &continuation.command))
        })
    }

    /// Returns the file, positioned at its end.
    pub(in crate::client) fn file(&mut self) -> &mut File {
        self.is_untouched = false;
        &mut self.file
    }

    /// Returns the number of received bytes.
    pub(in crate::client) fn received(&self) -> io::Result<u64> {
        received(&self.file, self.of.size())
    }

    /// Returns the number of bytes that are present from the beginning of the file on.
    pub(in crate::client) fn length(&self) -> io::Result<u64> {
        match &self.base {
            Some(base) => Ok(base.metadata()?.len()),
            None if self.is_untouched => Ok(0),
            None => Ok(self.file.metadata()?.len()),
        }
    }

    /// Returns the last `count` bytes.
    pub(in crate::client) fn tail(&mut self, count: u64) -> io::Result<Vec<u8>> {
        if self.is_untouched && self.base.is_none() {
            return Ok(Vec::new());
        }
        tail(self.base.as_mut().unwrap_or(&mut self.file), count)
    }

    /// Empties the file.
    pub(in crate::client) fn restart(&mut self) -> io::Result<()> {
        self.base = None;
        if self.is_untouched {
            return Ok(());
        }
        self.file.set_len(0)?;
        self.file.rewind()
    }

    /// Replaces the file with an empty one if `size` or `modified` shows that the remote file has changed.
    pub(in crate::client) fn update_identity(
        &mut self,
        size: Option<u64>,
        modified: Option<SystemTime>,
    ) -> io::Result<()> {
        let of = self.of.with_facts(size, modified);
        if self.of.differs_from(&of) && !of.is_text() {
            let continuation = self.continuation.clone();
            let mut new = Partial::open(&self.files, &self.target, of, continuation)?;
            new.restart()?;
            self.discard();
            *self = new;
        }
        Ok(())
    }

    /// Continues the existing target if nothing was received yet; returns whether it does so. The target is
    /// copied only with the first write, because until then it may be another file.
    pub(in crate::client) fn continue_target(&mut self) -> io::Result<bool> {
        let opened = open_regular(&self.dir, &self.target)
            .filter(|_| self.length().is_ok_and(|length| length == 0));
        self.base = opened.filter(|file| file.metadata().is_ok_and(|data| data.len() > 0));
        Ok(self.base.is_some())
    }

    /// Copies the existing target, if the download continues it.
    pub(in crate::client) fn copy_base(&mut self) -> io::Result<()> {
        if let Some(mut base) = self.base.take() {
            base.rewind()?;
            self.is_untouched = false;
            io::copy(&mut base, &mut self.file)?;
        }
        Ok(())
    }

    /// Returns the ranges of the file, if it was fetched in ranges.
    pub(in crate::client) fn ranges(&self) -> Option<Vec<FileRange>> {
        let size = self.of.size().filter(|_| !self.is_untouched)?;
        let is_longer = self.file.metadata().is_ok_and(|data| data.len() > size);
        is_longer.then(|| range_table::load(&self.file, size))?
    }

    /// Starts a download in ranges. The table is synced before any data, because a file without a table
    /// would be mistaken for the beginning of the remote file.
    pub(in crate::client) fn begin_ranges(&mut self, ranges: &[FileRange]) -> io::Result<()> {
        self.is_untouched = false;
        self.save_ranges(ranges)?;
        // Without the sync the file can still be continued until a reboot.
        let _ = self.file.sync_all();
        Ok(())
    }

    /// Writes the table of ranges.
    pub(in crate::client) fn save_ranges(&self, ranges: &[FileRange]) -> io::Result<()> {
        range_table::save(&self.file, self.of.size().unwrap_or(0), ranges)
    }

    /// Removes the table, because all ranges are complete.
    pub(in crate::client) fn finish_ranges(&self) -> io::Result<()> {
        self.file.set_len(self.of.size().unwrap_or(0))?;
        (&self.file).seek(SeekFrom::End(0)).map(drop)
    }

    /// Writes bytes at an offset.
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

    /// Syncs the received bytes to the disk.
    pub(in crate::client) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// Lets the file be removed when it is dropped.
    pub(in crate::client) fn discard(&mut self) {
        self.on_drop = DropAction::Removed;
    }

    /// Returns the message about the partial file, if it is kept.
    pub(in crate::client) fn kept(&self) -> Option<String> {
        let received = self.received().ok().filter(|received| self.is_kept(*received))?;
        Some(kept(&self.continuation.name, received, self.of.size(), &self.continuation.command))
    }

    fn is_kept(&self, received: u64) -> bool {
        self.on_drop == DropAction::Kept && received >= MIN_KEPT
    }

    /// Renames the file to its target, with the time of the remote file, and with the permissions, access
    /// control list and attributes of the file that it replaces, as far as the system allows. Before that,
    /// no other user can read a file that replaces another.
    pub(in crate::client) fn commit(mut self, modified: Option<SystemTime>) -> Result<(), Error> {
        self.rename_to_target(modified)
            .map_err(|error| Error::File { path: self.target.clone(), error })
    }

    fn rename_to_target(&mut self, modified: Option<SystemTime>) -> io::Result<()> {
        self.copy_base()?;
        if let Some(modified) = modified {
            // Not every file system can set times.
            let _ = self.file.set_modified(modified);
        }
        if let Some(old) = open_regular(&self.dir, &self.target)
            && let (Ok(new_data), Ok(old_data)) = (self.file.metadata(), old.metadata())
        {
            sys::copy_attributes((&self.file, &new_data), (&old, &old_data));
        }
        self.dir.rename(&self.name, &self.dir, file_name(&self.target)?)?;
        self.on_drop = DropAction::Renamed;
        // A client that had locked another partial file may have ended in the meantime.
        let _ = self.files.remove_others(&self.dir, &self.target, &self.name);
        Ok(())
    }
}

impl Write for Partial {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.copy_base()?;
        self.is_untouched = false;
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if self.on_drop != DropAction::Renamed
            && !self.received().is_ok_and(|received| self.is_kept(received))
        {
            // The next run finds a file that cannot be removed.
            let _ = self.dir.remove_file(&self.name);
        }
        self.files.forget(self.registration);
    }
}

/// Returns the number of received bytes of a remote file of this size.
fn received(file: &File, size: Option<u64>) -> io::Result<u64> {
    let length = file.metadata()?.len();
    Ok(match size {
        Some(size) if size < length => {
            range_table::load(file, size).map_or(0, |ranges| range_table::received(&ranges))
        }
        _ => length,
    })
}

/// Opens a regular file for reading or, if that is not permitted, for writing, which is enough to read its
/// permissions.
fn open_regular(dir: &Dir, target: &Path) -> Option<File> {
    let name = file_name(target).ok()?;
    let is_plain = dir.stat(name).is_ok_and(|stat| stat.kind == FileKind::File);
    let open = || dir.open(name, Open::Read).or_else(|_| dir.open(name, Open::Append)).ok();
    is_plain.then(open)?
}

/// Returns the last `count` bytes of a file, and leaves its position at the end.
fn tail(file: &mut File, count: u64) -> io::Result<Vec<u8>> {
    let end = file.seek(SeekFrom::End(0))?;
    file.seek(SeekFrom::Start(end.saturating_sub(count)))?;
    let mut bytes = Vec::new();
    file.take(count).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(all(test, unix))]
mod tests;
