//! [`sys`](crate::sys) for Windows, with the same face as for Unix.
//!
//! The system's functions are declared by hand, only as far as they are used. Directories are held
//! as paths here, not as handles: [`Dir`] says what that does not cover.

mod console;
mod dir;
mod socket;

pub use console::{EchoOff, Signals, terminal_width};
pub use dir::{Dir, Entries};
pub(crate) use dir::{adopt, is_named, may_be_link, name_bytes, os_name};
pub use socket::{
    Handle, Latch, PollItem, Waitable, connect_from, inline_urgent, keep_alive, listen_backlog,
    poll,
};
