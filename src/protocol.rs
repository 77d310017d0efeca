//! The protocol of the control connection, typed and without I/O of its own.
//!
//! Both programs speak through this module. What callers may rely on:
//!
//! - Everything that can be read can be written, and writing then reading gives the same value. Only
//!   the headers of [`proxy`] are read alone: neither program is a balancer.
//! - No sequence of bytes panics. What is not understood is a value ([`Malformed`], `None`).
//! - What is read is bounded by the constants below, whatever the peer sends.
//! - CR, LF and NUL cannot get into a [`Name`], a [`FtpPath`] or a line of a [`Reply`], so neither
//!   a command nor a reply nor a log line can be forged by the name of a file.
//! - Names are bytes. UTF-8 is what clients agree on (RFC 2640), but a name that is not UTF-8 is
//!   carried like any other.
//!
//! Implemented: RFC 959, 1123 section 4.1, 2389 (FEAT, OPTS), 2428 (EPRT, EPSV), 2640 (UTF-8
//! names, LANG), 3659 (MLST, MLSD, SIZE, MDTM, REST STREAM), 7151 (HOST), and the drafts that
//! clients use: mfxx (MFMT, MFF, MFCT), hash, range, and the streamlined command extensions. Before
//! all of it a balancer may speak the PROXY protocol, versions 1 and 2.

pub mod address;
pub mod ascii;
mod command;
mod control;
pub(crate) mod digest;
pub mod listing;
mod path;
pub mod pattern;
pub mod proxy;
mod reply;
pub mod time;
mod verb;

pub use command::{
    Algorithm, Changes, Command, Extended, Format, Malformed, Mechanism, Mode, Name, Opts,
    Protection, SITE_TABLE, Secret, Site, SiteRow, Span, Structure, Type,
};
pub use control::{Control, Line};
pub use path::{FtpPath, PathTooLong, parse_quoted, write_quoted};
pub use reply::{BadReply, Code, Reply, ReplyParser};
pub use verb::{ArgumentRule, Row, TABLE, Verb};

/// The default port of a server's control connection (RFC 959 section 8).
pub const DEFAULT_PORT: u16 = 21;

/// Longest line of the control connection in bytes, without its end. RFC 959 names no limit; this
/// is room for the longest path a system takes (PATH_MAX) and its verb.
pub const MAX_LINE: usize = 4096;

/// Longest path a client can stand in or name, in bytes.
pub const MAX_PATH: usize = 4096;

/// Longest reply that a client reads before it gives the server up, in bytes. Each line counts as at
/// least 32, because it takes about that much memory.
pub const MAX_REPLY: usize = 4 * 1024 * 1024;
