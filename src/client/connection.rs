//! A connection to a server: one method a thing the server can do, one typed answer each.
//!
//! - Whatever the server refuses is an [`Error::Refused`] with its reply, and the connection can be
//!   used again. After any other error of the control connection it is [lost](Connection::is_lost),
//!   and every call says so: what would be read next might answer an earlier command.
//! - Every reply has as long as [`Settings::timeout`]. A transfer has as long as it moves.
//! - Where TLS is required, nothing but AUTH TLS is sent before the server is known to be the one that was
//!   meant, and what it said before that is forgotten. Data connections are protected by PROT P.
//! - TYPE is sent when a transfer needs another type than the server has, not before.
//! - FEAT is asked once a session, after the login. What it does not tell of and the server lacks, the
//!   server refuses. Both are remembered, by the connections that are made in its place or beside it too.
//! - Who logged in and where it stands is remembered, so that it can be made [anew](Connection::reconnect).

mod byte_255;
mod commands;
mod connect;
mod control;
pub(super) mod data;
mod encryption;
mod features;
mod file_time;
mod idle;
mod restore;

pub(super) use control::{FOLLOWER_PATIENCE, MOST_UNASKED, ReplyWait};
pub(super) use encryption::Exposure;
pub(super) use features::is_missing;

use super::output::Spoken;
use super::signals::Interrupt;
use super::tls::{Encryption, TlsClient};
use crate::net::Stream;
use crate::protocol::{Command, Control, Extended, Format, Reply, Type};
use crate::rate::Rate;
use byte_255::Doubling;
use encryption::DataProtection;
use file_time::TimeSetting;
use idle::Exchange;
use restore::ConnectionOrigin;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// What a connection is told once.
#[derive(Clone)]
pub struct Settings {
    /// How data connections are made.
    pub mode: DataMode,
    /// EPSV and EPRT are used over IPv4, else PASV and PORT.
    pub epsv4: bool,
    /// EPSV and EPRT are used over IPv6.
    pub epsv6: bool,
    /// How lines end in a text that was fetched.
    pub line_ends: LineEnds,
    /// The way in which the control connection becomes encrypted.
    pub encryption: Encryption,
    /// The TLS of this connection and of others.
    pub tls: TlsClient,
    /// Longest wait for a reply, and longest pause of a transfer.
    pub timeout: Duration,
    /// After how much silence during a transfer a NOOP is sent, so that what translates addresses on
    /// the way does not forget the control connection.
    pub keep_alive: Duration,
    /// What breaks transfers off.
    pub interrupt: Interrupt,
    /// How fast bytes go, shared by all connections that were given it.
    pub rate: Option<Rate>,
    /// Told of every command and reply.
    pub trace: Option<fn(Spoken<'_>)>,
    /// A user watches the progress of transfers: bytes count as sent once the server's system has
    /// acknowledged them, which takes a system call each time.
    pub watched: bool,
}

impl Default for Settings {
    /// Passive, in clear, 30 seconds, a NOOP a minute, never interrupted, not traced.
    fn default() -> Settings {
        Settings {
            mode: DataMode::Passive,
            epsv4: true,
            epsv6: true,
            line_ends: LineEnds::Ours,
            encryption: Encryption::Clear,
            tls: TlsClient::default(),
            timeout: Duration::from_secs(30),
            keep_alive: Duration::from_secs(60),
            interrupt: Interrupt::default(),
            rate: None,
            trace: None,
            watched: false,
        }
    }
}

/// How data connections are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataMode {
    /// We connect (EPSV, PASV), and only ever to the server's own address: the one in a PASV reply
    /// could send us anywhere in our own network.
    Passive,
    /// We connect, after PASV to whatever address the server names.
    PassiveTrusting,
    /// The server connects (EPRT, PORT).
    Active,
}

/// How lines end in a text that was fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineEnds {
    /// As they do here: in LF.
    Ours,
    /// As they do on the wire: in CR LF.
    AsSent,
}

/// A control connection to a server.
pub struct Connection {
    control: Control<Stream>,
    settings: Settings,
    /// The server's address, the only one that data is exchanged with unless told otherwise.
    peer: SocketAddr,
    local: SocketAddr,
    /// How to come here again.
    origin: ConnectionOrigin,
    /// What files are transferred as.
    wanted: Representation,
    /// What the server was told last; `None` where that is not known.
    current: Option<Representation>,
    capabilities: Capabilities,
    data_protection: DataProtection,
    /// The extensions that FEAT listed, once it was asked.
    features: Option<Arc<[Vec<u8>]>>,
    /// What goes out together with the command of the next transfer.
    followers: Vec<Command>,
    /// Where the next data connection goes, once that is agreed on.
    route: Option<SocketAddr>,
    /// The size of the file that was sent last, where a follower asked for it.
    stored: Option<u64>,
    /// The commands and replies exchanged since the user's command began.
    exchange: Exchange,
    /// The connection is a helper, made beside the user's first one to work at the same time.
    is_helper: bool,
    lost: bool,
}

/// What the server has not refused yet.
#[derive(Clone, Copy)]
pub(super) struct Capabilities {
    /// EPSV and EPRT.
    pub(super) extended: bool,
    /// SIZE and MDTM.
    pub(super) sizes: bool,
    pub(super) times: bool,
    /// MFMT, or what comes next to it.
    time_setting: TimeSetting,
    /// REST.
    pub(super) restarts: bool,
    /// MLSD.
    pub(super) machine_lists: bool,
    /// The form in which a byte 255 in names is sent.
    doubling: Doubling,
    /// HASH.
    pub(super) hashes: bool,
    /// More than one command at a time.
    pub(super) pipelines: bool,
    /// NOOP during a transfer, whenever it is answered.
    pub(super) keeps_alive: bool,
}

impl Capabilities {
    const ALL: Capabilities = Capabilities {
        extended: true,
        sizes: true,
        times: true,
        time_setting: TimeSetting::UNKNOWN,
        restarts: true,
        machine_lists: true,
        doubling: Doubling::UNKNOWN,
        hashes: true,
        pipelines: true,
        keeps_alive: true,
    };
}

/// What files are transferred as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Representation {
    /// Lines, whose ends are made those of each side: TYPE A.
    Text,
    /// The bytes as they are: TYPE I.
    Bytes,
}

impl Representation {
    fn wire(self) -> Type {
        match self {
            Representation::Text => Type::Ascii(Format::NonPrint),
            Representation::Bytes => Type::Image,
        }
    }
}

/// EPSV for whatever protocol the control connection has.
pub(super) const EXTENDED_PASSIVE: Command = Command::Epsv(Extended::Same);

fn number(reply: &Reply) -> Option<u64> {
    std::str::from_utf8(reply.text().trim_ascii()).ok()?.parse().ok()
}
