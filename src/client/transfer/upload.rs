//! Uploads that the server stores whole, however often the connection breaks.
//!
//! - `Ok` means that the server confirmed the transfer and that as many bytes are there as were sent.
//! - An upload that an earlier run left is continued if the server's digests show that it is the beginning
//!   of this file, or where the user asks for it if its last bytes do.
//! - After a break an upload is continued only if the server has something that can be nothing but
//!   the beginning of this file; else it starts over.
//! - A size that is too small is asked for again for a while: some servers still write what they have
//!   confirmed. A resume that the size contradicts was not understood (a server that ignores REST keeps
//!   only the rest), and the whole file is sent once. A size that is too large after that is a warning:
//!   some servers convert files or round their sizes up.
//! - If no final reply comes after the last byte, a new connection asks whether the file has arrived
//!   before anything is sent again.
//! - A file that was sent in more than one piece is compared with the server's HASH, if it has that.

use super::TransferSettings;
use super::append::Append;
use super::compare::{
    MOST_MEASURED, Tail, compare_hash, compare_tail, is_certainly_same, matches_beginning,
    settled_size,
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

/// Up to which size commands go out together with a transfer: what is larger takes longer than a
/// round trip, and less is spoiled on a server that mixes commands up.
pub(super) const SMALL: u64 = 1024 * 1024;

/// From which size on the server is asked for its file beforehand, so that the upload can be
/// continued.
const LARGE: u64 = 1024 * 1024;

/// A local file to be sent.
#[derive(Clone, Debug)]
pub(in crate::client) struct Upload {
    pub(in crate::client) local: PathBuf,
    pub(in crate::client) remote: Name,
    pub(in crate::client) placement: Placement,
    /// The size that the file had when it was found.
    pub(in crate::client) size: Option<u64>,
}

/// What happens to the bytes that the remote file has already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::client) enum Placement {
    /// They are replaced.
    Replace,
    /// They are continued if they are the beginning of this file, else replaced.
    Continue,
    /// They are replaced, except for those of an upload that broke off and that the server keeps out of
    /// sight: they are continued if its digest shows that they are the beginning of this file.
    Resume,
    /// They stay, and the file is appended to them.
    Append,
}

impl Placement {
    /// Returns what programs are told of it.
    pub(in crate::client) fn action(self) -> Action {
        match self {
            Placement::Append => Action::Append,
            Placement::Replace | Placement::Continue | Placement::Resume => Action::Store,
        }
    }
}

impl Upload {
    /// Sends the file. `next` goes out together with the command of this transfer, and so do the
    /// commands that complete it; without it each of them waits for its turn.
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

    /// Sends a stream, which cannot be sent twice, in place of the local file.
    pub(in crate::client) fn run_from(
        &self,
        source: &mut impl Read,
        connection: &mut Connection,
        meter: &mut dyn Meter,
    ) -> TransferOutcome {
        TransferOutcome::of(self.placement.action(), self.remote.as_bytes(), &self.local, || {
            let outgoing = match self.placement {
                Placement::Append => connection.append(&self.remote)?,
                Placement::Replace | Placement::Continue | Placement::Resume => {
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
            Placement::Append => {
                let append = Append::new(&self.remote, &mut file, size, retries.connection);
                retries.run(&mut append?)
            }
            Placement::Replace | Placement::Continue | Placement::Resume => {
                self.store(file, size, retries, next)
            }
        };
        // A second try may have been needed because commands went out together.
        let is_doubtful = retries.were_needed() && next.is_some_and(|next| !next.is_empty());
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
            Placement::Continue => common(connection, name, file, size)?,
            Placement::Resume if size >= LARGE => hidden(connection, name, file, size)?,
            Placement::Resume | Placement::Replace | Placement::Append => 0,
        };
        let together = next.filter(|_| connection.can_set_up_ahead() && size < SMALL);
        let mut is_timed = false;
        if let Some(next) = together {
            let time = modified.and_then(|time| connection.time_command(name, time));
            is_timed = time.is_some();
            let followers = followers(connection, name, time, next);
            connection.pipeline_after_transfer(followers);
        }
        let mut sending = Sending::new(name, file, size, start);
        let bytes = retries.run(&mut sending)?;
        // What went out together is done, unless there was a second try. The connection may be lost
        // after the file is stored and before its time is set.
        let is_set = is_timed && !retries.were_needed() && retries.connection.sets_times();
        if let Some(modified) = modified.filter(|_| !is_set) {
            let set = |connection: &mut Connection| connection.set_modified(name, modified);
            retries.until_done(set)?;
        }
        Ok(bytes)
    }
}

/// Returns what goes out together with an upload.
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

/// Returns how much of a file the server has already, if that is its beginning. The server may still be
/// storing what an earlier session sent.
fn common(
    connection: &mut Connection,
    name: &Name,
    file: &mut File,
    size: u64,
) -> Result<u64, Error> {
    let mut there = connection.expected_size(name)?.unwrap_or(0);
    for _ in 0..MOST_MEASURED {
        if there == 0 || there > size || !connection.capabilities().rest {
            return Ok(0);
        }
        // Our server gives no bytes of an upload that broke off, but their digest.
        if let Some(is_same) = matches_beginning(connection, name, file, there)? {
            return Ok(if is_same { there } else { 0 });
        }
        match compare_tail(connection, name, there, file, there) {
            Ok(Tail::Same) => return Ok(there),
            Ok(Tail::Grown) => there = size_at_rest(connection, name, there)?,
            Ok(Tail::Different) => return Ok(0),
            // A server that ignores REST sends more than its end.
            Err(Error::Refused(_) | Error::NoRestart(_) | Error::TooLong { .. }) => return Ok(0),
            Err(error) => return Err(error),
        }
    }
    Err(Error::TooLong { expected: there })
}

/// Returns how much of a file the server has of an upload that broke off, if it keeps that out of sight: it
/// tells its size, and no time since there is no such file yet.
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

/// Measures a file that grows until two answers in a row are the same.
fn size_at_rest(connection: &mut Connection, name: &Name, mut before: u64) -> Result<u64, Error> {
    let first = connection.expected_size(name)?;
    let is_at_rest = |size: Option<u64>| {
        let size = size.unwrap_or(0);
        mem::replace(&mut before, size) == size
    };
    settled_size(connection, name, first, is_at_rest)?;
    Ok(before)
}

/// A plain file on its way to the server.
struct Sending<'a> {
    name: &'a Name,
    file: &'a mut File,
    size: u64,
    /// How much of its beginning the server has already.
    start: u64,
    before: RemoteBefore,
    /// How far the tries before this one came; `None` before the first.
    reached: Option<u64>,
    /// How far this try came.
    sent: u64,
    /// Whether the size has contradicted a resume, so that only the whole file is sent.
    whole_only: bool,
    /// How many times the size has contradicted the whole file.
    contradicted: u32,
    final_reply: FinalReply,
}

/// The final reply of the try before.
#[derive(Clone, Copy, PartialEq, Eq)]
enum FinalReply {
    Came,
    /// It did not come in time; the server may still be storing.
    Late,
    /// The connection was lost before it.
    Lost,
}

/// What the server had under the name before.
#[derive(Clone, Copy, PartialEq, Eq)]
enum RemoteBefore {
    NotAsked,
    /// Nothing, or nothing it tells of.
    Nothing,
    Size(u64),
    /// The beginning of this file.
    Ours,
}

impl<'a> Sending<'a> {
    fn new(name: &'a Name, file: &'a mut File, size: u64, start: u64) -> Sending<'a> {
        Sending {
            name,
            file,
            size,
            start,
            before: RemoteBefore::NotAsked,
            reached: None,
            sent: 0,
            whole_only: false,
            contradicted: 0,
            final_reply: FinalReply::Came,
        }
    }

    /// Forgets what the server has: it is replaced.
    fn start_over(&mut self) {
        (self.before, self.start) = (RemoteBefore::NotAsked, 0);
    }

    /// Decides where the first try begins.
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

    /// Decides where the next try begins: behind what the server has of the bytes that were sent.
    /// What it had before is not ours, and some servers report that until an upload is whole.
    fn next(&mut self, connection: &mut Connection, reached: u64) -> Result<u64, Error> {
        let mut now = connection.expected_size(self.name)?;
        let may_be_there = self.final_reply != FinalReply::Came && reached == self.size;
        if may_be_there && self.final_reply == FinalReply::Late {
            let is_whole = |now: Option<u64>| now.unwrap_or(0) >= self.size;
            now = settled_size(connection, self.name, now, is_whole)?;
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

    /// Asks for the size: a server that closes early can call an upload done whose end only our own
    /// system has, and one that ignores REST has only what came after it.
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
        let got = settled_size(connection, self.name, first, is_settled)?;
        let Some(got) = got.filter(|got| *got != expected) else { return Ok(()) };
        if from > 0 {
            self.start_over();
            (self.whole_only, self.sent) = (true, 0);
        } else if got > expected {
            meter.warn(&format!("the server has {got} bytes of a file of {expected}"));
            return Ok(());
        } else {
            self.contradicted += 1;
        }
        Err(Error::NotWhole { expected, got })
    }
}

impl Attempt for Sending<'_> {
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

    fn learn(&mut self, failure: &Error) -> Result<Next, Error> {
        self.final_reply = match failure {
            Error::TimedOut(_) => FinalReply::Late,
            other if other.class() == ErrorClass::Connection => FinalReply::Lost,
            _ => FinalReply::Came,
        };
        let is_final = matches!(failure, Error::NotWhole { .. })
            && (self.contradicted > 1 || (self.contradicted == 1 && self.whole_only));
        Ok(if is_final { Next::Fail } else { Next::Retry })
    }

    fn look_again(&mut self, _: &mut Connection) -> Result<(), Error> {
        self.reached = Some(self.reached()?);
        Ok(())
    }
}
