//! Names and secrets: bytes that cannot contain a line end.

use crate::protocol::path;
use std::borrow::Cow;
use std::fmt;

/// The name of a file, a directory or a user: at least one byte, without LF and NUL. Only
/// [`Name::from_wire`] and [`Name::of_file`] accept a CR, which is sent as `CR NUL` (RFC 2640
/// section 3.1), so a name cannot end a command or a reply.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Vec<u8>);

impl Name {
    /// Returns the name, or `None` if it is empty or contains CR, LF or NUL.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Option<Name> {
        Name::of_file(bytes).filter(|name| !name.0.contains(&b'\r'))
    }

    /// Returns the name of a file on the server, which may contain CR; `None` if the name is empty
    /// or contains LF or NUL.
    ///
    /// Clients do not use this function: a server without RFC 2640 takes the NUL that follows the
    /// CR on the wire for the end of the command.
    pub fn of_file(bytes: impl Into<Vec<u8>>) -> Option<Name> {
        let bytes = bytes.into();
        let allowed = !bytes.is_empty() && !bytes.iter().any(|b| matches!(b, b'\n' | 0));
        allowed.then_some(Name(bytes))
    }

    /// Reads a name from a command line, in which `CR NUL` stands for a CR (RFC 2640 section 3.1).
    /// Returns `None` if the name is empty or contains LF, or a CR or NUL outside of such a pair.
    pub fn from_wire(text: &[u8]) -> Option<Name> {
        if !text.contains(&b'\r') {
            return Name::new(text);
        }
        let mut bytes = Vec::with_capacity(text.len());
        let mut rest = text.iter();
        while let Some(&byte) = rest.next() {
            if byte == b'\r' && rest.next() != Some(&0) {
                return None;
            }
            bytes.push(byte);
        }
        Name::of_file(bytes)
    }

    /// Returns the name in its wire form, the inverse of [`Name::from_wire`].
    pub fn to_wire(&self) -> Cow<'_, [u8]> {
        path::to_wire(&self.0)
    }

    /// Returns the bytes of the name.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Returns a user name for display. A user who types `USER anna PASS secret` on one line has
    /// put a password into the name; it is replaced with stars.
    pub fn masked(&self) -> Cow<'_, [u8]> {
        const MISTAKE: &[u8] = b" PASS ";
        let mut windows = self.0.windows(MISTAKE.len());
        match windows.position(|window| window.eq_ignore_ascii_case(MISTAKE)) {
            None => Cow::Borrowed(&self.0),
            Some(end) => Cow::Owned([&self.0[..end], b" PASS ****"].concat()),
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

/// A password, or an account in the sense of RFC 959. Its `Debug` and `Display` are stars.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// Returns the secret, which may be empty; `None` if it contains CR, LF or NUL.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Option<Secret> {
        let bytes = bytes.into();
        (!bytes.iter().any(|b| matches!(b, b'\r' | b'\n' | 0))).then_some(Secret(bytes))
    }

    /// Returns the secret as clear text, to be sent or verified and never displayed.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_carriage_return_is_followed_by_nul_on_the_wire() {
        for (name, wire) in
            [(&b"a"[..], &b"a"[..]), (b"a\rb", b"a\r\0b"), (b"\r", b"\r\0"), (b"\r\r", b"\r\0\r\0")]
        {
            let name = Name::of_file(name).unwrap();
            assert_eq!(name.to_wire(), wire);
            assert_eq!(Name::from_wire(wire), Some(name));
        }
        for bad in [&b""[..], b"a\rb", b"a\r", b"a\0", b"\0\r", b"a\nb", b"a\r\0\0", b"a\r\0\n"] {
            assert_eq!(Name::from_wire(bad), None, "{}", bad.escape_ascii());
        }
        assert_eq!(Name::new(&b"a\rb"[..]), None);
    }
}
