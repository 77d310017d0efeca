//! USER, PASS and REIN: coming in, and going back to the door.

use super::log::Level;
use super::login::{Login, is_anonymous};
use super::refusal::Refusal;
use super::session::Session;
use crate::protocol::{Code, Name, Reply, Secret};
use std::time::Instant;

impl Session<'_> {
    /// USER: forgets who was here before.
    pub(super) fn user(&mut self, name: &Name) -> Reply {
        self.set_login(Login::Named(name.clone()));
        let text = match is_anonymous(name) && self.server.gate.anonymous.is_some() {
            true => "Any password will do; your e-mail address is the custom.",
            false => "Password, please.",
        };
        Reply::new(Code::NEED_PASSWORD, text)
    }

    /// PASS: the one way to be logged in.
    pub(super) fn pass(&mut self, password: &Secret) -> Result<Reply, Refusal> {
        let name = match &self.login {
            Login::Named(name) => name.clone(),
            Login::Fresh | Login::In(_) => return Err(Refusal::Sequence("Send USER first.")),
        };
        self.login = Login::Fresh;
        match self.server.gate.admit(&name, password) {
            Ok(home) => {
                self.set_login(Login::In(home));
                self.log(Level::Info, "login", &[]);
                Ok(Reply::new(Code::LOGGED_IN, "Logged in."))
            }
            Err(refusal) => {
                let why = String::from_utf8_lossy(refusal.reply().text()).into_owned();
                self.log(Level::Warn, "login-failed", &[("name", &name), ("why", &why)]);
                self.failures += 1;
                if self.failures >= self.server.config.max_login_failures {
                    return Err(Refusal::TooManyFailures);
                }
                Err(refusal)
            }
        }
    }

    /// REIN: as if the connection had just been made.
    pub(super) fn rein(&mut self) -> Reply {
        self.set_login(Login::Fresh);
        self.data.reset();
        self.settle_defaults();
        Reply::new(Code::READY, "Begin again with USER.")
    }

    fn set_login(&mut self, login: Login) {
        if let Login::In(_) = self.login {
            self.outside_since = Instant::now();
        }
        self.login = login;
        self.signed.set_user(self.login.user());
    }
}
