//! The control connection during a transfer: which reply is whose, and who still owes one.

use crate::client::connection::data::passive_ahead;
use crate::client::connection::{Connection, FOLLOWER_PATIENCE, MOST_UNASKED};
use crate::client::error::Error;
use crate::client::signals::Armed;
use crate::net::{self, Verdict};
use crate::protocol::{Command, Reply};
use std::time::{Duration, Instant};
use std::{iter, mem};

/// Which way the bytes go.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum TransferDirection {
    Down,
    Up,
}

/// The control connection during a transfer: what may come on it, and what came.
pub(super) struct ReplyTracker<'c> {
    pub(super) connection: &'c mut Connection,
    pub(super) armed: Armed,
    pub(super) direction: TransferDirection,
    /// Commands that went out together with the one of this transfer, and are answered after it.
    pub(super) followers: Vec<Command>,
    /// Whether the server owes the reply that ends the transfer.
    pub(super) owed: bool,
    /// Whether it owes the answer to a NOOP.
    pub(super) noop: bool,
    /// When one side said something last.
    spoken: Instant,
    /// That reply, once it came.
    pub(super) last: Option<Reply>,
    /// Why the transfer was stopped, or cannot end well, where that is not `last`.
    pub(super) cause: Option<Error>,
    /// Whether bytes are coming, which may do so to their end without a control connection.
    pub(super) receiving: bool,
}

impl<'c> ReplyTracker<'c> {
    /// One on which nothing was asked yet.
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
        self.connection.discard_unasked()?;
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
            // Some have so little to send that they are done before they say that they begin.
            TransferDirection::Down => {
                self.last = Some(reply);
                Ok(())
            }
            TransferDirection::Up => Err(Error::EndedEarly(reply)),
        }
    }

    /// Hears what the commands behind the transfer came to. Where nothing comes, the server has lost
    /// them, and is told one at a time from then on; the transfer is done all the same.
    pub(super) fn hear_followers(&mut self) {
        for follower in mem::take(&mut self.followers) {
            let patience = self.timeout().min(FOLLOWER_PATIENCE);
            let reply = match self.connection.reply_by(net::deadline(patience)) {
                Ok(reply) => reply,
                Err(_) => {
                    self.connection.capabilities().pipelines = false;
                    return self.connection.lose();
                }
            };
            match follower {
                Command::Epsv(_) => passive_ahead(self.connection, &reply),
                Command::Size(_) => self.connection.keep_stored_size(&reply),
                Command::Type(_) => self.connection.keep_type(&reply),
                _ => self.connection.capabilities().sets_times &= reply.code().is_success(),
            }
        }
    }

    /// Says something where nothing was said for long. That the connection is broken is found out by
    /// who listens to it.
    pub(super) fn keep_alive(&mut self) {
        let is_due = self.owed && !self.noop && self.is_listened_to();
        let patience = self.connection.settings().keep_alive;
        if is_due && self.spoken.elapsed() >= patience && self.connection.capabilities().keeps_alive
        {
            self.spoken = Instant::now();
            self.noop = self.connection.send(&Command::Noop).is_ok();
        }
    }

    /// Hears what a NOOP came to that was not answered before the transfer ended.
    pub(super) fn hear_noop(&mut self) -> Option<Reply> {
        if !mem::take(&mut self.noop) || self.connection.is_lost() {
            return None;
        }
        let patience = self.timeout().min(FOLLOWER_PATIENCE);
        let heard = self.connection.reply_by(net::deadline(patience));
        if heard.is_err() {
            // What comes yet would be taken for the answer to the next command.
            self.connection.capabilities().keeps_alive = false;
            self.connection.lose();
        }
        heard.ok()
    }

    /// The reply that ends the transfer.
    pub(super) fn last_reply(&mut self, patience: Duration) -> Result<Reply, Error> {
        for _ in 0..MOST_UNASKED {
            if let Some(reply) = self.last.take() {
                return Ok(reply);
            }
            let reply = self.next_reply(patience)?;
            self.take(reply);
        }
        self.connection.lose();
        self.last.take().ok_or(Error::Unasked)
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

    /// Waits for a reply and for Ctrl-C.
    fn next_reply(&mut self, patience: Duration) -> Result<Reply, Error> {
        let deadline = net::deadline(patience);
        if !self.connection.has_line() {
            let mut items = [self.armed.item(), self.connection.item()];
            // A deadline that passes is noticed, and told, by the read below.
            let waited = net::wait(&mut items, deadline);
            if waited.is_ok() && items[0].ready() {
                return Err(Error::Interrupted);
            }
        }
        self.connection.reply_by(deadline)
    }

    pub(super) fn speaks_within(&self, patience: Duration) -> bool {
        let waited = net::wait(&mut [self.connection.item()], net::deadline(patience));
        self.connection.has_line() || waited.is_ok()
    }

    /// Reads a reply and returns how many of those that are owed it is.
    pub(super) fn hear_final(&mut self, patience: Duration) -> Result<u32, Error> {
        let reply = self.connection.reply_by(net::deadline(patience))?;
        Ok(if reply.code().is_preliminary() { 0 } else { 1 })
    }

    /// Hears what the server says in the middle of a transfer.
    pub(super) fn overhear(&mut self) -> Result<Verdict, Error> {
        let reply = self.connection.reply_by(net::deadline(self.timeout()))?;
        self.take(reply);
        let goes_on = match &self.last {
            None => true,
            // The end of a download overtakes its bytes, which come another way.
            Some(reply) => self.direction == TransferDirection::Down && reply.code().is_success(),
        };
        if !goes_on {
            self.doubt_noop();
        }
        Ok(if goes_on { Verdict::Continue } else { Verdict::Stop })
    }

    /// A transfer ended badly that a NOOP may have ended.
    fn doubt_noop(&mut self) {
        if self.noop {
            self.connection.capabilities().keeps_alive = false;
        }
    }

    /// After the last word nothing more is expected, nor after the end of the connection.
    pub(super) fn is_listened_to(&self) -> bool {
        self.last.is_none() && self.cause.is_none()
    }

    /// What is on its way comes to its end without a control connection too, and less of it has to
    /// be fetched again.
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
