//! Watches the control connection during a transfer or another long command.

use crate::net::{self, Stream, TransferHooks, Verdict};
use crate::protocol::{Code, Command, Control, Line, Reply};
use crate::rate::{Party, Rate, Turns};
use crate::server::error::Refusal;
use crate::server::monitor::sessions::Registration;
use crate::server::session::read_ahead;
use crate::shutdown::{Shutdown, Stage};
use crate::sys::{Interest, PollItem, Waitable};
use std::io;
use std::time::{Duration, Instant};

const LOST: Refusal = Refusal::Aborted("The control connection is lost.");
const CLOSED: Refusal = Refusal::Aborted("The control connection was closed.");

/// Watches the control connection while a transfer runs.
///
/// ABOR stops the transfer and stays in the queue: the session answers it after the transfer's own
/// reply. NOOP and STAT are answered at once. Any other command waits, and so does everything after it,
/// so that commands are answered in order.
///
/// The end of the control connection also stops a transfer (RFC 959 section 3.2), unless QUIT came
/// before it. A client that closed its half before the transfer began is a script that has sent all its
/// commands, as in `printf ... | nc`; its transfer continues unless the connection is lost. A client
/// that has closed both halves is recognized by the reset with which its system answers the 150.
pub(in crate::server::session) struct ControlWatch<'a> {
    control: &'a mut Control<Stream>,
    shutdown: &'a Shutdown,
    /// Counts the moved bytes.
    registration: Option<&'a Registration<'a>>,
    /// The transfer's share of the rate limits, and the number of its bytes that were counted there.
    turns: Option<Turns>,
    spent: u64,
    watched: Watched,
    /// True if the client has received a 150. If not, NOOP and STAT cannot be answered at once, because
    /// the client would take the reply for that of its running command.
    is_transfer: bool,
    /// True if the client had closed its half before the transfer began.
    half_closed: bool,
    /// The time until which the end of the client's half counts as having come before the transfer.
    script_until: Option<Instant>,
    stopped: Option<Refusal>,
}

/// The events of the control connection that are watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Watched {
    /// Commands, and the end of the connection.
    Commands,
    /// Only the end of the connection, behind commands that wait.
    End,
    /// Only a reset of the connection.
    Loss,
    /// Nothing.
    Nothing,
}

impl ControlWatch<'_> {
    /// Watches `control` and `shutdown` during a transfer, whose bytes `registration` counts.
    pub(in crate::server::session) fn new<'a>(
        control: &'a mut Control<Stream>,
        shutdown: &'a Shutdown,
        registration: &'a Registration<'a>,
    ) -> ControlWatch<'a> {
        let quiet = ControlWatch::for_abort(control, shutdown);
        ControlWatch { registration: Some(registration), is_transfer: true, ..quiet }
    }

    /// Sets whether the client had closed its half before the transfer (`half_closed`), or sent the
    /// command before the previous reply (`pipelined`). The end of such a script follows its last
    /// command immediately, but the system may deliver it a little later.
    pub(in crate::server::session) fn with_script_state(
        self,
        half_closed: bool,
        pipelined: bool,
    ) -> Self {
        const DELAY: Duration = Duration::from_millis(200);
        let script_until = if pipelined { net::deadline(DELAY) } else { None };
        ControlWatch { half_closed, script_until, ..self }
    }

    /// Returns whether the client had closed its half when the transfer began.
    pub(in crate::server::session) fn is_half_closed(&self) -> bool {
        self.half_closed
    }

    /// Watches only for ABOR, for a command that sends no preliminary reply.
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
            watched: Watched::Commands,
            is_transfer: false,
            half_closed: false,
            script_until: None,
            stopped: None,
        }
    }

    /// Applies these rate limits to the rest of the transfer.
    pub(in crate::server::session) fn set_rates(&mut self, rates: Vec<(Rate, Party)>) {
        self.turns = (!rates.is_empty()).then(|| Turns::new(rates));
    }

    /// Returns why the transfer was stopped.
    pub(in crate::server::session) fn refusal(self) -> Refusal {
        self.stopped.unwrap_or(Refusal::Aborted("Transfer aborted."))
    }

    fn stop(&mut self, why: Refusal) -> Verdict {
        self.stopped = Some(why);
        Verdict::Stop
    }

    /// Handles the lines that have already arrived.
    pub(in crate::server::session) fn handle_lines(&mut self) -> Verdict {
        let moved = self.registration.map_or(0, |registration| registration.entry().moved());
        while self.watched == Watched::Commands {
            let Some(line) = self.control.peek_line() else { return Verdict::Continue };
            let Line::Text(text) = line else { break };
            let reply = match Command::parse(text) {
                Ok(Command::Abor) => return self.stop(Refusal::Aborted("Transfer aborted.")),
                Ok(Command::Noop) if self.is_transfer => {
                    Reply::new(Code::OK, "Transfer in progress.")
                }
                Ok(Command::Stat(None)) if self.is_transfer => Reply::new(
                    Code::FILE_STATUS,
                    format!("Transfer in progress, {moved} bytes so far."),
                ),
                _ => break,
            };
            self.control.take_line();
            if self.control.send_reply(&reply).is_err() {
                return self.stop(LOST);
            }
        }
        if self.watched == Watched::Commands {
            self.stop_handling_commands();
        }
        Verdict::Continue
    }

    /// Stops handling commands, because one waits for its turn. After QUIT the client may close the
    /// connection.
    fn stop_handling_commands(&mut self) {
        self.watched = if !self.is_transfer || read_ahead::has_quit(self.control) {
            Watched::Nothing
        } else if read_ahead::is_full(self.control) {
            Watched::Loss
        } else {
            Watched::End
        };
    }

    /// Reads all data from the control connection, without waiting. This includes data that TLS has
    /// already decrypted, which the next poll would not show.
    fn read_all(&mut self) -> Verdict {
        loop {
            let verdict = self.read();
            let hears = matches!(self.watched, Watched::Commands | Watched::End);
            if verdict == Verdict::Stop || !hears || self.control.stream().pending() == 0 {
                return verdict;
            }
        }
    }

    fn read(&mut self) -> Verdict {
        match read_ahead::read(self.control) {
            Ok(0) if self.half_closed || self.script_until > Some(Instant::now()) => {
                (self.half_closed, self.watched) = (true, Watched::Loss);
            }
            Ok(0) if self.is_transfer => return self.stop(CLOSED),
            // Only transfers are stopped; the client waits for the reply to other commands.
            Ok(0) => self.watched = Watched::Nothing,
            Ok(_) if self.watched == Watched::End => self.stop_handling_commands(),
            Ok(_) => return self.handle_lines(),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => return self.stop(LOST),
        }
        Verdict::Continue
    }

    /// Checks whether a connection that the client has half closed is lost.
    fn check_loss(&mut self) -> Verdict {
        if read_ahead::is_lost(self.control) {
            return self.stop(LOST);
        }
        Verdict::Continue
    }
}

impl TransferHooks for ControlWatch<'_> {
    fn items(&self) -> [PollItem<'_>; 2] {
        let stream = self.control.stream();
        let handle = stream.handle();
        let control = match self.watched {
            Watched::Commands | Watched::End => PollItem::new(handle, stream.wants_to_read()),
            Watched::Loss => PollItem::new(handle, Interest::Loss),
            Watched::Nothing => PollItem::nothing(),
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

    fn check(&mut self, _moved: u64) -> Verdict {
        if self.shutdown.stage() == Stage::Stopping {
            return self.stop(Refusal::Aborted("The server is shutting down."));
        }
        match self.watched {
            Watched::Commands | Watched::End => self.read_all(),
            Watched::Loss => self.check_loss(),
            Watched::Nothing => Verdict::Continue,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::data::testing::tls_pair;
    use crate::sys::poll;
    use std::io::Write;

    /// Regression test: such a client used to keep the processor busy, with a readable socket but no
    /// readable data.
    #[test]
    fn a_client_that_does_not_read_key_updates_causes_no_busy_loop() {
        let Some((server, mut client)) = tls_pair(0) else { return };
        let mut raw = server.tcp().try_clone().unwrap();
        let mut stream = Stream::new(server.tcp().try_clone().unwrap(), None).unwrap();
        stream.start_tls(server);
        let (mut control, shutdown) = (Control::new(stream), Shutdown::new().unwrap());
        let mut watch = ControlWatch::for_abort(&mut control, &shutdown);
        while watch.control.stream().wants_to_read() == Interest::Read {
            while raw.write(&[0; 64 * 1024]).is_ok() {}
            let Some(asked) = client.ask_for_new_keys() else { return };
            asked.unwrap();
            assert_eq!(watch.check(0), Verdict::Continue);
        }
        client.ask_for_new_keys().unwrap().unwrap();
        assert_eq!(poll(&mut watch.items(), Some(Duration::ZERO)).unwrap(), 0);
    }
}
