//! Uploads that the server stores completely, however often the connection breaks.
//!
//! - `Ok` means that the server confirmed the transfer and that the remote size is right.
//! - An upload of an earlier run is continued if the server's digests prove that the remote file is the
//!   beginning of the local one, or, if the user asks for it, if its last bytes match.
//! - After an interruption an upload is continued only if the remote file must be the beginning of the local
//!   one; otherwise it starts over.
//! - If the remote size is too small, it is requested again for a while, because some servers are still
//!   writing. If it is wrong after a resume, the server ignores REST and has stored only the rest; then the
//!   whole file is sent once. If it is too large after that, the client prints a warning, because some
//!   servers convert files or round sizes up.
//! - If the final reply is missing, a new connection checks whether the file is complete before anything is
//!   sent again.
//! - A file that was sent in several pieces is compared with the server's HASH, if it supports that.

use super::TransferSettings;
use super::append::Append;
use super::compare::{
    MAX_SIZE_CHECKS, TailComparison, compare_hash, compare_tail, is_certainly_same,
    matches_beginning, wait_for_size,
};
use super::outcome::TransferOutcome;
use super::retry::{Attempt, Meter, Next, Retries};
use crate::client::connection::{Connection, Representation};
use crate::client::error::{Error, ErrorClass};
use crate::client::local;
use crate::client::output::json::Action;
use crate::protocol::{Command, Name};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::mem;
use std::path::PathBuf;

/// The largest file for which commands are pipelined behind its transfer. For a larger file a round trip does
/// not matter, and a retry without pipelining would be expensive.
pub(super) const SMALL: u64 = 1024 * 1024;

/// The smallest file for which the remote size is requested beforehand, so that the upload can be
/// continued.
const LARGE: u64 = 1024 * 1024;

/// A local file to be sent.
#[derive(Clone, Debug)]
pub(in crate::client) struct Upload {
    pub(in crate::client) local: PathBuf,
    pub(in crate::client) remote: Name,
    pub(in crate::client) placement: UploadMode,
    /// The size of the local file when it was listed.
    pub(in crate::client) size: Option<u64>,
}

/// The treatment of an existing remote file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::client) enum UploadMode {
    /// Replace it.
    Replace,
    /// Continue it if it is the beginning of the local file, else replace it.
    Continue,
    /// Replace it, but continue an interrupted upload that the server does not show, if its digest proves
    /// that it is the beginning of the local file.
    Resume,
    /// Append to it.
    Append,
}

impl UploadMode {
    /// Returns the action for JSON objects.
    pub(in crate::client) fn action(self) -> Action {
        match self {
            UploadMode::Append => Action::Append,
            UploadMode::Replace | UploadMode::Continue | UploadMode::Resume => Action::Store,
        }
    }
}

impl Upload {
    /// Sends the file. `next` and the commands that complete the upload are pipelined behind the transfer
    /// command; if `next` is `None`, nothing is pipelined.
    pub(in crate::client) fn run(
        &self,
        connection: &mut Connection,
        settings: &TransferSettings,
        next: Option<&[Command]>,
        meter: &mut dyn Meter,
    ) -> TransferOutcome {
        TransferOutcome::of(self.placement.action(), self.remote.as_bytes(), &self.local, || {
            let mut retries = Retries::new(connection, settings, meter)?;
            let sent = self.send(&mut retries, next);
            sent.map_err(|error| error.at(self.local.clone()))
        })
    }

    /// Sends a stream in place of the local file, without retries.
    pub(in crate::client) fn run_from(
        &self,
        source: &mut impl Read,
        connection: &mut Connection,
        meter: &mut dyn Meter,
    ) -> TransferOutcome {
        TransferOutcome::of(self.placement.action(), self.remote.as_bytes(), &self.local, || {
            let outgoing = match self.placement {
                UploadMode::Append => connection.append(&self.remote)?,
                UploadMode::Replace | UploadMode::Continue | UploadMode::Resume => {
                    connection.store(&self.remote)?
                }
            };
            let sent = outgoing.send(source, |moved| meter.moved(moved));
            sent.map_err(|error| error.at("standard input".into()))
        })
    }

    fn send(&self, retries: &mut Retries<'_>, next: Option<&[Command]>) -> Result<u64, Error> {
        let (mut file, size) = local::open(&self.local)?;
        let sent = match self.placement {
            UploadMode::Append => {
                let append = Append::new(&self.remote, &mut file, size, retries.connection);
                retries.run(&mut append?)
            }
            UploadMode::Replace | UploadMode::Continue | UploadMode::Resume => {
                self.store(file, size, retries, next)
            }
        };
        // Pipelined commands may be the reason why a retry was needed.
        let is_doubtful = retries.were_made() && next.is_some_and(|next| !next.is_empty());
        retries.connection.capabilities().pipelining &= !is_doubtful;
        sent
    }

    fn store(
        &self,
        mut file: File,
        size: u64,
        retries: &mut Retries<'_>,
        next: Option<&[Command]>,
    ) -> Result<u64, Error> {
        let (name, file) = (&self.remote, &mut file);
        let connection = &mut *retries.connection;
        let modified = file.metadata().and_then(|metadata| metadata.modified()).ok();
        let start = match self.placement {
            UploadMode::Continue => common(connection, name, file, size)?,
            UploadMode::Resume if size >= LARGE => hidden(connection, name, file, size)?,
            UploadMode::Resume | UploadMode::Replace | UploadMode::Append => 0,
        };
        let together = next.filter(|_| connection.can_set_up_ahead() && size < SMALL);
        let mut is_timed = false;
        if let Some(next) = together {
            let time = modified.and_then(|time| connection.time_command(name, time));
            is_timed = time.is_some();
            let followers = followers(connection, name, time, next);
            connection.pipeline_after_transfer(followers);
        }
        let mut sending = FileUpload::new(name, file, size, start);
        let bytes = retries.run(&mut sending)?;
        // The pipelined command has set the time, unless there was a retry. The connection may be lost
        // after the file is stored and before its time is set.
        let is_set = is_timed && !retries.were_made() && retries.connection.sets_times();
        if let Some(modified) = modified.filter(|_| !is_set) {
            let set = |connection: &mut Connection| connection.set_modified(name, modified);
            retries.until_done(set)?;
        }
        Ok(bytes)
    }
}

/// Returns the commands to pipeline behind an upload.
fn followers(
    connection: &mut Connection,
    name: &Name,
    time: Option<Command>,
    next: &[Command],
) -> Vec<Command> {
    let known = *connection.capabilities();
    let is_sized = known.size && connection.representation() == Representation::Image;
    let size = is_sized.then(|| Command::Size(name.clone()));
    time.into_iter().chain(size).chain(next.iter().cloned()).collect()
}

/// Returns the size of the remote file, if it is the beginning of the local one, else 0. The server may still
/// be writing data of an earlier session.
fn common(
    connection: &mut Connection,
    name: &Name,
    file: &mut File,
    size: u64,
) -> Result<u64, Error> {
    let mut there = connection.expected_size(name)?.unwrap_or(0);
    for _ in 0..MAX_SIZE_CHECKS {
        if there == 0 || there > size || !connection.capabilities().rest {
            return Ok(0);
        }
        // ftp_server does not send an interrupted upload, but returns its digest.
        if let Some(is_same) = matches_beginning(connection, name, file, there)? {
            return Ok(if is_same { there } else { 0 });
        }
        match compare_tail(connection, name, there, file, there) {
            Ok(TailComparison::Same) => return Ok(there),
            Ok(TailComparison::Grown) => there = size_at_rest(connection, name, there)?,
            Ok(TailComparison::Different) => return Ok(0),
            // A server that ignores REST sends more than the end of the file.
            Err(Error::Refused(_) | Error::NoRestart(_) | Error::TooLong { .. }) => return Ok(0),
            Err(error) => return Err(error),
        }
    }
    Err(Error::TooLong { expected: there })
}

/// Returns the size of an interrupted upload that the server does not show, if it is the beginning of the
/// local file, else 0. Such a server answers SIZE, but not MDTM, because the file does not exist yet.
fn hidden(
    connection: &mut Connection,
    name: &Name,
    file: &mut File,
    size: u64,
) -> Result<u64, Error> {
    let there = connection.expected_size(name)?.unwrap_or(0);
    let may_be = there > 0 && there <= size && connection.capabilities().rest;
    if !may_be || connection.expected_time(name)?.is_some() {
        return Ok(0);
    }
    let is_same = matches_beginning(connection, name, file, there)?;
    Ok(if is_same == Some(true) { there } else { 0 })
}

/// Requests the size of a growing file until two sizes in a row are the same.
fn size_at_rest(connection: &mut Connection, name: &Name, mut before: u64) -> Result<u64, Error> {
    let first = connection.expected_size(name)?;
    let is_at_rest = |size: Option<u64>| {
        let size = size.unwrap_or(0);
        mem::replace(&mut before, size) == size
    };
    wait_for_size(connection, name, first, is_at_rest)?;
    Ok(before)
}

/// The state of an upload of a regular file.
struct FileUpload<'a> {
    name: &'a Name,
    file: &'a mut File,
    size: u64,
    /// The number of bytes from its beginning that the server has already.
    start: u64,
    before: RemoteBefore,
    /// The offset that earlier tries have reached; `None` before the first.
    reached: Option<u64>,
    /// The offset that this try has reached.
    sent: u64,
    /// The size was wrong after a resume, so only the whole file is sent.
    whole_only: bool,
    /// The number of times that the size was wrong after sending the whole file.
    contradicted: u32,
    final_reply: FinalReply,
}

/// The final reply of the previous try.
#[derive(Clone, Copy, PartialEq, Eq)]
enum FinalReply {
    Received,
    /// It timed out; the server may still be writing.
    Late,
    /// The connection was lost before it.
    Lost,
}

/// The remote file before the upload.
#[derive(Clone, Copy, PartialEq, Eq)]
enum RemoteBefore {
    NotAsked,
    /// It did not exist, as far as the server shows.
    Nothing,
    Size(u64),
    /// It was the beginning of the local file.
    Ours,
}

impl<'a> FileUpload<'a> {
    fn new(name: &'a Name, file: &'a mut File, size: u64, start: u64) -> FileUpload<'a> {
        FileUpload {
            name,
            file,
            size,
            start,
            before: RemoteBefore::NotAsked,
            reached: None,
            sent: 0,
            whole_only: false,
            contradicted: 0,
            final_reply: FinalReply::Received,
        }
    }

    /// Lets the next try replace the remote file.
    fn start_over(&mut self) {
        (self.before, self.start) = (RemoteBefore::NotAsked, 0);
    }

    /// Returns the offset at which the first try begins.
    fn first(&mut self, connection: &mut Connection) -> Result<u64, Error> {
        if self.start > 0 {
            self.before = RemoteBefore::Ours;
            return Ok(self.start);
        }
        if self.size < LARGE {
            return Ok(0);
        }
        let size = connection.expected_size(self.name)?;
        self.before = match size {
            Some(size) => RemoteBefore::Size(size),
            None if connection.capabilities().size => RemoteBefore::Nothing,
            None => RemoteBefore::NotAsked,
        };
        Ok(0)
    }

    /// Returns the offset at which the next try begins: the remote size, if the remote file consists of the
    /// bytes that were sent. Some servers report the size of the old file until an upload is complete.
    fn next(&mut self, connection: &mut Connection, reached: u64) -> Result<u64, Error> {
        let mut now = connection.expected_size(self.name)?;
        let may_be_there = self.final_reply != FinalReply::Received && reached == self.size;
        if may_be_there && self.final_reply == FinalReply::Late {
            let is_whole = |now: Option<u64>| now.unwrap_or(0) >= self.size;
            now = wait_for_size(connection, self.name, now, is_whole)?;
        }
        let now = now.unwrap_or(0);
        let is_ours = match self.before {
            RemoteBefore::NotAsked => false,
            RemoteBefore::Nothing | RemoteBefore::Ours => true,
            RemoteBefore::Size(size) => size != now,
        };
        if is_ours && now == reached && now == self.size {
            return Ok(now);
        }
        if may_be_there
            && now == self.size
            && is_certainly_same(connection, self.name, self.file, self.size)?
        {
            return Ok(now);
        }
        let continues =
            is_ours && !self.whole_only && now <= reached && connection.capabilities().rest;
        Ok(if continues { now } else { 0 })
    }

    /// Checks the remote size: a server may confirm an upload whose end it has not received, and a server
    /// that ignores REST has stored only the rest.
    fn check(
        &mut self,
        connection: &mut Connection,
        from: u64,
        meter: &mut dyn Meter,
    ) -> Result<(), Error> {
        let (expected, rest) = (self.size, self.size - from);
        let first = connection.stored_size(self.name)?;
        let is_settled = |size: Option<u64>| {
            size.is_none_or(|size| size >= expected || (from > 0 && size == rest))
        };
        let got = wait_for_size(connection, self.name, first, is_settled)?;
        let Some(got) = got.filter(|got| *got != expected) else { return Ok(()) };
        if from > 0 {
            self.start_over();
            (self.whole_only, self.sent) = (true, 0);
        } else if got > expected {
            meter.warn(&format!("the server reports {got} bytes for a file of {expected} bytes"));
            return Ok(());
        } else {
            self.contradicted += 1;
        }
        Err(Error::NotWhole { expected, got })
    }
}

impl Attempt for FileUpload<'_> {
    fn attempt(
        &mut self,
        connection: &mut Connection,
        meter: &mut dyn Meter,
    ) -> Result<u64, Error> {
        let is_text = connection.representation() == Representation::Ascii;
        let from = match self.reached {
            _ if is_text => 0,
            None => self.first(connection)?,
            Some(reached) => self.next(connection, reached)?,
        };
        if from == self.size && from > 0 {
            return Ok(self.size);
        }
        self.sent = from;
        self.file.seek(SeekFrom::Start(from)).map_err(Error::Local)?;
        let outgoing = match connection.store_from(self.name, from) {
            Err(Error::Refused(reply)) if from > 0 => Err(Error::NoRestart(reply)),
            other => other,
        };
        if let Err(Error::NoRestart(_)) = outgoing {
            self.start_over();
        }
        let outgoing = outgoing?;
        meter.begins(from, Some(self.size));
        let sent = &mut self.sent;
        outgoing.send_file(self.file, from..self.size, |moved| {
            *sent = from + moved;
            meter.moved(moved);
        })?;
        if is_text {
            return Ok(self.size);
        }
        self.check(connection, from, meter)?;
        if from > 0 {
            let compared = compare_hash(connection, self.name, self.file);
            if let Err(Error::OtherContent) = compared {
                self.start_over();
                self.sent = 0;
            }
            compared?;
        }
        Ok(self.size)
    }

    fn reached(&self) -> Result<u64, Error> {
        Ok(self.sent.max(self.reached.unwrap_or(0)))
    }

    fn decide(&mut self, failure: &Error) -> Result<Next, Error> {
        self.final_reply = match failure {
            Error::TimedOut(_) => FinalReply::Late,
            other if other.class() == ErrorClass::Connection => FinalReply::Lost,
            _ => FinalReply::Received,
        };
        let is_final = matches!(failure, Error::NotWhole { .. })
            && (self.contradicted > 1 || (self.contradicted == 1 && self.whole_only));
        Ok(if is_final { Next::Fail } else { Next::Retry })
    }

    fn check_remote(&mut self, _: &mut Connection) -> Result<(), Error> {
        self.reached = Some(self.reached()?);
        Ok(())
    }
}
