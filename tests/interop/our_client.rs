//! Our client with other FTP servers.

mod broken_transfers;
pub(crate) mod commands;
mod encryption;
mod mirror;
mod names;
