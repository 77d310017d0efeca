//! Local paths and files.
//!
//! The last part of a remote name becomes a local name only if it is a plain file name: a server must not
//! choose `..` or, on Windows, `C:`.

mod file;
mod partial;
mod partial_files;
mod partial_name;
mod range_table;

pub(super) use file::{open, open_special};
pub(super) use partial::{Continuation, Partial};
pub(super) use partial_files::{PartialFiles, remove_partials};
pub(super) use partial_name::{RemoteIdentity, is_partial};
pub(super) use range_table::{FileRange, MAX_RANGES};

use super::error::Error;
use super::name::{is_plain, parse_name};
use crate::protocol::Name;
use crate::sys::os_string;
use crate::sys::{name_bytes, os_name};
use std::env;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

/// Parses a typed path. `~` at its beginning is HOME.
pub(super) fn path(typed: &[u8]) -> Result<PathBuf, Error> {
    if let Some(below) = typed.strip_prefix(b"~").filter(|below| matches!(below, [] | [b'/', ..])) {
        let below = below.strip_prefix(b"/").unwrap_or_default();
        return Ok(if below.is_empty() { home()? } else { home()?.join(path(below)?) });
    }
    match os_string(typed) {
        Some(path) if !typed.is_empty() && !typed.contains(&0) => Ok(path.into()),
        _ => Err(Error::BadName(typed.to_vec())),
    }
}

/// Returns the home directory of the user.
pub(super) fn home() -> Result<PathBuf, Error> {
    env::home_dir().ok_or_else(|| Error::Usage("HOME is not set".to_owned()))
}

/// Returns the last part of a remote name, if it is a valid local file name.
pub(super) fn last_part(remote: &Name) -> Result<OsString, Error> {
    let name = remote.as_bytes().rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    let name = os_name(name).ok().filter(|name| is_plain(name));
    name.ok_or_else(|| Error::BadLocalName(remote.as_bytes().to_vec()))
}

/// Makes a symbolic link. An existing link of the same name is replaced.
#[cfg(unix)]
pub(super) fn make_link(at: &Path, to: &Path) -> io::Result<()> {
    if std::fs::symlink_metadata(at).is_ok_and(|old| old.is_symlink()) {
        std::fs::remove_file(at)?;
    }
    std::os::unix::fs::symlink(to, at)
}

/// Fails: on Windows, symbolic links need a privilege that few users have.
#[cfg(not(unix))]
pub(super) fn make_link(_: &Path, _: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Returns the local path of a download: the typed path, a file in it if it is a directory, or the last
/// part of the remote name.
pub(super) fn target(remote: &Name, typed: Option<&[u8]>) -> Result<PathBuf, Error> {
    let Some(typed) = typed else { return Ok(last_part(remote)?.into()) };
    let path = path(typed)?;
    if path.is_dir() { Ok(path.join(last_part(remote)?)) } else { Ok(path) }
}

/// Converts an upper-case name to lower case; a name in mixed case is unchanged.
pub(super) fn lowercase_name(name: OsString) -> OsString {
    match name.to_str() {
        Some(text) if text == text.to_ascii_uppercase() => text.to_ascii_lowercase().into(),
        _ => name,
    }
}

/// Returns `path`, or the first of `path.1`, `path.2` and so on that is not `taken`.
pub(super) fn unique(path: PathBuf, taken: impl Fn(&Path) -> bool) -> PathBuf {
    let numbered = |number: u32| {
        let mut name = path.clone().into_os_string();
        name.push(format!(".{number}"));
        PathBuf::from(name)
    };
    if !taken(&path) {
        return path;
    }
    (1..).map(numbered).find(|path| !taken(path)).unwrap_or(path)
}

/// Returns the remote name of an upload: the typed name, a file in it if it ends in `/`, or the name of
/// the local file.
pub(super) fn remote_name(local: &Path, typed: Option<&[u8]>) -> Result<Name, Error> {
    let own = local.file_name().map(name_bytes).unwrap_or_default();
    let name = match typed {
        Some(typed) if typed.ends_with(b"/") => [typed, &own].concat(),
        Some(typed) => typed.to_vec(),
        None => own.to_vec(),
    };
    parse_name(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(bytes: &[u8]) -> Name {
        Name::new(bytes).unwrap()
    }

    #[test]
    fn a_remote_name_becomes_a_local_name_only_if_it_is_a_plain_file_name() {
        assert_eq!(last_part(&name(b"a/b/c d")).unwrap(), "c d");
        assert_eq!(last_part(&name(b".x")).unwrap(), ".x");
        for bad in [&b"a/.."[..], b"..", b".", b"a/", b"/"] {
            assert!(last_part(&name(bad)).is_err(), "{}", bad.escape_ascii());
        }
    }

    #[test]
    fn the_remote_name_of_an_upload() {
        let remote = |typed: Option<&[u8]>| remote_name(Path::new("x/a b"), typed);
        assert_eq!(remote(None).unwrap(), name(b"a b"));
        assert_eq!(remote(Some(b"c")).unwrap(), name(b"c"));
        assert_eq!(remote(Some(b"dir/")).unwrap(), name(b"dir/a b"));
        assert!(remote_name(Path::new(".."), None).is_err());
        assert!(remote(Some(b"a\r\nDELE b")).is_err());
    }
}
