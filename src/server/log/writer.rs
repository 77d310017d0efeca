//! A thread that writes lines, so that whoever logs never waits for a file, a pipe or a terminal.
//!
//! Lines go through a queue of bounded size. A line that finds no room is counted instead, and so
//! is one that the sink refuses; the writer's [`Observer`] hears of both. The thread is woken by a
//! system call only if it sleeps, so a busy log costs a session a copy of the line.

use crate::server::log::sink::{Sink, pieces};
use std::fmt::Display;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, SendError, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Bytes that wait for the sink at most: some ten thousand lines.
const ROOM: usize = 1 << 20;

/// How long the thread gathers lines after it was woken. To wake it for every line of a busy log would
/// cost more processor time than the lines themselves.
const GATHERING: Duration = Duration::from_millis(2);

/// A buffer that a burst of lines has made larger than this is given back.
const KEPT_ROOM: usize = 1 << 16;

/// How long anybody waits for the sink: to be opened, or to take what is queued. A FIFO that nobody
/// reads and a stopped terminal take longer.
pub(in crate::server) const PATIENCE: Duration = Duration::from_secs(1);

const STACK: usize = 128 * 1024;

/// Hears what becomes of the lines of a writer.
pub(in crate::server) trait Observer: Send + Sync {
    /// Lines were lost.
    fn count_lost(&self, lines: u64);

    /// The first line since the sink last worked was lost.
    fn fails(&self, cause: &dyn Display);

    /// The sink works again, after this many lines were lost. Returns a line for the sink that says
    /// so, if it is the place for it.
    fn works(&self, lost: u64) -> Option<String>;
}

/// The queue of a thread that writes lines. The thread ends once this is dropped and what was queued
/// is written.
pub(in crate::server) struct LogWriter {
    queue: Arc<Queue>,
    thread: Option<JoinHandle<()>>,
}

struct Queue {
    state: Mutex<State>,
    /// Lines were queued, or there will be no more.
    filled: Condvar,
    /// The thread has written all of them.
    emptied: Condvar,
    observer: Arc<dyn Observer>,
    /// The observer has heard that lines are lost, and not yet that the sink works again.
    failing: AtomicBool,
}

struct State {
    /// Whole lines.
    lines: Vec<u8>,
    /// The number of lines after these that found no room.
    lost: u64,
    /// The time at which the thread began to open the sink or to write a piece.
    busy: Option<Instant>,
    /// The thread sleeps until there are lines.
    asleep: bool,
    /// Somebody waits until all lines are written.
    urgent: bool,
    closed: bool,
}

impl LogWriter {
    /// Starts a thread that opens a sink and writes to it. If it takes long to open, lines are queued
    /// until it is open.
    ///
    /// # Errors
    /// The sink cannot be opened, or no thread be started.
    pub(in crate::server) fn start(
        open: impl FnOnce() -> io::Result<Sink> + Send + 'static,
        observer: Arc<dyn Observer>,
    ) -> io::Result<LogWriter> {
        let queue = Arc::new(Queue::new(observer));
        let (sender, opened) = sync_channel(1);
        let own = Arc::clone(&queue);
        let thread = thread::Builder::new().name("log".into()).stack_size(STACK);
        let thread = thread.spawn(move || match open() {
            Ok(sink) => {
                let _ = sender.send(Ok(()));
                Thread { queue: &own, sink, lost: 0 }.run();
            }
            Err(error) => {
                // If nobody waits for the answer any more, the observer hears it.
                if let Err(SendError(Err(error))) = sender.send(Err(error)) {
                    own.lose(0, &error);
                }
            }
        })?;
        match opened.recv_timeout(PATIENCE) {
            Ok(result) => result?,
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
        }
        Ok(LogWriter { queue, thread: Some(thread) })
    }

    /// Queues one line with its end, or counts it as lost if there is no room for it.
    pub(in crate::server) fn push(&self, line: &[u8]) {
        let mut state = self.queue.lock();
        if state.lines.len() + line.len() > ROOM {
            state.lost += 1;
            drop(state);
            self.queue.lose(1, &"it does not take lines as fast as they come");
            return;
        }
        state.lines.extend_from_slice(line);
        let asleep = std::mem::take(&mut state.asleep);
        drop(state);
        if asleep {
            self.queue.filled.notify_one();
        }
    }

    /// Waits until everything queued is written, until the deadline at most, and not for a write that
    /// has taken a second already. Returns true if everything is written.
    pub(in crate::server) fn flush(&self, deadline: Instant) -> bool {
        let mut state = self.queue.lock();
        state.urgent = true;
        self.queue.filled.notify_one();
        while !state.is_empty() {
            let until = state.busy.map_or(deadline, |since| deadline.min(since + PATIENCE));
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            let waited = self.queue.emptied.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// Waits like [`LogWriter::flush`], and for the end of the thread, unless it is stuck.
    pub(in crate::server) fn finish(mut self, deadline: Instant) {
        let is_written = self.flush(deadline);
        let thread = self.thread.take();
        drop(self);
        // Nothing keeps the thread from its end then, and it cannot panic.
        thread.filter(|_| is_written).map(JoinHandle::join);
    }

    /// Returns true if the sink has not taken a piece, or not even been opened, for a second.
    pub(in crate::server) fn is_stuck(&self) -> bool {
        self.queue.lock().busy.is_some_and(|since| since.elapsed() >= PATIENCE)
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

impl Queue {
    fn new(observer: Arc<dyn Observer>) -> Queue {
        let busy = Some(Instant::now());
        let state =
            State { lines: Vec::new(), lost: 0, busy, asleep: false, urgent: false, closed: false };
        Queue {
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

    /// Waits for lines and exchanges them for the empty buffer. Returns the number of lines that were
    /// lost after them; `None` if there will be no more.
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

    fn lose(&self, lines: u64, cause: &dyn Display) {
        self.observer.count_lost(lines);
        if !self.failing.swap(true, Ordering::Relaxed) {
            self.observer.fails(cause);
        }
    }
}

/// What the thread has.
struct Thread<'a> {
    queue: &'a Queue,
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
                self.tell();
            }
            batch.clear();
            batch.shrink_to(KEPT_ROOM);
        }
    }

    /// Writes a piece, and returns true if the sink took it.
    fn write(&mut self, piece: &[u8]) -> bool {
        self.queue.lock().busy = Some(Instant::now());
        let Err((lines, cause)) = self.sink.write_lines(piece) else { return true };
        self.lost += lines;
        self.queue.lose(lines, &cause);
        false
    }

    /// Tells that the sink works again.
    fn tell(&mut self) {
        let lost = std::mem::take(&mut self.lost);
        self.queue.failing.store(false, Ordering::Relaxed);
        if let Some(line) = self.queue.observer.works(lost) {
            self.write(line.as_bytes());
        }
    }
}
