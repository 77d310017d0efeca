//! `ftp_client`: the command line, signals and the exit status. Everything else is in [`mt_ftp::client`].

use mt_ftp::args::{Outcome, Usage};
use mt_ftp::client::options::{Options, PROGRAM};
use mt_ftp::client::{Error, Interrupt, Shell, output};
use mt_ftp::sys::{self, Signal, Signals};
use mt_ftp::text::Reason;
use std::env;
use std::io;
use std::process::{self, ExitCode};

fn main() -> ExitCode {
    sys::use_built_in_name_services();
    match PROGRAM.parse(env::args_os().skip(1)) {
        Ok(Outcome::Help) => print(&PROGRAM.help()),
        Ok(Outcome::Version) => {
            print(&format!("{}\n{}\n", PROGRAM.version_line(), sys::describe_tls()))
        }
        Ok(Outcome::Run(parsed)) => Options::new(&parsed).map_or_else(|usage| wrong(&usage), run),
        Err(usage) => wrong(&usage),
    }
}

fn run(options: Options) -> ExitCode {
    let interrupt = Interrupt::default();
    if let Err(error) = watch(&interrupt) {
        return fail(&format!("error: cannot wait for signals: {}", Reason(&error)), 1);
    }
    match Shell::new(options, interrupt) {
        Ok(shell) => ExitCode::from(shell.run()),
        Err(error) => fail(&format!("error: {error}"), error.status()),
    }
}

/// Blocks the signals before other threads start, so that only the signal thread receives them.
fn watch(interrupt: &Interrupt) -> io::Result<()> {
    let signals = Signals::block(&[
        Signal::Interrupt,
        Signal::Terminate,
        Signal::Hangup,
        Signal::Resize,
        Signal::Continue,
    ])?;
    interrupt.watch(signals, |signal| process::exit(status(signal)))
}

/// Returns the exit status that a shell reports for a program that the signal ended.
fn status(signal: Signal) -> i32 {
    match signal {
        Signal::Hangup => 129,
        Signal::Interrupt => 130,
        Signal::Terminate => 143,
        // These do not end the program.
        Signal::Resize | Signal::Continue => 0,
    }
}

fn print(text: &str) -> ExitCode {
    match output::print_lines(text) {
        Ok(()) | Err(Error::OutputClosed) => ExitCode::SUCCESS,
        Err(error) => fail(&format!("error: {error}"), error.status()),
    }
}

fn wrong(usage: &Usage) -> ExitCode {
    fail(&format!("error: {usage}\n{}", PROGRAM.usage_line()), 2)
}

fn fail(text: &str, status: u8) -> ExitCode {
    output::error(text);
    ExitCode::from(status)
}
