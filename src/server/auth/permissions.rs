//! The right that each command needs, and the rights of each access.
//!
//! | right | `drop` | `read` | `store` | `write` |
//! |---|---|---|---|---|
//! | [`Right::List`] | yes | yes | yes | yes |
//! | [`Right::Read`] | | yes | yes | yes |
//! | [`Right::Add`] | yes | | yes | yes |
//! | [`Right::Store`] | | | yes | yes |
//! | [`Right::Change`], [`Right::Alter`] | | | | yes |
//!
//! `drop` is for a drop box. It shows names, sizes and times, but nothing that depends on the content
//! of a file: a digest would reveal whether two users uploaded the same file. It makes no directories,
//! because a directory could occupy the name of another user's file; the administrator creates them. It
//! does not rename, so a client that stores under a temporary name leaves the file under that name.

use crate::protocol::listing::Perm;
use crate::protocol::{Command, FtpPath, Malformed, MffFacts, Site, Verb};
use crate::server::accounts::Access;
use crate::server::error::Refusal;

/// The right that a command needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    /// No right: the command is allowed before the login.
    Anyone,
    /// The right of every login.
    Login,
    /// The right to see names, sizes and times.
    List,
    /// The right to read files.
    Read,
    /// The right to store a file under a new name.
    Add,
    /// The right to replace files, to append to them, and to make directories.
    Store,
    /// The right to set times, and to see the other sessions.
    Change,
    /// The right to remove and rename files and directories, to set their permission bits, and to make
    /// links. It does not include the root directory.
    Alter,
}

/// Returns the right that a command needs.
pub fn right(command: &Command) -> Right {
    match command {
        Command::Stat(None) => Right::Anyone,
        Command::Mff(MffFacts { mode: Some(_), .. }, _) => Right::Alter,
        Command::Site(site) => right_of_site(site),
        other => right_of_verb(other.verb()),
    }
}

/// Returns whether an invalid line belongs to a command that needs a login. Without a login its reply is
/// 530, as for a valid argument of that command.
pub fn needs_login(malformed: &Malformed) -> bool {
    match malformed {
        Malformed::Unknown | Malformed::NotImplemented => false,
        // An unknown network protocol in EPRT or EPSV.
        Malformed::Protocol => true,
        Malformed::Missing(verb)
        | Malformed::Unexpected(verb)
        | Malformed::Argument(verb, _)
        | Malformed::Parameter(verb) => right_of_verb(*verb) != Right::Anyone,
    }
}

/// Returns the right that the commands of a verb need; [`right`] has the exceptions. The match has no
/// default, so the compiler demands a decision for each new verb.
///
/// STOR and APPE also need [`Right::Store`] if the name exists.
pub fn right_of_verb(verb: Verb) -> Right {
    match verb {
        Verb::User
        | Verb::Pass
        | Verb::Acct
        | Verb::Rein
        | Verb::Quit
        | Verb::Noop
        | Verb::Syst
        | Verb::Feat
        | Verb::Opts
        | Verb::Help
        | Verb::Host
        | Verb::Csid
        | Verb::Clnt
        | Verb::Lang
        | Verb::Auth
        | Verb::Pbsz
        | Verb::Prot
        | Verb::Ccc => Right::Anyone,
        Verb::Cwd
        | Verb::Cdup
        | Verb::Pwd
        | Verb::Port
        | Verb::Eprt
        | Verb::Pasv
        | Verb::Epsv
        | Verb::Type
        | Verb::Mode
        | Verb::Stru
        | Verb::Rest
        | Verb::Site
        | Verb::Abor => Right::Login,
        Verb::List
        | Verb::Nlst
        | Verb::Mlsd
        | Verb::Mlst
        | Verb::Size
        | Verb::Mdtm
        | Verb::Dsiz
        | Verb::Stat => Right::List,
        Verb::Retr
        | Verb::Rang
        | Verb::Hash
        | Verb::Xcrc
        | Verb::Xmd5
        | Verb::Xsha1
        | Verb::Xsha256
        | Verb::Xsha512 => Right::Read,
        Verb::Stor | Verb::Stou | Verb::Appe | Verb::Allo | Verb::Avbl => Right::Add,
        Verb::Mkd => Right::Store,
        Verb::Mfmt | Verb::Mff | Verb::Mfct => Right::Change,
        Verb::Rnfr | Verb::Rnto | Verb::Dele | Verb::Rmd | Verb::Rmda => Right::Alter,
    }
}

fn right_of_site(site: &Site) -> Right {
    match site {
        Site::Help => Right::Anyone,
        Site::Idle(_) | Site::Quota => Right::Login,
        Site::Umask(_) => Right::Add,
        Site::Mkdir(_) => Right::Store,
        // WHO shows other users' sessions, so it needs more than a login.
        Site::Utime(..) | Site::Who => Right::Change,
        Site::Chmod(..) | Site::Symlink(..) => Right::Alter,
    }
}

/// Checks that `access` includes `right` for a command, and for the path in its argument if there is
/// one. Only this function decides it. A session calls it before it executes a command, and again for
/// every path that the command uses.
///
/// # Errors
/// 530 without a login (`access` is `None`), 550 without the right.
pub fn may(access: Option<Access>, right: Right, path: Option<&FtpPath>) -> Result<(), Refusal> {
    use Access::{Drop, Read, Store, Write};
    if right == Right::Anyone {
        return Ok(());
    }
    let access = access.ok_or(Refusal::NotLoggedIn)?;
    let permitted = match right {
        Right::Anyone | Right::Login | Right::List => true,
        Right::Read => matches!(access, Read | Store | Write),
        Right::Add => matches!(access, Drop | Store | Write),
        Right::Store => matches!(access, Store | Write),
        Right::Change => access == Write,
        Right::Alter => access == Write && !path.is_some_and(FtpPath::is_root),
    };
    if permitted { Ok(()) } else { Err(Refusal::NotPermitted) }
}

/// Returns the letters of the `perm` fact (RFC 3659 section 7.5.5) that `access` allows.
pub fn perm_letters(access: Access) -> Perm {
    let letters = [
        (Right::List, Perm::ENTER | Perm::LIST),
        (Right::Read, Perm::RETRIEVE),
        (Right::Add, Perm::CREATE),
        (Right::Store, Perm::STORE | Perm::APPEND | Perm::MAKE_DIR),
        (Right::Alter, Perm::PURGE | Perm::DELETE | Perm::RENAME),
    ];
    let given = letters.into_iter().filter(|(right, _)| may(Some(access), *right, None).is_ok());
    given.fold(Perm::NONE, |all, (_, letters)| all | letters)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Code, Name};

    #[test]
    fn each_access_has_its_rights_except_on_the_root() {
        let root = FtpPath::root();
        let file = root.join(&Name::new("a").unwrap()).unwrap();
        let may = |access, right, path| may(access, right, Some(path)).is_ok();
        let all = [Access::Drop, Access::Read, Access::Store, Access::Write];
        for (right, allowed) in [
            (Right::Anyone, [true, true, true, true]),
            (Right::Login, [true, true, true, true]),
            (Right::List, [true, true, true, true]),
            (Right::Read, [false, true, true, true]),
            (Right::Add, [true, false, true, true]),
            (Right::Store, [false, false, true, true]),
            (Right::Change, [false, false, false, true]),
            (Right::Alter, [false, false, false, true]),
        ] {
            for (access, allowed) in all.into_iter().zip(allowed) {
                assert_eq!(may(Some(access), right, &file), allowed, "{access:?} {right:?}");
            }
            assert_eq!(may(Some(Access::Write), right, &root), right != Right::Alter, "{right:?}");
            assert_eq!(may(None, right, &file), right == Right::Anyone, "{right:?}");
        }
    }

    #[test]
    fn the_code_is_530_without_a_login_and_550_without_the_right() {
        let code = |access| may(access, Right::Add, None).unwrap_err().reply().code();
        assert_eq!(code(None), Code::NOT_LOGGED_IN);
        assert_eq!(code(Some(Access::Read)), Code::UNAVAILABLE);
    }
}
