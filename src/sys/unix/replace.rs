//! Copies the owner, permissions and attributes of a file that is being replaced.

use super::abi::{EACCES, EBUSY, EPERM};
use std::fs::{File, Metadata, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};

/// Copies everything except the content from `old` to `new`, which is to replace it, as far as the
/// system allows: owner, group, permission bits, access control list and extended attributes. Both
/// files come with their metadata.
///
/// At no time does any user have more permissions for `new` than for `old`. Until everything that
/// affects permissions is copied, and permanently if some of it cannot be copied, only the owner
/// may access `new`. If the group cannot be kept, the new group gets no more permissions than
/// everyone has.
///
/// Whatever the system removes from a file when its content changes is not copied: set-user-ID and
/// set-group-ID bits, capabilities, and signatures of the content.
pub(crate) fn copy_attributes((new, made): (&File, &Metadata), (old, before): (&File, &Metadata)) {
    let mode = before.mode() & 0o777;
    if made.mode() & 0o7777 & !(mode & 0o700) != 0 {
        set_file_mode(new, mode & 0o700);
    }
    let keeps_group = copy_owner(new, made, before);
    let rights = if keeps_group { mode } else { without_group(mode) };
    system::copy_attributes(new, old, rights, keeps_group);
}

/// Sets the owner and group of a file to those of another one, or only the group if the system does not
/// allow more. Returns true if the file then has the right group.
fn copy_owner(file: &File, made: &Metadata, before: &Metadata) -> bool {
    let (owner, group) = (before.uid(), before.gid());
    (made.uid(), made.gid()) == (owner, group)
        || fchown(file, Some(owner), Some(group)).is_ok()
        || made.gid() == group
        || fchown(file, None, Some(group)).is_ok()
}

/// Returns the permission bits for a file whose group could not be kept.
fn without_group(mode: u32) -> u32 {
    mode & 0o707 | ((mode >> 3) & mode & 0o7) << 3
}

/// Sets the permission bits of an open file, as far as the system allows.
pub(crate) fn set_file_mode(file: &File, mode: u32) {
    let _ = file.set_permissions(Permissions::from_mode(mode));
}

/// Returns whether an error means that a file cannot be created in a directory or renamed over
/// another one, although the existing file may be writable: the file is a mount point (`EBUSY`),
/// belongs to another user in a sticky directory (`EPERM`), or its directory is not writable
/// (`EACCES`).
pub(crate) fn cannot_replace(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(EBUSY | EPERM | EACCES))
}

#[cfg(target_os = "linux")]
pub(crate) use system::reserve;

/// Reserves space for a file; does nothing on this system.
#[cfg(not(target_os = "linux"))]
pub(crate) fn reserve(_file: &File, _length: u64) -> io::Result<()> {
    Ok(())
}

#[cfg(target_os = "linux")]
mod system {
    use super::super::abi::{ENODATA, ENOSYS, EOPNOTSUPP, ERANGE};
    use super::super::{check, retry};
    use super::set_file_mode;
    use std::ffi::{CStr, CString, c_char, c_int, c_void};
    use std::fs::File;
    use std::io;
    use std::os::fd::AsRawFd;

    unsafe extern "C" {
        fn fgetxattr(fd: c_int, name: *const c_char, value: *mut c_void, size: usize) -> isize;
        fn fsetxattr(
            fd: c_int,
            name: *const c_char,
            value: *const c_void,
            size: usize,
            flags: c_int,
        ) -> c_int;
        fn fremovexattr(fd: c_int, name: *const c_char) -> c_int;
        fn flistxattr(fd: c_int, list: *mut c_char, size: usize) -> isize;
        fn fallocate(fd: c_int, mode: c_int, offset: i64, length: i64) -> c_int;
    }

    /// The attribute with the access control list. If a file has one, its group bits are the mask
    /// of the list and not the permissions of the group.
    const ACL: &CStr = c"system.posix_acl_access";

    /// Attributes that certify the content or grant privileges to those who execute the file.
    const OF_THE_CONTENT: [&[u8]; 3] = [b"security.capability", b"security.ima", b"security.evm"];

    /// The kernel's maximum size of one attribute, and of the list of names.
    const LARGEST: usize = 64 * 1024;

    /// Copies the access control list of `old` to `new`, or sets these permission bits if there is
    /// none, and copies the attributes that may be copied. After an error the permissions are
    /// unchanged.
    pub(super) fn copy_attributes(new: &File, old: &File, mode: u32, keeps_group: bool) {
        let Ok(names) = list(old) else { return };
        let names = names.split(|byte| *byte == 0);
        let has_list = names.clone().any(|name| name == ACL.to_bytes());
        let _ = match has_list {
            true => copy_list(new, old, keeps_group),
            false => copy_bits(new, mode),
        };
        names.for_each(|name| copy_attribute(new, old, name));
    }

    /// Copies the access control list, which also sets the permission bits.
    fn copy_list(new: &File, old: &File, keeps_group: bool) -> io::Result<()> {
        let Some(mut acl) = read(old, ACL)? else { return Ok(()) };
        if !keeps_group {
            restrict_group(&mut acl);
        }
        write(new, ACL, &acl)
    }

    fn copy_bits(new: &File, mode: u32) -> io::Result<()> {
        // A directory may have a default list, which new files inherit.
        if list(new)?.split(|byte| *byte == 0).any(|name| name == ACL.to_bytes()) {
            // SAFETY: the descriptor is open and the name ends in NUL.
            check(unsafe { fremovexattr(new.as_raw_fd(), ACL.as_ptr()) })?;
        }
        set_file_mode(new, mode);
        Ok(())
    }

    fn copy_attribute(new: &File, old: &File, name: &[u8]) {
        let copied = !name.is_empty() && name != ACL.to_bytes() && !OF_THE_CONTENT.contains(&name);
        let Some(name) = copied.then(|| CString::new(name).ok()).flatten() else { return };
        let Ok(Some(value)) = read(old, &name) else { return };
        // A label that the system assigns itself may not be set, not even to the same value.
        if !read(new, &name).is_ok_and(|there| there.as_ref() == Some(&value)) {
            let _ = write(new, &name, &value);
        }
    }

    /// Limits the permissions of the owning group to those of everyone. A list consists of a
    /// version and entries of 8 bytes: tag, permissions and number, little endian
    /// (`linux/posix_acl_xattr.h`).
    fn restrict_group(acl: &mut [u8]) {
        const VERSION: usize = 4;
        const GROUP: [u8; 2] = [0x04, 0];
        const OTHERS: [u8; 2] = [0x20, 0];
        let entries = acl.get_mut(VERSION..).unwrap_or_default();
        let others = entries.chunks_exact(8).find(|entry| entry[..2] == OTHERS);
        let most = others.map_or(0, |entry| entry[2]);
        for entry in entries.chunks_exact_mut(8).filter(|entry| entry[..2] == GROUP) {
            entry[2] &= most;
        }
    }

    /// Returns the names of a file's attributes, each followed by NUL.
    fn list(file: &File) -> io::Result<Vec<u8>> {
        let names = fetch(|buffer| {
            // SAFETY: the descriptor is open, and the buffer is writable for the length given.
            unsafe { flistxattr(file.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len()) }
        });
        Ok(names?.unwrap_or_default())
    }

    /// Reads an attribute; `None` if the file has no attribute of that name or the file system has
    /// no attributes.
    pub(super) fn read(file: &File, name: &CStr) -> io::Result<Option<Vec<u8>>> {
        fetch(|buffer| {
            let (fd, value) = (file.as_raw_fd(), buffer.as_mut_ptr().cast());
            // SAFETY: the descriptor is open, the name ends in NUL, and the buffer is writable for
            // the length given.
            unsafe { fgetxattr(fd, name.as_ptr(), value, buffer.len()) }
        })
    }

    /// Calls `call` with larger buffers until the value fits.
    fn fetch(mut call: impl FnMut(&mut [u8]) -> isize) -> io::Result<Option<Vec<u8>>> {
        let mut buffer = vec![0; 512];
        loop {
            if let Ok(length) = usize::try_from(call(&mut buffer)) {
                buffer.truncate(length);
                return Ok(Some(buffer));
            }
            let error = io::Error::last_os_error();
            match error.raw_os_error() {
                Some(ERANGE) if buffer.len() < LARGEST => buffer.resize(LARGEST, 0),
                Some(ENODATA | EOPNOTSUPP | ENOSYS) => return Ok(None),
                _ => return Err(error),
            }
        }
    }

    pub(super) fn write(file: &File, name: &CStr, value: &[u8]) -> io::Result<()> {
        let (fd, bytes) = (file.as_raw_fd(), value.as_ptr().cast());
        // SAFETY: the descriptor is open, the name ends in NUL, and the value is readable for the
        // length given.
        check(unsafe { fsetxattr(fd, name.as_ptr(), bytes, value.len(), 0) }).map(drop)
    }

    /// Reserves space for a file of this length, without changing its content or its length. If
    /// the file system does not support that, the function succeeds.
    ///
    /// # Errors
    /// Fails if there is not enough space.
    pub(crate) fn reserve(file: &File, length: u64) -> io::Result<()> {
        const FALLOC_FL_KEEP_SIZE: c_int = 1;
        let Ok(length @ 1..) = i64::try_from(length) else { return Ok(()) };
        // SAFETY: the descriptor is open.
        let done = retry(|| unsafe { fallocate(file.as_raw_fd(), FALLOC_FL_KEEP_SIZE, 0, length) });
        match done {
            Err(error) if matches!(error.raw_os_error(), Some(EOPNOTSUPP | ENOSYS)) => Ok(()),
            other => other.map(drop),
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use super::super::check;
    use super::set_file_mode;
    use std::ffi::{c_int, c_void};
    use std::fs::File;
    use std::io;
    use std::os::fd::AsRawFd;

    const COPYFILE_ACL: u32 = 1 << 0;
    const COPYFILE_XATTR: u32 = 1 << 2;

    unsafe extern "C" {
        fn fcopyfile(from: c_int, to: c_int, state: *mut c_void, flags: u32) -> c_int;
    }

    fn copy(from: &File, to: &File, flags: u32) -> io::Result<()> {
        // SAFETY: both descriptors are open; a state is not required.
        let done =
            unsafe { fcopyfile(from.as_raw_fd(), to.as_raw_fd(), std::ptr::null_mut(), flags) };
        check(done).map(drop)
    }

    /// Copies the access control list and the attributes of `old` to `new`, and sets the
    /// permission bits, which are separate from the list on this system.
    pub(super) fn copy_attributes(new: &File, old: &File, mode: u32, _keeps_group: bool) {
        if copy(old, new, COPYFILE_ACL).is_ok() {
            set_file_mode(new, mode);
        }
        let _ = copy(old, new, COPYFILE_XATTR);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::TempDir;

    /// Creates two files with these permission bits.
    fn files(modes: [u32; 2]) -> (TempDir, [File; 2]) {
        let dir = TempDir::new().unwrap();
        let files = ["new", "old"].map(|name| File::create_new(dir.path().join(name)).unwrap());
        files.iter().zip(modes).for_each(|(file, mode)| set_file_mode(file, mode));
        (dir, files)
    }

    fn copy_attributes(new: &File, old: &File) {
        let known = [new, old].map(|file| file.metadata().unwrap());
        super::copy_attributes((new, &known[0]), (old, &known[1]));
    }

    fn mode(file: &File) -> u32 {
        file.metadata().unwrap().mode() & 0o7777
    }

    #[test]
    fn permission_bits_are_kept_except_set_user_id_and_set_group_id() {
        for (old_mode, expected) in [(0o640, 0o640), (0o600, 0o600), (0o6777, 0o777), (0, 0)] {
            for new_mode in [0o600, 0o666] {
                let (_dir, [new, old]) = files([new_mode, old_mode]);
                copy_attributes(&new, &old);
                assert_eq!(mode(&new), expected, "{old_mode:o}");
            }
        }
    }

    #[test]
    fn another_group_gets_the_permissions_of_everyone() {
        for (before, after) in
            [(0o660, 0o600), (0o664, 0o644), (0o606, 0o606), (0o677, 0o677), (0o671, 0o611)]
        {
            assert_eq!(without_group(before), after, "{before:o}");
        }
    }

    #[cfg(target_os = "linux")]
    mod linux {
        use super::super::system::{read, write};
        use super::*;

        const ACL: &std::ffi::CStr = c"system.posix_acl_access";

        /// Returns a list in the kernel's form: tag, permissions and number of each entry.
        fn acl(entries: &[(u16, u16, u32)]) -> Vec<u8> {
            let mut list = 2u32.to_le_bytes().to_vec();
            for (tag, rights, number) in entries {
                list.extend(tag.to_le_bytes());
                list.extend(rights.to_le_bytes());
                list.extend(number.to_le_bytes());
            }
            list
        }

        /// Returns the list `user::rw-`, `user:65534:rw-`, `group::---`, `mask::rw-`,
        /// `other::---`.
        fn for_nobody() -> Vec<u8> {
            let none = u32::MAX;
            acl(&[(1, 6, none), (2, 6, 65534), (4, 0, none), (0x10, 6, none), (0x20, 0, none)])
        }

        #[test]
        fn an_access_control_list_is_kept_and_its_mask_gives_the_group_no_permissions() {
            let (_dir, [new, old]) = files([0o666, 0o600]);
            if write(&old, ACL, &for_nobody()).is_err() {
                return; // the file system has no access control lists
            }
            copy_attributes(&new, &old);
            assert_eq!(read(&new, ACL).unwrap(), Some(for_nobody()));
            assert_eq!(mode(&new), 0o660);
        }

        #[test]
        fn a_list_that_a_new_file_inherited_is_not_kept() {
            let (_dir, [new, old]) = files([0o666, 0o640]);
            if write(&new, ACL, &for_nobody()).is_err() {
                return;
            }
            copy_attributes(&new, &old);
            assert_eq!(read(&new, ACL).unwrap(), None);
            assert_eq!(mode(&new), 0o640);
        }

        #[test]
        fn attributes_of_the_user_are_kept_whatever_their_size() {
            let (_dir, [new, old]) = files([0o600, 0o600]);
            let values = [(c"user.small", vec![1; 3]), (c"user.large", vec![2; 2000])];
            for (name, value) in &values {
                if write(&old, name, value).is_err() {
                    return;
                }
            }
            copy_attributes(&new, &old);
            for (name, value) in values {
                assert_eq!(read(&new, name).unwrap(), Some(value), "{name:?}");
            }
        }

        #[test]
        fn space_is_reserved_without_changing_the_file() {
            let (_dir, [file, _]) = files([0o600, 0o600]);
            for length in [0, 1, 100_000] {
                reserve(&file, length).unwrap();
                assert_eq!(file.metadata().unwrap().len(), 0);
            }
            assert!(reserve(&file, i64::MAX as u64).is_err());
        }
    }
}
