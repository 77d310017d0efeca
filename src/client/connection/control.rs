//! The only place where commands go out and replies come in.

use super::Connection;
use super::idle::{Exchange, is_harmless};
use crate::client::error::Error;
use crate::client::output::Spoken;
use crate::client::signals::Armed;
use crate::net;
use crate::protocol::{Code, Command, Reply};
use crate::sys::{Interest, PollItem, Tls, Waitable};
use std::io;
use std::time::{Duration, Instant};

/// How many replies in a row may come that no command asked for, or that are preliminary. Without a
/// limit a server could hold the client forever.
pub(in crate::client) const MOST_UNASKED: u32 = 32;

/// The longest wait for the reply to a command that went out together with another, once the other
/// is done: nothing else reveals a server that loses such commands.
pub(in crate::client) const FOLLOWER_PATIENCE: Duration = Duration::from_secs(3);

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
    /// Sends a command and waits for its final reply.
    pub(in crate::client) fn call(&mut self, command: &Command) -> Result<Reply, Error> {
        self.ask(command).and_then(done)
    }

    /// Does the same before a deadline.
    pub(super) fn call_by(
        &mut self,
        command: &Command,
        deadline: Option<Instant>,
    ) -> Result<Reply, Error> {
        self.discard_unasked()?;
        self.send(command)?;
        self.final_reply_by(deadline).and_then(done)
    }

    /// Sends commands without waiting in between, and returns the result of each.
    pub(in crate::client) fn call_all(
        &mut self,
        commands: &[Command],
    ) -> Vec<Result<Reply, Error>> {
        if !self.capabilities.pipelines {
            return commands.iter().map(|command| self.call(command)).collect();
        }
        let all: Vec<&Command> = commands.iter().collect();
        let ready = self.settle_names(commands).and_then(|()| self.discard_unasked());
        if let Err(error) = ready.and_then(|()| self.send_all(&all)) {
            return vec![Err(error)];
        }
        commands.iter().map(|_| self.final_reply().and_then(done)).collect()
    }

    /// Sends commands in one piece and returns their replies. `None` means that the server has lost
    /// some of them: from then on it is sent one at a time, over a new connection.
    pub(super) fn ask_together(
        &mut self,
        commands: &[Command],
    ) -> Result<Option<Vec<Reply>>, Error> {
        self.settle_names(commands)?;
        self.discard_unasked()?;
        self.send_all(&commands.iter().collect::<Vec<_>>())?;
        let mut replies = vec![self.final_reply()?];
        let patience = self.settings.timeout.min(FOLLOWER_PATIENCE);
        while replies.len() < commands.len() {
            match self.reply_by(net::deadline(patience)) {
                Ok(reply) => replies.push(reply),
                Err(error @ Error::Closing(_)) => return Err(error),
                Err(_) => {
                    self.capabilities.pipelines = false;
                    return self.reconnect().map(|()| None);
                }
            }
        }
        Ok(Some(replies))
    }

    /// Sends commands in one piece.
    pub(in crate::client) fn send_all(&mut self, commands: &[&Command]) -> Result<(), Error> {
        let mut lines = Vec::new();
        for command in commands {
            self.trace(Spoken::Command(command));
            self.exchange = self.exchange.sent(is_harmless(command));
            command.write_to(&mut lines);
            lines.extend_from_slice(b"\r\n");
        }
        self.transmit(&lines)
    }

    /// Sends encoded lines.
    pub(super) fn transmit(&mut self, lines: &[u8]) -> Result<(), Error> {
        let sent = match self.doubles() {
            true => self.control.send(lines),
            false => self.control.send_undoubled(lines),
        };
        self.checked(sent)
    }

    /// Sends a command and leaves its reply to the caller.
    pub(in crate::client) fn send(&mut self, command: &Command) -> Result<(), Error> {
        self.trace(Spoken::Command(command));
        self.exchange = self.exchange.sent(is_harmless(command));
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
        self.trace(Spoken::Reply(&reply));
        let is_closing = reply.code() == Code::NOT_AVAILABLE;
        self.exchange = self.exchange.answered(is_closing);
        if is_closing {
            self.lost = true;
            return Err(Error::Closing(reply));
        }
        Ok(reply)
    }

    /// Returns whether something of the server was read from the socket already, so that no poll shows it.
    pub(in crate::client) fn has_unread(&self) -> bool {
        self.control.peek_line().is_some() || self.control.stream().pending() > 0
    }

    /// Reads what has arrived, without waiting, and returns whether a reply has begun in it. A socket
    /// that is ready does not say so: what arrived may be a Telnet command, or a message of TLS.
    pub(in crate::client) fn has_reply(&mut self) -> Result<bool, Error> {
        self.control.stream_mut().set_waiting(false);
        let read = self.read_waiting();
        self.control.stream_mut().set_waiting(true);
        self.checked(read)
    }

    fn read_waiting(&mut self) -> io::Result<bool> {
        for _ in 0..MOST_UNASKED {
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

    /// Waits until a reply begins, Ctrl-C comes, or the deadline passes, which the read that follows
    /// reports.
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

    /// Returns what to poll for: a reply, or the end of the connection.
    pub(in crate::client) fn item(&self) -> PollItem<'_> {
        // TLS may have to write before it can read.
        let interest = self.tls().map_or(Interest::Read, Tls::wants);
        PollItem::new(self.control.stream().handle(), interest)
    }

    /// Marks the connection as lost.
    pub(in crate::client) fn lose(&mut self) {
        self.lost = true;
    }

    /// Throws away replies that no command asked for, so that they are not taken for the reply to the
    /// next one. Notices that the server has closed the connection.
    pub(in crate::client) fn discard_unasked(&mut self) -> Result<(), Error> {
        if self.lost {
            return Err(Error::Lost(io::ErrorKind::NotConnected.into()));
        }
        for _ in 0..MOST_UNASKED {
            if !self.has_reply()? {
                return Ok(());
            }
            self.reply_by(net::deadline(self.settings.timeout))?;
        }
        self.lost = true;
        Err(Error::Unasked)
    }

    pub(super) fn ask(&mut self, command: &Command) -> Result<Reply, Error> {
        self.settle_names([command])?;
        self.discard_unasked()?;
        self.send(command)?;
        self.final_reply()
    }

    /// Does the same where the server is not known to answer yet: Ctrl-C ends the wait and the
    /// connection, and so does the deadline.
    pub(super) fn ask_unless_interrupted(
        &mut self,
        command: &Command,
        deadline: Option<Instant>,
    ) -> Result<Reply, Error> {
        let armed = self.settings.interrupt.begin().map_err(Error::Local)?;
        self.discard_unasked()?;
        self.send(command)?;
        self.wait_unless_interrupted(&armed, deadline)?;
        self.final_reply_by(deadline)
    }

    /// Reads the server's greeting. A server that is not ready yet says 120 first (RFC 959 section 5.4).
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
        for _ in 0..MOST_UNASKED {
            let reply = self.reply_by(deadline)?;
            if !reply.code().is_preliminary() {
                return Ok(reply);
            }
        }
        self.lost = true;
        Err(Error::Unasked)
    }

    pub(super) fn trace(&self, spoken: Spoken<'_>) {
        if let Some(trace) = self.settings.trace {
            trace(spoken);
        }
    }

    pub(super) fn checked<T>(&mut self, result: io::Result<T>) -> Result<T, Error> {
        result.map_err(|error| {
            self.lost = true;
            let error = Error::of_control(error, self.settings.timeout);
            if !matches!(error, Error::Lost(_)) {
                // The server is there, or may still carry the command out.
                self.exchange = Exchange::Answered;
            }
            error
        })
    }
}

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
    fn what_was_not_asked_for_is_no_answer() {
        let mut connection = Script::serve(|server| {
            server.expect("PWD", "257 \"/a\"\"b\"\r\n200 by the way");
            server.expect("PWD", "257 \"/b\"");
        });
        assert_eq!(connection.current_dir().unwrap(), b"/a\"b");
        assert_eq!(connection.current_dir().unwrap(), b"/b");
    }

    #[test]
    fn a_421_ends_the_connection_and_every_call_after_it_says_so() {
        let mut connection = Script::serve(|server| {
            server.expect("PWD", "421 too long idle");
        });
        let error = connection.current_dir().unwrap_err();
        assert_eq!(error.to_string(), "the server closed the connection: 421 too long idle");
        assert!(connection.is_lost());
        assert!(matches!(connection.current_dir(), Err(Error::Lost(_))));
    }

    #[test]
    fn no_reply_in_time_ends_the_connection() {
        let settings = Settings { timeout: Duration::from_millis(50), ..Settings::default() };
        let mut connection = Script::serve_as(settings, |server| {
            server.hear();
            server.hear();
        });
        assert!(matches!(connection.current_dir(), Err(Error::TimedOut(_))));
        assert!(connection.is_lost());
    }
}
