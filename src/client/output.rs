//! All that the client prints: what a script would read to standard output, words to standard
//! error.

use super::error::Error;
use super::escape::{EscapingWriter, shown, shown_lines};
use super::progress::Drawn;
use crate::protocol::{Command, Reply};
use std::io::{self, IsTerminal, Write};

/// How much is said besides data and errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verbosity {
    /// Nothing.
    Quiet,
    /// What was done.
    Normal,
    /// That, and all that goes over the control connection.
    Verbose,
}

/// What passes over a control connection.
#[derive(Clone, Copy)]
pub enum Spoken<'a> {
    /// We say it. Its text hides passwords.
    Command(&'a Command),
    /// We say it as the user typed it.
    Typed(&'a [u8]),
    /// The server says it.
    Reply(&'a Reply),
}

/// Prints what passes over a control connection to standard error.
pub fn trace(spoken: Spoken<'_>) {
    match spoken {
        Spoken::Command(command) => say("> ", &shown(command.to_string().as_bytes())),
        Spoken::Typed(line) => say("> ", &typed(line)),
        Spoken::Reply(reply) => say("< ", &shown_lines(reply.to_string().as_bytes())),
    }
}

/// A line of the user's own may hold a password as well.
fn typed(line: &[u8]) -> String {
    match Command::parse(line) {
        Ok(command) => shown(command.to_string().as_bytes()),
        Err(_) => shown(line),
    }
}

fn say(mark: &str, text: &str) {
    let lines: String = text.lines().map(|line| format!("{mark}{line}\n")).collect();
    words(&lines);
}

/// Nobody can be told that standard error is gone.
fn words(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}

/// Tells of a failure on standard error.
pub fn error(text: &str) {
    words(&format!("{text}\n"));
}

/// Ends the line that a terminal stands in, before the program does.
pub fn end_line() {
    if io::stderr().is_terminal() {
        words("\n");
    }
}

/// Says on standard error what was done and what failed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Messages {
    verbosity: Verbosity,
}

impl Messages {
    /// Says as much as `verbosity` asks for.
    pub(super) fn new(verbosity: Verbosity) -> Messages {
        Messages { verbosity }
    }

    /// Something was done.
    pub(super) fn note(&self, text: &str) {
        if self.verbosity != Verbosity::Quiet {
            words(&format!("{text}\n"));
        }
    }

    /// Something failed.
    pub(super) fn error(&self, text: &str) {
        error(text);
    }

    /// The user is asked for something, in the same line.
    pub(super) fn prompt(&self, text: &str) {
        words(text);
    }

    /// Where the progress of a transfer is drawn.
    pub(super) fn progress(&self) -> Drawn {
        let seen = self.verbosity != Verbosity::Quiet && io::stderr().is_terminal();
        if seen { Drawn::Terminal } else { Drawn::Nowhere }
    }
}

/// Prints a line to standard output, harmless if that is a terminal.
pub(super) fn print_line(text: &[u8]) -> Result<(), Error> {
    print(|out| {
        out.write_all(text)?;
        out.write_all(b"\n")
    })
}

/// Prints many lines to standard output, harmless if that is a terminal.
///
/// # Errors
/// [`Error::OutputClosed`], or [`Error::File`] with what the system says.
pub fn print_lines(text: &str) -> Result<(), Error> {
    print(|out| out.write_all(text.as_bytes()))
}

fn print(write: impl FnOnce(&mut Listing) -> io::Result<()>) -> Result<(), Error> {
    let mut out = Listing::new();
    write(&mut out).and_then(|()| out.finish()).map_err(Error::of_output)
}

/// Standard output for what people read: control characters are escaped where it is a terminal.
pub(super) enum Listing {
    /// For eyes.
    Escaped(EscapingWriter<io::Stdout>),
    /// For programs.
    Raw(io::Stdout),
}

impl Listing {
    /// As standard output asks for.
    pub(super) fn new() -> Listing {
        let stdout = io::stdout();
        if stdout.is_terminal() {
            Listing::Escaped(EscapingWriter::new(stdout))
        } else {
            Listing::Raw(stdout)
        }
    }

    /// Prints what is left.
    pub(super) fn finish(self) -> io::Result<()> {
        match self {
            Listing::Escaped(writer) => writer.finish(),
            Listing::Raw(mut stdout) => stdout.flush(),
        }
    }
}

impl Write for Listing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Listing::Escaped(writer) => writer.write(bytes),
            Listing::Raw(stdout) => stdout.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Listing::Escaped(writer) => writer.flush(),
            Listing::Raw(stdout) => stdout.flush(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typed_passwords_are_not_shown() {
        assert_eq!(typed(b"pass secret"), "PASS ****");
        assert_eq!(typed(b"SITE X\x1b"), "SITE X\\x1b");
    }
}
