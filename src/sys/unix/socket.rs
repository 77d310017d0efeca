//! Sockets: waiting for several at once, and options that std does not offer.

use super::abi::{
    EINPROGRESS, NEW_SOCKET, POLLIN, POLLOUT, SO_REUSEADDR, SOCK_STREAM, SOL_SOCKET, TIOCOUTQ,
    nfds_t, pollfd,
};
use super::check;
#[cfg(target_os = "linux")]
use super::{dir::owned, retry};
use crate::sys::Interest;
#[cfg(target_os = "linux")]
use crate::sys::socket::address;
use crate::sys::socket::{family, raw_address};
use std::ffi::{c_int, c_ulong, c_void};
use std::io;
use std::marker::PhantomData;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

unsafe extern "C" {
    #[link_name = "poll"]
    fn c_poll(fds: *mut pollfd, count: nfds_t, timeout: c_int) -> c_int;
    fn listen(fd: c_int, backlog: c_int) -> c_int;
    fn socket(domain: c_int, kind: c_int, protocol: c_int) -> c_int;
    fn bind(fd: c_int, address: *const c_void, length: u32) -> c_int;
    fn connect(fd: c_int, address: *const c_void, length: u32) -> c_int;
    fn fcntl(fd: c_int, command: c_int, ...) -> c_int;
    fn ioctl(fd: c_int, request: c_ulong, ...) -> c_int;
    fn setsockopt(fd: c_int, level: c_int, name: c_int, value: *const c_void, size: u32) -> c_int;
}

/// A borrowed descriptor that [`poll`] can wait for.
pub type Handle<'a> = BorrowedFd<'a>;

/// A type with a [`Handle`]: sockets, and on Unix everything with a descriptor.
pub trait Waitable {
    /// Returns the handle to wait for.
    fn handle(&self) -> Handle<'_>;
}

impl<T: AsFd> Waitable for T {
    fn handle(&self) -> Handle<'_> {
        self.as_fd()
    }
}

/// A descriptor to wait for; after [`poll`], the item tells whether it is ready.
#[repr(transparent)]
pub struct PollItem<'a> {
    raw: pollfd,
    owner: PhantomData<BorrowedFd<'a>>,
}

impl<'a> PollItem<'a> {
    /// Creates an item that waits for `interest` on `handle`.
    pub fn new(handle: Handle<'a>, interest: Interest) -> PollItem<'a> {
        let events = match interest {
            Interest::Read => POLLIN,
            Interest::Write => POLLOUT,
            // POSIX: POLLERR and POLLHUP are always reported.
            Interest::Loss if cfg!(target_os = "linux") => 0,
            Interest::Loss => return PollItem::nothing(),
        };
        let raw = pollfd { fd: handle.as_raw_fd(), events, revents: 0 };
        PollItem { raw, owner: PhantomData }
    }

    /// Creates an item that waits for nothing and is never ready.
    pub fn nothing() -> PollItem<'a> {
        // POSIX: negative descriptors are ignored.
        PollItem { raw: pollfd { fd: -1, events: 0, revents: 0 }, owner: PhantomData }
    }

    /// Returns whether the descriptor is ready, broken or at its end: the next call on it will not
    /// wait.
    pub fn ready(&self) -> bool {
        self.raw.revents != 0
    }
}

/// Waits until an item is ready or the time is over, and returns the number of ready items. `None`
/// waits without limit. It may return 0 early, so callers must check their deadline.
///
/// # Errors
/// Fails if memory is short, or if there are more items than allowed descriptors.
pub fn poll(items: &mut [PollItem<'_>], timeout: Option<Duration>) -> io::Result<usize> {
    // Rounded up; otherwise the last millisecond would be a busy loop.
    let wait = timeout
        .map_or(-1, |t| c_int::try_from(t.as_nanos().div_ceil(1_000_000)).unwrap_or(c_int::MAX));
    // SAFETY: PollItem is transparent over pollfd, so the slice is an array of that many; every
    // descriptor is borrowed for as long as the items live.
    let result = unsafe { c_poll(items.as_mut_ptr().cast(), items.len() as nfds_t, wait) };
    match check(result) {
        Ok(count) => Ok(count as usize),
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(0),
        Err(error) => Err(error),
    }
}

/// One of two connected streams.
pub(crate) type Pair = UnixStream;

/// Creates two streams that are connected with each other.
pub(crate) fn pair() -> io::Result<(Pair, Pair)> {
    UnixStream::pair()
}

/// Sets the length of the accept queue; std's 128 loses SYNs in a burst.
///
/// # Errors
/// Returns the system error of a socket that does not listen.
pub fn listen_backlog(listener: &TcpListener, backlog: u32) -> io::Result<()> {
    let backlog = c_int::try_from(backlog).unwrap_or(c_int::MAX);
    // SAFETY: the descriptor is open; listening again only changes the backlog.
    check(unsafe { listen(listener.as_raw_fd(), backlog) }).map(drop)
}

/// Accepts a connection, which is nonblocking. With std that would take another system call.
///
/// # Errors
/// Returns the system error, such as `WouldBlock` if the listener is nonblocking and no connection is
/// waiting.
#[cfg(target_os = "linux")]
pub fn accept(listener: &TcpListener) -> io::Result<(TcpStream, SocketAddr)> {
    unsafe extern "C" {
        fn accept4(fd: c_int, address: *mut c_void, length: *mut u32, flags: c_int) -> c_int;
    }
    let (mut raw, fd) = ([0; 28], listener.as_raw_fd());
    let accepted = retry(|| {
        let mut length = raw.len() as u32;
        // SAFETY: `raw` and `length`, the size of `raw`, are valid and writable during the call.
        unsafe { accept4(fd, raw.as_mut_ptr().cast(), &raw mut length, NEW_SOCKET) }
    })?;
    let stream = TcpStream::from(owned(accepted));
    let peer = address(&raw).ok_or(io::ErrorKind::InvalidData)?;
    Ok((stream, peer))
}

/// Returns the number of bytes written to a TCP socket that the peer has not acknowledged yet
/// (Linux: SIOCOUTQ); `None` if the system does not report it.
pub fn unacknowledged(socket: Handle<'_>) -> Option<usize> {
    let mut count: c_int = 0;
    // SAFETY: TIOCOUTQ writes one int, which is valid during the call.
    check(unsafe { ioctl(socket.as_raw_fd(), TIOCOUTQ as c_ulong, &raw mut count) }).ok()?;
    usize::try_from(count).ok()
}

/// Begins to connect from the address `local` to `to`, and returns at once. The stream is
/// nonblocking and becomes writable when the connection is established or has failed (see
/// `take_error`).
///
/// # Errors
/// Returns the system error if the attempt cannot begin.
pub fn connect_from(local: IpAddr, to: SocketAddr) -> io::Result<TcpStream> {
    // SAFETY: plain numbers in, a descriptor out.
    let fd = check(unsafe { socket(family(to), SOCK_STREAM | NEW_SOCKET, 0) })?;
    // SAFETY: the descriptor is new, open, and owned by nothing else.
    let stream = TcpStream::from(unsafe { OwnedFd::from_raw_fd(fd) });
    choose_port_late(&stream)?;
    if NEW_SOCKET == 0 {
        close_on_exec(stream.as_raw_fd())?;
        stream.set_nonblocking(true)?;
    }
    let (address, length) = raw_address(SocketAddr::new(local, 0));
    // SAFETY: `address` holds a socket address of `length` bytes.
    check(unsafe { bind(stream.as_raw_fd(), address.as_ptr().cast(), length.into()) })?;
    let (address, length) = raw_address(to);
    // SAFETY: as above.
    match check(unsafe { connect(stream.as_raw_fd(), address.as_ptr().cast(), length.into()) }) {
        Err(error) if error.raw_os_error() != Some(EINPROGRESS) => Err(error),
        _ => Ok(stream),
    }
}

/// Leaves the choice of the local port to `connect`, which needs one that is free for this peer. `bind`
/// looks for one that is free for every peer: with ten thousand connections in TIME_WAIT that search
/// takes longer than the transfer of a small file. A system without the option lets `bind` take a port
/// in TIME_WAIT.
fn choose_port_late(stream: &TcpStream) -> io::Result<()> {
    const IPPROTO_IP: c_int = 0;
    const IP_BIND_ADDRESS_NO_PORT: c_int = 24;
    let is_late = cfg!(target_os = "linux")
        && set_option(stream.as_fd(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1).is_ok();
    if is_late { Ok(()) } else { set_option(stream.as_fd(), SOL_SOCKET, SO_REUSEADDR, 1) }
}

/// Sets an option to a number.
pub(crate) fn set_option(
    fd: BorrowedFd<'_>,
    level: c_int,
    name: c_int,
    value: c_int,
) -> io::Result<()> {
    let size = size_of::<c_int>() as u32;
    // SAFETY: `value` is valid during the call and has the size that is given.
    check(unsafe { setsockopt(fd.as_raw_fd(), level, name, (&raw const value).cast(), size) })
        .map(drop)
}

/// Closes a descriptor in programs that this one starts.
pub(super) fn close_on_exec(fd: c_int) -> io::Result<()> {
    const F_SETFD: c_int = 2;
    const FD_CLOEXEC: c_int = 1;
    // SAFETY: F_SETFD takes one int; a number that is not an open descriptor is EBADF.
    check(unsafe { fcntl(fd, F_SETFD, FD_CLOEXEC) }).map(drop)
}
