//! The identity of a logged-in client: its name, its tree and its access.

use crate::protocol::{FtpPath, Name};
use crate::server::accounts::{Access, Account};
use crate::server::error::Refusal;
use crate::server::fs::jail::Jail;
use crate::server::limits::account_sessions::AccountSlot;
use std::sync::Arc;

/// The result of a login.
#[derive(Clone, Debug)]
pub struct Identity {
    user: Name,
    /// The account as of the login or the last reload; `None` for a visitor.
    account: Option<Arc<Account>>,
    /// The tree; its root is the client's `/`.
    jail: Jail,
    /// The slot among the sessions of the account, released with the identity.
    slot: Option<Arc<AccountSlot>>,
    access: Access,
    cwd: FtpPath,
}

impl Identity {
    /// Creates the identity of a visitor without an account.
    pub fn visitor(user: Name, jail: Jail, access: Access) -> Identity {
        Identity { user, account: None, jail, slot: None, access, cwd: FtpPath::root() }
    }

    /// Creates the identity of an account whose home is the root of `jail`.
    pub fn of_account(user: Name, account: Arc<Account>, jail: Jail) -> Identity {
        let (access, cwd) = (account.access, FtpPath::root());
        Identity { user, account: Some(account), jail, slot: None, access, cwd }
    }

    /// Returns the name that the client logged in with.
    pub fn user(&self) -> &Name {
        &self.user
    }

    /// Returns the account; `None` for a visitor.
    pub fn account(&self) -> Option<&Account> {
        self.account.as_deref()
    }

    /// Returns the tree of the client.
    pub fn jail(&self) -> &Jail {
        &self.jail
    }

    /// Returns the client's access.
    pub fn access(&self) -> Access {
        self.access
    }

    /// Returns the client's working directory.
    pub fn cwd(&self) -> &FtpPath {
        &self.cwd
    }

    /// Sets the client's working directory.
    ///
    /// # Errors
    /// Fails if there is no such directory or the client may not enter it.
    pub fn enter(&mut self, path: FtpPath) -> Result<(), Refusal> {
        self.jail.check_dir(&path)?;
        self.cwd = path;
        Ok(())
    }

    /// Takes a slot among the sessions of the account.
    pub fn set_slot(&mut self, slot: AccountSlot) {
        self.slot = Some(Arc::new(slot));
    }

    /// Replaces the account after a reload.
    pub fn update_account(&mut self, account: Arc<Account>) {
        self.access = account.access;
        self.account = Some(account);
    }

    /// Changes the access of a visitor after a reload.
    pub fn update_access(&mut self, access: Access) {
        self.access = access;
    }
}

/// Returns whether a name is that of a visitor without an account (RFC 1635).
pub fn is_anonymous(user: &Name) -> bool {
    [&b"anonymous"[..], b"ftp"].iter().any(|name| user.as_bytes().eq_ignore_ascii_case(name))
}
