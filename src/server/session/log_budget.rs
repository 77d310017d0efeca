//! Limits how many log lines one session can cause.

use crate::server::token_bucket::TokenBucket;
use std::time::Instant;

/// How many refusals of a session are logged at once, and how many a second after that: who asks
/// for what is not there all the time must not fill the disk. A transfer that broke off before it
/// moved a byte is as cheap, and counts as one.
const REFUSALS_AT_ONCE: u32 = 20;
const REFUSALS_A_SECOND: u32 = 1;

/// The log lines that a session has caused.
#[derive(Debug)]
pub struct LogBudget {
    refusals: TokenBucket,
    /// Refusals beyond these.
    untold: u64,
    /// The running command is a transfer that has been logged.
    transfer: bool,
}

impl LogBudget {
    /// Nothing yet.
    pub fn new() -> LogBudget {
        let refusals = TokenBucket::new(REFUSALS_AT_ONCE, REFUSALS_A_SECOND, Instant::now());
        LogBudget { refusals, untold: 0, transfer: false }
    }

    /// Another command begins.
    pub fn begin(&mut self) {
        self.transfer = false;
    }

    /// The running command is a transfer and has been logged.
    pub fn tell_of_transfer(&mut self) {
        self.transfer = true;
    }

    /// Returns true if the running command is a transfer that has been logged.
    pub fn has_told_of_transfer(&self) -> bool {
        self.transfer
    }

    /// How many refusals there was no room for.
    pub fn untold(&self) -> u64 {
        self.untold
    }

    /// Takes room for one more refusal; without room it is counted as untold.
    pub fn has_room(&mut self) -> bool {
        let has_room = self.refusals.take(0, Instant::now()).is_ok();
        self.untold += u64::from(!has_room);
        has_room
    }
}
