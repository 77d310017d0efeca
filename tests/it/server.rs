//! Tests of the server over real sockets.

mod files;
mod limits;
pub mod log;
pub mod service;
mod session;
mod transfer;
