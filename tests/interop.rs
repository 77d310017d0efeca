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
//! A test has a [`site::Site`] of its own: a server on a free port, an empty root, and an empty
//! directory where the client runs. Contents are compared byte for byte. What fails prints the
//! client's output and the whole dialogue as the server saw it.
//!
//! A client is a module. In `scripts` our own client stands beside the classic ones. In `ours`,
//! `trees` and `cuts` it stands alone before each of the servers, which `peers` starts.

#![cfg(unix)]

#[path = "interop/between.rs"]
mod between;
#[path = "interop/busybox.rs"]
mod busybox;
#[path = "interop/content.rs"]
mod content;
#[path = "interop/curl.rs"]
mod curl;
#[path = "interop/cuts.rs"]
mod cuts;
#[path = "interop/ftp.rs"]
mod ftp;
#[path = "interop/ftplib.rs"]
mod ftplib;
#[path = "interop/lftp.rs"]
mod lftp;
#[path = "interop/ncftp.rs"]
mod ncftp;
#[path = "interop/net_ftp.rs"]
mod net_ftp;
#[path = "interop/ours.rs"]
mod ours;
#[path = "interop/peers.rs"]
mod peers;
#[path = "interop/scripts.rs"]
mod scripts;
#[path = "interop/site.rs"]
mod site;
#[path = "interop/trees.rs"]
mod trees;
#[path = "interop/wget.rs"]
mod wget;
