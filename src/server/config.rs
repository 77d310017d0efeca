//! The server's options: the table, and the checked values made from it.

use crate::args::{self, Flag, Parsed, Program, Usage};
use crate::server::StartError;
use crate::server::accounts::Access;
use crate::server::cidr::Network;
use crate::server::data::passive_address::PassiveAddress;
use crate::server::log::{Format, Level};
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
    flags: &[
        Flag::option(
            "host",
            "HOST",
            "address or host name to listen on; :: serves IPv6 and IPv4 [asked for on a terminal, \
             else 127.0.0.1]",
        ),
        Flag::option("port", "PORT", "control port; 0 picks a free one").or("1026"),
        Flag::option(
            "root",
            "DIR",
            "the directory served; clients see it as / and nothing outside it [the current \
             directory]",
        ),
        Flag::option(
            "anonymous",
            "ACCESS",
            "what visitors who log in as anonymous or ftp may do: none, read or write [write, but \
             none once --users is given]",
        )
        .choices(&args::words(&ANONYMOUS)),
        Flag::option("users", "FILE", "accounts, as ftp_server passwd writes them"),
        Flag::option("config", "FILE", "name = value lines, the names being these options")
            .command_line_only(),
        Flag::option(
            "passive-ports",
            "FIRST-LAST",
            "ports for passive data connections [any free port]",
        ),
        Flag::option(
            "passive-address",
            "[CIDR=]HOST",
            "address to announce in PASV replies (behind NAT), or to clients of one network; the \
             narrowest decides [the address the client connected to]",
        )
        .many(),
        Flag::option("max-sessions", "N", "sessions at once; the next gets 421").or("4096"),
        Flag::option(
            "max-sessions-per-ip",
            "N",
            "sessions at once from one client address [no limit]",
        ),
        Flag::option("login-timeout", "D", "time to log in").or("60s"),
        Flag::option("idle-timeout", "D", "time between commands; then 421 and close").or("300s"),
        Flag::option(
            "transfer-timeout",
            "D",
            "longest stall of a data connection, also its set-up",
        )
        .or("60s"),
        Flag::option("rate-limit", "RATE", "bytes a second for each session [no limit]"),
        Flag::option("rate-limit-per-ip", "RATE", "the same, for one client address [no limit]"),
        Flag::option(
            "rate-limit-total",
            "RATE",
            "the same, for all clients, divided evenly among their addresses [no limit]",
        ),
        Flag::option("max-login-failures", "N", "wrong logins in one session; then 421 and close, and the address is refused for a while \
             that grows")
            .or("3"),
        Flag::option(
            "shutdown-grace",
            "D",
            "how long running transfers may go on after SIGTERM or SIGINT",
        )
        .or("30s"),
        Flag::switch("sync", "fsync a file and its directory before its 226"),
        Flag::option(
            "log-level",
            "LEVEL",
            "error, warn, info or debug (commands and replies, passwords masked)",
        )
        .choices(&args::words(&LEVELS))
        .or("info"),
        Flag::option("log-format", "FORMAT", "text, or json: one object a line")
            .choices(&args::words(&FORMATS))
            .or("text"),
        Flag::option(
            "log-file",
            "FILE",
            "where the log goes, at its end; opened anew on SIGHUP [standard error]",
        ),
        Flag::option(
            "transfer-log",
            "FILE",
            "a line for each file that was moved or deleted, in the xferlog form that log analysers \
             read; opened anew on SIGHUP [none]",
        ),
        Flag::option(
            "status",
            "HOST:PORT",
            "serve a page of what goes on here by HTTP, /metrics for Prometheus, /healthz and \
             /readyz; a port alone is that of 127.0.0.1 [off]",
        ),
        Flag::option(
            "proxy-protocol",
            "CIDR[,CIDR...]",
            "load balancers, which have to announce each client's address by PROXY protocol 1 or 2 \
             [none]",
        )
        .many(),
    ],
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
        let counts = || args::integer(1..=1_000_000usize);
        let users = given.value("users").map(PathBuf::from);
        Ok(Config {
            host: given.get("host", host)?,
            port: given.need("port", args::port)?,
            root: given.value("root").map_or_else(|| PathBuf::from("."), PathBuf::from),
            anonymous: given
                .get("anonymous", args::one_of(&ANONYMOUS))?
                .unwrap_or(users.is_none().then_some(Access::Write)),
            users,
            passive_ports: given.get("passive-ports", ports)?,
            passive_address: announcements(given)?,
            max_sessions: given.need("max-sessions", counts())?,
            max_sessions_per_ip: given.get("max-sessions-per-ip", counts())?,
            login_timeout: given.need("login-timeout", some_time)?,
            idle_timeout: given.need("idle-timeout", some_time)?,
            transfer_timeout: given.need("transfer-timeout", some_time)?,
            rate_limit: given.get("rate-limit", args::rate)?,
            rate_limit_per_ip: given.get("rate-limit-per-ip", args::rate)?,
            rate_limit_total: given.get("rate-limit-total", args::rate)?,
            max_login_failures: given.need("max-login-failures", args::integer(1..=1_000_000))?,
            shutdown_grace: given.need("shutdown-grace", args::duration)?,
            sync: given.switch("sync"),
            log_level: given.need("log-level", args::one_of(&LEVELS))?,
            log_format: given.need("log-format", args::one_of(&FORMATS))?,
            log_file: given.value("log-file").map(PathBuf::from),
            transfer_log: given.value("transfer-log").map(PathBuf::from),
            status: given.get("status", status)?,
            proxy_protocol: given.get_all("proxy-protocol", listed(Network::parse))?.concat(),
        })
    }
}

impl Config {
    /// Sets what only a restart changes back to what it is, and names what was to be changed.
    pub fn keep_fixed(&mut self, before: &Config) -> Vec<StartError> {
        let mut problems = Vec::new();
        for (name, changed) in [
            ("host", self.host != before.host),
            ("port", self.port != before.port),
            ("root", self.root != before.root),
            ("status", self.status != before.status),
        ] {
            problems.extend(changed.then_some(StartError::NeedsRestart(name)));
        }
        self.host.clone_from(&before.host);
        self.port = before.port;
        self.root.clone_from(&before.root);
        self.status.clone_from(&before.status);
        problems
    }
}

const ANONYMOUS: [(&str, Option<Access>); 3] =
    [("none", None), ("read", Some(Access::Read)), ("write", Some(Access::Write))];

const LEVELS: [(&str, Level); 4] = [
    ("error", Level::Error),
    ("warn", Level::Warn),
    ("info", Level::Info),
    ("debug", Level::Debug),
];

const FORMATS: [(&str, Format); 2] = [("text", Format::Text), ("json", Format::Json)];

fn host(text: &str) -> Result<String, args::Expected> {
    let host = text.trim();
    // "[::1]" is how addresses stand in URLs; people copy them from there.
    let host = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    let fits = !host.is_empty() && !host.contains(char::is_whitespace);
    if fits { Ok(host.into()) } else { Err(args::Expected("an address or a host name".into())) }
}

/// Each network once.
fn announcements(given: &Parsed) -> Result<Vec<PassiveAddress>, Usage> {
    let one = |text: &str| PassiveAddress::parse(text, host);
    let all = given.get_all("passive-address", listed(one))?.concat();
    for (at, one) in all.iter().enumerate() {
        if all[..at].iter().any(|before| before.network == one.network) {
            let expected = format!("one address for clients of {}", one.network);
            return Err(given.wrong("passive-address", expected));
        }
    }
    Ok(all)
}

/// A parser for several of something with commas in between.
fn listed<T>(
    one: impl Fn(&str) -> Result<T, args::Expected>,
) -> impl Fn(&str) -> Result<Vec<T>, args::Expected> {
    move |text| text.split(',').map(|part| one(part.trim())).collect()
}

fn ports(text: &str) -> Result<RangeInclusive<u16>, args::Expected> {
    let number = |text: &str| args::port(text).ok().filter(|port| *port > 0);
    let range =
        text.split_once('-').and_then(|(first, last)| Some((number(first)?, number(last)?)));
    match range {
        Some((first, last)) if first <= last => Ok(first..=last),
        _ => Err(args::Expected("two ports, FIRST-LAST, from 1 to 65535".into())),
    }
}

/// `HOST:PORT`, `[::1]:PORT`, and without a host `:PORT` or `PORT`.
fn status(text: &str) -> Result<StatusAt, args::Expected> {
    let (name, port) = text.rsplit_once(':').unwrap_or(("", text));
    let bracketed = name.starts_with('[') && name.ends_with(']');
    let name = if name.is_empty() { DEFAULT_HOST } else { name };
    match (host(name), args::port(port)) {
        // ::1 could be port 1 of an address that is cut short.
        (Ok(host), Ok(port)) if bracketed || !host.contains(':') => Ok(StatusAt { host, port }),
        _ => Err(args::Expected("HOST:PORT, such as 127.0.0.1:9026 or [::1]:9026".into())),
    }
}

/// A time-out of no time would end every session before it began.
fn some_time(text: &str) -> Result<Duration, args::Expected> {
    match args::duration(text)? {
        Duration::ZERO => Err(args::Expected("a duration above 0, such as 30s, 5m or 1h".into())),
        duration => Ok(duration),
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
        assert_eq!(config.anonymous, Some(Access::Write));
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
