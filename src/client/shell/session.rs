//! What the commands of a user share: the connection, who logs in, and how words reach them.

use crate::client::connection::{Connection, DataMode, LineEnds, Representation, Settings};
use crate::client::editor::{Told, read_secret};
use crate::client::error::Error;
use crate::client::name::parse_name;
use crate::client::netrc::{self, Login};
use crate::client::options::{Asking, AutoLogin, Commands, Globbing, Netrc, Options, Transfers};
use crate::client::output::{Messages, Verbosity, trace};
use crate::client::signals::Interrupt;
use crate::client::transfer::TransferSettings;
use crate::client::url::Endpoint;
use crate::protocol::{Command, Name, Secret};
use crate::rate::Rate;
use crate::text::shown;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::env;
use std::io::{self, BufRead, IsTerminal};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::path::PathBuf;

/// Where a password is looked for before anybody is asked.
const PASSWORD_VARIABLE: &str = "FTP_PASSWORD";

/// The user name that needs no account, and what is customarily given as its password (RFC 1635).
const ANONYMOUS: &[u8] = b"anonymous";
const ANONYMOUS_PASSWORD: &[u8] = b"anonymous@";

/// What standard input is to the commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Input {
    /// Where somebody types.
    Terminal,
    /// Where the commands are read from.
    Commands,
    /// Bytes that nobody has claimed.
    Free,
}

/// The state of a user's session.
pub(super) struct Session {
    pub(super) messages: Messages,
    pub(super) input: Input,
    /// Set by the command that ends the session.
    pub(super) leaving: bool,
    /// Lines that are run before the next one is read.
    pub(super) queued: VecDeque<Vec<u8>>,
    /// How many lines of macros came of the last line that was read.
    pub(super) expanded: usize,
    /// The macro that the lines which come next belong to.
    pub(super) recording: Option<Vec<u8>>,
    /// Macros and their lines.
    pub(super) macros: BTreeMap<Vec<u8>, Vec<Vec<u8>>>,
    pub(super) preferences: Preferences,
    /// The local directory before the last change.
    pub(super) local_before: Option<PathBuf>,
    /// How files are transferred.
    pub(super) transfers: Transfers,
    /// Whether the user said yes to all that this command will ask.
    pub(super) agreed: bool,
    settings: Settings,
    login: AutoLogin,
    netrc: Netrc,
    /// The machines of which the user was told that passwords go there unencrypted.
    warned: BTreeSet<IpAddr>,
    /// Who logs in where nobody else is named.
    user: Option<Name>,
    representation: Representation,
    connection: Option<Connection>,
    /// Where the connection leads, while there is one.
    place: Option<Place>,
}

/// What the user switches on and off.
#[derive(Clone, Copy, Debug)]
pub(super) struct Preferences {
    /// Whether commands on many files ask before each, where there is somebody to ask.
    pub(super) prompt: bool,
    /// Whether patterns in names stand for the names that match.
    pub(super) glob: bool,
    /// Whether the terminal rings after each command.
    pub(super) bell: bool,
    /// Asked for by old scripts; the progress line shows more than marks do.
    pub(super) hash: bool,
    /// Whether names in upper case become lower ones here.
    pub(super) case: bool,
    /// Whether what is fetched replaces nothing, but gets a name of its own.
    pub(super) unique: bool,
}

/// Where a user is on a server.
struct Place {
    endpoint: Endpoint,
    /// The directory; unknown until it is asked for, and after a command that may have changed it.
    dir: Dir,
    /// The directory before the last change.
    before: Option<Before>,
}

/// What is known of the directory before.
enum Before {
    Known(Vec<u8>),
    /// The way that led there.
    Way(Vec<Command>),
}

/// What is known of the directory.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Dir {
    Unknown,
    Known(Vec<u8>),
    /// The server does not tell.
    Untold,
}

impl Session {
    pub(super) fn new(options: &Options, interrupt: Interrupt) -> Session {
        let verbose = options.verbosity == Verbosity::Verbose;
        Session {
            messages: Messages::new(options.verbosity),
            input: input(&options.commands),
            leaving: false,
            queued: VecDeque::new(),
            expanded: 0,
            recording: None,
            macros: BTreeMap::new(),
            preferences: Preferences {
                prompt: options.asking == Asking::On,
                glob: options.globbing == Globbing::On,
                bell: false,
                hash: false,
                case: false,
                unique: false,
            },
            agreed: false,
            local_before: None,
            login: options.login,
            netrc: options.netrc,
            warned: BTreeSet::new(),
            transfers: options.transfers,
            settings: Settings {
                mode: options.mode,
                timeout: options.timeout,
                interrupt,
                rate: options.transfers.rate.map(|rate| Rate::new(Some(rate))),
                trace: verbose.then_some(trace),
                ..Settings::default()
            },
            user: options.user.clone(),
            representation: Representation::Bytes,
            connection: None,
            place: None,
        }
    }

    /// The connection, which the command needs.
    pub(super) fn connection(&mut self) -> Result<&mut Connection, Error> {
        self.connection.as_mut().ok_or(Error::NotConnected)
    }

    /// What all transfers of the session share.
    pub(super) fn transfer_settings(&self) -> TransferSettings {
        let (transfers, messages) = (self.transfers, self.messages);
        TransferSettings { transfers, messages, interrupt: self.interrupt().clone() }
    }

    pub(super) fn interrupt(&self) -> &Interrupt {
        &self.settings.interrupt
    }

    /// Whether a command on many files asks before each.
    pub(super) fn asks(&self) -> bool {
        self.preferences.prompt && !self.agreed && self.input == Input::Terminal
    }

    /// Whether patterns in names stand for the names that match.
    pub(super) fn globs(&self) -> bool {
        self.preferences.glob
    }

    /// Asks whether something should be done to a file, if the user is asked at all.
    ///
    /// # Errors
    /// [`Error::Interrupted`] where the user wants no more of it.
    pub(super) fn agrees(&mut self, what: &str, file: &[u8]) -> Result<bool, Error> {
        if !self.asks() {
            return Ok(true);
        }
        self.messages.prompt(&format!("{what} {}? [y/n/a/q] ", shown(file)));
        let answer = read_line().map_err(Error::Local)?.unwrap_or_else(|| b"q".to_vec());
        match answer.trim_ascii_start().first().map(u8::to_ascii_lowercase) {
            None | Some(b'y') => Ok(true),
            Some(b'a') => {
                self.agreed = true;
                Ok(true)
            }
            Some(b'p') => {
                self.preferences.prompt = false;
                Ok(true)
            }
            Some(b'q') => Err(Error::Interrupted),
            Some(_) => Ok(false),
        }
    }

    /// Another hold on the control connection, if there is one.
    pub(super) fn line(&self) -> Option<TcpStream> {
        self.connection.as_ref()?.line()
    }

    /// Connects and, unless the user does that alone, logs in. Where no connection can be made the
    /// old one stays; after a login that was refused the new one stays, for another.
    pub(super) fn connect(
        &mut self,
        to: &Endpoint,
        user: Option<Name>,
        password: Option<Secret>,
    ) -> Result<(), Error> {
        let user = user.or_else(|| self.user.clone());
        let known = self.look_up(to, user.as_ref())?;
        let mut connection = Connection::open(&to.host, to.port, self.settings.clone())?;
        connection.transfer_as(self.representation);
        self.disconnect();
        self.connection = Some(connection);
        self.place = Some(Place { endpoint: to.clone(), dir: Dir::Unknown, before: None });
        if self.login == AutoLogin::Off && user.is_none() {
            self.messages.note(&format!("connected to {}; USER logs in", shown_end(to)));
            return Ok(());
        }
        let user = match user.or_else(|| known.user.clone()) {
            Some(user) => user,
            None => parse_name(ANONYMOUS)?,
        };
        self.log_in_with(&user, password, known.clone())?;
        self.messages.note(&format!("connected to {} as {}", shown_end(to), shown_name(&user)));
        self.define(known.macros);
        Ok(())
    }

    /// Logs in, with what is given or known, or else asked for.
    pub(super) fn log_in(
        &mut self,
        user: &Name,
        password: Option<Secret>,
        account: Option<Secret>,
    ) -> Result<(), Error> {
        let endpoint = self.place.as_ref().map(|place| place.endpoint.clone());
        let mut known = match (&password, endpoint) {
            (None, Some(endpoint)) => self.look_up(&endpoint, Some(user))?,
            _ => Login::default(),
        };
        known.account = account.or(known.account);
        self.log_in_with(user, password, known)
    }

    fn log_in_with(
        &mut self,
        user: &Name,
        given: Option<Secret>,
        known: Login,
    ) -> Result<(), Error> {
        self.forget_dir();
        let (messages, interrupt) = (self.messages, self.settings.interrupt.clone());
        let connection = self.connection.as_mut().ok_or(Error::NotConnected)?;
        let peer = connection.peer();
        let exposed = is_exposed(user, peer);
        let warned = &mut self.warned;
        let password = || {
            if exposed && warned.insert(peer.ip()) {
                messages.note("warning: FTP sends the password unencrypted to another machine");
            }
            match given {
                Some(password) => Ok(password),
                None => find_password(user, known.password, messages, &interrupt),
            }
        };
        let account = || match known.account {
            Some(account) => Ok(Some(account)),
            None if io::stdin().is_terminal() => {
                ask_secret("Account: ", messages, &interrupt).map(Some)
            }
            None => Ok(None),
        };
        connection.login_with_account(user, password, account)
    }

    /// What `.netrc` says of a login.
    fn look_up(&self, to: &Endpoint, user: Option<&Name>) -> Result<Login, Error> {
        match (self.netrc, self.login) {
            (Netrc::Read, AutoLogin::On) => Ok(netrc::find(&to.host, user)?.unwrap_or_default()),
            _ => Ok(Login::default()),
        }
    }

    /// Takes macros over, and runs `init`.
    fn define(&mut self, macros: Vec<(Vec<u8>, Vec<Vec<u8>>)>) {
        self.macros.extend(macros);
        if let Some(lines) = self.macros.get(&b"init"[..]) {
            self.queued.extend(lines.iter().cloned());
        }
    }

    /// Asks for a secret, which is not shown.
    pub(super) fn ask_secret(&self, question: &str) -> Result<Secret, Error> {
        if !io::stdin().is_terminal() {
            return Err(Error::NoPassword);
        }
        ask_secret(question, self.messages, self.interrupt())
    }

    /// Says goodbye, if there is anybody to say it to.
    pub(super) fn disconnect(&mut self) {
        self.place = None;
        if let Some(connection) = self.connection.take() {
            connection.quit();
        }
    }

    /// Drops the connection, be it the one that was lost or the one that took its place.
    pub(super) fn give_up(&mut self) {
        self.connection = None;
    }

    /// Drops a connection that can be used no more.
    pub(super) fn drop_lost(&mut self) {
        self.connection.take_if(|connection| connection.is_lost());
    }

    /// Makes a connection that is lost anew, or drops it where that cannot be done.
    pub(super) fn revive(&mut self) {
        if let Some(connection) = &mut self.connection
            && let Err(error) = connection.revive()
        {
            self.messages.note(&format!("the connection was given up: {error}"));
            self.connection = None;
        }
    }

    /// What files are transferred as, on this connection and later ones.
    pub(super) fn transfer_as(&mut self, representation: Representation) {
        self.representation = representation;
        if let Some(connection) = &mut self.connection {
            connection.transfer_as(representation);
        }
    }

    /// How data connections are made.
    pub(super) fn mode(&self) -> DataMode {
        self.settings.mode
    }

    /// How data connections are made, on this connection and later ones.
    pub(super) fn set_mode(&mut self, mode: DataMode) {
        self.settings.mode = mode;
        if let Some(connection) = &mut self.connection {
            connection.set_mode(mode);
        }
    }

    /// What files are transferred as.
    pub(super) fn representation(&self) -> Representation {
        self.representation
    }

    /// How lines of texts that are fetched end.
    pub(super) fn line_ends(&self) -> LineEnds {
        self.settings.line_ends
    }

    /// How lines of texts that are fetched end, on this connection and later ones.
    pub(super) fn set_line_ends(&mut self, ends: LineEnds) {
        self.settings.line_ends = ends;
        if let Some(connection) = &mut self.connection {
            connection.set_line_ends(ends);
        }
    }

    /// Whether every command and reply is shown.
    pub(super) fn is_traced(&self) -> bool {
        self.settings.trace.is_some()
    }

    /// Shows every command and reply from now on, or does so no longer.
    pub(super) fn set_traced(&mut self, traced: bool) {
        self.settings.trace = traced.then_some(trace);
        if let Some(connection) = &mut self.connection {
            connection.set_trace(self.settings.trace);
        }
    }

    /// The server, if there is one.
    pub(super) fn endpoint(&self) -> Option<&Endpoint> {
        self.connection.as_ref()?;
        self.place.as_ref().map(|place| &place.endpoint)
    }

    /// Changes the directory on the server.
    pub(super) fn change_dir(&mut self, to: &Name) -> Result<(), Error> {
        let connection = self.connection()?;
        let way = connection.way();
        connection.change_dir(to)?;
        self.went(way, known_dir(to.as_bytes()));
        Ok(())
    }

    /// Changes to the directory above.
    pub(super) fn change_to_parent(&mut self) -> Result<(), Error> {
        let connection = self.connection()?;
        let way = connection.way();
        connection.change_to_parent()?;
        self.went(way, Dir::Unknown);
        Ok(())
    }

    /// The directory before the last change. Where nobody asked for it while we stood there, another
    /// connection goes the way that led there: only that finds out where links lead, and nobody else
    /// has to pay for it.
    pub(super) fn dir_before(&mut self) -> Result<Vec<u8>, Error> {
        let unknown = || Error::Usage("the directory before is not known".to_owned());
        let way = match &self.place.as_ref().ok_or_else(unknown)?.before {
            None => return Err(unknown()),
            Some(Before::Known(dir)) => return Ok(dir.clone()),
            Some(Before::Way(way)) => way.clone(),
        };
        let mut other = self.connection()?.plan().by(way).connect()?;
        let dir = other.current_dir();
        other.leave();
        dir
    }

    fn went(&mut self, way: Vec<Command>, to: Dir) {
        if let Some(place) = &mut self.place {
            place.before = Some(match std::mem::replace(&mut place.dir, to) {
                Dir::Known(dir) => Before::Known(dir),
                Dir::Unknown | Dir::Untold => Before::Way(way),
            });
        }
    }

    /// A command may have led elsewhere.
    pub(super) fn forget_dir(&mut self) {
        if let Some(place) = &mut self.place {
            place.dir = Dir::Unknown;
        }
    }

    /// Where the user is, as a prompt shows it: `host:/dir`. The server is asked once for each
    /// directory, and never if nobody reads the prompt.
    pub(super) fn shown_place(&mut self) -> Option<String> {
        let (connection, place) = (self.connection.as_mut()?, self.place.as_mut()?);
        if place.dir == Dir::Unknown {
            place.dir = connection.current_dir().map_or(Dir::Untold, Dir::Known);
        }
        let dir: &[u8] = if let Dir::Known(dir) = &place.dir { dir } else { b"" };
        let host = shown(place.endpoint.host.as_bytes());
        let host = if host.contains(':') { format!("[{host}]") } else { host };
        let shown = Some(format!("{host}:{}", shown(dir)));
        self.drop_lost();
        shown.filter(|_| self.connection.is_some())
    }
}

/// A path from the root without `..` is where CWD leads; where another leads, only the server knows.
fn known_dir(path: &[u8]) -> Dir {
    let parts = || path.split(|byte| *byte == b'/');
    if !path.starts_with(b"/") || parts().any(|part| part == b"." || part == b"..") {
        return Dir::Unknown;
    }
    let parts: Vec<&[u8]> = parts().filter(|part| !part.is_empty()).collect();
    Dir::Known([b"/", &parts.join(&b'/')[..]].concat())
}

fn input(commands: &Commands) -> Input {
    match commands {
        _ if io::stdin().is_terminal() => Input::Terminal,
        Commands::Input | Commands::Shell => Input::Commands,
        Commands::Given(_) | Commands::File(_) => Input::Free,
    }
}

fn shown_end(endpoint: &Endpoint) -> String {
    shown(endpoint.to_string().as_bytes())
}

fn shown_name(name: &Name) -> String {
    shown(name.as_bytes())
}

/// Whether anybody may log in under this name, so that its password is no secret.
fn is_anonymous(user: &Name) -> bool {
    [ANONYMOUS, b"ftp"].contains(&user.as_bytes())
}

/// Whether a password of this user that goes to this address can be read on its way.
fn is_exposed(user: &Name, peer: SocketAddr) -> bool {
    !is_anonymous(user) && !peer.ip().is_loopback()
}

fn find_password(
    user: &Name,
    known: Option<Secret>,
    messages: Messages,
    interrupt: &Interrupt,
) -> Result<Secret, Error> {
    // First, so that no stranger is sent what is meant for the user's own server.
    if is_anonymous(user) {
        return known.map_or_else(|| secret(ANONYMOUS_PASSWORD), Ok);
    }
    if let Some(value) = env::var_os(PASSWORD_VARIABLE) {
        return secret(value.as_encoded_bytes());
    }
    if let Some(known) = known {
        return Ok(known);
    }
    if !io::stdin().is_terminal() {
        return Err(Error::NoPassword);
    }
    ask_secret(&format!("Password for {}: ", shown_name(user)), messages, interrupt)
}

fn ask_secret(question: &str, messages: Messages, interrupt: &Interrupt) -> Result<Secret, Error> {
    messages.prompt(question);
    let typed = type_password(interrupt);
    messages.prompt("\n");
    secret(&typed?)
}

fn type_password(interrupt: &Interrupt) -> Result<Vec<u8>, Error> {
    match read_secret(interrupt) {
        Ok(Told::Secret(typed)) => Ok(typed),
        Ok(Told::Nothing) => Err(Error::Interrupted),
        // A terminal that does not give key by key still hides what is typed.
        Err(_) => {
            let _hidden = interrupt.hide_typing().map_err(Error::Local)?;
            read_line().map(Option::unwrap_or_default).map_err(Error::Local)
        }
    }
}

fn secret(bytes: &[u8]) -> Result<Secret, Error> {
    let wrong = || Error::Usage("a password cannot hold CR, LF or NUL".to_owned());
    Secret::new(bytes).ok_or_else(wrong)
}

/// A line of standard input without its end; `None` after the last.
pub(super) fn read_line() -> io::Result<Option<Vec<u8>>> {
    read_line_of(&mut io::stdin().lock())
}

/// A line without its end; `None` after the last.
pub(super) fn read_line_of(source: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    if source.read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    if line.last() == Some(&b'\n') {
        line.pop();
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    Ok(Some(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_exposed_on_its_way_to_another_machine() {
        let exposed =
            |user, peer: &str| is_exposed(&Name::new(user).unwrap(), peer.parse().unwrap());
        assert!(exposed("me", "192.0.2.1:21") && exposed("me", "[2001:db8::1]:21"));
        assert!(!exposed("me", "127.0.0.2:21") && !exposed("me", "[::1]:21"));
        assert!(!exposed("anonymous", "192.0.2.1:21"));
    }

    #[test]
    fn where_cwd_leads_is_known_of_paths_from_the_root_alone() {
        assert_eq!(known_dir(b"/a//b/"), Dir::Known(b"/a/b".to_vec()));
        assert_eq!(known_dir(b"/"), Dir::Known(b"/".to_vec()));
        for path in [&b"a"[..], b"..", b"/a/../b", b"/./a", b"~me"] {
            assert_eq!(known_dir(path), Dir::Unknown);
        }
    }
}
