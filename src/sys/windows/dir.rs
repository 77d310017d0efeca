//! [`Dir`]: a directory whose names are used one at a time.
//!
//! On Windows only the kernel's own interface can open a name relative to the handle of a
//! directory, so a directory is represented by its real path. Every component of a path is checked
//! before it is used, and links and other reparse points are never followed. This does not protect
//! against a user with an account on the server who replaces a directory with a link between the
//! check and the use.

use crate::sys::windows_names::is_reserved_name;
use crate::sys::{FileKind, Open, Stat};
use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File, FileTimes, Metadata, OpenOptions, ReadDir};
use std::io;
use std::os::windows::ffi::OsStrExt;
use std::os::windows::fs::{FileExt, FileTimesExt, MetadataExt};
use std::os::windows::io::AsRawHandle;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// A directory, represented by its real path.
#[derive(Debug)]
pub struct Dir {
    path: PathBuf,
}

impl Dir {
    /// Opens the directory at a path of the system, following links.
    ///
    /// # Errors
    /// Fails if there is no such directory or if it is not a directory.
    pub fn open_path(path: &Path) -> io::Result<Dir> {
        let path = path.canonicalize()?;
        if fs::metadata(&path)?.is_dir() {
            Ok(Dir { path })
        } else {
            Err(io::ErrorKind::NotADirectory.into())
        }
    }

    /// Opens the directory `name` in this one.
    ///
    /// # Errors
    /// Also fails if `name` is a link, even to a directory; see [`Dir::read_link`].
    pub fn open_dir(&self, name: &OsStr) -> io::Result<Dir> {
        match self.stat(name)?.kind {
            FileKind::Dir => Ok(Dir { path: self.at(name)? }),
            FileKind::File | FileKind::Link | FileKind::Other => {
                Err(io::ErrorKind::NotADirectory.into())
            }
        }
    }

    /// Opens a file.
    ///
    /// # Errors
    /// Returns the system error; also fails if `name` is not a regular file.
    pub fn open(&self, name: &OsStr, how: Open) -> io::Result<File> {
        if self.stat(name).is_ok_and(|stat| stat.kind != FileKind::File) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let mut options = OpenOptions::new();
        match how {
            Open::Read => options.read(true),
            Open::Write => options.read(true).write(true),
            Open::Append => options.append(true),
            Open::Create { .. } => options.read(true).write(true).create(true),
            Open::CreateNew { .. } => options.read(true).write(true).create_new(true),
        };
        options.open(self.at(name)?)
    }

    /// Returns the metadata of `name` without following a link.
    ///
    /// # Errors
    /// Fails if the name does not exist, or with another system error.
    pub fn stat(&self, name: &OsStr) -> io::Result<Stat> {
        Ok(stat_of(&fs::symlink_metadata(self.at(name)?)?))
    }

    /// Returns the metadata of this directory.
    ///
    /// # Errors
    /// Returns the system error.
    pub fn stat_self(&self) -> io::Result<Stat> {
        Ok(stat_of(&fs::symlink_metadata(&self.path)?))
    }

    /// Returns the target of the link `name`.
    ///
    /// # Errors
    /// Returns the system error; also fails if `name` is not a link.
    pub fn read_link(&self, name: &OsStr) -> io::Result<OsString> {
        fs::read_link(self.at(name)?).map(PathBuf::into_os_string)
    }

    /// Creates the directory `name`.
    ///
    /// # Errors
    /// Returns the system error.
    pub fn make_dir(&self, name: &OsStr) -> io::Result<()> {
        fs::create_dir(self.at(name)?)
    }

    /// Removes the empty directory `name`.
    ///
    /// # Errors
    /// Returns the system error.
    pub fn remove_dir(&self, name: &OsStr) -> io::Result<()> {
        fs::remove_dir(self.at(name)?)
    }

    /// Removes the file or link `name`.
    ///
    /// # Errors
    /// Returns the system error; fails for directories.
    pub fn remove_file(&self, name: &OsStr) -> io::Result<()> {
        fs::remove_file(self.at(name)?)
    }

    /// Renames `name` to `new` in the directory `to`, and replaces an existing file.
    ///
    /// # Errors
    /// Returns the system error.
    pub fn rename(&self, name: &OsStr, to: &Dir, new: &OsStr) -> io::Result<()> {
        fs::rename(self.at(name)?, to.at(new)?)
    }

    /// Creates `new` in the directory `to` as a hard link to the file `name`.
    ///
    /// # Errors
    /// `AlreadyExists` if `new` exists, or the system error, such as that of a file system without hard
    /// links.
    pub fn hard_link(&self, name: &OsStr, to: &Dir, new: &OsStr) -> io::Result<()> {
        fs::hard_link(self.at(name)?, to.at(new)?)
    }

    /// Returns the metadata of `name`, like [`Dir::stat`].
    ///
    /// # Errors
    /// Fails if the name does not exist, or with another system error.
    pub(crate) fn stat_new(&self, name: &OsStr) -> io::Result<Stat> {
        self.stat(name)
    }

    /// Always fails: this system has no files without a name.
    ///
    /// # Errors
    /// Always `Unsupported`.
    pub fn create_unnamed(&self) -> io::Result<File> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Always fails: this system has no files without a name.
    ///
    /// # Errors
    /// Always `Unsupported`.
    pub fn link_unnamed(&self, _file: &File, _name: &OsStr) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Makes `name` read-only or writable according to the write bits of `mode`; Windows has no
    /// other mode bits.
    ///
    /// # Errors
    /// Returns the system error.
    pub fn set_mode(&self, name: &OsStr, mode: u32) -> io::Result<()> {
        let mut permissions = fs::symlink_metadata(self.at(name)?)?.permissions();
        permissions.set_readonly(mode & 0o222 == 0);
        fs::set_permissions(self.at(name)?, permissions)
    }

    /// Sets the modification time of `name`.
    ///
    /// # Errors
    /// Returns the system error.
    pub fn set_modified(&self, name: &OsStr, time: SystemTime) -> io::Result<()> {
        self.open(name, Open::Write)?.set_modified(time)
    }

    /// Sets the creation time of `name`.
    ///
    /// # Errors
    /// Returns the system error.
    pub fn set_created(&self, name: &OsStr, time: SystemTime) -> io::Result<()> {
        self.open(name, Open::Write)?.set_times(FileTimes::new().set_created(time))
    }

    /// Always fails: creating links requires a privilege that programs rarely have.
    ///
    /// # Errors
    /// Always `PermissionDenied`.
    pub fn symlink(&self, _target: &OsStr, _name: &OsStr) -> io::Result<()> {
        Err(io::ErrorKind::PermissionDenied.into())
    }

    /// Returns the number of bytes that the server's user can still store in this file system.
    ///
    /// # Errors
    /// Returns the system error.
    pub fn space(&self) -> io::Result<u64> {
        unsafe extern "system" {
            fn GetDiskFreeSpaceExW(
                dir: *const u16,
                available: *mut u64,
                total: *mut u64,
                free: *mut u64,
            ) -> i32;
        }
        let path: Vec<u16> = self.path.as_os_str().encode_wide().chain([0]).collect();
        let (mut available, mut total, mut free) = (0, 0, 0);
        // SAFETY: the path ends in NUL, and the three numbers are writable.
        let done =
            unsafe { GetDiskFreeSpaceExW(path.as_ptr(), &mut available, &mut total, &mut free) };
        if done == 0 { Err(io::Error::last_os_error()) } else { Ok(available) }
    }

    /// Returns the names in this directory in the order that the system returns them.
    ///
    /// # Errors
    /// Fails without read permission.
    pub fn entries(&self) -> io::Result<Entries> {
        Ok(Entries { names: fs::read_dir(&self.path)? })
    }

    /// Does nothing: Windows writes directories to the disk itself.
    ///
    /// # Errors
    /// None.
    pub fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    /// Returns the path of a name. A path is rejected, because its directories would not be
    /// checked.
    fn at(&self, name: &OsStr) -> io::Result<PathBuf> {
        const SEPARATORS: [u16; 3] = [b'/' as u16, b'\\' as u16, b':' as u16];

        let is_path = name.encode_wide().any(|unit| SEPARATORS.contains(&unit));
        match name.to_str() {
            _ if is_path => Err(io::ErrorKind::InvalidFilename.into()),
            Some(".") => Ok(self.path.clone()),
            _ => Ok(self.path.join(name)),
        }
    }
}

/// The names in a [`Dir`].
#[derive(Debug)]
pub struct Entries {
    names: ReadDir,
}

impl Entries {
    /// Appends the next name to `to` in its wire form, and returns whether there was one.
    ///
    /// # Errors
    /// Fails if the directory cannot be read further.
    pub(crate) fn read_name(&mut self, to: &mut Vec<u8>) -> io::Result<bool> {
        let Some(name) = self.next().transpose()? else { return Ok(false) };
        to.extend_from_slice(&name_bytes(&name));
        Ok(true)
    }
}

impl Iterator for Entries {
    type Item = io::Result<OsString>;

    fn next(&mut self) -> Option<io::Result<OsString>> {
        Some(self.names.next()?.map(|entry| entry.file_name()))
    }
}

/// Returns whether an error of [`Dir::open_dir`] or [`Dir::open`] may mean that the name is a
/// link.
pub(crate) fn may_be_link(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotADirectory
}

/// Converts a name from the wire to an `OsString`, unless it would have another meaning on
/// Windows.
///
/// # Errors
/// `InvalidFilename` if the name is not possible on this system.
pub(crate) fn os_name(bytes: &[u8]) -> io::Result<OsString> {
    let name = std::str::from_utf8(bytes).ok().filter(|name| !is_reserved_name(name));
    name.map(OsString::from).ok_or_else(|| io::ErrorKind::InvalidFilename.into())
}

/// Returns the wire form of a name: UTF-8.
pub(crate) fn name_bytes(name: &OsStr) -> Cow<'_, [u8]> {
    match name.to_string_lossy() {
        Cow::Borrowed(name) => Cow::Borrowed(name.as_bytes()),
        Cow::Owned(name) => Cow::Owned(name.into_bytes()),
    }
}

/// Converts a name back from the form that [`name_bytes`] returns. Names that are not valid UTF-16
/// are lost.
pub(crate) fn name_of(bytes: &[u8]) -> Cow<'_, OsStr> {
    match String::from_utf8_lossy(bytes) {
        Cow::Borrowed(name) => Cow::Borrowed(OsStr::new(name)),
        Cow::Owned(name) => Cow::Owned(name.into()),
    }
}

/// The identity of a file, unique while the file is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileId {
    volume: u32,
    index: [u32; 2],
}

/// Returns the metadata and the identity of an open file.
///
/// # Errors
/// Returns the system error.
pub(crate) fn identify(file: &File) -> io::Result<(Metadata, FileId)> {
    let id = identity(file).ok_or_else(io::Error::last_os_error)?;
    Ok((file.metadata()?, id))
}

/// Returns whether `name` in `dir` is a name of this file.
pub(crate) fn is_named(dir: &Dir, name: &OsStr, id: FileId) -> bool {
    let named = dir.at(name).and_then(|path| OpenOptions::new().read(true).open(path));
    named.is_ok_and(|named| identity(&named) == Some(id))
}

/// Writes to a file at an offset. Returns the number of bytes written.
///
/// # Errors
/// Returns the system error.
pub(crate) fn write_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<usize> {
    file.seek_write(bytes, offset)
}

/// Reads from a file at an offset. Returns the number of bytes read.
///
/// # Errors
/// Returns the system error.
pub(crate) fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    file.seek_read(buffer, offset)
}

/// Returns owner 0 and one name, like [`Stat`] on this system.
pub(crate) fn owner_and_links(_data: &Metadata) -> (u32, u64) {
    (0, 1)
}

/// Returns 0, the owner of every file in [`Stat`] on this system.
pub(crate) fn effective_user() -> u32 {
    0
}

/// Returns `None`, because Windows has no identifier that changes each time the machine starts.
pub(crate) fn boot_id() -> Option<Vec<u8>> {
    None
}

/// Returns whether a path of the system leads to the file that is open as `file`.
pub(crate) fn is_at(path: &Path, file: &File) -> bool {
    let named = OpenOptions::new().read(true).open(path);
    named.is_ok_and(|named| identity(&named).is_some_and(|number| identity(file) == Some(number)))
}

/// Returns whether a path of the system leads to a directory. A [`Dir`] is a path here, so it is
/// always the same directory.
///
/// # Errors
/// Returns the system error.
pub(crate) fn is_dir_at(path: &Path, _stat: &Stat) -> io::Result<bool> {
    Ok(fs::metadata(path)?.is_dir())
}

/// Copies the read-only attribute from the file that is replaced.
pub(crate) fn copy_attributes((new, _): (&File, &Metadata), (_, before): (&File, &Metadata)) {
    let _ = new.set_permissions(before.permissions());
}

/// Returns false: Windows does not report separately that a file cannot be replaced but may be
/// written.
pub(crate) fn cannot_replace(_error: &io::Error) -> bool {
    false
}

/// Does nothing: the reservation of space is not implemented for Windows.
pub(crate) fn reserve(_file: &File, _length: u64) -> io::Result<()> {
    Ok(())
}

/// Does nothing: files have no mode on Windows.
pub(crate) fn set_file_mode(_file: &File, _mode: u32) {}

/// `BY_HANDLE_FILE_INFORMATION`.
#[repr(C)]
#[derive(Default)]
struct FileInformation {
    attributes: u32,
    times: [u32; 6],
    volume: u32,
    size: [u32; 2],
    links: u32,
    index: [u32; 2],
}

fn identity(file: &File) -> Option<FileId> {
    unsafe extern "system" {
        fn GetFileInformationByHandle(
            file: *mut std::ffi::c_void,
            information: *mut FileInformation,
        ) -> i32;
    }
    let mut information = FileInformation::default();
    // SAFETY: the handle is open, and `information` has the layout the system fills.
    let known = unsafe { GetFileInformationByHandle(file.as_raw_handle(), &mut information) };
    (known != 0).then_some(FileId { volume: information.volume, index: information.index })
}

fn stat_of(data: &Metadata) -> Stat {
    const REPARSE_POINT: u32 = 0x400;
    let kind = if data.file_type().is_symlink() {
        FileKind::Link
    } else if data.file_attributes() & REPARSE_POINT != 0 {
        FileKind::Other
    } else if data.is_dir() {
        FileKind::Dir
    } else {
        FileKind::File
    };
    let bits = if data.permissions().readonly() { 0o444 } else { 0o644 };
    Stat {
        kind,
        size: data.len(),
        modified: data.modified().unwrap_or(UNIX_EPOCH),
        created: data.created().ok(),
        mode: if kind == FileKind::Dir { bits | 0o111 } else { bits },
        owner: 0,
        group: 0,
        links: 1,
        device: 0,
        inode: 0,
    }
}
