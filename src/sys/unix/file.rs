//! Open files: their identity and owner, and reading and writing at an offset.

use super::Dir;
use super::stat::device_number;
use crate::sys::Stat;
use std::ffi::{CString, OsStr, c_char, c_int, c_uint};
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt};
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

/// Writes to a file at an offset, without regard to its position. Returns the number of bytes written.
///
/// # Errors
/// Returns the system error.
pub(crate) fn write_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<usize> {
    file.write_at(bytes, offset)
}

/// Reads from a file at an offset, without regard to its position. Returns the number of bytes read.
///
/// # Errors
/// Returns the system error.
pub(crate) fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    file.read_at(buffer, offset)
}

/// Returns the user id of a file's owner, and the number of names (hard links) of the file.
pub(crate) fn owner_and_links(data: &Metadata) -> (u32, u64) {
    (data.uid(), data.nlink())
}

/// Returns the user id of the owner of files that this process creates: the effective user.
pub(crate) fn effective_user() -> u32 {
    unsafe extern "C" {
        fn geteuid() -> c_uint;
    }
    // SAFETY: it takes nothing and always succeeds.
    unsafe { geteuid() }
}

/// Checks whether the user may write to a file, or create files in a directory.
///
/// # Errors
/// Returns the system error that writing or creating would return.
pub(crate) fn check_may_write(path: &Path) -> io::Result<()> {
    unsafe extern "C" {
        fn access(path: *const c_char, mode: c_int) -> c_int;
    }
    const WRITE: c_int = 2;
    const SEARCH: c_int = 1;
    let mode = if std::fs::metadata(path)?.is_dir() { WRITE | SEARCH } else { WRITE };
    let path = CString::new(path.as_os_str().as_bytes())?;
    // SAFETY: the path is a C string that outlives the call.
    super::check(unsafe { access(path.as_ptr(), mode) }).map(drop)
}

/// Returns an identifier that changes each time the machine starts; `None` except on Linux.
pub(crate) fn boot_id() -> Option<Vec<u8>> {
    std::fs::read("/proc/sys/kernel/random/boot_id").ok()
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
