//! The messages at the start of the server, and the check for a root that must be given explicitly.

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

/// Returns why the current directory cannot be the default root: it is `/`, or root runs the server. Serving it is
/// probably not intended.
pub fn unsafe_default_root(given: &Parsed) -> Option<String> {
    let named = given.value("root").is_some();
    let dir = env::current_dir().ok().filter(|_| !named)?;
    let why = match () {
        () if dir.parent().is_none() => "the current directory is /, the whole file system",
        () if sys::is_superuser() => "as root, the server needs an explicit directory",
        () => return None,
    };
    Some(format!("cannot serve {}: {why}; choose one with --root DIR", dir.display()))
}

/// Returns the lines for standard output, which scripts and users wait for.
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
        text.push_str("Only this machine can connect; --host 0.0.0.0 allows others\n");
    }
    text
}

/// Returns why an account cannot log in, if it cannot. `visitors` is whether anonymous logins are enabled.
pub fn login_obstacle(account: &Account, jail: &Jail, visitors: bool) -> Option<String> {
    match jail.enter(&account.home) {
        _ if visitors && is_anonymous(&account.name) => {
            Some("reserved for anonymous visitors".into())
        }
        Ok(_) => None,
        Err(error) => Some(format!("home {}: {}", account.home, Reason(&error))),
    }
}

/// Returns a line with the number of accounts that cannot log in, and the reasons.
fn locked_out_warning(settings: &Settings) -> Option<String> {
    const SHOWN: usize = 3;
    let accounts = settings.authenticator.accounts.as_ref()?;
    let (jail, _) = settings.authenticator.tree.current_jail();
    let visitors = settings.config.anonymous.is_some();
    let all = accounts.sorted();
    let mut out: Vec<String> = all
        .iter()
        .filter_map(|account| {
            Some(format!("{} ({})", account.name, login_obstacle(account, &jail, visitors)?))
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

/// Returns the warnings for the user who starts the server. `is_named` is whether `root` was given, and `descriptors`
/// is the limit of open files of this process.
pub fn warnings(
    addresses: &[SocketAddr],
    status: Option<SocketAddr>,
    (root, is_named): (&Path, bool),
    descriptors: u64,
    settings: &Settings,
) -> Vec<String> {
    let config = &settings.config;
    let is_remote = |address: &&SocketAddr| !address.ip().to_canonical().is_loopback();
    let mut warnings = Vec::new();
    let open = addresses.iter().find(is_remote);
    if let (Some(access), Some(address)) = (config.anonymous, open) {
        let allows = access.allows();
        if !is_named {
            warnings.push(format!(
                "anyone who can reach {address} may {allows} in {}, the current directory; \
                 --root DIR serves another one, --anonymous none disables anonymous logins",
                root.display()
            ));
        } else if matches!(access, Access::Store | Access::Write) {
            warnings.push(format!(
                "anyone who can reach {address} may {allows}; --anonymous drop, read or none restricts this"
            ));
        }
    }
    if let Some(address) = status.as_ref().filter(is_remote) {
        warnings.push(format!(
            "anyone who can reach {address} sees who is connected and which files they transfer; \
             --status 127.0.0.1:{} prevents it",
            address.port()
        ));
    }
    let sessions = config.max_sessions;
    // A session needs one descriptor, and up to three more during a transfer. Few sessions transfer at once.
    let needed = sessions as u64 * 2;
    if descriptors < needed {
        warnings.push(format!(
            "{sessions} sessions need about {needed} file descriptors, but the system allows \
             {descriptors}: raise the limit (ulimit -n) or lower --max-sessions"
        ));
    }
    let threads = sys::max_threads();
    if threads < sessions {
        warnings.push(format!(
            "the system allows threads for {threads} sessions, not {sessions}: raise the sysctl \
             vm.max_map_count, by three for each session"
        ));
    }
    warnings.extend(tls::warning(config, settings.tls.as_deref()));
    warnings.extend(locked_out_warning(settings));
    warnings
}
