//! A transfer: what moves, and since when.

use crate::protocol::FtpPath;
use std::time::Instant;

/// What a transfer moves, by the command that asked for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// RETR.
    Retrieve,
    /// STOR.
    Store,
    /// APPE.
    Append,
    /// STOU.
    StoreUnique,
    /// LIST.
    List,
    /// NLST.
    Names,
    /// MLSD.
    Facts,
}

impl Kind {
    /// All of them, in the order of their numbers.
    pub const ALL: [Kind; 7] = [
        Kind::Retrieve,
        Kind::Store,
        Kind::Append,
        Kind::StoreUnique,
        Kind::List,
        Kind::Names,
        Kind::Facts,
    ];

    /// Whether it moves a file to the server.
    pub fn is_upload(self) -> bool {
        matches!(self, Kind::Store | Kind::Append | Kind::StoreUnique)
    }

    /// Whether it moves the names of files, and not a file.
    pub fn is_listing(self) -> bool {
        matches!(self, Kind::List | Kind::Names | Kind::Facts)
    }

    /// The name of its event in the log.
    pub fn event(self) -> &'static str {
        match self {
            Kind::Retrieve => "retr",
            Kind::Store => "stor",
            Kind::Append => "appe",
            Kind::StoreUnique => "stou",
            Kind::List => "list",
            Kind::Names => "nlst",
            Kind::Facts => "mlsd",
        }
    }
}

/// A transfer.
#[derive(Clone, Debug)]
pub struct Job {
    /// What it moves.
    pub kind: Kind,
    /// The file or directory, as the client names it.
    pub path: FtpPath,
    /// How many bytes will move, where that is known.
    pub expected: Option<u64>,
    /// When it began.
    pub started: Instant,
}

impl Job {
    /// One that begins now.
    pub fn new(kind: Kind, path: &FtpPath, expected: Option<u64>) -> Job {
        Job { kind, path: path.clone(), expected, started: Instant::now() }
    }
}
