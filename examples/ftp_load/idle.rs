//! Scenario `idle`: opens many sessions that do nothing, and measures the server.

use crate::figures::Latencies;
use crate::options::Options;
use crate::process::{ProcessTree, Workers};
use crate::record::Record;
use crate::runner::{self, Outcome, Plan, Task};
use crate::scenario::{BUFFER, ScenarioResult, describe_latencies, heading, verdict};
use crate::session::Session;
use std::io;
use std::thread;
use std::time::{Duration, Instant};

/// The time limit for opening sessions.
const OPEN_LIMIT: Duration = Duration::from_secs(60);

/// The number of sessions that are opened at a time: enough to keep the server busy, without a
/// thread for each session.
const OPENERS: usize = 32;

/// The idle time before the memory is measured, because servers release memory with a delay.
const SETTLE_TIME: Duration = Duration::from_secs(4);

/// The number of times that the additional client fetches its file; the best rate counts.
const FETCHES: usize = 3;

/// Opens the sessions, sends NOOP in some of them, and lets one more client fetch a file.
pub fn run(options: &Options) -> ScenarioResult {
    let before = options.server.and_then(ProcessTree::resource_use);
    let (outcome, mut sessions) = open(options, options.clients);
    thread::sleep(SETTLE_TIME);
    let after = options.server.and_then(ProcessTree::resource_use);

    let mut record = heading(options);
    let open = sessions.len() as f64;
    record.number("sessions", open);
    record.number("errors", outcome.errors as f64);
    record.number("open_s", outcome.seconds);
    record.number("server_cpu_s", outcome.server_cpu);
    record.number("own_cpu_s", outcome.own_cpu);
    if let (Some(before), Some(after)) = (before, after) {
        let grown = after.private as f64 - before.private as f64;
        record.number("private_kib_per_session", grown / open / 1024.0);
        record.number("threads", after.threads as f64);
        record.number("processes", after.processes as f64);
    }
    let deadline = Instant::now() + options.limit;
    let asked = noop(&mut sessions, options.count, deadline).and_then(|latencies| {
        describe_latencies(&latencies, &mut record);
        fetch_with_new_client(options, deadline, &mut record)
    });
    if let Some(error) = outcome.error.clone().or(asked.as_ref().err().map(io::Error::to_string)) {
        record.text("error", &error);
    }
    let verdict =
        verdict(&outcome, options.clients as u64).and(asked.map_err(|error| error.to_string()));
    ScenarioResult { record, verdict }
}

/// Opens this many sessions in TYPE I, which list the directory if the options say so.
pub fn open(options: &Options, count: usize) -> (Outcome, Vec<Session<'_>>) {
    if count == 0 {
        return (Outcome::default(), Vec::new());
    }
    let plan = Plan {
        clients: count.min(OPENERS),
        count: count as u64,
        limit: OPEN_LIMIT,
        rate: None,
        server: options.server,
        workers: Workers::Stay,
    };
    let (outcome, opened) = runner::run(&plan, || Ok(Vec::new()), open_one(options));
    (outcome, opened.into_iter().flatten().collect())
}

fn open_one<'a>(
    options: &'a Options,
) -> impl Fn(&mut Vec<Session<'a>>, Task) -> io::Result<u64> + Sync {
    |sessions, task| {
        let mut session = Session::open(&options.target)?;
        if options.list {
            session.receive(&format!("LIST {}", options.dir), &mut [0; 4096], task.deadline)?;
        }
        sessions.push(session);
        Ok(0)
    }
}

/// Sends NOOP in sessions spread evenly over all of them, one after the other.
fn noop(sessions: &mut [Session<'_>], count: u64, deadline: Instant) -> io::Result<Latencies> {
    let step = (sessions.len() as u64 / count).max(1) as usize;
    let mut taken = Vec::new();
    for session in sessions.iter_mut().step_by(step) {
        let begun = Instant::now();
        session.execute("NOOP")?;
        taken.push(begun.elapsed());
        if Instant::now() > deadline {
            break;
        }
    }
    Ok(Latencies::new(taken))
}

fn fetch_with_new_client(
    options: &Options,
    deadline: Instant,
    record: &mut Record,
) -> io::Result<()> {
    let Some(file) = &options.file else { return Ok(()) };
    let mut session = Session::open(&options.target)?;
    let mut buffer = vec![0; BUFFER];
    let mut rates = Vec::new();
    for _ in 0..FETCHES {
        let begun = Instant::now();
        let bytes = session.receive(&format!("RETR {file}"), &mut buffer, deadline)?;
        rates.push(rate(bytes, begun.elapsed()));
    }
    record.number("mb_per_second", rates.into_iter().max_by(f64::total_cmp));
    session.quit()
}

fn rate(bytes: u64, time: Duration) -> f64 {
    bytes as f64 / time.as_secs_f64() / 1e6
}
