//! `ftp_load`: a load generator for FTP servers.
//!
//! [`scenario`] defines the tasks, [`runner`] runs them in many threads, [`session`] is one FTP session,
//! [`connection`] one of its connections, and [`process`] measures the server. [`report`] and [`chart`]
//! present the results, and [`bare`] is a minimal server to compare others with.

mod bare;
mod chart;
mod connection;
mod figures;
mod idle;
mod options;
mod process;
mod record;
mod report;
mod runner;
mod scenario;
mod session;
mod soak;

use mt_ftp::args::{Outcome, Parsed, Program, Usage};
use options::{Options, Output};
use record::{Record, Value};
use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

fn main() -> ExitCode {
    // Each client needs one or two descriptors.
    mt_ftp::sys::raise_descriptor_limit();
    let mut words: Vec<OsString> = std::env::args_os().skip(1).collect();
    match words.first().and_then(|word| word.to_str()) {
        Some("bare") => with(&bare::PROGRAM, words.split_off(1), bare::run),
        Some("report") => with(&report::PROGRAM, words.split_off(1), |parsed| {
            report::run(parsed, chart::draw, print)
        }),
        _ => with(&options::PROGRAM, words, |parsed| Ok(load(&Options::new(parsed)?))),
    }
}

/// Parses the options and calls `action` with them. Every failure is reported as one line and an
/// exit status.
fn with(
    program: &'static Program,
    words: Vec<OsString>,
    action: impl FnOnce(&Parsed) -> Result<Result<(), String>, Usage>,
) -> ExitCode {
    let done = match program.parse(words) {
        Ok(Outcome::Help) => Ok(print(&program.help())),
        Ok(Outcome::Version) => Ok(print(&format!("{}\n", program.version_line()))),
        Ok(Outcome::Run(parsed)) => action(&parsed),
        Err(usage) => Err(usage),
    };
    match done {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(problem)) => {
            eprintln!("{}: {problem}", program.name);
            ExitCode::FAILURE
        }
        Err(usage) => {
            eprintln!("{}: {usage}\n{}", program.name, program.usage_line());
            ExitCode::from(2)
        }
    }
}

fn load(options: &Options) -> Result<(), String> {
    if options.target.tls {
        // The context is created before there are threads, because their stacks are small.
        connection::context().map_err(|error| error.to_string())?;
    }
    let result = scenario::run(options);
    let text = match options.output {
        Output::Json => format!("{}\n", result.record.to_json()),
        Output::Table => table(&result.record),
    };
    print(&text)?;
    result.verdict
}

/// Formats the record with one line per value.
fn table(record: &Record) -> String {
    let line = |(name, value): (&str, &Value)| match value {
        Value::Text(text) => format!("{name:24} {text}\n"),
        Value::Number(number) => format!("{name:24} {}\n", figures::short(*number)),
    };
    record.fields().map(line).collect()
}

fn print(text: &str) -> Result<(), String> {
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.to_string()),
        _ => Ok(()),
    }
}
