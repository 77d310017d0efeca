//! Executes the steps of a plan: directories first, then files over several connections, then the rest.

use super::plan::{FileFacts, MirrorStep, Node, Plan, Tree, above};
use super::refusals::{Refusals, Verdict};
use super::walk::joined;
use super::{Mirror, report};
use crate::client::error::{Error, ErrorClass};
use crate::client::local;
use crate::client::name::parse_name;
use crate::client::shell::commands::remote::make_with_parents;
use crate::client::transfer::TransferSettings;
use crate::client::transfer::batch::{self, Job, Jobs, Tally};
use crate::client::transfer::compare::RemoteFacts;
use crate::client::transfer::download::{ContinuedFile, Download};
use crate::client::transfer::outcome::TransferOutcome;
use crate::client::transfer::upload::{Upload, UploadMode};
use crate::protocol::{Command, Name};
use crate::sys::os_string;
use crate::text::shown;
use std::fs;
use std::io;
use std::iter;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// The number of commands that are pipelined.
const BATCH: usize = 32;

impl Mirror<'_> {
    /// Executes a plan and prints the summary.
    pub(super) fn carry_out(&mut self, plan: Plan) -> Result<(), Error> {
        self.make_root()?;
        let steps = plan.steps;
        let is_late = |step: &MirrorStep| !matches!(step, MirrorStep::Transfer(..));
        let cut = steps.iter().position(|step| !is_late(step)).unwrap_or(steps.len());
        let (before, rest) = steps.split_at(cut);
        self.all(before)?;
        let late: Vec<MirrorStep> = rest.iter().filter(|step| is_late(step)).cloned().collect();
        let files = self.transferable(rest);
        let tried = files.len();
        let mut tally = self.transfer(&files)?;
        let is_stopped = tally.is_stopped();
        if !is_stopped {
            self.report_unreported();
            self.all(&late)?;
        }
        let of = tried + self.summary.failed;
        tally.add_failures(self.summary.failed, ErrorClass::Local);
        let due = rest.len() - late.len();
        let summary = &mut self.summary;
        (summary.same, summary.due, summary.done) = (plan.same, due, tally.done);
        (summary.bytes, summary.failed) = (tally.bytes, tally.failed);
        summary.elapsed = self.started.elapsed();
        let result = tally.result(of);
        if !matches!(result, Err(Error::Unwritable(..))) {
            self.session.messages.note(&self.summary.to_string());
        }
        result
    }

    /// Removes all partial files from the mirrored directories. After a mirror without failures they belong
    /// to files that the source no longer has.
    pub(super) fn remove_partials(&self, source: &Tree) {
        let rules = &self.wanted.rules;
        let is_dir =
            |(path, node): &(&Vec<u8>, &Node)| **node == Node::Dir && rules.takes(path, node);
        let below = source.iter().filter(is_dir).map(|(path, _)| path.as_slice());
        for dir in iter::once(&b""[..]).chain(below).filter_map(|path| self.at(path).ok()) {
            // A partial file that remains does no harm.
            let _ = local::remove_partials(&dir);
        }
    }

    fn make_root(&mut self) -> Result<(), Error> {
        if self.wanted.upload {
            return self.make_remote_root();
        }
        let failed = |error| Error::File { path: self.root.clone(), error };
        fs::create_dir_all(&self.root).map_err(failed)
    }

    fn make_remote_root(&mut self) -> Result<(), Error> {
        let path = self.remote.strip_suffix(b"/").unwrap_or(&self.remote);
        if self.is_there || matches!(path, b"" | b".") {
            return Ok(());
        }
        let reply = match make_with_parents(self.session, path) {
            Err(Error::Refused(reply)) => reply,
            other => return other,
        };
        // The directory may exist, but the text of the refusal did not show it.
        match self.session.connection()?.in_dir(&parse_name(path)?, |_| Ok(())) {
            Err(Error::Refused(_)) => Err(Error::NotMade(path.to_vec(), reply)),
            other => other,
        }
    }

    /// Returns the files to be transferred, without those whose directory could not be made and those whose names
    /// cannot be said.
    fn transferable<'s>(&mut self, steps: &'s [MirrorStep]) -> Vec<(&'s [u8], &'s FileFacts)> {
        let mut files = Vec::new();
        for step in steps {
            let MirrorStep::Transfer(path, facts) = step else { continue };
            if self.is_unmade(path) {
                self.summary.failed += 1;
                continue;
            }
            match self.transfers().job(path, facts) {
                Ok(_) => files.push((path.as_slice(), facts)),
                Err(error) => self.fail(path, error),
            }
        }
        files
    }

    fn is_unmade(&self, path: &[u8]) -> bool {
        above(path).any(|dir| self.unmade.contains(dir))
    }

    fn transfers(&self) -> FileTransfers<'_> {
        FileTransfers {
            remote: &self.remote,
            root: &self.root,
            upload: self.wanted.upload,
            is_rough: self.is_rough,
        }
    }

    fn transfer(&mut self, files: &[(&[u8], &FileFacts)]) -> Result<Tally, Error> {
        let settings = self.wanted.transfer_settings(self.session);
        let Mirror { session, wanted, remote, root, is_rough, refusals, .. } = self;
        let transfers = FileTransfers { remote, root, upload: wanted.upload, is_rough: *is_rough };
        let connection = session.connection()?;
        connection.reconnect_if_lost()?;
        let jobs = transfers.jobs(files);
        if !wanted.upload {
            return batch::run(connection, jobs, &settings, &report(&settings));
        }
        let refusals = Mutex::new(refusals);
        let report = |outcome: &TransferOutcome| {
            let mut refusals = refusals.lock().unwrap_or_else(PoisonError::into_inner);
            report_upload(&settings, remote, outcome, &mut refusals)
        };
        batch::run(connection, jobs, &settings, &report)
    }

    pub(super) fn at(&self, path: &[u8]) -> Result<PathBuf, Error> {
        local_path(&self.root, path)
    }

    fn all(&mut self, steps: &[MirrorStep]) -> Result<(), Error> {
        if self.wanted.upload {
            return self.all_remote(steps);
        }
        let armed = self.session.interrupt().begin().map_err(Error::Local)?;
        for step in steps {
            if armed.came() {
                return Err(Error::Interrupted);
            }
            let result = self.do_here(step);
            self.count(step, result)?;
        }
        Ok(())
    }

    fn do_here(&self, step: &MirrorStep) -> Result<(), Error> {
        let done = |path: &[u8], what: fn(&Path) -> io::Result<()>| {
            let at = self.at(path)?;
            what(&at).map_err(|error| Error::File { path: at, error })
        };
        match step {
            MirrorStep::Refuse(path) => Err(Error::InTheWay(path.clone())),
            MirrorStep::Remove(path) => done(path, |at| fs::remove_file(at)),
            MirrorStep::RemoveDir(path) => done(path, |at| {
                // The plan does not contain partial files.
                local::remove_partials(at)?;
                fs::remove_dir(at)
            }),
            MirrorStep::MakeDir(path) => done(path, |at| fs::create_dir(at)),
            MirrorStep::Link(path, to) => {
                let at = self.at(path)?;
                let target = os_string(to).ok_or_else(|| Error::BadName(to.clone()))?;
                local::make_link(&at, Path::new(&target))
                    .map_err(|error| Error::File { path: at, error })
            }
            MirrorStep::Transfer(..) => Ok(()),
        }
    }

    /// Executes steps on the server, with pipelined commands.
    fn all_remote(&mut self, steps: &[MirrorStep]) -> Result<(), Error> {
        for batch in steps.chunks(BATCH) {
            let commands: Vec<Result<Command, Error>> =
                batch.iter().filter_map(|step| self.command(step)).collect();
            let asked: Vec<Command> =
                commands.iter().filter_map(|command| command.as_ref().ok().cloned()).collect();
            let answers = match self.session.connection() {
                Ok(connection) => match connection.reconnect_if_lost() {
                    Ok(()) => connection.call_all(&asked),
                    Err(error) => vec![Err(error)],
                },
                Err(error) => vec![Err(error)],
            };
            let mut answers = answers.into_iter();
            let told = batch.iter().filter(|step| !matches!(step, MirrorStep::Link(..)));
            for (step, command) in told.zip(commands) {
                let unanswered = || Err(Error::NotConnected);
                let result =
                    command.and_then(|_| answers.next().unwrap_or_else(unanswered).map(drop));
                self.count(step, result)?;
            }
        }
        Ok(())
    }

    fn command(&self, step: &MirrorStep) -> Option<Result<Command, Error>> {
        let at = |path: &[u8]| -> Result<Name, Error> { parse_name(&joined(&self.remote, path)) };
        match step {
            MirrorStep::Refuse(path) => Some(Err(Error::InTheWay(path.clone()))),
            MirrorStep::Remove(path) => Some(at(path).map(Command::Dele)),
            MirrorStep::RemoveDir(path) => Some(at(path).map(Command::Rmd)),
            MirrorStep::MakeDir(path) => Some(at(path).map(Command::Mkd)),
            MirrorStep::Link(..) | MirrorStep::Transfer(..) => None,
        }
    }

    fn count(&mut self, step: &MirrorStep, result: Result<(), Error>) -> Result<(), Error> {
        self.print_result(step, &result)?;
        match (step, result) {
            (MirrorStep::MakeDir(path), Err(error)) => return self.count_unmade(path, error),
            (
                MirrorStep::Refuse(path)
                | MirrorStep::Remove(path)
                | MirrorStep::RemoveDir(path)
                | MirrorStep::Link(path, _)
                | MirrorStep::Transfer(path, _),
                Err(error),
            ) => self.fail(path, error),
            (MirrorStep::MakeDir(_), Ok(())) => {
                self.summary.dirs += 1;
                self.report_held();
            }
            (MirrorStep::Link(..), Ok(())) => self.summary.links += 1,
            (MirrorStep::Remove(_) | MirrorStep::RemoveDir(_), Ok(())) => self.summary.removed += 1,
            (MirrorStep::Transfer(..) | MirrorStep::Refuse(_), Ok(())) => {}
        }
        Ok(())
    }

    /// Counts a directory that could not be made. Failures below it are not reported.
    fn count_unmade(&mut self, path: &[u8], error: Error) -> Result<(), Error> {
        let is_told = self.is_unmade(path);
        self.unmade.insert(path.to_vec());
        let verdict = match &error {
            _ if is_told => Verdict::Defer,
            Error::Refused(reply) => self.refusals.refused(path, reply),
            _ => Verdict::Report,
        };
        match (verdict, error) {
            (Verdict::Abort, Error::Refused(reply)) => {
                return Err(Error::Unwritable(self.remote.clone(), reply));
            }
            (Verdict::Defer, _) => self.summary.failed += 1,
            (Verdict::Report | Verdict::Abort, error) => {
                self.report_held();
                self.fail(path, error);
            }
        }
        Ok(())
    }

    fn fail(&mut self, path: &[u8], error: Error) {
        self.summary.failed += 1;
        self.session.messages.error(&format!("error: {}: {error}", shown(path)));
    }

    /// Reports the refusals that were held back.
    fn report_held(&mut self) {
        for (path, reply) in self.refusals.is_over() {
            let error = Error::Refused(reply);
            self.session.messages.error(&format!("error: {}: {error}", shown(&path)));
        }
    }

    /// Reports in one line the refusals that are still held back.
    fn report_unreported(&mut self) {
        if let Some((path, error, more)) = self.refusals.take_unreported() {
            let others = if more > 0 { format!(" (and {more} more)") } else { String::new() };
            self.session.messages.error(&format!("error: {}: {error}{others}", shown(&path)));
        }
    }
}

/// The transfers of a mirror, each described from the facts of its file.
#[derive(Clone, Copy)]
struct FileTransfers<'a> {
    remote: &'a [u8],
    root: &'a Path,
    upload: bool,
    /// True if sizes and times come from LIST.
    is_rough: bool,
}

impl<'a> FileTransfers<'a> {
    /// Returns the jobs of these files, each of which can be described.
    fn jobs(self, files: &'a [(&'a [u8], &'a FileFacts)]) -> Jobs<'a> {
        let bytes = files.iter().map(|(_, facts)| self.known(facts).size).sum();
        let jobs = files.iter().filter_map(move |(path, facts)| self.job(path, facts).ok());
        Jobs::new(jobs, files.len(), bytes)
    }

    fn job(self, path: &[u8], facts: &FileFacts) -> Result<Job, Error> {
        let (remote, local) =
            (parse_name(&joined(self.remote, path))?, local_path(self.root, path)?);
        let known = self.known(facts);
        if self.upload {
            let placement = UploadMode::Resume;
            return Ok(Job::Upload(Upload { local, remote, placement, size: known.size }));
        }
        let (target, continued, connections) = (local, ContinuedFile::Partial, None);
        let (listed, continued_by) = (facts.modified, "the same MIRROR".to_owned());
        let download =
            Download { remote, target, continued, known, listed, connections, continued_by };
        Ok(Job::Download(download))
    }

    /// Returns what is known about a file before its transfer. Sizes and times of LIST are not reliable
    /// enough for a download.
    fn known(self, facts: &FileFacts) -> RemoteFacts {
        match self.upload || (facts.exact && !self.is_rough) {
            true => RemoteFacts { size: facts.size, modified: facts.modified },
            false => RemoteFacts::default(),
        }
    }
}

fn local_path(root: &Path, path: &[u8]) -> Result<PathBuf, Error> {
    let relative = os_string(path).ok_or_else(|| Error::BadName(path.to_vec()))?;
    Ok(root.join(relative))
}

/// Reports an upload. Permanent refusals are held back until something succeeds; if the server refuses
/// everything, the mirror ends.
fn report_upload(
    settings: &TransferSettings,
    root: &[u8],
    outcome: &TransferOutcome,
    refusals: &mut Refusals,
) -> Result<(), Error> {
    if let Err(Error::Refused(reply)) = &outcome.result
        && !reply.code().is_transient_failure()
    {
        let path = outcome.remote.strip_prefix(&joined(root, b"")[..]).unwrap_or(&outcome.remote);
        match refusals.refused(path, reply) {
            Verdict::Report => {}
            Verdict::Defer if settings.transfers.json => return outcome.print_json(),
            Verdict::Defer => return Ok(()),
            Verdict::Abort => return Err(Error::Unwritable(root.to_vec(), reply.clone())),
        }
    }
    for (path, reply) in refusals.is_over() {
        let error = Error::Refused(reply);
        settings.messages.error(&format!("error: {}: {error}", shown(&joined(root, &path))));
    }
    report(settings)(outcome)
}
