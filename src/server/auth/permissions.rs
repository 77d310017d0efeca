//! Decides which right a command needs, and which rights a login has.
//!
//! | right | `drop` | `read` | `store` | `write` |
//! |---|---|---|---|---|
//! | [`Right::List`] | yes | yes | yes | yes |
//! | [`Right::Read`] | | yes | yes | yes |
//! | [`Right::Add`] | yes | | yes | yes |
//! | [`Right::Store`] | | | yes | yes |
//! | [`Right::Change`], [`Right::Alter`] | | | | yes |
//!
//! `drop` is a hand-in box. It shows names, sizes and times, and nothing that depends on what is in a
//! file: a digest would tell whether two people handed in the same. It makes no directories: whoever
//! runs the box lays it out, and a directory could take the name of somebody's file. It does not
//! rename, so a client that stores under a temporary name first leaves the file under that name.

use crate::protocol::listing::Perm;
use crate::protocol::{Changes, Command, FtpPath, Malformed, Site, Verb};
use crate::server::accounts::Access;
use crate::server::error::Refusal;

/// The right that a command needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    /// Nothing: allowed before login.
    Anyone,
    /// To be logged in.
    Login,
    /// To see names, sizes and times.
    List,
    /// To learn what is in a file.
    Read,
    /// To store a file under a name that nothing has.
    Add,
    /// To replace a file, to append to it, or to make a directory.
    Store,
    /// To set times, to make links, or to see the other sessions.
    Change,
    /// To remove or rename what stands at a path, or to set its mode: never the root, which stays
    /// as it is.
    Alter,
}

/// Returns the right that a command needs.
pub fn right(command: &Command) -> Right {
    match command {
        Command::Stat(None) => Right::Anyone,
        Command::Mff(Changes { mode: Some(_), .. }, _) => Right::Alter,
        Command::Site(site) => right_of_site(site),
        other => right_of_verb(other.verb()),
    }
}

/// Returns true if a line that cannot be parsed is of a command that needs a login: the client hears
/// 530 first, as for any other argument of that command.
pub fn needs_login(malformed: &Malformed) -> bool {
    match malformed {
        Malformed::Unknown | Malformed::NotImplemented => false,
        // Of EPRT or EPSV.
        Malformed::Protocol => true,
        Malformed::Missing(verb)
        | Malformed::Unexpected(verb)
        | Malformed::Argument(verb, _)
        | Malformed::Parameter(verb) => right_of_verb(*verb) != Right::Anyone,
    }
}

/// Returns the right that commands of a verb need unless [`right`] knows more. Exhaustive, so that a
/// new verb does not compile before someone has decided who may use it.
///
/// STOR and APPE need [`Right::Store`] as well where the name exists.
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
        // Who else is here is not for every visitor to know.
        Site::Utime(..) | Site::Who => Right::Change,
        Site::Chmod(..) | Site::Symlink(..) => Right::Alter,
    }
}

/// Refuses what `access` does not permit: a command that needs `right`, at `path` if it names one.
/// The only place where this is decided. A session asks before it carries out a command, and again
/// for every path that the command comes to.
///
/// # Errors
/// 530 without a login (`access` is `None`), 550 for a login that may not.
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

/// Returns the letters of the fact `perm` (RFC 3659 section 7.5.5) that names can have for `access`.
pub fn letters(access: Access) -> Perm {
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
    fn who_may_do_what_and_where() {
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
    fn nobody_hears_530_and_a_reader_550() {
        let code = |access| may(access, Right::Add, None).unwrap_err().reply().code();
        assert_eq!(code(None), Code::NOT_LOGGED_IN);
        assert_eq!(code(Some(Access::Read)), Code::UNAVAILABLE);
    }
}
