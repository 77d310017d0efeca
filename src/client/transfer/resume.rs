//! Files that come and go whole, however often the connection breaks.
//!
//! What [`fetch`] and [`send`] promise: `Ok` means that the server said so and that as many bytes are
//! there as it says the file has; and that all of them are of one file. For that
//!
//! - the size and time of a remote file are asked before anything of it is fetched, and again before
//!   it is gone on with: where either changed, all begins anew;
//! - where the server tells no time, the last 64 KiB of what is here come again and are compared;
//! - a server that takes no REST is asked for all of it: nothing is ever appended to what REST did
//!   not agree to;
//! - an upload is gone on with only where the server has something that can be nothing but its
//!   beginning;
//! - what was put together in more than one piece is compared with the server's HASH, where it has
//!   that;
//! - where everything came and only the last word was lost, a new connection is asked whether it is
//!   still the same file, and that is enough.

use super::retry::{Gain, Retries};
use crate::client::connection::data::passive_ahead;
use crate::client::connection::{Connection, Representation};
use crate::client::error::Error;
use crate::client::local::{PartOf, Partial};
use crate::protocol::digest::Hasher;
use crate::protocol::{Algorithm, Name};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How much is compared where nothing else tells that it is the same file.
pub(in crate::client) const COMPARED: u64 = 64 * 1024;

/// Up to which size a digest is asked for: a few seconds' work.
const LARGEST_HASHED: u64 = 1024 * 1024 * 1024;

/// From which size on a file is worth a question beforehand, so that its upload can be gone on with.
const LARGE: u64 = 1024 * 1024;

/// What a server says of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::client) struct Remote {
    pub(in crate::client) size: Option<u64>,
    pub(in crate::client) modified: Option<SystemTime>,
}

/// What two answers about one name say of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sameness {
    Same,
    /// Nothing speaks against it.
    Perhaps,
    Another,
}

impl Remote {
    /// Asks.
    pub(in crate::client) fn ask(
        connection: &mut Connection,
        name: &Name,
    ) -> Result<Remote, Error> {
        let size = connection.expected_size(name)?;
        let modified = connection.expected_time(name)?;
        Ok(Remote { size, modified })
    }

    /// Asks in one piece.
    pub(in crate::client) fn ask_at_once(
        connection: &mut Connection,
        name: &Name,
    ) -> Result<Remote, Error> {
        let (size, modified) = connection.expected_size_and_time(name)?;
        Ok(Remote { size, modified })
    }

    /// Asks, and gets ready to fetch it.
    pub(in crate::client) fn get_ready(
        connection: &mut Connection,
        name: &Name,
    ) -> Result<Remote, Error> {
        let prospect = connection.get_ready_for(name)?;
        if let Some(route) = prospect.route {
            passive_ahead(connection, &route);
        }
        Ok(Remote { size: prospect.size, modified: prospect.time })
    }

    /// What a part of this file would be a part of, if enough is known of it.
    pub(in crate::client) fn part(self, connection: &Connection, name: &Name) -> Option<PartOf> {
        Some(PartOf::new(&(connection.place(), name), self.size?, self.modified?))
    }

    /// Whether it is certain that this is not the same file.
    pub(in crate::client) fn is_another_than(self, other: Remote) -> bool {
        self.compared_with(other) == Sameness::Another
    }

    fn compared_with(self, other: Remote) -> Sameness {
        let sizes = both(self.size, other.size);
        // MLSD and MDTM do not always agree about fractions.
        let times = both(self.modified.map(seconds), other.modified.map(seconds));
        match (sizes, times) {
            (Sameness::Another, _) | (_, Sameness::Another) => Sameness::Another,
            (Sameness::Same, Sameness::Same) => Sameness::Same,
            _ => Sameness::Perhaps,
        }
    }
}

fn both<T: PartialEq>(one: Option<T>, other: Option<T>) -> Sameness {
    match (one, other) {
        (Some(one), Some(other)) if one == other => Sameness::Same,
        (Some(_), Some(_)) => Sameness::Another,
        _ => Sameness::Perhaps,
    }
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// Who is told how a transfer goes.
pub(in crate::client) trait Meter {
    /// So much is here already, of so much in all.
    fn begins(&mut self, before: u64, total: Option<u64>);
    /// So much has moved since.
    fn moved(&mut self, moved: u64);
    /// It broke off and is tried again after a pause.
    fn again(&mut self, why: &Error, pause: Duration);
}

/// Where a download goes.
pub(in crate::client) enum Sink<'a> {
    /// A file that can be gone back in.
    Partial(&'a mut Partial),
    /// What was written is gone.
    Stream(Counted<'a>),
}

/// A stream, and how much went into it.
pub(in crate::client) struct Counted<'a> {
    stream: &'a mut dyn Write,
    count: u64,
}

impl<'a> Sink<'a> {
    /// A stream that nothing was written to yet.
    pub(in crate::client) fn stream(stream: &'a mut dyn Write) -> Sink<'a> {
        Sink::Stream(Counted { stream, count: 0 })
    }

    fn length(&self) -> Result<u64, Error> {
        match self {
            Sink::Partial(partial) => partial.length().map_err(Error::Local),
            Sink::Stream(counted) => Ok(counted.count),
        }
    }

    /// Whether something went out that cannot be taken back.
    fn is_spent(&self) -> bool {
        matches!(self, Sink::Stream(Counted { count: 1.., .. }))
    }

    fn restart(&mut self) -> Result<(), Error> {
        match self {
            Sink::Partial(partial) => partial.restart().map_err(Error::Local),
            Sink::Stream(Counted { count: 0, .. }) => Ok(()),
            Sink::Stream(_) => Err(Error::OtherContent),
        }
    }

    /// The last bytes that are here; none of a stream can be read again.
    fn tail(&mut self, count: u64) -> Result<Vec<u8>, Error> {
        match self {
            Sink::Partial(partial) => partial.tail(count).map_err(Error::Local),
            Sink::Stream(_) if count == 0 => Ok(Vec::new()),
            Sink::Stream(_) => Err(Error::OtherContent),
        }
    }
}

impl Write for Counted<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.stream.write(bytes)?;
        self.count += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

/// A sink to which what it holds at its end comes once more.
struct Overlap<'a> {
    expected: &'a [u8],
    sink: &'a mut dyn Write,
}

/// Inside the `io::Error` of an [`Overlap`] that got something else.
#[derive(Debug)]
struct Differs;

impl std::fmt::Display for Differs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        Error::OtherContent.fmt(f)
    }
}

impl std::error::Error for Differs {}

impl Write for Overlap<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.expected.is_empty() {
            return self.sink.write(bytes);
        }
        let count = bytes.len().min(self.expected.len());
        let (now, later) = self.expected.split_at(count);
        if now != &bytes[..count] {
            return Err(io::Error::other(Differs));
        }
        self.expected = later;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.sink.flush()
    }
}

/// A file on its way to us.
pub(in crate::client) struct Fetch<'a> {
    /// What the server calls it.
    pub(in crate::client) name: &'a Name,
    /// What it said of the file that the bytes here are of.
    remote: Option<Remote>,
    /// What it said just now and need not be asked again.
    fresh: Option<Remote>,
    sink: Sink<'a>,
    /// Whether the server said no although all had come.
    doubted: bool,
    /// Whether what is here came in more than one piece.
    patched: bool,
}

/// Whether what is here is of no use after that failure.
fn begins_anew(failure: &Error) -> bool {
    matches!(failure, Error::TooLong { .. } | Error::OtherContent | Error::NoRestart(_))
}

/// Where a try begins.
enum Start {
    /// All is here.
    Done,
    /// At this byte, `overlap` of which before the end of what is here.
    At { from: u64, overlap: u64 },
}

impl<'a> Fetch<'a> {
    /// A file of which nothing is known.
    pub(in crate::client) fn new(name: &'a Name, sink: Sink<'a>) -> Fetch<'a> {
        Fetch { name, remote: None, fresh: None, sink, doubted: false, patched: false }
    }

    /// The server said this of the file just now; `ours` is whether what is here is of it.
    pub(in crate::client) fn knows(&mut self, remote: Remote, ours: bool) {
        self.fresh = Some(remote);
        self.remote = ours.then_some(remote);
    }

    /// Fetches it, as often as it takes; returns how many bytes it has.
    pub(in crate::client) fn run(
        &mut self,
        connection: &mut Connection,
        tries: &mut Retries,
        meter: &mut dyn Meter,
    ) -> Result<u64, Error> {
        loop {
            let before = self.sink.length()?;
            let attempt = self.attempt(connection, meter);
            let failure = match attempt.and_then(|length| self.verify(connection).map(|()| length))
            {
                Ok(length) => return Ok(length),
                Err(failure) => failure,
            };
            let came = self.sink.length()?;
            if self.sink.is_spent() && begins_anew(&failure) {
                return Err(tries.first_of(failure));
            }
            self.learn(&failure, came)?;
            let after = self.sink.length()?;
            let gain = if after > before { Gain::Something } else { Gain::Nothing };
            tries.again(failure, gain, connection, |why, pause| meter.again(why, pause))?;
        }
    }

    fn verify(&mut self, connection: &mut Connection) -> Result<(), Error> {
        match &mut self.sink {
            Sink::Partial(partial) if self.patched => {
                compare_hash(connection, self.name, partial.file())
            }
            _ => Ok(()),
        }
    }

    /// What a failure says about the bytes that are here.
    fn learn(&mut self, failure: &Error, here: u64) -> Result<(), Error> {
        if begins_anew(failure) {
            return self.sink.restart();
        }
        if let Error::Refused(_) = failure {
            self.doubted = self.remote.is_some_and(|remote| remote.size == Some(here));
        }
        Ok(())
    }

    fn attempt(
        &mut self,
        connection: &mut Connection,
        meter: &mut dyn Meter,
    ) -> Result<u64, Error> {
        let remote = match self.fresh.take() {
            Some(remote) => remote,
            None => Remote::ask(connection, self.name)?,
        };
        let start = self.start(connection, remote)?;
        // What an answer left out an earlier one may have said.
        let known = self.remote.unwrap_or_default();
        let size = remote.size.or(known.size);
        self.remote = Some(Remote { size, modified: remote.modified.or(known.modified) });
        match start {
            Start::Done => self.sink.length(),
            Start::At { from, overlap } => self.receive(connection, from, overlap, meter),
        }
    }

    fn start(&mut self, connection: &mut Connection, remote: Remote) -> Result<Start, Error> {
        const BEGINNING: Start = Start::At { from: 0, overlap: 0 };
        let here = self.sink.length()?;
        let sameness = match self.remote {
            Some(before) => before.compared_with(remote),
            None => Sameness::Perhaps,
        };
        let beyond = remote.size.is_some_and(|size| size < here);
        let goes_on = connection.capabilities().restarts
            && connection.representation() == Representation::Bytes
            && sameness != Sameness::Another
            && !beyond;
        if here == 0 || !goes_on {
            self.sink.restart()?;
            return Ok(BEGINNING);
        }
        let is_whole = remote.size == Some(here);
        if is_whole && !self.doubted && self.remote.is_some() {
            return Ok(Start::Done);
        }
        let overlap = if sameness == Sameness::Same && !is_whole { 0 } else { here.min(COMPARED) };
        Ok(Start::At { from: here - overlap, overlap })
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
        let download = connection.retrieve_from(self.name, from, size)?;
        meter.begins(from + overlap, size);
        let moved = |moved: u64| meter.moved(moved.saturating_sub(overlap));
        let received = match &mut self.sink {
            Sink::Partial(partial) if overlap == 0 => download.receive_file(partial.file(), moved),
            Sink::Partial(partial) => {
                let mut sink = Overlap { expected: &expected, sink: partial.file() };
                download.receive(&mut sink, moved)
            }
            Sink::Stream(counted) => download.receive(counted, moved),
        };
        match received {
            Err(Error::Local(error)) if error.get_ref().is_some_and(|why| why.is::<Differs>()) => {
                Err(Error::OtherContent)
            }
            Err(error) => Err(error),
            Ok(_) => self.sink.length(),
        }
    }

    /// What the server said of the file.
    pub(in crate::client) fn remote(&self) -> Remote {
        self.remote.unwrap_or_default()
    }
}

/// A plain file on its way to the server.
pub(in crate::client) struct Send<'a> {
    /// What the server shall call it.
    pub(in crate::client) name: &'a Name,
    pub(in crate::client) file: &'a mut File,
    pub(in crate::client) size: u64,
    /// How much of its beginning the server has already.
    pub(in crate::client) start: u64,
}

/// What the server had under the name before.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    NotAsked,
    /// Nothing, or nothing it tells of.
    Nothing,
    Size(u64),
    /// The beginning of this file.
    Ours,
}

impl Send<'_> {
    /// Sends it, as often as it takes; returns how many bytes it has.
    pub(in crate::client) fn run(
        &mut self,
        connection: &mut Connection,
        tries: &mut Retries,
        meter: &mut dyn Meter,
    ) -> Result<u64, Error> {
        let mut before = Before::NotAsked;
        let mut sent = 0;
        let mut from = None;
        loop {
            let failure = match self.attempt(connection, &mut before, from, &mut sent, meter) {
                Ok(()) => return Ok(self.size),
                Err(failure) => failure,
            };
            let gain = if sent > from.unwrap_or(0) { Gain::Something } else { Gain::Nothing };
            tries.again(failure, gain, connection, |why, pause| meter.again(why, pause))?;
            from = Some(sent.max(from.unwrap_or(0)));
        }
    }

    /// `sent` is how far this try came, `reached` is how far the tries before came, `None` before the first.
    fn attempt(
        &mut self,
        connection: &mut Connection,
        before: &mut Before,
        reached: Option<u64>,
        sent: &mut u64,
        meter: &mut dyn Meter,
    ) -> Result<(), Error> {
        let is_text = connection.representation() == Representation::Text;
        let from = match reached {
            _ if is_text => 0,
            None => self.first(connection, before)?,
            Some(reached) => self.next(connection, *before, reached)?,
        };
        if from == self.size && from > 0 {
            return Ok(());
        }
        *sent = from;
        self.file.seek(SeekFrom::Start(from)).map_err(Error::Local)?;
        let upload = connection.store_from(self.name, from).map_err(|error| match error {
            Error::Refused(reply) if from > 0 => Error::NoRestart(reply),
            other => other,
        });
        if let Err(Error::NoRestart(_)) = upload {
            // What cannot be gone on with is replaced.
            (*before, self.start) = (Before::NotAsked, 0);
        }
        let upload = upload?;
        meter.begins(from, Some(self.size));
        upload.send_file(self.file, from..self.size, |moved| {
            *sent = from + moved;
            meter.moved(moved);
        })?;
        if is_text {
            return Ok(());
        }
        self.check(connection)?;
        if from > 0 {
            let compared = compare_hash(connection, self.name, self.file);
            if let Err(Error::OtherContent) = compared {
                (*before, self.start, *sent) = (Before::NotAsked, 0, 0);
            }
            compared?;
        }
        Ok(())
    }

    fn first(&self, connection: &mut Connection, before: &mut Before) -> Result<u64, Error> {
        if self.start > 0 {
            *before = Before::Ours;
            return Ok(self.start);
        }
        if self.size < LARGE {
            return Ok(0);
        }
        let size = connection.expected_size(self.name)?;
        *before = match size {
            Some(size) => Before::Size(size),
            None if connection.capabilities().sizes => Before::Nothing,
            None => Before::NotAsked,
        };
        Ok(0)
    }

    /// How much of what was sent the server has. What was there before we came is not ours, and
    /// some servers tell of that until an upload is whole.
    fn next(
        &self,
        connection: &mut Connection,
        before: Before,
        reached: u64,
    ) -> Result<u64, Error> {
        let now = connection.expected_size(self.name)?.unwrap_or(0);
        let is_ours = match before {
            Before::NotAsked => false,
            Before::Nothing | Before::Ours => true,
            Before::Size(size) => size != now,
        };
        Ok(if is_ours && now <= reached && connection.capabilities().restarts { now } else { 0 })
    }

    /// A server that closes early can call an upload done whose end only our own system has.
    fn check(&self, connection: &mut Connection) -> Result<(), Error> {
        match connection.stored_size(self.name)? {
            Some(got) if got != self.size => Err(Error::NotWhole { expected: self.size, got }),
            _ => Ok(()),
        }
    }
}

/// Compares a file here with the server's, where that tells and is not kept busy for long by it. A
/// server that does not answer in time is asked no more.
fn compare_hash(connection: &mut Connection, name: &Name, file: &mut File) -> Result<(), Error> {
    let size = file.metadata().map_err(Error::Local)?.len();
    if size > LARGEST_HASHED {
        return Ok(());
    }
    let told = match connection.hash(name) {
        Err(Error::TimedOut(_)) => {
            connection.capabilities().hashes = false;
            return connection.reconnect();
        }
        other => other?,
    };
    let Some((algorithm, theirs)) = told else { return Ok(()) };
    let ours = digest(algorithm, file).map_err(Error::Local)?;
    if ours.as_bytes() == theirs { Ok(()) } else { Err(Error::OtherContent) }
}

fn digest(algorithm: Algorithm, file: &mut File) -> io::Result<String> {
    let mut hasher = Hasher::new(algorithm);
    let mut piece = vec![0; 64 * 1024];
    file.rewind()?;
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(hasher.finish()),
            length => hasher.update(&piece[..length]),
        }
    }
}

/// How much of a file the server has already, if that is its beginning.
pub(in crate::client) fn common(
    connection: &mut Connection,
    name: &Name,
    file: &mut File,
    size: u64,
) -> Result<u64, Error> {
    let there = connection.expected_size(name)?.unwrap_or(0);
    if there == 0 || there > size || !connection.capabilities().restarts {
        return Ok(0);
    }
    let compared = there.min(COMPARED);
    let mut theirs = Vec::new();
    let fetched = connection
        .retrieve_from(name, there - compared, Some(there))
        .and_then(|download| download.receive(&mut theirs, |_| ()));
    match fetched {
        Err(Error::Refused(_) | Error::NoRestart(_)) => return Ok(0),
        other => other?,
    };
    let mut ours = Vec::new();
    file.seek(SeekFrom::Start(there - compared)).map_err(Error::Local)?;
    file.take(compared).read_to_end(&mut ours).map_err(Error::Local)?;
    Ok(if ours == theirs { there } else { 0 })
}
