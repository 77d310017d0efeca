//! What a command needs, and whether a login has it.

use crate::protocol::{Changes, Command, FtpPath, Site};
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

/// Returns the right that a command needs. Exhaustive, so that a new command does not compile before someone
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
