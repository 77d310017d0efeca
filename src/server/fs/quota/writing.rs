//! The part of the quotas that a file takes while it is written.

use crate::server::fs::quota::Ledger;
use crate::sys::{self, Dir, FileId};
use std::ffi::OsStr;
use std::io;
use std::sync::Arc;

/// A file that is being written, and what its bytes have taken.
#[derive(Debug)]
pub struct Writing {
    pub(super) ledger: Ledger,
    pub(super) id: FileId,
    /// How many bytes of the file count.
    pub(super) length: u64,
    /// Where the next ones go.
    pub(super) at: u64,
    /// Taken for bytes that are not written yet.
    pub(super) taken: u64,
    pub(super) is_open: bool,
}

impl Writing {
    /// The file was cut.
    pub fn cut(&mut self, length: u64) {
        self.ledger.give_back(self.length.saturating_sub(length));
        self.length = self.length.min(length);
        self.at = length;
    }

    /// Writing goes on there.
    pub fn seek(&mut self, at: u64) {
        self.at = at;
    }

    /// So many bytes are about to be written.
    ///
    /// # Errors
    /// `QuotaExceeded`; nothing may be written then.
    pub fn take(&mut self, bytes: u64) -> io::Result<()> {
        let growth = self.at.saturating_add(bytes).saturating_sub(self.length);
        let more = growth.saturating_sub(self.taken);
        self.ledger.take(more)?;
        self.taken += more;
        Ok(())
    }

    /// So many of them were written.
    pub fn wrote(&mut self, bytes: u64) {
        self.at += bytes;
        let growth = self.at.saturating_sub(self.length);
        self.length += growth;
        self.taken = self.taken.saturating_sub(growth);
    }

    /// What counts in the directory of the file.
    pub fn ledger(&self) -> Ledger {
        self.ledger.clone()
    }

    /// The file has this length now, whatever of it was written.
    pub fn settle_at(&mut self, length: u64) {
        self.seek(0);
        self.wrote(length);
        self.cut(length);
    }

    /// Gives the file its final name by `rename`, which may replace another. If that fails, nothing
    /// has changed.
    ///
    /// # Errors
    /// Those of `rename`.
    pub fn commit(
        &mut self,
        dir: &Dir,
        name: &OsStr,
        rename: impl FnOnce() -> io::Result<()>,
    ) -> io::Result<()> {
        let quotas = Arc::clone(&self.ledger.quotas);
        let _turn = quotas.change();
        let replaced = self.ledger.size_of(dir, name);
        rename()?;
        self.ledger.give_back(replaced);
        self.release();
        Ok(())
    }

    /// Leaves the file as it is after `last`, and gives back what it took if it is gone then.
    pub fn end(mut self, dir: &Dir, name: &OsStr, last: impl FnOnce()) {
        let quotas = Arc::clone(&self.ledger.quotas);
        let _turn = quotas.change();
        last();
        if !sys::is_named(dir, name, self.id) {
            self.ledger.give_back(self.length);
        }
        self.release();
    }

    fn release(&mut self) {
        self.ledger.give_back(std::mem::take(&mut self.taken));
        if std::mem::replace(&mut self.is_open, false) {
            let mut books = self.ledger.quotas.books();
            if let Some(index) = books.open.iter().position(|(id, _)| *id == self.id) {
                books.open.swap_remove(index);
            }
        }
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        self.release();
    }
}
