//! Commands of a connection that are not transfers.

use super::super::error::Error;
use super::super::output::TraceEvent;
use super::idle::Exchange;
use super::{Connection, DataMode, LineEnds, Representation, file_time, number};
use crate::protocol::time::parse_timestamp;
use crate::protocol::{Command, Name, Secret, parse_quoted};
use std::time::SystemTime;

/// Commands that are not transfers.
impl Connection {
    /// Changes the current directory.
    ///
    /// # Errors
    /// The errors of every command.
    pub fn change_dir(&mut self, to: &Name) -> Result<(), Error> {
        self.step(Command::Cwd(to.clone()))
    }

    /// Changes to the parent directory.
    ///
    /// # Errors
    /// The errors of every command.
    pub fn change_to_parent(&mut self) -> Result<(), Error> {
        self.step(Command::Cdup)
    }

    fn step(&mut self, step: Command) -> Result<(), Error> {
        self.call(&step)?;
        self.origin.push_step(step);
        if self.origin.has_many_steps()
            && let Ok(path) = self.current_dir()
            && let Some(path) = Name::new(path)
        {
            self.origin.set_dir(path);
        }
        Ok(())
    }

    /// Returns the current directory.
    ///
    /// # Errors
    /// The errors of every command; [`Error::Unintelligible`] for a 257 without a path.
    pub fn current_dir(&mut self) -> Result<Vec<u8>, Error> {
        let reply = self.call(&Command::Pwd)?;
        let path = parse_quoted(reply.text()).or_else(|| unquoted_path(reply.text()));
        path.ok_or(Error::Unintelligible(reply))
    }

    /// Makes a directory.
    ///
    /// # Errors
    /// The errors of every command.
    pub fn make_dir(&mut self, name: &Name) -> Result<(), Error> {
        self.call(&Command::Mkd(name.clone())).map(drop)
    }

    /// Removes a directory.
    ///
    /// # Errors
    /// The errors of every command.
    pub fn remove_dir(&mut self, name: &Name) -> Result<(), Error> {
        self.call(&Command::Rmd(name.clone())).map(drop)
    }

    /// Removes a directory and its content with RMDA.
    pub(in crate::client) fn remove_tree(&mut self, name: &Name) -> Result<(), Error> {
        self.call(&Command::Rmda(name.clone())).map(drop)
    }

    /// Deletes a file.
    ///
    /// # Errors
    /// The errors of every command.
    pub fn delete(&mut self, name: &Name) -> Result<(), Error> {
        self.call(&Command::Dele(name.clone())).map(drop)
    }

    /// Renames a file or directory.
    ///
    /// # Errors
    /// The errors of every command.
    pub fn rename(&mut self, from: &Name, to: &Name) -> Result<(), Error> {
        self.call(&Command::Rnfr(from.clone()))?;
        let renamed = self.call(&Command::Rnto(to.clone())).map(drop);
        if let Err(Error::Closing(_)) = renamed {
            // RNFR alone has no effect, so both commands may be repeated.
            self.exchange = Exchange::NotExecuted;
        }
        renamed
    }

    /// Returns the size of a file in bytes.
    ///
    /// # Errors
    /// The errors of every command; [`Error::Unintelligible`] for a 213 without a number.
    pub fn size(&mut self, name: &Name) -> Result<u64, Error> {
        self.set_type(Representation::Image)?;
        let reply = self.call(&Command::Size(name.clone()))?;
        number(&reply).ok_or(Error::Unintelligible(reply))
    }

    /// Returns the modification time of a file.
    ///
    /// # Errors
    /// The errors of every command; [`Error::Unintelligible`] for a 213 without a time.
    pub fn modified(&mut self, name: &Name) -> Result<SystemTime, Error> {
        let reply = self.call(&file_time::mdtm_command(name))?;
        parse_timestamp(reply.text().trim_ascii()).ok_or(Error::Unintelligible(reply))
    }

    /// Sets how data connections are made.
    pub fn set_mode(&mut self, mode: DataMode) {
        self.settings.mode = mode;
    }

    /// Enables or disables EPSV and EPRT over IPv4 and IPv6. If enabled, they are tried again even if
    /// the server has refused them.
    pub fn set_epsv(&mut self, epsv4: bool, epsv6: bool) {
        (self.settings.epsv4, self.settings.epsv6) = (epsv4, epsv6);
        self.capabilities.epsv = true;
    }

    /// Sets the line ends of downloads in TYPE A.
    pub fn set_line_ends(&mut self, ends: LineEnds) {
        self.settings.line_ends = ends;
    }

    /// Sets the function that is called for every command and reply.
    pub fn set_trace(&mut self, trace: Option<fn(TraceEvent<'_>)>) {
        self.settings.trace = trace;
    }

    /// Sends ACCT, which some servers require for some commands.
    ///
    /// # Errors
    /// The errors of every command.
    pub fn account(&mut self, account: Secret) -> Result<(), Error> {
        self.call(&Command::Acct(account.clone()))?;
        self.origin.set_account(account);
        Ok(())
    }

    /// Sets the representation type of the next transfers.
    pub fn set_representation(&mut self, representation: Representation) {
        self.wanted = representation;
    }
}

/// Parses the path in a 257 without quotes: `/pub is the current directory`.
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
    fn a_positive_reply_without_its_value_is_an_error() {
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
    fn an_unquoted_path_is_parsed() {
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
            server.expect("RNFR  a b ", "350 ready");
            server.expect("RNTO c", "250 done");
        });
        let [from, to] = [" a b ", "c"].map(|name| Name::new(name).unwrap());
        connection.rename(&from, &to).unwrap();
    }
}
