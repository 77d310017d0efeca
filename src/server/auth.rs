//! Authentication: the check of names and passwords, the identity of a logged-in client, and its
//! permissions.

pub(super) mod authenticator;
pub(super) mod hash_queue;
pub(super) mod identity;
pub(super) mod login_attempts;
pub(super) mod login_cache;
pub(super) mod password_check;
pub(super) mod permissions;
