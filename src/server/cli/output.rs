//! What the program prints. A reader that has gone is no reason to fail, so errors are ignored.

use crate::args::{Program, Usage};
use std::error::Error;
use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;

/// Prints a text that was asked for.
pub fn print(text: &str) -> ExitCode {
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => ExitCode::FAILURE,
        _ => ExitCode::SUCCESS,
    }
}

/// Prints lines that a script or a person waits for.
pub fn say(text: &str) {
    let mut stdout = io::stdout();
    let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}

/// Prints a line to standard error.
pub fn note(text: impl Display) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// Prints a warning.
pub fn warn(text: impl Display) {
    note(format_args!("ftp_server: warning: {text}"));
}

/// Prints why the program failed, and gives its exit status.
pub fn exit_code(result: Result<(), Box<dyn Error>>) -> ExitCode {
    let Err(error) = result else { return ExitCode::SUCCESS };
    note(format_args!("ftp_server: {error}"));
    ExitCode::FAILURE
}

/// Prints what is wrong with the command line, and gives the exit status for that.
pub fn wrong_usage(program: &Program, usage: &Usage) -> ExitCode {
    note(format_args!("{}: {usage}\n{}", program.name, program.usage_line()));
    ExitCode::from(2)
}
