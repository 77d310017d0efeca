//! Trying again: what is worth it, how often, and after how long a pause.
//!
//! - What the server refuses for good, what fails on this side and Ctrl-C are not tried again.
//! - Of tries in a row that brought nothing three are enough, whatever the user allowed: what fails
//!   so fails at once, and a script should hear of it.
//! - The first reason is the one that is told at the end: those after it are often only that the
//!   server would not have us back.

use crate::client::connection::Connection;
use crate::client::error::Error;
use crate::client::signals::{Armed, Interrupt};
use crate::protocol::{Code, Reply};
use std::time::Duration;

/// The first pause; each is twice as long as the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// How many tries in a row may bring nothing.
const MOST_FRUITLESS: u32 = 3;

/// What a try brought before it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::client) enum Gain {
    /// Some bytes.
    Something,
    /// None.
    Nothing,
}

/// The tries of one transfer. While it lives, Ctrl-C breaks that off and not the program.
pub(in crate::client) struct Retries {
    left: u32,
    fruitless: u32,
    pause: Duration,
    first: Option<Error>,
    armed: Armed,
}

impl Retries {
    /// So many besides the first.
    pub(in crate::client) fn new(interrupt: &Interrupt, left: u32) -> Result<Retries, Error> {
        let armed = interrupt.begin().map_err(Error::Local)?;
        Ok(Retries { left, fruitless: 0, pause: FIRST_PAUSE, first: None, armed })
    }

    /// After a failure: waits, and comes back with a connection that can be used, or with the
    /// reason why there is no point in trying again.
    pub(in crate::client) fn again(
        &mut self,
        mut failure: Error,
        mut gain: Gain,
        connection: &mut Connection,
        mut tell: impl FnMut(&Error, Duration),
    ) -> Result<(), Error> {
        loop {
            self.count(gain);
            let stopped = self.armed.came();
            if stopped
                || !is_passing(&failure)
                || self.left == 0
                || self.fruitless >= MOST_FRUITLESS
            {
                return Err(if stopped { Error::Interrupted } else { self.sum_up(failure) });
            }
            self.left -= 1;
            tell(&failure, self.pause);
            self.first.get_or_insert(failure);
            self.armed.pause(self.pause)?;
            self.pause = (self.pause * 2).min(LONGEST_PAUSE);
            if !connection.is_lost() {
                return Ok(());
            }
            match connection.reconnect() {
                Ok(()) => return Ok(()),
                Err(error) => (failure, gain) = (error, Gain::Nothing),
            }
        }
    }

    /// Does something that may be done twice, until it is done or there is no point in going on.
    pub(in crate::client) fn until_done<T>(
        &mut self,
        connection: &mut Connection,
        mut action: impl FnMut(&mut Connection) -> Result<T, Error>,
        mut tell: impl FnMut(&Error, Duration),
    ) -> Result<T, Error> {
        loop {
            match action(connection) {
                Err(failure) => self.again(failure, Gain::Nothing, connection, &mut tell)?,
                done => return done,
            }
        }
    }

    /// Whether anything had to be tried again.
    pub(in crate::client) fn were_needed(&self) -> bool {
        self.first.is_some()
    }

    fn count(&mut self, gain: Gain) {
        self.fruitless = match gain {
            Gain::Something => 0,
            Gain::Nothing => self.fruitless + 1,
        };
    }

    /// What failed first, of what failed for that reason in the end.
    pub(in crate::client) fn first_of(&mut self, last: Error) -> Error {
        self.first.take().unwrap_or(last)
    }

    /// The failure that it is, once there is no point in trying again.
    pub(in crate::client) fn sum_up(&mut self, last: Error) -> Error {
        match self.first.take() {
            None | Some(Error::Interrupted) => last,
            Some(_) if matches!(last, Error::Interrupted | Error::OutputClosed) => last,
            Some(first) => Error::GaveUp { first: Box::new(first), last: Box::new(last) },
        }
    }
}

/// Whether it may go better the next time.
fn is_passing(error: &Error) -> bool {
    match error {
        Error::Lost(_)
        | Error::Closing(_)
        | Error::TimedOut(_)
        | Error::BadReply(_)
        | Error::Unasked
        | Error::Connect { .. }
        | Error::Greeting(_)
        | Error::NoData { .. }
        | Error::Broken(_)
        | Error::Stalled(_)
        | Error::EndedEarly(_)
        | Error::TooShort { .. }
        | Error::TooLong { .. }
        | Error::NotWhole { .. }
        | Error::NoRestart(_)
        | Error::OtherContent => true,
        // A server that still counts the connection we lost lets nobody else in.
        Error::Login(_) => true,
        Error::Refused(reply) => is_transient(reply),
        Error::NotConnected
        | Error::Usage(_)
        | Error::NoPassword
        | Error::WantsTls(_)
        | Error::Netrc(_)
        | Error::Program(_)
        | Error::Unintelligible(_)
        | Error::GaveUp { .. }
        | Error::Some { .. }
        | Error::InTheWay(_)
        | Error::Endless
        | Error::Unlisted(..)
        | Error::NothingMatches(_)
        | Error::SameName(_)
        | Error::BadName(_)
        | Error::BadLocalName(_)
        | Error::Local(_)
        | Error::File { .. }
        | Error::OutputClosed
        | Error::Interrupted => false,
    }
}

/// A full disk (452) is not empty a second later.
fn is_transient(reply: &Reply) -> bool {
    reply.code().is_transient_failure() && reply.code() != Code::NO_ROOM_NOW
}
