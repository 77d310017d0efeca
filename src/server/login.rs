//! Who a session is, and what it may do.
//!
//! The login is one value. USER replaces all of it, so no right of an earlier login can be left
//! over; a name alone gives none.

use super::jail::Jail;
use super::refusal::Refusal;
use crate::protocol::{Command, FtpPath, Name, Site};

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
