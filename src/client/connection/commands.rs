//! What a server can do besides transfers.

use super::super::error::Error;
use super::super::output::Spoken;
use super::idle::{Exchange, is_harmless};
use super::{Connection, DataMode, LineEnds, Representation, file_time, number};
use crate::protocol::time::parse_timestamp;
use crate::protocol::{Code, Command, Name, Reply, Secret, parse_quoted};
use std::time::SystemTime;

/// What a server can do besides transfers.
impl Connection {
    /// Changes the directory.
    ///
    /// # Errors
    /// Those of every command.
    pub fn change_dir(&mut self, to: &Name) -> Result<(), Error> {
        self.step(Command::Cwd(to.clone()))
    }

    /// Changes to the directory above.
    ///
    /// # Errors
    /// Those of every command.
    pub fn change_to_parent(&mut self) -> Result<(), Error> {
        self.step(Command::Cdup)
    }

    fn step(&mut self, step: Command) -> Result<(), Error> {
        self.call(&step)?;
        self.origin.stepped(step);
        if self.origin.is_roundabout()
            && let Ok(path) = self.current_dir()
            && let Some(path) = Name::new(path)
        {
            self.origin.stands_in(path);
        }
        Ok(())
    }

    /// The directory we stand in.
    ///
    /// # Errors
    /// Those of every command; [`Error::Unintelligible`] for a 257 without a path.
    pub fn current_dir(&mut self) -> Result<Vec<u8>, Error> {
        let reply = self.call(&Command::Pwd)?;
        let path = parse_quoted(reply.text()).or_else(|| unquoted_path(reply.text()));
        path.ok_or(Error::Unintelligible(reply))
    }

    /// Makes a directory.
    ///
    /// # Errors
    /// Those of every command.
    pub fn make_dir(&mut self, name: &Name) -> Result<(), Error> {
        self.call(&Command::Mkd(name.clone())).map(drop)
    }

    /// Removes a directory.
    ///
    /// # Errors
    /// Those of every command.
    pub fn remove_dir(&mut self, name: &Name) -> Result<(), Error> {
        self.call(&Command::Rmd(name.clone())).map(drop)
    }

    /// Removes a directory with all that is in it, by RMDA.
    pub(in crate::client) fn remove_tree(&mut self, name: &Name) -> Result<(), Error> {
        self.call(&Command::Rmda(name.clone())).map(drop)
    }

    /// Deletes a file.
    ///
    /// # Errors
    /// Those of every command.
    pub fn delete(&mut self, name: &Name) -> Result<(), Error> {
        self.call(&Command::Dele(name.clone())).map(drop)
    }

    /// Gives a file or directory another name.
    ///
    /// # Errors
    /// Those of every command.
    pub fn rename(&mut self, from: &Name, to: &Name) -> Result<(), Error> {
        self.call(&Command::Rnfr(from.clone()))?;
        let renamed = self.call(&Command::Rnto(to.clone())).map(drop);
        if let Err(Error::Closing(_)) = renamed {
            // RNFR has had no effect.
            self.exchange = Exchange::Declined;
        }
        renamed
    }

    /// The size of a file in bytes.
    ///
    /// # Errors
    /// Those of every command; [`Error::Unintelligible`] for a 213 without a number.
    pub fn size(&mut self, name: &Name) -> Result<u64, Error> {
        self.take_type(Representation::Bytes)?;
        let reply = self.call(&Command::Size(name.clone()))?;
        number(&reply).ok_or(Error::Unintelligible(reply))
    }

    /// When a file was last modified.
    ///
    /// # Errors
    /// Those of every command; [`Error::Unintelligible`] for a 213 without a time.
    pub fn modified(&mut self, name: &Name) -> Result<SystemTime, Error> {
        let reply = self.call(&file_time::question(name))?;
        parse_timestamp(reply.text().trim_ascii()).ok_or(Error::Unintelligible(reply))
    }

    /// How data connections are made from now on.
    pub fn set_mode(&mut self, mode: DataMode) {
        self.settings.mode = mode;
    }

    /// Uses EPSV and EPRT over IPv4 and over IPv6 from now on, or does not. Where it does, they are tried
    /// again even if the server has refused them.
    pub fn set_extended(&mut self, epsv4: bool, epsv6: bool) {
        (self.settings.epsv4, self.settings.epsv6) = (epsv4, epsv6);
        self.capabilities.extended = true;
    }

    /// How lines of texts that are fetched end from now on.
    pub fn set_line_ends(&mut self, ends: LineEnds) {
        self.settings.line_ends = ends;
    }

    /// Who is told of every command and reply from now on.
    pub fn set_trace(&mut self, trace: Option<fn(Spoken<'_>)>) {
        self.settings.trace = trace;
    }

    /// Names an account, which some commands need on some servers.
    ///
    /// # Errors
    /// Those of every command.
    pub fn account(&mut self, account: Secret) -> Result<(), Error> {
        self.call(&Command::Acct(account.clone()))?;
        self.origin.named_account(account);
        Ok(())
    }

    /// Sends a line as it is and returns the answer, whatever it is. Transfers cannot be made so.
    ///
    /// # Errors
    /// Those of every reply.
    pub fn quote(&mut self, line: &Name) -> Result<Reply, Error> {
        self.discard_unasked()?;
        self.trace(Spoken::Typed(line.as_bytes()));
        let command = Command::parse(line.as_bytes());
        self.exchange = self.exchange.sent(command.as_ref().is_ok_and(is_harmless));
        self.transmit(&[line.as_bytes(), b"\r\n"].concat())?;
        // It may have been TYPE, or REIN.
        self.current = None;
        let reply = self.final_reply()?;
        if let Ok(step @ (Command::Cwd(_) | Command::Cdup)) = command
            && reply.code().is_success()
        {
            self.origin.stepped(step);
        }
        // The server closes after this one.
        self.lost = reply.code() == Code::CLOSING;
        self.begin_tls_if_agreed(&reply)?;
        Ok(reply)
    }

    /// What files are transferred as from now on.
    pub fn transfer_as(&mut self, representation: Representation) {
        self.wanted = representation;
    }
}

/// Finds the path in the text of a 257 without quotes: `/pub is the current directory`.
fn unquoted_path(text: &[u8]) -> Option<Vec<u8>> {
    let text = text.trim_ascii();
    let end = text.windows(4).position(|words| words.eq_ignore_ascii_case(b" is "));
    text.starts_with(b"/").then(|| text[..end.unwrap_or(text.len())].to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::test_server::Script;

    #[test]
    fn a_yes_without_what_it_should_say_is_an_error() {
        let mut connection = Script::serve(|server| {
            server.expect("PWD", "257 here");
            server.expect("MDTM a", "213 yesterday");
            server.expect("TYPE I", "200 ok");
            server.expect("SIZE a", "213 large");
        });
        let name = Name::new("a").unwrap();
        assert!(matches!(connection.current_dir(), Err(Error::Unintelligible(_))));
        assert!(matches!(connection.modified(&name), Err(Error::Unintelligible(_))));
        assert!(matches!(connection.size(&name), Err(Error::Unintelligible(_))));
        assert!(!connection.is_lost());
    }

    #[test]
    fn a_path_may_come_without_quotes() {
        for (text, path) in [
            ("/", Some("/")),
            (" /a b ", Some("/a b")),
            ("/pub is current directory.", Some("/pub")),
            ("pub", None),
            ("", None),
        ] {
            assert_eq!(unquoted_path(text.as_bytes()), path.map(Into::into), "{text}");
        }
    }

    #[test]
    fn a_name_is_sent_byte_by_byte() {
        let mut connection = Script::serve(|server| {
            server.expect("RNFR  a b ", "350 go on");
            server.expect("RNTO c", "250 done");
        });
        let [from, to] = [" a b ", "c"].map(|name| Name::new(name).unwrap());
        connection.rename(&from, &to).unwrap();
    }
}
