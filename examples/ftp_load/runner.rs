//! Runs the tasks of a scenario in many threads: the sessions are opened first, the threads start
//! at the same time, and they stop when the count or the time is reached.
//!
//! [`run`] starts a thread for each client. When all of them are ready, the clock starts, and each
//! thread repeatedly takes the next task until the count or the time is reached. The sessions are
//! returned still open, so that the caller can measure the server's memory.
//!
//! Without a rate, each thread starts its next task when it has finished the last one. With a rate,
//! the tasks start at equal intervals, and the duration of each counts from the time at which it
//! should have started.

use crate::figures::Latencies;
use crate::process::{CpuTime, ProcessTree, Workers};
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// The stack size of a thread in bytes. Buffers are on the heap, since there may be hundreds of
/// threads.
const STACK: usize = 256 * 1024;

/// The number of errors that ends a run.
const MOST_ERRORS: u64 = 100;

/// The number of parts of a run; the rates of the first and the last one are compared.
const PARTS: u64 = 10;

/// The amount of work, the number of clients, and the server to measure.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// The number of concurrent sessions.
    pub clients: usize,
    /// The total number of tasks.
    pub count: u64,
    /// The time limit, counted from the moment when all sessions are open.
    pub limit: Duration,
    /// The number of tasks to start in a second; `None` for as many as possible.
    pub rate: Option<u32>,
    /// The server's processes, if their resource use is to be measured.
    pub server: Option<ProcessTree>,
    /// Tells whether the server's workers exist from the beginning to the end of the work.
    pub workers: Workers,
}

/// A task: the login, transfer or listing that a scenario repeats.
#[derive(Clone, Copy, Debug)]
pub struct Task {
    /// The number of the task, from 0.
    pub number: u64,
    /// The time at which to stop; later failures do not count.
    pub deadline: Instant,
}

/// The result of a run.
#[derive(Debug, Default)]
pub struct Outcome {
    /// The number of completed tasks.
    pub done: u64,
    /// The number of failures.
    pub errors: u64,
    /// The first failure.
    pub error: Option<String>,
    /// The number of bytes moved.
    pub bytes: u64,
    /// The time from the start of the first task to the end of the last one.
    pub seconds: f64,
    /// The duration of each task.
    pub latencies: Latencies,
    /// The rates in the first and in the last tenth of the run, in tasks per second.
    pub tenths: Option<(f64, f64)>,
    /// The processor time of the server, in seconds.
    pub server_cpu: Option<f64>,
    /// The processor time of this program, in seconds.
    pub own_cpu: Option<f64>,
}

/// Opens a state for each client, runs the work, and returns the result and the remaining states.
pub fn run<S: Send>(
    plan: &Plan,
    open: impl Fn() -> io::Result<S> + Sync,
    work: impl Fn(&mut S, Task) -> io::Result<u64> + Sync,
) -> (Outcome, Vec<S>) {
    let shared = Shared::new(plan);
    thread::scope(|scope| {
        let run_thread = || shared.run_thread(&open, &work);
        let spawn = |_| thread::Builder::new().stack_size(STACK).spawn_scoped(scope, run_thread);
        let mut threads = Vec::new();
        for spawned in (0..plan.clients).map(spawn) {
            match spawned {
                Ok(thread) => threads.push(thread),
                Err(error) => shared.fail(&error),
            }
        }
        shared.barrier.wait_for(threads.len());
        let before = Sample::take(plan);
        shared.barrier.release(before.at);
        let results: Vec<ThreadResult<S>> =
            threads.into_iter().filter_map(|thread| thread.join().ok()).collect();
        shared.outcome(results, before)
    })
}

/// The state that the threads share.
struct Shared<'a> {
    plan: &'a Plan,
    barrier: StartBarrier,
    next: AtomicU64,
    errors: AtomicU64,
    error: Mutex<Option<String>>,
    /// The time at which each part of the run began.
    marks: [Mutex<Option<Instant>>; PARTS as usize],
}

/// The result of one thread.
struct ThreadResult<S> {
    state: Option<S>,
    bytes: u64,
    latencies: Vec<Duration>,
}

impl<'a> Shared<'a> {
    fn new(plan: &'a Plan) -> Shared<'a> {
        Shared {
            plan,
            barrier: StartBarrier::default(),
            next: AtomicU64::new(0),
            errors: AtomicU64::new(0),
            error: Mutex::new(None),
            marks: Default::default(),
        }
    }

    /// Runs one thread.
    fn run_thread<S>(
        &self,
        open: &impl Fn() -> io::Result<S>,
        work: &impl Fn(&mut S, Task) -> io::Result<u64>,
    ) -> ThreadResult<S> {
        let mut result = ThreadResult { state: self.opened(open), bytes: 0, latencies: Vec::new() };
        let start = self.barrier.wait();
        while let (Some(state), Some((task, begun))) = (&mut result.state, self.next_task(start)) {
            match work(state, task) {
                Ok(bytes) => {
                    result.bytes += bytes;
                    result.latencies.push(begun.elapsed());
                }
                Err(_) if Instant::now() >= task.deadline => result.state = None,
                Err(error) => {
                    self.fail(&error);
                    result.state = self.opened(open);
                }
            }
        }
        result
    }

    fn opened<S>(&self, open: &impl Fn() -> io::Result<S>) -> Option<S> {
        open().inspect_err(|error| self.fail(error)).ok()
    }

    /// Takes the next task, unless the count or the time is reached. Returns it at the time
    /// at which it is to start, together with that time.
    fn next_task(&self, start: Instant) -> Option<(Task, Instant)> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let deadline = start + self.plan.limit;
        let due = self.plan.rate.map(|rate| start + offset(number, rate));
        if number < self.plan.count
            && let Some(due) = due
        {
            thread::sleep(due.min(deadline).saturating_duration_since(Instant::now()));
        }
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
        may.then_some((Task { number, deadline }, due.unwrap_or(now)))
    }

    fn fail(&self, error: &io::Error) {
        self.errors.fetch_add(1, Ordering::Relaxed);
        locked(&self.error).get_or_insert_with(|| error.to_string());
    }

    fn outcome<S>(&self, results: Vec<ThreadResult<S>>, before: Sample) -> (Outcome, Vec<S>) {
        let after = Sample::take(self.plan);
        let mut latencies = Vec::new();
        let mut states = Vec::new();
        let mut bytes = 0;
        for mut result in results {
            latencies.append(&mut result.latencies);
            states.extend(result.state);
            bytes += result.bytes;
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

    /// Returns the rates of the first and the last tenth of a complete run, if the tenths are
    /// large enough.
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

/// Returns the time from the start of the run to the start of this task.
fn offset(number: u64, rate: u32) -> Duration {
    let rate = u64::from(rate);
    let nanos = number % rate * 1_000_000_000 / rate;
    Duration::from_secs(number / rate) + Duration::from_nanos(nanos)
}

/// The resource use at a moment.
struct Sample {
    at: Instant,
    server: Option<CpuTime>,
    own: Option<CpuTime>,
}

impl Sample {
    fn take(plan: &Plan) -> Sample {
        // The time is taken first, because reading the resource use takes time itself.
        let at = Instant::now();
        let server = plan.server.and_then(ProcessTree::cpu_time);
        let own = ProcessTree::own().cpu_time();
        Sample { at, server, own }
    }

    fn server_until(&self, later: &Sample, workers: Workers) -> Option<f64> {
        Some(self.server?.until(later.server?, workers))
    }

    /// The threads of this program have ended when this is called.
    fn own_until(&self, later: &Sample) -> Option<f64> {
        Some(self.own?.until(later.own?, Workers::Leave))
    }
}

/// Blocks threads until all of them are ready.
#[derive(Default)]
struct StartBarrier {
    state: Mutex<BarrierState>,
    changed: Condvar,
}

#[derive(Default)]
struct BarrierState {
    arrived: usize,
    /// The start of the work; set when the barrier is released.
    start: Option<Instant>,
}

impl StartBarrier {
    /// Announces that a thread is ready, and waits until the barrier is released.
    fn wait(&self) -> Instant {
        let mut state = locked(&self.state);
        state.arrived += 1;
        self.changed.notify_all();
        loop {
            if let Some(start) = state.start {
                return start;
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

    fn release(&self, start: Instant) {
        locked(&self.state).start = Some(start);
        self.changed.notify_all();
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_spreads_the_starts_evenly() {
        let offsets = [0, 1, 3, 4, 9].map(|number| offset(number, 4));
        assert_eq!(offsets, [0, 250, 750, 1000, 2250].map(Duration::from_millis));
        assert_eq!(offset(u64::from(u32::MAX), 1), Duration::from_secs(u64::from(u32::MAX)));
    }

    #[test]
    fn a_latency_counts_from_the_time_at_which_the_work_should_have_started() {
        const LATE: Duration = Duration::from_millis(30);
        let plan = Plan {
            clients: 1,
            count: 2,
            limit: Duration::from_secs(60),
            rate: Some(1_000_000),
            server: None,
            workers: Workers::Leave,
        };
        // The second task takes no time, but the first one delays it.
        let work = |_: &mut (), task: Task| {
            if task.number == 0 {
                thread::sleep(LATE);
            }
            Ok(0)
        };
        let (outcome, _) = run(&plan, || Ok(()), work);
        assert_eq!(outcome.done, 2);
        assert!(outcome.latencies.percentile(0).is_some_and(|least| least >= LATE / 2));
    }
}
