//! The command handlers, one file for each group of verbs.
//!
//! A handler is a function of the parts of the session that it needs. It returns its one final reply, or
//! a refusal, which becomes the reply.

pub(super) mod checksum;
pub(super) mod info;
pub(super) mod listing;
pub(super) mod login;
pub(super) mod modify;
pub(super) mod parameters;
pub(super) mod query;
pub(super) mod security;
pub(super) mod site;
pub(super) mod transfer;

use crate::protocol::Reply;
use crate::server::error::Refusal;

/// The final reply of a command.
type Answer = Result<Reply, Refusal>;
