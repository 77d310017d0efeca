//! [`sys`](crate::sys) for Unix: Linux first, macOS from the same source.
//!
//! The functions of the C library are declared here, as far as they are used. Constants and
//! layouts that differ between systems are in `abi`; everything else is POSIX.

pub(in crate::sys) mod abi;
mod blocking_writer;
mod dir;
mod entries;
mod file;
mod interfaces;
#[cfg(all(target_os = "linux", target_env = "gnu", target_feature = "crt-static"))]
mod name_service;
mod new_name;
mod replace;
mod rlimit;
#[cfg(target_os = "linux")]
mod sendfile;
mod service_manager;
mod signal;
mod socket;
#[cfg(target_os = "linux")]
mod stack;
mod stat;
mod terminal;
mod tls;

pub use blocking_writer::BlockingWriter;
pub use dir::Dir;
pub(crate) use dir::{may_be_link, name_bytes, name_of, os_name};
pub use entries::Entries;
pub(crate) use file::{
    FileId, boot_id, check_may_write, effective_user, identify, is_at, is_dir_at, is_named,
    owner_and_links, read_at, write_at,
};
pub use interfaces::own_addresses;
#[cfg(all(target_os = "linux", target_env = "gnu", target_feature = "crt-static"))]
pub use name_service::use_built_in_name_services;
pub(crate) use replace::{cannot_replace, copy_attributes, reserve, set_file_mode};
pub use rlimit::{check_memory, limit_heaps, max_threads, raise_descriptor_limit};
#[cfg(target_os = "linux")]
pub(crate) use sendfile::{Pipe, send_file};
pub use service_manager::{inherited_listeners, is_journal, notify_manager};
pub use signal::{Signals, ignores_hangup, spawn_with_signals};
#[cfg(target_os = "linux")]
pub use socket::accept;
pub use socket::{Handle, PollItem, Waitable, connect_from, listen_backlog, poll, unacknowledged};
pub(crate) use socket::{Pair, pair, set_option};
#[cfg(target_os = "linux")]
pub use stack::release_stack;
pub use terminal::{EchoOff, RawMode, has_key, has_terminal, read_key, suspend, terminal_width};
pub(in crate::sys) use tls::socket_number;
#[cfg(not(tls_static))]
pub(in crate::sys) use tls::{NO_TLS, SharedLibrary, TLS_LIBRARIES};

use std::ffi::{OsStr, OsString, c_int};
use std::io;
use std::os::unix::ffi::OsStrExt;

/// True if accepted connections inherit the options of the listener.
pub const CAN_INHERIT_OPTIONS: bool = cfg!(target_os = "linux");

/// False: Unix has no call that sets the creation time of a file.
pub const CAN_SET_CREATED: bool = false;

unsafe extern "C" {
    fn geteuid() -> std::ffi::c_uint;
}

/// Returns the effective user id of the process.
fn user() -> std::ffi::c_uint {
    // SAFETY: takes nothing and cannot fail.
    unsafe { geteuid() }
}

/// Returns true if the process has the rights of root.
pub fn is_superuser() -> bool {
    user() == 0
}

/// Returns the name of the effective user from `/etc/passwd`, or the number if the file lacks it.
pub fn user_name() -> String {
    let number = user().to_string();
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let mut names = users.lines().filter_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        (fields.get(2) == Some(&number.as_str())).then(|| fields[0].to_owned())
    });
    names.next().unwrap_or(number)
}

/// Converts the C convention of -1 and `errno` to a `Result`.
fn check(result: c_int) -> io::Result<c_int> {
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// Calls [`check`] again as long as a signal interrupts the call.
fn retry(mut call: impl FnMut() -> c_int) -> io::Result<c_int> {
    loop {
        match check(call()) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

/// Makes files that are created with these options accessible to their owner only.
pub(crate) fn owner_only(options: &mut std::fs::OpenOptions) {
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
}

/// Returns whether users other than the owner may read or write a file.
pub(crate) fn is_accessible_to_others(metadata: &std::fs::Metadata) -> bool {
    std::os::unix::fs::MetadataExt::mode(metadata) & 0o077 != 0
}

/// Returns the permission bits of a file.
pub(crate) fn mode_of(metadata: &std::fs::Metadata) -> Option<u32> {
    Some(std::os::unix::fs::MetadataExt::mode(metadata) & 0o7777)
}

/// Returns the numbers of a file's owner and group.
pub(crate) fn owners_of(metadata: &std::fs::Metadata) -> Option<(u32, u32)> {
    use std::os::unix::fs::MetadataExt;
    Some((metadata.uid(), metadata.gid()))
}

/// Fills the buffer with random bytes for cryptography.
///
/// # Errors
/// Fails if the system has no such device.
pub(crate) fn fill_random(buffer: &mut [u8]) -> io::Result<()> {
    io::Read::read_exact(&mut std::fs::File::open("/dev/urandom")?, buffer)
}

/// Returns the name of this machine.
pub(crate) fn host_name() -> Option<String> {
    unsafe extern "C" {
        fn gethostname(name: *mut std::ffi::c_char, length: usize) -> c_int;
    }
    let mut name = [0_u8; 256];
    // SAFETY: the buffer is writable for the length that is given.
    check(unsafe { gethostname(name.as_mut_ptr().cast(), name.len()) }).ok()?;
    let name = std::ffi::CStr::from_bytes_until_nul(&name).ok()?;
    Some(name.to_str().ok()?.to_owned())
}

/// Returns `word` without its first `from` bytes; empty if `word` is shorter.
pub(crate) fn os_tail(word: &OsStr, from: usize) -> OsString {
    OsStr::from_bytes(word.as_bytes().get(from..).unwrap_or_default()).to_owned()
}

/// Converts bytes from a prompt or a file to an `OsString`.
pub(crate) fn os_string(bytes: &[u8]) -> Option<OsString> {
    Some(OsStr::from_bytes(bytes).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tail_beyond_the_end_is_empty() {
        for (from, tail) in [(0, "ab"), (1, "b"), (2, ""), (3, ""), (usize::MAX, "")] {
            assert_eq!(os_tail(OsStr::new("ab"), from), tail);
        }
    }
}
