//! The local file of an upload, and what a download is written into without a partial file.
//!
//! - A target that is a symbolic link is replaced itself. To write through it would let whoever can
//!   plant a link in the directory choose which file of the user is overwritten.
//! - Only what holds no content of its own, a device or a FIFO, is written into directly:
//!   `/dev/null` must not become a file.

use crate::client::error::Error;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::path::Path;

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

/// Opens the target of a download if it is a device or a FIFO; a directory is refused.
pub(in crate::client) fn open_special(path: &Path) -> Result<Option<File>, Error> {
    let opened = match fs::metadata(path) {
        Ok(old) if old.is_dir() => Err(ErrorKind::IsADirectory.into()),
        Ok(old) if !old.is_file() => OpenOptions::new().write(true).open(path).map(Some),
        Ok(_) | Err(_) => Ok(None),
    };
    opened.map_err(|error| Error::File { path: path.to_owned(), error })
}

#[cfg(test)]
mod tests {
    use super::super::target;
    use super::*;
    use crate::protocol::Name;

    #[test]
    fn directories_are_neither_sent_nor_replaced() {
        let dir = tempfile::tempdir().unwrap();
        assert!(open(dir.path()).is_err());
        assert!(open_special(dir.path()).is_err());
        let inside =
            target(&Name::new("x/a").unwrap(), Some(dir.path().as_os_str().as_encoded_bytes()));
        assert_eq!(inside.unwrap(), dir.path().join("a"));
    }

    #[cfg(unix)]
    #[test]
    fn a_device_is_written_into() {
        use std::io::Write;
        let mut device = open_special(Path::new("/dev/null")).unwrap().unwrap();
        device.write_all(b"x").unwrap();
        let dir = tempfile::tempdir().unwrap();
        assert!(open_special(&dir.path().join("a")).unwrap().is_none());
    }
}
