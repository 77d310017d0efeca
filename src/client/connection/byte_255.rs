//! The byte 255 (Telnet IAC) in names.
//!
//! The byte begins Telnet commands, so in a name it is sent twice (RFC 959 section 2.3, RFC 854). Servers
//! without Telnet support, such as vsftpd and Pure-FTPd, take both bytes as part of the name. Before the
//! first command with such a name, read-only commands (MDTM, STAT) determine the form that this server
//! understands. Without a proof the byte is sent twice, because the wrong form could act on another file.
//!
//! A reply about a name with a single 255 proves nothing if the server may have removed a Telnet command from
//! the name. To exclude that, the client asks about the name without these bytes, and with them in another
//! position: the same reply means that the server removes them.

use super::{Connection, file_time};
use crate::client::error::Error;
use crate::protocol::{Command, Name};

/// The number of names that are probed without a result before probing ends.
const MAX_PROBES: u8 = 8;

/// The longest Telnet command that a lone 255 may begin, in bytes (RFC 854).
const MAX_TELNET_COMMAND: usize = 3;

const IAC: u8 = 255;

/// The form in which a byte 255 in a name is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum IacForm {
    /// Twice, without a proof that the server understands it; the number of names that may still be probed.
    Unknown(u8),
    /// Twice: the server understands it.
    Doubled,
    /// Once: the server takes two bytes as part of the name.
    Single,
}

impl IacForm {
    pub(super) const DEFAULT: IacForm = IacForm::Unknown(MAX_PROBES);
}

/// Probing.
impl Connection {
    /// Probes how a byte 255 has to be sent, if these are the first commands about an existing file or
    /// directory with such a name.
    pub(in crate::client) fn probe_iac<'a>(
        &mut self,
        commands: impl IntoIterator<Item = &'a Command>,
    ) -> Result<(), Error> {
        let IacForm::Unknown(tries @ 1..) = self.capabilities.iac_form else { return Ok(()) };
        let name = commands.into_iter().filter_map(existing_name).find(|name| name.contains(&IAC));
        let Some(name) = name else { return Ok(()) };
        let left = IacForm::Unknown(tries - 1);
        let found = self.probe_name(&name);
        self.capabilities.iac_form = found.as_ref().ok().copied().flatten().unwrap_or(left);
        found.map(drop)
    }

    fn probe_name(&mut self, name: &[u8]) -> Result<Option<IacForm>, Error> {
        if self.query_name(name, IacForm::Doubled)?.is_some() {
            return Ok(Some(IacForm::Doubled));
        }
        let Some(found) = self.query_name(name, IacForm::Single)? else { return Ok(None) };
        for length in 1..=MAX_TELNET_COMMAND {
            let (rest, command) = without_commands(name, length);
            let elsewhere = [command, &rest].concat();
            if !rest.is_empty()
                && self.gives_same_reply(&rest, &found)?
                && self.gives_same_reply(&elsewhere, &found)?
            {
                return Ok(None);
            }
        }
        Ok(Some(IacForm::Single))
    }

    fn gives_same_reply(&mut self, name: &[u8], found: &Vec<Vec<u8>>) -> Result<bool, Error> {
        self.query_name(name, IacForm::Single).map(|lines| lines.as_ref() == Some(found))
    }

    /// Returns the server's reply to MDTM or STAT about a file or directory; `None` if it does not exist.
    /// The listing of STAT is empty if nothing exists; `-a` adds a line for an empty directory.
    fn query_name(
        &mut self,
        name: &[u8],
        iac_form: IacForm,
    ) -> Result<Option<Vec<Vec<u8>>>, Error> {
        let all = Name::new([b"-a ", name].concat());
        let questions = [
            Name::new(name).as_ref().map(file_time::mdtm_command),
            all.map(|all| Command::Stat(Some(all))),
        ];
        for question in questions.into_iter().flatten() {
            self.capabilities.iac_form = iac_form;
            self.discard_unsolicited()?;
            self.send(&question)?;
            let reply = self.final_reply()?;
            let is_listing = matches!(question, Command::Stat(_));
            if reply.code().is_success() && (!is_listing || !reply.body().is_empty()) {
                let mut lines = reply.body().to_vec();
                lines.push(reply.text().to_vec());
                return Ok(Some(lines));
            }
        }
        Ok(None)
    }

    /// Returns whether a byte 255 is sent twice.
    pub(super) fn doubles_iac(&self) -> bool {
        self.capabilities.iac_form != IacForm::Single
    }
}

/// Returns the name of the file or directory that must exist for a command to succeed.
fn existing_name(command: &Command) -> Option<Vec<u8>> {
    let name = match command {
        Command::Cwd(name)
        | Command::Retr(name)
        | Command::Stor(name)
        | Command::Appe(name)
        | Command::Rnfr(name)
        | Command::Dele(name)
        | Command::Rmd(name)
        | Command::Size(name)
        | Command::Mdtm(name)
        | Command::Hash(name)
        | Command::Mfmt(_, name)
        | Command::Mlsd(Some(name))
        | Command::Mlst(Some(name))
        | Command::Nlst(Some(name)) => name.as_bytes(),
        Command::List(Some(name)) => {
            name.as_bytes().strip_prefix(b"-a ").unwrap_or(name.as_bytes())
        }
        _ => return None,
    };
    Some(name.to_vec())
}

/// Returns a name without its Telnet commands, if each has this length, and the last of these commands.
fn without_commands(name: &[u8], length: usize) -> (Vec<u8>, &[u8]) {
    let (mut left, mut command) = (Vec::new(), &b""[..]);
    let mut rest = name;
    while let Some((&byte, after)) = rest.split_first() {
        if byte == IAC {
            (command, rest) = rest.split_at(length.min(rest.len()));
        } else {
            left.push(byte);
            rest = after;
        }
    }
    (left, command)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn telnet_commands_are_removed_from_a_name() {
        for (name, left, command) in [
            (&b"a\xffbc"[..], [&b"abc"[..], b"ac", b"a"], &b"\xffbc"[..]),
            (b"a\xff", [b"a", b"a", b"a"], b"\xff"),
            (b"\xffa\xffb", [b"ab", b"", b"b"], b"\xffa\xff"),
        ] {
            assert_eq!([1, 2, 3].map(|length| without_commands(name, length).0), left);
            assert_eq!(without_commands(name, MAX_TELNET_COMMAND).1, command);
        }
    }
}
