//! mt_ftp: an FTP server and client that use only std, with one thread for each connection.
//!
//! The two programs are `ftp_server` (`src/bin/server.rs`) and `ftp_client` (`src/bin/client.rs`). They share this
//! library, which is built in layers: a module uses lower layers and its own folder, never a higher layer, and never
//! the other program. A test checks the `use` lines.
//!
//! | layer | modules | scope |
//! |---|---|---|
//! | 4 | `bin/server`, `bin/client` | the command line, signals, the listener and its threads |
//! | 3 | [`server`], [`client`] | sessions and commands; neither uses the other |
//! | 2 | [`pump`], [`rate`], [`net`], [`shutdown`] | moving bytes, rate limits, sockets with deadlines, shutdown |
//! | 1 | [`protocol`], [`text`], [`args`], [`json`] | parsing and writing over `Read` and `Write`; no sockets, no files
//! |
//! | 0 | [`sys`] | system calls, and the only unsafe code |
//!
//! Where to start reading: a connection begins in [`server::Server::serve`] or in [`client`]'s shell; commands, replies
//! and listings are in [`protocol`]; file data is moved by [`pump`].

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
