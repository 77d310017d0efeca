//! Transfers many files over several connections, with few round trips.
//!
//! - The connections take files from a shared queue.
//! - If more files are waiting, EPSV for the next file is pipelined behind the transfer command (and, for
//!   an upload, the commands for its time and size). If a server cannot handle that, all connections send
//!   one command at a time from then on.
//! - A file that fails is reported, and the others continue. A full disk and Ctrl-C end the batch.

use super::TransferSettings;
use super::download::Download;
use super::outcome::TransferOutcome;
use super::retry::{Meter, Retries, may_exceed_session_limit};
use super::session_limit::ONE_SESSION;
use super::upload::{SMALL, Upload};
use super::worker_pool::{self, Helpers, Work, Worker};
use crate::client::connection::{Connection, EPSV};
use crate::client::error::{Error, ErrorClass};
use crate::client::output::progress::BatchProgress;
use crate::client::signals::Armed;
use crate::protocol::{Code, Command, Name};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A file to be transferred.
#[derive(Clone, Debug)]
pub(in crate::client) enum Job {
    Download(Download),
    Upload(Upload),
}

impl Job {
    pub(in crate::client) fn remote(&self) -> &Name {
        match self {
            Job::Download(download) => &download.remote,
            Job::Upload(upload) => &upload.remote,
        }
    }

    /// Returns the size of the file in the listing, if known.
    fn size(&self) -> Option<u64> {
        match self {
            Job::Download(download) => download.known.size,
            Job::Upload(upload) => upload.size,
        }
    }

    fn run(
        &self,
        connection: &mut Connection,
        settings: &TransferSettings,
        next: &[Command],
        meter: &mut dyn Meter,
    ) -> TransferOutcome {
        match self {
            Job::Download(download) => download.run(connection, settings, next, meter),
            Job::Upload(upload) => upload.run(connection, settings, Some(next), meter),
        }
    }
}

/// The files of a batch. Each job is created when a connection takes it, because a job with its paths takes
/// several times the memory of its source.
pub(in crate::client) struct Jobs<'a> {
    rest: Box<dyn Iterator<Item = Job> + Send + 'a>,
    /// The jobs that a connection has returned, which are taken first.
    left: Vec<Job>,
    /// The number of jobs, including returned ones.
    count: usize,
    /// The total size, if all sizes are known.
    bytes: Option<u64>,
}

impl<'a> Jobs<'a> {
    /// Creates a batch of `count` jobs with a total size of `bytes`.
    pub(in crate::client) fn new(
        rest: impl Iterator<Item = Job> + Send + 'a,
        count: usize,
        bytes: Option<u64>,
    ) -> Jobs<'a> {
        Jobs { rest: Box::new(rest), left: Vec::new(), count, bytes }
    }

    fn take(&mut self) -> Option<Job> {
        let job = self.left.pop().or_else(|| self.rest.next())?;
        self.count = self.count.saturating_sub(1);
        Some(job)
    }

    fn leave(&mut self, job: Job) {
        self.left.push(job);
        self.count += 1;
    }
}

impl From<Vec<Job>> for Jobs<'_> {
    fn from(jobs: Vec<Job>) -> Self {
        let (count, bytes) = (jobs.len(), jobs.iter().map(Job::size).sum());
        Jobs::new(jobs.into_iter(), count, bytes)
    }
}

/// The result of a batch.
#[derive(Debug, Default)]
pub(in crate::client) struct Tally {
    /// The number of transferred files.
    pub(in crate::client) done: usize,
    pub(in crate::client) bytes: u64,
    pub(in crate::client) failed: usize,
    /// The class of the first failure.
    pub(in crate::client) class: Option<ErrorClass>,
    /// The error that ended the batch early.
    stopped: Option<Error>,
}

impl Tally {
    /// Counts failures that were reported already.
    pub(in crate::client) fn add_failures(&mut self, count: usize, class: ErrorClass) {
        if count > 0 {
            self.failed += count;
            self.class.get_or_insert(class);
        }
    }

    /// Returns whether the batch ended early.
    pub(in crate::client) fn is_stopped(&self) -> bool {
        self.stopped.is_some()
    }

    /// Returns the error of the batch, which had `of` files.
    pub(in crate::client) fn result(self, of: usize) -> Result<(), Error> {
        match self {
            Tally { stopped: Some(error), .. } => Err(error),
            Tally { failed: 0, .. } => Ok(()),
            Tally { failed, class, .. } => {
                Err(Error::Some { failed, of, class: class.unwrap_or(ErrorClass::Remote) })
            }
        }
    }
}

/// Reports the outcome of one file of a batch.
pub(in crate::client) type Report<'a> = &'a (dyn Fn(&TransferOutcome) -> Result<(), Error> + Sync);

/// Transfers the files and reports each outcome.
pub(in crate::client) fn run(
    connection: &mut Connection,
    jobs: Jobs<'_>,
    settings: &TransferSettings,
    report: Report<'_>,
) -> Result<Tally, Error> {
    let helpers = settings.transfers.connections.min(jobs.count).saturating_sub(1);
    let mut jobs = Some(jobs);
    let find = |_: &mut Connection| Ok(jobs.take().unwrap_or_else(|| Vec::new().into()));
    run_found(connection, helpers, settings, report, find)
}

/// Transfers files that `find` searches for, while `helpers` more connections are opened. If the server ends
/// the first connection because of them, the search is repeated.
pub(in crate::client) fn run_found<'j>(
    connection: &mut Connection,
    helpers: usize,
    settings: &TransferSettings,
    report: Report<'_>,
    mut find: impl FnMut(&mut Connection) -> Result<Jobs<'j>, Error>,
) -> Result<Tally, Error> {
    let armed = settings.interrupt.begin().map_err(Error::Local)?;
    let mut called = Helpers::call(connection, helpers, settings);
    let jobs = match find(connection) {
        Err(_) if connection.is_lost() && settings.limit.first_was_lost(false) => {
            settings.messages.note(ONE_SESSION);
            called = Helpers::none();
            connection.reconnect()?;
            find(connection)?
        }
        found => found?,
    };
    let state = Mutex::new(BatchState::new(jobs, settings));
    let queue = JobQueue { settings, report, armed, state };
    worker_pool::run(connection, called, helpers, &queue);
    let mut state = queue.state.into_inner().unwrap_or_else(PoisonError::into_inner);
    drop(state.progress);
    if state.jobs.count > 0 {
        let why = state.unreachable.unwrap_or(Error::NotConnected);
        state.tally.stopped.get_or_insert(why);
    }
    Ok(state.tally)
}

/// The waiting files of a batch, and the state that the connections share.
struct JobQueue<'a> {
    settings: &'a TransferSettings,
    report: Report<'a>,
    armed: Armed,
    state: Mutex<BatchState<'a>>,
}

struct BatchState<'a> {
    jobs: Jobs<'a>,
    tally: Tally,
    progress: BatchProgress,
    /// The server has dropped pipelined commands.
    one_at_a_time: bool,
    /// The error of the first connection, if it could not be reopened.
    unreachable: Option<Error>,
}

impl<'a> BatchState<'a> {
    fn new(jobs: Jobs<'a>, settings: &TransferSettings) -> BatchState<'a> {
        let progress = BatchProgress::new(jobs.count, jobs.bytes, settings.messages.progress());
        let tally = Tally::default();
        BatchState { jobs, tally, progress, one_at_a_time: false, unreachable: None }
    }
}

impl Work for JobQueue<'_> {
    fn work(&self, connection: &mut Connection, worker: Worker) {
        while let Some((job, more)) = self.next(connection) {
            if let Err(error) = self.reconnect_if_lost(connection, &job) {
                let mut state = self.lock();
                state.unreachable.get_or_insert(error);
                return state.jobs.leave(job);
            }
            let outcome = self.run_job(connection, &job, more);
            if !connection.capabilities().pipelining {
                self.lock().one_at_a_time = true;
            }
            // With `--retries 0` another connection must not repeat an interrupted transfer either.
            let may_move = self.settings.transfers.retries > 0 || self.settings.limit.is_one();
            let is_left = |error: &Error| {
                let is_lost = connection.is_lost() && !matches!(error, Error::GaveUp { .. });
                may_exceed_session_limit(error) || (is_lost && may_move)
            };
            if worker == Worker::Helper && outcome.result.as_ref().is_err_and(is_left) {
                return self.lock().jobs.leave(job);
            }
            self.record(outcome);
            if connection.is_lost() && worker == Worker::Helper {
                return;
            }
        }
    }
}

impl<'a> JobQueue<'a> {
    fn lock(&self) -> MutexGuard<'_, BatchState<'a>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reconnects if the previous job has lost the connection.
    fn reconnect_if_lost(&self, connection: &mut Connection, job: &Job) -> Result<(), Error> {
        if !connection.is_lost() {
            return Ok(());
        }
        let limit = &self.settings.limit;
        if connection.is_helper() && limit.is_one() {
            return Err(Error::NotConnected);
        }
        let mut meter = JobMeter::new(self, job);
        if !connection.is_helper() && limit.first_was_lost(false) {
            meter.warn(ONE_SESSION);
        }
        Retries::new(connection, self.settings, &mut meter)?
            .until_done(Connection::reconnect_if_lost)
    }

    /// Returns the next job, and whether there are more.
    fn next(&self, connection: &mut Connection) -> Option<(Job, bool)> {
        let mut state = self.lock();
        if self.armed.came() {
            state.tally.stopped.get_or_insert(Error::Interrupted);
        }
        if state.tally.stopped.is_some() {
            return None;
        }
        connection.capabilities().pipelining &= !state.one_at_a_time;
        let job = state.jobs.take()?;
        Some((job, state.jobs.count > 0))
    }

    fn run_job(&self, connection: &mut Connection, job: &Job, more: bool) -> TransferOutcome {
        let looked_ahead = connection.can_set_up_ahead();
        let outcome = self.attempt(connection, job, more);
        if !looked_ahead || !outcome.result.as_ref().is_err_and(is_misunderstood) {
            return outcome;
        }
        connection.capabilities().pipelining = false;
        match connection.reconnect() {
            Ok(()) => self.attempt(connection, job, more),
            Err(error) => TransferOutcome { result: Err(error), ..outcome },
        }
    }

    fn attempt(&self, connection: &mut Connection, job: &Job, more: bool) -> TransferOutcome {
        let is_small = job.size().is_some_and(|size| size < SMALL);
        let can_set_up_ahead = more && is_small && connection.can_set_up_ahead();
        let next = if can_set_up_ahead { &[EPSV][..] } else { &[] };
        job.run(connection, self.settings, next, &mut JobMeter::new(self, job))
    }

    fn record(&self, outcome: TransferOutcome) {
        let mut state = self.lock();
        state.progress.clear();
        let reported = (self.report)(&outcome);
        state.progress.file_ended();
        let result = match reported {
            Err(error) if error.ends_batch() => Err(error),
            reported => outcome.result.and_then(|bytes| reported.map(|()| bytes)),
        };
        match result {
            Ok(bytes) => {
                state.tally.done += 1;
                state.tally.bytes += bytes;
            }
            Err(error) if error.ends_batch() => drop(state.tally.stopped.get_or_insert(error)),
            Err(error) => state.tally.add_failures(1, error.class()),
        }
    }
}

/// Returns whether the error is the refusal of a pipelined command: Pure-FTPd misreads commands that arrive
/// during a transfer.
fn is_misunderstood(error: &Error) -> bool {
    matches!(error, Error::Refused(reply) if reply.code() == Code::UNKNOWN_COMMAND)
}

/// Adds the progress of one file to that of the batch.
struct JobMeter<'a, 'q> {
    queue: &'a JobQueue<'q>,
    name: &'a Name,
    counted: u64,
}

impl<'a, 'q> JobMeter<'a, 'q> {
    fn new(queue: &'a JobQueue<'q>, job: &'a Job) -> JobMeter<'a, 'q> {
        JobMeter { queue, name: job.remote(), counted: 0 }
    }
}

impl Meter for JobMeter<'_, '_> {
    fn begins(&mut self, _: u64, _: Option<u64>) {
        self.counted = 0;
    }

    fn moved(&mut self, moved: u64) {
        let more = moved.saturating_sub(self.counted);
        self.counted = moved;
        self.queue.lock().progress.moved(more);
    }

    fn again(&mut self, why: &Error, pause: Duration) {
        let mut state = self.queue.lock();
        state.progress.clear();
        self.queue.settings.messages.retrying(self.name.as_bytes(), why, pause);
    }

    fn warn(&mut self, text: &str) {
        let mut state = self.queue.lock();
        state.progress.clear();
        self.queue.settings.messages.warning(self.name.as_bytes(), text);
    }
}
