//! How far the login of a session has come, and what the running command may do.
//!
//! The login is one value. USER replaces all of it, so no right of an earlier login can be left
//! over; a name alone gives none.

use crate::protocol::{FtpPath, Name, Verb};
use crate::server::auth::authenticator::Authenticator;
use crate::server::auth::identity::Identity;
use crate::server::auth::permissions::{Right, may, right_of_verb};
use crate::server::error::Refusal;
use crate::server::fs::jail::Jail;
use crate::server::token_bucket::TokenBucket;
use std::time::{Duration, Instant};

/// The number of commands that may come at once before login, and the number a second after that.
/// A login needs about ten.
const COMMANDS_AT_ONCE: u32 = 50;
const COMMANDS_A_SECOND: u32 = 10;

/// The number of lines before login that may be no commands.
const MOST_NONSENSE: u32 = 10;

/// The login of a session.
#[derive(Debug)]
pub(super) struct Login {
    state: State,
    /// What the running command needs, asked for again at every path that it names.
    right: Right,
    /// Wrong passwords in this session.
    failures: u32,
    /// Since when nobody is logged in.
    outside_since: Instant,
    /// Commands before login.
    pace: TokenBucket,
    /// Lines before login that were no commands.
    nonsense: u32,
}

#[derive(Debug)]
enum State {
    /// Nobody.
    Fresh,
    /// USER was given, PASS is awaited.
    Named(Name),
    /// Logged in.
    In(Identity),
}

impl Login {
    /// Nobody is logged in; the client connected at `since`.
    pub(super) fn new(since: Instant) -> Login {
        Login {
            state: State::Fresh,
            right: Right::Anyone,
            failures: 0,
            outside_since: since,
            pace: new_pace(),
            nonsense: 0,
        }
    }

    /// Notes the name that USER gave.
    pub(super) fn name(&mut self, name: Name) {
        self.leave();
        self.state = State::Named(name);
    }

    /// Takes the name that USER gave; a password is good for one attempt.
    pub(super) fn take_name(&mut self) -> Option<Name> {
        match std::mem::replace(&mut self.state, State::Fresh) {
            State::Named(name) => Some(name),
            other => {
                self.state = other;
                None
            }
        }
    }

    /// Logs in.
    pub(super) fn enter(&mut self, identity: Identity) {
        self.state = State::In(identity);
    }

    /// Logs out: the time to log in and the pace of commands begin again.
    pub(super) fn leave(&mut self) {
        if self.is_in() {
            self.outside_since = Instant::now();
            self.pace = new_pace();
        }
        self.state = State::Fresh;
    }

    /// Brings the login up to date after a reload; false if that ended it.
    pub(super) fn renew(&mut self, authenticator: &Authenticator) -> bool {
        match &mut self.state {
            State::In(identity) => authenticator.renew(identity).is_some(),
            State::Fresh | State::Named(_) => true,
        }
    }

    /// Returns true if somebody is logged in.
    pub(super) fn is_in(&self) -> bool {
        matches!(self.state, State::In(_))
    }

    /// Returns true if USER has not been sent either.
    pub(super) fn is_fresh(&self) -> bool {
        matches!(self.state, State::Fresh)
    }

    /// Counts a wrong password and returns how many there were.
    pub(super) fn fail(&mut self) -> u32 {
        self.failures += 1;
        self.failures
    }

    /// Until when the client has to log in. The deadline is absolute: commands sent before login do
    /// not extend it.
    pub(super) fn deadline(&self, timeout: Duration) -> Option<Instant> {
        self.outside_since.checked_add(timeout)
    }

    /// Takes one command from the pace of those before login.
    ///
    /// # Errors
    /// How long to wait for the next one.
    pub(super) fn keep_pace(&mut self) -> Result<(), Duration> {
        self.pace.take(0, Instant::now())
    }

    /// Counts a line that is no command, and returns true if it did not come from an FTP client: a
    /// browser or a scanner, or a peer that has tried ten unknown verbs before login.
    pub(super) fn is_no_ftp_client(&mut self, line: &[u8]) -> bool {
        const HTTP: [&[u8]; 9] = [
            b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"CONNECT", b"OPTIONS", b"TRACE", b"PATCH",
        ];
        if self.is_in() {
            return false;
        }
        self.nonsense += 1;
        let word = line.split(|&b| b == b' ').next().unwrap_or_default();
        self.nonsense >= MOST_NONSENSE || HTTP.contains(&word)
    }

    /// Asks for a right, which then holds for every path that the command names.
    ///
    /// # Errors
    /// See [`may`].
    pub(super) fn require(&mut self, right: Right) -> Result<(), Refusal> {
        self.right = right;
        self.permit(None)
    }

    fn permit(&self, path: Option<&FtpPath>) -> Result<(), Refusal> {
        may(self.identity().ok().map(Identity::access), self.right, path)
    }

    /// Who is logged in.
    ///
    /// # Errors
    /// 530 if nobody is.
    pub(super) fn identity(&self) -> Result<&Identity, Refusal> {
        match &self.state {
            State::In(identity) => Ok(identity),
            State::Fresh | State::Named(_) => Err(Refusal::NotLoggedIn),
        }
    }

    /// The tree of who is logged in.
    ///
    /// # Errors
    /// 530 if nobody is.
    pub(super) fn jail(&self) -> Result<&Jail, Refusal> {
        self.identity().map(Identity::jail)
    }

    /// The current directory.
    ///
    /// # Errors
    /// 530 if nobody is logged in.
    pub(super) fn cwd(&self) -> Result<&FtpPath, Refusal> {
        self.identity().map(Identity::cwd)
    }

    /// Changes the current directory.
    ///
    /// # Errors
    /// 530 if nobody is logged in, or there is no such directory.
    pub(super) fn change_dir(&mut self, path: FtpPath) -> Result<(), Refusal> {
        match &mut self.state {
            State::In(identity) => identity.enter(path),
            State::Fresh | State::Named(_) => Err(Refusal::NotLoggedIn),
        }
    }

    /// The path that `name` means to who is logged in, if the running command may act there.
    ///
    /// # Errors
    /// 530 if nobody is logged in, 550 where the command may not act, 553 for a path that is too long.
    pub(super) fn path(&self, name: &Name) -> Result<FtpPath, Refusal> {
        let path = self.cwd()?.join(name)?;
        self.permit(Some(&path))?;
        Ok(path)
    }

    /// Returns true if what is stored at `path` may replace what has that name.
    pub(super) fn may_replace(&self, path: &FtpPath) -> bool {
        let access = self.identity().ok().map(Identity::access);
        may(access, Right::Store, Some(path)).is_ok()
    }

    /// Returns true if the login, or any client before login, may use this verb somewhere.
    pub(super) fn may_use(&self, verb: Verb) -> bool {
        let access = self.identity().ok().map(Identity::access);
        access.is_none() || may(access, right_of_verb(verb), None).is_ok()
    }

    /// The same; without a name the current directory.
    ///
    /// # Errors
    /// The same.
    pub(super) fn path_or_cwd(&self, name: Option<&Name>) -> Result<FtpPath, Refusal> {
        name.map_or_else(|| Ok(self.cwd()?.clone()), |name| self.path(name))
    }
}

fn new_pace() -> TokenBucket {
    TokenBucket::new(COMMANDS_AT_ONCE, COMMANDS_A_SECOND, Instant::now())
}
