//! PGET: one file over several connections, each fetching a range of it.
//!
//! All ranges go into one hidden file, each at its place. A connection that is done with its range
//! takes half of what is left of the one that has most to go. It is the file only once every range
//! came and the server says that size and time are what they were at the beginning.

use super::resume::Remote;
use super::retry::{Gain, Retries};
use super::worker_pool::How;
use crate::client::connection::Connection;
use crate::client::error::Error;
use crate::client::local::Partial;
use crate::client::output::progress::BatchProgress;
use crate::client::signals::Armed;
use crate::protocol::Name;
use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::sync::mpsc::{self, Receiver, SendError};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

/// What is not worth another connection, or another half.
pub(in crate::client) const SMALLEST: u64 = 256 * 1024;

/// Part of a file that is on its way.
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

    /// A range for somebody who has none: one that nobody fetches, or half of the longest.
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

/// Connections that are being made while the first asks what there is to be fetched.
pub(in crate::client) struct Helpers(Vec<Receiver<Connection>>);

impl Helpers {
    /// Begins to make so many. What turns out not to be needed leaves again.
    pub(in crate::client) fn call(connection: &Connection, count: usize) -> Helpers {
        let call = |_| {
            let (sender, receiver) = mpsc::channel();
            let plan = connection.plan();
            let come = move || {
                // Where there is no room for another connection, the others do.
                let Ok(mut connection) = plan.connect() else { return };
                // What goes wrong here goes wrong with the first range too, and is told then.
                let _ = connection.get_ready();
                if let Err(SendError(unneeded)) = sender.send(connection) {
                    unneeded.leave();
                }
            };
            // A system without room for a thread has fewer connections.
            thread::Builder::new().spawn(come).ok().map(|_| receiver)
        };
        Helpers((0..count).filter_map(call).collect())
    }
}

/// Fetches a file of which size and time are known into `partial`.
pub(in crate::client) fn fetch(
    connection: &mut Connection,
    helpers: Helpers,
    name: &Name,
    remote: Remote,
    partial: &mut Partial,
    how: &How,
) -> Result<u64, Error> {
    let size = remote.size.unwrap_or_default();
    let count = how.transfers.connections as u64;
    let ranges = Ranges::new(size, count);
    let needed = ranges.0.len().saturating_sub(1);
    let armed = how.interrupt.begin().map_err(Error::Local)?;
    partial.file().set_len(size).map_err(Error::Local)?;
    let state = State {
        ranges,
        many: BatchProgress::new(1, Some(size), how.messages.progress()),
        failure: None,
    };
    let crew = Crew { name, remote, partial, how, armed, state: Mutex::new(state) };
    thread::scope(|scope| {
        for helper in helpers.0.into_iter().take(needed) {
            let crew = &crew;
            // A system without room for a thread has fewer connections.
            let _ = thread::Builder::new().spawn_scoped(scope, move || crew.help(&helper));
        }
        crew.work(connection);
    });
    // What a helper left behind when it lost its connection.
    crew.work(connection);
    let state = crew.state.into_inner().unwrap_or_else(PoisonError::into_inner);
    match state.failure {
        Some(error @ Error::TooLong { .. }) => return Err(error),
        _ if state.ranges.are_done() => {}
        Some(error) => return Err(error),
        None => return Err(Error::NotConnected),
    }
    // Some servers close everything where a transfer is stopped at the end of its range.
    connection.revive()?;
    if Remote::ask_at_once(connection, name)?.is_another_than(remote) {
        return Err(Error::OtherContent);
    }
    Ok(size)
}

struct Crew<'a> {
    name: &'a Name,
    remote: Remote,
    partial: &'a Partial,
    how: &'a How,
    armed: Armed,
    state: Mutex<State>,
}

struct State {
    ranges: Ranges,
    many: BatchProgress,
    /// Why somebody gave up.
    failure: Option<Error>,
}

impl Crew<'_> {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn help(&self, helper: &Receiver<Connection>) {
        if let Ok(mut connection) = helper.recv() {
            self.work(&mut connection);
            connection.leave();
        }
    }

    fn work(&self, connection: &mut Connection) {
        while let Some(index) = self.next() {
            let result = self.fetch(connection, index);
            let mut state = self.lock();
            state.ranges.0[index].taken = false;
            match result {
                Ok(()) => {}
                // It is said of all ranges.
                Err(error @ Error::TooLong { .. }) => return state.failure = Some(error),
                Err(error) => {
                    state.failure.get_or_insert(error);
                    return;
                }
            }
        }
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

    fn fetch(&self, connection: &mut Connection, index: usize) -> Result<(), Error> {
        let mut tries = Retries::new(&self.how.interrupt, self.how.transfers.retries)?;
        loop {
            let before = self.lock().ranges.0[index];
            let Err(failure) = self.attempt(connection, before.at, index) else { return Ok(()) };
            let range = self.lock().ranges.0[index];
            match failure {
                // It took REST and sent all: what came may be of anywhere.
                Error::TooLong { .. } => return Err(failure),
                _ if range.at == range.end => return Ok(()),
                _ => {}
            }
            let gain = if range.at > before.at { Gain::Something } else { Gain::Nothing };
            tries.again(failure, gain, connection, |why, _| {
                self.lock().many.clear();
                self.how.messages.note(&format!("{why}; trying again"));
            })?;
            if Remote::ask(connection, self.name)?.is_another_than(self.remote) {
                return Err(Error::OtherContent);
            }
        }
    }

    fn attempt(&self, connection: &mut Connection, at: u64, index: usize) -> Result<(), Error> {
        let mut file = self.partial.another_writer().map_err(Error::Local)?;
        file.seek(SeekFrom::Start(at)).map_err(Error::Local)?;
        connection.revive()?;
        let mut sink = Piece { crew: self, index, file };
        let download = connection.retrieve_from(self.name, at, self.remote.size)?;
        match download.receive(&mut sink, |_| ()) {
            Err(Error::Local(error)) if error.get_ref().is_some_and(|why| why.is::<Full>()) => {
                Ok(())
            }
            other => other.map(drop),
        }
    }
}

/// One range as a sink: full when its end is reached, wherever that is by then.
struct Piece<'a, 'c> {
    crew: &'a Crew<'c>,
    index: usize,
    file: File,
}

/// Inside the `io::Error` of a [`Piece`] that is full.
#[derive(Debug)]
struct Full;

impl std::fmt::Display for Full {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the range is full")
    }
}

impl std::error::Error for Full {}

impl Write for Piece<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // With the lock held, so that nobody halves what is being written.
        let mut state = self.crew.lock();
        let range = &mut state.ranges.0[self.index];
        let room = usize::try_from(range.end - range.at).unwrap_or(usize::MAX);
        if room == 0 {
            return Err(io::Error::other(Full));
        }
        let count = self.file.write(&bytes[..bytes.len().min(room)])?;
        range.at += count as u64;
        state.many.moved(count as u64);
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
