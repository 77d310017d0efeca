//! The console: what ends the program, echo, and how wide it is.

use crate::sys::{Signal, Typed, Waker};
use std::ffi::c_void;
use std::io;
use std::process::{Child, Command};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

type Bool = i32;

unsafe extern "system" {
    fn SetConsoleCtrlHandler(handler: extern "system" fn(u32) -> Bool, add: Bool) -> Bool;
    fn GetStdHandle(which: u32) -> *mut c_void;
    fn GetConsoleMode(console: *mut c_void, mode: *mut u32) -> Bool;
    fn SetConsoleMode(console: *mut c_void, mode: u32) -> Bool;
    fn GetConsoleScreenBufferInfo(console: *mut c_void, info: *mut ScreenInfo) -> Bool;
}

const STD_INPUT: u32 = -10i32 as u32;
const STD_ERROR: u32 = -12i32 as u32;
const ENABLE_ECHO_INPUT: u32 = 4;

/// Where the system's own thread leaves what arrived.
static ARRIVED: Mutex<Option<Sender<Signal>>> = Mutex::new(None);

/// Ctrl-C and its kin, taken by the program itself instead of ending it.
pub struct Signals {
    arrived: Receiver<Signal>,
}

impl Signals {
    /// Holds the console's events back from now on; [`Signals::wait`] gives them out. The system
    /// has no SIGHUP, and ends or closing of the console count as [`Signal::Terminate`].
    ///
    /// # Errors
    /// What the system says if it refuses the handler.
    pub fn block(_wanted: &[Signal]) -> io::Result<Signals> {
        let (sender, arrived) = channel();
        *ARRIVED.lock().unwrap_or_else(PoisonError::into_inner) = Some(sender);
        // SAFETY: the handler is a function of the right type that lives as long as the program.
        check(unsafe { SetConsoleCtrlHandler(on_event, 1) })?;
        Ok(Signals { arrived })
    }

    /// Sleeps until one of the events arrives.
    ///
    /// # Errors
    /// `BrokenPipe` if another call of [`Signals::block`] has taken over.
    pub fn wait(&self) -> io::Result<Signal> {
        self.arrived.recv().map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

extern "system" fn on_event(event: u32) -> Bool {
    const CTRL_C: u32 = 0;
    let signal = if event == CTRL_C { Signal::Interrupt } else { Signal::Terminate };
    let sender = ARRIVED.lock().unwrap_or_else(PoisonError::into_inner);
    Bool::from(sender.as_ref().is_some_and(|sender| sender.send(signal).is_ok()))
}

/// While it lives, the console does not show what is typed.
#[must_use = "echo comes back when this is dropped"]
pub struct EchoOff {
    before: u32,
}

impl EchoOff {
    /// Turns echo off.
    ///
    /// # Errors
    /// Standard input is no console.
    pub fn new() -> io::Result<EchoOff> {
        let mut before = 0;
        // SAFETY: the handle is the system's own, and `before` is writable.
        check(unsafe { GetConsoleMode(GetStdHandle(STD_INPUT), &mut before) })?;
        // SAFETY: as above.
        check(unsafe { SetConsoleMode(GetStdHandle(STD_INPUT), before & !ENABLE_ECHO_INPUT) })?;
        Ok(EchoOff { before })
    }
}

impl Drop for EchoOff {
    fn drop(&mut self) {
        // SAFETY: the handle is the system's own, the mode what it had before.
        unsafe { SetConsoleMode(GetStdHandle(STD_INPUT), self.before) };
    }
}

/// A terminal that gives every key at once, which is not asked of a console: it edits lines itself.
#[must_use = "the terminal is as before when this is dropped"]
pub struct RawMode(());

impl RawMode {
    /// None can be had.
    ///
    /// # Errors
    /// `Unsupported`, always.
    pub fn new() -> io::Result<RawMode> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Does nothing.
    pub fn renew(&self) {}
}

/// Nothing is typed where there is no [`RawMode`].
///
/// # Errors
/// `Unsupported`, always.
pub fn typed(_waker: &Waker, _patience: Option<Duration>) -> io::Result<Typed> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Nothing is.
///
/// # Errors
/// `Unsupported`, always.
pub fn is_typed() -> io::Result<bool> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Starts a program, which has the console's events for itself.
///
/// # Errors
/// Those of [`Command::spawn`].
pub fn spawn_with_signals(command: &mut Command) -> io::Result<Child> {
    command.spawn()
}

/// No process is stopped here.
///
/// # Errors
/// `Unsupported`, always.
pub fn stop() -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// `CONSOLE_SCREEN_BUFFER_INFO`.
#[repr(C)]
#[derive(Default)]
struct ScreenInfo {
    size: [i16; 2],
    cursor: [i16; 2],
    attributes: u16,
    window: [i16; 4],
    largest: [i16; 2],
}

/// How many columns the terminal behind standard error shows, if it is one and says so.
pub fn terminal_width() -> Option<u16> {
    let mut info = ScreenInfo::default();
    // SAFETY: the handle is the system's own, and `info` has the layout the system fills.
    check(unsafe { GetConsoleScreenBufferInfo(GetStdHandle(STD_ERROR), &mut info) }).ok()?;
    u16::try_from(info.size[0]).ok().filter(|columns| *columns > 0)
}

fn check(result: Bool) -> io::Result<()> {
    if result == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
