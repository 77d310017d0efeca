//! Tests of both programs over real sockets.
//!
//! [`support`] starts and stops the programs, and has a peer that speaks FTP line by line. Every other
//! file tests one subject, and every test one behavior. The system chooses all ports, no test sleeps,
//! and no test depends on another. Tests that need root or other programs are ignored; `.ci/run` runs
//! them with `--ignored`.

// These tests use signals, links, modes and names that are not UTF-8.
#![cfg(unix)]

mod client;
mod project;
mod random;
mod server;
mod support;
