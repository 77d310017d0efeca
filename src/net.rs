//! Sockets with deadlines. All waiting of both programs is done here.
//!
//! Sockets are nonblocking; a caller that has to wait polls the socket together with whatever may end the wait. A
//! passed deadline is always [`TimedOut`](std::io::ErrorKind::TimedOut).

mod accept;
mod connect;
pub(crate) mod data;
mod stream;
mod wait;

pub use accept::{
    Accepted, Listeners, UnexpectedPeers, accept, accept_from, canonical, is_transient,
};
pub use connect::{connect, dial};
pub use data::{Data, handshake};
pub use stream::{Draining, Stream, prepare_listener};
pub use wait::{
    TransferHooks, Verdict, Waited, deadline, has_passed, later, sooner, wait, wait_for_any,
    wait_with,
};
