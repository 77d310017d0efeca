//! Transfers of files.
//!
//! The shell builds one [`download::Download`] or [`upload::Upload`] for each file and gets one
//! [`outcome::TransferOutcome`] for it. In between, `retry` repeats interrupted transfers, `batch` and
//! `segmented` distribute files and ranges over the connections of a `worker_pool`, and `compare` decides
//! which files may be continued.
//!
//! Each try is an [`IncomingTransfer`] or [`OutgoingTransfer`], a guard that borrows its connection,
//! moves the bytes, and leaves the connection usable:
//!
//! - A download succeeds if the server confirms it and the file has the size that SIZE returned, or is
//!   larger and the caller allows growth. An upload succeeds if all bytes were sent and the server
//!   confirms it after that.
//! - A negative reply during the transfer ends it and becomes its error, instead of the broken pipe that
//!   follows.
//! - A guard that is dropped, or whose transfer fails locally, aborts the transfer (ABOR) and reads the
//!   pending replies, so that the session can continue. If they do not arrive, the connection is lost.
//! - If the control connection is silent for long during a transfer, a NOOP is sent, one at a time.
//!   Servers answer it at once, after the transfer, or never. While it is unanswered, a reply about
//!   syntax (x0z, RFC 959 section 4.2), which never ends a transfer, counts as its answer. If a server
//!   does not answer it soon after the transfer, or ends the transfer because of it, no more are sent.
//! - A passive data connection is opened before the command is sent, so that no transfer has to be aborted
//!   if that fails.

mod append;
pub(super) mod batch;
mod closing;
pub(super) mod compare;
mod control_watch;
pub(super) mod download;
mod lifecycle;
pub(super) mod outcome;
mod ranges;
mod replies;
pub(super) mod retry;
mod segmented;
pub(super) mod session_limit;
mod sink;
mod size_limit;
pub(super) mod upload;
pub(super) mod worker_pool;

pub(super) use outcome::TransferSettings;

use self::lifecycle::{Completeness, RunningTransfer};
use self::replies::TransferDirection;
use self::size_limit::SizeLimit;
use super::connection::data::keep_early_epsv_reply;
use super::connection::{Connection, LineEnds, Representation};
use super::error::Error;
use crate::protocol::ascii::{DecodingWriter, EncodingReader};
use crate::protocol::{Command, Name};
use crate::pump::{End, Outcome};
use std::fs::File;
use std::io::{self, Read, Write};
use std::ops::Range;

/// The growth during a download that is allowed for a file of any size, in bytes.
const MIN_GROWTH: u64 = 16 * 1024 * 1024;

/// A download of a file or listing that has started. Dropping it aborts the transfer.
pub struct IncomingTransfer<'c> {
    transfer: RunningTransfer<'c>,
    representation: Representation,
    /// The offset in the file at which the transfer began.
    from: u64,
    expected: Option<u64>,
    /// The number of bytes that may arrive beyond the expected ones.
    growth: u64,
}

/// An upload that has started. Dropping it aborts the transfer.
pub struct OutgoingTransfer<'c> {
    transfer: RunningTransfer<'c>,
    representation: Representation,
}

impl Connection {
    /// Starts to fetch a file.
    ///
    /// # Errors
    /// The errors of every command, [`Error::NoData`], [`Error::Interrupted`].
    pub fn retrieve(&mut self, name: &Name) -> Result<IncomingTransfer<'_>, Error> {
        self.set_file_type()?;
        let expected = self.expected_size(name)?;
        self.retrieve_from(name, 0, expected)
    }

    /// Starts to fetch a file of `size` bytes starting at the offset `from`.
    pub(super) fn retrieve_from(
        &mut self,
        name: &Name,
        from: u64,
        size: Option<u64>,
    ) -> Result<IncomingTransfer<'_>, Error> {
        prepare(self)?;
        let representation = match self.settings().line_ends {
            LineEnds::Lf => self.representation(),
            LineEnds::CrLf => Representation::Image,
        };
        let expected = size.map(|size| size.saturating_sub(from));
        let command = Command::Retr(name.clone());
        let transfer = RunningTransfer::begin(self, &command, TransferDirection::Down, from)?;
        Ok(IncomingTransfer { transfer, representation, from, expected, growth: 0 })
    }

    /// Starts to fetch the listing of a directory. TYPE is not changed, because that would cost a round
    /// trip now and another before the next file.
    ///
    /// # Errors
    /// The errors of [`Connection::retrieve`].
    pub fn list(&mut self, path: Option<Name>) -> Result<IncomingTransfer<'_>, Error> {
        self.fetch_listing(&Command::List(path))
    }

    /// Starts to fetch the listing of any command that sends one.
    pub(super) fn fetch_listing(
        &mut self,
        command: &Command,
    ) -> Result<IncomingTransfer<'_>, Error> {
        let transfer = RunningTransfer::begin(self, command, TransferDirection::Down, 0)?;
        let representation = Representation::Ascii;
        Ok(IncomingTransfer { transfer, representation, from: 0, expected: None, growth: 0 })
    }

    /// Starts to fetch the names in a directory, or the names that match a pattern.
    ///
    /// # Errors
    /// The errors of [`Connection::retrieve`].
    pub fn names(&mut self, path: Option<Name>) -> Result<IncomingTransfer<'_>, Error> {
        self.fetch_listing(&Command::Nlst(path))
    }

    /// Starts to send a file.
    ///
    /// # Errors
    /// The errors of [`Connection::retrieve`].
    pub fn store(&mut self, name: &Name) -> Result<OutgoingTransfer<'_>, Error> {
        self.store_from(name, 0)
    }

    /// Starts to send a file starting at the offset `from`.
    pub(super) fn store_from(
        &mut self,
        name: &Name,
        from: u64,
    ) -> Result<OutgoingTransfer<'_>, Error> {
        self.send_file(&Command::Stor(name.clone()), from)
    }

    /// Starts to append to a file.
    ///
    /// # Errors
    /// The errors of [`Connection::retrieve`].
    pub fn append(&mut self, name: &Name) -> Result<OutgoingTransfer<'_>, Error> {
        self.send_file(&Command::Appe(name.clone()), 0)
    }

    fn send_file(&mut self, command: &Command, from: u64) -> Result<OutgoingTransfer<'_>, Error> {
        prepare(self)?;
        let representation = self.representation();
        let transfer = RunningTransfer::begin(self, command, TransferDirection::Up, from)?;
        Ok(OutgoingTransfer { transfer, representation })
    }
}

/// Sets the type. If commands are pipelined behind the transfer, TYPE is pipelined with EPSV.
fn prepare(connection: &mut Connection) -> Result<(), Error> {
    if connection.has_pipelined_commands() {
        connection.get_ready()
    } else {
        connection.set_file_type()
    }
}

impl Connection {
    /// Sets the type and negotiates a data connection before the next file is known.
    pub(super) fn get_ready(&mut self) -> Result<(), Error> {
        if let Some(reply) = self.set_file_type_and_send_epsv()? {
            keep_early_epsv_reply(self, &reply);
        }
        Ok(())
    }
}

impl IncomingTransfer<'_> {
    /// Returns the number of bytes to be received, if the server has told the size.
    pub fn size(&self) -> Option<u64> {
        self.expected
    }

    /// Accepts more bytes than expected, because the file may grow during the download: as many again, at
    /// least [`MIN_GROWTH`], so that an endless file does not fill the disk. After REST the limit is
    /// below the restart offset, to detect a server that ignores REST and sends the whole file.
    pub(super) fn that_may_grow(mut self) -> Self {
        let growth = self.expected.unwrap_or(0).max(MIN_GROWTH);
        self.growth = if self.from > 0 { growth.min(self.from - 1) } else { growth };
        self
    }

    /// Writes all received bytes to `sink` and returns the number of bytes on the wire. Only `Ok` means
    /// that the file is complete; after an error `sink` has an arbitrary part of it.
    ///
    /// # Errors
    /// [`Error::Local`] if `sink` fails, and those of the transfer.
    pub fn receive(mut self, sink: &mut impl Write, moved: impl FnMut(u64)) -> Result<u64, Error> {
        let outcome = match self.representation {
            Representation::Image => {
                let mut promised = SizeLimit::new(sink, self.expected, self.growth);
                let outcome = self.transfer.receive(&mut promised, moved);
                promised.kept()?;
                outcome
            }
            Representation::Ascii => {
                let mut text = DecodingWriter::new(sink);
                let outcome = self.transfer.receive(&mut text, moved);
                text.finish().map_err(Error::Local)?;
                outcome
            }
        };
        self.end(outcome)
    }

    /// Like [`IncomingTransfer::receive`], into a regular file at its position.
    pub(super) fn receive_file(
        mut self,
        file: &mut File,
        moved: impl FnMut(u64),
    ) -> Result<u64, Error> {
        if self.representation == Representation::Ascii {
            return self.receive(file, moved);
        }
        let mut promised = SizeLimit::new(file, self.expected, self.growth);
        let outcome = self.transfer.receive_file(&mut promised, moved);
        promised.kept()?;
        self.end(outcome)
    }

    fn end(mut self, mut outcome: Outcome) -> Result<u64, Error> {
        let got = outcome.moved;
        if let End::Peer(error) = &outcome.end
            && error.kind() == io::ErrorKind::UnexpectedEof
            && self.expected == Some(got)
        {
            // close_notify is missing, but all expected bytes have arrived.
            outcome.end = End::Done;
        }
        self.transfer.came = match self.expected {
            None => Completeness::Unknown,
            Some(expected) if expected <= got => Completeness::Complete,
            Some(_) => Completeness::Incomplete,
        };
        match (self.transfer.finish(outcome), self.expected) {
            // The missing bytes are a better error than the missing final reply.
            (Ok(_) | Err(Error::TimedOut(_)), Some(expected)) if expected > got => {
                Err(Error::TooShort { expected, got })
            }
            (finished, _) => finished,
        }
    }
}

impl OutgoingTransfer<'_> {
    /// Sends all of `source` and returns the number of bytes on the wire. Only `Ok` means that the server
    /// has the file.
    ///
    /// # Errors
    /// [`Error::Local`] if `source` fails, and those of the transfer.
    pub fn send(mut self, source: &mut impl Read, moved: impl FnMut(u64)) -> Result<u64, Error> {
        let outcome = match self.representation {
            Representation::Image => self.transfer.send(source, moved),
            Representation::Ascii => self.transfer.send(&mut EncodingReader::new(source), moved),
        };
        self.transfer.finish(outcome)
    }

    /// Sends these bytes of a regular file, whose position is their beginning.
    pub(super) fn send_file(
        mut self,
        file: &mut File,
        bytes: Range<u64>,
        moved: impl FnMut(u64),
    ) -> Result<u64, Error> {
        // A file in /proc has a size of 0.
        let is_sized = !bytes.is_empty();
        let as_it_is = self.representation == Representation::Image;
        if !is_sized || !as_it_is {
            return self.send(file, moved);
        }
        let all = bytes.end - bytes.start;
        let outcome = self.transfer.send_file(file, bytes, moved);
        match self.transfer.finish(outcome)? {
            sent if sent < all => {
                let shorter = io::Error::other("the file shrank while it was sent");
                Err(Error::Local(shorter))
            }
            sent => Ok(sent),
        }
    }
}

#[cfg(test)]
mod tests;
