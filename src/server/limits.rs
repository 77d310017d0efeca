//! Limits on sessions and bandwidth.

pub(super) mod account_sessions;
pub(super) mod bandwidth;
pub(super) mod sessions;
