//! The steps that led a connection to its place, so that another can be brought to the same place.
//!
//! A directory is remembered as the CWD commands that led there and not as the reply to PWD: servers
//! disagree on the form of that reply, and repeating what worked costs no round trip beforehand.

use crate::protocol::{Command, Name, Secret};

/// From how many steps on PWD is asked instead.
const MANY_STEPS: usize = 16;

/// The server, the login, and the steps to the directory.
#[derive(Clone)]
pub(super) struct ConnectionOrigin {
    host: String,
    port: u16,
    login: Option<Login>,
    trail: Vec<Command>,
}

/// A login, with the parts of it that the server asked for.
#[derive(Clone)]
pub(super) struct Login {
    pub(super) user: Name,
    pub(super) password: Option<Secret>,
    pub(super) account: Option<Secret>,
}

impl ConnectionOrigin {
    /// Returns the origin of a connection that was just made.
    pub(super) fn new(host: &str, port: u16) -> ConnectionOrigin {
        ConnectionOrigin { host: host.to_owned(), port, login: None, trail: Vec::new() }
    }

    /// Returns the host and port that were named.
    pub(super) fn address(&self) -> (&str, u16) {
        (&self.host, self.port)
    }

    /// Notes a login, which leads to the directory of its user.
    pub(super) fn logged_in(&mut self, login: Login) {
        self.login = Some(login);
        self.trail.clear();
    }

    /// Notes an account that was named after the login.
    pub(super) fn named_account(&mut self, account: Secret) {
        if let Some(login) = &mut self.login {
            login.account = Some(account);
        }
    }

    /// Returns the login.
    pub(super) fn login(&self) -> Option<&Login> {
        self.login.as_ref()
    }

    /// Notes a change of directory that worked.
    pub(super) fn stepped(&mut self, step: Command) {
        if let Command::Cwd(to) = &step
            && to.as_bytes().starts_with(b"/")
        {
            self.trail.clear();
        }
        self.trail.push(step);
    }

    /// Returns the steps from the directory of the login to this one.
    pub(super) fn trail(&self) -> &[Command] {
        &self.trail
    }

    /// Replaces the steps.
    pub(super) fn went(&mut self, trail: Vec<Command>) {
        self.trail = trail;
    }

    /// Returns bytes that tell the file of this name from all others: the server, the user, and the path
    /// as it was given, in one name or step by step.
    pub(super) fn place_of(&self, name: &[u8]) -> Vec<u8> {
        let mut path = Vec::new();
        for step in &self.trail {
            match step {
                Command::Cwd(to) => go(&mut path, to.as_bytes()),
                Command::Cdup => go(&mut path, b".."),
                // A step that the user typed for this server alone.
                other => other.write_to(&mut path),
            }
        }
        go(&mut path, name);
        let user = self.login.iter().flat_map(|login| login.user.as_bytes()).copied();
        let mut place = format!("{}:{}\n", self.host, self.port).into_bytes();
        place.extend(user.chain([b'\n']));
        place.append(&mut path);
        place
    }

    /// Returns whether there are so many steps that PWD is cheaper.
    pub(super) fn is_roundabout(&self) -> bool {
        self.trail.len() >= MANY_STEPS
    }

    /// Replaces the steps by one that leads to this path.
    pub(super) fn stands_in(&mut self, path: Name) {
        self.trail = vec![Command::Cwd(path)];
    }
}

/// Appends a path to one that leads to its directory.
fn go(path: &mut Vec<u8>, to: &[u8]) {
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
    fn steps_are_repeated_from_the_last_absolute_one_on() {
        let mut origin = ConnectionOrigin::new("h", 21);
        for step in [cwd("a"), cwd("/b"), Command::Cdup, cwd("c")] {
            origin.stepped(step);
        }
        assert_eq!(origin.trail(), [cwd("/b"), Command::Cdup, cwd("c")]);
        let user = Name::new("me").unwrap();
        origin.logged_in(Login { user, password: None, account: None });
        assert!(origin.trail().is_empty());
    }
}
