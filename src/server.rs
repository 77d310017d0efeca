//! The server: what all sessions share, and the life of one session.
//!
//! The program in `bin/server.rs` owns the listener, the signals and the threads; this module owns
//! what happens on a connection. A session is a local variable of its thread. What sessions share
//! is here: the options, the tree that is served, the log, the count of sessions and the word that
//! the server ends.

mod about;
pub mod accounts;
mod announce;
mod changes;
pub mod check;
pub mod config;
mod data;
mod digest;
mod entry;
mod files;
mod gate;
mod glob;
mod hash;
mod jail;
mod limits;
mod listing;
pub mod log;
pub mod login;
mod partial;
pub mod passwd;
mod password;
mod ports;
mod refusal;
mod roster;
mod session;
mod setup;
mod transfer;
mod upload;
mod watch;

pub use limits::Slot;

use crate::net;
use crate::protocol::{Code, Reply};
use crate::shutdown::Shutdown;
use accounts::{Accounts, AccountsError, Checks};
use announce::Announced;
use config::Config;
use gate::Gate;
use jail::Jail;
use limits::{Full, Limits};
use log::{Level, Log};
use ports::Ports;
use roster::Roster;
use session::Session;
use std::fmt;
use std::io::{self, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// What all sessions share.
pub struct Server {
    config: Config,
    gate: Gate,
    log: Log,
    limits: Limits,
    shutdown: Shutdown,
    roster: Roster,
    ports: Option<Ports>,
    announced: Option<Announced>,
    sessions: AtomicU64,
}

impl Server {
    /// A server that has no sessions yet. Reads the accounts.
    ///
    /// # Errors
    /// Which of its files or directories cannot be used, and why.
    pub fn new(config: Config, shutdown: Shutdown, log: Log) -> Result<Server, StartError> {
        let jail = Jail::new(&config.root)
            .map_err(|error| StartError::Root(config.root.clone(), error))?;
        let accounts = config.users.as_deref().map(Accounts::read).transpose();
        let accounts = accounts.map_err(StartError::Accounts)?;
        let gate = Gate { jail, anonymous: config.anonymous, accounts, checks: Checks::default() };
        let limits = Limits::new(config.max_sessions, config.max_sessions_per_ip);
        let ports = config.passive_ports.clone().map(Ports::new);
        let announced = config.passive_address.as_deref().map(Announced::new).transpose();
        let announced = announced.map_err(StartError::PassiveAddress)?;
        let (roster, sessions) = (Roster::default(), AtomicU64::new(0));
        Ok(Server { config, gate, log, limits, shutdown, roster, ports, announced, sessions })
    }

    /// The options it runs by.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The log.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// A place for the session of a client that was just accepted. Where there is none, the client
    /// is told so and `None` is given.
    pub fn admit(&self, stream: &TcpStream, peer: SocketAddr) -> Option<Slot> {
        let full = match self.limits.enter(peer.ip()) {
            Ok(slot) => return Some(slot),
            Err(full) => full,
        };
        let why = match full {
            Full::Server => "Too many sessions; try again later.",
            Full::Address => "Too many sessions from your address; try again later.",
        };
        self.log.event(Level::Warn, "full", &[("peer", &peer), ("why", &why)]);
        turn_away(stream, why);
        None
    }

    /// The life of one session, from greeting to end. The slot is given back when it returns.
    pub fn serve(&self, stream: TcpStream, peer: SocketAddr, slot: Slot) {
        match Session::new(self, stream, peer) {
            Ok(session) => session.run(),
            Err(error) => {
                self.log.event(Level::Info, "lost", &[("peer", &peer), ("cause", &error)]);
            }
        }
        drop(slot);
    }

    /// Waits for the sessions to end: idle ones leave at once, transfers have `grace`.
    pub fn wait_for_sessions(&self, grace: Duration) {
        const LAST_WORDS: Duration = Duration::from_secs(5);
        if self.limits.wait_until_empty(net::deadline(grace)) {
            return;
        }
        let left = self.limits.count();
        self.log.event(Level::Warn, "grace-over", &[("sessions", &left)]);
        self.shutdown.stop();
        self.limits.wait_until_empty(net::deadline(LAST_WORDS));
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
    /// The address to announce cannot be found.
    PassiveAddress(io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::Root(root, error) => write!(f, "cannot serve {}: {error}", root.display()),
            StartError::Accounts(error) => error.fmt(f),
            StartError::PassiveAddress(error) => {
                write!(f, "--passive-address: expected an IPv4 address or a name of one: {error}")
            }
        }
    }
}

impl std::error::Error for StartError {}

/// Tells a client that there is no place for it. Its socket is new, so this does not wait.
pub fn turn_away(mut stream: &TcpStream, why: &str) {
    let mut text = Vec::new();
    Reply::new(Code::NOT_AVAILABLE, why).write_to(&mut text);
    let _ = stream.set_nonblocking(true).and_then(|()| stream.write_all(&text));
}
