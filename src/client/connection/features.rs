//! The commands around a transfer: FEAT, TYPE, SIZE, MDTM, HASH, REST, and which of them are pipelined.

use super::control::done;
use super::file_time::{self, TimeSupport};
use super::{Capabilities, Connection, DataMode, EPSV, Representation, Settings, number};
use crate::client::error::Error;
use crate::net;
use crate::protocol::time::parse_timestamp;
use crate::protocol::{Algorithm, ByteRange, Code, Command, Name, Opts, Reply};
use std::net::SocketAddr;
use std::time::{Instant, SystemTime};

/// The replies that prepare a download.
pub(in crate::client) struct DownloadFacts {
    pub(in crate::client) size: Option<u64>,
    pub(in crate::client) time: Option<SystemTime>,
    /// The reply to EPSV, if it was sent.
    pub(in crate::client) route: Option<Reply>,
}

/// A parsed reply to HASH.
struct HashReply {
    algorithm: Algorithm,
    /// The first and the last byte, such as `0-49`.
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

    /// Sends FEAT once per session (RFC 2389), so that commands which the server lacks are not sent. If it
    /// lists UTF8, OPTS UTF8 ON is sent on each connection before the first name: ProFTPD and IIS use
    /// another encoding until then.
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
                self.capabilities.mlsd &= self.lists(b"MLST") || self.lists(b"MLSD");
                self.capabilities.time_support = TimeSupport::of(|words| self.lists(words));
                self.capabilities.hash &= self.lists(b"HASH");
            }
        }
        if !self.lists(b"UTF8") {
            return Ok(());
        }
        match self.call_by(&Command::Opts(Opts::Utf8(self.wants_utf8())), deadline) {
            // Servers that always use UTF-8 may not know this option.
            Ok(_) | Err(Error::Refused(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Returns whether FEAT lists this word. A server without FEAT may have the feature nevertheless.
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

    /// Returns the size and time of a file, with pipelined SIZE and MDTM if possible.
    pub(in crate::client) fn expected_size_and_time(
        &mut self,
        name: &Name,
    ) -> Result<(Option<u64>, Option<SystemTime>), Error> {
        let Capabilities { size, mdtm, pipelining, .. } = self.capabilities;
        if !(size && mdtm && pipelining) || self.current != Some(Representation::Image) {
            return Ok((self.expected_size(name)?, self.expected_time(name)?));
        }
        let asked = [Command::Size(name.clone()), file_time::mdtm_command(name)];
        let mut answers = self.call_all(&asked).into_iter();
        let mut next = || answers.next().unwrap_or(Err(Error::NotConnected));
        let (size, time) = (next(), next());
        let size = self.none_if_refused(size, |known| &mut known.size)?;
        let time = self.none_if_refused(time, |known| &mut known.mdtm)?;
        let time = time.and_then(|reply| parse_timestamp(reply.text().trim_ascii()));
        Ok((size.and_then(|reply| number(&reply)), time))
    }

    /// Prepares a download: pipelining TYPE (if needed), SIZE, MDTM and EPSV.
    pub(in crate::client) fn prepare_download(
        &mut self,
        name: &Name,
    ) -> Result<DownloadFacts, Error> {
        let Capabilities { size, mdtm, .. } = self.capabilities;
        if !(size && mdtm) || self.route.is_some() || !self.can_set_up_ahead() {
            let (size, time) = self.expected_size_and_time(name)?;
            return Ok(DownloadFacts { size, time, route: None });
        }
        let about = [Command::Size(name.clone()), file_time::mdtm_command(name)];
        let kind = (self.current != Some(self.wanted)).then(|| Command::Type(self.wanted.wire()));
        let asked: Vec<Command> = kind.iter().cloned().chain(about).chain([EPSV]).collect();
        let Some(mut replies) = self.pipeline(&asked)? else {
            let (size, time) = self.expected_size_and_time(name)?;
            return Ok(DownloadFacts { size, time, route: None });
        };
        let route = replies.pop();
        let (time, size) = (replies.pop(), replies.pop());
        if let Some(taken) = replies.pop() {
            self.record_type_reply(&taken);
        }
        let answer = |reply: Option<Reply>| reply.map_or(Err(Error::NotConnected), done);
        let size = self.none_if_refused(answer(size), |known| &mut known.size)?;
        let time = self.none_if_refused(answer(time), |known| &mut known.mdtm)?;
        let size = size.and_then(|reply| number(&reply));
        let time = time.and_then(|reply| parse_timestamp(reply.text().trim_ascii()));
        // If SIZE was refused, the file may not exist, and its data connection would not be used.
        Ok(DownloadFacts { size, time, route: route.filter(|_| size.is_some()) })
    }

    /// Returns the times of files, by pipelined MDTM if possible.
    pub(in crate::client) fn times_of(
        &mut self,
        names: &[Name],
    ) -> Result<Vec<Option<SystemTime>>, Error> {
        let Capabilities { mdtm, pipelining, .. } = self.capabilities;
        let asked: Vec<Command> = names.iter().map(file_time::mdtm_command).collect();
        let together = mdtm && pipelining && asked.len() > 1;
        let Some(replies) = (if together { self.pipeline(&asked)? } else { None }) else {
            return names.iter().map(|name| self.expected_time(name)).collect();
        };
        let time = |reply| {
            let time = self.none_if_refused(done(reply), |known| &mut known.mdtm)?;
            Ok(time.and_then(|reply| parse_timestamp(reply.text().trim_ascii())))
        };
        replies.into_iter().map(time).collect()
    }

    /// Sends TYPE for the next transfer, if the server has a different type.
    pub(in crate::client) fn set_file_type(&mut self) -> Result<(), Error> {
        self.set_type(self.wanted)
    }

    /// Like [`Connection::set_file_type`], with EPSV pipelined behind TYPE. Returns the reply to EPSV.
    pub(in crate::client) fn set_file_type_and_send_epsv(
        &mut self,
    ) -> Result<Option<Reply>, Error> {
        if self.current == Some(self.wanted) || self.route.is_some() || !self.can_set_up_ahead() {
            return self.set_file_type().map(|()| None);
        }
        self.discard_unsolicited()?;
        self.send_all(&[&Command::Type(self.wanted.wire()), &EPSV])?;
        let taken = self.final_reply()?;
        let route = self.final_reply()?;
        if !taken.code().is_success() {
            return Err(Error::Refused(taken));
        }
        self.current = Some(self.wanted);
        Ok(Some(route))
    }

    pub(super) fn set_type(&mut self, wanted: Representation) -> Result<(), Error> {
        if self.current != Some(wanted) {
            self.call(&Command::Type(wanted.wire()))?;
            self.current = Some(wanted);
        }
        Ok(())
    }

    /// Returns the size of a remote file, if the server answers. In TYPE A it is not asked, because a
    /// server may have to read the whole file to count (RFC 3659 section 4).
    pub(in crate::client) fn expected_size(&mut self, name: &Name) -> Result<Option<u64>, Error> {
        if !self.capabilities.size || self.wanted == Representation::Ascii {
            return Ok(None);
        }
        let size = self.size(name);
        self.none_if_refused(size, |known| &mut known.size)
    }

    /// Returns the modification time of a remote file, if the server answers.
    pub(in crate::client) fn expected_time(
        &mut self,
        name: &Name,
    ) -> Result<Option<SystemTime>, Error> {
        if !self.capabilities.mdtm {
            return Ok(None);
        }
        let time = self.modified(name);
        self.none_if_refused(time, |known| &mut known.mdtm)
    }

    /// Returns the digest of a whole file with the algorithm that the server chose, if it supports HASH:
    /// `213 SHA-256 0-49 digest name` (draft-bryan-ftpext-hash-02 section 3.1).
    pub(in crate::client) fn hash(
        &mut self,
        name: &Name,
    ) -> Result<Option<(Algorithm, Vec<u8>)>, Error> {
        Ok(self.request_hash(name)?.map(|told| (told.algorithm, told.digest)))
    }

    /// Returns the digest of the bytes `span.start` to `span.end`, if the server supports RANG and HASH.
    pub(in crate::client) fn hash_of_range(
        &mut self,
        name: &Name,
        span: ByteRange,
    ) -> Result<Option<(Algorithm, Vec<u8>)>, Error> {
        const ALL: ByteRange = ByteRange { start: 1, end: 0 };
        if !self.has_feature(b"RANG")? || !self.has_feature(b"HASH")? {
            return Ok(None);
        }
        let reply = self.ask(&Command::Rang(span))?;
        if !(reply.code().is_intermediate() || reply.code().is_success()) {
            return Ok(None);
        }
        let told = self.request_hash(name)?;
        let range = format!("{}-{}", span.start, span.end).into_bytes();
        let told = told.filter(|told| told.range == range);
        if told.is_none() {
            // RANG is still pending if HASH has not used it. Clear it, so that the next transfer ignores it.
            self.ask(&Command::Rang(ALL))?;
        }
        Ok(told.map(|told| (told.algorithm, told.digest)))
    }

    /// Sends HASH and parses the reply.
    fn request_hash(&mut self, name: &Name) -> Result<Option<HashReply>, Error> {
        if !self.capabilities.hash {
            return Ok(None);
        }
        let answer = self.call(&Command::Hash(name.clone()));
        let Some(reply) = self.none_if_refused(answer, |known| &mut known.hash)? else {
            return Ok(None);
        };
        let mut words = reply.text().split(|&byte| byte == b' ');
        let algorithm = words.next().and_then(Algorithm::parse);
        let (range, digest) = (words.next().map(<[u8]>::to_vec), words.next());
        let told = algorithm.zip(range).zip(digest);
        Ok(told.map(|((algorithm, range), digest)| {
            let digest = digest.to_ascii_lowercase();
            HashReply { algorithm, range, digest }
        }))
    }

    /// Runs `work` in another directory and returns to the current one. If the connection is lost
    /// in the meantime, its replacement starts in the current directory.
    pub(in crate::client) fn in_dir<T>(
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

    /// Returns bytes that identify a remote file: its server, user and path.
    pub(in crate::client) fn identity_of(&self, name: &Name) -> Vec<u8> {
        self.origin.identity_of(name.as_bytes())
    }

    /// Returns the commands and extensions that the server has not refused as unknown.
    pub(in crate::client) fn capabilities(&mut self) -> &mut Capabilities {
        &mut self.capabilities
    }

    /// Turns a refusal into `None`, and clears the capability if the server does not know the command.
    pub(in crate::client) fn none_if_refused<T>(
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

    /// Sets the commands that are pipelined behind the next transfer command.
    pub(in crate::client) fn pipeline_after_transfer(&mut self, followers: Vec<Command>) {
        self.followers = followers;
    }

    /// Pipelines the commands that set up the following transfer (TYPE, EPSV) behind the next one.
    pub(in crate::client) fn pipeline_next_setup(&mut self) {
        if self.can_set_up_ahead() {
            let unsaid = self.current != Some(self.wanted);
            let kind = unsaid.then(|| Command::Type(self.wanted.wire()));
            self.followers = kind.into_iter().chain([EPSV]).collect();
        }
    }

    /// Records the reply to a pipelined TYPE.
    pub(in crate::client) fn record_type_reply(&mut self, reply: &Reply) {
        self.current = reply.code().is_success().then_some(self.wanted);
    }

    /// Returns whether commands will be pipelined behind the next transfer command.
    pub(in crate::client) fn has_pipelined_commands(&self) -> bool {
        !self.followers.is_empty()
    }

    pub(in crate::client) fn take_pipelined_commands(&mut self) -> Vec<Command> {
        std::mem::take(&mut self.followers)
    }

    /// Takes the address of the next data connection, if EPSV was sent ahead.
    pub(in crate::client) fn take_data_address(&mut self) -> Option<SocketAddr> {
        self.route.take()
    }

    pub(in crate::client) fn keep_data_address(&mut self, route: SocketAddr) {
        self.route = Some(route);
    }

    /// Returns the remote size of the last uploaded file, from a pipelined reply if there is one.
    pub(in crate::client) fn stored_size(&mut self, name: &Name) -> Result<Option<u64>, Error> {
        match self.stored.take() {
            Some(size) => Ok(Some(size)),
            None => self.expected_size(name),
        }
    }

    /// Records the reply to a SIZE that was pipelined behind an upload.
    pub(in crate::client) fn record_size_reply(&mut self, reply: &Reply) {
        self.stored = reply.code().is_success().then(|| number(reply)).flatten();
    }

    /// Returns whether the next data connection can be set up ahead: the server supports pipelining and
    /// EPSV, whose argument does not depend on earlier replies.
    pub(in crate::client) fn can_set_up_ahead(&self) -> bool {
        self.capabilities.pipelining
            && self.uses_extended()
            && self.settings.mode == DataMode::Passive
    }

    /// Sends REST with the offset at which the next transfer begins.
    pub(in crate::client) fn send_rest(&mut self, at: u64) -> Result<(), Error> {
        let reply = self.ask(&Command::Rest(at))?;
        // RFC 959 requires 350, but some servers reply 200 or 250.
        if reply.code().is_intermediate() || reply.code().is_success() {
            return Ok(());
        }
        self.capabilities.rest &= !is_missing(&reply);
        Err(Error::NoRestart(reply))
    }

    /// Returns whether EPSV and EPRT are used: they are enabled for the address family of this connection,
    /// and have not failed on this server.
    pub(in crate::client) fn uses_extended(&self) -> bool {
        let is_wanted = match self.peer {
            SocketAddr::V4(_) => self.settings.epsv4,
            SocketAddr::V6(_) => self.settings.epsv6,
        };
        is_wanted && self.capabilities.epsv
    }

    /// Sends the extended command, or the classic one if the server refuses or has refused the extended.
    pub(in crate::client) fn call_extended(
        &mut self,
        extended: &Command,
        classic: Option<&Command>,
    ) -> Result<Reply, Error> {
        if self.uses_extended() {
            match (self.call(extended), classic) {
                (Err(Error::Refused(reply)), Some(_)) if !is_transient(&reply) => {
                    self.capabilities.epsv = false;
                }
                (other, _) => return other,
            }
        }
        self.call(classic.unwrap_or(extended))
    }
}

/// Returns whether the reply means that the server does not know the command or its parameter.
pub(in crate::client) fn is_missing(reply: &Reply) -> bool {
    let code = reply.code();
    code == Code::UNKNOWN_COMMAND || code == Code::NOT_IMPLEMENTED || code == Code::BAD_PARAMETER
}

fn is_transient(reply: &Reply) -> bool {
    reply.code().is_transient_failure()
}
