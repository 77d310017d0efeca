//! Open files: what tells one from all others.

use super::Dir;
use super::stat::device_number;
use crate::sys::Stat;
use std::ffi::OsStr;
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// What tells an open file from all others for as long as it is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileId {
    device: u64,
    inode: u64,
}

/// What is known of an open file, and what tells it from others.
///
/// # Errors
/// What the system says.
pub(crate) fn identify(file: &File) -> io::Result<(Metadata, FileId)> {
    let data = file.metadata()?;
    let id = FileId { device: device_number(data.dev()), inode: data.ino() };
    Ok((data, id))
}

/// Whether `name` in `dir` is this very file.
pub(crate) fn is_named(dir: &Dir, name: &OsStr, id: FileId) -> bool {
    dir.stat(name).is_ok_and(|stat| FileId { device: stat.device, inode: stat.inode } == id)
}

/// Whether the very file that is open as `file` stands at a path of the system.
pub(crate) fn is_at(path: &Path, file: &File) -> bool {
    let number = |data: Metadata| (data.dev(), data.ino());
    let there = std::fs::metadata(path).map(number);
    there.is_ok_and(|there| file.metadata().is_ok_and(|data| number(data) == there))
}

/// Returns true if what is at a path of the system, links followed, is the directory known by `stat`.
///
/// # Errors
/// What the system says.
pub(crate) fn is_dir_at(path: &Path, stat: &Stat) -> io::Result<bool> {
    let there = std::fs::metadata(path)?;
    Ok((device_number(there.dev()), there.ino()) == (stat.device, stat.inode))
}
