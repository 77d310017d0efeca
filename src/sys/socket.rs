//! Options of sockets that std has no name for, and addresses as the system has them: the same on
//! every system but for some numbers.

use super::abi::{
    AF_INET, AF_INET6, IPPROTO_TCP, SO_KEEPALIVE, SO_OOBINLINE, SOL_SOCKET, TCP_KEEPCNT,
    TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_NODELAY,
};
use super::{Waitable, set_option};
use std::ffi::c_int;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

/// How often, and with how many seconds in between, [`keep_alive`] asks before a peer is given up.
/// What systems do by themselves, Linux nine times with 75 seconds in between, takes longer than a
/// session may be idle.
const PROBES: c_int = 4;
const PROBE_EVERY: c_int = 15;

/// Leaves TCP urgent data in the stream, where the Telnet Synch before an ABOR belongs
/// (RFC 959 section 4.1.3). Without it the byte before the command is missing.
///
/// # Errors
/// What the system says of a broken socket.
pub fn inline_urgent(socket: &impl Waitable) -> io::Result<()> {
    set_option(socket.handle(), SOL_SOCKET, SO_OOBINLINE, 1)
}

/// Lets the system probe a peer that has been silent for `idle`, so that one that went away
/// without a word is noticed: a minute later, when it has not answered four probes. (Windows before
/// 2017 keeps its own times.)
///
/// # Errors
/// What the system says of a broken socket.
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

/// Sends what is written at once; on Linux also from the connections that a listener accepts.
///
/// # Errors
/// What the system says of a broken socket.
pub fn no_delay(socket: &impl Waitable) -> io::Result<()> {
    set_option(socket.handle(), IPPROTO_TCP, TCP_NODELAY, 1)
}

/// The address family of an address.
pub(super) fn family(address: SocketAddr) -> c_int {
    if address.is_ipv4() { AF_INET } else { AF_INET6 }
}

/// `struct sockaddr_in` or `sockaddr_in6` and its length: 28 bytes at most, the same fields on every
/// system but for the first two bytes, which are length and family on macOS, the family elsewhere.
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
