//! The service manager: the sockets it hands over, and what it wants to hear.
//!
//! The protocol of systemd (`sd_listen_fds(3)`, `sd_notify(3)`), which others speak too: what is
//! handed over begins at descriptor 3, the environment says how many there are and for which process,
//! and names the socket that takes messages.

use super::abi::F_DUPFD_CLOEXEC;
use super::check;
use super::socket::close_on_exec;
use std::env;
use std::ffi::{OsStr, c_int};
use std::io;
use std::net::TcpListener;
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::net::UnixDatagram;
use std::sync::atomic::{AtomicBool, Ordering};

unsafe extern "C" {
    fn fcntl(fd: c_int, command: c_int, ...) -> c_int;
}

const FIRST: c_int = 3;

/// More than anybody hands over; a larger number is a mistake.
const MOST: c_int = 64;

/// The listening sockets that this process was started with; none if there is no such manager, and
/// none the second time. They belong to the manager too: to close them refuses nobody, and whoever
/// connects waits for the next process.
///
/// Each listener is a duplicate of the descriptor that was handed over, which stays open: if the
/// environment is wrong, that number may be a descriptor that another part of the program owns.
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
    let own = duplicate(fd).map_err(named)?;
    let listener = TcpListener::from(own);
    listener.local_addr().map_err(named)?;
    // What was handed over is for this process alone, not for the programs it starts.
    close_on_exec(fd).map_err(named)?;
    Ok(listener)
}

/// Another descriptor of what the number `fd` stands for.
fn duplicate(fd: c_int) -> io::Result<OwnedFd> {
    // SAFETY: numbers in, a number out; a number that is no open descriptor is EBADF.
    let own = check(unsafe { fcntl(fd, F_DUPFD_CLOEXEC, FIRST) })?;
    // SAFETY: the descriptor was just made and nobody else has its number.
    Ok(unsafe { OwnedFd::from_raw_fd(own) })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_is_no_tcp_socket_is_an_error_and_stays_as_it_was() {
        let file = tempfile::tempfile().unwrap();
        let number = std::os::fd::AsRawFd::as_raw_fd(&file);
        for fd in [number, c_int::MAX, -1] {
            let error = take(fd).unwrap_err();
            assert!(error.to_string().starts_with(&format!("descriptor {fd} of LISTEN_FDS")));
        }
        assert!(file.metadata().is_ok());
    }

    #[test]
    fn a_listener_is_a_duplicate_of_what_was_handed_over() {
        let handed = TcpListener::bind("127.0.0.1:0").unwrap();
        let taken = take(std::os::fd::AsRawFd::as_raw_fd(&handed)).unwrap();
        assert_eq!(taken.local_addr().unwrap(), handed.local_addr().unwrap());
        drop(taken);
        assert!(handed.local_addr().is_ok());
    }
}
