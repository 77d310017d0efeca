//! System calls that the standard library does not offer, behind safe functions.
//!
//! This folder is the only place in the crate with `unsafe`, and the only one that depends on the
//! operating system. Every function here is safe to call with any argument, returns failures as
//! [`std::io::Error`], and retries calls that a signal interrupted.
//!
//! | item | why std is not enough |
//! |---|---|
//! | [`poll`] | std cannot wait for one of several sockets, nor accept with a deadline |
//! | [`Event`], [`Waker`] | wake threads that wait in `poll`, on any system |
//! | [`Signals`], [`ignores_hangup`], [`has_terminal`] | std has no signals |
//! | [`spawn_with_signals`] | std lets child processes inherit blocked and ignored signals |
//! | [`listen_backlog`], [`connect_from`], [`inline_urgent`], [`keep_alive`], [`acknowledge_now`] | socket options without a function in std |
//! | [`own_addresses`], [`is_superuser`], [`user_name`] | std lists no interfaces and knows no users |
//! | `send_file`, `Pipe` | std copies between file and socket through a buffer of 8 KiB |
//! | `read_at`, `write_at` | std has a different function on each system |
//! | `effective_user`, `owner_and_links`, `boot_id` | std reports neither the effective user nor the boot of the machine |
//! | `check_may_write` | std finds out whether a file can be created only by creating it |
//! | `copy_attributes` | std copies neither access control lists nor extended attributes |
//! | [`Dir`] | std opens files by path, and another process may replace a directory in the path |
//! | [`raise_descriptor_limit`] | std does not raise the soft limit, which is often 1,024 |
//! | [`max_threads`] | std aborts the program if a thread gets no memory for its guard pages |
//! | [`check_memory`], [`limit_heaps`] | a failed allocation aborts a Rust program, so memory is checked first |
//! | [`inherited_listeners`], [`notify_manager`], [`is_journal`] | std does not accept sockets from a service manager |
//! | [`release_stack`] | a thread keeps every page of its stack that it ever touched |
//! | [`compress_sha256`] | std has no SHA-256, and the processor's instructions for it need `unsafe` |
//! | [`use_built_in_name_services`] | name lookups by std crash a static program if the system's glibc has another version |
//! | [`BlockingWriter`] | std fails if another program has made a standard stream nonblocking |
//! | [`TlsContext`], [`Tls`] | std has no TLS, and OpenSSL has only C functions |
//! | [`EchoOff`], [`RawMode`], [`read_key`] | passwords are read without echo, and lines are edited key by key |

mod event;
mod socket;
mod tls;
mod waker;

pub use event::Event;
#[cfg(not(target_os = "linux"))]
pub use socket::accept;
pub use socket::{acknowledge_now, inline_urgent, keep_alive, no_delay};
pub use tls::{
    Certificate, NewCertificate, Tls, TlsContext, TlsError, TlsErrorKind, TlsLibrary, TlsSession,
    TlsUnavailable, TlsVersion, describe_tls, is_certificate_name, make_certificate, tls_library,
};
pub use waker::Waker;

use std::time::SystemTime;

#[cfg(not(any(unix, all(windows, target_pointer_width = "64"))))]
compile_error!("mt_ftp knows the system calls of Linux, macOS and 64-bit Windows");

#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub use unix::*;

/// Releases unused pages of the thread's stack; does nothing except on Linux.
#[cfg(not(target_os = "linux"))]
pub fn release_stack() {}

/// Configures name lookups without glibc's shared libraries; does nothing except in a static glibc
/// program.
#[cfg(not(all(target_os = "linux", target_env = "gnu", target_feature = "crt-static")))]
pub fn use_built_in_name_services() {}

#[cfg(not(target_os = "linux"))]
mod copy_fallback;
#[cfg(not(target_os = "linux"))]
pub(crate) use copy_fallback::{Pipe, send_file};

mod sha256;
pub use sha256::{compress_sha256, has_sha256};

// Rules without system calls, which tests on all systems check.
#[cfg(any(windows, test))]
mod windows_names;

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub use windows::*;

/// A signal, or the console event of Windows that corresponds to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGINT: Ctrl-C in the terminal.
    Interrupt,
    /// SIGTERM: a request to shut down, from the administrator or the service manager.
    Terminate,
    /// SIGHUP: reload the configuration.
    Hangup,
    /// SIGWINCH: the terminal was resized.
    Resize,
    /// SIGCONT: the process continues after a stop.
    Continue,
}

/// The result of waiting for input from the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyInput {
    /// A byte of input.
    Byte(u8),
    /// The [`Waker`] was used first.
    Woken,
    /// The time limit has expired.
    Nothing,
    /// The terminal was closed.
    End,
}

/// The event to wait for on a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interest {
    /// Bytes, a new connection, or the end of the stream.
    Read,
    /// Buffer space for writing, or an established connection.
    Write,
    /// The loss of the connection only, such as a reset. Only Linux reports it separately from the
    /// end of the stream; on other systems this never becomes ready.
    Loss,
}

/// The kind of file that a name refers to. Links are not followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A regular file, the only kind that is opened for reading and writing.
    File,
    /// A directory.
    Dir,
    /// A symbolic link.
    Link,
    /// A device, FIFO, socket or another kind.
    Other,
}

/// The metadata of a name. Links are not followed.
#[derive(Clone, Copy, Debug)]
pub struct Stat {
    /// The kind of file.
    pub kind: FileKind,
    /// The size in bytes.
    pub size: u64,
    /// The time of the last change to the content.
    pub modified: SystemTime,
    /// The creation time, if the file system stores it.
    pub created: Option<SystemTime>,
    /// The permission bits, at most 0o7777.
    pub mode: u32,
    /// The user id of the owner; 0 if the system has no such ids.
    pub owner: u32,
    /// The group id; 0 if the system has no such ids.
    pub group: u32,
    /// The number of hard links.
    pub links: u64,
    /// The number of the file system; together with `inode` it identifies the file.
    pub device: u64,
    /// The number of the file in its file system.
    pub inode: u64,
}

/// The mode in which [`Dir::open`] opens a regular file. No mode follows a link in the last
/// component.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Open {
    /// For reading.
    Read,
    /// For reading and writing; the file must exist.
    Write,
    /// For appending.
    Append,
    /// For reading and writing; creates the file if it does not exist.
    Create {
        /// True if only the owner may access a new file.
        private: bool,
    },
    /// For reading and writing; fails with `AlreadyExists` if the name exists.
    CreateNew {
        /// True if only the owner may access the file.
        private: bool,
    },
}
