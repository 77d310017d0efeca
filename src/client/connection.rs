//! A connection to a server: one method a thing the server can do, one typed answer each.
//!
//! - Whatever the server refuses is an [`Error::Refused`] with its reply, and the connection can be
//!   used again. After any other error of the control connection it is [lost](Connection::is_lost),
//!   and every call says so: what would be read next might answer an earlier command.
//! - Every reply has as long as [`Settings::timeout`]. A transfer has as long as it moves.
//! - TYPE is sent when a transfer needs another type than the server has, not before.
//! - FEAT is not asked: what a server lacks it refuses, and that is remembered, by the connections
//!   that are made in its place or beside it too.
//! - Who logged in and where it stands is remembered, so that it can be made [anew](Connection::reconnect).

use super::error::Error;
use super::interrupt::{Armed, Interrupt};
use super::origin::{Login, Origin};
use super::output::Spoken;
use crate::net::{self, Stream};
use crate::protocol::time::parse_timestamp;
use crate::protocol::{
    Algorithm, Code, Command, Control, Extended, Format, Name, Reply, Secret, Type, parse_quoted,
};
use crate::rate::Rate;
use crate::sys::{Interest, Latch, PollItem, Waitable, poll};
use std::io;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

/// How long the server may take to say goodbye.
const FAREWELL: Duration = Duration::from_secs(3);

/// What a connection is told once.
#[derive(Clone)]
pub struct Settings {
    /// How data connections are made.
    pub mode: DataMode,
    /// Longest wait for a reply, and longest pause of a transfer.
    pub timeout: Duration,
    /// After how much silence during a transfer a NOOP is sent, so that what translates addresses on
    /// the way does not forget the control connection.
    pub keep_alive: Duration,
    /// What breaks transfers off.
    pub interrupt: Interrupt,
    /// How fast bytes go, shared by all connections that were given it.
    pub rate: Option<Rate>,
    /// Told of every command and reply.
    pub trace: Option<fn(Spoken<'_>)>,
}

impl Default for Settings {
    /// Passive, 30 seconds, a NOOP a minute, never interrupted, not traced.
    fn default() -> Settings {
        Settings {
            mode: DataMode::Passive,
            timeout: Duration::from_secs(30),
            keep_alive: Duration::from_secs(60),
            interrupt: Interrupt::default(),
            rate: None,
            trace: None,
        }
    }
}

/// How data connections are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataMode {
    /// We connect (EPSV, PASV), and only ever to the server's own address: the one in a PASV reply
    /// could send us anywhere in our own network.
    Passive,
    /// We connect, after PASV to whatever address the server names.
    PassiveTrusting,
    /// The server connects (EPRT, PORT).
    Active,
}

/// A control connection to a server.
pub struct Connection {
    control: Control<Stream>,
    settings: Settings,
    /// The server's address, the only one that data is exchanged with unless told otherwise.
    peer: SocketAddr,
    local: SocketAddr,
    /// How to come here again.
    origin: Origin,
    /// What files are transferred as.
    wanted: Representation,
    /// What the server was told last; `None` where that is not known.
    current: Option<Representation>,
    able: Able,
    /// What goes out together with the command of the next transfer.
    followers: Vec<Command>,
    /// Where the next data connection goes, once that is agreed on.
    route: Option<SocketAddr>,
    /// The size of the file that was sent last, where a follower asked for it.
    stored: Option<u64>,
    lost: bool,
}

/// What it takes to make a connection like another one.
#[derive(Clone)]
pub(super) struct Recipe {
    origin: Origin,
    settings: Settings,
    wanted: Representation,
    able: Able,
}

impl Recipe {
    /// Makes it.
    pub(super) fn connect(&self) -> Result<Connection, Error> {
        let (host, port) = self.origin.address();
        let mut made = Connection::open(host, port, self.settings.clone())?;
        made.wanted = self.wanted;
        made.able = Able { pipelines: self.able.pipelines && made.able.pipelines, ..self.able };
        if let Some(Login { user, password, account }) = self.origin.login() {
            let password = || password.clone().ok_or(Error::NoPassword);
            made.login_with_account(user, password, || Ok(account.clone()))?;
        }
        for step in self.origin.trail() {
            made.call(step)?;
        }
        made.origin = self.origin.clone();
        Ok(made)
    }
}

/// What the server has not refused yet.
#[derive(Clone, Copy)]
pub(super) struct Able {
    /// EPSV and EPRT.
    pub(super) extended: bool,
    /// SIZE, MDTM and MFMT.
    pub(super) sizes: bool,
    pub(super) times: bool,
    pub(super) sets_times: bool,
    /// REST.
    pub(super) restarts: bool,
    /// MLSD.
    pub(super) machine_lists: bool,
    /// HASH.
    pub(super) hashes: bool,
    /// More than one command at a time.
    pub(super) pipelines: bool,
    /// NOOP during a transfer, whenever it is answered.
    pub(super) keeps_alive: bool,
}

impl Able {
    const ALL: Able = Able {
        extended: true,
        sizes: true,
        times: true,
        sets_times: true,
        restarts: true,
        machine_lists: true,
        hashes: true,
        pipelines: true,
        keeps_alive: true,
    };
}

/// Making a connection and ending it.
impl Connection {
    /// Connects and waits for the server's greeting.
    ///
    /// # Errors
    /// [`Error::Connect`], [`Error::Greeting`], and those of every reply.
    pub fn open(host: &str, port: u16, settings: Settings) -> Result<Connection, Error> {
        let failed = |error| Error::Connect { to: format!("{host} port {port}"), error };
        let armed = settings.interrupt.begin().map_err(Error::Local)?;
        let tcp = dial(host, port, settings.timeout, &armed)?.map_err(failed)?;
        let origin = Origin::new(host, port);
        let mut connection = Connection::over(tcp, origin, settings).map_err(failed)?;
        // A server that is not ready yet says 120 first (RFC 959 section 5.4).
        let greeting = connection.final_reply_unless(&armed)?;
        connection.able.pipelines = !mixes_commands_up(&greeting);
        if greeting.code().is_success() { Ok(connection) } else { Err(Error::Greeting(greeting)) }
    }

    fn over(tcp: TcpStream, origin: Origin, settings: Settings) -> io::Result<Connection> {
        let (peer, local) = (tcp.peer_addr()?, tcp.local_addr()?);
        Ok(Connection {
            control: Control::new(Stream::new(tcp, None)?),
            settings,
            peer: net::canonical(peer),
            local: net::canonical(local),
            origin,
            wanted: Representation::Bytes,
            current: None,
            able: Able::ALL,
            followers: Vec::new(),
            route: None,
            stored: None,
            lost: false,
        })
    }

    /// Another connection to the same server, logged in as the same user, in the same directory.
    ///
    /// # Errors
    /// Those of [`Connection::open`], [`Connection::login`] and [`Connection::change_dir`].
    pub fn another(&self) -> Result<Connection, Error> {
        self.recipe().connect()
    }

    pub(super) fn recipe(&self) -> Recipe {
        let (origin, settings) = (self.origin.clone(), self.settings.clone());
        Recipe { origin, settings, wanted: self.wanted, able: self.able }
    }

    /// Makes the connection anew where it is lost; what it stood for stays.
    ///
    /// # Errors
    /// Those of [`Connection::another`]; it is lost then.
    pub fn reconnect(&mut self) -> Result<(), Error> {
        self.lost = true;
        // First, for some servers count it. One that is gone already needs no closing.
        let _ = self.control.stream().tcp().shutdown(Shutdown::Both);
        let before = self.line().and_then(|line| line.local_addr().ok());
        *self = self.another()?;
        if let (Some(before), Some(line)) = (before, self.line()) {
            self.settings.interrupt.renew(before, line);
        }
        Ok(())
    }

    /// Makes the connection anew if it is lost.
    pub(super) fn revive(&mut self) -> Result<(), Error> {
        if self.lost { self.reconnect() } else { Ok(()) }
    }

    /// Logs in. `password` is asked for only if the server does.
    ///
    /// # Errors
    /// [`Error::Login`], after which another login can be tried, and whatever `password` fails
    /// with.
    pub fn login(
        &mut self,
        user: &Name,
        password: impl FnOnce() -> Result<Secret, Error>,
    ) -> Result<(), Error> {
        self.login_with_account(user, password, || Ok(None))
    }

    /// Logs in where the server may ask for an account besides (332, RFC 959 section 4.1.1).
    ///
    /// # Errors
    /// Those of [`Connection::login`]; [`Error::WantsTls`] where no password was sent because the
    /// server wants encryption first.
    pub fn login_with_account(
        &mut self,
        user: &Name,
        password: impl FnOnce() -> Result<Secret, Error>,
        account: impl FnOnce() -> Result<Option<Secret>, Error>,
    ) -> Result<(), Error> {
        let mut reply = self.ask_unless_interrupted(&Command::User(user.clone()))?;
        if !reply.code().is_success() && wants_tls(&reply) {
            return Err(Error::WantsTls(reply));
        }
        let mut used = Login { user: user.clone(), password: None, account: None };
        if reply.code() == Code::NEED_PASSWORD {
            let password = password()?;
            reply = self.ask_unless_interrupted(&Command::Pass(password.clone()))?;
            used.password = Some(password);
        }
        if reply.code() == Code::NEED_ACCOUNT
            && let Some(account) = account()?
        {
            reply = self.ask_unless_interrupted(&Command::Acct(account.clone()))?;
            used.account = Some(account);
        }
        if !reply.code().is_success() {
            return Err(Error::Login(reply));
        }
        self.origin.logged_in(used);
        Ok(())
    }

    /// Says goodbye. The server may be gone already, which is as good.
    pub fn quit(mut self) {
        if self.send(&Command::Quit).is_ok() {
            let patience = self.settings.timeout.min(FAREWELL);
            // Whatever it answers, this is the end.
            let _ = self.reply_by(net::deadline(patience));
        }
    }

    /// Whether nothing can be asked any more.
    pub fn is_lost(&self) -> bool {
        self.lost
    }

    /// Another hold on the socket, by which another thread can cut the connection.
    pub(super) fn line(&self) -> Option<TcpStream> {
        self.control.stream().tcp().try_clone().ok()
    }

    /// The server's address.
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }
}

/// What a server can do besides transfers.
impl Connection {
    /// Changes the directory.
    ///
    /// # Errors
    /// Those of every command.
    pub fn change_dir(&mut self, to: &Name) -> Result<(), Error> {
        self.step(Command::Cwd(to.clone()))
    }

    /// Changes to the directory above.
    ///
    /// # Errors
    /// Those of every command.
    pub fn change_to_parent(&mut self) -> Result<(), Error> {
        self.step(Command::Cdup)
    }

    fn step(&mut self, step: Command) -> Result<(), Error> {
        self.call(&step)?;
        self.origin.stepped(step);
        if self.origin.is_roundabout()
            && let Ok(path) = self.current_dir()
            && let Some(path) = Name::new(path)
        {
            self.origin.stands_in(path);
        }
        Ok(())
    }

    /// The directory we stand in.
    ///
    /// # Errors
    /// Those of every command; [`Error::Unintelligible`] for a 257 without a path.
    pub fn current_dir(&mut self) -> Result<Vec<u8>, Error> {
        let reply = self.call(&Command::Pwd)?;
        parse_quoted(reply.text()).ok_or(Error::Unintelligible(reply))
    }

    /// Makes a directory.
    ///
    /// # Errors
    /// Those of every command.
    pub fn make_dir(&mut self, name: &Name) -> Result<(), Error> {
        self.call(&Command::Mkd(name.clone())).map(drop)
    }

    /// Removes a directory.
    ///
    /// # Errors
    /// Those of every command.
    pub fn remove_dir(&mut self, name: &Name) -> Result<(), Error> {
        self.call(&Command::Rmd(name.clone())).map(drop)
    }

    /// Deletes a file.
    ///
    /// # Errors
    /// Those of every command.
    pub fn delete(&mut self, name: &Name) -> Result<(), Error> {
        self.call(&Command::Dele(name.clone())).map(drop)
    }

    /// Gives a file or directory another name.
    ///
    /// # Errors
    /// Those of every command.
    pub fn rename(&mut self, from: &Name, to: &Name) -> Result<(), Error> {
        self.call(&Command::Rnfr(from.clone()))?;
        self.call(&Command::Rnto(to.clone())).map(drop)
    }

    /// The size of a file in bytes.
    ///
    /// # Errors
    /// Those of every command; [`Error::Unintelligible`] for a 213 without a number.
    pub fn size(&mut self, name: &Name) -> Result<u64, Error> {
        self.take_type(Representation::Bytes)?;
        let reply = self.call(&Command::Size(name.clone()))?;
        number(&reply).ok_or(Error::Unintelligible(reply))
    }

    /// When a file was last modified.
    ///
    /// # Errors
    /// Those of every command; [`Error::Unintelligible`] for a 213 without a time.
    pub fn modified(&mut self, name: &Name) -> Result<SystemTime, Error> {
        let reply = self.call(&Command::Mdtm(name.clone()))?;
        parse_timestamp(reply.text().trim_ascii()).ok_or(Error::Unintelligible(reply))
    }

    /// How data connections are made from now on.
    pub fn set_mode(&mut self, mode: DataMode) {
        self.settings.mode = mode;
    }

    /// Who is told of every command and reply from now on.
    pub fn set_trace(&mut self, trace: Option<fn(Spoken<'_>)>) {
        self.settings.trace = trace;
    }

    /// Names an account, which some commands need on some servers.
    ///
    /// # Errors
    /// Those of every command.
    pub fn account(&mut self, account: Secret) -> Result<(), Error> {
        self.call(&Command::Acct(account.clone()))?;
        self.origin.named_account(account);
        Ok(())
    }

    /// Sends a line as it is and returns the answer, whatever it is. Transfers cannot be made so.
    ///
    /// # Errors
    /// Those of every reply.
    pub fn quote(&mut self, line: &Name) -> Result<Reply, Error> {
        self.discard_unasked()?;
        self.trace(Spoken::Typed(line.as_bytes()));
        let sent = self.control.send(&[line.as_bytes(), b"\r\n"].concat());
        self.checked(sent)?;
        // It may have been TYPE, or REIN.
        self.current = None;
        let reply = self.final_reply()?;
        if let Ok(step @ (Command::Cwd(_) | Command::Cdup)) = Command::parse(line.as_bytes())
            && reply.code().is_success()
        {
            self.origin.stepped(step);
        }
        // The server closes after this one.
        self.lost = reply.code() == Code::CLOSING;
        Ok(reply)
    }

    /// What files are transferred as from now on.
    pub fn transfer_as(&mut self, representation: Representation) {
        self.wanted = representation;
    }
}

/// What files are transferred as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Representation {
    /// Lines, whose ends are made those of each side: TYPE A.
    Text,
    /// The bytes as they are: TYPE I.
    Bytes,
}

impl Representation {
    fn wire(self) -> Type {
        match self {
            Representation::Text => Type::Ascii(Format::NonPrint),
            Representation::Bytes => Type::Image,
        }
    }
}

/// What transfers ask of their connection.
impl Connection {
    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(super) fn local(&self) -> SocketAddr {
        self.local
    }

    pub(super) fn representation(&self) -> Representation {
        self.wanted
    }

    /// Size and time of a file, asked for in one piece where the server takes that.
    pub(super) fn expected_size_and_time(
        &mut self,
        name: &Name,
    ) -> Result<(Option<u64>, Option<SystemTime>), Error> {
        let Able { sizes, times, pipelines, .. } = self.able;
        if !(sizes && times && pipelines) || self.current != Some(Representation::Bytes) {
            return Ok((self.expected_size(name)?, self.expected_time(name)?));
        }
        let asked = [Command::Size(name.clone()), Command::Mdtm(name.clone())];
        let mut answers = self.call_all(&asked).into_iter();
        let mut next = || answers.next().unwrap_or(Err(Error::NotConnected));
        let (size, time) = (next(), next());
        let size = self.unless_refused(size, |able| &mut able.sizes)?;
        let time = self.unless_refused(time, |able| &mut able.times)?;
        let time = time.and_then(|reply| parse_timestamp(reply.text().trim_ascii()));
        Ok((size.and_then(|reply| number(&reply)), time))
    }

    /// Tells the server the type of files, if it does not know it.
    pub(super) fn take_file_type(&mut self) -> Result<(), Error> {
        self.take_type(self.wanted)
    }

    /// The same together with the question for the next data connection.
    pub(super) fn take_file_type_and_route(&mut self) -> Result<Option<Reply>, Error> {
        if self.current == Some(self.wanted) || self.route.is_some() || !self.looks_ahead() {
            return self.take_file_type().map(|()| None);
        }
        self.discard_unasked()?;
        self.send_all(&[&Command::Type(self.wanted.wire()), &EXTENDED_PASSIVE])?;
        let taken = self.final_reply()?;
        let route = self.final_reply()?;
        if !taken.code().is_success() {
            return Err(Error::Refused(taken));
        }
        self.current = Some(self.wanted);
        Ok(Some(route))
    }

    fn take_type(&mut self, wanted: Representation) -> Result<(), Error> {
        if self.current != Some(wanted) {
            self.call(&Command::Type(wanted.wire()))?;
            self.current = Some(wanted);
        }
        Ok(())
    }

    /// The size of a file about to be fetched, if the server tells. A text has no size that could
    /// be known before (RFC 3659 section 4), and some servers read all of it to count.
    pub(super) fn expected_size(&mut self, name: &Name) -> Result<Option<u64>, Error> {
        if !self.able.sizes || self.wanted == Representation::Text {
            return Ok(None);
        }
        let size = self.size(name);
        self.unless_refused(size, |able| &mut able.sizes)
    }

    /// When a file was modified, if the server tells.
    pub(super) fn expected_time(&mut self, name: &Name) -> Result<Option<SystemTime>, Error> {
        if !self.able.times {
            return Ok(None);
        }
        let time = self.modified(name);
        self.unless_refused(time, |able| &mut able.times)
    }

    /// The digest of a whole file, if the server tells, in the form that it chose:
    /// `213 SHA-256 0-49 digest name` (draft-bryan-ftpext-hash-02 section 3.1).
    pub(super) fn hash(&mut self, name: &Name) -> Result<Option<(Algorithm, Vec<u8>)>, Error> {
        if !self.able.hashes {
            return Ok(None);
        }
        let answer = self.call(&Command::Hash(name.clone()));
        let Some(reply) = self.unless_refused(answer, |able| &mut able.hashes)? else {
            return Ok(None);
        };
        let mut words = reply.text().split(|&byte| byte == b' ');
        let algorithm = words.next().and_then(Algorithm::parse);
        Ok(algorithm.zip(words.nth(1).map(<[u8]>::to_ascii_lowercase)))
    }

    /// Tells the server when a file was modified, if it takes that.
    pub(super) fn set_modified(&mut self, name: &Name, time: SystemTime) -> Result<(), Error> {
        if !self.able.sets_times {
            return Ok(());
        }
        let set = self.call(&Command::Mfmt(time, name.clone()));
        self.unless_refused(set, |able| &mut able.sets_times).map(drop)
    }

    /// Does something in another directory and comes back. Where the connection is lost meanwhile,
    /// the one that takes its place begins here.
    pub(super) fn within<T>(
        &mut self,
        dir: &Name,
        work: impl FnOnce(&mut Connection) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let here = self.current_dir()?;
        let here = Name::new(here.as_slice()).ok_or(Error::BadName(here))?;
        let origin = self.origin.clone();
        self.change_dir(dir)?;
        let result = work(self);
        if !self.lost {
            self.lost = self.change_dir(&here).is_err();
        }
        self.origin = origin;
        result
    }

    /// Bytes that tell this place, with its server and user, from all others.
    pub(super) fn place(&self) -> Vec<u8> {
        self.origin.place()
    }

    /// What the server has not refused yet.
    pub(super) fn able(&mut self) -> &mut Able {
        &mut self.able
    }

    /// An answer that is not needed; that the server does not know the question is remembered.
    pub(super) fn unless_refused<T>(
        &mut self,
        answer: Result<T, Error>,
        able: impl FnOnce(&mut Able) -> &mut bool,
    ) -> Result<Option<T>, Error> {
        match answer {
            Ok(answer) => Ok(Some(answer)),
            Err(Error::Refused(reply)) => {
                *able(&mut self.able) &= !is_missing(&reply);
                Ok(None)
            }
            Err(Error::Unintelligible(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The same where only that the server does not know the question is no failure.
    pub(super) fn unless_missing<T>(
        &mut self,
        answer: Result<T, Error>,
        able: impl FnOnce(&mut Able) -> &mut bool,
    ) -> Result<Option<T>, Error> {
        match answer {
            Err(Error::Refused(reply)) if is_missing(&reply) => {
                *able(&mut self.able) = false;
                Ok(None)
            }
            other => other.map(Some),
        }
    }

    /// What shall go out in one piece with the next transfer's command: to be done after it.
    pub(super) fn follow_with(&mut self, followers: Vec<Command>) {
        self.followers = followers;
    }

    /// What the next transfer needs shall go out with this one's command.
    pub(super) fn look_ahead(&mut self) {
        if self.looks_ahead() {
            let unsaid = self.current != Some(self.wanted);
            let kind = unsaid.then(|| Command::Type(self.wanted.wire()));
            self.followers = kind.into_iter().chain([EXTENDED_PASSIVE]).collect();
        }
    }

    /// Takes the answer to a TYPE that followed a transfer.
    pub(super) fn keep_type(&mut self, reply: &Reply) {
        self.current = reply.code().is_success().then_some(self.wanted);
    }

    /// Whether anything shall.
    pub(super) fn has_followers(&self) -> bool {
        !self.followers.is_empty()
    }

    pub(super) fn take_followers(&mut self) -> Vec<Command> {
        std::mem::take(&mut self.followers)
    }

    /// The address for the next data connection, if that was asked for ahead of time.
    pub(super) fn take_route(&mut self) -> Option<SocketAddr> {
        self.route.take()
    }

    pub(super) fn keep_route(&mut self, route: SocketAddr) {
        self.route = Some(route);
    }

    /// How much the server has of what was sent last, as it said unless it has to be asked.
    pub(super) fn stored_size(&mut self, name: &Name) -> Result<Option<u64>, Error> {
        match self.stored.take() {
            Some(size) => Ok(Some(size)),
            None => self.expected_size(name),
        }
    }

    /// Takes the answer to a SIZE that followed an upload.
    pub(super) fn keep_stored_size(&mut self, reply: &Reply) {
        self.stored = reply.code().is_success().then(|| number(reply)).flatten();
    }

    /// Whether a data connection can be agreed on ahead of time: where the server takes the short
    /// EPSV, which has nothing to go wrong, and several commands at a time.
    pub(super) fn looks_ahead(&self) -> bool {
        self.able.pipelines && self.able.extended && self.settings.mode == DataMode::Passive
    }

    /// Sends commands in one piece.
    pub(super) fn send_all(&mut self, commands: &[&Command]) -> Result<(), Error> {
        let mut lines = Vec::new();
        for command in commands {
            self.trace(Spoken::Command(command));
            command.write_to(&mut lines);
            lines.extend_from_slice(b"\r\n");
        }
        let sent = self.control.send(&lines);
        self.checked(sent)
    }

    /// Where the next transfer begins.
    pub(super) fn restart_at(&mut self, at: u64) -> Result<(), Error> {
        let reply = self.ask(&Command::Rest(at))?;
        // Some say 200 or 250; a refusal of any kind means that it begins at the beginning.
        if reply.code().is_intermediate() || reply.code().is_success() {
            return Ok(());
        }
        self.able.restarts &= !is_missing(&reply);
        Err(Error::NoRestart(reply))
    }

    /// EPSV or EPRT, and PASV or PORT once the server has refused those.
    pub(super) fn call_extended(
        &mut self,
        extended: &Command,
        classic: Option<&Command>,
    ) -> Result<Reply, Error> {
        if self.able.extended {
            match (self.call(extended), classic) {
                (Err(Error::Refused(reply)), Some(_)) if !is_transient(&reply) => {
                    self.able.extended = false;
                }
                (other, _) => return other,
            }
        }
        self.call(classic.unwrap_or(extended))
    }

    /// Sends a command; what it is answered is the caller's affair.
    pub(super) fn send(&mut self, command: &Command) -> Result<(), Error> {
        self.trace(Spoken::Command(command));
        let sent = self.control.send_command(command);
        self.checked(sent)
    }

    /// Reads a reply, which must come by then.
    pub(super) fn reply_by(&mut self, deadline: Option<Instant>) -> Result<Reply, Error> {
        self.control.stream_mut().set_deadline(deadline);
        let read = self.control.read_reply();
        let reply = self.checked(read)?;
        self.trace(Spoken::Reply(&reply));
        if reply.code() == Code::NOT_AVAILABLE {
            self.lost = true;
            return Err(Error::Closing(reply));
        }
        Ok(reply)
    }

    /// Whether a line of the server waits to be read.
    pub(super) fn has_line(&self) -> bool {
        self.control.peek_line().is_some()
    }

    /// Ready when the server said something or left.
    pub(super) fn item(&self) -> PollItem<'_> {
        PollItem::new(self.control.stream().handle(), Interest::Read)
    }

    /// Gives the connection up.
    pub(super) fn lose(&mut self) {
        self.lost = true;
    }

    /// Throws away what the server said without being asked, so that it is not taken for an answer
    /// to what is asked next. That the server has closed is noticed here.
    pub(super) fn discard_unasked(&mut self) -> Result<(), Error> {
        if self.lost {
            return Err(Error::Lost(io::ErrorKind::NotConnected.into()));
        }
        for _ in 0..MOST_UNASKED {
            if !self.has_line() && !is_ready(self.item()) {
                return Ok(());
            }
            self.reply_by(net::deadline(self.settings.timeout))?;
        }
        self.lost = true;
        Err(Error::Unasked)
    }
}

/// How many replies in a row may come that no command asked for, or that only say "wait". A server
/// that goes on would keep us for ever.
const MOST_UNASKED: u32 = 32;

/// Saying and hearing.
impl Connection {
    /// A command that is done when the answer comes.
    pub(super) fn call(&mut self, command: &Command) -> Result<Reply, Error> {
        self.ask(command).and_then(done)
    }

    /// Commands of which none waits for the answer to another, and what each was answered.
    pub(super) fn call_all(&mut self, commands: &[Command]) -> Vec<Result<Reply, Error>> {
        if !self.able.pipelines {
            return commands.iter().map(|command| self.call(command)).collect();
        }
        let all: Vec<&Command> = commands.iter().collect();
        if let Err(error) = self.discard_unasked().and_then(|()| self.send_all(&all)) {
            return vec![Err(error)];
        }
        commands.iter().map(|_| self.final_reply().and_then(done)).collect()
    }

    /// Whether FEAT names this. A server that does not know FEAT may be able all the same.
    pub(super) fn has_feature(&mut self, word: &[u8]) -> Result<bool, Error> {
        let reply = match self.call(&Command::Feat) {
            Ok(reply) => reply,
            Err(Error::Refused(_)) => return Ok(false),
            Err(error) => return Err(error),
        };
        let first = |line: &Vec<u8>| {
            let mut words = line.trim_ascii().split(|&byte| byte == b' ');
            words.next().is_some_and(|first| first.eq_ignore_ascii_case(word))
        };
        Ok(reply.body().iter().any(first))
    }

    fn ask(&mut self, command: &Command) -> Result<Reply, Error> {
        self.discard_unasked()?;
        self.send(command)?;
        self.final_reply()
    }

    /// The same for who may wait for a server that nobody knows yet: Ctrl-C ends the wait, and the
    /// connection.
    fn ask_unless_interrupted(&mut self, command: &Command) -> Result<Reply, Error> {
        let armed = self.settings.interrupt.begin().map_err(Error::Local)?;
        self.discard_unasked()?;
        self.send(command)?;
        self.final_reply_unless(&armed)
    }

    fn final_reply_unless(&mut self, armed: &Armed) -> Result<Reply, Error> {
        if !self.has_line() {
            let mut items = [armed.item(), self.item()];
            // A deadline that passes is noticed, and told, by the read below.
            let waited = net::wait(&mut items, net::deadline(self.settings.timeout));
            if waited.is_ok() && items[0].ready() {
                self.lost = true;
                return Err(Error::Interrupted);
            }
        }
        self.final_reply()
    }

    fn final_reply(&mut self) -> Result<Reply, Error> {
        for _ in 0..MOST_UNASKED {
            let reply = self.reply_by(net::deadline(self.settings.timeout))?;
            if !reply.code().is_preliminary() {
                return Ok(reply);
            }
        }
        self.lost = true;
        Err(Error::Unasked)
    }

    fn trace(&self, spoken: Spoken<'_>) {
        if let Some(trace) = self.settings.trace {
            trace(spoken);
        }
    }

    fn checked<T>(&mut self, result: io::Result<T>) -> Result<T, Error> {
        result.map_err(|error| {
            self.lost = true;
            Error::of_control(error, self.settings.timeout)
        })
    }
}

/// Connects in a thread that Ctrl-C leaves to itself: nothing wakes one that waits for a name server.
fn dial(
    host: &str,
    port: u16,
    patience: Duration,
    armed: &Armed,
) -> Result<io::Result<TcpStream>, Error> {
    let done = Arc::new(Latch::new().map_err(Error::Local)?);
    let (sender, receiver) = mpsc::sync_channel(1);
    let dialing = {
        let (host, done) = (host.to_owned(), Arc::clone(&done));
        move || {
            // Nobody may wait any more.
            let _ = sender.send(net::connect(&host, port, patience));
            done.open();
        }
    };
    if thread::Builder::new().name("connect".into()).spawn(dialing).is_err() {
        return Ok(net::connect(host, port, patience));
    }
    let mut items = [armed.item(), PollItem::new(done.handle(), Interest::Read)];
    net::wait(&mut items, None).map_err(Error::Local)?;
    match receiver.try_recv() {
        Ok(connected) => Ok(connected),
        Err(_) => Err(Error::Interrupted),
    }
}

/// Whether the server says that it is one that breaks a transfer off when the next EPSV comes. Others
/// are found out, but that costs seconds.
fn mixes_commands_up(greeting: &Reply) -> bool {
    const KNOWN: &[u8] = b"pyftpdlib";
    let mut lines =
        std::iter::once(greeting.text()).chain(greeting.body().iter().map(Vec::as_slice));
    lines.any(|line| line.windows(KNOWN.len()).any(|word| word.eq_ignore_ascii_case(KNOWN)))
}

fn done(reply: Reply) -> Result<Reply, Error> {
    let done = reply.code().is_success() || reply.code().is_intermediate();
    if done { Ok(reply) } else { Err(Error::Refused(reply)) }
}

fn number(reply: &Reply) -> Option<u64> {
    std::str::from_utf8(reply.text().trim_ascii()).ok()?.parse().ok()
}

/// EPSV for whatever protocol the control connection has.
pub(super) const EXTENDED_PASSIVE: Command = Command::Epsv(Extended::Same);

/// Whether a reply to USER says that nothing goes without encryption. Servers say so in words alone:
/// `530 Non-anonymous sessions must use encryption.` (vsftpd), `550 SSL/TLS required on the control
/// channel` (ProFTPD), `421 ... cleartext sessions ... are not accepted` (Pure-FTPd).
fn wants_tls(reply: &Reply) -> bool {
    let text = reply.to_string().to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    let about = has(&["tls", "ssl", "encrypt", "cleartext"]);
    match reply.code().is_intermediate() {
        // A password may be required here, and TLS be mentioned besides.
        true => about && has(&["must use", "tls required", "tls is required", "ssl required"]),
        false => about && has(&["must", "require", "need", "not accepted", "not allowed", "only"]),
    }
}

/// Whether the server does not know the command, or not in this form.
fn is_missing(reply: &Reply) -> bool {
    let code = reply.code();
    code == Code::UNKNOWN_COMMAND || code == Code::NOT_IMPLEMENTED || code == Code::BAD_PARAMETER
}

fn is_transient(reply: &Reply) -> bool {
    reply.code().is_transient_failure()
}

fn is_ready(item: PollItem<'_>) -> bool {
    matches!(poll(&mut [item], Some(Duration::ZERO)), Ok(1..))
}

#[cfg(test)]
mod tests {
    use super::super::testing::Script;
    use super::*;

    fn log_in(connection: &mut Connection) -> Result<(), Error> {
        let user = Name::new("me").unwrap();
        connection.login(&user, || Ok(Secret::new("secret").unwrap()))
    }

    #[test]
    fn a_password_is_sent_only_where_it_is_asked_for() {
        let mut connection = Script::serve(|server| {
            server.expect("USER me", "230 welcome");
            server.expect("USER me", "331 who says so?");
            server.expect("PASS secret", "230-welcome\r\n 331 nothing\r\n230 back");
        });
        log_in(&mut connection).unwrap();
        log_in(&mut connection).unwrap();
    }

    #[test]
    fn after_a_login_that_is_refused_another_can_be_tried() {
        let mut connection = Script::serve(|server| {
            server.expect("USER me", "331 password");
            server.expect("PASS secret", "530 no");
            server.expect("USER me", "332 account");
            server.expect("USER me", "230 welcome");
        });
        assert!(matches!(log_in(&mut connection), Err(Error::Login(_))));
        assert!(matches!(log_in(&mut connection), Err(Error::Login(_))));
        log_in(&mut connection).unwrap();
    }

    #[test]
    fn an_account_is_named_where_it_is_asked_for() {
        let mut connection = Script::serve(|server| {
            server.expect("USER me", "331 password");
            server.expect("PASS secret", "332 account");
            server.expect("ACCT mine", "230 welcome");
            server.expect("USER me", "332 account");
            server.expect("ACCT mine", "530 no");
        });
        let user = Name::new("me").unwrap();
        let mut log_in = || {
            let password = || Ok(Secret::new("secret").unwrap());
            connection.login_with_account(&user, password, || Ok(Secret::new("mine")))
        };
        log_in().unwrap();
        assert!(matches!(log_in(), Err(Error::Login(_))));
    }

    #[test]
    fn a_server_that_wants_encryption_hears_no_password() {
        for reply in [
            "530 Non-anonymous sessions must use encryption.",
            "550 SSL/TLS required on the control channel",
            "331 TLS required before PASS",
        ] {
            let mut connection = Script::serve(move |server| {
                server.expect("USER me", reply);
                server.expect("PWD", "257 \"/\"");
            });
            assert!(matches!(log_in(&mut connection), Err(Error::WantsTls(_))), "{reply}");
            connection.current_dir().unwrap();
        }
    }

    #[test]
    fn a_server_that_only_speaks_of_encryption_hears_the_password() {
        let mut connection = Script::serve(|server| {
            server.expect("USER me", "331 Password required for me (TLS is off)");
            server.expect("PASS secret", "230 welcome");
        });
        log_in(&mut connection).unwrap();
    }

    #[test]
    fn what_was_not_asked_for_is_no_answer() {
        let mut connection = Script::serve(|server| {
            server.expect("PWD", "257 \"/a\"\"b\"\r\n200 by the way");
            server.expect("PWD", "257 \"/b\"");
        });
        assert_eq!(connection.current_dir().unwrap(), b"/a\"b");
        assert_eq!(connection.current_dir().unwrap(), b"/b");
    }

    #[test]
    fn a_421_ends_the_connection_and_every_call_after_it_says_so() {
        let mut connection = Script::serve(|server| {
            server.expect("PWD", "421 too long idle");
        });
        let error = connection.current_dir().unwrap_err();
        assert_eq!(error.to_string(), "the server closed the connection: 421 too long idle");
        assert!(connection.is_lost());
        assert!(matches!(connection.current_dir(), Err(Error::Lost(_))));
    }

    #[test]
    fn no_reply_in_time_ends_the_connection() {
        let settings = Settings { timeout: Duration::from_millis(50), ..Settings::default() };
        let mut connection = Script::serve_as(settings, |server| {
            server.hear();
            server.hear();
        });
        assert!(matches!(connection.current_dir(), Err(Error::TimedOut(_))));
        assert!(connection.is_lost());
    }

    #[test]
    fn a_yes_without_what_it_should_say_is_an_error() {
        let mut connection = Script::serve(|server| {
            server.expect("PWD", "257 here");
            server.expect("MDTM a", "213 yesterday");
            server.expect("TYPE I", "200 ok");
            server.expect("SIZE a", "213 large");
        });
        let name = Name::new("a").unwrap();
        assert!(matches!(connection.current_dir(), Err(Error::Unintelligible(_))));
        assert!(matches!(connection.modified(&name), Err(Error::Unintelligible(_))));
        assert!(matches!(connection.size(&name), Err(Error::Unintelligible(_))));
        assert!(!connection.is_lost());
    }

    #[test]
    fn a_name_is_sent_byte_by_byte() {
        let mut connection = Script::serve(|server| {
            server.expect("RNFR  a b ", "350 go on");
            server.expect("RNTO c", "250 done");
        });
        let [from, to] = [" a b ", "c"].map(|name| Name::new(name).unwrap());
        connection.rename(&from, &to).unwrap();
    }
}
