//! Sockets with deadlines: every wait in both programs ends here.
//!
//! Sockets do not block; who would wait polls, for the socket and for what may end the wait. A
//! deadline that passes is [`io::ErrorKind::TimedOut`], whatever the system calls it.

use crate::shutdown::{Shutdown, Stage};
use crate::sys::{self, Handle, Interest, PollItem, Waitable, connect_from, poll};
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use std::{error, fmt};

/// How long a peer may leave a reply or a command of ours unread before it is given up.
const WRITE_PATIENCE: Duration = Duration::from_secs(30);

/// After how much silence the system asks a peer's machine whether it is still there.
const PROBE_AFTER: Duration = Duration::from_secs(120);

/// Waits until one of the items is ready.
///
/// # Errors
/// `TimedOut` once the deadline has passed.
pub fn wait(items: &mut [PollItem<'_>], deadline: Option<Instant>) -> io::Result<()> {
    loop {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        if poll(items, left)? > 0 {
            return Ok(());
        }
        if left == Some(Duration::ZERO) {
            return Err(io::ErrorKind::TimedOut.into());
        }
    }
}

/// After how much of a wait the memory is worth a system call or two.
const LONG_WAIT: Duration = Duration::from_secs(2);

/// [`wait`], giving back what this thread's stack holds unused once the wait is long.
fn wait_thriftily(items: &mut [PollItem<'_>], until: Option<Instant>) -> io::Result<()> {
    let at_first = sooner(until, deadline(LONG_WAIT));
    match wait(items, at_first) {
        Err(error) if error.kind() == io::ErrorKind::TimedOut && at_first != until => {
            sys::give_back_stack();
            wait(items, until)
        }
        other => other,
    }
}

/// The moment `patience` from now; `None`, which is never, where the clock cannot hold it.
pub fn deadline(patience: Duration) -> Option<Instant> {
    Instant::now().checked_add(patience)
}

/// A stream for a control connection: reads end at a deadline that its owner sets, and when the
/// program drains; writes end when the peer does not read for half a minute.
#[derive(Debug)]
pub struct Stream {
    tcp: TcpStream,
    deadline: Option<Instant>,
    waiting: bool,
    shutdown: Option<Shutdown>,
    thrifty: bool,
}

impl Stream {
    /// Takes a connected socket. `shutdown` ends reads with [`Draining`] inside the error.
    ///
    /// # Errors
    /// What the system says of a broken socket.
    pub fn new(tcp: TcpStream, shutdown: Option<Shutdown>) -> io::Result<Stream> {
        tcp.set_nonblocking(true)?;
        if !tcp.nodelay()? {
            prepare(&tcp)?;
        }
        Ok(Stream { tcp, deadline: None, waiting: true, shutdown, thrifty: false })
    }

    /// From when on reads fail with `TimedOut`; `None` is never.
    pub fn set_deadline(&mut self, deadline: Option<Instant>) {
        self.deadline = deadline;
    }

    /// Whether reads wait. If not, they fail with `WouldBlock` where nothing has arrived.
    pub fn set_waiting(&mut self, waiting: bool) {
        self.waiting = waiting;
    }

    /// Has the thread that waits here for long give back the memory it does not need meanwhile. Not
    /// for the main thread.
    pub fn be_thrifty(&mut self) {
        self.thrifty = true;
    }

    /// The socket.
    pub fn tcp(&self) -> &TcpStream {
        &self.tcp
    }
}

impl Waitable for Stream {
    fn handle(&self) -> Handle<'_> {
        Waitable::handle(&self.tcp)
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.waiting {
            let shutdown = self.shutdown.as_ref().map_or(PollItem::nothing(), Shutdown::draining);
            let mut items = [PollItem::new(self.handle(), Interest::Read), shutdown];
            // Also who never pauses meets the deadline.
            if self.deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                return Err(io::ErrorKind::TimedOut.into());
            }
            if self.thrifty {
                wait_thriftily(&mut items, self.deadline)?;
            } else {
                wait(&mut items, self.deadline)?;
            }
            if items[1].ready() {
                return Err(io::Error::other(Draining));
            }
            match self.tcp.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                other => return other,
            }
        }
        self.tcp.read(buffer)
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let patience = deadline(WRITE_PATIENCE);
        loop {
            match self.tcp.write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    wait(&mut [PollItem::new(self.handle(), Interest::Write)], patience)?;
                }
                other => return other,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Sets the options of a control connection on a listener, whose connections have them from the
/// beginning where the system hands them on: six system calls less for each.
///
/// # Errors
/// What the system says of a broken socket.
pub fn prepare_listener(listener: &TcpListener) -> io::Result<()> {
    if sys::CAN_INHERIT_OPTIONS { prepare(listener) } else { Ok(()) }
}

fn prepare(socket: &impl Waitable) -> io::Result<()> {
    // A system without one of these two serves all the same.
    // RFC 959 section 4.1.3: ABOR may come after a Telnet Synch, whose mark is urgent data.
    let _ = sys::inline_urgent(socket);
    // A peer that went away without a word would keep its place as long as it may be idle.
    let _ = sys::keep_alive(socket, PROBE_AFTER);
    // A command or reply is one write and wants to leave at once (44 ms without this). Last, since it
    // says that the others are set.
    sys::no_delay(socket)
}

/// Inside the `io::Error` of a read that ended because the program drains.
#[derive(Debug)]
pub struct Draining;

impl Draining {
    /// Whether this is why `error` came.
    pub fn caused(error: &io::Error) -> bool {
        error.get_ref().is_some_and(|inner| inner.is::<Draining>())
    }
}

impl fmt::Display for Draining {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the program is shutting down")
    }
}

impl error::Error for Draining {}

/// The listeners of a program, of which none must keep the others from being heard.
#[derive(Debug)]
pub struct Listeners {
    all: Vec<TcpListener>,
    /// Whose turn it is, so that a crowd at one door leaves the others open.
    turn: AtomicUsize,
}

impl Listeners {
    /// Takes listeners, which will not block.
    ///
    /// # Errors
    /// What the system says of a broken socket.
    pub fn new(all: Vec<TcpListener>) -> io::Result<Listeners> {
        all.iter().try_for_each(|listener| listener.set_nonblocking(true))?;
        Ok(Listeners { all, turn: AtomicUsize::new(0) })
    }

    /// Where they listen.
    ///
    /// # Errors
    /// What the system says of a broken socket.
    pub fn addresses(&self) -> io::Result<Vec<SocketAddr>> {
        self.all.iter().map(TcpListener::local_addr).collect()
    }

    /// A descriptor of one of them once more.
    ///
    /// # Errors
    /// None is free.
    pub fn try_clone(&self) -> io::Result<TcpListener> {
        self.all.first().ok_or(io::ErrorKind::NotFound)?.try_clone()
    }

    /// A connection that waits already.
    ///
    /// # Errors
    /// `WouldBlock` if there is none, or what the system says, `EMFILE` among it.
    pub fn accept_waiting(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let turn = self.turn.load(Ordering::Relaxed);
        for step in 0..self.all.len() {
            let next = turn.wrapping_add(step) % self.all.len();
            match self.all[next].accept() {
                // The client left before it was accepted: not an error of ours.
                Err(error) if is_passing(&error) => {}
                accepted => {
                    self.turn.store(next + 1, Ordering::Relaxed);
                    return accepted.map(|(stream, peer)| (stream, canonical(peer)));
                }
            }
        }
        Err(io::ErrorKind::WouldBlock.into())
    }

    /// Waits until somebody connects or the program drains.
    ///
    /// # Errors
    /// What the system says of the poll.
    pub fn wait(&self, shutdown: &Shutdown) -> io::Result<()> {
        let item = |listener| PollItem::new(Waitable::handle(listener), Interest::Read);
        let mut items: Vec<PollItem<'_>> = self.all.iter().map(item).collect();
        items.push(shutdown.draining());
        wait(&mut items, None)
    }
}

/// Waits for the next connection; `None` once the program drains.
///
/// What was already waiting is accepted without a poll, so that a burst costs one system call a
/// connection.
///
/// # Errors
/// What the system says, `EMFILE` among it; the listeners can be used again.
pub fn accept(
    listeners: &Listeners,
    shutdown: &Shutdown,
) -> io::Result<Option<(TcpStream, SocketAddr)>> {
    while shutdown.stage() == Stage::Running {
        match listeners.accept_waiting() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => listeners.wait(shutdown)?,
            accepted => return accepted.map(Some),
        }
    }
    Ok(None)
}

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

/// How long an address is tried before the next one is too.
const HEAD_START: Duration = Duration::from_millis(250);

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

/// The first of two moments; `None` is never.
pub fn sooner(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    [one, other].into_iter().flatten().min()
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

/// Who must be listened to while a data connection is waited for or moves.
///
/// The server's is the control connection (ABOR, STAT) and the shutdown; the client's is Ctrl-C.
pub trait Attention {
    /// What to wait for besides the data connection.
    fn items(&self) -> [PollItem<'_>; 2];

    /// Called when one of the items is ready, and now and then while data flows without a pause.
    /// `moved` is how many bytes have gone so far.
    fn attend(&mut self, moved: u64) -> Verdict;

    /// Called after each piece that moved, for progress; must be cheap.
    fn moved(&mut self, total: u64) {
        let _ = total;
    }

    /// How many bytes may move next, asked before each piece; must be cheap.
    ///
    /// # Errors
    /// None may before this moment.
    fn allowance(&mut self) -> Result<usize, Instant> {
        Ok(usize::MAX)
    }
}

/// What an [`Attention`] decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Go on.
    Continue,
    /// Break off.
    Stop,
}

/// How a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waited {
    /// The next call will not wait.
    Ready,
    /// The [`Attention`] said stop.
    Stopped,
    /// The deadline passed.
    TimedOut,
}

/// Waits for `handle`, listening to `attention` meanwhile.
///
/// # Errors
/// What the system says of the poll itself.
pub fn wait_with(
    handle: Handle<'_>,
    interest: Interest,
    deadline: Option<Instant>,
    moved: u64,
    attention: &mut impl Attention,
) -> io::Result<Waited> {
    attending(deadline, moved, attention, |[first, second]| {
        let mut items = [PollItem::new(handle, interest), first, second];
        wait(&mut items, deadline)?;
        let [own, others @ ..] = items;
        Ok([own.ready(), others.iter().any(PollItem::ready)])
    })
}

/// [`wait_with`] for any of several things.
///
/// # Errors
/// The same.
pub fn wait_for_any<'a>(
    wanted: impl Fn() -> Vec<PollItem<'a>>,
    deadline: Option<Instant>,
    moved: u64,
    attention: &mut impl Attention,
) -> io::Result<Waited> {
    attending(deadline, moved, attention, |called| {
        let mut items = wanted();
        let own = items.len();
        items.extend(called);
        wait(&mut items, deadline)?;
        Ok([&items[..own], &items[own..]].map(|some| some.iter().any(PollItem::ready)))
    })
}

/// Polls what is wanted and what the attention waits for, until something that is wanted is ready.
/// `poll` gives whether either is, or `TimedOut`.
fn attending<A: Attention>(
    deadline: Option<Instant>,
    moved: u64,
    attention: &mut A,
    poll: impl Fn([PollItem<'_>; 2]) -> io::Result<[bool; 2]>,
) -> io::Result<Waited> {
    loop {
        let [ready, called] = match poll(attention.items()) {
            Err(error) if error.kind() == io::ErrorKind::TimedOut => return Ok(Waited::TimedOut),
            other => other?,
        };
        if called && attention.attend(moved) == Verdict::Stop {
            return Ok(Waited::Stopped);
        }
        if ready {
            return Ok(Waited::Ready);
        }
        // Also who never stops to talk meets the deadline.
        if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            return Ok(Waited::TimedOut);
        }
    }
}

/// Waits for a connection from `peer`, listening to `attention` meanwhile; what comes from elsewhere
/// is dropped. The listener must not block; the stream does not either.
///
/// # Errors
/// What the system says; the listener can be used again.
pub fn accept_from(
    listener: &TcpListener,
    peer: IpAddr,
    deadline: Option<Instant>,
    attention: &mut impl Attention,
) -> io::Result<Result<TcpStream, Waited>> {
    loop {
        match listener.accept() {
            Ok((stream, from)) if from.ip().to_canonical() == peer => {
                stream.set_nonblocking(true)?;
                return Ok(Ok(stream));
            }
            // A crowd of strangers does not keep the deadline from being seen.
            Ok(_stranger) if deadline.is_some_and(|deadline| deadline <= Instant::now()) => {
                return Ok(Err(Waited::TimedOut));
            }
            Ok(_stranger) => {}
            Err(error) if is_passing(&error) => {}
            Err(error) => return Err(error),
        }
        // After a stranger too: the attention is asked between any two.
        let handle = Waitable::handle(listener);
        match wait_with(handle, Interest::Read, deadline, 0, attention)? {
            Waited::Ready => {}
            ended => return Ok(Err(ended)),
        }
    }
}

/// Whether nobody is there yet to be accepted, or somebody who was there has left.
pub fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::ConnectionAborted)
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

/// IPv4 in IPv6's clothes (`::ffff:127.0.0.1`, what a dual-stack listener sees) as IPv4.
pub fn canonical(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        IpAddr::V4(ip) => SocketAddr::new(IpAddr::V4(ip), address.port()),
        IpAddr::V6(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
