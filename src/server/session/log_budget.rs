//! Limits how many log lines one session can cause.

use crate::server::token_bucket::TokenBucket;
use std::time::Instant;

/// The number of refusals that a session can log at once, and per second after that, so that a client
/// that causes many errors does not fill the disk. A transfer that failed before its first byte counts
/// as a refusal.
const REFUSALS_AT_ONCE: u32 = 20;
const REFUSALS_A_SECOND: u32 = 1;

/// The budget of log lines of one session.
#[derive(Debug)]
pub struct LogBudget {
    refusals: TokenBucket,
    /// The number of refusals that were not logged.
    suppressed: u64,
    /// True if the running command is a transfer that has been logged.
    transfer: bool,
}

impl LogBudget {
    /// Creates a full budget.
    pub fn new() -> LogBudget {
        let refusals = TokenBucket::new(REFUSALS_AT_ONCE, REFUSALS_A_SECOND, Instant::now());
        LogBudget { refusals, suppressed: 0, transfer: false }
    }

    /// Begins the next command.
    pub fn begin(&mut self) {
        self.transfer = false;
    }

    /// Records that the running command is a transfer and has been logged.
    pub fn set_transfer_logged(&mut self) {
        self.transfer = true;
    }

    /// Returns whether the running command is a transfer that has been logged.
    pub fn is_transfer_logged(&self) -> bool {
        self.transfer
    }

    /// Returns the number of refusals that were not logged.
    pub fn suppressed(&self) -> u64 {
        self.suppressed
    }

    /// Takes one refusal from the budget, or counts it as not logged if the budget is used up.
    pub fn try_take(&mut self) -> bool {
        let has_room = self.refusals.take(0, Instant::now()).is_ok();
        self.suppressed += u64::from(!has_room);
        has_room
    }
}
