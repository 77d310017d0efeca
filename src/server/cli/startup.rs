//! What the server says once it listens.

use crate::server::accounts::Access;
use crate::server::config::Config;
use crate::sys;
use std::net::SocketAddr;

/// Returns the lines that a script or a person waits for.
pub fn lines(
    addresses: &[SocketAddr],
    status: Option<SocketAddr>,
    root: &str,
    config: &Config,
) -> String {
    let may = config.anonymous.map_or("not log in", Access::allows);
    let mut text: String = addresses.iter().map(|at| format!("Listening on {at}\n")).collect();
    text.push_str(&format!("Serving {root}; anonymous visitors may {may}\n"));
    text.extend(status.map(|address| format!("Status on http://{address}/\n")));
    text
}

/// Returns what the person who starts the server should know. The process may have `descriptors`
/// open at once.
pub fn warnings(
    addresses: &[SocketAddr],
    status: Option<SocketAddr>,
    descriptors: u64,
    config: &Config,
) -> Vec<String> {
    let is_open = |address: &&SocketAddr| !address.ip().to_canonical().is_loopback();
    let mut warnings = Vec::new();
    if let (Some(Access::Write), Some(address)) = (config.anonymous, addresses.iter().find(is_open))
    {
        warnings.push(format!(
            "anyone who reaches {address} may store and delete files; \
             --anonymous read or none prevents it"
        ));
    }
    if let Some(address) = status.as_ref().filter(is_open) {
        warnings.push(format!(
            "anyone who reaches {address} sees who is connected and what they move; \
             --status 127.0.0.1:{} prevents it",
            address.port()
        ));
    }
    let sessions = config.max_sessions;
    // A session needs one descriptor, and two or three more while it transfers.
    let needed = sessions as u64 * 2;
    if descriptors < needed {
        warnings.push(format!(
            "{sessions} sessions need about {needed} descriptors, and the system allows \
             {descriptors}: raise its limit (ulimit -n) or lower --max-sessions"
        ));
    }
    let threads = sys::most_threads();
    if threads < sessions {
        warnings.push(format!(
            "the system has room for the threads of {threads} sessions, not {sessions}: raise \
             vm.max_map_count by sysctl, five for each session"
        ));
    }
    warnings
}
