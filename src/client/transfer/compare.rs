//! Comparison of a local file with a remote one: by what the server says of it, by its last bytes,
//! and by its digest. A server that is still storing a file is asked for its size again.

use crate::client::connection::data::keep_early_epsv_reply;
use crate::client::connection::{Connection, Representation};
use crate::client::error::Error;
use crate::client::local::RemoteIdentity;
use crate::protocol::digest::Hasher;
use crate::protocol::{Algorithm, ByteRange, Name};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How many bytes are compared where size and time do not tell whether it is the same file.
pub(super) const COMPARED: u64 = 64 * 1024;

/// The last bytes of a part that an earlier run left are compared, although size and time tell that it is
/// the same file: the disk may have lost the end of it.
pub(super) const RECHECKED: u64 = 16 * 1024;

/// The most bytes that a digest is asked for at once: the server answers in about a second.
const HASHED_AT_ONCE: u64 = 256 * 1024 * 1024;

/// The largest file of which a digest is asked for: a few seconds' work.
const LARGEST_HASHED: u64 = 1024 * 1024 * 1024;

/// Up to which size a file is fetched whole to be compared.
const LARGEST_FETCHED: u64 = 1024 * 1024;

/// How long a server is asked again for a size that is not what it should be: some still write what
/// they have confirmed.
const SETTLING: Duration = Duration::from_secs(10);

/// The first pause between two such questions; each is twice as long as the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// How many times in a row a remote file may be found to have grown while its end was compared.
pub(super) const MOST_MEASURED: u32 = 4;

/// The size and time that a server gives for a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::client) struct RemoteFacts {
    pub(in crate::client) size: Option<u64>,
    pub(in crate::client) modified: Option<SystemTime>,
}

/// The result of comparing two answers about one name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sameness {
    Same,
    /// Nothing speaks against it.
    Perhaps,
    Another,
}

impl RemoteFacts {
    /// Asks the server.
    pub(super) fn ask(connection: &mut Connection, name: &Name) -> Result<RemoteFacts, Error> {
        let size = connection.expected_size(name)?;
        let modified = connection.expected_time(name)?;
        Ok(RemoteFacts { size, modified })
    }

    /// Asks the server for both in one round trip.
    pub(in crate::client) fn ask_at_once(
        connection: &mut Connection,
        name: &Name,
    ) -> Result<RemoteFacts, Error> {
        let (size, modified) = connection.expected_size_and_time(name)?;
        Ok(RemoteFacts { size, modified })
    }

    /// Asks the server, and agrees on the next data connection in the same round trip.
    pub(super) fn ask_and_prepare(
        connection: &mut Connection,
        name: &Name,
    ) -> Result<RemoteFacts, Error> {
        let prospect = connection.prepare_download(name)?;
        if let Some(route) = prospect.route {
            keep_early_epsv_reply(connection, &route);
        }
        Ok(RemoteFacts { size: prospect.size, modified: prospect.time })
    }

    /// Names the remote file that a partial file is a part of.
    pub(super) fn part(self, connection: &Connection, name: &Name) -> RemoteIdentity {
        let part = RemoteIdentity::new(connection.identity_of(name), self.size, self.modified);
        match connection.representation() {
            Representation::Image => part,
            Representation::Ascii => part.for_ascii(),
        }
    }

    /// Returns whether the two are certainly different files.
    pub(super) fn is_another_than(self, other: RemoteFacts) -> bool {
        self.compared_with(other) == Sameness::Another
    }

    pub(super) fn compared_with(self, other: RemoteFacts) -> Sameness {
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

/// The result of comparing the last bytes of a local file and a remote one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tail {
    Same,
    Different,
    /// They are the same, and the remote file has more by now.
    Grown,
}

/// Compares the bytes of `file` before `here` with those of the remote file before `there`, as far as
/// [`COMPARED`] goes back.
pub(super) fn compare_tail(
    connection: &mut Connection,
    name: &Name,
    there: u64,
    file: &mut File,
    here: u64,
) -> Result<Tail, Error> {
    compare_last(connection, name, there, file, here, here.min(COMPARED))
}

fn compare_last(
    connection: &mut Connection,
    name: &Name,
    there: u64,
    file: &mut File,
    here: u64,
    compared: u64,
) -> Result<Tail, Error> {
    let mut theirs = Vec::new();
    let incoming = connection.retrieve_from(name, there - compared, Some(there))?;
    incoming.that_may_grow().receive(&mut theirs, |_| ())?;
    let mut ours = Vec::new();
    file.seek(SeekFrom::Start(here - compared)).map_err(Error::Local)?;
    file.take(compared).read_to_end(&mut ours).map_err(Error::Local)?;
    Ok(match theirs.strip_prefix(ours.as_slice()) {
        Some([]) => Tail::Same,
        Some(_) => Tail::Grown,
        None => Tail::Different,
    })
}

/// Returns whether the remote file, which has the size of the local one, certainly has its bytes: by
/// HASH, or if it is small by fetching it.
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
        other => Ok(other? == Tail::Same),
    }
}

/// Compares a local file with the server's by HASH, where the server has that and the file is not
/// too large. A server that does not answer in time is not asked again.
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

/// Returns whether the first bytes of a remote file are those of the local one, if the server gives
/// digests of ranges. It tells so also of an upload that broke off and is not to be seen yet.
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
        let Some((algorithm, theirs)) = unless_slow(told, connection)? else { return Ok(None) };
        file.seek(SeekFrom::Start(start)).map_err(Error::Local)?;
        let ours = digest(algorithm, &mut (&*file).take(end - start)).map_err(Error::Local)?;
        if ours.as_bytes() != theirs {
            return Ok(Some(false));
        }
    }
    Ok(Some(true))
}

/// Takes no answer in time for none. The server is not asked for digests again.
fn unless_slow<T>(
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

/// Returns whether the server's HASH is that of the local file, if there is an answer.
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
    let Some((algorithm, theirs)) = unless_slow(told, connection)? else { return Ok(None) };
    file.rewind().map_err(Error::Local)?;
    let ours = digest(algorithm, file).map_err(Error::Local)?;
    Ok(Some(ours.as_bytes() == theirs))
}

/// Asks for the size of a remote file again, with pauses, until it is settled or [`SETTLING`] (or
/// `--timeout`, if that is shorter) is over. Returns the last size that it told; `None` if it told none.
pub(super) fn settled_size(
    connection: &mut Connection,
    name: &Name,
    mut size: Option<u64>,
    mut is_settled: impl FnMut(Option<u64>) -> bool,
) -> Result<Option<u64>, Error> {
    let settings = connection.settings();
    let deadline = Instant::now() + settings.timeout.min(SETTLING);
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
