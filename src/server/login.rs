//! Who a session is, and what it may do.
//!
//! The login is one value. USER replaces all of it, so no right of an earlier login can be left
//! over; a name alone gives none.

use super::accounts::{Accounts, Checks};
use super::jail::Jail;
use super::log::Level;
use super::refusal::Refusal;
use super::session::Session;
use crate::protocol::{Code, Command, FtpPath, Name, Reply, Secret, Site};

/// What visitors or an account may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    /// List and retrieve.
    Read,
    /// Also store, append, delete, rename, make directories, change times and modes.
    Write,
}

/// What a command asks of the login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    /// Nothing: allowed before login.
    Anyone,
    /// To be logged in.
    Login,
    /// To list or retrieve.
    Read,
    /// To change something.
    Write,
}

/// Which right a command needs. Exhaustive, so that a new command does not compile before someone
/// has decided who may use it.
pub fn right(command: &Command) -> Right {
    match command {
        Command::User(_)
        | Command::Pass(_)
        | Command::Acct(_)
        | Command::Rein
        | Command::Quit
        | Command::Noop
        | Command::Syst
        | Command::Feat
        | Command::Opts(_)
        | Command::Help(_)
        | Command::Site(Site::Help)
        | Command::Host(_)
        | Command::Csid(_)
        | Command::Clnt(_)
        | Command::Lang(_)
        | Command::Stat(None) => Right::Anyone,
        Command::Cwd(_)
        | Command::Cdup
        | Command::Pwd
        | Command::Port(_)
        | Command::Eprt(_)
        | Command::Pasv
        | Command::Epsv(_)
        | Command::Type(_)
        | Command::Mode(_)
        | Command::Stru(_)
        | Command::Rest(_)
        | Command::Rang(_)
        | Command::Site(Site::Idle(_))
        | Command::Abor => Right::Login,
        Command::Retr(_)
        | Command::List(_)
        | Command::Nlst(_)
        | Command::Mlsd(_)
        | Command::Mlst(_)
        | Command::Size(_)
        | Command::Mdtm(_)
        | Command::Hash(_)
        | Command::Digest(..)
        | Command::Dsiz(_)
        | Command::Stat(Some(_)) => Right::Read,
        Command::Stor(_)
        | Command::Stou(_)
        | Command::Appe(_)
        | Command::Allo(_)
        | Command::Rnfr(_)
        | Command::Rnto(_)
        | Command::Dele(_)
        | Command::Rmd(_)
        | Command::Mkd(_)
        | Command::Mfmt(..)
        | Command::Mff(..)
        | Command::Mfct(..)
        | Command::Avbl(_)
        | Command::Rmda(_)
        // Who else is here is not for every visitor to know.
        | Command::Site(
            Site::Chmod(..)
            | Site::Utime(..)
            | Site::Umask(_)
            | Site::Symlink(..)
            | Site::Mkdir(_)
            | Site::Who,
        ) => Right::Write,
    }
}

/// What a login gives: a name for the log, the tree it sees and what it may do there.
#[derive(Clone, Debug)]
pub struct Home {
    /// The name it logged in with.
    pub user: Name,
    /// The tree, whose root is its `/`.
    pub jail: Jail,
    /// What it may do.
    pub access: Access,
    /// Where it stands.
    pub cwd: FtpPath,
}

/// How far a login has come.
#[derive(Clone, Debug, Default)]
pub enum Login {
    /// Nobody.
    #[default]
    Fresh,
    /// USER was given, PASS is awaited.
    Named(Name),
    /// Logged in.
    In(Home),
}

impl Login {
    /// The home of who is logged in.
    ///
    /// # Errors
    /// 530 for anyone else.
    pub fn home(&self) -> Result<&Home, Refusal> {
        match self {
            Login::In(home) => Ok(home),
            Login::Fresh | Login::Named(_) => Err(Refusal::NotLoggedIn),
        }
    }

    /// The same, to change where it stands.
    ///
    /// # Errors
    /// 530 for anyone else.
    pub fn home_mut(&mut self) -> Result<&mut Home, Refusal> {
        match self {
            Login::In(home) => Ok(home),
            Login::Fresh | Login::Named(_) => Err(Refusal::NotLoggedIn),
        }
    }

    /// Whether this login has a right.
    ///
    /// # Errors
    /// 530 for who is not logged in, 550 for who may not.
    pub fn permit(&self, right: Right) -> Result<(), Refusal> {
        match right {
            Right::Anyone => Ok(()),
            Right::Login | Right::Read => self.home().map(drop),
            Right::Write => match self.home()?.access {
                Access::Write => Ok(()),
                Access::Read => Err(Refusal::NotPermitted),
            },
        }
    }

    /// The name of the session for the log.
    pub fn user(&self) -> Option<&Name> {
        match self {
            Login::In(home) => Some(&home.user),
            Login::Fresh | Login::Named(_) => None,
        }
    }
}

/// Whether this name is that of visitors without an account (RFC 1635).
pub fn is_anonymous(user: &Name) -> bool {
    [&b"anonymous"[..], b"ftp"].iter().any(|name| user.as_bytes().eq_ignore_ascii_case(name))
}

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
    fn admit(&self, user: &Name, password: &Secret) -> Result<Home, Refusal> {
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

impl Session<'_> {
    /// USER: forgets who was here before.
    pub(super) fn user(&mut self, name: &Name) -> Reply {
        self.set_login(Login::Named(name.clone()));
        let text = match is_anonymous(name) && self.server.gate.anonymous.is_some() {
            true => "Any password will do; your e-mail address is the custom.",
            false => "Password, please.",
        };
        Reply::new(Code::NEED_PASSWORD, text)
    }

    /// PASS: the one way to be logged in.
    pub(super) fn pass(&mut self, password: &Secret) -> Result<Reply, Refusal> {
        let name = match &self.login {
            Login::Named(name) => name.clone(),
            Login::Fresh | Login::In(_) => return Err(Refusal::Sequence("Send USER first.")),
        };
        self.login = Login::Fresh;
        match self.server.gate.admit(&name, password) {
            Ok(home) => {
                self.set_login(Login::In(home));
                self.log(Level::Info, "login", &[]);
                Ok(Reply::new(Code::LOGGED_IN, "Logged in."))
            }
            Err(refusal) => {
                let why = String::from_utf8_lossy(refusal.reply().text()).into_owned();
                self.log(Level::Warn, "login-failed", &[("name", &name), ("why", &why)]);
                self.failures += 1;
                if self.failures >= self.server.config.max_login_failures {
                    return Err(Refusal::TooManyFailures);
                }
                Err(refusal)
            }
        }
    }

    /// REIN: as if the connection had just been made.
    pub(super) fn rein(&mut self) -> Reply {
        self.set_login(Login::Fresh);
        self.data.reset();
        self.settle_defaults();
        Reply::new(Code::READY, "Begin again with USER.")
    }

    fn set_login(&mut self, login: Login) {
        self.login = login;
        self.signed.set_user(self.login.user());
    }
}
