//! Sending commands and reading replies. All traffic of the control connection goes through here.

use super::Connection;
use super::idle::{Exchange, is_idempotent};
use crate::client::error::Error;
use crate::client::output::TraceEvent;
use crate::client::signals::Armed;
use crate::net;
use crate::protocol::{Code, Command, Reply};
use crate::sys::{Interest, PollItem, Tls, Waitable};
use std::io;
use std::time::{Duration, Instant};

/// The number of unsolicited or preliminary replies that are accepted in a row. Without a limit a server
/// could hold the client forever.
pub(in crate::client) const MAX_UNSOLICITED_REPLIES: u32 = 32;

/// The longest wait for the reply to a pipelined command once the one before it is answered. Only this
/// timeout detects a server that drops pipelined commands.
pub(in crate::client) const PIPELINE_TIMEOUT: Duration = Duration::from_secs(3);

/// The result of a wait for a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::client) enum ReplyWait {
    /// A reply has begun to arrive.
    Begun,
    Interrupted,
    TimedOut,
}

/// Commands and replies.
impl Connection {
    /// Sends a command and waits for its final reply, which must be positive.
    pub(in crate::client) fn call(&mut self, command: &Command) -> Result<Reply, Error> {
        self.ask(command).and_then(done)
    }

    /// Like [`Connection::call`], with a deadline.
    pub(super) fn call_by(
        &mut self,
        command: &Command,
        deadline: Option<Instant>,
    ) -> Result<Reply, Error> {
        self.discard_unsolicited()?;
        self.send(command)?;
        self.final_reply_by(deadline).and_then(done)
    }

    /// Sends commands without waiting for each reply, and returns the result of each.
    pub(in crate::client) fn call_all(
        &mut self,
        commands: &[Command],
    ) -> Vec<Result<Reply, Error>> {
        if !self.capabilities.pipelining {
            return commands.iter().map(|command| self.call(command)).collect();
        }
        let all: Vec<&Command> = commands.iter().collect();
        let ready = self.probe_iac(commands).and_then(|()| self.discard_unsolicited());
        if let Err(error) = ready.and_then(|()| self.send_all(&all)) {
            return vec![Err(error)];
        }
        commands.iter().map(|_| self.final_reply().and_then(done)).collect()
    }

    /// Pipelines commands and returns their replies. `None` means that the server has dropped some of
    /// them: the client has reconnected, and sends one command at a time from then on.
    pub(super) fn pipeline(&mut self, commands: &[Command]) -> Result<Option<Vec<Reply>>, Error> {
        self.probe_iac(commands)?;
        self.discard_unsolicited()?;
        self.send_all(&commands.iter().collect::<Vec<_>>())?;
        let mut replies = vec![self.final_reply()?];
        let patience = self.settings.timeout.min(PIPELINE_TIMEOUT);
        while replies.len() < commands.len() {
            match self.reply_by(net::deadline(patience)) {
                Ok(reply) => replies.push(reply),
                Err(error @ Error::Closing(_)) => return Err(error),
                Err(_) => {
                    self.capabilities.pipelining = false;
                    return self.reconnect().map(|()| None);
                }
            }
        }
        Ok(Some(replies))
    }

    /// Sends commands in one write.
    pub(in crate::client) fn send_all(&mut self, commands: &[&Command]) -> Result<(), Error> {
        let mut lines = Vec::new();
        for command in commands {
            self.trace(TraceEvent::Command(command));
            self.exchange = self.exchange.sent(is_idempotent(command));
            command.write_to(&mut lines);
            lines.extend_from_slice(b"\r\n");
        }
        self.transmit(&lines)
    }

    /// Sends encoded lines, with bytes 255 doubled if the server understands that.
    pub(super) fn transmit(&mut self, lines: &[u8]) -> Result<(), Error> {
        let sent = match self.doubles_iac() {
            true => self.control.send(lines),
            false => self.control.send_undoubled(lines),
        };
        self.checked(sent)
    }

    /// Sends a command and leaves its reply to the caller.
    pub(in crate::client) fn send(&mut self, command: &Command) -> Result<(), Error> {
        self.trace(TraceEvent::Command(command));
        self.exchange = self.exchange.sent(is_idempotent(command));
        let mut line = Vec::new();
        command.write_to(&mut line);
        line.extend_from_slice(b"\r\n");
        self.transmit(&line)
    }

    /// Reads a reply, which must come before the deadline.
    pub(in crate::client) fn reply_by(
        &mut self,
        deadline: Option<Instant>,
    ) -> Result<Reply, Error> {
        self.control.stream_mut().set_deadline(deadline);
        let read = self.control.read_reply();
        self.checked_reply(read)
    }

    fn checked_reply(&mut self, read: io::Result<Reply>) -> Result<Reply, Error> {
        let reply = self.checked(read)?;
        self.trace(TraceEvent::Reply(&reply));
        let is_closing = reply.code() == Code::NOT_AVAILABLE;
        self.exchange = self.exchange.answered(is_closing);
        if is_closing {
            self.lost = true;
            return Err(Error::Closing(reply));
        }
        Ok(reply)
    }

    /// Returns whether bytes from the server are buffered, so that polling the socket does not show them.
    pub(in crate::client) fn has_unread(&self) -> bool {
        self.control.peek_line().is_some() || self.control.stream().pending() > 0
    }

    /// Reads the bytes that have arrived, without waiting, and returns whether a reply has begun. A ready
    /// socket alone proves nothing: the bytes may be a Telnet command or a TLS record without data.
    pub(in crate::client) fn has_reply(&mut self) -> Result<bool, Error> {
        self.control.stream_mut().set_waiting(false);
        let read = self.read_waiting();
        self.control.stream_mut().set_waiting(true);
        self.checked(read)
    }

    fn read_waiting(&mut self) -> io::Result<bool> {
        for _ in 0..MAX_UNSOLICITED_REPLIES {
            if !self.control.is_empty() {
                return Ok(true);
            }
            match self.control.fill() {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(false)
    }

    /// Waits until a reply begins, Ctrl-C is pressed, or the deadline passes. The read that follows
    /// reports the timeout.
    pub(in crate::client) fn wait_for_reply(
        &mut self,
        armed: Option<&Armed>,
        deadline: Option<Instant>,
    ) -> Result<ReplyWait, Error> {
        while !self.has_reply()? {
            let mut items = [armed.map_or(PollItem::nothing(), Armed::item), self.item()];
            match net::wait(&mut items, deadline) {
                Ok(()) if items[0].ready() => return Ok(ReplyWait::Interrupted),
                Ok(()) if net::has_passed(deadline) => return Ok(ReplyWait::TimedOut),
                Ok(()) => {}
                Err(_) => return Ok(ReplyWait::TimedOut),
            }
        }
        Ok(ReplyWait::Begun)
    }

    /// Returns the poll item for a reply or the end of the connection.
    pub(in crate::client) fn item(&self) -> PollItem<'_> {
        // TLS may have to write before it can read.
        let interest = self.tls().map_or(Interest::Read, Tls::wants);
        PollItem::new(self.control.stream().handle(), interest)
    }

    /// Marks the connection as lost.
    pub(in crate::client) fn mark_lost(&mut self) {
        self.lost = true;
    }

    /// Discards unsolicited replies, so that none is mistaken for the reply to the next command. Fails if
    /// the server has closed the connection.
    pub(in crate::client) fn discard_unsolicited(&mut self) -> Result<(), Error> {
        if self.lost {
            return Err(Error::Lost(io::ErrorKind::NotConnected.into()));
        }
        for _ in 0..MAX_UNSOLICITED_REPLIES {
            if !self.has_reply()? {
                return Ok(());
            }
            self.reply_by(net::deadline(self.settings.timeout))?;
        }
        self.lost = true;
        Err(Error::TooManyReplies)
    }

    /// Sends a command and waits for its final reply, positive or negative.
    pub(super) fn ask(&mut self, command: &Command) -> Result<Reply, Error> {
        self.probe_iac([command])?;
        self.discard_unsolicited()?;
        self.send(command)?;
        self.final_reply()
    }

    /// Like [`Connection::ask`], for commands before and during the login: Ctrl-C or the deadline ends
    /// the wait and the connection.
    pub(super) fn ask_unless_interrupted(
        &mut self,
        command: &Command,
        deadline: Option<Instant>,
    ) -> Result<Reply, Error> {
        let armed = self.settings.interrupt.begin().map_err(Error::Local)?;
        self.discard_unsolicited()?;
        self.send(command)?;
        self.wait_unless_interrupted(&armed, deadline)?;
        self.final_reply_by(deadline)
    }

    /// Reads the server's greeting. A server that is not ready yet sends 120 first (RFC 959 section 5.4).
    pub(super) fn greeting(&mut self, deadline: Option<Instant>) -> Result<Reply, Error> {
        let armed = self.settings.interrupt.begin().map_err(Error::Local)?;
        self.wait_unless_interrupted(&armed, deadline)?;
        self.control.stream_mut().set_deadline(deadline);
        let read = self.control.read_greeting();
        let reply = self.checked_reply(read)?;
        if reply.code().is_preliminary() { self.final_reply_by(deadline) } else { Ok(reply) }
    }

    fn wait_unless_interrupted(
        &mut self,
        armed: &Armed,
        deadline: Option<Instant>,
    ) -> Result<(), Error> {
        match self.wait_for_reply(Some(armed), deadline)? {
            ReplyWait::Interrupted => {
                self.lost = true;
                Err(Error::Interrupted)
            }
            ReplyWait::Begun | ReplyWait::TimedOut => Ok(()),
        }
    }

    pub(super) fn final_reply(&mut self) -> Result<Reply, Error> {
        self.final_reply_by(net::deadline(self.settings.timeout))
    }

    fn final_reply_by(&mut self, deadline: Option<Instant>) -> Result<Reply, Error> {
        for _ in 0..MAX_UNSOLICITED_REPLIES {
            let reply = self.reply_by(deadline)?;
            if !reply.code().is_preliminary() {
                return Ok(reply);
            }
        }
        self.lost = true;
        Err(Error::TooManyReplies)
    }

    pub(super) fn trace(&self, event: TraceEvent<'_>) {
        if let Some(trace) = self.settings.trace {
            trace(event);
        }
    }

    /// Converts an error of the control connection, which is lost then.
    pub(super) fn checked<T>(&mut self, result: io::Result<T>) -> Result<T, Error> {
        result.map_err(|error| {
            self.lost = true;
            let error = Error::of_control(error, self.settings.timeout);
            if !matches!(error, Error::Lost(_)) {
                // The server is alive or may still execute the command, so it must not be repeated.
                self.exchange = Exchange::Answered;
            }
            error
        })
    }
}

/// Turns a negative reply into [`Error::Refused`].
pub(super) fn done(reply: Reply) -> Result<Reply, Error> {
    let done = reply.code().is_success() || reply.code().is_intermediate();
    if done { Ok(reply) } else { Err(Error::Refused(reply)) }
}

#[cfg(test)]
mod tests {
    use super::super::Settings;
    use super::*;
    use crate::client::test_server::Script;

    #[test]
    fn an_unsolicited_reply_is_discarded() {
        let mut connection = Script::serve(|server| {
            server.expect("PWD", "257 \"/a\"\"b\"\r\n200 by the way");
            server.expect("PWD", "257 \"/b\"");
        });
        assert_eq!(connection.current_dir().unwrap(), b"/a\"b");
        assert_eq!(connection.current_dir().unwrap(), b"/b");
    }

    #[test]
    fn after_a_421_every_call_fails() {
        let mut connection = Script::serve(|server| {
            server.expect("PWD", "421 too long idle");
        });
        let error = connection.current_dir().unwrap_err();
        assert_eq!(error.to_string(), "the server closed the connection: 421 too long idle");
        assert!(connection.is_lost());
        assert!(matches!(connection.current_dir(), Err(Error::Lost(_))));
    }

    #[test]
    fn a_reply_timeout_ends_the_connection() {
        let settings = Settings { timeout: Duration::from_millis(50), ..Settings::default() };
        let mut connection = Script::serve_as(settings, |server| {
            server.hear();
            server.hear();
        });
        assert!(matches!(connection.current_dir(), Err(Error::TimedOut(_))));
        assert!(connection.is_lost());
    }
}
