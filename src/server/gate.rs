//! Who may log in, and as what.

use super::accounts::{Accounts, Checks};
use super::jail::Jail;
use super::login::{Access, Home, is_anonymous};
use super::refusal::Refusal;
use crate::protocol::{FtpPath, Name, Secret};

/// Who may log in.
pub struct Gate {
    /// The tree that is served.
    pub jail: Jail,
    /// What visitors may do; `None` if they are not let in.
    pub anonymous: Option<Access>,
    /// The accounts, if there are any.
    pub accounts: Option<Accounts>,
    /// Keeps a flood of logins from taking all processors.
    pub checks: Checks,
}

impl Gate {
    /// Checks a name and its password. Visitors may give any password.
    ///
    /// # Errors
    /// One refusal for every reason that has to do with name or password, after the same work.
    pub fn admit(&self, user: &Name, password: &Secret) -> Result<Home, Refusal> {
        if let Some(access) = self.anonymous.filter(|_| is_anonymous(user)) {
            let (jail, cwd) = (self.jail.clone(), FtpPath::root());
            return Ok(Home { user: user.clone(), jail, access, cwd });
        }
        let accounts = self.accounts.as_ref().ok_or(Refusal::LoginFailed)?;
        let account = self.checks.run(|| accounts.check(user, password.expose()));
        let account = account.ok_or(Refusal::LoginFailed)?;
        let jail = self.jail.enter(&account.home).map_err(|_| Refusal::NoHome)?;
        let (access, cwd) = (account.access, FtpPath::root());
        Ok(Home { user: user.clone(), jail, access, cwd })
    }
}
