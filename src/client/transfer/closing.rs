//! The end of a data connection, which tells the other side whether all bytes were sent.

use crate::net::{self, Data, TransferHooks, Waited};
use crate::pump::End;
use crate::sys::Waitable;
use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::time::Duration;

/// How many bytes are read from a server that has refused to send all of them.
const MOST_DRAINED: u64 = 16 * 1024 * 1024;

/// Ends an upload: a protected one ends in a close_notify. The connection stays open until the server has
/// closed its half, or has said how the transfer ended: closed with unread tickets in it, it would be
/// reset, and the last bytes would be lost.
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
    // An error is that of a connection that has ended.
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

/// Closes the data connection of a transfer that was not aborted. One that is aborted is dropped instead,
/// so that the server gets no close_notify, which would mean that the file is whole.
pub(super) fn close(mut data: Data) {
    // A connection that was lost needs no goodbye.
    let _ = data.end_sending();
}

/// Writes the bytes that have arrived to `sink`, without waiting for more.
pub(super) fn drain(data: &mut Data, sink: &mut impl Write) -> u64 {
    let mut piece = vec![0; 64 * 1024];
    let mut moved = 0;
    while moved < MOST_DRAINED
        && let Ok(length @ 1..) = data.read(&mut piece)
        && sink.write_all(&piece[..length]).is_ok()
    {
        moved += length as u64;
    }
    moved
}
