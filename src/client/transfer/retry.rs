//! The retry loop of transfers.
//!
//! - The class of the error decides whether a retry is made ([`Error::is_worth_a_retry`]). Ctrl-C ends the
//!   loop.
//! - `--retries` limits the number of retries. The pauses before them grow to 30 seconds, and start again
//!   from the shortest after a try that moved bytes. The default of five retries lasts as long as a server
//!   takes to restart.
//! - The final error contains the first and the last failure, because the last is often only that the server
//!   did not accept another connection.

use super::TransferSettings;
use super::session_limit::{ONE_SESSION, SessionLimit};
use crate::client::connection::Connection;
use crate::client::error::Error;
use crate::client::output::Messages;
use crate::client::signals::Armed;
use crate::protocol::Code;
use std::time::Duration;

/// The first pause. Each pause is five times as long as the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const PAUSE_GROWTH: u32 = 5;
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Observes the progress of a transfer.
pub(in crate::client) trait Meter: Send {
    /// Called when a try begins, with `before` of `total` bytes already transferred.
    fn begins(&mut self, _before: u64, _total: Option<u64>) {}
    /// Called with the number of bytes moved since the try began.
    fn moved(&mut self, _moved: u64) {}
    /// Called before the pause of a retry.
    fn again(&mut self, why: &Error, pause: Duration);
    /// Called with a warning about a successful transfer.
    fn warn(&mut self, _text: &str) {}
}

/// A [`Meter`] that prints a message for each retry and no progress.
pub(in crate::client) struct RetryNotes<'a> {
    /// The file or host, for the messages.
    pub(in crate::client) name: &'a [u8],
    /// The messages, unless they are disabled.
    pub(in crate::client) messages: Option<Messages>,
}

impl Meter for RetryNotes<'_> {
    fn again(&mut self, why: &Error, pause: Duration) {
        if let Some(messages) = self.messages {
            messages.retrying(self.name, why, pause);
        }
    }
}

/// A transfer that can be retried.
pub(super) trait Attempt {
    /// Makes one try and returns the size of the whole file.
    fn attempt(&mut self, connection: &mut Connection, meter: &mut dyn Meter)
    -> Result<u64, Error>;

    /// Returns the number of bytes transferred so far. A try that increases it has made progress.
    fn reached(&self) -> Result<u64, Error>;

    /// Decides what follows a failed try, before the pause.
    fn decide(&mut self, _failure: &Error) -> Result<Next, Error> {
        Ok(Next::Retry)
    }

    /// Checks the remote file before the next try.
    fn check_remote(&mut self, _: &mut Connection) -> Result<(), Error> {
        Ok(())
    }
}

/// The decision after a failed try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Retry, if the class of the error and the limit permit it.
    Retry,
    /// Retry at once without counting it, because the partial file of an earlier run was useless.
    StartOver,
    /// Fail with this error.
    Fail,
    /// Fail with the error of the first try.
    FailWithFirst,
}

/// An idempotent operation that is repeated until it succeeds.
struct Repeated<F>(F);

impl<F: FnMut(&mut Connection) -> Result<(), Error>> Attempt for Repeated<F> {
    fn attempt(&mut self, connection: &mut Connection, _: &mut dyn Meter) -> Result<u64, Error> {
        (self.0)(connection).map(|()| 0)
    }

    fn reached(&self) -> Result<u64, Error> {
        Ok(0)
    }
}

/// Reconnects after the server has closed an idle connection.
pub(in crate::client) fn restore(
    connection: &mut Connection,
    settings: &TransferSettings,
    meter: &mut dyn Meter,
) -> Result<(), Error> {
    Retries::new(connection, settings, meter)?.until_done(Connection::restore)
}

/// Opens a connection to a server that may not be reachable yet.
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

/// The number of retries left, and the next pause. While this exists, Ctrl-C ends the transfer and not the
/// program.
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

    /// Reports a failure and waits. Fails if there is no further retry.
    fn pause_after(&mut self, failure: Error, moved: bool) -> Result<(), Error> {
        if self.armed.came() {
            return Err(Error::Interrupted);
        }
        if self.left == 0 || !failure.is_worth_a_retry() {
            return Err(self.with_first(failure));
        }
        if moved {
            self.pause = FIRST_PAUSE;
        }
        self.left -= 1;
        self.meter.again(&failure, self.pause);
        self.first.get_or_insert(failure);
        self.armed.pause(self.pause)?;
        self.pause = next_pause(self.pause);
        Ok(())
    }

    /// Combines the last failure with the first.
    fn with_first(&mut self, last: Error) -> Error {
        match self.first.take() {
            None | Some(Error::Interrupted) => last,
            Some(first) => last.after(first),
        }
    }
}

/// Returns whether the error may mean that the server allows fewer connections.
pub(in crate::client) fn may_exceed_session_limit(error: &Error) -> bool {
    match error {
        Error::Closing(_) | Error::Greeting(_) | Error::Login(_) => true,
        Error::Refused(reply) => {
            matches!(reply.code(), Code::CANNOT_OPEN_DATA | Code::NOT_LOGGED_IN)
        }
        Error::GaveUp { first, last } => {
            may_exceed_session_limit(first) || may_exceed_session_limit(last)
        }
        _ => false,
    }
}

fn next_pause(pause: Duration) -> Duration {
    (pause * PAUSE_GROWTH).min(LONGEST_PAUSE)
}

/// The retries of one transfer, and its connection.
pub(super) struct Retries<'a> {
    pub(super) connection: &'a mut Connection,
    tries: Tries<'a>,
    limit: SessionLimit,
}

impl<'a> Retries<'a> {
    /// Creates the retries that `--retries` allows.
    pub(super) fn new(
        connection: &'a mut Connection,
        settings: &TransferSettings,
        meter: &'a mut dyn Meter,
    ) -> Result<Retries<'a>, Error> {
        let limit = settings.limit.clone();
        Ok(Retries { connection, tries: Tries::new(settings, meter)?, limit })
    }

    /// Returns the connection and the meter, for a transfer with separate retries.
    pub(super) fn parts(&mut self) -> (&mut Connection, &mut dyn Meter) {
        (self.connection, self.tries.meter)
    }

    /// Runs a transfer until it succeeds or there is no further retry.
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
            match transfer.decide(&failure)? {
                Next::Retry => {}
                Next::StartOver => {
                    self.connection.reconnect_if_lost()?;
                    continue;
                }
                Next::Fail => return Err(failure),
                Next::FailWithFirst => return Err(self.tries.first.take().unwrap_or(failure)),
            }
            let moved = transfer.reached()? > before;
            self.prepare_next(failure, moved)?;
            while let Err(failure) = transfer.check_remote(self.connection) {
                if !self.connection.is_lost() {
                    return Err(self.tries.with_first(failure));
                }
                self.prepare_next(failure, false)?;
            }
        }
    }

    /// Runs an idempotent operation until it succeeds or there is no further retry.
    pub(super) fn until_done(
        &mut self,
        command: impl FnMut(&mut Connection) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.run(&mut Repeated(command)).map(drop)
    }

    /// Waits and reconnects if necessary. Fails if there is no further retry.
    fn prepare_next(&mut self, mut failure: Error, mut moved: bool) -> Result<(), Error> {
        loop {
            let is_pushed_out = self.connection.is_lost() && self.learn_limit(moved);
            // The other connections take over the work of a helper at once.
            if self.connection.is_helper() && (is_pushed_out || may_exceed_session_limit(&failure))
            {
                return Err(failure);
            }
            if !is_pushed_out {
                self.tries.pause_after(failure, moved)?;
            }
            if !self.connection.is_lost() {
                return Ok(());
            }
            match self.connection.reconnect() {
                Ok(()) if self.connection.is_helper() => self.limit.helper_opens(),
                Ok(()) => self.limit.first_is_restored(),
                Err(error) => {
                    (failure, moved) = (error, false);
                    continue;
                }
            }
            return Ok(());
        }
    }

    /// Returns true if the connection was probably lost because the server allows only one session, and
    /// reports that once. Also returns true for a helper that was lost before it moved any bytes, because
    /// the server may allow no further session.
    fn learn_limit(&mut self, moved: bool) -> bool {
        let is_helper = self.connection.is_helper();
        let is_news = match is_helper {
            true => self.limit.helper_was_lost(),
            false => self.limit.first_was_lost(moved),
        };
        if is_news {
            self.tries.meter.warn(ONE_SESSION);
        }
        is_news || (is_helper && (!moved || self.limit.is_one()))
    }

    /// Returns whether a retry was needed.
    pub(super) fn were_made(&self) -> bool {
        self.tries.first.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::iter;

    #[test]
    fn five_pauses_last_longer_than_the_restart_of_a_server() {
        let pauses = iter::successors(Some(FIRST_PAUSE), |pause| Some(next_pause(*pause)));
        assert!(pauses.clone().take(5).sum::<Duration>() > Duration::from_secs(60));
        assert!(pauses.take(20).all(|pause| pause <= LONGEST_PAUSE));
    }
}
