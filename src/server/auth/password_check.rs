//! Checks passwords: with the cache of earlier logins if possible, otherwise with the slow hash.

use crate::protocol::{Name, Secret};
use crate::server::accounts::{Account, Accounts};
use crate::server::auth::hash_queue::{HashQueue, Reputation};
use crate::server::auth::login_cache::LoginCache;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// The state for password checks that all sessions share.
#[derive(Default)]
pub struct PasswordChecks {
    cache: LoginCache,
    queue: HashQueue,
    cached: AtomicU64,
    hashed: AtomicU64,
}

impl PasswordChecks {
    /// Returns the account of this name if the password is correct, and `Some(None)` if it is
    /// wrong. Returns `None` if the password has to be hashed and its turn does not come by
    /// `until` or before the end of the server.
    pub fn check<'a>(
        &self,
        accounts: &'a Accounts,
        (name, password): (&Name, &Secret),
        reputation: Reputation,
        until: Option<Instant>,
    ) -> Option<Option<&'a Arc<Account>>> {
        let account = accounts.get(name);
        let account = account.filter(|account| self.cache.contains(name, password, &account.hash));
        if account.is_some() {
            self.cached.fetch_add(1, Ordering::Relaxed);
            return Some(account);
        }
        let account = self.queue.run(reputation, until, || {
            let account = accounts.check(name, password.expose());
            self.hashed.fetch_add(1, Ordering::Relaxed);
            account
        })?;
        if let Some(account) = account {
            self.cache.remember(name, password, &account.hash);
        }
        Some(account)
    }

    /// Ends all waits for a hash, because the server ends.
    pub fn close(&self) {
        self.queue.close();
    }

    /// Returns the number of passwords that were found in the cache.
    pub fn cached(&self) -> u64 {
        self.cached.load(Ordering::Relaxed)
    }

    /// Returns the number of passwords that were hashed.
    pub fn hashed(&self) -> u64 {
        self.hashed.load(Ordering::Relaxed)
    }
}
