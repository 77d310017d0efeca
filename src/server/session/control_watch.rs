//! Listening to the control connection while something long runs.

use crate::net::{self, Attention, Stream, Verdict};
use crate::protocol::{Code, Command, Control, Line, Reply};
use crate::rate::{Party, Rate, Turns};
use crate::server::error::Refusal;
use crate::server::monitor::sessions::Registration;
use crate::server::session::read_ahead;
use crate::shutdown::{Shutdown, Stage};
use crate::sys::{Interest, PollItem, Waitable};
use std::io;
use std::time::{Duration, Instant};

const LOST: Refusal = Refusal::Broken("The control connection is lost.");
const CLOSED: Refusal = Refusal::Broken("The control connection was closed.");

/// Listens to the control connection while a transfer runs.
///
/// ABOR breaks it off and stays in its place: the session answers it after the transfer's own
/// reply. NOOP and STAT are answered at once. Anything else waits for its turn, and everything
/// after it too, so commands are never answered out of order.
///
/// The end of the control connection breaks a transfer off as well (RFC 959 section 3.2), unless QUIT
/// came before it. A client that had closed its half before the transfer began is a script that has
/// sent all its commands, as in `printf ... | nc`: its transfer continues as long as the connection is
/// not lost. A script is told from a client that has closed both halves by the 150, which the system of
/// the latter answers with a reset.
pub(in crate::server::session) struct ControlWatch<'a> {
    control: &'a mut Control<Stream>,
    shutdown: &'a Shutdown,
    /// Where is counted what moves.
    registration: Option<&'a Registration<'a>>,
    /// Its part of the rates that are limited, and how many bytes it took of that.
    turns: Option<Turns>,
    spent: u64,
    hearing: Hearing,
    /// Whether the client was told by a 150 that something runs. Without it NOOP and STAT cannot be
    /// answered at once: the client would take that for the answer to its command.
    is_transfer: bool,
    /// Whether the client had closed its half before the transfer began.
    half_closed: bool,
    /// Until when its end still counts as one before the transfer.
    script_until: Option<Instant>,
    stopped: Option<Refusal>,
}

/// What is heard on the control connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hearing {
    /// Commands.
    Commands,
    /// The end alone, behind commands that wait for their turn.
    End,
    /// A reset alone.
    Loss,
    /// Nothing.
    Nothing,
}

impl ControlWatch<'_> {
    /// Listens to `control` and to `shutdown` during a transfer, whose bytes `registration` counts.
    pub(in crate::server::session) fn new<'a>(
        control: &'a mut Control<Stream>,
        shutdown: &'a Shutdown,
        registration: &'a Registration<'a>,
    ) -> ControlWatch<'a> {
        let quiet = ControlWatch::for_abort(control, shutdown);
        ControlWatch { registration: Some(registration), is_transfer: true, ..quiet }
    }

    /// Says whether the client had closed its half before the transfer, or sent the transfer without
    /// waiting for the reply before it. The end of such a script follows its last command at once, but the
    /// system may deliver it a little later.
    pub(in crate::server::session) fn of_script(self, half_closed: bool, unasked: bool) -> Self {
        const DELAY: Duration = Duration::from_millis(200);
        let script_until = if unasked { net::deadline(DELAY) } else { None };
        ControlWatch { half_closed, script_until, ..self }
    }

    /// Returns true if the client had closed its half when the transfer began.
    pub(in crate::server::session) fn is_half_closed(&self) -> bool {
        self.half_closed
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
            hearing: Hearing::Commands,
            is_transfer: false,
            half_closed: false,
            script_until: None,
            stopped: None,
        }
    }

    /// Keeps to these rates from now on.
    pub(in crate::server::session) fn keep_to(&mut self, rates: Vec<(Rate, Party)>) {
        self.turns = (!rates.is_empty()).then(|| Turns::new(rates));
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
        while self.hearing == Hearing::Commands {
            let Some(line) = self.control.peek_line() else { return Verdict::Continue };
            let Line::Text(text) = line else { break };
            let reply = match Command::parse(text) {
                Ok(Command::Abor) => return self.stop(Refusal::Broken("Transfer aborted.")),
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
        if self.hearing == Hearing::Commands {
            self.hear_the_end_alone();
        }
        Verdict::Continue
    }

    /// A command waits for its turn, so that no other is answered. After QUIT the client may close.
    fn hear_the_end_alone(&mut self) {
        self.hearing = if !self.is_transfer || read_ahead::has_quit(self.control) {
            Hearing::Nothing
        } else if read_ahead::is_full(self.control) {
            Hearing::Loss
        } else {
            Hearing::End
        };
    }

    /// Reads what has come on the control connection, without waiting. What TLS has decrypted already
    /// does not show in the next poll, so it is read too.
    fn read_all(&mut self) -> Verdict {
        loop {
            let verdict = self.read();
            let hears = matches!(self.hearing, Hearing::Commands | Hearing::End);
            if verdict == Verdict::Stop || !hears || self.control.stream().pending() == 0 {
                return verdict;
            }
        }
    }

    fn read(&mut self) -> Verdict {
        match read_ahead::read(self.control) {
            Ok(0) if self.half_closed || self.script_until > Some(Instant::now()) => {
                (self.half_closed, self.hearing) = (true, Hearing::Loss);
            }
            Ok(0) if self.is_transfer => return self.stop(CLOSED),
            // No command but a transfer is broken off: its answer is all that the client waits for.
            Ok(0) => self.hearing = Hearing::Nothing,
            Ok(_) if self.hearing == Hearing::End => self.hear_the_end_alone(),
            Ok(_) => return self.look_at_lines(),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => return self.stop(LOST),
        }
        Verdict::Continue
    }

    /// Looks whether a connection that the client has half closed is lost by now.
    fn look_for_loss(&mut self) -> Verdict {
        if read_ahead::is_lost(self.control) {
            return self.stop(LOST);
        }
        Verdict::Continue
    }
}

impl Attention for ControlWatch<'_> {
    fn items(&self) -> [PollItem<'_>; 2] {
        let stream = self.control.stream();
        let handle = stream.handle();
        let control = match self.hearing {
            Hearing::Commands | Hearing::End => PollItem::new(handle, stream.wants_to_read()),
            Hearing::Loss => PollItem::new(handle, Interest::Loss),
            Hearing::Nothing => PollItem::nothing(),
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
        match self.hearing {
            Hearing::Commands | Hearing::End => self.read_all(),
            Hearing::Loss => self.look_for_loss(),
            Hearing::Nothing => Verdict::Continue,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::data::testing::tls_pair;
    use crate::sys::poll;
    use std::io::Write;

    /// It took all the time of a processor: its socket was ready to be read, and no read got on.
    #[test]
    fn a_client_that_does_not_read_the_answers_of_tls_does_not_keep_a_transfer_busy() {
        let Some((server, mut client)) = tls_pair(0) else { return };
        let mut raw = server.tcp().try_clone().unwrap();
        let mut stream = Stream::new(server.tcp().try_clone().unwrap(), None).unwrap();
        stream.secure(server);
        let (mut control, shutdown) = (Control::new(stream), Shutdown::new().unwrap());
        let mut watch = ControlWatch::for_abort(&mut control, &shutdown);
        while watch.control.stream().wants_to_read() == Interest::Read {
            while raw.write(&[0; 64 * 1024]).is_ok() {}
            let Some(asked) = client.ask_for_new_keys() else { return };
            asked.unwrap();
            assert_eq!(watch.attend(0), Verdict::Continue);
        }
        client.ask_for_new_keys().unwrap().unwrap();
        assert_eq!(poll(&mut watch.items(), Some(Duration::ZERO)).unwrap(), 0);
    }
}
