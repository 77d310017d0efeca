//! The commands and replies of the client on control and data connections.

mod byte_255;
mod data_connections;
mod encryption;
mod features;
mod quote;
mod replies;
