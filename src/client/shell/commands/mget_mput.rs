//! MGET and MPUT: patterns, and the files they find.
//!
//! A server chooses what its files are called. What could be more than a name in this directory is
//! refused, and told of.

use super::operands::Operand;
use super::row::Row;
use crate::client::connection::Connection;
use crate::client::error::{Error, ErrorClass};
use crate::client::local;
use crate::client::name::folded;
use crate::client::name::parse_name;
use crate::client::output::Messages;
use crate::client::output::json::Action;
use crate::client::output::summary::batch_summary;
use crate::client::remote_listing::{self, Expanded, Found};
use crate::client::shell::session::{Preferences, Session, Usual};
use crate::client::transfer::TransferSettings;
use crate::client::transfer::batch::{self, Job, Tally};
use crate::client::transfer::compare::RemoteFacts;
use crate::client::transfer::download::{Download, Kept};
use crate::client::transfer::outcome::TransferOutcome;
use crate::client::transfer::upload::{Placement, Upload};
use crate::protocol::Name;
use crate::protocol::pattern::{is_pattern, matches};
use crate::sys::name_bytes;
use crate::text::shown;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

pub(super) const ROWS: &[Row] = &[
    Row::new(&["mget"], "fetch all files that match", mget)
        .operands(&[Operand::remote("PATTERNS").many()])
        .details(
            "Each file gets the last part of its name, in the local directory. The option\n\
             -j of ftp_client sets the number of connections; PROMPT decides whether you\n\
             are asked before each file\n",
        )
        .example("MGET *.txt")
        .keeps_names(),
    Row::new(&["mput"], "send all files that match", mput)
        .operands(&[Operand::local("PATTERNS").many()])
        .details(
            "Each file gets the last part of its name, in the remote directory. The option\n\
             -j of ftp_client sets the number of connections; PROMPT decides whether you\n\
             are asked before each file\n",
        )
        .example("MPUT *.txt"),
];

/// Fetches what matches into the local directory.
fn mget(session: &mut Session, patterns: &[Vec<u8>]) -> Result<(), Error> {
    let fetched = fetch_all(session, patterns);
    note_told(session, &fetched);
    fetched
}

/// Notes that each file that failed was printed as an object for programs.
fn note_told(session: &mut Session, result: &Result<(), Error>) {
    session.told_failure = matches!(result, Err(Error::Some { .. }));
}

fn fetch_all(session: &mut Session, patterns: &[Vec<u8>]) -> Result<(), Error> {
    session.connection()?;
    let settings = session.transfer_settings();
    let mut found = Jobs::new(Action::Retrieve, &settings, session);
    let names =
        patterns.iter().map(|word| parse_name(word)).collect::<Result<Vec<Name>, Error>>()?;
    if session.asks() {
        for pattern in &names {
            found.fetch(session.connection()?, pattern)?;
        }
        return found.run(session, &settings);
    }
    let several = names.len() > 1 || names.iter().any(|name| found.is_pattern(name.as_bytes()));
    let helpers = if several { settings.transfers.connections.saturating_sub(1) } else { 0 };
    let find = |connection: &mut Connection| {
        found.forget();
        for pattern in &names {
            if found.is_pattern(pattern.as_bytes()) {
                // The first file follows.
                connection.pipeline_next_setup();
            }
            found.fetch(connection, pattern)?;
        }
        Ok(std::mem::take(&mut found.jobs))
    };
    let tally =
        batch::run_found(session.connection()?, helpers, &settings, &report(&settings), find)?;
    found.finish(tally)
}

fn fetching(file: Found, case: bool) -> Result<Download, Error> {
    let local = local::last_part(&file.path)?;
    let local = if case { local::lowered(local) } else { local }.into();
    let known = if file.exact {
        RemoteFacts { size: file.entry.size, modified: file.entry.modified }
    } else {
        RemoteFacts::default()
    };
    let (remote, target, kept) = (file.path, local, Kept::Partial);
    let (listed, connections, continued_by) = (None, None, "the same MGET".to_owned());
    Ok(Download { remote, target, kept, known, listed, connections, continued_by })
}

/// Sends what matches into the remote directory.
fn mput(session: &mut Session, patterns: &[Vec<u8>]) -> Result<(), Error> {
    session.connection()?;
    let settings = session.transfer_settings();
    let mut found = Jobs::new(Action::Store, &settings, session);
    for pattern in patterns {
        found.send(pattern)?;
    }
    let sent = found.run(session, &settings);
    note_told(session, &sent);
    sent
}

fn sending(local: PathBuf, remote: Name) -> Job {
    let size = fs::metadata(&local).map(|metadata| metadata.len()).ok();
    Job::Upload(Upload { local, remote, placement: Placement::Replace, size })
}

/// Reports the outcome of one file of many: a message, and a JSON object for programs.
pub(super) fn report(
    settings: &TransferSettings,
) -> impl Fn(&TransferOutcome) -> Result<(), Error> + Sync {
    |outcome| {
        let name = shown(&outcome.remote);
        match &outcome.result {
            Ok(_) => settings.messages.note(&outcome.summary(None)),
            Err(error) if error.ends_batch() => {}
            Err(error) => settings.messages.error(&format!("error: {name}: {error}")),
        }
        if let Some(kept) = &outcome.kept {
            settings.messages.error(kept);
        }
        if settings.transfers.json { outcome.print_json() } else { Ok(()) }
    }
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
struct Jobs {
    action: Action,
    began: Instant,
    messages: Messages,
    /// Whether programs are told what becomes of each.
    json: bool,
    preferences: Preferences,
    jobs: Vec<Job>,
    /// What the local file system might take for one name.
    folded: BTreeSet<String>,
    found: usize,
    refused: usize,
    /// Whether the user wants no more of it than that.
    enough: bool,
}

impl Jobs {
    fn new(action: Action, settings: &TransferSettings, session: &Session) -> Jobs {
        let (jobs, folded, preferences) = (Vec::new(), BTreeSet::new(), session.preferences);
        let (messages, json) = (settings.messages, settings.transfers.json);
        let (found, refused, enough, began) = (0, 0, false, Instant::now());
        Jobs { action, began, messages, json, preferences, jobs, folded, found, refused, enough }
    }

    /// Forgets what was found, to look again.
    fn forget(&mut self) {
        self.jobs.clear();
        self.folded.clear();
        (self.found, self.refused) = (0, 0);
    }

    /// Whether a word stands for the names that match it.
    fn is_pattern(&self, word: &[u8]) -> bool {
        self.preferences.glob && is_pattern(word)
    }

    fn fetch(&mut self, connection: &mut Connection, pattern: &Name) -> Result<(), Error> {
        let Expanded { found, unread } = match self.is_pattern(pattern.as_bytes()) {
            true => remote_listing::expand(connection, pattern)?,
            false => Expanded { found: vec![Found::named(pattern.clone())], unread: Vec::new() },
        };
        let whole = unread.is_empty();
        for error in unread {
            self.refuse(Action::Retrieve, pattern.as_bytes(), error)?;
        }
        if found.is_empty() && whole {
            let pattern = pattern.as_bytes().to_vec();
            self.refuse(Action::Retrieve, &pattern.clone(), Error::NothingMatches(pattern))?;
        }
        for file in found {
            let remote = file.path.as_bytes().to_vec();
            let download =
                fetching(file, self.preferences.case).map(|found| self.with_own_name(found));
            match download {
                Ok(download) if self.folded.insert(folded(&download.target)) => {
                    self.add(Job::Download(download));
                }
                Ok(_) => self.refuse(Action::Retrieve, &remote.clone(), Error::SameName(remote))?,
                Err(error) => self.refuse(Action::Retrieve, &remote, error)?,
            }
        }
        Ok(())
    }

    /// Away from what is there, and from the files before it, where the user wants that.
    fn with_own_name(&self, mut download: Download) -> Download {
        let is_taken =
            |path: &Path| path.symlink_metadata().is_ok() || self.folded.contains(&folded(path));
        if self.preferences.unique {
            download.target = local::unique(download.target, is_taken);
        }
        download
    }

    fn send(&mut self, pattern: &[u8]) -> Result<(), Error> {
        let paths = match self.is_pattern(pattern) {
            true => expand(pattern)?,
            false => vec![local::path(pattern)?],
        };
        if paths.is_empty() {
            self.refuse(Action::Store, pattern, Error::NothingMatches(pattern.to_vec()))?;
        }
        for path in paths {
            match local::remote_name(&path, None) {
                Ok(remote) => self.add(sending(path, remote)),
                Err(error) => {
                    self.refuse(Action::Store, path.as_os_str().as_encoded_bytes(), error)?;
                }
            }
        }
        Ok(())
    }

    fn add(&mut self, job: Job) {
        self.found += 1;
        self.jobs.push(job);
    }

    /// Does them, but for those that the user does not want.
    fn run(mut self, session: &mut Session, settings: &TransferSettings) -> Result<(), Error> {
        for job in std::mem::take(&mut self.jobs) {
            if !self.enough && self.is_wanted(session, &job)? {
                self.jobs.push(job);
            }
        }
        self.found = self.jobs.len();
        let jobs = std::mem::take(&mut self.jobs);
        let tally = batch::run(session.connection()?, jobs, settings, &report(settings))?;
        self.finish(tally)
    }

    fn is_wanted(&mut self, session: &mut Session, job: &Job) -> Result<bool, Error> {
        let what = match job {
            Job::Download(_) => "mget",
            Job::Upload(_) => "mput",
        };
        match session.agrees(what, job.remote().as_bytes(), Usual::Yes) {
            Err(Error::Interrupted) => {
                self.enough = true;
                Ok(false)
            }
            other => other,
        }
    }

    fn refuse(&mut self, action: Action, name: &[u8], error: Error) -> Result<(), Error> {
        self.messages.error(&format!("error: {error}"));
        self.refused += 1;
        if !self.json {
            return Ok(());
        }
        let (remote, local): (&[u8], &[u8]) = match action {
            Action::Retrieve => (name, b""),
            Action::Store | Action::Append => (b"", name),
        };
        TransferOutcome::failed(action, remote, local, error).print_json()
    }

    fn finish(self, mut tally: Tally) -> Result<(), Error> {
        let of = self.found + self.refused;
        tally.add_failures(self.refused, ErrorClass::Local);
        let (done, bytes) = (tally.done, tally.bytes);
        let elapsed = self.began.elapsed();
        self.messages.note(&batch_summary(self.action, done, of, bytes, elapsed));
        let left = of.saturating_sub(done + tally.failed);
        if tally.is_stopped() && left > 0 {
            self.messages.note(&format!("{left} of {of} files are left"));
        }
        tally.result(of)?;
        if self.enough { Err(Error::Interrupted) } else { Ok(()) }
    }
}
