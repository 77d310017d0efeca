//! The byte 255 in names, as the server understands it.
//!
//! It begins Telnet commands, so in a name it is sent twice (RFC 959 section 2.3, RFC 854). Servers that
//! know nothing of Telnet, such as vsftpd and Pure-FTPd, take both for part of the name. Before the first
//! commands with such names, questions that change nothing tell what this server does; commands that
//! might act on another file are sent in the other way only after such a proof.
//!
//! An answer about a name with a lone 255 proves nothing if the server may have removed a Telnet command
//! from it: if it gives the same answer about the name that is left then, also with such a command
//! somewhere else.

use super::{Connection, file_time};
use crate::client::error::Error;
use crate::protocol::{Command, Name};

/// The number of names that are probed without a result before probing ends.
const MOST_TRIES: u8 = 8;

/// The longest Telnet command that a lone 255 may begin, in bytes (RFC 854).
const LONGEST_COMMAND: usize = 3;

const IAC: u8 = 255;

/// The form in which a byte 255 is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doubling {
    /// Twice, though the server was not seen to understand it; so many names may still be asked about.
    Untried(u8),
    /// Twice: the server understands it.
    Needed,
    /// Once: the server takes both for part of the name.
    Wrong,
}

impl Doubling {
    pub(super) const UNKNOWN: Doubling = Doubling::Untried(MOST_TRIES);
}

/// The two ways to send a name.
impl Connection {
    /// Finds out how a byte 255 has to be sent, if these are the first commands on an existing file or
    /// directory with such a name.
    pub(in crate::client) fn settle_names<'a>(
        &mut self,
        commands: impl IntoIterator<Item = &'a Command>,
    ) -> Result<(), Error> {
        let Doubling::Untried(tries @ 1..) = self.capabilities.doubling else { return Ok(()) };
        let name = commands.into_iter().filter_map(existing).find(|name| name.contains(&IAC));
        let Some(name) = name else { return Ok(()) };
        let left = Doubling::Untried(tries - 1);
        let found = self.tried_doubling(&name);
        self.capabilities.doubling = found.as_ref().ok().copied().flatten().unwrap_or(left);
        found.map(drop)
    }

    fn tried_doubling(&mut self, name: &[u8]) -> Result<Option<Doubling>, Error> {
        if self.is_there(name, Doubling::Needed)?.is_some() {
            return Ok(Some(Doubling::Needed));
        }
        let Some(found) = self.is_there(name, Doubling::Wrong)? else { return Ok(None) };
        for length in 1..=LONGEST_COMMAND {
            let (rest, command) = without_commands(name, length);
            let elsewhere = [command, &rest].concat();
            if !rest.is_empty() && self.says(&rest, &found)? && self.says(&elsewhere, &found)? {
                return Ok(None);
            }
        }
        Ok(Some(Doubling::Wrong))
    }

    fn says(&mut self, name: &[u8], found: &Vec<Vec<u8>>) -> Result<bool, Error> {
        self.is_there(name, Doubling::Wrong).map(|said| said.as_ref() == Some(found))
    }

    /// Returns what the server says of a file or a directory; `None` if it says nothing. The answer to
    /// STAT is a listing, which is empty if there is none, unless `-a` shows the directory itself.
    fn is_there(&mut self, name: &[u8], doubling: Doubling) -> Result<Option<Vec<Vec<u8>>>, Error> {
        let all = Name::new([b"-a ", name].concat());
        let questions = [
            Name::new(name).as_ref().map(file_time::question),
            all.map(|all| Command::Stat(Some(all))),
        ];
        for question in questions.into_iter().flatten() {
            self.capabilities.doubling = doubling;
            self.discard_unasked()?;
            self.send(&question)?;
            let reply = self.final_reply()?;
            let is_listing = matches!(question, Command::Stat(_));
            if reply.code().is_success() && (!is_listing || !reply.body().is_empty()) {
                let mut said = reply.body().to_vec();
                said.push(reply.text().to_vec());
                return Ok(Some(said));
            }
        }
        Ok(None)
    }

    /// Returns whether a byte 255 is sent twice.
    pub(super) fn doubles(&self) -> bool {
        self.capabilities.doubling != Doubling::Wrong
    }
}

/// Returns the name of what must be there for a command to succeed.
fn existing(command: &Command) -> Option<Vec<u8>> {
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

/// Returns a name without the bytes that Telnet commands of this length would take from it, and the last
/// of these commands.
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
    fn a_telnet_command_takes_bytes_of_a_name() {
        for (name, left, command) in [
            (&b"a\xffbc"[..], [&b"abc"[..], b"ac", b"a"], &b"\xffbc"[..]),
            (b"a\xff", [b"a", b"a", b"a"], b"\xff"),
            (b"\xffa\xffb", [b"ab", b"", b"b"], b"\xffa\xff"),
        ] {
            assert_eq!([1, 2, 3].map(|length| without_commands(name, length).0), left);
            assert_eq!(without_commands(name, LONGEST_COMMAND).1, command);
        }
    }
}
