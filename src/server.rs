//! The server: the state that all sessions share, and the course of a session.
//!
//! `bin/server.rs` owns the listener, the signals and the threads; this module handles the connections. A session is a
//! local variable of its thread. [`Server`] has everything that sessions share: the settings, the logs, the limits, the
//! counters and the shutdown.

pub mod accounts;
pub mod admission;
mod auth;
mod cidr;
pub mod cli;
pub mod config;
mod data;
mod error;
mod fs;
mod limits;
pub mod log;
pub mod monitor;
pub mod panic_hook;
mod proxy;
mod session;
mod settings;
pub mod tls;
mod token_bucket;

pub use admission::{Client, IncomingConnection};

use crate::args::Usage;
use crate::net;
use crate::shutdown::Shutdown;
use crate::sys::{TlsError, TlsUnavailable};
use crate::text::{Reason, fingerprint};
use accounts::AccountsError;
use auth::login_attempts::LoginAttempts;
use auth::password_check::PasswordChecks;
use config::{Config, StatusAddress, access_name};
use limits::account_sessions::AccountSessions;
use limits::bandwidth::Bandwidth;
use limits::sessions::SessionLimits;
use log::empty_sessions::EmptySessions;
use log::throttle::Throttle;
use log::{Field, Level, Log, TransferLog};
use monitor::counters::Counters;
use monitor::sessions::SessionList;
use proxy::ClientOrigin;
use session::Session;
use settings::{CurrentSettings, PreparedSettings, Settings};
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};
use tls::FailureKind;

/// The state that all sessions share.
pub struct Server {
    settings: CurrentSettings,
    log: Arc<Log>,
    transfers: TransferLog,
    session_limits: SessionLimits,
    login_attempts: LoginAttempts,
    bandwidth: Bandwidth,
    account_sessions: AccountSessions,
    password_checks: PasswordChecks,
    shutdown: Shutdown,
    session_list: SessionList,
    counters: Counters,
    sessions: AtomicU64,
    empty_sessions: EmptySessions,
    rejected: Throttle,
    exhausted: Throttle,
    unannounced: Throttle,
    /// The failed handshakes of control connections, by [`FailureKind`]: a flood of one kind hides no other.
    failed_handshakes: [Throttle; FailureKind::ALL.len()],
}

/// The interval between log lines about transfers that delay the shutdown.
const DRAINING_EVERY: Duration = Duration::from_secs(10);

impl Server {
    /// Creates a server without sessions, and reads the accounts.
    ///
    /// # Errors
    /// Returns the file or directory that cannot be used, and why.
    pub fn new(config: Config, shutdown: Shutdown, log: Arc<Log>) -> Result<Server, StartError> {
        let prepared = PreparedSettings::initial(config)?;
        let config = prepared.config();
        let transfers = TransferLog::open(config.transfer_log.as_deref(), Arc::clone(&log))
            .map_err(StartError::Log)?;
        if config.status.is_some() {
            log.keep_recent();
        }
        let settings = prepared.apply();
        settings.passive_addresses.keep_current(&log);
        let config = &settings.config;
        Ok(Server {
            transfers,
            session_limits: SessionLimits::new(config.max_sessions, config.max_sessions_per_ip),
            bandwidth: Bandwidth::new(config),
            account_sessions: AccountSessions::default(),
            counters: Counters::new(config.status.is_some()),
            settings: CurrentSettings::new(settings),
            log,
            login_attempts: LoginAttempts::default(),
            password_checks: PasswordChecks::default(),
            shutdown,
            session_list: SessionList::default(),
            sessions: AtomicU64::new(0),
            empty_sessions: EmptySessions::default(),
            rejected: Throttle::default(),
            exhausted: Throttle::default(),
            unannounced: Throttle::default(),
            failed_handshakes: Default::default(),
        })
    }

    /// Returns the settings in effect.
    pub fn settings(&self) -> Arc<Settings> {
        self.settings.get()
    }

    /// Returns the event log.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Logs the start of the server, with its addresses, root and accounts.
    pub fn log_started(&self, addresses: &[SocketAddr], root: &Path) {
        let settings = self.settings();
        let addresses: Vec<String> = addresses.iter().map(SocketAddr::to_string).collect();
        let accounts = settings.authenticator.accounts.as_ref().map_or(0, |all| all.count());
        self.log.event(
            Level::Info,
            "started",
            &[
                ("version", &env!("CARGO_PKG_VERSION")),
                ("addresses", &addresses.join(",")),
                ("root", &root.as_os_str().as_encoded_bytes()),
                ("anonymous", &access_name(settings.config.anonymous)),
                ("accounts", &accounts),
                ("tls", &if settings.tls.is_some() { "on" } else { "off" }),
            ],
        );
    }

    /// Waits up to one second until both logs are written. Unwritten lines are lost when the process exits.
    pub fn flush_logs(&self) {
        let deadline = Instant::now() + Duration::from_secs(1);
        // First the transfer log, because it reports lost lines to the event log.
        self.transfers.flush(deadline);
        self.log.flush(deadline);
    }

    /// Reads the accounts again, reopens the logs and applies `config`. Errors, including `wrong` from reading
    /// the options, are logged, and the settings concerned keep their values. Sessions use the new settings from their
    /// next command on.
    pub fn reload(&self, config: Config, wrong: &[Usage]) {
        let before = self.settings();
        let (prepared, mut problems) = PreparedSettings::reloaded(&before, config);
        self.apply(prepared, &before.config, &mut problems);
        let wrong = wrong.iter().map(|wrong| self.log_problem(wrong));
        let count: usize = wrong.chain(problems.iter().map(|it| self.log_problem(it))).sum();
        let settings = self.settings();
        self.log_certificate(&before, &settings);
        if let Some(warning) = tls::warning(&settings.config, settings.tls.as_deref()) {
            self.log.event(Level::Warn, "certificate-expires", &[("why", &warning)]);
        }
        self.log.event(Level::Info, "reloaded", &[("problems", &count)]);
    }

    /// Logs the certificate that new sessions get, if it has changed.
    fn log_certificate(&self, before: &Settings, now: &Settings) {
        let certificate = |settings: &Settings| settings.tls.as_ref()?.own_certificate();
        let Some(new) = certificate(now) else { return };
        if certificate(before).as_ref() == Some(&new) {
            return;
        }
        let digest = fingerprint(&new.sha256());
        let mut fields: Vec<Field<'_>> = vec![("sha256", &digest)];
        // An expired certificate gets a warning instead.
        let days =
            tls::days_left(&new, SystemTime::now()).and_then(|days| u64::try_from(days).ok());
        fields.extend(days.iter().map(|days| -> Field<'_> { ("days", days) }));
        self.log.event(Level::Info, "certificate", &fields);
    }

    /// Applies prepared settings. A log that cannot be reopened continues in its old file.
    fn apply(
        &self,
        mut prepared: PreparedSettings,
        before: &Config,
        problems: &mut Vec<StartError>,
    ) {
        self.reopen_logs(prepared.config_mut(), before, problems);
        let config = prepared.config();
        self.session_limits.set(config.max_sessions, config.max_sessions_per_ip);
        self.bandwidth.set(config);
        let settings = prepared.apply();
        settings.passive_addresses.keep_current(&self.log);
        self.settings.replace(settings);
    }

    fn reopen_logs(&self, now: &mut Config, before: &Config, problems: &mut Vec<StartError>) {
        self.log.set_level(now.log_level);
        self.log.set_format(now.log_format);
        if let Err(error) = self.log.reopen(now.log_file.as_deref()) {
            problems.push(StartError::Log(error));
            now.log_file.clone_from(&before.log_file);
        }
        if let Err(error) = self.transfers.reopen(now.transfer_log.as_deref()) {
            problems.push(StartError::Log(error));
            now.transfer_log.clone_from(&before.transfer_log);
        }
    }

    /// Logs why a setting was not reloaded, one line for each problem, and returns their number.
    fn log_problem(&self, problem: &dyn fmt::Display) -> usize {
        let problem = problem.to_string();
        let log = |why| self.log.event(Level::Error, "not-reloaded", &[("why", &why)]);
        problem.lines().map(log).count()
    }

    /// Runs a session from its greeting to its end, and then releases the client's slot.
    pub fn serve(&self, client: &Client) {
        let Some((incoming, mut slot)) = client.take() else { return };
        let since = Instant::now();
        match self.identify_client(&incoming, &mut slot, since) {
            Ok(Some(origin)) => self.run_session(incoming, origin, since),
            Ok(None) => {}
            Err(error) => self.log_lost(incoming.peer, &error),
        }
        drop(slot);
    }

    /// Runs a session. The session is boxed because it is large, and a thread keeps every page of its stack that it has
    /// ever used.
    fn run_session(&self, incoming: IncomingConnection, origin: ClientOrigin, since: Instant) {
        match Session::new(self, incoming, &origin, since) {
            Ok(mut session) => session.run(),
            Err(error) => self.log_lost(origin.peer, &error),
        }
    }

    fn log_lost(&self, peer: SocketAddr, cause: &io::Error) {
        self.log.event(Level::Info, "lost", &[("peer", &peer), ("cause", cause)]);
    }

    /// Begins the shutdown: no new sessions, and idle ones end.
    pub fn drain(&self) {
        self.shutdown.drain();
    }

    /// Waits for the sessions to end: idle ones end at once, transfers have `grace`.
    pub fn wait_for_sessions(&self, grace: Duration) {
        const FINAL_REPLIES: Duration = Duration::from_secs(5);
        self.login_attempts.close();
        self.password_checks.close();
        let end = net::deadline(grace);
        loop {
            self.log_draining(end);
            let next = net::deadline(DRAINING_EVERY);
            if self.session_limits.wait_until_empty(net::sooner(next, end)) {
                return;
            }
            if end.is_some_and(|end| end <= Instant::now()) {
                break;
            }
        }
        let left = self.session_limits.count();
        self.log.event(Level::Warn, "grace-over", &[("sessions", &left)]);
        self.shutdown.stop();
        self.session_limits.wait_until_empty(net::deadline(FINAL_REPLIES));
    }

    /// Logs the number of transfers that the shutdown waits for, if any, and the time that they have left.
    fn log_draining(&self, end: Option<Instant>) {
        let entries = self.session_list.all();
        let transfers = entries.iter().filter(|entry| entry.transfer_started().is_some()).count();
        if transfers == 0 {
            return;
        }
        let left = end.map(|end| end.saturating_duration_since(Instant::now()).as_secs() + 1);
        let mut fields: Vec<Field<'_>> = vec![("transfers", &transfers)];
        fields.extend(left.iter().map(|left| -> Field<'_> { ("seconds", left) }));
        fields.push(("hint", &"a second SIGTERM or SIGINT ends them at once"));
        self.log.event(Level::Info, "draining", &fields);
    }

    /// Returns the number of sessions since startup.
    fn sessions_so_far(&self) -> u64 {
        self.sessions.load(Ordering::Relaxed)
    }

    fn next_session(&self) -> u64 {
        self.sessions.fetch_add(1, Ordering::Relaxed) + 1
    }
}

/// The reason why a server cannot start, or a setting cannot be reloaded.
#[derive(Debug)]
pub enum StartError {
    /// The root directory cannot be served.
    Root(PathBuf, io::Error),
    /// The accounts cannot be used.
    Accounts(AccountsError),
    /// An address of `--passive-address` cannot be used or resolved.
    PassiveAddress(io::Error),
    /// This option needs `--tls-cert`.
    NoCertificate(&'static str),
    /// The TLS library cannot be used.
    TlsLibrary(TlsUnavailable),
    /// The certificate or its key cannot be used.
    Tls(TlsError),
    /// The log cannot be written.
    Log(io::Error),
    /// The status page cannot be served at this address.
    Status(StatusAddress, io::Error),
    /// This option was changed, but only a restart can change it.
    NeedsRestart(&'static str),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::Root(root, error) => {
                write!(f, "cannot serve {}: {}", root.display(), Reason(error))
            }
            StartError::Accounts(error) => error.fmt(f),
            StartError::PassiveAddress(error) => {
                write!(
                    f,
                    "cannot use --passive-address {}; expected an IPv4 address or a host name with one",
                    Reason(error)
                )
            }
            StartError::Status(StatusAddress { host, port }, error) => {
                write!(f, "cannot listen on {host} port {port} for --status: {}", Reason(error))
            }
            StartError::NoCertificate(option) => {
                write!(f, "{option} needs a certificate: set its file with --tls-cert")
            }
            StartError::TlsLibrary(error) => error.fmt(f),
            StartError::Tls(error) => error.fmt(f),
            StartError::Log(error) => write!(f, "cannot write {error}"),
            StartError::NeedsRestart(option) => {
                write!(f, "cannot change {option}: restart the server")
            }
        }
    }
}

impl std::error::Error for StartError {}
