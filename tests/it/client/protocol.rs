//! What the client says and understands on both connections.

mod data_connections;
mod encryption;
mod features;
mod replies;
