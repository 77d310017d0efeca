//! What interrupts the movement of bytes: Ctrl-C, and replies on the control connection.

use super::replies::ReplyTracker;
use crate::client::error::Error;
use crate::net::{TransferHooks, Verdict};
use crate::rate::{Party, Turns};
use crate::sys::{PollItem, poll};
use std::time::{Duration, Instant};

/// Watches for Ctrl-C and for replies while bytes move, and keeps to the rate limit.
pub(super) struct TransferWatch<'a, 'c, P> {
    pub(super) line: &'a mut ReplyTracker<'c>,
    moved: P,
    /// The share of this connection in the rate limit.
    turns: Option<Turns>,
    /// How many bytes were counted against the limit.
    spent: u64,
    /// A reply that ends the transfer stops the wait, even if it is good.
    pub(super) stops_when_done: bool,
}

impl<'a, 'c> TransferWatch<'a, 'c, fn(u64)> {
    pub(super) fn new(line: &'a mut ReplyTracker<'c>) -> Self {
        TransferWatch { line, moved: |_| (), turns: None, spent: 0, stops_when_done: false }
    }
}

impl<'a, 'c, P> TransferWatch<'a, 'c, P> {
    /// Returns a watch that reports how many bytes moved and keeps to the rate limit.
    pub(super) fn pacing(line: &'a mut ReplyTracker<'c>, moved: P) -> Self {
        let rate = line.connection.settings().rate.clone();
        let turns = rate.map(|rate| Turns::new([(rate, Party::default())]));
        TransferWatch { line, moved, turns, spent: 0, stops_when_done: false }
    }
}

impl<P> TransferWatch<'_, '_, P> {
    fn judge(&mut self) -> Result<Verdict, Error> {
        let [ctrl_c, control] = self.ready()?;
        if ctrl_c {
            return Err(Error::Interrupted);
        }
        let is_due = control || self.line.connection.has_unread();
        if !(is_due && self.line.is_listened_to() && self.line.connection.has_reply()?) {
            return Ok(Verdict::Continue);
        }
        let verdict = self.line.overhear()?;
        let is_done = self.stops_when_done && self.line.last.is_some();
        Ok(if is_done { Verdict::Stop } else { verdict })
    }

    fn ready(&self) -> Result<[bool; 2], Error> {
        let mut items = self.listened();
        poll(&mut items, Some(Duration::ZERO)).map_err(Error::Local)?;
        Ok(items.map(|item| item.ready()))
    }

    /// Returns what to poll: not a connection that has ended, which would be ready all the time.
    fn listened(&self) -> [PollItem<'_>; 2] {
        let control = match self.line.is_listened_to() {
            true => self.line.connection.item(),
            false => PollItem::nothing(),
        };
        [self.line.armed.item(), control]
    }
}

impl<P: FnMut(u64)> TransferHooks for TransferWatch<'_, '_, P> {
    fn items(&self) -> [PollItem<'_>; 2] {
        self.listened()
    }

    fn check(&mut self, _: u64) -> Verdict {
        match self.judge() {
            Ok(verdict) => verdict,
            Err(cause) => self.line.fail(cause),
        }
    }

    fn moved(&mut self, total: u64) {
        (self.moved)(total);
        if let Some(turns) = &mut self.turns {
            turns.spend(total - self.spent);
            self.spent = total;
        }
        self.line.keep_alive();
    }

    fn allowance(&mut self) -> Result<usize, Instant> {
        self.turns.as_mut().map_or(Ok(usize::MAX), Turns::allowance)
    }
}
