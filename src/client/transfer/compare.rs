//! Compares a local file with a remote one, by size and time, by the last bytes, and by digest.

use crate::client::connection::data::keep_early_epsv_reply;
use crate::client::connection::{Connection, Representation};
use crate::client::error::Error;
use crate::client::local::RemoteIdentity;
use crate::protocol::digest::Hasher;
use crate::protocol::{Algorithm, ByteRange, Name};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The number of bytes to compare if size and time do not prove that the file is the same.
pub(super) const COMPARED_BYTES: u64 = 64 * 1024;

/// The number of bytes of an earlier run to compare although size and time are the same: the disk may have
/// lost the end of the file.
pub(super) const RECHECKED_BYTES: u64 = 16 * 1024;

/// The largest range of one digest, which the server computes in about a second.
const HASHED_AT_ONCE: u64 = 256 * 1024 * 1024;

/// The largest file of which a digest is requested, which takes a few seconds.
const LARGEST_HASHED: u64 = 1024 * 1024 * 1024;

/// The largest file that is fetched completely for a comparison.
const LARGEST_FETCHED: u64 = 1024 * 1024;

/// The time for which a wrong size is requested again, because some servers are still writing a file that
/// they have confirmed.
const SIZE_TIMEOUT: Duration = Duration::from_secs(10);

/// The first pause between such requests. Each pause is twice as long as the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// The number of times in a row that a remote file may grow while its end is compared.
pub(super) const MAX_SIZE_CHECKS: u32 = 4;

/// The size and time of a remote file, as far as the server returns them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::client) struct RemoteFacts {
    pub(in crate::client) size: Option<u64>,
    pub(in crate::client) modified: Option<SystemTime>,
}

/// The result of comparing the facts of two files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sameness {
    Same,
    /// The known facts are equal, but some are unknown.
    Unknown,
    Different,
}

impl RemoteFacts {
    /// Requests the facts with SIZE and MDTM.
    pub(super) fn request(connection: &mut Connection, name: &Name) -> Result<RemoteFacts, Error> {
        let size = connection.expected_size(name)?;
        let modified = connection.expected_time(name)?;
        Ok(RemoteFacts { size, modified })
    }

    /// Requests the facts in one round trip, if the server supports pipelining.
    pub(in crate::client) fn request_pipelined(
        connection: &mut Connection,
        name: &Name,
    ) -> Result<RemoteFacts, Error> {
        let (size, modified) = connection.expected_size_and_time(name)?;
        Ok(RemoteFacts { size, modified })
    }

    /// Requests the facts, and negotiates the next data connection in the same round trip.
    pub(super) fn request_and_prepare(
        connection: &mut Connection,
        name: &Name,
    ) -> Result<RemoteFacts, Error> {
        let prospect = connection.prepare_download(name)?;
        if let Some(route) = prospect.route {
            keep_early_epsv_reply(connection, &route);
        }
        Ok(RemoteFacts { size: prospect.size, modified: prospect.time })
    }

    /// Returns the identity of the remote file, for its partial file.
    pub(super) fn part(self, connection: &Connection, name: &Name) -> RemoteIdentity {
        let part = RemoteIdentity::new(connection.identity_of(name), self.size, self.modified);
        match connection.representation() {
            Representation::Image => part,
            Representation::Ascii => part.for_ascii(),
        }
    }

    /// Returns whether the facts prove that the files differ.
    pub(super) fn differs_from(self, other: RemoteFacts) -> bool {
        self.compared_with(other) == Sameness::Different
    }

    pub(super) fn compared_with(self, other: RemoteFacts) -> Sameness {
        let sizes = both(self.size, other.size);
        // The fractions of MLSD and MDTM may differ.
        let times = both(self.modified.map(seconds), other.modified.map(seconds));
        match (sizes, times) {
            (Sameness::Different, _) | (_, Sameness::Different) => Sameness::Different,
            (Sameness::Same, Sameness::Same) => Sameness::Same,
            _ => Sameness::Unknown,
        }
    }
}

fn both<T: PartialEq>(one: Option<T>, other: Option<T>) -> Sameness {
    match (one, other) {
        (Some(one), Some(other)) if one == other => Sameness::Same,
        (Some(_), Some(_)) => Sameness::Different,
        _ => Sameness::Unknown,
    }
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// The result of comparing the last bytes of a local file and a remote one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TailComparison {
    Same,
    Different,
    /// The bytes are the same, but the remote file has grown.
    Grown,
}

/// Compares the last [`COMPARED_BYTES`] bytes of `file` before `here` with those of the remote file before
/// `there`.
pub(super) fn compare_tail(
    connection: &mut Connection,
    name: &Name,
    there: u64,
    file: &mut File,
    here: u64,
) -> Result<TailComparison, Error> {
    compare_last(connection, name, there, file, here, here.min(COMPARED_BYTES))
}

fn compare_last(
    connection: &mut Connection,
    name: &Name,
    there: u64,
    file: &mut File,
    here: u64,
    compared: u64,
) -> Result<TailComparison, Error> {
    let mut theirs = Vec::new();
    let incoming = connection.retrieve_from(name, there - compared, Some(there))?;
    incoming.that_may_grow().receive(&mut theirs, |_| ())?;
    let mut ours = Vec::new();
    file.seek(SeekFrom::Start(here - compared)).map_err(Error::Local)?;
    file.take(compared).read_to_end(&mut ours).map_err(Error::Local)?;
    Ok(match theirs.strip_prefix(ours.as_slice()) {
        Some([]) => TailComparison::Same,
        Some(_) => TailComparison::Grown,
        None => TailComparison::Different,
    })
}

/// Returns whether a remote file of the same size provably has the same content: with HASH, or by fetching
/// it if it is small.
pub(super) fn is_certainly_same(
    connection: &mut Connection,
    name: &Name,
    file: &mut File,
    size: u64,
) -> Result<bool, Error> {
    if let Some(same) = matches_hash(connection, name, file)? {
        return Ok(same);
    }
    if size > LARGEST_FETCHED {
        return Ok(false);
    }
    match compare_last(connection, name, size, file, size, size) {
        Err(Error::Refused(_)) => Ok(false),
        other => Ok(other? == TailComparison::Same),
    }
}

/// Compares a local file with the remote one, using HASH, if the server supports it and the file is not too
/// large. After a timeout no more digests are requested.
pub(super) fn compare_hash(
    connection: &mut Connection,
    name: &Name,
    file: &mut File,
) -> Result<(), Error> {
    match matches_hash(connection, name, file)? {
        Some(false) => Err(Error::OtherContent),
        Some(true) | None => Ok(()),
    }
}

/// Returns whether the first bytes of both files are the same, if the server supports digests of ranges.
/// This also works for an interrupted upload that the server does not show yet.
pub(super) fn matches_beginning(
    connection: &mut Connection,
    name: &Name,
    file: &mut File,
    length: u64,
) -> Result<Option<bool>, Error> {
    for start in (0..length).step_by(HASHED_AT_ONCE as usize) {
        let end = length.min(start + HASHED_AT_ONCE);
        let span = ByteRange { start, end: end - 1 };
        let told = connection.hash_of_range(name, span);
        let Some((algorithm, theirs)) = none_if_timed_out(told, connection)? else {
            return Ok(None);
        };
        file.seek(SeekFrom::Start(start)).map_err(Error::Local)?;
        let ours = digest(algorithm, &mut (&*file).take(end - start)).map_err(Error::Local)?;
        if ours.as_bytes() != theirs {
            return Ok(Some(false));
        }
    }
    Ok(Some(true))
}

/// Turns a timeout into `None`, and disables digests.
fn none_if_timed_out<T>(
    told: Result<Option<T>, Error>,
    connection: &mut Connection,
) -> Result<Option<T>, Error> {
    match told {
        Err(Error::TimedOut(_)) => {
            connection.capabilities().hash = false;
            connection.reconnect().map(|()| None)
        }
        other => other,
    }
}

/// Returns whether the server's HASH is that of the local file, if it returns one.
fn matches_hash(
    connection: &mut Connection,
    name: &Name,
    file: &mut File,
) -> Result<Option<bool>, Error> {
    let size = file.metadata().map_err(Error::Local)?.len();
    if size > LARGEST_HASHED {
        return Ok(None);
    }
    let told = connection.hash(name);
    let Some((algorithm, theirs)) = none_if_timed_out(told, connection)? else { return Ok(None) };
    file.rewind().map_err(Error::Local)?;
    let ours = digest(algorithm, file).map_err(Error::Local)?;
    Ok(Some(ours.as_bytes() == theirs))
}

/// Requests the size of a remote file repeatedly, until `is_settled` returns true or [`SIZE_TIMEOUT`] (or
/// `--timeout`, if shorter) has passed. Returns the last known size.
pub(super) fn wait_for_size(
    connection: &mut Connection,
    name: &Name,
    mut size: Option<u64>,
    mut is_settled: impl FnMut(Option<u64>) -> bool,
) -> Result<Option<u64>, Error> {
    let settings = connection.settings();
    let deadline = Instant::now() + settings.timeout.min(SIZE_TIMEOUT);
    let armed = settings.interrupt.begin().map_err(Error::Local)?;
    let mut pause = FIRST_PAUSE;
    while !is_settled(size) {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() || !connection.capabilities().size {
            break;
        }
        armed.pause(pause.min(left))?;
        pause = (pause * 2).min(LONGEST_PAUSE);
        size = connection.expected_size(name)?.or(size);
    }
    Ok(size)
}

fn digest(algorithm: Algorithm, source: &mut impl Read) -> io::Result<String> {
    let mut hasher = Hasher::new(algorithm);
    let mut piece = vec![0; 64 * 1024];
    loop {
        match source.read(&mut piece)? {
            0 => return Ok(hasher.finish()),
            length => hasher.update(&piece[..length]),
        }
    }
}
