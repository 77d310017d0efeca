//! Ctrl-C and the other signals.
//!
//! A separate thread waits for signals. The first Ctrl-C during a transfer sets the event that the transfer
//! polls, and the session continues. If the user waits at a prompt for a server that does not answer, Ctrl-C
//! only closes the connection. Any other signal ends the program from the signal thread, because the other
//! threads may be waiting for input, a name server or a disk. Before that, partial files are kept or
//! removed, with a message how to continue them, and the settings of the terminal are restored; so both are
//! registered here.

use super::error::Error;
use super::output;
use crate::net;
use crate::sys::{EchoOff, Event, Interest, PollItem, RawMode, Signal, Signals, Waker};
use std::collections::BTreeMap;
use std::io;
use std::mem;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Turns bracketed paste off.
pub(super) const BRACKETED_PASTE_OFF: &str = "\x1b[?2004l";

/// Cleans up an unfinished file when a signal ends the program, and returns a message for the user.
pub(super) type Cleanup = Box<dyn FnOnce() -> Option<String> + Send>;

/// The ID of a registered unfinished file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Registration(u64);

/// The state that signals act on, shared by all parts of the client. Without [`Interrupt::watch`] no signal
/// is handled.
#[derive(Clone, Default)]
pub struct Interrupt {
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    /// The number of running transfers, including interrupted ones.
    transfers: usize,
    /// The event that all transfers poll. It is reused, because creating an event for each small file would
    /// cost a tenth of the client's system time.
    event: Option<Arc<Event>>,
    /// Ctrl-C has interrupted the transfers. Transfers that begin before all have ended are interrupted,
    /// too, because they may be parts of an interrupted operation.
    is_stopped: bool,
    /// New transfers are interrupted at once.
    is_canceled: bool,
    /// The control connection that Ctrl-C closes, while the user waits at a prompt for the server.
    line: Option<TcpStream>,
    /// Ctrl-C has closed the connection.
    is_cut: bool,
    /// The cleanup of each unfinished file.
    unfinished: BTreeMap<Registration, Cleanup>,
    /// The number of registrations so far.
    registered: u64,
    /// The terminal without echo, while a password is typed.
    echo: Option<EchoOff>,
    /// The terminal in raw mode, and the waker of the editor, while a line is edited.
    raw: Option<(RawMode, Arc<Waker>)>,
    /// The use of the terminal by another program, which then handles Ctrl-C.
    lent: TerminalUse,
}

impl Interrupt {
    /// Waits for signals in a separate thread. `leave` ends the program; it is called with the lock held, so
    /// that no other thread can create an unfinished file in the meantime.
    ///
    /// # Errors
    /// The system cannot create a thread.
    pub fn watch(
        &self,
        signals: Signals,
        leave: impl Fn(Signal) + Send + 'static,
    ) -> io::Result<()> {
        let interrupt = self.clone();
        let watcher = thread::Builder::new().name("signals".into());
        let watch = move || {
            while let Ok(signal) = signals.wait() {
                interrupt.arrived(signal, &leave);
            }
        };
        watcher.spawn(watch).map(drop)
    }

    pub(super) fn arrived(&self, signal: Signal, leave: impl Fn(Signal)) {
        let mut shared = self.lock();
        match signal {
            Signal::Resize => return shared.redraw(),
            Signal::Continue => {
                shared.raw.iter().for_each(|(raw, _)| raw.renew());
                return shared.redraw();
            }
            Signal::Interrupt if shared.lent.is_on() => return,
            // In raw mode Ctrl-C is a key, so this signal was meant for a command that has just ended.
            Signal::Interrupt if shared.raw.is_some() => return,
            Signal::Interrupt => {
                if shared.transfers > 0 && !shared.is_stopped {
                    return shared.stop_transfers();
                }
                // A second Ctrl-C finds no connection and ends the program.
                let typing = shared.echo.is_some();
                if let Some(line) = shared.line.take_if(|_| !typing) {
                    shared.is_cut = true;
                    return drop(line.shutdown(Shutdown::Both));
                }
            }
            Signal::Terminate | Signal::Hangup => {}
        }
        shared.tidy();
        leave(signal);
    }

    /// Lets Ctrl-C interrupt a transfer instead of ending the program, while the guard exists.
    pub(super) fn begin(&self) -> io::Result<Armed> {
        let mut shared = self.lock();
        let event = match &shared.event {
            Some(event) => Arc::clone(event),
            None => Arc::clone(shared.event.insert(Arc::new(Event::new()?))),
        };
        shared.transfers += 1;
        if shared.is_canceled {
            event.set();
        }
        drop(shared);
        Ok(Armed { interrupt: self.clone(), event })
    }

    /// Interrupts all running and future transfers.
    pub(super) fn cancel(&self) {
        let mut shared = self.lock();
        shared.is_canceled = true;
        shared.stop_transfers();
    }

    /// Creates an unfinished file and registers its cleanup, until [`Interrupt::forget`].
    pub(super) fn create<T>(
        &self,
        make: impl FnOnce() -> io::Result<(T, Cleanup)>,
    ) -> io::Result<(T, Registration)> {
        // The lock is held during this, so that no signal ends the program between the two.
        let mut shared = self.lock();
        let (made, cleanup) = make()?;
        shared.registered += 1;
        let registration = Registration(shared.registered);
        shared.unfinished.insert(registration, cleanup);
        Ok((made, registration))
    }

    /// Removes a registration, because the file was renamed, removed or kept.
    pub(super) fn forget(&self, registration: Registration) {
        self.lock().unfinished.remove(&registration);
    }

    /// Turns off the terminal's echo while the guard exists.
    pub(super) fn hide_typing(&self) -> io::Result<Hidden<'_>> {
        let echo = EchoOff::new()?;
        self.lock().echo = Some(echo);
        Ok(Hidden { interrupt: self })
    }

    /// Puts the terminal in raw mode, while the guard exists. `waker` is woken when the line must be drawn
    /// again: after a change of the size, and when the program continues after a stop.
    pub(super) fn edit(&self, waker: &Arc<Waker>) -> io::Result<Editing<'_>> {
        let raw = RawMode::new()?;
        self.lock().raw = Some((raw, Arc::clone(waker)));
        Ok(Editing { interrupt: self })
    }

    /// Lets Ctrl-C close this connection instead of ending the program, while the guard exists and no
    /// transfer is running.
    pub(super) fn hold(&self, line: Option<TcpStream>) -> Held<'_> {
        let mut shared = self.lock();
        shared.is_cut = false;
        shared.line = line;
        Held { interrupt: self }
    }

    /// Returns true if Ctrl-C has closed the connection of [`Interrupt::hold`].
    pub(super) fn has_cut(&self) -> bool {
        self.lock().is_cut
    }

    /// Replaces the connection that Ctrl-C closes, if it is the one with the local address `old`.
    pub(super) fn replace_connection(&self, old: SocketAddr, new: TcpStream) {
        let comes_from = |line: &TcpStream| line.local_addr().is_ok_and(|address| address == old);
        let mut shared = self.lock();
        if shared.line.as_ref().is_some_and(comes_from) {
            shared.line = Some(new);
        }
    }

    /// Lets the client ignore Ctrl-C, while the guard exists, because another program uses the terminal.
    pub(super) fn lend(&self) -> TerminalLent<'_> {
        self.lock().lent = TerminalUse::Now;
        TerminalLent { interrupt: self }
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The use of the terminal by a program that the client has started.
#[derive(Clone, Copy, Default)]
enum TerminalUse {
    #[default]
    No,
    Now,
    /// The program has ended, but the Ctrl-C that ended it may still arrive.
    Until(Instant),
}

/// The time after the end of a program in which its Ctrl-C may still arrive. A user cannot press Ctrl-C
/// again this soon.
const GRACE: Duration = Duration::from_millis(200);

impl TerminalUse {
    fn is_on(self) -> bool {
        match self {
            TerminalUse::No => false,
            TerminalUse::Now => true,
            TerminalUse::Until(end) => Instant::now() < end,
        }
    }
}

impl Shared {
    fn tidy(&mut self) {
        let unfinished = mem::take(&mut self.unfinished).into_values();
        let told: String = unfinished.filter_map(|tidy| Some(tidy()? + "\n")).collect();
        self.echo = None;
        if self.raw.take().is_some() {
            output::print_at_exit(BRACKETED_PASTE_OFF.to_owned());
        }
        output::end_line();
        if !told.is_empty() {
            output::print_at_exit(told);
        }
    }

    fn stop_transfers(&mut self) {
        self.is_stopped = self.transfers > 0;
        self.event.iter().for_each(|event| event.set());
    }

    fn redraw(&self) {
        self.raw.iter().for_each(|(_, waker)| waker.wake());
    }
}

/// A guard while which Ctrl-C interrupts a transfer.
pub(super) struct Armed {
    interrupt: Interrupt,
    event: Arc<Event>,
}

impl Armed {
    /// Waits for this long. Fails if Ctrl-C is pressed.
    pub(super) fn pause(&self, length: Duration) -> Result<(), Error> {
        match net::wait(&mut [self.item()], net::deadline(length)) {
            Ok(()) => Err(Error::Interrupted),
            Err(error) if error.kind() == io::ErrorKind::TimedOut => Ok(()),
            Err(error) => Err(Error::Local(error)),
        }
    }

    /// Returns whether Ctrl-C was pressed.
    pub(super) fn came(&self) -> bool {
        self.pause(Duration::ZERO).is_err()
    }

    /// Returns a poll item that is ready once Ctrl-C was pressed.
    pub(super) fn item(&self) -> PollItem<'_> {
        PollItem::new(self.event.handle(), Interest::Read)
    }
}

impl Drop for Armed {
    fn drop(&mut self) {
        let mut shared = self.interrupt.lock();
        shared.transfers = shared.transfers.saturating_sub(1);
        if shared.transfers == 0 && mem::take(&mut shared.is_stopped) {
            // Transfers that begin next are not interrupted.
            shared.event = None;
        }
    }
}

/// A guard while which typed characters are not echoed.
pub(super) struct Hidden<'a> {
    interrupt: &'a Interrupt,
}

impl Drop for Hidden<'_> {
    fn drop(&mut self) {
        self.interrupt.lock().echo = None;
    }
}

/// A guard while which Ctrl-C closes a connection.
pub(super) struct Held<'a> {
    interrupt: &'a Interrupt,
}

impl Held<'_> {
    /// Returns whether Ctrl-C has closed the connection.
    pub(super) fn was_cut(&self) -> bool {
        self.interrupt.has_cut()
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let mut shared = self.interrupt.lock();
        shared.is_cut = false;
        shared.line = None;
    }
}

/// A guard while which the terminal is in raw mode.
pub(super) struct Editing<'a> {
    interrupt: &'a Interrupt,
}

impl Drop for Editing<'_> {
    fn drop(&mut self) {
        self.interrupt.lock().raw = None;
    }
}

/// A guard while which the client ignores Ctrl-C.
pub(super) struct TerminalLent<'a> {
    interrupt: &'a Interrupt,
}

impl Drop for TerminalLent<'_> {
    fn drop(&mut self) {
        self.interrupt.lock().lent = TerminalUse::Until(Instant::now() + GRACE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::poll;
    use std::cell::Cell;
    use std::io::Read;
    use std::net::TcpListener;
    use std::sync::mpsc::channel;

    fn is_ready(armed: &Armed) -> bool {
        poll(&mut [armed.item()], Some(Duration::ZERO)).unwrap() == 1
    }

    #[test]
    fn the_first_ctrl_c_interrupts_the_transfer_and_the_second_ends_the_program() {
        let interrupt = Interrupt::default();
        let armed = interrupt.begin().unwrap();
        assert!(!is_ready(&armed));
        interrupt.arrived(Signal::Interrupt, |_| panic!("it should continue"));
        assert!(is_ready(&armed));
        let left = Cell::new(None);
        interrupt.arrived(Signal::Interrupt, |signal| left.set(Some(signal)));
        assert_eq!(left.get(), Some(Signal::Interrupt));
    }

    #[test]
    fn ctrl_c_closes_a_connection_instead_of_ending_the_program() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let line = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let interrupt = Interrupt::default();
        let held = interrupt.hold(line.try_clone().ok());
        assert!(!held.was_cut());
        interrupt.arrived(Signal::Interrupt, |_| panic!("it should continue"));
        assert!(held.was_cut());
        assert_eq!((&line).read(&mut [0]).unwrap(), 0);
        let left = Cell::new(false);
        interrupt.arrived(Signal::Interrupt, |_| left.set(true));
        assert!(left.get());
    }

    #[test]
    fn ctrl_c_closes_the_connection_that_replaced_the_first() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let [old, other, new] = [(); 3].map(|()| TcpStream::connect(address).unwrap());
        let interrupt = Interrupt::default();
        let held = interrupt.hold(old.try_clone().ok());
        interrupt.replace_connection(old.local_addr().unwrap(), new.try_clone().unwrap());
        interrupt.replace_connection(old.local_addr().unwrap(), other);
        interrupt.arrived(Signal::Interrupt, |_| panic!("it should continue"));
        assert!(held.was_cut());
        assert_eq!((&new).read(&mut [0]).unwrap(), 0);
    }

    #[test]
    fn ctrl_c_is_ignored_while_another_program_uses_the_terminal() {
        let interrupt = Interrupt::default();
        let lent = interrupt.lend();
        interrupt.arrived(Signal::Interrupt, |_| panic!("it should continue"));
        drop(lent);
        interrupt.arrived(Signal::Interrupt, |_| panic!("it was meant for the program"));
        interrupt.lock().lent = TerminalUse::Until(Instant::now());
        let left = Cell::new(false);
        interrupt.arrived(Signal::Interrupt, |_| left.set(true));
        assert!(left.get());
    }

    #[test]
    fn a_transfer_that_begins_in_an_interrupted_operation_is_interrupted() {
        let interrupt = Interrupt::default();
        let outer = interrupt.begin().unwrap();
        interrupt.arrived(Signal::Interrupt, |_| panic!("it should continue"));
        let inner = interrupt.begin().unwrap();
        assert!(is_ready(&outer) && is_ready(&inner));
        let left = Cell::new(false);
        interrupt.arrived(Signal::Interrupt, |_| left.set(true));
        assert!(left.get());
        drop((outer, inner));
        assert!(!is_ready(&interrupt.begin().unwrap()));
    }

    #[test]
    fn after_a_transfer_ctrl_c_ends_the_program() {
        let interrupt = Interrupt::default();
        drop(interrupt.begin().unwrap());
        let left = Cell::new(false);
        interrupt.arrived(Signal::Interrupt, |_| left.set(true));
        assert!(left.get());
    }

    #[test]
    fn a_signal_cleans_only_unfinished_files_up() {
        let interrupt = Interrupt::default();
        let (sender, tidied) = channel();
        let register = |name: &'static str| {
            let sender = sender.clone();
            let tidying: Cleanup = Box::new(move || sender.send(name).err().map(|_| String::new()));
            interrupt.create(|| Ok(((), tidying))).unwrap().1
        };
        let [_partial, whole] = ["partial", "whole"].map(register);
        interrupt.forget(whole);
        let _armed = interrupt.begin().unwrap();
        interrupt.arrived(Signal::Terminate, |_| ());
        interrupt.arrived(Signal::Terminate, |_| ());
        drop((interrupt, sender));
        assert!(tidied.iter().eq(["partial"]));
    }
}
