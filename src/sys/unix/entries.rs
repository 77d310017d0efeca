//! The names in a directory.

use std::ffi::{CStr, OsString};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;

/// The names in a directory ([`Dir::entries`](super::Dir::entries)). It uses one descriptor and one
/// buffer, whatever the size of the directory.
#[derive(Debug)]
pub struct Entries {
    stream: system::Stream,
}

impl Entries {
    /// Reads the names of the directory that is open as `dir`.
    pub(super) fn new(dir: OwnedFd) -> io::Result<Entries> {
        Ok(Entries { stream: system::Stream::new(dir)? })
    }

    /// Appends the next name to `to` in its wire form, and returns whether there was one.
    ///
    /// # Errors
    /// Fails if the directory cannot be read further.
    pub(crate) fn read_name(&mut self, to: &mut Vec<u8>) -> io::Result<bool> {
        while let Some(name) = self.stream.next()? {
            let name = name.to_bytes();
            if name != b"." && name != b".." {
                to.extend_from_slice(name);
                return Ok(true);
            }
        }
        Ok(false)
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

#[cfg(target_os = "linux")]
mod system {
    use super::super::abi::SYS_GETDENTS64;
    use super::super::retry;
    use super::*;
    use std::ffi::{c_int, c_long};

    /// The size of the buffer, as in the C library.
    const BUFFER: usize = 32 * 1024;

    /// The offsets of the length and of the name in a `struct linux_dirent64`.
    const LENGTH_AT: usize = 16;
    const NAME_AT: usize = 19;

    /// Reads the entries by the system call. The C library's `readdir` returns a copy of the same data
    /// entry by entry, and opening its stream takes three more system calls.
    #[derive(Debug)]
    pub(super) struct Stream {
        dir: OwnedFd,
        buffer: Vec<u8>,
        /// The part of the buffer that contains unread entries.
        at: usize,
        end: usize,
        is_finished: bool,
    }

    impl Stream {
        pub(super) fn new(dir: OwnedFd) -> io::Result<Stream> {
            Ok(Stream { dir, buffer: vec![0; BUFFER], at: 0, end: 0, is_finished: false })
        }

        pub(super) fn next(&mut self) -> io::Result<Option<&CStr>> {
            if self.at == self.end && !self.is_finished {
                (self.at, self.end) = (0, self.fill()?);
                self.is_finished = self.end == 0;
            }
            if self.is_finished {
                return Ok(None);
            }
            let entries = &self.buffer[self.at..self.end];
            let (name, length) = first_entry(entries).ok_or(io::ErrorKind::InvalidData)?;
            self.at += length;
            Ok(Some(name))
        }

        /// Returns the number of bytes of the next entries, 0 at the end.
        fn fill(&mut self) -> io::Result<usize> {
            unsafe extern "C" {
                fn syscall(number: c_long, ...) -> c_long;
            }
            let (dir, size) = (self.dir.as_raw_fd(), self.buffer.len());
            let filled = match retry(|| {
                // SAFETY: the buffer is writable for the size that is given.
                let count = unsafe { syscall(SYS_GETDENTS64, dir, self.buffer.as_mut_ptr(), size) };
                count as c_int // at most the size of the buffer, or -1
            }) {
                // The directory was removed after it had been opened; POSIX has it end here.
                Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
                other => other?,
            };
            Ok(usize::try_from(filled).unwrap_or(0).min(size))
        }
    }

    /// Returns the name and the length of the first of these entries; `None` if they are not complete.
    fn first_entry(entries: &[u8]) -> Option<(&CStr, usize)> {
        let length = entries.get(LENGTH_AT..)?.first_chunk()?;
        let length = usize::from(u16::from_ne_bytes(*length));
        let name = CStr::from_bytes_until_nul(entries.get(NAME_AT..length)?).ok()?;
        Some((name, length))
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_removed_directory_has_no_names() {
            let dir = tempfile::tempdir().unwrap();
            let open = super::super::super::Dir::open_path(dir.path()).unwrap();
            let mut before = open.entries().unwrap();
            std::fs::create_dir(dir.path().join("inner")).unwrap();
            let mut inner = open.open_dir("inner".as_ref()).unwrap().entries().unwrap();
            std::fs::remove_dir(dir.path().join("inner")).unwrap();
            assert!(inner.next().is_none());
            assert!(before.next().is_none());
        }

        #[test]
        fn incomplete_entries_are_no_entries() {
            let mut entry = vec![0; 24];
            entry[LENGTH_AT] = 24;
            entry[NAME_AT] = b'a';
            assert_eq!(first_entry(&entry), Some((c"a", 24)));
            for length in 0..24 {
                assert_eq!(first_entry(&entry[..length]), None);
                let mut short = entry.clone();
                short[LENGTH_AT] = length as u8;
                let is_named = first_entry(&short).is_some();
                assert_eq!(is_named, length > NAME_AT + 1, "{length}");
            }
            entry[NAME_AT..].fill(b'a');
            assert_eq!(first_entry(&entry), None, "the name has no end");
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use super::super::abi::dirent;
    use super::*;
    use std::ffi::c_int;
    use std::os::fd::IntoRawFd;
    use std::ptr::NonNull;

    #[repr(C)]
    struct RawStream {
        _opaque: [u8; 0],
    }

    unsafe extern "C" {
        #[cfg_attr(target_arch = "x86_64", link_name = "fdopendir$INODE64")]
        fn fdopendir(fd: c_int) -> *mut RawStream;
        #[cfg_attr(target_arch = "x86_64", link_name = "readdir$INODE64")]
        fn readdir(stream: *mut RawStream) -> *const dirent;
        fn closedir(stream: *mut RawStream) -> c_int;
    }

    #[derive(Debug)]
    pub(super) struct Stream {
        raw: NonNull<RawStream>,
    }

    // SAFETY: the stream is used through `&mut` alone and belongs to no thread.
    unsafe impl Send for Stream {}

    impl Stream {
        pub(super) fn new(dir: OwnedFd) -> io::Result<Stream> {
            // SAFETY: the descriptor is open, of a directory, and ours alone.
            let raw = NonNull::new(unsafe { fdopendir(dir.as_raw_fd()) });
            let raw = raw.ok_or_else(io::Error::last_os_error)?;
            let _ = dir.into_raw_fd(); // closedir will close it
            Ok(Stream { raw })
        }

        pub(super) fn next(&mut self) -> io::Result<Option<&CStr>> {
            clear_errno();
            // SAFETY: the stream is open; the entry is valid until the next call, which borrows the
            // stream again.
            let entry = unsafe { readdir(self.raw.as_ptr()) };
            if entry.is_null() {
                let error = io::Error::last_os_error();
                return if error.raw_os_error() == Some(0) { Ok(None) } else { Err(error) };
            }
            // SAFETY: readdir gave a valid entry whose name ends in NUL. Its address is taken without a
            // reference, since the entry may be shorter than the whole struct.
            Ok(Some(unsafe { CStr::from_ptr((&raw const (*entry).name).cast()) }))
        }
    }

    impl Drop for Stream {
        fn drop(&mut self) {
            // SAFETY: the stream is open and dropped once.
            unsafe { closedir(self.raw.as_ptr()) };
        }
    }

    /// Clears errno: at the end of a directory `readdir` leaves it unchanged, so the end can be told
    /// from an error.
    fn clear_errno() {
        unsafe extern "C" {
            #[link_name = "__error"]
            fn errno_location() -> *mut c_int;
        }
        // SAFETY: the C library gives a valid address for this thread.
        unsafe { *errno_location() = 0 };
    }
}
