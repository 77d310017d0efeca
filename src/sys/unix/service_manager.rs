//! The service manager: the sockets that it passes to the server, and the notifications that it
//! receives.
//!
//! This is the protocol of systemd (`sd_listen_fds(3)`, `sd_notify(3)`), which other managers
//! implement too. The sockets begin at descriptor 3; the environment contains their number, the
//! process that they are for, and the name of the socket for notifications.

use super::abi::F_DUPFD_CLOEXEC;
use super::check;
use super::socket::close_on_exec;
use std::env;
use std::ffi::{OsStr, c_int};
use std::fs::File;
use std::io;
use std::net::TcpListener;
use std::os::fd::{AsFd, FromRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixDatagram;
use std::sync::atomic::{AtomicBool, Ordering};

unsafe extern "C" {
    fn fcntl(fd: c_int, command: c_int, ...) -> c_int;
}

const FIRST: c_int = 3;

/// The maximum number of sockets; a larger number in the environment is an error.
const MOST: c_int = 64;

/// Returns the listening sockets that this process was started with: none without such a manager,
/// and none on the second call. The manager keeps the sockets open too, so after this process
/// closes them, clients are not refused but wait for the next process.
///
/// Each listener is a duplicate of the passed descriptor, which stays open: if the environment is
/// wrong, that descriptor may belong to another part of the program.
///
/// # Errors
/// Fails if a passed descriptor is not a TCP socket or not open.
pub fn inherited_listeners() -> io::Result<Vec<TcpListener>> {
    static TAKEN: AtomicBool = AtomicBool::new(false);
    let number = |name| env::var(name).ok().and_then(|text| text.parse::<c_int>().ok());
    // If the variables were meant for the parent process, LISTEN_PID is another process.
    let ours = number("LISTEN_PID").and_then(|pid| u32::try_from(pid).ok());
    if ours != Some(std::process::id()) || TAKEN.swap(true, Ordering::SeqCst) {
        return Ok(Vec::new());
    }
    let count = number("LISTEN_FDS").unwrap_or(0).clamp(0, MOST);
    (FIRST..FIRST + count).map(take).collect()
}

/// Returns whether standard error is the journal of systemd. `JOURNAL_STREAM` in the environment names
/// the device and inode of the stream to the journal (systemd.exec(5)).
pub fn is_journal() -> bool {
    let stream = io::stderr().as_fd().try_clone_to_owned().map(File::from);
    let Ok(data) = stream.and_then(|stream| stream.metadata()) else { return false };
    env::var("JOURNAL_STREAM").is_ok_and(|named| named == format!("{}:{}", data.dev(), data.ino()))
}

fn take(fd: c_int) -> io::Result<TcpListener> {
    let named = |error: io::Error| {
        let text = format!("descriptor {fd} of LISTEN_FDS is not an open TCP socket");
        io::Error::new(error.kind(), text)
    };
    let own = duplicate(fd).map_err(named)?;
    let listener = TcpListener::from(own);
    listener.local_addr().map_err(named)?;
    // Child processes must not inherit the passed descriptor.
    close_on_exec(fd).map_err(named)?;
    Ok(listener)
}

/// Duplicates the descriptor with the number `fd`.
fn duplicate(fd: c_int) -> io::Result<OwnedFd> {
    // SAFETY: numbers in, a number out; a number that is not an open descriptor is EBADF.
    let own = check(unsafe { fcntl(fd, F_DUPFD_CLOEXEC, FIRST) })?;
    // SAFETY: the descriptor was just created, and nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(own) })
}

/// Sends `READY=1`, `STOPPING=1` or another state to the service manager, if there is one.
///
/// # Errors
/// Fails if the message cannot be sent.
pub fn notify_manager(state: &str) -> io::Result<()> {
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
        // An abstract socket address.
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
    fn a_descriptor_that_is_not_a_tcp_socket_is_an_error_and_unchanged() {
        let file = tempfile::tempfile().unwrap();
        let number = std::os::fd::AsRawFd::as_raw_fd(&file);
        for fd in [number, c_int::MAX, -1] {
            let error = take(fd).unwrap_err();
            assert!(error.to_string().starts_with(&format!("descriptor {fd} of LISTEN_FDS")));
        }
        assert!(file.metadata().is_ok());
    }

    #[test]
    fn a_listener_is_a_duplicate_of_the_passed_descriptor() {
        let handed = TcpListener::bind("127.0.0.1:0").unwrap();
        let taken = take(std::os::fd::AsRawFd::as_raw_fd(&handed)).unwrap();
        assert_eq!(taken.local_addr().unwrap(), handed.local_addr().unwrap());
        drop(taken);
        assert!(handed.local_addr().is_ok());
    }
}
