//! [`Dir`]: an open directory, through which the names in it are used.
//!
//! Every call takes one name, never a path, and does not follow a link with that name. A walk from
//! such a directory downwards therefore stays below it, whatever is renamed or replaced in the meantime.

use super::abi::{
    AT_REMOVEDIR, AT_SYMLINK_NOFOLLOW, ELOOP, O_APPEND, O_CLOEXEC, O_CREAT, O_DIRECTORY, O_EXCL,
    O_NOCTTY, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_RDWR, O_WALK, O_WRONLY, UTIME_OMIT, statvfs,
    timespec,
};

use super::entries::Entries;
use super::stat::{stat_at, to_timespec};
use super::{check, retry};
use crate::sys::{Open, Stat};
use std::borrow::Cow;
use std::ffi::{CStr, CString, OsStr, OsString, c_char, c_int, c_uint};
use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;
#[cfg(target_os = "linux")]
use std::sync::OnceLock;
use std::time::SystemTime;

unsafe extern "C" {
    fn open(path: *const c_char, flags: c_int, ...) -> c_int;
    fn openat(dir: c_int, name: *const c_char, flags: c_int, ...) -> c_int;
    fn mkdirat(dir: c_int, name: *const c_char, mode: c_uint) -> c_int;
    fn unlinkat(dir: c_int, name: *const c_char, flags: c_int) -> c_int;
    fn renameat(from: c_int, name: *const c_char, to: c_int, new: *const c_char) -> c_int;
    fn linkat(
        from: c_int,
        name: *const c_char,
        to: c_int,
        new: *const c_char,
        flags: c_int,
    ) -> c_int;
    fn readlinkat(dir: c_int, name: *const c_char, buffer: *mut c_char, size: usize) -> isize;
    fn symlinkat(target: *const c_char, dir: c_int, name: *const c_char) -> c_int;
    fn fstatvfs(fd: c_int, out: *mut statvfs) -> c_int;
    fn fchmodat(dir: c_int, name: *const c_char, mode: c_uint, flags: c_int) -> c_int;
    fn utimensat(
        dir: c_int,
        name: *const c_char,
        times: *const [timespec; 2],
        flags: c_int,
    ) -> c_int;
}

/// An open directory.
#[derive(Debug)]
pub struct Dir {
    fd: OwnedFd,
    /// True if all names of the file system are always in the cache; empty until that is known.
    #[cfg(target_os = "linux")]
    pub(super) names_in_memory: OnceLock<bool>,
}

impl From<OwnedFd> for Dir {
    fn from(fd: OwnedFd) -> Dir {
        Dir {
            fd,
            #[cfg(target_os = "linux")]
            names_in_memory: OnceLock::new(),
        }
    }
}

impl Dir {
    /// Opens the directory at a path of the system, following links.
    ///
    /// # Errors
    /// Fails if there is no such directory, if it is not a directory, or without search
    /// permission.
    pub fn open_path(path: &Path) -> io::Result<Dir> {
        let path = path_string(path.as_os_str())?;
        let flags = O_WALK | O_DIRECTORY | O_CLOEXEC;
        // SAFETY: `path` ends in NUL and is valid during the call.
        let fd = retry(|| unsafe { open(path.as_ptr(), flags) })?;
        Ok(Dir::from(owned(fd)))
    }

    /// Opens the directory `name` in this one.
    ///
    /// # Errors
    /// Also fails if `name` is a link, even to a directory; see [`Dir::read_link`].
    pub fn open_dir(&self, name: &OsStr) -> io::Result<Dir> {
        let flags = O_WALK | O_DIRECTORY | O_NOFOLLOW;
        Ok(Dir::from(self.open_at(name, flags)?))
    }

    /// Opens a file. The call opens a FIFO without waiting. The caller has to check the kind of
    /// the file before, because opening a device can have side effects, and check the opened file
    /// again, because of races.
    ///
    /// # Errors
    /// Returns the system error; also fails if `name` is a link.
    pub fn open(&self, name: &OsStr, how: Open) -> io::Result<File> {
        const ALL: c_uint = 0o666; // reduced by the umask of the process
        const OWNER: c_uint = 0o600;
        let (flags, private) = match how {
            Open::Read => (O_RDONLY, false),
            Open::Write => (O_RDWR, false),
            Open::Append => (O_WRONLY | O_APPEND, false),
            Open::Create { private } => (O_RDWR | O_CREAT, private),
            Open::CreateNew { private } => (O_RDWR | O_CREAT | O_EXCL, private),
        };
        let mode = if private { OWNER } else { ALL };
        let flags = flags | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
        Ok(File::from(self.open_with_mode(name, flags, mode)?))
    }

    /// Returns the number of the descriptor.
    pub(super) fn raw(&self) -> c_int {
        self.fd.as_raw_fd()
    }

    fn open_at(&self, name: &OsStr, flags: c_int) -> io::Result<OwnedFd> {
        self.open_with_mode(name, flags, 0)
    }

    pub(super) fn open_with_mode(
        &self,
        name: &OsStr,
        flags: c_int,
        mode: c_uint,
    ) -> io::Result<OwnedFd> {
        let dir = self.fd.as_raw_fd();
        with_c_string(name, |name| {
            // SAFETY: `name` ends in NUL and is valid during the call; the mode is read with O_CREAT.
            let fd = retry(|| unsafe { openat(dir, name.as_ptr(), flags | O_CLOEXEC, mode) })?;
            Ok(owned(fd))
        })
    }

    /// Returns the metadata of `name` without following a link.
    ///
    /// # Errors
    /// Fails if the name does not exist, or with another system error.
    pub fn stat(&self, name: &OsStr) -> io::Result<Stat> {
        with_c_string(name, |name| stat_at(self.fd.as_raw_fd(), name))
    }

    /// Returns the metadata of this directory.
    ///
    /// # Errors
    /// Returns the system error.
    pub fn stat_self(&self) -> io::Result<Stat> {
        stat_at(self.fd.as_raw_fd(), c".")
    }

    /// Returns the target of the link `name`.
    ///
    /// # Errors
    /// Returns the system error; `InvalidInput` if `name` is not a link.
    pub fn read_link(&self, name: &OsStr) -> io::Result<OsString> {
        let name = c_string(name)?;
        let mut target = vec![0u8; 4096]; // PATH_MAX, the maximum length of a target
        // SAFETY: the buffer is writable for the length that is given.
        let length = unsafe {
            readlinkat(self.fd.as_raw_fd(), name.as_ptr(), target.as_mut_ptr().cast(), target.len())
        };
        let length = usize::try_from(length).map_err(|_| io::Error::last_os_error())?;
        target.truncate(length);
        Ok(OsString::from_vec(target))
    }

    /// Creates the directory `name`.
    ///
    /// # Errors
    /// Returns the system error.
    pub fn make_dir(&self, name: &OsStr) -> io::Result<()> {
        let name = c_string(name)?;
        // SAFETY: `name` ends in NUL and is valid during the call.
        check(unsafe { mkdirat(self.fd.as_raw_fd(), name.as_ptr(), 0o777) }).map(drop)
    }

    /// Removes the empty directory `name`.
    ///
    /// # Errors
    /// Returns the system error.
    pub fn remove_dir(&self, name: &OsStr) -> io::Result<()> {
        self.unlink(name, AT_REMOVEDIR)
    }

    /// Removes the file or link `name`.
    ///
    /// # Errors
    /// Returns the system error; fails for directories.
    pub fn remove_file(&self, name: &OsStr) -> io::Result<()> {
        self.unlink(name, 0)
    }

    fn unlink(&self, name: &OsStr, flags: c_int) -> io::Result<()> {
        let name = c_string(name)?;
        // SAFETY: `name` ends in NUL and is valid during the call.
        check(unsafe { unlinkat(self.fd.as_raw_fd(), name.as_ptr(), flags) }).map(drop)
    }

    /// Renames `name` to `new` in the directory `to`, and replaces an existing file.
    ///
    /// # Errors
    /// Returns the system error, such as `CrossesDevices`.
    pub fn rename(&self, name: &OsStr, to: &Dir, new: &OsStr) -> io::Result<()> {
        let (name, new) = (c_string(name)?, c_string(new)?);
        let (from, to) = (self.fd.as_raw_fd(), to.fd.as_raw_fd());
        // SAFETY: both names end in NUL and are valid during the call.
        check(unsafe { renameat(from, name.as_ptr(), to, new.as_ptr()) }).map(drop)
    }

    /// Creates `new` in the directory `to` as a hard link to the file `name`.
    ///
    /// # Errors
    /// `AlreadyExists` if `new` exists, or the system error, such as that of a file system without hard
    /// links.
    pub fn hard_link(&self, name: &OsStr, to: &Dir, new: &OsStr) -> io::Result<()> {
        to.link_from((self.fd.as_raw_fd(), &c_string(name)?), new, 0)
    }

    /// Creates `new` in this directory as a further name of a file: that of a path relative to an
    /// open directory, with the flags of `linkat`.
    pub(super) fn link_from(
        &self,
        (from, path): (c_int, &CStr),
        new: &OsStr,
        flags: c_int,
    ) -> io::Result<()> {
        let new = c_string(new)?;
        // SAFETY: both strings end in NUL and are valid during the call.
        check(unsafe { linkat(from, path.as_ptr(), self.fd.as_raw_fd(), new.as_ptr(), flags) })
            .map(drop)
    }

    /// Sets the permission bits of `name`.
    ///
    /// # Errors
    /// Returns the system error; fails for a link.
    pub fn set_mode(&self, name: &OsStr, mode: u32) -> io::Result<()> {
        let name = c_string(name)?;
        let dir = self.fd.as_raw_fd();
        // SAFETY: `name` ends in NUL and is valid during the call.
        check(unsafe { fchmodat(dir, name.as_ptr(), mode & 0o7777, AT_SYMLINK_NOFOLLOW) }).map(drop)
    }

    /// Sets the modification time of `name`, and keeps its access time.
    ///
    /// # Errors
    /// Returns the system error.
    pub fn set_modified(&self, name: &OsStr, time: SystemTime) -> io::Result<()> {
        let name = c_string(name)?;
        let times = [timespec { seconds: 0, nanoseconds: UTIME_OMIT }, to_timespec(time)];
        let dir = self.fd.as_raw_fd();
        // SAFETY: the name ends in NUL, and it and the two times are valid during the call.
        check(unsafe { utimensat(dir, name.as_ptr(), &times, AT_SYMLINK_NOFOLLOW) }).map(drop)
    }

    /// Sets the creation time of `name`, if the system can ([`crate::sys::CAN_SET_CREATED`]).
    ///
    /// # Errors
    /// `Unsupported` on this system.
    pub fn set_created(&self, _name: &OsStr, _time: SystemTime) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Creates the link `name` with the target `target`.
    ///
    /// # Errors
    /// Returns the system error.
    pub fn symlink(&self, target: &OsStr, name: &OsStr) -> io::Result<()> {
        let (target, name) = (path_string(target)?, c_string(name)?);
        // SAFETY: both strings end in NUL and are valid during the call.
        check(unsafe { symlinkat(target.as_ptr(), self.fd.as_raw_fd(), name.as_ptr()) }).map(drop)
    }

    /// Returns the number of bytes that an unprivileged user can still store in this file system.
    ///
    /// # Errors
    /// Returns the system error.
    pub fn space(&self) -> io::Result<u64> {
        let mut out = MaybeUninit::<statvfs>::zeroed();
        // SAFETY: `out` is writable for one statvfs, valid in any bits.
        let out = unsafe {
            check(fstatvfs(self.fd.as_raw_fd(), out.as_mut_ptr()))?;
            out.assume_init()
        };
        #[allow(clippy::useless_conversion)] // 32 bits on macOS
        Ok(u64::from(out.available).saturating_mul(out.fragment_size))
    }

    /// Returns the names in this directory in the order that the system returns them, without `.` and `..`.
    ///
    /// # Errors
    /// Fails without read permission.
    pub fn entries(&self) -> io::Result<Entries> {
        Entries::new(self.open_at(OsStr::new("."), O_RDONLY | O_DIRECTORY)?)
    }

    /// Writes this directory to the disk (fsync).
    ///
    /// # Errors
    /// Returns the system error.
    pub fn sync(&self) -> io::Result<()> {
        File::from(self.open_at(OsStr::new("."), O_RDONLY | O_DIRECTORY)?).sync_all()
    }
}

/// Returns whether an error of [`Dir::open_dir`] or [`Dir::open`] may mean that the name is a
/// link.
pub(crate) fn may_be_link(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotADirectory || error.raw_os_error() == Some(ELOOP)
}

pub(super) fn owned(fd: c_int) -> OwnedFd {
    // SAFETY: the descriptor was just opened, and nothing else owns it.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

/// Converts a name for the system. A path is rejected, because its directories would not be
/// checked.
fn c_string(name: &OsStr) -> io::Result<CString> {
    refuse_path(name)?;
    path_string(name)
}

fn refuse_path(name: &OsStr) -> io::Result<()> {
    if name.as_bytes().contains(&b'/') {
        return Err(io::ErrorKind::InvalidFilename.into());
    }
    Ok(())
}

fn path_string(path: &OsStr) -> io::Result<CString> {
    CString::new(path.as_bytes()).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))
}

/// Calls `action` with the name as a C string, like [`c_string`], but keeps names of the usual
/// length on the stack, because it is called for every name of a directory.
pub(super) fn with_c_string<T>(
    name: &OsStr,
    action: impl FnOnce(&CStr) -> io::Result<T>,
) -> io::Result<T> {
    refuse_path(name)?;
    let mut short = [0; 256]; // NAME_MAX and the NUL
    match short.get_mut(..name.len()) {
        Some(place) if name.len() < 256 => {
            place.copy_from_slice(name.as_bytes());
            let name = CStr::from_bytes_with_nul(&short[..=name.len()]);
            action(name.map_err(|_| io::ErrorKind::InvalidInput)?)
        }
        _ => action(&c_string(name)?),
    }
}

/// Converts a name from the wire to an `OsString`. On Unix it may contain all bytes except NUL and
/// `/`.
///
/// # Errors
/// `InvalidFilename` if the name is not possible on this system.
pub(crate) fn os_name(bytes: &[u8]) -> io::Result<OsString> {
    if bytes.iter().any(|b| matches!(b, 0 | b'/')) {
        return Err(io::ErrorKind::InvalidFilename.into());
    }
    Ok(OsStr::from_bytes(bytes).to_owned())
}

/// Returns the wire form of a name: the same bytes.
pub(crate) fn name_bytes(name: &OsStr) -> Cow<'_, [u8]> {
    Cow::Borrowed(name.as_bytes())
}

/// Converts a name back from the form that [`name_bytes`] returns.
pub(crate) fn name_of(bytes: &[u8]) -> Cow<'_, OsStr> {
    Cow::Borrowed(OsStr::from_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::super::stat::to_system_time;
    use super::*;
    use std::time::{Duration, UNIX_EPOCH};

    #[test]
    fn a_path_is_rejected_as_a_name() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("a")).unwrap();
        std::fs::write(root.path().join("a/b"), "content").unwrap();
        let dir = Dir::open_path(root.path()).unwrap();
        let (path, name) = (OsStr::new("a/b"), OsStr::new("x"));
        let time = SystemTime::now();
        for result in [
            dir.open_dir(OsStr::new("a/")).map(drop),
            dir.open(path, Open::Read).map(drop),
            dir.stat(path).map(drop),
            dir.read_link(path).map(drop),
            dir.make_dir(OsStr::new("a/c")),
            dir.remove_dir(OsStr::new("a/")),
            dir.remove_file(path),
            dir.rename(path, &dir, name),
            dir.rename(OsStr::new("a"), &dir, OsStr::new("/")),
            dir.set_mode(path, 0o600),
            dir.set_modified(path, time),
            dir.symlink(name, OsStr::new("a/l")),
        ] {
            assert_eq!(result.unwrap_err().kind(), io::ErrorKind::InvalidFilename);
        }
        // A link may lead anywhere.
        dir.symlink(path, name).unwrap();
        assert_eq!(dir.read_link(name).unwrap(), path);
    }

    #[test]
    fn every_time_is_converted_to_a_timespec_and_back() {
        let far = Duration::from_secs(1 << 62);
        let moments = [
            UNIX_EPOCH,
            UNIX_EPOCH + Duration::new(1, 2),
            UNIX_EPOCH - Duration::new(1, 2),
            UNIX_EPOCH - Duration::from_secs(1),
            UNIX_EPOCH + far + (far - Duration::from_nanos(1)),
            UNIX_EPOCH - far - far,
        ];
        for moment in moments {
            let raw = to_timespec(moment);
            assert!((0..1_000_000_000).contains(&raw.nanoseconds));
            assert_eq!(to_system_time(raw.seconds, raw.nanoseconds as u32), moment);
        }
    }
}
