//! Connections that this side begins: to a host by name, or to one address while something else is
//! waited for.

use super::wait::{Attention, Waited, deadline, sooner, wait, wait_with};
use crate::sys::{Interest, PollItem, Waitable, connect_from};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

/// How long an address is tried before the next one is too.
const HEAD_START: Duration = Duration::from_millis(250);

/// Connects to the first address of `host` that answers. The addresses are tried in the system's
/// order, but one of each protocol after the other, each with a short head start before the next
/// (RFC 8305), so that a network that loses one protocol costs a moment and not the whole time.
///
/// # Errors
/// `NotFound`-like errors of name resolution, or that of the first address that failed.
pub fn connect(host: &str, port: u16, patience: Duration) -> io::Result<TcpStream> {
    let addresses = alternated((host, port).to_socket_addrs()?.collect());
    if let [address] = addresses[..] {
        return TcpStream::connect_timeout(&address, patience);
    }
    let until = deadline(patience);
    let mut failed = None;
    let mut waiting = addresses.into_iter();
    let mut trying: Vec<TcpStream> = Vec::new();
    loop {
        match waiting.next().map(|address| connect_from(any_of(address), address)) {
            Some(Ok(stream)) => trying.push(stream),
            Some(Err(error)) => drop(failed.get_or_insert(error)),
            None if trying.is_empty() => {
                let nothing = || io::Error::new(io::ErrorKind::NotFound, "the name has no address");
                return Err(failed.unwrap_or_else(nothing));
            }
            None => {}
        }
        let next = if waiting.len() == 0 { until } else { sooner(until, deadline(HEAD_START)) };
        if let Some(stream) = first_made(&mut trying, next, until, &mut failed)? {
            stream.set_nonblocking(false)?;
            return Ok(stream);
        }
    }
}

/// The one of these connections that is made first, if one is by then; what fails is left out.
fn first_made(
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

fn any_of(address: SocketAddr) -> IpAddr {
    match address {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    }
}

/// The same addresses, the protocols taking turns.
fn alternated(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
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

/// Connects to `to` from the address `local`, by which the peer knows us, listening to `attention`
/// meanwhile. `Err` in the inner result is a wait that ended without a connection.
///
/// # Errors
/// What the system says: refused, unreachable.
pub fn dial(
    local: IpAddr,
    to: SocketAddr,
    deadline: Option<Instant>,
    attention: &mut impl Attention,
) -> io::Result<Result<TcpStream, Waited>> {
    let stream = connect_from(local, to)?;
    match wait_with(Waitable::handle(&stream), Interest::Write, deadline, 0, attention)? {
        Waited::Ready => stream.take_error()?.map_or(Ok(Ok(stream)), Err),
        ended => Ok(Err(ended)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn protocols_take_turns() {
        let [a, b, c]: [SocketAddr; 3] =
            ["[::1]:1", "[::2]:1", "127.0.0.1:1"].map(|text| text.parse().unwrap());
        assert_eq!(alternated(vec![a, b, c]), [a, c, b]);
        assert_eq!(alternated(vec![c, a, b]), [c, a, b]);
        assert_eq!(alternated(vec![]), []);
    }

    #[test]
    fn of_several_addresses_the_one_that_answers_is_taken() {
        // Whatever this name leads to, it is here; one of its addresses may have no listener.
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let stream = connect("localhost", port, Duration::from_secs(10)).unwrap();
        assert_eq!(stream.peer_addr().unwrap().port(), port);
    }
}
