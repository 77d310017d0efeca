//! Distributes work over several connections.
//!
//! The first connection is that of the session; each helper is opened in a separate thread. If the server
//! or the system allows fewer, there are fewer. Helpers that are still connecting when the first connection
//! has no more work are canceled: a server that allows only one session may never greet them.

use super::TransferSettings;
use crate::client::connection::Connection;
use crate::client::signals::Interrupt;
use std::sync::mpsc::{self, Receiver, SendError, Sender};
use std::thread;

/// Work that several connections share.
pub(in crate::client) trait Work: Sync {
    /// Works until nothing is left for this connection. The others do the work that a helper leaves, at
    /// last the first connection.
    fn work(&self, connection: &mut Connection, worker: Worker);
}

/// The role of a connection.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::client) enum Worker {
    /// The connection of the session.
    First,
    Helper,
}

/// Helpers that connect while the first connection prepares the work.
pub(in crate::client) struct Helpers(Vec<Helper>);

/// A helper that is connecting. Dropping it cancels that.
struct Helper {
    arrival: Receiver<Option<Connection>>,
    pending: PendingHelper,
}

/// Cancels a helper that is connecting, when dropped.
struct PendingHelper {
    arrival: Sender<Option<Connection>>,
    cancel: Interrupt,
}

impl Drop for PendingHelper {
    fn drop(&mut self) {
        self.cancel.cancel();
        // An error means that no thread waits for the helper.
        let _ = self.arrival.send(None);
    }
}

impl Helpers {
    /// Returns no helpers.
    pub(super) fn none() -> Helpers {
        Helpers(Vec::new())
    }

    /// Starts this many helpers, unless the server allows only one session. A helper that is not needed
    /// quits.
    pub(in crate::client) fn call(
        connection: &Connection,
        count: usize,
        settings: &TransferSettings,
    ) -> Helpers {
        let count = if settings.limit.is_one() { 0 } else { count };
        Helpers((0..count).filter_map(|_| call(connection, settings)).collect())
    }
}

/// Starts a helper; `None` if the system cannot create a thread.
fn call(connection: &Connection, settings: &TransferSettings) -> Option<Helper> {
    let (sender, arrival) = mpsc::channel();
    let cancel = Interrupt::default();
    let pending = PendingHelper { arrival: sender.clone(), cancel: cancel.clone() };
    let (plan, interrupt) = (connection.plan(), settings.interrupt.clone());
    let limit = settings.limit.clone();
    limit.helper_opens();
    let connect = move || {
        let Ok(mut connection) = plan.helper(cancel).connect() else { return };
        limit.helper_opens();
        connection.set_interrupt(interrupt);
        // An error here happens again with the first piece of work, and is reported then.
        let _ = connection.get_ready();
        if let Err(SendError(Some(unneeded))) = sender.send(Some(connection)) {
            unneeded.leave();
        }
    };
    let thread = thread::Builder::new().spawn(connect).ok();
    thread.map(|_| Helper { arrival, pending })
}

/// Runs the work over the first connection and at most `needed` helpers.
pub(in crate::client) fn run(
    connection: &mut Connection,
    helpers: Helpers,
    needed: usize,
    work: &impl Work,
) {
    thread::scope(|scope| {
        let mut called = Vec::new();
        for Helper { arrival, pending } in helpers.0.into_iter().take(needed) {
            let help = move || {
                if let Ok(Some(mut connection)) = arrival.recv() {
                    work.work(&mut connection, Worker::Helper);
                    connection.leave();
                }
            };
            // If the system cannot create a thread, there are fewer connections.
            let _ = thread::Builder::new().spawn_scoped(scope, help);
            called.push(pending);
        }
        work.work(connection, Worker::First);
        drop(called);
    });
    // A helper may have left work after the first connection had finished.
    work.work(connection, Worker::First);
}
