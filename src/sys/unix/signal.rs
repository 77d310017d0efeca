//! Signals as values: they are blocked in all threads, and one thread waits for them.
//!
//! No signal handler runs, so the restrictions on handlers do not apply.

use super::abi::{
    SIG_BLOCK, SIG_DFL, SIG_IGN, SIG_SETMASK, SIGCONT, SIGHUP, SIGINT, SIGPIPE, SIGTERM, SIGWINCH,
    SIGXFSZ, sigset_t,
};
use crate::sys::Signal;
use std::ffi::c_int;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};
use std::{io, ptr};

unsafe extern "C" {
    fn sigemptyset(set: *mut sigset_t) -> c_int;
    fn sigaddset(set: *mut sigset_t, signal: c_int) -> c_int;
    fn pthread_sigmask(how: c_int, set: *const sigset_t, old: *mut sigset_t) -> c_int;
    fn signal(signal: c_int, handler: usize) -> usize;
    fn sigwait(set: *const sigset_t, signal: *mut c_int) -> c_int;
}

/// The signals that this program ignores. std ignores SIGPIPE before `main`, so that a write to a
/// closed pipe is an error. [`Signals::block`] ignores SIGXFSZ, so that a write beyond the limit
/// of the file size (RLIMIT_FSIZE) is an error. Ignored signals remain ignored after exec, so
/// [`spawn_with_signals`] restores them. A signal that was already ignored at the start (`nohup`)
/// remains ignored.
const IGNORED: [c_int; 2] = [SIGPIPE, SIGXFSZ];

/// The blocked signals, which this type returns as values.
pub struct Signals {
    set: sigset_t,
}

impl Signals {
    /// Blocks `wanted` in this thread and in threads that it starts later, so this must be called
    /// before the first thread starts. [`Signals::wait`] returns the signals. From now on SIGPIPE
    /// and SIGXFSZ are ignored.
    ///
    /// # Errors
    /// Returns the system error if the mask cannot be set.
    pub fn block(wanted: &[Signal]) -> io::Result<Signals> {
        let mut set = sigset_t([0; 16]);
        // SAFETY: `set` is ours, writable, and at least as large as any system's sigset_t.
        unsafe { sigemptyset(&mut set) };
        for signal in wanted {
            // SAFETY: as above; the number is a valid signal.
            unsafe { sigaddset(&mut set, number(*signal)) };
        }
        for ignored in IGNORED {
            // SAFETY: to ignore a signal runs no code.
            unsafe { signal(ignored, SIG_IGN) };
        }
        // SAFETY: both pointers are valid for the call; a null old mask is allowed.
        match unsafe { pthread_sigmask(SIG_BLOCK, &set, ptr::null_mut()) } {
            0 => Ok(Signals { set }),
            error => Err(io::Error::from_raw_os_error(error)),
        }
    }

    /// Waits until one of the signals arrives.
    ///
    /// # Errors
    /// Returns the system error; waiting for these signals does not fail.
    pub fn wait(&self) -> io::Result<Signal> {
        let mut arrived: c_int = 0;
        loop {
            // SAFETY: the set was made by `block`; `arrived` is writable.
            match unsafe { sigwait(&self.set, &mut arrived) } {
                0 => {}
                error => {
                    let error = io::Error::from_raw_os_error(error);
                    if error.kind() == io::ErrorKind::Interrupted {
                        continue;
                    }
                    return Err(error);
                }
            }
            match arrived {
                SIGINT => return Ok(Signal::Interrupt),
                SIGTERM => return Ok(Signal::Terminate),
                SIGHUP => return Ok(Signal::Hangup),
                SIGWINCH => return Ok(Signal::Resize),
                SIGCONT => return Ok(Signal::Continue),
                _ => {}
            }
        }
    }
}

/// Returns whether SIGHUP is ignored, as in a program that `nohup` started.
pub fn ignores_hangup() -> bool {
    // SAFETY: neither disposition runs code of this program.
    let before = unsafe { signal(SIGHUP, SIG_DFL) };
    if before == SIG_IGN {
        // SAFETY: the same.
        unsafe { signal(SIGHUP, SIG_IGN) };
    }
    before == SIG_IGN
}

/// Starts a program with the default signal handling. A child inherits blocked and ignored
/// signals: without this function, Ctrl-C could not end it, and SIGXFSZ would not end a program
/// that writes beyond the limit of the file size.
///
/// # Errors
/// The errors of [`Command::spawn`].
pub fn spawn_with_signals(command: &mut Command) -> io::Result<Child> {
    let as_usual = || {
        for ignored in IGNORED {
            // SAFETY: the default action runs no code of this program.
            unsafe { signal(ignored, SIG_DFL) };
        }
        let mut none = sigset_t([0; 16]);
        // SAFETY: `none` is ours, writable, and at least as large as any system's sigset_t.
        unsafe { sigemptyset(&mut none) };
        // SAFETY: both pointers are valid for the call; a null old mask is allowed.
        match unsafe { pthread_sigmask(SIG_SETMASK, &none, ptr::null_mut()) } {
            0 => Ok(()),
            error => Err(io::Error::from_raw_os_error(error)),
        }
    };
    // SAFETY: between fork and exec the closure calls three functions that signal-safety(7) allows
    // there, and allocates nothing.
    unsafe { command.pre_exec(as_usual) }.spawn()
}

fn number(signal: Signal) -> c_int {
    match signal {
        Signal::Interrupt => SIGINT,
        Signal::Terminate => SIGTERM,
        Signal::Hangup => SIGHUP,
        Signal::Resize => SIGWINCH,
        Signal::Continue => SIGCONT,
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::process::Stdio;

    #[test]
    fn a_child_has_none_of_the_blocked_and_ignored_signals() {
        let _signals = Signals::block(&[Signal::Interrupt, Signal::Hangup]).unwrap();
        let mut command = Command::new("cat");
        command.arg("/proc/self/status").stdout(Stdio::piped());
        let output = spawn_with_signals(&mut command).unwrap().wait_with_output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let mask = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            u64::from_str_radix(line.trim(), 16).unwrap()
        };
        assert_eq!(mask("SigBlk:"), 0);
        for ignored in IGNORED {
            assert_eq!(mask("SigIgn:") >> (ignored - 1) & 1, 0, "{ignored}");
        }
    }
}
