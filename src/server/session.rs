//! One session: sends the greeting, then reads, checks, executes and answers commands until one side
//! ends the session.
//!
//! The session is a local variable of its thread; nothing in it is shared or locked. Every command gets
//! exactly one final reply, because a handler returns the reply and only the command loop sends it.

mod commands;
mod control;
mod control_watch;
mod log_budget;
mod login;
mod parameters;
mod read_ahead;
mod security;
mod session_log;
mod transfer;

use crate::net::{self, Draining, Waited};
use crate::protocol::{Code, Command, FtpPath, Line, Malformed, Mode, Reply, Structure};
use crate::server::Server;
use crate::server::admission::IncomingConnection;
use crate::server::auth::permissions;
use crate::server::data::DataConnection;
use crate::server::error::{self, Refusal};
use crate::server::limits::bandwidth::SessionBandwidth;
use crate::server::log::{Level, Value};
use crate::server::panic_hook;
use crate::server::proxy::ClientOrigin;
use crate::server::settings::Settings;
use crate::server::tls::{FailureKind, HandshakeFailure};
use crate::sys::TlsContext;
use commands::{checksum, info, listing, modify, query, site};
use control::ControlConnection;
use login::Login;
use parameters::{Parameters, Pending};
use security::{Change, Security};
use session_log::SessionLog;
use std::borrow::Cow;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The reason for the end of a session whose connection was not lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SessionEnd {
    /// The client sent QUIT.
    Quit,
    /// The client closed its side of the connection.
    Disconnected,
    /// No command came within the idle timeout.
    IdleTimeout,
    /// No login succeeded within the login timeout.
    LoginTimeout,
    /// The server is shutting down.
    Shutdown,
    /// The server closed the session with a 421; the log has the reason.
    ServerClosed,
    /// The TLS handshake failed; the log has the reason.
    TlsFailed,
}

impl SessionEnd {
    /// Returns the reason if the session ends after this reply.
    fn after(reply: &Reply) -> Option<SessionEnd> {
        match reply.code() {
            Code::CLOSING => Some(SessionEnd::Quit),
            Code::NOT_AVAILABLE => Some(SessionEnd::ServerClosed),
            _ => None,
        }
    }
}

impl fmt::Display for SessionEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SessionEnd::Quit => "quit",
            SessionEnd::Disconnected => "left",
            SessionEnd::IdleTimeout => "idle-timeout",
            SessionEnd::LoginTimeout => "login-timeout",
            SessionEnd::Shutdown => "shutdown",
            SessionEnd::ServerClosed => "sent-away",
            SessionEnd::TlsFailed => "tls-failed",
        })
    }
}

impl Value for SessionEnd {
    fn bytes(&self) -> Cow<'_, [u8]> {
        self.to_string().into_bytes().into()
    }
}

/// A client's session. Each command gets the parts of it that it needs.
pub(super) struct Session<'a> {
    server: &'a Server,
    /// The settings used since the last command, and their generation number.
    settings: Arc<Settings>,
    generation: u64,
    control: ControlConnection<'a>,
    login: Login,
    parameters: Parameters,
    data: DataConnection,
    security: Security,
    /// True if TLS comes before the greeting.
    tls_first: bool,
    bandwidth: SessionBandwidth<'a>,
    log: SessionLog<'a>,
}

impl<'a> Session<'a> {
    /// Creates a session on a connection that was accepted at `since`.
    ///
    /// # Errors
    /// Fails if the system cannot configure the socket.
    #[inline(never)]
    pub(super) fn new(
        server: &'a Server,
        incoming: IncomingConnection,
        origin: &ClientOrigin,
        since: Instant,
    ) -> io::Result<Box<Self>> {
        let control = ControlConnection::new(incoming.stream, &server.shutdown)?;
        let log = SessionLog::new(server, origin, since);
        Ok(Box::new(Session {
            server,
            generation: server.settings.generation(),
            settings: server.settings(),
            control,
            login: Login::new(since),
            parameters: Parameters::new(),
            data: DataConnection::new(origin),
            security: Security::new(log.number()),
            tls_first: incoming.tls_first,
            bandwidth: server.bandwidth.of_session(log.number(), origin.peer.ip()),
            log,
        }))
    }

    /// Runs the session to its end.
    pub(super) fn run(&mut self) {
        self.log.connected();
        let ended = panic_hook::catch(|| self.command_loop());
        self.log.ended(&ended);
        if ended.is_err() {
            let last = Reply::new(Code::NOT_AVAILABLE, "Internal error; closing the session.");
            let _ = self.send(&last).and_then(|()| self.control.close());
        }
    }

    fn command_loop(&mut self) -> io::Result<SessionEnd> {
        if self.tls_first
            && let Some(end) = self.start_implicit_tls()
        {
            return Ok(end);
        }
        self.send(&Reply::new(Code::READY, "mt_ftp ready."))?;
        loop {
            let (reply, end) = match self.next_line() {
                Ok(Some(line)) => {
                    let reply = self.answer(line);
                    let end = SessionEnd::after(&reply);
                    (reply, end)
                }
                Ok(None) => return Ok(SessionEnd::Disconnected),
                Err(error) => {
                    let (reply, end) = self.final_reply(error)?;
                    (reply, Some(end))
                }
            };
            self.send(&reply)?;
            match end {
                None => {
                    if let Some(end) = self.change_security()? {
                        return Ok(end);
                    }
                }
                // A client that sent QUIT last sends nothing more, so the connection can be closed at
                // once.
                Some(SessionEnd::Quit) if !self.control.has_line() => {
                    self.control.end_tls();
                    return Ok(SessionEnd::Quit);
                }
                Some(end) => return self.control.close().map(|()| end),
            }
        }
    }

    /// Starts TLS before the greeting, with protected data connections. Returns the end of the session
    /// if that fails. A reload may have removed the certificate.
    #[inline(never)]
    fn start_implicit_tls(&mut self) -> Option<SessionEnd> {
        let Some(context) = self.settings.tls.clone() else { return Some(SessionEnd::TlsFailed) };
        self.security.set_private(true);
        self.start_tls(context)
    }

    /// Starts or ends TLS after the reply to AUTH or CCC has been sent. Returns the end of the session
    /// if that fails.
    #[inline(never)]
    fn change_security(&mut self) -> io::Result<Option<SessionEnd>> {
        match self.security.take_scheduled() {
            None => Ok(None),
            Some(Change::StartTls(context)) => Ok(self.start_tls(context)),
            Some(Change::EndTls) => {
                self.control.remove_tls(self.command_deadline())?;
                self.security.set_tls_ended();
                self.log.registration().set_tls(None);
                Ok(None)
            }
        }
    }

    /// Starts TLS on the control connection. The state of the session is reset, because an attacker may
    /// have inserted commands before TLS. A failed handshake ends the session.
    #[inline(never)]
    fn start_tls(&mut self, context: Arc<TlsContext>) -> Option<SessionEnd> {
        const TIMEOUT: Duration = Duration::from_secs(10);
        let Session { login, parameters, data, log, security, control, .. } = self;
        commands::login::reset_session(login, parameters, data, log);
        let login_end = login.deadline(self.settings.config.login_timeout);
        let deadline = net::sooner(net::deadline(TIMEOUT), login_end);
        let failure = match control.start_tls(&context, security.binding(), deadline) {
            Ok(Waited::Ready) => {
                if let Some(tls) = control.tls() {
                    log.count_handshake(tls);
                    log.registration().set_tls(Some(tls.version()));
                    security.set_tls_started(context, tls.server_name());
                }
                return None;
            }
            Ok(Waited::Stopped) => return Some(SessionEnd::Shutdown),
            Ok(Waited::TimedOut) => HandshakeFailure::timeout(),
            Err(error) => HandshakeFailure::from(&error),
        };
        log.tls_failed(&failure);
        if failure.kind != FailureKind::Disconnected {
            // Lets the TLS alert arrive. A failure of `close` does not matter any more.
            let _ = control.close();
        }
        Some(SessionEnd::TlsFailed)
    }

    /// Returns the last reply and the reason if the session ends by a timeout or the shutdown.
    ///
    /// # Errors
    /// Returns any other error.
    fn final_reply(&self, error: io::Error) -> io::Result<(Reply, SessionEnd)> {
        if Draining::caused(&error) {
            return Ok((Refusal::ShuttingDown.reply(), SessionEnd::Shutdown));
        }
        let end = if self.login.is_logged_in() {
            SessionEnd::IdleTimeout
        } else {
            SessionEnd::LoginTimeout
        };
        match error.kind() {
            io::ErrorKind::TimedOut => Ok((Reply::new(Code::NOT_AVAILABLE, "Timeout."), end)),
            _ => Err(error),
        }
    }

    /// Returns the deadline for the next command.
    fn command_deadline(&self) -> Option<Instant> {
        let config = &self.settings.config;
        let idle_end = net::deadline(self.parameters.idle_timeout(config.idle_timeout));
        match self.login.is_logged_in() {
            true => idle_end,
            false => net::sooner(idle_end, self.login.deadline(config.login_timeout)),
        }
    }

    fn next_line(&mut self) -> io::Result<Option<Line>> {
        let deadline = self.command_deadline();
        if !self.login.is_logged_in() {
            // Limit the cost of clients that are not logged in to the few commands that a login needs.
            while let Err(wait) = self.login.take_command_token() {
                self.control.delay(wait, deadline)?;
            }
        }
        self.control.read_command(deadline)
    }

    /// Executes a command and returns its final reply. Not inlined into the loop, so that the stack of a
    /// waiting session is small.
    #[inline(never)]
    fn answer(&mut self, line: Line) -> Reply {
        self.update_settings();
        let renamed = self.parameters.take_rename_source();
        let Line::Text(line) = line else {
            return Reply::new(Code::UNKNOWN_COMMAND, "Line too long.");
        };
        let command = match Command::parse(&line) {
            Ok(command) => command,
            Err(malformed) => {
                let why = format!("{malformed:?}");
                self.log.event(Level::Debug, "malformed", &[("why", &why)]);
                if malformed == Malformed::Unknown && self.login.is_not_ftp(&line) {
                    return Reply::new(Code::NOT_AVAILABLE, "This is an FTP server.");
                }
                if !self.login.is_logged_in() && permissions::needs_login(&malformed) {
                    return Refusal::NotLoggedIn.reply();
                }
                return error::malformed(&malformed);
            }
        };
        self.log.command(&command);
        // Taken before any refusal: a refused transfer uses up REST, too.
        let taken = (self.parameters.take_pending(command.verb()), renamed);
        let permitted = self.login.require(permissions::right(&command));
        let answer = permitted.and_then(|()| self.execute(&command, &taken));
        answer.unwrap_or_else(|refusal| {
            self.log.refused(&command, &refusal, self.login.cwd().ok());
            if matches!(refusal, Refusal::CommandInjection) {
                self.log.tls_failed(&HandshakeFailure::injected());
            }
            if command.verb().is_transfer() {
                self.data.keep_port();
            }
            refusal.reply()
        })
    }

    /// Uses the settings of a reload since the last command, if any.
    fn update_settings(&mut self) {
        let generation = self.server.settings.generation();
        if generation == self.generation {
            return;
        }
        self.generation = generation;
        self.settings = self.server.settings();
        if !self.login.refresh(&self.settings.authenticator) {
            let Session { login, parameters, data, log, .. } = self;
            commands::login::end_invalid_login(login, parameters, data, log);
        }
    }

    fn execute(
        &mut self,
        command: &Command,
        (pending, renamed): &(Pending, Option<FtpPath>),
    ) -> Result<Reply, Refusal> {
        let Session { server, settings, control, login, parameters, data, log, security, .. } =
            self;
        match command {
            Command::User(name) => commands::login::user(login, log, settings, security, name),
            Command::Pass(password) => {
                commands::login::pass(server, settings, (login, security), log, password)
            }
            Command::Acct(_) => Ok(Reply::new(Code::SUPERFLUOUS, "No account is needed.")),
            Command::Rein => commands::login::rein(login, parameters, data, security, log),
            Command::Quit => Ok(Reply::new(Code::CLOSING, "Goodbye.")),
            Command::Noop => Ok(Reply::new(Code::OK, "Done.")),
            Command::Syst => Ok(Reply::new(Code::SYSTEM_TYPE, "UNIX Type: L8")),
            Command::Feat => Ok(info::feat(login, parameters, settings)),
            Command::Opts(opts) => Ok(info::opts(parameters, *opts)),
            Command::Help(verb) => info::help(verb.as_ref()),
            Command::Stat(None) => {
                Ok(info::status(login, parameters, (security, control.tls()), log))
            }
            Command::Stat(Some(path)) => listing::stat(login, path),
            Command::Type(kind) => commands::parameters::set_type(parameters, *kind),
            Command::Mode(Mode::Stream) => Ok(Reply::new(Code::OK, "Mode is stream.")),
            Command::Mode(_) => Err(Refusal::Parameter("Only MODE S is supported.")),
            Command::Stru(Structure::File) => Ok(Reply::new(Code::OK, "Structure is file.")),
            Command::Stru(_) => Err(Refusal::Parameter("Only STRU F is supported.")),
            Command::Allo(bytes) => query::allo(login, *bytes),
            Command::Host(_) => info::host(login),
            Command::Lang(tag) => info::lang(tag.as_ref()),
            Command::Csid(_) => Ok(info::csid()),
            Command::Clnt(_) => Ok(Reply::new(Code::OK, "Noted.")),
            Command::Pwd => query::pwd(login),
            Command::Cwd(name) => query::cwd(login, name),
            Command::Cdup => query::cdup(login),
            Command::Pasv => commands::parameters::pasv(data, settings, log.peer().ip()),
            Command::Epsv(wanted) => commands::parameters::epsv(data, settings, *wanted),
            Command::Port(to) => commands::parameters::active(data, SocketAddr::V4(*to)),
            Command::Eprt(to) => commands::parameters::active(data, *to),
            Command::List(argument) => listing::list(self.transfer(), argument.as_ref()),
            Command::Nlst(argument) => listing::nlst(self.transfer(), argument.as_ref()),
            Command::Mlsd(name) => listing::mlsd(self.transfer(), name.as_ref()),
            Command::Mlst(name) => listing::mlst(login, parameters, name.as_ref()),
            Command::Size(name) => query::size(login, parameters, name),
            Command::Mdtm(name) => query::mdtm(login, log, name),
            Command::Mfmt(time, name) => modify::mfmt(login, log, *time, name),
            Command::Mff(changes, name) => modify::mff(login, log, *changes, name),
            Command::Mfct(time, name) => modify::mfct(login, log, *time, name),
            Command::Hash(name) => checksum::hash(login, parameters, control, name, pending),
            Command::Digest(algorithm, name, span) => {
                checksum::digest(login, control, *algorithm, name, *span)
            }
            Command::Avbl(name) => query::avbl(login, name.as_ref()),
            Command::Dsiz(name) => query::dsiz(login, control, name.as_ref()),
            Command::Rest(offset) => Ok(commands::parameters::rest(parameters, *offset)),
            Command::Rang(span) => commands::parameters::rang(parameters, *span),
            Command::Retr(name) => commands::transfer::retr(self.transfer(), name, pending),
            Command::Stor(name) => commands::transfer::stor(self.transfer(), name, pending),
            Command::Appe(name) => commands::transfer::appe(self.transfer(), name, pending),
            Command::Stou(name) => {
                commands::transfer::stou(self.transfer(), name.as_ref(), pending)
            }
            Command::Dele(name) => modify::dele(login, parameters, log, name),
            Command::Mkd(name) => modify::mkd(login, parameters, log, name),
            Command::Rmd(name) => modify::rmd(login, log, name),
            Command::Rmda(name) => modify::rmda(login, log, control, name),
            Command::Rnfr(name) => modify::rnfr(login, parameters, name),
            Command::Rnto(name) => modify::rnto(login, log, name, renamed.as_ref()),
            // Aborted transfers have already been answered; see `ControlWatch`.
            Command::Abor => Ok(Reply::new(Code::TRANSFER_DONE, "Done; no transfer is running.")),
            Command::Auth(mechanism) => {
                commands::security::auth(settings, control, login, security, *mechanism)
            }
            Command::Pbsz(_) => commands::security::pbsz(settings, security),
            Command::Prot(protection) => {
                commands::security::prot(settings, login, security, *protection)
            }
            Command::Ccc => commands::security::ccc(settings, control, security),
            Command::Site(command) => {
                site::execute(server, settings, login, parameters, log, command)
            }
        }
    }

    fn send(&mut self, reply: &Reply) -> io::Result<()> {
        self.log.reply(reply);
        self.control.send(reply)
    }
}
