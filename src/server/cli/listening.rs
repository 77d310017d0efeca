//! The host to listen on, asked for where a person can answer, and why listening failed.

use crate::server::cli::output;
use crate::server::config::{Config, DEFAULT_HOST};
use crate::server::monitor::reach;
use crate::text::Reason;
use std::io::{self, BufRead, ErrorKind, IsTerminal};
use std::net::{Ipv6Addr, SocketAddr};

/// A host to listen on.
#[derive(Debug)]
pub struct Host {
    /// An address or a name.
    pub name: String,
    /// A person has typed it, and can type another one.
    pub is_typed: bool,
}

/// Returns the host of `--host`, or else the answer of the person at the terminal.
///
/// # Errors
/// The answer cannot be read.
pub fn host(config: &Config) -> io::Result<Host> {
    match &config.host {
        None if io::stdin().is_terminal() => ask_for_host(),
        host => {
            let name = host.as_deref().unwrap_or(DEFAULT_HOST).into();
            Ok(Host { name, is_typed: false })
        }
    }
}

fn ask_for_host() -> io::Result<Host> {
    output::ask(format_args!("Host to listen on [{DEFAULT_HOST}]: "));
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    let name = line.trim();
    let is_typed = !name.is_empty();
    Ok(Host { name: if is_typed { name.into() } else { DEFAULT_HOST.into() }, is_typed })
}

/// Returns true if another host may do where this error came of one.
pub fn is_wrong_host(error: &io::Error) -> bool {
    !matches!(error.kind(), ErrorKind::AddrInUse | ErrorKind::PermissionDenied)
}

/// Returns why the server cannot listen there, and what to do about it.
pub fn failure(host: &str, port: u16, error: &io::Error) -> String {
    let why = match error.kind() {
        ErrorKind::AddrInUse => "another program listens there, perhaps another ftp_server; \
                                 --port N picks another port"
            .into(),
        ErrorKind::PermissionDenied if port < 1024 => {
            "ports below 1024 are for root; --port N picks another port, or a service manager opens \
             this one (examples/ftp_server.socket)"
                .into()
        }
        ErrorKind::AddrNotAvailable => format!("no address of this machine; it has {}", own()),
        _ => Reason(error).to_string(),
    };
    format!("cannot listen on {host} port {port}: {why}")
}

/// Returns the addresses that can be listened on.
fn own() -> String {
    let others = reach::addresses(&[SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0))]);
    let mut all: Vec<String> = vec![DEFAULT_HOST.into()];
    all.extend(others.iter().map(|at| at.ip().to_string()));
    all.join(", ") + "; 0.0.0.0 stands for all of them"
}
