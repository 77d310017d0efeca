//! Work that several connections share.
//!
//! The first connection is the session's own; the helpers are made beside it, each in a thread. Where
//! the server or the system has no room for them there are fewer. One that is still being made when the
//! first connection has no more work is given up: a server that has room for one session may never greet it.

use super::TransferSettings;
use crate::client::connection::Connection;
use crate::client::signals::Interrupt;
use std::sync::mpsc::{self, Receiver, SendError, Sender};
use std::thread;

/// Work that several connections take pieces of.
pub(in crate::client) trait Work: Sync {
    /// Works until nothing is left for this connection. What a helper leaves is done by the others,
    /// the first connection at last.
    fn work(&self, connection: &mut Connection, worker: Worker);
}

/// The connection that works.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::client) enum Worker {
    /// The session's own.
    First,
    Helper,
}

/// Connections that are being made while the first finds out what there is to do.
pub(in crate::client) struct Helpers(Vec<Helper>);

/// A connection that is being made. Dropped, it is given up.
struct Helper {
    arrival: Receiver<Option<Connection>>,
    calling: Calling,
}

/// What gives a connection up that is being made.
struct Calling {
    arrival: Sender<Option<Connection>>,
    cancel: Interrupt,
}

impl Drop for Calling {
    fn drop(&mut self) {
        self.cancel.cancel();
        // It has arrived, or nobody waits for it.
        let _ = self.arrival.send(None);
    }
}

impl Helpers {
    /// Makes no connection.
    pub(super) fn none() -> Helpers {
        Helpers(Vec::new())
    }

    /// Begins to make this many connections, unless the server has room for one session alone. One that
    /// turns out not to be needed leaves again.
    pub(in crate::client) fn call(
        connection: &Connection,
        count: usize,
        settings: &TransferSettings,
    ) -> Helpers {
        let count = if settings.limit.is_one() { 0 } else { count };
        Helpers((0..count).filter_map(|_| call(connection, settings)).collect())
    }
}

/// Begins to make a connection; a system without room for a thread has fewer of them.
fn call(connection: &Connection, settings: &TransferSettings) -> Option<Helper> {
    let (sender, arrival) = mpsc::channel();
    let cancel = Interrupt::default();
    let calling = Calling { arrival: sender.clone(), cancel: cancel.clone() };
    let (plan, interrupt) = (connection.plan(), settings.interrupt.clone());
    let limit = settings.limit.clone();
    limit.other_begins();
    let connect = move || {
        let Ok(mut connection) = plan.helper(cancel).connect() else { return };
        limit.other_begins();
        connection.set_interrupt(interrupt);
        // What goes wrong here goes wrong with the first piece of work too, and is told then.
        let _ = connection.get_ready();
        if let Err(SendError(Some(unneeded))) = sender.send(Some(connection)) {
            unneeded.leave();
        }
    };
    let thread = thread::Builder::new().spawn(connect).ok();
    thread.map(|_| Helper { arrival, calling })
}

/// Does the work over the first connection and at most `needed` helpers.
pub(in crate::client) fn run(
    connection: &mut Connection,
    helpers: Helpers,
    needed: usize,
    work: &impl Work,
) {
    thread::scope(|scope| {
        let mut called = Vec::new();
        for Helper { arrival, calling } in helpers.0.into_iter().take(needed) {
            let help = move || {
                if let Ok(Some(mut connection)) = arrival.recv() {
                    work.work(&mut connection, Worker::Helper);
                    connection.leave();
                }
            };
            // A system without room for a thread has fewer connections.
            let _ = thread::Builder::new().spawn_scoped(scope, help);
            called.push(calling);
        }
        work.work(connection, Worker::First);
        drop(called);
    });
    // What a helper left behind when the first connection was done already.
    work.work(connection, Worker::First);
}
