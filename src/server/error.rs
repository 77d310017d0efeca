//! Every way to say no, and the one table from the system's errors to reply codes.
//!
//! The peer hears our words; what the system said goes to the log (see [`Refusal::cause`]), since
//! its texts may hold real paths and differ from system to system.

use crate::protocol::{Code, Malformed, PathTooLong, Reply};
use crate::sys;
use std::fmt;
use std::io::{self, ErrorKind};
use std::time::Duration;

/// Why a command was not carried out.
#[derive(Debug)]
pub enum Refusal {
    /// Not before login.
    NotLoggedIn,
    /// Name or password wrong; the same for both.
    LoginFailed,
    /// Too many wrong passwords in one session; it ends.
    TooManyFailures,
    /// Wrong passwords have come from this address, and none is checked for so much longer.
    Guessing(Duration),
    /// No password is checked in time: too many wait for theirs, or the time to log in is over.
    NoTurn,
    /// Name and password were right, but the account has as many sessions as it may have.
    TooManySessions,
    /// Name and password were right, but the home is missing.
    NoHome,
    /// The account may not do this.
    NotPermitted,
    /// The commands before this one do not lead up to it.
    Sequence(&'static str),
    /// The server has no certificate, so that it offers no TLS.
    NoTls,
    /// Whom the name belongs to may log in under TLS alone.
    TlsRequired(&'static str),
    /// Data may not be sent in clear to who is logged in.
    DataInClear,
    /// The data connection did not resume the TLS session of the control connection.
    NotResumed,
    /// The control connection is not under TLS.
    NotSecured,
    /// Forbidden by an option of the server, and what it asks for.
    AgainstPolicy(&'static str),
    /// PROT S and E, which TLS does not offer apart.
    NoSuchProtection,
    /// Commands came in clear behind AUTH; the session ends.
    Injected,
    /// The system the server runs on cannot do this.
    NotImplemented,
    /// The argument is wrong in a way only the session can see.
    Argument(&'static str),
    /// The argument is right, but names what is not offered.
    Parameter(&'static str),
    /// A network protocol this control connection cannot use; the text names in parentheses those
    /// it can (RFC 2428 section 2).
    Protocol(&'static str),
    /// Only plain files are sent.
    NotPlainFile,
    /// The name is not one that can be used.
    BadName,
    /// The name is taken, and the login may store new names only.
    NameTaken,
    /// REST or RANG is beyond what is there.
    BadRestart,
    /// Someone else is writing this file.
    Busy,
    /// No data connection came to be, and why.
    NoDataConnection(&'static str),
    /// The transfer was broken off, and by what.
    Broken(&'static str),
    /// Not possible for this name, and why.
    Unavailable(&'static str),
    /// The server ends.
    ShuttingDown,
    /// The system refused.
    System(io::Error),
}

impl Refusal {
    /// What the client is told.
    pub fn reply(&self) -> Reply {
        let (code, text) = match self {
            Refusal::Guessing(left) => return guessing(*left),
            Refusal::NoTurn => (Code::NOT_AVAILABLE, "Too many logins at once; try again later."),
            Refusal::TooManySessions => {
                (Code::NOT_AVAILABLE, "Too many sessions of this account; try again later.")
            }
            Refusal::NotLoggedIn => (Code::NOT_LOGGED_IN, "Please log in with USER and PASS."),
            Refusal::LoginFailed => (Code::NOT_LOGGED_IN, "Login incorrect."),
            Refusal::TooManyFailures => {
                (Code::NOT_AVAILABLE, "Login incorrect; too many failures.")
            }
            Refusal::NoHome => (Code::NOT_LOGGED_IN, "Your home directory is not available."),
            Refusal::NoTls => (Code::NOT_IMPLEMENTED, "TLS is not enabled on this server."),
            Refusal::TlsRequired(why) => (Code::NOT_LOGGED_IN, *why),
            Refusal::DataInClear => (
                Code::DATA_NOT_PROTECTED,
                "Data connections must be protected here: AUTH TLS, PBSZ 0 and PROT P first.",
            ),
            Refusal::NotResumed => (
                Code::TLS_REFUSED,
                "The data connection must resume the TLS session of the control connection.",
            ),
            Refusal::NotSecured => (Code::NOT_PROTECTED, "The control connection is in clear."),
            Refusal::AgainstPolicy(why) => (Code::AGAINST_POLICY, *why),
            Refusal::NoSuchProtection => {
                (Code::NO_SUCH_PROTECTION, "TLS offers PROT C and P alone.")
            }
            Refusal::Injected => (
                Code::NOT_AVAILABLE,
                "Commands came in clear behind AUTH; they are not carried out.",
            ),
            Refusal::NotImplemented => (Code::NOT_IMPLEMENTED, "Not possible on this system."),
            Refusal::NotPermitted => (Code::UNAVAILABLE, "Permission denied."),
            Refusal::Sequence(why) => (Code::BAD_SEQUENCE, *why),
            Refusal::Argument(why) => (Code::BAD_ARGUMENT, *why),
            Refusal::Parameter(why) => (Code::BAD_PARAMETER, *why),
            Refusal::Protocol(why) => (Code::BAD_PROTOCOL, *why),
            Refusal::NotPlainFile => (Code::UNAVAILABLE, "Not a plain file."),
            Refusal::BadName => (Code::BAD_NAME, "File name not allowed."),
            Refusal::NameTaken => {
                (Code::BAD_NAME, "That name is taken, and you may store new files only.")
            }
            Refusal::BadRestart => {
                (Code::BAD_RESTART, "That is beyond the end of what is stored; begin anew.")
            }
            Refusal::Busy => (Code::FILE_BUSY, "The file is being written by someone else."),
            Refusal::NoDataConnection(why) => (Code::CANNOT_OPEN_DATA, *why),
            Refusal::Broken(why) => (Code::TRANSFER_ABORTED, *why),
            Refusal::Unavailable(why) => (Code::UNAVAILABLE, *why),
            Refusal::ShuttingDown => (Code::NOT_AVAILABLE, "The server is shutting down."),
            Refusal::System(error) => system(error),
        };
        Reply::new(code, text)
    }

    /// What the system said, for the log alone.
    pub fn cause(&self) -> Option<&io::Error> {
        match self {
            Refusal::System(error) => Some(error),
            _ => None,
        }
    }
}

fn guessing(left: Duration) -> Reply {
    let seconds = left.as_secs() + 1;
    let text = format!("Too many wrong passwords from your address; come back in {seconds} s.");
    Reply::new(Code::NOT_AVAILABLE, text)
}

/// The only table from the system's errors to replies.
fn system(error: &io::Error) -> (Code, &'static str) {
    match error.kind() {
        _ if RootGone::caused(error) => {
            (Code::UNAVAILABLE, "The directory of this login is gone; log in again.")
        }
        ErrorKind::NotFound => (Code::UNAVAILABLE, "No such file or directory."),
        ErrorKind::PermissionDenied => (Code::UNAVAILABLE, "Permission denied."),
        ErrorKind::AlreadyExists => (Code::UNAVAILABLE, "A file or directory of that name exists."),
        ErrorKind::NotADirectory => (Code::UNAVAILABLE, "Not a directory."),
        ErrorKind::IsADirectory => (Code::UNAVAILABLE, "Is a directory."),
        ErrorKind::DirectoryNotEmpty => (Code::UNAVAILABLE, "Directory not empty."),
        ErrorKind::ReadOnlyFilesystem => (Code::UNAVAILABLE, "The file system is read-only."),
        ErrorKind::CrossesDevices => (Code::UNAVAILABLE, "Cannot move to another file system."),
        ErrorKind::QuotaExceeded => (Code::NO_ROOM, "Quota exceeded."),
        ErrorKind::StorageFull | ErrorKind::FileTooLarge => {
            (Code::NO_ROOM, "No room left for this file.")
        }
        ErrorKind::InvalidFilename | ErrorKind::InvalidInput => {
            (Code::BAD_NAME, "File name not allowed.")
        }
        ErrorKind::ResourceBusy | ErrorKind::ExecutableFileBusy => {
            (Code::FILE_BUSY, "The file is in use.")
        }
        _ if sys::may_be_link(error) => (Code::UNAVAILABLE, "No such file or directory."),
        _ => (Code::LOCAL_ERROR, "Local error; the server's log has the details."),
    }
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Refusal {
        Refusal::System(error)
    }
}

impl From<PathTooLong> for Refusal {
    fn from(_: PathTooLong) -> Refusal {
        Refusal::BadName
    }
}

/// The root of a login is not the directory at its path any more.
#[derive(Clone, Copy, Debug)]
pub struct RootGone;

impl RootGone {
    /// Returns true if this is what an error is about.
    pub fn caused(error: &io::Error) -> bool {
        error.get_ref().is_some_and(|inner| inner.is::<RootGone>())
    }
}

impl fmt::Display for RootGone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the directory was removed or replaced, or another one is mounted on it")
    }
}

impl std::error::Error for RootGone {}

impl From<RootGone> for io::Error {
    fn from(gone: RootGone) -> io::Error {
        io::Error::new(ErrorKind::NotFound, gone)
    }
}

/// What a client is told of a line that is no command (RFC 959 section 4.2.2, RFC 2428 section 2).
pub fn malformed(malformed: &Malformed) -> Reply {
    match malformed {
        Malformed::Unknown => Reply::new(Code::UNKNOWN_COMMAND, "Unknown command."),
        Malformed::NotImplemented => Reply::new(Code::NOT_IMPLEMENTED, "Command not implemented."),
        Malformed::Missing(verb) => {
            Reply::new(Code::BAD_ARGUMENT, format!("Usage: {verb} {}", verb.row().syntax))
        }
        Malformed::Unexpected(verb) => {
            Reply::new(Code::BAD_ARGUMENT, format!("{verb} takes no argument."))
        }
        Malformed::Argument(verb, expected) => {
            Reply::new(Code::BAD_ARGUMENT, format!("{verb}: expected {expected}."))
        }
        Malformed::Parameter(verb) => {
            Reply::new(Code::BAD_PARAMETER, format!("{verb} is not implemented for that."))
        }
        Malformed::Protocol => {
            Reply::new(Code::BAD_PROTOCOL, "Network protocol not supported, use (1,2).")
        }
    }
}
