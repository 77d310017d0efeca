//! Both programs, driven over real sockets as their users drive them.
//!
//! [`support`] starts programs and ends them, and has a peer that reads like the protocol. Every
//! other file is about one subject, and every test about one behavior. All ports are picked by the
//! system, nothing sleeps, and no test needs another one. Those that need root or other programs
//! are ignored; `.ci/run` runs them with `--ignored`.

// Signals, links, modes and names that are not UTF-8 are what these tests are about.
#![cfg(unix)]

mod client;
mod project;
mod random;
mod server;
mod support;
