//! BatchProgress files over several connections, in as few round trips as there are.
//!
//! - The connections take the files one by one from one queue. The first is the session's own; the
//!   others are made beside it, and where the server has no room for them there are fewer.
//! - Where more than one file waits, the command for this one goes out together with the EPSV for
//!   the next (and, after an upload, with its time and the question for its size). A server that
//!   cannot take that is given one command at a time from then on, on all connections.
//! - A file that fails is told of, and the others go on. A disk that is full and Ctrl-C end it all.

use super::resume::{COMPARED, Fetch, Meter, Remote, Send, Sink};
use super::retry::{Gain, Retries};
use crate::client::connection::{Connection, ConnectionPlan, EXTENDED_PASSIVE};
use crate::client::error::Error;
use crate::client::escape::shown;
use crate::client::local::{self, Partial};
use crate::client::options::Transfers;
use crate::client::output::Messages;
use crate::client::output::json::{self, Action};
use crate::client::output::progress::BatchProgress;
use crate::client::signals::{Armed, Interrupt};
use crate::protocol::{Code, Command, Name};
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, SystemTime};

/// Up to which size it pays to agree on the next data connection ahead of time: what is larger takes
/// longer than a round trip, and a server that mixes commands up spoils less.
const SMALL: u64 = 1024 * 1024;

/// Which way a file goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::client) enum Way {
    /// From the server.
    Down,
    /// To the server.
    Up,
}

/// A file to be transferred.
#[derive(Clone, Debug)]
pub(in crate::client) struct Job {
    pub(in crate::client) way: Way,
    pub(in crate::client) remote: Name,
    pub(in crate::client) local: PathBuf,
    /// What a listing said of it.
    pub(in crate::client) known: Remote,
}

/// How jobs are done.
#[derive(Clone)]
pub(in crate::client) struct How {
    pub(in crate::client) transfers: Transfers,
    pub(in crate::client) messages: Messages,
    pub(in crate::client) interrupt: Interrupt,
}

/// What jobs came to.
#[derive(Debug, Default)]
pub(in crate::client) struct Tally {
    /// How many were done, and their bytes.
    pub(in crate::client) done: usize,
    pub(in crate::client) bytes: u64,
    /// How many failed.
    pub(in crate::client) failed: usize,
    /// The status of the first that failed.
    pub(in crate::client) status: u8,
    /// Why all of it ended before its end.
    stopped: Option<Error>,
}

impl Tally {
    /// Whether all of it ended before its end.
    pub(in crate::client) fn is_stopped(&self) -> bool {
        self.stopped.is_some()
    }

    /// The failure that it is, of so many in all.
    pub(in crate::client) fn result(self, of: usize) -> Result<(), Error> {
        match self {
            Tally { stopped: Some(error), .. } => Err(error),
            Tally { failed: 0, .. } => Ok(()),
            Tally { failed, status, .. } => Err(Error::Some { failed, of, status }),
        }
    }
}

/// Does the jobs and says what became of each.
pub(in crate::client) fn run(
    connection: &mut Connection,
    jobs: Vec<Job>,
    how: &How,
) -> Result<Tally, Error> {
    let helpers = how.transfers.connections.min(jobs.len()).saturating_sub(1);
    run_found(connection, helpers, how, |_| Ok(jobs))
}

/// The same for jobs that have to be found first, most likely many: so many connections more are
/// made meanwhile.
pub(in crate::client) fn run_found(
    connection: &mut Connection,
    helpers: usize,
    how: &How,
    find: impl FnOnce(&mut Connection) -> Result<Vec<Job>, Error>,
) -> Result<Tally, Error> {
    let armed = how.interrupt.begin().map_err(Error::Local)?;
    let crew = Crew { how, armed, state: Mutex::new(State::new(how)), begun: Condvar::new() };
    let plan = connection.plan();
    let found = thread::scope(|scope| {
        for _ in 0..helpers {
            // A system without room for a thread has fewer connections.
            let _ = thread::Builder::new().spawn_scoped(scope, || crew.help(&plan));
        }
        let found = find(connection);
        let (jobs, result) =
            found.map_or_else(|error| (Vec::new(), Err(error)), |jobs| (jobs, Ok(())));
        crew.begin(jobs);
        crew.work(connection, Role::First);
        result
    });
    // What a helper left to the others when they were done already.
    crew.work(connection, Role::First);
    let mut state = crew.state.into_inner().unwrap_or_else(PoisonError::into_inner);
    drop(state.many);
    if !state.jobs.is_empty() {
        let why = state.unreachable.unwrap_or(Error::NotConnected);
        state.tally.stopped.get_or_insert(why);
    }
    found.map(|()| state.tally)
}

/// Those who do the jobs, and what they share.
struct Crew<'a> {
    how: &'a How,
    armed: Armed,
    state: Mutex<State>,
    /// Told once the jobs are known.
    begun: Condvar,
}

struct State {
    /// Whether the jobs are known.
    begun: bool,
    jobs: VecDeque<Job>,
    tally: Tally,
    many: BatchProgress,
    /// Whether the server has lost a command that came together with another.
    one_at_a_time: bool,
    /// Why the first connection could not be made anew.
    unreachable: Option<Error>,
}

impl State {
    fn new(how: &How) -> State {
        let many = BatchProgress::new(0, None, how.messages.progress());
        let (jobs, tally) = (VecDeque::new(), Tally::default());
        State { begun: false, jobs, tally, many, one_at_a_time: false, unreachable: None }
    }
}

/// Whether somebody else will do what this one leaves.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    First,
    Helper,
}

impl Crew<'_> {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self, jobs: Vec<Job>) {
        let mut state = self.lock();
        let total = jobs.iter().map(|job| job.known.size).sum::<Option<u64>>();
        state.many = BatchProgress::new(jobs.len(), total, self.how.messages.progress());
        (state.jobs, state.begun) = (jobs.into(), true);
        self.begun.notify_all();
    }

    fn wait_for_jobs(&self) {
        let state = self.lock();
        // Whoever panicked while it was held left no job half done.
        drop(self.begun.wait_while(state, |state| !state.begun));
    }

    fn help(&self, plan: &ConnectionPlan) {
        // Where there is no room for another connection, the others do.
        if let Ok(mut connection) = plan.connect() {
            // What goes wrong here goes wrong with the first file too, and is told then.
            let _ = connection.get_ready();
            self.wait_for_jobs();
            self.work(&mut connection, Role::Helper);
            connection.leave();
        }
    }

    fn work(&self, connection: &mut Connection, role: Role) {
        while let Some((job, more)) = self.next(connection) {
            if let Err(error) = self.revive(connection) {
                let mut state = self.lock();
                state.unreachable.get_or_insert(error);
                return state.jobs.push_front(job);
            }
            let result = self.carry_out(connection, &job, more);
            if !connection.capabilities().pipelines {
                self.lock().one_at_a_time = true;
            }
            match result {
                Err(error) if role == Role::Helper && is_crowded(&error) => {
                    return self.lock().jobs.push_front(job);
                }
                result => self.account(&job, result),
            }
            if connection.is_lost() && role == Role::Helper {
                return;
            }
        }
    }

    /// Makes a connection anew that the job before has lost.
    fn revive(&self, connection: &mut Connection) -> Result<(), Error> {
        let Err(failure) = connection.revive() else { return Ok(()) };
        let mut tries = Retries::new(&self.how.interrupt, self.how.transfers.retries)?;
        tries.again(failure, Gain::Nothing, connection, |why, pause| {
            self.lock().many.clear();
            let seconds = pause.as_secs_f64();
            self.how.messages.note(&format!("{why}; trying again in {seconds} s"));
        })
    }

    /// The next job, and whether there are more behind it.
    fn next(&self, connection: &mut Connection) -> Option<(Job, bool)> {
        let mut state = self.lock();
        if self.armed.came() {
            state.tally.stopped.get_or_insert(Error::Interrupted);
        }
        if state.tally.stopped.is_some() {
            return None;
        }
        connection.capabilities().pipelines &= !state.one_at_a_time;
        let job = state.jobs.pop_front()?;
        let more = !state.jobs.is_empty();
        Some((job, more))
    }

    fn carry_out(&self, connection: &mut Connection, job: &Job, more: bool) -> Result<u64, Error> {
        let hasty = connection.looks_ahead();
        match self.try_out(connection, job, more) {
            Err(error) if hasty && is_misunderstood(&error) => {
                connection.capabilities().pipelines = false;
                connection.reconnect()?;
                self.try_out(connection, job, more)
            }
            done => done,
        }
    }

    fn try_out(&self, connection: &mut Connection, job: &Job, more: bool) -> Result<u64, Error> {
        let mut tries = Retries::new(&self.how.interrupt, self.how.transfers.retries)?;
        let mut meter = Share { crew: self, name: shown(job.remote.as_bytes()), told: 0 };
        let looked_ahead =
            connection.looks_ahead() && job.known.size.is_some_and(|size| size < SMALL);
        let next = if more && looked_ahead { &[EXTENDED_PASSIVE][..] } else { &[] };
        let done = match job.way {
            Way::Down => self.fetch(connection, job, next, &mut tries, &mut meter),
            Way::Up => self.send(connection, job, next, &mut tries, &mut meter),
        };
        // It may have been the haste that broke it.
        connection.capabilities().pipelines &= !tries.were_needed() || next.is_empty();
        done.map_err(|error| error.at(job.local.clone()))
    }

    fn fetch(
        &self,
        connection: &mut Connection,
        job: &Job,
        next: &[Command],
        tries: &mut Retries,
        meter: &mut Share<'_, '_>,
    ) -> Result<u64, Error> {
        let failed = |error| Error::File { path: job.local.clone(), error };
        let mut partial = Partial::create(&job.local, &self.how.interrupt).map_err(failed)?;
        let large = job.known.size.is_some_and(|size| size > COMPARED);
        let part = job.known.part(connection, &job.remote).filter(|_| large);
        if let Some(part) = &part {
            partial.take_up(part).map_err(failed)?;
        }
        let mut fetch = Fetch::new(&job.remote, Sink::Partial(&mut partial));
        if job.known.size.is_some() {
            fetch.knows(job.known, true);
        }
        connection.follow_with(next.to_vec());
        let fetched = fetch.run(connection, tries, meter);
        let modified = fetch.remote().modified;
        match (&fetched, part) {
            // That there is no room to keep it is not what the user has to hear of.
            (Err(error), Some(part)) => drop(partial.keep(&part, error)),
            (Ok(_), _) if modified.is_some() => {
                // A file system that keeps no times keeps files all the same.
                let _ = modified.map(|modified| partial.set_modified(modified));
            }
            _ => {}
        }
        let bytes = fetched?;
        partial.commit().map(|()| bytes)
    }

    fn send(
        &self,
        connection: &mut Connection,
        job: &Job,
        next: &[Command],
        tries: &mut Retries,
        meter: &mut Share<'_, '_>,
    ) -> Result<u64, Error> {
        let (mut file, size) = local::open(&job.local)?;
        let modified = file.metadata().and_then(|metadata| metadata.modified()).ok();
        let together = connection.looks_ahead() && size < SMALL;
        if together {
            let followers = followers(connection, &job.remote, modified, next);
            connection.follow_with(followers);
        }
        let name = &job.remote;
        let bytes = Send { name, file: &mut file, size, start: 0 }.run(connection, tries, meter)?;
        // What went out together is done; after a second try it is not.
        if let Some(modified) = modified.filter(|_| !together || tries.were_needed()) {
            let set = |connection: &mut Connection| connection.set_modified(name, modified);
            tries.until_done(connection, set, |why, pause| meter.again(why, pause))?;
        }
        Ok(bytes)
    }

    fn account(&self, job: &Job, result: Result<u64, Error>) {
        let mut state = self.lock();
        let told = self.tell(&mut state, job, &result);
        state.many.file_ended();
        match result.and_then(|bytes| told.map(|()| bytes)) {
            Ok(bytes) => {
                state.tally.done += 1;
                state.tally.bytes += bytes;
            }
            Err(error) if ends_all(&error) => drop(state.tally.stopped.get_or_insert(error)),
            Err(error) => {
                state.tally.failed += 1;
                if state.tally.status == 0 {
                    state.tally.status = error.status();
                }
            }
        }
    }

    fn tell(&self, state: &mut State, job: &Job, result: &Result<u64, Error>) -> Result<(), Error> {
        state.many.clear();
        let name = shown(job.remote.as_bytes());
        match result {
            Ok(bytes) => self.how.messages.note(&format!("{name}: {bytes} bytes")),
            Err(error) if ends_all(error) => {}
            Err(error) => self.how.messages.error(&format!("error: {name}: {error}")),
        }
        if !self.how.transfers.json {
            return Ok(());
        }
        let deed = match job.way {
            Way::Down => Action::Retrieve,
            Way::Up => Action::Store,
        };
        let local = job.local.as_os_str().as_encoded_bytes();
        json::print(deed, job.remote.as_bytes(), local, result)
    }
}

/// What goes out together with an upload.
fn followers(
    connection: &mut Connection,
    name: &Name,
    modified: Option<SystemTime>,
    next: &[Command],
) -> Vec<Command> {
    let known = *connection.capabilities();
    let time = modified.filter(|_| known.sets_times).map(|time| Command::Mfmt(time, name.clone()));
    let size = known.sizes.then(|| Command::Size(name.clone()));
    time.into_iter().chain(size).chain(next.iter().cloned()).collect()
}

/// Whether the server has no room for so many connections.
fn is_crowded(error: &Error) -> bool {
    match error {
        Error::Closing(_) | Error::Greeting(_) | Error::Login(_) => true,
        Error::Refused(reply) => {
            matches!(reply.code(), Code::CANNOT_OPEN_DATA | Code::NOT_LOGGED_IN)
        }
        Error::GaveUp { first, last } => is_crowded(first) || is_crowded(last),
        _ => false,
    }
}

/// Whether the server answers what came with the command, and not the command: Pure-FTPd knows
/// nothing of what reaches it while a file is on its way.
fn is_misunderstood(error: &Error) -> bool {
    matches!(error, Error::Refused(reply) if reply.code() == Code::UNKNOWN_COMMAND)
}

/// Whether no other file could go better.
fn ends_all(error: &Error) -> bool {
    match error {
        Error::Interrupted | Error::OutputClosed => true,
        Error::GaveUp { last, .. } => ends_all(last),
        _ => error.is_for_want_of_room(),
    }
}

/// One file's share in the progress of all.
struct Share<'a, 'c> {
    crew: &'a Crew<'c>,
    name: String,
    told: u64,
}

impl Meter for Share<'_, '_> {
    fn begins(&mut self, _: u64, _: Option<u64>) {
        self.told = 0;
    }

    fn moved(&mut self, moved: u64) {
        let more = moved.saturating_sub(self.told);
        self.told = moved;
        self.crew.lock().many.moved(more);
    }

    fn again(&mut self, why: &Error, pause: Duration) {
        let mut state = self.crew.lock();
        state.many.clear();
        let (name, seconds) = (&self.name, pause.as_secs_f64());
        self.crew.how.messages.note(&format!("{name}: {why}; trying again in {seconds} s"));
    }
}
