//! Local programs that the user starts: a command of `!`, a shell, a pager. Data from a server and file
//! names never start a program.

use super::operands::{Operand, optional};
use super::row::Row;
use crate::client::error::Error;
use crate::client::shell::input::Input;
use crate::client::shell::session::Session;
use crate::client::signals::{Interrupt, TerminalLent};
use crate::sys::{os_string, spawn_with_signals};
use std::env;
use std::ffi::OsString;
use std::io::{self, Write};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};

pub(super) const ROWS: &[Row] = &[Row::new(&["!"], "run a local command, or a shell", shell)
    .operands(&[Operand::local("COMMAND").many().optional()])
    .example("! ls -l")
    .keeps_remote_names()];

/// Runs `!COMMAND`, or an interactive shell.
fn shell(session: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    let mut command = match optional(words, 0) {
        Some(line) => {
            let wrong = || Error::Usage("expected text in UTF-8".to_owned());
            through_shell(os_string(line).ok_or_else(wrong)?)
        }
        None => Command::new(user_shell()),
    };
    // The program must not read the commands of the client.
    if session.input == Input::Commands {
        command.stdin(Stdio::null());
    }
    let _lent = session.interrupt().lend();
    let mut child = spawn_with_signals(&mut command).map_err(Error::Local)?;
    let status = child.wait().map_err(Error::Local)?;
    judge(status)
}

fn judge(status: ExitStatus) -> Result<(), Error> {
    match status.code() {
        Some(0) => Ok(()),
        Some(code) => Err(Error::Program(format!("the command exited with status {code}"))),
        None => Err(Error::Program(format!("the command was killed: {status}"))),
    }
}

fn user_shell() -> OsString {
    let (variable, usual) = if cfg!(windows) { ("COMSPEC", "cmd") } else { ("SHELL", "/bin/sh") };
    env::var_os(variable).filter(|shell| !shell.is_empty()).unwrap_or_else(|| usual.into())
}

fn through_shell(line: OsString) -> Command {
    let mut command = Command::new(user_shell());
    command.arg(if cfg!(windows) { "/C" } else { "-c" }).arg(line);
    command
}

/// A running pager.
pub(super) struct Pager<'a> {
    child: Child,
    input: Option<ChildStdin>,
    _lent: TerminalLent<'a>,
}

impl Pager<'_> {
    /// Starts `$PAGER`.
    pub(super) fn start(interrupt: &Interrupt) -> Result<Pager<'_>, Error> {
        let lent = interrupt.lend();
        let pager = env::var_os("PAGER").filter(|pager| !pager.is_empty());
        let mut command = through_shell(pager.unwrap_or_else(|| "more".into()));
        command.stdin(Stdio::piped());
        let mut child = spawn_with_signals(&mut command).map_err(Error::Local)?;
        let input = child.stdin.take();
        Ok(Pager { child, input, _lent: lent })
    }

    /// Returns its standard input.
    pub(super) fn input(&mut self) -> &mut impl Write {
        self
    }

    /// Closes its input and waits until it exits.
    pub(super) fn finish(mut self) -> Result<(), Error> {
        drop(self.input.take());
        self.child.wait().map(drop).map_err(Error::Local)
    }
}

impl Write for Pager<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.input
            .as_mut()
            .map_or(Err(io::ErrorKind::BrokenPipe.into()), |input| input.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
