//! The subcommands and the man page of `ftp_server`.

pub mod check;
pub mod man_page;
pub mod passwd;
