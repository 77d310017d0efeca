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
