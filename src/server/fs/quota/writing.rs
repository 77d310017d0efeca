//! The quota reservations of a file that is being written.

use crate::server::fs::quota::Ledger;
use crate::sys::{self, Dir, FileId};
use std::ffi::OsStr;
use std::io;
use std::sync::Arc;

/// A file that is being written, with its reserved bytes.
#[derive(Debug)]
pub struct Writing {
    pub(super) ledger: Ledger,
    pub(super) id: FileId,
    /// The number of bytes of the file that are counted.
    pub(super) length: u64,
    /// The offset of the next write.
    pub(super) at: u64,
    /// The number of reserved bytes that are not written yet.
    pub(super) taken: u64,
    pub(super) is_open: bool,
}

impl Writing {
    /// Records that the file was truncated to `length`.
    pub fn cut(&mut self, length: u64) {
        self.ledger.release(self.length.saturating_sub(length));
        self.length = self.length.min(length);
        self.at = length;
    }

    /// Sets the offset of the next write.
    pub fn seek(&mut self, at: u64) {
        self.at = at;
    }

    /// Reserves bytes for a write.
    ///
    /// # Errors
    /// `QuotaExceeded`; nothing may be written then.
    pub fn reserve(&mut self, bytes: u64) -> io::Result<()> {
        let growth = self.at.saturating_add(bytes).saturating_sub(self.length);
        let more = growth.saturating_sub(self.taken);
        self.ledger.reserve(more)?;
        self.taken += more;
        Ok(())
    }

    /// Records that this many bytes were written.
    pub fn wrote(&mut self, bytes: u64) {
        self.at += bytes;
        let growth = self.at.saturating_sub(self.length);
        self.length += growth;
        self.taken = self.taken.saturating_sub(growth);
    }

    /// Returns the quotas of the file's directory.
    pub fn ledger(&self) -> Ledger {
        self.ledger.clone()
    }

    /// Records that the file now has this length, however it was written.
    pub fn set_length(&mut self, length: u64) {
        self.seek(0);
        self.wrote(length);
        self.cut(length);
    }

    /// Calls `rename` to give the file its final name, and releases the bytes of a file that this
    /// replaces. If `rename` fails, nothing has changed.
    ///
    /// # Errors
    /// The errors of `rename`.
    pub fn commit(
        &mut self,
        dir: &Dir,
        name: &OsStr,
        rename: impl FnOnce() -> io::Result<()>,
    ) -> io::Result<()> {
        let quotas = Arc::clone(&self.ledger.quotas);
        let _guard = quotas.change();
        let replaced = self.ledger.size_of(dir, name);
        rename()?;
        self.ledger.release(replaced);
        self.close();
        Ok(())
    }

    /// Calls `last` and ends the writing. The bytes of the file are released if the file no longer
    /// exists.
    pub fn end(mut self, dir: &Dir, name: &OsStr, last: impl FnOnce()) {
        let quotas = Arc::clone(&self.ledger.quotas);
        let _guard = quotas.change();
        last();
        if !sys::is_named(dir, name, self.id) {
            self.ledger.release(self.length);
        }
        self.close();
    }

    fn close(&mut self) {
        self.ledger.release(std::mem::take(&mut self.taken));
        if std::mem::replace(&mut self.is_open, false) {
            let mut table = self.ledger.quotas.table();
            if let Some(index) = table.open.iter().position(|(id, _)| *id == self.id) {
                table.open.swap_remove(index);
            }
        }
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        self.close();
    }
}
