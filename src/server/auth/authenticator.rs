//! Who may log in, and as what.

use crate::protocol::{Name, Secret};
use crate::server::accounts::{Access, Account, Accounts};
use crate::server::auth::hash_queue::Standing;
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

/// Who may log in.
pub struct Authenticator {
    /// The tree that is served.
    pub tree: Arc<ServedTree>,
    /// What visitors may do; `None` if they are not let in.
    pub anonymous: Option<Access>,
    /// The accounts, if there are any.
    pub accounts: Option<Arc<Accounts>>,
    /// The edition of the quotas that is theirs.
    quotas: AtomicU64,
}

/// An authenticator whose quotas are not in force yet.
pub struct PreparedAuthenticator {
    tree: Arc<ServedTree>,
    /// The tree as it is now.
    jail: Jail,
    anonymous: Option<Access>,
    accounts: Option<Arc<Accounts>>,
    /// The quotas of the accounts whose homes are there.
    quotas: Vec<(Vec<OsString>, u64)>,
}

impl PreparedAuthenticator {
    /// Looks up the tree and the homes of the accounts that have quotas, and says if the tree cannot
    /// be opened.
    pub fn new(
        tree: Arc<ServedTree>,
        anonymous: Option<Access>,
        accounts: Option<Arc<Accounts>>,
    ) -> (PreparedAuthenticator, io::Result<()>) {
        let (jail, opened) = tree.peek();
        let quotas = quotas(&jail, accounts.as_deref());
        (PreparedAuthenticator { tree, jail, anonymous, accounts, quotas }, opened)
    }

    /// Puts the quotas in force.
    pub fn apply(self) -> Authenticator {
        let PreparedAuthenticator { tree, jail, anonymous, accounts, quotas } = self;
        let quotas = AtomicU64::new(jail.quotas().set(quotas));
        tree.replace(jail);
        Authenticator { tree, anonymous, accounts, quotas }
    }
}

/// The quotas of the accounts whose homes are there, by the directories between the root and each
/// home. A home that is missing gets its quota when its account logs in.
fn quotas(jail: &Jail, accounts: Option<&Accounts>) -> Vec<(Vec<OsString>, u64)> {
    let all = accounts.into_iter().flat_map(|accounts| accounts.sorted());
    let quotas = all.filter_map(|account| {
        let quota = account.terms.quota?;
        Some((jail.trail_to(&account.home).ok()?, quota))
    });
    quotas.collect()
}

impl Authenticator {
    /// What visitors of this name may do, if it is one of theirs and they are let in. They may give
    /// any password.
    pub fn visitor(&self, user: &Name) -> Option<Identity> {
        let access = self.anonymous.filter(|_| is_anonymous(user))?;
        Some(Identity::visitor(user.clone(), self.jail(), access))
    }

    /// The tree for a login. One that was not there before gets the quotas of the accounts.
    fn jail(&self) -> Jail {
        self.tree.jail(|new| {
            let edition = new.quotas().set(quotas(new, self.accounts.as_deref()));
            self.quotas.store(edition, Ordering::Relaxed);
        })
    }

    /// Checks a name and its password, if that can begin by `until`.
    ///
    /// # Errors
    /// One refusal for every reason that has to do with name or password, after the same work.
    pub fn admit(
        &self,
        user: &Name,
        password: &Secret,
        checks: &PasswordChecks,
        standing: Standing,
        until: Option<Instant>,
    ) -> Result<Identity, Refusal> {
        let accounts = self.accounts.as_ref().ok_or(Refusal::LoginFailed)?;
        let checked = checks.check(accounts, (user, password), standing, until);
        let account = checked.ok_or(Refusal::NoTurn)?.ok_or(Refusal::LoginFailed)?;
        let tree = self.jail();
        let jail = tree.enter(&account.home).map_err(|_| Refusal::NoHome)?;
        if let Some(quota) = account.terms.quota
            && let Ok(trail) = tree.trail_to(&account.home)
        {
            // The directory may not have been there when the accounts were read, or be another one.
            jail.quotas().add(self.quotas.load(Ordering::Relaxed), trail, quota);
        }
        Ok(Identity::of_account(user.clone(), Arc::clone(account), jail))
    }

    /// Brings an identity up to date after a reload; `None` if the login is void: the account is
    /// gone or has another password or home, or visitors are not let in any more.
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
