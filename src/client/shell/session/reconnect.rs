//! Opening the connection of a session, and reconnecting after it was lost.

use super::{LastServer, Session};
use crate::client::connection::{Connection, Settings};
use crate::client::error::Error;
use crate::client::output::one_line;
use crate::client::tls::Encryption;
use crate::client::transfer::retry::{self, RetryNotes};
use crate::client::transfer::session_limit::ONE_SESSION;
use crate::client::url::Endpoint;
use crate::net;
use std::time::Instant;

impl Session {
    /// Returns the connection. If the server has closed it, the client reconnects to the same directory.
    pub(in crate::client::shell) fn connection(&mut self) -> Result<&mut Connection, Error> {
        if let Some(why) = self.connection.as_mut().and_then(Connection::ended) {
            self.restore(why)?;
        }
        self.connection.as_mut().ok_or(Error::NotConnected)
    }

    /// Returns the server of the last CONNECT.
    pub(in crate::client::shell) fn last_server(&self) -> Option<LastServer> {
        self.last_server.clone()
    }

    /// Returns true if there is a connection, even if the server has closed it.
    pub(in crate::client::shell) fn is_connected(&self) -> bool {
        self.connection.is_some()
    }

    /// Runs a command, and repeats it once if the server closed the session before it had any effect.
    pub(in crate::client::shell) fn run(
        &mut self,
        command: impl Fn(&mut Session) -> Result<(), Error>,
    ) -> Result<(), Error> {
        if let Some(connection) = &mut self.connection {
            connection.begin_command();
        }
        let result = command(self);
        let was_idle = self.connection.as_ref().is_some_and(Connection::was_lost_while_idle);
        match result {
            Err(why) if was_idle && !self.was_stopped(&why) => {
                self.restore(why)?;
                command(self)
            }
            other => other,
        }
    }

    /// Runs an operation that only reads, such as a walk through a tree, and restarts it if the connection
    /// is lost, at most `--retries` times.
    pub(in crate::client::shell) fn reading<T>(
        &mut self,
        mut read: impl FnMut(&mut Connection) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut left = self.transfers.retries;
        loop {
            match read(self.connection()?) {
                Err(why @ (Error::Lost(_) | Error::Closing(_)))
                    if left > 0 && !self.was_stopped(&why) =>
                {
                    left -= 1;
                    self.restore(why)?;
                }
                other => return other,
            }
        }
    }

    /// Returns true if the user interrupted the command or closed its output.
    fn was_stopped(&self, why: &Error) -> bool {
        matches!(why, Error::Interrupted | Error::OutputClosed) || self.interrupt().has_cut()
    }

    /// Reconnects, or drops the connection if that fails.
    fn restore(&mut self, why: Error) -> Result<(), Error> {
        let settings = self.transfer_settings();
        let host = self.place.as_ref().map_or(String::new(), |place| place.endpoint.to_string());
        let connection = self.connection.as_mut().ok_or(Error::NotConnected)?;
        let mut notes = RetryNotes { name: host.as_bytes(), messages: Some(settings.messages) };
        if settings.limit.first_was_lost(false) {
            settings.messages.note(ONE_SESSION);
        }
        match retry::restore(connection, &settings, &mut notes) {
            Ok(()) => {
                settings.messages.note(&format!("{}; connected again", one_line(&why)));
                Ok(())
            }
            Err(error) => {
                self.connection = None;
                Err(error.after(why))
            }
        }
    }

    /// Opens a connection and returns it with the deadline of its login.
    pub(super) fn open(
        &self,
        to: &Endpoint,
        encryption: Encryption,
    ) -> Result<(Connection, Option<Instant>), Error> {
        let encryption = encryption.at_least(self.settings.encryption);
        let mut settings = self.transfer_settings();
        if !settings.transfers.retries_connect {
            settings.transfers.retries = 0;
        }
        let host = to.to_string();
        let mut notes = RetryNotes { name: host.as_bytes(), messages: Some(settings.messages) };
        let mut deadline = None;
        let open = || {
            deadline = net::deadline(self.settings.timeout);
            let settings = Settings { encryption, ..self.settings.clone() };
            Connection::open_by(&to.host, to.port, settings, &mut deadline)
        };
        let connection = retry::until_connected(open, &settings, &mut notes)?;
        Ok((connection, deadline))
    }
}
