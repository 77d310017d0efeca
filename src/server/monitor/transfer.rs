//! A transfer: what moves, and since when.

use crate::protocol::FtpPath;
use std::time::Instant;

/// What a transfer moves, by the command that asked for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransferKind {
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

impl TransferKind {
    /// All of them, in the order of their numbers.
    pub const ALL: [TransferKind; 7] = [
        TransferKind::Retrieve,
        TransferKind::Store,
        TransferKind::Append,
        TransferKind::StoreUnique,
        TransferKind::List,
        TransferKind::Names,
        TransferKind::Facts,
    ];

    /// Whether it moves a file to the server.
    pub fn is_upload(self) -> bool {
        matches!(self, TransferKind::Store | TransferKind::Append | TransferKind::StoreUnique)
    }

    /// Whether it moves the names of files, and not a file.
    pub fn is_listing(self) -> bool {
        matches!(self, TransferKind::List | TransferKind::Names | TransferKind::Facts)
    }

    /// The name of its event in the log.
    pub fn event(self) -> &'static str {
        match self {
            TransferKind::Retrieve => "retr",
            TransferKind::Store => "stor",
            TransferKind::Append => "appe",
            TransferKind::StoreUnique => "stou",
            TransferKind::List => "list",
            TransferKind::Names => "nlst",
            TransferKind::Facts => "mlsd",
        }
    }
}

/// A transfer.
#[derive(Clone, Debug)]
pub struct TransferInfo {
    /// What it moves.
    pub kind: TransferKind,
    /// The file or directory, as the client names it.
    pub path: FtpPath,
    /// How many bytes will move, where that is known.
    pub expected: Option<u64>,
    /// When it began.
    pub started: Instant,
}

impl TransferInfo {
    /// One that begins now.
    pub fn new(kind: TransferKind, path: &FtpPath, expected: Option<u64>) -> TransferInfo {
        TransferInfo { kind, path: path.clone(), expected, started: Instant::now() }
    }
}
