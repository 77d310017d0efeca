//! Sockets with deadlines: every wait in both programs ends here.
//!
//! Sockets do not block; who would wait polls, for the socket and for what may end the wait. A
//! deadline that passes is [`TimedOut`](std::io::ErrorKind::TimedOut), whatever the system calls it.

mod accept;
mod connect;
pub(crate) mod data;
mod stream;
mod wait;

pub use accept::{Accepted, Listeners, Strangers, accept, accept_from, canonical, is_passing};
pub use connect::{connect, dial};
pub use data::{Data, handshake};
pub use stream::{Draining, Stream, prepare_listener};
pub use wait::{
    Attention, Verdict, Waited, deadline, has_passed, later, sooner, wait, wait_for_any, wait_with,
};
