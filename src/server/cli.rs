//! The command line of `ftp_server`: its options, its subcommands and what it says to the person who
//! starts it.

pub mod check;
pub mod listening;
pub mod man_page;
pub mod options;
pub mod output;
pub mod passwd;
pub mod startup;
