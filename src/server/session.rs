//! One session: greeting, then read, permit, execute and reply, until someone leaves.
//!
//! The session is a local variable of its thread; nothing in it is shared or locked. Every command
//! gets exactly one final reply, because a handler returns it and nothing else sends one.

mod commands;
mod control_watch;
mod log_budget;
mod session_log;

use crate::net::{self, Draining, Stream};
use crate::protocol::listing::Facts;
use crate::protocol::{
    Algorithm, Code, Command, Control, FtpPath, Line, Malformed, Mode, Reply, Site, Span,
    Structure, Verb,
};
use crate::rate::Rate;
use crate::server::Server;
use crate::server::auth::identity::{self, Login, Right};
use crate::server::data::DataConnection;
use crate::server::error::{self, Refusal};
use crate::server::log::{Field, Level, Value};
use crate::server::monitor::sessions::Registration;
use crate::server::panic_hook;
use crate::server::proxy::{ClientOrigin, Via};
use crate::server::session::log_budget::LogBudget;
use crate::server::settings::Settings;
use crate::server::token_bucket::TokenBucket;
use std::borrow::Cow;
use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How many commands may come at once before login, and how many a second after that. A login needs
/// about ten.
const COMMANDS_AT_ONCE: u32 = 50;
const COMMANDS_A_SECOND: u32 = 10;

/// How many times as long as others a session may be idle that asks for it (SITE IDLE).
pub(super) const LONGEST_IDLE: u32 = 10;

/// What the command before has left for the next one; taken first thing by every command.
#[derive(Debug, Default)]
pub(super) enum Pending {
    /// Nothing.
    #[default]
    Nothing,
    /// REST: where the next transfer begins.
    Restart(u64),
    /// RANG: which bytes the next RETR or HASH takes.
    Range(Span),
    /// RNFR: what is to be renamed.
    Rename(FtpPath),
}

impl Pending {
    /// Which part of `size` bytes is wanted: where it begins, and how long it is.
    pub(super) fn portion(&self, size: u64) -> Result<(u64, u64), Refusal> {
        match *self {
            Pending::Restart(offset) if offset <= size => Ok((offset, size - offset)),
            Pending::Range(Span { start, end }) if start < size => {
                Ok((start, end.saturating_add(1).min(size) - start))
            }
            Pending::Restart(_) | Pending::Range(_) => Err(Refusal::BadRestart),
            Pending::Nothing | Pending::Rename(_) => Ok((0, size)),
        }
    }
}

/// How file data is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Representation {
    /// As text, with CR LF at the ends of lines.
    Ascii,
    /// As it is.
    Image,
}

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
        })
    }
}

impl Value for End {
    fn bytes(&self) -> Cow<'_, [u8]> {
        self.to_string().into_bytes().into()
    }
}

/// A client's session.
pub(super) struct Session<'a> {
    pub(super) server: &'a Server,
    /// The settings in force since the last command.
    pub(super) settings: Arc<Settings>,
    pub(super) edition: u64,
    /// What the command that is carried out needs; see [`identity::may`].
    pub(super) right: Right,
    pub(super) control: Control<Stream>,
    pub(super) login: Login,
    pub(super) data: DataConnection,
    pub(super) pending: Pending,
    pub(super) facts: Facts,
    pub(super) algorithm: Algorithm,
    pub(super) representation: Representation,
    pub(super) umask: Option<u32>,
    /// SITE IDLE: in the place of `--idle-timeout`.
    pub(super) own_idle_timeout: Option<Duration>,
    pub(super) failures: u32,
    /// Commands before login.
    pub(super) pace: TokenBucket,
    pub(super) registration: Registration<'a>,
    pub(super) log_budget: LogBudget,
    /// `--rate-limit`.
    pub(super) own_rate: Rate,
    /// Since when nobody is logged in.
    pub(super) outside_since: Instant,
    /// Lines before login that were no commands.
    nonsense: u32,
    number: u64,
    pub(super) peer: SocketAddr,
    /// By what way it came.
    origin: ClientOrigin,
    pub(super) started: Instant,
}

impl<'a> Session<'a> {
    /// A session on a connection that was accepted at `since`.
    ///
    /// # Errors
    /// What the system says of a broken socket.
    #[inline(never)]
    pub(super) fn new(
        server: &'a Server,
        stream: TcpStream,
        origin: ClientOrigin,
        since: Instant,
    ) -> io::Result<Box<Self>> {
        let mut stream = Stream::new(stream, Some(server.shutdown.clone()))?;
        stream.be_thrifty();
        let number = server.next_session();
        Ok(Box::new(Session {
            server,
            edition: server.settings.edition(),
            settings: server.settings(),
            right: Right::Anyone,
            pace: new_pace(),
            control: Control::new(stream),
            login: Login::Fresh,
            data: DataConnection::new(&origin),
            pending: Pending::Nothing,
            facts: Facts::ALL,
            algorithm: Algorithm::Sha256,
            representation: Representation::Ascii, // RFC 959 section 5.1: the default
            umask: None,
            own_idle_timeout: None,
            failures: 0,
            registration: server.session_list.register(number, origin.peer, origin.balancer()),
            log_budget: LogBudget::new(),
            own_rate: Rate::new(None),
            outside_since: since,
            nonsense: 0,
            number,
            peer: origin.peer,
            origin,
            started: since,
        }))
    }

    /// Sets everything that commands set back to what it was in the beginning.
    pub(super) fn settle_defaults(&mut self) {
        self.facts = Facts::ALL;
        self.algorithm = Algorithm::Sha256;
        self.representation = Representation::Ascii;
        self.umask = None;
        self.own_idle_timeout = None;
    }

    /// The life of the session.
    pub(super) fn run(&mut self) {
        // Balancers look every other second whether the server is well.
        let level = if self.origin.via == Via::Probe { Level::Debug } else { Level::Info };
        let balancer = self.origin.balancer();
        let via: Vec<Field<'_>> = balancer.iter().map(|via| ("via", via as &dyn Value)).collect();
        self.log(level, "connected", &via);
        let ended = panic_hook::catch(|| self.converse());
        self.record_end(level, &ended);
        if ended.is_err() {
            let last = Reply::new(Code::NOT_AVAILABLE, "Internal error; goodbye.");
            let _ = self.send(&last).and_then(|()| self.part());
        }
    }

    fn converse(&mut self) -> io::Result<End> {
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
                None => {}
                // After QUIT nothing is to come, and the client knows what it reads last.
                Some(End::Quit) if self.control.peek_line().is_none() => return Ok(End::Quit),
                Some(end) => return self.part().map(|()| end),
            }
        }
    }

    /// The last reply to who was silent for too long, or whom the server leaves.
    ///
    /// # Errors
    /// Gives back an error that is neither.
    fn farewell(&self, error: io::Error) -> io::Result<(Reply, End)> {
        if Draining::caused(&error) {
            return Ok((Refusal::ShuttingDown.reply(), End::Shutdown));
        }
        let end = if let Login::In(_) = self.login { End::Idle } else { End::NoLogin };
        match error.kind() {
            io::ErrorKind::TimedOut => Ok((Reply::new(Code::NOT_AVAILABLE, "Timeout."), end)),
            _ => Err(error),
        }
    }

    fn next_line(&mut self) -> io::Result<Option<Line>> {
        let idle = net::deadline(self.idle_timeout());
        let deadline = match self.login {
            Login::In(_) => idle,
            Login::Fresh | Login::Named(_) => {
                let deadline = net::sooner(idle, self.login_deadline());
                self.keep_pace(deadline)?;
                deadline
            }
        };
        self.control.stream_mut().set_deadline(deadline);
        self.control.read_command()
    }

    /// Until when the client has to log in. Absolute: who sends a command now and then does not
    /// stay without that.
    pub(super) fn login_deadline(&self) -> Option<Instant> {
        self.outside_since.checked_add(self.settings.config.login_timeout)
    }

    /// How long the client may be silent.
    pub(super) fn idle_timeout(&self) -> Duration {
        let most = self.settings.config.idle_timeout;
        self.own_idle_timeout.map_or(most, |own| own.min(most.saturating_mul(LONGEST_IDLE)))
    }

    /// Holds back who sends more than a login needs, so that strangers cost little.
    fn keep_pace(&mut self, deadline: Option<Instant>) -> io::Result<()> {
        while let Err(wait) = self.pace.take(0, Instant::now()) {
            let until = net::sooner(net::deadline(wait), deadline);
            match net::wait(&mut [self.server.shutdown.draining()], until) {
                Ok(()) => return Err(io::Error::other(Draining)),
                Err(error) if deadline.is_some_and(|deadline| deadline <= Instant::now()) => {
                    return Err(error);
                }
                Err(_) => {}
            }
        }
        Ok(())
    }

    /// Not part of the loop that waits, so that a session that waits has a small stack.
    #[inline(never)]
    fn answer(&mut self, line: Line) -> Reply {
        self.catch_up();
        let Line::Text(line) = line else {
            self.pending = Pending::Nothing;
            return Reply::new(Code::UNKNOWN_COMMAND, "Line too long.");
        };
        let command = match Command::parse(&line) {
            Ok(command) => command,
            Err(malformed) => {
                self.pending = Pending::Nothing;
                self.log(Level::Debug, "malformed", &[("why", &format!("{malformed:?}"))]);
                if malformed == Malformed::Unknown && self.is_no_ftp_client(&line) {
                    return Reply::new(Code::NOT_AVAILABLE, "This is an FTP server.");
                }
                return error::malformed(&malformed);
            }
        };
        self.log(Level::Debug, "command", &[("line", &command)]);
        self.log_budget.begin();
        // Before anything can refuse: a command that may not be carried out uses up REST all the same.
        let pending = self.take_pending(&command);
        let permitted = self.require(identity::right(&command));
        let answer = permitted.and_then(|()| self.execute(&command, pending));
        answer.unwrap_or_else(|refusal| {
            self.record_refusal(&command, &refusal);
            if command.verb().is_transfer() {
                self.data.keep_port();
            }
            refusal.reply()
        })
    }

    /// Asks for a right, which then holds for every path the command comes to.
    pub(super) fn require(&mut self, right: Right) -> Result<(), Refusal> {
        self.right = right;
        identity::may(&self.login, right, None)
    }

    /// Before login: a browser or a scanner, or someone who has guessed at verbs ten times.
    fn is_no_ftp_client(&mut self, line: &[u8]) -> bool {
        const HTTP: [&[u8]; 9] = [
            b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"CONNECT", b"OPTIONS", b"TRACE", b"PATCH",
        ];
        const MOST: u32 = 10;
        if let Login::In(_) = self.login {
            return false;
        }
        self.nonsense += 1;
        let word = line.split(|&b| b == b' ').next().unwrap_or_default();
        self.nonsense >= MOST || HTTP.contains(&word)
    }

    fn execute(&mut self, command: &Command, pending: Pending) -> Result<Reply, Refusal> {
        match command {
            Command::User(name) => Ok(self.user(name)),
            Command::Pass(password) => self.pass(password),
            Command::Acct(_) => Ok(Reply::new(Code::SUPERFLUOUS, "No account is needed.")),
            Command::Rein => Ok(self.rein()),
            Command::Quit => Ok(Reply::new(Code::CLOSING, "Goodbye.")),
            Command::Noop => Ok(Reply::new(Code::OK, "Done.")),
            Command::Syst => Ok(Reply::new(Code::SYSTEM_TYPE, "UNIX Type: L8")),
            Command::Feat => Ok(self.feat()),
            Command::Opts(opts) => Ok(self.opts(*opts)),
            Command::Help(verb) => self.help(verb.as_ref()),
            Command::Stat(None) => Ok(self.status()),
            Command::Stat(Some(path)) => self.stat_path(path),
            Command::Type(kind) => self.set_type(*kind),
            Command::Mode(Mode::Stream) => Ok(Reply::new(Code::OK, "Mode is stream.")),
            Command::Mode(_) => Err(Refusal::Parameter("Only MODE S is offered.")),
            Command::Stru(Structure::File) => Ok(Reply::new(Code::OK, "Structure is file.")),
            Command::Stru(_) => Err(Refusal::Parameter("Only STRU F is offered.")),
            Command::Allo(bytes) => self.allo(*bytes),
            Command::Host(_) => self.host(),
            Command::Lang(tag) => self.lang(tag.as_ref()),
            Command::Csid(_) => Ok(self.csid()),
            Command::Clnt(_) => Ok(Reply::new(Code::OK, "Noted.")),
            Command::Pwd => self.pwd(),
            Command::Cwd(name) => self.cwd(name),
            Command::Cdup => self.cdup(),
            Command::Pasv => self.pasv(),
            Command::Epsv(wanted) => self.epsv(*wanted),
            Command::Port(to) => self.active(SocketAddr::V4(*to)),
            Command::Eprt(to) => self.active(*to),
            Command::List(argument) => self.list(argument.as_ref()),
            Command::Nlst(argument) => self.nlst(argument.as_ref()),
            Command::Mlsd(name) => self.mlsd(name.as_ref()),
            Command::Mlst(name) => self.mlst(name.as_ref()),
            Command::Size(name) => self.size(name),
            Command::Mdtm(name) => self.mdtm(name),
            Command::Mfmt(time, name) => self.mfmt(*time, name),
            Command::Mff(changes, name) => self.mff(*changes, name),
            Command::Mfct(time, name) => self.mfct(*time, name),
            Command::Hash(name) => self.hash(name, pending),
            Command::Digest(algorithm, name, span) => self.digest(*algorithm, name, *span),
            Command::Avbl(name) => self.avbl(name.as_ref()),
            Command::Dsiz(name) => self.dsiz(name.as_ref()),
            Command::Rest(offset) => Ok(self.rest(*offset)),
            Command::Rang(span) => self.rang(*span),
            Command::Retr(name) => self.retr(name, pending),
            Command::Stor(name) => self.stor(name, pending),
            Command::Appe(name) => self.appe(name, pending),
            Command::Stou(prefix) => self.stou(prefix.as_ref(), pending),
            Command::Dele(name) => self.dele(name),
            Command::Mkd(name) => self.mkd(name),
            Command::Rmd(name) => self.rmd(name),
            Command::Rmda(name) => self.rmda(name),
            Command::Rnfr(name) => self.rnfr(name),
            Command::Rnto(name) => self.rnto(name, pending),
            // What it aborts has answered by now; see `ControlWatch`.
            Command::Abor => Ok(Reply::new(Code::TRANSFER_DONE, "Done; no transfer is running.")),
            Command::Site(site) => self.site(site),
        }
    }

    fn site(&mut self, site: &Site) -> Result<Reply, Refusal> {
        match site {
            Site::Help => Ok(self.site_help()),
            Site::Chmod(mode, name) => self.chmod(*mode, name),
            Site::Utime(time, name) => self.utime(*time, name),
            Site::Umask(mask) => Ok(self.set_umask(*mask)),
            Site::Symlink(target, link) => self.symlink(target, link),
            Site::Mkdir(name) => self.mkdirs(name),
            Site::Idle(seconds) => self.set_idle(*seconds),
            Site::Who => Ok(self.who()),
            Site::Quota => self.quota(),
        }
    }

    /// Takes what is pending. REST alone outlives the commands that set up its data connection:
    /// some clients send it before them.
    fn take_pending(&mut self, command: &Command) -> Pending {
        let pending = std::mem::take(&mut self.pending);
        let sets_up = matches!(
            command.verb(),
            Verb::Pasv | Verb::Epsv | Verb::Port | Verb::Eprt | Verb::Type | Verb::Allo
        );
        if sets_up && matches!(pending, Pending::Restart(_) | Pending::Range(_)) {
            self.pending = pending;
            return Pending::Nothing;
        }
        pending
    }

    pub(super) fn send(&mut self, reply: &Reply) -> io::Result<()> {
        if self.server.log.wants(Level::Debug) {
            self.log(Level::Debug, "reply", &[("code", &reply.code()), ("text", &reply.text())]);
        }
        self.control.send_reply(reply)
    }

    /// Closes so that the last reply arrives: what comes in after a close, or was left unread by it,
    /// resets the connection, and the reply may be lost with it. So the client may close first.
    fn part(&mut self) -> io::Result<()> {
        const PATIENCE: Duration = Duration::from_secs(1);
        let stream = self.control.stream_mut();
        stream.tcp().shutdown(std::net::Shutdown::Write)?;
        stream.set_deadline(net::deadline(PATIENCE));
        while self.control.fill().is_ok_and(|length| length > 0) {
            while self.control.take_line().is_some() {}
        }
        Ok(())
    }

    pub(super) fn log_change(&self, event: &str, path: &FtpPath) {
        self.log(Level::Info, event, &[("path", path)]);
    }

    /// Logs an event with the number, address and user of this session.
    pub(super) fn log(&self, level: Level, event: &str, fields: &[Field<'_>]) {
        if !self.server.log.wants(level) {
            return;
        }
        let mut all: Vec<Field<'_>> = vec![("session", &self.number), ("peer", &self.peer)];
        all.extend(self.login.user().map(|user| ("user", user as &dyn Value)));
        all.extend_from_slice(fields);
        self.server.log.event(level, event, &all);
    }
}

/// How many commands may come before login.
pub(super) fn new_pace() -> TokenBucket {
    TokenBucket::new(COMMANDS_AT_ONCE, COMMANDS_A_SECOND, Instant::now())
}
