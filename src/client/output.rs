//! The output of the client: data for scripts goes to standard output, messages go to standard
//! error.

pub(super) mod json;
pub(super) mod progress;
pub(super) mod summary;
pub(super) mod text;
pub(super) mod width;

use super::error::Error;
use crate::protocol::listing::{Entry, Kind};
use crate::protocol::{Command, Reply};
use crate::sys::BlockingWriter;
use crate::text::{EscapingWriter, shown, shown_lines};
use progress::ProgressOutput;
use std::env;
use std::io::{self, IsTerminal, Write};
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::{Duration, SystemTime};

/// The amount of messages, apart from data and errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verbosity {
    /// No messages.
    Quiet,
    /// Results of commands.
    Normal,
    /// Results of commands, and everything on the control connection.
    Verbose,
}

/// Text that passes over a control connection.
#[derive(Clone, Copy)]
pub enum TraceEvent<'a> {
    /// A command of the client; it is displayed without passwords.
    Command(&'a Command),
    /// A line as the user typed it.
    RawCommand(&'a [u8]),
    /// A reply of the server.
    Reply(&'a Reply),
}

/// Prints text of a control connection to standard error.
pub fn trace(event: TraceEvent<'_>) {
    match event {
        TraceEvent::Command(command) => say("> ", &shown(command.to_string().as_bytes())),
        TraceEvent::RawCommand(line) => say("> ", &typed(line)),
        TraceEvent::Reply(reply) => say("< ", &shown_lines(reply.to_string().as_bytes())),
    }
}

/// Masks a password in a line that the user typed.
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

/// Writes to standard error, and removes the progress line before. Errors are ignored, because they
/// could not be reported.
fn words(text: &str) {
    let text = progress::erasure() + text;
    let _ = BlockingWriter(io::stderr()).write_all(text.as_bytes());
}

/// Prints to standard error before a signal ends the program. It waits for at most one second, so
/// that a terminal that was stopped with Ctrl-S cannot keep the program from ending.
pub(super) fn print_at_exit(text: String) {
    const PATIENCE: Duration = Duration::from_secs(1);
    let (sender, printed) = sync_channel(1);
    let print = move || {
        words(&text);
        let _ = sender.send(());
    };
    if thread::Builder::new().spawn(print).is_ok() {
        let _ = printed.recv_timeout(PATIENCE);
    }
}

/// Prints an error to standard error.
pub fn error(text: &str) {
    words(&format!("{text}\n"));
}

/// Ends the current line of a terminal before the program ends.
pub(super) fn end_line() {
    if io::stderr().is_terminal() {
        print_at_exit("\n".to_owned());
    }
}

/// Says how much of an unfinished transfer is kept, and which command continues it.
pub(super) fn kept(name: &[u8], came: u64, total: Option<u64>, command: &str) -> String {
    let of =
        total.map(|total| format!(" of {}", progress::amount(total as f64))).unwrap_or_default();
    format!(
        "{}: {}{of} kept; use {command} to continue",
        shown(name),
        progress::amount(came as f64)
    )
}

/// Says how much of an unfinished upload was sent, and which command continues it with what the server has
/// kept.
pub(super) fn sent(name: &[u8], moved: u64, command: &str) -> String {
    format!("{}: {} sent; use {command} to continue", shown(name), progress::amount(moved as f64))
}

/// Prints results and failures to standard error.
#[derive(Clone, Copy, Debug)]
pub(super) struct Messages {
    verbosity: Verbosity,
}

impl Messages {
    /// Creates a printer for this verbosity.
    pub(super) fn new(verbosity: Verbosity) -> Messages {
        Messages { verbosity }
    }

    /// Prints a result.
    pub(super) fn note(&self, text: &str) {
        if self.verbosity != Verbosity::Quiet {
            words(&format!("{text}\n"));
        }
    }

    /// Prints an error.
    pub(super) fn error(&self, text: &str) {
        error(text);
    }

    /// Reports an interrupted transfer, and the pause before its retry.
    pub(super) fn retrying(&self, name: &[u8], why: &Error, pause: Duration) {
        let (name, seconds) = (shown(name), pause.as_secs_f64());
        self.note(&format!("{name}: {}; trying again in {seconds} s", one_line(why)));
    }

    /// Reports a problem with a transfer that succeeded.
    pub(super) fn warning(&self, name: &[u8], text: &str) {
        self.note(&format!("warning: {}: {text}", shown(name)));
    }

    /// Prints a prompt, without a line end.
    pub(super) fn prompt(&self, text: &str) {
        words(text);
    }

    /// Rings the bell if standard error is a terminal.
    pub(super) fn ring(&self) {
        if io::stderr().is_terminal() {
            words("\x07");
        }
    }

    /// Returns where the progress of a transfer is drawn.
    pub(super) fn progress(&self) -> ProgressOutput {
        let seen = self.verbosity != Verbosity::Quiet && io::stderr().is_terminal();
        if seen { ProgressOutput::Terminal } else { ProgressOutput::Nowhere }
    }
}

/// Returns an error in one line, whatever the lines of the reply in it.
pub(super) fn one_line(error: &Error) -> String {
    error.to_string().lines().collect::<Vec<_>>().join(" ")
}

/// Prints a line to standard output, with control characters escaped if that is a terminal.
pub(super) fn print_line(text: &[u8]) -> Result<(), Error> {
    print(|out| {
        out.write_all(text)?;
        out.write_all(b"\n")
    })
}

/// Prints lines to standard output, with control characters escaped if that is a terminal.
///
/// # Errors
/// [`Error::OutputClosed`] if the reader is gone, or [`Error::File`] with another system error.
pub fn print_lines(text: &str) -> Result<(), Error> {
    print(|out| out.write_all(text.as_bytes()))
}

fn print(write: impl FnOnce(&mut Listing) -> io::Result<()>) -> Result<(), Error> {
    let mut out = Listing::new();
    write(&mut out).and_then(|()| out.finish()).map_err(Error::of_output)
}

/// Standard output for text: control characters are escaped if it is a terminal.
pub(super) enum Listing {
    /// Escaped output for people.
    Escaped(EscapingWriter<BlockingWriter<io::Stdout>>),
    /// Unchanged output for programs.
    Raw(BlockingWriter<io::Stdout>),
}

impl Listing {
    /// Creates the output in the form that standard output needs.
    pub(super) fn new() -> Listing {
        let stdout = BlockingWriter(io::stdout());
        if stdout.0.is_terminal() {
            Listing::Escaped(EscapingWriter::new(stdout))
        } else {
            Listing::Raw(stdout)
        }
    }

    /// Prints the remaining output.
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

/// Standard output for listings: names are colored as in `ls` if it is a terminal.
pub(super) struct ColoredListing {
    out: Listing,
    /// The beginning of a line, if lines are colored.
    line: Option<Vec<u8>>,
    now: SystemTime,
}

/// The longest line that is parsed; a longer one contains no entry.
const LONGEST_LINE: usize = 8192;

impl ColoredListing {
    /// Creates the output in the form that standard output needs. `NO_COLOR` disables colors
    /// (no-color.org).
    pub(super) fn new() -> ColoredListing {
        let plain = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = env::var_os("TERM").is_none_or(|term| term == "dumb");
        let colored = io::stdout().is_terminal() && !plain && !dumb;
        ColoredListing { out: Listing::new(), line: colored.then(Vec::new), now: SystemTime::now() }
    }

    /// Prints the remaining output.
    pub(super) fn finish(mut self) -> io::Result<()> {
        if let Some(line) = self.line.take() {
            BlockingWriter(io::stdout()).write_all(colored(&line, self.now).as_bytes())?;
        }
        self.out.finish()
    }
}

impl Write for ColoredListing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(line) = &mut self.line else { return self.out.write(bytes) };
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            line.extend_from_slice(part);
            if part.ends_with(b"\n") || line.len() > LONGEST_LINE {
                let whole = std::mem::take(line);
                BlockingWriter(io::stdout()).write_all(colored(&whole, self.now).as_bytes())?;
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Returns a line of a listing with control characters escaped, and with the name in the color of
/// its kind.
fn colored(line: &[u8], now: SystemTime) -> String {
    let entry = Entry::parse_ls(line.trim_ascii_end(), now);
    let found = entry.and_then(|entry| Some((color(&entry)?, place(line, &entry.name)?)));
    match found {
        None => shown_lines(line),
        Some((color, start)) => {
            let end = line.trim_ascii_end().len();
            let name_end = line[start..end].windows(4).position(|part| part == b" -> ");
            let name_end = name_end.map_or(end, |at| start + at);
            let part = |range| shown_lines(&line[range]);
            let (before, name, after) =
                (part(0..start), part(start..name_end), part(name_end..line.len()));
            format!("{before}\x1b[{color}m{name}\x1b[0m{after}")
        }
    }
}

/// Returns the offset of the name, which is at the end of the line, or before the target of a
/// link.
fn place(line: &[u8], name: &[u8]) -> Option<usize> {
    let bare = line.trim_ascii_end();
    if bare.ends_with(name) {
        return Some(bare.len() - name.len());
    }
    let link = [name, b" -> "].concat();
    bare.windows(link.len()).rposition(|part| part == link)
}

fn color(entry: &Entry) -> Option<&'static str> {
    match entry.kind {
        Kind::Dir | Kind::CurrentDir | Kind::ParentDir => Some("1;34"),
        Kind::Link(_) => Some("1;36"),
        Kind::File => entry.mode.filter(|mode| mode & 0o111 != 0).map(|_| "1;32"),
        Kind::Other => Some("33"),
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

    #[test]
    fn names_have_the_color_of_their_kind() {
        let now = SystemTime::UNIX_EPOCH;
        let line = |mode: &str, name: &str| format!("{mode} 1 0 0 7 Jan  2 03:04 {name}\r\n");
        let shown = |mode: &str, name: &str| colored(line(mode, name).as_bytes(), now);
        let start = |mode: &str| line(mode, "").trim_end().to_owned();
        assert_eq!(
            shown("drwxr-xr-x", "a b"),
            format!("{} \x1b[1;34ma b\x1b[0m\\x0d\n", start("drwxr-xr-x"))
        );
        assert_eq!(
            shown("lrwxrwxrwx", "a -> b"),
            format!("{} \x1b[1;36ma\x1b[0m -> b\\x0d\n", start("lrwxrwxrwx"))
        );
        assert!(shown("-rwxr-xr-x", "x").contains("\x1b[1;32mx\x1b[0m"));
        assert!(!shown("-rw-r--r--", "x").contains('\x1b'));
        assert!(!shown("-rw-r--r--", "\x1b[2J").contains('\x1b'));
        assert_eq!(colored(b"total 12\n", now), "total 12\n");
    }
}
