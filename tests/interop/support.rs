//! Shared by the tests: our server with a client's directory, other FTP servers, file contents, and a
//! proxy that interrupts transfers.

pub(crate) mod content;
pub(crate) mod cutting_proxy;
pub(crate) mod fixture;
pub(crate) mod servers;
