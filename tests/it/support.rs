//! The scenes that tests share: a server, a client's directory, a peer that speaks FTP by hand, and a
//! server that follows a script.

pub mod random;
pub mod scripted_server;
pub mod server;
pub mod wire;

pub use server::*;
