//! Our server with other FTP clients.

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
