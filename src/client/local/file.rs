//! The local file of an upload or a download.
//!
//! - A download is written to a partial file beside its target and renamed over it once it is whole,
//!   so that the name always holds a whole file: the old one, the new one, or none.
//! - A target that is a symbolic link is replaced itself. To write through it would let whoever can
//!   plant a link in the directory choose which file of the user is overwritten.
//! - Only what holds no content of its own, a device or a FIFO, is written into directly:
//!   `/dev/null` must not become a file.

use super::partial::Partial;
use crate::client::error::Error;
use crate::client::signals::Interrupt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Opens the file of an upload; its size comes with it.
pub(in crate::client) fn open(path: &Path) -> Result<(File, u64), Error> {
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
pub(in crate::client) enum LocalFile {
    /// A file that appears when it is whole.
    Whole(Partial),
    /// A device or a FIFO.
    Special(File, PathBuf),
}

impl LocalFile {
    /// Gets ready to write what shall stand at `path`.
    pub(in crate::client) fn open(
        path: PathBuf,
        interrupt: &Interrupt,
    ) -> Result<LocalFile, Error> {
        let opened = match fs::metadata(&path) {
            Ok(old) if old.is_dir() => Err(ErrorKind::IsADirectory.into()),
            Ok(old) if !old.is_file() => open_special(&path),
            _ => Partial::create(&path, interrupt).map(LocalFile::Whole),
        };
        opened.map_err(|error| Error::File { path, error })
    }

    /// Makes the file appear under its name, with the time that it has at the server.
    pub(in crate::client) fn commit(self, modified: Option<SystemTime>) -> Result<(), Error> {
        match self {
            LocalFile::Whole(partial) => {
                if let Some(modified) = modified {
                    // A file system that keeps no times keeps files all the same.
                    let _ = partial.set_modified(modified);
                }
                partial.commit()
            }
            LocalFile::Special(..) => Ok(()),
        }
    }

    /// Returns the partial file of the download, unless the target is a pipe or a device.
    pub(in crate::client) fn partial(&mut self) -> Option<&mut Partial> {
        match self {
            LocalFile::Whole(partial) => Some(partial),
            LocalFile::Special(..) => None,
        }
    }

    /// The name of the file.
    pub(in crate::client) fn path(&self) -> &Path {
        match self {
            LocalFile::Whole(partial) => partial.target(),
            LocalFile::Special(_, path) => path,
        }
    }
}

fn open_special(path: &Path) -> io::Result<LocalFile> {
    let file = OpenOptions::new().write(true).open(path)?;
    Ok(LocalFile::Special(file, path.to_owned()))
}

impl Write for LocalFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            LocalFile::Whole(partial) => partial.file().write(bytes),
            LocalFile::Special(file, _) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::target;
    use super::*;
    use crate::protocol::Name;

    #[test]
    fn what_is_dropped_leaves_the_old_file_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        fs::write(&path, "old").unwrap();
        let mut target = LocalFile::open(path.clone(), &Interrupt::default()).unwrap();
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
        let mut target = LocalFile::open(path.clone(), &Interrupt::default()).unwrap();
        target.write_all(b"new").unwrap();
        target.commit(None).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 1);
    }

    #[test]
    fn directories_are_neither_sent_nor_replaced() {
        let dir = tempfile::tempdir().unwrap();
        assert!(open(dir.path()).is_err());
        assert!(LocalFile::open(dir.path().to_owned(), &Interrupt::default()).is_err());
        let inside =
            target(&Name::new("x/a").unwrap(), Some(dir.path().as_os_str().as_encoded_bytes()));
        assert_eq!(inside.unwrap(), dir.path().join("a"));
        for bad in ["b/", "", ".."] {
            let path = dir.path().join(bad);
            assert!(LocalFile::open(path, &Interrupt::default()).is_err(), "{bad}");
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
            let mut target = LocalFile::open(path.clone(), &Interrupt::default()).unwrap();
            target.write_all(path.as_os_str().as_encoded_bytes()).unwrap();
            target.commit(None).unwrap();
        }
        assert!(fs::symlink_metadata(&link).unwrap().is_file());
        assert_eq!(fs::read(&file).unwrap(), file.as_os_str().as_encoded_bytes());
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[cfg(unix)]
    #[test]
    fn a_device_is_written_into() {
        let mut target = LocalFile::open("/dev/null".into(), &Interrupt::default()).unwrap();
        assert!(matches!(target, LocalFile::Special(..)));
        target.write_all(b"x").unwrap();
        target.commit(None).unwrap();
    }
}
