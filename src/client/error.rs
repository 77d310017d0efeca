//! Every way a command of the client can fail: what is said of it and which exit status it gives.

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
    /// The command was written wrongly.
    Usage,
    /// This side failed: a local file, a local name, a program.
    Local,
    /// The server refused the command for good.
    Remote,
    /// The transfer broke off, or the server refused it for the moment.
    Transfer,
    /// No connection could be made, or it was lost.
    Connection,
    /// The server refused the login.
    Login,
    /// The connection is not protected by TLS as it has to be.
    Tls,
    /// The login was not attempted: there is no password, or it would not be safe to send it.
    Credentials,
    /// Ctrl-C.
    Interrupted,
}

impl ErrorClass {
    /// Returns the exit status of a program that ends with such a failure.
    pub fn status(self) -> u8 {
        match self {
            ErrorClass::OutputClosed => 0,
            ErrorClass::Local | ErrorClass::Remote | ErrorClass::Transfer => 1,
            ErrorClass::Usage => 2,
            ErrorClass::Connection | ErrorClass::Tls => 3,
            ErrorClass::Login | ErrorClass::Credentials => 4,
            // What a shell reports of a program that SIGINT ended.
            ErrorClass::Interrupted => 130,
        }
    }

    /// Returns whether another try may succeed.
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

/// Returns whether a refusal may be over soon. A full disk (452) is not empty a second later.
fn is_transient(reply: &Reply) -> bool {
    reply.code().is_transient_failure() && reply.code() != Code::NO_ROOM_NOW
}

/// Why a command failed. Its text is safe to show, whatever the server sent.
#[derive(Debug)]
pub enum Error {
    /// There is no connection, and the command needs one.
    NotConnected,
    /// The command was written wrongly; the text says what was expected.
    Usage(String),
    /// No connection could be made.
    Connect {
        /// The host and port that were named.
        to: String,
        /// What the system says.
        error: io::Error,
    },
    /// The server does not take the session on.
    Greeting(Reply),
    /// The server does not take user and password.
    Login(Reply),
    /// The server requires TLS before it takes a password, but does not begin it; it heard no password.
    TlsRequired(Reply),
    /// The connection is not protected by TLS as it has to be.
    Tls(TlsFailure),
    /// This `.netrc` holds a password, and others can read it.
    Netrc(PathBuf),
    /// A program that was started here failed; the text says how.
    Program(String),
    /// A password is needed, and there is nobody to ask for it.
    NoPassword,
    /// The server refused the command.
    Refused(Reply),
    /// The server closed the session (421).
    Closing(Reply),
    /// The control connection broke.
    Lost(io::Error),
    /// What came was no reply of an FTP server.
    BadReply(BadReply),
    /// A reply that says yes, without what it should say besides.
    Unintelligible(Reply),
    /// Replies came and came that nobody had asked for.
    TooManyReplies,
    /// No reply came for so long.
    TimedOut(Duration),
    /// The data connection could not be opened.
    NoData {
        /// Where to, if we were the one to connect.
        to: Option<SocketAddr>,
        /// What the system says.
        error: io::Error,
    },
    /// The data connection broke.
    Broken(io::Error),
    /// Nothing moved on the data connection for so long.
    Stalled(Duration),
    /// The server called an upload done before all was sent.
    EndedEarly(Reply),
    /// The server sent fewer bytes than it said the file has.
    TooShort {
        /// What SIZE said.
        expected: u64,
        /// What came.
        got: u64,
    },
    /// The server sent more bytes than it said the file has.
    TooLong {
        /// What SIZE said.
        expected: u64,
    },
    /// The server has fewer or more bytes of a file than it was sent.
    NotWhole {
        /// How many it was sent.
        expected: u64,
        /// How many it says it has.
        got: u64,
    },
    /// The server does not begin a transfer in the middle of a file.
    NoRestart(Reply),
    /// What is here of a file is not what the server has of it.
    OtherContent,
    /// A transfer was tried again, in vain.
    GaveUp {
        /// Why it broke off at first.
        first: Box<Error>,
        /// Why it did at last.
        last: Box<Error>,
    },
    /// Some of many files failed, each of which was told of.
    Some {
        /// How many.
        failed: usize,
        /// Of how many.
        of: usize,
        /// The class of the first failure.
        class: ErrorClass,
    },
    /// Something else stands where something is to be made.
    InTheWay(Vec<u8>),
    /// A tree has more in it, or is deeper, than any would be that is not made to have no end.
    Endless,
    /// The server refused to make a directory.
    NotMade(Vec<u8>, Reply),
    /// The server refused everything that should be stored below a directory.
    Unwritable(Vec<u8>, Reply),
    /// The server refused to list a directory, or something else with this path.
    Unlisted(Vec<u8>, Reply),
    /// The directory is missing in which something was to be made on the server.
    NoRemoteDir {
        /// What was to be made.
        path: Vec<u8>,
        /// Its directory.
        dir: Vec<u8>,
    },
    /// A listing has lines that cannot be read, so what the directory holds is not known.
    BadListing {
        /// The directory; empty: the current one.
        dir: Vec<u8>,
        /// The first of the lines, or its beginning.
        line: Vec<u8>,
        /// How many others there are.
        more: usize,
    },
    /// No file has a name of this pattern.
    NothingMatches(Vec<u8>),
    /// Another file has, or could have, the same name here.
    SameName(Vec<u8>),
    /// A name that cannot be sent: it is empty, or holds CR, LF or NUL.
    BadName(Vec<u8>),
    /// The last part of a remote name, where a local file cannot be called so.
    BadLocalName(Vec<u8>),
    /// The local side of a transfer failed.
    Local(io::Error),
    /// A local file failed.
    File {
        /// Which.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// Nobody reads standard output any more: no failure, but a reason to end.
    OutputClosed,
    /// Ctrl-C.
    Interrupted,
}

/// A wrong option of a command.
impl From<crate::args::Usage> for Error {
    fn from(usage: crate::args::Usage) -> Error {
        Error::Usage(usage.to_string())
    }
}

impl Error {
    /// Returns the class of the failure, which decides on the exit status and on another try.
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

    /// Returns the exit status of the program that ends with this.
    pub fn status(&self) -> u8 {
        self.class().status()
    }

    /// Returns whether another try may succeed. What was tried again in vain is not.
    pub(super) fn is_worth_a_retry(&self) -> bool {
        match self {
            Error::GaveUp { .. } | Error::Some { .. } => false,
            // A login that is refused stays refused, unless the server is only busy.
            Error::Greeting(reply) | Error::Login(reply) => is_transient(reply),
            other => other.class().is_worth_a_retry(),
        }
    }

    /// Returns this failure beside the first, whose cause was tried to be overcome in vain.
    pub(super) fn after(self, first: Error) -> Error {
        match self {
            Error::Interrupted | Error::OutputClosed => self,
            // The connection was lost earlier, and why was told then.
            _ if matches!(&first, Error::Lost(error) if error.kind() == io::ErrorKind::NotConnected) => {
                self
            }
            Error::GaveUp { last, .. } => Error::GaveUp { first: Box::new(first), last },
            last => Error::GaveUp { first: Box::new(first), last: Box::new(last) },
        }
    }

    /// Returns whether no other file of a batch could succeed.
    pub(super) fn ends_batch(&self) -> bool {
        match self {
            Error::Interrupted | Error::OutputClosed | Error::Unwritable(..) => true,
            Error::GaveUp { last, .. } => last.ends_batch(),
            _ => self.is_for_want_of_room(),
        }
    }

    /// Sorts an error of the control connection.
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

    /// Names the file whose side of a transfer failed.
    pub(super) fn at(self, path: PathBuf) -> Error {
        match self {
            Error::Local(error) => Error::File { path, error },
            Error::GaveUp { first, last } => Error::GaveUp { first, last: Box::new(last.at(path)) },
            other => other,
        }
    }

    /// Whether this side has no room for another byte.
    pub(super) fn is_for_want_of_room(&self) -> bool {
        match self {
            Error::File { error, .. } | Error::Local(error) => {
                matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
            }
            Error::GaveUp { last, .. } => last.is_for_want_of_room(),
            _ => false,
        }
    }

    /// Names the directory that could not be listed.
    pub(super) fn at_remote(self, path: &[u8]) -> Error {
        match self {
            Error::Refused(reply) => Error::Unlisted(path.to_vec(), reply),
            other => other,
        }
    }

    /// Returns true if the text begins with the path that it is about.
    pub(super) fn names_path(&self) -> bool {
        match self {
            Error::File { .. } | Error::Unlisted(..) | Error::NoRemoteDir { .. } => true,
            Error::GaveUp { first, .. } => first.names_path(),
            _ => false,
        }
    }

    /// Names standard output as the local side of a transfer that failed.
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

    /// An error of standard output.
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
                // What most often was forgotten.
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
                "the server requires TLS, but does not begin it; no password was sent: {}",
                text(reply)
            ),
            Error::Tls(failure) => failure.fmt(f),
            Error::Netrc(path) => write!(
                f,
                "{}: others can read the password in it; chmod 600 it, or use --no-netrc",
                shown(path.as_os_str().as_encoded_bytes())
            ),
            Error::Program(text) => f.write_str(text),
            Error::NoPassword => f.write_str(
                "no password: set FTP_PASSWORD, add it to .netrc, or run this on a terminal",
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
                write!(f, "this reply does not say what it should: {}", text(reply))
            }
            Error::TooManyReplies => f.write_str("the server does not stop talking"),
            Error::TimedOut(patience) => {
                write!(f, "no reply from the server for {} s", patience.as_secs())
            }
            Error::NoData { to: Some(to), error } => {
                write!(f, "no data connection to {to}: {}", Reason(error))
            }
            Error::NoData { to: None, error } => {
                write!(f, "no data connection from the server: {}", Reason(error))
            }
            Error::Broken(error) => write!(f, "the data connection broke: {}", tls::words(error)),
            Error::Stalled(patience) => {
                write!(f, "the transfer stood still for {} s", patience.as_secs())
            }
            Error::EndedEarly(reply) => {
                write!(f, "the server ended the transfer before its end: {}", text(reply))
            }
            Error::TooLong { expected } => {
                write!(f, "the server sent more than the {expected} bytes it promised")
            }
            Error::TooShort { expected, got } => {
                write!(f, "the server sent {got} of the {expected} bytes it promised")
            }
            Error::NotWhole { expected, got } => {
                write!(f, "the server has {got} bytes of a file of {expected}")
            }
            Error::NoRestart(reply) => {
                write!(f, "the server cannot go on in the middle of a file: {}", text(reply))
            }
            Error::OtherContent => f.write_str("what is here is not a part of what the server has"),
            Error::GaveUp { first, last } if first.to_string() == last.to_string() => first.fmt(f),
            Error::GaveUp { first, last } => write!(f, "{first}; tried again: {last}"),
            Error::Some { failed, of, .. } => write!(f, "{failed} of {of} failed"),
            Error::InTheWay(path) => {
                write!(f, "\"{}\": something else stands there; --delete removes it", shown(path))
            }
            Error::Endless => f.write_str("the tree does not end"),
            Error::BadListing { dir, line, more } => {
                let dir = if dir.is_empty() { &b"."[..] } else { dir };
                write!(f, "cannot read the listing of \"{}\": \"{}\"", shown(dir), shown(line))?;
                if *more > 0 { write!(f, " and {more} more lines") } else { Ok(()) }
            }
            Error::NotMade(path, reply) => {
                write!(f, "cannot make {} on the server: {}", shown(path), text(reply))
            }
            Error::Unwritable(path, reply) => {
                write!(f, "cannot write to {} on the server: {}", shown(path), text(reply))
            }
            Error::NoRemoteDir { path, dir } => write!(
                f,
                "{}: no such directory on the server; MKD -p {} makes it",
                shown(path),
                shown(dir)
            ),
            Error::Unlisted(path, reply) => write!(f, "{}: {}", shown(path), text(reply)),
            Error::NothingMatches(pattern) => write!(f, "nothing matches {}", shown(pattern)),
            Error::SameName(name) => {
                write!(f, "\"{}\" would replace another file of this name", shown(name))
            }
            Error::BadName(name) if name.is_empty() => f.write_str("a name cannot be empty"),
            Error::BadName(name) => {
                write!(f, "\"{}\": a name cannot hold CR, LF or NUL", shown(name))
            }
            Error::BadLocalName(name) => {
                let name = shown(name);
                write!(f, "\"{name}\" is no name for a local file: name one after it")
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

/// Says what is wrong with a local file. Where none is found it is most often the directory that is another
/// one than the user thinks.
fn write_local_reason(f: &mut fmt::Formatter<'_>, path: &Path, error: &io::Error) -> fmt::Result {
    // The words of a caller that knows better.
    if error.kind() != io::ErrorKind::NotFound || error.get_ref().is_some() {
        return write!(f, "{}", Reason(error));
    }
    let above = path.parent().filter(|above| !above.as_os_str().is_empty());
    let what = if above.is_some_and(|above| !above.is_dir()) { "directory" } else { "file" };
    write!(f, "no such {what} here")?;
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
    fn what_a_server_says_is_shown_harmless() {
        let reply = Reply::lines(Code::UNAVAILABLE, "\x1b[2J", [b"a\rb".to_vec()], "c");
        let error = Error::Refused(reply);
        assert_eq!(error.to_string(), "550-\\x1b[2J\na?b\n550 c");
    }

    #[test]
    fn errors_of_the_control_connection_are_sorted() {
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
    fn the_class_decides_on_the_exit_status_and_on_another_try() {
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
