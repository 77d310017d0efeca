//! Scenario `soak`: repeats all operations for a long time, and checks whether the server's
//! resource use grows.
//!
//! A piece of work is a typical session: a login, a listing, a small RETR and a small STOR. Every
//! tenth one begins with a new connection; the others log in again on the existing one (REIN,
//! USER, PASS), because otherwise connections and their ports would take most of the time. If a
//! server does not support REIN, each piece uses a new connection.

use crate::options::Options;
use crate::process::{Holdings, Tree, Workers};
use crate::record::Record;
use crate::runner::{self, Outcome, Plan};
use crate::scenario::{BUFFER, Finding, SMALL, describe, heading, verdict};
use crate::session::Session;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// The number of pieces of work (or half of the total, if that is less) after which the resource
/// use of the server is taken as the base.
const WARM: u64 = 1000;

/// The number of pieces of work on one connection.
const PER_CONNECTION: u64 = 10;

/// The part of the base by which the resident memory may grow, because allocators do not reuse all
/// pages.
const MAY_GROW: f64 = 0.05;

/// The time for the last sessions to end.
const SETTLING: Duration = Duration::from_secs(10);

/// The name of the file that all sessions fetch.
const FETCHED: &str = "soak.bin";

/// Warms up the server, measures it, runs the work, and measures it again.
pub fn run(options: &Options) -> Finding {
    let deadline = Instant::now() + options.limit;
    let mut record = heading(options);
    // Measured before the first session, whose resources may remain for a moment.
    let start = options.server.and_then(Tree::holdings);
    if let Err(error) = prepare(options, deadline) {
        return Finding { record, verdict: Err(error.to_string()) };
    }
    let first = WARM.min(options.count / 2);
    let others = options.count - first;
    let warm = work(options, deadline, first);
    let base = options.server.and_then(|server| settled(server, start));
    let rest = work(options, deadline, others);
    let end = options.server.and_then(|server| settled(server, base.or(start)));

    describe(&rest, &mut record);
    record.number("worth", (warm.done + rest.done) as f64);
    let held = match (base, end) {
        (Some(base), Some(end)) => {
            write_down(base, end, &mut record);
            back_at(base, end)
        }
        _ => Ok(()),
    };
    let done = verdict(&warm, first).and(verdict(&rest, others));
    Finding { record, verdict: done.and(held) }
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
    let open = || Ok(Visitor::new(options, numbers.fetch_add(1, Ordering::Relaxed)));
    let (outcome, visitors) =
        runner::run(&plan, open, |visitor, turn| visitor.visit(turn.deadline));
    visitors.into_iter().for_each(Visitor::leave);
    outcome
}

/// A client that connects repeatedly.
struct Visitor<'a> {
    options: &'a Options,
    session: Option<Session<'a>>,
    visits: u64,
    buffer: Vec<u8>,
    store: String,
}

impl<'a> Visitor<'a> {
    fn new(options: &'a Options, number: u64) -> Visitor<'a> {
        let store = format!("STOR soak-{number}.bin");
        Visitor { options, session: None, visits: 0, buffer: vec![0; BUFFER], store }
    }

    fn visit(&mut self, deadline: Instant) -> io::Result<u64> {
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
        self.visits += 1;
        let turn = self.visits % PER_CONNECTION;
        if let Some(mut session) = self.session.take() {
            if turn != 0 && session.say("REIN").is_ok() {
                session.login()?;
                session.say("TYPE I")?;
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
fn settled(server: Tree, start: Option<Holdings>) -> Option<Holdings> {
    let end = Instant::now() + SETTLING;
    loop {
        let now = server.holdings()?;
        let quiet = start.is_none_or(|start| now.threads <= start.threads);
        if quiet || Instant::now() > end {
            return Some(now);
        }
        thread::sleep(Duration::from_millis(20));
    }
}

fn write_down(base: Holdings, end: Holdings, record: &mut Record) {
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
fn back_at(base: Holdings, end: Holdings) -> Result<(), String> {
    let growth = end.resident as f64 / base.resident as f64 - 1.0;
    if growth > MAY_GROW {
        return Err(format!("resident memory grew by {:.1} %", growth * 100.0));
    }
    for (what, before, after) in
        [("descriptors", base.descriptors, end.descriptors), ("threads", base.threads, end.threads)]
    {
        if after > before {
            return Err(format!("{after} {what}, and {before} after the first {WARM}"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holdings(resident: u64, descriptors: u64, threads: u64) -> Holdings {
        Holdings { resident, descriptors, threads, ..Holdings::default() }
    }

    #[test]
    fn growth_is_distinguished_from_noise() {
        let base = holdings(1000, 10, 2);
        assert_eq!(back_at(base, holdings(1049, 10, 2)), Ok(()));
        assert_eq!(back_at(base, holdings(900, 9, 1)), Ok(()));
        let wrong = [
            (holdings(1060, 10, 2), "resident memory grew by 6.0 %"),
            (holdings(1000, 11, 2), "11 descriptors, and 10 after the first 1000"),
            (holdings(1000, 10, 3), "3 threads, and 2 after the first 1000"),
        ];
        for (end, text) in wrong {
            assert_eq!(back_at(base, end), Err(text.to_owned()));
        }
    }
}
