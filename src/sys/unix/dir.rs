//! [`Dir`]: a directory held open, through which names in it are used.
//!
//! Every call takes one name, never a path, and never follows a link in its place. Whoever walks
//! from such a directory downwards stays below it, whatever is renamed or replaced meanwhile.

use super::abi::{
    AT_REMOVEDIR, AT_SYMLINK_NOFOLLOW, ELOOP, O_APPEND, O_CLOEXEC, O_CREAT, O_DIRECTORY, O_EXCL,
    O_NOCTTY, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_RDWR, O_WALK, O_WRONLY, UTIME_OMIT, dirent,
    statvfs, timespec,
};
use super::{check, retry};
use crate::sys::{FileKind, Open, Stat};
use std::borrow::Cow;
use std::ffi::{CStr, CString, OsStr, OsString, c_char, c_int, c_uint};
use std::fs::{File, Metadata, Permissions};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
use std::path::Path;
use std::ptr::NonNull;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

#[repr(C)]
struct Stream {
    _opaque: [u8; 0],
}

unsafe extern "C" {
    fn open(path: *const c_char, flags: c_int, ...) -> c_int;
    fn openat(dir: c_int, name: *const c_char, flags: c_int, ...) -> c_int;
    fn mkdirat(dir: c_int, name: *const c_char, mode: c_uint) -> c_int;
    fn unlinkat(dir: c_int, name: *const c_char, flags: c_int) -> c_int;
    fn renameat(from: c_int, name: *const c_char, to: c_int, new: *const c_char) -> c_int;
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
    #[cfg_attr(all(target_os = "macos", target_arch = "x86_64"), link_name = "fdopendir$INODE64")]
    fn fdopendir(fd: c_int) -> *mut Stream;
    #[cfg_attr(all(target_os = "linux", target_env = "gnu"), link_name = "readdir64")]
    #[cfg_attr(all(target_os = "macos", target_arch = "x86_64"), link_name = "readdir$INODE64")]
    fn readdir(stream: *mut Stream) -> *const dirent;
    fn closedir(stream: *mut Stream) -> c_int;
}

/// A directory, held open.
#[derive(Debug)]
pub struct Dir {
    fd: OwnedFd,
}

impl Dir {
    /// Opens the directory at a path of the system, following links as the system does.
    ///
    /// # Errors
    /// No such directory, not a directory, or no right to search it.
    pub fn open_path(path: &Path) -> io::Result<Dir> {
        let path = path_string(path.as_os_str())?;
        let flags = O_WALK | O_DIRECTORY | O_CLOEXEC;
        // SAFETY: `path` ends in NUL and lives through the call.
        let fd = retry(|| unsafe { open(path.as_ptr(), flags) })?;
        Ok(Dir { fd: owned(fd) })
    }

    /// Opens the directory `name` in this one.
    ///
    /// # Errors
    /// Also where `name` is a link, even to a directory: see [`Dir::read_link`].
    pub fn open_dir(&self, name: &OsStr) -> io::Result<Dir> {
        let flags = O_WALK | O_DIRECTORY | O_NOFOLLOW;
        Ok(Dir { fd: self.open_at(name, flags)? })
    }

    /// Opens a file. It does not wait for FIFOs, but it does open them: look at the kind before,
    /// because opening a device can have effects, and at the file after, because of races.
    ///
    /// # Errors
    /// What the system says; also where `name` is a link.
    pub fn open(&self, name: &OsStr, how: Open) -> io::Result<File> {
        let how = match how {
            Open::Read => O_RDONLY,
            Open::Write => O_RDWR,
            Open::Append => O_WRONLY | O_APPEND,
            Open::Create => O_RDWR | O_CREAT,
            Open::CreateNew => O_RDWR | O_CREAT | O_EXCL,
        };
        Ok(File::from(self.open_at(name, how | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY)?))
    }

    fn open_at(&self, name: &OsStr, flags: c_int) -> io::Result<OwnedFd> {
        const MODE: c_uint = 0o666; // the process's umask takes its part away
        let dir = self.fd.as_raw_fd();
        with_c_string(name, |name| {
            // SAFETY: `name` ends in NUL and lives through the call; the mode is read with O_CREAT.
            let fd = retry(|| unsafe { openat(dir, name.as_ptr(), flags | O_CLOEXEC, MODE) })?;
            Ok(owned(fd))
        })
    }

    /// What the system knows of `name`, its link not followed.
    ///
    /// # Errors
    /// Chiefly that there is none.
    pub fn stat(&self, name: &OsStr) -> io::Result<Stat> {
        with_c_string(name, |name| stat_at(self.fd.as_raw_fd(), name))
    }

    /// What the system knows of this directory itself.
    ///
    /// # Errors
    /// What the system says.
    pub fn stat_self(&self) -> io::Result<Stat> {
        stat_at(self.fd.as_raw_fd(), c".")
    }

    /// The target of the link `name`; `InvalidInput` where it is no link.
    ///
    /// # Errors
    /// What the system says.
    pub fn read_link(&self, name: &OsStr) -> io::Result<OsString> {
        let name = c_string(name)?;
        let mut target = vec![0u8; 4096]; // PATH_MAX, the longest a link can be
        // SAFETY: the buffer is writable for the length that is given.
        let length = unsafe {
            readlinkat(self.fd.as_raw_fd(), name.as_ptr(), target.as_mut_ptr().cast(), target.len())
        };
        let length = usize::try_from(length).map_err(|_| io::Error::last_os_error())?;
        target.truncate(length);
        Ok(OsString::from_vec(target))
    }

    /// Makes the directory `name`.
    ///
    /// # Errors
    /// What the system says.
    pub fn make_dir(&self, name: &OsStr) -> io::Result<()> {
        let name = c_string(name)?;
        // SAFETY: `name` ends in NUL and lives through the call.
        check(unsafe { mkdirat(self.fd.as_raw_fd(), name.as_ptr(), 0o777) }).map(drop)
    }

    /// Removes the empty directory `name`.
    ///
    /// # Errors
    /// What the system says.
    pub fn remove_dir(&self, name: &OsStr) -> io::Result<()> {
        self.unlink(name, AT_REMOVEDIR)
    }

    /// Removes the name `name` of a file or link.
    ///
    /// # Errors
    /// What the system says; directories are refused.
    pub fn remove_file(&self, name: &OsStr) -> io::Result<()> {
        self.unlink(name, 0)
    }

    fn unlink(&self, name: &OsStr, flags: c_int) -> io::Result<()> {
        let name = c_string(name)?;
        // SAFETY: `name` ends in NUL and lives through the call.
        check(unsafe { unlinkat(self.fd.as_raw_fd(), name.as_ptr(), flags) }).map(drop)
    }

    /// Renames `name` to `new` in the directory `to`, replacing what is there.
    ///
    /// # Errors
    /// What the system says, `CrossesDevices` among it.
    pub fn rename(&self, name: &OsStr, to: &Dir, new: &OsStr) -> io::Result<()> {
        let (name, new) = (c_string(name)?, c_string(new)?);
        let (from, to) = (self.fd.as_raw_fd(), to.fd.as_raw_fd());
        // SAFETY: both names end in NUL and live through the call.
        check(unsafe { renameat(from, name.as_ptr(), to, new.as_ptr()) }).map(drop)
    }

    /// Sets the permission bits of `name`; a link is refused.
    ///
    /// # Errors
    /// What the system says.
    pub fn set_mode(&self, name: &OsStr, mode: u32) -> io::Result<()> {
        let name = c_string(name)?;
        let dir = self.fd.as_raw_fd();
        // SAFETY: `name` ends in NUL and lives through the call.
        check(unsafe { fchmodat(dir, name.as_ptr(), mode & 0o7777, AT_SYMLINK_NOFOLLOW) }).map(drop)
    }

    /// Sets when `name` was last modified; its time of access stays.
    ///
    /// # Errors
    /// What the system says.
    pub fn set_modified(&self, name: &OsStr, time: SystemTime) -> io::Result<()> {
        let name = c_string(name)?;
        let times = [timespec { seconds: 0, nanoseconds: UTIME_OMIT }, to_timespec(time)];
        let dir = self.fd.as_raw_fd();
        // SAFETY: the name ends in NUL, and it and the two times live through the call.
        check(unsafe { utimensat(dir, name.as_ptr(), &times, AT_SYMLINK_NOFOLLOW) }).map(drop)
    }

    /// Sets when `name` was created, where the system can ([`crate::sys::CAN_SET_CREATED`]).
    ///
    /// # Errors
    /// `Unsupported` on this system.
    pub fn set_created(&self, _name: &OsStr, _time: SystemTime) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Makes the link `name` that leads to `target`.
    ///
    /// # Errors
    /// What the system says.
    pub fn symlink(&self, target: &OsStr, name: &OsStr) -> io::Result<()> {
        let (target, name) = (path_string(target)?, c_string(name)?);
        // SAFETY: both strings end in NUL and live through the call.
        check(unsafe { symlinkat(target.as_ptr(), self.fd.as_raw_fd(), name.as_ptr()) }).map(drop)
    }

    /// How many bytes a user without special rights may still store here.
    ///
    /// # Errors
    /// What the system says.
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

    /// The names in this directory as they come, without `.` and `..`.
    ///
    /// # Errors
    /// No right to read it.
    pub fn entries(&self) -> io::Result<Entries> {
        let fd = self.open_at(OsStr::new("."), O_RDONLY | O_DIRECTORY)?;
        // SAFETY: the descriptor is open, of a directory, and ours alone.
        let stream = NonNull::new(unsafe { fdopendir(fd.as_raw_fd()) });
        let stream = stream.ok_or_else(io::Error::last_os_error)?;
        let _ = fd.into_raw_fd(); // closedir closes it from here on
        Ok(Entries { stream })
    }

    /// Brings this directory's names to the disk.
    ///
    /// # Errors
    /// What the system says.
    pub fn sync(&self) -> io::Result<()> {
        File::from(self.open_at(OsStr::new("."), O_RDONLY | O_DIRECTORY)?).sync_all()
    }
}

/// The names in a [`Dir`]. Holds one descriptor and one buffer, whatever the directory's size.
#[derive(Debug)]
pub struct Entries {
    stream: NonNull<Stream>,
}

// SAFETY: the stream is used through `&mut` alone and belongs to no thread.
unsafe impl Send for Entries {}

impl Entries {
    /// Appends the next name to `to`, as it goes on the wire; whether there was one.
    ///
    /// # Errors
    /// The directory cannot be read any further.
    pub(crate) fn read_name(&mut self, to: &mut Vec<u8>) -> io::Result<bool> {
        loop {
            clear_errno();
            // SAFETY: the stream is open; the entry is read before the next call overwrites it.
            let entry = unsafe { readdir(self.stream.as_ptr()) };
            if entry.is_null() {
                let error = io::Error::last_os_error();
                return if error.raw_os_error() == Some(0) { Ok(false) } else { Err(error) };
            }
            // SAFETY: readdir gave a valid entry whose name ends in NUL. Its address is taken
            // without a reference, since the entry may be shorter than the whole struct.
            let name = unsafe { CStr::from_ptr((&raw const (*entry).name).cast()) }.to_bytes();
            if name != b"." && name != b".." {
                to.extend_from_slice(name);
                return Ok(true);
            }
        }
    }
}

impl Iterator for Entries {
    type Item = io::Result<OsString>;

    fn next(&mut self) -> Option<io::Result<OsString>> {
        let mut name = Vec::new();
        match self.read_name(&mut name) {
            Ok(true) => Some(Ok(OsString::from_vec(name))),
            Ok(false) => None,
            Err(error) => Some(Err(error)),
        }
    }
}

impl Drop for Entries {
    fn drop(&mut self) {
        // SAFETY: the stream is open and dropped once.
        unsafe { closedir(self.stream.as_ptr()) };
    }
}

/// Whether an error of [`Dir::open_dir`] or [`Dir::open`] may mean that the name is a link.
pub(crate) fn may_be_link(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotADirectory || error.raw_os_error() == Some(ELOOP)
}

/// At the end of a directory `readdir` leaves errno alone, so it is cleared to tell the two apart.
fn clear_errno() {
    unsafe extern "C" {
        #[cfg_attr(target_os = "linux", link_name = "__errno_location")]
        #[cfg_attr(not(target_os = "linux"), link_name = "__error")]
        fn errno_location() -> *mut c_int;
    }
    // SAFETY: the C library gives a valid address for this thread.
    unsafe { *errno_location() = 0 };
}

fn owned(fd: c_int) -> OwnedFd {
    // SAFETY: the descriptor was just opened and is nobody else's.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

/// One name for the system. A path is refused: what it leads through was not looked at.
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

/// [`c_string`] for what is done with every name of a directory: on the stack, as far as names go.
fn with_c_string<T>(name: &OsStr, action: impl FnOnce(&CStr) -> io::Result<T>) -> io::Result<T> {
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

fn to_timespec(time: SystemTime) -> timespec {
    let (seconds, nanoseconds) = match time.duration_since(UNIX_EPOCH) {
        Ok(after) => (i64::try_from(after.as_secs()).unwrap_or(i64::MAX), after.subsec_nanos()),
        Err(before) => {
            let before = before.duration();
            let seconds = 0i64.saturating_sub_unsigned(before.as_secs());
            match before.subsec_nanos() {
                0 => (seconds, 0),
                part => (seconds.saturating_sub(1), 1_000_000_000 - part),
            }
        }
    };
    timespec { seconds, nanoseconds: nanoseconds as std::ffi::c_long }
}

fn to_system_time(seconds: i64, nanoseconds: u32) -> SystemTime {
    let fraction = Duration::from_nanos(u64::from(nanoseconds));
    let whole = Duration::from_secs(seconds.unsigned_abs());
    let time =
        if seconds < 0 { UNIX_EPOCH.checked_sub(whole) } else { UNIX_EPOCH.checked_add(whole) };
    time.and_then(|t| t.checked_add(fraction)).unwrap_or(UNIX_EPOCH)
}

fn kind_of(mode: u32) -> FileKind {
    match mode & 0o170_000 {
        0o100_000 => FileKind::File,
        0o040_000 => FileKind::Dir,
        0o120_000 => FileKind::Link,
        _ => FileKind::Other,
    }
}

/// The number of a device from its two parts, as the C library makes it for `fstat`.
#[cfg(target_os = "linux")]
fn make_device(major: u32, minor: u32) -> u64 {
    let (major, minor) = (u64::from(major), u64::from(minor));
    (major & !0xfff) << 32 | (major & 0xfff) << 8 | (minor & !0xff) << 12 | (minor & 0xff)
}

/// The number of a device as [`Stat`] has it: its 32 bits where the system's are signed.
fn device_number(device: u64) -> u64 {
    if cfg!(target_os = "linux") { device } else { device & 0xffff_ffff }
}

#[cfg(target_os = "linux")]
fn stat_at(dir: c_int, name: &CStr) -> io::Result<Stat> {
    use super::abi::{STATX_BASIC_STATS, STATX_BTIME, statx as Statx};
    unsafe extern "C" {
        fn statx(
            dir: c_int,
            name: *const c_char,
            flags: c_int,
            mask: c_uint,
            out: *mut Statx,
        ) -> c_int;
    }
    let mut out = MaybeUninit::<Statx>::zeroed();
    let mask = STATX_BASIC_STATS | STATX_BTIME;
    // SAFETY: the name ends in NUL, and `out` is writable for one statx, valid in any bits.
    let out = unsafe {
        check(statx(dir, name.as_ptr(), AT_SYMLINK_NOFOLLOW, mask, out.as_mut_ptr()))?;
        out.assume_init()
    };
    let mode = u32::from(out.mode);
    Ok(Stat {
        kind: kind_of(mode),
        size: out.size,
        modified: to_system_time(out.modified.seconds, out.modified.nanoseconds),
        created: (out.mask & STATX_BTIME != 0)
            .then(|| to_system_time(out.created.seconds, out.created.nanoseconds)),
        mode: mode & 0o7777,
        owner: out.owner,
        group: out.group,
        links: u64::from(out.links),
        device: make_device(out.device_major, out.device_minor),
        inode: out.inode,
    })
}

#[cfg(not(target_os = "linux"))]
fn stat_at(dir: c_int, name: &CStr) -> io::Result<Stat> {
    use super::abi::stat;
    unsafe extern "C" {
        #[cfg_attr(target_arch = "x86_64", link_name = "fstatat$INODE64")]
        fn fstatat(dir: c_int, name: *const c_char, out: *mut stat, flags: c_int) -> c_int;
    }
    let time = |t: timespec| to_system_time(t.seconds, t.nanoseconds as u32);
    let mut out = MaybeUninit::<stat>::zeroed();
    // SAFETY: the name ends in NUL, and `out` is writable for one stat, valid in any bits.
    let out = unsafe {
        check(fstatat(dir, name.as_ptr(), out.as_mut_ptr(), AT_SYMLINK_NOFOLLOW))?;
        out.assume_init()
    };
    let mode = u32::from(out.mode);
    Ok(Stat {
        kind: kind_of(mode),
        size: u64::try_from(out.size).unwrap_or(0),
        modified: time(out.modified),
        created: Some(time(out.created)),
        mode: mode & 0o7777,
        owner: out.owner,
        group: out.group,
        links: u64::from(out.links),
        device: device_number(out.device as u64),
        inode: out.inode,
    })
}

/// A name from the wire as the system's; on Unix every byte but NUL and `/` may be in one.
///
/// # Errors
/// `InvalidFilename` for what can be no name here.
pub(crate) fn os_name(bytes: &[u8]) -> io::Result<OsString> {
    if bytes.iter().any(|b| matches!(b, 0 | b'/')) {
        return Err(io::ErrorKind::InvalidFilename.into());
    }
    Ok(OsStr::from_bytes(bytes).to_owned())
}

/// A name of the system as it goes on the wire: the same bytes.
pub(crate) fn name_bytes(name: &OsStr) -> Cow<'_, [u8]> {
    Cow::Borrowed(name.as_bytes())
}

/// The reverse of [`name_bytes`].
pub(crate) fn name_of(bytes: &[u8]) -> Cow<'_, OsStr> {
    Cow::Borrowed(OsStr::from_bytes(bytes))
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_no_name() {
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
    fn every_moment_can_be_given_to_the_system() {
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
