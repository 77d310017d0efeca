//! What happened, a line an event, for the people who run the server and for their programs.
//!
//! Everything that came from outside is escaped: a name with a line end, a quote or a colour code
//! in it cannot forge a line or paint a terminal. Passwords never get here: the type they travel
//! in shows itself as stars.
//!
//! Logging never waits. A thread writes the lines (`log/writer.rs`); if they go to a pipe, a FIFO or a
//! terminal that nobody reads, or to a full disk, sessions continue, lines that find no room are
//! counted, and `log-works lost=N` says how many there were once a line gets through again.

mod format;
mod output;
pub(super) mod recent;
pub(super) mod sink;
pub(super) mod throttle;
pub(super) mod writer;
mod xferlog;

pub use format::{Field, Seconds, Value};
pub use xferlog::{Direction, Transfer, TransferLog};

use crate::text::legible;
use output::{Output, Target};
use recent::Ring;
use std::fmt::Display;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::time::{Instant, SystemTime};
use writer::Observer;

/// How much is logged; each level includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Something that should work does not.
    Error,
    /// Someone may have to look.
    Warn,
    /// Sessions, logins, transfers and changes.
    Info,
    /// Every command and reply, passwords masked.
    Debug,
}

impl Level {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Level::Error => "error",
            Level::Warn => "warn",
            Level::Info => "info",
            Level::Debug => "debug",
        }
    }
}

/// How a line is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Time, level, event and `key=value`, for people.
    Text,
    /// One JSON object, for machines.
    Json,
}

/// An event that somebody may have to look at, for who watches the server.
#[derive(Clone, Debug)]
pub struct Event {
    /// When.
    pub time: SystemTime,
    /// How bad it is.
    pub level: Level,
    /// What.
    pub name: String,
    /// Its values, with bytes that are not UTF-8 as `\xe4`; a page that shows them has to escape them.
    pub fields: Vec<(String, String)>,
}

/// How many of these are kept, and how long the values may be, in characters.
const RECENT: usize = 50;
const LONGEST_VALUE: usize = 300;

/// Takes events and writes them, without waiting for the place that they go to.
pub struct Log {
    writing: Arc<Writing>,
    output: Output,
}

/// What an event becomes.
#[derive(Debug)]
struct Writing {
    level: AtomicU8,
    json: AtomicBool,
    recent: Ring<Event>,
    lost: AtomicU64,
}

impl Log {
    /// Opens a log that goes to the end of `file`, which is created if it is missing, or to standard
    /// error.
    ///
    /// # Errors
    /// The file cannot be opened; the path is in the error.
    pub fn open(level: Level, format: Format, file: Option<&Path>) -> io::Result<Log> {
        let writing = Writing::new(level, format);
        let target = Target::new(file, Target::Stderr);
        let output = Output::open("the log", target, writing.clone())?;
        Ok(Log { writing, output })
    }

    /// Creates a log that hands each event as text to `take`, in the thread that logs it.
    pub fn to(level: Level, take: impl Fn(&str) + Send + Sync + 'static) -> Log {
        let writing = Writing::new(level, Format::Text);
        let output = Output::to(Box::new(take), writing.clone());
        Log { writing, output }
    }

    /// Continues in `file`, opened again, so that a file that was renamed by a rotation is closed.
    ///
    /// # Errors
    /// The file cannot be opened; the log stays where it is.
    pub fn reopen(&self, file: Option<&Path>) -> io::Result<()> {
        self.output.reopen(Target::new(file, Target::Stderr))
    }

    /// Waits until everything is written, until the deadline at most.
    pub fn flush(&self, deadline: Instant) {
        self.output.flush(deadline);
    }

    /// Writes events up to this level from now on.
    pub fn set_level(&self, level: Level) {
        self.writing.level.store(level as u8, Ordering::Relaxed);
    }

    /// Writes events in this form from now on.
    pub fn set_format(&self, format: Format) {
        self.writing.json.store(format == Format::Json, Ordering::Relaxed);
    }

    /// Keeps the last warnings and errors from now on, whatever is written.
    pub fn keep_recent(&self) {
        self.writing.recent.keep(RECENT);
    }

    /// Those that are kept.
    pub fn recent(&self) -> &Ring<Event> {
        &self.writing.recent
    }

    /// Returns the number of lines that were lost because they could not be written in time.
    pub fn lost(&self) -> u64 {
        self.writing.lost.load(Ordering::Relaxed)
    }

    /// Whether events of this level are written or kept at all.
    pub fn wants(&self, level: Level) -> bool {
        self.writing.writes(level) || level <= Level::Warn && self.writing.recent.is_wanted()
    }

    /// Writes one event. This waits for nothing: an event that finds no room is counted as lost.
    pub fn event(&self, level: Level, event: &str, fields: &[Field<'_>]) {
        if let Some(line) = self.writing.line(level, event, fields) {
            self.output.push(&line);
        }
    }
}

impl Writing {
    fn new(level: Level, format: Format) -> Arc<Writing> {
        Arc::new(Writing {
            level: AtomicU8::new(level as u8),
            json: AtomicBool::new(format == Format::Json),
            recent: Ring::default(),
            lost: AtomicU64::new(0),
        })
    }

    fn writes(&self, level: Level) -> bool {
        level as u8 <= self.level.load(Ordering::Relaxed)
    }

    fn keep(&self, level: Level, event: &str, fields: &[Field<'_>]) {
        if level <= Level::Warn {
            self.recent.push(|| Event::new(level, event, fields));
        }
    }

    /// Keeps the event if it is one to be kept, and returns its line if it is one to be written.
    fn line(&self, level: Level, event: &str, fields: &[Field<'_>]) -> Option<String> {
        self.keep(level, event, fields);
        let write = if self.json.load(Ordering::Relaxed) { format::json } else { format::text };
        self.writes(level).then(|| write(SystemTime::now(), level, event, fields))
    }
}

impl Observer for Writing {
    fn count_lost(&self, lines: u64) {
        self.lost.fetch_add(lines, Ordering::Relaxed);
    }

    fn fails(&self, cause: &dyn Display) {
        // The log itself is not the place for this; the status page is.
        self.keep(Level::Error, "log-fails", &[("cause", &cause.to_string())]);
    }

    fn works(&self, lost: u64) -> Option<String> {
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
