//! The terminal: echo off while a password is typed, and how wide it is.

use super::abi::{ECHO, TIOCGWINSZ, termios};
use super::check;
use std::ffi::{c_int, c_ulong};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd};

unsafe extern "C" {
    fn tcgetattr(fd: c_int, attributes: *mut termios) -> c_int;
    fn tcsetattr(fd: c_int, when: c_int, attributes: *const termios) -> c_int;
    fn ioctl(fd: c_int, request: c_ulong, ...) -> c_int;
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
        let stdin = io::stdin();
        let fd = stdin.as_fd().as_raw_fd();
        let mut attributes = MaybeUninit::<termios>::zeroed();
        // SAFETY: the pointer is valid for a whole termios, which any bits make valid.
        let before = unsafe {
            check(tcgetattr(fd, attributes.as_mut_ptr()))?;
            attributes.assume_init()
        };
        let silent = termios { local: before.local & !ECHO, ..before };
        // SAFETY: `silent` lives through the call.
        check(unsafe { tcsetattr(fd, NOW, &silent) })?;
        Ok(EchoOff { before })
    }
}

impl Drop for EchoOff {
    fn drop(&mut self) {
        let stdin = io::stdin();
        // SAFETY: `before` is what the terminal itself gave us. If it is gone by now, so is echo.
        unsafe { tcsetattr(stdin.as_fd().as_raw_fd(), NOW, &self.before) };
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
