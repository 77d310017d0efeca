//! Scenario `soak`: repeats all operations for a long time, and checks whether the server's
//! resource use grows.
//!
//! A task is a typical session: a login, a listing, a small RETR and a small STOR. Every
//! tenth one begins with a new connection; the others log in again on the existing one (REIN,
//! USER, PASS), because otherwise connections and their ports would take most of the time. If a
//! server does not support REIN, each task uses a new connection.

use crate::options::Options;
use crate::process::{ProcessTree, ResourceUse, Workers};
use crate::record::Record;
use crate::runner::{self, Outcome, Plan};
use crate::scenario::{BUFFER, SMALL, ScenarioResult, describe, heading, verdict};
use crate::session::Session;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// The number of tasks (or half of the total, if that is less) after which the resource
/// use of the server is taken as the base.
const WARM_UP: u64 = 1000;

/// The number of tasks on one connection.
const PER_CONNECTION: u64 = 10;

/// The part of the base by which the resident memory may grow, because allocators do not reuse all
/// pages.
const MAY_GROW: f64 = 0.05;

/// The time for the last sessions to end.
const SETTLING: Duration = Duration::from_secs(10);

/// The name of the file that all sessions fetch.
const FETCHED: &str = "soak.bin";

/// Warms up the server, measures it, runs the work, and measures it again.
pub fn run(options: &Options) -> ScenarioResult {
    let deadline = Instant::now() + options.limit;
    let mut record = heading(options);
    // Measured before the first session, whose resources may remain for a moment.
    let start = options.server.and_then(ProcessTree::resource_use);
    if let Err(error) = prepare(options, deadline) {
        return ScenarioResult { record, verdict: Err(error.to_string()) };
    }
    let first = WARM_UP.min(options.count / 2);
    let others = options.count - first;
    let warm = work(options, deadline, first);
    let base = options.server.and_then(|server| after_sessions(server, start));
    let rest = work(options, deadline, others);
    let end = options.server.and_then(|server| after_sessions(server, base.or(start)));

    describe(&rest, &mut record);
    record.number("tasks", (warm.done + rest.done) as f64);
    let held = match (base, end) {
        (Some(base), Some(end)) => {
            record_use(base, end, &mut record);
            check_growth(base, end)
        }
        _ => Ok(()),
    };
    let done = verdict(&warm, first).and(verdict(&rest, others));
    ScenarioResult { record, verdict: done.and(held) }
}

/// Stores the file that the sessions fetch.
fn prepare(options: &Options, deadline: Instant) -> io::Result<()> {
    let mut session = Session::open(&options.target)?;
    let size = options.size.unwrap_or(SMALL);
    session.send(&format!("STOR {FETCHED}"), &vec![0; BUFFER], size, deadline)?;
    session.quit()
}

fn work(options: &Options, deadline: Instant, count: u64) -> Outcome {
    let plan = Plan {
        clients: options.clients,
        count,
        limit: deadline.saturating_duration_since(Instant::now()),
        rate: options.rate,
        server: options.server,
        workers: Workers::Leave,
    };
    let numbers = AtomicU64::new(0);
    let open = || Ok(SoakClient::new(options, numbers.fetch_add(1, Ordering::Relaxed)));
    let (outcome, clients) =
        runner::run(&plan, open, |client, task| client.run_task(task.deadline));
    clients.into_iter().for_each(SoakClient::leave);
    outcome
}

/// A client that connects repeatedly.
struct SoakClient<'a> {
    options: &'a Options,
    session: Option<Session<'a>>,
    tasks: u64,
    buffer: Vec<u8>,
    store: String,
}

impl<'a> SoakClient<'a> {
    fn new(options: &'a Options, number: u64) -> SoakClient<'a> {
        let store = format!("STOR soak-{number}.bin");
        SoakClient { options, session: None, tasks: 0, buffer: vec![0; BUFFER], store }
    }

    fn run_task(&mut self, deadline: Instant) -> io::Result<u64> {
        let mut session = self.logged_in()?;
        let list = format!("LIST {}", self.options.dir);
        let mut bytes = session.receive(&list, &mut self.buffer, deadline)?;
        bytes += session.receive(&format!("RETR {FETCHED}"), &mut self.buffer, deadline)?;
        let size = self.options.size.unwrap_or(SMALL);
        bytes += session.send(&self.store, &self.buffer, size, deadline)?;
        self.session = Some(session);
        Ok(bytes)
    }

    /// Returns a session that has just logged in, on the existing connection or a new one.
    fn logged_in(&mut self) -> io::Result<Session<'a>> {
        self.tasks += 1;
        let position = self.tasks % PER_CONNECTION;
        if let Some(mut session) = self.session.take() {
            if position != 0 && session.execute("REIN").is_ok() {
                session.login()?;
                session.execute("TYPE I")?;
                return Ok(session);
            }
            session.quit()?;
        }
        Session::open(&self.options.target)
    }

    fn leave(self) {
        // Earlier errors were already reported.
        let _ = self.session.map(Session::quit);
    }
}

/// Returns the resource use of the server after the sessions have ended, or after the time for
/// that.
fn after_sessions(server: ProcessTree, start: Option<ResourceUse>) -> Option<ResourceUse> {
    let end = Instant::now() + SETTLING;
    loop {
        let now = server.resource_use()?;
        let quiet = start.is_none_or(|start| now.threads <= start.threads);
        if quiet || Instant::now() > end {
            return Some(now);
        }
        thread::sleep(Duration::from_millis(20));
    }
}

fn record_use(base: ResourceUse, end: ResourceUse, record: &mut Record) {
    for (when, holdings) in [("base", base), ("end", end)] {
        let mut number = |name: &str, value: u64| {
            record.number(&format!("{name}_{when}"), value as f64);
        };
        number("resident_kib", holdings.resident / 1024);
        number("private_kib", holdings.private / 1024);
        number("descriptors", holdings.descriptors);
        number("threads", holdings.threads);
    }
}

/// Returns an error if the resource use has grown.
fn check_growth(base: ResourceUse, end: ResourceUse) -> Result<(), String> {
    let growth = end.resident as f64 / base.resident as f64 - 1.0;
    if growth > MAY_GROW {
        return Err(format!("resident memory grew by {:.1} %", growth * 100.0));
    }
    for (what, before, after) in
        [("descriptors", base.descriptors, end.descriptors), ("threads", base.threads, end.threads)]
    {
        if after > before {
            return Err(format!("{after} {what}, and {before} after the first {WARM_UP}"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resource_use(resident: u64, descriptors: u64, threads: u64) -> ResourceUse {
        ResourceUse { resident, descriptors, threads, ..ResourceUse::default() }
    }

    #[test]
    fn growth_is_distinguished_from_noise() {
        let base = resource_use(1000, 10, 2);
        assert_eq!(check_growth(base, resource_use(1049, 10, 2)), Ok(()));
        assert_eq!(check_growth(base, resource_use(900, 9, 1)), Ok(()));
        let wrong = [
            (resource_use(1060, 10, 2), "resident memory grew by 6.0 %"),
            (resource_use(1000, 11, 2), "11 descriptors, and 10 after the first 1000"),
            (resource_use(1000, 10, 3), "3 threads, and 2 after the first 1000"),
        ];
        for (end, text) in wrong {
            assert_eq!(check_growth(base, end), Err(text.to_owned()));
        }
    }
}
