//! What transfers ask of their connection: types, sizes, times, and commands that go out ahead.

use super::control::done;
use super::file_time::{self, TimeSetting};
use super::{
    Capabilities, Connection, DataMode, EXTENDED_PASSIVE, Representation, Settings, number,
};
use crate::client::error::Error;
use crate::net;
use crate::protocol::time::parse_timestamp;
use crate::protocol::{Algorithm, Code, Command, Name, Opts, Reply, Span};
use std::net::SocketAddr;
use std::time::{Instant, SystemTime};

/// The answers about a file that were asked for together with the next data connection.
pub(in crate::client) struct Prospect {
    pub(in crate::client) size: Option<u64>,
    pub(in crate::client) time: Option<SystemTime>,
    /// The reply that agrees on the data connection.
    pub(in crate::client) route: Option<Reply>,
}

/// Questions of transfers.
/// A reply to HASH.
struct ToldHash {
    algorithm: Algorithm,
    /// The first and the last byte, as in `0-49`.
    range: Vec<u8>,
    digest: Vec<u8>,
}

impl Connection {
    pub(in crate::client) fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(in crate::client) fn local(&self) -> SocketAddr {
        self.local
    }

    pub(in crate::client) fn representation(&self) -> Representation {
        self.wanted
    }

    /// Asks by FEAT, once a session, which extensions the server has (RFC 2389), so that commands which it
    /// lacks are not sent. Where it knows UTF8, OPTS UTF8 ON is sent on each connection before the first
    /// name: ProFTPD and IIS speak another encoding until then.
    pub(super) fn learn_features(&mut self, deadline: Option<Instant>) -> Result<(), Error> {
        if self.features.is_none() {
            let lines = match self.call_by(&Command::Feat, deadline) {
                Ok(reply) => reply.body().to_vec(),
                Err(Error::Refused(_)) => Vec::new(),
                Err(error) => return Err(error),
            };
            let is_told = !lines.is_empty();
            self.features = Some(lines.into());
            if is_told {
                self.capabilities.machine_lists &= self.lists(b"MLST") || self.lists(b"MLSD");
                self.capabilities.time_setting = TimeSetting::of(|words| self.lists(words));
                self.capabilities.hashes &= self.lists(b"HASH");
            }
        }
        if !self.lists(b"UTF8") {
            return Ok(());
        }
        match self.call_by(&Command::Opts(Opts::Utf8(true)), deadline) {
            // Some servers that speak UTF-8 alone know no such option.
            Ok(_) | Err(Error::Refused(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Returns whether FEAT lists this. A server without FEAT may have it all the same.
    pub(in crate::client) fn has_feature(&mut self, word: &[u8]) -> Result<bool, Error> {
        if self.features.is_none() {
            self.learn_features(net::deadline(self.settings.timeout))?;
        }
        Ok(self.lists(word))
    }

    /// Returns whether a line of FEAT is or begins with these words.
    fn lists(&self, words: &[u8]) -> bool {
        let is_it = |line: &Vec<u8>| {
            let line = line.trim_ascii();
            line.split_at_checked(words.len()).is_some_and(|(begin, rest)| {
                begin.eq_ignore_ascii_case(words) && (rest.is_empty() || rest.starts_with(b" "))
            })
        };
        self.features.iter().flat_map(|lines| lines.iter()).any(is_it)
    }

    /// Asks for size and time of a file, in one piece if the server takes that.
    pub(in crate::client) fn expected_size_and_time(
        &mut self,
        name: &Name,
    ) -> Result<(Option<u64>, Option<SystemTime>), Error> {
        let Capabilities { sizes, times, pipelines, .. } = self.capabilities;
        if !(sizes && times && pipelines) || self.current != Some(Representation::Bytes) {
            return Ok((self.expected_size(name)?, self.expected_time(name)?));
        }
        let asked = [Command::Size(name.clone()), file_time::question(name)];
        let mut answers = self.call_all(&asked).into_iter();
        let mut next = || answers.next().unwrap_or(Err(Error::NotConnected));
        let (size, time) = (next(), next());
        let size = self.unless_refused(size, |known| &mut known.sizes)?;
        let time = self.unless_refused(time, |known| &mut known.times)?;
        let time = time.and_then(|reply| parse_timestamp(reply.text().trim_ascii()));
        Ok((size.and_then(|reply| number(&reply)), time))
    }

    /// Does the same together with setting the type and, if it is due, agreeing on the next data
    /// connection, whose reply comes last.
    pub(in crate::client) fn get_ready_for(&mut self, name: &Name) -> Result<Prospect, Error> {
        let Capabilities { sizes, times, .. } = self.capabilities;
        if !(sizes && times) || self.route.is_some() || !self.looks_ahead() {
            let (size, time) = self.expected_size_and_time(name)?;
            return Ok(Prospect { size, time, route: None });
        }
        let about = [Command::Size(name.clone()), file_time::question(name)];
        let kind = (self.current != Some(self.wanted)).then(|| Command::Type(self.wanted.wire()));
        let asked: Vec<Command> =
            kind.iter().cloned().chain(about).chain([EXTENDED_PASSIVE]).collect();
        let Some(mut replies) = self.ask_together(&asked)? else {
            let (size, time) = self.expected_size_and_time(name)?;
            return Ok(Prospect { size, time, route: None });
        };
        let route = replies.pop();
        let (time, size) = (replies.pop(), replies.pop());
        if let Some(taken) = replies.pop() {
            self.keep_type(&taken);
        }
        let answer = |reply: Option<Reply>| reply.map_or(Err(Error::NotConnected), done);
        let size = self.unless_refused(answer(size), |known| &mut known.sizes)?;
        let time = self.unless_refused(answer(time), |known| &mut known.times)?;
        let size = size.and_then(|reply| number(&reply));
        let time = time.and_then(|reply| parse_timestamp(reply.text().trim_ascii()));
        // After a refusal the data connection would not fit the next file.
        Ok(Prospect { size, time, route: route.filter(|_| size.is_some()) })
    }

    /// Asks for the times of files, in one piece if the server takes that.
    pub(in crate::client) fn times_of(
        &mut self,
        names: &[Name],
    ) -> Result<Vec<Option<SystemTime>>, Error> {
        let Capabilities { times, pipelines, .. } = self.capabilities;
        let asked: Vec<Command> = names.iter().map(file_time::question).collect();
        let together = times && pipelines && asked.len() > 1;
        let Some(replies) = (if together { self.ask_together(&asked)? } else { None }) else {
            return names.iter().map(|name| self.expected_time(name)).collect();
        };
        let time = |reply| {
            let time = self.unless_refused(done(reply), |known| &mut known.times)?;
            Ok(time.and_then(|reply| parse_timestamp(reply.text().trim_ascii())))
        };
        replies.into_iter().map(time).collect()
    }

    /// Sets the type of files, if the server does not know it.
    pub(in crate::client) fn take_file_type(&mut self) -> Result<(), Error> {
        self.take_type(self.wanted)
    }

    /// Does the same together with agreeing on the next data connection.
    pub(in crate::client) fn take_file_type_and_route(&mut self) -> Result<Option<Reply>, Error> {
        if self.current == Some(self.wanted) || self.route.is_some() || !self.looks_ahead() {
            return self.take_file_type().map(|()| None);
        }
        self.discard_unasked()?;
        self.send_all(&[&Command::Type(self.wanted.wire()), &EXTENDED_PASSIVE])?;
        let taken = self.final_reply()?;
        let route = self.final_reply()?;
        if !taken.code().is_success() {
            return Err(Error::Refused(taken));
        }
        self.current = Some(self.wanted);
        Ok(Some(route))
    }

    pub(super) fn take_type(&mut self, wanted: Representation) -> Result<(), Error> {
        if self.current != Some(wanted) {
            self.call(&Command::Type(wanted.wire()))?;
            self.current = Some(wanted);
        }
        Ok(())
    }

    /// Returns the size of a file about to be fetched, if the server tells. The size of a text is not
    /// known beforehand (RFC 3659 section 4), and some servers read all of it to count.
    pub(in crate::client) fn expected_size(&mut self, name: &Name) -> Result<Option<u64>, Error> {
        if !self.capabilities.sizes || self.wanted == Representation::Text {
            return Ok(None);
        }
        let size = self.size(name);
        self.unless_refused(size, |known| &mut known.sizes)
    }

    /// Returns when a file was modified, if the server tells.
    pub(in crate::client) fn expected_time(
        &mut self,
        name: &Name,
    ) -> Result<Option<SystemTime>, Error> {
        if !self.capabilities.times {
            return Ok(None);
        }
        let time = self.modified(name);
        self.unless_refused(time, |known| &mut known.times)
    }

    /// Returns the digest of a whole file, if the server tells, by the algorithm that it chose:
    /// `213 SHA-256 0-49 digest name` (draft-bryan-ftpext-hash-02 section 3.1).
    pub(in crate::client) fn hash(
        &mut self,
        name: &Name,
    ) -> Result<Option<(Algorithm, Vec<u8>)>, Error> {
        Ok(self.told_hash(name)?.map(|told| (told.algorithm, told.digest)))
    }

    /// Returns the digest of the bytes of a file from `span.start` to `span.end`, if the server tells.
    pub(in crate::client) fn hash_of_range(
        &mut self,
        name: &Name,
        span: Span,
    ) -> Result<Option<(Algorithm, Vec<u8>)>, Error> {
        const ALL: Span = Span { start: 1, end: 0 };
        if !self.has_feature(b"RANG")? || !self.has_feature(b"HASH")? {
            return Ok(None);
        }
        let reply = self.ask(&Command::Rang(span))?;
        if !(reply.code().is_intermediate() || reply.code().is_success()) {
            return Ok(None);
        }
        let told = self.told_hash(name)?;
        let range = format!("{}-{}", span.start, span.end).into_bytes();
        let told = told.filter(|told| told.range == range);
        if told.is_none() {
            // The next transfer must not take what HASH has not taken. Whatever the reply is, it does not.
            self.ask(&Command::Rang(ALL))?;
        }
        Ok(told.map(|told| (told.algorithm, told.digest)))
    }

    /// Asks for a digest by HASH.
    fn told_hash(&mut self, name: &Name) -> Result<Option<ToldHash>, Error> {
        if !self.capabilities.hashes {
            return Ok(None);
        }
        let answer = self.call(&Command::Hash(name.clone()));
        let Some(reply) = self.unless_refused(answer, |known| &mut known.hashes)? else {
            return Ok(None);
        };
        let mut words = reply.text().split(|&byte| byte == b' ');
        let algorithm = words.next().and_then(Algorithm::parse);
        let (range, digest) = (words.next().map(<[u8]>::to_vec), words.next());
        let told = algorithm.zip(range).zip(digest);
        Ok(told.map(|((algorithm, range), digest)| {
            let digest = digest.to_ascii_lowercase();
            ToldHash { algorithm, range, digest }
        }))
    }

    /// Does something in another directory and returns to this one. If the connection is lost
    /// meanwhile, its replacement begins in this one.
    pub(in crate::client) fn within<T>(
        &mut self,
        dir: &Name,
        work: impl FnOnce(&mut Connection) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let here = self.current_dir()?;
        let here = Name::new(here.as_slice()).ok_or(Error::BadName(here))?;
        let origin = self.origin.clone();
        self.change_dir(dir)?;
        let result = work(self);
        if !self.lost {
            self.lost = self.change_dir(&here).is_err();
        }
        self.origin = origin;
        result
    }

    /// Returns bytes that tell the file of this name, with its server and user, from all others.
    pub(in crate::client) fn place_of(&self, name: &Name) -> Vec<u8> {
        self.origin.place_of(name.as_bytes())
    }

    /// Returns what the server has not refused yet.
    pub(in crate::client) fn capabilities(&mut self) -> &mut Capabilities {
        &mut self.capabilities
    }

    /// Turns a refusal into `None`, and notes it if the server does not know the command.
    pub(in crate::client) fn unless_refused<T>(
        &mut self,
        answer: Result<T, Error>,
        capability: impl FnOnce(&mut Capabilities) -> &mut bool,
    ) -> Result<Option<T>, Error> {
        match answer {
            Ok(answer) => Ok(Some(answer)),
            Err(Error::Refused(reply)) => {
                *capability(&mut self.capabilities) &= !is_missing(&reply);
                Ok(None)
            }
            Err(Error::Unintelligible(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Sets the commands that go out together with that of the next transfer, to be done after it.
    pub(in crate::client) fn follow_with(&mut self, followers: Vec<Command>) {
        self.followers = followers;
    }

    /// Sends the commands that prepare a transfer together with that of the one before it.
    pub(in crate::client) fn look_ahead(&mut self) {
        if self.looks_ahead() {
            let unsaid = self.current != Some(self.wanted);
            let kind = unsaid.then(|| Command::Type(self.wanted.wire()));
            self.followers = kind.into_iter().chain([EXTENDED_PASSIVE]).collect();
        }
    }

    /// Notes the reply to a TYPE that followed a transfer.
    pub(in crate::client) fn keep_type(&mut self, reply: &Reply) {
        self.current = reply.code().is_success().then_some(self.wanted);
    }

    /// Returns whether commands will go out together with that of the next transfer.
    pub(in crate::client) fn has_followers(&self) -> bool {
        !self.followers.is_empty()
    }

    pub(in crate::client) fn take_followers(&mut self) -> Vec<Command> {
        std::mem::take(&mut self.followers)
    }

    /// Takes the address for the next data connection, if it was asked for ahead.
    pub(in crate::client) fn take_route(&mut self) -> Option<SocketAddr> {
        self.route.take()
    }

    pub(in crate::client) fn keep_route(&mut self, route: SocketAddr) {
        self.route = Some(route);
    }

    /// Returns the size of the file that was sent last, from a reply that came already if there is one.
    pub(in crate::client) fn stored_size(&mut self, name: &Name) -> Result<Option<u64>, Error> {
        match self.stored.take() {
            Some(size) => Ok(Some(size)),
            None => self.expected_size(name),
        }
    }

    /// Notes the reply to a SIZE that followed an upload.
    pub(in crate::client) fn keep_stored_size(&mut self, reply: &Reply) {
        self.stored = reply.code().is_success().then(|| number(reply)).flatten();
    }

    /// Returns whether a data connection can be agreed on ahead: the server takes EPSV, which has no
    /// argument that could be wrong, and several commands at a time.
    pub(in crate::client) fn looks_ahead(&self) -> bool {
        self.capabilities.pipelines
            && self.uses_extended()
            && self.settings.mode == DataMode::Passive
    }

    /// Sets the byte at which the next transfer begins.
    pub(in crate::client) fn restart_at(&mut self, at: u64) -> Result<(), Error> {
        let reply = self.ask(&Command::Rest(at))?;
        // Some servers reply 200 or 250; any refusal means that the transfer begins at the beginning.
        if reply.code().is_intermediate() || reply.code().is_success() {
            return Ok(());
        }
        self.capabilities.restarts &= !is_missing(&reply);
        Err(Error::NoRestart(reply))
    }

    /// Returns whether EPSV and EPRT are sent: the user has not turned them off for the protocol of this
    /// connection, and the server has not shown that they are of no use.
    pub(in crate::client) fn uses_extended(&self) -> bool {
        let is_wanted = match self.peer {
            SocketAddr::V4(_) => self.settings.epsv4,
            SocketAddr::V6(_) => self.settings.epsv6,
        };
        is_wanted && self.capabilities.extended
    }

    /// Sends EPRT, and PORT once the server has refused that.
    pub(in crate::client) fn call_extended(
        &mut self,
        extended: &Command,
        classic: Option<&Command>,
    ) -> Result<Reply, Error> {
        if self.uses_extended() {
            match (self.call(extended), classic) {
                (Err(Error::Refused(reply)), Some(_)) if !is_transient(&reply) => {
                    self.capabilities.extended = false;
                }
                (other, _) => return other,
            }
        }
        self.call(classic.unwrap_or(extended))
    }
}

/// Returns whether the server does not know the command, or not in this form.
pub(in crate::client) fn is_missing(reply: &Reply) -> bool {
    let code = reply.code();
    code == Code::UNKNOWN_COMMAND || code == Code::NOT_IMPLEMENTED || code == Code::BAD_PARAMETER
}

fn is_transient(reply: &Reply) -> bool {
    reply.code().is_transient_failure()
}
