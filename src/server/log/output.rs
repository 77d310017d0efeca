//! The destination of log lines, which a reload opens again or replaces.

use crate::server::log::sink::Sink;
use crate::server::log::writer::{LogWriter, Observer, TIMEOUT};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::time::Instant;

/// The configured destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// The lines are discarded.
    Nowhere,
    /// Standard error.
    Stderr,
    /// A file that is appended to, and created if it is missing.
    File(PathBuf),
}

impl Target {
    /// Returns the target for `file`, or `otherwise` if there is none.
    pub(super) fn new(file: Option<&Path>, otherwise: Target) -> Target {
        file.map_or(otherwise, |file| Target::File(file.into()))
    }
}

/// Accepts lines without waiting and passes them to the destination.
pub(super) struct Output {
    /// The purpose of the lines, for error messages.
    what: &'static str,
    observer: Arc<dyn Observer>,
    current: RwLock<(Target, Destination)>,
}

/// The opened destination.
enum Destination {
    Discard,
    Writer(Arc<LogWriter>),
    Callback(Box<dyn Fn(&str) + Send + Sync>),
}

impl Output {
    /// Opens `target`. A destination that is slow to open, such as a FIFO without a reader,
    /// receives its lines once it is open.
    ///
    /// # Errors
    /// Fails if the file cannot be opened; the error contains the path.
    pub(super) fn open(
        what: &'static str,
        target: Target,
        observer: Arc<dyn Observer>,
    ) -> io::Result<Output> {
        let destination = destination(what, &target, &observer)?;
        Ok(Output { what, observer, current: RwLock::new((target, destination)) })
    }

    /// Creates an output that calls a function with each line, in the thread that logs it.
    pub(super) fn to(take: Box<dyn Fn(&str) + Send + Sync>, observer: Arc<dyn Observer>) -> Output {
        let current = RwLock::new((Target::Nowhere, Destination::Callback(take)));
        Output { what: "", observer, current }
    }

    /// Opens `target` and continues there, so that a file that was renamed by log rotation is
    /// closed. Lines in the queue are written to the old destination; this waits for them unless
    /// that destination is stuck.
    ///
    /// # Errors
    /// Fails if the file cannot be opened; the lines then continue to go to the old destination.
    pub(super) fn reopen(&self, target: Target) -> io::Result<()> {
        if self.is_kept(&target) {
            return Ok(());
        }
        let next = destination(self.what, &target, &self.observer)?;
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        let (_, before) = std::mem::replace(&mut *current, (target, next));
        drop(current);
        if let Destination::Writer(writer) = before
            && let Some(writer) = Arc::into_inner(writer)
        {
            writer.finish(Instant::now() + TIMEOUT);
        }
        Ok(())
    }

    /// Returns whether nothing needs to be opened: standard error is always open, and if a FIFO
    /// without a reader is stuck, another thread that opens it would be stuck too.
    fn is_kept(&self, target: &Target) -> bool {
        let current = self.current();
        match (&current.0 == target, target, &current.1) {
            (true, Target::Stderr | Target::Nowhere, _) => true,
            (true, Target::File(file), Destination::Writer(writer)) => {
                writer.is_stuck() && fs::metadata(file).is_ok_and(|data| !data.is_file())
            }
            _ => false,
        }
    }

    /// Returns whether the lines have a destination.
    pub(super) fn is_wanted(&self) -> bool {
        !matches!(self.current().1, Destination::Discard)
    }

    /// Passes on one line with its line end.
    pub(super) fn push(&self, line: &str) {
        match &self.current().1 {
            Destination::Discard => {}
            Destination::Writer(writer) => writer.push(line.as_bytes()),
            Destination::Callback(take) => take(line),
        }
    }

    /// Waits until all lines are written, at most until the deadline.
    pub(super) fn flush(&self, deadline: Instant) {
        // The writer is cloned, because a held guard would block a reload, and sessions would wait
        // behind that.
        let writer = self.current().1.writer().cloned();
        writer.map(|writer| writer.flush(deadline));
    }

    fn current(&self) -> RwLockReadGuard<'_, (Target, Destination)> {
        self.current.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Destination {
    fn writer(&self) -> Option<&Arc<LogWriter>> {
        match self {
            Destination::Writer(writer) => Some(writer),
            Destination::Discard | Destination::Callback(_) => None,
        }
    }
}

fn destination(
    what: &'static str,
    target: &Target,
    observer: &Arc<dyn Observer>,
) -> io::Result<Destination> {
    let observer = Arc::clone(observer);
    let writer = match target.clone() {
        Target::Nowhere => return Ok(Destination::Discard),
        Target::Stderr => LogWriter::start(|| Ok(Sink::stderr()), observer),
        Target::File(file) => LogWriter::start(move || Sink::open(what, &file), observer),
    };
    Ok(Destination::Writer(Arc::new(writer?)))
}
