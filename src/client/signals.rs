//! Ctrl-C and the other signals: what they break off, and what must be tidied before the end.
//!
//! A thread of its own waits for signals. The first Ctrl-C during a transfer sets the event that
//! the transfer listens to, and the session goes on; who waits at a prompt for a server that does not
//! answer loses the connection alone. Any other signal ends the program from that
//! thread, since the others may be waiting for a line, a name server or a disk: what has come of
//! files is kept or removed, the user is told how to continue it, and the terminal is made what it was,
//! which is why both are registered here.

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

/// A terminal that marks what is pasted is asked to do so no longer.
pub(super) const NO_MARKS: &str = "\x1b[?2004l";

/// Does what is to be done with an unfinished file at the end of the program; returns what the user is
/// told of it.
pub(super) type Cleanup = Box<dyn FnOnce() -> Option<String> + Send>;

/// An unfinished file that a signal would find.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Registration(u64);

/// What a signal would break off and tidy, shared by all who have something to say about it.
/// One that nobody [watches](Interrupt::watch) for never interrupts anything.
#[derive(Clone, Default)]
pub struct Interrupt {
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    /// How many transfers are going on, those among them that Ctrl-C has broken off.
    transfers: usize,
    /// What all of them wait for, kept for the next: small files would spend a tenth of the client's
    /// system time on events of their own.
    event: Option<Arc<Event>>,
    /// Whether Ctrl-C has broken them off. What begins before they have ended is broken off too: a part
    /// of something that was broken off must not go on without it.
    is_stopped: bool,
    /// Whether whatever begins is broken off at once.
    is_cancelled: bool,
    /// The control connection, while somebody at a prompt waits for an answer from it.
    line: Option<TcpStream>,
    /// Whether Ctrl-C has cut it.
    is_cut: bool,
    /// The work that is left to do with each file that is not whole yet.
    unfinished: BTreeMap<Registration, Cleanup>,
    /// The number of such files so far.
    registered: u64,
    /// While a password is typed.
    echo: Option<EchoOff>,
    /// While a line is edited: the terminal, and what wakes the editor.
    raw: Option<(RawMode, Arc<Waker>)>,
    /// While a program that we started has the terminal, whose Ctrl-C is its own affair.
    lent: Lending,
}

impl Interrupt {
    /// Waits for signals in a thread of its own. `leave` ends the program; until it does so,
    /// no other thread can make a file that would be left behind.
    ///
    /// # Errors
    /// The system has no room for another thread.
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
            // Ctrl-C is a key now; this one was meant for a command that has just ended.
            Signal::Interrupt if shared.raw.is_some() => return,
            Signal::Interrupt => {
                if shared.transfers > 0 && !shared.is_stopped {
                    return shared.stop_transfers();
                }
                // Nobody hears a second time of a line that is cut already.
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

    /// From now on, and for as long as the guard lives, Ctrl-C breaks off a transfer and not the
    /// program.
    pub(super) fn begin(&self) -> io::Result<Armed> {
        let mut shared = self.lock();
        let event = match &shared.event {
            Some(event) => Arc::clone(event),
            None => Arc::clone(shared.event.insert(Arc::new(Event::new()?))),
        };
        shared.transfers += 1;
        if shared.is_cancelled {
            event.set();
        }
        drop(shared);
        Ok(Armed { interrupt: self.clone(), event })
    }

    /// Breaks off what goes on, and what begins later.
    pub(super) fn cancel(&self) {
        let mut shared = self.lock();
        shared.is_cancelled = true;
        shared.stop_transfers();
    }

    /// Makes a file with what is done with it if the program ends before [`Interrupt::forget`].
    pub(super) fn create<T>(
        &self,
        make: impl FnOnce() -> io::Result<(T, Cleanup)>,
    ) -> io::Result<(T, Registration)> {
        // With the lock held, so that no signal finds a file that nobody knows of.
        let mut shared = self.lock();
        let (made, tidying) = make()?;
        shared.registered += 1;
        let registration = Registration(shared.registered);
        shared.unfinished.insert(registration, tidying);
        Ok((made, registration))
    }

    /// Forgets a file that was renamed, removed or left where it is.
    pub(super) fn forget(&self, registration: Registration) {
        self.lock().unfinished.remove(&registration);
    }

    /// Hides what is typed for as long as the guard lives.
    pub(super) fn hide_typing(&self) -> io::Result<Hidden<'_>> {
        let echo = EchoOff::new()?;
        self.lock().echo = Some(echo);
        Ok(Hidden { interrupt: self })
    }

    /// The terminal gives key by key for as long as the guard lives, and `waker` wakes when it has
    /// another size or was somebody else's meanwhile.
    pub(super) fn edit(&self, waker: &Arc<Waker>) -> io::Result<Editing<'_>> {
        let raw = RawMode::new()?;
        self.lock().raw = Some((raw, Arc::clone(waker)));
        Ok(Editing { interrupt: self })
    }

    /// For as long as the guard lives, Ctrl-C cuts this connection and not the program short, where no
    /// transfer is there to be broken off.
    pub(super) fn hold(&self, line: Option<TcpStream>) -> Held<'_> {
        let mut shared = self.lock();
        shared.is_cut = false;
        shared.line = line;
        Held { interrupt: self }
    }

    /// Returns true if Ctrl-C has cut the connection that is held.
    pub(super) fn has_cut(&self) -> bool {
        self.lock().is_cut
    }

    /// The connection that came from `old` has been made anew: where Ctrl-C would have cut that one, it
    /// cuts this.
    pub(super) fn renew(&self, old: SocketAddr, new: TcpStream) {
        let comes_from = |line: &TcpStream| line.local_addr().is_ok_and(|address| address == old);
        let mut shared = self.lock();
        if shared.line.as_ref().is_some_and(comes_from) {
            shared.line = Some(new);
        }
    }

    /// For as long as the guard lives, Ctrl-C is meant for a program that we wait for.
    pub(super) fn lend(&self) -> Lent<'_> {
        self.lock().lent = Lending::Now;
        Lent { interrupt: self }
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a program that we started has the terminal.
#[derive(Clone, Copy, Default)]
enum Lending {
    #[default]
    No,
    Now,
    /// It has ended, but a Ctrl-C that ended it may reach us yet.
    Until(Instant),
}

/// How much later than a program that it ended a Ctrl-C may reach us, and sooner than anybody can
/// have meant another one for us.
const GRACE: Duration = Duration::from_millis(200);

impl Lending {
    fn is_on(self) -> bool {
        match self {
            Lending::No => false,
            Lending::Now => true,
            Lending::Until(end) => Instant::now() < end,
        }
    }
}

impl Shared {
    fn tidy(&mut self) {
        let unfinished = mem::take(&mut self.unfinished).into_values();
        let told: String = unfinished.filter_map(|tidy| Some(tidy()? + "\n")).collect();
        self.echo = None;
        if self.raw.take().is_some() {
            // Where the terminal went away it needs no word of it.
            output::last_words(NO_MARKS.to_owned());
        }
        output::end_line();
        if !told.is_empty() {
            output::last_words(told);
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

/// A transfer that Ctrl-C can break off, alone or together with others.
pub(super) struct Armed {
    interrupt: Interrupt,
    event: Arc<Event>,
}

impl Armed {
    /// Waits so long, or until Ctrl-C.
    pub(super) fn pause(&self, length: Duration) -> Result<(), Error> {
        match net::wait(&mut [self.item()], net::deadline(length)) {
            Ok(()) => Err(Error::Interrupted),
            Err(error) if error.kind() == io::ErrorKind::TimedOut => Ok(()),
            Err(error) => Err(Error::Local(error)),
        }
    }

    /// Whether Ctrl-C came.
    pub(super) fn came(&self) -> bool {
        self.pause(Duration::ZERO).is_err()
    }

    /// Ready once Ctrl-C came.
    pub(super) fn item(&self) -> PollItem<'_> {
        PollItem::new(self.event.handle(), Interest::Read)
    }
}

impl Drop for Armed {
    fn drop(&mut self) {
        let mut shared = self.interrupt.lock();
        shared.transfers = shared.transfers.saturating_sub(1);
        if shared.transfers == 0 && mem::take(&mut shared.is_stopped) {
            // What begins next is not broken off.
            shared.event = None;
        }
    }
}

/// While it lives, what is typed is not shown.
pub(super) struct Hidden<'a> {
    interrupt: &'a Interrupt,
}

impl Drop for Hidden<'_> {
    fn drop(&mut self) {
        self.interrupt.lock().echo = None;
    }
}

/// While it lives, Ctrl-C cuts a connection.
pub(super) struct Held<'a> {
    interrupt: &'a Interrupt,
}

impl Held<'_> {
    /// Whether it was cut.
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

/// While it lives, the terminal gives key by key.
pub(super) struct Editing<'a> {
    interrupt: &'a Interrupt,
}

impl Drop for Editing<'_> {
    fn drop(&mut self) {
        self.interrupt.lock().raw = None;
    }
}

/// While it lives, Ctrl-C is not for us.
pub(super) struct Lent<'a> {
    interrupt: &'a Interrupt,
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        self.interrupt.lock().lent = Lending::Until(Instant::now() + GRACE);
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
    fn the_first_ctrl_c_breaks_off_the_transfer_and_the_second_ends_the_program() {
        let interrupt = Interrupt::default();
        let armed = interrupt.begin().unwrap();
        assert!(!is_ready(&armed));
        interrupt.arrived(Signal::Interrupt, |_| panic!("it should go on"));
        assert!(is_ready(&armed));
        let left = Cell::new(None);
        interrupt.arrived(Signal::Interrupt, |signal| left.set(Some(signal)));
        assert_eq!(left.get(), Some(Signal::Interrupt));
    }

    #[test]
    fn who_waits_for_a_server_loses_the_connection_and_not_the_program() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let line = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let interrupt = Interrupt::default();
        let held = interrupt.hold(line.try_clone().ok());
        assert!(!held.was_cut());
        interrupt.arrived(Signal::Interrupt, |_| panic!("it should go on"));
        assert!(held.was_cut());
        assert_eq!((&line).read(&mut [0]).unwrap(), 0);
        let left = Cell::new(false);
        interrupt.arrived(Signal::Interrupt, |_| left.set(true));
        assert!(left.get());
    }

    #[test]
    fn ctrl_c_cuts_the_connection_that_took_the_place_of_the_one_before() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let [old, other, new] = [(); 3].map(|()| TcpStream::connect(address).unwrap());
        let interrupt = Interrupt::default();
        let held = interrupt.hold(old.try_clone().ok());
        interrupt.renew(old.local_addr().unwrap(), new.try_clone().unwrap());
        interrupt.renew(old.local_addr().unwrap(), other);
        interrupt.arrived(Signal::Interrupt, |_| panic!("it should go on"));
        assert!(held.was_cut());
        assert_eq!((&new).read(&mut [0]).unwrap(), 0);
    }

    #[test]
    fn a_program_that_was_lent_the_terminal_has_ctrl_c_for_itself() {
        let interrupt = Interrupt::default();
        let lent = interrupt.lend();
        interrupt.arrived(Signal::Interrupt, |_| panic!("it should go on"));
        drop(lent);
        interrupt.arrived(Signal::Interrupt, |_| panic!("it was meant for the program"));
        interrupt.lock().lent = Lending::Until(Instant::now());
        let left = Cell::new(false);
        interrupt.arrived(Signal::Interrupt, |_| left.set(true));
        assert!(left.get());
    }

    #[test]
    fn what_begins_inside_of_something_broken_off_is_broken_off_too() {
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
    fn the_end_tidies_what_is_not_whole_and_nothing_else() {
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
