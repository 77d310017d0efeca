//! The errors of the client, with their messages and exit statuses.

mod tls;

pub use tls::TlsFailure;

use crate::protocol::{BadReply, Code, Reply};
use crate::sys::{TlsError, TlsErrorKind};
use crate::text::{Reason, shown, shown_lines};
use std::env;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The class of a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorClass {
    /// The reader of standard output has closed it.
    OutputClosed,
    /// The command is invalid.
    Usage,
    /// A local file, name or program failed.
    Local,
    /// The server refused the command permanently.
    Remote,
    /// The transfer was interrupted, or the server refused it temporarily.
    Transfer,
    /// The client could not connect, or the connection was lost.
    Connection,
    /// The server refused the login.
    Login,
    /// The connection is not protected by TLS as required.
    Tls,
    /// The login was not attempted, because there is no password or sending it would not be safe.
    Credentials,
    /// Ctrl-C.
    Interrupted,
}

impl ErrorClass {
    /// Returns the exit status of the client after such a failure.
    pub fn status(self) -> u8 {
        match self {
            ErrorClass::OutputClosed => 0,
            ErrorClass::Local | ErrorClass::Remote | ErrorClass::Transfer => 1,
            ErrorClass::Usage => 2,
            ErrorClass::Connection | ErrorClass::Tls => 3,
            ErrorClass::Login | ErrorClass::Credentials => 4,
            // The status that a shell reports for a program that SIGINT ended.
            ErrorClass::Interrupted => 130,
        }
    }

    /// Returns whether a retry may succeed.
    fn is_worth_a_retry(self) -> bool {
        match self {
            ErrorClass::Transfer | ErrorClass::Connection => true,
            ErrorClass::OutputClosed
            | ErrorClass::Usage
            | ErrorClass::Local
            | ErrorClass::Remote
            | ErrorClass::Login
            | ErrorClass::Tls
            | ErrorClass::Credentials
            | ErrorClass::Interrupted => false,
        }
    }
}

/// Returns whether a refusal is temporary. A full disk (452) is not, because a retry seconds later would
/// fail, too.
fn is_transient(reply: &Reply) -> bool {
    reply.code().is_transient_failure() && reply.code() != Code::NO_ROOM_NOW
}

/// The error of a command. Its message has no control characters, whatever the server sent.
#[derive(Debug)]
pub enum Error {
    /// The command needs a connection.
    NotConnected,
    /// The command is invalid; the text says what was expected.
    Usage(String),
    /// The client could not connect.
    Connect {
        /// The host and port.
        to: String,
        /// The system's error.
        error: io::Error,
    },
    /// The greeting is negative.
    Greeting(Reply),
    /// The server refused the login.
    Login(Reply),
    /// The server requires TLS before it takes a password, but does not begin it; it heard no password.
    TlsRequired(Reply),
    /// The connection is not protected by TLS as required.
    Tls(TlsFailure),
    /// This `.netrc` has a password, and other users can read the file.
    Netrc(PathBuf),
    /// A local program failed; the text says how.
    Program(String),
    /// A password is needed, and there is no terminal to ask for it.
    NoPassword,
    /// The server refused the command.
    Refused(Reply),
    /// The server closed the session (421).
    Closing(Reply),
    /// The control connection failed.
    Lost(io::Error),
    /// The server sent text that is not an FTP reply.
    BadReply(BadReply),
    /// A positive reply without the expected value.
    Unintelligible(Reply),
    /// Too many unsolicited replies arrived.
    TooManyReplies,
    /// No reply arrived for this long.
    TimedOut(Duration),
    /// The data connection could not be opened.
    NoData {
        /// The address, if the client was to connect.
        to: Option<SocketAddr>,
        /// The system's error.
        error: io::Error,
    },
    /// The data connection failed.
    Broken(io::Error),
    /// No bytes moved on the data connection for this long.
    Stalled(Duration),
    /// The server confirmed an upload before all bytes were sent.
    EndedEarly(Reply),
    /// The server sent fewer bytes than the size of the file.
    TooShort {
        /// The size of the file.
        expected: u64,
        /// The number of received bytes.
        got: u64,
    },
    /// The server sent more bytes than the size of the file.
    TooLong {
        /// The size of the file.
        expected: u64,
    },
    /// The remote size after an upload is wrong.
    NotWhole {
        /// The expected size.
        expected: u64,
        /// The size that the server reports.
        got: u64,
    },
    /// The server refuses REST.
    NoRestart(Reply),
    /// The local file does not match the remote file.
    OtherContent,
    /// All retries failed.
    GaveUp {
        /// The first failure.
        first: Box<Error>,
        /// The last failure.
        last: Box<Error>,
    },
    /// Some of many files failed. Each failure was reported already.
    Some {
        /// The number of failures.
        failed: usize,
        /// The number of files.
        of: usize,
        /// The class of the first failure.
        class: ErrorClass,
    },
    /// A path of a mirror exists as a different kind of file.
    InTheWay(Vec<u8>),
    /// A tree or listing is larger or deeper than the limit.
    Endless,
    /// The server refused to make a directory.
    NotMade(Vec<u8>, Reply),
    /// The server refused everything that should be stored below a directory.
    Unwritable(Vec<u8>, Reply),
    /// The server refused a command on this path, such as listing a directory.
    Unlisted(Vec<u8>, Reply),
    /// The remote directory of a path to be created does not exist.
    NoRemoteDir {
        /// The path.
        path: Vec<u8>,
        /// Its directory.
        dir: Vec<u8>,
    },
    /// A listing has lines that cannot be parsed, so the content of the directory is unknown.
    BadListing {
        /// The directory; empty for the current one.
        dir: Vec<u8>,
        /// The first of the lines, or its beginning.
        line: Vec<u8>,
        /// The number of further lines.
        more: usize,
    },
    /// No file matches this pattern.
    NothingMatches(Vec<u8>),
    /// Another file has the same local name, or a name that the file system may treat as equal.
    SameName(Vec<u8>),
    /// A name that cannot be sent: it is empty, or contains CR, LF or NUL.
    BadName(Vec<u8>),
    /// A remote name whose last part is not a valid local file name.
    BadLocalName(Vec<u8>),
    /// The local side of a transfer failed.
    Local(io::Error),
    /// A local file failed.
    File {
        /// The path.
        path: PathBuf,
        /// The system's error.
        error: io::Error,
    },
    /// The reader of standard output has closed it. The client ends without a failure.
    OutputClosed,
    /// Ctrl-C.
    Interrupted,
}

/// Converts the error of an invalid option.
impl From<crate::args::Usage> for Error {
    fn from(usage: crate::args::Usage) -> Error {
        Error::Usage(usage.to_string())
    }
}

impl Error {
    /// Returns the class of the failure, which determines the exit status and whether there is a retry.
    pub fn class(&self) -> ErrorClass {
        match self {
            Error::OutputClosed => ErrorClass::OutputClosed,
            Error::Interrupted => ErrorClass::Interrupted,
            Error::Usage(_) => ErrorClass::Usage,
            Error::InTheWay(_)
            | Error::SameName(_)
            | Error::BadName(_)
            | Error::BadLocalName(_)
            | Error::Program(_)
            | Error::Local(_)
            | Error::File { .. } => ErrorClass::Local,
            Error::Refused(reply) if is_transient(reply) => ErrorClass::Transfer,
            Error::NotConnected
            | Error::Refused(_)
            | Error::Unintelligible(_)
            | Error::Endless
            | Error::Unlisted(..)
            | Error::NoRemoteDir { .. }
            | Error::NotMade(..)
            | Error::Unwritable(..)
            | Error::BadListing { .. }
            | Error::NothingMatches(_) => ErrorClass::Remote,
            Error::NoData { .. }
            | Error::Broken(_)
            | Error::Stalled(_)
            | Error::EndedEarly(_)
            | Error::TooShort { .. }
            | Error::TooLong { .. }
            | Error::NotWhole { .. }
            | Error::NoRestart(_)
            | Error::OtherContent => ErrorClass::Transfer,
            Error::Connect { .. }
            | Error::Greeting(_)
            | Error::Closing(_)
            | Error::Lost(_)
            | Error::BadReply(_)
            | Error::TooManyReplies
            | Error::TimedOut(_) => ErrorClass::Connection,
            Error::Tls(_) => ErrorClass::Tls,
            Error::Login(_) => ErrorClass::Login,
            Error::TlsRequired(_) | Error::Netrc(_) | Error::NoPassword => ErrorClass::Credentials,
            Error::GaveUp { first, .. } => first.class(),
            Error::Some { class, .. } => *class,
        }
    }

    /// Returns the exit status of the client after this error.
    pub fn status(&self) -> u8 {
        self.class().status()
    }

    /// Returns whether a retry may succeed.
    pub(super) fn is_worth_a_retry(&self) -> bool {
        match self {
            Error::GaveUp { .. } | Error::Some { .. } => false,
            // A login that is refused stays refused, unless the server is only busy.
            Error::Greeting(reply) | Error::Login(reply) => is_transient(reply),
            other => other.class().is_worth_a_retry(),
        }
    }

    /// Combines this failure of a retry with the first failure.
    pub(super) fn after(self, first: Error) -> Error {
        match self {
            Error::Interrupted | Error::OutputClosed => self,
            // The connection was lost earlier, and that was reported then.
            _ if matches!(&first, Error::Lost(error) if error.kind() == io::ErrorKind::NotConnected) => {
                self
            }
            Error::GaveUp { last, .. } => Error::GaveUp { first: Box::new(first), last },
            last => Error::GaveUp { first: Box::new(first), last: Box::new(last) },
        }
    }

    /// Returns whether the error ends a batch, because no other file could succeed.
    pub(super) fn ends_batch(&self) -> bool {
        match self {
            Error::Interrupted | Error::OutputClosed | Error::Unwritable(..) => true,
            Error::GaveUp { last, .. } => last.ends_batch(),
            _ => self.is_for_want_of_room(),
        }
    }

    /// Converts an error of the control connection.
    pub(super) fn of_control(error: io::Error, patience: Duration) -> Error {
        match (error.kind(), TlsError::of(&error).map(TlsError::kind)) {
            (io::ErrorKind::TimedOut, _) => return Error::TimedOut(patience),
            (_, Some(TlsErrorKind::Truncated | TlsErrorKind::HandshakeEnded)) => {
                return Error::Lost(error);
            }
            (_, Some(_)) => return Error::Tls(TlsFailure::Broken(error)),
            (io::ErrorKind::InvalidData, None) => {}
            _ => return Error::Lost(error),
        }
        match error.downcast::<BadReply>() {
            Ok(bad) => Error::BadReply(bad),
            Err(error) => Error::Lost(error),
        }
    }

    /// Adds the path of the local file to an error of the local side.
    pub(super) fn at(self, path: PathBuf) -> Error {
        match self {
            Error::Local(error) => Error::File { path, error },
            Error::GaveUp { first, last } => Error::GaveUp { first, last: Box::new(last.at(path)) },
            other => other,
        }
    }

    /// Returns whether the local disk or quota is full.
    pub(super) fn is_for_want_of_room(&self) -> bool {
        match self {
            Error::File { error, .. } | Error::Local(error) => {
                matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
            }
            Error::GaveUp { last, .. } => last.is_for_want_of_room(),
            _ => false,
        }
    }

    /// Adds the remote path to a refusal.
    pub(super) fn at_remote(self, path: &[u8]) -> Error {
        match self {
            Error::Refused(reply) => Error::Unlisted(path.to_vec(), reply),
            other => other,
        }
    }

    /// Returns true if the message begins with the path.
    pub(super) fn names_path(&self) -> bool {
        match self {
            Error::File { .. } | Error::Unlisted(..) | Error::NoRemoteDir { .. } => true,
            Error::GaveUp { first, .. } => first.names_path(),
            _ => false,
        }
    }

    /// Converts an error of the local side that is standard output.
    pub(super) fn of_stdout(self) -> Error {
        match self {
            Error::Local(error) => Error::of_output(error),
            Error::GaveUp { first, last } => match last.of_stdout() {
                Error::OutputClosed => Error::OutputClosed,
                last => Error::GaveUp { first, last: Box::new(last) },
            },
            other => other,
        }
    }

    /// Converts an error of standard output.
    pub(super) fn of_output(error: io::Error) -> Error {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Error::OutputClosed,
            _ => Error::File { path: "standard output".into(), error },
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::NotConnected => f.write_str("not connected: use CONNECT <host> <port> first"),
            Error::Usage(text) => f.write_str(text),
            Error::Connect { to, error } => {
                write!(f, "cannot connect to {}: {}", shown(to.as_bytes()), Reason(error))?;
                // A common mistake is to omit the port.
                let usual = to.ends_with(" port 21");
                match error.kind() {
                    io::ErrorKind::ConnectionRefused if usual => {
                        f.write_str(" (21 is FTP's own port; ftp_server listens on 1026)")
                    }
                    _ => Ok(()),
                }
            }
            Error::Greeting(reply) => write!(f, "the server is not ready: {}", text(reply)),
            Error::Login(reply) => write!(f, "login refused: {}", text(reply)),
            Error::TlsRequired(reply) => write!(
                f,
                "the server requires TLS but refuses AUTH TLS; no password was sent: {}",
                text(reply)
            ),
            Error::Tls(failure) => failure.fmt(f),
            Error::Netrc(path) => write!(
                f,
                "{}: other users can read the password in it; use chmod 600 or --no-netrc",
                shown(path.as_os_str().as_encoded_bytes())
            ),
            Error::Program(text) => f.write_str(text),
            Error::NoPassword => f.write_str(
                "no password: set FTP_PASSWORD, add it to .netrc, or run the client on a terminal",
            ),
            Error::Refused(reply) => f.write_str(&text(reply)),
            Error::Closing(reply) => {
                write!(f, "the server closed the connection: {}", text(reply))
            }
            Error::Lost(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                f.write_str("the server closed the connection")
            }
            Error::Lost(error) => write!(f, "the connection was lost: {}", tls::words(error)),
            Error::BadReply(bad) => bad.fmt(f),
            Error::Unintelligible(reply) => {
                write!(f, "unexpected reply: {}", text(reply))
            }
            Error::TooManyReplies => f.write_str("too many unexpected replies from the server"),
            Error::TimedOut(patience) => {
                write!(f, "no reply from the server for {} s", patience.as_secs())
            }
            Error::NoData { to: Some(to), error } => {
                write!(f, "cannot open a data connection to {to}: {}", Reason(error))
            }
            Error::NoData { to: None, error } => {
                write!(f, "cannot accept a data connection from the server: {}", Reason(error))
            }
            Error::Broken(error) => {
                write!(f, "the data connection was lost: {}", tls::words(error))
            }
            Error::Stalled(patience) => {
                write!(f, "the transfer stalled for {} s", patience.as_secs())
            }
            Error::EndedEarly(reply) => {
                write!(f, "the server ended the transfer too early: {}", text(reply))
            }
            Error::TooLong { expected } => {
                write!(f, "the server sent more than the expected {expected} bytes")
            }
            Error::TooShort { expected, got } => {
                write!(f, "the server sent only {got} of {expected} bytes")
            }
            Error::NotWhole { expected, got } => {
                write!(f, "the server reports {got} bytes for a file of {expected} bytes")
            }
            Error::NoRestart(reply) => {
                write!(f, "the server cannot resume a transfer: {}", text(reply))
            }
            Error::OtherContent => {
                f.write_str("the local file does not match the remote file; cannot resume")
            }
            Error::GaveUp { first, last } if first.to_string() == last.to_string() => first.fmt(f),
            Error::GaveUp { first, last } => write!(f, "{first}; the last retry failed: {last}"),
            Error::Some { failed, of, .. } => write!(f, "{failed} of {of} failed"),
            Error::InTheWay(path) => {
                let path = shown(path);
                write!(
                    f,
                    "cannot create \"{path}\": another kind of file exists; --delete removes it"
                )
            }
            Error::Endless => f.write_str("the directory tree is too large"),
            Error::BadListing { dir, line, more } => {
                let dir = if dir.is_empty() { &b"."[..] } else { dir };
                write!(f, "cannot read the listing of \"{}\": \"{}\"", shown(dir), shown(line))?;
                if *more > 0 { write!(f, " and {more} more lines") } else { Ok(()) }
            }
            Error::NotMade(path, reply) => {
                write!(
                    f,
                    "cannot make the directory {} on the server: {}",
                    shown(path),
                    text(reply)
                )
            }
            Error::Unwritable(path, reply) => {
                write!(f, "cannot write to {} on the server: {}", shown(path), text(reply))
            }
            Error::NoRemoteDir { path, dir } => write!(
                f,
                "{}: no such directory on the server; MKDIR -p {} makes it",
                shown(path),
                shown(dir)
            ),
            Error::Unlisted(path, reply) => write!(f, "{}: {}", shown(path), text(reply)),
            Error::NothingMatches(pattern) => write!(f, "no file matches {}", shown(pattern)),
            Error::SameName(name) => {
                write!(f, "cannot store \"{}\": another file has the same name", shown(name))
            }
            Error::BadName(name) if name.is_empty() => f.write_str("a name cannot be empty"),
            Error::BadName(name) => {
                write!(f, "\"{}\": a name cannot contain CR, LF or NUL", shown(name))
            }
            Error::BadLocalName(name) => {
                let name = shown(name);
                write!(f, "\"{name}\" is not a valid local file name; give a local name after it")
            }
            Error::Local(error) => Reason(error).fmt(f),
            Error::File { path, error } => {
                write!(f, "{}: ", shown(path.as_os_str().as_encoded_bytes()))?;
                write_local_reason(f, path, error)
            }
            Error::OutputClosed => f.write_str("standard output was closed"),
            Error::Interrupted => f.write_str("interrupted"),
        }
    }
}

/// Writes the error of a local file. If it does not exist, the message contains the current directory, because
/// users are often in a different directory than they think.
fn write_local_reason(f: &mut fmt::Formatter<'_>, path: &Path, error: &io::Error) -> fmt::Result {
    // The caller has given a more specific message.
    if error.kind() != io::ErrorKind::NotFound || error.get_ref().is_some() {
        return write!(f, "{}", Reason(error));
    }
    let above = path.parent().filter(|above| !above.as_os_str().is_empty());
    let what = if above.is_some_and(|above| !above.is_dir()) { "directory" } else { "file" };
    write!(f, "no such local {what}")?;
    match env::current_dir() {
        Ok(dir) if path.is_relative() => {
            write!(f, " ({})", shown(dir.as_os_str().as_encoded_bytes()))
        }
        _ => Ok(()),
    }
}

impl std::error::Error for Error {}

fn text(reply: &Reply) -> String {
    shown_lines(reply.to_string().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Code;

    #[test]
    fn control_characters_of_a_reply_are_escaped() {
        let reply = Reply::lines(Code::UNAVAILABLE, "\x1b[2J", [b"a\rb".to_vec()], "c");
        let error = Error::Refused(reply);
        assert_eq!(error.to_string(), "550-\\x1b[2J\na?b\n550 c");
    }

    #[test]
    fn errors_of_the_control_connection_are_converted() {
        let sorted = |error| Error::of_control(error, Duration::from_secs(7));
        assert!(matches!(sorted(io::ErrorKind::TimedOut.into()), Error::TimedOut(_)));
        assert!(matches!(sorted(io::ErrorKind::UnexpectedEof.into()), Error::Lost(_)));
        let bad = io::Error::new(io::ErrorKind::InvalidData, BadReply::TooLong);
        assert!(matches!(sorted(bad), Error::BadReply(BadReply::TooLong)));
    }

    #[test]
    fn a_closed_output_is_no_failure() {
        assert_eq!(Error::of_output(io::ErrorKind::BrokenPipe.into()).status(), 0);
        assert_eq!(Error::of_output(io::ErrorKind::StorageFull.into()).status(), 1);
    }

    #[test]
    fn the_class_determines_the_exit_status_and_retries() {
        let reply = |code| Reply::new(code, "no");
        let lost = || Error::Lost(io::ErrorKind::ConnectionReset.into());
        let gave_up = Error::GaveUp { first: Box::new(lost()), last: Box::new(Error::Endless) };
        let some = Error::Some { failed: 1, of: 2, class: ErrorClass::Login };
        for (error, status, retried) in [
            (Error::Usage("no".to_owned()), 2, false),
            (Error::Local(io::ErrorKind::StorageFull.into()), 1, false),
            (Error::Refused(reply(Code::UNAVAILABLE)), 1, false),
            (Error::Refused(reply(Code::NO_ROOM_NOW)), 1, false),
            (Error::Refused(reply(Code::CANNOT_OPEN_DATA)), 1, true),
            (Error::TooShort { expected: 2, got: 1 }, 1, true),
            (lost(), 3, true),
            (Error::Login(reply(Code::NOT_LOGGED_IN)), 4, false),
            (Error::Login(reply(Code::LOCAL_ERROR)), 4, true),
            (Error::Greeting(reply(Code::UNAVAILABLE)), 3, false),
            (Error::NoPassword, 4, false),
            (Error::Interrupted, 130, false),
            (gave_up, 3, false),
            (some, 4, false),
        ] {
            assert_eq!((error.status(), error.is_worth_a_retry()), (status, retried), "{error}");
        }
    }
}
