//! A thread that writes lines, so that the threads that log never wait for a file, a pipe or a
//! terminal.
//!
//! The lines pass through a queue of bounded size. Lines without room in the queue and lines that
//! the sink rejects are counted, and the [`Observer`] is notified of both. A system call wakes the
//! thread only if it sleeps, so logging to a busy log costs a session only a copy of the line.

use crate::server::log::sink::{Sink, pieces};
use std::fmt::Display;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, SendError, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// The capacity of the queue in bytes: about ten thousand lines.
const ROOM: usize = 1 << 20;

/// The time for which the thread gathers lines after it was woken. A wake-up for every line of a
/// busy log would cost more processor time than the lines themselves.
const GATHERING: Duration = Duration::from_millis(2);

/// The capacity above which a buffer is released after a burst of lines.
const KEPT_ROOM: usize = 1 << 16;

/// The longest wait for the sink to open or to take the queued lines. A FIFO without a reader and
/// a stopped terminal take longer.
pub(in crate::server) const TIMEOUT: Duration = Duration::from_secs(1);

const STACK: usize = 128 * 1024;

/// Receives notifications about the lines of a writer.
pub(in crate::server) trait Observer: Send + Sync {
    /// Counts lost lines.
    fn count_lost(&self, lines: u64);

    /// Reports the first lost line since the sink last worked.
    fn on_failure(&self, cause: &dyn Display);

    /// Reports that the sink works again after this many lost lines. May return a line about this
    /// for the sink itself.
    fn on_recovery(&self, lost: u64) -> Option<String>;
}

/// The queue of a thread that writes lines. After this is dropped, the thread writes the queued
/// lines and ends.
pub(in crate::server) struct LogWriter {
    queue: Arc<LineQueue>,
    thread: Option<JoinHandle<()>>,
}

struct LineQueue {
    state: Mutex<State>,
    /// Signals that lines were queued or that the queue was closed.
    filled: Condvar,
    /// Signals that the thread has written all lines.
    emptied: Condvar,
    observer: Arc<dyn Observer>,
    /// True while the observer knows of lost lines but not of the sink's recovery.
    failing: AtomicBool,
}

struct State {
    /// Complete lines.
    lines: Vec<u8>,
    /// The number of lines lost after these for lack of room.
    lost: u64,
    /// The time at which the thread began to open the sink or to write a piece.
    busy: Option<Instant>,
    /// True while the thread sleeps until there are lines.
    asleep: bool,
    /// True while a caller waits until all lines are written.
    urgent: bool,
    closed: bool,
}

impl LogWriter {
    /// Starts a thread that opens a sink and writes to it. If opening takes long, lines are queued
    /// until the sink is open.
    ///
    /// # Errors
    /// Fails if the sink cannot be opened or no thread can be started.
    pub(in crate::server) fn start(
        open: impl FnOnce() -> io::Result<Sink> + Send + 'static,
        observer: Arc<dyn Observer>,
    ) -> io::Result<LogWriter> {
        let queue = Arc::new(LineQueue::new(observer));
        let (sender, opened) = sync_channel(1);
        let (begin, begun) = sync_channel(1);
        let own = Arc::clone(&queue);
        let thread = thread::Builder::new().name("log".into()).stack_size(STACK);
        let thread = thread.spawn(move || {
            own.lock().busy = Some(Instant::now());
            let _ = begin.send(());
            match open() {
                Ok(sink) => {
                    let _ = sender.send(Ok(()));
                    Thread { queue: &own, sink, lost: 0 }.run();
                }
                Err(error) => {
                    // If the caller no longer waits for the result, the observer is notified.
                    if let Err(SendError(Err(error))) = sender.send(Err(error)) {
                        own.count_lost(0, &error);
                    }
                }
            }
        })?;
        // A busy machine may start the thread late, which says nothing about the sink.
        let _ = begun.recv();
        match opened.recv_timeout(TIMEOUT) {
            Ok(result) => result?,
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
        }
        Ok(LogWriter { queue, thread: Some(thread) })
    }

    /// Queues one line with its line end, or counts it as lost if the queue is full.
    pub(in crate::server) fn push(&self, line: &[u8]) {
        let mut state = self.queue.lock();
        if state.lines.len() + line.len() > ROOM {
            state.lost += 1;
            drop(state);
            self.queue.count_lost(1, &"lines arrive faster than they can be written");
            return;
        }
        state.lines.extend_from_slice(line);
        let asleep = std::mem::take(&mut state.asleep);
        drop(state);
        if asleep {
            self.queue.filled.notify_one();
        }
    }

    /// Waits until all queued lines are written, at most until the deadline, and not for a write
    /// that has already taken a second. Returns whether all lines are written.
    pub(in crate::server) fn flush(&self, deadline: Instant) -> bool {
        let mut state = self.queue.lock();
        state.urgent = true;
        self.queue.filled.notify_one();
        while !state.is_empty() {
            let until = state.busy.map_or(deadline, |since| deadline.min(since + TIMEOUT));
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            // Looks again after a second, because the write may have begun during the wait.
            let waited = self.queue.emptied.wait_timeout(state, left.min(TIMEOUT));
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// Waits like [`LogWriter::flush`] and, unless the thread is stuck, for its end.
    pub(in crate::server) fn finish(mut self, deadline: Instant) {
        let is_written = self.flush(deadline);
        let thread = self.thread.take();
        drop(self);
        // The thread has nothing left to wait for, and it cannot panic.
        thread.filter(|_| is_written).map(JoinHandle::join);
    }

    /// Returns whether the sink has not opened or not taken a piece for a second.
    pub(in crate::server) fn is_stuck(&self) -> bool {
        self.queue.lock().busy.is_some_and(|since| since.elapsed() >= TIMEOUT)
    }
}

impl Drop for LogWriter {
    fn drop(&mut self) {
        self.queue.lock().closed = true;
        self.queue.filled.notify_one();
    }
}

impl State {
    fn is_empty(&self) -> bool {
        self.lines.is_empty() && self.lost == 0 && self.busy.is_none()
    }
}

impl LineQueue {
    fn new(observer: Arc<dyn Observer>) -> LineQueue {
        let busy = Some(Instant::now());
        let state =
            State { lines: Vec::new(), lost: 0, busy, asleep: false, urgent: false, closed: false };
        LineQueue {
            state: Mutex::new(state),
            filled: Condvar::new(),
            emptied: Condvar::new(),
            observer,
            failing: AtomicBool::new(false),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for lines and exchanges them for the empty buffer. Returns the number of lines that
    /// were lost after them; `None` if the queue is closed and empty.
    fn take(&self, batch: &mut Vec<u8>) -> Option<u64> {
        let mut state = self.lock();
        state.busy = None;
        let must_wait = state.is_empty();
        if must_wait {
            state.urgent = false;
            self.emptied.notify_all();
        }
        while state.is_empty() {
            if state.closed {
                return None;
            }
            state.asleep = true;
            state = self.filled.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.asleep = false;
        if must_wait {
            let gathers = |state: &mut State| !state.urgent && !state.closed;
            let waited = self.filled.wait_timeout_while(state, GATHERING, gathers);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        state.busy = Some(Instant::now());
        std::mem::swap(&mut state.lines, batch);
        Some(std::mem::take(&mut state.lost))
    }

    fn count_lost(&self, lines: u64, cause: &dyn Display) {
        self.observer.count_lost(lines);
        if !self.failing.swap(true, Ordering::Relaxed) {
            self.observer.on_failure(cause);
        }
    }
}

/// The state of the thread.
struct Thread<'a> {
    queue: &'a LineQueue,
    sink: Sink,
    /// The number of lines lost since the sink last worked.
    lost: u64,
}

impl Thread<'_> {
    fn run(&mut self) {
        let mut batch = Vec::new();
        while let Some(lost_after) = self.queue.take(&mut batch) {
            let works = pieces(&batch).fold(true, |_, piece| self.write(piece));
            self.lost += lost_after;
            if works && self.lost > 0 {
                self.report_recovery();
            }
            batch.clear();
            batch.shrink_to(KEPT_ROOM);
        }
    }

    /// Writes a piece, and returns whether the sink took it.
    fn write(&mut self, piece: &[u8]) -> bool {
        self.queue.lock().busy = Some(Instant::now());
        let Err((lines, cause)) = self.sink.write_lines(piece) else { return true };
        self.lost += lines;
        self.queue.count_lost(lines, &cause);
        false
    }

    /// Reports that the sink works again.
    fn report_recovery(&mut self) {
        let lost = std::mem::take(&mut self.lost);
        self.queue.failing.store(false, Ordering::Relaxed);
        if let Some(line) = self.queue.observer.on_recovery(lost) {
            self.write(line.as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::sync::Barrier;

    /// A sink whose writes wait at the barrier.
    struct Gate(Arc<Barrier>);

    impl Write for Gate {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.wait();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Ignores lost lines.
    struct Nobody;

    impl Observer for Nobody {
        fn count_lost(&self, _: u64) {}

        fn on_failure(&self, _: &dyn Display) {}

        fn on_recovery(&self, _: u64) -> Option<String> {
            None
        }
    }

    #[test]
    fn a_write_that_begins_during_a_flush_ends_it_after_a_second() {
        let gate = Arc::new(Barrier::new(2));
        let (stuck, deadline) = (Gate(Arc::clone(&gate)), Instant::now() + 60 * TIMEOUT);
        let open = || Ok(Sink::to(Box::new(stuck)));
        let writer = LogWriter::start(open, Arc::new(Nobody)).unwrap();
        writer.push(b"line\n");
        assert!(!writer.flush(deadline));
        assert!(Instant::now() < deadline);
        // Lets the thread end.
        gate.wait();
    }
}
