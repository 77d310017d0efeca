//! [`sys`](crate::sys) for Windows, with the same face as for Unix.
//!
//! The system's functions are declared by hand, only as far as they are used. Directories are held
//! as paths here, not as handles: [`Dir`] says what that does not cover.

mod console;
mod dir;
mod socket;
mod tls;

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::windows::ffi::{OsStrExt, OsStringExt};

pub use console::{
    EchoOff, RawMode, Signals, is_typed, spawn_with_signals, stop, terminal_width, typed,
};
pub use dir::{Dir, Entries};
pub(crate) use dir::{
    FileId, adopt, cannot_replace, identify, is_at, is_dir_at, is_named, may_be_link, name_bytes,
    name_of, os_name, reserve, set_file_mode,
};
pub(in crate::sys) use socket::abi;
pub use socket::{Handle, PollItem, Waitable, connect_from, listen_backlog, poll, unacknowledged};
pub(crate) use socket::{Pair, pair, set_option};
pub(in crate::sys) use tls::{SharedLibrary, TLS_LIBRARIES, socket_number};

/// Whether what a listener accepts has the listener's options.
pub const CAN_INHERIT_OPTIONS: bool = false;

/// Whether the time a file was created can be set.
pub const CAN_SET_CREATED: bool = true;

/// The sockets that a service manager hands over: there is none here that does.
///
/// # Errors
/// None on this system.
pub fn inherited_listeners() -> io::Result<Vec<std::net::TcpListener>> {
    Ok(Vec::new())
}

/// Tells the service manager something: there is none here that listens.
///
/// # Errors
/// None on this system.
pub fn tell_manager(_state: &str) -> io::Result<()> {
    Ok(())
}

/// There is no limit to raise; gives that.
pub fn raise_descriptors() -> u64 {
    u64::MAX
}

/// How many threads the process may have; nothing limits that here but memory.
pub fn most_threads() -> usize {
    usize::MAX
}

/// Nobody limits memory here, so there is nothing to save.
pub fn save_memory() {}

/// Whether so many bytes of memory can be had; nobody limits that here.
///
/// # Errors
/// None on this system.
pub fn check_room(_bytes: usize) -> io::Result<()> {
    Ok(())
}

/// A file that is made with these options is for those the directory is for.
pub(crate) fn for_owner_alone(_options: &mut std::fs::OpenOptions) {}

/// Whether others than the owner of a file may read or write it, as far as a mode tells: no mode here
/// does.
pub(crate) fn is_open_to_others(_metadata: &std::fs::Metadata) -> bool {
    false
}

/// The permission bits of a file: there are none here.
pub(crate) fn mode_of(_metadata: &std::fs::Metadata) -> Option<u32> {
    None
}

/// The numbers of a file's owner and group: there are none here.
pub(crate) fn owners_of(_metadata: &std::fs::Metadata) -> Option<(u32, u32)> {
    None
}

/// Fills the buffer with bytes nobody can guess.
///
/// # Errors
/// The system refuses.
pub(crate) fn fill_random(buffer: &mut [u8]) -> io::Result<()> {
    #[link(name = "advapi32")]
    unsafe extern "system" {
        // RtlGenRandom, as its header names it.
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

/// `word` without its first `from` units.
pub(crate) fn os_tail(word: &OsStr, from: usize) -> OsString {
    OsString::from_wide(&word.encode_wide().skip(from).collect::<Vec<u16>>())
}

/// Bytes that were typed or stood in a file as a value of the system's own kind: UTF-8 alone.
pub(crate) fn os_string(bytes: &[u8]) -> Option<OsString> {
    Some(std::str::from_utf8(bytes).ok()?.into())
}

/// A standard stream that is written as a whole; they all block on Windows.
#[derive(Debug)]
pub struct Patient<W>(pub W);

impl<W: io::Write> io::Write for Patient<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
