//! The door: who gets in, who is sent away, and who it is that a balancer brings.

mod rejection;
pub mod spare_descriptor;

use crate::server::Server;
use crate::server::limits::sessions::Slot;
use crate::server::log::{Field, Level};
use crate::server::proxy::{self, ClientOrigin, NoHeader, Via};
use crate::sys;
use rejection::Rejection;
use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// A client that was just accepted.
#[derive(Debug)]
pub struct IncomingConnection {
    /// Its connection.
    pub stream: TcpStream,
    /// Its address.
    pub peer: SocketAddr,
    /// It came to `--tls-port`: TLS comes before the greeting.
    pub tls_first: bool,
}

impl IncomingConnection {
    /// The connection, if words in clear are understood on it.
    fn plain_stream(&self) -> Option<&TcpStream> {
        (!self.tls_first).then_some(&self.stream)
    }
}

/// A client that has a place and waits for the thread that will serve it. Clones are the same
/// client, so that who cannot start the thread can still tell it.
#[derive(Clone, Debug)]
pub struct Client {
    waiting: Arc<Mutex<Option<(IncomingConnection, Slot)>>>,
}

impl Client {
    fn new(incoming: IncomingConnection, slot: Slot) -> Client {
        Client { waiting: Arc::new(Mutex::new(Some((incoming, slot)))) }
    }

    pub(super) fn take(&self) -> Option<(IncomingConnection, Slot)> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Server {
    /// A place for the session of a client that was just accepted. Where there is none, the client
    /// is told so and `None` is given.
    pub fn admit(&self, incoming: IncomingConnection) -> Option<Client> {
        // Left to those who are in: one of their allocations that fails ends the program.
        const ROOM: usize = 16 * 1024 * 1024;
        if let Err(cause) = sys::check_memory(ROOM) {
            self.log_exhausted(&cause);
            self.reject_for_resources(&incoming);
            return None;
        }
        // For whom a balancer comes is known later.
        let peer = incoming.peer;
        let balanced = self.settings().balancers.include(peer.ip());
        let place = match balanced {
            true => self.session_limits.enter_unnamed().map_err(Rejection::from),
            false => self.place(peer.ip()),
        };
        match place {
            Ok(slot) => Some(Client::new(incoming, slot)),
            Err(why) => {
                // A header that was left unread would reset the connection, and the words be lost.
                if balanced && incoming.stream.set_nonblocking(true).is_ok() {
                    let _ = proxy::read_header(&incoming.stream, &mut Vec::new());
                }
                self.reject(incoming.plain_stream(), peer, None, why);
                None
            }
        }
    }

    fn place(&self, address: IpAddr) -> Result<Slot, Rejection> {
        self.check_not_refused(address)?;
        Ok(self.session_limits.enter(address)?)
    }

    fn check_not_refused(&self, address: IpAddr) -> Result<(), Rejection> {
        self.login_attempts.refuses(address).map_or(Ok(()), |left| Err(Rejection::Guessing(left)))
    }

    /// Sends a client away for whom no thread could be started.
    pub fn reject_unserved(&self, client: &Client, cause: &io::Error) {
        if let Some((incoming, _slot)) = client.take() {
            self.log_exhausted(cause);
            self.reject_for_resources(&incoming);
        }
    }

    /// Sends a client away because the system has run out of something.
    pub fn reject_for_resources(&self, incoming: &IncomingConnection) {
        self.reject(incoming.plain_stream(), incoming.peer, None, Rejection::Resources);
    }

    /// Logs now and then that the system has run out of something sessions are made of.
    pub fn log_exhausted(&self, cause: &io::Error) {
        if let Some(times) = self.exhausted.count() {
            self.log.event(Level::Error, "exhausted", &[("cause", cause), ("times", &times)]);
        }
    }

    /// Tells a client that there is no place for it. Its socket is new, so this does not wait. Without
    /// a stream there is nothing that it would understand before TLS.
    fn reject(
        &self,
        stream: Option<&TcpStream>,
        peer: SocketAddr,
        via: Option<SocketAddr>,
        why: Rejection,
    ) {
        self.counters.count_rejection(why.closed());
        let why = why.reply();
        if let Some(times) = self.turned_away.count() {
            let words = why.text();
            let mut fields: Vec<Field<'_>> = vec![("peer", &peer)];
            fields.extend(via.iter().map(|via| -> Field<'_> { ("via", via) }));
            let rest: [Field<'_>; 2] = [("why", &words), ("times", &times)];
            fields.extend(rest);
            self.log.event(Level::Warn, "turned-away", &fields);
        }
        let mut text = Vec::new();
        why.write_to(&mut text);
        if let Some(mut stream) = stream {
            let _ = stream.set_nonblocking(true).and_then(|()| stream.write_all(&text));
        }
    }

    /// Who the client is, which a balancer says first. `None` if there is no place for that client, or
    /// nobody was named.
    #[inline(never)]
    pub(super) fn identify_client(
        &self,
        incoming: &IncomingConnection,
        slot: &mut Slot,
        since: Instant,
    ) -> io::Result<Option<ClientOrigin>> {
        let (stream, peer) = (&incoming.stream, incoming.peer);
        let origin = ClientOrigin::direct(stream, peer)?;
        if slot.is_named() {
            return Ok(Some(origin));
        }
        let patience = proxy::PATIENCE.min(self.settings().config.login_timeout);
        let until = since.checked_add(patience);
        let origin = match proxy::wait_for_header(stream, until, &self.shutdown) {
            Ok(header) => origin.announced(header),
            Err(why) => {
                self.log_unannounced(peer, &why);
                return Ok(None);
            }
        };
        if origin.via == Via::Probe {
            return Ok(Some(origin));
        }
        let address = origin.peer.ip();
        let named = self.check_not_refused(address);
        match named.and_then(|()| Ok(slot.name(address)?)) {
            Ok(()) => Ok(Some(origin)),
            Err(why) => {
                self.reject(incoming.plain_stream(), origin.peer, origin.balancer(), why);
                Ok(None)
            }
        }
    }

    /// Logs that a balancer did not say for whom it comes. One that only looks whether somebody
    /// listens is no news.
    fn log_unannounced(&self, peer: SocketAddr, why: &NoHeader) {
        match why {
            NoHeader::Probe => self.log.event(Level::Debug, "probed", &[("peer", &peer)]),
            NoHeader::Draining => {}
            NoHeader::Cut | NoHeader::Late | NoHeader::Malformed(_) | NoHeader::Broken(_) => {
                if let Some(times) = self.unannounced.count() {
                    let fields: [Field<'_>; 3] = [("peer", &peer), ("why", why), ("times", &times)];
                    self.log.event(Level::Warn, "unannounced", &fields);
                }
            }
        }
    }
}
