//! Converts times, kinds and device numbers of files between the system's form and that of this
//! crate.

#[cfg(target_os = "linux")]
use super::abi::{AT_EMPTY_PATH, STATX_BASIC_STATS, STATX_BTIME, statx as Statx};
use super::abi::{AT_SYMLINK_NOFOLLOW, timespec};
use super::check;
use crate::sys::{FileKind, Stat};
use std::ffi::{CStr, c_char, c_int};
use std::io;
use std::mem::MaybeUninit;
#[cfg(target_os = "linux")]
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub(super) fn to_timespec(time: SystemTime) -> timespec {
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

pub(super) fn to_system_time(seconds: i64, nanoseconds: u32) -> SystemTime {
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

/// Returns the number of a device from its two parts, in the form that the C library returns from
/// `fstat`.
#[cfg(target_os = "linux")]
fn make_device(major: u32, minor: u32) -> u64 {
    let (major, minor) = (u64::from(major), u64::from(minor));
    (major & !0xfff) << 32 | (major & 0xfff) << 8 | (minor & !0xff) << 12 | (minor & 0xff)
}

/// Returns the number of a device in the form of [`Stat`]: 32 bits if the system's number is
/// signed.
pub(super) fn device_number(device: u64) -> u64 {
    if cfg!(target_os = "linux") { device } else { device & 0xffff_ffff }
}

#[cfg(target_os = "linux")]
pub(super) fn stat_at(dir: c_int, name: &CStr) -> io::Result<Stat> {
    stat_with(dir, name, AT_SYMLINK_NOFOLLOW)
}

/// Returns the metadata of an open file, which may be open for lookups only.
#[cfg(target_os = "linux")]
pub(super) fn stat_open(file: BorrowedFd<'_>) -> io::Result<Stat> {
    stat_with(file.as_raw_fd(), c"", AT_EMPTY_PATH)
}

#[cfg(target_os = "linux")]
fn stat_with(dir: c_int, name: &CStr, flags: c_int) -> io::Result<Stat> {
    unsafe extern "C" {
        fn statx(
            dir: c_int,
            name: *const c_char,
            flags: c_int,
            mask: u32,
            out: *mut Statx,
        ) -> c_int;
    }
    let mut out = MaybeUninit::<Statx>::zeroed();
    let mask = STATX_BASIC_STATS | STATX_BTIME;
    // SAFETY: the name ends in NUL, and `out` is writable for one statx, valid in any bits.
    let out = unsafe {
        check(statx(dir, name.as_ptr(), flags, mask, out.as_mut_ptr()))?;
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
pub(super) fn stat_at(dir: c_int, name: &CStr) -> io::Result<Stat> {
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
