//! The server: what all sessions share, and the life of one session.
//!
//! The program in `bin/server.rs` owns the listener, the signals and the threads; this module owns
//! what happens on a connection. A session is a local variable of its thread. What sessions share
//! is here: the options, the tree that is served, the log, the count of sessions and the word that
//! the server ends.

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

pub use admission::{Arrival, Client};

use crate::args::Usage;
use crate::net;
use crate::shutdown::Shutdown;
use crate::sys::{TlsError, TlsUnavailable};
use crate::text::{Reason, fingerprint};
use accounts::AccountsError;
use auth::login_attempts::LoginAttempts;
use auth::password_check::PasswordChecks;
use config::{Config, StatusAt, access_name};
use limits::account_sessions::AccountSessions;
use limits::bandwidth::Bandwidth;
use limits::sessions::SessionLimits;
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

/// What all sessions share.
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
    turned_away: Throttle,
    exhausted: Throttle,
    unannounced: Throttle,
    /// The failed handshakes of control connections, by [`FailureKind`]: a flood of one kind hides no other.
    failed_handshakes: [Throttle; FailureKind::ALL.len()],
}

/// The time between two log lines about the transfers that the end of the server waits for.
const DRAINING_EVERY: Duration = Duration::from_secs(10);

impl Server {
    /// A server that has no sessions yet. Reads the accounts.
    ///
    /// # Errors
    /// Which of its files or directories cannot be used, and why.
    pub fn new(config: Config, shutdown: Shutdown, log: Arc<Log>) -> Result<Server, StartError> {
        let prepared = PreparedSettings::first(config)?;
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
            turned_away: Throttle::default(),
            exhausted: Throttle::default(),
            unannounced: Throttle::default(),
            failed_handshakes: Default::default(),
        })
    }

    /// The settings in force.
    pub fn settings(&self) -> Arc<Settings> {
        self.settings.get()
    }

    /// The log.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Logs that the server begins, and with what.
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

    /// Waits until both logs are written, for a second at most; what is queued is lost with the
    /// process.
    pub fn flush_logs(&self) {
        let deadline = Instant::now() + Duration::from_secs(1);
        // This one tells the other of lines that it lost.
        self.transfers.flush(deadline);
        self.log.flush(deadline);
    }

    /// Reads the accounts again, opens the logs anew and puts `config` in force. What is wrong, and
    /// what was `wrong` with the options before, is logged and stays as it was. Sessions follow with
    /// their next command.
    pub fn reload(&self, config: Config, wrong: &[Usage]) {
        let before = self.settings();
        let (prepared, mut problems) = PreparedSettings::after(&before, config);
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

    /// Logs the certificate that new sessions get from now on, if it is another one than before.
    fn log_certificate(&self, before: &Settings, now: &Settings) {
        let certificate = |settings: &Settings| settings.tls.as_ref()?.own_certificate();
        let Some(new) = certificate(now) else { return };
        if certificate(before).as_ref() == Some(&new) {
            return;
        }
        let digest = fingerprint(&new.sha256());
        let mut fields: Vec<Field<'_>> = vec![("sha256", &digest)];
        // An expired one has no days, and a warning.
        let days =
            tls::days_left(&new, SystemTime::now()).and_then(|days| u64::try_from(days).ok());
        fields.extend(days.iter().map(|days| -> Field<'_> { ("days", days) }));
        self.log.event(Level::Info, "certificate", &fields);
    }

    /// Puts prepared settings in force. A log that cannot be opened stays where it was.
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

    /// Logs why something of a reload stays as it was, a line for each thing that is wrong, and
    /// returns their number.
    fn log_problem(&self, problem: &dyn fmt::Display) -> usize {
        let problem = problem.to_string();
        let log = |why| self.log.event(Level::Error, "not-reloaded", &[("why", &why)]);
        problem.lines().map(log).count()
    }

    /// The life of one session, from greeting to end. The client's place is given back when it
    /// returns.
    pub fn serve(&self, client: &Client) {
        let Some((arrival, mut slot)) = client.take() else { return };
        let since = Instant::now();
        match self.learn(&arrival, &mut slot, since) {
            Ok(Some(origin)) => self.hold(arrival, origin, since),
            Ok(None) => {}
            Err(error) => self.log_lost(arrival.peer, &error),
        }
        drop(slot);
    }

    /// Runs a session. It is boxed, since it is large and a thread keeps every page of its stack that
    /// it has once touched.
    fn hold(&self, arrival: Arrival, origin: ClientOrigin, since: Instant) {
        match Session::new(self, arrival, &origin, since) {
            Ok(mut session) => session.run(),
            Err(error) => self.log_lost(origin.peer, &error),
        }
    }

    fn log_lost(&self, peer: SocketAddr, cause: &io::Error) {
        self.log.event(Level::Info, "lost", &[("peer", &peer), ("cause", cause)]);
    }

    /// Begins the end: no new sessions, and idle ones leave.
    pub fn drain(&self) {
        self.shutdown.drain();
    }

    /// Waits for the sessions to end: idle ones leave at once, transfers have `grace`.
    pub fn wait_for_sessions(&self, grace: Duration) {
        const LAST_WORDS: Duration = Duration::from_secs(5);
        self.login_attempts.close();
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
        self.session_limits.wait_until_empty(net::deadline(LAST_WORDS));
    }

    /// Logs which transfers the end of the server waits for, if there are any, and until when.
    fn log_draining(&self, end: Option<Instant>) {
        let entries = self.session_list.all();
        let transfers = entries.iter().filter(|entry| entry.moves_since().is_some()).count();
        if transfers == 0 {
            return;
        }
        let left = end.map(|end| end.saturating_duration_since(Instant::now()).as_secs() + 1);
        let mut fields: Vec<Field<'_>> = vec![("transfers", &transfers)];
        fields.extend(left.iter().map(|left| -> Field<'_> { ("seconds", left) }));
        fields.push(("hint", &"a second SIGTERM or SIGINT ends them at once"));
        self.log.event(Level::Info, "draining", &fields);
    }

    /// How many sessions there have been.
    fn sessions_so_far(&self) -> u64 {
        self.sessions.load(Ordering::Relaxed)
    }

    fn next_session(&self) -> u64 {
        self.sessions.fetch_add(1, Ordering::Relaxed) + 1
    }
}

/// Why a server cannot start.
#[derive(Debug)]
pub enum StartError {
    /// The directory cannot be served.
    Root(PathBuf, io::Error),
    /// The accounts cannot be used.
    Accounts(AccountsError),
    /// The address to announce cannot be used, or is not found.
    PassiveAddress(io::Error),
    /// This option needs a certificate, and there is none.
    NoCertificate(&'static str),
    /// The TLS library cannot be used.
    TlsLibrary(TlsUnavailable),
    /// The certificate or its key cannot be used.
    Tls(TlsError),
    /// The log cannot be written.
    Log(io::Error),
    /// The status cannot be served there.
    Status(StatusAt, io::Error),
    /// This option was changed, but cannot be while the server runs.
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
                    "--passive-address: expected an IPv4 address or a name of one: {}",
                    Reason(error)
                )
            }
            StartError::Status(StatusAt { host, port }, error) => {
                write!(f, "cannot listen on {host} port {port} for --status: {}", Reason(error))
            }
            StartError::NoCertificate(option) => {
                write!(f, "{option} needs a certificate: name its file with --tls-cert")
            }
            StartError::TlsLibrary(error) => error.fmt(f),
            StartError::Tls(error) => error.fmt(f),
            StartError::Log(error) => write!(f, "cannot write {error}"),
            StartError::NeedsRestart(option) => write!(f, "{option} changes with a restart only"),
        }
    }
}

impl std::error::Error for StartError {}
