//! Handles clients that connect when no descriptor is left.
//!
//! The listener cannot accept them; they wait in its queue, so that a poll always returns at once. One
//! spare descriptor is kept for this case. It is closed for as long as it takes to accept a client and
//! reject it.

use crate::net::{self, Accepted, Listeners};
use crate::server::{IncomingConnection, Server};
use crate::shutdown::Shutdown;
use std::io;
use std::net::TcpListener;
use std::time::Duration;

/// The spare descriptor.
#[derive(Debug)]
pub struct SpareDescriptor {
    spare: Option<TcpListener>,
}

impl SpareDescriptor {
    /// Reserves a descriptor, if one is free.
    pub fn new(listeners: &Listeners) -> SpareDescriptor {
        SpareDescriptor { spare: listeners.try_clone().ok() }
    }

    /// Handles a failed `accept`: rejects a waiting client, or waits for one, or pauses for a moment if
    /// neither is possible. Running sessions continue; when one ends, a descriptor becomes free.
    pub fn recover(
        &mut self,
        listeners: &Listeners,
        cause: &io::Error,
        server: &Server,
        shutdown: &Shutdown,
        incoming: impl FnOnce(Accepted) -> IncomingConnection,
    ) {
        const PAUSE: Duration = Duration::from_millis(100);
        self.spare = None;
        let accepted = listeners.accept_waiting();
        let accepted = accepted.map(incoming);
        if let Ok(incoming) = &accepted {
            server.log_exhausted(cause);
            server.reject_for_resources(incoming);
        }
        let failed = accepted.map(drop).err();
        // Reserved again before another thread can take it.
        self.spare = listeners.try_clone().ok();
        let waited = match failed {
            None => Ok(()),
            // The system checks for a free descriptor before it checks for a waiting client.
            Some(error) if error.kind() == io::ErrorKind::WouldBlock => listeners.wait(shutdown),
            Some(error) => {
                server.log_exhausted(&error);
                net::wait(&mut [shutdown.draining()], net::deadline(PAUSE))
            }
        };
        // The end of the pause is not an error.
        let _ = waited;
    }
}
