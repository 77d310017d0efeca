//! One try of a transfer: the data connection is agreed on, the bytes move, and the final reply or an
//! ABOR leaves the control connection in order.

use super::closing::{close, drain, end_upload};
use super::control_watch::TransferWatch;
use super::replies::{ReplyTracker, TransferDirection};
use crate::client::connection::data::{ControlAddresses, Route, Stopped};
use crate::client::connection::{Connection, MAX_UNSOLICITED_REPLIES};
use crate::client::error::Error;
use crate::client::tls::Unverified;
use crate::net::{self, Data, TransferHooks, Verdict, Waited};
use crate::protocol::{Command, Reply};
use crate::pump::{self, End, FileSink, Outcome};
use crate::sys::{self, Waitable};
use std::fs::File;
use std::io::{Read, Write};
use std::mem;
use std::net::TcpStream;
use std::ops::Range;
use std::time::{Duration, Instant};

/// The watch of an upload.
type SendingWatch<'w, 'c, 'm> = TransferWatch<'w, 'c, &'m mut dyn FnMut(u64)>;

/// The longest wait for the reply to an ABOR.
const ABORT_PATIENCE: Duration = Duration::from_secs(3);

/// The longest wait for the final reply of a download once all promised bytes have come. If it does not
/// come, another connection asks whether the file is whole, so the wait need not be long.
const LAST_WORD_PATIENCE: Duration = Duration::from_secs(10);

/// The longest wait if fewer bytes came than were promised: the reply will most likely never come
/// (Pure-FTPd sends none after a transfer that broke off), and the rest has to be fetched anyway.
const SHORT_PATIENCE: Duration = Duration::from_secs(3);

/// How long the data connection of an upload stays open after an ABOR: to a server that has not read
/// the ABOR yet, its end would mean that the file is whole.
const UPLOAD_PATIENCE: Duration = Duration::from_secs(1);

/// The part of the timeout that the port named by EPSV has to accept the connection.
const EXTENDED_SHARE: u32 = 3;

/// The longest wait for the first byte of a listing that the server has called done without a 150: a
/// server that finds nothing to list may not open the data connection.
const LATE_LISTING: Duration = Duration::from_secs(1);

/// The longest wait for the server to connect once it has called the transfer done. It has connected
/// before, if it ever did.
const LATE_CONNECTION: Duration = Duration::from_secs(2);

/// A transfer whose command was sent.
pub(super) struct RunningTransfer<'c> {
    pub(super) line: ReplyTracker<'c>,
    data: Option<Data>,
    /// When the bytes began to move.
    started: Instant,
    /// The server said that a listing was done before it said that it began.
    is_done_early: bool,
    /// Whether the bytes came that the server promised.
    pub(super) came: Completeness,
}

/// Whether the bytes came that the server promised.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Completeness {
    /// The server promised nothing.
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
        let mut followers = connection.take_pipelined_commands();
        let armed = connection.settings().interrupt.begin().map_err(Error::Local)?;
        connection.probe_iac([command])?;
        let deadline = net::deadline(connection.settings().timeout);
        connection.protect_data_if_due(deadline)?;
        let route = Route::negotiate(connection, deadline)?;
        let line = ReplyTracker::new(connection, armed, direction);
        let (started, came) = (Instant::now(), Completeness::Unmeasured);
        let mut transfer =
            RunningTransfer { line, data: None, started, is_done_early: false, came };
        if let Route::To { .. } = route {
            transfer.connect_or_agree_again(&route, deadline)?;
        }
        if !transfer.line.connection.uses_extended() {
            followers.retain(|follower| !matches!(follower, Command::Epsv(_)));
        }
        // Directly before its command, because some servers forget REST at any other.
        if from > 0 {
            transfer.line.connection.send_rest(from)?;
        }
        transfer.line.ask(command, followers)?;
        let lists = matches!(command, Command::List(_) | Command::Nlst(_) | Command::Mlsd(_));
        transfer.is_done_early = lists && transfer.line.last.is_some();
        if let Route::From(_) = route {
            transfer.wait_for_server(&route)?;
        }
        if transfer.line.connection.protects_data() {
            transfer.encrypt()?;
        }
        transfer.started = Instant::now();
        Ok(transfer)
    }

    /// Connects to the server. If the port that EPSV named refuses or swallows the connection, as behind
    /// a NAT that rewrites the replies to PASV alone, PASV is tried in the time that is left.
    fn connect_or_agree_again(
        &mut self,
        route: &Route,
        deadline: Option<Instant>,
    ) -> Result<(), Error> {
        if !route.is_extended() {
            return self.connect(route, deadline);
        }
        let first = net::deadline(self.line.timeout() / EXTENDED_SHARE);
        let failed = match self.connect(route, net::sooner(first, deadline)) {
            Err(error @ Error::NoData { .. }) => error,
            other => return other,
        };
        let again = Route::negotiate_pasv(self.line.connection, deadline)?.ok_or(failed)?;
        self.connect(&again, deadline)?;
        self.line.connection.capabilities().epsv = false;
        Ok(())
    }

    fn connect(&mut self, route: &Route, deadline: Option<Instant>) -> Result<(), Error> {
        let connection = &self.line.connection;
        let ends = ControlAddresses { peer: connection.peer(), local: connection.local() };
        let is_down = self.line.direction == TransferDirection::Down;
        let can_be_done = is_down && matches!(route, Route::From(_)) && self.line.last.is_none();
        let mut watch = TransferWatch::new(&mut self.line);
        watch.stops_when_done = can_be_done;
        // A reply that was read together with an earlier one would not wake a poll.
        let connected = match watch.check(0) {
            Verdict::Continue => route.connect(ends, deadline, &mut watch)?,
            Verdict::Stop => Err(Stopped),
        };
        self.data = Some(connected.map_err(|Stopped| self.line.why_stopped())?);
        Ok(())
    }

    /// Waits for the server to connect. One that has called a listing done without a 150 may have found
    /// nothing to list, and then never connects. After a 150 the bytes may have gone elsewhere.
    fn wait_for_server(&mut self, route: &Route) -> Result<(), Error> {
        let deadline = net::deadline(self.patience());
        let connected = match self.connect(route, deadline) {
            Err(Error::EndedEarly(done)) if self.line.direction == TransferDirection::Down => {
                self.line.last = Some(done);
                let soon = net::sooner(deadline, net::deadline(LATE_CONNECTION));
                self.connect(route, soon)
            }
            other => other,
        };
        match connected {
            Err(Error::NoData { .. }) if self.is_done_early => Ok(()),
            other => other,
        }
    }

    /// Encrypts the data connection. The server begins its handshake after the 150, or says why there will
    /// be none. A listing that it has called done before has nothing in it.
    fn encrypt(&mut self) -> Result<(), Error> {
        let Some(Data::Plain(tcp)) = self.data.take() else { return Ok(()) };
        let tls = self.line.connection.data_tls(tcp)?;
        let patience = self.patience();
        let mut watch = TransferWatch::new(&mut self.line);
        let shaken = match watch.check(0) {
            Verdict::Continue => Unverified::shake_hands(tls, net::deadline(patience), &mut watch),
            Verdict::Stop => Ok(Err(Waited::Stopped)),
        };
        match (shaken, self.line.connection.tls()) {
            (Ok(Ok(unverified)), Some(control)) => {
                self.data = Some(Data::Tls(unverified.belonging_to(control)?));
                Ok(())
            }
            (Ok(Err(Waited::Stopped)), _) => Err(self.line.why_stopped()),
            (_, _) if self.is_done_early => Ok(()),
            (Err(error), _) => self.last_word().and(Err(Error::Broken(error))),
            (Ok(_), _) => Err(Error::Stalled(patience)),
        }
    }

    /// Returns how long nothing may move.
    fn patience(&self) -> Duration {
        let timeout = self.line.timeout();
        if self.is_done_early { timeout.min(LATE_LISTING) } else { timeout }
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
        receive: impl FnOnce(&mut Data, &mut S, Duration, &mut TransferWatch<'_, 'c, P>) -> Outcome,
    ) -> Outcome {
        let (is_done, stall) = (self.is_done_early, self.patience());
        self.line.receiving = true;
        let mut watch = TransferWatch::pacing(&mut self.line, moved);
        let Some(data) = self.data.as_mut() else {
            return if is_done { Outcome { moved: 0, end: End::Done } } else { STOPPED_AT_ONCE };
        };
        let outcome = match watch.check(0) {
            Verdict::Continue => receive(data, sink, stall, &mut watch),
            Verdict::Stop => STOPPED_AT_ONCE,
        };
        // The bytes before a refusal are a valid beginning of the file.
        let is_refused = matches!(outcome.end, End::Stopped) && self.line.last.is_some();
        let more = if is_refused { drain(data, sink) } else { 0 };
        let end = match outcome.end {
            End::Stalled if is_done && outcome.moved == 0 => End::Done,
            end => end,
        };
        Outcome { moved: outcome.moved + more, end }
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

    /// Sends bytes, and tells `moved` how many have gone so far; the last time all of them.
    fn send_by(
        &mut self,
        mut moved: impl FnMut(u64),
        send: impl FnOnce(&mut Data, Duration, &mut SendingWatch<'_, 'c, '_>) -> Outcome,
    ) -> Outcome {
        let outcome = match self.watched_socket() {
            None => self.send_counting(&mut moved, send),
            Some(socket) => {
                // The system takes megabytes at once, long before the server has them.
                let mut acknowledged = |written: u64| {
                    let waiting = sys::unacknowledged(Waitable::handle(&socket)).unwrap_or(0);
                    moved(written.saturating_sub(waiting as u64));
                };
                self.send_counting(&mut acknowledged, send)
            }
        };
        moved(outcome.moved);
        outcome
    }

    /// Returns another handle on the data connection if a user watches how far the server has come.
    fn watched_socket(&self) -> Option<TcpStream> {
        let is_watched = self.line.connection.settings().shows_progress;
        self.data.as_ref().filter(|_| is_watched)?.tcp().try_clone().ok()
    }

    fn send_counting(
        &mut self,
        moved: &mut dyn FnMut(u64),
        send: impl FnOnce(&mut Data, Duration, &mut SendingWatch<'_, 'c, '_>) -> Outcome,
    ) -> Outcome {
        let stall = self.line.timeout();
        let mut watch = TransferWatch::pacing(&mut self.line, moved);
        match self.data.as_mut() {
            Some(data) if watch.check(0) == Verdict::Continue => {
                let outcome = send(data, stall, &mut watch);
                // Ctrl-C may have ended the source: the bytes so far must not pass for the file.
                let end = match (outcome.end, watch.check(outcome.moved)) {
                    (End::Done, Verdict::Stop) => End::Stopped,
                    (End::Done, Verdict::Continue) => end_upload(data, stall, &mut watch),
                    (end, _) => end,
                };
                Outcome { end, ..outcome }
            }
            _ => STOPPED_AT_ONCE,
        }
    }

    /// Ends the transfer and returns how many bytes moved.
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

    /// Closes the data connection and reads the final reply.
    fn last_word(&mut self) -> Result<(), Error> {
        if let Some(data) = self.data.take() {
            close(data);
        }
        let timeout = self.line.timeout();
        let patience = patience(self.line.direction, self.came, timeout, self.started.elapsed());
        let reply = self.line.last_reply(patience)?;
        self.line.hear_followers();
        let late = self.line.hear_noop();
        // It is unknown which of two replies ends the transfer, so both must be good.
        let is_bad = |reply: &Reply| !reply.code().is_success() && !reply.code().is_about_syntax();
        match late.filter(is_bad) {
            Some(late) => Err(Error::Refused(late)),
            None if reply.code().is_success() => Ok(()),
            None => Err(Error::Refused(reply)),
        }
    }

    /// Aborts the transfer, unless commands follow it: their replies could not be told apart.
    fn abort_alone(&mut self) -> Result<(), Error> {
        match self.line.followers.is_empty() {
            true => self.abort(),
            false => Err(Error::TooManyReplies),
        }
    }

    /// Aborts the transfer and reads the replies that are owed: that of the transfer, that of the ABOR
    /// (RFC 959 section 4.1.3), and that of a NOOP.
    fn abort(&mut self) -> Result<(), Error> {
        self.line.connection.send(&Command::Abor)?;
        let mut owed = 2 + u32::from(mem::take(&mut self.line.noop));
        let is_upload = self.line.direction == TransferDirection::Up;
        if is_upload && self.line.speaks_within(UPLOAD_PATIENCE)? {
            owed -= self.line.hear_final(ABORT_PATIENCE)?;
        }
        self.data = None;
        for _ in 0..MAX_UNSOLICITED_REPLIES {
            if owed == 0 {
                return Ok(());
            }
            owed -= self.line.hear_final(ABORT_PATIENCE)?;
        }
        Err(Error::TooManyReplies)
    }
}

/// Returns how long to wait for the final reply of a transfer that took `elapsed` so far.
fn patience(
    direction: TransferDirection,
    came: Completeness,
    timeout: Duration,
    elapsed: Duration,
) -> Duration {
    match (direction, came) {
        (TransferDirection::Down, Completeness::All) => timeout.min(LAST_WORD_PATIENCE),
        (TransferDirection::Down, Completeness::Less) => timeout.min(SHORT_PATIENCE),
        (TransferDirection::Down, Completeness::Unmeasured) => timeout,
        // The last bytes of an upload may be in flight as long as all of them took, and the server may
        // store them slowly. An APPE that is repeated too early stores them twice.
        (TransferDirection::Up, _) => timeout.saturating_add(elapsed),
    }
}

const STOPPED_AT_ONCE: Outcome = Outcome { moved: 0, end: End::Stopped };

impl Drop for RunningTransfer<'_> {
    fn drop(&mut self) {
        if self.line.connection.is_lost() {
            return;
        }
        if !self.line.owed {
            // Replies that the server sent early.
            self.line.hear_followers();
            self.line.hear_noop();
        } else if self.abort_alone().is_err() {
            self.line.connection.mark_lost();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upload_waits_the_whole_timeout_for_its_final_reply() {
        let (timeout, took) = (Duration::from_secs(300), Duration::from_secs(2));
        let up = patience(TransferDirection::Up, Completeness::Unmeasured, timeout, took);
        assert!(up >= timeout);
        let down = patience(TransferDirection::Down, Completeness::All, timeout, took);
        assert_eq!(down, LAST_WORD_PATIENCE);
    }
}
