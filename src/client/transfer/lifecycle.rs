//! One try of a transfer: opens the data connection, moves the bytes, and reads the final reply or sends
//! ABOR, so that the control connection stays usable.

use super::closing::{close, drain, end_upload};
use super::control_watch::TransferWatch;
use super::replies::{ReplyTracker, TransferDirection};
use crate::client::connection::data::{ControlAddresses, DataEndpoint, Stopped};
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

/// The [`TransferWatch`] of an upload.
type SendingWatch<'w, 'c, 'm> = TransferWatch<'w, 'c, &'m mut dyn FnMut(u64)>;

/// The longest wait for the reply to an ABOR.
const ABORT_TIMEOUT: Duration = Duration::from_secs(3);

/// The longest wait for the final reply of a download once all expected bytes have arrived. The wait may be
/// short, because without the reply a new connection checks whether the file is complete.
const FINAL_REPLY_TIMEOUT: Duration = Duration::from_secs(10);

/// The longest wait for the final reply if bytes are missing. The reply is not needed, because the rest has
/// to be fetched anyway, and Pure-FTPd sends none after an interrupted transfer.
const INCOMPLETE_TIMEOUT: Duration = Duration::from_secs(3);

/// The time for which the data connection of an upload stays open after ABOR. A server that has not read
/// the ABOR yet would take the end of the connection for the end of the file.
const UPLOAD_ABORT_DELAY: Duration = Duration::from_secs(1);

/// The share of the timeout, as a divisor, for connecting to the port that EPSV named.
const EPSV_TIMEOUT_SHARE: u32 = 3;

/// The longest wait for the first byte of a listing that the server has confirmed without a 150: some
/// servers do not open the data connection for an empty listing.
const EMPTY_LISTING_TIMEOUT: Duration = Duration::from_secs(1);

/// The maximum wait for the server to connect once it has called the transfer done. It has connected
/// before, if it ever did.
const LATE_CONNECTION: Duration = Duration::from_secs(2);

/// A transfer whose command was sent.
pub(super) struct RunningTransfer<'c> {
    pub(super) line: ReplyTracker<'c>,
    data: Option<Data>,
    /// The start of the byte transfer.
    started: Instant,
    /// The server has confirmed a listing without a 150.
    is_done_early: bool,
    pub(super) came: Completeness,
}

/// The completeness of a download.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Completeness {
    /// The expected size is unknown.
    Unknown,
    Incomplete,
    Complete,
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
        let route = DataEndpoint::negotiate(connection, deadline)?;
        let line = ReplyTracker::new(connection, armed, direction);
        let (started, came) = (Instant::now(), Completeness::Unknown);
        let mut transfer =
            RunningTransfer { line, data: None, started, is_done_early: false, came };
        if let DataEndpoint::Connect { .. } = route {
            transfer.connect_with_fallback(&route, deadline)?;
        }
        if !transfer.line.connection.uses_extended() {
            followers.retain(|follower| !matches!(follower, Command::Epsv(_)));
        }
        // REST comes directly before its command, because some servers forget it after any other.
        if from > 0 {
            transfer.line.connection.send_rest(from)?;
        }
        transfer.line.ask(command, followers)?;
        let lists = matches!(command, Command::List(_) | Command::Nlst(_) | Command::Mlsd(_));
        transfer.is_done_early = lists && transfer.line.last.is_some();
        if let DataEndpoint::Listen(_) = route {
            transfer.wait_for_server(&route)?;
        }
        if transfer.line.connection.protects_data() {
            transfer.encrypt()?;
        }
        transfer.started = Instant::now();
        Ok(transfer)
    }

    /// Connects to the server. If the port that EPSV named refuses or drops the connection, such as behind
    /// a NAT that rewrites only replies to PASV, the remaining time is used for PASV.
    fn connect_with_fallback(
        &mut self,
        route: &DataEndpoint,
        deadline: Option<Instant>,
    ) -> Result<(), Error> {
        if !route.is_extended() {
            return self.connect(route, deadline);
        }
        let first = net::deadline(self.line.timeout() / EPSV_TIMEOUT_SHARE);
        let failed = match self.connect(route, net::sooner(first, deadline)) {
            Err(error @ Error::NoData { .. }) => error,
            other => return other,
        };
        let again = DataEndpoint::negotiate_pasv(self.line.connection, deadline)?.ok_or(failed)?;
        self.connect(&again, deadline)?;
        self.line.connection.capabilities().epsv = false;
        Ok(())
    }

    fn connect(&mut self, route: &DataEndpoint, deadline: Option<Instant>) -> Result<(), Error> {
        let connection = &self.line.connection;
        let ends = ControlAddresses { peer: connection.peer(), local: connection.local() };
        let is_down = self.line.direction == TransferDirection::Down;
        let can_be_done =
            is_down && matches!(route, DataEndpoint::Listen(_)) && self.line.last.is_none();
        let mut watch = TransferWatch::new(&mut self.line);
        watch.stops_when_done = can_be_done;
        // A reply that is already buffered would not wake the poll.
        let connected = match watch.check(0) {
            Verdict::Continue => route.connect(ends, deadline, &mut watch)?,
            Verdict::Stop => Err(Stopped),
        };
        self.data = Some(connected.map_err(|Stopped| self.line.stop_error())?);
        Ok(())
    }

    /// Waits for the server to connect. A server that has confirmed a listing without a 150 may never connect,
    /// because the listing is empty. After a 150 the data may have gone to another address.
    fn wait_for_server(&mut self, route: &DataEndpoint) -> Result<(), Error> {
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

    /// Encrypts the data connection. The server starts its handshake after the 150, or sends a negative
    /// reply. A listing that it has confirmed already is empty, and needs no handshake.
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
            (Ok(Err(Waited::Stopped)), _) => Err(self.line.stop_error()),
            (_, _) if self.is_done_early => Ok(()),
            (Err(error), _) => self.final_reply().and(Err(Error::Broken(error))),
            (Ok(_), _) => Err(Error::Stalled(patience)),
        }
    }

    /// Returns the longest time without progress.
    fn patience(&self) -> Duration {
        let timeout = self.line.timeout();
        if self.is_done_early { timeout.min(EMPTY_LISTING_TIMEOUT) } else { timeout }
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
            return if is_done { Outcome { moved: 0, end: End::Done } } else { STOPPED };
        };
        let outcome = match watch.check(0) {
            Verdict::Continue => receive(data, sink, stall, &mut watch),
            Verdict::Stop => STOPPED,
        };
        // The bytes before a negative reply are a valid beginning of the file.
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

    /// Sends bytes, and calls `moved` with the number of bytes sent so far, finally with all of them.
    fn send_by(
        &mut self,
        mut moved: impl FnMut(u64),
        send: impl FnOnce(&mut Data, Duration, &mut SendingWatch<'_, 'c, '_>) -> Outcome,
    ) -> Outcome {
        let outcome = match self.watched_socket() {
            None => self.send_counting(&mut moved, send),
            Some(socket) => {
                // The kernel buffers megabytes, so count only what the server has acknowledged.
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

    /// Returns a clone of the data connection's socket, if the progress is shown.
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
                // If Ctrl-C ended the source, the bytes so far are not the whole file.
                let end = match (outcome.end, watch.check(outcome.moved)) {
                    (End::Done, Verdict::Stop) => End::Stopped,
                    (End::Done, Verdict::Continue) => end_upload(data, stall, &mut watch),
                    (end, _) => end,
                };
                Outcome { end, ..outcome }
            }
            _ => STOPPED,
        }
    }

    /// Ends the transfer and returns the number of bytes moved.
    pub(super) fn finish(&mut self, outcome: Outcome) -> Result<u64, Error> {
        if let Some(cause) = self.line.cause.take() {
            return Err(cause);
        }
        match outcome.end {
            End::Stopped => Err(self.line.stop_error()),
            End::Stalled => Err(Error::Stalled(self.line.timeout())),
            End::Local(error) => Err(Error::Local(error)),
            End::Done => self.final_reply().map(|()| outcome.moved),
            End::Peer(error) => self.final_reply().and(Err(Error::Broken(error))),
        }
    }

    /// Closes the data connection and reads the final reply.
    fn final_reply(&mut self) -> Result<(), Error> {
        if let Some(data) = self.data.take() {
            close(data);
        }
        let timeout = self.line.timeout();
        let patience = patience(self.line.direction, self.came, timeout, self.started.elapsed());
        let reply = self.line.last_reply(patience)?;
        self.line.read_pipelined_replies();
        let late = self.line.read_noop_reply();
        // Either of the two replies may be that of the transfer, so both must be positive.
        let is_bad = |reply: &Reply| !reply.code().is_success() && !reply.code().is_about_syntax();
        match late.filter(is_bad) {
            Some(late) => Err(Error::Refused(late)),
            None if reply.code().is_success() => Ok(()),
            None => Err(Error::Refused(reply)),
        }
    }

    /// Aborts the transfer, unless commands are pipelined behind it: their replies could not be
    /// distinguished.
    fn abort_unless_pipelined(&mut self) -> Result<(), Error> {
        match self.line.followers.is_empty() {
            true => self.abort(),
            false => Err(Error::TooManyReplies),
        }
    }

    /// Aborts the transfer and reads the pending replies: to the transfer, to the ABOR (RFC 959 section
    /// 4.1.3), and to a NOOP.
    fn abort(&mut self) -> Result<(), Error> {
        self.line.connection.send(&Command::Abor)?;
        let mut owed = 2 + u32::from(mem::take(&mut self.line.noop));
        let is_upload = self.line.direction == TransferDirection::Up;
        if is_upload && self.line.has_reply_within(UPLOAD_ABORT_DELAY)? {
            owed -= self.line.read_pending_reply(ABORT_TIMEOUT)?;
        }
        self.data = None;
        for _ in 0..MAX_UNSOLICITED_REPLIES {
            if owed == 0 {
                return Ok(());
            }
            owed -= self.line.read_pending_reply(ABORT_TIMEOUT)?;
        }
        Err(Error::TooManyReplies)
    }
}

/// Returns the longest wait for the final reply of a transfer that took `elapsed` so far.
fn patience(
    direction: TransferDirection,
    came: Completeness,
    timeout: Duration,
    elapsed: Duration,
) -> Duration {
    match (direction, came) {
        (TransferDirection::Down, Completeness::Complete) => timeout.min(FINAL_REPLY_TIMEOUT),
        (TransferDirection::Down, Completeness::Incomplete) => timeout.min(INCOMPLETE_TIMEOUT),
        (TransferDirection::Down, Completeness::Unknown) => timeout,
        // The last bytes of an upload may be buffered for as long as the whole upload took, and the
        // server may write slowly. Repeating APPE too early would store bytes twice.
        (TransferDirection::Up, _) => timeout.saturating_add(elapsed),
    }
}

const STOPPED: Outcome = Outcome { moved: 0, end: End::Stopped };

impl Drop for RunningTransfer<'_> {
    fn drop(&mut self) {
        if self.line.connection.is_lost() {
            return;
        }
        if !self.line.owed {
            // The replies to pipelined commands and NOOP may still be unread.
            self.line.read_pipelined_replies();
            self.line.read_noop_reply();
        } else if self.abort_unless_pipelined().is_err() {
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
        let up = patience(TransferDirection::Up, Completeness::Unknown, timeout, took);
        assert!(up >= timeout);
        let down = patience(TransferDirection::Down, Completeness::Complete, timeout, took);
        assert_eq!(down, FINAL_REPLY_TIMEOUT);
    }
}
