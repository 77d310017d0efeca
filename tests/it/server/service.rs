//! The server as a service: options, reload, shutdown, socket activation, load balancers, status.

mod certificate;
mod config;
mod proxy_protocol;
mod reload;
mod shutdown;
mod socket_activation;
mod startup;
pub mod status;
mod tls;
