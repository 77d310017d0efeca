//! Decides who may log in, and with which identity.

use crate::protocol::{Name, Secret};
use crate::server::accounts::{Access, Account, Accounts};
use crate::server::auth::hash_queue::Reputation;
use crate::server::auth::identity::{Identity, is_anonymous};
use crate::server::auth::password_check::PasswordChecks;
use crate::server::error::Refusal;
use crate::server::fs::jail::Jail;
use crate::server::fs::served_tree::ServedTree;
use std::ffi::OsString;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// The accounts and the anonymous access in effect.
pub struct Authenticator {
    /// The served tree.
    pub tree: Arc<ServedTree>,
    /// The access of anonymous visitors; `None` if they may not log in.
    pub anonymous: Option<Access>,
    /// The accounts, if any are configured.
    pub accounts: Option<Arc<Accounts>>,
    /// The generation of the quotas of these accounts.
    quotas: AtomicU64,
}

/// An authenticator whose quotas are not in effect yet.
pub struct PreparedAuthenticator {
    tree: Arc<ServedTree>,
    /// The tree in its current state.
    jail: Jail,
    anonymous: Option<Access>,
    accounts: Option<Arc<Accounts>>,
    /// The quotas of the accounts whose homes exist.
    quotas: Vec<(Vec<OsString>, u64)>,
}

impl PreparedAuthenticator {
    /// Looks up the tree and the homes of the accounts that have quotas. The second value is an
    /// error if the tree cannot be opened.
    pub fn new(
        tree: Arc<ServedTree>,
        anonymous: Option<Access>,
        accounts: Option<Arc<Accounts>>,
    ) -> (PreparedAuthenticator, io::Result<()>) {
        let (jail, opened) = tree.current_jail();
        let quotas = quotas(&jail, accounts.as_deref());
        (PreparedAuthenticator { tree, jail, anonymous, accounts, quotas }, opened)
    }

    /// Applies the quotas.
    pub fn apply(self) -> Authenticator {
        let PreparedAuthenticator { tree, jail, anonymous, accounts, quotas } = self;
        let quotas = AtomicU64::new(jail.quotas().set(quotas));
        tree.replace(jail);
        Authenticator { tree, anonymous, accounts, quotas }
    }
}

/// Returns the quotas of the accounts whose homes exist, keyed by the directories from the root to
/// each home. The quota of a home that does not exist yet is set when its account logs in.
fn quotas(jail: &Jail, accounts: Option<&Accounts>) -> Vec<(Vec<OsString>, u64)> {
    let all = accounts.into_iter().flat_map(|accounts| accounts.sorted());
    let quotas = all.filter_map(|account| {
        let quota = account.limits.quota?;
        Some((jail.trail_to(&account.home).ok()?, quota))
    });
    quotas.collect()
}

impl Authenticator {
    /// Returns the identity for an anonymous login, if `user` is an anonymous name and anonymous
    /// logins are allowed. Any password is accepted.
    pub fn visitor(&self, user: &Name) -> Option<Identity> {
        let access = self.anonymous.filter(|_| is_anonymous(user))?;
        Some(Identity::visitor(user.clone(), self.jail(), access))
    }

    /// Returns the tree for a login. If the tree did not exist before, the quotas of the accounts
    /// are set on it.
    fn jail(&self) -> Jail {
        self.tree.jail(|new| {
            let generation = new.quotas().set(quotas(new, self.accounts.as_deref()));
            self.quotas.store(generation, Ordering::Relaxed);
        })
    }

    /// Checks a name and its password, if the check can begin by `until`.
    ///
    /// # Errors
    /// A wrong name and a wrong password cause the same refusal after the same amount of work.
    pub fn admit(
        &self,
        user: &Name,
        password: &Secret,
        checks: &PasswordChecks,
        reputation: Reputation,
        until: Option<Instant>,
    ) -> Result<Identity, Refusal> {
        let accounts = self.accounts.as_ref().ok_or(Refusal::LoginFailed)?;
        let checked = checks.check(accounts, (user, password), reputation, until);
        let account = checked.ok_or(Refusal::TooManyLogins)?.ok_or(Refusal::LoginFailed)?;
        let tree = self.jail();
        let jail = tree.enter(&account.home).map_err(Refusal::NoHome)?;
        if let Some(quota) = account.limits.quota
            && let Ok(trail) = tree.trail_to(&account.home)
        {
            // The home may have been created or replaced since the accounts were read.
            jail.quotas().add(self.quotas.load(Ordering::Relaxed), trail, quota);
        }
        Ok(Identity::of_account(user.clone(), Arc::clone(account), jail))
    }

    /// Updates an identity after a reload. Returns `None` if the login is no longer valid: the
    /// account was removed or has another password or home, or anonymous logins are no longer
    /// allowed.
    pub fn renew(&self, identity: &mut Identity) -> Option<()> {
        let Some(before) = identity.account() else {
            identity.update_access(self.anonymous?);
            return Some(());
        };
        let now: &Arc<Account> = self.accounts.as_ref()?.get(&before.name)?;
        if now.hash != before.hash || now.home != before.home {
            return None;
        }
        identity.update_account(Arc::clone(now));
        Some(())
    }
}
