//! The server against the clients that people have: curl, wget, lftp, ncftp, busybox, the `ftp`
//! programs of tnftp and inetutils, Python's ftplib and Perl's Net::FTP. And our client against the
//! servers that they have: vsftpd, ProFTPD, Pure-FTPd and pyftpdlib.
//!
//! Every test is ignored, because it needs a program that a machine with only Rust may lack;
//! `.ci/run` installs them all and runs
//!
//! ```text
//! cargo test --test interop -- --ignored
//! ```
//!
//! A test has a [`support::fixture::Site`] of its own: a server on a free port, an empty root, and an empty
//! directory where the client runs. Contents are compared byte for byte. What fails prints the
//! client's output and the whole dialogue as the server saw it.
//!
//! Each client of others has a file in [`clients`], where `scripts` runs our own client beside the
//! classic ones. [`our_client`] runs it against each of the servers, which [`support::servers`]
//! starts.

#![cfg(unix)]

mod clients;
mod our_client;
mod support;
