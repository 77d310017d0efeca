//! Comparison of a local file with a remote one: by what the server says of it, by its last bytes,
//! and by its digest.

use crate::client::connection::Connection;
use crate::client::connection::data::passive_ahead;
use crate::client::error::Error;
use crate::client::local::{PartOf, WORTH_KEEPING};
use crate::protocol::digest::Hasher;
use crate::protocol::{Algorithm, Name};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::time::{SystemTime, UNIX_EPOCH};

/// How many bytes are compared where size and time do not tell whether it is the same file.
pub(super) const COMPARED: u64 = 64 * 1024;

/// The largest file of which a digest is asked for: a few seconds' work.
const LARGEST_HASHED: u64 = 1024 * 1024 * 1024;

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
        let prospect = connection.get_ready_for(name)?;
        if let Some(route) = prospect.route {
            passive_ahead(connection, &route);
        }
        Ok(RemoteFacts { size: prospect.size, modified: prospect.time })
    }

    /// Names the remote file that a part is kept of, if enough is known of it and it is large enough.
    pub(super) fn part(self, connection: &Connection, name: &Name) -> Option<PartOf> {
        let size = self.size.filter(|size| *size >= WORTH_KEEPING)?;
        Some(PartOf::new(&connection.place(), name, size, self.modified?))
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

/// Returns whether the bytes of `file` before `here` and those of the remote file before `there`
/// are the same, as far as [`COMPARED`] goes back.
pub(super) fn same_tail(
    connection: &mut Connection,
    name: &Name,
    there: u64,
    file: &mut File,
    here: u64,
) -> Result<bool, Error> {
    let compared = here.min(COMPARED);
    let mut theirs = Vec::new();
    let incoming = connection.retrieve_from(name, there - compared, Some(there))?;
    incoming.receive(&mut theirs, |_| ())?;
    let mut ours = Vec::new();
    file.seek(SeekFrom::Start(here - compared)).map_err(Error::Local)?;
    file.take(compared).read_to_end(&mut ours).map_err(Error::Local)?;
    Ok(ours == theirs)
}

/// Compares a local file with the server's by HASH, where the server has that and the file is not
/// too large. A server that does not answer in time is not asked again.
pub(super) fn compare_hash(
    connection: &mut Connection,
    name: &Name,
    file: &mut File,
) -> Result<(), Error> {
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
