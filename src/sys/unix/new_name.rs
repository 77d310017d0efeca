//! New names in a directory that many threads change at the same time.
//!
//! Linux locks a directory exclusively to change it, and shared to look up a name that is not in
//! the cache, as a new name never is. Where both kinds of waiters meet, the lock is handed over
//! every 4 ms only, so lookups are avoided where possible, and a file is written without a name
//! (`O_TMPFILE`) and linked in when it is complete: that changes the directory once instead of
//! twice. A file without a name disappears when it is closed, so a crash leaves nothing behind.

use super::Dir;
#[cfg(target_os = "linux")]
use super::stat::stat_open;
use crate::sys::Stat;
use std::ffi::OsStr;
#[cfg(target_os = "linux")]
use std::ffi::{CString, c_int, c_long, c_uint};
use std::fs::File;
use std::io;
#[cfg(target_os = "linux")]
use std::os::fd::AsFd;
#[cfg(target_os = "linux")]
use std::sync::atomic::{AtomicBool, Ordering};

/// The result of a lookup in the cache of names.
#[cfg(target_os = "linux")]
enum Cached {
    Found(Stat),
    /// The name is not in the cache.
    Missing,
    /// The cache cannot answer.
    Unknown,
}

#[cfg(target_os = "linux")]
impl Dir {
    /// Returns the metadata of `name` like [`Dir::stat`], for a name that probably does not exist.
    /// While other threads change the directory, it may report an existing name as missing, so
    /// the caller must create the name in a way that fails if it exists.
    ///
    /// # Errors
    /// Fails if the name does not exist, or with another system error.
    pub(crate) fn stat_new(&self, name: &OsStr) -> io::Result<Stat> {
        if !self.keeps_names_in_memory() {
            return self.stat(name);
        }
        match self.stat_in_cache(name) {
            Cached::Found(stat) => Ok(stat),
            Cached::Missing => Err(io::ErrorKind::NotFound.into()),
            Cached::Unknown => self.stat(name),
        }
    }

    /// Returns whether all names of the file system are always in the cache.
    fn keeps_names_in_memory(&self) -> bool {
        *self.names_in_memory.get_or_init(|| self.is_memory())
    }

    fn is_memory(&self) -> bool {
        const TMPFS: u32 = 0x0102_1994;
        const RAMFS: u32 = 0x8584_58f6;
        unsafe extern "C" {
            fn fstatfs(fd: c_int, out: *mut [u32; 64]) -> c_int;
        }
        // The first 32 bits of `struct statfs` are the type on all supported architectures; the
        // struct has 120 bytes.
        let mut out = [0; 64];
        // SAFETY: `out` is writable for more than a struct statfs.
        let result = unsafe { fstatfs(self.raw(), &raw mut out) };
        result == 0 && matches!(out[0], TMPFS | RAMFS)
    }

    /// Looks up `name` in the cache alone.
    fn stat_in_cache(&self, name: &OsStr) -> Cached {
        use super::abi::{EAGAIN, EINVAL, ENOSYS, EPERM, SYS_OPENAT2};
        use super::abi::{O_CLOEXEC, O_NOFOLLOW, O_WALK, RESOLVE_CACHED};
        /// True if the system has no such call (before Linux 5.12), or a sandbox forbids it.
        static IS_MISSING: AtomicBool = AtomicBool::new(false);
        /// `struct open_how`.
        #[repr(C)]
        struct How {
            flags: u64,
            mode: u64,
            resolve: u64,
        }
        unsafe extern "C" {
            fn syscall(number: c_long, ...) -> c_long;
        }

        if IS_MISSING.load(Ordering::Relaxed) {
            return Cached::Unknown;
        }
        let flags = (O_WALK | O_NOFOLLOW | O_CLOEXEC) as u64;
        let how = How { flags, mode: 0, resolve: RESOLVE_CACHED };
        let opened = super::dir::with_c_string(name, |name| {
            let (dir, name, size) = (self.raw(), name.as_ptr(), size_of::<How>());
            // SAFETY: `name` ends in NUL, and it and `how`, of this size, are valid during the call.
            let fd = unsafe { syscall(SYS_OPENAT2, dir, name, &raw const how, size) };
            super::check(fd as c_int).map(super::dir::owned)
        });
        match opened {
            Ok(file) => stat_open(file.as_fd()).map_or(Cached::Unknown, Cached::Found),
            Err(error) if error.raw_os_error() == Some(EAGAIN) => Cached::Missing,
            Err(error) => {
                if matches!(error.raw_os_error(), Some(ENOSYS | EINVAL | EPERM)) {
                    IS_MISSING.store(true, Ordering::Relaxed);
                }
                Cached::Unknown
            }
        }
    }

    /// Creates a file without a name in the file system of this directory, for reading and
    /// writing, with the permissions that a new file in this directory gets.
    ///
    /// # Errors
    /// Returns the system error, such as that of a file system without such files.
    pub fn create_unnamed(&self) -> io::Result<File> {
        use super::abi::{O_RDWR, O_TMPFILE};
        const ALL: c_uint = 0o666; // reduced by the umask of the process
        Ok(File::from(self.open_with_mode(OsStr::new("."), O_RDWR | O_TMPFILE, ALL)?))
    }

    /// Gives a name in this directory to a file of [`Dir::create_unnamed`].
    ///
    /// # Errors
    /// `AlreadyExists` if the name exists, or the system error.
    pub fn link_unnamed(&self, file: &File, name: &OsStr) -> io::Result<()> {
        use super::abi::{AT_EMPTY_PATH, AT_FDCWD, AT_SYMLINK_FOLLOW};
        use std::os::fd::AsRawFd;
        /// True if only privileged processes can link a file by its descriptor (before Linux 6.10),
        /// so that its path in `/proc` is used.
        static BY_PATH: AtomicBool = AtomicBool::new(false);

        if !BY_PATH.load(Ordering::Relaxed) {
            let linked = self.link_from((file.as_raw_fd(), c""), name, AT_EMPTY_PATH);
            match linked {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                other => return other,
            }
        }
        let path = CString::new(format!("/proc/self/fd/{}", file.as_raw_fd()))?;
        self.link_from((AT_FDCWD, &path), name, AT_SYMLINK_FOLLOW)?;
        BY_PATH.store(true, Ordering::Relaxed);
        Ok(())
    }
}

#[cfg(not(target_os = "linux"))]
impl Dir {
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
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::fs;
    use std::io::Write;

    #[test]
    fn a_new_name_is_missing_until_it_is_created() {
        let memory = tempfile::tempdir_in("/dev/shm");
        for dir in [tempfile::tempdir(), memory].into_iter().flatten() {
            let open = Dir::open_path(dir.path()).unwrap();
            let name = OsStr::new("name");
            let missing = open.stat_new(name).unwrap_err();
            assert_eq!(missing.kind(), io::ErrorKind::NotFound);
            fs::write(dir.path().join(name), "data").unwrap();
            assert_eq!(open.stat_new(name).unwrap().inode, open.stat(name).unwrap().inode);
            assert!(open.stat_new(OsStr::new("../name")).is_err());
        }
    }

    #[test]
    fn an_unnamed_file_appears_whole_and_never_replaces_another() {
        let dir = tempfile::tempdir().unwrap();
        let open = Dir::open_path(dir.path()).unwrap();
        // A file system without such files is not an error of this test.
        let Ok(mut file) = open.create_unnamed() else { return };
        file.write_all(b"whole").unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        open.link_unnamed(&file, OsStr::new("name")).unwrap();
        assert_eq!(fs::read(dir.path().join("name")).unwrap(), b"whole");
        let other = open.create_unnamed().unwrap();
        let refused = open.link_unnamed(&other, OsStr::new("name")).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::AlreadyExists);
        assert!(open.link_unnamed(&other, OsStr::new("../name")).is_err());
        drop(other);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
