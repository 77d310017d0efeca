//! The event log, one line per event, for the administrator and for programs.
//!
//! Text from outside is escaped: a name with a line end, a quote or a color code cannot forge a
//! line or change the colors of a terminal. Passwords do not appear, because their type displays
//! as stars.
//!
//! Logging never waits. A thread writes the lines (`log/writer.rs`). If they go to an unread pipe, FIFO
//! or terminal, or to a full disk, sessions continue, lines without room in
//! the queue are counted, and `log-works lost=N` reports their number once a line can be written
//! again.

pub(super) mod empty_sessions;
mod format;
mod output;
pub(super) mod recent;
pub(super) mod sink;
pub(super) mod throttle;
pub(super) mod writer;
mod xferlog;

pub use format::{Field, Seconds, Value};
pub use xferlog::{TransferDirection, TransferLog, TransferRecord};

use crate::text::legible;
use output::{Output, Target};
use recent::Ring;
use sink::Sink;
use std::fmt::Display;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Instant, SystemTime};
use writer::Observer;

/// The level of an event; each level includes the ones before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// An operation that should work fails.
    Error,
    /// The administrator may have to act.
    Warn,
    /// Sessions, logins, transfers and changes.
    Info,
    /// Every command and reply, with passwords masked.
    Debug,
}

impl Level {
    /// Returns the name of the level.
    pub fn name(self) -> &'static str {
        match self {
            Level::Error => "error",
            Level::Warn => "warn",
            Level::Info => "info",
            Level::Debug => "debug",
        }
    }
}

/// The format of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Time, level, event and `key=value`, for people.
    Text,
    /// One JSON object, for machines.
    Json,
    /// Priority, event and `key=value`, for a journal, which adds the time.
    Journal,
}

/// A warning or an error, kept for the status page.
#[derive(Clone, Debug)]
pub struct Event {
    /// The time of the event.
    pub time: SystemTime,
    /// The level of the event.
    pub level: Level,
    /// The name of the event.
    pub name: String,
    /// The fields, with bytes that are not UTF-8 as `\xe4`. A page that shows them has to escape
    /// them.
    pub fields: Vec<(String, String)>,
}

/// The number of recent events that are kept, and the longest value of a field in characters.
const RECENT: usize = 50;
const LONGEST_VALUE: usize = 300;

/// The purpose of the log's file, in error messages.
const PURPOSE: &str = "the log";

/// Accepts events and writes them, without waiting for their destination.
pub struct Log {
    state: Arc<LogState>,
    output: Output,
}

/// The state that decides what happens to an event.
#[derive(Debug)]
struct LogState {
    level: AtomicU8,
    format: RwLock<Format>,
    recent: Ring<Event>,
    lost: AtomicU64,
}

impl Log {
    /// Opens a log that appends to `file`, which is created if it is missing, or that writes to
    /// standard error.
    ///
    /// # Errors
    /// Fails if the file cannot be opened; the error contains the path.
    pub fn open(level: Level, format: Format, file: Option<&Path>) -> io::Result<Log> {
        let state = LogState::new(level, format);
        let target = Target::new(file, Target::Stderr);
        let output = Output::open(PURPOSE, target, state.clone())?;
        Ok(Log { state, output })
    }

    /// Checks whether `file` could be opened as the log, without opening or creating it.
    ///
    /// # Errors
    /// Returns the error that [`Log::open`] would return.
    pub fn check(file: &Path) -> io::Result<()> {
        Sink::check(PURPOSE, file)
    }

    /// Creates a log that passes each event as text to `take`, in the thread that logs it.
    pub fn to(level: Level, take: impl Fn(&str) + Send + Sync + 'static) -> Log {
        let state = LogState::new(level, Format::Text);
        let output = Output::to(Box::new(take), state.clone());
        Log { state, output }
    }

    /// Opens `file` and continues there, so that a file that was renamed by log rotation is
    /// closed.
    ///
    /// # Errors
    /// Fails if the file cannot be opened; the log then continues in the old file.
    pub fn reopen(&self, file: Option<&Path>) -> io::Result<()> {
        self.output.reopen(Target::new(file, Target::Stderr))
    }

    /// Waits until all lines are written, at most until the deadline.
    pub fn flush(&self, deadline: Instant) {
        self.output.flush(deadline);
    }

    /// Sets the level up to which events are written.
    pub fn set_level(&self, level: Level) {
        self.state.level.store(level as u8, Ordering::Relaxed);
    }

    /// Sets the format of the lines.
    pub fn set_format(&self, format: Format) {
        *self.state.format.write().unwrap_or_else(PoisonError::into_inner) = format;
    }

    /// Keeps recent warnings and errors from now on, whatever the level is.
    pub fn keep_recent(&self) {
        self.state.recent.keep(RECENT);
    }

    /// Returns the recent warnings and errors.
    pub fn recent(&self) -> &Ring<Event> {
        &self.state.recent
    }

    /// Returns the number of lines that were lost because they could not be written in time.
    pub fn lost(&self) -> u64 {
        self.state.lost.load(Ordering::Relaxed)
    }

    /// Returns whether events of this level are written or kept.
    pub fn is_enabled(&self, level: Level) -> bool {
        self.state.is_written(level) || level <= Level::Warn && self.state.recent.is_wanted()
    }

    /// Writes an event. This never waits: an event without room in the queue is counted as lost.
    pub fn event(&self, level: Level, event: &str, fields: &[Field<'_>]) {
        if let Some(line) = self.state.line(level, event, fields) {
            self.output.push(&line);
        }
    }
}

impl LogState {
    fn new(level: Level, format: Format) -> Arc<LogState> {
        Arc::new(LogState {
            level: AtomicU8::new(level as u8),
            format: RwLock::new(format),
            recent: Ring::default(),
            lost: AtomicU64::new(0),
        })
    }

    fn is_written(&self, level: Level) -> bool {
        level as u8 <= self.level.load(Ordering::Relaxed)
    }

    fn keep(&self, level: Level, event: &str, fields: &[Field<'_>]) {
        if level <= Level::Warn {
            self.recent.push(|| Event::new(level, event, fields));
        }
    }

    /// Keeps the event if necessary, and returns its line if the level is written.
    fn line(&self, level: Level, event: &str, fields: &[Field<'_>]) -> Option<String> {
        self.keep(level, event, fields);
        let write = match *self.format.read().unwrap_or_else(PoisonError::into_inner) {
            Format::Text => format::text,
            Format::Json => format::json,
            Format::Journal => format::journal,
        };
        self.is_written(level).then(|| write(SystemTime::now(), level, event, fields))
    }
}

impl Observer for LogState {
    fn count_lost(&self, lines: u64) {
        self.lost.fetch_add(lines, Ordering::Relaxed);
    }

    fn on_failure(&self, cause: &dyn Display) {
        // A failure of the log cannot be logged; the status page shows it.
        self.keep(Level::Error, "log-fails", &[("cause", &cause.to_string())]);
    }

    fn on_recovery(&self, lost: u64) -> Option<String> {
        self.line(Level::Warn, "log-works", &[("lost", &lost)])
    }
}

impl Event {
    fn new(level: Level, name: &str, fields: &[Field<'_>]) -> Event {
        let cut = |value: &dyn Value| legible(&value.bytes()).chars().take(LONGEST_VALUE).collect();
        let fields = fields.iter().map(|(name, value)| (name.to_string(), cut(*value))).collect();
        Event { time: SystemTime::now(), level, name: name.into(), fields }
    }
}
