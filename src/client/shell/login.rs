//! The login of a session: the user name and the source of the password.

use super::input::{ask, read_line};
use crate::client::connection::{Connection, Exposure};
use crate::client::editor::{Answer, read_secret};
use crate::client::error::Error;
use crate::client::name::parse_name;
use crate::client::netrc::{self, NetrcLogin};
use crate::client::options::{AutoLogin, Netrc, Options};
use crate::client::output::Messages;
use crate::client::signals::Interrupt;
use crate::client::state_dir::state_file;
use crate::client::tls::{TlsClient, TrustPrompt};
use crate::client::url::Endpoint;
use crate::protocol::{Name, Secret};
use crate::text::shown;
use std::collections::BTreeSet;
use std::env;
use std::io::{self, IsTerminal};
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

/// The environment variable with the password.
const PASSWORD_VARIABLE: &str = "FTP_PASSWORD";

/// The user name that needs no account, and its customary password (RFC 1635).
const ANONYMOUS: &[u8] = b"anonymous";
const ANONYMOUS_PASSWORD: &[u8] = b"anonymous@";

/// The default login, from the options of the command line.
pub(super) struct LoginPolicy {
    auto: AutoLogin,
    netrc: Netrc,
    /// The user of `-u`.
    user: Option<Name>,
    /// The servers for which the user was warned of unencrypted passwords.
    warned: BTreeSet<IpAddr>,
}

impl LoginPolicy {
    pub(super) fn new(options: &Options) -> LoginPolicy {
        let (auto, netrc, user) = (options.login, options.netrc, options.user.clone());
        LoginPolicy { auto, netrc, user, warned: BTreeSet::new() }
    }

    /// Returns the user of `-u`.
    pub(super) fn user(&self) -> Option<Name> {
        self.user.clone()
    }

    /// Returns whether a connection logs in by itself.
    pub(super) fn is_automatic(&self) -> bool {
        self.auto == AutoLogin::On
    }

    /// Looks up a login in `.netrc`.
    pub(super) fn look_up(&self, to: &Endpoint, user: Option<&Name>) -> Result<NetrcLogin, Error> {
        match (self.netrc, self.auto) {
            (Netrc::Read, AutoLogin::On) => Ok(netrc::find(&to.host, user)?.unwrap_or_default()),
            _ => Ok(NetrcLogin::default()),
        }
    }

    /// Logs in with the given password or that of `.netrc`, and asks for missing credentials.
    pub(super) fn log_in(
        &mut self,
        connection: &mut Connection,
        deadline: Option<Instant>,
        user: &Name,
        given: Option<Secret>,
        known: NetrcLogin,
        prompt: SecretPrompt<'_>,
    ) -> Result<(), Error> {
        let peer = connection.peer();
        let warned = &mut self.warned;
        let password = |exposure| {
            let is_exposed = exposure == Exposure::Clear && is_exposed(user, peer);
            if is_exposed && warned.insert(peer.ip()) {
                let warning = "warning: FTP sends the password unencrypted to another machine";
                prompt.messages.note(warning);
            }
            match given {
                Some(password) => Ok(password),
                None => find_password(user, known.password, prompt),
            }
        };
        let account = || match known.account {
            Some(account) => Ok(Some(account)),
            None if io::stdin().is_terminal() => prompt.ask_secret("Account: ").map(Some),
            None => Ok(None),
        };
        connection.login_by(deadline, user, password, account)
    }
}

/// Returns the TLS context of all connections. At a terminal the user is asked about a certificate that no
/// authority has signed.
pub(super) fn tls_client(options: &Options, interrupt: &Interrupt) -> TlsClient {
    let messages = Messages::new(options.verbosity);
    let terminal = || Box::new(Terminal(messages, interrupt.clone())) as Box<dyn TrustPrompt>;
    let person = io::stdin().is_terminal().then(terminal);
    TlsClient::new(options.tls.clone(), state_file("trusted"), person)
}

/// The user at the terminal.
struct Terminal(Messages, Interrupt);

impl TrustPrompt for Terminal {
    fn confirms(&self, question: &str) -> Result<bool, Error> {
        let answer = ask(question, self.0, &self.1)?.ok_or(Error::Interrupted)?;
        Ok(answer.trim_ascii_start().first().is_some_and(|first| b"yY".contains(first)))
    }

    fn warns(&self, warning: &str) {
        self.0.note(warning);
    }
}

/// Returns the user name that needs no account.
pub(super) fn anonymous() -> Result<Name, Error> {
    parse_name(ANONYMOUS)
}

/// Returns whether a name is that of anonymous users, so that its password is not a secret.
fn is_anonymous(user: &Name) -> bool {
    [ANONYMOUS, b"ftp"].contains(&user.as_bytes())
}

/// Returns whether others on the network could read a password sent in the clear to this address.
fn is_exposed(user: &Name, peer: SocketAddr) -> bool {
    !is_anonymous(user) && !peer.ip().is_loopback()
}

fn find_password(
    user: &Name,
    known: Option<Secret>,
    prompt: SecretPrompt<'_>,
) -> Result<Secret, Error> {
    // Before FTP_PASSWORD, which must not be sent to servers where the user is anonymous.
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
    prompt.ask_secret(&format!("Password for {}: ", shown(user.as_bytes())))
}

/// Prompts for secrets at the terminal.
#[derive(Clone, Copy)]
pub(super) struct SecretPrompt<'a> {
    pub(super) messages: Messages,
    pub(super) interrupt: &'a Interrupt,
}

impl SecretPrompt<'_> {
    /// Asks for a secret without echo.
    pub(super) fn ask_secret(self, question: &str) -> Result<Secret, Error> {
        self.messages.prompt(question);
        let typed = type_password(self.interrupt);
        self.messages.prompt("\n");
        secret(&typed?)
    }
}

fn type_password(interrupt: &Interrupt) -> Result<Vec<u8>, Error> {
    match read_secret(interrupt) {
        Ok(Answer::Words(typed)) => Ok(typed),
        Ok(Answer::Nothing) => Err(Error::Interrupted),
        // The terminal cannot deliver single keys, but can turn the echo off.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_in_clear_is_exposed_unless_local_or_anonymous() {
        let exposed =
            |user, peer: &str| is_exposed(&Name::new(user).unwrap(), peer.parse().unwrap());
        assert!(exposed("me", "192.0.2.1:21") && exposed("me", "[2001:db8::1]:21"));
        assert!(!exposed("me", "127.0.0.2:21") && !exposed("me", "[::1]:21"));
        assert!(!exposed("anonymous", "192.0.2.1:21"));
    }
}
