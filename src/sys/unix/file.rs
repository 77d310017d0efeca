//! The identity of open files.

use super::Dir;
use super::stat::device_number;
use crate::sys::Stat;
use std::ffi::OsStr;
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// The identity of a file, unique while the file is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileId {
    device: u64,
    inode: u64,
}

/// Returns the metadata and the identity of an open file.
///
/// # Errors
/// Returns the system error.
pub(crate) fn identify(file: &File) -> io::Result<(Metadata, FileId)> {
    let data = file.metadata()?;
    let id = FileId { device: device_number(data.dev()), inode: data.ino() };
    Ok((data, id))
}

/// Returns whether `name` in `dir` is a name of this file.
pub(crate) fn is_named(dir: &Dir, name: &OsStr, id: FileId) -> bool {
    dir.stat(name).is_ok_and(|stat| FileId { device: stat.device, inode: stat.inode } == id)
}

/// Returns whether a path of the system leads to the file that is open as `file`.
pub(crate) fn is_at(path: &Path, file: &File) -> bool {
    let number = |data: Metadata| (data.dev(), data.ino());
    let there = std::fs::metadata(path).map(number);
    there.is_ok_and(|there| file.metadata().is_ok_and(|data| number(data) == there))
}

/// Returns whether a path of the system leads to the directory with the metadata `stat`, following
/// links.
///
/// # Errors
/// Returns the system error.
pub(crate) fn is_dir_at(path: &Path, stat: &Stat) -> io::Result<bool> {
    let there = std::fs::metadata(path)?;
    Ok((device_number(there.dev()), there.ino()) == (stat.device, stat.inode))
}
