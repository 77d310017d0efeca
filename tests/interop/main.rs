//! Our server with other FTP clients: curl, wget, lftp, ncftp, busybox, the `ftp`
//! programs of tnftp and inetutils, Python's ftplib and Perl's Net::FTP. And our client with
//! other FTP servers: vsftpd, ProFTPD, Pure-FTPd and pyftpdlib.
//!
//! Every test is ignored, because it needs a program that a machine with only Rust may lack;
//! `.ci/run` installs them all and runs
//!
//! ```text
//! cargo test --test interop -- --ignored
//! ```
//!
//! Each test has its own [`support::fixture::Site`]: a server on a free port, an empty root, and an empty
//! directory where the client runs. Contents are compared byte by byte. A failed test prints the
//! client's output and the server's log of the whole session.
//!
//! Each FTP client has a file in [`clients`]; `scripts` compares our client with the classic ones.
//! [`our_client`] runs our client with each of the servers, which [`support::servers`] starts.

#![cfg(unix)]

mod clients;
mod our_client;
mod support;
