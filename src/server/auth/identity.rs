//! Who a session is, and what it may do.
//!
//! The login is one value. USER replaces all of it, so no right of an earlier login can be left
//! over; a name alone gives none.

use crate::protocol::{Changes, Command, FtpPath, Name, Site};
use crate::server::accounts::Access;
use crate::server::accounts::Account;
use crate::server::error::Refusal;
use crate::server::fs::jail::Jail;
use crate::server::limits::bandwidth::AccountSlot;
use std::sync::Arc;

/// What a command asks of the login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    /// Nothing: allowed before login.
    Anyone,
    /// To be logged in.
    Login,
    /// To list or retrieve.
    Read,
    /// To store or make something, or to set times.
    Write,
    /// To remove or rename what stands at a path, or to set its mode: never the root, which stays
    /// as it is.
    Alter,
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
        | Command::Site(Site::Idle(_) | Site::Quota)
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
        | Command::Mkd(_)
        | Command::Mfmt(..)
        | Command::Mff(Changes { mode: None, .. }, _)
        | Command::Mfct(..)
        | Command::Avbl(_)
        // Who else is here is not for every visitor to know.
        | Command::Site(Site::Utime(..) | Site::Umask(_) | Site::Mkdir(_) | Site::Who) => {
            Right::Write
        }
        Command::Rnfr(_)
        | Command::Rnto(_)
        | Command::Dele(_)
        | Command::Rmd(_)
        | Command::Rmda(_)
        | Command::Mff(Changes { mode: Some(_), .. }, _)
        | Command::Site(Site::Chmod(..) | Site::Symlink(..)) => Right::Alter,
    }
}

/// Whether `login` may do what needs `right`, at `path` where there is one: the only place where
/// this is decided. The session asks before it carries a command out, and again for every path the
/// command comes to.
///
/// # Errors
/// 530 for who is not logged in, 550 for who may not.
pub fn may(login: &Login, right: Right, path: Option<&FtpPath>) -> Result<(), Refusal> {
    let needed = match right {
        Right::Anyone => return Ok(()),
        Right::Login | Right::Read => Access::Read,
        Right::Write | Right::Alter => Access::Write,
    };
    let untouchable = right == Right::Alter && path.is_some_and(FtpPath::is_root);
    match login.identity()?.access >= needed && !untouchable {
        true => Ok(()),
        false => Err(Refusal::NotPermitted),
    }
}

/// What a login gives: a name for the log, the tree it sees and what it may do there.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The name it logged in with.
    pub user: Name,
    /// The account as it was then; `None` for a visitor.
    pub account: Option<Arc<Account>>,
    /// The tree, whose root is its `/`.
    pub jail: Jail,
    /// Its place among the sessions of the account.
    pub slot: Option<Arc<AccountSlot>>,
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
    In(Identity),
}

impl Login {
    /// The home of who is logged in.
    ///
    /// # Errors
    /// 530 for anyone else.
    pub fn identity(&self) -> Result<&Identity, Refusal> {
        match self {
            Login::In(identity) => Ok(identity),
            Login::Fresh | Login::Named(_) => Err(Refusal::NotLoggedIn),
        }
    }

    /// The same, to change where it stands.
    ///
    /// # Errors
    /// 530 for anyone else.
    pub fn identity_mut(&mut self) -> Result<&mut Identity, Refusal> {
        match self {
            Login::In(identity) => Ok(identity),
            Login::Fresh | Login::Named(_) => Err(Refusal::NotLoggedIn),
        }
    }

    /// The name of the session for the log.
    pub fn user(&self) -> Option<&Name> {
        match self {
            Login::In(identity) => Some(&identity.user),
            Login::Fresh | Login::Named(_) => None,
        }
    }
}

/// Whether this name is that of visitors without an account (RFC 1635).
pub fn is_anonymous(user: &Name) -> bool {
    [&b"anonymous"[..], b"ftp"].iter().any(|name| user.as_bytes().eq_ignore_ascii_case(name))
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::protocol::Code;

    fn login(access: Access) -> Login {
        let user = Name::new("anna").unwrap();
        let jail = Jail::new(std::path::Path::new("/")).unwrap();
        Login::In(Identity { user, account: None, jail, slot: None, access, cwd: FtpPath::root() })
    }

    #[test]
    fn who_may_do_what_and_where() {
        let (root, file) =
            (FtpPath::root(), FtpPath::root().join(&Name::new("a").unwrap()).unwrap());
        let (reader, writer) = (login(Access::Read), login(Access::Write));
        let named = Login::Named(Name::new("anna").unwrap());
        let may = |login: &Login, right, path| may(login, right, Some(path)).is_ok();
        for (right, read, write, at_root) in [
            (Right::Anyone, true, true, true),
            (Right::Login, true, true, true),
            (Right::Read, true, true, true),
            (Right::Write, false, true, true),
            (Right::Alter, false, true, false),
        ] {
            assert_eq!(may(&reader, right, &file), read, "{right:?}");
            assert_eq!(may(&writer, right, &file), write, "{right:?}");
            assert_eq!(may(&writer, right, &root), at_root, "{right:?}");
            for nobody in [&Login::Fresh, &named] {
                assert_eq!(may(nobody, right, &file), right == Right::Anyone, "{right:?}");
            }
        }
    }

    #[test]
    fn nobody_hears_530_and_a_reader_550() {
        let code = |login: &Login| may(login, Right::Write, None).unwrap_err().reply().code();
        assert_eq!(code(&Login::Fresh), Code::NOT_LOGGED_IN);
        assert_eq!(code(&login(Access::Read)), Code::UNAVAILABLE);
    }
}
