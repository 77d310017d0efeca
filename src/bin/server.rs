//! `ftp_server`: the listener, a thread for each client, and the signals that end the server.
//!
//! The connections are handled by [`mt_ftp::server`].

use mt_ftp::args::Parsed;
use mt_ftp::net::{self, Accepted, Listeners};
use mt_ftp::server::admission::spare_descriptor::SpareDescriptor;
use mt_ftp::server::cli::options::{self, Options, with_options};
use mt_ftp::server::cli::{certificate, check, listening, output, passwd, startup};
use mt_ftp::server::config::Config;
use mt_ftp::server::log::{Level, Log};
use mt_ftp::server::monitor::http::{self, StatusServer};
use mt_ftp::server::{IncomingConnection, Server, StartError, panic_hook};
use mt_ftp::shutdown::Shutdown;
use mt_ftp::sys::{self, Signal, Signals};
use std::error::Error;
use std::ffi::OsString;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, ToSocketAddrs};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::{env, path, process, thread};

/// The stack size of a session, which keeps its buffers on the heap.
const SESSION_STACK: usize = 256 * 1024;

/// The number of clients that may wait to be accepted. With std's 128, a burst of clients waits a second.
const BACKLOG: u32 = 4096;

fn main() -> ExitCode {
    sys::use_built_in_name_services();
    let mut words: Vec<OsString> = env::args_os().skip(1).collect();
    match words.first().and_then(|word| word.to_str()) {
        Some("passwd") => passwd::run(words.split_off(1)),
        Some("certificate") => certificate::run(words.split_off(1)),
        Some("check") => with_options(words.split_off(1), check::run),
        _ => with_options(words, run),
    }
}

/// Listens, and starts a thread for each client, until a signal ends the server.
fn run(Options { words, given, config }: Options) -> Result<(), Box<dyn Error>> {
    if let Some(refused) = startup::unsafe_default_root(&given) {
        return Err(refused.into());
    }
    let (listeners, tls_listener) = listen(&config)?;
    let status = config.status.as_ref().map(http::listen).transpose()?;
    // Signals are blocked after the host prompt, which Ctrl-C may end, and before the first thread, so that all threads
    // except the signal thread block them.
    let ends_with_terminal = sys::has_terminal() && !sys::ignores_hangup();
    let signals = Signals::block(&[Signal::Interrupt, Signal::Terminate, Signal::Hangup])?;
    let descriptors = sys::raise_descriptor_limit();
    sys::limit_heaps();
    let shutdown = Shutdown::new()?;
    let root = path::absolute(&config.root).unwrap_or_else(|_| config.root.clone());
    let log = Log::open(config.log_level, config.log_format, config.log_file.as_deref())
        .map_err(StartError::Log)?;
    let log = Arc::new(log);
    panic_hook::install(Some(Arc::clone(&log)));
    let files_in_root = check::files_in_root(&given, &config);
    let server = Arc::new(Server::new(config, shutdown.clone(), log)?);
    spawn_signal_thread(signals, words, &server, ends_with_terminal)?;
    let mut addresses = listeners.addresses()?;
    let status = spawn_status_thread(status, &server, &addresses)?;
    let all_addresses = addresses.clone();
    let tls_address = tls_listener.map(|listener| addresses.remove(listener));
    let (served, settings) = (root.display().to_string(), server.settings());
    output::print_lines(&startup::lines(&addresses, tls_address, status, &served, &settings));
    let named = (root.as_path(), given.value("root").is_some());
    let warnings = startup::warnings(&addresses, status, named, descriptors, &settings);
    output::warn(warnings.iter().chain(&files_in_root));
    drop(settings);
    // Logged after the messages for the user, so that a terminal shows those first.
    server.log_started(&all_addresses, &root);
    notify_manager("READY=1", &server);

    // At the listener of --tls-port, TLS comes before the greeting.
    let incoming = |accepted: Accepted| {
        let Accepted { stream, peer, listener } = accepted;
        IncomingConnection { stream, peer, tls_first: tls_listener == Some(listener) }
    };
    let mut spare = SpareDescriptor::new(&listeners);
    loop {
        let accepted = match net::accept(&listeners, &shutdown) {
            Ok(Some(accepted)) => accepted,
            Ok(None) => break,
            Err(error) => {
                spare.recover(&listeners, &error, &server, &shutdown, incoming);
                continue;
            }
        };
        let Some(client) = server.admit(incoming(accepted)) else { continue };
        let (server_of_session, client_of_session) = (Arc::clone(&server), client.clone());
        let session = thread::Builder::new().name("session".into()).stack_size(SESSION_STACK);
        if let Err(error) = session.spawn(move || server_of_session.serve(&client_of_session)) {
            server.reject_unserved(&client, &error);
        }
    }

    notify_manager("STOPPING=1", &server);
    drop((listeners, spare));
    server.wait_for_sessions(server.settings().config.shutdown_grace);
    server.log().event(Level::Info, "ended", &[]);
    server.flush_logs();
    Ok(())
}

/// Returns the sockets that the service manager has opened, or a new listener; and the index of the listener for
/// `--tls-port`, which is bound if it is not among them.
fn listen(config: &Config) -> Result<(Listeners, Option<usize>), Box<dyn Error>> {
    let mut listeners = sys::inherited_listeners()?;
    if listeners.is_empty() {
        listeners.push(bind(config)?);
    }
    let tls_listener =
        config.tls_port.map(|port| find_or_bind(&mut listeners, port)).transpose()?;
    for listener in &listeners {
        sys::listen_backlog(listener, BACKLOG)?;
        net::prepare_listener(listener)?;
    }
    Ok((Listeners::new(listeners)?, tls_listener))
}

/// Returns the index of the listener on this port. If there is none, binds one at the address of the first listener.
fn find_or_bind(listeners: &mut Vec<TcpListener>, port: u16) -> Result<usize, Box<dyn Error>> {
    let addresses: Vec<SocketAddr> =
        listeners.iter().map(TcpListener::local_addr).collect::<Result<_, _>>()?;
    if let Some(at) = addresses.iter().position(|at| port > 0 && at.port() == port) {
        return Ok(at);
    }
    let host = addresses.first().map_or(Ipv4Addr::LOCALHOST.into(), SocketAddr::ip);
    let bound = TcpListener::bind((host, port));
    listeners.push(bound.map_err(|error| listening::failure(&host.to_string(), port, &error))?);
    Ok(addresses.len())
}

/// Binds a listener to the host. If the user typed a wrong one at the prompt, asks again.
fn bind(config: &Config) -> Result<TcpListener, Box<dyn Error>> {
    loop {
        let host = listening::host(config)?;
        match bind_to(&host.name, config.port) {
            Ok(listener) => return Ok(listener),
            Err(error) => {
                let failure = listening::failure(&host.name, config.port, &error);
                if !host.is_typed || !listening::is_wrong_host(&error) {
                    return Err(failure.into());
                }
                output::print_error(failure);
            }
        }
    }
}

fn bind_to(host: &str, port: u16) -> io::Result<TcpListener> {
    let mut addresses: Vec<SocketAddr> = (host, port).to_socket_addrs()?.collect();
    // A name such as localhost may have addresses of both kinds; IPv4 is preferred, because most clients use it.
    addresses.sort_by_key(SocketAddr::is_ipv6);
    TcpListener::bind(addresses.as_slice())
}

/// Notifies the service manager, if there is one. A failure is only logged.
fn notify_manager(state: &str, server: &Server) {
    if let Err(error) = sys::notify_manager(state) {
        server.log().event(
            Level::Warn,
            "manager-not-told",
            &[("state", &state), ("cause", &error)],
        );
    }
}

/// Starts the thread of the status page, if it is enabled, and returns its address.
fn spawn_status_thread(
    listener: Option<TcpListener>,
    server: &Arc<Server>,
    serving: &[SocketAddr],
) -> io::Result<Option<SocketAddr>> {
    let Some(listener) = listener else { return Ok(None) };
    let address = listener.local_addr()?;
    let status = StatusServer::new(listener, Arc::clone(server), serving.to_vec());
    let thread = thread::Builder::new().name("status".into()).stack_size(SESSION_STACK);
    thread.spawn(move || status.run()).map(|_| Some(address))
}

/// Starts the thread that handles signals. SIGHUP reloads; the first other signal shuts down, and the second one exits
/// at once.
fn spawn_signal_thread(
    signals: Signals,
    words: Parsed,
    server: &Arc<Server>,
    ends_with_terminal: bool,
) -> io::Result<thread::JoinHandle<()>> {
    let reload = spawn_reload_thread(words, Arc::clone(server))?;
    let server = Arc::clone(server);
    thread::Builder::new().name("signals".into()).stack_size(SESSION_STACK).spawn(move || {
        let mut ending = false;
        while let Ok(signal) = signals.wait() {
            // Logging does not block, so it can precede the action.
            server.log().event(Level::Info, "signal", &[("name", &format!("{signal:?}"))]);
            match signal {
                // Both the shell and the system send SIGHUP when the terminal closes; neither counts as a second
                // signal.
                Signal::Hangup if ends_with_terminal && !sys::has_terminal() => {
                    server.log().event(Level::Info, "terminal-closed", &[]);
                    ending = true;
                    server.drain();
                }
                // A reload that is already waiting is enough.
                Signal::Hangup => drop(reload.try_send(())),
                Signal::Resize | Signal::Continue => {}
                Signal::Interrupt | Signal::Terminate if ending => {
                    server.flush_logs();
                    process::exit(1);
                }
                Signal::Interrupt | Signal::Terminate => {
                    ending = true;
                    server.drain();
                }
            }
        }
    })
}

/// Starts the thread that reloads the settings. Reading files and resolving names may block, which must not delay other
/// signals.
fn spawn_reload_thread(words: Parsed, server: Arc<Server>) -> io::Result<SyncSender<()>> {
    let (sender, wanted) = sync_channel(1);
    thread::Builder::new().name("reload".into()).stack_size(SESSION_STACK).spawn(move || {
        while wanted.recv().is_ok() {
            options::reload(&words, &server);
        }
    })?;
    Ok(sender)
}
