//! The event log and the transfer log.

pub mod event_log;
#[cfg(target_os = "linux")]
mod stuck_sinks;
mod transfer_log;
