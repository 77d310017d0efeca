//! The host to listen on, from the options or a prompt, and the errors of listening.

use crate::server::cli::output;
use crate::server::config::{Config, DEFAULT_HOST};
use crate::server::monitor::reach;
use crate::text::Reason;
use std::io::{self, BufRead, ErrorKind, IsTerminal};
use std::net::{Ipv6Addr, SocketAddr};

/// A host to listen on.
#[derive(Debug)]
pub struct ListenHost {
    /// An address or a name.
    pub name: String,
    /// True if the user typed the name at the prompt, and can type another one.
    pub is_typed: bool,
}

/// Returns the host of `--host`, or asks for it on a terminal.
///
/// # Errors
/// Fails if standard input cannot be read.
pub fn host(config: &Config) -> io::Result<ListenHost> {
    match &config.host {
        None if io::stdin().is_terminal() => ask_for_host(),
        host => {
            let name = host.as_deref().unwrap_or(DEFAULT_HOST).into();
            Ok(ListenHost { name, is_typed: false })
        }
    }
}

fn ask_for_host() -> io::Result<ListenHost> {
    output::prompt(format_args!("Host to listen on [{DEFAULT_HOST}]: "));
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    let name = line.trim();
    let is_typed = !name.is_empty();
    Ok(ListenHost { name: if is_typed { name.into() } else { DEFAULT_HOST.into() }, is_typed })
}

/// Returns whether this error of listening is due to the host, so that another one may work.
pub fn is_wrong_host(error: &io::Error) -> bool {
    !matches!(error.kind(), ErrorKind::AddrInUse | ErrorKind::PermissionDenied)
}

/// Returns the error message for a failure to listen, with what to do about it.
pub fn failure(host: &str, port: u16, error: &io::Error) -> String {
    let why = match error.kind() {
        ErrorKind::AddrInUse => "another program listens there, perhaps another ftp_server; \
                                 choose another port with --port N"
            .into(),
        ErrorKind::PermissionDenied if port < 1024 => {
            "ports below 1024 are for root; choose another port with --port N, or let a service \
             manager open this one (examples/ftp_server.socket)"
                .into()
        }
        ErrorKind::AddrNotAvailable => {
            format!("not an address of this machine; it has {}", own_addresses())
        }
        _ => Reason(error).to_string(),
    };
    format!("cannot listen on {host} port {port}: {why}")
}

/// Returns the addresses that the server can listen on.
fn own_addresses() -> String {
    let others = reach::addresses(&[SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0))]);
    let mut all: Vec<String> = vec![DEFAULT_HOST.into()];
    all.extend(others.iter().map(|at| at.ip().to_string()));
    all.join(", ") + "; 0.0.0.0 is all of them"
}
