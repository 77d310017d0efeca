//! Monitoring: counters, the list of sessions, and the status pages.

pub(super) mod counters;
pub mod http;
pub(super) mod reach;
pub(super) mod sessions;
pub(super) mod transfer;
