//! The system's calls that the standard library does not offer, behind a safe face.
//!
//! This folder is the only place in the crate with `unsafe`, and the only one that knows which
//! system it runs on. What it promises: every function here is safe to call with any argument,
//! answers failures as [`std::io::Error`], and retries what a signal interrupted.
//!
//! | what | why std is not enough |
//! |---|---|
//! | [`poll`] | std cannot wait for "data or control or shutdown", nor accept with a deadline |
//! | [`Event`], [`Waker`] | wake threads that wait in `poll`, on any system |
//! | [`Signals`] | std has no signals; a thread waits for them, no handler runs |
//! | [`spawn_with_signals`] | std lets programs inherit that signals are held back |
//! | [`listen_backlog`], [`connect_from`], [`inline_urgent`], [`keep_alive`] | options of sockets that std has no name for |
//! | `send_file`, `Pipe` | std's ways between file and socket go through a buffer of 8 KiB |
//! | `adopt` | std copies neither access control lists nor extended attributes |
//! | [`Dir`] | std opens by path, and a path can be turned under one's feet |
//! | [`raise_descriptors`] | std leaves the soft limit, which is often 1,024 |
//! | [`most_threads`] | std ends the program where a thread finds no memory for its guard pages |
//! | [`check_room`], [`save_memory`] | an allocation that fails ends a Rust program, so it is asked before |
//! | [`inherited_listeners`], [`tell_manager`] | std takes no socket that a service manager has opened |
//! | [`give_back_stack`] | a thread keeps every page of its stack that it has once touched |
//! | [`compress_sha256`] | instructions that not every processor has are unsafe to run |
//! | [`use_built_in_name_services`] | std's lookups of names end a static program where glibc is another one |
//! | [`Patient`] | std fails where a standard stream was made non-blocking by another program |
//! | [`TlsContext`], [`Tls`] | std has no TLS; OpenSSL has C functions alone |
//! | [`EchoOff`], [`RawMode`], [`typed`] | passwords are typed without echo, lines are edited key by key |

mod event;
mod socket;
mod tls;
mod waker;

pub use event::Event;
pub use socket::{inline_urgent, keep_alive, no_delay};
pub use tls::{
    Certificate, NewCertificate, Tls, TlsContext, TlsError, TlsErrorKind, TlsLibrary, TlsSession,
    TlsUnavailable, TlsVersion, make_certificate, tls_library,
};
pub use waker::Waker;

use std::time::SystemTime;

#[cfg(not(any(unix, all(windows, target_pointer_width = "64"))))]
compile_error!("mt_ftp knows the system calls of Linux, macOS and 64-bit Windows");

#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub use unix::*;

/// Gives back what a thread's stack holds unused; only Linux is asked for it.
#[cfg(not(target_os = "linux"))]
pub fn give_back_stack() {}

/// Has names looked up without the shared libraries of glibc; only a static glibc is asked for it.
#[cfg(not(all(target_os = "linux", target_env = "gnu", target_feature = "crt-static")))]
pub fn use_built_in_name_services() {}

#[cfg(not(target_os = "linux"))]
mod copy_fallback;
#[cfg(not(target_os = "linux"))]
pub(crate) use copy_fallback::{Pipe, send_file};

mod sha256;
pub use sha256::{compress_sha256, has_sha256};

// Rules without system calls, so that they are tested wherever tests run.
#[cfg(any(windows, test))]
mod windows_names;

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub use windows::*;

/// A request to end or to reload, as the system delivers it to the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGINT: Ctrl-C at the terminal.
    Interrupt,
    /// SIGTERM: the administrator or the service manager asks to end.
    Terminate,
    /// SIGHUP: read the configuration again.
    Hangup,
    /// SIGWINCH: the terminal has another size.
    Resize,
    /// SIGCONT: the process was stopped and goes on.
    Continue,
}

/// What came of a wait for somebody who types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Typed {
    /// A byte.
    Byte(u8),
    /// The [`Waker`] was used first.
    Woken,
    /// Nothing came in time.
    Nothing,
    /// The terminal is gone.
    End,
}

/// What to wait for on a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interest {
    /// Bytes, a new connection, or the end of the stream.
    Read,
    /// Room to write, or a connection that was made.
    Write,
    /// Neither: that the connection is lost, as after a reset. Only Linux reports this apart from the
    /// end of the stream, so on other systems it never happens.
    Loss,
}

/// What kind of thing a name in a directory stands for. Links are not followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A plain file, the only kind that is ever opened for its bytes.
    File,
    /// A directory.
    Dir,
    /// A symbolic link.
    Link,
    /// A device, FIFO, socket or whatever else the system has.
    Other,
}

/// What the system knows of one name, its link not followed.
#[derive(Clone, Copy, Debug)]
pub struct Stat {
    /// What it is.
    pub kind: FileKind,
    /// Size in bytes.
    pub size: u64,
    /// Last change of the content.
    pub modified: SystemTime,
    /// When it was made, where the file system keeps that.
    pub created: Option<SystemTime>,
    /// Permission bits, 0o7777 at most.
    pub mode: u32,
    /// Owner's number (0 where the system has none).
    pub owner: u32,
    /// Group's number (0 where the system has none).
    pub group: u32,
    /// Number of names this file has.
    pub links: u64,
    /// Number of the file system; with `inode` it tells files apart.
    pub device: u64,
    /// Number of the file in its file system.
    pub inode: u64,
}

/// How [`Dir::open`] opens a plain file. No variant follows a link in the last place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Open {
    /// For reading.
    Read,
    /// For reading and writing; the file must exist.
    Write,
    /// For writing at its end, wherever that is at the time of the write.
    Append,
    /// For reading and writing; made where it does not exist.
    Create {
        /// Whether a file that is made is for its owner alone.
        private: bool,
    },
    /// For reading and writing; fails with `AlreadyExists` if the name is taken.
    CreateNew {
        /// Whether the file is for its owner alone.
        private: bool,
    },
}
