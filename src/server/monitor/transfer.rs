//! The description of a transfer.

use crate::protocol::FtpPath;
use std::time::Instant;

/// The kind of transfer, by the command that started it.
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
    /// All kinds, in the order of their numbers.
    pub const ALL: [TransferKind; 7] = [
        TransferKind::Retrieve,
        TransferKind::Store,
        TransferKind::Append,
        TransferKind::StoreUnique,
        TransferKind::List,
        TransferKind::Names,
        TransferKind::Facts,
    ];

    /// Returns whether the transfer moves a file to the server.
    pub fn is_upload(self) -> bool {
        matches!(self, TransferKind::Store | TransferKind::Append | TransferKind::StoreUnique)
    }

    /// Returns whether the transfer is a listing.
    pub fn is_listing(self) -> bool {
        matches!(self, TransferKind::List | TransferKind::Names | TransferKind::Facts)
    }

    /// Returns the name of the transfer's log event.
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
    /// The kind of transfer.
    pub kind: TransferKind,
    /// The file or directory, as the client sees it.
    pub path: FtpPath,
    /// The number of bytes that will move, if known.
    pub expected: Option<u64>,
    /// The start of the transfer.
    pub started: Instant,
}

impl TransferInfo {
    /// Creates a transfer that begins now.
    pub fn new(kind: TransferKind, path: &FtpPath, expected: Option<u64>) -> TransferInfo {
        TransferInfo { kind, path: path.clone(), expected, started: Instant::now() }
    }
}
