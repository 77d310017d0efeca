//! The line editor for commands: reads keys and returns a line.
//!
//! [`state`] applies keys to a line in a [`buffer`], and [`screen`] and [`width`] render it; they
//! know nothing about terminals. [`keys`] converts bytes to keys, and [`terminal`] connects the
//! parts. Lines are bytes, because file names are; [`text`] defines how a byte that is not UTF-8
//! is stored among characters. No input makes the editor fail.

mod buffer;
mod history;
mod keys;
mod screen;
mod state;
mod terminal;

pub(super) use history::History;
pub(super) use state::Completion;
pub(super) use terminal::{Answer, Reader, is_capable, read_answer, read_secret};

#[cfg(test)]
mod tests;
