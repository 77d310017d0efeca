//! Clients that come when there is no descriptor left.
//!
//! The listener could neither accept them, nor tell them to come back, nor rest: they wait in its
//! queue and keep it ready. So one descriptor is kept aside. It is given up for the moment it takes
//! to accept a client and send it away.

use crate::net::{self, Accepted, Listeners};
use crate::server::{IncomingConnection, Server};
use crate::shutdown::Shutdown;
use std::io;
use std::net::TcpListener;
use std::time::Duration;

/// A descriptor for bad times.
#[derive(Debug)]
pub struct SpareDescriptor {
    spare: Option<TcpListener>,
}

impl SpareDescriptor {
    /// Puts one aside, if there is one.
    pub fn new(listeners: &Listeners) -> SpareDescriptor {
        SpareDescriptor { spare: listeners.try_clone().ok() }
    }

    /// After `accept` has failed: sends away the one who waits, waits for one, or rests for a moment
    /// if nothing can be done. The sessions that are open go on meanwhile; one that ends makes room.
    pub fn recover(
        &mut self,
        listeners: &Listeners,
        cause: &io::Error,
        server: &Server,
        shutdown: &Shutdown,
        incoming: impl FnOnce(Accepted) -> IncomingConnection,
    ) {
        const REST: Duration = Duration::from_millis(100);
        self.spare = None;
        let accepted = listeners.accept_waiting();
        let arrived = accepted.map(incoming);
        if let Ok(incoming) = &arrived {
            server.log_exhausted(cause);
            server.reject_for_resources(incoming);
        }
        let failed = arrived.map(drop).err();
        // Before anything else can take it.
        self.spare = listeners.try_clone().ok();
        let rested = match failed {
            None => Ok(()),
            // The system looks for a descriptor first, and then whether anybody is there.
            Some(error) if error.kind() == io::ErrorKind::WouldBlock => listeners.wait(shutdown),
            Some(error) => {
                server.log_exhausted(&error);
                net::wait(&mut [shutdown.draining()], net::deadline(REST))
            }
        };
        // That a rest is over is no news.
        let _ = rested;
    }
}
