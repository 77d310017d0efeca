//! Commands that the user sends as they are: which of them are refused, and how the client follows what
//! the others change of the session.

use super::Connection;
use super::encryption::DataProtection;
use super::idle::is_idempotent;
use crate::client::error::Error;
use crate::client::output::TraceEvent;
use crate::protocol::{Code, Command, Name, Opts, Protection, Reply, Verb};
use std::time::Instant;

/// The user's settings for a connection that other connections to the same server also need.
#[derive(Clone, Default)]
pub(super) struct QuotedSettings {
    /// The virtual host (HOST).
    host: Option<Name>,
    /// Names are in UTF-8, or are not (OPTS UTF8).
    utf8: Option<bool>,
}

impl Connection {
    /// Sends a line as it is and returns the answer, whatever it is. Transfers are not possible this way.
    ///
    /// # Errors
    /// [`Error::Usage`] for a command after which client and server would not agree on the session;
    /// nothing is sent then. Those of every reply.
    pub fn quote(&mut self, line: &Name) -> Result<Reply, Error> {
        check(line, self.is_encrypted())?;
        self.discard_unsolicited()?;
        self.trace(TraceEvent::RawCommand(line.as_bytes()));
        let command = Command::parse(line.as_bytes());
        self.exchange = self.exchange.sent(command.as_ref().is_ok_and(is_idempotent));
        self.transmit(&[line.as_bytes(), b"\r\n"].concat())?;
        // The command may have been TYPE or PASV.
        self.current = None;
        self.route = None;
        let reply = self.final_reply()?;
        if let Ok(command) = command {
            self.follow(command, &reply);
        }
        // The server closes after this one.
        self.lost = reply.code() == Code::CLOSING;
        self.begin_tls_if_agreed(&reply)?;
        Ok(reply)
    }

    /// Takes over what a command that the user has sent has changed at the server.
    fn follow(&mut self, command: Command, reply: &Reply) {
        let (code, is_done) = (reply.code(), reply.code().is_success());
        match command {
            Command::Cwd(_) | Command::Cdup if is_done => self.origin.push_step(command),
            Command::User(user) if is_done || code.is_intermediate() => {
                self.discard_server_state();
                self.origin.user_named(user);
                if is_done {
                    self.origin.password_accepted(None);
                }
            }
            Command::Pass(password) if is_done || code == Code::NEED_ACCOUNT => {
                self.origin.password_accepted(Some(password));
            }
            Command::Acct(account) if is_done => {
                self.origin.password_accepted(None);
                self.origin.set_account(account);
            }
            Command::Rein if is_done => {
                self.discard_server_state();
                self.quoted = QuotedSettings::default();
                self.origin.logged_out();
            }
            Command::Host(host) if is_done => {
                self.discard_server_state();
                self.quoted.host = Some(host);
            }
            Command::Opts(Opts::Utf8(is_on)) if is_done => self.quoted.utf8 = Some(is_on),
            Command::Prot(level @ (Protection::Clear | Protection::Private))
                if is_done && self.is_encrypted() =>
            {
                let is_private = level == Protection::Private;
                self.settings.tls.set_protects_data(is_private);
                self.data_protection =
                    if is_private { DataProtection::Private } else { DataProtection::Clear };
            }
            _ => {}
        }
    }

    /// Names the virtual host, if the user has named one for the connection before.
    pub(super) fn name_host(&mut self, deadline: Option<Instant>) -> Result<(), Error> {
        match self.quoted.host.clone() {
            Some(host) => self.call_by(&Command::Host(host), deadline).map(drop),
            None => Ok(()),
        }
    }

    /// Returns whether names are to be in UTF-8 where the server can do that.
    pub(super) fn wants_utf8(&self) -> bool {
        self.quoted.utf8.unwrap_or(true)
    }
}

/// Refuses a command that this client could not follow.
fn check(line: &Name, is_encrypted: bool) -> Result<(), Error> {
    let line = line.as_bytes().trim_ascii();
    let (word, argument) = match line.iter().position(|byte| *byte == b' ') {
        Some(space) => (&line[..space], line[space..].trim_ascii()),
        None => (line, &b""[..]),
    };
    let Some(verb) = Verb::parse(word) else { return Ok(()) };
    let refused =
        |why| Err(Error::Usage(format!("QUOTE does not send {}: {why}", verb.row().spelling)));
    objection(verb, argument, is_encrypted).map_or(Ok(()), refused)
}

/// Returns why a verb is refused and what to use, if it is. A verb that changes what the client keeps of a
/// session is either refused here or followed by [`Connection::follow`].
fn objection(verb: Verb, argument: &[u8], is_encrypted: bool) -> Option<&'static str> {
    let is = |word: &str| argument.eq_ignore_ascii_case(word.as_bytes());
    match verb {
        Verb::Retr => Some("use RETRIEVE"),
        Verb::Stor | Verb::Stou => Some("use STORE"),
        Verb::Appe => Some("use APPEND"),
        Verb::List | Verb::Mlsd => Some("use LIST"),
        Verb::Nlst => Some("use NLIST"),
        Verb::Rest | Verb::Rang if !is("0") => {
            Some("it would change the next transfer; to continue one, use REGET or REPUT")
        }
        Verb::Mode if !is("S") => Some("files are transferred in stream mode (MODE S)"),
        Verb::Stru if !is("F") => Some("files are transferred without records (STRU F)"),
        Verb::Ccc if is_encrypted => Some("it would turn encryption off; use CONNECT"),
        Verb::Rein if is_encrypted => {
            Some("it would turn encryption off; use USER to log in as another user, or CONNECT")
        }
        Verb::User
        | Verb::Pass
        | Verb::Acct
        | Verb::Rein
        | Verb::Quit
        | Verb::Cwd
        | Verb::Cdup
        | Verb::Port
        | Verb::Eprt
        | Verb::Pasv
        | Verb::Epsv
        | Verb::Type
        | Verb::Mode
        | Verb::Stru
        | Verb::Allo
        | Verb::Rest
        | Verb::Rnfr
        | Verb::Rnto
        | Verb::Abor
        | Verb::Dele
        | Verb::Rmd
        | Verb::Mkd
        | Verb::Pwd
        | Verb::Mlst
        | Verb::Size
        | Verb::Mdtm
        | Verb::Mfmt
        | Verb::Stat
        | Verb::Syst
        | Verb::Help
        | Verb::Noop
        | Verb::Feat
        | Verb::Opts
        | Verb::Site
        | Verb::Host
        | Verb::Hash
        | Verb::Xcrc
        | Verb::Xmd5
        | Verb::Xsha1
        | Verb::Xsha256
        | Verb::Xsha512
        | Verb::Rang
        | Verb::Mff
        | Verb::Mfct
        | Verb::Avbl
        | Verb::Dsiz
        | Verb::Rmda
        | Verb::Csid
        | Verb::Clnt
        | Verb::Lang
        | Verb::Auth
        | Verb::Pbsz
        | Verb::Prot
        | Verb::Ccc => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::test_server::Script;

    #[test]
    fn after_a_command_of_the_user_the_next_data_connection_is_agreed_on_again() {
        for (line, reply) in [
            ("PASV", "227 =127,0,0,1,4,5"),
            ("EPSV", "229 (|||9|)"),
            ("PORT 127,0,0,1,4,5", "200 ok"),
            ("USER me", "331 password"),
            ("REIN", "220 again"),
        ] {
            let mut connection = Script::serve(move |server| server.expect(line, reply));
            let peer = connection.peer();
            connection.route = Some(peer);
            connection.quote(&Name::new(line).unwrap()).unwrap();
            assert_eq!(connection.route, None, "{line}");
        }
    }
}
