//! The options of the server, one row each.
//!
//! A new option needs a field in [`Config`] and a row here: its name and value, its help, how it sets the field,
//! whether a reload can change it, and its default. `--help`, the man page, the completions, config files, `ftp_server
//! check` and the tests read the rows.

use crate::args::{self, Flag, Origin, Parsed, Usage};
use crate::server::accounts::Access;
use crate::server::cidr::Network;
use crate::server::config::values::{
    self, access_name, comma_separated, host, passive_addresses, ports, session_count,
};
use crate::server::config::values::{ANONYMOUS, FORMATS, LEVELS};
use crate::server::config::values::{TLS_REQUIRED, TLS_REUSE, TLS_VERSIONS};
use crate::server::config::values::{nonzero_duration, status};
use crate::server::config::{Config, DEFAULT_HOST};
use crate::server::log::Format;
use crate::sys;
use std::path::PathBuf;

/// Sets the field of the option of this name.
type Set = fn(&mut Config, &Parsed, &'static str) -> Result<(), Usage>;

/// Restores the previous value of an option. Returns whether it had changed.
type Keep = fn(&mut Config, &Config) -> bool;

/// An option.
#[derive(Clone, Copy)]
pub struct ServerOption {
    /// The name, value and help of the option.
    pub flag: Flag,
    set: Set,
    /// Restores the previous value after a reload. `Some` if only a restart can change the option.
    keep: Option<Keep>,
    /// The effective default, if it depends on other options or on the environment.
    default_text: Option<fn(&Config) -> String>,
}

impl ServerOption {
    const fn new(flag: Flag, set: Set) -> ServerOption {
        ServerOption { flag, set, keep: None, default_text: None }
    }

    const fn restart_only(self, keep: Keep) -> ServerOption {
        ServerOption { keep: Some(keep), ..self }
    }

    const fn default_text(self, text: fn(&Config) -> String) -> ServerOption {
        ServerOption { default_text: Some(text), ..self }
    }

    /// Returns the name without `--`.
    pub fn name(&self) -> &'static str {
        self.flag.long.unwrap_or_default()
    }

    /// Sets the field to the given value or the default.
    ///
    /// # Errors
    /// Returns the wrong value and what was expected.
    pub fn set(&self, config: &mut Config, given: &Parsed) -> Result<(), Usage> {
        (self.set)(config, given, self.name())
    }

    /// Restores the previous value if only a restart can change the option. Returns whether it had changed.
    pub fn keep(&self, config: &mut Config, before: &Config) -> bool {
        self.keep.is_some_and(|keep| keep(config, before))
    }

    /// Returns the value in effect if the option is not given.
    pub fn effective_default(&self, config: &Config) -> String {
        match self.default_text {
            Some(text) => text(config),
            None => self.flag.unnamed_default().unwrap_or("none").into(),
        }
    }

    /// Returns whether the value is a file that the server itself reads or writes.
    pub fn is_file(&self) -> bool {
        self.flag.value == Some("FILE")
    }
}

/// All options, in the order of `--help`.
pub const OPTIONS: &[ServerOption] = &[
    ServerOption::new(
        Flag::option(
            "host",
            "HOST",
            "address or host name to listen on; :: serves IPv6 and IPv4 [asked for on a terminal, \
             else 127.0.0.1]",
        ),
        |config, given, name| {
            config.host = given.get(name, host)?;
            Ok(())
        },
    )
    .restart_only(|config, before| keep(&mut config.host, &before.host))
    .default_text(|_| DEFAULT_HOST.into()),
    ServerOption::new(
        Flag::option("port", "PORT", "control port; 0 picks a free one").or("1026"),
        |config, given, name| {
            config.port = given.need(name, args::port)?;
            Ok(())
        },
    )
    .restart_only(|config, before| keep(&mut config.port, &before.port)),
    ServerOption::new(
        Flag::option(
            "root",
            "DIR",
            "directory to serve; clients see it as / and nothing outside it [the current \
             directory]",
        ),
        |config, given, name| {
            config.root = given.value(name).map_or_else(|| ".".into(), PathBuf::from);
            Ok(())
        },
    )
    .restart_only(|config, before| keep(&mut config.root, &before.root))
    .default_text(|_| values::current_dir()),
    ServerOption::new(
        Flag::option(
            "anonymous",
            "ACCESS",
            "access of visitors who log in as anonymous or ftp: none, drop (list, and store new \
             files), read, store (read and store, not delete) or write [store, but none once \
             --users is given]",
        )
        .choices(&args::words(&ANONYMOUS)),
        |config, given, name| {
            // If there are accounts, visitors must be allowed explicitly.
            let usual = given.value("users").is_none().then_some(Access::Store);
            config.anonymous = given.get(name, args::one_of(&ANONYMOUS))?.unwrap_or(usual);
            Ok(())
        },
    )
    .default_text(|config| access_name(config.anonymous).into()),
    ServerOption::new(
        Flag::option("users", "FILE", "accounts file, as written by ftp_server passwd"),
        |config, given, name| {
            config.users = given.value(name).map(PathBuf::from);
            Ok(())
        },
    ),
    ServerOption::new(
        Flag::option("config", "FILE", "read options from lines NAME = VALUE")
            .command_line_only(),
        |_, _, _| Ok(()),
    ),
    ServerOption::new(
        Flag::option(
            "passive-ports",
            "FIRST-LAST",
            "ports for passive data connections [any free port]",
        ),
        |config, given, name| {
            config.passive_ports = given.get(name, ports)?;
            Ok(())
        },
    ),
    ServerOption::new(
        Flag::option(
            "passive-address",
            "[CIDR=]HOST",
            "IPv4 address or host name to announce in PASV replies (behind NAT), or to clients of one \
             network; the narrowest network wins [the address the client connected to]",
        )
        .many(),
        |config, given, name| {
            config.passive_address = passive_addresses(given, name)?;
            Ok(())
        },
    ),
    ServerOption::new(
        Flag::option("max-sessions", "N", "sessions at once; further clients get 421").or("4096"),
        |config, given, name| {
            config.max_sessions = given.need(name, session_count)?;
            Ok(())
        },
    ),
    ServerOption::new(
        Flag::option(
            "max-sessions-per-ip",
            "N",
            "sessions at once from one client address [no limit]",
        ),
        |config, given, name| {
            config.max_sessions_per_ip = given.get(name, session_count)?;
            Ok(())
        },
    ),
    ServerOption::new(
        Flag::option("login-timeout", "D", "time to log in").or("60s"),
        |config, given, name| {
            config.login_timeout = given.need(name, nonzero_duration)?;
            Ok(())
        },
    ),
    ServerOption::new(
        Flag::option("idle-timeout", "D", "time between commands; then 421 and close").or("300s"),
        |config, given, name| {
            config.idle_timeout = given.need(name, nonzero_duration)?;
            Ok(())
        },
    ),
    ServerOption::new(
        Flag::option(
            "transfer-timeout",
            "D",
            "maximum stall of a data connection, and maximum wait for one",
        )
        .or("60s"),
        |config, given, name| {
            config.transfer_timeout = given.need(name, nonzero_duration)?;
            Ok(())
        },
    ),
    ServerOption::new(
        Flag::option("rate-limit", "RATE", "bytes per second for each session [no limit]"),
        |config, given, name| {
            config.rate_limit = given.get(name, args::rate)?;
            Ok(())
        },
    ),
    ServerOption::new(
        Flag::option("rate-limit-per-ip", "RATE", "bytes per second for each client address [no limit]"),
        |config, given, name| {
            config.rate_limit_per_ip = given.get(name, args::rate)?;
            Ok(())
        },
    ),
    ServerOption::new(
        Flag::option(
            "rate-limit-total",
            "RATE",
            "bytes per second for all clients, divided evenly among their addresses [no limit]",
        ),
        |config, given, name| {
            config.rate_limit_total = given.get(name, args::rate)?;
            Ok(())
        },
    ),
    ServerOption::new(
        Flag::option("max-login-failures", "N", "failed logins in one session; then 421 and close, and the address is refused for a while \
             that grows with each repetition")
            .or("3"),
        |config, given, name| {
            config.max_login_failures = given.need(name, args::integer(1..=1_000_000))?;
            Ok(())
        },
    ),
    ServerOption::new(
        Flag::option(
            "shutdown-grace",
            "D",
            "time for running transfers to finish after SIGTERM or SIGINT",
        )
        .or("30s"),
        |config, given, name| {
            config.shutdown_grace = given.need(name, args::duration)?;
            Ok(())
        },
    ),
    ServerOption::new(
        Flag::switch("sync", "fsync each uploaded file and its directory before the 226"),
        |config, given, name| {
            config.sync = given.switch(name);
            Ok(())
        },
    ),
    ServerOption::new(
        Flag::option(
            "log-level",
            "LEVEL",
            "error, warn, info or debug (commands and replies, passwords masked)",
        )
        .choices(&args::words(&LEVELS))
        .or("info"),
        |config, given, name| {
            config.log_level = given.need(name, args::one_of(&LEVELS))?;
            Ok(())
        },
    ),
    ServerOption::new(
        Flag::option("log-format", "FORMAT", "text, or json: one object per line")
            .choices(&args::words(&FORMATS))
            .or("text"),
        |config, given, name| {
            config.log_format = given.need(name, args::one_of(&FORMATS))?;
            let is_default = *given.origin(name) == Origin::Default;
            // The journal adds time and level itself.
            if is_default && given.value("log-file").is_none() && sys::is_journal() {
                config.log_format = Format::Journal;
            }
            Ok(())
        },
    ),
    ServerOption::new(
        Flag::option(
            "log-file",
            "FILE",
            "append the log to FILE; reopened on SIGHUP [standard error]",
        ),
        |config, given, name| {
            config.log_file = given.value(name).map(PathBuf::from);
            Ok(())
        },
    ),
    ServerOption::new(
        Flag::option(
            "transfer-log",
            "FILE",
            "append a line for each transferred or deleted file, in the xferlog format that log \
             analyzers read; reopened on SIGHUP [none]",
        ),
        |config, given, name| {
            config.transfer_log = given.value(name).map(PathBuf::from);
            Ok(())
        },
    ),
    ServerOption::new(
        Flag::option(
            "status",
            "HOST:PORT",
            "serve a status page over HTTP, with /metrics for Prometheus, /healthz and /readyz; a \
             port alone listens on 127.0.0.1 [off]",
        ),
        |config, given, name| {
            config.status = given.get(name, status)?;
            Ok(())
        },
    )
    .restart_only(|config, before| keep(&mut config.status, &before.status)),
    ServerOption::new(
        Flag::option(
            "tls-cert",
            "FILE",
            "offer encryption (FTPS) with this PEM file: certificate chain, the server's first [none]",
        ),
        |config, given, name| {
            config.tls_cert = given.value(name).map(PathBuf::from);
            Ok(())
        },
    ),
    ServerOption::new(
        Flag::option("tls-key", "FILE", "the private key of --tls-cert [the same file]"),
        |config, given, name| {
            config.tls_key = given.value(name).map(PathBuf::from);
            Ok(())
        },
    ),
    ServerOption::new(
        Flag::option(
            "tls-required",
            "WHO",
            "users who must encrypt login and data if there is a certificate: none, accounts or all",
        )
        .choices(&args::words(&TLS_REQUIRED))
        .or("accounts"),
        |config, given, name| {
            config.tls_required = given.need(name, args::one_of(&TLS_REQUIRED))?;
            Ok(())
        },
    ),
    ServerOption::new(
        Flag::option(
            "tls-port",
            "PORT",
            "second control port for implicit TLS (ftps://), usually 990; 0 picks a free one \
             [none]",
        ),
        |config, given, name| {
            config.tls_port = given.get(name, args::port)?;
            Ok(())
        },
    )
    .restart_only(|config, before| keep(&mut config.tls_port, &before.tls_port)),
    ServerOption::new(
        Flag::option("tls-min", "VERSION", "oldest TLS version to accept")
            .choices(&args::words(&TLS_VERSIONS))
            .or("1.2"),
        |config, given, name| {
            config.tls_min = given.need(name, args::one_of(&TLS_VERSIONS))?;
            Ok(())
        },
    ),
    ServerOption::new(
        Flag::option(
            "tls-reuse",
            "RULE",
            "allow, or require: data connections must resume the TLS session of their control \
             connection, which some clients cannot",
        )
        .choices(&args::words(&TLS_REUSE))
        .or("allow"),
        |config, given, name| {
            config.tls_reuse_required = given.need(name, args::one_of(&TLS_REUSE))?;
            Ok(())
        },
    ),
    ServerOption::new(
        Flag::switch(
            "tls-ccc",
            "accept CCC, after which the control connection continues unencrypted",
        ),
        |config, given, name| {
            config.tls_ccc = given.switch(name);
            Ok(())
        },
    ),
    ServerOption::new(
        Flag::option(
            "tls-library",
            "FILE",
            "OpenSSL library to load, such as /usr/lib/libssl.so.3 [the system's]",
        ),
        |config, given, name| {
            config.tls_library = given.value(name).map(PathBuf::from);
            Ok(())
        },
    )
    .restart_only(|config, before| keep(&mut config.tls_library, &before.tls_library)),
    ServerOption::new(
        Flag::option(
            "proxy-protocol",
            "CIDR[,CIDR...]",
            "load balancers that announce each client's address with PROXY protocol 1 or 2; \
             their connections must begin with it [none]",
        )
        .many(),
        |config, given, name| {
            config.proxy_protocol = given.get_all(name, comma_separated(Network::parse))?.concat();
            Ok(())
        },
    ),
];

/// The flags of all options, for the parser.
pub static FLAGS: [Flag; OPTIONS.len()] = {
    let mut flags = [OPTIONS[0].flag; OPTIONS.len()];
    let mut row = 0;
    while row < OPTIONS.len() {
        flags[row] = OPTIONS[row].flag;
        row += 1;
    }
    flags
};

fn keep<T: Clone + PartialEq>(now: &mut T, before: &T) -> bool {
    let changed = now != before;
    now.clone_from(before);
    changed
}
