//! Transfers of files.
//!
//! The shell builds one [`download::Download`] or [`upload::Upload`] for each file and gets one
//! [`outcome::TransferOutcome`] for it. In between, `retry` tries again what broke off, `batch` and
//! `segmented` spread files and ranges over the connections of a `worker_pool`, and `compare` decides
//! what may be continued.
//!
//! Each try is an [`IncomingTransfer`] or [`OutgoingTransfer`], a guard that borrows its connection,
//! moves the bytes, and leaves the connection in order:
//!
//! - A download is done when the server confirms it and as many bytes came as it said the file has;
//!   more only if the caller allows for a file that grows. An upload is done when all bytes were sent
//!   and the server confirms it after that.
//! - A refusal that comes while bytes move ends the transfer and becomes its error, instead of the
//!   broken pipe that follows from it.
//! - A guard that is dropped, or whose transfer fails on this side, aborts the transfer (ABOR) and
//!   reads the replies that the server owes, so that the session can continue. If they do not come,
//!   the connection is lost.
//! - While bytes move and the control connection is silent for long, a NOOP is sent, one at a time.
//!   Servers answer it at once, after the transfer, or never. While it is unanswered a reply about
//!   syntax (x0z, RFC 959 section 4.2), which ends no transfer, is taken for its answer. A server that
//!   does not answer it soon after the transfer, or ends the transfer over it, is not sent another.
//! - A passive data connection is made before the command is sent: if it cannot be made, there is no
//!   transfer to abort.

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

/// How many bytes a file may at least grow by while it is fetched.
const SMALLEST_GROWTH: u64 = 16 * 1024 * 1024;

/// A file or listing that the server is about to send. Dropped, it aborts the transfer.
pub struct IncomingTransfer<'c> {
    transfer: RunningTransfer<'c>,
    representation: Representation,
    /// Where in the file the transfer began.
    from: u64,
    expected: Option<u64>,
    /// How many bytes more than expected may come.
    growth: u64,
}

/// A file that the server is about to receive. Dropped, it aborts the transfer.
pub struct OutgoingTransfer<'c> {
    transfer: RunningTransfer<'c>,
    representation: Representation,
}

impl Connection {
    /// Begins to fetch a file.
    ///
    /// # Errors
    /// Those of every command, [`Error::NoData`], [`Error::Interrupted`].
    pub fn retrieve(&mut self, name: &Name) -> Result<IncomingTransfer<'_>, Error> {
        self.set_file_type()?;
        let expected = self.expected_size(name)?;
        self.retrieve_from(name, 0, expected)
    }

    /// Begins to fetch a file of `size` bytes, beginning at the byte `from`.
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

    /// Begins to fetch the listing of a directory, in the type that is set: it is text for people, and
    /// a change of type would cost a round trip here and another at the next file.
    ///
    /// # Errors
    /// Those of [`Connection::retrieve`].
    pub fn list(&mut self, path: Option<Name>) -> Result<IncomingTransfer<'_>, Error> {
        self.fetch_listing(&Command::List(path))
    }

    /// Begins to fetch the answer to any command that sends a listing.
    pub(super) fn fetch_listing(
        &mut self,
        command: &Command,
    ) -> Result<IncomingTransfer<'_>, Error> {
        let transfer = RunningTransfer::begin(self, command, TransferDirection::Down, 0)?;
        let representation = Representation::Ascii;
        Ok(IncomingTransfer { transfer, representation, from: 0, expected: None, growth: 0 })
    }

    /// Begins to fetch the names in a directory, or those that a pattern matches.
    ///
    /// # Errors
    /// Those of [`Connection::retrieve`].
    pub fn names(&mut self, path: Option<Name>) -> Result<IncomingTransfer<'_>, Error> {
        self.fetch_listing(&Command::Nlst(path))
    }

    /// Begins to send a file.
    ///
    /// # Errors
    /// Those of [`Connection::retrieve`].
    pub fn store(&mut self, name: &Name) -> Result<OutgoingTransfer<'_>, Error> {
        self.store_from(name, 0)
    }

    /// Begins to send a file, beginning at its byte `from`.
    pub(super) fn store_from(
        &mut self,
        name: &Name,
        from: u64,
    ) -> Result<OutgoingTransfer<'_>, Error> {
        self.send_file(&Command::Stor(name.clone()), from)
    }

    /// Begins to append to a file.
    ///
    /// # Errors
    /// Those of [`Connection::retrieve`].
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

/// Sets the type; if commands go out together with the transfer, in the same round trip as the data
/// connection is agreed on.
fn prepare(connection: &mut Connection) -> Result<(), Error> {
    if connection.has_pipelined_commands() {
        connection.get_ready()
    } else {
        connection.set_file_type()
    }
}

impl Connection {
    /// Sets the type and agrees on a data connection before it is known which file is next.
    pub(super) fn get_ready(&mut self) -> Result<(), Error> {
        if let Some(reply) = self.set_file_type_and_send_epsv()? {
            keep_early_epsv_reply(self, &reply);
        }
        Ok(())
    }
}

impl IncomingTransfer<'_> {
    /// Returns how many bytes will come, if the server told.
    pub fn size(&self) -> Option<u64> {
        self.expected
    }

    /// Takes more bytes than the server promised, because the file may grow while it is fetched: up to
    /// as many again, or [`SMALLEST_GROWTH`], so that a file without end does not fill a disk. A server
    /// that ignores REST sends the bytes before the restart offset, too, and is found out by that.
    pub(super) fn that_may_grow(mut self) -> Self {
        let growth = self.expected.unwrap_or(0).max(SMALLEST_GROWTH);
        self.growth = if self.from > 0 { growth.min(self.from - 1) } else { growth };
        self
    }

    /// Writes all bytes that come to `sink` and returns how many came over the wire. Only `Ok` means
    /// that the file is whole; an error leaves any part of it in `sink`.
    ///
    /// # Errors
    /// [`Error::Local`] is that of `sink`.
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

    /// Does what [`IncomingTransfer::receive`] does, into a plain file at its position.
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
            // No close_notify came, but every byte that was promised.
            outcome.end = End::Done;
        }
        self.transfer.came = match self.expected {
            None => Completeness::Unmeasured,
            Some(expected) if expected <= got => Completeness::All,
            Some(_) => Completeness::Less,
        };
        match (self.transfer.finish(outcome), self.expected) {
            // The missing bytes say more than the missing final reply.
            (Ok(_) | Err(Error::TimedOut(_)), Some(expected)) if expected > got => {
                Err(Error::TooShort { expected, got })
            }
            (finished, _) => finished,
        }
    }
}

impl OutgoingTransfer<'_> {
    /// Sends all of `source` and returns how many bytes went over the wire. Only `Ok` means that the
    /// server has the file.
    ///
    /// # Errors
    /// [`Error::Local`] is that of `source`.
    pub fn send(mut self, source: &mut impl Read, moved: impl FnMut(u64)) -> Result<u64, Error> {
        let outcome = match self.representation {
            Representation::Image => self.transfer.send(source, moved),
            Representation::Ascii => self.transfer.send(&mut EncodingReader::new(source), moved),
        };
        self.transfer.finish(outcome)
    }

    /// Sends these bytes of a plain file, whose position is the first of them.
    pub(super) fn send_file(
        mut self,
        file: &mut File,
        bytes: Range<u64>,
        moved: impl FnMut(u64),
    ) -> Result<u64, Error> {
        // The size of a file below /proc is not known before it is read.
        let is_sized = !bytes.is_empty();
        let as_it_is = self.representation == Representation::Image;
        if !is_sized || !as_it_is {
            return self.send(file, moved);
        }
        let all = bytes.end - bytes.start;
        let outcome = self.transfer.send_file(file, bytes, moved);
        match self.transfer.finish(outcome)? {
            sent if sent < all => {
                let shorter = io::Error::other("the file became shorter while it was sent");
                Err(Error::Local(shorter))
            }
            sent => Ok(sent),
        }
    }
}

#[cfg(test)]
mod tests;
