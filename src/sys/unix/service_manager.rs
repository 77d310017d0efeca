//! The service manager: the sockets it hands over, and what it wants to hear.
//!
//! The protocol of systemd (`sd_listen_fds(3)`, `sd_notify(3)`), which others speak too: what is
//! handed over begins at descriptor 3, the environment says how many there are and for which process,
//! and names the socket that takes messages.

use super::socket::close_on_exec;
use std::env;
use std::ffi::{OsStr, c_int};
use std::io;
use std::net::TcpListener;
use std::os::fd::{BorrowedFd, FromRawFd};
use std::os::unix::net::UnixDatagram;
use std::sync::atomic::{AtomicBool, Ordering};

const FIRST: c_int = 3;

/// More than anybody hands over; a larger number is a mistake.
const MOST: c_int = 64;

/// The listening sockets that this process was started with; none if there is no such manager, and
/// none the second time. They belong to the manager too: to close them refuses nobody, and whoever
/// connects waits for the next process.
///
/// # Errors
/// What is handed over is no TCP socket, or not there.
pub fn inherited_listeners() -> io::Result<Vec<TcpListener>> {
    static TAKEN: AtomicBool = AtomicBool::new(false);
    let number = |name| env::var(name).ok().and_then(|text| text.parse::<c_int>().ok());
    // Who started our parent, and not us, said this to our parent.
    let ours = number("LISTEN_PID").and_then(|pid| u32::try_from(pid).ok());
    if ours != Some(std::process::id()) || TAKEN.swap(true, Ordering::SeqCst) {
        return Ok(Vec::new());
    }
    let count = number("LISTEN_FDS").unwrap_or(0).clamp(0, MOST);
    (FIRST..FIRST + count).map(take).collect()
}

fn take(fd: c_int) -> io::Result<TcpListener> {
    let named = |error: io::Error| {
        let text = format!("descriptor {fd} of LISTEN_FDS is no TCP socket: {error}");
        io::Error::new(error.kind(), text)
    };
    // SAFETY: it is only asked whether it is open, which it may turn out not to be.
    close_on_exec(unsafe { BorrowedFd::borrow_raw(fd) }).map_err(named)?;
    // SAFETY: it is open, the manager has handed it to this process, and this is done once.
    let listener = unsafe { TcpListener::from_raw_fd(fd) };
    listener.local_addr().map_err(named)?;
    Ok(listener)
}

/// Tells the manager something, `READY=1` or `STOPPING=1`, if it wants to hear it.
///
/// # Errors
/// It cannot be told.
pub fn tell_manager(state: &str) -> io::Result<()> {
    let Some(to) = env::var_os("NOTIFY_SOCKET").filter(|to| !to.is_empty()) else { return Ok(()) };
    send(&to, state.as_bytes())
}

#[cfg(target_os = "linux")]
fn send(to: &OsStr, state: &[u8]) -> io::Result<()> {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::net::SocketAddr;
    let socket = UnixDatagram::unbound()?;
    let sent = match to.as_bytes().strip_prefix(b"@") {
        // A name that is no file.
        Some(name) => socket.send_to_addr(state, &SocketAddr::from_abstract_name(name)?),
        None => socket.send_to(state, to),
    };
    sent.map(drop)
}

#[cfg(not(target_os = "linux"))]
fn send(to: &OsStr, state: &[u8]) -> io::Result<()> {
    UnixDatagram::unbound()?.send_to(state, to).map(drop)
}
