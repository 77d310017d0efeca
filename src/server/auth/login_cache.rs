//! Logins that have succeeded, so that the next one with the same password needs no slow hash.
//!
//! What is kept of a login is an HMAC of the name, the password and the account's hash, under a
//! random key of this process. Neither the file nor the memory of another process tells anything about
//! it, and an account whose hash has changed no longer matches. A guess is compared only when it is
//! the address's turn to have a password checked, so this does not make guessing faster.

use crate::protocol::digest::Hmac;
use crate::protocol::{Name, Secret};
use crate::server::accounts::password_hash::PasswordHash;
use crate::sys;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The number of accounts that are remembered, one login each.
const MOST: usize = 8192;

/// The logins that are remembered.
pub struct LoginCache {
    /// `None` if the system has no random bytes; then nothing is remembered.
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
    /// Returns whether this was the password when the account was last logged in to.
    pub fn knows(&self, name: &Name, password: &Secret, hash: &PasswordHash) -> bool {
        let Some(tag) = self.tag(name, password, hash) else { return false };
        let Some(known) = self.tags().get(name).copied() else { return false };
        // The tags differ at random places, and the key is nobody's, so time tells nothing.
        tag == known
    }

    /// Remembers that this is the password of the account, and forgets what was remembered of it.
    pub fn remember(&self, name: &Name, password: &Secret, hash: &PasswordHash) {
        let Some(tag) = self.tag(name, password, hash) else { return };
        let mut tags = self.tags();
        if tags.len() >= MOST
            && !tags.contains_key(name)
            && let Some(other) = tags.keys().next().cloned()
        {
            tags.remove(&other);
        }
        tags.insert(name.clone(), tag);
    }

    fn tag(&self, name: &Name, password: &Secret, hash: &PasswordHash) -> Option<Tag> {
        let (name, password) = (name.as_bytes(), password.expose());
        // With the lengths before them, no two triples are the same message.
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
        assert!(!cache.knows(&name("anna"), &secret("x"), &hash));
        cache.remember(&name("anna"), &secret("x"), &hash);
        assert!(cache.knows(&name("anna"), &secret("x"), &hash));
        assert!(!cache.knows(&name("anna"), &secret("y"), &hash));
        assert!(!cache.knows(&name("ann"), &secret("ax"), &hash));
        // The account has another hash now.
        assert!(!cache.knows(&name("anna"), &secret("x"), &other));
        cache.remember(&name("anna"), &secret("x"), &other);
        assert!(!cache.knows(&name("anna"), &secret("x"), &hash));
        // Another process has another key.
        let here = cache.tag(&name("anna"), &secret("x"), &hash);
        assert_ne!(LoginCache::default().tag(&name("anna"), &secret("x"), &hash), here);
    }

    #[test]
    fn memory_is_bounded() {
        let (cache, hash) = (LoginCache::default(), PasswordHash::decoy(Some(1)));
        for number in 0..MOST + 10 {
            cache.remember(&name(&format!("user{number}")), &secret("x"), &hash);
        }
        assert_eq!(cache.tags().len(), MOST);
        assert!(cache.knows(&name(&format!("user{}", MOST + 9)), &secret("x"), &hash));
    }
}
