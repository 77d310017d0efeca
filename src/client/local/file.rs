//! Opens the local file of an upload, and devices and FIFOs as targets of downloads.
//!
//! - A target that is a symbolic link is replaced. Writing through it would let anybody who can create a
//!   link in the directory choose the file to overwrite.
//! - Only devices and FIFOs are written into directly: `/dev/null` must not be replaced by a file.

use crate::client::error::Error;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::path::Path;

/// Opens the file of an upload and returns it with its size.
pub(in crate::client) fn open(path: &Path) -> Result<(File, u64), Error> {
    open_regular(path).map_err(|error| Error::File { path: path.to_owned(), error })
}

fn open_regular(path: &Path) -> io::Result<(File, u64)> {
    // Check before opening, too, because opening a FIFO blocks until another process writes to it.
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
        Err(io::Error::other("not a regular file"))
    }
}

/// Opens the target of a download if it is a device or a FIFO. A directory is an error.
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
    fn a_device_is_written_into_and_not_replaced() {
        use std::io::Write;
        let mut device = open_special(Path::new("/dev/null")).unwrap().unwrap();
        device.write_all(b"x").unwrap();
        let dir = tempfile::tempdir().unwrap();
        assert!(open_special(&dir.path().join("a")).unwrap().is_none());
    }
}
