//! The options of a run: the command line, merged with the file of `--config`.

use crate::args::{Outcome, Parsed, Usage};
use crate::server::Server;
use crate::server::cli::output;
use crate::server::config::{self, Config, PROGRAM};
use crate::server::fs::jail::Jail;
use crate::text::Reason;
use std::error::Error;
use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

/// The options as given, and as checked values.
pub struct Options {
    /// The options of the command line.
    pub words: Parsed,
    /// The same, merged with the file of `--config`; the command line wins.
    pub given: Parsed,
    /// The checked values.
    pub config: Config,
}

impl Options {
    /// Reads the file of `--config` and checks all values.
    ///
    /// # Errors
    /// Returns all errors, in the order of the lines.
    pub fn read(words: Parsed) -> Result<Options, Vec<Usage>> {
        let (given, mut wrong) = config::with_file(words.clone());
        match Config::new(&given) {
            Ok(config) if wrong.is_empty() => return Ok(Options { words, given, config }),
            Ok(_) => {}
            Err(values) => wrong.extend(values),
        }
        // The server would find this out next.
        if let Some(root) = given.value("root")
            && let Err(error) = Jail::new(Path::new(root))
        {
            let expected = format!("a directory that can be served ({})", Reason(&error));
            wrong.push(given.wrong("root", expected));
        }
        wrong.sort_by_key(Usage::line);
        Err(wrong)
    }
}

/// Reads the options and passes them to `action`. Errors are printed, one line each, and determine the exit status.
pub fn with_options(
    words: Vec<OsString>,
    action: impl FnOnce(Options) -> Result<(), Box<dyn Error>>,
) -> ExitCode {
    let options = match PROGRAM.parse(words) {
        Ok(Outcome::Help) => return output::print(&PROGRAM.help()),
        Ok(Outcome::Version) => return output::print_version(),
        Ok(Outcome::Run(words)) => Options::read(words),
        Err(usage) => Err(vec![usage]),
    };
    match options {
        Err(wrong) => output::wrong_usage(&PROGRAM, &wrong),
        Ok(options) => output::exit_code(action(options)),
    }
}

/// Reloads the server with the current options. If they contain errors, the old options stay, but accounts and logs are
/// reloaded nevertheless.
pub fn reload(words: &Parsed, server: &Server) {
    match Options::read(words.clone()) {
        Ok(options) => server.reload(options.config, &[]),
        Err(wrong) => server.reload(server.settings().config.clone(), &wrong),
    }
}
