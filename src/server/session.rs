//! One session: greeting, then read, permit, execute and reply, until one side leaves.
//!
//! The session is a local variable of its thread; nothing in it is shared or locked. Every command
//! gets exactly one final reply, because a handler returns it and nothing else sends one.

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
use crate::server::admission::Arrival;
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

/// How a session ended that was not lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The client said QUIT.
    Quit,
    /// The client closed its side.
    Left,
    /// It was silent for too long.
    Idle,
    /// Nobody logged in in time.
    NoLogin,
    /// The server shuts down.
    Shutdown,
    /// The server closed it with a 421, whose reason is in the log.
    SentAway,
    /// The TLS handshake failed, for the reason in the log.
    NoTls,
}

impl End {
    /// Returns how the session ends after this reply, if it does.
    fn after(reply: &Reply) -> Option<End> {
        match reply.code() {
            Code::CLOSING => Some(End::Quit),
            Code::NOT_AVAILABLE => Some(End::SentAway),
            _ => None,
        }
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            End::Quit => "quit",
            End::Left => "left",
            End::Idle => "idle-timeout",
            End::NoLogin => "login-timeout",
            End::Shutdown => "shutdown",
            End::SentAway => "sent-away",
            End::NoTls => "tls-failed",
        })
    }
}

impl Value for End {
    fn bytes(&self) -> Cow<'_, [u8]> {
        self.to_string().into_bytes().into()
    }
}

/// A client's session: its parts, of which a command takes those that it needs.
pub(super) struct Session<'a> {
    server: &'a Server,
    /// The settings in force since the last command, and their edition.
    settings: Arc<Settings>,
    edition: u64,
    control: ControlConnection<'a>,
    login: Login,
    parameters: Parameters,
    data: DataConnection,
    security: Security,
    /// TLS comes before the greeting.
    tls_first: bool,
    bandwidth: SessionBandwidth<'a>,
    log: SessionLog<'a>,
}

impl<'a> Session<'a> {
    /// A session on a connection that was accepted at `since`.
    ///
    /// # Errors
    /// What the system says of a broken socket.
    #[inline(never)]
    pub(super) fn new(
        server: &'a Server,
        arrival: Arrival,
        origin: &ClientOrigin,
        since: Instant,
    ) -> io::Result<Box<Self>> {
        let control = ControlConnection::new(arrival.stream, &server.shutdown)?;
        let log = SessionLog::new(server, origin, since);
        Ok(Box::new(Session {
            server,
            edition: server.settings.edition(),
            settings: server.settings(),
            control,
            login: Login::new(since),
            parameters: Parameters::new(),
            data: DataConnection::new(origin),
            security: Security::new(log.number()),
            tls_first: arrival.tls_first,
            bandwidth: server.bandwidth.of_session(log.number(), origin.peer.ip()),
            log,
        }))
    }

    /// The life of the session.
    pub(super) fn run(&mut self) {
        self.log.connected();
        let ended = panic_hook::catch(|| self.converse());
        self.log.ended(&ended);
        if ended.is_err() {
            let last = Reply::new(Code::NOT_AVAILABLE, "Internal error; goodbye.");
            let _ = self.send(&last).and_then(|()| self.control.close());
        }
    }

    fn converse(&mut self) -> io::Result<End> {
        if self.tls_first
            && let Some(end) = self.secure_first()
        {
            return Ok(end);
        }
        self.send(&Reply::new(Code::READY, "mt_ftp ready."))?;
        loop {
            let (reply, end) = match self.next_line() {
                Ok(Some(line)) => {
                    let reply = self.answer(line);
                    let end = End::after(&reply);
                    (reply, end)
                }
                Ok(None) => return Ok(End::Left),
                Err(error) => {
                    let (reply, end) = self.farewell(error)?;
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
                // After QUIT nothing is to come, and the client knows what it reads last.
                Some(End::Quit) if !self.control.has_line() => {
                    self.control.end_tls();
                    return Ok(End::Quit);
                }
                Some(end) => return self.control.close().map(|()| end),
            }
        }
    }

    /// Begins TLS before the greeting, with data connections protected; returns the end of the session
    /// if that fails. A reload may have taken the certificate away.
    #[inline(never)]
    fn secure_first(&mut self) -> Option<End> {
        let Some(context) = self.settings.tls.clone() else { return Some(End::NoTls) };
        self.security.set_private(true);
        self.secure(context)
    }

    /// Carries out what AUTH or CCC has announced, now that their reply is sent; returns the end of the
    /// session if there is nothing to go on with.
    #[inline(never)]
    fn change_security(&mut self) -> io::Result<Option<End>> {
        match self.security.take_announced() {
            None => Ok(None),
            Some(Change::Secure(context)) => Ok(self.secure(context)),
            Some(Change::Strip) => {
                self.control.strip(self.command_deadline())?;
                self.security.stripped();
                self.log.registration().set_tls(None);
                Ok(None)
            }
        }
    }

    /// Puts the control connection under TLS. What was said in clear is forgotten: somebody on the way
    /// may have said it. A handshake that fails ends the session.
    #[inline(never)]
    fn secure(&mut self, context: Arc<TlsContext>) -> Option<End> {
        const PATIENCE: Duration = Duration::from_secs(10);
        let Session { login, parameters, data, log, security, control, .. } = self;
        commands::login::begin_again(login, parameters, data, log);
        let login_end = login.deadline(self.settings.config.login_timeout);
        let deadline = net::sooner(net::deadline(PATIENCE), login_end);
        let failure = match control.secure(&context, security.binding(), deadline) {
            Ok(Waited::Ready) => {
                if let Some(tls) = control.tls() {
                    log.shook_hands(tls);
                    log.registration().set_tls(Some(tls.version()));
                    security.secured(context, tls.server_name());
                }
                return None;
            }
            Ok(Waited::Stopped) => return Some(End::Shutdown),
            Ok(Waited::TimedOut) => HandshakeFailure::late(),
            Err(error) => HandshakeFailure::from(&error),
        };
        log.tls_failed(&failure);
        if failure.kind != FailureKind::Left {
            // So that the alert arrives. The session has ended whatever comes of it.
            let _ = control.close();
        }
        Some(End::NoTls)
    }

    /// The last reply to a client that was silent for too long, or that the server leaves.
    ///
    /// # Errors
    /// Gives back an error that is neither.
    fn farewell(&self, error: io::Error) -> io::Result<(Reply, End)> {
        if Draining::caused(&error) {
            return Ok((Refusal::ShuttingDown.reply(), End::Shutdown));
        }
        let end = if self.login.is_in() { End::Idle } else { End::NoLogin };
        match error.kind() {
            io::ErrorKind::TimedOut => Ok((Reply::new(Code::NOT_AVAILABLE, "Timeout."), end)),
            _ => Err(error),
        }
    }

    /// Returns until when the next command has to come.
    fn command_deadline(&self) -> Option<Instant> {
        let config = &self.settings.config;
        let idle_end = net::deadline(self.parameters.idle_timeout(config.idle_timeout));
        match self.login.is_in() {
            true => idle_end,
            false => net::sooner(idle_end, self.login.deadline(config.login_timeout)),
        }
    }

    fn next_line(&mut self) -> io::Result<Option<Line>> {
        let deadline = self.command_deadline();
        if !self.login.is_in() {
            // So that strangers, who may send no more than a login needs, cost little.
            while let Err(wait) = self.login.keep_pace() {
                self.control.hold_back(wait, deadline)?;
            }
        }
        self.control.read_command(deadline)
    }

    /// Not part of the loop that waits, so that a session that waits has a small stack.
    #[inline(never)]
    fn answer(&mut self, line: Line) -> Reply {
        self.catch_up();
        let renamed = self.parameters.take_renamed();
        let Line::Text(line) = line else {
            return Reply::new(Code::UNKNOWN_COMMAND, "Line too long.");
        };
        let command = match Command::parse(&line) {
            Ok(command) => command,
            Err(malformed) => {
                let why = format!("{malformed:?}");
                self.log.event(Level::Debug, "malformed", &[("why", &why)]);
                if malformed == Malformed::Unknown && self.login.is_no_ftp_client(&line) {
                    return Reply::new(Code::NOT_AVAILABLE, "This is an FTP server.");
                }
                if !self.login.is_in() && permissions::needs_login(&malformed) {
                    return Refusal::NotLoggedIn.reply();
                }
                return error::malformed(&malformed);
            }
        };
        self.log.command(&command);
        // Before anything can refuse: a transfer that may not be carried out uses up REST all the same.
        let taken = (self.parameters.take_pending(command.verb()), renamed);
        let permitted = self.login.require(permissions::right(&command));
        let answer = permitted.and_then(|()| self.execute(&command, &taken));
        answer.unwrap_or_else(|refusal| {
            self.log.refused(&command, &refusal, self.login.cwd().ok());
            if matches!(refusal, Refusal::Injected) {
                self.log.tls_failed(&HandshakeFailure::injected());
            }
            if command.verb().is_transfer() {
                self.data.keep_port();
            }
            refusal.reply()
        })
    }

    /// Catches up with settings that were changed since the last command.
    fn catch_up(&mut self) {
        let edition = self.server.settings.edition();
        if edition == self.edition {
            return;
        }
        self.edition = edition;
        self.settings = self.server.settings();
        if !self.login.renew(&self.settings.authenticator) {
            let Session { login, parameters, data, log, .. } = self;
            commands::login::end_void_login(login, parameters, data, log);
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
            Command::Mode(_) => Err(Refusal::Parameter("Only MODE S is offered.")),
            Command::Stru(Structure::File) => Ok(Reply::new(Code::OK, "Structure is file.")),
            Command::Stru(_) => Err(Refusal::Parameter("Only STRU F is offered.")),
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
            // What it aborts has answered by now; see `ControlWatch`.
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
