//! [`sys`](crate::sys) for Windows, with the same functions as for Unix.
//!
//! The functions of the system are declared here, as far as they are used. Directories are
//! represented by paths here and not by handles; [`Dir`] documents the consequences.

mod console;
mod dir;
mod socket;
mod tls;

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::windows::ffi::{OsStrExt, OsStringExt};

pub use console::{
    EchoOff, RawMode, Signals, has_key, read_key, spawn_with_signals, suspend, terminal_width,
};
pub use dir::{Dir, Entries};
pub(crate) use dir::{
    FileId, boot_id, cannot_replace, copy_attributes, effective_user, identify, is_at, is_dir_at,
    is_named, may_be_link, name_bytes, name_of, os_name, owner_and_links, read_at, reserve,
    set_file_mode, write_at,
};
pub(in crate::sys) use socket::abi;
pub use socket::{Handle, PollItem, Waitable, connect_from, listen_backlog, poll, unacknowledged};
pub(crate) use socket::{Pair, pair, set_option};
pub(in crate::sys) use tls::{NO_TLS, SharedLibrary, TLS_LIBRARIES, socket_number};

/// True if accepted connections inherit the options of the listener.
pub const CAN_INHERIT_OPTIONS: bool = false;

/// True if the creation time of a file can be set.
pub const CAN_SET_CREATED: bool = true;

/// Returns no sockets, because Windows has no service manager of this kind.
///
/// # Errors
/// None on this system.
pub fn inherited_listeners() -> io::Result<Vec<std::net::TcpListener>> {
    Ok(Vec::new())
}

/// Does nothing, because Windows has no service manager of this kind.
///
/// # Errors
/// None on this system.
pub fn notify_manager(_state: &str) -> io::Result<()> {
    Ok(())
}

/// Returns false, because Windows has no journal.
pub fn is_journal() -> bool {
    false
}

/// Returns false, because Windows ends the program when its console is closed, whatever this returns.
pub fn has_terminal() -> bool {
    false
}

/// Returns false, because Windows has no SIGHUP.
pub fn ignores_hangup() -> bool {
    false
}

/// Returns the IP addresses to which the machine's own name resolves, except loopback addresses.
///
/// # Errors
/// Fails if the name is unknown or cannot be resolved.
pub fn own_addresses() -> io::Result<Vec<std::net::IpAddr>> {
    use std::net::ToSocketAddrs;
    let name = std::env::var("COMPUTERNAME").map_err(|_| io::ErrorKind::NotFound)?;
    let found = (name.as_str(), 0).to_socket_addrs()?.map(|at| at.ip());
    Ok(found.filter(|ip| !ip.is_loopback()).collect())
}

/// Returns false, because Windows has no user like root.
pub fn is_superuser() -> bool {
    false
}

/// Returns the name of the user that runs the process.
pub fn user_name() -> String {
    std::env::var("USERNAME").unwrap_or_default()
}

/// Returns the maximum, because Windows has no such limit.
pub fn raise_descriptor_limit() -> u64 {
    u64::MAX
}

/// Returns the maximum, because only memory limits the number of threads.
pub fn max_threads() -> usize {
    usize::MAX
}

/// Does nothing, because Windows has no such memory limit.
pub fn limit_heaps() {}

/// Succeeds always, because Windows has no such memory limit.
///
/// # Errors
/// None on this system.
pub fn check_memory(_bytes: usize) -> io::Result<()> {
    Ok(())
}

/// Does nothing: a new file has the access rights that its directory defines.
pub(crate) fn owner_only(_options: &mut std::fs::OpenOptions) {}

/// Returns false, because files have no mode that shows it.
pub(crate) fn is_accessible_to_others(_metadata: &std::fs::Metadata) -> bool {
    false
}

/// Returns `None`, because files have no permission bits.
pub(crate) fn mode_of(_metadata: &std::fs::Metadata) -> Option<u32> {
    None
}

/// Returns `None`, because files have no such numbers.
pub(crate) fn owners_of(_metadata: &std::fs::Metadata) -> Option<(u32, u32)> {
    None
}

/// Checks whether a file is writable, or a directory exists; its access control list is not read.
///
/// # Errors
/// Returns the system error, or `PermissionDenied` for a read-only file.
pub(crate) fn check_may_write(path: &std::path::Path) -> io::Result<()> {
    let data = std::fs::metadata(path)?;
    // The attribute of a directory says nothing about files in it.
    let refused = data.is_file() && data.permissions().readonly();
    if refused { Err(io::ErrorKind::PermissionDenied.into()) } else { Ok(()) }
}

/// Fills the buffer with random bytes for cryptography.
///
/// # Errors
/// Fails if the system cannot provide random bytes.
pub(crate) fn fill_random(buffer: &mut [u8]) -> io::Result<()> {
    #[link(name = "advapi32")]
    unsafe extern "system" {
        // RtlGenRandom, under the name that its header declares.
        #[link_name = "SystemFunction036"]
        fn random(buffer: *mut u8, length: u32) -> u8;
    }
    for chunk in buffer.chunks_mut(u32::MAX as usize) {
        // SAFETY: the pointer and the length are those of one slice.
        if unsafe { random(chunk.as_mut_ptr(), chunk.len() as u32) } == 0 {
            return Err(io::ErrorKind::Unsupported.into());
        }
    }
    Ok(())
}

/// Returns the name of this machine.
pub(crate) fn host_name() -> Option<String> {
    std::env::var("COMPUTERNAME").ok()
}

/// Returns `word` without its first `from` units.
pub(crate) fn os_tail(word: &OsStr, from: usize) -> OsString {
    OsString::from_wide(&word.encode_wide().skip(from).collect::<Vec<u16>>())
}

/// Converts bytes from a prompt or a file to an `OsString`; `None` if they are not UTF-8.
pub(crate) fn os_string(bytes: &[u8]) -> Option<OsString> {
    Some(std::str::from_utf8(bytes).ok()?.into())
}

/// A standard stream; on Windows all of them block.
#[derive(Debug)]
pub struct BlockingWriter<W>(pub W);

impl<W: io::Write> io::Write for BlockingWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
