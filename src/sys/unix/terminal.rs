//! The terminal: echo off while a password is typed, key by key while a line is edited, and how wide
//! it is.

use super::abi::{
    ECHO, ICANON, ICRNL, IEXTEN, ISIG, IXON, SIGTSTP, TIOCGWINSZ, VMIN, VTIME, termios,
};
use super::{PollItem, check, poll, retry};
use crate::sys::{Interest, Typed, Waker};
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

/// While it lives, the terminal on standard input does not show what is typed.
#[must_use = "echo comes back when this is dropped"]
pub struct EchoOff {
    before: termios,
}

impl EchoOff {
    /// Turns echo off.
    ///
    /// # Errors
    /// `ENOTTY` where standard input is no terminal.
    pub fn new() -> io::Result<EchoOff> {
        let before = attributes()?;
        set(&termios { local: before.local & !ECHO, ..before })?;
        Ok(EchoOff { before })
    }
}

impl Drop for EchoOff {
    fn drop(&mut self) {
        // If the terminal is gone by now, so is echo.
        let _ = set(&self.before);
    }
}

/// While it lives, the terminal on standard input gives every key at once, shows none by itself and
/// makes no signals of any. What is written to it still has its lines ended as before.
#[must_use = "the terminal is as before when this is dropped"]
pub struct RawMode {
    before: termios,
}

impl RawMode {
    /// Begins it.
    ///
    /// # Errors
    /// `ENOTTY` where standard input is no terminal.
    pub fn new() -> io::Result<RawMode> {
        let before = attributes()?;
        set(&raw(before))?;
        Ok(RawMode { before })
    }

    /// Begins it again, after somebody who stopped the process had the terminal for themselves.
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
    // SAFETY: the pointer is that of a whole termios that lives through the call.
    retry(|| unsafe { tcsetattr(stdin.as_fd().as_raw_fd(), NOW, attributes) }).map(drop)
}

/// Waits for a byte from the terminal on standard input, for `waker`, or for as long as `patience`.
/// One byte at a time, so that what was typed ahead stays where others will read it.
///
/// # Errors
/// What the system says of waiting and reading.
pub fn typed(waker: &Waker, patience: Option<Duration>) -> io::Result<Typed> {
    let stdin = io::stdin();
    let mut items = [
        PollItem::new(waker.handle(), Interest::Read),
        PollItem::new(stdin.as_fd(), Interest::Read),
    ];
    if poll(&mut items, patience)? == 0 {
        return Ok(Typed::Nothing);
    }
    if items[0].ready() {
        waker.reset();
        return Ok(Typed::Woken);
    }
    let mut byte = 0u8;
    // SAFETY: the pointer is that of one byte we may write to.
    match unsafe { read(stdin.as_fd().as_raw_fd(), (&raw mut byte).cast(), 1) } {
        0 => Ok(Typed::End),
        1.. => Ok(Typed::Byte(byte)),
        _ => match io::Error::last_os_error() {
            error if error.kind() == io::ErrorKind::Interrupted => Ok(Typed::Woken),
            error => Err(error),
        },
    }
}

/// Whether [`typed`] has a byte at once.
///
/// # Errors
/// What the system says of waiting.
pub fn is_typed() -> io::Result<bool> {
    let stdin = io::stdin();
    let mut items = [PollItem::new(stdin.as_fd(), Interest::Read)];
    Ok(poll(&mut items, Some(Duration::ZERO))? > 0)
}

/// Stops the process as Ctrl-Z does; returns when it goes on.
///
/// # Errors
/// What the system says if it does not.
pub fn stop() -> io::Result<()> {
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

/// How many columns the terminal behind standard error shows, if it is one and says so.
pub fn terminal_width() -> Option<u16> {
    let mut size = WindowSize::default();
    let stderr = io::stderr();
    // SAFETY: TIOCGWINSZ writes one struct winsize, which WindowSize has the layout of.
    check(unsafe { ioctl(stderr.as_fd().as_raw_fd(), TIOCGWINSZ as c_ulong, &mut size) }).ok()?;
    (size.columns > 0).then_some(size.columns)
}
