//! Opening connections: to a host by name, or to one address while other events are polled.

use super::wait::{TransferHooks, Waited, deadline, sooner, wait, wait_with};
use crate::sys::{Interest, PollItem, Waitable, connect_from};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

/// The delay after which the next address is tried in parallel.
const HEAD_START: Duration = Duration::from_millis(250);

/// Connects to the first address of `host` that answers. The addresses are tried in the system's order, but IPv6 and
/// IPv4 alternate, and each attempt starts shortly after the previous one (RFC 8305). So a network that drops one of
/// the protocols costs a fraction of a second, not the whole timeout.
///
/// # Errors
/// The error of the name resolution, or that of the first address that failed.
pub fn connect(host: &str, port: u16, timeout: Duration) -> io::Result<TcpStream> {
    let addresses = interleaved((host, port).to_socket_addrs()?.collect());
    if let [address] = addresses[..] {
        return TcpStream::connect_timeout(&address, timeout);
    }
    let until = deadline(timeout);
    let mut failed = None;
    let mut waiting = addresses.into_iter();
    let mut trying: Vec<TcpStream> = Vec::new();
    loop {
        match waiting.next().map(|address| connect_from(unspecified_address(address), address)) {
            Some(Ok(stream)) => trying.push(stream),
            Some(Err(error)) => drop(failed.get_or_insert(error)),
            None if trying.is_empty() => {
                let nothing = || io::Error::new(io::ErrorKind::NotFound, "the name has no address");
                return Err(failed.unwrap_or_else(nothing));
            }
            None => {}
        }
        let next = if waiting.len() == 0 { until } else { sooner(until, deadline(HEAD_START)) };
        if let Some(stream) = first_connected(&mut trying, next, until, &mut failed)? {
            stream.set_nonblocking(false)?;
            return Ok(stream);
        }
    }
}

/// Returns the first connection that is established before `next`, if any. Failed ones are removed.
fn first_connected(
    trying: &mut Vec<TcpStream>,
    next: Option<Instant>,
    until: Option<Instant>,
    failed: &mut Option<io::Error>,
) -> io::Result<Option<TcpStream>> {
    let item = |stream| PollItem::new(Waitable::handle(stream), Interest::Write);
    let mut items: Vec<PollItem<'_>> = trying.iter().map(item).collect();
    if items.is_empty() {
        return Ok(None);
    }
    match wait(&mut items, next) {
        Err(error) if error.kind() != io::ErrorKind::TimedOut => return Err(error),
        Err(error) if until.is_some_and(|until| until <= Instant::now()) => return Err(error),
        _ => {}
    }
    let ready: Vec<bool> = items.iter().map(PollItem::ready).collect();
    for at in (0..ready.len()).rev().filter(|at| ready[*at]) {
        let stream = trying.remove(at);
        match stream.take_error()? {
            None => return Ok(Some(stream)),
            Some(error) => drop(failed.get_or_insert(error)),
        }
    }
    Ok(None)
}

fn unspecified_address(address: SocketAddr) -> IpAddr {
    match address {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    }
}

/// Reorders the addresses so that IPv6 and IPv4 alternate.
fn interleaved(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let first_is_ipv6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) =
        addresses.into_iter().partition(|address| address.is_ipv6() == first_is_ipv6);
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let mut all = Vec::new();
    loop {
        let (one, other) = (first.next(), second.next());
        if one.is_none() && other.is_none() {
            return all;
        }
        all.extend(one.into_iter().chain(other));
    }
}

/// Connects to `to` from the address `local`, which is the one that the peer expects, calling `hooks` while it waits. An
/// inner `Err` is a wait that ended without a connection.
///
/// # Errors
/// The system's error, such as a refused connection.
pub fn dial(
    local: IpAddr,
    to: SocketAddr,
    deadline: Option<Instant>,
    hooks: &mut impl TransferHooks,
) -> io::Result<Result<TcpStream, Waited>> {
    let stream = connect_from(local, to)?;
    match wait_with(Waitable::handle(&stream), Interest::Write, deadline, 0, hooks)? {
        Waited::Ready => stream.take_error()?.map_or(Ok(Ok(stream)), Err),
        ended => Ok(Err(ended)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn ipv6_and_ipv4_alternate() {
        let [a, b, c]: [SocketAddr; 3] =
            ["[::1]:1", "[::2]:1", "127.0.0.1:1"].map(|text| text.parse().unwrap());
        assert_eq!(interleaved(vec![a, b, c]), [a, c, b]);
        assert_eq!(interleaved(vec![c, a, b]), [c, a, b]);
        assert_eq!(interleaved(vec![]), []);
    }

    #[test]
    fn the_first_address_that_answers_is_used() {
        // localhost may have several addresses, and only one of them has a listener here.
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let stream = connect("localhost", port, Duration::from_secs(10)).unwrap();
        assert_eq!(stream.peer_addr().unwrap().port(), port);
    }
}
