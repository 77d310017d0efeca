//! What happened, a line an event, for the people who run the server and for their programs.
//!
//! Everything that came from outside is escaped: a name with a line end, a quote or a colour code
//! in it cannot forge a line or paint a terminal. Passwords never get here: the type they travel
//! in shows itself as stars.

mod format;
pub(super) mod recent;
mod sink;
pub(super) mod throttle;
mod xferlog;

pub use format::{Field, Seconds, Value};
pub use xferlog::{Direction, Transfer, TransferLog};

use crate::text::legible;
use recent::Ring;
use sink::LogWriter;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

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

/// Where events go.
pub struct Log {
    level: AtomicU8,
    json: AtomicBool,
    recent: Ring<Event>,
    sink: Mutex<LogWriter>,
}

impl Log {
    /// A log to the end of `file`, which is made where it is missing, or to standard error.
    ///
    /// # Errors
    /// The file cannot be opened; the path is in the error.
    pub fn open(level: Level, format: Format, file: Option<&Path>) -> io::Result<Log> {
        let log = Log::new(level, sink(file)?);
        log.set_format(format);
        Ok(log)
    }

    /// A log of text to any sink; one write a line.
    pub fn to(level: Level, sink: Box<dyn io::Write + Send>) -> Log {
        Log::new(level, LogWriter::to(sink))
    }

    fn new(level: Level, sink: LogWriter) -> Log {
        let (level, json) = (AtomicU8::new(level as u8), AtomicBool::new(false));
        Log { level, json, recent: Ring::default(), sink: Mutex::new(sink) }
    }

    /// Goes on in `file`, opened anew, so that one that was renamed by a rotation is let go.
    ///
    /// # Errors
    /// The file cannot be opened; the log goes on where it was.
    pub fn reopen(&self, file: Option<&Path>) -> io::Result<()> {
        let sink = sink(file)?;
        *self.sink.lock().unwrap_or_else(PoisonError::into_inner) = sink;
        Ok(())
    }

    /// Writes events up to this level from now on.
    pub fn set_level(&self, level: Level) {
        self.level.store(level as u8, Ordering::Relaxed);
    }

    /// Writes events in this form from now on.
    pub fn set_format(&self, format: Format) {
        self.json.store(format == Format::Json, Ordering::Relaxed);
    }

    /// Keeps the last warnings and errors from now on, whatever is written.
    pub fn keep_recent(&self) {
        self.recent.keep(RECENT);
    }

    /// Those that are kept.
    pub fn recent(&self) -> &Ring<Event> {
        &self.recent
    }

    /// Whether events of this level are written or kept at all.
    pub fn wants(&self, level: Level) -> bool {
        self.writes(level) || level <= Level::Warn && self.recent.is_wanted()
    }

    fn writes(&self, level: Level) -> bool {
        level as u8 <= self.level.load(Ordering::Relaxed)
    }

    /// Writes one event. A sink that fails loses the line: there is nowhere to say so.
    pub fn event(&self, level: Level, event: &str, fields: &[Field<'_>]) {
        if level <= Level::Warn {
            self.recent.push(|| Event::new(level, event, fields));
        }
        if !self.writes(level) {
            return;
        }
        let write = if self.json.load(Ordering::Relaxed) { format::json } else { format::text };
        let line = write(SystemTime::now(), level, event, fields);
        let mut sink = self.sink.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = sink.write_line(line.as_bytes());
    }
}

impl Event {
    fn new(level: Level, name: &str, fields: &[Field<'_>]) -> Event {
        let cut = |value: &dyn Value| legible(&value.bytes()).chars().take(LONGEST_VALUE).collect();
        let fields = fields.iter().map(|(name, value)| (name.to_string(), cut(*value))).collect();
        Event { time: SystemTime::now(), level, name: name.into(), fields }
    }
}

fn sink(file: Option<&Path>) -> io::Result<LogWriter> {
    match file {
        Some(file) => LogWriter::open("the log", file),
        None => Ok(LogWriter::to(Box::new(io::stderr()))),
    }
}
