//! The options of a run: those of the command line, and below them those of the file of `--config`.

use crate::args::{Outcome, Parsed, Usage};
use crate::server::Server;
use crate::server::cli::output;
use crate::server::config::{self, Config, DEFAULT_HOST, PROGRAM};
use std::error::Error;
use std::ffi::OsString;
use std::io::{self, BufRead, IsTerminal};
use std::process::ExitCode;

/// The options and what they come to.
pub struct Options {
    /// The command line.
    pub words: Parsed,
    /// The same, and below it what the file of `--config` says.
    pub given: Parsed,
    /// The checked values.
    pub config: Config,
}

impl Options {
    /// Reads the file of `--config` and checks all values.
    ///
    /// # Errors
    /// The first wrong value.
    pub fn read(words: Parsed) -> Result<Options, Usage> {
        let given = config::with_file(words.clone())?;
        let config = Config::new(&given)?;
        Ok(Options { words, given, config })
    }
}

/// Reads the options and hands them on. Every way to fail is one line and an exit status.
pub fn with_options(
    words: Vec<OsString>,
    action: impl FnOnce(Options) -> Result<(), Box<dyn Error>>,
) -> ExitCode {
    let options = match PROGRAM.parse(words) {
        Ok(Outcome::Help) => return output::print(&PROGRAM.help()),
        Ok(Outcome::Version) => return output::print(&format!("{}\n", PROGRAM.version_line())),
        Ok(Outcome::Run(words)) => Options::read(words),
        Err(usage) => Err(usage),
    };
    match options {
        Err(usage) => output::wrong_usage(&PROGRAM, &usage),
        Ok(options) => output::exit_code(action(options)),
    }
}

/// Reloads the server with the options as they are now; if they cannot be used, with those from
/// before, so that accounts and logs are read and opened again all the same.
pub fn reload(words: &Parsed, server: &Server) {
    let config = Options::read(words.clone()).map(|options| options.config);
    server.reload(config.unwrap_or_else(|usage| {
        server.log_problem(&usage);
        server.settings().config.clone()
    }));
}

/// The host to listen on: that of `--host`, or else the answer of the person at the terminal.
///
/// # Errors
/// The answer cannot be read.
pub fn host(config: &Config) -> io::Result<String> {
    match &config.host {
        Some(host) => Ok(host.clone()),
        None if io::stdin().is_terminal() => ask_for_host(),
        None => Ok(DEFAULT_HOST.into()),
    }
}

fn ask_for_host() -> io::Result<String> {
    output::ask(format_args!("Host to listen on [{DEFAULT_HOST}]: "));
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    let host = line.trim();
    Ok(if host.is_empty() { DEFAULT_HOST.into() } else { host.into() })
}
