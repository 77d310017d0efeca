//! The FTP control protocol as types, without any I/O.
//!
//! Both programs use this module. Callers may rely on the following:
//!
//! - Everything that can be parsed can be written, and writing a value and parsing the result
//!   gives the same value. The exception is [`proxy`], whose headers are only parsed, because
//!   neither program is a load balancer.
//! - No input causes a panic. Input that cannot be understood is returned as a value
//!   ([`Malformed`], `None`).
//! - The constants below bound what is read, whatever the peer sends.
//! - LF and NUL cannot get into a [`Name`], a [`FtpPath`] or a line of a [`Reply`], and a CR in a
//!   name is sent as `CR NUL` (RFC 2640 section 3.1). The name of a file therefore cannot forge a
//!   command, a reply or a log line.
//! - Names are bytes. Clients expect UTF-8 (RFC 2640), but a name that is not UTF-8 is passed on
//!   unchanged.
//!
//! Implemented: RFC 959, 1123 section 4.1, 2389 (FEAT, OPTS), 2428 (EPRT, EPSV), 2640 (UTF-8
//! names, LANG), 3659 (MLST, MLSD, SIZE, MDTM, REST STREAM), 7151 (HOST), and the drafts that
//! clients use: mfxx (MFMT, MFF, MFCT), hash, range, and the streamlined command extensions. A
//! load balancer may send a header of the PROXY protocol, version 1 or 2, before the first
//! command.

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
    Algorithm, ByteRange, Command, EpsvArgument, Format, Malformed, Mechanism, MffFacts, Mode,
    Name, Opts, Protection, SITE_TABLE, Secret, Site, SiteRow, Structure, Type, UtimeForm,
};
pub use control::{Control, Line};
pub use path::{FtpPath, PathTooLong, parse_quoted, write_quoted};
pub use reply::{BadReply, Code, Reply, ReplyParser};
pub use verb::{ArgumentRule, Row, TABLE, Verb};

/// The default port of a server's control connection (RFC 959 section 8).
pub const DEFAULT_PORT: u16 = 21;

/// The longest line of the control connection, in bytes, without its line end. RFC 959 sets no
/// limit; this one leaves room for the longest path that common systems accept (`PATH_MAX`).
pub const MAX_LINE: usize = 4096;

/// The longest working directory or path that a client can name, in bytes.
pub const MAX_PATH: usize = 4096;

/// The longest reply that a client reads, in bytes; a longer one is an error. Each line counts as
/// at least 32 bytes, because it takes about that much memory.
pub const MAX_REPLY: usize = 4 * 1024 * 1024;
