//! The loop that tries a transfer again: what is worth another try, how many there are, and the
//! pauses between them.
//!
//! - The class of the error decides ([`Error::is_worth_a_retry`]); Ctrl-C ends the loop.
//! - `--retries` says how many tries there are besides the first, whatever they fail with. The pauses
//!   between them grow to 30 seconds, and begin anew after a try that moved bytes: with the five retries of
//!   the default they last as long as a server takes to restart.
//! - The error names the first failure beside the last: later ones are often only that the server
//!   did not accept the next connection.

use super::TransferSettings;
use super::session_limit::{ONE_SESSION, SessionLimit};
use crate::client::connection::Connection;
use crate::client::error::Error;
use crate::client::output::Messages;
use crate::client::signals::Armed;
use crate::protocol::Code;
use std::time::Duration;

/// The first pause; each is five times as long as the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const PAUSE_GROWTH: u32 = 5;
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Observes how a transfer goes.
pub(in crate::client) trait Meter: Send {
    /// A try begins, with `before` bytes of `total` in place.
    fn begins(&mut self, _before: u64, _total: Option<u64>) {}
    /// This many bytes have moved since the try began.
    fn moved(&mut self, _moved: u64) {}
    /// The transfer broke off and is tried again after a pause.
    fn again(&mut self, why: &Error, pause: Duration);
    /// The transfer succeeded, but the user should know this.
    fn warn(&mut self, _text: &str) {}
}

/// A note for each further try, without a progress line.
pub(in crate::client) struct RetryNotes<'a> {
    /// What is tried.
    pub(in crate::client) name: &'a [u8],
    /// Where it is told, if the user wants to hear of it.
    pub(in crate::client) messages: Option<Messages>,
}

impl Meter for RetryNotes<'_> {
    fn again(&mut self, why: &Error, pause: Duration) {
        if let Some(messages) = self.messages {
            messages.retrying(self.name, why, pause);
        }
    }
}

/// A transfer that can be tried again.
pub(super) trait Attempt {
    /// Makes one try; returns how many bytes the whole file has.
    fn attempt(&mut self, connection: &mut Connection, meter: &mut dyn Meter)
    -> Result<u64, Error>;

    /// Returns how many bytes are in place; a try that added some counts as progress.
    fn reached(&self) -> Result<u64, Error>;

    /// Draws the conclusions from a failed try, before the pause.
    fn learn(&mut self, _failure: &Error) -> Result<Next, Error> {
        Ok(Next::Retry)
    }

    /// Looks at what the server has before the next try.
    fn look_again(&mut self, _: &mut Connection) -> Result<(), Error> {
        Ok(())
    }
}

/// What follows a failed try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Another try, if the failure is worth one.
    Retry,
    /// Another try at once, which does not count: what an earlier run left was of no use.
    StartOver,
    /// The transfer fails with this error.
    Fail,
    /// The transfer fails with the error of the first try.
    FailAsFirst,
}

/// A command that may be repeated until it succeeds.
struct Repeated<F>(F);

impl<F: FnMut(&mut Connection) -> Result<(), Error>> Attempt for Repeated<F> {
    fn attempt(&mut self, connection: &mut Connection, _: &mut dyn Meter) -> Result<u64, Error> {
        (self.0)(connection).map(|()| 0)
    }

    fn reached(&self) -> Result<u64, Error> {
        Ok(0)
    }
}

/// Makes a connection again that the server has ended while it was idle.
pub(in crate::client) fn restore(
    connection: &mut Connection,
    settings: &TransferSettings,
    meter: &mut dyn Meter,
) -> Result<(), Error> {
    Retries::new(connection, settings, meter)?.until_done(Connection::restore)
}

/// Makes a connection to a server that may not be there yet.
pub(in crate::client) fn until_connected(
    mut connect: impl FnMut() -> Result<Connection, Error>,
    settings: &TransferSettings,
    meter: &mut dyn Meter,
) -> Result<Connection, Error> {
    let mut tries = Tries::new(settings, meter)?;
    loop {
        match connect() {
            Ok(connection) => return Ok(connection),
            Err(failure) => tries.pause_after(failure, false)?,
        }
    }
}

/// The tries that are left, and the pause before the next. While it lives, Ctrl-C ends the transfer and
/// not the program.
struct Tries<'a> {
    meter: &'a mut dyn Meter,
    left: u32,
    pause: Duration,
    first: Option<Error>,
    armed: Armed,
}

impl<'a> Tries<'a> {
    fn new(settings: &TransferSettings, meter: &'a mut dyn Meter) -> Result<Tries<'a>, Error> {
        let armed = settings.interrupt.begin().map_err(Error::Local)?;
        let (left, pause) = (settings.transfers.retries, FIRST_PAUSE);
        Ok(Tries { meter, left, pause, first: None, armed })
    }

    /// Tells of a failure and waits; fails if no further try is worth it.
    fn pause_after(&mut self, failure: Error, moved: bool) -> Result<(), Error> {
        if self.armed.came() {
            return Err(Error::Interrupted);
        }
        if self.left == 0 || !failure.is_worth_a_retry() {
            return Err(self.sum_up(failure));
        }
        if moved {
            self.pause = FIRST_PAUSE;
        }
        self.left -= 1;
        self.meter.again(&failure, self.pause);
        self.first.get_or_insert(failure);
        self.armed.pause(self.pause)?;
        self.pause = longer(self.pause);
        Ok(())
    }

    /// Joins the last failure with the first.
    fn sum_up(&mut self, last: Error) -> Error {
        match self.first.take() {
            None | Some(Error::Interrupted) => last,
            Some(first) => last.after(first),
        }
    }
}

/// Returns whether the server has no room for so many connections.
pub(in crate::client) fn is_crowded(error: &Error) -> bool {
    match error {
        Error::Closing(_) | Error::Greeting(_) | Error::Login(_) => true,
        Error::Refused(reply) => {
            matches!(reply.code(), Code::CANNOT_OPEN_DATA | Code::NOT_LOGGED_IN)
        }
        Error::GaveUp { first, last } => is_crowded(first) || is_crowded(last),
        _ => false,
    }
}

fn longer(pause: Duration) -> Duration {
    (pause * PAUSE_GROWTH).min(LONGEST_PAUSE)
}

/// The tries that one transfer has, and the connection that it runs over.
pub(super) struct Retries<'a> {
    pub(super) connection: &'a mut Connection,
    tries: Tries<'a>,
    limit: SessionLimit,
}

impl<'a> Retries<'a> {
    /// Returns as many tries as `--retries` allows, besides the first.
    pub(super) fn new(
        connection: &'a mut Connection,
        settings: &TransferSettings,
        meter: &'a mut dyn Meter,
    ) -> Result<Retries<'a>, Error> {
        let limit = settings.limit.clone();
        Ok(Retries { connection, tries: Tries::new(settings, meter)?, limit })
    }

    /// Returns the connection and the observer, for a transfer that has tries of its own.
    pub(super) fn parts(&mut self) -> (&mut Connection, &mut dyn Meter) {
        (self.connection, self.tries.meter)
    }

    /// Runs a transfer until it is done or another try is pointless.
    pub(super) fn run(&mut self, transfer: &mut dyn Attempt) -> Result<u64, Error> {
        loop {
            let before = transfer.reached()?;
            let failure = match transfer.attempt(self.connection, self.tries.meter) {
                Ok(bytes) => {
                    self.limit.succeeded(self.connection.is_helper());
                    return Ok(bytes);
                }
                Err(failure) => failure,
            };
            match transfer.learn(&failure)? {
                Next::Retry => {}
                Next::StartOver => {
                    self.connection.reconnect_if_lost()?;
                    continue;
                }
                Next::Fail => return Err(failure),
                Next::FailAsFirst => return Err(self.tries.first.take().unwrap_or(failure)),
            }
            let moved = transfer.reached()? > before;
            self.prepare_next(failure, moved)?;
            while let Err(failure) = transfer.look_again(self.connection) {
                if !self.connection.is_lost() {
                    return Err(self.tries.sum_up(failure));
                }
                self.prepare_next(failure, false)?;
            }
        }
    }

    /// Runs a command that may be repeated until it succeeds or another try is pointless.
    pub(super) fn until_done(
        &mut self,
        command: impl FnMut(&mut Connection) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.run(&mut Repeated(command)).map(drop)
    }

    /// Waits, and makes sure that the connection can be used; fails if no further try is worth it.
    fn prepare_next(&mut self, mut failure: Error, mut moved: bool) -> Result<(), Error> {
        loop {
            let is_pushed_out = self.connection.is_lost() && self.learn_limit(moved);
            // The other connections do what a helper leaves, and need not wait for it.
            if self.connection.is_helper() && (is_pushed_out || is_crowded(&failure)) {
                return Err(failure);
            }
            if !is_pushed_out {
                self.tries.pause_after(failure, moved)?;
            }
            if !self.connection.is_lost() {
                return Ok(());
            }
            match self.connection.reconnect() {
                Ok(()) if self.connection.is_helper() => self.limit.other_begins(),
                Ok(()) => self.limit.first_is_back(),
                Err(error) => {
                    (failure, moved) = (error, false);
                    continue;
                }
            }
            return Ok(());
        }
    }

    /// Returns true if the connection was lost because another one began, and tells of it once. A helper
    /// that was lost before it moved anything is not made again either: it may be one session too many.
    fn learn_limit(&mut self, moved: bool) -> bool {
        let is_helper = self.connection.is_helper();
        let is_news = match is_helper {
            true => self.limit.other_was_lost(),
            false => self.limit.first_was_lost(moved),
        };
        if is_news {
            self.tries.meter.warn(ONE_SESSION);
        }
        is_news || (is_helper && (!moved || self.limit.is_one()))
    }

    /// Returns whether anything had to be tried again.
    pub(super) fn were_needed(&self) -> bool {
        self.tries.first.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::iter;

    #[test]
    fn five_pauses_outlast_a_server_that_restarts() {
        let pauses = iter::successors(Some(FIRST_PAUSE), |pause| Some(longer(*pause)));
        assert!(pauses.clone().take(5).sum::<Duration>() > Duration::from_secs(60));
        assert!(pauses.take(20).all(|pause| pause <= LONGEST_PAUSE));
    }
}
