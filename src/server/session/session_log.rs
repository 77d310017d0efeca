//! The log events of a session: its transfers, its refusals and its end.

use crate::protocol::{Code, Command, FtpPath, Name, Reply};
use crate::server::Server;
use crate::server::auth::identity::Identity;
use crate::server::error::{LinkRefused, Refusal, RootGone};
use crate::server::log::{Field, Level, Seconds, TransferDirection, TransferRecord, Value};
use crate::server::monitor::counters::FinishedTransfer;
use crate::server::monitor::sessions::Registration;
use crate::server::monitor::transfer::{TransferInfo, TransferKind};
use crate::server::panic_hook::Panicked;
use crate::server::proxy::{ClientOrigin, Via};
use crate::server::session::SessionEnd;
use crate::server::session::log_budget::LogBudget;
use crate::server::tls::HandshakeFailure;
use crate::sys::Tls;
use std::cell::Cell;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant, SystemTime};

/// Logs and counts the events of one session, with its number, address and user.
pub(super) struct SessionLog<'a> {
    server: &'a Server,
    registration: Registration<'a>,
    /// The address of the client as text.
    peer: Box<str>,
    budget: LogBudget,
    /// True if the loss of the root has been logged.
    root_loss_logged: bool,
    /// The level of the events that begin and end the session.
    level: Level,
    /// True until an event other than the beginning of the session is logged.
    is_empty: Cell<bool>,
    /// True while the beginning of the session is not logged, because the lines of empty sessions are
    /// joined.
    is_start_pending: Cell<bool>,
    started: Instant,
}

impl<'a> SessionLog<'a> {
    /// Registers the session of a client that connected at `started`.
    pub(super) fn new(server: &'a Server, origin: &ClientOrigin, started: Instant) -> Self {
        let (number, via) = (server.next_session(), origin.balancer());
        SessionLog {
            server,
            registration: server.session_list.register(number, origin.peer, via),
            peer: origin.peer.to_string().into(),
            budget: LogBudget::new(),
            root_loss_logged: false,
            // Health checks of load balancers come every few seconds and would fill the log.
            level: if origin.via == Via::Probe { Level::Debug } else { Level::Info },
            is_empty: Cell::new(true),
            is_start_pending: Cell::new(false),
            started,
        }
    }

    /// Returns the entry of the session in the list of sessions.
    pub(super) fn registration(&self) -> &Registration<'a> {
        &self.registration
    }

    /// Returns the number of the session.
    pub(super) fn number(&self) -> u64 {
        self.registration.entry().number
    }

    /// Returns the address of the client.
    pub(super) fn peer(&self) -> SocketAddr {
        self.registration.entry().peer
    }

    /// Returns the duration of the session.
    pub(super) fn age(&self) -> Duration {
        self.started.elapsed()
    }

    /// Logs an event with the number, address and user of this session. If the beginning of the session is
    /// not logged yet, logs that first.
    pub(super) fn event(&self, level: Level, event: &str, fields: &[Field<'_>]) {
        if !self.server.log.is_enabled(level) {
            return;
        }
        if level <= Level::Info {
            self.is_empty.set(false);
            if self.is_start_pending.take() {
                self.log_connected();
            }
        }
        self.write(level, event, self.registration.entry().user(), fields);
    }

    fn write(&self, level: Level, event: &str, user: Option<Name>, fields: &[Field<'_>]) {
        let entry = self.registration.entry();
        let mut all: Vec<Field<'_>> = Vec::with_capacity(3 + fields.len());
        all.extend::<[Field<'_>; 2]>([("session", &entry.number), ("peer", &self.peer)]);
        all.extend(user.iter().map(|user| ("user", user as &dyn Value)));
        all.extend_from_slice(fields);
        self.server.log.event(level, event, &all);
    }

    /// Logs the beginning of the session. If the lines of empty sessions are joined, this waits for another
    /// event; at level debug, all sessions are logged.
    pub(super) fn connected(&self) {
        let log = &self.server.log;
        let may_wait = self.level == Level::Info && !log.is_enabled(Level::Debug);
        if may_wait && self.server.empty_sessions.is_joining() {
            self.is_start_pending.set(true);
        } else if log.is_enabled(self.level) {
            self.log_connected();
        }
    }

    fn log_connected(&self) {
        let via = &self.registration.entry().via;
        let via: Vec<Field<'_>> = via.iter().map(|via| ("via", via as &dyn Value)).collect();
        self.write(self.level, "connected", None, &via);
    }

    /// Logs a command before it is executed.
    pub(super) fn command(&mut self, command: &Command) {
        self.event(Level::Debug, "command", &[("line", command)]);
        self.budget.begin();
    }

    /// Logs a reply.
    pub(super) fn reply(&self, reply: &Reply) {
        self.event(Level::Debug, "reply", &[("code", &reply.code()), ("text", &reply.text())]);
    }

    /// Logs a change of the served tree.
    pub(super) fn change(&self, event: &str, path: &FtpPath) {
        self.event(Level::Info, event, &[("path", path)]);
    }

    /// Logs that a data connection came from an address other than the client's.
    pub(super) fn data_from_elsewhere(&self, from: &IpAddr) {
        let fields: [Field<'_>; 2] = [("from", from), ("expected", &self.peer().ip())];
        self.event(Level::Warn, "data-from-elsewhere", &fields);
    }

    /// Counts and logs a failed TLS handshake of the control connection. Port scans cause many, so there is
    /// one line of each kind every ten seconds, with their number; the others are logged at debug.
    pub(super) fn tls_failed(&self, failure: &HandshakeFailure) {
        self.server.counters.handshake_failed(failure.kind);
        let reason = failure.kind.name();
        let mut fields: Vec<Field<'_>> = vec![("reason", &reason), ("why", &failure.why)];
        // Probes of a balancer are logged at debug, and must not hide a client's failure.
        let times = match self.level {
            Level::Debug => None,
            _ => self.server.failed_handshakes[failure.kind as usize].count(),
        };
        fields.extend(times.iter().map(|times| -> Field<'_> { ("times", times) }));
        let level = if times.is_some() { self.level } else { Level::Debug };
        self.event(level, "tls-failed", &fields);
    }

    /// Logs and counts a failed TLS handshake of a data connection, within the log budget.
    pub(super) fn data_tls_failed(&mut self, failure: &HandshakeFailure) {
        let level = if self.budget.try_take() { Level::Info } else { Level::Debug };
        self.server.counters.handshake_failed(failure.kind);
        let reason = failure.kind.name();
        let fields: [Field<'_>; 3] =
            [("connection", &"data"), ("reason", &reason), ("why", &failure.why)];
        self.event(level, "tls-failed", &fields);
    }

    /// Counts a successful TLS handshake.
    pub(super) fn count_handshake(&self, tls: &Tls) {
        self.server.counters.handshake(tls.is_resumed());
    }

    /// Logs a login, with the TLS version and the requested host name.
    pub(super) fn logged_in(&self, server_name: Option<&str>) {
        let tls = self.registration.entry().tls();
        let mut fields: Vec<Field<'_>> = Vec::new();
        fields.extend(tls.iter().map(|version| -> Field<'_> { ("tls", version) }));
        fields.extend(server_name.iter().map(|name| -> Field<'_> { ("sni", name) }));
        self.event(Level::Info, "login", &fields);
    }

    /// Logs a refused login. The cause is that of a missing home, which the client does not learn.
    pub(super) fn login_failed(&self, name: &Name, refusal: &Refusal) {
        let (masked, reply) = (name.masked(), refusal.reply());
        let (name, why) = (&*masked, reply.text());
        let mut fields: Vec<Field<'_>> = vec![("name", &name), ("why", &why)];
        fields.extend(cause_of(refusal));
        self.event(Level::Warn, "login-failed", &fields);
    }

    /// Records the beginning of a transfer.
    pub(super) fn begin_transfer(&self, info: &TransferInfo) {
        self.registration.begin(info);
    }

    /// Logs and counts a transfer that has ended.
    pub(super) fn end_transfer(
        &mut self,
        info: &TransferInfo,
        identity: Option<&Identity>,
        is_text: bool,
        result: &Result<u64, Refusal>,
    ) {
        self.registration.end();
        self.budget.set_transfer_logged();
        let (moved, took) = (self.registration.entry().moved(), info.started.elapsed());
        self.count(info, moved, took, result);
        if let (Some(direction), Some(identity)) = (direction(info.kind), identity) {
            let file = FileRecord { path: &info.path, bytes: moved, took, is_text };
            self.record_file(direction, &file, identity, result.is_ok());
        }
        let seconds = Seconds(took);
        let mut fields: Vec<Field<'_>> =
            vec![("path", &info.path), ("bytes", &moved), ("seconds", &seconds)];
        let Err(refusal) = result else {
            return self.event(Level::Info, info.kind.event(), &fields);
        };
        let reply = refusal.reply();
        let why = reply.text();
        fields.push(("failed", &why));
        fields.extend(cause_of(refusal));
        // A failed transfer without data is as cheap for the client as any refused command.
        let level = if moved > 0 || self.budget.try_take() { Level::Warn } else { Level::Debug };
        self.event(level, info.kind.event(), &fields);
    }

    fn count(
        &self,
        info: &TransferInfo,
        bytes: u64,
        took: Duration,
        result: &Result<u64, Refusal>,
    ) {
        let failed = || result.as_ref().err().map(Refusal::reply);
        let counters = &self.server.counters;
        counters.transfer(info.kind, took, result.is_ok());
        // Listings would soon displace all files in the list of last transfers.
        if info.kind.is_listing() && result.is_ok() {
            return;
        }
        let entry = self.registration.entry();
        counters.last.push(|| FinishedTransfer {
            ended: SystemTime::now(),
            session: entry.number,
            peer: entry.peer,
            user: entry.user(),
            info: info.clone(),
            bytes,
            took,
            failed: failed().map(|reply| String::from_utf8_lossy(reply.text()).into_owned()),
        });
    }

    /// Logs the deletion of a file.
    pub(super) fn deleted(&self, path: &FtpPath, identity: &Identity, is_text: bool) {
        self.change("dele", path);
        let file = FileRecord { path, bytes: 0, took: Duration::ZERO, is_text };
        self.record_file(TransferDirection::Deleted, &file, identity, true);
    }

    fn record_file(
        &self,
        direction: TransferDirection,
        file: &FileRecord<'_>,
        identity: &Identity,
        is_complete: bool,
    ) {
        let account = identity.account();
        let transfer = TransferRecord {
            time: SystemTime::now(),
            took: file.took,
            host: self.peer().ip(),
            bytes: file.bytes,
            home: &account.map_or_else(FtpPath::root, |own| own.home.clone()),
            path: file.path,
            is_text: file.is_text,
            direction,
            is_visitor: account.is_none(),
            user: identity.user(),
            is_complete,
        };
        self.server.transfers.add(&transfer);
    }

    /// Logs a refused command, except a transfer, which has been logged when it ended.
    pub(super) fn refused(&mut self, command: &Command, refusal: &Refusal, cwd: Option<&FtpPath>) {
        if self.budget.is_transfer_logged() {
            return;
        }
        if let Some(cause) = refusal.cause().filter(|cause| RootGone::caused(cause))
            && !std::mem::replace(&mut self.root_loss_logged, true)
        {
            self.event(Level::Warn, "root-gone", &[("cause", cause)]);
        }
        let level = match level_of_refusal(command, refusal) {
            Level::Debug => Level::Debug,
            level if self.budget.try_take() => level,
            _ => Level::Debug,
        };
        let reply = refusal.reply();
        let why = reply.text();
        let mut fields: Vec<Field<'_>> = vec![("command", command)];
        fields.extend(cwd.map(|cwd| -> Field<'_> { ("cwd", cwd) }));
        fields.push(("why", &why));
        fields.extend(cause_of(refusal));
        self.event(level, "refused", &fields);
    }

    /// Logs the end of the session, unless it is empty and joined with others.
    pub(super) fn ended(&self, ended: &Result<io::Result<SessionEnd>, Panicked>) {
        let empty_sessions = &self.server.empty_sessions;
        let mut times = None;
        if self.is_empty.get() && self.level == Level::Info && ended.is_ok() {
            if !self.is_start_pending.get() {
                empty_sessions.count_logged();
            } else if let Some(joined) = empty_sessions.count_joined() {
                times = Some(joined);
            } else {
                return;
            }
        }
        let seconds = self.age().as_secs();
        let mut fields: Vec<Field<'_>> = vec![("seconds", &seconds)];
        fields.extend(times.iter().map(|times| -> Field<'_> { ("times", times) }));
        let untold = self.budget.suppressed();
        if untold > 0 {
            fields.push(("untold", &untold));
        }
        match ended {
            Ok(Ok(end)) => {
                fields.push(("why", end));
                self.event(self.level, "closed", &fields);
            }
            Ok(Err(error)) => {
                fields.push(("cause", error));
                self.event(self.level, "lost", &fields);
            }
            Err(panicked) => {
                let words: [Field<'_>; 2] =
                    [("place", &panicked.place), ("words", &panicked.words)];
                fields.extend(words);
                self.event(Level::Error, "panic", &fields);
            }
        }
    }
}

/// A transferred or deleted file, for the transfer log.
struct FileRecord<'f> {
    path: &'f FtpPath,
    bytes: u64,
    took: Duration,
    is_text: bool,
}

fn cause_of(refusal: &Refusal) -> Option<Field<'_>> {
    refusal.cause().map(|cause| -> Field<'_> { ("cause", cause) })
}

/// Returns the direction of a file transfer; listings have none.
fn direction(kind: TransferKind) -> Option<TransferDirection> {
    match kind {
        TransferKind::Retrieve => Some(TransferDirection::Outgoing),
        TransferKind::Store | TransferKind::Append | TransferKind::StoreUnique => {
            Some(TransferDirection::Incoming)
        }
        TransferKind::List | TransferKind::Names | TransferKind::Facts => None,
    }
}

/// Returns the level at which a refused command is logged. Failures of the server and denied permissions
/// are warnings. Failed transfers are informational, and so are links that are not followed, because their
/// reply is that for a missing file. Queries for files that do not exist are normal.
fn level_of_refusal(command: &Command, refusal: &Refusal) -> Level {
    let is_forbidden = match refusal {
        Refusal::NotPermitted | Refusal::NameTaken => true,
        Refusal::System(cause) => {
            matches!(cause.kind(), ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem)
        }
        Refusal::NotLoggedIn => return Level::Debug,
        _ => false,
    };
    let is_our_fault = matches!(refusal.reply().code(), Code::LOCAL_ERROR | Code::NO_ROOM);
    match command {
        _ if is_forbidden || is_our_fault => Level::Warn,
        _ if refusal.cause().is_some_and(LinkRefused::caused) => Level::Info,
        Command::Retr(_) | Command::Stor(_) | Command::Appe(_) | Command::Stou(_) => Level::Info,
        _ => Level::Debug,
    }
}
