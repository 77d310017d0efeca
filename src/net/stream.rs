//! [`Stream`]: a control connection whose reads and writes end.

use super::data::Data;
use super::wait::{deadline, sooner, wait};
use crate::shutdown::Shutdown;
use crate::sys::{self, Handle, Interest, PollItem, Waitable};
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};
use std::{error, fmt};

/// How long a peer may leave a reply or a command of ours unread before it is given up.
const WRITE_PATIENCE: Duration = Duration::from_secs(30);

/// After how much silence the system asks a peer's machine whether it is still there.
const PROBE_AFTER: Duration = Duration::from_secs(120);

/// After how much of a wait the memory is worth a system call or two.
const LONG_WAIT: Duration = Duration::from_secs(2);

/// A stream for a control connection: reads end at a deadline that its owner sets, and when the
/// program drains; writes end when the peer does not read for half a minute.
#[derive(Debug)]
pub struct Stream {
    transport: Data,
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
        let transport = Data::Plain(tcp);
        Ok(Stream { transport, deadline: None, waiting: true, shutdown, thrifty: false })
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
        self.transport.tcp()
    }
}

impl Waitable for Stream {
    fn handle(&self) -> Handle<'_> {
        self.transport.handle()
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
            match self.transport.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                other => return other,
            }
        }
        self.transport.read(buffer)
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let patience = deadline(WRITE_PATIENCE);
        loop {
            match self.transport.write(bytes) {
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
