//! Standard input: its use, questions at the terminal, and reading lines.

use crate::client::editor::{Answer, read_answer};
use crate::client::error::Error;
use crate::client::options::Commands;
use crate::client::output::Messages;
use crate::client::signals::Interrupt;
use std::io::{self, BufRead, IsTerminal};

/// The use of standard input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Input {
    /// A terminal.
    Terminal,
    /// A file or pipe from which the commands are read.
    Commands,
    /// A file or pipe that is not used yet.
    Unused,
}

impl Input {
    /// Determines the use of standard input from the source of the commands.
    pub(super) fn of(commands: &Commands) -> Input {
        match commands {
            _ if io::stdin().is_terminal() => Input::Terminal,
            Commands::Input | Commands::Shell => Input::Commands,
            Commands::Given(_) | Commands::File(_) => Input::Unused,
        }
    }
}

/// Asks a question at the terminal. Returns `None` at Ctrl-C, which ends neither the program nor the
/// connection, or at the end of the input.
pub(super) fn ask(
    question: &str,
    messages: Messages,
    interrupt: &Interrupt,
) -> Result<Option<Vec<u8>>, Error> {
    messages.prompt(question);
    let told = if io::stderr().is_terminal() { read_answer(interrupt).ok() } else { None };
    let Some(told) = told else {
        // The terminal cannot deliver single keys.
        return read_line().map_err(Error::Local);
    };
    messages.prompt("\n");
    match told {
        Answer::Words(answer) => Ok(Some(answer)),
        Answer::Nothing => Ok(None),
    }
}

/// Reads a line of standard input without its line end; `None` after the last.
pub(super) fn read_line() -> io::Result<Option<Vec<u8>>> {
    read_line_of(&mut io::stdin().lock())
}

/// Reads a line without its line end; `None` after the last.
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
