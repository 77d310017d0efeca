//! Standard input: what it is to the commands, and its lines.

use crate::client::editor::{Told, read_answer};
use crate::client::error::Error;
use crate::client::options::Commands;
use crate::client::output::Messages;
use crate::client::signals::Interrupt;
use std::io::{self, BufRead, IsTerminal};

/// What standard input is to the commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Input {
    /// Where somebody types.
    Terminal,
    /// Where the commands are read from.
    Commands,
    /// Bytes that nobody has claimed.
    Free,
}

impl Input {
    /// Returns what standard input is where commands come from there.
    pub(super) fn of(commands: &Commands) -> Input {
        match commands {
            _ if io::stdin().is_terminal() => Input::Terminal,
            Commands::Input | Commands::Shell => Input::Commands,
            Commands::Given(_) | Commands::File(_) => Input::Free,
        }
    }
}

/// Asks a question at the terminal. `None` is Ctrl-C, which ends neither the program nor the connection,
/// or the end of the input.
pub(super) fn ask(
    question: &str,
    messages: Messages,
    interrupt: &Interrupt,
) -> Result<Option<Vec<u8>>, Error> {
    messages.prompt(question);
    let told = if io::stderr().is_terminal() { read_answer(interrupt).ok() } else { None };
    let Some(told) = told else {
        // A terminal that does not give key by key.
        return read_line().map_err(Error::Local);
    };
    messages.prompt("\n");
    match told {
        Told::Words(answer) => Ok(Some(answer)),
        Told::Nothing => Ok(None),
    }
}

/// A line of standard input without its end; `None` after the last.
pub(super) fn read_line() -> io::Result<Option<Vec<u8>>> {
    read_line_of(&mut io::stdin().lock())
}

/// A line without its end; `None` after the last.
pub(super) fn read_line_of(source: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    if source.read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    if line.last() == Some(&b'\n') {
        line.pop();
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    Ok(Some(line))
}
