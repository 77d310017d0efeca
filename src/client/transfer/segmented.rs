//! PGET: one file over several connections, each fetching a range of it.
//!
//! All ranges go into one hidden file, each at its place. A connection that is done with its range
//! takes half of what is left of the longest one. It is the file only once every range came and the
//! server says that size and time are what they were at the beginning, or that the file has grown
//! behind the same last bytes.

use super::TransferSettings;
use super::compare::{RemoteFacts, Tail, compare_tail};
use super::retry::{Attempt, Meter, Next, Retries};
use super::session_limit::ONE_SESSION;
use super::worker_pool::{self, Helpers, Work, Worker};
use crate::client::connection::{Connection, Representation};
use crate::client::error::Error;
use crate::client::local::{LocalFile, Partial};
use crate::client::signals::Armed;
use crate::protocol::Name;
use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The smallest range that is worth another connection, or another half.
const SMALLEST: u64 = 256 * 1024;

/// A range of the file; its bytes before `at` have come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Range {
    at: u64,
    end: u64,
    taken: bool,
}

/// The ranges of one file.
#[derive(Debug)]
struct Ranges(Vec<Range>);

impl Ranges {
    fn new(size: u64, count: u64) -> Ranges {
        let count = count.min(size / SMALLEST).max(1);
        let border =
            |number: u64| (u128::from(size) * u128::from(number) / u128::from(count)) as u64;
        let range = |number| Range { at: border(number), end: border(number + 1), taken: false };
        Ranges((0..count).map(range).collect())
    }

    /// Takes a range that no connection fetches, or half of the longest one.
    fn take(&mut self) -> Option<usize> {
        let free = self.0.iter().position(|range| !range.taken && range.at < range.end);
        let index = free.or_else(|| self.split())?;
        self.0[index].taken = true;
        Some(index)
    }

    fn split(&mut self) -> Option<usize> {
        let longest = self.0.iter_mut().max_by_key(|range| range.end - range.at)?;
        let left = longest.end - longest.at;
        if left < 2 * SMALLEST {
            return None;
        }
        let (at, end) = (longest.at + left / 2, longest.end);
        longest.end = at;
        self.0.push(Range { at, end, taken: false });
        Some(self.0.len() - 1)
    }

    fn are_done(&self) -> bool {
        self.0.iter().all(|range| range.at == range.end)
    }
}

/// Fetches a file in ranges; returns `None` if it has to be fetched in one piece.
pub(super) fn fetch(
    name: &Name,
    target: &Path,
    connections: usize,
    connection: &mut Connection,
    settings: &TransferSettings,
    meter: &mut dyn Meter,
) -> Result<Option<u64>, Error> {
    if connection.representation() == Representation::Text {
        return Ok(None);
    }
    let armed = settings.interrupt.begin().map_err(Error::Local)?;
    let helpers = Helpers::call(connection, connections.saturating_sub(1), settings);
    let remote = match RemoteFacts::ask_and_prepare(connection, name) {
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
    let Some(size) = remote.size.filter(|size| *size >= 2 * SMALLEST) else { return Ok(None) };
    let mut local = LocalFile::open(target.to_owned(), &settings.interrupt)?;
    let Some(partial) = local.partial() else { return Ok(None) };
    partial.file().set_len(size).map_err(Error::Local)?;
    meter.begins(0, Some(size));
    let ranges = Ranges::new(size, connections as u64);
    let needed = ranges.0.len().saturating_sub(1);
    let state = Mutex::new(RangeState { ranges, moved: 0, meter, failure: None });
    let queue = RangeQueue { name, remote, partial, settings, armed, state };
    worker_pool::run(connection, helpers, needed, &queue);
    let state = queue.state.into_inner().unwrap_or_else(PoisonError::into_inner);
    match state.failure {
        Some(Error::TooLong { .. }) => return Ok(None),
        _ if state.ranges.are_done() => {}
        Some(error) if cannot_restart(&error) => return Ok(None),
        Some(error) => return Err(error),
        None => return Err(Error::NotConnected),
    }
    // Some servers close everything where a transfer is stopped at the end of its range.
    let mut now = RemoteFacts::default();
    Retries::new(connection, settings, state.meter)?.until_done(|connection| {
        connection.revive()?;
        now = RemoteFacts::ask_at_once(connection, name)?;
        Ok(())
    })?;
    let is_same = match now.size {
        Some(now) if now > size => {
            compare_tail(connection, name, size, partial.file(), size)? != Tail::Different
        }
        _ => !now.is_another_than(remote),
    };
    if !is_same {
        return Err(Error::OtherContent);
    }
    local.commit(remote.modified)?;
    Ok(Some(size))
}

/// Returns whether the server cannot begin a transfer in the middle of a file.
fn cannot_restart(error: &Error) -> bool {
    match error {
        Error::NoRestart(_) | Error::TooLong { .. } => true,
        Error::GaveUp { first, .. } => cannot_restart(first),
        _ => false,
    }
}

/// The ranges of one file that wait, and what the connections share besides.
struct RangeQueue<'a> {
    name: &'a Name,
    remote: RemoteFacts,
    partial: &'a Partial,
    settings: &'a TransferSettings,
    armed: Armed,
    state: Mutex<RangeState<'a>>,
}

struct RangeState<'a> {
    ranges: Ranges,
    /// How many bytes of all ranges have come.
    moved: u64,
    meter: &'a mut dyn Meter,
    /// The first failure of a connection that gave up.
    failure: Option<Error>,
}

impl Work for RangeQueue<'_> {
    fn work(&self, connection: &mut Connection, _: Worker) {
        while let Some(index) = self.next() {
            let result = self.fetch(connection, index);
            let mut state = self.lock();
            state.ranges.0[index].taken = false;
            match result {
                Ok(_) => {}
                // It is true of all ranges.
                Err(error @ Error::TooLong { .. }) => return state.failure = Some(error),
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
        let is_over =
            |error: &Error| error.is_for_want_of_room() || matches!(error, Error::TooLong { .. });
        if state.failure.as_ref().is_some_and(is_over) {
            return None;
        }
        state.ranges.take()
    }

    fn fetch(&self, connection: &mut Connection, index: usize) -> Result<u64, Error> {
        let mut meter = RangeMeter { queue: self };
        let mut retries = Retries::new(connection, self.settings, &mut meter)?;
        retries.run(&mut RangeFetch { queue: self, index })
    }
}

/// One range on its way.
struct RangeFetch<'a, 'q> {
    queue: &'a RangeQueue<'q>,
    index: usize,
}

impl RangeFetch<'_, '_> {
    fn range(&self) -> Range {
        self.queue.lock().ranges.0[self.index]
    }

    fn receive(&self, connection: &mut Connection, at: u64) -> Result<(), Error> {
        let mut file = self.queue.partial.another_writer().map_err(Error::Local)?;
        file.seek(SeekFrom::Start(at)).map_err(Error::Local)?;
        connection.revive()?;
        let mut sink = RangeSink { queue: self.queue, index: self.index, file };
        let incoming = connection.retrieve_from(self.queue.name, at, self.queue.remote.size)?;
        match incoming.receive(&mut sink, |_| ()) {
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
        let received = self.receive(connection, self.range().at);
        let range = self.range();
        match received {
            // The server took REST and sent the whole file: what came may be of any place in it.
            Err(error @ Error::TooLong { .. }) => Err(error),
            Err(_) if range.at == range.end => Ok(range.at),
            other => other.map(|()| range.at),
        }
    }

    fn reached(&self) -> Result<u64, Error> {
        Ok(self.range().at)
    }

    fn learn(&mut self, failure: &Error) -> Result<Next, Error> {
        let is_final = matches!(failure, Error::TooLong { .. });
        Ok(if is_final { Next::Fail } else { Next::Retry })
    }

    fn look_again(&mut self, connection: &mut Connection) -> Result<(), Error> {
        let now = RemoteFacts::ask(connection, self.queue.name)?;
        if now.is_another_than(self.queue.remote) { Err(Error::OtherContent) } else { Ok(()) }
    }
}

/// What a range tells of its tries; its bytes are counted where they are written.
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

/// One range as a sink: full when its end is reached, wherever that is by then.
struct RangeSink<'a, 'q> {
    queue: &'a RangeQueue<'q>,
    index: usize,
    file: File,
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
        // With the lock held, so that no other connection halves what is being written.
        let mut state = self.queue.lock();
        let range = &mut state.ranges.0[self.index];
        let room = usize::try_from(range.end - range.at).unwrap_or(usize::MAX);
        if room == 0 {
            return Err(io::Error::other(RangeFull));
        }
        let count = self.file.write(&bytes[..bytes.len().min(room)])?;
        range.at += count as u64;
        state.moved += count as u64;
        let moved = state.moved;
        state.meter.moved(moved);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_cover_the_file_and_are_no_smaller_than_is_worth_it() {
        let ranges = Ranges::new(10 * SMALLEST + 3, 4);
        assert_eq!(ranges.0.len(), 4);
        assert_eq!((ranges.0[0].at, ranges.0[3].end), (0, 10 * SMALLEST + 3));
        assert!(ranges.0.windows(2).all(|pair| pair[0].end == pair[1].at));
        assert_eq!(Ranges::new(SMALLEST, 4).0.len(), 1);
        assert_eq!(Ranges::new(0, 4).0.len(), 1);
    }

    #[test]
    fn who_is_done_takes_half_of_the_longest() {
        let mut ranges = Ranges::new(8 * SMALLEST, 2);
        assert_eq!((ranges.take(), ranges.take()), (Some(0), Some(1)));
        ranges.0[0].at = ranges.0[0].end;
        assert_eq!(ranges.take(), Some(2));
        assert_eq!(ranges.0[1].end, 6 * SMALLEST);
        assert_eq!((ranges.0[2].at, ranges.0[2].end), (6 * SMALLEST, 8 * SMALLEST));
        ranges.0[1].at = ranges.0[1].end;
        ranges.0[2].at = ranges.0[2].end - SMALLEST;
        assert_eq!(ranges.take(), None, "too little is left");
        ranges.0[2].taken = false;
        assert_eq!(ranges.take(), Some(2), "somebody gave it up");
        assert!(!ranges.are_done());
    }
}
