//! The server against the clients that people have.

mod busybox;
mod curl;
mod ftp;
mod ftplib;
mod lftp;
mod ncftp;
mod net_ftp;
mod scripts;
mod tls;
mod wget;
