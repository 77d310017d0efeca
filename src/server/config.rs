//! The server's options: the checked values made from their table.

mod options;
mod values;

pub use options::{OPTIONS, ServerOption};
pub use values::access_name;

use crate::args::{Parsed, Program, Usage};
use crate::server::StartError;
use crate::server::accounts::Access;
use crate::server::cidr::Network;
use crate::server::data::passive_address::PassiveAddress;
use crate::server::log::{Format, Level};
use options::FLAGS;
use std::fs;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

/// What the server's command line is made of.
pub static PROGRAM: Program = Program {
    name: "ftp_server",
    version: env!("CARGO_PKG_VERSION"),
    about: "Serves a directory by FTP, one thread for each client.",
    usage: &[
        "ftp_server [OPTIONS]",
        "ftp_server passwd [OPTIONS] FILE NAME",
        "ftp_server check [OPTIONS]",
    ],
    flags: &FLAGS,
    after: "Every option can stand in the file of --config; the command line wins,\n\
            and --sync=no undoes a switch that the file turns on.\n\
            Durations are seconds, or 30s, 5m, 1h; rates are bytes a second, or 64K, 10M.\n\
            SIGTERM and SIGINT end the server when the running transfers are done;\n\
            a second one ends it at once. SIGHUP reads accounts and config again and\n\
            opens the logs anew; what is wrong in them is logged, and the old stays.\n",
};

/// The address to listen on where nobody names one.
pub const DEFAULT_HOST: &str = "127.0.0.1";

/// What the server runs by, every value checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// `--host`, if it was given.
    pub host: Option<String>,
    /// `--port`.
    pub port: u16,
    /// `--root`.
    pub root: PathBuf,
    /// `--anonymous`; `None` lets no visitors in.
    pub anonymous: Option<Access>,
    /// `--users`.
    pub users: Option<PathBuf>,
    /// `--passive-ports`.
    pub passive_ports: Option<RangeInclusive<u16>>,
    /// `--passive-address`, each network once.
    pub passive_address: Vec<PassiveAddress>,
    /// `--max-sessions`.
    pub max_sessions: usize,
    /// `--max-sessions-per-ip`.
    pub max_sessions_per_ip: Option<usize>,
    /// `--login-timeout`.
    pub login_timeout: Duration,
    /// `--idle-timeout`.
    pub idle_timeout: Duration,
    /// `--transfer-timeout`.
    pub transfer_timeout: Duration,
    /// `--rate-limit`.
    pub rate_limit: Option<u64>,
    /// `--rate-limit-per-ip`.
    pub rate_limit_per_ip: Option<u64>,
    /// `--rate-limit-total`.
    pub rate_limit_total: Option<u64>,
    /// `--max-login-failures`.
    pub max_login_failures: u32,
    /// `--shutdown-grace`.
    pub shutdown_grace: Duration,
    /// `--sync`.
    pub sync: bool,
    /// `--log-level`.
    pub log_level: Level,
    /// `--log-format`.
    pub log_format: Format,
    /// `--log-file`; `None` is standard error.
    pub log_file: Option<PathBuf>,
    /// `--transfer-log`.
    pub transfer_log: Option<PathBuf>,
    /// `--status`.
    pub status: Option<StatusAt>,
    /// `--proxy-protocol`.
    pub proxy_protocol: Vec<Network>,
}

/// Where the status is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusAt {
    /// An address, without brackets, or a name.
    pub host: String,
    /// 0 picks a free one.
    pub port: u16,
}

/// What was given on the command line, and below it what the file of `--config` says.
///
/// # Errors
/// The file cannot be read, or a line of it is wrong; both name the file.
pub fn with_file(given: Parsed) -> Result<Parsed, Usage> {
    let Some(file) = given.value("config").map(PathBuf::from) else { return Ok(given) };
    let text = fs::read(&file)
        .map_err(|error| given.wrong("config", format!("a file that can be read ({error})")))?;
    Ok(given.over(PROGRAM.parse_config(&file, &text)?))
}

impl Config {
    /// Checks what was given.
    ///
    /// # Errors
    /// The first wrong value, named with its option and what was expected.
    pub fn new(given: &Parsed) -> Result<Config, Usage> {
        if let Some(word) = given.operands().first() {
            return Err(Usage::operand(word, "options alone"));
        }
        let mut config = Config::unset();
        OPTIONS.iter().try_for_each(|option| option.set(&mut config, given))?;
        Ok(config)
    }

    /// Sets what only a restart changes back to what it is, and names what was to be changed.
    pub fn keep_fixed(&mut self, before: &Config) -> Vec<StartError> {
        let changed = OPTIONS.iter().filter(|option| option.keep(self, before));
        changed.map(|option| StartError::NeedsRestart(option.name())).collect()
    }

    /// What every option sets for itself.
    fn unset() -> Config {
        Config {
            host: None,
            port: 0,
            root: PathBuf::new(),
            anonymous: None,
            users: None,
            passive_ports: None,
            passive_address: Vec::new(),
            max_sessions: 0,
            max_sessions_per_ip: None,
            login_timeout: Duration::ZERO,
            idle_timeout: Duration::ZERO,
            transfer_timeout: Duration::ZERO,
            rate_limit: None,
            rate_limit_per_ip: None,
            rate_limit_total: None,
            max_login_failures: 0,
            shutdown_grace: Duration::ZERO,
            sync: false,
            log_level: Level::Info,
            log_format: Format::Text,
            log_file: None,
            transfer_log: None,
            status: None,
            proxy_protocol: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Outcome;

    fn config(words: &[&str]) -> Result<Config, String> {
        match PROGRAM.parse(words.iter().map(Into::into)) {
            Ok(Outcome::Run(parsed)) => Config::new(&parsed).map_err(|usage| usage.to_string()),
            other => panic!("{}", other.is_ok()),
        }
    }

    #[test]
    fn the_table_is_sound() {
        PROGRAM.check();
    }

    #[test]
    fn defaults_are_those_of_the_help() {
        let config = config(&[]).unwrap();
        assert_eq!((config.host, config.port), (None, 1026));
        assert_eq!(config.anonymous, Some(Access::Store));
        assert_eq!(config.idle_timeout, Duration::from_secs(300));
        assert!(!config.sync);
        let with_users = self::config(&["--users", "x"]).unwrap();
        assert_eq!(with_users.anonymous, None);
        let both = self::config(&["--users", "x", "--anonymous", "read"]).unwrap();
        assert_eq!(both.anonymous, Some(Access::Read));
    }

    #[test]
    fn the_status_is_on_this_machine_unless_told_otherwise() {
        for (value, host, port) in [
            ("9026", "127.0.0.1", 9026),
            (":0", "127.0.0.1", 0),
            ("0.0.0.0:80", "0.0.0.0", 80),
            ("[::1]:9026", "::1", 9026),
            ("name.example:9026", "name.example", 9026),
        ] {
            let at = config(&["--status", value]).unwrap().status.unwrap();
            assert_eq!((at.host.as_str(), at.port), (host, port));
        }
    }

    #[test]
    fn wrong_values_are_named_with_their_option() {
        for (option, value) in [
            ("--port", "65536"),
            ("--anonymous", "all"),
            ("--idle-timeout", "0"),
            ("--max-sessions", "0"),
            ("--rate-limit", "0"),
            ("--rate-limit-per-ip", "fast"),
            ("--rate-limit-total", "1T"),
            ("--host", ""),
            ("--log-level", "loud"),
            ("--log-format", "xml"),
            ("--passive-ports", "2000"),
            ("--passive-ports", "2001-2000"),
            ("--passive-ports", "0-2000"),
            ("--passive-ports", "2000-65536"),
            ("--passive-address", "a b"),
            ("--passive-address", ""),
            ("--passive-address", "10.0.0.0/8="),
            ("--passive-address", "10.0.0.0/33=10.0.0.5"),
            ("--passive-address", "10.0.0.1/8=10.0.0.5"),
            ("--passive-address", "192.0.2.1,"),
            ("--passive-address", "192.0.2.1,192.0.2.2"),
            ("--proxy-protocol", ""),
            ("--proxy-protocol", "balancer"),
            ("--proxy-protocol", "10.0.0.1,"),
            ("--proxy-protocol", "10.0.0.1/8"),
            ("--status", "localhost"),
            ("--status", "localhost:"),
            ("--status", "::1"),
            ("--status", "::1:9026"),
            ("--status", "a b:9026"),
            ("--status", "127.0.0.1:65536"),
        ] {
            let error = config(&[option, value]).unwrap_err();
            assert!(error.starts_with(&format!("{option} '{value}': expected ")), "{error}");
        }
        assert!(config(&["extra"]).unwrap_err().contains("'extra'"));
    }
}
