//! The log and the transfer log.

pub mod event_log;
mod transfer_log;
