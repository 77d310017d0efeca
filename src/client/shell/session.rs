//! The state of a user's session: the connection, the remote directory, and the settings.

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
    /// The client ends after this command.
    pub(super) leaving: bool,
    /// Commands that run before the next line is read.
    pub(super) queued: VecDeque<Vec<u8>>,
    /// The number of macro lines that the last typed line has expanded to.
    pub(super) expanded: usize,
    /// The macro that is being defined.
    pub(super) recording: Option<Vec<u8>>,
    /// Macros and their lines.
    pub(super) macros: BTreeMap<Vec<u8>, Vec<Vec<u8>>>,
    pub(super) preferences: Preferences,
    /// The local directory before the last change.
    pub(super) local_before: Option<PathBuf>,
    /// The options of transfers.
    pub(super) transfers: TransferOptions,
    /// The failure of the current command was printed as a JSON object already.
    pub(super) failure_printed: bool,
    /// The line editor is enabled.
    pub(super) edits_lines: bool,
    /// The user answered "all" to a question of this command.
    pub(super) agreed: bool,
    settings: Settings,
    login: LoginPolicy,
    representation: Representation,
    connection: Option<Connection>,
    last_server: Option<LastServer>,
    /// The server's session limit, as far as it is known.
    limit: SessionLimit,
    /// The server and directory of the connection.
    place: Option<RemoteLocation>,
}

/// The answer that Enter chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DefaultAnswer {
    Yes,
    /// For actions that delete data.
    No,
}

/// Settings that commands turn on and off.
#[derive(Clone, Copy, Debug)]
pub(super) struct Preferences {
    /// Commands on many files ask before each, at a terminal.
    pub(super) prompt: bool,
    /// Wildcards in names are expanded.
    pub(super) glob: bool,
    /// The terminal rings after each command.
    pub(super) bell: bool,
    /// Has no effect, but scripts of BSD ftp set it.
    pub(super) hash: bool,
    /// Downloads of upper-case names get lower-case local names.
    pub(super) case: bool,
    /// Downloads get a new local name instead of replacing a file.
    pub(super) unique: bool,
}

/// The server and directory of a connection.
struct RemoteLocation {
    endpoint: Endpoint,
    /// The directory; unknown before the first PWD, and after a command that may have changed it.
    dir: RemoteDir,
    /// The directory before the last change.
    before: Option<PreviousDir>,
    /// The user who is logged in, unless anonymous.
    user: Option<Name>,
}

/// The server of the last CONNECT.
#[derive(Clone)]
pub(super) struct LastServer {
    pub(super) endpoint: Endpoint,
    pub(super) encryption: Encryption,
    /// The user, if one was named.
    pub(super) user: Option<Name>,
}

/// The directory before the last change.
enum PreviousDir {
    Known(Vec<u8>),
    /// The commands that led there.
    Steps(Vec<Command>),
}

/// The current directory of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
enum RemoteDir {
    Unknown,
    Known(Vec<u8>),
    /// The server refuses PWD.
    Unavailable,
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
            failure_printed: false,
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

    /// Returns the settings that all transfers of the session share.
    pub(super) fn transfer_settings(&self) -> TransferSettings {
        let (transfers, messages) = (self.transfers, self.messages);
        let (interrupt, limit) = (self.interrupt().clone(), self.limit.clone());
        let partials = PartialFiles::new(interrupt.clone());
        TransferSettings { transfers, messages, interrupt, limit, partials }
    }

    pub(super) fn interrupt(&self) -> &Interrupt {
        &self.settings.interrupt
    }

    /// Returns whether a command on many files asks before each.
    pub(super) fn asks(&self) -> bool {
        self.preferences.prompt && !self.agreed && self.input == Input::Terminal
    }

    /// Returns whether wildcards in names are expanded.
    pub(super) fn globs(&self) -> bool {
        self.preferences.glob
    }

    /// Asks whether to perform an action on a file, if questions are enabled. `usual` is the answer of
    /// Enter alone, and the question shows it.
    ///
    /// # Errors
    /// [`Error::Interrupted`] after `q` or Ctrl-C.
    pub(super) fn confirms(
        &mut self,
        what: &str,
        file: &[u8],
        usual: DefaultAnswer,
    ) -> Result<bool, Error> {
        if !self.asks() {
            return Ok(true);
        }
        let choices = if usual == DefaultAnswer::Yes { "[Y/n/a/q]" } else { "[y/N/a/q]" };
        let question = format!("{what} {}? {choices} ", shown(file));
        let answer = ask(&question, self.messages, self.interrupt())?;
        let answer = answer.unwrap_or_else(|| b"q".to_vec());
        match answer.trim_ascii_start().first().map(u8::to_ascii_lowercase) {
            None => Ok(usual == DefaultAnswer::Yes),
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

    /// Reports the success of a command that prints nothing else, at a terminal.
    pub(super) fn confirm_success(&self, text: &str) {
        if self.input == Input::Terminal {
            self.messages.note(text);
        }
    }

    /// Reports the new remote directory, at a terminal. PWD is sent once; the prompt uses its answer, too.
    pub(super) fn confirm_dir(&mut self) {
        if self.input != Input::Terminal {
            return;
        }
        self.ask_dir();
        if let Some(RemoteLocation { dir: RemoteDir::Known(dir), .. }) = &self.place {
            self.confirm_success(&format!("remote directory: {}", shown(dir)));
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

    /// Returns whether there is a connection with protected data connections.
    pub(super) fn protects_data(&self) -> bool {
        self.connection.as_ref().is_some_and(Connection::protects_data)
    }

    /// Returns a clone of the control connection's socket, if there is a connection.
    pub(super) fn control_socket(&self) -> Option<TcpStream> {
        self.connection.as_ref()?.socket()
    }

    /// Connects and, unless automatic login is off, logs in. If connecting fails, the old connection stays;
    /// after a refused login the new connection stays, so that USER can try another.
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
        self.place = Some(RemoteLocation {
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
        self.add_macros(known.macros);
        Ok(())
    }

    /// Logs in on the current connection. Missing credentials come from `.netrc` or a prompt.
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
            // CONNECT without operands uses TLS again.
            last.encryption = last.encryption.at_least(Encryption::Explicit);
        }
        Ok(())
    }

    /// Adds macros of `.netrc`, and queues `init`.
    fn add_macros(&mut self, macros: Vec<(Vec<u8>, Vec<Vec<u8>>)>) {
        self.macros.extend(macros);
        if let Some(lines) = self.macros.get(&b"init"[..]) {
            self.queued.extend(lines.iter().cloned());
        }
    }

    /// Asks for a secret without echo.
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
                self.confirm_success(&format!(
                    "closed the connection to {}",
                    shown_end(&place.endpoint)
                ));
            }
        }
    }

    /// Drops the connection without QUIT.
    pub(super) fn drop_connection(&mut self) {
        self.connection = None;
    }

    /// Drops the connection if it is lost.
    pub(super) fn drop_lost(&mut self) {
        self.connection.take_if(|connection| connection.is_lost());
    }

    /// Reconnects if the connection is lost, or drops it if that fails.
    pub(super) fn reconnect_if_lost(&mut self) {
        if let Some(connection) = &mut self.connection
            && let Err(error) = connection.reconnect_if_lost()
        {
            self.messages.note(&format!("cannot connect again: {error}"));
            self.connection = None;
        }
    }

    /// Sets the representation type of this connection and later ones.
    pub(super) fn set_representation(&mut self, representation: Representation) {
        self.representation = representation;
        if let Some(connection) = &mut self.connection {
            connection.set_representation(representation);
        }
    }

    /// Applies the type of a URL, if it has one.
    pub(super) fn apply_url_type(&mut self, ascii: Option<bool>) {
        match ascii {
            Some(true) => self.set_representation(Representation::Ascii),
            Some(false) => self.set_representation(Representation::Image),
            None => {}
        }
    }

    /// Returns how data connections are made.
    pub(super) fn mode(&self) -> DataMode {
        self.settings.mode
    }

    /// Sets how data connections are made, on this connection and later ones.
    pub(super) fn set_mode(&mut self, mode: DataMode) {
        self.settings.mode = mode;
        if let Some(connection) = &mut self.connection {
            connection.set_mode(mode);
        }
    }

    /// Returns whether EPSV and EPRT are used over IPv4, and over IPv6.
    pub(super) fn uses_epsv(&self) -> (bool, bool) {
        (self.settings.epsv4, self.settings.epsv6)
    }

    /// Enables or disables EPSV and EPRT on this connection and later ones.
    pub(super) fn set_epsv(&mut self, epsv4: bool, epsv6: bool) {
        (self.settings.epsv4, self.settings.epsv6) = (epsv4, epsv6);
        if let Some(connection) = &mut self.connection {
            connection.set_epsv(epsv4, epsv6);
        }
    }

    /// Returns the representation type.
    pub(super) fn representation(&self) -> Representation {
        self.representation
    }

    /// Returns the line ends of downloads in TYPE A.
    pub(super) fn line_ends(&self) -> LineEnds {
        self.settings.line_ends
    }

    /// Sets the line ends of downloads in TYPE A, on this connection and later ones.
    pub(super) fn set_line_ends(&mut self, ends: LineEnds) {
        self.settings.line_ends = ends;
        if let Some(connection) = &mut self.connection {
            connection.set_line_ends(ends);
        }
    }

    /// Returns whether every command and reply is shown.
    pub(super) fn is_traced(&self) -> bool {
        self.settings.trace.is_some()
    }

    /// Enables or disables showing every command and reply.
    pub(super) fn set_traced(&mut self, traced: bool) {
        self.settings.trace = traced.then_some(trace);
        if let Some(connection) = &mut self.connection {
            connection.set_trace(self.settings.trace);
        }
    }

    /// Returns the server, if there is a connection.
    pub(super) fn endpoint(&self) -> Option<&Endpoint> {
        self.connection.as_ref()?;
        self.place.as_ref().map(|place| &place.endpoint)
    }

    /// Changes the directory on the server.
    pub(super) fn change_dir(&mut self, to: &Name) -> Result<(), Error> {
        let connection = self.connection()?;
        let steps = connection.steps();
        connection.change_dir(to)?;
        self.record_dir_change(steps, known_dir(to.as_bytes()));
        Ok(())
    }

    /// Changes to the parent directory.
    pub(super) fn change_to_parent(&mut self) -> Result<(), Error> {
        let connection = self.connection()?;
        let steps = connection.steps();
        connection.change_to_parent()?;
        self.record_dir_change(steps, RemoteDir::Unknown);
        Ok(())
    }

    /// Returns the directory before the last change. If its path is unknown, a second connection repeats
    /// the commands that led there and sends PWD: only that resolves links, and it costs nothing unless
    /// CD - is used.
    pub(super) fn previous_dir(&mut self) -> Result<Vec<u8>, Error> {
        let unknown = || Error::Usage("there is no previous".to_owned());
        let steps = match &self.place.as_ref().ok_or_else(unknown)?.before {
            None => return Err(unknown()),
            Some(PreviousDir::Known(dir)) => return Ok(dir.clone()),
            Some(PreviousDir::Steps(steps)) => steps.clone(),
        };
        let mut other = self.connection()?.plan().with_steps(steps).connect()?;
        let dir = other.current_dir();
        other.leave();
        dir
    }

    fn record_dir_change(&mut self, steps: Vec<Command>, to: RemoteDir) {
        if let Some(place) = &mut self.place {
            place.before = Some(match std::mem::replace(&mut place.dir, to) {
                RemoteDir::Known(dir) => PreviousDir::Known(dir),
                RemoteDir::Unknown | RemoteDir::Unavailable => PreviousDir::Steps(steps),
            });
        }
    }

    /// Updates the user in the prompt after a raw command.
    pub(super) fn update_user(&mut self) {
        if let (Some(connection), Some(place)) = (&self.connection, &mut self.place) {
            place.user = connection.user().filter(|user| !is_anonymous(user)).cloned();
        }
    }

    /// Forgets the directory after a command that may have changed it.
    pub(super) fn forget_dir(&mut self) {
        if let Some(place) = &mut self.place {
            place.dir = RemoteDir::Unknown;
        }
    }

    /// Sends PWD if the current directory is unknown.
    fn ask_dir(&mut self) {
        if self.place.as_ref().is_some_and(|place| place.dir == RemoteDir::Unknown) {
            let dir = self.connection().and_then(Connection::current_dir);
            if let Some(place) = &mut self.place {
                place.dir = dir.map_or(RemoteDir::Unavailable, RemoteDir::Known);
            }
        }
    }

    /// Returns the server and directory for a prompt: `host:/dir`, or `anna@host:/dir` for a user who is not
    /// anonymous. PWD is sent once for each directory.
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

/// Returns the directory after CWD with this path, which is known only for an absolute path without `..`.
fn known_dir(path: &[u8]) -> RemoteDir {
    let parts = || path.split(|byte| *byte == b'/');
    if !path.starts_with(b"/") || parts().any(|part| part == b"." || part == b"..") {
        return RemoteDir::Unknown;
    }
    let parts: Vec<&[u8]> = parts().filter(|part| !part.is_empty()).collect();
    RemoteDir::Known([b"/", &parts.join(&b'/')[..]].concat())
}

/// Returns whether a name is that of anonymous users, in any case.
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
    fn the_directory_after_cwd_is_known_only_for_absolute_paths() {
        assert_eq!(known_dir(b"/a//b/"), RemoteDir::Known(b"/a/b".to_vec()));
        assert_eq!(known_dir(b"/"), RemoteDir::Known(b"/".to_vec()));
        for path in [&b"a"[..], b"..", b"/a/../b", b"/./a", b"~me"] {
            assert_eq!(known_dir(path), RemoteDir::Unknown);
        }
    }
}
