//! Who a client is once it has logged in: its name, the tree it sees and what it may do there.

use crate::protocol::{FtpPath, Name};
use crate::server::accounts::{Access, Account};
use crate::server::error::Refusal;
use crate::server::fs::jail::Jail;
use crate::server::limits::account_sessions::AccountSlot;
use std::sync::Arc;

/// What a login gives.
#[derive(Clone, Debug)]
pub struct Identity {
    user: Name,
    /// The account as it was at the login, or at the last reload; `None` for a visitor.
    account: Option<Arc<Account>>,
    /// The tree, whose root is the client's `/`.
    jail: Jail,
    /// The place among the sessions of the account, given back with the identity.
    slot: Option<Arc<AccountSlot>>,
    access: Access,
    cwd: FtpPath,
}

impl Identity {
    /// The identity of a visitor without an account.
    pub fn visitor(user: Name, jail: Jail, access: Access) -> Identity {
        Identity { user, account: None, jail, slot: None, access, cwd: FtpPath::root() }
    }

    /// The identity of an account whose home is the root of `jail`.
    pub fn of_account(user: Name, account: Arc<Account>, jail: Jail) -> Identity {
        let (access, cwd) = (account.access, FtpPath::root());
        Identity { user, account: Some(account), jail, slot: None, access, cwd }
    }

    /// The name it logged in with.
    pub fn user(&self) -> &Name {
        &self.user
    }

    /// The account; `None` for a visitor.
    pub fn account(&self) -> Option<&Account> {
        self.account.as_deref()
    }

    /// The tree that it sees.
    pub fn jail(&self) -> &Jail {
        &self.jail
    }

    /// What it may do.
    pub fn access(&self) -> Access {
        self.access
    }

    /// Its current directory.
    pub fn cwd(&self) -> &FtpPath {
        &self.cwd
    }

    /// Makes `path` its current directory, if it is one.
    ///
    /// # Errors
    /// There is no such directory, or it may not be entered.
    pub fn enter(&mut self, path: FtpPath) -> Result<(), Refusal> {
        self.jail.check_dir(&path)?;
        self.cwd = path;
        Ok(())
    }

    /// Holds a place among the sessions of its account from now on.
    pub fn occupy(&mut self, slot: AccountSlot) {
        self.slot = Some(Arc::new(slot));
    }

    /// Takes over the account as a reload has left it.
    pub fn update_account(&mut self, account: Arc<Account>) {
        self.access = account.access;
        self.account = Some(account);
    }

    /// Changes what a visitor may do, after a reload.
    pub fn update_access(&mut self, access: Access) {
        self.access = access;
    }
}

/// Returns true for the names of visitors without an account (RFC 1635).
pub fn is_anonymous(user: &Name) -> bool {
    [&b"anonymous"[..], b"ftp"].iter().any(|name| user.as_bytes().eq_ignore_ascii_case(name))
}
