//! The console: events that end the program, echo, and the width.

use crate::sys::{KeyInput, Signal, Waker};
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

/// The channel through which the system's own thread delivers events.
static ARRIVED: Mutex<Option<Sender<Signal>>> = Mutex::new(None);

/// Console events such as Ctrl-C, which this type returns as values.
pub struct Signals {
    arrived: Receiver<Signal>,
}

impl Signals {
    /// Takes over the console's events; [`Signals::wait`] returns them. The system has no SIGHUP;
    /// the other events, such as the closing of the console, are [`Signal::Terminate`].
    ///
    /// # Errors
    /// Returns the system error if the handler cannot be installed.
    pub fn block(_wanted: &[Signal]) -> io::Result<Signals> {
        let (sender, arrived) = channel();
        *ARRIVED.lock().unwrap_or_else(PoisonError::into_inner) = Some(sender);
        // SAFETY: the handler is a function of the right type that lives as long as the program.
        check(unsafe { SetConsoleCtrlHandler(on_event, 1) })?;
        Ok(Signals { arrived })
    }

    /// Waits until one of the events arrives.
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

/// Switches off the echo of the console while it lives.
#[must_use = "echo comes back when this is dropped"]
pub struct EchoOff {
    before: u32,
}

impl EchoOff {
    /// Switches off the echo.
    ///
    /// # Errors
    /// Fails if standard input is not a console.
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

/// A terminal in raw mode, which is not supported for the console: it edits lines itself.
#[must_use = "the terminal is as before when this is dropped"]
pub struct RawMode(());

impl RawMode {
    /// Always fails.
    ///
    /// # Errors
    /// Always `Unsupported`.
    pub fn new() -> io::Result<RawMode> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Does nothing.
    pub fn renew(&self) {}
}

/// Always fails, because there is no [`RawMode`].
///
/// # Errors
/// Always `Unsupported`.
pub fn read_key(_waker: &Waker, _patience: Option<Duration>) -> io::Result<KeyInput> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Always fails, because there is no [`RawMode`].
///
/// # Errors
/// Always `Unsupported`.
pub fn has_key() -> io::Result<bool> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Starts a program, which receives the console's events itself.
///
/// # Errors
/// The errors of [`Command::spawn`].
pub fn spawn_with_signals(command: &mut Command) -> io::Result<Child> {
    command.spawn()
}

/// Always fails, because processes cannot be stopped.
///
/// # Errors
/// Always `Unsupported`.
pub fn suspend() -> io::Result<()> {
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

/// Returns the width of the console on standard error in columns, if it is a console and reports
/// one.
pub fn terminal_width() -> Option<u16> {
    let mut info = ScreenInfo::default();
    // SAFETY: the handle is the system's own, and `info` has the layout the system fills.
    check(unsafe { GetConsoleScreenBufferInfo(GetStdHandle(STD_ERROR), &mut info) }).ok()?;
    u16::try_from(info.size[0]).ok().filter(|columns| *columns > 0)
}

fn check(result: Bool) -> io::Result<()> {
    if result == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
