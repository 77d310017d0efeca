//! Why a client does not get in, and what it is told.

use crate::protocol::{Code, Reply};
use crate::server::error::Refusal;
use crate::server::limits::sessions::Full;
use crate::server::monitor::counters::RejectionCause;
use std::time::Duration;

/// Why a client does not get in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// There is no place.
    Full(Full),
    /// Too many wrong passwords came from its address, and for so long it is refused.
    Guessing(Duration),
    /// The system has run out of something.
    Resources,
}

impl From<Full> for Rejection {
    fn from(full: Full) -> Rejection {
        Rejection::Full(full)
    }
}

impl Rejection {
    /// What the client is told.
    pub fn reply(self) -> Reply {
        const OUT: &str = "The server is out of resources; try again later.";
        match self {
            Rejection::Full(full) => full.reply(),
            Rejection::Guessing(left) => Refusal::Guessing(left).reply(),
            Rejection::Resources => Reply::new(Code::NOT_AVAILABLE, OUT),
        }
    }

    /// As what it is counted.
    pub fn closed(self) -> RejectionCause {
        match self {
            Rejection::Full(Full::Server) => RejectionCause::Full,
            Rejection::Full(Full::Address) => RejectionCause::Address,
            Rejection::Guessing(_) => RejectionCause::Guessing,
            Rejection::Resources => RejectionCause::Resources,
        }
    }
}
