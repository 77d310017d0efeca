//! The parameters of a session, which commands set for later commands.

use crate::protocol::listing::Facts;
use crate::protocol::{Algorithm, ByteRange, FtpPath, Verb};
use crate::server::error::Refusal;
use std::time::Duration;

/// The factor by which SITE IDLE may exceed `--idle-timeout`.
pub(super) const LONGEST_IDLE: u32 = 10;

/// The part of a file that the next transfer is to move.
#[derive(Clone, Copy, Debug, Default)]
pub(super) enum Pending {
    /// The whole file.
    #[default]
    Nothing,
    /// REST: the offset at which the next transfer begins.
    Restart(u64),
    /// RANG: the bytes for the next RETR or HASH.
    Range(ByteRange),
}

impl Pending {
    /// Returns the requested part of `size` bytes, as its start and its length.
    ///
    /// # Errors
    /// 554 if the part begins beyond the end.
    pub(super) fn resolve(&self, size: u64) -> Result<(u64, u64), Refusal> {
        match *self {
            Pending::Restart(offset) if offset <= size => Ok((offset, size - offset)),
            Pending::Range(ByteRange { start, end }) if start < size => {
                Ok((start, end.saturating_add(1).min(size) - start))
            }
            Pending::Restart(_) | Pending::Range(_) => Err(Refusal::BadRestart),
            Pending::Nothing => Ok((0, size)),
        }
    }
}

/// The representation of file data (TYPE).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Representation {
    /// Text, with lines that end in CR LF.
    Ascii,
    /// Unchanged bytes.
    Image,
}

/// The parameters of a session, which REIN resets.
#[derive(Debug)]
pub(super) struct Parameters {
    pending: Pending,
    /// The path named by RNFR.
    renamed: Option<FtpPath>,
    facts: Facts,
    algorithm: Algorithm,
    representation: Representation,
    /// The mask of SITE UMASK; `None` means the server's.
    umask: Option<u32>,
    /// The timeout of SITE IDLE, which replaces `--idle-timeout`.
    idle_timeout: Option<Duration>,
}

impl Parameters {
    /// Creates the parameters of a new session.
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

    /// Sets the part of a file that the next transfer moves (REST, RANG).
    pub(super) fn set_pending(&mut self, pending: Pending) {
        self.pending = pending;
    }

    /// Discards REST, RANG and RNFR.
    pub(super) fn forget_pending(&mut self) {
        (self.pending, self.renamed) = (Pending::Nothing, None);
    }

    /// Returns the part of a file that a command of this verb uses. Transfers of files use REST and RANG
    /// up, even if they are refused; so do USER and, for a range, HASH.
    ///
    /// Every other command leaves them in effect: a client that has sent REST appends the data of the
    /// next RETR to what it has, whatever commands it sends in between. Listings have no offset and so
    /// do not use them.
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

    /// Sets the path that the next RNTO renames (RNFR).
    pub(super) fn set_rename_source(&mut self, path: FtpPath) {
        self.renamed = Some(path);
    }

    /// Takes the path from RNFR. RNTO must follow immediately (RFC 959 section 4.1.3), so any line takes
    /// it.
    pub(super) fn take_rename_source(&mut self) -> Option<FtpPath> {
        self.renamed.take()
    }

    /// Returns the facts that MLST and MLSD list.
    pub(super) fn facts(&self) -> Facts {
        self.facts
    }

    /// Sets the facts (OPTS MLST).
    pub(super) fn set_facts(&mut self, facts: Facts) {
        self.facts = facts;
    }

    /// Returns the algorithm of HASH.
    pub(super) fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Sets the algorithm (OPTS HASH).
    pub(super) fn set_algorithm(&mut self, algorithm: Algorithm) {
        self.algorithm = algorithm;
    }

    /// Returns whether files are transferred as text (TYPE A).
    pub(super) fn is_ascii(&self) -> bool {
        self.representation == Representation::Ascii
    }

    /// Sets the representation (TYPE).
    pub(super) fn set_representation(&mut self, representation: Representation) {
        self.representation = representation;
    }

    /// Returns the mask of SITE UMASK, if set.
    pub(super) fn umask(&self) -> Option<u32> {
        self.umask
    }

    /// Sets the mask (SITE UMASK).
    pub(super) fn set_umask(&mut self, mask: u32) {
        self.umask = Some(mask);
    }

    /// Returns the mode of new directories, if SITE UMASK was used.
    pub(super) fn dir_mode(&self) -> Option<u32> {
        self.umask.map(|mask| 0o777 & !mask)
    }

    /// Returns the mode of new files, if SITE UMASK was used.
    pub(super) fn file_mode(&self) -> Option<u32> {
        self.umask.map(|mask| 0o666 & !mask)
    }

    /// Returns the idle timeout of the session: `timeout`, unless SITE IDLE was used.
    pub(super) fn idle_timeout(&self, timeout: Duration) -> Duration {
        let longest = timeout.saturating_mul(LONGEST_IDLE);
        self.idle_timeout.map_or(timeout, |own| own.min(longest))
    }

    /// Sets the idle timeout of the session (SITE IDLE).
    pub(super) fn set_idle_timeout(&mut self, timeout: Duration) {
        self.idle_timeout = Some(timeout);
    }
}
