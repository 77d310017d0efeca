//! Downloads that are complete and consistent, however often the connection breaks.
//!
//! `Ok` means that the server confirmed the transfer, that the local file has at least the remote size, and
//! that all bytes are of the same version of the file. To ensure that,
//!
//! - the size and time of the remote file are requested before the download, and again before a partial
//!   file is continued: if either has changed, the download starts over;
//! - the last bytes of an earlier run are fetched again and compared, and more of them if the server gives
//!   no time;
//! - from a server that refuses REST the whole file is fetched;
//! - a file that was fetched in several pieces is compared with the server's HASH, if it supports that;
//! - a file that grows during the download is kept with the additional bytes, up to a limit;
//! - if all bytes have arrived and only the final reply was lost, a new connection checks that the file
//!   has not changed.

use super::TransferSettings;
use super::compare::{COMPARED_BYTES, RECHECKED_BYTES, RemoteFacts, Sameness, compare_hash};
use super::outcome::TransferOutcome;
use super::retry::{Attempt, Meter, Next, Retries};
use super::segmented::{self, RangedDownload};
use super::sink::{DownloadSink, Overlap, is_overlap_mismatch};
use super::worker_pool::Helpers;
use crate::client::connection::{Connection, Representation};
use crate::client::error::Error;
use crate::client::local::{self, Continuation, Partial, RemoteIdentity};
use crate::client::output::json::Action;
use crate::protocol::{Command, Name};
use std::io::Write;
use std::mem;
use std::path::PathBuf;
use std::time::SystemTime;

/// A remote file to be fetched into a local one.
#[derive(Clone, Debug)]
pub(in crate::client) struct Download {
    pub(in crate::client) remote: Name,
    /// The local file that the download creates or replaces.
    pub(in crate::client) target: PathBuf,
    pub(in crate::client) continued: ContinuedFile,
    /// The facts of a listing; missing facts are requested.
    pub(in crate::client) known: RemoteFacts,
    /// The time in a listing, for the local file if the server refuses MDTM.
    pub(in crate::client) listed: Option<SystemTime>,
    /// The number of connections to fetch ranges over; `None` fetches the whole file over one.
    pub(in crate::client) connections: Option<usize>,
    /// The command that continues the download, for the user.
    pub(in crate::client) continued_by: String,
}

/// The local file that a download may continue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::client) enum ContinuedFile {
    /// A partial file.
    Partial,
    /// A partial file or, without one, the target.
    Target,
}

/// The size and time of a fetched file.
type Fetched = (u64, Option<SystemTime>);

impl Download {
    /// Fetches the file. The commands `next` are pipelined behind the transfer command.
    pub(in crate::client) fn run(
        &self,
        connection: &mut Connection,
        settings: &TransferSettings,
        next: &[Command],
        meter: &mut dyn Meter,
    ) -> TransferOutcome {
        let mut kept = None;
        let remote = self.remote.as_bytes();
        let outcome = TransferOutcome::of(Action::Retrieve, remote, &self.target, || {
            let fetched = self.fetch(connection, settings, next, meter, &mut kept);
            fetched.map_err(|error| error.at(self.target.clone()))
        });
        TransferOutcome { kept, ..outcome }
    }

    fn fetch(
        &self,
        connection: &mut Connection,
        settings: &TransferSettings,
        next: &[Command],
        meter: &mut dyn Meter,
        kept: &mut Option<String>,
    ) -> Result<u64, Error> {
        let mut device = local::open_special(&self.target)?;
        if let Some(connections) = self.connections.filter(|_| device.is_none())
            && let Some(bytes) =
                self.fetch_over_several(connections, connection, settings, meter, kept)?
        {
            return Ok(bytes);
        }
        let mut retries = Retries::new(connection, settings, meter)?;
        let fetched = match &mut device {
            Some(device) => {
                let fetch = Fetch::new(&self.remote, DownloadSink::stream(device));
                fetch.run(&mut retries).map(|(bytes, _)| bytes)
            }
            None => self.fetch_over_one(&mut retries, settings, next, kept),
        };
        // Pipelined commands may be the reason why a retry was needed.
        let is_doubtful = retries.were_made() && !next.is_empty();
        retries.connection.capabilities().pipelining &= !is_doubtful;
        fetched
    }

    /// Fetches ranges over several connections; returns `None` if the file has to be fetched in one piece.
    fn fetch_over_several(
        &self,
        connections: usize,
        connection: &mut Connection,
        settings: &TransferSettings,
        meter: &mut dyn Meter,
        kept: &mut Option<String>,
    ) -> Result<Option<u64>, Error> {
        let asked = segmented::ask(&self.remote, connections, connection, settings, meter)?;
        let Some((remote, helpers)) = asked else { return Ok(None) };
        let mut partial = self.open(settings, remote.part(connection, &self.remote))?;
        let ranged = RangedDownload { name: &self.remote, remote, connections, settings };
        match ranged.fetch(&mut partial, helpers, connection, meter).transpose() {
            Some(fetched) => commit_or_keep(partial, fetched, connection, kept).map(Some),
            None => Ok(None),
        }
    }

    fn fetch_over_one(
        &self,
        retries: &mut Retries<'_>,
        settings: &TransferSettings,
        next: &[Command],
        kept: &mut Option<String>,
    ) -> Result<u64, Error> {
        let mut remote = self.known;
        if remote.size.is_none() {
            let ask = |connection: &mut Connection| {
                remote = RemoteFacts::request(connection, &self.remote)?;
                Ok(())
            };
            retries.until_done(ask)?;
        }
        if retries.connection.representation() == Representation::Ascii {
            // The size in a listing is not the size in TYPE A.
            remote.size = None;
        }
        let mut partial = self.open(settings, remote.part(retries.connection, &self.remote))?;
        let fetched = self.fetch_into(&mut partial, remote, retries, settings, next);
        commit_or_keep(partial, fetched, retries.connection, kept)
    }

    fn open(&self, settings: &TransferSettings, part: RemoteIdentity) -> Result<Partial, Error> {
        let (name, command) = (self.remote.as_bytes().to_vec(), self.continued_by.clone());
        let continuation = Continuation { name, command };
        Partial::open(&settings.partials, &self.target, part, continuation).map_err(Error::Local)
    }

    fn fetch_into(
        &self,
        partial: &mut Partial,
        remote: RemoteFacts,
        retries: &mut Retries<'_>,
        settings: &TransferSettings,
        next: &[Command],
    ) -> Result<Fetched, Error> {
        if partial.ranges().is_some() {
            let ranged = RangedDownload { name: &self.remote, remote, connections: 1, settings };
            let (connection, meter) = retries.parts();
            if let Some(fetched) = ranged.fetch(partial, Helpers::none(), connection, meter)? {
                return Ok(fetched);
            }
        }
        let begins_with_target = self.continued == ContinuedFile::Target
            && partial.continue_target().map_err(Error::Local)?;
        let mut fetch = Fetch::new(&self.remote, DownloadSink::Partial(partial));
        fetch.set_facts(remote, !begins_with_target)?;
        retries.connection.pipeline_after_transfer(next.to_vec());
        let (bytes, modified) = fetch.run(retries)?;
        Ok((bytes, modified.or(self.listed)))
    }
}

/// Renames a complete file to its target. After a failure, keeps the partial file if it can be continued,
/// unless the disk is full.
fn commit_or_keep(
    mut partial: Partial,
    fetched: Result<Fetched, Error>,
    connection: &mut Connection,
    kept: &mut Option<String>,
) -> Result<u64, Error> {
    match fetched {
        Ok((bytes, modified)) => partial.commit(modified).map(|()| bytes),
        Err(error) => {
            if error.is_for_want_of_room() || !connection.capabilities().rest {
                partial.discard();
            }
            *kept = partial.kept();
            Err(error)
        }
    }
}

/// Fetches a file into a stream. After an interruption the download continues at its offset, or fails.
pub(in crate::client) fn fetch_to_stream(
    remote: &Name,
    stream: &mut dyn Write,
    connection: &mut Connection,
    settings: &TransferSettings,
    meter: &mut dyn Meter,
) -> Result<u64, Error> {
    let mut retries = Retries::new(connection, settings, meter)?;
    let fetched = Fetch::new(remote, DownloadSink::stream(stream)).run(&mut retries);
    fetched.map(|(bytes, _)| bytes)
}

/// The state of a download over one connection.
struct Fetch<'a> {
    name: &'a Name,
    /// The facts of the file whose bytes are in the sink.
    remote: Option<RemoteFacts>,
    /// Facts that were just requested.
    fresh: Option<RemoteFacts>,
    sink: DownloadSink<'a>,
    /// The server refused the transfer although all bytes had arrived.
    doubted: bool,
    /// The bytes in the sink arrived in several pieces.
    resumed: bool,
    /// The bytes in the sink are of an earlier run, and their end was not compared yet.
    unchecked: bool,
}

/// Returns whether the bytes in the sink are useless after this failure.
fn invalidates_data(failure: &Error) -> bool {
    matches!(failure, Error::TooLong { .. } | Error::OtherContent | Error::NoRestart(_))
}

/// The offset at which a try begins.
enum TryStart {
    /// No transfer is needed: all bytes are present.
    Done,
    /// The try begins at `from`, and its first `overlap` bytes are compared with the sink.
    At { from: u64, overlap: u64 },
}

impl<'a> Fetch<'a> {
    fn new(name: &'a Name, sink: DownloadSink<'a>) -> Fetch<'a> {
        let (doubted, resumed, unchecked) = (false, false, false);
        Fetch { name, remote: None, fresh: None, sink, doubted, resumed, unchecked }
    }

    /// Sets facts that were just requested, and whether the bytes in the sink are of that file.
    fn set_facts(&mut self, remote: RemoteFacts, ours: bool) -> Result<(), Error> {
        self.fresh = Some(remote);
        self.remote = ours.then_some(remote);
        self.unchecked = self.sink.length()? > 0;
        Ok(())
    }

    /// Fetches the file; returns its size, and its time if the server gave one.
    fn run(mut self, retries: &mut Retries<'_>) -> Result<Fetched, Error> {
        let bytes = retries.run(&mut self)?;
        Ok((bytes, self.remote.and_then(|remote| remote.modified)))
    }

    fn start(
        &mut self,
        connection: &mut Connection,
        remote: RemoteFacts,
    ) -> Result<TryStart, Error> {
        const BEGINNING: TryStart = TryStart::At { from: 0, overlap: 0 };
        let here = self.sink.length()?;
        let sameness = match self.remote {
            Some(before) => before.compared_with(remote),
            None => Sameness::Unknown,
        };
        let beyond = remote.size.is_some_and(|size| size < here);
        let continues = connection.capabilities().rest
            && connection.representation() == Representation::Image
            && sameness != Sameness::Different
            && !beyond;
        if here == 0 || !continues {
            self.sink.restart()?;
            return Ok(BEGINNING);
        }
        let is_whole = remote.size == Some(here);
        if is_whole && !self.doubted && !self.unchecked && self.remote.is_some() {
            return Ok(TryStart::Done);
        }
        let overlap = match sameness {
            Sameness::Same if self.unchecked => here.min(RECHECKED_BYTES),
            Sameness::Same if !is_whole => 0,
            _ => here.min(COMPARED_BYTES),
        };
        Ok(TryStart::At { from: here - overlap, overlap })
    }

    fn receive(
        &mut self,
        connection: &mut Connection,
        from: u64,
        overlap: u64,
        meter: &mut dyn Meter,
    ) -> Result<u64, Error> {
        let size = self.remote.and_then(|remote| remote.size);
        let expected = self.sink.tail(overlap)?;
        self.resumed = from > 0;
        let incoming = connection.retrieve_from(self.name, from, size)?.that_may_grow();
        meter.begins(from + overlap, size);
        let moved = |moved: u64| meter.moved(moved.saturating_sub(overlap));
        let received = match &mut self.sink {
            DownloadSink::Partial(partial) if overlap == 0 => {
                incoming.receive_file(partial.file(), moved).map(drop)
            }
            DownloadSink::Partial(partial) => {
                let mut sink = Overlap { expected: &expected, sink: &mut **partial };
                let received = incoming.receive(&mut sink, moved);
                let is_compared = sink.is_compared();
                self.unchecked &= !is_compared;
                // Without a known size, a file that has shrunk is only detected here.
                received.and(if is_compared { Ok(()) } else { Err(Error::OtherContent) })
            }
            DownloadSink::Stream(counted) => incoming.receive(counted, moved).map(drop),
        };
        match received {
            Err(Error::Local(error)) if is_overlap_mismatch(&error) => Err(Error::OtherContent),
            Err(error) => Err(error),
            Ok(_) => {
                self.sink.settle()?;
                self.sink.length()
            }
        }
    }

    fn verify(&mut self, connection: &mut Connection) -> Result<(), Error> {
        match &mut self.sink {
            DownloadSink::Partial(partial) if self.resumed => {
                compare_hash(connection, self.name, partial.file())
            }
            _ => Ok(()),
        }
    }
}

impl Attempt for Fetch<'_> {
    fn attempt(
        &mut self,
        connection: &mut Connection,
        meter: &mut dyn Meter,
    ) -> Result<u64, Error> {
        let remote = match self.fresh.take() {
            Some(remote) => remote,
            None => RemoteFacts::request(connection, self.name)?,
        };
        // Facts that are missing now may be known from before.
        let known = self.remote.unwrap_or_default();
        let (size, modified) = (remote.size.or(known.size), remote.modified.or(known.modified));
        self.sink.update_identity(size, modified)?;
        let start = self.start(connection, remote)?;
        self.remote = Some(RemoteFacts { size, modified });
        let length = match start {
            TryStart::Done => self.sink.length(),
            TryStart::At { from, overlap } => self.receive(connection, from, overlap, meter),
        }?;
        self.verify(connection).map(|()| length)
    }

    fn reached(&self) -> Result<u64, Error> {
        self.sink.length()
    }

    fn decide(&mut self, failure: &Error) -> Result<Next, Error> {
        if invalidates_data(failure) {
            if self.sink.is_spent() {
                return Ok(Next::FailWithFirst);
            }
            self.sink.restart()?;
            if mem::take(&mut self.unchecked) {
                return Ok(Next::StartOver);
            }
        } else if let Error::Refused(_) = failure {
            let here = self.sink.length()?;
            self.doubted = self.remote.is_some_and(|remote| remote.size == Some(here));
        }
        Ok(Next::Retry)
    }
}
