//! [`Dir`]: a directory whose names are used one at a time.
//!
//! Windows lets no program open a name relative to a directory's handle without the kernel's own
//! interface, so a directory is held as its real path here. Every part of a path is looked at
//! before it is used, and links and other reparse points are never followed. What this does not
//! cover: someone with an account on the server itself who replaces a directory by a link in the
//! moment between the look and the use.

use crate::sys::windows_names::means_something_else;
use crate::sys::{FileKind, Open, Stat};
use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File, FileTimes, Metadata, OpenOptions, ReadDir};
use std::io;
use std::os::windows::ffi::OsStrExt;
use std::os::windows::fs::{FileTimesExt, MetadataExt};
use std::os::windows::io::AsRawHandle;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// A directory, known by its real path.
#[derive(Debug)]
pub struct Dir {
    path: PathBuf,
}

impl Dir {
    /// Opens the directory at a path of the system, following links as the system does.
    ///
    /// # Errors
    /// No such directory, or not a directory.
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
    /// Also where `name` is a link, even to a directory: see [`Dir::read_link`].
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
    /// What the system says; also where `name` is no plain file.
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

    /// What the system knows of `name`, its link not followed.
    ///
    /// # Errors
    /// Chiefly that there is none.
    pub fn stat(&self, name: &OsStr) -> io::Result<Stat> {
        Ok(stat_of(&fs::symlink_metadata(self.at(name)?)?))
    }

    /// What the system knows of this directory itself.
    ///
    /// # Errors
    /// What the system says.
    pub fn stat_self(&self) -> io::Result<Stat> {
        Ok(stat_of(&fs::symlink_metadata(&self.path)?))
    }

    /// The target of the link `name`.
    ///
    /// # Errors
    /// What the system says; also where `name` is no link.
    pub fn read_link(&self, name: &OsStr) -> io::Result<OsString> {
        fs::read_link(self.at(name)?).map(PathBuf::into_os_string)
    }

    /// Makes the directory `name`.
    ///
    /// # Errors
    /// What the system says.
    pub fn make_dir(&self, name: &OsStr) -> io::Result<()> {
        fs::create_dir(self.at(name)?)
    }

    /// Removes the empty directory `name`.
    ///
    /// # Errors
    /// What the system says.
    pub fn remove_dir(&self, name: &OsStr) -> io::Result<()> {
        fs::remove_dir(self.at(name)?)
    }

    /// Removes the file or link `name`.
    ///
    /// # Errors
    /// What the system says; directories are refused.
    pub fn remove_file(&self, name: &OsStr) -> io::Result<()> {
        fs::remove_file(self.at(name)?)
    }

    /// Renames `name` to `new` in the directory `to`, replacing what is there.
    ///
    /// # Errors
    /// What the system says.
    pub fn rename(&self, name: &OsStr, to: &Dir, new: &OsStr) -> io::Result<()> {
        fs::rename(self.at(name)?, to.at(new)?)
    }

    /// Gives the file `name` the name `new` in the directory `to` as well, if nothing has that name.
    ///
    /// # Errors
    /// `AlreadyExists`, or what a file system says that has no hard links.
    pub fn hard_link(&self, name: &OsStr, to: &Dir, new: &OsStr) -> io::Result<()> {
        fs::hard_link(self.at(name)?, to.at(new)?)
    }

    /// Makes `name` read-only or writable, as the write bits of `mode` say: all there is here.
    ///
    /// # Errors
    /// What the system says.
    pub fn set_mode(&self, name: &OsStr, mode: u32) -> io::Result<()> {
        let mut permissions = fs::symlink_metadata(self.at(name)?)?.permissions();
        permissions.set_readonly(mode & 0o222 == 0);
        fs::set_permissions(self.at(name)?, permissions)
    }

    /// Sets when `name` was last modified.
    ///
    /// # Errors
    /// What the system says.
    pub fn set_modified(&self, name: &OsStr, time: SystemTime) -> io::Result<()> {
        self.open(name, Open::Write)?.set_modified(time)
    }

    /// Sets when `name` was created.
    ///
    /// # Errors
    /// What the system says.
    pub fn set_created(&self, name: &OsStr, time: SystemTime) -> io::Result<()> {
        self.open(name, Open::Write)?.set_times(FileTimes::new().set_created(time))
    }

    /// Links need a right here that programs seldom have, and are not made.
    ///
    /// # Errors
    /// Always `PermissionDenied`.
    pub fn symlink(&self, _target: &OsStr, _name: &OsStr) -> io::Result<()> {
        Err(io::ErrorKind::PermissionDenied.into())
    }

    /// How many bytes the server's user may still store here.
    ///
    /// # Errors
    /// What the system says.
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

    /// The names in this directory as they come.
    ///
    /// # Errors
    /// No right to read it.
    pub fn entries(&self) -> io::Result<Entries> {
        Ok(Entries { names: fs::read_dir(&self.path)? })
    }

    /// Brings this directory's names to the disk; the system does so by itself.
    ///
    /// # Errors
    /// None.
    pub fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    /// The path of one name. A path is refused: what it leads through was not looked at.
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
    /// Appends the next name to `to`, as it goes on the wire; whether there was one.
    ///
    /// # Errors
    /// The directory cannot be read any further.
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

/// Whether an error of [`Dir::open_dir`] or [`Dir::open`] may mean that the name is a link.
pub(crate) fn may_be_link(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotADirectory
}

/// A name from the wire as the system's, unless it would mean something else here.
///
/// # Errors
/// `InvalidFilename` for what can be no name here.
pub(crate) fn os_name(bytes: &[u8]) -> io::Result<OsString> {
    let name = std::str::from_utf8(bytes).ok().filter(|name| !means_something_else(name));
    name.map(OsString::from).ok_or_else(|| io::ErrorKind::InvalidFilename.into())
}

/// A name of the system as it goes on the wire: UTF-8.
pub(crate) fn name_bytes(name: &OsStr) -> Cow<'_, [u8]> {
    match name.to_string_lossy() {
        Cow::Borrowed(name) => Cow::Borrowed(name.as_bytes()),
        Cow::Owned(name) => Cow::Owned(name.into_bytes()),
    }
}

/// The reverse of [`name_bytes`], but for names that are no UTF-16: those cannot be named.
pub(crate) fn name_of(bytes: &[u8]) -> Cow<'_, OsStr> {
    match String::from_utf8_lossy(bytes) {
        Cow::Borrowed(name) => Cow::Borrowed(OsStr::new(name)),
        Cow::Owned(name) => Cow::Owned(name.into()),
    }
}

/// What tells an open file from all others for as long as it is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileId {
    volume: u32,
    index: [u32; 2],
}

/// What is known of an open file, and what tells it from others.
///
/// # Errors
/// What the system says.
pub(crate) fn identify(file: &File) -> io::Result<(Metadata, FileId)> {
    let id = identity(file).ok_or_else(io::Error::last_os_error)?;
    Ok((file.metadata()?, id))
}

/// Whether `name` in `dir` is this very file.
pub(crate) fn is_named(dir: &Dir, name: &OsStr, id: FileId) -> bool {
    let named = dir.at(name).and_then(|path| OpenOptions::new().read(true).open(path));
    named.is_ok_and(|named| identity(&named) == Some(id))
}

/// Whether the very file that is open as `file` stands at a path of the system.
pub(crate) fn is_at(path: &Path, file: &File) -> bool {
    let named = OpenOptions::new().read(true).open(path);
    named.is_ok_and(|named| identity(&named).is_some_and(|number| identity(file) == Some(number)))
}

/// Returns true if there is a directory at a path of the system. A [`Dir`] is a path here, so it is
/// always the one that is there.
///
/// # Errors
/// What the system says.
pub(crate) fn is_dir_at(path: &Path, _stat: &Stat) -> io::Result<bool> {
    Ok(fs::metadata(path)?.is_dir())
}

/// Gives an open file what it keeps of the one it replaces; here that is whether it may be written.
pub(crate) fn adopt((new, _): (&File, &Metadata), (_, before): (&File, &Metadata)) {
    let _ = new.set_permissions(before.permissions());
}

/// Returns true if an error means that a file cannot be replaced although it may perhaps be
/// written, which this system does not tell from other refusals.
pub(crate) fn cannot_replace(_error: &io::Error) -> bool {
    false
}

/// Makes sure that a file can have this many bytes; this system is not asked.
pub(crate) fn reserve(_file: &File, _length: u64) -> io::Result<()> {
    Ok(())
}

/// Modes are not of this system.
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
