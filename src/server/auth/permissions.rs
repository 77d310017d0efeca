//! What a command needs, and whether a login has it.

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
    /// To list or retrieve.
    Read,
    /// To store or make something, or to set times.
    Write,
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
fn right_of_verb(verb: Verb) -> Right {
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
        | Verb::Lang => Right::Anyone,
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
        | Verb::Rang
        | Verb::Site
        | Verb::Abor => Right::Login,
        Verb::Retr
        | Verb::List
        | Verb::Nlst
        | Verb::Mlsd
        | Verb::Mlst
        | Verb::Size
        | Verb::Mdtm
        | Verb::Hash
        | Verb::Xcrc
        | Verb::Xmd5
        | Verb::Xsha1
        | Verb::Xsha256
        | Verb::Xsha512
        | Verb::Dsiz
        | Verb::Stat => Right::Read,
        Verb::Stor
        | Verb::Stou
        | Verb::Appe
        | Verb::Allo
        | Verb::Mkd
        | Verb::Mfmt
        | Verb::Mff
        | Verb::Mfct
        | Verb::Avbl => Right::Write,
        Verb::Rnfr | Verb::Rnto | Verb::Dele | Verb::Rmd | Verb::Rmda => Right::Alter,
    }
}

fn right_of_site(site: &Site) -> Right {
    match site {
        Site::Help => Right::Anyone,
        Site::Idle(_) | Site::Quota => Right::Login,
        // Who else is here is not for every visitor to know.
        Site::Utime(..) | Site::Umask(_) | Site::Mkdir(_) | Site::Who => Right::Write,
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
    let needed = match right {
        Right::Anyone => return Ok(()),
        Right::Login | Right::Read => Access::Read,
        Right::Write | Right::Alter => Access::Write,
    };
    let untouchable = right == Right::Alter && path.is_some_and(FtpPath::is_root);
    match access.ok_or(Refusal::NotLoggedIn)? >= needed && !untouchable {
        true => Ok(()),
        false => Err(Refusal::NotPermitted),
    }
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
        let (reader, writer) = (Some(Access::Read), Some(Access::Write));
        for (right, read, write, at_root) in [
            (Right::Anyone, true, true, true),
            (Right::Login, true, true, true),
            (Right::Read, true, true, true),
            (Right::Write, false, true, true),
            (Right::Alter, false, true, false),
        ] {
            assert_eq!(may(reader, right, &file), read, "{right:?}");
            assert_eq!(may(writer, right, &file), write, "{right:?}");
            assert_eq!(may(writer, right, &root), at_root, "{right:?}");
            assert_eq!(may(None, right, &file), right == Right::Anyone, "{right:?}");
        }
    }

    #[test]
    fn nobody_hears_530_and_a_reader_550() {
        let code = |access| may(access, Right::Write, None).unwrap_err().reply().code();
        assert_eq!(code(None), Code::NOT_LOGGED_IN);
        assert_eq!(code(Some(Access::Read)), Code::UNAVAILABLE);
    }
}
