//! MGET and MPUT: patterns, and the files they find.
//!
//! A server chooses what its files are called. What could be more than a name in this directory is
//! refused, and told of.

use super::error::Error;
use super::local;
use super::parallel::{self, How, Job, Way};
use super::remote::{self, Found};
use super::resume::Remote;
use super::session::Session;
use super::words::name;
use crate::protocol::Name;
use crate::protocol::pattern::{is_pattern, matches};
use crate::sys::name_bytes;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Fetches what matches into the local directory.
pub(super) fn mget(session: &mut Session, patterns: &[Vec<u8>]) -> Result<(), Error> {
    session.connection()?;
    let mut jobs = Jobs::default();
    for pattern in patterns {
        let file = name(pattern)?;
        let found = match session.globs() {
            true => remote::expand(session.connection()?, &file)?,
            false => vec![Found::named(file)],
        };
        if found.is_empty() {
            jobs.refuse(session, Error::NothingMatches(pattern.clone()));
        }
        for file in found {
            match fetching(file) {
                Ok(job) => jobs.ask(session, job)?,
                Err(error) => jobs.refuse(session, error),
            }
        }
    }
    jobs.run(session)
}

fn fetching(file: Found) -> Result<Job, Error> {
    let local = local::last_part(&file.path)?.into();
    let known = if file.exact {
        Remote { size: file.entry.size, modified: file.entry.modified }
    } else {
        Remote::default()
    };
    Ok(Job { way: Way::Down, remote: file.path, local, known })
}

/// Sends what matches into the remote directory.
pub(super) fn mput(session: &mut Session, patterns: &[Vec<u8>]) -> Result<(), Error> {
    session.connection()?;
    let mut jobs = Jobs::default();
    for pattern in patterns {
        let paths = match session.globs() {
            true => expand(pattern)?,
            false => vec![local::path(pattern)?],
        };
        if paths.is_empty() {
            jobs.refuse(session, Error::NothingMatches(pattern.clone()));
        }
        for path in paths {
            match local::remote_name(&path, None) {
                Ok(remote) => jobs.ask(session, sending(path, remote))?,
                Err(error) => jobs.refuse(session, error),
            }
        }
    }
    jobs.run(session)
}

fn sending(local: PathBuf, remote: Name) -> Job {
    let size = fs::metadata(&local).map(|metadata| metadata.len()).ok();
    Job { way: Way::Up, remote, local, known: Remote { size, modified: None } }
}

/// The local files that match a pattern whose last part alone may be one, in order.
fn expand(pattern: &[u8]) -> Result<Vec<PathBuf>, Error> {
    let path = local::path(pattern)?;
    if !is_pattern(pattern) {
        return Ok(vec![path]);
    }
    let last = path.file_name().map(|last| name_bytes(last).into_owned()).unwrap_or_default();
    let dir = path.parent().map(Path::to_owned).unwrap_or_default();
    let place = if dir.as_os_str().is_empty() { Path::new(".") } else { &dir };
    let failed = |error| Error::File { path: place.to_owned(), error };
    let mut found = Vec::new();
    for entry in fs::read_dir(place).map_err(failed)? {
        let entry = entry.map_err(failed)?.file_name();
        let bytes = name_bytes(&entry);
        let hidden = bytes.starts_with(b".") && !last.starts_with(b".");
        if !hidden && matches(&last, &bytes) && dir.join(&entry).is_file() {
            found.push(dir.join(&entry));
        }
    }
    found.sort();
    Ok(found)
}

/// What is to be done, and what could not even begin.
#[derive(Default)]
struct Jobs {
    jobs: Vec<Job>,
    /// What the local file system might take for one name.
    folded: BTreeSet<String>,
    refused: usize,
    /// Whether the user wants no more of it than that.
    enough: bool,
}

impl Jobs {
    /// Adds a job, if the user wants it.
    fn ask(&mut self, session: &mut Session, job: Job) -> Result<(), Error> {
        let what = match job.way {
            Way::Down => "fetch",
            Way::Up => "send",
        };
        if self.enough {
            return Ok(());
        }
        match session.agrees(what, job.remote.as_bytes()) {
            Ok(true) => self.add(session, job),
            Ok(false) => {}
            Err(Error::Interrupted) => self.enough = true,
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn add(&mut self, session: &Session, job: Job) {
        let collides = job.way == Way::Down && !self.folded.insert(local::folded(&job.local));
        if collides {
            return self.refuse(session, Error::SameName(job.remote.as_bytes().to_vec()));
        }
        self.jobs.push(job);
    }

    fn refuse(&mut self, session: &Session, error: Error) {
        session.messages.error(&format!("error: {error}"));
        self.refused += 1;
    }

    fn run(self, session: &mut Session) -> Result<(), Error> {
        let of = self.jobs.len() + self.refused;
        let (transfers, messages) = (session.transfers, session.messages);
        let how = How { transfers, messages, interrupt: session.interrupt().clone() };
        let mut tally = parallel::run(session.connection()?, self.jobs, &how)?;
        tally.failed += self.refused;
        if self.refused > 0 && tally.status == 0 {
            tally.status = 1;
        }
        let (done, bytes) = (tally.done, tally.bytes);
        messages.note(&format!("{done} of {of} files, {bytes} bytes"));
        tally.result(of)?;
        if self.enough { Err(Error::Interrupted) } else { Ok(()) }
    }
}
