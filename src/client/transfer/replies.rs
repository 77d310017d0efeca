//! The control connection during a transfer: which reply answers which command, and which are owed.

use crate::client::connection::data::keep_early_epsv_reply;
use crate::client::connection::{Connection, MAX_UNSOLICITED_REPLIES, PIPELINE_TIMEOUT, ReplyWait};
use crate::client::error::Error;
use crate::client::signals::Armed;
use crate::net::{self, Verdict};
use crate::protocol::{Command, Reply};
use std::time::{Duration, Instant};
use std::{iter, mem};

/// The direction of the bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum TransferDirection {
    Down,
    Up,
}

/// Assigns the replies on the control connection to the commands of a transfer.
pub(super) struct ReplyTracker<'c> {
    pub(super) connection: &'c mut Connection,
    pub(super) armed: Armed,
    pub(super) direction: TransferDirection,
    /// The commands that went out together with that of this transfer and are answered after it.
    pub(super) followers: Vec<Command>,
    /// Whether the server owes the reply that ends the transfer.
    pub(super) owed: bool,
    /// Whether the server owes the answer to a NOOP.
    pub(super) noop: bool,
    /// When a command or a reply last went over the control connection.
    spoken: Instant,
    /// The reply that ends the transfer, once it came.
    pub(super) last: Option<Reply>,
    /// Why the transfer was stopped or cannot succeed, if `last` is not the reason.
    pub(super) cause: Option<Error>,
    /// Whether bytes are coming; they can come to their end without a control connection.
    pub(super) receiving: bool,
}

impl<'c> ReplyTracker<'c> {
    /// Returns a tracker of a connection on which nothing was asked yet.
    pub(super) fn new(
        connection: &'c mut Connection,
        armed: Armed,
        direction: TransferDirection,
    ) -> ReplyTracker<'c> {
        ReplyTracker {
            connection,
            armed,
            direction,
            followers: Vec::new(),
            owed: false,
            noop: false,
            spoken: Instant::now(),
            last: None,
            cause: None,
            receiving: false,
        }
    }
}

impl ReplyTracker<'_> {
    pub(super) fn timeout(&self) -> Duration {
        self.connection.settings().timeout
    }

    /// Sends the command and waits until the server is about to move bytes, or has.
    pub(super) fn ask(&mut self, command: &Command, followers: Vec<Command>) -> Result<(), Error> {
        self.connection.discard_unsolicited()?;
        self.last = None;
        let together: Vec<&Command> = iter::once(command).chain(&followers).collect();
        self.connection.send_all(&together)?;
        self.owed = true;
        self.followers = followers;
        let reply = self.next_reply(self.timeout())?;
        self.spoken = Instant::now();
        if reply.code().is_preliminary() {
            return Ok(());
        }
        self.owed = false;
        self.hear_followers();
        match self.direction {
            _ if !reply.code().is_success() => Err(Error::Refused(reply)),
            // Some servers send a small file whole before they send the 150.
            TransferDirection::Down => {
                self.last = Some(reply);
                Ok(())
            }
            TransferDirection::Up => Err(Error::EndedEarly(reply)),
        }
    }

    /// Reads the replies to the commands behind the transfer. If none comes the server has lost them,
    /// and is sent one command at a time from then on; the transfer is done all the same.
    pub(super) fn hear_followers(&mut self) {
        for follower in mem::take(&mut self.followers) {
            let patience = self.timeout().min(PIPELINE_TIMEOUT);
            let reply = match self.connection.reply_by(net::deadline(patience)) {
                Ok(reply) => reply,
                Err(_) => {
                    self.connection.capabilities().pipelining = false;
                    return self.connection.mark_lost();
                }
            };
            match follower {
                Command::Epsv(_) => keep_early_epsv_reply(self.connection, &reply),
                Command::Size(_) => self.connection.record_size_reply(&reply),
                Command::Type(_) => self.connection.record_type_reply(&reply),
                _ => self.connection.record_time_reply(&reply),
            }
        }
    }

    /// Sends a NOOP if the control connection was silent for long. A broken connection is noticed by
    /// the next read.
    pub(super) fn keep_alive(&mut self) {
        let is_due = self.owed && !self.noop && self.is_listened_to();
        let patience = self.connection.settings().keep_alive;
        if is_due
            && self.spoken.elapsed() >= patience
            && self.connection.capabilities().noop_in_transfer
        {
            self.spoken = Instant::now();
            self.noop = self.connection.send(&Command::Noop).is_ok();
        }
    }

    /// Reads the reply to a NOOP that was not answered before the transfer ended.
    pub(super) fn hear_noop(&mut self) -> Option<Reply> {
        if !mem::take(&mut self.noop) || self.connection.is_lost() {
            return None;
        }
        let patience = self.timeout().min(PIPELINE_TIMEOUT);
        let heard = self.connection.reply_by(net::deadline(patience));
        if heard.is_err() {
            // A late answer would be taken for the reply to the next command.
            self.connection.capabilities().noop_in_transfer = false;
            self.connection.mark_lost();
        }
        heard.ok()
    }

    /// Waits for the reply that ends the transfer.
    pub(super) fn last_reply(&mut self, patience: Duration) -> Result<Reply, Error> {
        for _ in 0..MAX_UNSOLICITED_REPLIES {
            if let Some(reply) = self.last.take() {
                return Ok(reply);
            }
            let reply = self.next_reply(patience)?;
            self.take(reply);
        }
        self.connection.mark_lost();
        self.last.take().ok_or(Error::TooManyReplies)
    }

    fn take(&mut self, reply: Reply) {
        self.spoken = Instant::now();
        if reply.code().is_preliminary() {
            return;
        }
        if self.noop && reply.code().is_about_syntax() {
            self.noop = false;
        } else {
            self.owed = false;
            self.last = Some(reply);
        }
    }

    /// Waits for a reply or Ctrl-C.
    fn next_reply(&mut self, patience: Duration) -> Result<Reply, Error> {
        let deadline = net::deadline(patience);
        match self.connection.wait_for_reply(Some(&self.armed), deadline)? {
            ReplyWait::Interrupted => Err(Error::Interrupted),
            ReplyWait::Begun | ReplyWait::TimedOut => self.connection.reply_by(deadline),
        }
    }

    /// Returns whether a reply begins within this time.
    pub(super) fn speaks_within(&mut self, patience: Duration) -> Result<bool, Error> {
        let waited = self.connection.wait_for_reply(None, net::deadline(patience))?;
        Ok(waited == ReplyWait::Begun)
    }

    /// Reads a reply and returns how many of the owed replies it settles.
    pub(super) fn hear_final(&mut self, patience: Duration) -> Result<u32, Error> {
        let reply = self.connection.reply_by(net::deadline(patience))?;
        Ok(if reply.code().is_preliminary() { 0 } else { 1 })
    }

    /// Reads a reply that comes in the middle of a transfer.
    pub(super) fn overhear(&mut self) -> Result<Verdict, Error> {
        let reply = self.connection.reply_by(net::deadline(self.timeout()))?;
        self.take(reply);
        let goes_on = match &self.last {
            None => true,
            // The final reply of a download overtakes its bytes, which come over another connection.
            Some(reply) => self.direction == TransferDirection::Down && reply.code().is_success(),
        };
        if !goes_on {
            self.doubt_noop();
        }
        Ok(if goes_on { Verdict::Continue } else { Verdict::Stop })
    }

    /// Sends no more NOOPs to a server that may have ended a transfer over one.
    fn doubt_noop(&mut self) {
        if self.noop {
            self.connection.capabilities().noop_in_transfer = false;
        }
    }

    /// Returns whether a reply can still come: not after the final one, nor after the connection ended.
    pub(super) fn is_listened_to(&self) -> bool {
        self.last.is_none() && self.cause.is_none()
    }

    /// Notes a failure of the control connection. Incoming bytes may come to their end without it, and
    /// then need not be fetched again.
    pub(super) fn fail(&mut self, cause: Error) -> Verdict {
        let is_over = matches!(cause, Error::Lost(_) | Error::Closing(_));
        if is_over {
            self.doubt_noop();
        }
        let goes_on = self.receiving && is_over;
        self.cause = Some(cause);
        if goes_on { Verdict::Continue } else { Verdict::Stop }
    }

    pub(super) fn why_stopped(&mut self) -> Error {
        match (self.cause.take(), self.last.take()) {
            (Some(cause), _) => cause,
            (None, Some(reply)) if reply.code().is_success() => Error::EndedEarly(reply),
            (None, Some(reply)) => Error::Refused(reply),
            (None, None) => Error::Interrupted,
        }
    }
}
