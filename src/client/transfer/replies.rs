//! The control connection during a transfer: assigns replies to commands, and counts pending replies.

use crate::client::connection::data::keep_early_epsv_reply;
use crate::client::connection::{Connection, MAX_UNSOLICITED_REPLIES, PIPELINE_TIMEOUT, ReplyWait};
use crate::client::error::Error;
use crate::client::signals::Armed;
use crate::net::{self, Verdict};
use crate::protocol::{Command, Reply};
use std::time::{Duration, Instant};
use std::{iter, mem};

/// The direction of a transfer.
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
    /// The commands that are pipelined behind the transfer and answered after it.
    pub(super) followers: Vec<Command>,
    /// The final reply of the transfer is pending.
    pub(super) owed: bool,
    /// The reply to a NOOP is pending.
    pub(super) noop: bool,
    /// The time of the last command or reply on the control connection.
    last_activity: Instant,
    /// The final reply of the transfer.
    pub(super) last: Option<Reply>,
    /// The error that stopped the transfer, if it is not `last`.
    pub(super) cause: Option<Error>,
    /// The transfer is a download that has started, so it can finish without the control connection.
    pub(super) receiving: bool,
}

impl<'c> ReplyTracker<'c> {
    /// Creates a tracker before the transfer command is sent.
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
            last_activity: Instant::now(),
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

    /// Sends the transfer command and waits for the 150, or for the final reply of a small download.
    pub(super) fn ask(&mut self, command: &Command, followers: Vec<Command>) -> Result<(), Error> {
        self.connection.discard_unsolicited()?;
        self.last = None;
        let together: Vec<&Command> = iter::once(command).chain(&followers).collect();
        self.connection.send_all(&together)?;
        self.owed = true;
        self.followers = followers;
        let reply = self.next_reply(self.timeout())?;
        self.last_activity = Instant::now();
        if reply.code().is_preliminary() {
            return Ok(());
        }
        self.owed = false;
        self.read_pipelined_replies();
        match self.direction {
            _ if !reply.code().is_success() => Err(Error::Refused(reply)),
            // Some servers send a small file without a 150.
            TransferDirection::Down => {
                self.last = Some(reply);
                Ok(())
            }
            TransferDirection::Up => Err(Error::EndedEarly(reply)),
        }
    }

    /// Reads the replies to the pipelined commands. If one is missing, the server has dropped commands: the
    /// transfer still succeeds, but the connection is lost, and pipelining is disabled.
    pub(super) fn read_pipelined_replies(&mut self) {
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

    /// Sends a NOOP if the control connection was silent for long. The next read reports a broken
    /// connection.
    pub(super) fn keep_alive(&mut self) {
        let is_due = self.owed && !self.noop && self.expects_replies();
        let patience = self.connection.settings().keep_alive;
        if is_due
            && self.last_activity.elapsed() >= patience
            && self.connection.capabilities().noop_in_transfer
        {
            self.last_activity = Instant::now();
            self.noop = self.connection.send(&Command::Noop).is_ok();
        }
    }

    /// Reads the reply to a NOOP that was not answered before the transfer ended.
    pub(super) fn read_noop_reply(&mut self) -> Option<Reply> {
        if !mem::take(&mut self.noop) || self.connection.is_lost() {
            return None;
        }
        let patience = self.timeout().min(PIPELINE_TIMEOUT);
        let heard = self.connection.reply_by(net::deadline(patience));
        if heard.is_err() {
            // A late reply would be mistaken for the reply to the next command.
            self.connection.capabilities().noop_in_transfer = false;
            self.connection.mark_lost();
        }
        heard.ok()
    }

    /// Waits for the final reply of the transfer.
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
        self.last_activity = Instant::now();
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

    /// Returns whether a reply begins to arrive within this time.
    pub(super) fn has_reply_within(&mut self, patience: Duration) -> Result<bool, Error> {
        let waited = self.connection.wait_for_reply(None, net::deadline(patience))?;
        Ok(waited == ReplyWait::Begun)
    }

    /// Reads a reply and returns 1 for a final reply, 0 for a preliminary one.
    pub(super) fn read_pending_reply(&mut self, patience: Duration) -> Result<u32, Error> {
        let reply = self.connection.reply_by(net::deadline(patience))?;
        Ok(if reply.code().is_preliminary() { 0 } else { 1 })
    }

    /// Reads a reply that arrives while bytes move.
    pub(super) fn read_reply_in_transfer(&mut self) -> Result<Verdict, Error> {
        let reply = self.connection.reply_by(net::deadline(self.timeout()))?;
        self.take(reply);
        let continues = match &self.last {
            None => true,
            // The final reply of a download may arrive before its last bytes.
            Some(reply) => self.direction == TransferDirection::Down && reply.code().is_success(),
        };
        if !continues {
            self.disable_noop();
        }
        Ok(if continues { Verdict::Continue } else { Verdict::Stop })
    }

    /// Disables NOOP if one is pending, because the server may have ended the transfer because of it.
    fn disable_noop(&mut self) {
        if self.noop {
            self.connection.capabilities().noop_in_transfer = false;
        }
    }

    /// Returns whether a reply may still arrive: not after the final one or the end of the connection.
    pub(super) fn expects_replies(&self) -> bool {
        self.last.is_none() && self.cause.is_none()
    }

    /// Records a failure of the control connection. A download continues without it, so that its bytes
    /// need not be fetched again.
    pub(super) fn fail(&mut self, cause: Error) -> Verdict {
        let is_over = matches!(cause, Error::Lost(_) | Error::Closing(_));
        if is_over {
            self.disable_noop();
        }
        let continues = self.receiving && is_over;
        self.cause = Some(cause);
        if continues { Verdict::Continue } else { Verdict::Stop }
    }

    /// Returns the error of a transfer that was stopped.
    pub(super) fn stop_error(&mut self) -> Error {
        match (self.cause.take(), self.last.take()) {
            (Some(cause), _) => cause,
            (None, Some(reply)) if reply.code().is_success() => Error::EndedEarly(reply),
            (None, Some(reply)) => Error::Refused(reply),
            (None, None) => Error::Interrupted,
        }
    }
}
