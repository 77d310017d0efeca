//! Who a client is: the check of names and passwords, the identity it gets, and what that may do.

pub(super) mod authenticator;
pub(super) mod hash_queue;
pub(super) mod identity;
pub(super) mod login_attempts;
pub(super) mod login_cache;
pub(super) mod password_check;
pub(super) mod permissions;
