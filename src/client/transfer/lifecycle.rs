//! The course of a transfer: it is agreed on, moves its bytes, and ends with the session in order.

use super::control_watch::TransferWatch;
use super::replies::{ReplyTracker, TransferDirection};
use crate::client::connection::data::{Ends, Route, Stopped};
use crate::client::connection::{Connection, MOST_UNASKED};
use crate::client::error::Error;
use crate::net::{self, Attention, Verdict};
use crate::protocol::{Command, Reply};
use crate::pump::{self, End, FileSink, Outcome};
use std::fs::File;
use std::io::{Read, Write};
use std::mem;
use std::net::TcpStream;
use std::ops::Range;
use std::time::{Duration, Instant};

/// How long a server may take to reply to an ABOR.
const ABORT_PATIENCE: Duration = Duration::from_secs(3);

/// How long a server may take for its last word once all the bytes it promised have come. What was
/// waited for in vain is asked for over another connection, so it need not be long.
const LAST_WORD_PATIENCE: Duration = Duration::from_secs(10);

/// How long it may take where fewer came than it promised: it will most likely never come (Pure-FTPd
/// says nothing after a transfer that broke off), and what is missing has to be fetched in any case.
const SHORT_PATIENCE: Duration = Duration::from_secs(3);

/// How long the data connection of an upload stays open after an ABOR: its end would tell a server
/// that did not read the ABOR yet that the file is whole.
const UPLOAD_PATIENCE: Duration = Duration::from_secs(1);

/// How much is taken from a server that has said that it will not send all.
const MOST_DRAINED: u64 = 16 * 1024 * 1024;

/// A transfer that was asked for.
pub(super) struct RunningTransfer<'c> {
    pub(super) line: ReplyTracker<'c>,
    data: Option<TcpStream>,
    /// When its bytes began to move.
    started: Instant,
    /// What came of what was promised.
    pub(super) came: Completeness,
}

/// What came of what a server promised.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Completeness {
    /// It promised nothing.
    Unmeasured,
    Less,
    All,
}

impl<'c> RunningTransfer<'c> {
    pub(super) fn begin(
        connection: &'c mut Connection,
        command: &Command,
        direction: TransferDirection,
        from: u64,
    ) -> Result<RunningTransfer<'c>, Error> {
        let followers = connection.take_followers();
        let armed = connection.settings().interrupt.begin().map_err(Error::Local)?;
        let route = Route::agree(connection)?;
        let line = ReplyTracker::new(connection, armed, direction);
        let (started, came) = (Instant::now(), Completeness::Unmeasured);
        let mut transfer = RunningTransfer { line, data: None, started, came };
        if let Route::To(_) = route {
            transfer.connect(&route)?;
        }
        // Right before the command it belongs to, for some servers forget it at any other.
        if from > 0 {
            transfer.line.connection.restart_at(from)?;
        }
        transfer.line.ask(command, followers)?;
        if let Route::From(_) = route {
            transfer.connect(&route)?;
        }
        transfer.started = Instant::now();
        Ok(transfer)
    }

    fn connect(&mut self, route: &Route) -> Result<(), Error> {
        let connection = &self.line.connection;
        let ends = Ends { peer: connection.peer(), local: connection.local() };
        let deadline = net::deadline(self.line.timeout());
        let mut watch = TransferWatch::new(&mut self.line);
        // What was read together with an earlier reply no poll would tell of.
        let connected = match watch.attend(0) {
            Verdict::Continue => route.connect(ends, deadline, &mut watch)?,
            Verdict::Stop => Err(Stopped),
        };
        self.data = Some(connected.map_err(|Stopped| self.line.why_stopped())?);
        Ok(())
    }

    pub(super) fn receive(&mut self, sink: &mut impl Write, moved: impl FnMut(u64)) -> Outcome {
        self.receive_by(sink, moved, |data, sink, stall, watch| {
            pump::receive(data, sink, stall, watch)
        })
    }

    pub(super) fn receive_file(
        &mut self,
        sink: &mut impl FileSink,
        moved: impl FnMut(u64),
    ) -> Outcome {
        self.receive_by(sink, moved, |data, sink, stall, watch| {
            pump::receive_file(data, sink, stall, watch)
        })
    }

    fn receive_by<S: Write, P: FnMut(u64)>(
        &mut self,
        sink: &mut S,
        moved: P,
        receive: impl FnOnce(&mut TcpStream, &mut S, Duration, &mut TransferWatch<'_, 'c, P>) -> Outcome,
    ) -> Outcome {
        let stall = self.line.timeout();
        self.line.receiving = true;
        let mut watch = TransferWatch::pacing(&mut self.line, moved);
        let Some(data) = self.data.as_mut() else { return STOPPED_AT_ONCE };
        let outcome = match watch.attend(0) {
            Verdict::Continue => receive(data, sink, stall, &mut watch),
            Verdict::Stop => STOPPED_AT_ONCE,
        };
        // What came before a refusal is as good as any part of a file.
        let is_refused = matches!(outcome.end, End::Stopped) && self.line.last.is_some();
        let more = if is_refused { drain(data, sink) } else { 0 };
        Outcome { moved: outcome.moved + more, ..outcome }
    }

    pub(super) fn send(&mut self, source: &mut impl Read, moved: impl FnMut(u64)) -> Outcome {
        self.send_by(moved, |data, stall, watch| pump::send(source, data, stall, watch))
    }

    pub(super) fn send_file(
        &mut self,
        file: &File,
        bytes: Range<u64>,
        moved: impl FnMut(u64),
    ) -> Outcome {
        self.send_by(moved, |data, stall, watch| pump::send_file(file, bytes, data, stall, watch))
    }

    fn send_by<P: FnMut(u64)>(
        &mut self,
        moved: P,
        send: impl FnOnce(&mut TcpStream, Duration, &mut TransferWatch<'_, 'c, P>) -> Outcome,
    ) -> Outcome {
        let stall = self.line.timeout();
        let mut watch = TransferWatch::pacing(&mut self.line, moved);
        match self.data.as_mut() {
            Some(data) if watch.attend(0) == Verdict::Continue => {
                let outcome = send(data, stall, &mut watch);
                // Ctrl-C may have ended the source: what came so far must not pass for the file.
                let end = match (outcome.end, watch.attend(outcome.moved)) {
                    (End::Done, Verdict::Stop) => End::Stopped,
                    (end, _) => end,
                };
                Outcome { end, ..outcome }
            }
            _ => STOPPED_AT_ONCE,
        }
    }

    /// Brings the transfer to its end and says how it went.
    pub(super) fn finish(&mut self, outcome: Outcome) -> Result<u64, Error> {
        if let Some(cause) = self.line.cause.take() {
            return Err(cause);
        }
        match outcome.end {
            End::Stopped => Err(self.line.why_stopped()),
            End::Stalled => Err(Error::Stalled(self.line.timeout())),
            End::Local(error) => Err(Error::Local(error)),
            End::Done => self.last_word().map(|()| outcome.moved),
            End::Peer(error) => self.last_word().and(Err(Error::Broken(error))),
        }
    }

    /// Closes the data connection and hears what the server says to that.
    fn last_word(&mut self) -> Result<(), Error> {
        self.data = None;
        // What was sent may be on its way for as long as it took until now, and may be stored slowly.
        let timeout = self.line.timeout();
        let patience = match (self.line.direction, self.came) {
            (TransferDirection::Down, Completeness::All) => timeout.min(LAST_WORD_PATIENCE),
            (TransferDirection::Down, Completeness::Less) => timeout.min(SHORT_PATIENCE),
            (TransferDirection::Down, Completeness::Unmeasured) => timeout,
            (TransferDirection::Up, _) => timeout.min(LAST_WORD_PATIENCE) + self.started.elapsed(),
        };
        let reply = self.line.last_reply(patience)?;
        self.line.hear_followers();
        let late = self.line.hear_noop();
        // Of two replies that could end the transfer nobody knows which does: both must be good.
        let is_bad = |reply: &Reply| !reply.code().is_success() && !reply.code().is_about_syntax();
        match late.filter(is_bad) {
            Some(late) => Err(Error::Refused(late)),
            None if reply.code().is_success() => Ok(()),
            None => Err(Error::Refused(reply)),
        }
    }

    /// Breaks it off. With commands under way behind it nobody could say which reply is whose.
    fn abort_alone(&mut self) -> Result<(), Error> {
        match self.line.followers.is_empty() {
            true => self.abort(),
            false => Err(Error::Unasked),
        }
    }

    /// Two replies are owed then: that of the transfer and that of the ABOR (RFC 959 section 4.1.3),
    /// and that of a NOOP.
    fn abort(&mut self) -> Result<(), Error> {
        self.line.connection.send(&Command::Abor)?;
        let mut owed = 2 + u32::from(mem::take(&mut self.line.noop));
        if self.line.direction == TransferDirection::Up && self.line.speaks_within(UPLOAD_PATIENCE)
        {
            owed -= self.line.hear_final(ABORT_PATIENCE)?;
        }
        self.data = None;
        for _ in 0..MOST_UNASKED {
            if owed == 0 {
                return Ok(());
            }
            owed -= self.line.hear_final(ABORT_PATIENCE)?;
        }
        Err(Error::Unasked)
    }
}

/// Writes what has arrived to `sink`, without waiting for more.
fn drain(data: &mut TcpStream, sink: &mut impl Write) -> u64 {
    let mut piece = vec![0; 64 * 1024];
    let mut moved = 0;
    while moved < MOST_DRAINED
        && let Ok(length @ 1..) = data.read(&mut piece)
        && sink.write_all(&piece[..length]).is_ok()
    {
        moved += length as u64;
    }
    moved
}

const STOPPED_AT_ONCE: Outcome = Outcome { moved: 0, end: End::Stopped };

impl Drop for RunningTransfer<'_> {
    fn drop(&mut self) {
        if self.line.connection.is_lost() {
            return;
        }
        if !self.line.owed {
            // What it said before its time.
            self.line.hear_followers();
            self.line.hear_noop();
        } else if self.abort_alone().is_err() {
            self.line.connection.lose();
        }
    }
}
