//! Why a client does not get in, and what it is told.

use crate::protocol::{Code, Reply};
use crate::server::error::Refusal;
use crate::server::limits::sessions::Full;
use crate::server::monitor::counters::Closed;
use std::time::Duration;

/// Why a client does not get in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Away {
    /// There is no place.
    Full(Full),
    /// Too many wrong passwords came from its address, and for so long it is refused.
    Guessing(Duration),
    /// The system has run out of something.
    Resources,
}

impl From<Full> for Away {
    fn from(full: Full) -> Away {
        Away::Full(full)
    }
}

impl Away {
    /// What the client is told.
    pub fn reply(self) -> Reply {
        const OUT: &str = "The server is out of resources; try again later.";
        match self {
            Away::Full(full) => full.reply(),
            Away::Guessing(left) => Refusal::Guessing(left).reply(),
            Away::Resources => Reply::new(Code::NOT_AVAILABLE, OUT),
        }
    }

    /// As what it is counted.
    pub fn closed(self) -> Closed {
        match self {
            Away::Full(Full::Server) => Closed::Full,
            Away::Full(Full::Address) => Closed::Address,
            Away::Guessing(_) => Closed::Guessing,
            Away::Resources => Closed::Resources,
        }
    }
}
