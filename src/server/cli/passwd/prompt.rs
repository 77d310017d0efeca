//! Asks for a password without echo.

use crate::protocol::Secret;
use crate::server::cli::output;
use crate::sys::{EchoOff, Signal, Signals};
use crate::text;
use std::error::Error;
use std::io::{self, BufRead, IsTerminal};
use std::sync::{Mutex, PoisonError};
use std::{process, thread};

/// The guard that keeps the terminal's echo off, while it is off.
static SILENT: Mutex<Option<EchoOff>> = Mutex::new(None);

/// Turns the terminal's echo off (with a guard) or on (`None`).
fn set_silent(echo_off: Option<EchoOff>) {
    *SILENT.lock().unwrap_or_else(PoisonError::into_inner) = echo_off;
}

/// Reads a password: from the terminal, twice and without echo, or from the first line of standard input if that is not
/// a terminal. An empty one is `None`, which keeps the old password if `may_keep` allows that.
pub(super) fn ask_for_password(
    name: &str,
    may_keep: bool,
) -> Result<Option<Secret>, Box<dyn Error>> {
    let needed = |password: Option<Secret>| match password {
        None if !may_keep => Err("a password is needed".into()),
        password => Ok(password),
    };
    if !io::stdin().is_terminal() {
        return needed(read_password()?);
    }
    // Ctrl-C at the prompt must not leave the terminal without echo.
    let signals = Signals::block(&[Signal::Interrupt, Signal::Terminate])?;
    thread::spawn(move || {
        let _ = signals.wait();
        set_silent(None);
        output::print_error("");
        process::exit(130);
    });
    let keep = if may_keep { " (Enter keeps the old one)" } else { "" };
    let password = needed(type_password(&format!("New password for {name}{keep}"))?)?;
    if password.is_some() && type_password("Repeat the password")? != password {
        return Err("the passwords differ; nothing was changed".into());
    }
    Ok(password)
}

fn type_password(prompt: &str) -> Result<Option<Secret>, Box<dyn Error>> {
    output::prompt(format_args!("{prompt}: "));
    set_silent(Some(EchoOff::new()?));
    let password = read_password();
    set_silent(None);
    output::print_error("");
    password
}

/// Reads a line; an empty one is `None`.
fn read_password() -> Result<Option<Secret>, Box<dyn Error>> {
    let mut line = Vec::new();
    io::stdin().lock().read_until(b'\n', &mut line)?;
    let mut line = text::strip_bom(&line).map_err(|wrong| format!("expected {wrong}"))?.to_vec();
    let end =
        line.iter().rposition(|byte| !matches!(byte, b'\n' | b'\r')).map_or(0, |last| last + 1);
    line.truncate(end);
    if line.is_empty() {
        return Ok(None);
    }
    Secret::new(line).map(Some).ok_or("a password cannot contain CR, LF or NUL".into())
}
