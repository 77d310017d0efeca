//! What the server says once it listens, and the directory that it does not serve.

use crate::args::Parsed;
use crate::server::accounts::{Access, Account};
use crate::server::auth::identity::is_anonymous;
use crate::server::fs::jail::Jail;
use crate::server::monitor::reach;
use crate::server::settings::Settings;
use crate::server::tls;
use crate::sys;
use crate::text::{Reason, fingerprint};
use std::env;
use std::net::SocketAddr;
use std::path::Path;

/// Returns why the current directory is not served, if nobody named a directory and that would be
/// more than whoever started the server can have meant.
pub fn refused_root(given: &Parsed) -> Option<String> {
    let named = given.value("root").is_some();
    let dir = env::current_dir().ok().filter(|_| !named)?;
    let why = match () {
        () if dir.parent().is_none() => {
            "it is the current directory, and would be all of this machine"
        }
        () if sys::is_superuser() => "root serves no directory that was not named",
        () => return None,
    };
    Some(format!("cannot serve {}: {why}; name one with --root DIR", dir.display()))
}

/// Returns the lines that a script or a person waits for.
pub fn lines(
    addresses: &[SocketAddr],
    tls_address: Option<SocketAddr>,
    status: Option<SocketAddr>,
    root: &str,
    settings: &Settings,
) -> String {
    let may = settings.config.anonymous.map_or("not log in", Access::allows);
    let mut text: String = addresses.iter().map(|at| format!("Listening on {at}\n")).collect();
    text.push_str(&format!("Serving {root}; anonymous visitors may {may}\n"));
    text.extend(tls_address.map(|at| format!("Listening on {at} for ftps:// (TLS first)\n")));
    text.extend(status.map(|address| format!("Status on http://{address}/\n")));
    let certificate = settings.tls.as_ref().and_then(|context| context.own_certificate());
    text.extend(certificate.map(|certificate| {
        format!("TLS certificate SHA-256 {}\n", fingerprint(&certificate.sha256()))
    }));
    let reached = reach::addresses(addresses);
    if addresses.iter().any(|at| at.ip().is_unspecified()) {
        text.extend(reached.iter().map(|at| format!("Reach it at {}\n", reach::url(at))));
    }
    let command = |at| format!("Connect with: {}\n", reach::command(at, settings.tls.is_some()));
    text.extend(reached.first().map(command));
    if reach::is_local(addresses) {
        text.push_str("Only this machine can reach it; --host 0.0.0.0 opens it to others\n");
    }
    text
}

/// Returns why an account cannot log in, if that is so. With `visitors`, these are let in.
pub fn lockout(account: &Account, jail: &Jail, visitors: bool) -> Option<String> {
    match jail.enter(&account.home) {
        _ if visitors && is_anonymous(&account.name) => Some("visitors have this name".into()),
        Ok(_) => None,
        Err(error) => Some(format!("home {}: {}", account.home, Reason(&error))),
    }
}

/// Returns how many accounts cannot log in, and why, in one line.
fn locked_out(settings: &Settings) -> Option<String> {
    const SHOWN: usize = 3;
    let accounts = settings.authenticator.accounts.as_ref()?;
    let (jail, _) = settings.authenticator.tree.peek();
    let visitors = settings.config.anonymous.is_some();
    let all = accounts.sorted();
    let mut out: Vec<String> = all
        .iter()
        .filter_map(|account| {
            Some(format!("{} ({})", account.name, lockout(account, &jail, visitors)?))
        })
        .collect();
    let count = out.len();
    if count == 0 {
        return None;
    }
    out.truncate(SHOWN);
    if count > SHOWN {
        out.push(format!("and {} more", count - SHOWN));
    }
    let (of, out) = (all.len(), out.join(", "));
    Some(format!("{count} of {of} accounts cannot log in: {out}; ftp_server check names all"))
}

/// Returns what the person who starts the server should know. The directory `root` was named or not,
/// and the process may have `descriptors` open at once.
pub fn warnings(
    addresses: &[SocketAddr],
    status: Option<SocketAddr>,
    (root, is_named): (&Path, bool),
    descriptors: u64,
    settings: &Settings,
) -> Vec<String> {
    let config = &settings.config;
    let is_open = |address: &&SocketAddr| !address.ip().to_canonical().is_loopback();
    let mut warnings = Vec::new();
    let open = addresses.iter().find(is_open);
    if let (Some(access), Some(address)) = (config.anonymous, open) {
        let allows = access.allows();
        if !is_named {
            warnings.push(format!(
                "anyone who reaches {address} may {allows} in {}, the current directory; \
                 --root DIR names another, --anonymous none keeps visitors out",
                root.display()
            ));
        } else if matches!(access, Access::Store | Access::Write) {
            warnings.push(format!(
                "anyone who reaches {address} may {allows}; --anonymous drop, read or none allows less"
            ));
        }
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
    let threads = sys::max_threads();
    if threads < sessions {
        warnings.push(format!(
            "the system has room for the threads of {threads} sessions, not {sessions}: raise \
             vm.max_map_count by sysctl, five for each session"
        ));
    }
    warnings.extend(tls::warning(config, settings.tls.as_deref()));
    warnings.extend(locked_out(settings));
    warnings
}
