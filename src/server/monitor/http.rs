//! `--status`: what goes on here, by HTTP.
//!
//! `/` is a page for people, `/metrics` is for Prometheus, `/healthz` answers 200 while the process
//! lives, and `/readyz` answers 200, and 503 once the server drains or
//! while its root cannot be opened.
//!
//! One thread serves it, made before the first session and gone after the last, so it needs none
//! when there are none left to be had. It never waits for one client: all connections are polled
//! together, sixteen at most, so that who reads slowly holds nobody up. While all places are taken
//! the next clients wait in the system's queue, and who has had a place for a second gives it up. A
//! descriptor is kept aside for the time when sessions have taken all others.
//!
//! What it trusts: whoever can connect may see everything, so it is for loopback, or for a network
//! of the operators. There is no password.

mod chart;
mod connection;
mod history;
mod html;
mod message;
mod metrics;
mod page;
mod process;
mod routes;

use crate::server::config::StatusAt;
use crate::server::{Server, StartError};
use crate::sys::{Interest, PollItem, Waitable, poll};
use connection::Connection;
use routes::Routes;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// How many connections there are at once.
const MOST_CONNECTIONS: usize = 16;

/// How long it rests when the system has run out of what connections are made of.
const REST: Duration = Duration::from_millis(100);

/// The addresses that `--status` names, those of IPv4 first.
///
/// # Errors
/// The name is not known.
pub fn addresses(at: &StatusAt) -> Result<Vec<SocketAddr>, StartError> {
    let found = (at.host.as_str(), at.port).to_socket_addrs();
    let mut found: Vec<SocketAddr> =
        found.map_err(|error| StartError::Status(at.clone(), error))?.collect();
    found.sort_by_key(SocketAddr::is_ipv6);
    Ok(found)
}

/// Listens there.
///
/// # Errors
/// The name is not known, or the address is not to be had.
pub fn listen(at: &StatusAt) -> Result<TcpListener, StartError> {
    let addresses = addresses(at)?;
    let listener = TcpListener::bind(addresses.as_slice()).and_then(|listener| {
        listener.set_nonblocking(true)?;
        Ok(listener)
    });
    listener.map_err(|error| StartError::Status(at.clone(), error))
}

/// Serves the status.
pub struct Status {
    listener: TcpListener,
    /// Given up for a client when there is no descriptor left for it.
    spare: Option<TcpListener>,
    routes: Routes,
    connections: Vec<Connection>,
    rests_until: Option<Instant>,
}

impl Status {
    /// The status of `server`, which serves clients at `name`.
    pub fn new(listener: TcpListener, server: Arc<Server>, name: String) -> Status {
        let host =
            server.settings().config.status.as_ref().map_or(String::new(), |at| at.host.clone());
        let spare = listener.try_clone().ok();
        let routes = Routes::new(server, name, host);
        Status { listener, spare, routes, connections: Vec::new(), rests_until: None }
    }

    /// Serves it for as long as the process lives.
    pub fn run(mut self) {
        loop {
            let (asked, ready) = self.wait();
            let routes = &mut self.routes;
            routes.history.take(&routes.server, Instant::now());
            for (connection, _) in
                self.connections.iter_mut().zip(ready).filter(|(_, ready)| *ready)
            {
                connection.go_on(|bytes| routes.answer(bytes));
            }
            self.dismiss();
            if asked {
                self.let_in();
            }
        }
    }

    /// Waits until there is something to do: whether somebody wants to come in, and which of the
    /// guests can go on.
    fn wait(&self) -> (bool, Vec<bool>) {
        let now = Instant::now();
        let rests = self.rests_until.is_some_and(|until| until > now);
        let listening = match rests || self.is_full() {
            true => PollItem::nothing(),
            false => PollItem::new(Waitable::handle(&self.listener), Interest::Read),
        };
        let mut items = vec![listening];
        items.extend(self.connections.iter().map(Connection::item));
        let ends = self.connections.iter().map(|connection| connection.deadline(self.is_full()));
        let rest = self.rests_until.filter(|_| rests);
        let until = ends.chain(rest).fold(self.routes.history.next(), Instant::min);
        if poll(&mut items, Some(until.saturating_duration_since(now))).is_err() {
            thread::park_timeout(REST);
        }
        let mut ready = items.iter().map(PollItem::ready);
        (ready.next().unwrap_or(false), ready.collect())
    }

    fn is_full(&self) -> bool {
        self.connections.len() >= MOST_CONNECTIONS
    }

    /// Lets those go that are done or late.
    fn dismiss(&mut self) {
        let (now, full) = (Instant::now(), self.is_full());
        self.connections
            .retain(|connection| !connection.is_gone() && connection.deadline(full) > now);
        if self.spare.is_none() {
            self.spare = self.listener.try_clone().ok();
        }
    }

    fn let_in(&mut self) {
        while !self.is_full() {
            match self.listener.accept() {
                Ok((stream, _)) => self.connections.extend(Connection::new(stream).ok()),
                Err(error) if error.kind() == ErrorKind::ConnectionAborted => {}
                Err(error) if is_nobody(&error) => return,
                Err(_) if self.spare.take().is_some() => {}
                Err(_) => return self.rests_until = Instant::now().checked_add(REST),
            }
        }
    }
}

fn is_nobody(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}
