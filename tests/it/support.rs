//! Fixtures that the tests share: a server, a client's directory, a peer that speaks FTP directly,
//! and a scripted server.

pub mod accounts;
mod client;
pub mod ftps;
pub mod random;
pub mod scripted_server;
mod server;
#[cfg(target_os = "linux")]
mod terminal;
pub mod tls;
mod wait;
pub mod wire;

pub use client::{Client, Run};
pub use server::Server;
#[cfg(target_os = "linux")]
pub use terminal::UnreadTerminal;
pub(crate) use wait::together;
pub use wait::{
    HASHING_PATIENCE, PATIENCE, at_once, connect_when_admitted, eventually, noise, run_together,
    signal,
};
