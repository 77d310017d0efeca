//! Many sessions at one piece of work: opened first, started at once, stopped by count or time.
//!
//! [`run`] gives every client a thread. When all of them are ready the clock starts, and each
//! takes the next number until there are no more of them or time is up. What a thread worked with
//! is handed back, so that a server can be weighed while its sessions are still open.

use crate::figures::Latencies;
use crate::process::{Processor, Tree, Workers};
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Buffers are on the heap; there may be hundreds of threads.
const STACK: usize = 256 * 1024;

/// So many failures end a run: the server is not up to it, and one of them says enough.
const MOST_ERRORS: u64 = 100;

/// Parts whose rates are compared, to see one that falls off.
const PARTS: u64 = 10;

/// How much work by how many, and who is watched meanwhile.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Sessions at once.
    pub clients: usize,
    /// Pieces of work in all.
    pub count: u64,
    /// The longest the work may take, from the moment all sessions are open.
    pub limit: Duration,
    /// The server, if its figures are wanted.
    pub server: Option<Tree>,
    /// Whether sessions last from the beginning to the end of the work.
    pub workers: Workers,
}

/// One piece of work.
#[derive(Clone, Copy, Debug)]
pub struct Turn {
    /// Its number, from 0.
    pub number: u64,
    /// When to break it off. What fails after that did not fail.
    pub deadline: Instant,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Pieces of work that were done.
    pub done: u64,
    /// How many failed, and how the first one did.
    pub errors: u64,
    /// The first failure.
    pub error: Option<String>,
    /// Bytes that were moved.
    pub bytes: u64,
    /// From the start of the first piece to the end of the last.
    pub seconds: f64,
    /// How long each piece took.
    pub latencies: Latencies,
    /// Pieces a second in the first and in the last tenth.
    pub tenths: Option<(f64, f64)>,
    /// Processor seconds of the server.
    pub server_cpu: Option<f64>,
    /// Our own.
    pub own_cpu: Option<f64>,
}

/// Opens a state for each client, lets all of them work, and gives back what they still hold.
pub fn run<S: Send>(
    plan: &Plan,
    open: impl Fn() -> io::Result<S> + Sync,
    work: impl Fn(&mut S, Turn) -> io::Result<u64> + Sync,
) -> (Outcome, Vec<S>) {
    let desk = Desk::new(plan);
    thread::scope(|scope| {
        let member = || desk.member(&open, &work);
        let spawn = |_| thread::Builder::new().stack_size(STACK).spawn_scoped(scope, member);
        let mut threads = Vec::new();
        for spawned in (0..plan.clients).map(spawn) {
            match spawned {
                Ok(thread) => threads.push(thread),
                Err(error) => desk.fail(&error),
            }
        }
        desk.gate.wait_for(threads.len());
        let before = Sample::take(plan);
        desk.gate.open(before.at + plan.limit);
        let shares: Vec<Share<S>> =
            threads.into_iter().filter_map(|thread| thread.join().ok()).collect();
        desk.outcome(shares, before)
    })
}

/// What the threads share.
struct Desk<'a> {
    plan: &'a Plan,
    gate: Gate,
    next: AtomicU64,
    errors: AtomicU64,
    error: Mutex<Option<String>>,
    /// When the first number of each part was taken.
    marks: [Mutex<Option<Instant>>; PARTS as usize],
}

/// What one thread did.
struct Share<S> {
    state: Option<S>,
    bytes: u64,
    latencies: Vec<Duration>,
}

impl<'a> Desk<'a> {
    fn new(plan: &'a Plan) -> Desk<'a> {
        Desk {
            plan,
            gate: Gate::default(),
            next: AtomicU64::new(0),
            errors: AtomicU64::new(0),
            error: Mutex::new(None),
            marks: Default::default(),
        }
    }

    /// The life of a thread.
    fn member<S>(
        &self,
        open: &impl Fn() -> io::Result<S>,
        work: &impl Fn(&mut S, Turn) -> io::Result<u64>,
    ) -> Share<S> {
        let mut share = Share { state: self.opened(open), bytes: 0, latencies: Vec::new() };
        let deadline = self.gate.pass();
        while let (Some(state), Some(turn)) = (&mut share.state, self.take(deadline)) {
            let begun = Instant::now();
            match work(state, turn) {
                Ok(bytes) => {
                    share.bytes += bytes;
                    share.latencies.push(begun.elapsed());
                }
                Err(_) if Instant::now() >= deadline => share.state = None,
                Err(error) => {
                    self.fail(&error);
                    share.state = self.opened(open);
                }
            }
        }
        share
    }

    fn opened<S>(&self, open: &impl Fn() -> io::Result<S>) -> Option<S> {
        open().inspect_err(|error| self.fail(error)).ok()
    }

    /// The next number, if there is one and time for it.
    fn take(&self, deadline: Instant) -> Option<Turn> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let now = Instant::now();
        let may = number < self.plan.count
            && now < deadline
            && self.errors.load(Ordering::Relaxed) < MOST_ERRORS;
        let part = self.plan.count / PARTS;
        let starts_part = may && part > 0 && number.is_multiple_of(part);
        if let Some(mark) = self.marks.get((number / part.max(1)) as usize).filter(|_| starts_part)
        {
            *locked(mark) = Some(now);
        }
        may.then_some(Turn { number, deadline })
    }

    fn fail(&self, error: &io::Error) {
        self.errors.fetch_add(1, Ordering::Relaxed);
        locked(&self.error).get_or_insert_with(|| error.to_string());
    }

    fn outcome<S>(&self, shares: Vec<Share<S>>, before: Sample) -> (Outcome, Vec<S>) {
        let after = Sample::take(self.plan);
        let mut latencies = Vec::new();
        let mut states = Vec::new();
        let mut bytes = 0;
        for mut share in shares {
            latencies.append(&mut share.latencies);
            states.extend(share.state);
            bytes += share.bytes;
        }
        let outcome = Outcome {
            done: latencies.len() as u64,
            errors: self.errors.load(Ordering::Relaxed),
            error: locked(&self.error).take(),
            bytes,
            seconds: after.at.duration_since(before.at).as_secs_f64(),
            latencies: Latencies::new(latencies),
            tenths: self.tenths(after.at),
            server_cpu: before.server_until(&after, self.plan.workers),
            own_cpu: before.own_until(&after),
        };
        (outcome, states)
    }

    /// Only of a run that went to its end, and only if the parts are worth a look.
    fn tenths(&self, end: Instant) -> Option<(f64, f64)> {
        let part = self.plan.count / PARTS;
        let marks: Option<Vec<Instant>> = self.marks.iter().map(|mark| *locked(mark)).collect();
        let marks = marks.filter(|_| part >= 10)?;
        let rate = |from: Instant, to: Instant, count: u64| {
            count as f64 / to.duration_since(from).as_secs_f64()
        };
        let last = self.plan.count - part * (PARTS - 1);
        Some((rate(marks[0], marks[1], part), rate(marks[PARTS as usize - 1], end, last)))
    }
}

/// A moment, and what had been used by then.
struct Sample {
    at: Instant,
    server: Option<Processor>,
    own: Option<Processor>,
}

impl Sample {
    fn take(plan: &Plan) -> Sample {
        // Reading takes its time: the clock stands at the moment the work does.
        let at = Instant::now();
        let server = plan.server.and_then(Tree::processor);
        let own = Tree::own().processor();
        Sample { at, server, own }
    }

    fn server_until(&self, later: &Sample, workers: Workers) -> Option<f64> {
        Some(self.server?.until(later.server?, workers))
    }

    /// Our own threads have ended when this is asked for.
    fn own_until(&self, later: &Sample) -> Option<f64> {
        Some(self.own?.until(later.own?, Workers::Leave))
    }
}

/// Holds threads until all of them are there.
#[derive(Default)]
struct Gate {
    state: Mutex<GateState>,
    changed: Condvar,
}

#[derive(Default)]
struct GateState {
    arrived: usize,
    /// Until when the work may go on, once the gate is open.
    deadline: Option<Instant>,
}

impl Gate {
    /// A thread arrives and waits for the gate to open.
    fn pass(&self) -> Instant {
        let mut state = locked(&self.state);
        state.arrived += 1;
        self.changed.notify_all();
        loop {
            if let Some(deadline) = state.deadline {
                return deadline;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn wait_for(&self, all: usize) {
        let mut state = locked(&self.state);
        while state.arrived < all {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn open(&self, deadline: Instant) {
        locked(&self.state).deadline = Some(deadline);
        self.changed.notify_all();
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
