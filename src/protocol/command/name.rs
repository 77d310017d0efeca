//! Names and secrets: bytes that can neither end a line nor begin another.

use crate::protocol::path;
use std::fmt;

/// What a client calls a file, a directory or a user: at least one byte, and no CR, LF or NUL, so
/// it can neither end a command nor a reply nor a line of the log.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Vec<u8>);

impl Name {
    /// The name, or `None` if it is empty or holds CR, LF or NUL.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Option<Name> {
        let bytes = bytes.into();
        let forbidden = |b: &u8| matches!(b, b'\r' | b'\n' | 0);
        (!bytes.is_empty() && !bytes.iter().any(forbidden)).then_some(Name(bytes))
    }

    /// The name as bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// As the name of a user, for the log. Who types `USER anna PASS secret` in one line has put a
    /// password into a name; stars stand in its place.
    pub fn as_user(&self) -> String {
        const MISTAKE: &[u8] = b" PASS ";
        let mut windows = self.0.windows(MISTAKE.len());
        match windows.position(|window| window.eq_ignore_ascii_case(MISTAKE)) {
            None => self.to_string(),
            Some(end) => format!("{} PASS ****", String::from_utf8_lossy(&self.0[..end])),
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", String::from_utf8_lossy(&self.0))
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.escape_ascii())
    }
}

impl From<path::FtpPath> for Name {
    fn from(path: path::FtpPath) -> Name {
        Name(path.as_bytes().to_vec())
    }
}

/// A password, or an account as RFC 959 means it. Its `Debug` and `Display` are stars.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// The secret, which may be empty; `None` if it holds CR, LF or NUL.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Option<Secret> {
        let bytes = bytes.into();
        (!bytes.iter().any(|b| matches!(b, b'\r' | b'\n' | 0))).then_some(Secret(bytes))
    }

    /// The secret itself: to be sent or checked, never shown.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("****")
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("****")
    }
}
