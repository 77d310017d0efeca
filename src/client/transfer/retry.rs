//! The loop that tries a transfer again: what is worth another try, how many there are, and the
//! pauses between them.
//!
//! - The class of the error decides ([`Error::is_worth_a_retry`]); Ctrl-C ends the loop.
//! - After three tries in a row that moved no byte the transfer fails, whatever `--retries` allows: a
//!   failure that repeats at once is permanent, and a script has to hear of it.
//! - The error names the first failure beside the last: later ones are often only that the server
//!   did not accept the next connection.

use super::TransferSettings;
use crate::client::connection::Connection;
use crate::client::error::Error;
use crate::client::signals::Armed;
use std::time::Duration;

/// The first pause; each is twice as long as the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// How many tries in a row may move nothing.
const MOST_FRUITLESS: u32 = 3;

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

/// The tries that one transfer has, and the connection that it runs over. While it lives, Ctrl-C ends
/// the transfer and not the program.
pub(super) struct Retries<'a> {
    pub(super) connection: &'a mut Connection,
    meter: &'a mut dyn Meter,
    left: u32,
    fruitless: u32,
    pause: Duration,
    first: Option<Error>,
    armed: Armed,
}

impl<'a> Retries<'a> {
    /// Returns as many tries as `--retries` allows, besides the first.
    pub(super) fn new(
        connection: &'a mut Connection,
        settings: &'a TransferSettings,
        meter: &'a mut dyn Meter,
    ) -> Result<Retries<'a>, Error> {
        let armed = settings.interrupt.begin().map_err(Error::Local)?;
        let (left, fruitless, pause) = (settings.transfers.retries, 0, FIRST_PAUSE);
        Ok(Retries { connection, meter, left, fruitless, pause, first: None, armed })
    }

    /// Runs a transfer until it is done or another try is pointless.
    pub(super) fn run(&mut self, transfer: &mut dyn Attempt) -> Result<u64, Error> {
        loop {
            let before = transfer.reached()?;
            let failure = match transfer.attempt(self.connection, self.meter) {
                Ok(bytes) => return Ok(bytes),
                Err(failure) => failure,
            };
            match transfer.learn(&failure)? {
                Next::Retry => {}
                Next::Fail => return Err(failure),
                Next::FailAsFirst => return Err(self.first.take().unwrap_or(failure)),
            }
            let moved = transfer.reached()? > before;
            self.prepare_next(failure, moved)?;
            transfer.look_again(self.connection).map_err(|failure| self.sum_up(failure))?;
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
            self.fruitless = if moved { 0 } else { self.fruitless + 1 };
            if self.armed.came() {
                return Err(Error::Interrupted);
            }
            let is_over = self.left == 0 || self.fruitless >= MOST_FRUITLESS;
            if is_over || !failure.is_worth_a_retry() {
                return Err(self.sum_up(failure));
            }
            self.left -= 1;
            self.meter.again(&failure, self.pause);
            self.first.get_or_insert(failure);
            self.armed.pause(self.pause)?;
            self.pause = (self.pause * 2).min(LONGEST_PAUSE);
            if !self.connection.is_lost() {
                return Ok(());
            }
            match self.connection.reconnect() {
                Ok(()) => return Ok(()),
                Err(error) => (failure, moved) = (error, false),
            }
        }
    }

    /// Returns whether anything had to be tried again.
    pub(super) fn were_needed(&self) -> bool {
        self.first.is_some()
    }

    /// Joins the last failure with the first.
    fn sum_up(&mut self, last: Error) -> Error {
        match self.first.take() {
            None | Some(Error::Interrupted) => last,
            Some(_) if matches!(last, Error::Interrupted | Error::OutputClosed) => last,
            Some(first) => Error::GaveUp { first: Box::new(first), last: Box::new(last) },
        }
    }
}
