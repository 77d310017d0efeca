//! MGET and MPUT: transfers of all files that match patterns.
//!
//! The server chooses the names of its files. A name that is not a plain file name in the local directory
//! is rejected with an error.

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
use crate::client::shell::session::{DefaultAnswer, Preferences, Session};
use crate::client::transfer::TransferSettings;
use crate::client::transfer::batch::{self, Job, Tally};
use crate::client::transfer::compare::RemoteFacts;
use crate::client::transfer::download::{ContinuedFile, Download};
use crate::client::transfer::outcome::TransferOutcome;
use crate::client::transfer::upload::{Upload, UploadMode};
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
            "Files are stored in the local directory, under the last part of their names.\n\
             The option -j of ftp_client sets the number of connections; PROMPT sets\n\
             whether to ask before each file\n",
        )
        .example("MGET *.txt")
        .keeps_remote_names(),
    Row::new(&["mput"], "send all files that match", mput)
        .operands(&[Operand::local("PATTERNS").many()])
        .details(
            "Files are stored in the remote directory, under the last part of their names.\n\
             The option -j of ftp_client sets the number of connections; PROMPT sets\n\
             whether to ask before each file\n",
        )
        .example("MPUT *.txt"),
];

/// Fetches the matching files into the local directory.
fn mget(session: &mut Session, patterns: &[Vec<u8>]) -> Result<(), Error> {
    let fetched = fetch_all(session, patterns);
    record_printed_failure(session, &fetched);
    fetched
}

/// Records that each failed file was printed as a JSON object.
pub(super) fn record_printed_failure(session: &mut Session, result: &Result<(), Error>) {
    session.failure_printed = matches!(result, Err(Error::Some { .. }));
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
                // Set up the transfer of the first file while the listing arrives.
                connection.pipeline_next_setup();
            }
            found.fetch(connection, pattern)?;
        }
        Ok(std::mem::take(&mut found.jobs).into())
    };
    let tally =
        batch::run_found(session.connection()?, helpers, &settings, &report(&settings), find)?;
    found.finish(tally)
}

fn fetching(file: Found, case: bool) -> Result<Download, Error> {
    let local = local::last_part(&file.path)?;
    let local = if case { local::lowercase_name(local) } else { local }.into();
    let known = if file.exact {
        RemoteFacts { size: file.entry.size, modified: file.entry.modified }
    } else {
        RemoteFacts::default()
    };
    let (remote, target, continued) = (file.path, local, ContinuedFile::Partial);
    let (listed, connections, continued_by) = (None, None, "the same MGET".to_owned());
    Ok(Download { remote, target, continued, known, listed, connections, continued_by })
}

/// Sends the matching files into the remote directory.
fn mput(session: &mut Session, patterns: &[Vec<u8>]) -> Result<(), Error> {
    session.connection()?;
    let settings = session.transfer_settings();
    let mut found = Jobs::new(Action::Store, &settings, session);
    for pattern in patterns {
        found.send(pattern)?;
    }
    let sent = found.run(session, &settings);
    record_printed_failure(session, &sent);
    sent
}

fn sending(local: PathBuf, remote: Name) -> Job {
    let size = fs::metadata(&local).map(|metadata| metadata.len()).ok();
    Job::Upload(Upload { local, remote, placement: UploadMode::Replace, size })
}

/// Reports the outcome of one file of many: a message, and with `--json` an object.
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

/// Returns the sorted local files that match a pattern. Only its last part may have wildcards.
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

/// The transfers of one command, and the number of files that were rejected beforehand.
struct Jobs {
    action: Action,
    began: Instant,
    messages: Messages,
    /// Outcomes are printed as JSON objects.
    json: bool,
    preferences: Preferences,
    jobs: Vec<Job>,
    /// The case-folded target names, of which the local file system may treat two as equal.
    folded: BTreeSet<String>,
    found: usize,
    refused: usize,
    /// The user answered `q`: the remaining files are skipped.
    enough: bool,
}

impl Jobs {
    fn new(action: Action, settings: &TransferSettings, session: &Session) -> Jobs {
        let (jobs, folded, preferences) = (Vec::new(), BTreeSet::new(), session.preferences);
        let (messages, json) = (settings.messages, settings.transfers.json);
        let (found, refused, enough, began) = (0, 0, false, Instant::now());
        Jobs { action, began, messages, json, preferences, jobs, folded, found, refused, enough }
    }

    /// Clears the jobs, to search again.
    fn forget(&mut self) {
        self.jobs.clear();
        self.folded.clear();
        (self.found, self.refused) = (0, 0);
    }

    /// Returns whether a word is a pattern to be expanded.
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

    /// Gives a download a unique local name, if RUNIQUE is on.
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

    /// Runs the jobs that the user confirms.
    fn run(mut self, session: &mut Session, settings: &TransferSettings) -> Result<(), Error> {
        for job in std::mem::take(&mut self.jobs) {
            if !self.enough && self.is_wanted(session, &job)? {
                self.jobs.push(job);
            }
        }
        self.found = self.jobs.len();
        let jobs = std::mem::take(&mut self.jobs).into();
        let tally = batch::run(session.connection()?, jobs, settings, &report(settings))?;
        self.finish(tally)
    }

    fn is_wanted(&mut self, session: &mut Session, job: &Job) -> Result<bool, Error> {
        let what = match job {
            Job::Download(_) => "mget",
            Job::Upload(_) => "mput",
        };
        match session.confirms(what, job.remote().as_bytes(), DefaultAnswer::Yes) {
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
            self.messages.note(&format!("{left} of {of} files were not transferred"));
        }
        tally.result(of)?;
        if self.enough { Err(Error::Interrupted) } else { Ok(()) }
    }
}
