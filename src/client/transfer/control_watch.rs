//! Interrupts a transfer at Ctrl-C or a reply on the control connection, and limits its rate.

use super::replies::ReplyTracker;
use crate::client::error::Error;
use crate::net::{TransferHooks, Verdict};
use crate::rate::{Party, Turns};
use crate::sys::{PollItem, poll};
use std::time::{Duration, Instant};

/// Watches for Ctrl-C and replies while bytes move, and applies the rate limit.
pub(super) struct TransferWatch<'a, 'c, P> {
    pub(super) line: &'a mut ReplyTracker<'c>,
    moved: P,
    /// The share of this connection in the rate limit.
    turns: Option<Turns>,
    /// The number of bytes counted against the limit.
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
    /// Creates a watch that reports the number of moved bytes and applies the rate limit.
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
        if !(is_due && self.line.expects_replies() && self.line.connection.has_reply()?) {
            return Ok(Verdict::Continue);
        }
        let verdict = self.line.read_reply_in_transfer()?;
        let is_done = self.stops_when_done && self.line.last.is_some();
        Ok(if is_done { Verdict::Stop } else { verdict })
    }

    fn ready(&self) -> Result<[bool; 2], Error> {
        let mut items = self.listened();
        poll(&mut items, Some(Duration::ZERO)).map_err(Error::Local)?;
        Ok(items.map(|item| item.ready()))
    }

    /// Returns the poll items. A control connection that has ended is left out, because it would always be
    /// ready.
    fn listened(&self) -> [PollItem<'_>; 2] {
        let control = match self.line.expects_replies() {
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
