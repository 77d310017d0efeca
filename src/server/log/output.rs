//! The place that lines go to, which a reload opens again or exchanges.

use crate::server::log::sink::Sink;
use crate::server::log::writer::{LogWriter, Observer, PATIENCE};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::time::Instant;

/// Where lines shall go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// Nobody wants them.
    Nowhere,
    /// Standard error.
    Stderr,
    /// The end of a file, which is created if it is missing.
    File(PathBuf),
}

impl Target {
    /// The file, or else `otherwise`.
    pub(super) fn new(file: Option<&Path>, otherwise: Target) -> Target {
        file.map_or(otherwise, |file| Target::File(file.into()))
    }
}

/// Takes lines without waiting, and hands them on.
pub(super) struct Output {
    /// The purpose of the lines, for errors.
    what: &'static str,
    observer: Arc<dyn Observer>,
    current: RwLock<(Target, Taker)>,
}

/// Who gets the lines.
enum Taker {
    Nobody,
    Writer(Arc<LogWriter>),
    Caller(Box<dyn Fn(&str) + Send + Sync>),
}

impl Output {
    /// Opens `target`. What is slow to open, such as a FIFO that nobody reads yet, gets its lines
    /// when it is open.
    ///
    /// # Errors
    /// The file cannot be opened; the path is in the error.
    pub(super) fn open(
        what: &'static str,
        target: Target,
        observer: Arc<dyn Observer>,
    ) -> io::Result<Output> {
        let taker = taker(what, &target, &observer)?;
        Ok(Output { what, observer, current: RwLock::new((target, taker)) })
    }

    /// Hands lines to a function of the caller's, in the thread that logs them.
    pub(super) fn to(take: Box<dyn Fn(&str) + Send + Sync>, observer: Arc<dyn Observer>) -> Output {
        let current = RwLock::new((Target::Nowhere, Taker::Caller(take)));
        Output { what: "", observer, current }
    }

    /// Continues in `target`, opened again, so that a file that was renamed by a rotation is closed.
    /// What was queued before is written to the old one, which is waited for, unless it is stuck.
    ///
    /// # Errors
    /// The file cannot be opened; lines go on to the old one.
    pub(super) fn reopen(&self, target: Target) -> io::Result<()> {
        if self.stays(&target) {
            return Ok(());
        }
        let next = taker(self.what, &target, &self.observer)?;
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        let (_, before) = std::mem::replace(&mut *current, (target, next));
        drop(current);
        if let Taker::Writer(writer) = before
            && let Some(writer) = Arc::into_inner(writer)
        {
            writer.finish(Instant::now() + PATIENCE);
        }
        Ok(())
    }

    /// Returns true if there is nothing to open: standard error is open already, and each further
    /// thread that opens a FIFO that nobody reads would be stuck like the first.
    fn stays(&self, target: &Target) -> bool {
        let current = self.current();
        match (&current.0 == target, target, &current.1) {
            (true, Target::Stderr | Target::Nowhere, _) => true,
            (true, Target::File(file), Taker::Writer(writer)) => {
                writer.is_stuck() && fs::metadata(file).is_ok_and(|data| !data.is_file())
            }
            _ => false,
        }
    }

    /// Returns true if lines are wanted at all.
    pub(super) fn is_wanted(&self) -> bool {
        !matches!(self.current().1, Taker::Nobody)
    }

    /// Hands on one line with its end.
    pub(super) fn push(&self, line: &str) {
        match &self.current().1 {
            Taker::Nobody => {}
            Taker::Writer(writer) => writer.push(line.as_bytes()),
            Taker::Caller(take) => take(line),
        }
    }

    /// Waits until everything is written, until the deadline at most.
    pub(super) fn flush(&self, deadline: Instant) {
        // Cloned, because sessions would wait behind a reload that waits for this guard.
        let writer = self.current().1.writer().cloned();
        writer.map(|writer| writer.flush(deadline));
    }

    fn current(&self) -> RwLockReadGuard<'_, (Target, Taker)> {
        self.current.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taker {
    fn writer(&self) -> Option<&Arc<LogWriter>> {
        match self {
            Taker::Writer(writer) => Some(writer),
            Taker::Nobody | Taker::Caller(_) => None,
        }
    }
}

fn taker(what: &'static str, target: &Target, observer: &Arc<dyn Observer>) -> io::Result<Taker> {
    let observer = Arc::clone(observer);
    let writer = match target.clone() {
        Target::Nowhere => return Ok(Taker::Nobody),
        Target::Stderr => LogWriter::start(|| Ok(Sink::stderr()), observer),
        Target::File(file) => LogWriter::start(move || Sink::open(what, &file), observer),
    };
    Ok(Taker::Writer(Arc::new(writer?)))
}
