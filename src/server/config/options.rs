//! The options of the server, a row each.
//!
//! To add one takes a field in [`Config`] and a row here: how it is given, its help, what it sets, if
//! a reload can change it, and what is in force without it. `--help`, the man page, the completions,
//! config files, `ftp_server check` and the tests read the rows.

use crate::args::{self, Flag, Origin, Parsed, Usage};
use crate::server::accounts::Access;
use crate::server::cidr::Network;
use crate::server::config::values::{self, access_name, announcements, count, host, listed, ports};
use crate::server::config::values::{ANONYMOUS, FORMATS, LEVELS};
use crate::server::config::values::{TLS_REQUIRED, TLS_REUSE, TLS_VERSIONS};
use crate::server::config::values::{some_time, status};
use crate::server::config::{Config, DEFAULT_HOST};
use crate::server::log::Format;
use crate::sys;
use std::path::PathBuf;

/// Sets what the option of this name was given.
type Set = fn(&mut Config, &Parsed, &'static str) -> Result<(), Usage>;

/// Sets an option back to what it was before, and returns true if that changed it.
type Keep = fn(&mut Config, &Config) -> bool;

/// An option.
#[derive(Clone, Copy)]
pub struct ServerOption {
    /// How it is given, and its help.
    pub flag: Flag,
    set: Set,
    /// For an option that only a restart can change.
    keep: Option<Keep>,
    /// What is in force where it is not given, if its help does not say that.
    unnamed: Option<fn(&Config) -> String>,
}

impl ServerOption {
    const fn new(flag: Flag, set: Set) -> ServerOption {
        ServerOption { flag, set, keep: None, unnamed: None }
    }

    const fn fixed(self, keep: Keep) -> ServerOption {
        ServerOption { keep: Some(keep), ..self }
    }

    const fn unnamed(self, text: fn(&Config) -> String) -> ServerOption {
        ServerOption { unnamed: Some(text), ..self }
    }

    /// Its name without `--`.
    pub fn name(&self) -> &'static str {
        self.flag.long.unwrap_or_default()
    }

    /// Sets it to what was given, or to its default.
    ///
    /// # Errors
    /// The value is wrong.
    pub fn set(&self, config: &mut Config, given: &Parsed) -> Result<(), Usage> {
        (self.set)(config, given, self.name())
    }

    /// Sets it back to what it was if only a restart can change it, and returns true if that changed
    /// it.
    pub fn keep(&self, config: &mut Config, before: &Config) -> bool {
        self.keep.is_some_and(|keep| keep(config, before))
    }

    /// Returns what is in force where it is not given.
    pub fn unnamed_default(&self, config: &Config) -> String {
        match self.unnamed {
            Some(text) => text(config),
            None => self.flag.unnamed_default().unwrap_or("none").into(),
        }
    }

    /// Returns true if it names a file that the server reads or writes itself.
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
    .fixed(|config, before| keep(&mut config.host, &before.host))
    .unnamed(|_| DEFAULT_HOST.into()),
    ServerOption::new(
        Flag::option("port", "PORT", "control port; 0 picks a free one").or("1026"),
        |config, given, name| {
            config.port = given.need(name, args::port)?;
            Ok(())
        },
    )
    .fixed(|config, before| keep(&mut config.port, &before.port)),
    ServerOption::new(
        Flag::option(
            "root",
            "DIR",
            "the directory served; clients see it as / and nothing outside it [the current \
             directory]",
        ),
        |config, given, name| {
            config.root = given.value(name).map_or_else(|| ".".into(), PathBuf::from);
            Ok(())
        },
    )
    .fixed(|config, before| keep(&mut config.root, &before.root))
    .unnamed(|_| values::current_dir()),
    ServerOption::new(
        Flag::option(
            "anonymous",
            "ACCESS",
            "what visitors who log in as anonymous or ftp may do: none, drop (list, and store new \
             files), read, store (read and store, not delete) or write [store, but none once \
             --users is given]",
        )
        .choices(&args::words(&ANONYMOUS)),
        |config, given, name| {
            // Accounts alone, unless visitors are asked for too.
            let usual = given.value("users").is_none().then_some(Access::Store);
            config.anonymous = given.get(name, args::one_of(&ANONYMOUS))?.unwrap_or(usual);
            Ok(())
        },
    )
    .unnamed(|config| access_name(config.anonymous).into()),
    ServerOption::new(
        Flag::option("users", "FILE", "accounts, as ftp_server passwd writes them"),
        |config, given, name| {
            config.users = given.value(name).map(PathBuf::from);
            Ok(())
        },
    ),
    ServerOption::new(
        Flag::option("config", "FILE", "name = value lines, the names being these options")
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
            "address to announce in PASV replies (behind NAT), or to clients of one network; the \
             narrowest decides [the address the client connected to]",
        )
        .many(),
        |config, given, name| {
            config.passive_address = announcements(given, name)?;
            Ok(())
        },
    ),
    ServerOption::new(
        Flag::option("max-sessions", "N", "sessions at once; the next gets 421").or("4096"),
        |config, given, name| {
            config.max_sessions = given.need(name, count)?;
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
            config.max_sessions_per_ip = given.get(name, count)?;
            Ok(())
        },
    ),
    ServerOption::new(
        Flag::option("login-timeout", "D", "time to log in").or("60s"),
        |config, given, name| {
            config.login_timeout = given.need(name, some_time)?;
            Ok(())
        },
    ),
    ServerOption::new(
        Flag::option("idle-timeout", "D", "time between commands; then 421 and close").or("300s"),
        |config, given, name| {
            config.idle_timeout = given.need(name, some_time)?;
            Ok(())
        },
    ),
    ServerOption::new(
        Flag::option(
            "transfer-timeout",
            "D",
            "longest stall of a data connection, also its set-up",
        )
        .or("60s"),
        |config, given, name| {
            config.transfer_timeout = given.need(name, some_time)?;
            Ok(())
        },
    ),
    ServerOption::new(
        Flag::option("rate-limit", "RATE", "bytes a second for each session [no limit]"),
        |config, given, name| {
            config.rate_limit = given.get(name, args::rate)?;
            Ok(())
        },
    ),
    ServerOption::new(
        Flag::option("rate-limit-per-ip", "RATE", "the same, for one client address [no limit]"),
        |config, given, name| {
            config.rate_limit_per_ip = given.get(name, args::rate)?;
            Ok(())
        },
    ),
    ServerOption::new(
        Flag::option(
            "rate-limit-total",
            "RATE",
            "the same, for all clients, divided evenly among their addresses [no limit]",
        ),
        |config, given, name| {
            config.rate_limit_total = given.get(name, args::rate)?;
            Ok(())
        },
    ),
    ServerOption::new(
        Flag::option("max-login-failures", "N", "wrong logins in one session; then 421 and close, and the address is refused for a while \
             that grows")
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
            "how long running transfers may go on after SIGTERM or SIGINT",
        )
        .or("30s"),
        |config, given, name| {
            config.shutdown_grace = given.need(name, args::duration)?;
            Ok(())
        },
    ),
    ServerOption::new(
        Flag::switch("sync", "fsync a file and its directory before its 226"),
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
        Flag::option("log-format", "FORMAT", "text, or json: one object a line")
            .choices(&args::words(&FORMATS))
            .or("text"),
        |config, given, name| {
            config.log_format = given.need(name, args::one_of(&FORMATS))?;
            let is_default = *given.origin(name) == Origin::Default;
            // The journal has times and levels of its own.
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
            "where the log goes, at its end; opened anew on SIGHUP [standard error]",
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
            "a line for each file that was moved or deleted, in the xferlog form that log analysers \
             read; opened anew on SIGHUP [none]",
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
            "serve a page of what goes on here by HTTP, /metrics for Prometheus, /healthz and \
             /readyz; a port alone is that of 127.0.0.1 [off]",
        ),
        |config, given, name| {
            config.status = given.get(name, status)?;
            Ok(())
        },
    )
    .fixed(|config, before| keep(&mut config.status, &before.status)),
    ServerOption::new(
        Flag::option(
            "tls-cert",
            "FILE",
            "offer encryption (FTPS) with this certificate: PEM, the server's own first [none]",
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
            "who must encrypt login and data once there is a certificate: none, accounts or all",
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
            "a second control port, where TLS comes first (ftps://), as on 990; 0 picks a free one \
             [none]",
        ),
        |config, given, name| {
            config.tls_port = given.get(name, args::port)?;
            Ok(())
        },
    )
    .fixed(|config, before| keep(&mut config.tls_port, &before.tls_port)),
    ServerOption::new(
        Flag::option("tls-min", "VERSION", "the oldest version of TLS that is accepted")
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
             connection, which not every client can",
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
            "accept CCC: the control connection continues in clear after the login",
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
            "the OpenSSL to load, such as /usr/lib/libssl.so.3 [the system's]",
        ),
        |config, given, name| {
            config.tls_library = given.value(name).map(PathBuf::from);
            Ok(())
        },
    )
    .fixed(|config, before| keep(&mut config.tls_library, &before.tls_library)),
    ServerOption::new(
        Flag::option(
            "proxy-protocol",
            "CIDR[,CIDR...]",
            "load balancers, which have to announce each client's address by PROXY protocol 1 or 2 \
             [none]",
        )
        .many(),
        |config, given, name| {
            config.proxy_protocol = given.get_all(name, listed(Network::parse))?.concat();
            Ok(())
        },
    ),
];

/// The same for the parser.
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
