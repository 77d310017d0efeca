//! The editor of command lines: keys in, a line out.
//!
//! What a key does ([`state`], on a [`buffer`]) knows nothing of terminals, and neither does what a
//! line looks like ([`screen`], [`width`]); [`keys`] turns bytes into keys and [`terminal`] joins
//! them all. Lines are bytes, because file names are; [`text`] says how a byte that is no UTF-8 is
//! held among characters. Nothing here fails on any input.

mod buffer;
mod history;
mod keys;
mod screen;
mod state;
mod terminal;

pub(super) use history::History;
pub(super) use state::Completion;
pub(super) use terminal::{Reader, Told, is_capable, read_secret};

#[cfg(test)]
mod tests;
