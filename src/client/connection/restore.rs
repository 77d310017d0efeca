//! The server, login and directory of a connection, from which another can be brought to the same state.
//!
//! The directory is remembered as the CWD and CDUP commands that led there and not as the reply to PWD:
//! servers differ in the form of that reply, and recording the commands costs no round trip.

use crate::protocol::{Command, Name, Secret};

/// From this number of steps on, PWD replaces them with one path.
const MANY_STEPS: usize = 16;

/// The server, the login, and the commands that led to the directory.
#[derive(Clone)]
pub(super) struct ConnectionOrigin {
    host: String,
    port: u16,
    login: Option<Login>,
    /// The user of a raw USER command that was not followed by PASS yet.
    named: Option<Name>,
    steps: Vec<Command>,
}

/// A login, with the credentials that the server asked for.
#[derive(Clone)]
pub(super) struct Login {
    pub(super) user: Name,
    pub(super) password: Option<Secret>,
    pub(super) account: Option<Secret>,
}

impl ConnectionOrigin {
    /// Returns the origin of a connection before its login.
    pub(super) fn new(host: &str, port: u16) -> ConnectionOrigin {
        let host = host.to_owned();
        ConnectionOrigin { host, port, login: None, named: None, steps: Vec::new() }
    }

    /// Returns the host and port as the user gave them.
    pub(super) fn address(&self) -> (&str, u16) {
        (&self.host, self.port)
    }

    /// Records a login, which resets the directory.
    pub(super) fn logged_in(&mut self, login: Login) {
        self.login = Some(login);
        self.named = None;
        self.steps.clear();
    }

    /// Records that nobody is logged in.
    pub(super) fn logged_out(&mut self) {
        self.login = None;
        self.named = None;
        self.steps.clear();
    }

    /// Records a raw USER command, which ends the previous login.
    pub(super) fn user_named(&mut self, user: Name) {
        self.logged_out();
        self.named = Some(user);
    }

    /// Records that the named user is logged in, with this password if the server asked for one.
    pub(super) fn password_accepted(&mut self, password: Option<Secret>) {
        if let Some(user) = self.named.take() {
            self.logged_in(Login { user, password, account: None });
        }
    }

    /// Records an account that was sent after the login.
    pub(super) fn set_account(&mut self, account: Secret) {
        if let Some(login) = &mut self.login {
            login.account = Some(account);
        }
    }

    pub(super) fn login(&self) -> Option<&Login> {
        self.login.as_ref()
    }

    /// Records a successful change of the directory.
    pub(super) fn push_step(&mut self, step: Command) {
        if let Command::Cwd(to) = &step
            && to.as_bytes().starts_with(b"/")
        {
            self.steps.clear();
        }
        self.steps.push(step);
    }

    /// Returns the commands that led from the login directory to the current one.
    pub(super) fn steps(&self) -> &[Command] {
        &self.steps
    }

    /// Replaces the commands that lead to the directory.
    pub(super) fn set_steps(&mut self, steps: Vec<Command>) {
        self.steps = steps;
    }

    /// Returns bytes that identify a remote file: the server, the user, and the path from the login
    /// directory.
    pub(super) fn identity_of(&self, name: &[u8]) -> Vec<u8> {
        let mut path = Vec::new();
        for step in &self.steps {
            match step {
                Command::Cwd(to) => join(&mut path, to.as_bytes()),
                Command::Cdup => join(&mut path, b".."),
                // A command that the user sent with QUOTE.
                other => other.write_to(&mut path),
            }
        }
        join(&mut path, name);
        let user = self.login.iter().flat_map(|login| login.user.as_bytes()).copied();
        let mut place = format!("{}:{}\n", self.host, self.port).into_bytes();
        place.extend(user.chain([b'\n']));
        place.append(&mut path);
        place
    }

    /// Returns whether there are so many steps that one path from PWD is cheaper.
    pub(super) fn has_many_steps(&self) -> bool {
        self.steps.len() >= MANY_STEPS
    }

    /// Replaces the steps with one CWD to this path.
    pub(super) fn set_dir(&mut self, path: Name) {
        self.steps = vec![Command::Cwd(path)];
    }
}

/// Joins `to` to a path; an absolute `to` replaces it.
fn join(path: &mut Vec<u8>, to: &[u8]) {
    if to.starts_with(b"/") {
        path.clear();
    } else if !path.is_empty() && !path.ends_with(b"/") {
        path.push(b'/');
    }
    path.extend_from_slice(to);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cwd(to: &str) -> Command {
        Command::Cwd(Name::new(to).unwrap())
    }

    #[test]
    fn an_absolute_cwd_or_a_login_resets_the_steps() {
        let mut origin = ConnectionOrigin::new("h", 21);
        for step in [cwd("a"), cwd("/b"), Command::Cdup, cwd("c")] {
            origin.push_step(step);
        }
        assert_eq!(origin.steps(), [cwd("/b"), Command::Cdup, cwd("c")]);
        let user = Name::new("me").unwrap();
        origin.logged_in(Login { user, password: None, account: None });
        assert!(origin.steps().is_empty());
    }
}
