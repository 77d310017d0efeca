//! What happened, a line an event, for the people who run the server.
//!
//! Everything that came from outside is escaped: a name with a line end, a quote or a colour code
//! in it cannot forge a line or paint a terminal. Passwords never get here: the type they travel
//! in shows itself as stars.

use crate::protocol::time::Civil;
use crate::sys;
use std::fmt::{Display, Write as _};
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::atomic::{AtomicU8, Ordering};
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
    fn name(self) -> &'static str {
        match self {
            Level::Error => "error",
            Level::Warn => "warn",
            Level::Info => "info",
            Level::Debug => "debug",
        }
    }
}

/// A named value of an event.
pub type Field<'a> = (&'a str, &'a dyn Display);

/// Where events go.
pub struct Log {
    level: AtomicU8,
    sink: Mutex<Box<dyn io::Write + Send>>,
}

impl Log {
    /// A log to the end of `file`, which is made where it is missing, or to standard error.
    ///
    /// # Errors
    /// The file cannot be opened; the path is in the error.
    pub fn open(level: Level, file: Option<&Path>) -> io::Result<Log> {
        Ok(Log::to(level, sink(file)?))
    }

    /// A log to any sink; one write a line.
    pub fn to(level: Level, sink: Box<dyn io::Write + Send>) -> Log {
        Log { level: AtomicU8::new(level as u8), sink: Mutex::new(sink) }
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

    /// Whether events of this level are written at all.
    pub fn wants(&self, level: Level) -> bool {
        level as u8 <= self.level.load(Ordering::Relaxed)
    }

    /// Writes one event. A sink that fails loses the line: there is nowhere to say so.
    pub fn event(&self, level: Level, event: &str, fields: &[Field<'_>]) {
        if !self.wants(level) {
            return;
        }
        let line = line(SystemTime::now(), level, event, fields);
        let mut sink = self.sink.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = sink.write_all(line.as_bytes());
    }
}

fn sink(file: Option<&Path>) -> io::Result<Box<dyn io::Write + Send>> {
    let Some(path) = file else { return Ok(Box::new(io::stderr())) };
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    // It tells who was here and what is where.
    sys::for_owner_alone(&mut options);
    let file = options.open(path).map_err(|error| {
        io::Error::new(error.kind(), format!("the log {}: {error}", path.display()))
    })?;
    Ok(Box::new(file))
}

fn line(time: SystemTime, level: Level, event: &str, fields: &[Field<'_>]) -> String {
    let t = Civil::from_system(time);
    // Writing to a String cannot fail.
    let mut line = format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z {:<5} {event}",
        t.year,
        t.month,
        t.day,
        t.hour,
        t.minute,
        t.second,
        level.name()
    );
    for (name, value) in fields {
        let _ = write!(line, " {name}=");
        push_escaped(&mut line, &value.to_string());
    }
    line.push('\n');
    line
}

/// Appends `value`, in quotes where it holds more than plain characters.
fn push_escaped(line: &mut String, value: &str) {
    let plain = |c: char| c.is_ascii_graphic() && !matches!(c, '"' | '\\' | '=');
    if !value.is_empty() && value.chars().all(plain) {
        line.push_str(value);
        return;
    }
    line.push('"');
    for c in value.chars() {
        match c {
            '"' | '\\' => {
                line.push('\\');
                line.push(c);
            }
            // Letters of all scripts are shown; controls, what changes the direction of text and
            // letters that cannot be seen are not.
            '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}' => line.extend(c.escape_unicode()),
            c if c == ' ' || c.is_alphanumeric() || c.is_ascii_graphic() => line.push(c),
            c => line.extend(c.escape_unicode()),
        }
    }
    line.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::UNIX_EPOCH;

    fn one(value: &str) -> String {
        line(UNIX_EPOCH, Level::Info, "login", &[("user", &value)])
    }

    #[test]
    fn plain_values_are_plain() {
        assert_eq!(one("anna"), "1970-01-01T00:00:00Z info  login user=anna\n");
        assert_eq!(one("/a/b.txt"), "1970-01-01T00:00:00Z info  login user=/a/b.txt\n");
        assert!(one("für uns").contains("user=\"für uns\""));
        assert!(one("").contains("user=\"\""));
    }

    #[test]
    fn nothing_from_outside_forges_a_line_or_paints() {
        for value in
            ["a\nlogin user=root", "\u{3164}", "\x1b[31mred", "a\rb", "\u{202e}txt", "\"\\", "a=b"]
        {
            let line = one(value);
            assert_eq!(line.matches('\n').count(), 1, "{line:?}");
            assert!(line.ends_with('\n'));
            assert!(!line.contains(['\x1b', '\r', '\u{202e}', '\u{3164}']), "{line:?}");
            assert!(line.contains("user=\""), "{line:?}");
        }
    }
}
