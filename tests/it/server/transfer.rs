//! Transfers: data connections, downloads, uploads, and interrupted transfers.

mod abort;
mod checksum;
mod crash;
mod data_connection;
mod large_files;
mod passive_ports;
mod resume;
mod retrieve;
mod store;
#[cfg(target_os = "linux")]
mod sync;
mod tls;
