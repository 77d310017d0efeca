//! Setting the modification times of uploaded files.
//!
//! The client uses MFMT (draft-somers-ftp-mfxx-04 section 3) if the server has it. Otherwise it tries once
//! per session, in this order: `MDTM YYYYMMDDHHMMSS name`, as vsftpd accepts it, and the forms of SITE
//! UTIME. If FEAT lists MLST, only the listed commands are tried: such a server is new enough for MFMT, and
//! does not list it because this user may not set times.
//!
//! A positive reply counts only once MDTM returns the new time: a server may answer the MDTM of the first
//! form with the old time, or interpret the time of SITE UTIME in its own time zone.

use super::{Connection, is_missing};
use crate::client::error::Error;
use crate::protocol::time::{parse_timestamp, write_timestamp};
use crate::protocol::{Code, Command, Name, Reply, Site, UtimeForm};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A command that sets the time of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TimeCommand {
    Mfmt,
    Mdtm,
    Utime(UtimeForm),
}

/// The client's knowledge about the command that sets times on this server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TimeSupport {
    /// This command is to be tried next; those before it do not work.
    Untried(TimeCommand),
    Works(TimeCommand),
    /// No command works.
    Impossible,
}

impl TimeSupport {
    /// Nothing is known yet.
    pub(super) const UNKNOWN: TimeSupport = TimeSupport::Untried(TimeCommand::Mfmt);

    /// Derives the knowledge from FEAT; `lists` returns whether one of its lines begins with these words.
    pub(super) fn of(lists: impl Fn(&[u8]) -> bool) -> TimeSupport {
        if lists(b"MFMT") {
            return TimeSupport::Works(TimeCommand::Mfmt);
        }
        if lists(b"MDTM YYYYMMDDHHMMSS[+-TZ];filename") || !lists(b"MLST") {
            return TimeSupport::Untried(TimeCommand::Mdtm);
        }
        match lists(b"UTIME") || lists(b"SITE UTIME") {
            true => TimeSupport::Untried(TimeCommand::Utime(UtimeForm::ThreeTimes)),
            false => TimeSupport::Impossible,
        }
    }
}

impl TimeCommand {
    /// Returns the knowledge after this command did not work.
    fn next(self) -> TimeSupport {
        match self {
            TimeCommand::Mfmt => TimeSupport::Untried(TimeCommand::Mdtm),
            TimeCommand::Mdtm => TimeSupport::Untried(TimeCommand::Utime(UtimeForm::ThreeTimes)),
            TimeCommand::Utime(UtimeForm::ThreeTimes) => {
                TimeSupport::Untried(TimeCommand::Utime(UtimeForm::Seconds))
            }
            TimeCommand::Utime(UtimeForm::Seconds) => {
                TimeSupport::Untried(TimeCommand::Utime(UtimeForm::Minutes))
            }
            TimeCommand::Utime(UtimeForm::Minutes) => TimeSupport::Impossible,
        }
    }

    fn to_command(self, name: &Name, time: SystemTime) -> Command {
        match self {
            TimeCommand::Mfmt => Command::Mfmt(time, name.clone()),
            TimeCommand::Mdtm => {
                let mut words = Vec::new();
                write_timestamp(time, &mut words);
                words.push(b' ');
                words.extend_from_slice(name.as_bytes());
                // The time is digits only, so the joined name is valid whenever the name is.
                Command::Mdtm(Name::of_file(words).unwrap_or_else(|| name.clone()))
            }
            TimeCommand::Utime(form) => Command::Site(Site::Utime(form, time, name.clone())),
        }
    }

    /// Returns whether `found` is the wanted time, to the precision of this command.
    fn matches(self, wanted: SystemTime, found: SystemTime) -> bool {
        let unit = if self == TimeCommand::Utime(UtimeForm::Minutes) { 60 } else { 1 };
        seconds(wanted) / unit == seconds(found) / unit
    }

    /// Returns whether a reply claims that the time was set. A reply to MDTM with a time other than the
    /// wanted one means that the server has read the time and not set it.
    fn claims_success(self, reply: &Reply, wanted: SystemTime) -> bool {
        let shown_time = parse_timestamp(reply.text().trim_ascii());
        let shown_time =
            shown_time.filter(|_| self == TimeCommand::Mdtm && reply.code() == Code::FILE_STATUS);
        reply.code().is_success()
            && shown_time.is_none_or(|shown_time| self.matches(wanted, shown_time))
    }
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs()
}

/// Returns the MDTM command that reads the time of a file. A name such as `20260102030405 a` is sent as
/// `./20260102030405 a`, because `MDTM 20260102030405 a` sets the time of `a` on some servers.
pub(super) fn mdtm_command(name: &Name) -> Command {
    let (digits, rest) = name.as_bytes().split_at_checked(TIMESTAMP_DIGITS).unwrap_or_default();
    let is_both =
        !digits.is_empty() && digits.iter().all(u8::is_ascii_digit) && rest.contains(&b' ');
    let here = is_both.then(|| Name::of_file([b"./", name.as_bytes()].concat()));
    Command::Mdtm(here.flatten().unwrap_or_else(|| name.clone()))
}

/// The number of digits of a timestamp.
const TIMESTAMP_DIGITS: usize = 14;

/// Setting the times of files.
impl Connection {
    /// Returns the command that sets the time of a file, if it can be pipelined: it is known to work, or it
    /// is MFMT, whose success needs no verification.
    pub(in crate::client) fn time_command(&self, name: &Name, time: SystemTime) -> Option<Command> {
        match self.capabilities.time_support {
            TimeSupport::Works(command) | TimeSupport::Untried(command @ TimeCommand::Mfmt) => {
                Some(command.to_command(name, time))
            }
            TimeSupport::Untried(_) | TimeSupport::Impossible => None,
        }
    }

    /// Records the reply to a pipelined command that sets a time.
    pub(in crate::client) fn record_time_reply(&mut self, reply: &Reply) {
        let setting = &mut self.capabilities.time_support;
        match *setting {
            TimeSupport::Works(command) | TimeSupport::Untried(command) if is_missing(reply) => {
                *setting = command.next();
            }
            TimeSupport::Untried(command) if reply.code().is_success() => {
                *setting = TimeSupport::Works(command);
            }
            TimeSupport::Works(_) | TimeSupport::Untried(_) | TimeSupport::Impossible => {}
        }
    }

    /// Returns whether a command is known to set times.
    pub(in crate::client) fn sets_times(&self) -> bool {
        matches!(self.capabilities.time_support, TimeSupport::Works(_))
    }

    /// Sets the time of a remote file, if the server supports that.
    pub(in crate::client) fn set_modified(
        &mut self,
        name: &Name,
        time: SystemTime,
    ) -> Result<(), Error> {
        loop {
            let (command, works) = match self.capabilities.time_support {
                TimeSupport::Works(command) => (command, true),
                TimeSupport::Untried(command) => (command, false),
                TimeSupport::Impossible => return Ok(()),
            };
            let reply = match self.call(&command.to_command(name, time)) {
                Ok(reply) | Err(Error::Refused(reply)) => reply,
                Err(error) => return Err(error),
            };
            let is_done = command.claims_success(&reply, time);
            if is_done && (works || self.verify_time(command, name, time)?) {
                self.capabilities.time_support = TimeSupport::Works(command);
                return Ok(());
            }
            // If the server has or may have the command, the refusal concerns only this file.
            let may_have = match command {
                _ if works => !is_missing(&reply),
                TimeCommand::Mfmt => !reply.code().is_about_syntax(),
                TimeCommand::Mdtm | TimeCommand::Utime(_) => false,
            };
            if may_have && !reply.code().is_success() {
                return Ok(());
            }
            self.capabilities.time_support = command.next();
        }
    }

    /// Returns whether MDTM returns the time that was set. Without MDTM the reply counts.
    fn verify_time(
        &mut self,
        command: TimeCommand,
        name: &Name,
        time: SystemTime,
    ) -> Result<bool, Error> {
        if command == TimeCommand::Mfmt {
            return Ok(true);
        }
        let shown = self.expected_time(name)?;
        Ok(shown.is_none_or(|shown| command.matches(time, shown)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_a_time_never_sets_one() {
        for (name, line) in [
            ("20260102030405 a", "MDTM ./20260102030405 a"),
            ("20260102030405+060 a", "MDTM ./20260102030405+060 a"),
            ("20260102030405", "MDTM 20260102030405"),
            ("2026010203040 a", "MDTM 2026010203040 a"),
            ("d/20260102030405 a", "MDTM d/20260102030405 a"),
            ("a b", "MDTM a b"),
        ] {
            assert_eq!(mdtm_command(&Name::new(name).unwrap()).to_string(), line);
        }
    }
}
