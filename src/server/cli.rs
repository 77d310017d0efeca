//! The command line of `ftp_server`: its options, its subcommands, and its messages to the user who starts it.

pub mod certificate;
pub mod check;
pub mod listening;
pub mod man_page;
pub mod options;
pub mod output;
pub mod passwd;
pub(crate) mod private_file;
pub mod startup;
