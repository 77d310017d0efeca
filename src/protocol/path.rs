//! Paths as clients see them: absolute and normalized byte strings.
//!
//! A [`FtpPath`] contains no `.`, no `..`, no empty part, no LF and no NUL, so it always names
//! something at or below `/`. The server decides which directory `/` is.
//!
//! `..` is resolved lexically, as in other FTP servers: `CWD link` followed by `CDUP` returns to
//! the directory that contains the link.

use super::{MAX_PATH, Name};
use std::borrow::Cow;
use std::fmt;

/// An absolute, normalized path: `/`, or parts that each follow a `/`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FtpPath(Vec<u8>);

/// The error for a path longer than [`MAX_PATH`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathTooLong;

impl FtpPath {
    /// Returns `/`, the initial working directory of every session.
    pub fn root() -> FtpPath {
        FtpPath(b"/".to_vec())
    }

    /// Resolves `name` against this directory; a name that begins with `/` is absolute.
    ///
    /// # Errors
    /// Fails if the result would be longer than [`MAX_PATH`].
    pub fn join(&self, name: &Name) -> Result<FtpPath, PathTooLong> {
        let name = name.as_bytes();
        let start = if name.starts_with(b"/") { b"/" } else { self.as_bytes() };
        let mut path = Vec::with_capacity((start.len() + 1 + name.len()).min(MAX_PATH));
        path.extend_from_slice(start);
        let mut path = FtpPath(path);
        for part in name.split(|&b| b == b'/') {
            match part {
                b"" | b"." => {}
                b".." => path.pop(),
                part => path.push(part)?,
            }
        }
        Ok(path)
    }

    /// Returns the parent directory; that of `/` is `/`.
    pub fn parent(&self) -> FtpPath {
        let mut path = self.clone();
        path.pop();
        path
    }

    /// Returns whether this is `/`.
    pub fn is_root(&self) -> bool {
        self.0 == b"/"
    }

    /// Returns the last part; `None` for `/`.
    pub fn file_name(&self) -> Option<&[u8]> {
        self.parts().next_back()
    }

    /// Returns the parts from the root downwards; none for `/`.
    pub fn parts(&self) -> impl DoubleEndedIterator<Item = &[u8]> {
        self.0.split(|&b| b == b'/').filter(|part| !part.is_empty())
    }

    /// Returns the bytes of the whole path.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Returns the path in its wire form, with a CR as `CR NUL` (RFC 2640 section 3.1).
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

/// Returns a name in its wire form, with every CR as `CR NUL` (RFC 2640 section 3.1).
pub(super) fn to_wire(name: &[u8]) -> Cow<'_, [u8]> {
    if !name.contains(&b'\r') {
        return Cow::Borrowed(name);
    }
    let encode = |&byte: &u8| [Some(byte), (byte == b'\r').then_some(0)].into_iter().flatten();
    Cow::Owned(name.iter().flat_map(encode).collect())
}

/// Writes `path` in quotes for a 257 reply: quotes in it are doubled (RFC 959 appendix II), and a
/// CR becomes `CR NUL` (RFC 2640 section 3.1).
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

/// Returns the first quoted path in the text of a 257 reply. Doubled quotes become single ones,
/// and `CR NUL` becomes CR. Returns `None` if there are no quotes or the closing quote is missing.
pub fn parse_quoted(text: &[u8]) -> Option<Vec<u8>> {
    let start = text.iter().position(|&b| b == b'"')?;
    let (mut path, _) = split_quoted(&text[start..])?;
    // Removes a NUL only after a CR, which stays.
    let mut after_return = false;
    path.retain(|&byte| {
        let is_pair = after_return && byte == 0;
        after_return = byte == b'\r';
        !is_pair
    });
    Some(path)
}

/// Splits a text that begins with a quote into the quoted part and the text after the closing
/// quote. Doubled quotes become single ones; `CR NUL` stays.
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
    fn names_are_relative_to_the_current_path() {
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
    fn a_path_that_is_too_long_is_an_error() {
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
    fn quoted_paths_are_parsed_back() {
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
