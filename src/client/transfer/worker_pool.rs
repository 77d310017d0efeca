//! Work that several connections share.
//!
//! The first connection is the session's own; the helpers are made beside it, each in a thread. Where
//! the server or the system has no room for them there are fewer.

use crate::client::connection::Connection;
use std::sync::mpsc::{self, Receiver, SendError};
use std::thread;

/// Work that several connections take pieces of.
pub(super) trait Work: Sync {
    /// Works until nothing is left for this connection. What a helper leaves is done by the others,
    /// the first connection at last.
    fn work(&self, connection: &mut Connection, worker: Worker);
}

/// The connection that works.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Worker {
    /// The session's own.
    First,
    Helper,
}

/// Connections that are being made while the first finds out what there is to do.
pub(super) struct Helpers(Vec<Receiver<Connection>>);

impl Helpers {
    /// Begins to make this many connections. One that turns out not to be needed leaves again.
    pub(super) fn call(connection: &Connection, count: usize) -> Helpers {
        Helpers((0..count).filter_map(|_| call(connection)).collect())
    }
}

/// Returns where the connection arrives; a system without room for a thread has fewer of them.
fn call(connection: &Connection) -> Option<Receiver<Connection>> {
    let (sender, receiver) = mpsc::channel();
    let plan = connection.plan();
    let connect = move || {
        let Ok(mut connection) = plan.connect() else { return };
        // What goes wrong here goes wrong with the first piece of work too, and is told then.
        let _ = connection.get_ready();
        if let Err(SendError(unneeded)) = sender.send(connection) {
            unneeded.leave();
        }
    };
    thread::Builder::new().spawn(connect).ok().map(|_| receiver)
}

/// Does the work over the first connection and at most `needed` helpers.
pub(super) fn run(connection: &mut Connection, helpers: Helpers, needed: usize, work: &impl Work) {
    thread::scope(|scope| {
        for helper in helpers.0.into_iter().take(needed) {
            let help = move || {
                if let Ok(mut connection) = helper.recv() {
                    work.work(&mut connection, Worker::Helper);
                    connection.leave();
                }
            };
            // A system without room for a thread has fewer connections.
            let _ = thread::Builder::new().spawn_scoped(scope, help);
        }
        work.work(connection, Worker::First);
    });
    // What a helper left behind when the first connection was done already.
    work.work(connection, Worker::First);
}
