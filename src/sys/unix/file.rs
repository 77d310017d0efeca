//! Open files: which one it is, and what it takes over from the one it replaces.

use super::Dir;
use super::stat::device_number;
use crate::sys::Stat;
use std::ffi::OsStr;
use std::fs::{File, Metadata, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
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

/// Gives an open file, which is known to be `new`, the owner, group and permission bits of the one
/// it replaces, as far as the system allows. Bits that lend the owner's rights to whoever runs it
/// are not passed on to new content, as the system would have cleared them too.
pub(crate) fn adopt(file: &File, new: &Metadata, old: &Stat) {
    adopt_parts(file, new, old.owner, old.group, old.mode);
}

/// [`adopt`] for a file that is known by what std says of it.
pub(crate) fn adopt_metadata(file: &File, old: &Metadata) {
    if let Ok(new) = file.metadata() {
        adopt_parts(file, &new, old.uid(), old.gid(), old.mode());
    }
}

fn adopt_parts(file: &File, new: &Metadata, owner: u32, group: u32, mode: u32) {
    let changed = (new.uid(), new.gid()) != (owner, group);
    if changed {
        let _ = fchown(file, Some(owner), Some(group));
    }
    if changed || new.mode() & 0o7777 != mode & 0o777 {
        set_file_mode(file, mode & 0o777);
    }
}

/// Sets the permission bits of an open file as far as the system allows.
pub(crate) fn set_file_mode(file: &File, mode: u32) {
    let _ = file.set_permissions(Permissions::from_mode(mode));
}
