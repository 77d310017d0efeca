//! `ftp_server check`: reports the effective options, the source of each value, and all problems.

use crate::args::{self, Origin, Parsed};
use crate::server::StartError;
use crate::server::accounts::{Account, AccountLimits, Accounts};
use crate::server::cli::options::Options;
use crate::server::cli::{output, startup};
use crate::server::config::{Config, DEFAULT_HOST, OPTIONS, ServerOption};
use crate::server::data::passive_address::PassiveAddresses;
use crate::server::fs::jail::Jail;
use crate::server::log::{Log, TransferLog};
use crate::server::monitor::http;
use crate::server::tls;
use crate::sys;
use crate::text::{Reason, fingerprint, shown};
use std::error::Error;
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::net::ToSocketAddrs;
use std::path::{self, Path};
use std::time::SystemTime;

/// The result of a check.
#[derive(Debug, Default)]
pub struct Report {
    /// The report for the user.
    pub text: String,
    /// The problems that prevent the server from starting, an account from logging in, or PASV from working.
    pub problems: Vec<String>,
}

/// Runs `ftp_server check`: prints the report.
///
/// # Errors
/// Returns all problems, if there are any.
pub fn run(Options { given, config, .. }: Options) -> Result<(), Box<dyn Error>> {
    let report = report(&given, &config);
    output::write(&report.text)?;
    if report.problems.is_empty() { Ok(()) } else { Err(report.problems.join("\n").into()) }
}

/// Checks everything that the server would read, without starting it.
pub fn report(given: &Parsed, config: &Config) -> Report {
    let mut report = Report::default();
    for option in OPTIONS {
        for (value, origin) in effective_values(option, given, config) {
            report.line(format_args!("{} = {value}  ({origin})", option.name()));
        }
    }
    report.problems.extend(startup::unsafe_default_root(given));
    let jail = match Jail::new(&config.root) {
        Ok(jail) => Some(jail),
        Err(error) => {
            report.problem(StartError::Root(config.root.clone(), error).to_string());
            None
        }
    };
    for warning in files_in_root(given, config) {
        report.line(format_args!("warning: {warning}"));
    }
    report.logs(config);
    report.accounts(config, jail.as_ref());
    report.names(config);
    report.certificate(config);
    report
}

/// Returns a warning for each of the server's own files inside the root, where clients may fetch or replace it. The
/// server creates a log that is missing.
pub fn files_in_root(given: &Parsed, config: &Config) -> Vec<String> {
    let Ok(root) = config.root.canonicalize() else { return Vec::new() };
    let files = OPTIONS.iter().filter(|option| option.is_file());
    let own = files.map(|option| (option.name(), given.value(option.name())));
    let inside = |(name, file): (&str, Option<&OsStr>)| {
        let file = Path::new(file?);
        let dir_of_new = || path::absolute(file).ok()?.parent()?.canonicalize().ok();
        let found = file.canonicalize().ok().or_else(dir_of_new);
        let inside = found.is_some_and(|found| found.starts_with(&root));
        inside.then(|| {
            let file = file.display();
            format!("--{name} {file} is inside the root: clients can see it")
        })
    };
    own.filter_map(inside).collect()
}

/// Returns the values of an option in the form of a config file, each with its origin. If the option is not given,
/// returns its default, which may depend on other options or on the environment.
fn effective_values<'a>(
    option: &ServerOption,
    given: &'a Parsed,
    config: &Config,
) -> Vec<(String, &'a Origin)> {
    let name = option.name();
    if option.flag.value.is_none() {
        let value = if given.switch(name) { "yes" } else { "no" };
        return vec![(value.into(), given.origin(name))];
    }
    let values = given.values_with_origin(name);
    if values.is_empty() {
        return vec![(option.effective_default(config), given.origin(name))];
    }
    values.into_iter().map(|(value, origin)| (value.to_string_lossy().into(), origin)).collect()
}

impl Report {
    /// Checks the files that the server creates.
    fn logs(&mut self, config: &Config) {
        let log = config.log_file.as_deref().map(Log::check);
        let transfers = config.transfer_log.as_deref().map(TransferLog::check);
        for error in [log, transfers].into_iter().flatten().filter_map(Result::err) {
            self.problem(StartError::Log(error).to_string());
        }
    }

    fn accounts(&mut self, config: &Config, jail: Option<&Jail>) {
        let Some(file) = &config.users else { return };
        let accounts = match Accounts::read(file) {
            Ok(accounts) => accounts,
            Err(error) => return self.problem(error.to_string()),
        };
        for account in accounts.sorted() {
            self.line(format_args!("account {}", describe(account)));
            let visitors = config.anonymous.is_some();
            if let Some(why) =
                jail.and_then(|jail| startup::login_obstacle(account, jail, visitors))
            {
                self.problem(format!("account {} cannot log in: {why}", account.name));
            }
        }
    }

    /// Checks the host names. The server needs all of them at its start, except those of `--passive-address`.
    fn names(&mut self, config: &Config) {
        let host = config.host.as_deref().unwrap_or(DEFAULT_HOST);
        if let Err(error) = (host, config.port).to_socket_addrs() {
            self.problem(format!("cannot listen on {host}: {}", Reason(&error)));
        }
        if let Some(Err(error)) = config.status.as_ref().map(http::addresses) {
            self.problem(error.to_string());
        }
        match PassiveAddresses::new(&config.passive_address) {
            Ok(addresses) => addresses.unresolved().iter().for_each(|error| {
                let text = "the server retries, and PASV fails with 425 until then";
                self.problem(format!("cannot resolve --passive-address {}; {text}", Reason(error)));
            }),
            Err(error) => self.problem(StartError::PassiveAddress(error).to_string()),
        }
    }

    fn certificate(&mut self, config: &Config) {
        let context = match tls::context(config) {
            Ok(Some(context)) => context,
            Ok(None) => return,
            Err(error) => return self.problem(error.to_string()),
        };
        // This is the library that the context uses.
        if let Ok(library) = sys::tls_library(config.tls_library.as_deref()) {
            self.line(format_args!("TLS library: {}", library.version()));
        }
        let Some(certificate) = context.own_certificate() else { return };
        let names = certificate.names().join(", ");
        let left = match tls::days_left(&certificate, SystemTime::now()) {
            Some(days @ 0..) => format!("valid for {days} days"),
            Some(-1) => "expired less than a day ago".to_owned(),
            Some(days) => format!("expired {} days ago", -1 - days),
            None => "with an unreadable end date".to_owned(),
        };
        let digest = fingerprint(&certificate.sha256());
        self.line(format_args!(
            "certificate: for {}, {left}, SHA-256 {digest}",
            shown(names.as_bytes())
        ));
        if let Some(warning) = tls::warning(config, Some(&context)) {
            self.line(format_args!("warning: {warning}"));
        }
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.text, "{line}");
    }

    fn problem(&mut self, problem: String) {
        self.problems.push(problem);
    }
}

/// Describes an account in one line, for the user.
pub(super) fn describe(account: &Account) -> String {
    let Account { name, access, home, limits, .. } = account;
    format!("{name}: {}, home {home}{}", access.word(), limits_text(limits))
}

/// Returns the limits of an account, in the form of a list that continues a line.
fn limits_text(limits: &AccountLimits) -> String {
    let size = |name: &str, bytes: u64| format!(", {name} {}", args::size_text(bytes));
    let mut text = limits.quota.map_or(String::new(), |quota| size("quota", quota));
    text.extend(limits.sessions.map(|most| format!(", sessions {most}")));
    text.extend(limits.rate.map(|rate| size("rate", rate)));
    text
}
