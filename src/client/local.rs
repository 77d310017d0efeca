//! Local files: where a download goes and where an upload comes from.
//!
//! - A download is written to a hidden file beside its target and renamed over it when it is whole,
//!   so that the name always holds a whole file: the old one, the new one, or none.
//! - A target that is a symbolic link is replaced itself. To write through it would let whoever can
//!   plant a link in the directory choose which file of the user is overwritten.
//! - Only what holds no content of its own, a device or a FIFO, is written into directly:
//!   `/dev/null` must not become a file.
//! - The last part of a remote name becomes a local name only where it can be nothing but a name in
//!   this directory; a server must not choose `..` or, on Windows, `C:`.

use super::error::Error;
use super::interrupt::Interrupt;
use super::words;
use crate::protocol::Name;
use crate::sys::os_string;
use crate::sys::{name_bytes, os_name};
use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, ErrorKind, Write};
use std::path::{Component, Path, PathBuf};

/// How much of the target's name its hidden file shows, so that any name leaves room for the rest.
const LONGEST_SHOWN: usize = 48;

/// A path as it was typed.
pub(super) fn path(typed: &[u8]) -> Result<PathBuf, Error> {
    match os_string(typed) {
        Some(path) if !typed.is_empty() && !typed.contains(&0) => Ok(path.into()),
        _ => Err(Error::BadName(typed.to_vec())),
    }
}

/// The last part of a remote name, if a local file can be called so.
pub(super) fn last_part(remote: &Name) -> Result<OsString, Error> {
    let name = remote.as_bytes().rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    let name = os_name(name).ok().filter(|name| is_plain(name));
    name.ok_or_else(|| Error::BadLocalName(remote.as_bytes().to_vec()))
}

fn is_plain(name: &OsStr) -> bool {
    let mut parts = Path::new(name).components();
    parts.next() == Some(Component::Normal(name)) && parts.next().is_none()
}

/// The local path of a remote file: the one that was typed, in it if it is a directory, or the
/// remote file's own name.
pub(super) fn target(remote: &Name, typed: Option<&[u8]>) -> Result<PathBuf, Error> {
    let Some(typed) = typed else { return Ok(last_part(remote)?.into()) };
    let path = path(typed)?;
    if path.is_dir() { Ok(path.join(last_part(remote)?)) } else { Ok(path) }
}

/// The remote name of a local file: the one that was typed, in it if it ends in `/`, or the local
/// file's own name.
pub(super) fn remote_name(local: &Path, typed: Option<&[u8]>) -> Result<Name, Error> {
    let own = local.file_name().map(name_bytes).unwrap_or_default();
    let name = match typed {
        Some(typed) if typed.ends_with(b"/") => [typed, &own].concat(),
        Some(typed) => typed.to_vec(),
        None => own.to_vec(),
    };
    words::name(&name)
}

/// Opens the file of an upload; its size comes with it.
pub(super) fn open(path: &Path) -> Result<(File, u64), Error> {
    open_plain(path).map_err(|error| Error::File { path: path.to_owned(), error })
}

fn open_plain(path: &Path) -> io::Result<(File, u64)> {
    // Before it is opened too: to open a FIFO is to wait for somebody to write to it.
    refuse_special(&fs::metadata(path)?)?;
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    refuse_special(&metadata)?;
    Ok((file, metadata.len()))
}

fn refuse_special(metadata: &fs::Metadata) -> io::Result<()> {
    if metadata.is_file() {
        Ok(())
    } else if metadata.is_dir() {
        Err(ErrorKind::IsADirectory.into())
    } else {
        Err(io::Error::other("not a plain file"))
    }
}

/// The local file of a download.
pub(super) enum Target {
    /// A file that appears when it is whole.
    Whole(Partial),
    /// A device or a FIFO.
    Special(File, PathBuf),
}

impl Target {
    /// Gets ready to write what shall stand at `path`.
    pub(super) fn open(path: PathBuf, interrupt: &Interrupt) -> Result<Target, Error> {
        let opened = match fs::metadata(&path) {
            Ok(old) if old.is_dir() => Err(ErrorKind::IsADirectory.into()),
            Ok(old) if !old.is_file() => open_special(&path),
            _ => Partial::create(&path, interrupt).map(Target::Whole),
        };
        opened.map_err(|error| Error::File { path, error })
    }

    /// Makes the file appear under its name.
    pub(super) fn commit(self) -> Result<(), Error> {
        match self {
            Target::Whole(partial) => partial.commit(),
            Target::Special(..) => Ok(()),
        }
    }

    /// The name of the file.
    pub(super) fn path(&self) -> &Path {
        match self {
            Target::Whole(partial) => &partial.target,
            Target::Special(_, path) => path,
        }
    }
}

fn open_special(path: &Path) -> io::Result<Target> {
    let file = OpenOptions::new().write(true).open(path)?;
    Ok(Target::Special(file, path.to_owned()))
}

impl Write for Target {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Target::Whole(partial) => partial.file.write(bytes),
            Target::Special(file, _) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A file that is not whole yet. Dropped it is removed, and so it is by a signal.
pub(super) struct Partial {
    file: File,
    path: PathBuf,
    target: PathBuf,
    interrupt: Interrupt,
}

impl Partial {
    fn create(target: &Path, interrupt: &Interrupt) -> io::Result<Partial> {
        let path = target.with_file_name(hidden_name(target)?);
        let file = interrupt.create(&path, |path| File::create_new(path))?;
        let partial =
            Partial { file, path, target: target.to_owned(), interrupt: interrupt.clone() };
        // Now and not at the end: nobody who may not read the old file reads the new one meanwhile.
        partial.take_permissions()?;
        Ok(partial)
    }

    fn take_permissions(&self) -> io::Result<()> {
        match fs::symlink_metadata(&self.target) {
            Ok(old) if old.is_file() => self.file.set_permissions(old.permissions()),
            _ => Ok(()),
        }
    }

    fn commit(self) -> Result<(), Error> {
        let renamed = fs::rename(&self.path, &self.target);
        renamed.map_err(|error| Error::File { path: self.target.clone(), error })
    }
}

impl Drop for Partial {
    /// After [`Partial::commit`] nothing has this name any more.
    fn drop(&mut self) {
        self.interrupt.remove(&self.path);
    }
}

/// `.NAME.part-` and a number nobody can guess.
fn hidden_name(target: &Path) -> io::Result<String> {
    let not_a_file = || io::Error::new(ErrorKind::InvalidInput, "not the name of a file");
    // Path::file_name overlooks a `/` at the end.
    let ends = target.as_os_str().as_encoded_bytes().last().copied().map(char::from);
    let name = target.file_name().filter(|_| !ends.is_some_and(std::path::is_separator));
    let name = name.ok_or_else(not_a_file)?.to_string_lossy();
    let mut shown = String::new();
    for c in name.chars().take_while(|c| *c != char::REPLACEMENT_CHARACTER) {
        if shown.len() + c.len_utf8() > LONGEST_SHOWN {
            break;
        }
        shown.push(c);
    }
    // std's only source of random numbers.
    let random = RandomState::new().build_hasher().finish();
    Ok(format!(".{shown}.part-{random:016x}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(bytes: &[u8]) -> Name {
        Name::new(bytes).unwrap()
    }

    #[test]
    fn a_remote_name_becomes_a_local_one_only_where_it_is_nothing_else() {
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

    #[test]
    fn what_is_dropped_leaves_the_old_file_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        fs::write(&path, "old").unwrap();
        let mut target = Target::open(path.clone(), &Interrupt::default()).unwrap();
        target.write_all(b"half").unwrap();
        drop(target);
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 1);
    }

    #[test]
    fn what_is_committed_replaces_the_old_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("é".repeat(120));
        fs::write(&path, "old").unwrap();
        let mut target = Target::open(path.clone(), &Interrupt::default()).unwrap();
        target.write_all(b"new").unwrap();
        target.commit().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 1);
    }

    #[test]
    fn directories_are_neither_sent_nor_replaced() {
        let dir = tempfile::tempdir().unwrap();
        assert!(open(dir.path()).is_err());
        assert!(Target::open(dir.path().to_owned(), &Interrupt::default()).is_err());
        let inside = target(&name(b"x/a"), Some(dir.path().as_os_str().as_encoded_bytes()));
        assert_eq!(inside.unwrap(), dir.path().join("a"));
        for bad in ["b/", "", ".."] {
            let path = dir.path().join(bad);
            assert!(Target::open(path, &Interrupt::default()).is_err(), "{bad}");
        }
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 0);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_replaced_and_permissions_of_a_file_are_kept() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let dir = tempfile::tempdir().unwrap();
        let [file, link] = ["file", "link"].map(|name| dir.path().join(name));
        fs::write(&file, "old").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        symlink(&file, &link).unwrap();
        for path in [&link, &file] {
            let mut target = Target::open(path.clone(), &Interrupt::default()).unwrap();
            target.write_all(path.as_os_str().as_encoded_bytes()).unwrap();
            target.commit().unwrap();
        }
        assert!(fs::symlink_metadata(&link).unwrap().is_file());
        assert_eq!(fs::read(&file).unwrap(), file.as_os_str().as_encoded_bytes());
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[cfg(unix)]
    #[test]
    fn a_device_is_written_into() {
        let mut target = Target::open("/dev/null".into(), &Interrupt::default()).unwrap();
        assert!(matches!(target, Target::Special(..)));
        target.write_all(b"x").unwrap();
        target.commit().unwrap();
    }
}
