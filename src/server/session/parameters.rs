//! What commands set for the commands after them.

use crate::protocol::listing::Facts;
use crate::protocol::{Algorithm, Command, FtpPath, Span, Verb};
use crate::server::error::Refusal;
use std::time::Duration;

/// The factor by which a session may be idle longer than others if it asks for it (SITE IDLE).
pub(super) const LONGEST_IDLE: u32 = 10;

/// What the command before has left for the next one, which takes it before anything else.
#[derive(Debug, Default)]
pub(super) enum Pending {
    /// Nothing.
    #[default]
    Nothing,
    /// REST: where the next transfer begins.
    Restart(u64),
    /// RANG: which bytes the next RETR or HASH takes.
    Range(Span),
    /// RNFR: what is to be renamed.
    Rename(FtpPath),
}

impl Pending {
    /// Returns which part of `size` bytes is wanted: its start and its length.
    ///
    /// # Errors
    /// 554 if the part is beyond the end.
    pub(super) fn portion(&self, size: u64) -> Result<(u64, u64), Refusal> {
        match *self {
            Pending::Restart(offset) if offset <= size => Ok((offset, size - offset)),
            Pending::Range(Span { start, end }) if start < size => {
                Ok((start, end.saturating_add(1).min(size) - start))
            }
            Pending::Restart(_) | Pending::Range(_) => Err(Refusal::BadRestart),
            Pending::Nothing | Pending::Rename(_) => Ok((0, size)),
        }
    }
}

/// How file data is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Representation {
    /// As text, with CR LF at the ends of lines.
    Ascii,
    /// As it is.
    Image,
}

/// The parameters of a session, which REIN sets back.
#[derive(Debug)]
pub(super) struct Parameters {
    pending: Pending,
    facts: Facts,
    algorithm: Algorithm,
    representation: Representation,
    /// SITE UMASK; `None` is that of the server.
    umask: Option<u32>,
    /// SITE IDLE: in the place of `--idle-timeout`.
    idle_timeout: Option<Duration>,
}

impl Parameters {
    /// The parameters of a new session.
    pub(super) fn new() -> Parameters {
        Parameters {
            pending: Pending::Nothing,
            facts: Facts::ALL,
            algorithm: Algorithm::Sha256,
            representation: Representation::Ascii, // RFC 959 section 5.1: the default
            umask: None,
            idle_timeout: None,
        }
    }

    /// Leaves something for the next command.
    pub(super) fn leave(&mut self, pending: Pending) {
        self.pending = pending;
    }

    /// Forgets what a command has left.
    pub(super) fn forget_pending(&mut self) {
        self.pending = Pending::Nothing;
    }

    /// Takes what is pending for `command`. REST and RANG alone outlive the commands that set up
    /// their data connection: some clients send them before those.
    pub(super) fn take_pending(&mut self, command: &Command) -> Pending {
        let pending = std::mem::take(&mut self.pending);
        let sets_up = matches!(
            command.verb(),
            Verb::Pasv | Verb::Epsv | Verb::Port | Verb::Eprt | Verb::Type | Verb::Allo
        );
        if sets_up && matches!(pending, Pending::Restart(_) | Pending::Range(_)) {
            self.pending = pending;
            return Pending::Nothing;
        }
        pending
    }

    /// The facts that MLST and MLSD list.
    pub(super) fn facts(&self) -> Facts {
        self.facts
    }

    /// Sets the facts (OPTS MLST).
    pub(super) fn set_facts(&mut self, facts: Facts) {
        self.facts = facts;
    }

    /// The algorithm of HASH.
    pub(super) fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Sets the algorithm (OPTS HASH).
    pub(super) fn set_algorithm(&mut self, algorithm: Algorithm) {
        self.algorithm = algorithm;
    }

    /// Returns true if files are sent as text.
    pub(super) fn is_ascii(&self) -> bool {
        self.representation == Representation::Ascii
    }

    /// Sets how files are sent (TYPE).
    pub(super) fn set_representation(&mut self, representation: Representation) {
        self.representation = representation;
    }

    /// The mask of SITE UMASK, if the session has one.
    pub(super) fn umask(&self) -> Option<u32> {
        self.umask
    }

    /// Sets the mask.
    pub(super) fn set_umask(&mut self, mask: u32) {
        self.umask = Some(mask);
    }

    /// The permission bits of a new directory, if the session's mask decides them.
    pub(super) fn dir_mode(&self) -> Option<u32> {
        self.umask.map(|mask| 0o777 & !mask)
    }

    /// The permission bits of a new file, if the session's mask decides them.
    pub(super) fn file_mode(&self) -> Option<u32> {
        self.umask.map(|mask| 0o666 & !mask)
    }

    /// How long the client may be silent, where others have `timeout`.
    pub(super) fn idle_timeout(&self, timeout: Duration) -> Duration {
        let longest = timeout.saturating_mul(LONGEST_IDLE);
        self.idle_timeout.map_or(timeout, |own| own.min(longest))
    }

    /// Sets how long the client may be silent (SITE IDLE).
    pub(super) fn set_idle_timeout(&mut self, timeout: Duration) {
        self.idle_timeout = Some(timeout);
    }
}
