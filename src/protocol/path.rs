//! Paths as clients see them: absolute, normalised, bytes.
//!
//! A [`FtpPath`] has no `.`, no `..`, no empty part, no LF and no NUL, so whatever was typed, it names
//! something at or below `/`. What `/` is on disk is the server's affair.
//! `..` is resolved by spelling, as every FTP server does it: `CWD link` and then `CDUP` leads back
//! to where the link stands.

use super::{MAX_PATH, Name};
use std::borrow::Cow;
use std::fmt;

/// An absolute path, normalised: `/`, or `/` and parts with one `/` between them.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FtpPath(Vec<u8>);

/// A path longer than [`MAX_PATH`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathTooLong;

impl FtpPath {
    /// `/`, where every session begins.
    pub fn root() -> FtpPath {
        FtpPath(b"/".to_vec())
    }

    /// What `name` means to someone who stands here: relative, or absolute if it begins with `/`.
    ///
    /// # Errors
    /// The result would be longer than [`MAX_PATH`].
    pub fn join(&self, name: &Name) -> Result<FtpPath, PathTooLong> {
        let name = name.as_bytes();
        let mut path = if name.starts_with(b"/") { FtpPath::root() } else { self.clone() };
        for part in name.split(|&b| b == b'/') {
            match part {
                b"" | b"." => {}
                b".." => path.pop(),
                part => path.push(part)?,
            }
        }
        Ok(path)
    }

    /// The directory that holds this name; that of `/` is `/`.
    pub fn parent(&self) -> FtpPath {
        let mut path = self.clone();
        path.pop();
        path
    }

    /// Whether this is `/`.
    pub fn is_root(&self) -> bool {
        self.0 == b"/"
    }

    /// The last part; `None` for `/`.
    pub fn file_name(&self) -> Option<&[u8]> {
        self.parts().next_back()
    }

    /// The parts from the root on; none for `/`.
    pub fn parts(&self) -> impl DoubleEndedIterator<Item = &[u8]> {
        self.0.split(|&b| b == b'/').filter(|part| !part.is_empty())
    }

    /// The whole path as bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Returns the path as it goes over the wire, with a CR as `CR NUL` (RFC 2640 section 3.1).
    pub fn to_wire(&self) -> Cow<'_, [u8]> {
        to_wire(&self.0)
    }

    fn push(&mut self, part: &[u8]) -> Result<(), PathTooLong> {
        if self.0.len() + 1 + part.len() > MAX_PATH {
            return Err(PathTooLong);
        }
        if !self.is_root() {
            self.0.push(b'/');
        }
        self.0.extend_from_slice(part);
        Ok(())
    }

    fn pop(&mut self) {
        let last = self.0.iter().rposition(|&b| b == b'/').unwrap_or(0);
        self.0.truncate(last.max(1));
    }
}

impl fmt::Display for FtpPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", String::from_utf8_lossy(&self.0))
    }
}

impl fmt::Debug for FtpPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", String::from_utf8_lossy(&self.0))
    }
}

/// Returns the bytes of a name with every CR written as `CR NUL` (RFC 2640 section 3.1).
pub(super) fn to_wire(name: &[u8]) -> Cow<'_, [u8]> {
    if !name.contains(&b'\r') {
        return Cow::Borrowed(name);
    }
    let encode = |&byte: &u8| [Some(byte), (byte == b'\r').then_some(0)].into_iter().flatten();
    Cow::Owned(name.iter().flat_map(encode).collect())
}

/// Writes `path` in quotes with its own quotes doubled, as a 257 carries it (RFC 959 appendix II), and
/// a CR as `CR NUL` (RFC 2640 section 3.1).
pub fn write_quoted(path: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    for &byte in to_wire(path).iter() {
        if byte == b'"' {
            out.push(b'"');
        }
        out.push(byte);
    }
    out.push(b'"');
}

/// Returns the path between the first quotes of a 257's text, with doubled quotes made single and
/// `CR NUL` made CR; `None` if there are no quotes or they do not end.
pub fn parse_quoted(text: &[u8]) -> Option<Vec<u8>> {
    let start = text.iter().position(|&b| b == b'"')?;
    let (mut path, _) = split_quoted(&text[start..])?;
    // A NUL goes exactly where it follows a CR that is kept.
    let mut after_return = false;
    path.retain(|&byte| {
        let is_pair = after_return && byte == 0;
        after_return = byte == b'\r';
        !is_pair
    });
    Some(path)
}

/// Splits a text that begins with a quote into what is quoted, with doubled quotes made single and
/// `CR NUL` as it is, and what follows the closing quote.
pub(super) fn split_quoted(text: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut path = Vec::new();
    let mut rest = text.strip_prefix(b"\"")?.iter();
    while let Some(&byte) = rest.next() {
        if byte == b'"' && rest.as_slice().first() != Some(&b'"') {
            return Some((path, rest.as_slice()));
        }
        if byte == b'"' {
            rest.next();
        }
        path.push(byte);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn join(from: &str, name: &str) -> String {
        let from = FtpPath::root().join(&Name::new(from).unwrap()).unwrap();
        from.join(&Name::new(name).unwrap()).unwrap().to_string()
    }

    #[test]
    fn names_are_taken_from_where_one_stands() {
        assert_eq!(join("/a/b", "c"), "/a/b/c");
        assert_eq!(join("/a/b", "/c"), "/c");
        assert_eq!(join("/a/b", "c/./d//e/"), "/a/b/c/d/e");
        assert_eq!(join("/a/b", " c "), "/a/b/ c ");
        assert_eq!(join("/", "..."), "/...");
    }

    #[test]
    fn no_spelling_of_dot_dot_leaves_the_root() {
        for name in ["..", "../..", "/..", "/../../x/..", "x/../../..", "./..//../", "a/../.."] {
            assert_eq!(join("/", name), "/", "{name}");
        }
        assert_eq!(join("/a/b", ".."), "/a");
        assert_eq!(join("/a/b", "../../../../etc"), "/etc");
    }

    #[test]
    fn too_long_a_path_is_an_error_not_a_cut() {
        let part = Name::new("x".repeat(200)).unwrap();
        let mut path = FtpPath::root();
        while let Ok(next) = path.join(&part) {
            path = next;
        }
        assert!(path.as_bytes().len() <= MAX_PATH && path.as_bytes().len() > MAX_PATH - 202);
    }

    #[test]
    fn parts_and_parent() {
        let path = FtpPath::root().join(&Name::new("a/bc").unwrap()).unwrap();
        assert_eq!(path.parts().collect::<Vec<_>>(), [b"a".as_slice(), b"bc"]);
        assert_eq!(path.parent().to_string(), "/a");
        assert_eq!(path.parent().parent().to_string(), "/");
        assert_eq!(FtpPath::root().parent().to_string(), "/");
        assert_eq!(path.file_name(), Some(b"bc".as_slice()));
        assert_eq!(FtpPath::root().file_name(), None);
    }

    #[test]
    fn quoting_and_its_inverse() {
        for path in [&b"/"[..], b"/a \"b\"", b"\"", b"\"\"", b"/\xff\xfe", b"/end\""] {
            let mut text = Vec::new();
            write_quoted(path, &mut text);
            text.extend_from_slice(b" is the \"working\" directory.");
            assert_eq!(parse_quoted(&text).as_deref(), Some(path));
        }
        assert_eq!(parse_quoted(b"no quotes"), None);
        assert_eq!(parse_quoted(b"\"open"), None);
        assert_eq!(parse_quoted(b"\"open\"\""), None);
    }
}
