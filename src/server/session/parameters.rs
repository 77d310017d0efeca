//! What commands set for the commands after them.

use crate::protocol::listing::Facts;
use crate::protocol::{Algorithm, FtpPath, Span, Verb};
use crate::server::error::Refusal;
use std::time::Duration;

/// The factor by which a session may be idle longer than others if it asks for it (SITE IDLE).
pub(super) const LONGEST_IDLE: u32 = 10;

/// Which part of a file the next transfer takes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) enum Pending {
    /// All of it.
    #[default]
    Nothing,
    /// REST: where the next transfer begins.
    Restart(u64),
    /// RANG: which bytes the next RETR or HASH takes.
    Range(Span),
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
            Pending::Nothing => Ok((0, size)),
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
    /// RNFR: what is to be renamed.
    renamed: Option<FtpPath>,
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
            renamed: None,
            facts: Facts::ALL,
            algorithm: Algorithm::Sha256,
            representation: Representation::Ascii, // RFC 959 section 5.1: the default
            umask: None,
            idle_timeout: None,
        }
    }

    /// Sets which part of a file the next transfer takes (REST, RANG).
    pub(super) fn leave(&mut self, pending: Pending) {
        self.pending = pending;
    }

    /// Forgets what commands have left for later ones.
    pub(super) fn forget_pending(&mut self) {
        (self.pending, self.renamed) = (Pending::Nothing, None);
    }

    /// Returns the part of a file that a command of this verb takes. A transfer of a file uses it up,
    /// also one that is refused, and so do USER and, with a range, HASH; REIN sets all parameters back.
    ///
    /// Every other command leaves it: a client that has sent REST appends what the next RETR gives it
    /// to what it has, whatever it sends in between. Listings have no offset and so use none.
    pub(super) fn take_pending(&mut self, verb: Verb) -> Pending {
        match verb {
            Verb::Retr | Verb::Stor | Verb::Stou | Verb::Appe | Verb::User => {
                std::mem::take(&mut self.pending)
            }
            Verb::Hash => match self.pending {
                Pending::Range(_) => std::mem::take(&mut self.pending),
                pending => pending,
            },
            _ => Pending::Nothing,
        }
    }

    /// Sets what the next command renames if it is RNTO (RNFR).
    pub(super) fn rename_next(&mut self, path: FtpPath) {
        self.renamed = Some(path);
    }

    /// Takes what RNFR has named. RNTO follows at once (RFC 959 section 4.1.3), so whatever line comes
    /// next takes it.
    pub(super) fn take_renamed(&mut self) -> Option<FtpPath> {
        self.renamed.take()
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

    /// Returns the idle timeout of the session: `timeout`, unless SITE IDLE has set another.
    pub(super) fn idle_timeout(&self, timeout: Duration) -> Duration {
        let longest = timeout.saturating_mul(LONGEST_IDLE);
        self.idle_timeout.map_or(timeout, |own| own.min(longest))
    }

    /// Sets how long the client may be silent (SITE IDLE).
    pub(super) fn set_idle_timeout(&mut self, timeout: Duration) {
        self.idle_timeout = Some(timeout);
    }
}
