//! The scenarios: the work of each client, and the recorded results.

use crate::figures::Latencies;
use crate::options::{Naming, Options, Scenario};
use crate::process::{ProcessTree, Workers};
use crate::record::Record;
use crate::runner::{self, Outcome, Plan, Task};
use crate::session::Session;
use crate::{idle, soak};
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The size of the transfer buffer in bytes. A larger one is not faster and exceeds the
/// processor's cache.
pub const BUFFER: usize = 256 * 1024;

/// The default size of stored files in bytes.
pub const SMALL: u64 = 4096;

/// The number of threads that share the sessions if the files are fetched at a rate: the number of
/// transfers that can run at the same time.
const WORKERS: usize = 64;

/// The default prefix of the names of stored files.
const DEFAULT_PREFIX: &str = "load";

/// The result of a scenario.
#[derive(Debug)]
pub struct ScenarioResult {
    /// The recorded values.
    pub record: Record,
    /// An error if a task failed or was not done in time.
    pub verdict: Result<(), String>,
}

/// Runs the scenario that the options select.
pub fn run(options: &Options) -> ScenarioResult {
    let (opened, idle_sessions) = idle::open(options, options.idle);
    let mut result = run_beside(options);
    if let Err(problem) = verdict(&opened, options.idle as u64) {
        result.record.text("error", &problem);
        result.verdict = Err(problem);
    }
    drop(idle_sessions);
    result
}

/// Runs the scenario beside the sessions that are idle.
fn run_beside(options: &Options) -> ScenarioResult {
    let plan = plan(options);
    let outcome = match options.scenario {
        Scenario::Idle => return idle::run(options),
        Scenario::Soak => return soak::run(options),
        Scenario::Retr if options.rate.is_some() => retr_at_rate(options, &plan),
        Scenario::Retr => retr(options, &plan),
        Scenario::Stor => stor(options, &plan),
        Scenario::List => return list(options, &plan),
        Scenario::Login => login(options, &plan),
        Scenario::Churn => churn(options, &plan),
    };
    let mut record = heading(options);
    describe(&outcome, &mut record);
    ScenarioResult { record, verdict: verdict(&outcome, options.count) }
}

fn plan(options: &Options) -> Plan {
    let workers = match options.scenario {
        Scenario::Login | Scenario::Churn | Scenario::Soak => Workers::Leave,
        Scenario::Retr | Scenario::Stor | Scenario::List | Scenario::Idle => Workers::Stay,
    };
    Plan {
        clients: options.clients,
        count: options.count,
        limit: options.limit,
        rate: options.rate,
        server: options.server,
        workers,
    }
}

/// A session and its transfer buffer.
struct TransferClient<'a> {
    session: Session<'a>,
    buffer: Vec<u8>,
    number: u64,
}

impl<'a> TransferClient<'a> {
    fn open(options: &'a Options, numbers: &AtomicU64) -> io::Result<TransferClient<'a>> {
        let session = Session::open(&options.target)?;
        let number = numbers.fetch_add(1, Ordering::Relaxed);
        Ok(TransferClient { session, buffer: vec![0; BUFFER], number })
    }
}

fn retr(options: &Options, plan: &Plan) -> Outcome {
    let numbers = AtomicU64::new(0);
    let fetch = |client: &mut TransferClient<'_>, task: Task| {
        fetch(options, &mut client.session, &mut client.buffer, task.deadline)
    };
    runner::run(plan, || TransferClient::open(options, &numbers), fetch).0
}

/// Fetches files at a rate, with the sessions in turn. A few threads share the sessions: a thread for
/// each of thousands of sessions takes twice the processor time, which the server would lack.
fn retr_at_rate(options: &Options, plan: &Plan) -> Outcome {
    let (opened, sessions) = idle::open(options, options.clients);
    if sessions.is_empty() {
        return opened;
    }
    let sessions: Vec<_> = sessions.into_iter().map(|session| Mutex::new(Some(session))).collect();
    let fetch = |buffer: &mut Vec<u8>, task: Task| {
        let index = (task.number % sessions.len() as u64) as usize;
        let mut place = sessions[index].lock().unwrap_or_else(PoisonError::into_inner);
        let mut session = match place.take() {
            Some(session) => session,
            None => Session::open(&options.target)?,
        };
        let bytes = fetch(options, &mut session, buffer, task.deadline)?;
        *place = Some(session);
        Ok(bytes)
    };
    let plan = Plan { clients: plan.clients.min(WORKERS), ..*plan };
    let (mut outcome, _) = runner::run(&plan, || Ok(vec![0; BUFFER]), fetch);
    outcome.errors += opened.errors;
    outcome.error = opened.error.or(outcome.error);
    outcome
}

/// Fetches the file, and checks its size.
fn fetch(
    options: &Options,
    session: &mut Session<'_>,
    buffer: &mut [u8],
    deadline: Instant,
) -> io::Result<u64> {
    let bytes = session.receive(&format!("RETR {}", options.fetched()), buffer, deadline)?;
    match options.size.filter(|size| *size != bytes) {
        Some(size) => Err(io::Error::other(format!("{bytes} bytes came, not {size}"))),
        None => Ok(bytes),
    }
}

fn stor(options: &Options, plan: &Plan) -> Outcome {
    let numbers = AtomicU64::new(0);
    let size = options.size.unwrap_or(SMALL);
    let prefix = options.file.as_deref().unwrap_or(DEFAULT_PREFIX);
    let store = |client: &mut TransferClient<'_>, task: Task| {
        let command = match options.naming {
            Naming::EachFile => format!("STOR {prefix}-{}-{}", client.number, task.number),
            Naming::EachSession => format!("STOR {prefix}-{}", client.number),
        };
        client.session.send(&command, &client.buffer, size, task.deadline)
    };
    runner::run(plan, || TransferClient::open(options, &numbers), store).0
}

fn list(options: &Options, plan: &Plan) -> ScenarioResult {
    let numbers = AtomicU64::new(0);
    let command = format!("{} {}", options.verb, options.dir);
    let list = |client: &mut TransferClient<'_>, task: Task| {
        client.session.receive(&command, &mut client.buffer, task.deadline)
    };
    let open = || TransferClient::open(options, &numbers);
    let growth = open().and_then(|client| growth(options, client, list));
    let (outcome, _) = runner::run(plan, open, list);
    let mut record = heading(options);
    describe(&outcome, &mut record);
    record.number("peak_growth_kib", growth.ok().flatten());
    ScenarioResult { record, verdict: verdict(&outcome, options.count) }
}

/// Returns the growth of the server's peak memory during a listing over its memory with an idle
/// session, in KiB.
fn growth<'a>(
    options: &Options,
    mut client: TransferClient<'a>,
    list: impl Fn(&mut TransferClient<'a>, Task) -> io::Result<u64>,
) -> io::Result<Option<f64>> {
    options.server.inspect(|server| server.reset_peak());
    let before = options.server.and_then(ProcessTree::resource_use);
    list(&mut client, Task { number: 0, deadline: Instant::now() + options.limit })?;
    let after = options.server.and_then(ProcessTree::resource_use);
    Ok(before
        .zip(after)
        .map(|(before, after)| after.peak.saturating_sub(before.resident) as f64 / 1024.0))
}

fn login(options: &Options, plan: &Plan) -> Outcome {
    let visit = |_: &mut (), task: Task| {
        let mut session = Session::connect(&options.target)?;
        session.login_as(&options.user(task.number))?;
        session.quit().map(|()| 0)
    };
    if let Some(accounts) = options.accounts.filter(|_| options.warm_up) {
        // A login that fails here fails again in the measurement.
        let _ = runner::run(&Plan { count: accounts.count(), ..*plan }, || Ok(()), visit);
    }
    runner::run(plan, || Ok(()), visit).0
}

fn churn(options: &Options, plan: &Plan) -> Outcome {
    let list = format!("LIST {}", options.dir);
    let fetch = format!("RETR {}", options.fetched());
    let visit = |buffer: &mut Vec<u8>, task: Task| {
        let mut session = Session::open(&options.target)?;
        let mut bytes = session.receive(&list, buffer, task.deadline)?;
        bytes += session.receive(&fetch, buffer, task.deadline)?;
        session.quit().map(|()| bytes)
    };
    runner::run(plan, || Ok(vec![0; BUFFER]), visit).0
}

/// Creates the record with the parameters of the run.
pub fn heading(options: &Options) -> Record {
    let mut record = Record::default();
    record.text("row", &options.row);
    record.text("server", &options.server_name);
    record.text("scenario", &format!("{:?}", options.scenario).to_lowercase());
    record.number("clients", options.clients as f64);
    record.number("rate", options.rate.map(f64::from));
    record
}

/// Adds the values that all scenarios have in common.
pub fn describe(outcome: &Outcome, record: &mut Record) {
    let (done, bytes) = (outcome.done as f64, outcome.bytes as f64);
    let gib = bytes / f64::from(1 << 30);
    record.number("done", done);
    record.number("errors", outcome.errors as f64);
    record.number("seconds", outcome.seconds);
    record.number("per_second", done / outcome.seconds);
    record.number("bytes", bytes);
    record.number("mb_per_second", bytes / outcome.seconds / 1e6);
    describe_latencies(&outcome.latencies, record);
    record.number("first_tenth_per_second", outcome.tenths.map(|(first, _)| first));
    record.number("last_tenth_per_second", outcome.tenths.map(|(_, last)| last));
    record.number("server_cpu_s", outcome.server_cpu);
    record.number("server_cpu_s_per_1000", outcome.server_cpu.map(|cpu| cpu / done * 1000.0));
    record.number("server_cpu_s_per_gib", outcome.server_cpu.map(|cpu| cpu / gib));
    record.number("own_cpu_s", outcome.own_cpu);
    if let Some(error) = &outcome.error {
        record.text("error", error);
    }
}

/// Adds the percentiles of the durations.
pub fn describe_latencies(latencies: &Latencies, record: &mut Record) {
    for (name, percent) in [("p50_ms", 50), ("p90_ms", 90), ("p99_ms", 99), ("max_ms", 100)] {
        record.number(name, latencies.percentile(percent).map(millis));
    }
}

/// Returns an error unless all of the work was done.
pub fn verdict(outcome: &Outcome, count: u64) -> Result<(), String> {
    match &outcome.error {
        Some(error) => Err(format!("{} tasks failed; the first error: {error}", outcome.errors)),
        None if outcome.done < count => {
            Err(format!("only {} of {count} tasks were done within the time limit", outcome.done))
        }
        None => Ok(()),
    }
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
