//! The terminal: switches off echo for passwords, reads key by key for the line editor, and
//! returns the width.

use super::abi::{
    ECHO, ICANON, ICRNL, IEXTEN, ISIG, IXON, SIGTSTP, TIOCGWINSZ, VMIN, VTIME, termios,
};
use super::{PollItem, check, poll, retry};
use crate::sys::{Interest, KeyInput, Waker};
use std::ffi::{c_int, c_ulong, c_void};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

unsafe extern "C" {
    fn tcgetattr(fd: c_int, attributes: *mut termios) -> c_int;
    fn tcsetattr(fd: c_int, when: c_int, attributes: *const termios) -> c_int;
    fn ioctl(fd: c_int, request: c_ulong, ...) -> c_int;
    fn read(fd: c_int, buffer: *mut c_void, length: usize) -> isize;
    fn raise(signal: c_int) -> c_int;
}

const NOW: c_int = 0; // TCSANOW

/// Returns whether the process has a controlling terminal that has not been closed.
pub fn has_terminal() -> bool {
    std::fs::File::open("/dev/tty").is_ok()
}

/// Switches off the echo of the terminal on standard input while it lives.
#[must_use = "echo comes back when this is dropped"]
pub struct EchoOff {
    before: termios,
}

impl EchoOff {
    /// Switches off the echo.
    ///
    /// # Errors
    /// `ENOTTY` if standard input is not a terminal.
    pub fn new() -> io::Result<EchoOff> {
        let before = attributes()?;
        set(&termios { local: before.local & !ECHO, ..before })?;
        Ok(EchoOff { before })
    }
}

impl Drop for EchoOff {
    fn drop(&mut self) {
        // If the terminal is gone, there is nothing to restore.
        let _ = set(&self.before);
    }
}

/// Keeps the terminal on standard input in raw mode while it lives: each key is available at once,
/// without echo and without signals. Output processing is unchanged.
#[must_use = "the terminal is as before when this is dropped"]
pub struct RawMode {
    before: termios,
}

impl RawMode {
    /// Enters raw mode.
    ///
    /// # Errors
    /// `ENOTTY` if standard input is not a terminal.
    pub fn new() -> io::Result<RawMode> {
        let before = attributes()?;
        set(&raw(before))?;
        Ok(RawMode { before })
    }

    /// Enters raw mode again after the process was stopped, when other programs may have changed
    /// the terminal.
    pub fn renew(&self) {
        let _ = set(&raw(self.before));
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        let _ = set(&self.before);
    }
}

fn raw(before: termios) -> termios {
    let mut raw = before;
    raw.local &= !(ECHO | ICANON | IEXTEN | ISIG);
    raw.input &= !(ICRNL | IXON);
    raw.characters[VMIN] = 1;
    raw.characters[VTIME] = 0;
    raw
}

fn attributes() -> io::Result<termios> {
    let stdin = io::stdin();
    let mut attributes = MaybeUninit::<termios>::zeroed();
    // SAFETY: the pointer is valid for a whole termios, which any bits make valid.
    unsafe {
        check(tcgetattr(stdin.as_fd().as_raw_fd(), attributes.as_mut_ptr()))?;
        Ok(attributes.assume_init())
    }
}

fn set(attributes: &termios) -> io::Result<()> {
    let stdin = io::stdin();
    // SAFETY: the pointer is that of a whole termios that is valid during the call.
    retry(|| unsafe { tcsetattr(stdin.as_fd().as_raw_fd(), NOW, attributes) }).map(drop)
}

/// Waits for a byte from the terminal on standard input, for `waker`, or until `patience` is over.
/// Only one byte is read at a time, so that further input remains for other programs.
///
/// # Errors
/// Returns the system error of waiting or reading.
pub fn read_key(waker: &Waker, patience: Option<Duration>) -> io::Result<KeyInput> {
    let stdin = io::stdin();
    let mut items = [
        PollItem::new(waker.handle(), Interest::Read),
        PollItem::new(stdin.as_fd(), Interest::Read),
    ];
    if poll(&mut items, patience)? == 0 {
        return Ok(KeyInput::Nothing);
    }
    if items[0].ready() {
        waker.reset();
        return Ok(KeyInput::Woken);
    }
    let mut byte = 0u8;
    // SAFETY: the pointer is that of one byte we may write to.
    match unsafe { read(stdin.as_fd().as_raw_fd(), (&raw mut byte).cast(), 1) } {
        0 => Ok(KeyInput::End),
        1.. => Ok(KeyInput::Byte(byte)),
        _ => match io::Error::last_os_error() {
            error if error.kind() == io::ErrorKind::Interrupted => Ok(KeyInput::Woken),
            error => Err(error),
        },
    }
}

/// Returns whether [`read_key`] has a byte available.
///
/// # Errors
/// Returns the system error of waiting.
pub fn has_key() -> io::Result<bool> {
    let stdin = io::stdin();
    let mut items = [PollItem::new(stdin.as_fd(), Interest::Read)];
    Ok(poll(&mut items, Some(Duration::ZERO))? > 0)
}

/// Stops the process, as Ctrl-Z does; returns when it continues.
///
/// # Errors
/// Returns the system error if the process cannot be stopped.
pub fn suspend() -> io::Result<()> {
    // SAFETY: the signal has its default action, which runs no code.
    match unsafe { raise(SIGTSTP) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[repr(C)]
#[derive(Default)]
struct WindowSize {
    rows: u16,
    columns: u16,
    pixel_width: u16,
    pixel_height: u16,
}

/// Returns the width of the terminal on standard error in columns, if it is a terminal and reports
/// one.
pub fn terminal_width() -> Option<u16> {
    let mut size = WindowSize::default();
    let stderr = io::stderr();
    // SAFETY: TIOCGWINSZ writes one struct winsize, which WindowSize has the layout of.
    check(unsafe { ioctl(stderr.as_fd().as_raw_fd(), TIOCGWINSZ as c_ulong, &mut size) }).ok()?;
    (size.columns > 0).then_some(size.columns)
}
