//! Sessions that the server ends while they are idle: how that is noticed, and which commands may be sent
//! again over a new connection.
//!
//! Servers end an idle session with a 421 or without a word. Where that is seen before a command is sent,
//! the command is sent over a new connection. Where it is the answer to the first command that was sent,
//! that command is repeated if the answer was a 421, which says that it was not carried out (RFC 959
//! section 4.2.2), or if it would do no harm to carry it out twice.

use super::{Connection, Representation};
use crate::client::error::Error;
use crate::protocol::Command;

/// What went over a connection since the user's command began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exchange {
    /// Nothing was sent.
    Nothing,
    /// Commands were sent, and none of them was answered.
    Asked {
        /// All of them may be sent twice.
        harmless: bool,
    },
    /// The first answer was a 421, so that nothing was carried out.
    Declined,
    /// The server has answered, or did not in time.
    Answered,
}

impl Exchange {
    /// Returns the exchange after another command was sent.
    pub(super) fn sent(self, is_harmless: bool) -> Exchange {
        match self {
            Exchange::Nothing => Exchange::Asked { harmless: is_harmless },
            Exchange::Asked { harmless } => Exchange::Asked { harmless: harmless && is_harmless },
            Exchange::Declined | Exchange::Answered => self,
        }
    }

    /// Returns the exchange after a reply; `declined` is true for a 421.
    pub(super) fn answered(self, declined: bool) -> Exchange {
        match self {
            Exchange::Asked { .. } if declined => Exchange::Declined,
            Exchange::Asked { .. } => Exchange::Answered,
            Exchange::Nothing | Exchange::Declined | Exchange::Answered => self,
        }
    }

    /// Returns whether the user's command has had no effect that a repetition would add to.
    fn may_be_repeated(self) -> bool {
        match self {
            Exchange::Nothing | Exchange::Declined => true,
            Exchange::Asked { harmless } => harmless,
            Exchange::Answered => false,
        }
    }
}

impl Connection {
    /// Notes that a command of the user begins.
    pub(in crate::client) fn begin_command(&mut self) {
        self.exchange = Exchange::Nothing;
    }

    /// Returns why the server has ended the session, if it has.
    pub(in crate::client) fn ended(&mut self) -> Option<Error> {
        self.discard_unasked().err()
    }

    /// Returns true if the connection was lost before the user's command had an effect at the server.
    pub(in crate::client) fn was_lost_while_idle(&self) -> bool {
        self.lost && self.exchange.may_be_repeated()
    }

    /// Makes a connection that is lost again, with the type that the server was told last.
    pub(in crate::client) fn restore(&mut self) -> Result<(), Error> {
        if !self.lost {
            return Ok(());
        }
        let told: Option<Representation> = self.current;
        self.reconnect()?;
        let restored = told.map_or(Ok(()), |told| self.take_type(told));
        self.begin_command();
        restored
    }
}

/// Returns whether a command may be carried out twice: it reads, or it sets what ends with the session.
pub(super) fn is_harmless(command: &Command) -> bool {
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
    fn what_was_answered_or_may_have_been_done_is_not_repeated() {
        let begun = Exchange::Nothing;
        assert!(begun.may_be_repeated());
        assert!(begun.sent(true).may_be_repeated());
        assert!(begun.sent(true).sent(false).answered(true).may_be_repeated());
        assert!(!begun.sent(true).sent(false).may_be_repeated());
        assert!(!begun.sent(true).answered(false).may_be_repeated());
        assert!(!begun.sent(true).answered(false).sent(true).answered(true).may_be_repeated());
    }
}
