//! Counts the sessions of each account.

use crate::protocol::Name;
use crate::server::accounts::Account;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The number of sessions by account name. Clones share the counts.
#[derive(Clone, Debug, Default)]
pub struct AccountSessions {
    counts: Arc<Mutex<HashMap<Name, usize>>>,
}

/// A slot among the sessions of an account, released on drop.
#[derive(Debug)]
pub struct AccountSlot {
    sessions: AccountSessions,
    name: Name,
}

impl AccountSessions {
    /// Takes a slot for a session of an account; `None` if the account has reached its limit.
    pub fn acquire(&self, account: &Account) -> Option<AccountSlot> {
        let mut counts = self.counts();
        let here = counts.entry(account.name.clone()).or_insert(0);
        if account.limits.sessions.is_some_and(|most| *here >= most) {
            return None;
        }
        *here += 1;
        Some(AccountSlot { sessions: self.clone(), name: account.name.clone() })
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<Name, usize>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for AccountSlot {
    fn drop(&mut self) {
        let mut counts = self.sessions.counts();
        if let Some(here) = counts.get_mut(&self.name) {
            *here -= 1;
            if *here == 0 {
                counts.remove(&self.name);
            }
        }
    }
}
