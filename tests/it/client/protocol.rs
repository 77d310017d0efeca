//! What the client says and understands on both connections.

mod byte_255;
mod data_connections;
mod encryption;
mod features;
mod quote;
mod replies;
