//! The status pages over HTTP (`--status`).
//!
//! `/` is a page for people, `/metrics` is for Prometheus, `/healthz` answers 200 while the
//! process lives, and `/readyz` answers 200, or 503 while the server drains or its root cannot be
//! opened.
//!
//! One thread serves them. It starts before the first session and ends after the last, so the
//! pages work even when no further thread can be started. It never waits for one client: all
//! connections, at most sixteen, are polled together, so a slow reader delays no other client.
//! While all of them are in use, further clients wait in the accept queue, and a connection that
//! is older than one second is closed to make room. A spare descriptor is kept for the case that
//! sessions have used up all others.
//!
//! Everyone who can connect can see everything, because there is no password. Listen on the
//! loopback interface or on a network of the operators only.

mod chart;
mod connection;
mod history;
mod html;
mod message;
mod metrics;
mod page;
mod process;
mod routes;

use crate::server::config::StatusAddress;
use crate::server::{Server, StartError};
use crate::sys::{Interest, PollItem, Waitable, poll};
use connection::HttpConnection;
use routes::Routes;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// The maximum number of connections.
const MAX_CONNECTIONS: usize = 16;

/// The pause after the system ran out of a resource for connections.
const PAUSE: Duration = Duration::from_millis(100);

/// Returns the addresses of `--status`, IPv4 first.
///
/// # Errors
/// Fails if the name cannot be resolved.
pub fn addresses(at: &StatusAddress) -> Result<Vec<SocketAddr>, StartError> {
    let found = (at.host.as_str(), at.port).to_socket_addrs();
    let mut found: Vec<SocketAddr> =
        found.map_err(|error| StartError::Status(at.clone(), error))?.collect();
    found.sort_by_key(SocketAddr::is_ipv6);
    Ok(found)
}

/// Listens on the address of `--status`.
///
/// # Errors
/// Fails if the name cannot be resolved or the address cannot be bound.
pub fn listen(at: &StatusAddress) -> Result<TcpListener, StartError> {
    let addresses = addresses(at)?;
    let listener = TcpListener::bind(addresses.as_slice()).and_then(|listener| {
        listener.set_nonblocking(true)?;
        Ok(listener)
    });
    listener.map_err(|error| StartError::Status(at.clone(), error))
}

/// The status server.
pub struct StatusServer {
    listener: TcpListener,
    /// The spare descriptor, released for a client if no other is left.
    spare: Option<TcpListener>,
    routes: Routes,
    connections: Vec<HttpConnection>,
    paused_until: Option<Instant>,
}

impl StatusServer {
    /// Creates the status server of `server`, which serves FTP clients at `serving`.
    pub fn new(
        listener: TcpListener,
        server: Arc<Server>,
        serving: Vec<SocketAddr>,
    ) -> StatusServer {
        let host =
            server.settings().config.status.as_ref().map_or(String::new(), |at| at.host.clone());
        let spare = listener.try_clone().ok();
        let routes = Routes::new(server, serving, host);
        StatusServer { listener, spare, routes, connections: Vec::new(), paused_until: None }
    }

    /// Serves until the process ends.
    pub fn run(mut self) {
        loop {
            let (asked, ready) = self.wait();
            let routes = &mut self.routes;
            routes.history.take(&routes.server, Instant::now());
            for (connection, _) in
                self.connections.iter_mut().zip(ready).filter(|(_, ready)| *ready)
            {
                connection.advance(|bytes| routes.answer(bytes));
            }
            self.drop_finished();
            if asked {
                self.accept();
            }
        }
    }

    /// Waits for events. Returns whether the listener has a client, and which connections are
    /// ready.
    fn wait(&self) -> (bool, Vec<bool>) {
        let now = Instant::now();
        let is_paused = self.paused_until.is_some_and(|until| until > now);
        let listening = match is_paused || self.is_full() {
            true => PollItem::nothing(),
            false => PollItem::new(Waitable::handle(&self.listener), Interest::Read),
        };
        let mut items = vec![listening];
        items.extend(self.connections.iter().map(HttpConnection::item));
        let ends = self.connections.iter().map(|connection| connection.deadline(self.is_full()));
        let pause = self.paused_until.filter(|_| is_paused);
        let until = ends.chain(pause).fold(self.routes.history.next(), Instant::min);
        if poll(&mut items, Some(until.saturating_duration_since(now))).is_err() {
            thread::park_timeout(PAUSE);
        }
        let mut ready = items.iter().map(PollItem::ready);
        (ready.next().unwrap_or(false), ready.collect())
    }

    fn is_full(&self) -> bool {
        self.connections.len() >= MAX_CONNECTIONS
    }

    /// Drops connections that are finished or past their deadline.
    fn drop_finished(&mut self) {
        let (now, full) = (Instant::now(), self.is_full());
        self.connections
            .retain(|connection| !connection.is_closed() && connection.deadline(full) > now);
        if self.spare.is_none() {
            self.spare = self.listener.try_clone().ok();
        }
    }

    fn accept(&mut self) {
        while !self.is_full() {
            match self.listener.accept() {
                Ok((stream, _)) => self.connections.extend(HttpConnection::new(stream).ok()),
                Err(error) if error.kind() == ErrorKind::ConnectionAborted => {}
                Err(error) if is_no_client(&error) => return,
                Err(_) if self.spare.take().is_some() => {}
                Err(_) => return self.paused_until = Instant::now().checked_add(PAUSE),
            }
        }
    }
}

fn is_no_client(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}
