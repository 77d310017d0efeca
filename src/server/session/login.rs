//! The login state of a session, and the permissions of the running command.
//!
//! The login is one value that USER replaces entirely, so no right of an earlier login can remain. A
//! user name without a password gives no rights.

use crate::protocol::{FtpPath, Name, Verb};
use crate::server::auth::authenticator::Authenticator;
use crate::server::auth::identity::Identity;
use crate::server::auth::permissions::{Right, may, right_of_verb};
use crate::server::error::Refusal;
use crate::server::fs::jail::Jail;
use crate::server::token_bucket::TokenBucket;
use std::time::{Duration, Instant};

/// The number of commands allowed at once before login, and per second after that. A login needs about
/// ten.
const COMMANDS_AT_ONCE: u32 = 50;
const COMMANDS_A_SECOND: u32 = 10;

/// The number of invalid commands before login after which the session ends.
const MAX_INVALID_LINES: u32 = 10;

/// The login of a session.
#[derive(Debug)]
pub(super) struct Login {
    state: State,
    /// The right that the running command needs, checked again for each path that it names.
    right: Right,
    /// The number of wrong passwords in this session.
    failures: u32,
    /// The time since which the session has not been logged in.
    logged_out_since: Instant,
    /// Limits the rate of commands before login.
    command_rate: TokenBucket,
    /// The number of invalid commands before login.
    invalid_lines: u32,
}

#[derive(Debug)]
enum State {
    /// Not logged in.
    LoggedOut,
    /// USER was sent; PASS must follow.
    UserGiven(Name),
    /// Logged in.
    LoggedIn(Identity),
}

impl Login {
    /// Creates the state of a client that connected at `since`.
    pub(super) fn new(since: Instant) -> Login {
        Login {
            state: State::LoggedOut,
            right: Right::Anyone,
            failures: 0,
            logged_out_since: since,
            command_rate: new_command_rate(),
            invalid_lines: 0,
        }
    }

    /// Sets the name from USER.
    pub(super) fn set_user(&mut self, name: Name) {
        self.log_out();
        self.state = State::UserGiven(name);
    }

    /// Takes the name from USER; it is valid for one attempt.
    pub(super) fn take_user(&mut self) -> Option<Name> {
        match std::mem::replace(&mut self.state, State::LoggedOut) {
            State::UserGiven(name) => Some(name),
            other => {
                self.state = other;
                None
            }
        }
    }

    /// Logs in.
    pub(super) fn log_in(&mut self, identity: Identity) {
        self.state = State::LoggedIn(identity);
    }

    /// Logs out. The login timeout and the rate limit of commands start again.
    pub(super) fn log_out(&mut self) {
        if self.is_logged_in() {
            self.logged_out_since = Instant::now();
            self.command_rate = new_command_rate();
        }
        self.state = State::LoggedOut;
    }

    /// Updates the login after a reload. Returns false if the login is no longer valid.
    pub(super) fn refresh(&mut self, authenticator: &Authenticator) -> bool {
        match &mut self.state {
            State::LoggedIn(identity) => authenticator.renew(identity).is_some(),
            State::LoggedOut | State::UserGiven(_) => true,
        }
    }

    /// Returns whether the session is logged in.
    pub(super) fn is_logged_in(&self) -> bool {
        matches!(self.state, State::LoggedIn(_))
    }

    /// Returns whether USER has not been sent.
    pub(super) fn is_before_user(&self) -> bool {
        matches!(self.state, State::LoggedOut)
    }

    /// Counts a wrong password and returns the total.
    pub(super) fn fail(&mut self) -> u32 {
        self.failures += 1;
        self.failures
    }

    /// Returns the deadline of the login. The deadline is absolute: commands sent before login do not
    /// extend it.
    pub(super) fn deadline(&self, timeout: Duration) -> Option<Instant> {
        self.logged_out_since.checked_add(timeout)
    }

    /// Takes a command from the rate limit before login.
    ///
    /// # Errors
    /// Returns the time to wait for the next command.
    pub(super) fn take_command_token(&mut self) -> Result<(), Duration> {
        self.command_rate.take(0, Instant::now())
    }

    /// Counts an invalid command, and returns whether the peer is not an FTP client: it sent an HTTP
    /// method, or ten invalid commands before login.
    pub(super) fn is_not_ftp(&mut self, line: &[u8]) -> bool {
        const HTTP: [&[u8]; 9] = [
            b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"CONNECT", b"OPTIONS", b"TRACE", b"PATCH",
        ];
        if self.is_logged_in() {
            return false;
        }
        self.invalid_lines += 1;
        let word = line.split(|&b| b == b' ').next().unwrap_or_default();
        self.invalid_lines >= MAX_INVALID_LINES || HTTP.contains(&word)
    }

    /// Checks the right that a command needs. It is checked again for every path that the command names.
    ///
    /// # Errors
    /// See [`may`].
    pub(super) fn require(&mut self, right: Right) -> Result<(), Refusal> {
        self.right = right;
        self.check_right(None)
    }

    fn check_right(&self, path: Option<&FtpPath>) -> Result<(), Refusal> {
        may(self.identity().ok().map(Identity::access), self.right, path)
    }

    /// Returns the logged-in identity.
    ///
    /// # Errors
    /// 530 without a login.
    pub(super) fn identity(&self) -> Result<&Identity, Refusal> {
        match &self.state {
            State::LoggedIn(identity) => Ok(identity),
            State::LoggedOut | State::UserGiven(_) => Err(Refusal::NotLoggedIn),
        }
    }

    /// Returns the file tree of the login.
    ///
    /// # Errors
    /// 530 without a login.
    pub(super) fn jail(&self) -> Result<&Jail, Refusal> {
        self.identity().map(Identity::jail)
    }

    /// Returns the current directory.
    ///
    /// # Errors
    /// 530 without a login.
    pub(super) fn cwd(&self) -> Result<&FtpPath, Refusal> {
        self.identity().map(Identity::cwd)
    }

    /// Changes the current directory.
    ///
    /// # Errors
    /// 530 without a login, or 550 if there is no such directory.
    pub(super) fn change_dir(&mut self, path: FtpPath) -> Result<(), Refusal> {
        match &mut self.state {
            State::LoggedIn(identity) => identity.enter(path),
            State::LoggedOut | State::UserGiven(_) => Err(Refusal::NotLoggedIn),
        }
    }

    /// Resolves `name` against the current directory, and checks that the running command may act there.
    ///
    /// # Errors
    /// 530 without a login, 550 without permission, 553 for a path that is too long.
    pub(super) fn path(&self, name: &Name) -> Result<FtpPath, Refusal> {
        let path = self.cwd()?.join(name)?;
        self.check_right(Some(&path))?;
        Ok(path)
    }

    /// Returns whether the login may replace the file at `path`.
    pub(super) fn may_replace(&self, path: &FtpPath) -> bool {
        let access = self.identity().ok().map(Identity::access);
        may(access, Right::Store, Some(path)).is_ok()
    }

    /// Returns whether the login may use this verb somewhere. Before login, all verbs count as usable.
    pub(super) fn may_use(&self, verb: Verb) -> bool {
        let access = self.identity().ok().map(Identity::access);
        access.is_none() || may(access, right_of_verb(verb), None).is_ok()
    }

    /// Like [`path`](Login::path), but without a name returns the current directory.
    ///
    /// # Errors
    /// The errors of [`path`](Login::path).
    pub(super) fn path_or_cwd(&self, name: Option<&Name>) -> Result<FtpPath, Refusal> {
        name.map_or_else(|| Ok(self.cwd()?.clone()), |name| self.path(name))
    }
}

fn new_command_rate() -> TokenBucket {
    TokenBucket::new(COMMANDS_AT_ONCE, COMMANDS_A_SECOND, Instant::now())
}
