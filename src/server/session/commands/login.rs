//! USER, PASS and REIN: coming in, and going back to the door.

use crate::net;
use crate::protocol::{Code, Name, Reply, Secret};
use crate::server::auth::identity::{Identity, Login, is_anonymous};
use crate::server::auth::login_attempts::NoTurn;
use crate::server::error::Refusal;
use crate::server::log::Level;
use crate::server::session::{Pending, Session, new_pace};
use std::sync::Arc;
use std::time::Instant;

impl Session<'_> {
    /// USER: forgets who was here before.
    pub(in crate::server::session) fn user(&mut self, name: &Name) -> Reply {
        self.set_login(Login::Named(name.clone()));
        let text = match is_anonymous(name) && self.settings.authenticator.anonymous.is_some() {
            true => "Any password will do; your e-mail address is the custom.",
            false => "Password, please.",
        };
        Reply::new(Code::NEED_PASSWORD, text)
    }

    /// PASS: the one way to be logged in.
    pub(in crate::server::session) fn pass(&mut self, password: &Secret) -> Result<Reply, Refusal> {
        let name = match &self.login {
            Login::Named(name) => name.clone(),
            Login::Fresh | Login::In(_) => return Err(Refusal::Sequence("Send USER first.")),
        };
        self.login = Login::Fresh;
        let admitted = match self.settings.authenticator.visitor(&name) {
            Some(identity) => Ok(identity),
            None => self.check_password(&name, password),
        };
        let admitted = admitted.and_then(|identity| self.with_slot(identity));
        self.server.counters.login(admitted.is_ok());
        match admitted {
            Ok(identity) => {
                self.set_login(Login::In(identity));
                self.log(Level::Info, "login", &[]);
                Ok(Reply::new(Code::LOGGED_IN, "Logged in."))
            }
            Err(refusal) => {
                let why = String::from_utf8_lossy(refusal.reply().text()).into_owned();
                self.log(Level::Warn, "login-failed", &[("name", &&*name.masked()), ("why", &why)]);
                Err(refusal)
            }
        }
    }

    /// Gives an account's session its place. Only who has the password learns that there is none.
    fn with_slot(&self, mut identity: Identity) -> Result<Identity, Refusal> {
        if let Some(account) = &identity.account {
            let slot = self.server.bandwidth.slot(account).ok_or(Refusal::TooManySessions)?;
            identity.slot = Some(Arc::new(slot));
        }
        Ok(identity)
    }

    /// Checks a password when it is this address's turn, and is late to say that it was wrong.
    fn check_password(&mut self, name: &Name, password: &Secret) -> Result<Identity, Refusal> {
        let (server, until) = (self.server, self.login_deadline());
        let turn = server.login_attempts.turn(self.peer.ip(), name, until);
        let turn = turn.map_err(|no_turn| match no_turn {
            NoTurn::Refused(left) => Refusal::Guessing(left),
            NoTurn::Crowded | NoTurn::TooLate => Refusal::NoTurn,
        })?;
        let (checks, standing) = (&server.password_checks, turn.standing());
        match self.settings.authenticator.admit(name, password, checks, standing, until) {
            Err(Refusal::LoginFailed) => {}
            Err(Refusal::NoTurn) => return Err(Refusal::NoTurn),
            admitted => {
                turn.right();
                return admitted;
            }
        }
        self.failures += 1;
        let most = self.settings.config.max_login_failures;
        let late = net::deadline(turn.wrong(self.failures, most));
        // The end of the server is nothing to wait for.
        let _ = net::wait(&mut [server.shutdown.draining()], late);
        Err(if self.failures < most { Refusal::LoginFailed } else { Refusal::TooManyFailures })
    }

    /// REIN: as if the connection had just been made.
    pub(in crate::server::session) fn rein(&mut self) -> Reply {
        self.set_login(Login::Fresh);
        self.data.reset();
        self.settle_defaults();
        Reply::new(Code::READY, "Begin again with USER.")
    }

    /// Catches up with rules that were changed since the last command. A login that they make void
    /// ends, and with it what was begun under it.
    pub(in crate::server::session) fn catch_up(&mut self) {
        let edition = self.server.settings.edition();
        if edition == self.edition {
            return;
        }
        self.edition = edition;
        self.settings = self.server.settings();
        let Login::In(identity) = &mut self.login else { return };
        match self.settings.authenticator.renew(identity) {
            Some(()) => {}
            None => {
                self.log(Level::Info, "login-ended", &[("why", &"the rules have changed")]);
                self.pending = Pending::Nothing;
                self.data.reset();
                self.set_login(Login::Fresh);
            }
        }
    }

    fn set_login(&mut self, login: Login) {
        if let Login::In(_) = self.login {
            self.outside_since = Instant::now();
            self.pace = new_pace();
        }
        self.login = login;
        self.registration.set_user(self.login.user());
    }
}
