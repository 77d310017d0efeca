//! One session: greeting, then read, permit, execute and reply, until someone leaves.
//!
//! The session is a local variable of its thread; nothing in it is shared or locked. Every command
//! gets exactly one final reply, because a handler returns it and nothing else sends one.

use super::Server;
use super::data::{Arrangements, Ends};
use super::log::{Field, Level};
use super::login::{self, Login};
use super::refusal::{self, Refusal};
use crate::net::{self, Draining, Stream};
use crate::protocol::listing::Facts;
use crate::protocol::{
    Code, Command, Control, Extended, Format, FtpPath, Line, Mode, Name, Opts, Reply, Secret, Site,
    Structure, TABLE, Type, Verb,
};
use std::fmt::Display;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// What the command before has left for the next one; taken first thing by every command.
#[derive(Debug, Default)]
pub(super) enum Pending {
    /// Nothing.
    #[default]
    Nothing,
    /// REST: where the next transfer begins.
    Restart(u64),
    /// RNFR: what is to be renamed.
    Rename(FtpPath),
}

impl Pending {
    /// Where a transfer begins.
    pub(super) fn offset(&self) -> u64 {
        match self {
            Pending::Restart(offset) => *offset,
            Pending::Nothing | Pending::Rename(_) => 0,
        }
    }
}

/// How file data is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Representation {
    Ascii,
    Image,
}

/// A client's session.
pub(super) struct Session<'a> {
    pub(super) server: &'a Server,
    pub(super) control: Control<Stream>,
    pub(super) login: Login,
    pub(super) data: Arrangements,
    pub(super) pending: Pending,
    pub(super) facts: Facts,
    representation: Representation,
    number: u64,
    peer: SocketAddr,
    started: Instant,
}

impl<'a> Session<'a> {
    /// A session on a connection that was just accepted.
    ///
    /// # Errors
    /// What the system says of a broken socket.
    pub(super) fn new(server: &'a Server, stream: TcpStream, peer: SocketAddr) -> io::Result<Self> {
        let local = net::canonical(stream.local_addr()?);
        // RFC 959 section 4.1.3: ABOR may come after a Telnet Synch, whose mark is urgent data.
        crate::sys::inline_urgent(&stream)?;
        let stream = Stream::new(stream, Some(server.shutdown.clone()))?;
        Ok(Session {
            server,
            control: Control::new(stream),
            login: Login::Fresh,
            data: Arrangements::new(Ends { local: local.ip(), peer: peer.ip() }),
            pending: Pending::Nothing,
            facts: Facts::ALL,
            representation: Representation::Ascii, // RFC 959 section 5.1: the default
            number: server.next_session(),
            peer,
            started: Instant::now(),
        })
    }

    /// The life of the session.
    pub(super) fn run(mut self) {
        self.log(Level::Info, "connected", &[]);
        let ended = self.converse();
        let seconds = self.started.elapsed().as_secs();
        match ended {
            Ok(()) => self.log(Level::Info, "closed", &[("seconds", &seconds)]),
            Err(error) => {
                self.log(Level::Info, "lost", &[("seconds", &seconds), ("cause", &error)]);
            }
        }
    }

    fn converse(&mut self) -> io::Result<()> {
        self.send(&Reply::new(Code::READY, "mt_ftp ready."))?;
        loop {
            let reply = match self.next_line() {
                Ok(Some(line)) => self.answer(line),
                Ok(None) => return Ok(()),
                Err(error) => farewell(error)?,
            };
            self.send(&reply)?;
            if matches!(reply.code(), Code::CLOSING | Code::NOT_AVAILABLE) {
                return self.part();
            }
        }
    }

    fn next_line(&mut self) -> io::Result<Option<Line>> {
        let config = &self.server.config;
        let idle = net::deadline(config.idle_timeout);
        let deadline = match self.login {
            Login::In(_) => idle,
            // Absolute: who sends a command now and then does not stay without logging in.
            Login::Fresh | Login::Named(_) => {
                idle.min(self.started.checked_add(config.login_timeout))
            }
        };
        self.control.stream_mut().set_deadline(deadline);
        self.control.read_line()
    }

    fn answer(&mut self, line: Line) -> Reply {
        let Line::Text(line) = line else {
            self.pending = Pending::Nothing;
            return Reply::new(Code::UNKNOWN_COMMAND, "Line too long.");
        };
        let command = match Command::parse(&line) {
            Ok(command) => command,
            Err(malformed) => {
                self.pending = Pending::Nothing;
                self.log(Level::Debug, "malformed", &[("why", &format!("{malformed:?}"))]);
                return refusal::malformed(&malformed);
            }
        };
        self.log(Level::Debug, "command", &[("line", &command)]);
        let answer =
            self.login.permit(login::right(&command)).and_then(|()| self.execute(&command));
        answer.unwrap_or_else(|refusal| {
            if let Some(cause) = refusal.cause() {
                let fields: [Field<'_>; 2] = [("command", &command), ("cause", cause)];
                self.log(Level::Debug, "refused", &fields);
            }
            refusal.reply()
        })
    }

    fn execute(&mut self, command: &Command) -> Result<Reply, Refusal> {
        let pending = self.take_pending(command);
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
            Command::Help(verb) => help(verb.as_ref()),
            Command::Stat(None) => Ok(self.status()),
            Command::Stat(Some(path)) => self.stat_path(path),
            Command::Type(kind) => self.set_type(*kind),
            Command::Mode(Mode::Stream) => Ok(Reply::new(Code::OK, "Mode is stream.")),
            Command::Mode(_) => Err(Refusal::Parameter("Only MODE S is offered.")),
            Command::Stru(Structure::File) => Ok(Reply::new(Code::OK, "Structure is file.")),
            Command::Stru(_) => Err(Refusal::Parameter("Only STRU F is offered.")),
            Command::Allo(_) => Ok(Reply::new(Code::SUPERFLUOUS, "No need to allocate.")),
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
            Command::Rest(offset) => Ok(self.rest(*offset)),
            Command::Retr(name) => self.retr(name, pending),
            Command::Stor(name) => self.stor(name, pending),
            Command::Appe(name) => self.appe(name, pending),
            Command::Stou(prefix) => self.stou(prefix.as_ref()),
            Command::Dele(name) => self.dele(name),
            Command::Mkd(name) => self.mkd(name),
            Command::Rmd(name) => self.rmd(name),
            Command::Rnfr(name) => self.rnfr(name),
            Command::Rnto(name) => self.rnto(name, pending),
            // What it aborts has answered by now; see `Watch`.
            Command::Abor => Ok(Reply::new(Code::TRANSFER_DONE, "No transfer is running.")),
            Command::Site(Site::Help) => Ok(site_help()),
            Command::Site(Site::Chmod(mode, name)) => self.chmod(*mode, name),
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
        if sets_up && matches!(pending, Pending::Restart(_)) {
            self.pending = pending;
            return Pending::Nothing;
        }
        pending
    }

    fn user(&mut self, name: &Name) -> Reply {
        self.login = Login::Named(name.clone());
        let text = match login::is_anonymous(name) {
            true => "Any password will do; your e-mail address is the custom.",
            false => "Password, please.",
        };
        Reply::new(Code::NEED_PASSWORD, text)
    }

    fn pass(&mut self, password: &Secret) -> Result<Reply, Refusal> {
        let name = match std::mem::take(&mut self.login) {
            Login::Named(name) => name,
            other => {
                self.login = other;
                return Err(Refusal::Sequence("Send USER first."));
            }
        };
        match self.server.gate.admit(&name, password) {
            Ok(home) => {
                self.login = Login::In(home);
                self.log(Level::Info, "login", &[]);
                Ok(Reply::new(Code::LOGGED_IN, "Logged in."))
            }
            Err(refusal) => {
                self.log(Level::Warn, "login-failed", &[("name", &name)]);
                Err(refusal)
            }
        }
    }

    fn rein(&mut self) -> Reply {
        self.login = Login::Fresh;
        self.data.reset();
        self.facts = Facts::ALL;
        self.representation = Representation::Ascii;
        Reply::new(Code::READY, "Begin again with USER.")
    }

    fn set_type(&mut self, kind: Type) -> Result<Reply, Refusal> {
        let (representation, text) = match kind {
            Type::Ascii(Format::NonPrint) => (Representation::Ascii, "Type is ASCII."),
            Type::Image | Type::Local(8) => (Representation::Image, "Type is image (binary)."),
            Type::Ascii(_) | Type::Ebcdic(_) | Type::Local(_) => {
                return Err(Refusal::Parameter("Only TYPE A, I and L 8 are offered."));
            }
        };
        self.representation = representation;
        Ok(Reply::new(Code::OK, text))
    }

    pub(super) fn is_ascii(&self) -> bool {
        self.representation == Representation::Ascii
    }

    fn rest(&mut self, offset: u64) -> Reply {
        self.pending = Pending::Restart(offset);
        Reply::new(Code::PENDING, format!("The next transfer begins at byte {offset}."))
    }

    fn pasv(&mut self) -> Result<Reply, Refusal> {
        self.data.check_not_restricted()?;
        let IpAddr::V4(local) = self.data.local() else {
            // RFC 2428 section 1: PASV cannot say an IPv6 address.
            return Err(Refusal::NoDataConnection("PASV is for IPv4; use EPSV."));
        };
        let port = self.data.passive()?;
        let mut text = Vec::new();
        let address = std::net::SocketAddrV4::new(local, port);
        crate::protocol::address::write_passive(address, &mut text);
        Ok(Reply::new(Code::PASSIVE, text))
    }

    fn epsv(&mut self, wanted: Extended) -> Result<Reply, Refusal> {
        match (wanted, self.data.local()) {
            (Extended::All, _) => {
                self.data.restrict_to_extended();
                return Ok(Reply::new(Code::OK, "Only EPSV from now on."));
            }
            (Extended::V4, IpAddr::V6(_)) => {
                return Err(Refusal::Protocol("This connection is IPv6, use (2)."));
            }
            (Extended::V6, IpAddr::V4(_)) => {
                return Err(Refusal::Protocol("This connection is IPv4, use (1)."));
            }
            (Extended::Same, _) | (Extended::V4, _) | (Extended::V6, _) => {}
        }
        let port = self.data.passive()?;
        let mut text = Vec::new();
        crate::protocol::address::write_extended_passive(port, &mut text);
        Ok(Reply::new(Code::EXTENDED_PASSIVE, text))
    }

    fn active(&mut self, to: SocketAddr) -> Result<Reply, Refusal> {
        self.data.check_not_restricted()?;
        self.data.active(to)?;
        Ok(Reply::new(Code::OK, "The next transfer connects there."))
    }

    fn opts(&mut self, opts: Opts) -> Reply {
        match opts {
            // Names are bytes and go as they are, which is what UTF-8 clients want. There is no
            // other encoding to switch to, so OFF changes nothing, and says so.
            Opts::Utf8(true) => Reply::new(Code::OK, "Names are UTF-8."),
            Opts::Utf8(false) => Reply::new(Code::OK, "Names are sent as they are stored."),
            Opts::Mlst(facts) => {
                self.facts = facts;
                let mut text = b"MLST OPTS ".to_vec();
                facts.write(&mut text);
                Reply::new(Code::OK, text)
            }
        }
    }

    fn feat(&self) -> Reply {
        let mut facts = b" MLST ".to_vec();
        self.facts.write_features(&mut facts);
        let mut lines: Vec<Vec<u8>> =
            [" EPRT", " EPSV", " MDTM", " MFMT"].map(|line| line.as_bytes().to_vec()).into();
        lines.push(facts);
        lines.extend([" REST STREAM", " SIZE", " TVFS", " UTF8"].map(|line| line.into()));
        Reply::lines(Code::SYSTEM_STATUS, "Extensions:", lines, "End.")
    }

    fn status(&self) -> Reply {
        let who = match &self.login {
            Login::In(home) => format!(" Logged in as {}", home.user),
            Login::Fresh | Login::Named(_) => " Not logged in".into(),
        };
        let kind = if self.is_ascii() { " TYPE: ASCII" } else { " TYPE: image" };
        let lines = [
            format!(" Connected from {}", self.peer.ip()),
            who,
            format!("{kind}, STRU: file, MODE: stream"),
            format!(" Session open for {} seconds", self.started.elapsed().as_secs()),
        ];
        Reply::lines(Code::SYSTEM_STATUS, "mt_ftp:", lines.map(String::into_bytes), "End.")
    }

    pub(super) fn send(&mut self, reply: &Reply) -> io::Result<()> {
        if self.server.log.wants(Level::Debug) {
            let text = String::from_utf8_lossy(reply.text());
            self.log(Level::Debug, "reply", &[("code", &reply.code()), ("text", &text)]);
        }
        self.control.send_reply(reply)
    }

    /// Closes so that the last reply arrives: a socket that is closed with something unread in it
    /// resets the connection, and the reply may be lost with it.
    fn part(&mut self) -> io::Result<()> {
        const PATIENCE: Duration = Duration::from_secs(1);
        let stream = self.control.stream_mut();
        stream.tcp().shutdown(std::net::Shutdown::Write)?;
        if !stream.has_unread() {
            return Ok(());
        }
        stream.set_deadline(net::deadline(PATIENCE));
        while self.control.fill().is_ok_and(|length| length > 0) {
            while self.control.take_line().is_some() {}
        }
        Ok(())
    }

    pub(super) fn log_change(&self, event: &str, path: &FtpPath) {
        self.log(Level::Info, event, &[("path", path)]);
    }

    pub(super) fn log_transfer(
        &self,
        event: &str,
        path: &FtpPath,
        started: Instant,
        result: &Result<u64, Refusal>,
    ) {
        let seconds = format!("{:.3}", started.elapsed().as_secs_f64());
        match result {
            Ok(bytes) => self.log(
                Level::Info,
                event,
                &[("path", path), ("bytes", bytes), ("seconds", &seconds)],
            ),
            Err(refusal) => {
                let reply = refusal.reply();
                let why = String::from_utf8_lossy(reply.text()).into_owned();
                let mut fields: Vec<Field<'_>> = vec![("path", path), ("failed", &why)];
                fields.extend(refusal.cause().map(|cause| ("cause", cause as &dyn Display)));
                self.log(Level::Warn, event, &fields);
            }
        }
    }

    /// Logs an event with the number, address and user of this session.
    pub(super) fn log(&self, level: Level, event: &str, fields: &[Field<'_>]) {
        if !self.server.log.wants(level) {
            return;
        }
        let mut all: Vec<Field<'_>> = vec![("session", &self.number), ("peer", &self.peer)];
        all.extend(self.login.user().map(|user| ("user", user as &dyn Display)));
        all.extend_from_slice(fields);
        self.server.log.event(level, event, &all);
    }
}

/// The last reply to who was idle for too long, or whom the server leaves.
///
/// # Errors
/// Gives back an error that is neither.
fn farewell(error: io::Error) -> io::Result<Reply> {
    if Draining::caused(&error) {
        return Ok(Refusal::ShuttingDown.reply());
    }
    match error.kind() {
        io::ErrorKind::TimedOut => Ok(Reply::new(Code::NOT_AVAILABLE, "Timeout.")),
        _ => Err(error),
    }
}

fn help(verb: Option<&Name>) -> Result<Reply, Refusal> {
    let Some(name) = verb else {
        let spellings: Vec<&str> = TABLE.iter().map(|row| row.spelling).collect();
        let lines = spellings.chunks(12).map(|line| format!(" {}", line.join(" ")).into_bytes());
        return Ok(Reply::lines(Code::HELP, "Commands:", lines, "HELP and a command explains it."));
    };
    if name.as_bytes().eq_ignore_ascii_case(b"SITE") {
        return Ok(site_help());
    }
    let verb = Verb::parse(name.as_bytes().trim_ascii())
        .ok_or(Refusal::Argument("There is no such command."))?;
    let row = verb.row();
    let syntax = format!("{} {}", row.spelling, row.syntax);
    Ok(Reply::new(Code::HELP, format!("{}: {} ({})", syntax.trim_end(), row.help, row.rfc)))
}

fn site_help() -> Reply {
    let lines = [" HELP", " CHMOD mode path"].map(|line| line.as_bytes().to_vec());
    Reply::lines(Code::HELP, "SITE commands:", lines, "End.")
}
