//! PGET: fetches one file over several connections, each of which fetches a range.
//!
//! All ranges are written to one partial file at their offsets, and a table at its end records them, so that
//! a later run can fetch the rest. A connection that has finished its range takes half of the longest
//! remaining one. The download succeeds if all ranges are complete, and the remote file still has the same
//! size and time, or has only grown at its end.

use super::TransferSettings;
use super::compare::{RECHECKED_BYTES, RemoteFacts, TailComparison, compare_hash, compare_tail};
use super::ranges::{MIN_RANGE, Range, Ranges};
use super::retry::{Attempt, Meter, Next, Retries};
use super::session_limit::ONE_SESSION;
use super::sink::{Overlap, is_overlap_mismatch};
use super::worker_pool::{self, Helpers, Work, Worker};
use crate::client::connection::{Connection, Representation};
use crate::client::error::Error;
use crate::client::local::Partial;
use crate::client::signals::Armed;
use crate::protocol::Name;
use std::io::{self, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

/// The largest number of bytes that are written before the table is updated. After a kill the client fetches
/// at most these bytes and [`RECHECKED_BYTES`] again.
const MAX_WRITE: usize = 48 * 1024;

/// The number of bytes after which the file is synced, so that they count after a power failure.
const SYNC_INTERVAL: u64 = 64 * 1024 * 1024;

/// Requests the size and time of a file while helpers connect. Returns `None` if the file has to be fetched
/// over one connection.
pub(super) fn ask(
    name: &Name,
    connections: usize,
    connection: &mut Connection,
    settings: &TransferSettings,
    meter: &mut dyn Meter,
) -> Result<Option<(RemoteFacts, Helpers)>, Error> {
    if connection.representation() == Representation::Ascii {
        return Ok(None);
    }
    let armed = settings.interrupt.begin().map_err(Error::Local)?;
    let helpers = Helpers::call(connection, connections.saturating_sub(1), settings);
    let remote = match RemoteFacts::request_and_prepare(connection, name) {
        Err(_) if connection.is_lost() && settings.limit.first_was_lost(false) => {
            meter.warn(ONE_SESSION);
            drop(helpers);
            connection.reconnect()?;
            return Ok(None);
        }
        asked => asked?,
    };
    if armed.came() {
        return Err(Error::Interrupted);
    }
    let is_large = remote.size.is_some_and(|size| size >= 2 * MIN_RANGE);
    Ok(is_large.then_some((remote, helpers)))
}

/// A remote file of known size that is fetched in ranges.
#[derive(Clone, Copy)]
pub(super) struct RangedDownload<'a> {
    pub(super) name: &'a Name,
    pub(super) remote: RemoteFacts,
    pub(super) connections: usize,
    pub(super) settings: &'a TransferSettings,
}

impl RangedDownload<'_> {
    /// Fetches the missing ranges and returns the size and time of the file. Returns `None`, with an empty
    /// partial file, if it has to be fetched over one connection. If the partial file turns out to be of
    /// another version, the download starts over once.
    pub(super) fn fetch(
        &self,
        partial: &mut Partial,
        helpers: Helpers,
        connection: &mut Connection,
        meter: &mut dyn Meter,
    ) -> Result<Option<(u64, Option<SystemTime>)>, Error> {
        let came = partial.received().map_err(Error::Local)?;
        let mut fetched = self.fetch_missing(partial, helpers, connection, meter);
        if matches!(fetched, Err(Error::OtherContent)) && came > 0 {
            partial.restart().map_err(Error::Local)?;
            connection.reconnect_if_lost()?;
            fetched = self.fetch_missing(partial, Helpers::none(), connection, meter);
        }
        if let Ok(None) | Err(Error::OtherContent) = fetched {
            partial.restart().map_err(Error::Local)?;
        }
        fetched
    }

    fn fetch_missing(
        &self,
        partial: &mut Partial,
        helpers: Helpers,
        connection: &mut Connection,
        meter: &mut dyn Meter,
    ) -> Result<Option<(u64, Option<SystemTime>)>, Error> {
        let Some(size) = self.remote.size else { return Ok(None) };
        let came = partial.received().map_err(Error::Local)?;
        let ranges = match partial.ranges() {
            Some(pieces) => Ranges::of(pieces),
            None => Ranges::new(size, came, self.connections as u64),
        };
        partial.begin_ranges(&ranges.pieces()).map_err(Error::Local)?;
        meter.begins(came, Some(size));
        let useful = (ranges.missing() / MIN_RANGE).max(1);
        let needed = usize::try_from(useful).unwrap_or(usize::MAX).min(self.connections) - 1;
        let armed = self.settings.interrupt.begin().map_err(Error::Local)?;
        let state =
            RangeState { ranges, moved: 0, synced: 0, syncing: false, meter, failure: None };
        let queue = RangeQueue { download: *self, partial, armed, state: Mutex::new(state) };
        worker_pool::run(connection, helpers, needed, &queue);
        let state = queue.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        match state.failure {
            Some(Error::TooLong { .. }) => return Ok(None),
            Some(error @ Error::OtherContent) => return Err(error),
            _ if state.ranges.are_done() => {}
            Some(error) if cannot_restart(&error) => return Ok(None),
            Some(error) => return Err(error),
            None => return Err(Error::NotConnected),
        }
        partial.finish_ranges().map_err(Error::Local)?;
        // Some servers close the session when a transfer is aborted at the end of its range.
        let mut now = RemoteFacts::default();
        Retries::new(connection, self.settings, state.meter)?.until_done(|connection| {
            connection.reconnect_if_lost()?;
            now = RemoteFacts::request_pipelined(connection, self.name)?;
            Ok(())
        })?;
        self.check(now, partial, came > 0, connection)?;
        Ok(Some((size, self.remote.modified)))
    }

    /// Checks that the ranges are of the current remote file.
    fn check(
        &self,
        now: RemoteFacts,
        partial: &mut Partial,
        is_continued: bool,
        connection: &mut Connection,
    ) -> Result<(), Error> {
        let has_grown = now.size > self.remote.size;
        let is_same = match self.remote.size {
            Some(size) if has_grown => {
                compare_tail(connection, self.name, size, partial.file(), size)?
                    != TailComparison::Different
            }
            _ => !now.differs_from(self.remote),
        };
        match is_same {
            true if is_continued && !has_grown => {
                compare_hash(connection, self.name, partial.file())
            }
            true => Ok(()),
            false => Err(Error::OtherContent),
        }
    }
}

/// Returns whether the error means that the server does not support REST.
fn cannot_restart(error: &Error) -> bool {
    match error {
        Error::NoRestart(_) | Error::TooLong { .. } => true,
        Error::GaveUp { first, .. } => cannot_restart(first),
        _ => false,
    }
}

/// Returns whether the error concerns all ranges: the server accepts REST but ignores it, or the file has
/// changed.
fn concerns_all(error: &Error) -> bool {
    matches!(error, Error::TooLong { .. } | Error::OtherContent)
}

/// The ranges of one file, and the state that the connections share.
struct RangeQueue<'a> {
    download: RangedDownload<'a>,
    partial: &'a Partial,
    armed: Armed,
    state: Mutex<RangeState<'a>>,
}

struct RangeState<'a> {
    ranges: Ranges,
    /// The number of bytes of all ranges received in this run.
    moved: u64,
    /// The value of `moved` at the last sync.
    synced: u64,
    /// A connection is syncing the file.
    syncing: bool,
    meter: &'a mut dyn Meter,
    /// The first error of a connection that has ended its work.
    failure: Option<Error>,
}

impl Work for RangeQueue<'_> {
    fn work(&self, connection: &mut Connection, _: Worker) {
        while let Some(index) = self.next() {
            let result = self.fetch(connection, index);
            let mut state = self.lock();
            state.ranges.release(index);
            match result {
                Ok(_) => {}
                Err(error) if concerns_all(&error) => return state.failure = Some(error),
                Err(error) => {
                    state.failure.get_or_insert(error);
                    return;
                }
            }
        }
    }
}

impl<'a> RangeQueue<'a> {
    fn lock(&self) -> MutexGuard<'_, RangeState<'a>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next(&self) -> Option<usize> {
        if self.armed.came() {
            self.lock().failure = Some(Error::Interrupted);
            return None;
        }
        let mut state = self.lock();
        let is_over = |error: &Error| error.is_for_want_of_room() || concerns_all(error);
        if state.failure.as_ref().is_some_and(is_over) {
            return None;
        }
        state.ranges.take()
    }

    /// Syncs the file to the disk, while the other connections continue.
    fn sync(&self) -> io::Result<()> {
        let before = self.lock().ranges.pieces();
        let synced = self.partial.sync();
        let mut state = self.lock();
        (state.synced, state.syncing) = (state.moved, false);
        synced?;
        state.ranges.synced(&before);
        self.partial.save_ranges(&state.ranges.pieces())
    }

    fn fetch(&self, connection: &mut Connection, index: usize) -> Result<u64, Error> {
        let mut meter = RangeMeter { queue: self };
        let mut retries = Retries::new(connection, self.download.settings, &mut meter)?;
        retries.run(&mut RangeFetch { queue: self, index })
    }
}

/// The transfer of one range.
struct RangeFetch<'a, 'q> {
    queue: &'a RangeQueue<'q>,
    index: usize,
}

impl RangeFetch<'_, '_> {
    fn range(&self) -> Range {
        self.queue.lock().ranges.get(self.index)
    }

    fn receive(&self, connection: &mut Connection, range: Range) -> Result<(), Error> {
        let (RangedDownload { name, remote, .. }, piece) = (self.queue.download, range.piece);
        let here = piece.at - piece.start;
        let overlap = if range.unchecked { here.min(RECHECKED_BYTES) } else { 0 };
        let from = piece.at - overlap;
        let expected = self.queue.partial.read_at(from, overlap).map_err(Error::Local)?;
        connection.reconnect_if_lost()?;
        let mut sink = RangeSink { queue: self.queue, index: self.index };
        let mut sink = Overlap { expected: &expected, sink: &mut sink };
        let incoming = connection.retrieve_from(name, from, remote.size)?;
        match incoming.receive(&mut sink, |_| ()) {
            Err(Error::Local(error)) if is_overlap_mismatch(&error) => Err(Error::OtherContent),
            Err(Error::Local(error))
                if error.get_ref().is_some_and(|why| why.is::<RangeFull>()) =>
            {
                Ok(())
            }
            other => other.map(drop),
        }
    }
}

impl Attempt for RangeFetch<'_, '_> {
    fn attempt(&mut self, connection: &mut Connection, _: &mut dyn Meter) -> Result<u64, Error> {
        let received = self.receive(connection, self.range());
        let piece = self.range().piece;
        match received {
            Err(error) if concerns_all(&error) => Err(error),
            Err(_) if piece.at == piece.end => Ok(piece.at),
            other => other.map(|()| piece.at),
        }
    }

    fn reached(&self) -> Result<u64, Error> {
        Ok(self.range().piece.at)
    }

    fn decide(&mut self, failure: &Error) -> Result<Next, Error> {
        Ok(if concerns_all(failure) { Next::Fail } else { Next::Retry })
    }

    fn check_remote(&mut self, connection: &mut Connection) -> Result<(), Error> {
        let RangedDownload { name, remote, .. } = self.queue.download;
        let now = RemoteFacts::request(connection, name)?;
        if now.differs_from(remote) { Err(Error::OtherContent) } else { Ok(()) }
    }
}

/// Reports the retries of a range. Its bytes are counted when they are written.
struct RangeMeter<'a, 'q> {
    queue: &'a RangeQueue<'q>,
}

impl Meter for RangeMeter<'_, '_> {
    fn again(&mut self, why: &Error, pause: Duration) {
        self.queue.lock().meter.again(why, pause);
    }

    fn warn(&mut self, text: &str) {
        self.queue.lock().meter.warn(text);
    }
}

/// A sink for one range, which fails at the end of the range. The end may move while it is fetched.
struct RangeSink<'a, 'q> {
    queue: &'a RangeQueue<'q>,
    index: usize,
}

/// The cause inside the `io::Error` of a [`RangeSink`] that is full.
#[derive(Debug)]
struct RangeFull;

impl std::fmt::Display for RangeFull {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the range is full")
    }
}

impl std::error::Error for RangeFull {}

impl Write for RangeSink<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let partial = self.queue.partial;
        // Holding the lock keeps other connections from splitting the range during the write.
        let mut state = self.queue.lock();
        let piece = state.ranges.get(self.index).piece;
        let room = usize::try_from(piece.end - piece.at).unwrap_or(usize::MAX).min(MAX_WRITE);
        if room == 0 {
            return Err(io::Error::other(RangeFull));
        }
        let count = partial.write_at(&bytes[..bytes.len().min(room)], piece.at)?;
        state.ranges.advance(self.index, count as u64);
        partial.save_ranges(&state.ranges.pieces())?;
        state.moved += count as u64;
        let moved = state.moved;
        state.meter.moved(moved);
        if moved - state.synced >= SYNC_INTERVAL && !state.syncing {
            state.syncing = true;
            drop(state);
            self.queue.sync()?;
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
