//! Sockets: waiting for several at once, and options that std does not offer.

use crate::sys::Interest;
use crate::sys::socket::{family, raw_address};
use std::ffi::{c_int, c_void};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::windows::io::{AsRawSocket, AsSocket, BorrowedSocket, FromRawSocket};
use std::time::Duration;

#[link(name = "ws2_32")]
unsafe extern "system" {
    fn WSAPoll(items: *mut PollFd, count: u32, timeout: c_int) -> c_int;
    fn WSASocketW(
        domain: c_int,
        kind: c_int,
        protocol: c_int,
        info: *const c_void,
        group: u32,
        flags: u32,
    ) -> usize;
    fn bind(socket: usize, address: *const c_void, length: c_int) -> c_int;
    fn connect(socket: usize, address: *const c_void, length: c_int) -> c_int;
    fn listen(socket: usize, backlog: c_int) -> c_int;
    fn setsockopt(
        socket: usize,
        level: c_int,
        name: c_int,
        value: *const c_void,
        size: c_int,
    ) -> c_int;
}

const POLLIN: i16 = 0x300;
const POLLOUT: i16 = 0x10;
const SOCK_STREAM: c_int = 1;
const WSA_FLAG_OVERLAPPED: u32 = 1;
const WSA_FLAG_NO_HANDLE_INHERIT: u32 = 0x80;
const WSAEWOULDBLOCK: i32 = 10035;

/// Constants that have other values on Unix.
pub(in crate::sys) mod abi {
    use std::ffi::c_int;

    pub(in crate::sys) const AF_INET: c_int = 2;
    pub(in crate::sys) const AF_INET6: c_int = 23;
    pub(in crate::sys) const SOL_SOCKET: c_int = 0xffff;
    pub(in crate::sys) const SO_KEEPALIVE: c_int = 8;
    pub(in crate::sys) const SO_OOBINLINE: c_int = 0x100;
    pub(in crate::sys) const IPPROTO_TCP: c_int = 6;
    pub(in crate::sys) const TCP_NODELAY: c_int = 1;
    pub(in crate::sys) const TCP_KEEPIDLE: c_int = 3;
    pub(in crate::sys) const TCP_KEEPCNT: c_int = 16;
    pub(in crate::sys) const TCP_KEEPINTVL: c_int = 17;
}

/// `WSAPOLLFD`.
#[repr(C)]
#[derive(Clone, Copy)]
struct PollFd {
    socket: usize,
    events: i16,
    ready: i16,
}

/// A borrowed socket that [`poll`] can wait for.
pub type Handle<'a> = BorrowedSocket<'a>;

/// A type with a [`Handle`]: sockets.
pub trait Waitable {
    /// Returns the handle to wait for.
    fn handle(&self) -> Handle<'_>;
}

impl<T: AsSocket> Waitable for T {
    fn handle(&self) -> Handle<'_> {
        self.as_socket()
    }
}

/// A socket to wait for; after [`poll`], the item tells whether it is ready.
pub struct PollItem<'a> {
    waits: Option<(Handle<'a>, Interest)>,
    ready: bool,
}

impl<'a> PollItem<'a> {
    /// Creates an item that waits for `interest` on `handle`.
    pub fn new(handle: Handle<'a>, interest: Interest) -> PollItem<'a> {
        match interest {
            Interest::Read | Interest::Write => {
                PollItem { waits: Some((handle, interest)), ready: false }
            }
            // POLLHUP is always reported, even if the peer has closed only its half of the
            // connection, so a wait for a loss would end at once.
            Interest::Loss => PollItem::nothing(),
        }
    }

    /// Creates an item that waits for nothing and is never ready.
    pub fn nothing() -> PollItem<'a> {
        PollItem { waits: None, ready: false }
    }

    /// Returns whether the socket is ready, broken or at its end: the next call on it will not
    /// wait.
    pub fn ready(&self) -> bool {
        self.ready
    }
}

/// Waits until an item is ready or the time is over, and returns the number of ready items. `None`
/// waits without limit.
///
/// # Errors
/// Returns the system error.
pub fn poll(items: &mut [PollItem<'_>], timeout: Option<Duration>) -> io::Result<usize> {
    // Rounded up; otherwise the last millisecond would be a busy loop.
    let wait = timeout
        .map_or(-1, |t| c_int::try_from(t.as_nanos().div_ceil(1_000_000)).unwrap_or(c_int::MAX));
    let raw = |(handle, interest): &(Handle<'_>, Interest)| PollFd {
        socket: handle.as_raw_socket() as usize,
        events: if *interest == Interest::Read { POLLIN } else { POLLOUT },
        ready: 0,
    };
    let mut fds: Vec<PollFd> =
        items.iter().filter_map(|item| item.waits.as_ref().map(raw)).collect();
    // SAFETY: the pointer and the count are those of one array; every socket is borrowed for as
    // long as the items live.
    let count = check(unsafe { WSAPoll(fds.as_mut_ptr(), fds.len() as u32, wait) })?;
    let waiting = items.iter_mut().filter(|item| item.waits.is_some());
    waiting.zip(fds).for_each(|(item, fd)| item.ready = fd.ready != 0);
    Ok(count as usize)
}

/// One of two connected streams; only sockets can be polled on Windows.
pub(crate) type Pair = TcpStream;

/// Creates two streams that are connected with each other.
pub(crate) fn pair() -> io::Result<(Pair, Pair)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let near = TcpStream::connect(listener.local_addr()?)?;
    // Another program on this machine could have connected in between.
    loop {
        let (far, peer) = listener.accept()?;
        if peer == near.local_addr()? {
            near.set_nodelay(true)?;
            return Ok((near, far));
        }
    }
}

/// Sets the length of the accept queue.
///
/// # Errors
/// Returns the system error of a socket that does not listen.
pub fn listen_backlog(listener: &TcpListener, backlog: u32) -> io::Result<()> {
    let backlog = c_int::try_from(backlog).unwrap_or(c_int::MAX);
    // SAFETY: the socket is open; listening again only changes the backlog.
    check(unsafe { listen(listener.as_raw_socket() as usize, backlog) }).map(drop)
}

/// Returns `None`: Windows does not report the number of unacknowledged bytes.
pub fn unacknowledged(_socket: Handle<'_>) -> Option<usize> {
    None
}

/// Begins to connect from the address `local` to `to`, and returns at once. The stream is
/// nonblocking and becomes writable when the connection is established or has failed (see
/// `take_error`).
///
/// # Errors
/// Returns the system error if the attempt cannot begin.
pub fn connect_from(local: IpAddr, to: SocketAddr) -> io::Result<TcpStream> {
    let flags = WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT;
    // SAFETY: plain numbers and no protocol information in, a socket out.
    let socket = unsafe { WSASocketW(family(to), SOCK_STREAM, 0, std::ptr::null(), 0, flags) };
    if socket == usize::MAX {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the socket is new, open, and owned by nothing else.
    let stream = unsafe { TcpStream::from_raw_socket(socket as u64) };
    stream.set_nonblocking(true)?;
    let (address, length) = raw_address(SocketAddr::new(local, 0));
    // SAFETY: `address` holds a socket address of `length` bytes.
    check(unsafe { bind(socket, address.as_ptr().cast(), length.into()) })?;
    let (address, length) = raw_address(to);
    // SAFETY: as above.
    match check(unsafe { connect(socket, address.as_ptr().cast(), length.into()) }) {
        Err(error) if error.raw_os_error() != Some(WSAEWOULDBLOCK) => Err(error),
        _ => Ok(stream),
    }
}

/// Sets an option to a number.
pub(crate) fn set_option(
    socket: Handle<'_>,
    level: c_int,
    name: c_int,
    value: c_int,
) -> io::Result<()> {
    let size = size_of::<c_int>() as c_int;
    let socket = socket.as_raw_socket() as usize;
    // SAFETY: `value` is valid during the call and has the size that is given.
    check(unsafe { setsockopt(socket, level, name, (&raw const value).cast(), size) }).map(drop)
}

fn check(result: c_int) -> io::Result<c_int> {
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(result) }
}
