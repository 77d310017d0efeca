//! Detects sessions that the server has closed while idle, and decides which commands may be repeated
//! over a new connection.
//!
//! Servers close an idle session with a 421 or without a reply. If the client notices that before it sends
//! a command, it sends the command over a new connection. If the first command is answered with a 421 or with
//! the end of the connection, it is repeated after a 421, which means that it was not executed (RFC 959
//! section 4.2.2), or if it is idempotent.

use super::{Connection, Representation};
use crate::client::error::Error;
use crate::protocol::Command;

/// The commands and replies exchanged since the user's command began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exchange {
    /// Nothing was sent.
    NothingSent,
    /// Commands were sent, and none was answered.
    Sent {
        /// All of them are idempotent.
        idempotent: bool,
    },
    /// The first reply was a 421, so no command was executed.
    NotExecuted,
    /// The server has replied, or a reply timed out.
    Answered,
}

impl Exchange {
    /// Returns the exchange after another command was sent.
    pub(super) fn sent(self, is_idempotent: bool) -> Exchange {
        match self {
            Exchange::NothingSent => Exchange::Sent { idempotent: is_idempotent },
            Exchange::Sent { idempotent } => {
                Exchange::Sent { idempotent: idempotent && is_idempotent }
            }
            Exchange::NotExecuted | Exchange::Answered => self,
        }
    }

    /// Returns the exchange after a reply; `declined` is true for a 421.
    pub(super) fn answered(self, declined: bool) -> Exchange {
        match self {
            Exchange::Sent { .. } if declined => Exchange::NotExecuted,
            Exchange::Sent { .. } => Exchange::Answered,
            Exchange::NothingSent | Exchange::NotExecuted | Exchange::Answered => self,
        }
    }

    /// Returns true if repeating the user's command cannot execute a non-idempotent command twice.
    fn may_be_repeated(self) -> bool {
        match self {
            Exchange::NothingSent | Exchange::NotExecuted => true,
            Exchange::Sent { idempotent } => idempotent,
            Exchange::Answered => false,
        }
    }
}

impl Connection {
    /// Marks the begin of a command of the user.
    pub(in crate::client) fn begin_command(&mut self) {
        self.exchange = Exchange::NothingSent;
    }

    /// Returns the error if the server has closed the session.
    pub(in crate::client) fn ended(&mut self) -> Option<Error> {
        self.discard_unsolicited().err()
    }

    /// Returns true if the connection was lost before the user's command had an effect at the server.
    pub(in crate::client) fn was_lost_while_idle(&self) -> bool {
        self.lost && self.exchange.may_be_repeated()
    }

    /// Reconnects if the connection is lost, and sets the type that the server had.
    pub(in crate::client) fn restore(&mut self) -> Result<(), Error> {
        if !self.lost {
            return Ok(());
        }
        let told: Option<Representation> = self.current;
        self.reconnect()?;
        let restored = told.map_or(Ok(()), |told| self.set_type(told));
        self.begin_command();
        restored
    }
}

/// Returns true if a command may be executed twice: it reads, or changes only the state of the session.
pub(super) fn is_idempotent(command: &Command) -> bool {
    match command {
        Command::User(_)
        | Command::Pass(_)
        | Command::Acct(_)
        | Command::Rein
        | Command::Quit
        | Command::Cwd(_)
        | Command::Cdup
        | Command::Port(_)
        | Command::Eprt(_)
        | Command::Pasv
        | Command::Epsv(_)
        | Command::Type(_)
        | Command::Mode(_)
        | Command::Stru(_)
        | Command::Retr(_)
        | Command::Rest(_)
        | Command::Rnfr(_)
        | Command::Abor
        | Command::Pwd
        | Command::List(_)
        | Command::Nlst(_)
        | Command::Mlsd(_)
        | Command::Mlst(_)
        | Command::Size(_)
        | Command::Mdtm(_)
        | Command::Stat(_)
        | Command::Syst
        | Command::Help(_)
        | Command::Noop
        | Command::Feat
        | Command::Opts(_)
        | Command::Host(_)
        | Command::Hash(_)
        | Command::Digest(..)
        | Command::Rang(_)
        | Command::Avbl(_)
        | Command::Dsiz(_)
        | Command::Csid(_)
        | Command::Clnt(_)
        | Command::Lang(_)
        | Command::Auth(_)
        | Command::Pbsz(_)
        | Command::Prot(_)
        | Command::Ccc => true,
        Command::Stor(_)
        | Command::Stou(_)
        | Command::Appe(_)
        | Command::Allo(_)
        | Command::Rnto(_)
        | Command::Dele(_)
        | Command::Rmd(_)
        | Command::Rmda(_)
        | Command::Mkd(_)
        | Command::Mfmt(..)
        | Command::Mff(..)
        | Command::Mfct(..)
        | Command::Site(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_may_have_been_executed_is_not_repeated() {
        let begun = Exchange::NothingSent;
        assert!(begun.may_be_repeated());
        assert!(begun.sent(true).may_be_repeated());
        assert!(begun.sent(true).sent(false).answered(true).may_be_repeated());
        assert!(!begun.sent(true).sent(false).may_be_repeated());
        assert!(!begun.sent(true).answered(false).may_be_repeated());
        assert!(!begun.sent(true).answered(false).sent(true).answered(true).may_be_repeated());
    }
}
