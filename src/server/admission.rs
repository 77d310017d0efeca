//! Admission of connections: which clients get a session, the rejection of others, and the clients that
//! a load balancer announces.

mod rejection;
pub mod spare_descriptor;

use crate::server::Server;
use crate::server::limits::sessions::SessionSlot;
use crate::server::log::{Field, Level};
use crate::server::proxy::{self, ClientOrigin, NoHeader, Via};
use crate::sys;
use rejection::Rejection;
use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// A connection that was just accepted.
#[derive(Debug)]
pub struct IncomingConnection {
    /// The connection.
    pub stream: TcpStream,
    /// The address of its peer.
    pub peer: SocketAddr,
    /// True if it came to `--tls-port`, where TLS comes before the greeting.
    pub tls_first: bool,
}

impl IncomingConnection {
    /// Returns the stream if the client understands a reply in the clear on it.
    fn plain_stream(&self) -> Option<&TcpStream> {
        (!self.tls_first).then_some(&self.stream)
    }
}

/// An admitted client that waits for its thread. Clones refer to the same client, so that it can be
/// rejected if its thread cannot be started.
#[derive(Clone, Debug)]
pub struct Client {
    waiting: Arc<Mutex<Option<(IncomingConnection, SessionSlot)>>>,
}

impl Client {
    fn new(incoming: IncomingConnection, slot: SessionSlot) -> Client {
        Client { waiting: Arc::new(Mutex::new(Some((incoming, slot)))) }
    }

    pub(super) fn take(&self) -> Option<(IncomingConnection, SessionSlot)> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Server {
    /// Reserves a slot for the session of a new connection. If none is free, rejects the client and
    /// returns `None`.
    pub fn admit(&self, incoming: IncomingConnection) -> Option<Client> {
        // Memory reserved for running sessions, because a failed allocation aborts the process.
        const ROOM: usize = 16 * 1024 * 1024;
        if let Err(cause) = sys::check_memory(ROOM) {
            self.log_exhausted(&cause);
            self.reject_for_resources(&incoming);
            return None;
        }
        // The client behind a load balancer is not known yet.
        let peer = incoming.peer;
        let balanced = self.settings().balancers.contains(peer.ip());
        let place = match balanced {
            true => self.session_limits.acquire_without_address().map_err(Rejection::from),
            false => self.take_slot(peer.ip()),
        };
        match place {
            Ok(slot) => Some(Client::new(incoming, slot)),
            Err(why) => {
                // An unread PROXY header would reset the connection, and the reply would be lost.
                if balanced && incoming.stream.set_nonblocking(true).is_ok() {
                    let _ = proxy::read_header(&incoming.stream, &mut Vec::new());
                }
                self.reject(incoming.plain_stream(), peer, None, why);
                None
            }
        }
    }

    fn take_slot(&self, address: IpAddr) -> Result<SessionSlot, Rejection> {
        self.check_not_refused(address)?;
        Ok(self.session_limits.acquire(address)?)
    }

    fn check_not_refused(&self, address: IpAddr) -> Result<(), Rejection> {
        self.login_attempts
            .blocked_for(address)
            .map_or(Ok(()), |left| Err(Rejection::AddressBlocked(left)))
    }

    /// Rejects a client whose thread could not be started.
    pub fn reject_unserved(&self, client: &Client, cause: &io::Error) {
        if let Some((incoming, _slot)) = client.take() {
            self.log_exhausted(cause);
            self.reject_for_resources(&incoming);
        }
    }

    /// Rejects a client because the system has run out of a resource.
    pub fn reject_for_resources(&self, incoming: &IncomingConnection) {
        self.reject(incoming.plain_stream(), incoming.peer, None, Rejection::Resources);
    }

    /// Logs that the system has run out of a resource that sessions need; repetitions are joined.
    pub fn log_exhausted(&self, cause: &io::Error) {
        if let Some(times) = self.exhausted.count() {
            self.log.event(Level::Error, "exhausted", &[("cause", cause), ("times", &times)]);
        }
    }

    /// Logs and counts a rejection, and sends the 421 if there is a stream. The socket is new, so this
    /// does not block. Without a stream, the client would not understand a reply before TLS.
    fn reject(
        &self,
        stream: Option<&TcpStream>,
        peer: SocketAddr,
        via: Option<SocketAddr>,
        why: Rejection,
    ) {
        self.counters.count_rejection(why.cause());
        let why = why.reply();
        if let Some(times) = self.rejected.count() {
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

    /// Returns the origin of the client, from the PROXY header if the peer is a load balancer. Returns
    /// `None` if the client is rejected or the header is missing.
    #[inline(never)]
    pub(super) fn identify_client(
        &self,
        incoming: &IncomingConnection,
        slot: &mut SessionSlot,
        since: Instant,
    ) -> io::Result<Option<ClientOrigin>> {
        let (stream, peer) = (&incoming.stream, incoming.peer);
        let origin = ClientOrigin::direct(stream, peer)?;
        if slot.has_address() {
            return Ok(Some(origin));
        }
        let timeout = proxy::TIMEOUT.min(self.settings().config.login_timeout);
        let until = since.checked_add(timeout);
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
        match named.and_then(|()| Ok(slot.set_address(address)?)) {
            Ok(()) => Ok(Some(origin)),
            Err(why) => {
                self.reject(incoming.plain_stream(), origin.peer, origin.balancer(), why);
                Ok(None)
            }
        }
    }

    /// Logs that a load balancer did not announce its client. A port check without data is logged at
    /// debug.
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
