//! The output of the program besides its log.
//!
//! Standard output and standard error may be closed, full, or a pipe that is not read. That never causes a panic here,
//! and only a write of output that the user asked for may take longer than a second.

use crate::args::{Program, Usage};
use crate::server::config::PROGRAM;
use crate::server::log::sink::Sink;
use crate::server::log::writer::{LogWriter, Observer};
use crate::sys::{self, BlockingWriter};
use crate::text::Reason;
use std::error::Error;
use std::fmt::Display;
use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The longest wait for the thread that writes to begin, which takes long only on a busy machine.
const SLOW_START: Duration = Duration::from_secs(10);

/// Writes output that the user asked for to standard output, and waits for its reader. A closed pipe is not an error.
///
/// # Errors
/// Returns the error message if the text cannot be written.
pub fn write(text: &str) -> Result<(), String> {
    let mut stdout = BlockingWriter(io::stdout());
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(format!("cannot write standard output: {}", Reason(&error)))
        }
        _ => Ok(()),
    }
}

/// Prints output that the user asked for, such as `--help`.
pub fn print(text: &str) -> ExitCode {
    exit_code(write(text).map_err(Into::into))
}

/// Prints the versions of the program and of the TLS library.
pub fn print_version() -> ExitCode {
    print(&format!("{}\n{}\n", PROGRAM.version_line(), sys::describe_tls()))
}

/// Prints lines to standard output that scripts or users wait for.
pub fn print_lines(text: &str) {
    write_in_time(Sink::stdout, text);
}

/// Prints a line to standard error.
pub fn print_error(text: impl Display) {
    prompt(format_args!("{text}\n"));
}

/// Prints text to standard error without a line end, such as a question.
pub fn prompt(text: impl Display) {
    write_in_time(Sink::stderr, &text.to_string());
}

/// Prints warnings.
pub fn warn(warnings: impl Iterator<Item = impl Display>) {
    let line = |text| format!("ftp_server: warning: {text}\n");
    prompt(warnings.map(line).collect::<String>());
}

/// Prints why the program failed, one line for each reason, and returns the exit status.
pub fn exit_code(result: Result<(), Box<dyn Error>>) -> ExitCode {
    let Err(error) = result else { return ExitCode::SUCCESS };
    let error = match error.downcast_ref::<io::Error>() {
        Some(error) => Reason(error).to_string(),
        None => error.to_string(),
    };
    let lines: Vec<String> = error.lines().map(|line| format!("ftp_server: {line}")).collect();
    print_error(lines.join("\n"));
    ExitCode::FAILURE
}

/// Prints the errors in the command line or config file, one line each, and returns exit status 2.
pub fn wrong_usage(program: &Program, wrong: &[Usage]) -> ExitCode {
    let lines: String = wrong.iter().map(|one| format!("{}: {one}\n", program.name)).collect();
    print_error(lines + &program.usage_line());
    ExitCode::from(2)
}

/// Writes from another thread, and stops waiting for a write after a second.
fn write_in_time(open: fn() -> Sink, text: &str) {
    if text.is_empty() {
        return;
    }
    match LogWriter::start(move || Ok(open()), Arc::new(IgnoreErrors)) {
        Ok(writer) => {
            writer.push(text.as_bytes());
            writer.finish(Instant::now() + SLOW_START);
        }
        // No memory for a thread; the text may be the error message about that.
        Err(_) => drop(open().write_lines(text.as_bytes())),
    }
}

/// Ignores output that could not be printed.
struct IgnoreErrors;

impl Observer for IgnoreErrors {
    fn count_lost(&self, _: u64) {}

    fn on_failure(&self, _: &dyn Display) {}

    fn on_recovery(&self, _: u64) -> Option<String> {
        None
    }
}
