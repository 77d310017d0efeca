//! The addresses of this machine.

use super::abi::{AF_INET, AF_INET6, IFF_LOOPBACK, IFF_UP};
use super::check;
use std::ffi::{c_char, c_int, c_uint, c_void};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ptr;

/// `struct ifaddrs`; the fields used here are the same on Linux and macOS.
#[repr(C)]
struct ifaddrs {
    next: *mut ifaddrs,
    _name: *mut c_char,
    flags: c_uint,
    address: *const u8,
    _netmask: *mut c_void,
    _destination: *mut c_void,
    _data: *mut c_void,
}

unsafe extern "C" {
    fn getifaddrs(list: *mut *mut ifaddrs) -> c_int;
    fn freeifaddrs(list: *mut ifaddrs);
}

/// Returns the IP addresses of all interfaces that are up, except the loopback interface.
///
/// # Errors
/// Returns the system error.
pub fn own_addresses() -> io::Result<Vec<IpAddr>> {
    let mut list: *mut ifaddrs = ptr::null_mut();
    // SAFETY: `list` is writable for one pointer.
    check(unsafe { getifaddrs(&raw mut list) })?;
    let mut found = Vec::new();
    let mut at = list;
    // SAFETY: each node of the list lives until it is freed below, and its `next` is a node or null.
    while let Some(node) = unsafe { at.as_ref() } {
        let usable = node.flags & IFF_UP != 0 && node.flags & IFF_LOOPBACK == 0;
        if usable && !node.address.is_null() {
            // SAFETY: the address of a node is a complete socket address of its family.
            found.extend(unsafe { ip_of(node.address) });
        }
        at = node.next;
    }
    // SAFETY: the list came from getifaddrs, and no reference into it is left.
    unsafe { freeifaddrs(list) };
    Ok(found)
}

/// Returns the IP address in a socket address; `None` for other families than IPv4 and IPv6.
///
/// # Safety
/// `address` must point to a complete `struct sockaddr` of its family.
unsafe fn ip_of(address: *const u8) -> Option<IpAddr> {
    // SAFETY: the structure begins with a family of two bytes (on macOS: a length and a family of one
    // byte each) and a port of two bytes. The address has 4 bytes at offset 4 (IPv4) or 16 at offset 8
    // (IPv6). All of this is inside a complete sockaddr of that family.
    unsafe {
        let family = match cfg!(target_os = "macos") {
            true => c_int::from(*address.add(1)),
            false => c_int::from(address.cast::<u16>().read_unaligned()),
        };
        match family {
            AF_INET => Some(Ipv4Addr::from(address.add(4).cast::<[u8; 4]>().read()).into()),
            AF_INET6 => Some(Ipv6Addr::from(address.add(8).cast::<[u8; 16]>().read()).into()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_addresses_are_not_loopback_and_can_be_bound() {
        for ip in own_addresses().unwrap() {
            assert!(!ip.is_loopback(), "{ip}");
            let is_link_local = matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local());
            // A link-local address needs its interface, and binding one fails during duplicate address
            // detection.
            assert!(is_link_local || std::net::UdpSocket::bind((ip, 0)).is_ok(), "{ip}");
        }
    }
}
