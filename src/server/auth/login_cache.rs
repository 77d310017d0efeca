//! A cache of successful logins, so that the next login with the same password needs no slow hash.
//!
//! An entry is an HMAC of the name, the password and the account's hash under a random key of this
//! process. It reveals nothing to the accounts file or to another process, and it no longer
//! matches when the account's hash changes. A password is compared only when it is the address's
//! turn to have one checked, so the cache does not speed up brute-force attacks.

use crate::protocol::digest::Hmac;
use crate::protocol::{Name, Secret};
use crate::server::accounts::password_hash::PasswordHash;
use crate::sys;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The number of accounts in the cache, with one login each.
const MAX_ACCOUNTS: usize = 8192;

/// The cache of logins.
pub struct LoginCache {
    /// The key; `None` if the system cannot provide random bytes, in which case nothing is cached.
    key: Option<Hmac>,
    tags: Mutex<HashMap<Name, Tag>>,
}

type Tag = [u8; 32];

impl Default for LoginCache {
    fn default() -> LoginCache {
        let mut key = [0; 32];
        let key = sys::fill_random(&mut key).is_ok().then(|| Hmac::new(&key));
        LoginCache { key, tags: Mutex::default() }
    }
}

impl LoginCache {
    /// Returns whether this was the password of the last login to the account.
    pub fn contains(&self, name: &Name, password: &Secret, hash: &PasswordHash) -> bool {
        let Some(tag) = self.tag(name, password, hash) else { return false };
        let Some(known) = self.tags().get(name).copied() else { return false };
        // A comparison in variable time is safe: the tags are pseudorandom under a secret key, so
        // an attacker cannot choose how long a prefix matches.
        tag == known
    }

    /// Stores the login, and replaces an earlier one of the account.
    pub fn remember(&self, name: &Name, password: &Secret, hash: &PasswordHash) {
        let Some(tag) = self.tag(name, password, hash) else { return };
        let mut tags = self.tags();
        if tags.len() >= MAX_ACCOUNTS
            && !tags.contains_key(name)
            && let Some(other) = tags.keys().next().cloned()
        {
            tags.remove(&other);
        }
        tags.insert(name.clone(), tag);
    }

    fn tag(&self, name: &Name, password: &Secret, hash: &PasswordHash) -> Option<Tag> {
        let (name, password) = (name.as_bytes(), password.expose());
        // The lengths make the message unambiguous.
        let lengths = [name.len() as u64, password.len() as u64].map(u64::to_be_bytes);
        let hash = hash.to_string();
        let message = [&lengths[0][..], &lengths[1], name, password, hash.as_bytes()];
        Some(self.key.as_ref()?.of(&message))
    }

    fn tags(&self) -> MutexGuard<'_, HashMap<Name, Tag>> {
        self.tags.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        Name::new(text).unwrap()
    }

    fn secret(text: &str) -> Secret {
        Secret::new(text).unwrap()
    }

    #[test]
    fn the_same_login_is_known_and_every_other_is_not() {
        let (hash, other) = (PasswordHash::decoy(Some(1)), PasswordHash::decoy(Some(2)));
        let cache = LoginCache::default();
        assert!(!cache.contains(&name("anna"), &secret("x"), &hash));
        cache.remember(&name("anna"), &secret("x"), &hash);
        assert!(cache.contains(&name("anna"), &secret("x"), &hash));
        assert!(!cache.contains(&name("anna"), &secret("y"), &hash));
        assert!(!cache.contains(&name("ann"), &secret("ax"), &hash));
        // The account has another hash now.
        assert!(!cache.contains(&name("anna"), &secret("x"), &other));
        cache.remember(&name("anna"), &secret("x"), &other);
        assert!(!cache.contains(&name("anna"), &secret("x"), &hash));
        // Another process has another key.
        let here = cache.tag(&name("anna"), &secret("x"), &hash);
        assert_ne!(LoginCache::default().tag(&name("anna"), &secret("x"), &hash), here);
    }

    #[test]
    fn memory_is_bounded() {
        let (cache, hash) = (LoginCache::default(), PasswordHash::decoy(Some(1)));
        for number in 0..MAX_ACCOUNTS + 10 {
            cache.remember(&name(&format!("user{number}")), &secret("x"), &hash);
        }
        assert_eq!(cache.tags().len(), MAX_ACCOUNTS);
        assert!(cache.contains(&name(&format!("user{}", MAX_ACCOUNTS + 9)), &secret("x"), &hash));
    }
}
