//! Socket options that std does not offer, and socket addresses in the form of the system. Only
//! some constants differ between systems.

use super::abi::{
    AF_INET, AF_INET6, IPPROTO_TCP, SO_KEEPALIVE, SO_OOBINLINE, SOL_SOCKET, TCP_KEEPCNT,
    TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_NODELAY,
};
use super::{Waitable, set_option};
use std::ffi::c_int;
use std::io;
use std::net::SocketAddr;
#[cfg(target_os = "linux")]
use std::net::{Ipv6Addr, SocketAddrV6};
#[cfg(not(target_os = "linux"))]
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

/// The number of keepalive probes, and the seconds between them, before [`keep_alive`] gives up a
/// peer. The defaults, on Linux nine probes with 75 seconds between them, take longer than a
/// session may be idle.
const PROBES: c_int = 4;
const PROBE_EVERY: c_int = 15;

/// Leaves TCP urgent data in the stream, where the Telnet Synch before an ABOR belongs (RFC 959
/// section 4.1.3). Without this option, the byte before the command would be missing.
///
/// # Errors
/// Returns the system error of a broken socket.
pub fn inline_urgent(socket: &impl Waitable) -> io::Result<()> {
    set_option(socket.handle(), SOL_SOCKET, SO_OOBINLINE, 1)
}

/// Enables keepalive probes for a peer that has been silent for `idle`. A peer that disappeared is
/// detected a minute later, after four unanswered probes. (Windows before 2017 uses its own
/// intervals.)
///
/// # Errors
/// Returns the system error of a broken socket.
pub fn keep_alive(socket: &impl Waitable, idle: Duration) -> io::Result<()> {
    set_option(socket.handle(), SOL_SOCKET, SO_KEEPALIVE, 1)?;
    let seconds = c_int::try_from(idle.as_secs().max(1)).unwrap_or(c_int::MAX);
    for (name, value) in
        [(TCP_KEEPIDLE, seconds), (TCP_KEEPINTVL, PROBE_EVERY), (TCP_KEEPCNT, PROBES)]
    {
        set_option(socket.handle(), IPPROTO_TCP, name, value)?;
    }
    Ok(())
}

/// Disables Nagle's algorithm (TCP_NODELAY). On Linux, connections that a listener accepts inherit
/// the option.
///
/// # Errors
/// Returns the system error of a broken socket.
pub fn no_delay(socket: &impl Waitable) -> io::Result<()> {
    set_option(socket.handle(), IPPROTO_TCP, TCP_NODELAY, 1)
}

/// Acknowledges the received data of a connection at once, and does not delay the next
/// acknowledgements for a while (TCP_QUICKACK). Does nothing except on Linux.
///
/// # Errors
/// Returns the system error of a broken socket.
pub fn acknowledge_now(socket: &impl Waitable) -> io::Result<()> {
    const TCP_QUICKACK: c_int = 12;
    if cfg!(target_os = "linux") {
        set_option(socket.handle(), IPPROTO_TCP, TCP_QUICKACK, 1)?;
    }
    Ok(())
}

/// Accepts a connection, which is nonblocking. With std that would take another system call on Linux.
///
/// # Errors
/// Returns the system error, such as `WouldBlock` if the listener is nonblocking and no connection is
/// waiting.
#[cfg(not(target_os = "linux"))]
pub fn accept(listener: &TcpListener) -> io::Result<(TcpStream, SocketAddr)> {
    let (stream, peer) = listener.accept()?;
    stream.set_nonblocking(true)?;
    Ok((stream, peer))
}

/// Returns the address family of an address.
pub(super) fn family(address: SocketAddr) -> c_int {
    if address.is_ipv4() { AF_INET } else { AF_INET6 }
}

/// Returns the `struct sockaddr_in` or `sockaddr_in6` of an address and its length, at most 28
/// bytes. Only the first two bytes differ between systems: length and family on macOS, the family
/// elsewhere.
pub(super) fn raw_address(address: SocketAddr) -> ([u8; 28], u8) {
    let mut raw = [0u8; 28];
    let length = if address.is_ipv4() { 16 } else { 28 };
    let family = family(address) as u8;
    if cfg!(target_os = "macos") {
        raw[..2].copy_from_slice(&[length, family]);
    } else {
        raw[..2].copy_from_slice(&u16::from(family).to_ne_bytes());
    }
    raw[2..4].copy_from_slice(&address.port().to_be_bytes());
    match address {
        SocketAddr::V4(v4) => raw[4..8].copy_from_slice(&v4.ip().octets()),
        SocketAddr::V6(v6) => {
            raw[4..8].copy_from_slice(&v6.flowinfo().to_ne_bytes());
            raw[8..24].copy_from_slice(&v6.ip().octets());
            raw[24..28].copy_from_slice(&v6.scope_id().to_ne_bytes());
        }
    }
    (raw, length)
}

/// Returns the address in a `struct sockaddr_in` or `sockaddr_in6`, or `None` if it is neither.
#[cfg(target_os = "linux")]
pub(super) fn address(raw: &[u8; 28]) -> Option<SocketAddr> {
    let [f0, f1, p0, p1, a0, a1, a2, a3, rest @ ..] = *raw;
    let port = u16::from_be_bytes([p0, p1]);
    match c_int::from(u16::from_ne_bytes([f0, f1])) {
        AF_INET => Some(SocketAddr::from(([a0, a1, a2, a3], port))),
        AF_INET6 => {
            let (ip, scope) = rest.split_first_chunk::<16>()?;
            let scope = u32::from_ne_bytes(*scope.first_chunk()?);
            let flow = u32::from_ne_bytes([a0, a1, a2, a3]);
            Some(SocketAddrV6::new(Ipv6Addr::from(*ip), port, flow, scope).into())
        }
        _ => None,
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_the_same_after_conversion() {
        let scoped = SocketAddrV6::new([0xfe80, 0, 0, 0, 1, 2, 3, 4].into(), 65535, 7, 9);
        for expected in
            ["192.0.2.1:21".parse().unwrap(), "[2001:db8::1]:1".parse().unwrap(), scoped.into()]
        {
            assert_eq!(address(&raw_address(expected).0), Some(expected));
        }
        assert_eq!(address(&[0; 28]), None);
    }
}
