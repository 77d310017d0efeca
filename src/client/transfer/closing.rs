//! Closing data connections, in a way that shows the peer whether all bytes were sent.

use crate::net::{self, Data, TransferHooks, Waited};
use crate::pump::End;
use crate::sys::Waitable;
use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::time::Duration;

/// The largest number of bytes to read after a negative reply.
const MAX_DRAINED: u64 = 16 * 1024 * 1024;

/// Ends an upload. Over TLS it sends close_notify and keeps the connection open until the server has closed
/// its half or sent the final reply: closing a connection with unread session tickets would reset it, and
/// the last bytes would be lost.
pub(super) fn end_upload(
    data: &mut Data,
    patience: Duration,
    watch: &mut impl TransferHooks,
) -> End {
    let Data::Tls(tls) = data else { return End::Done };
    let deadline = net::deadline(patience);
    while let Err(error) = tls.end_sending() {
        if error.kind() != ErrorKind::WouldBlock {
            return End::Peer(error);
        }
        match net::wait_with(tls.handle(), tls.wants(), deadline, 0, watch) {
            Ok(Waited::Ready) => {}
            Ok(Waited::Stopped) => return End::Stopped,
            Ok(Waited::TimedOut) => return End::Stalled,
            Err(error) => return End::Peer(error),
        }
    }
    // An error means that the connection has ended already.
    let _ = tls.tcp().shutdown(Shutdown::Write);
    let mut piece = [0; 1024];
    loop {
        match tls.read(&mut piece) {
            Ok(1..) if !net::has_passed(deadline) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                let waited = net::wait_with(tls.handle(), tls.wants(), deadline, 0, watch);
                if !matches!(waited, Ok(Waited::Ready)) {
                    return End::Done;
                }
            }
            _ => return End::Done,
        }
    }
}

/// Closes the data connection of a transfer that was not aborted. The connection of an aborted transfer is
/// dropped instead: a close_notify would mean that the file is complete.
pub(super) fn close(mut data: Data) {
    let _ = data.end_sending();
}

/// Writes the bytes that have already arrived to `sink`.
pub(super) fn drain(data: &mut Data, sink: &mut impl Write) -> u64 {
    let mut piece = vec![0; 64 * 1024];
    let mut moved = 0;
    while moved < MAX_DRAINED
        && let Ok(length @ 1..) = data.read(&mut piece)
        && sink.write_all(&piece[..length]).is_ok()
    {
        moved += length as u64;
    }
    moved
}
