//! Constants and layouts of the C library that differ between systems.
//!
//! The values for Linux are those of the kernel (`include/uapi/asm-generic`, and `asm` where an
//! architecture differs), those for macOS are from its headers. All constants and layouts were
//! compared with the `libc` crate for the systems that the check below admits, for glibc and for
//! musl.

#![allow(non_camel_case_types)] // the names of C, so that they can be looked up

use std::ffi::{c_int, c_long, c_short, c_uint};

// On other systems these constants and layouts would be wrong: MIPS has another value for O_CREAT,
// PowerPC for ICANON, FreeBSD has another struct dirent.
#[cfg(not(any(
    all(
        target_os = "linux",
        target_pointer_width = "64",
        any(target_env = "gnu", target_env = "musl"),
        any(
            target_arch = "x86_64",
            target_arch = "aarch64",
            target_arch = "riscv64",
            target_arch = "s390x",
            target_arch = "loongarch64",
        ),
    ),
    all(target_os = "macos", any(target_arch = "x86_64", target_arch = "aarch64")),
)))]
compile_error!(
    "mt_ftp knows the C library of Linux (x86_64, aarch64, riscv64, s390x and loongarch64, with glibc \
     or musl), macOS and 64-bit Windows. For another system compare src/sys/unix/abi.rs with its \
     headers and admit it here."
);

/// A descriptor to wait for: `struct pollfd` of POSIX.
#[repr(C)]
#[derive(Clone, Copy)]
pub(in crate::sys) struct pollfd {
    pub fd: c_int,
    pub events: c_short,
    pub revents: c_short,
}

pub(in crate::sys) const POLLIN: c_short = 0x001;
pub(in crate::sys) const POLLOUT: c_short = 0x004;

#[cfg(target_os = "linux")]
pub(in crate::sys) type nfds_t = std::ffi::c_ulong;
#[cfg(not(target_os = "linux"))]
pub(in crate::sys) type nfds_t = c_uint;

/// `struct timespec`.
#[repr(C)]
#[derive(Clone, Copy)]
pub(in crate::sys) struct timespec {
    pub seconds: i64,
    pub nanoseconds: c_long,
}

/// `struct rlimit` of 64-bit systems.
#[repr(C)]
#[derive(Clone, Copy)]
pub(in crate::sys) struct rlimit {
    pub soft: u64,
    pub hard: u64,
}

/// A buffer for any system's `sigset_t` (128 bytes on Linux, 4 on macOS).
#[repr(C)]
pub(in crate::sys) struct sigset_t(pub [u64; 16]);

pub(in crate::sys) const EPERM: i32 = 1;
pub(in crate::sys) const EINVAL: i32 = 22;
pub(in crate::sys) const EACCES: i32 = 13;
pub(in crate::sys) const EBUSY: i32 = 16;

pub(in crate::sys) const SIGHUP: c_int = 1;
pub(in crate::sys) const SIGINT: c_int = 2;
pub(in crate::sys) const SIGTERM: c_int = 15;
pub(in crate::sys) const SIGPIPE: c_int = 13;
pub(in crate::sys) const SIGXFSZ: c_int = 25;
pub(in crate::sys) const SIGWINCH: c_int = 28;
pub(in crate::sys) const SIG_DFL: usize = 0;
pub(in crate::sys) const SIG_IGN: usize = 1;

pub(in crate::sys) const ECHO: tcflag_t = 0o10;
pub(in crate::sys) const AF_INET: c_int = 2;
pub(in crate::sys) const SOCK_STREAM: c_int = 1;
pub(in crate::sys) const IFF_UP: c_uint = 0x1;
pub(in crate::sys) const IFF_LOOPBACK: c_uint = 0x8;
pub(in crate::sys) const TCP_NODELAY: c_int = 1;

#[cfg(target_os = "linux")]
mod system {
    use super::*;

    pub(in crate::sys) const SIGBUS: c_int = 7;
    pub(in crate::sys) const SIGSEGV: c_int = 11;
    pub(in crate::sys) const SIG_BLOCK: c_int = 0;
    pub(in crate::sys) const SIG_SETMASK: c_int = 2;
    pub(in crate::sys) const UTIME_OMIT: c_long = 0x3fff_fffe;
    pub(in crate::sys) const AT_SYMLINK_NOFOLLOW: c_int = 0x100;
    pub(in crate::sys) const AT_REMOVEDIR: c_int = 0x200;
    pub(in crate::sys) const AT_SYMLINK_FOLLOW: c_int = 0x400;
    pub(in crate::sys) const AT_EMPTY_PATH: c_int = 0x1000;
    pub(in crate::sys) const AT_FDCWD: c_int = -100;
    pub(in crate::sys) const RESOLVE_CACHED: u64 = 0x20;
    pub(in crate::sys) const SYS_OPENAT2: c_long = 437;
    pub(in crate::sys) const EAGAIN: c_int = 11;

    pub(in crate::sys) const O_RDONLY: c_int = 0;
    pub(in crate::sys) const O_RDWR: c_int = 0o2;
    pub(in crate::sys) const O_WRONLY: c_int = 0o1;
    pub(in crate::sys) const O_CREAT: c_int = 0o100;
    pub(in crate::sys) const O_EXCL: c_int = 0o200;
    pub(in crate::sys) const O_NOCTTY: c_int = 0o400;
    pub(in crate::sys) const O_APPEND: c_int = 0o2000;
    pub(in crate::sys) const O_NONBLOCK: c_int = 0o4000;
    pub(in crate::sys) const O_CLOEXEC: c_int = 0o2_000_000;
    #[cfg(target_arch = "aarch64")]
    pub(in crate::sys) const O_DIRECTORY: c_int = 0o40_000;
    #[cfg(target_arch = "aarch64")]
    pub(in crate::sys) const O_NOFOLLOW: c_int = 0o100_000;
    #[cfg(not(target_arch = "aarch64"))]
    pub(in crate::sys) const O_DIRECTORY: c_int = 0o200_000;
    #[cfg(not(target_arch = "aarch64"))]
    pub(in crate::sys) const O_NOFOLLOW: c_int = 0o400_000;
    /// Opens a directory for lookups only, which does not require read permission.
    pub(in crate::sys) const O_WALK: c_int = 0o10_000_000; // O_PATH
    pub(in crate::sys) const O_TMPFILE: c_int = 0o20_000_000 | O_DIRECTORY;

    /// For `socket`: child processes do not inherit the socket, and it is nonblocking
    /// (SOCK_CLOEXEC and SOCK_NONBLOCK, which have these values).
    pub(in crate::sys) const NEW_SOCKET: c_int = O_CLOEXEC | O_NONBLOCK;

    pub(in crate::sys) const AF_INET6: c_int = 10;
    pub(in crate::sys) const SOL_SOCKET: c_int = 1;
    pub(in crate::sys) const SO_REUSEADDR: c_int = 2;
    pub(in crate::sys) const SO_KEEPALIVE: c_int = 9;
    pub(in crate::sys) const SO_OOBINLINE: c_int = 10;
    pub(in crate::sys) const IPPROTO_TCP: c_int = 6;
    pub(in crate::sys) const TCP_KEEPIDLE: c_int = 4;
    pub(in crate::sys) const RLIMIT_NOFILE: c_int = 7;
    pub(in crate::sys) const RLIMIT_AS: c_int = 9;
    pub(in crate::sys) const MAP_ANONYMOUS: c_int = 0x20;
    pub(in crate::sys) const RLIM_INFINITY: u64 = u64::MAX;
    /// The kernel's limit (fs.nr_open), unless the administrator raised it.
    pub(in crate::sys) const MOST_DESCRIPTORS: u64 = 1 << 20;
    pub(in crate::sys) const TCP_KEEPINTVL: c_int = 5;
    pub(in crate::sys) const TCP_KEEPCNT: c_int = 6;
    pub(in crate::sys) const EINPROGRESS: i32 = 115;
    pub(in crate::sys) const ELOOP: i32 = 40;
    pub(in crate::sys) const ERANGE: i32 = 34;
    pub(in crate::sys) const ENOSYS: i32 = 38;
    pub(in crate::sys) const ENODATA: i32 = 61;
    pub(in crate::sys) const EOPNOTSUPP: i32 = 95;
    pub(in crate::sys) const TIOCGWINSZ: u64 = 0x5413;
    pub(in crate::sys) const TIOCOUTQ: u64 = 0x5411; // SIOCOUTQ for a socket
    pub(in crate::sys) const SIGCONT: c_int = 18;
    pub(in crate::sys) const SIGTSTP: c_int = 20;
    pub(in crate::sys) const ISIG: tcflag_t = 0o1;
    pub(in crate::sys) const ICANON: tcflag_t = 0o2;
    pub(in crate::sys) const IEXTEN: tcflag_t = 0o100_000;
    pub(in crate::sys) const ICRNL: tcflag_t = 0o400;
    pub(in crate::sys) const IXON: tcflag_t = 0o2000;
    pub(in crate::sys) const VTIME: usize = 5;
    pub(in crate::sys) const VMIN: usize = 6;

    pub(in crate::sys) type tcflag_t = u32;

    /// `struct termios`; this crate mainly uses the flags in `local`.
    #[repr(C)]
    #[derive(Clone, Copy)]
    pub(in crate::sys) struct termios {
        pub input: tcflag_t,
        pub output: tcflag_t,
        pub control: tcflag_t,
        pub local: tcflag_t,
        pub line: u8,
        pub characters: [u8; 32],
        pub input_speed: u32,
        pub output_speed: u32,
    }

    /// A time in `struct statx`.
    #[repr(C)]
    #[derive(Clone, Copy)]
    pub(in crate::sys) struct statx_timestamp {
        pub seconds: i64,
        pub nanoseconds: u32,
        pub reserved: i32,
    }

    /// `struct statx`, identical on all architectures.
    #[repr(C)]
    #[derive(Clone, Copy)]
    pub(in crate::sys) struct statx {
        pub mask: u32,
        pub block_size: u32,
        pub attributes: u64,
        pub links: u32,
        pub owner: u32,
        pub group: u32,
        pub mode: u16,
        pub padding: u16,
        pub inode: u64,
        pub size: u64,
        pub blocks: u64,
        pub attributes_mask: u64,
        pub accessed: statx_timestamp,
        pub created: statx_timestamp,
        pub changed: statx_timestamp,
        pub modified: statx_timestamp,
        pub special_major: u32,
        pub special_minor: u32,
        pub device_major: u32,
        pub device_minor: u32,
        pub spare: [u64; 14],
    }

    /// `struct statvfs` of 64-bit systems.
    #[repr(C)]
    pub(in crate::sys) struct statvfs {
        pub block_size: u64,
        pub fragment_size: u64,
        pub blocks: u64,
        pub free: u64,
        pub available: u64,
        pub spare: [u64; 16],
    }

    // The system calls that return a thread's number and read a directory; glibc has functions for
    // them only since 2.30.
    pub(in crate::sys) const SYS_GETTID: c_long = if cfg!(target_arch = "x86_64") {
        186
    } else if cfg!(target_arch = "s390x") {
        236
    } else {
        178
    };
    pub(in crate::sys) const SYS_GETDENTS64: c_long = if cfg!(target_arch = "x86_64") {
        217
    } else if cfg!(target_arch = "s390x") {
        220
    } else {
        61
    };

    pub(in crate::sys) const F_DUPFD_CLOEXEC: c_int = 1030;

    pub(in crate::sys) const STATX_BASIC_STATS: u32 = 0x7ff;
    pub(in crate::sys) const STATX_BTIME: u32 = 0x800;
}

#[cfg(not(target_os = "linux"))]
mod system {
    use super::*;
    use std::ffi::c_char;

    pub(in crate::sys) const SIG_BLOCK: c_int = 1;
    pub(in crate::sys) const SIG_SETMASK: c_int = 3;
    pub(in crate::sys) const UTIME_OMIT: c_long = -2;
    pub(in crate::sys) const AT_SYMLINK_NOFOLLOW: c_int = 0x20;
    pub(in crate::sys) const AT_REMOVEDIR: c_int = 0x80;

    pub(in crate::sys) const O_RDONLY: c_int = 0;
    pub(in crate::sys) const O_WRONLY: c_int = 0x1;
    pub(in crate::sys) const O_RDWR: c_int = 0x2;
    pub(in crate::sys) const O_NONBLOCK: c_int = 0x4;
    pub(in crate::sys) const O_APPEND: c_int = 0x8;
    pub(in crate::sys) const O_NOFOLLOW: c_int = 0x100;
    pub(in crate::sys) const O_CREAT: c_int = 0x200;
    pub(in crate::sys) const O_EXCL: c_int = 0x800;
    pub(in crate::sys) const O_NOCTTY: c_int = 0x2_0000;
    pub(in crate::sys) const O_DIRECTORY: c_int = 0x10_0000;
    pub(in crate::sys) const O_CLOEXEC: c_int = 0x100_0000;
    /// Opens a directory for lookups only, which does not require read permission.
    pub(in crate::sys) const O_WALK: c_int = 0x4000_0000; // O_EXEC, with O_DIRECTORY O_SEARCH

    /// The `socket` call of this system has no such flags.
    pub(in crate::sys) const NEW_SOCKET: c_int = 0;

    pub(in crate::sys) const AF_INET6: c_int = 30;
    pub(in crate::sys) const SOL_SOCKET: c_int = 0xffff;
    pub(in crate::sys) const SO_REUSEADDR: c_int = 0x4;
    pub(in crate::sys) const SO_KEEPALIVE: c_int = 0x8;
    pub(in crate::sys) const SO_OOBINLINE: c_int = 0x100;
    pub(in crate::sys) const IPPROTO_TCP: c_int = 6;
    pub(in crate::sys) const TCP_KEEPIDLE: c_int = 0x10; // TCP_KEEPALIVE
    pub(in crate::sys) const RLIMIT_NOFILE: c_int = 8;
    pub(in crate::sys) const RLIMIT_AS: c_int = 5;
    pub(in crate::sys) const MAP_ANONYMOUS: c_int = 0x1000;
    pub(in crate::sys) const RLIM_INFINITY: u64 = i64::MAX as u64;
    /// OPEN_MAX: the system rejects higher limits, although it reports no limit.
    pub(in crate::sys) const MOST_DESCRIPTORS: u64 = 10_240;
    pub(in crate::sys) const TCP_KEEPINTVL: c_int = 0x101;
    pub(in crate::sys) const TCP_KEEPCNT: c_int = 0x102;
    pub(in crate::sys) const EINPROGRESS: i32 = 36;
    pub(in crate::sys) const ELOOP: i32 = 62;
    pub(in crate::sys) const TIOCGWINSZ: u64 = 0x4008_7468;
    pub(in crate::sys) const TIOCOUTQ: u64 = 0x4004_7473;
    pub(in crate::sys) const SIGCONT: c_int = 19;
    pub(in crate::sys) const SIGTSTP: c_int = 18;
    pub(in crate::sys) const ISIG: tcflag_t = 0x80;
    pub(in crate::sys) const ICANON: tcflag_t = 0x100;
    pub(in crate::sys) const IEXTEN: tcflag_t = 0x400;
    pub(in crate::sys) const ICRNL: tcflag_t = 0x100;
    pub(in crate::sys) const IXON: tcflag_t = 0x200;
    pub(in crate::sys) const VMIN: usize = 16;
    pub(in crate::sys) const VTIME: usize = 17;

    pub(in crate::sys) const F_DUPFD_CLOEXEC: c_int = 67;

    pub(in crate::sys) type tcflag_t = u64;

    /// `struct termios`; this crate mainly uses the flags in `local`.
    #[repr(C)]
    #[derive(Clone, Copy)]
    pub(in crate::sys) struct termios {
        pub input: tcflag_t,
        pub output: tcflag_t,
        pub control: tcflag_t,
        pub local: tcflag_t,
        pub characters: [u8; 20],
        pub input_speed: u64,
        pub output_speed: u64,
    }

    /// `struct dirent` with 64-bit inode numbers.
    #[repr(C)]
    pub(in crate::sys) struct dirent {
        pub inode: u64,
        pub offset: u64,
        pub length: u16,
        pub name_length: u16,
        pub kind: u8,
        pub name: [c_char; 1024],
    }

    /// `struct statvfs`.
    #[repr(C)]
    pub(in crate::sys) struct statvfs {
        pub block_size: u64,
        pub fragment_size: u64,
        pub blocks: u32,
        pub free: u32,
        pub available: u32,
        pub spare: [u64; 16],
    }

    /// `struct stat` with 64-bit inode numbers.
    #[repr(C)]
    #[derive(Clone, Copy)]
    pub(in crate::sys) struct stat {
        pub device: i32,
        pub mode: u16,
        pub links: u16,
        pub inode: u64,
        pub owner: u32,
        pub group: u32,
        pub special: i32,
        pub accessed: timespec,
        pub modified: timespec,
        pub changed: timespec,
        pub created: timespec,
        pub size: i64,
        pub blocks: i64,
        pub block_size: i32,
        pub flags: u32,
        pub generation: u32,
        pub spare: i32,
        pub spare2: [i64; 2],
    }
}

pub(in crate::sys) use system::*;
