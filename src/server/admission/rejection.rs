//! The reasons for rejecting a connection, and the replies to the client.

use crate::protocol::{Code, Reply};
use crate::server::error::Refusal;
use crate::server::limits::sessions::Full;
use crate::server::monitor::counters::RejectionCause;
use std::time::Duration;

/// The reason for rejecting a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// A session limit is reached.
    Full(Full),
    /// Too many wrong passwords came from the address, which is refused for this remaining time.
    AddressBlocked(Duration),
    /// The system has run out of a resource.
    Resources,
}

impl From<Full> for Rejection {
    fn from(full: Full) -> Rejection {
        Rejection::Full(full)
    }
}

impl Rejection {
    /// Returns the reply to the client.
    pub fn reply(self) -> Reply {
        const OUT: &str = "The server is out of resources; try again later.";
        match self {
            Rejection::Full(full) => full.reply(),
            Rejection::AddressBlocked(left) => Refusal::AddressBlocked(left).reply(),
            Rejection::Resources => Reply::new(Code::NOT_AVAILABLE, OUT),
        }
    }

    /// Returns the cause under which the rejection is counted.
    pub fn cause(self) -> RejectionCause {
        match self {
            Rejection::Full(Full::Server) => RejectionCause::Full,
            Rejection::Full(Full::Address) => RejectionCause::Address,
            Rejection::AddressBlocked(_) => RejectionCause::AddressBlocked,
            Rejection::Resources => RejectionCause::Resources,
        }
    }
}
