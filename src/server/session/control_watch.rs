//! Listening to the control connection while something long runs.

use crate::net::{Attention, Stream, Verdict};
use crate::protocol::{Code, Command, Control, Line, Reply};
use crate::rate::{Party, Rate, Turns};
use crate::server::error::Refusal;
use crate::server::monitor::sessions::Registration;
use crate::shutdown::{Shutdown, Stage};
use crate::sys::{Interest, PollItem, Waitable};
use std::io;
use std::time::Instant;

/// Listens to the control connection while a transfer runs.
///
/// ABOR breaks it off and stays in its place: the session answers it after the transfer's own
/// reply. NOOP and STAT are answered at once. Anything else waits for its turn, and everything
/// after it too, so commands are never answered out of order.
pub(in crate::server::session) struct ControlWatch<'a> {
    control: &'a mut Control<Stream>,
    shutdown: &'a Shutdown,
    /// Where is counted what moves.
    registration: Option<&'a Registration<'a>>,
    /// Its part of the rates that are limited, and how many bytes it took of that.
    turns: Option<Turns>,
    spent: u64,
    listening: bool,
    /// Whether NOOP and STAT are answered at once. They may only where the client was told that
    /// something runs: without a 150 they would come in the place of its answer.
    answering: bool,
    /// Whether the client has still to connect, which one that has closed will not do.
    expecting: bool,
    stopped: Option<Refusal>,
}

impl ControlWatch<'_> {
    /// Listens to `control` and to `shutdown` during a transfer, whose bytes `signed` counts.
    pub(in crate::server::session) fn new<'a>(
        control: &'a mut Control<Stream>,
        shutdown: &'a Shutdown,
        registration: &'a Registration<'a>,
    ) -> ControlWatch<'a> {
        let quiet = ControlWatch::for_abort(control, shutdown);
        ControlWatch { registration: Some(registration), answering: true, ..quiet }
    }

    /// The same for a command that gives no sign before its answer: only ABOR is heard.
    pub(in crate::server::session) fn for_abort<'a>(
        control: &'a mut Control<Stream>,
        shutdown: &'a Shutdown,
    ) -> ControlWatch<'a> {
        ControlWatch {
            control,
            shutdown,
            registration: None,
            turns: None,
            spent: 0,
            listening: true,
            answering: false,
            expecting: false,
            stopped: None,
        }
    }

    /// Keeps to these rates from now on.
    pub(in crate::server::session) fn keep_to(&mut self, rates: Vec<(Rate, Party)>) {
        self.turns = (!rates.is_empty()).then(|| Turns::new(rates));
    }

    /// Says whether the client has still to connect.
    pub(in crate::server::session) fn expect_client(&mut self, expecting: bool) {
        self.expecting = expecting;
    }

    /// Why the transfer was stopped.
    pub(in crate::server::session) fn refusal(self) -> Refusal {
        self.stopped.unwrap_or(Refusal::Broken("Transfer aborted."))
    }

    fn stop(&mut self, why: Refusal) -> Verdict {
        self.stopped = Some(why);
        Verdict::Stop
    }

    /// Deals with the lines that have arrived already.
    pub(in crate::server::session) fn look_at_lines(&mut self) -> Verdict {
        let moved = self.registration.map_or(0, |registration| registration.entry().moved());
        while self.listening {
            let Some(line) = self.control.peek_line() else { return Verdict::Continue };
            let Line::Text(text) = line else { break };
            let reply = match Command::parse(text) {
                Ok(Command::Abor) => return self.stop(Refusal::Broken("Transfer aborted.")),
                Ok(Command::Noop) if self.answering => {
                    Reply::new(Code::OK, "Transfer in progress.")
                }
                Ok(Command::Stat(None)) if self.answering => Reply::new(
                    Code::FILE_STATUS,
                    format!("Transfer in progress, {moved} bytes so far."),
                ),
                _ => break,
            };
            self.control.take_line();
            if self.control.send_reply(&reply).is_err() {
                return self.stop(Refusal::Broken("The control connection is lost."));
            }
        }
        self.listening = false;
        Verdict::Continue
    }

    /// Reads what has come on the control connection, without waiting.
    fn read(&mut self) -> Verdict {
        self.control.stream_mut().set_waiting(false);
        let read = self.control.fill();
        self.control.stream_mut().set_waiting(true);
        match read {
            Ok(0) if self.expecting => {
                return self.stop(Refusal::Broken("The control connection was closed."));
            }
            // A client may close its half after its last command and still wait for the data.
            Ok(0) => self.listening = false,
            Ok(_) => return self.look_at_lines(),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => return self.stop(Refusal::Broken("The control connection is lost.")),
        }
        Verdict::Continue
    }
}

impl Attention for ControlWatch<'_> {
    fn items(&self) -> [PollItem<'_>; 2] {
        let control = match self.listening {
            true => PollItem::new(self.control.stream().handle(), Interest::Read),
            false => PollItem::nothing(),
        };
        [control, self.shutdown.stopping()]
    }

    fn moved(&mut self, total: u64) {
        if let Some(registration) = self.registration {
            registration.set_moved(total);
        }
        if let Some(turns) = &mut self.turns {
            turns.spend(total - self.spent);
            self.spent = total;
        }
    }

    fn allowance(&mut self) -> Result<usize, Instant> {
        self.turns.as_mut().map_or(Ok(usize::MAX), Turns::allowance)
    }

    fn attend(&mut self, _moved: u64) -> Verdict {
        if self.shutdown.stage() == Stage::Stopping {
            return self.stop(Refusal::Broken("The server is shutting down."));
        }
        if self.listening { self.read() } else { Verdict::Continue }
    }
}
