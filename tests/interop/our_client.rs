//! Our client against the servers that people have.

mod broken_transfers;
pub(crate) mod commands;
mod encryption;
mod mirror;
mod names;
