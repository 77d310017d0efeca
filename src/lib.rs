//! mt_ftp: a classic FTP server and client, one thread for each connection, nothing but std.
//!
//! The two programs are `ftp_server` (`src/bin/server.rs`) and `ftp_client` (`src/bin/client.rs`).
//! They share this library, which is built in layers; an arrow goes down or stays inside its
//! folder, never up, never sideways. A test reads the `use` lines and fails on a wrong one.
//!
//! | layer | modules | what they know |
//! |---|---|---|
//! | 4 | `bin/server`, `bin/client` | the command line, signals, the listener and its threads |
//! | 3 | [`server`], [`client`] | what a session does; never each other |
//! | 2 | [`pump`], [`rate`], [`net`], [`shutdown`] | bytes, time, waking |
//! | 1 | [`protocol`], [`text`], [`args`], [`json`] | pure: generic `Read` and `Write`, no sockets, no files |
//! | 0 | [`sys`] | the system's calls, and the only unsafe code |
//!
//! To find one's way: a connection's life begins in [`server::Server::serve`] or in
//! [`client`]'s shell; what goes over the wire is in [`protocol`]; how a file's bytes move is in
//! [`pump`].

pub mod args;
pub mod client;
pub mod json;
pub mod net;
pub mod protocol;
pub mod pump;
pub mod rate;
pub mod server;
pub mod shutdown;
pub mod sys;
pub mod text;
