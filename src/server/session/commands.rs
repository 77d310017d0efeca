//! The commands, one file for each group of verbs.

mod checksum;
mod info;
mod login;
mod modify;
mod parameters;
mod query;
mod transfer;
