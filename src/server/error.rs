//! The reasons for refusing a command, and the table from the system's errors to reply codes.
//!
//! Clients see only texts of this program. The system's error goes to the log (see [`Refusal::cause`]),
//! because its text may contain real paths and differs between systems.

use crate::protocol::{Code, Malformed, PathTooLong, Reply};
use crate::sys;
use std::ffi::OsString;
use std::fmt;
use std::io::{self, ErrorKind};
use std::time::Duration;

/// The reason why a command was not executed.
#[derive(Debug)]
pub enum Refusal {
    /// The command needs a login.
    NotLoggedIn,
    /// The name or the password is wrong.
    LoginFailed,
    /// Too many wrong passwords in this session, which ends.
    TooManyFailures,
    /// Too many wrong passwords came from this address, which is refused for this remaining time.
    AddressBlocked(Duration),
    /// The password could not be checked in time: too many are waiting, or the login timeout has passed.
    TooManyLogins,
    /// The login is correct, but the account has reached its limit of sessions.
    TooManySessions,
    /// The login is correct, but the home directory is missing.
    NoHome(io::Error),
    /// The login lacks the permission.
    NotPermitted,
    /// The command is out of sequence.
    Sequence(&'static str),
    /// TLS is not enabled.
    NoTls,
    /// This login requires TLS.
    TlsRequired(&'static str),
    /// This login requires encrypted data connections.
    DataNotEncrypted,
    /// The data connection did not resume the TLS session of the control connection.
    NotResumed,
    /// The control connection does not use TLS.
    ControlNotEncrypted,
    /// The configuration forbids the command.
    Forbidden(&'static str),
    /// PROT S or E, which TLS does not support.
    UnsupportedProtection,
    /// Unencrypted commands followed AUTH; the session ends.
    CommandInjection,
    /// The server's operating system does not support this.
    NotImplemented,
    /// The argument is invalid for this session.
    Argument(&'static str),
    /// The argument is valid, but not supported.
    Parameter(&'static str),
    /// The control connection cannot use this network protocol; the text has the supported ones in
    /// parentheses (RFC 2428 section 2).
    Protocol(&'static str),
    /// The path is not a plain file.
    NotPlainFile,
    /// The file name is not allowed.
    BadName,
    /// The name exists, and the login may store only new names.
    NameTaken,
    /// The offset of REST or RANG is beyond the end of the file.
    BadRestart,
    /// Another session is writing this file.
    Busy,
    /// The data connection could not be opened.
    NoDataConnection(&'static str),
    /// The transfer was aborted.
    Aborted(&'static str),
    /// The operation is not possible for this path.
    Unavailable(&'static str),
    /// The server is shutting down.
    ShuttingDown,
    /// A system error.
    System(io::Error),
}

impl Refusal {
    /// Returns the reply to the client.
    pub fn reply(&self) -> Reply {
        let (code, text) = match self {
            Refusal::AddressBlocked(left) => return address_blocked(*left),
            Refusal::TooManyLogins => {
                (Code::NOT_AVAILABLE, "Too many logins at the same time; try again later.")
            }
            Refusal::TooManySessions => {
                (Code::NOT_AVAILABLE, "Too many sessions for this account; try again later.")
            }
            Refusal::NotLoggedIn => (Code::NOT_LOGGED_IN, "Please log in with USER and PASS."),
            Refusal::LoginFailed => (Code::NOT_LOGGED_IN, "Login incorrect."),
            Refusal::TooManyFailures => {
                (Code::NOT_AVAILABLE, "Login incorrect; too many failures.")
            }
            Refusal::NoHome(_) => (Code::NOT_LOGGED_IN, "Your home directory is not available."),
            Refusal::NoTls => (Code::NOT_IMPLEMENTED, "TLS is not enabled on this server."),
            Refusal::TlsRequired(why) => (Code::NOT_LOGGED_IN, *why),
            Refusal::DataNotEncrypted => (
                Code::DATA_NOT_PROTECTED,
                "Data connections must be encrypted: send PBSZ 0 and PROT P first.",
            ),
            Refusal::NotResumed => (
                Code::TLS_REFUSED,
                "The data connection must resume the TLS session of the control connection.",
            ),
            Refusal::ControlNotEncrypted => {
                (Code::NOT_PROTECTED, "The control connection is not encrypted.")
            }
            Refusal::Forbidden(why) => (Code::AGAINST_POLICY, *why),
            Refusal::UnsupportedProtection => {
                (Code::NO_SUCH_PROTECTION, "Only PROT C and PROT P are supported.")
            }
            Refusal::CommandInjection => {
                (Code::NOT_AVAILABLE, "Commands after AUTH must be encrypted; closing the session.")
            }
            Refusal::NotImplemented => (Code::NOT_IMPLEMENTED, "Not supported on this system."),
            Refusal::NotPermitted => (Code::UNAVAILABLE, "Permission denied."),
            Refusal::Sequence(why) => (Code::BAD_SEQUENCE, *why),
            Refusal::Argument(why) => (Code::BAD_ARGUMENT, *why),
            Refusal::Parameter(why) => (Code::BAD_PARAMETER, *why),
            Refusal::Protocol(why) => (Code::BAD_PROTOCOL, *why),
            Refusal::NotPlainFile => (Code::UNAVAILABLE, "Not a plain file."),
            Refusal::BadName => (Code::BAD_NAME, "File name not allowed."),
            Refusal::NameTaken => {
                (Code::BAD_NAME, "The file exists, and you may store only new files.")
            }
            Refusal::BadRestart => {
                (Code::BAD_RESTART, "Restart offset is beyond the end of the stored data.")
            }
            Refusal::Busy => (Code::FILE_BUSY, "The file is being written by another session."),
            Refusal::NoDataConnection(why) => (Code::CANNOT_OPEN_DATA, *why),
            Refusal::Aborted(why) => (Code::TRANSFER_ABORTED, *why),
            Refusal::Unavailable(why) => (Code::UNAVAILABLE, *why),
            Refusal::ShuttingDown => (Code::NOT_AVAILABLE, "The server is shutting down."),
            Refusal::System(error) => system(error),
        };
        Reply::new(code, text)
    }

    /// Returns the system's error, for the log.
    pub fn cause(&self) -> Option<&io::Error> {
        match self {
            Refusal::System(error) | Refusal::NoHome(error) => Some(error),
            _ => None,
        }
    }
}

fn address_blocked(left: Duration) -> Reply {
    let seconds = left.as_secs() + 1;
    let text = format!("Too many wrong passwords from your address; try again in {seconds} s.");
    Reply::new(Code::NOT_AVAILABLE, text)
}

/// Returns the reply code and text for a system error.
fn system(error: &io::Error) -> (Code, &'static str) {
    match error.kind() {
        _ if RootGone::caused(error) => {
            (Code::UNAVAILABLE, "Your root directory no longer exists; log in again.")
        }
        ErrorKind::NotFound => (Code::UNAVAILABLE, "No such file or directory."),
        ErrorKind::PermissionDenied => (Code::UNAVAILABLE, "Permission denied."),
        ErrorKind::AlreadyExists => (Code::UNAVAILABLE, "A file or directory of that name exists."),
        ErrorKind::NotADirectory => (Code::UNAVAILABLE, "Not a directory."),
        ErrorKind::IsADirectory => (Code::UNAVAILABLE, "Is a directory."),
        ErrorKind::DirectoryNotEmpty => (Code::UNAVAILABLE, "Directory not empty."),
        ErrorKind::ReadOnlyFilesystem => (Code::UNAVAILABLE, "The file system is read-only."),
        ErrorKind::CrossesDevices => {
            (Code::UNAVAILABLE, "Cannot move files to another file system.")
        }
        ErrorKind::QuotaExceeded => (Code::NO_ROOM, "Quota exceeded."),
        ErrorKind::StorageFull | ErrorKind::FileTooLarge => {
            (Code::NO_ROOM, "Not enough space for this file.")
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

/// The root directory of a login was removed or replaced.
#[derive(Clone, Copy, Debug)]
pub struct RootGone;

impl RootGone {
    /// Returns whether `error` has this cause.
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

/// A path was not resolved because of a symbolic link. Clients get the reply for a missing file.
#[derive(Clone, Debug)]
pub enum LinkRefused {
    /// The path leads out of the login's root directory; this link was followed last.
    Outside {
        /// The name of the link.
        name: OsString,
        /// The target of the link.
        target: OsString,
    },
    /// The links of the path form a cycle, or there are too many of them.
    TooMany,
}

impl LinkRefused {
    /// Returns whether `error` has this cause.
    pub fn caused(error: &io::Error) -> bool {
        error.get_ref().is_some_and(|inner| inner.is::<LinkRefused>())
    }
}

impl fmt::Display for LinkRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LinkRefused::Outside { name, target } => {
                let (name, target) = (name.display(), target.display());
                write!(f, "the link {name} to {target} leads out of the user's root directory")
            }
            LinkRefused::TooMany => f.write_str("too many symbolic links in the path"),
        }
    }
}

impl std::error::Error for LinkRefused {}

impl From<LinkRefused> for io::Error {
    fn from(refused: LinkRefused) -> io::Error {
        io::Error::new(ErrorKind::NotFound, refused)
    }
}

/// Returns the reply to an invalid line (RFC 959 section 4.2.2, RFC 2428 section 2).
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
            Reply::new(Code::BAD_PARAMETER, format!("{verb} does not support this parameter."))
        }
        Malformed::Protocol => {
            Reply::new(Code::BAD_PROTOCOL, "Network protocol not supported, use (1,2).")
        }
    }
}
