//! `ftp_server check`: what would be in force, and from where each value comes.

use super::accounts::Accounts;
use super::config::{Config, PROGRAM};
use super::jail::Jail;
use super::login::Access;
use crate::args::Parsed;
use std::fmt::Write as _;

/// The report, and how many problems it names.
#[derive(Debug, Default)]
pub struct Report {
    /// Lines for people.
    pub text: String,
    /// What would keep the server from starting, or an account from logging in.
    pub problems: Vec<String>,
}

/// Looks at everything the server would read, and starts nothing.
pub fn report(given: &Parsed, config: &Config) -> Report {
    let mut report = Report::default();
    for flag in PROGRAM.flags {
        let Some(name) = flag.long else { continue };
        let value = match flag.value {
            None => given.switch(name).then(|| "on".to_string()),
            Some(_) => given.value(name).map(|value| value.to_string_lossy().into_owned()),
        };
        if let Some(value) = value {
            report.line(format_args!("{name} = {value}  ({})", given.origin(name)));
        }
    }
    report.line(format_args!("anonymous visitors: {}", access(config.anonymous)));
    let jail = match Jail::new(&config.root) {
        Ok(jail) => Some(jail),
        Err(error) => {
            report.problem(format!("cannot serve {}: {error}", config.root.display()));
            None
        }
    };
    report.accounts(config, jail.as_ref());
    report
}

impl Report {
    fn accounts(&mut self, config: &Config, jail: Option<&Jail>) {
        let Some(file) = &config.users else { return };
        let accounts = match Accounts::read(file) {
            Ok(accounts) => accounts,
            Err(error) => return self.problem(error.to_string()),
        };
        for account in accounts.sorted() {
            let (name, home) = (&account.name, &account.home);
            let may = access(Some(account.access));
            self.line(format_args!("account {name}: {may}, home {home}"));
            if let Some(Err(error)) = jail.map(|jail| jail.enter(home)) {
                self.problem(format!("account {name} cannot log in: home {home}: {error}"));
            }
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

fn access(access: Option<Access>) -> &'static str {
    match access {
        None => "none",
        Some(Access::Read) => "read",
        Some(Access::Write) => "write",
    }
}
