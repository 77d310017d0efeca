//! The limits on what clients take: sessions and bandwidth.

pub(super) mod account_sessions;
pub(super) mod bandwidth;
pub(super) mod sessions;
