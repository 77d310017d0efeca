//! The state of a user's session: the connection, the place on the server, and what was switched on.

mod reconnect;

use super::input::{Input, ask};
use super::login::{LoginPolicy, SecretPrompt, anonymous, tls_client};
use crate::client::connection::{Connection, DataMode, LineEnds, Representation, Settings};
use crate::client::error::Error;
use crate::client::local::PartialFiles;
use crate::client::netrc::NetrcLogin;
use crate::client::options::{Asking, Globbing, Options, TransferOptions};
use crate::client::output::progress::ProgressOutput;
use crate::client::output::{Messages, Verbosity, trace};
use crate::client::signals::Interrupt;
use crate::client::tls::Encryption;
use crate::client::transfer::TransferSettings;
use crate::client::transfer::session_limit::SessionLimit;
use crate::client::url::Endpoint;
use crate::net;
use crate::protocol::{Command, Name, Secret};
use crate::rate::Rate;
use crate::sys::Tls;
use crate::text::shown;
use std::collections::{BTreeMap, VecDeque};
use std::io::{self, IsTerminal};
use std::net::TcpStream;
use std::path::PathBuf;
use std::time::Instant;

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
    pub(super) transfers: TransferOptions,
    /// The failure of the command that runs was printed for programs already.
    pub(super) told_failure: bool,
    /// Lines typed at a terminal can be edited.
    pub(super) edits_lines: bool,
    /// Whether the user said yes to all that this command will ask.
    pub(super) agreed: bool,
    settings: Settings,
    login: LoginPolicy,
    representation: Representation,
    connection: Option<Connection>,
    last_server: Option<LastServer>,
    /// What is known of the server's room for other connections.
    limit: SessionLimit,
    /// Where the connection leads, while there is one.
    place: Option<ServerPlace>,
}

/// The answer to a question that Enter alone gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Usual {
    Yes,
    /// For what destroys something.
    No,
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
struct ServerPlace {
    endpoint: Endpoint,
    /// The directory; unknown until it is asked for, and after a command that may have changed it.
    dir: RemoteDir,
    /// The directory before the last change.
    before: Option<DirBefore>,
    /// The user who is logged in, unless anonymous.
    user: Option<Name>,
}

/// The server that was connected to last.
#[derive(Clone)]
pub(super) struct LastServer {
    pub(super) endpoint: Endpoint,
    pub(super) encryption: Encryption,
    /// The user, if one was named.
    pub(super) user: Option<Name>,
}

/// What is known of the directory before.
enum DirBefore {
    Known(Vec<u8>),
    /// The way that led there.
    Way(Vec<Command>),
}

/// What is known of the directory.
#[derive(Clone, Debug, PartialEq, Eq)]
enum RemoteDir {
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
            input: Input::of(&options.commands),
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
            edits_lines: options.edits_lines,
            agreed: false,
            told_failure: false,
            local_before: None,
            login: LoginPolicy::new(options),
            transfers: options.transfers,
            settings: Settings {
                mode: options.mode,
                encryption: options.encryption,
                tls: tls_client(options, &interrupt),
                timeout: options.timeout,
                interrupt,
                rate: options.transfers.rate.map(|rate| Rate::new(Some(rate))),
                trace: verbose.then_some(trace),
                shows_progress: Messages::new(options.verbosity).progress()
                    == ProgressOutput::Terminal,
                ..Settings::default()
            },
            representation: Representation::Image,
            connection: None,
            last_server: None,
            limit: SessionLimit::default(),
            place: None,
        }
    }

    /// What all transfers of the session share.
    pub(super) fn transfer_settings(&self) -> TransferSettings {
        let (transfers, messages) = (self.transfers, self.messages);
        let (interrupt, limit) = (self.interrupt().clone(), self.limit.clone());
        let partials = PartialFiles::new(interrupt.clone());
        TransferSettings { transfers, messages, interrupt, limit, partials }
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

    /// Asks whether something should be done to a file, if the user is asked at all. Enter alone answers
    /// as `usual` says, which the question shows.
    ///
    /// # Errors
    /// [`Error::Interrupted`] where the user wants no more of it, as Ctrl-C says too.
    pub(super) fn agrees(&mut self, what: &str, file: &[u8], usual: Usual) -> Result<bool, Error> {
        if !self.asks() {
            return Ok(true);
        }
        let choices = if usual == Usual::Yes { "[Y/n/a/q]" } else { "[y/N/a/q]" };
        let question = format!("{what} {}? {choices} ", shown(file));
        let answer = ask(&question, self.messages, self.interrupt())?;
        let answer = answer.unwrap_or_else(|| b"q".to_vec());
        match answer.trim_ascii_start().first().map(u8::to_ascii_lowercase) {
            None => Ok(usual == Usual::Yes),
            Some(b'y') => Ok(true),
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

    /// Says what a command did whose success is not visible otherwise, to a user at a terminal.
    pub(super) fn remark(&self, text: &str) {
        if self.input == Input::Terminal {
            self.messages.note(text);
        }
    }

    /// Says which directory on the server is the current one now, to a user at a terminal. The server is
    /// asked once; the prompt needs its answer as well.
    pub(super) fn remark_dir(&mut self) {
        if self.input != Input::Terminal {
            return;
        }
        self.ask_dir();
        if let Some(ServerPlace { dir: RemoteDir::Known(dir), .. }) = &self.place {
            self.remark(&format!("remote directory: {}", shown(dir)));
        }
    }

    /// Returns whether there is a connection that is encrypted.
    pub(super) fn is_encrypted(&self) -> bool {
        self.connection.as_ref().is_some_and(Connection::is_encrypted)
    }

    /// Returns the TLS of the connection, if it is encrypted.
    pub(super) fn tls(&self) -> Option<&Tls> {
        self.connection.as_ref()?.tls()
    }

    /// Returns whether there is a connection whose files and listings are encrypted.
    pub(super) fn protects_data(&self) -> bool {
        self.connection.as_ref().is_some_and(Connection::protects_data)
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
        encryption: Encryption,
        user: Option<Name>,
        password: Option<Secret>,
    ) -> Result<(), Error> {
        let user = user.or_else(|| self.login.user());
        self.last_server =
            Some(LastServer { endpoint: to.clone(), encryption, user: user.clone() });
        let known = self.login.look_up(to, user.as_ref())?;
        let (mut connection, deadline) = self.open(to, encryption)?;
        connection.set_representation(self.representation);
        let opened = Instant::now();
        self.disconnect();
        let deadline = net::later(deadline, opened.elapsed());
        self.connection = Some(connection);
        self.limit = SessionLimit::default();
        self.place = Some(ServerPlace {
            endpoint: to.clone(),
            dir: RemoteDir::Unknown,
            before: None,
            user: None,
        });
        if user.is_none() && !self.login.is_automatic() {
            self.messages.note(&format!("connected to {}; USER logs in", shown_end(to)));
            return Ok(());
        }
        let user = match user.or_else(|| known.user.clone()) {
            Some(user) => user,
            None => anonymous()?,
        };
        self.log_in_with(deadline, &user, password, known.clone())?;
        let over = self.tls().map(|tls| format!(" over {}", tls.version())).unwrap_or_default();
        let (to, user) = (shown_end(to), shown_name(&user));
        self.messages.note(&format!("connected to {to} as {user}{over}"));
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
            (None, Some(endpoint)) => self.login.look_up(&endpoint, Some(user))?,
            _ => NetrcLogin::default(),
        };
        known.account = account.or(known.account);
        self.log_in_with(net::deadline(self.settings.timeout), user, password, known)
    }

    fn log_in_with(
        &mut self,
        deadline: Option<Instant>,
        user: &Name,
        given: Option<Secret>,
        known: NetrcLogin,
    ) -> Result<(), Error> {
        self.forget_dir();
        self.connection()?;
        let prompt = SecretPrompt { messages: self.messages, interrupt: &self.settings.interrupt };
        let connection = self.connection.as_mut().ok_or(Error::NotConnected)?;
        self.login.log_in(connection, deadline, user, given, known, prompt)?;
        if let Some(place) = &mut self.place {
            place.user = (!is_anonymous(user)).then(|| user.clone());
        }
        if self.is_encrypted()
            && let Some(last) = &mut self.last_server
        {
            // A server that requires TLS is not asked in clear again.
            last.encryption = last.encryption.at_least(Encryption::Explicit);
        }
        Ok(())
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
        SecretPrompt { messages: self.messages, interrupt: self.interrupt() }.ask_secret(question)
    }

    /// Ends the session with the server, if there is one.
    pub(super) fn disconnect(&mut self) {
        let place = self.place.take();
        if let Some(connection) = self.connection.take() {
            connection.quit();
            if let Some(place) = place {
                self.remark(&format!("closed the connection to {}", shown_end(&place.endpoint)));
            }
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
    pub(super) fn reconnect_if_lost(&mut self) {
        if let Some(connection) = &mut self.connection
            && let Err(error) = connection.reconnect_if_lost()
        {
            self.messages.note(&format!("the connection was given up: {error}"));
            self.connection = None;
        }
    }

    /// What files are transferred as, on this connection and later ones.
    pub(super) fn set_representation(&mut self, representation: Representation) {
        self.representation = representation;
        if let Some(connection) = &mut self.connection {
            connection.set_representation(representation);
        }
    }

    /// Transfers text if the type of a URL says so, and bytes if it says that.
    pub(super) fn transfer_by(&mut self, ascii: Option<bool>) {
        match ascii {
            Some(true) => self.set_representation(Representation::Ascii),
            Some(false) => self.set_representation(Representation::Image),
            None => {}
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

    /// Returns whether EPSV and EPRT are used over IPv4, and over IPv6.
    pub(super) fn extended(&self) -> (bool, bool) {
        (self.settings.epsv4, self.settings.epsv6)
    }

    /// Uses EPSV and EPRT, or does not, on this connection and later ones.
    pub(super) fn set_extended(&mut self, epsv4: bool, epsv6: bool) {
        (self.settings.epsv4, self.settings.epsv6) = (epsv4, epsv6);
        if let Some(connection) = &mut self.connection {
            connection.set_extended(epsv4, epsv6);
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
        self.set_steps(way, known_dir(to.as_bytes()));
        Ok(())
    }

    /// Changes to the directory above.
    pub(super) fn change_to_parent(&mut self) -> Result<(), Error> {
        let connection = self.connection()?;
        let way = connection.way();
        connection.change_to_parent()?;
        self.set_steps(way, RemoteDir::Unknown);
        Ok(())
    }

    /// The directory before the last change. Where nobody asked for it while we stood there, another
    /// connection goes the way that led there: only that finds out where links lead, and nobody else
    /// has to pay for it.
    pub(super) fn dir_before(&mut self) -> Result<Vec<u8>, Error> {
        let unknown = || Error::Usage("the directory before is not known".to_owned());
        let way = match &self.place.as_ref().ok_or_else(unknown)?.before {
            None => return Err(unknown()),
            Some(DirBefore::Known(dir)) => return Ok(dir.clone()),
            Some(DirBefore::Way(way)) => way.clone(),
        };
        let mut other = self.connection()?.plan().by(way).connect()?;
        let dir = other.current_dir();
        other.leave();
        dir
    }

    fn set_steps(&mut self, way: Vec<Command>, to: RemoteDir) {
        if let Some(place) = &mut self.place {
            place.before = Some(match std::mem::replace(&mut place.dir, to) {
                RemoteDir::Known(dir) => DirBefore::Known(dir),
                RemoteDir::Unknown | RemoteDir::Untold => DirBefore::Way(way),
            });
        }
    }

    /// A command may have led elsewhere.
    pub(super) fn forget_dir(&mut self) {
        if let Some(place) = &mut self.place {
            place.dir = RemoteDir::Unknown;
        }
    }

    /// Asks the server for the current directory, once for each.
    fn ask_dir(&mut self) {
        if self.place.as_ref().is_some_and(|place| place.dir == RemoteDir::Unknown) {
            let dir = self.connection().and_then(Connection::current_dir);
            if let Some(place) = &mut self.place {
                place.dir = dir.map_or(RemoteDir::Untold, RemoteDir::Known);
            }
        }
    }

    /// Returns where the user is, as a prompt shows it: `host:/dir`, and `anna@host:/dir` unless the user
    /// is anonymous. The server is asked once for each directory, and never if nobody reads the prompt.
    pub(super) fn shown_place(&mut self) -> Option<String> {
        self.ask_dir();
        let place = self.place.as_ref()?;
        let dir: &[u8] = if let RemoteDir::Known(dir) = &place.dir { dir } else { b"" };
        let host = shown(place.endpoint.host.as_bytes());
        let host = if host.contains(':') { format!("[{host}]") } else { host };
        let user = place.user.as_ref().map(|user| format!("{}@", shown_name(user)));
        let shown = format!("{}{host}:{}", user.unwrap_or_default(), shown(dir));
        self.drop_lost();
        self.connection.is_some().then_some(shown)
    }
}

/// A path from the root without `..` is where CWD leads; where another leads, only the server knows.
fn known_dir(path: &[u8]) -> RemoteDir {
    let parts = || path.split(|byte| *byte == b'/');
    if !path.starts_with(b"/") || parts().any(|part| part == b"." || part == b"..") {
        return RemoteDir::Unknown;
    }
    let parts: Vec<&[u8]> = parts().filter(|part| !part.is_empty()).collect();
    RemoteDir::Known([b"/", &parts.join(&b'/')[..]].concat())
}

/// Returns whether a name is one that visitors use.
fn is_anonymous(user: &Name) -> bool {
    [&b"anonymous"[..], b"ftp"].iter().any(|name| user.as_bytes().eq_ignore_ascii_case(name))
}

fn shown_end(endpoint: &Endpoint) -> String {
    shown(endpoint.to_string().as_bytes())
}

fn shown_name(name: &Name) -> String {
    shown(name.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_cwd_leads_is_known_of_paths_from_the_root_alone() {
        assert_eq!(known_dir(b"/a//b/"), RemoteDir::Known(b"/a/b".to_vec()));
        assert_eq!(known_dir(b"/"), RemoteDir::Known(b"/".to_vec()));
        for path in [&b"a"[..], b"..", b"/a/../b", b"/./a", b"~me"] {
            assert_eq!(known_dir(path), RemoteDir::Unknown);
        }
    }
}
