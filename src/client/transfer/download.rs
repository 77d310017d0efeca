//! Downloads that arrive whole, however often the connection breaks.
//!
//! `Ok` means that the server confirmed the transfer, that at least as many bytes are here as it says
//! the file has, and that all of them are of one file. For that
//!
//! - size and time of the remote file are asked before anything of it is fetched, and again before
//!   a partial file is continued: if either changed, the download starts over;
//! - if the server gives no time, the last 64 KiB that are here are fetched again and compared;
//! - from a server without REST the whole file is fetched: nothing is ever appended that REST did
//!   not agree to;
//! - a file that came in more than one piece is compared with the server's HASH, if it has that;
//! - a file that grows while it is fetched is kept with what came beyond its size; one that grows
//!   without end is not;
//! - if all bytes came and only the final reply was lost, a new connection is asked whether it is
//!   still the same file, and that is enough.

use super::TransferSettings;
use super::compare::{COMPARED, RemoteFacts, Sameness, compare_hash};
use super::outcome::TransferOutcome;
use super::retry::{Attempt, Meter, Next, Retries};
use super::segmented;
use super::sink::{DownloadSink, Overlap, is_overlap_mismatch};
use crate::client::connection::{Connection, Representation};
use crate::client::error::Error;
use crate::client::local::{LocalFile, PartOf, Partial};
use crate::client::output::json::Action;
use crate::protocol::{Command, Name};
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::SystemTime;

/// A remote file to be fetched into a local one.
#[derive(Clone, Debug)]
pub(in crate::client) struct Download {
    pub(in crate::client) remote: Name,
    /// The local file that the download creates or replaces.
    pub(in crate::client) target: PathBuf,
    pub(in crate::client) kept: Kept,
    /// The facts of a listing; those that it left out are asked for.
    pub(in crate::client) known: RemoteFacts,
    /// Over how many connections ranges of the file are fetched; `None` fetches it whole.
    pub(in crate::client) connections: Option<usize>,
}

/// Which bytes that are here already a download continues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::client) enum Kept {
    /// None; the download starts over.
    Nothing,
    /// Those of a partial file.
    Partial,
    /// Those of a partial file or, without one, of the target itself.
    Target,
}

impl Download {
    /// Fetches the file; `next` goes out together with the command of this transfer.
    pub(in crate::client) fn run(
        &self,
        connection: &mut Connection,
        settings: &TransferSettings,
        next: &[Command],
        meter: &mut dyn Meter,
    ) -> TransferOutcome {
        TransferOutcome::of(Action::Retrieve, self.remote.as_bytes(), &self.target, || {
            let fetched = self.fetch(connection, settings, next, meter);
            fetched.map_err(|error| error.at(self.target.clone()))
        })
    }

    fn fetch(
        &self,
        connection: &mut Connection,
        settings: &TransferSettings,
        next: &[Command],
        meter: &mut dyn Meter,
    ) -> Result<u64, Error> {
        if let Some(connections) = self.connections
            && let Some(bytes) = segmented::fetch(
                &self.remote,
                &self.target,
                connections,
                connection,
                settings,
                meter,
            )?
        {
            return Ok(bytes);
        }
        let mut retries = Retries::new(connection, settings, meter)?;
        let mut local = LocalFile::open(self.target.clone(), &settings.interrupt)?;
        let fetched = match local.partial() {
            Some(partial) => self.fetch_into(partial, &mut retries, next),
            None => Fetch::new(&self.remote, DownloadSink::stream(&mut local)).run(&mut retries),
        };
        // A second try may have been needed because commands went out together.
        let is_doubtful = retries.were_needed() && !next.is_empty();
        retries.connection.capabilities().pipelines &= !is_doubtful;
        let (bytes, modified) = fetched?;
        local.commit(modified)?;
        Ok(bytes)
    }

    fn fetch_into(
        &self,
        partial: &mut Partial,
        retries: &mut Retries<'_>,
        next: &[Command],
    ) -> Result<(u64, Option<SystemTime>), Error> {
        let mut remote = self.known;
        if remote.size.is_none() {
            let ask = |connection: &mut Connection| {
                remote = RemoteFacts::ask(connection, &self.remote)?;
                Ok(())
            };
            retries.until_done(ask)?;
        }
        if retries.connection.representation() == Representation::Text {
            // A listing gives the size of the file, not that of its lines on the wire.
            remote.size = None;
        }
        let part = remote.part(retries.connection, &self.remote);
        let is_known = self.take_up(partial, part.as_ref()).map_err(Error::Local)?;
        let mut fetch = Fetch::new(&self.remote, DownloadSink::Partial(&mut *partial));
        fetch.knows(remote, is_known);
        retries.connection.follow_with(next.to_vec());
        let fetched = fetch.run(retries);
        if let Some(part) = &part {
            match &fetched {
                Ok(_) => partial.forget(part),
                // The user hears of the failure; that nothing could be kept is not worth a line.
                Err(error) => drop(partial.keep(part, error)),
            }
        }
        fetched
    }

    /// Puts the bytes in place that the download continues; returns whether they are known to be of
    /// the remote file.
    fn take_up(&self, partial: &mut Partial, part: Option<&PartOf>) -> io::Result<bool> {
        if self.kept == Kept::Nothing {
            return Ok(true);
        }
        if let Some(part) = part {
            partial.take_up(part)?;
        }
        if self.kept == Kept::Partial || partial.length()? > 0 {
            return Ok(true);
        }
        partial.take_copy()?;
        Ok(partial.length()? == 0)
    }
}

/// Fetches a file into a stream: after a break the rest follows what came, or the download fails.
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

/// A file on its way to this side.
struct Fetch<'a> {
    name: &'a Name,
    /// The facts of the file that the bytes in the sink are of.
    remote: Option<RemoteFacts>,
    /// Facts that were asked just now and need not be asked again.
    fresh: Option<RemoteFacts>,
    sink: DownloadSink<'a>,
    /// Whether the server refused although all bytes had come.
    doubted: bool,
    /// Whether the bytes in the sink came in more than one piece.
    patched: bool,
}

/// Returns whether the bytes in the sink are useless after that failure.
fn starts_over(failure: &Error) -> bool {
    matches!(failure, Error::TooLong { .. } | Error::OtherContent | Error::NoRestart(_))
}

/// Where a try begins.
enum TryStart {
    /// All bytes are here.
    Done,
    /// At this byte, `overlap` before the end of what is here.
    At { from: u64, overlap: u64 },
}

impl<'a> Fetch<'a> {
    fn new(name: &'a Name, sink: DownloadSink<'a>) -> Fetch<'a> {
        Fetch { name, remote: None, fresh: None, sink, doubted: false, patched: false }
    }

    /// Notes the facts that the server gave just now, and whether the bytes in the sink are of that
    /// file.
    fn knows(&mut self, remote: RemoteFacts, ours: bool) {
        self.fresh = Some(remote);
        self.remote = ours.then_some(remote);
    }

    /// Fetches the file; returns its size, and its time if the server gave one.
    fn run(mut self, retries: &mut Retries<'_>) -> Result<(u64, Option<SystemTime>), Error> {
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
            None => Sameness::Perhaps,
        };
        let beyond = remote.size.is_some_and(|size| size < here);
        let continues = connection.capabilities().restarts
            && connection.representation() == Representation::Bytes
            && sameness != Sameness::Another
            && !beyond;
        if here == 0 || !continues {
            self.sink.restart()?;
            return Ok(BEGINNING);
        }
        let is_whole = remote.size == Some(here);
        if is_whole && !self.doubted && self.remote.is_some() {
            return Ok(TryStart::Done);
        }
        let overlap = if sameness == Sameness::Same && !is_whole { 0 } else { here.min(COMPARED) };
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
        self.patched = from > 0;
        let incoming = connection.retrieve_from(self.name, from, size)?.that_may_grow();
        meter.begins(from + overlap, size);
        let moved = |moved: u64| meter.moved(moved.saturating_sub(overlap));
        let received = match &mut self.sink {
            DownloadSink::Partial(partial) if overlap == 0 => {
                incoming.receive_file(partial.file(), moved)
            }
            DownloadSink::Partial(partial) => {
                let mut sink = Overlap { expected: &expected, sink: partial.file() };
                incoming.receive(&mut sink, moved)
            }
            DownloadSink::Stream(counted) => incoming.receive(counted, moved),
        };
        match received {
            Err(Error::Local(error)) if is_overlap_mismatch(&error) => Err(Error::OtherContent),
            Err(error) => Err(error),
            Ok(_) => self.sink.length(),
        }
    }

    fn verify(&mut self, connection: &mut Connection) -> Result<(), Error> {
        match &mut self.sink {
            DownloadSink::Partial(partial) if self.patched => {
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
            None => RemoteFacts::ask(connection, self.name)?,
        };
        let start = self.start(connection, remote)?;
        // An earlier answer may have said what this one left out.
        let known = self.remote.unwrap_or_default();
        let size = remote.size.or(known.size);
        self.remote = Some(RemoteFacts { size, modified: remote.modified.or(known.modified) });
        let length = match start {
            TryStart::Done => self.sink.length(),
            TryStart::At { from, overlap } => self.receive(connection, from, overlap, meter),
        }?;
        self.verify(connection).map(|()| length)
    }

    fn reached(&self) -> Result<u64, Error> {
        self.sink.length()
    }

    fn learn(&mut self, failure: &Error) -> Result<Next, Error> {
        if starts_over(failure) {
            if self.sink.is_spent() {
                return Ok(Next::FailAsFirst);
            }
            self.sink.restart()?;
        } else if let Error::Refused(_) = failure {
            let here = self.sink.length()?;
            self.doubted = self.remote.is_some_and(|remote| remote.size == Some(here));
        }
        Ok(Next::Retry)
    }
}
