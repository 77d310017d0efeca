//! What the commands of a user share: the connection, who logs in, and how words reach them.

use super::connection::{Connection, Representation, Settings};
use super::error::Error;
use super::escape::shown;
use super::interrupt::Interrupt;
use super::options::{Commands, Options};
use super::output::{Messages, Verbosity, trace};
use super::url::Endpoint;
use super::words;
use crate::protocol::{Name, Secret};
use std::env;
use std::io::{self, BufRead, IsTerminal};

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
    settings: Settings,
    /// Who logs in where nobody else is named.
    user: Option<Name>,
    representation: Representation,
    connection: Option<Connection>,
    /// Where the connection leads, while there is one.
    place: Option<Place>,
}

/// Where a user is on a server.
struct Place {
    endpoint: Endpoint,
    /// The directory; unknown until it is asked for, and after a command that may have changed it.
    dir: Dir,
    /// The directory before the last change.
    before: Option<Vec<u8>>,
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
            settings: Settings {
                mode: options.mode,
                timeout: options.timeout,
                interrupt,
                trace: verbose.then_some(trace),
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

    pub(super) fn interrupt(&self) -> &Interrupt {
        &self.settings.interrupt
    }

    /// Connects and logs in. After a login that was refused the connection stays, for another.
    pub(super) fn connect(
        &mut self,
        to: &Endpoint,
        user: Option<Name>,
        password: Option<Secret>,
    ) -> Result<(), Error> {
        self.disconnect();
        let mut connection = Connection::open(&to.host, to.port, self.settings.clone())?;
        connection.transfer_as(self.representation);
        self.connection = Some(connection);
        self.place = Some(Place { endpoint: to.clone(), dir: Dir::Unknown, before: None });
        let user = match user.or_else(|| self.user.clone()) {
            Some(user) => user,
            None => words::name(ANONYMOUS)?,
        };
        self.log_in(&user, password)?;
        self.messages.note(&format!("connected to {} as {}", shown_end(to), shown_name(&user)));
        Ok(())
    }

    /// Logs in with the password that is given, known, or typed.
    pub(super) fn log_in(&mut self, user: &Name, given: Option<Secret>) -> Result<(), Error> {
        let (messages, interrupt) = (self.messages, self.settings.interrupt.clone());
        let password = || match given {
            Some(password) => Ok(password),
            None => find_password(user, messages, &interrupt),
        };
        self.forget_dir();
        self.connection()?.login(user, password)
    }

    /// Changes the directory on the server.
    pub(super) fn change_dir(&mut self, to: &Name) -> Result<(), Error> {
        self.connection()?.change_dir(to)?;
        self.went(known_dir(to.as_bytes()));
        Ok(())
    }

    /// Changes to the directory above.
    pub(super) fn change_to_parent(&mut self) -> Result<(), Error> {
        self.connection()?.change_to_parent()?;
        self.went(Dir::Unknown);
        Ok(())
    }

    /// The directory before the last change, where it was known.
    pub(super) fn dir_before(&self) -> Option<&[u8]> {
        self.place.as_ref()?.before.as_deref()
    }

    fn went(&mut self, to: Dir) {
        if let Some(place) = &mut self.place {
            place.before = match std::mem::replace(&mut place.dir, to) {
                Dir::Known(dir) => Some(dir),
                Dir::Unknown | Dir::Untold => None,
            };
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
        let shown = Some(format!("{host}:{}", shown(dir)));
        self.drop_lost();
        shown.filter(|_| self.connection.is_some())
    }

    /// Says goodbye, if there is anybody to say it to.
    pub(super) fn disconnect(&mut self) {
        if let Some(connection) = self.connection.take() {
            connection.quit();
        }
    }

    /// Drops a connection that can be used no more.
    pub(super) fn drop_lost(&mut self) {
        self.connection.take_if(|connection| connection.is_lost());
    }

    /// What files are transferred as, on this connection and later ones.
    pub(super) fn transfer_as(&mut self, representation: Representation) {
        self.representation = representation;
        if let Some(connection) = &mut self.connection {
            connection.transfer_as(representation);
        }
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

fn find_password(user: &Name, messages: Messages, interrupt: &Interrupt) -> Result<Secret, Error> {
    // First, so that no stranger is sent what is meant for the user's own server.
    if [ANONYMOUS, b"ftp"].contains(&user.as_bytes()) {
        return secret(ANONYMOUS_PASSWORD);
    }
    if let Some(value) = env::var_os(PASSWORD_VARIABLE) {
        return secret(value.as_encoded_bytes());
    }
    if !io::stdin().is_terminal() {
        return Err(Error::NoPassword);
    }
    messages.prompt(&format!("Password for {}: ", shown_name(user)));
    let typed = type_password(interrupt);
    messages.prompt("\n");
    secret(&typed.map_err(Error::Local)?)
}

fn type_password(interrupt: &Interrupt) -> io::Result<Vec<u8>> {
    let _hidden = interrupt.hide_typing()?;
    read_line().map(Option::unwrap_or_default)
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
