//! What the program prints besides its log.
//!
//! Standard output and standard error may be closed, full, or a pipe that nobody reads. Nothing here
//! panics then, and only what the user asked for is waited for longer than a second.

use crate::args::{Program, Usage};
use crate::server::config::PROGRAM;
use crate::server::log::sink::Sink;
use crate::server::log::writer::{LogWriter, Observer, PATIENCE};
use crate::sys::{self, BlockingWriter};
use crate::text::Reason;
use std::error::Error;
use std::fmt::Display;
use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

/// Writes what the user asked for to standard output, and waits for its reader. A reader that went
/// away is no failure.
///
/// # Errors
/// The text cannot be written, in words.
pub fn write(text: &str) -> Result<(), String> {
    let mut stdout = BlockingWriter(io::stdout());
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(format!("cannot write standard output: {}", Reason(&error)))
        }
        _ => Ok(()),
    }
}

/// Prints what the user asked for, such as `--help`.
pub fn print(text: &str) -> ExitCode {
    exit_code(write(text).map_err(Into::into))
}

/// Prints the version of the program, and the TLS library.
pub fn print_version() -> ExitCode {
    print(&format!("{}\n{}\n", PROGRAM.version_line(), sys::describe_tls()))
}

/// Prints lines that a script or a person waits for to standard output.
pub fn say(text: &str) {
    write_in_time(Sink::stdout, text);
}

/// Prints a line to standard error.
pub fn note(text: impl Display) {
    ask(format_args!("{text}\n"));
}

/// Prints a question to standard error, in the line of its answer.
pub fn ask(text: impl Display) {
    write_in_time(Sink::stderr, &text.to_string());
}

/// Prints warnings.
pub fn warn(warnings: impl Iterator<Item = impl Display>) {
    let line = |text| format!("ftp_server: warning: {text}\n");
    ask(warnings.map(line).collect::<String>());
}

/// Prints why the program failed, a line for each reason, and gives its exit status.
pub fn exit_code(result: Result<(), Box<dyn Error>>) -> ExitCode {
    let Err(error) = result else { return ExitCode::SUCCESS };
    let error = match error.downcast_ref::<io::Error>() {
        Some(error) => Reason(error).to_string(),
        None => error.to_string(),
    };
    let lines: Vec<String> = error.lines().map(|line| format!("ftp_server: {line}")).collect();
    note(lines.join("\n"));
    ExitCode::FAILURE
}

/// Prints what is wrong with the command line or the config file, a line for each, and gives the exit
/// status for that.
pub fn wrong_usage(program: &Program, wrong: &[Usage]) -> ExitCode {
    let lines: String = wrong.iter().map(|one| format!("{}: {one}\n", program.name)).collect();
    note(lines + &program.usage_line());
    ExitCode::from(2)
}

/// Writes from a thread, which stays behind if the stream takes longer than a second.
fn write_in_time(open: fn() -> Sink, text: &str) {
    if text.is_empty() {
        return;
    }
    match LogWriter::start(move || Ok(open()), Arc::new(Nobody)) {
        Ok(writer) => {
            writer.push(text.as_bytes());
            writer.finish(Instant::now() + PATIENCE);
        }
        // The system has no room for a thread, which may be what there is to say.
        Err(_) => drop(open().write_lines(text.as_bytes())),
    }
}

/// Hears of text that could not be printed, which nobody can be told of.
struct Nobody;

impl Observer for Nobody {
    fn count_lost(&self, _: u64) {}

    fn fails(&self, _: &dyn Display) {}

    fn works(&self, _: u64) -> Option<String> {
        None
    }
}
