//! The times of files that were sent: the command by which a server sets them.
//!
//! A server that has MFMT (draft-somers-ftp-mfxx-04 section 3) is sent that. The others are tried once a
//! session, in this order: `MDTM YYYYMMDDHHMMSS name`, as vsftpd takes it, and the forms of SITE UTIME.
//! A server whose FEAT lists MLST is sent them only if FEAT lists them: it is young enough to have MFMT
//! and has left that out because this user may not set times.
//!
//! A success is not believed before MDTM gives the new time: a server may answer such an MDTM with the
//! old time, or count the time of SITE UTIME in its own time zone.

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

/// What is known of the commands that set times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TimeSetting {
    /// The commands before this one do not work; this one was not tried.
    Untried(TimeCommand),
    Works(TimeCommand),
    /// The server takes none.
    Impossible,
}

impl TimeSetting {
    /// Nothing is known.
    pub(super) const UNKNOWN: TimeSetting = TimeSetting::Untried(TimeCommand::Mfmt);

    /// Returns what FEAT tells; `lists` looks for words at the beginning of its lines.
    pub(super) fn of(lists: impl Fn(&[u8]) -> bool) -> TimeSetting {
        if lists(b"MFMT") {
            return TimeSetting::Works(TimeCommand::Mfmt);
        }
        if lists(b"MDTM YYYYMMDDHHMMSS[+-TZ];filename") || !lists(b"MLST") {
            return TimeSetting::Untried(TimeCommand::Mdtm);
        }
        match lists(b"UTIME") || lists(b"SITE UTIME") {
            true => TimeSetting::Untried(TimeCommand::Utime(UtimeForm::ThreeTimes)),
            false => TimeSetting::Impossible,
        }
    }
}

impl TimeCommand {
    /// Returns what is known once this command has turned out not to work.
    fn next(self) -> TimeSetting {
        match self {
            TimeCommand::Mfmt => TimeSetting::Untried(TimeCommand::Mdtm),
            TimeCommand::Mdtm => TimeSetting::Untried(TimeCommand::Utime(UtimeForm::ThreeTimes)),
            TimeCommand::Utime(UtimeForm::ThreeTimes) => {
                TimeSetting::Untried(TimeCommand::Utime(UtimeForm::Seconds))
            }
            TimeCommand::Utime(UtimeForm::Seconds) => {
                TimeSetting::Untried(TimeCommand::Utime(UtimeForm::Minutes))
            }
            TimeCommand::Utime(UtimeForm::Minutes) => TimeSetting::Impossible,
        }
    }

    fn line(self, name: &Name, time: SystemTime) -> Command {
        match self {
            TimeCommand::Mfmt => Command::Mfmt(time, name.clone()),
            TimeCommand::Mdtm => {
                let mut words = Vec::new();
                write_timestamp(time, &mut words);
                words.push(b' ');
                words.extend_from_slice(name.as_bytes());
                // Digits in front leave a name a name.
                Command::Mdtm(Name::of_file(words).unwrap_or_else(|| name.clone()))
            }
            TimeCommand::Utime(form) => Command::Site(Site::Utime(form, time, name.clone())),
        }
    }

    /// Returns whether a file has the time that this command was to set.
    fn has_set(self, wanted: SystemTime, found: SystemTime) -> bool {
        let unit = if self == TimeCommand::Utime(UtimeForm::Minutes) { 60 } else { 1 };
        seconds(wanted) / unit == seconds(found) / unit
    }

    /// Returns whether a reply means that the time was set, so far as it says. A reply to MDTM that gives
    /// another time than the one that was to be set is the answer to a question.
    fn is_done(self, reply: &Reply, wanted: SystemTime) -> bool {
        let told = parse_timestamp(reply.text().trim_ascii());
        let told = told.filter(|_| self == TimeCommand::Mdtm && reply.code() == Code::FILE_STATUS);
        reply.code().is_success() && told.is_none_or(|told| self.has_set(wanted, told))
    }
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs()
}

/// Returns the question for the time of a file. A name that looks like a time and another name is sent with
/// its directory before it, because `MDTM 20260102030405 a` sets the time of `a` on some servers.
pub(super) fn question(name: &Name) -> Command {
    let (digits, rest) = name.as_bytes().split_at_checked(TIME).unwrap_or_default();
    let is_both =
        !digits.is_empty() && digits.iter().all(u8::is_ascii_digit) && rest.contains(&b' ');
    let here = is_both.then(|| Name::of_file([b"./", name.as_bytes()].concat()));
    Command::Mdtm(here.flatten().unwrap_or_else(|| name.clone()))
}

/// The number of digits of a time.
const TIME: usize = 14;

/// Setting the times of files.
impl Connection {
    /// Returns the command that sets the time of a file, if it can go out together with others: it is
    /// known to work, or it is MFMT, whose success needs no second look.
    pub(in crate::client) fn time_command(&self, name: &Name, time: SystemTime) -> Option<Command> {
        match self.capabilities.time_setting {
            TimeSetting::Works(command) | TimeSetting::Untried(command @ TimeCommand::Mfmt) => {
                Some(command.line(name, time))
            }
            TimeSetting::Untried(_) | TimeSetting::Impossible => None,
        }
    }

    /// Notes the reply to such a command that went out together with others.
    pub(in crate::client) fn keep_time_reply(&mut self, reply: &Reply) {
        let setting = &mut self.capabilities.time_setting;
        match *setting {
            TimeSetting::Works(command) | TimeSetting::Untried(command) if is_missing(reply) => {
                *setting = command.next();
            }
            TimeSetting::Untried(command) if reply.code().is_success() => {
                *setting = TimeSetting::Works(command);
            }
            TimeSetting::Works(_) | TimeSetting::Untried(_) | TimeSetting::Impossible => {}
        }
    }

    /// Returns whether a command is known to set times.
    pub(in crate::client) fn sets_times(&self) -> bool {
        matches!(self.capabilities.time_setting, TimeSetting::Works(_))
    }

    /// Sets the time of a remote file, if the server takes that.
    pub(in crate::client) fn set_modified(
        &mut self,
        name: &Name,
        time: SystemTime,
    ) -> Result<(), Error> {
        loop {
            let (command, works) = match self.capabilities.time_setting {
                TimeSetting::Works(command) => (command, true),
                TimeSetting::Untried(command) => (command, false),
                TimeSetting::Impossible => return Ok(()),
            };
            let reply = match self.call(&command.line(name, time)) {
                Ok(reply) | Err(Error::Refused(reply)) => reply,
                Err(error) => return Err(error),
            };
            let is_done = command.is_done(&reply, time);
            if is_done && (works || self.shows(command, name, time)?) {
                self.capabilities.time_setting = TimeSetting::Works(command);
                return Ok(());
            }
            // The refusal of a command that the server has, or may well have, is about this file.
            let may_have = match command {
                _ if works => !is_missing(&reply),
                TimeCommand::Mfmt => !reply.code().is_about_syntax(),
                TimeCommand::Mdtm | TimeCommand::Utime(_) => false,
            };
            if may_have && !reply.code().is_success() {
                return Ok(());
            }
            self.capabilities.time_setting = command.next();
        }
    }

    /// Returns whether MDTM gives the time that was set. Without MDTM the server is believed.
    fn shows(
        &mut self,
        command: TimeCommand,
        name: &Name,
        time: SystemTime,
    ) -> Result<bool, Error> {
        if command == TimeCommand::Mfmt {
            return Ok(true);
        }
        let shown = self.expected_time(name)?;
        Ok(shown.is_none_or(|shown| command.has_set(time, shown)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_for_a_time_never_sets_one() {
        for (name, line) in [
            ("20260102030405 a", "MDTM ./20260102030405 a"),
            ("20260102030405+060 a", "MDTM ./20260102030405+060 a"),
            ("20260102030405", "MDTM 20260102030405"),
            ("2026010203040 a", "MDTM 2026010203040 a"),
            ("d/20260102030405 a", "MDTM d/20260102030405 a"),
            ("a b", "MDTM a b"),
        ] {
            assert_eq!(question(&Name::new(name).unwrap()).to_string(), line);
        }
    }
}
