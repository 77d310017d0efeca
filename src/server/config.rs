//! The server's options as checked values.

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
use crate::sys::TlsVersion;
use crate::text::Reason;
use options::FLAGS;
use std::fs;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

/// The name, options and help texts of `ftp_server`.
pub static PROGRAM: Program = Program {
    name: "ftp_server",
    version: env!("CARGO_PKG_VERSION"),
    about: "Serves a directory over FTP, one thread for each client.",
    usage: &[
        "ftp_server [OPTIONS]",
        "ftp_server passwd [OPTIONS] FILE NAME",
        "ftp_server certificate [OPTIONS] FILE",
        "ftp_server check [OPTIONS]",
    ],
    flags: &FLAGS,
    after: "Every option can also be set in the file of --config; the command line wins,\n\
            and --sync=no turns off a switch that the file turns on.\n\
            Durations are seconds, or 30s, 5m, 1h; rates are bytes per second, or 64K, 10M.\n\
            SIGTERM or SIGINT ends the server when the running transfers are done;\n\
            a second one ends it at once. SIGHUP reloads accounts and options and\n\
            reopens the logs; what cannot be used is logged, and the old values stay.\n",
};

/// The default of `--host` without a terminal.
pub const DEFAULT_HOST: &str = "127.0.0.1";

/// The server's options, every value checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// `--host`, if it was given.
    pub host: Option<String>,
    /// `--port`.
    pub port: u16,
    /// `--root`.
    pub root: PathBuf,
    /// `--anonymous`; `None` disables anonymous logins.
    pub anonymous: Option<Access>,
    /// `--users`.
    pub users: Option<PathBuf>,
    /// `--passive-ports`.
    pub passive_ports: Option<RangeInclusive<u16>>,
    /// `--passive-address`; each network occurs once.
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
    /// `--log-file`; `None` means standard error.
    pub log_file: Option<PathBuf>,
    /// `--transfer-log`.
    pub transfer_log: Option<PathBuf>,
    /// `--status`.
    pub status: Option<StatusAddress>,
    /// `--tls-cert`; `None` disables TLS.
    pub tls_cert: Option<PathBuf>,
    /// `--tls-key`; `None` means the file of the certificate.
    pub tls_key: Option<PathBuf>,
    /// `--tls-required`.
    pub tls_required: TlsRequired,
    /// `--tls-port`.
    pub tls_port: Option<u16>,
    /// `--tls-min`.
    pub tls_min: TlsVersion,
    /// `--tls-reuse require`.
    pub tls_reuse_required: bool,
    /// `--tls-ccc`.
    pub tls_ccc: bool,
    /// `--tls-library`; `None` means the system's library.
    pub tls_library: Option<PathBuf>,
    /// `--proxy-protocol`.
    pub proxy_protocol: Vec<Network>,
}

/// The users who must use TLS, for login and data, if there is a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsRequired {
    /// No one.
    None,
    /// Accounts only, so that no password is sent in the clear.
    Accounts,
    /// Accounts and anonymous visitors.
    All,
}

/// The address of the status page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusAddress {
    /// An address without brackets, or a host name.
    pub host: String,
    /// The port; 0 picks a free one.
    pub port: u16,
}

/// Merges the options of the file of `--config` below those of the command line. Also returns the errors in the file.
pub fn with_file(given: Parsed) -> (Parsed, Vec<Usage>) {
    let Some(file) = given.value("config").map(PathBuf::from) else { return (given, Vec::new()) };
    match fs::read(&file) {
        Ok(text) => {
            let (config, wrong) = PROGRAM.parse_config(&file, &text);
            (given.over(config), wrong)
        }
        Err(error) => {
            let expected = format!("a readable file ({})", Reason(&error));
            let wrong = given.wrong("config", expected);
            (given, vec![wrong])
        }
    }
}

impl Config {
    /// Checks the given values.
    ///
    /// # Errors
    /// Returns every wrong value, with its option and the expected form.
    pub fn new(given: &Parsed) -> Result<Config, Vec<Usage>> {
        let mut config = Config::empty();
        let mut wrong: Vec<Usage> =
            values::unexpected_operands(given.operands()).into_iter().collect();
        for option in OPTIONS {
            let values = given.one_by_one(option.name());
            let each = values.iter().filter_map(|one| option.set(&mut config, one).err());
            let before = wrong.len();
            wrong.extend(each);
            if wrong.len() == before {
                // An error of all values together, such as a duplicate.
                wrong.extend(option.set(&mut config, given).err());
            }
        }
        if wrong.is_empty() { Ok(config) } else { Err(wrong) }
    }

    /// Resets options that only a restart can change to their previous values, and returns an error for each that was
    /// to be changed.
    pub fn keep_restart_only(&mut self, before: &Config) -> Vec<StartError> {
        let changed = OPTIONS.iter().filter(|option| option.keep(self, before));
        changed.map(|option| StartError::NeedsRestart(option.name())).collect()
    }

    /// Returns placeholder values, all of which are overwritten by [`Config::new`].
    fn empty() -> Config {
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
            tls_cert: None,
            tls_key: None,
            tls_required: TlsRequired::Accounts,
            tls_port: None,
            tls_min: TlsVersion::V1_2,
            tls_reuse_required: false,
            tls_ccc: false,
            tls_library: None,
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
            Ok(Outcome::Run(parsed)) => Config::new(&parsed)
                .map_err(|wrong| wrong.iter().map(Usage::to_string).collect::<Vec<_>>().join("\n")),
            other => panic!("{}", other.is_ok()),
        }
    }

    #[test]
    fn the_option_table_is_valid() {
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
    fn the_status_page_is_local_by_default() {
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
            ("--tls-required", "some"),
            ("--tls-min", "1.1"),
            ("--tls-reuse", "yes"),
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

    #[test]
    fn every_wrong_value_is_named() {
        let words = ["--port=x", "--sync", "--idle-timeout=0", "--passive-address=a b"];
        let error = config(&[&words[..], &["--passive-address=", "--log-level=x"]].concat());
        let error = error.unwrap_err();
        let options: Vec<&str> = error.lines().filter_map(|line| line.split(' ').next()).collect();
        let address = "--passive-address";
        assert_eq!(options, ["--port", address, address, "--idle-timeout", "--log-level"]);
    }

    #[test]
    fn operands_are_refused_with_the_option_to_use() {
        let hint = |words: &[&str]| config(words).unwrap_err();
        assert_eq!(
            hint(&["127.0.0.1", "2121"]),
            "'127.0.0.1': expected options: --host 127.0.0.1 --port 2121"
        );
        assert_eq!(hint(&["/"]), "'/': expected options: --root /");
        assert_eq!(hint(&["2121"]), "'2121': expected options: --port 2121");
    }
}
