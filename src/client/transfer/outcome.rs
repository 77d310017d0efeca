//! The outcome of one transfer, and the settings that all of them share.

use super::session_limit::SessionLimit;
use crate::client::error::Error;
use crate::client::local::PartialFiles;
use crate::client::options::TransferOptions;
use crate::client::output::Messages;
use crate::client::output::json::{self, Action};
use crate::client::output::summary::Summary;
use crate::client::signals::Interrupt;
use std::path::Path;
use std::time::{Duration, Instant};

/// The settings that the transfers of a session share.
#[derive(Clone)]
pub(in crate::client) struct TransferSettings {
    /// The options of the command line.
    pub(in crate::client) transfers: TransferOptions,
    pub(in crate::client) messages: Messages,
    pub(in crate::client) interrupt: Interrupt,
    /// The server's session limit, as far as it is known.
    pub(in crate::client) limit: SessionLimit,
    /// The partial files of the command.
    pub(in crate::client) partials: PartialFiles,
}

/// The outcome of the transfer of one file.
#[derive(Debug)]
pub(in crate::client) struct TransferOutcome {
    pub(in crate::client) action: Action,
    /// The remote name; empty if there is none.
    pub(in crate::client) remote: Vec<u8>,
    /// The local name; empty if there is none.
    pub(in crate::client) local: Vec<u8>,
    pub(in crate::client) elapsed: Duration,
    /// The size of the whole file.
    pub(in crate::client) result: Result<u64, Error>,
    /// The message about the partial file of a failed download.
    pub(in crate::client) kept: Option<String>,
}

impl TransferOutcome {
    /// Runs a transfer and measures its duration.
    pub(in crate::client) fn of(
        action: Action,
        remote: &[u8],
        local: &Path,
        transfer: impl FnOnce() -> Result<u64, Error>,
    ) -> TransferOutcome {
        let started = Instant::now();
        let result = transfer();
        TransferOutcome {
            kept: None,
            action,
            remote: remote.to_vec(),
            local: local.as_os_str().as_encoded_bytes().to_vec(),
            elapsed: started.elapsed(),
            result,
        }
    }

    /// Returns the outcome of a transfer that could not start.
    pub(in crate::client) fn failed(
        action: Action,
        remote: &[u8],
        local: &[u8],
        error: Error,
    ) -> TransferOutcome {
        let (remote, local) = (remote.to_vec(), local.to_vec());
        let (elapsed, result) = (Duration::ZERO, Err(error));
        TransferOutcome { action, remote, local, elapsed, result, kept: None }
    }

    /// Returns the summary line of a successful transfer; empty for a failed one. `moved` is the number of
    /// bytes that moved in this run, by default all.
    pub(in crate::client) fn summary(&self, moved: Option<u64>) -> String {
        let TransferOutcome { action, remote, local, elapsed, result, kept: _ } = self;
        let Ok(bytes) = *result else { return String::new() };
        let (action, elapsed, moved) = (*action, *elapsed, moved.unwrap_or(bytes));
        Summary { action, remote, local, bytes, moved, elapsed }.to_string()
    }

    /// Prints the outcome as one JSON object.
    pub(in crate::client) fn print_json(&self) -> Result<(), Error> {
        json::print(self.action, &self.remote, &self.local, &self.result)
    }
}
