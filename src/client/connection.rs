//! A connection to a server. Each method is one operation of the server and returns its typed result.
//!
//! - A command that the server refuses fails with [`Error::Refused`] and its reply, and the connection
//!   stays usable. After any other error of the control connection the connection is
//!   [lost](Connection::is_lost) and every call fails, because the next reply might answer an earlier
//!   command.
//! - A reply must arrive within [`Settings::timeout`]. A transfer may take any time while bytes move.
//! - If TLS is required, only AUTH TLS is sent before the server's certificate is accepted, and everything
//!   that the server said in the clear is discarded. PROT P protects data connections.
//! - TYPE is sent only when a transfer needs a type other than the current one.
//! - FEAT is sent once, after the login. Its answer, and the commands that the server refused as unknown,
//!   are shared with replacement and helper connections.
//! - The login and the current directory are remembered, so that a lost connection can be
//!   [reopened](Connection::reconnect).

mod byte_255;
mod commands;
mod connect;
mod control;
pub(super) mod data;
mod encryption;
mod features;
mod file_time;
mod idle;
mod quote;
mod restore;

pub(super) use control::{MAX_UNSOLICITED_REPLIES, PIPELINE_TIMEOUT, ReplyWait};
pub(super) use encryption::Exposure;
pub(super) use features::is_missing;

use super::output::TraceEvent;
use super::signals::Interrupt;
use super::tls::{Encryption, TlsClient};
use crate::net::Stream;
use crate::protocol::{Command, Control, EpsvArgument, Format, Reply, Type};
use crate::rate::Rate;
use byte_255::IacForm;
use encryption::DataProtection;
use file_time::TimeSupport;
use idle::Exchange;
use quote::QuotedSettings;
use restore::ConnectionOrigin;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// The settings of a connection.
#[derive(Clone)]
pub struct Settings {
    /// The way in which data connections are opened.
    pub mode: DataMode,
    /// EPSV and EPRT are used over IPv4, else PASV and PORT.
    pub epsv4: bool,
    /// EPSV and EPRT are used over IPv6.
    pub epsv6: bool,
    /// The line ends of downloads in TYPE A.
    pub line_ends: LineEnds,
    /// The way in which the control connection becomes encrypted.
    pub encryption: Encryption,
    /// The TLS context, shared by all connections of the client.
    pub tls: TlsClient,
    /// Longest wait for a reply, and longest pause of a transfer.
    pub timeout: Duration,
    /// A NOOP is sent whenever the control connection is silent for this long during a transfer, so that
    /// NAT routers keep its entry.
    pub keep_alive: Duration,
    /// The handle that aborts transfers at Ctrl-C.
    pub interrupt: Interrupt,
    /// The rate limit, shared by all connections that have a clone of it.
    pub rate: Option<Rate>,
    /// Called for every command and reply.
    pub trace: Option<fn(TraceEvent<'_>)>,
    /// The progress of transfers is shown: bytes count as sent once the server's system has acknowledged
    /// them, which takes a system call each time.
    pub shows_progress: bool,
}

impl Default for Settings {
    /// Passive mode, no TLS, a timeout of 30 seconds, a NOOP each minute, no interrupt, no trace.
    fn default() -> Settings {
        Settings {
            mode: DataMode::Passive,
            epsv4: true,
            epsv6: true,
            line_ends: LineEnds::Lf,
            encryption: Encryption::Clear,
            tls: TlsClient::default(),
            timeout: Duration::from_secs(30),
            keep_alive: Duration::from_secs(60),
            interrupt: Interrupt::default(),
            rate: None,
            trace: None,
            shows_progress: false,
        }
    }
}

/// The way in which data connections are opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataMode {
    /// The client connects (EPSV, PASV), and only to the address of the control connection: the address
    /// in a PASV reply could point to any machine in the client's own network.
    Passive,
    /// The client connects, after PASV to the address that the server names.
    PassiveAnyHost,
    /// The server connects (EPRT, PORT).
    Active,
}

/// The line ends of downloads in TYPE A.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineEnds {
    /// LF, as in local text files.
    Lf,
    /// CR LF, as on the wire.
    CrLf,
}

/// A control connection to a server.
pub struct Connection {
    control: Control<Stream>,
    settings: Settings,
    /// The server's address, the only peer of data connections unless [`DataMode::PassiveAnyHost`] is set.
    peer: SocketAddr,
    local: SocketAddr,
    /// The server, login and directory, from which the connection can be reopened.
    origin: ConnectionOrigin,
    /// Settings that the user made with raw commands.
    quoted: QuotedSettings,
    /// The representation type of the next transfers.
    wanted: Representation,
    /// The type that the server has now; `None` if unknown.
    current: Option<Representation>,
    capabilities: Capabilities,
    data_protection: DataProtection,
    /// The extensions that FEAT listed; `None` before FEAT was sent.
    features: Option<Arc<[Vec<u8>]>>,
    /// The commands that are pipelined behind the next transfer command.
    followers: Vec<Command>,
    /// The address of the next data connection, if EPSV was sent ahead for it.
    route: Option<SocketAddr>,
    /// The remote size of the last uploaded file, if a pipelined SIZE has returned it.
    stored: Option<u64>,
    /// The commands and replies exchanged since the user's command began.
    exchange: Exchange,
    /// The connection is a helper that works in parallel with the user's connection.
    is_helper: bool,
    lost: bool,
}

/// The commands and extensions that the server has not refused as unknown.
#[derive(Clone, Copy)]
pub(super) struct Capabilities {
    /// EPSV and EPRT.
    pub(super) epsv: bool,
    /// SIZE.
    pub(super) size: bool,
    /// MDTM.
    pub(super) mdtm: bool,
    /// MFMT, or another command that sets times.
    time_support: TimeSupport,
    /// REST.
    pub(super) rest: bool,
    /// MLSD.
    pub(super) mlsd: bool,
    /// The form in which a byte 255 in names is sent.
    iac_form: IacForm,
    /// HASH.
    pub(super) hash: bool,
    /// Several commands sent without waiting for each reply.
    pub(super) pipelining: bool,
    /// NOOP during a transfer: the server replies to it at once, or after the transfer.
    pub(super) noop_in_transfer: bool,
}

impl Capabilities {
    const ALL: Capabilities = Capabilities {
        epsv: true,
        size: true,
        mdtm: true,
        time_support: TimeSupport::UNKNOWN,
        rest: true,
        mlsd: true,
        iac_form: IacForm::DEFAULT,
        hash: true,
        pipelining: true,
        noop_in_transfer: true,
    };
}

/// The representation type of transfers (RFC 959 section 3.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Representation {
    /// TYPE A: text, whose line ends are converted.
    Ascii,
    /// TYPE I: unchanged bytes.
    Image,
}

impl Representation {
    fn wire(self) -> Type {
        match self {
            Representation::Ascii => Type::Ascii(Format::NonPrint),
            Representation::Image => Type::Image,
        }
    }
}

/// EPSV with the address family of the control connection.
pub(super) const EPSV: Command = Command::Epsv(EpsvArgument::Same);

fn number(reply: &Reply) -> Option<u64> {
    std::str::from_utf8(reply.text().trim_ascii()).ok()?.parse().ok()
}
