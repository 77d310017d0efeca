//! `ftp_server`: the listener, a thread for each client, and the signals that end it all.
//!
//! What happens on a connection is in [`mt_ftp::server`].

use mt_ftp::args::{Outcome, Usage};
use mt_ftp::net;
use mt_ftp::server::Server;
use mt_ftp::server::config::{Config, DEFAULT_HOST, PROGRAM};
use mt_ftp::server::log::{Level, Log};
use mt_ftp::server::login::Access;
use mt_ftp::shutdown::Shutdown;
use mt_ftp::sys::{self, Signal, Signals};
use std::error::Error;
use std::io::{self, BufRead, IsTerminal, Write};
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use std::{env, process, thread};

/// A session keeps its buffers on the heap, so its stack can be small.
const SESSION_STACK: usize = 256 * 1024;

/// How many clients may wait to be accepted. std's 128 make a burst of them wait a second.
const BACKLOG: u32 = 4096;

fn main() -> ExitCode {
    let config = match PROGRAM.parse(env::args_os().skip(1)) {
        Ok(Outcome::Help) => return print(&PROGRAM.help()),
        Ok(Outcome::Version) => return print(&format!("{}\n", PROGRAM.version_line())),
        Ok(Outcome::Run(given)) => Config::new(&given),
        Err(usage) => Err(usage),
    };
    match config {
        Err(usage) => wrong_usage(&usage),
        Ok(config) => match run(config) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("ftp_server: {error}");
                ExitCode::FAILURE
            }
        },
    }
}

/// Listens, accepts, and gives every client a thread, until a signal ends it.
fn run(config: Config) -> Result<(), Box<dyn Error>> {
    // Before the first thread, so that all of them leave the signals to the one that waits.
    let signals = Signals::block(&[Signal::Interrupt, Signal::Terminate])?;
    let shutdown = Shutdown::new()?;

    let listener = listen(&config)?;
    let root = config.root.canonicalize().unwrap_or_else(|_| config.root.clone());
    let log = Log::to_stderr(config.log_level);
    let server = Server::new(config, shutdown.clone(), log)
        .map_err(|error| format!("cannot serve {}: {error}", root.display()))?;
    let server = Arc::new(server);
    announce(listener.local_addr()?, &root.display().to_string(), server.config());
    spawn_signal_thread(signals, Arc::clone(&server), shutdown.clone())?;

    loop {
        let (stream, peer) = match net::accept(&listener, &shutdown) {
            Ok(Some(client)) => client,
            Ok(None) => break,
            Err(error) => {
                pause_after(&error, &server, &shutdown);
                continue;
            }
        };
        let Some(slot) = server.admit(&stream, peer) else { continue };
        let serving = Arc::clone(&server);
        let session = thread::Builder::new().name("session".into()).stack_size(SESSION_STACK);
        if let Err(error) = session.spawn(move || serving.serve(stream, peer, slot)) {
            pause_after(&error, &server, &shutdown);
        }
    }

    drop(listener);
    server.wait_for_sessions(server.config().shutdown_grace);
    server.log().event(Level::Info, "ended", &[]);
    Ok(())
}

fn listen(config: &Config) -> Result<TcpListener, Box<dyn Error>> {
    let host = match &config.host {
        Some(host) => host.clone(),
        None if io::stdin().is_terminal() => ask_for_host()?,
        None => DEFAULT_HOST.into(),
    };
    let cannot =
        |error: io::Error| format!("cannot listen on {host} port {}: {error}", config.port);
    let mut addresses: Vec<SocketAddr> =
        (host.as_str(), config.port).to_socket_addrs().map_err(cannot)?.collect();
    // A name such as localhost has both kinds, and more clients come by IPv4.
    addresses.sort_by_key(SocketAddr::is_ipv6);
    let listener = TcpListener::bind(addresses.as_slice()).map_err(cannot)?;
    sys::listen_backlog(&listener, BACKLOG)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

fn ask_for_host() -> io::Result<String> {
    eprint!("Host to listen on [{DEFAULT_HOST}]: ");
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    let host = line.trim();
    Ok(if host.is_empty() { DEFAULT_HOST.into() } else { host.into() })
}

/// The two lines a script or a person waits for, and a warning where it is due.
fn announce(address: SocketAddr, root: &str, config: &Config) {
    let may = match config.anonymous {
        None => "may not log in",
        Some(Access::Read) => "may read",
        Some(Access::Write) => "may read and write",
    };
    let text = format!("Listening on {address}\nServing {root}; anonymous visitors {may}\n");
    // Who started it may not care to read: that is no reason not to serve.
    let _ = io::stdout().write_all(text.as_bytes()).and_then(|()| io::stdout().flush());
    if config.anonymous == Some(Access::Write) && !address.ip().to_canonical().is_loopback() {
        eprintln!(
            "ftp_server: warning: anyone who reaches {address} may store and delete files; \
             --anonymous read or none prevents it"
        );
    }
}

/// The first signal drains, a second one ends the program where it stands.
fn spawn_signal_thread(
    signals: Signals,
    server: Arc<Server>,
    shutdown: Shutdown,
) -> io::Result<thread::JoinHandle<()>> {
    thread::Builder::new().name("signals".into()).stack_size(SESSION_STACK).spawn(move || {
        for attempt in 1.. {
            let Ok(signal) = signals.wait() else { return };
            server.log().event(Level::Info, "signal", &[("name", &format!("{signal:?}"))]);
            if attempt > 1 {
                process::exit(1);
            }
            shutdown.drain();
        }
    })
}

/// Out of descriptors or threads: the clients that are here go on, and new ones wait until one of
/// them has left. A short pause instead of spinning; the shutdown ends it.
fn pause_after(error: &io::Error, server: &Server, shutdown: &Shutdown) {
    const PAUSE: Duration = Duration::from_millis(100);
    server.log().event(Level::Error, "cannot-accept", &[("cause", error)]);
    let _ = net::wait(&mut [shutdown.draining()], net::deadline(PAUSE));
}

fn print(text: &str) -> ExitCode {
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => ExitCode::FAILURE,
        _ => ExitCode::SUCCESS,
    }
}

fn wrong_usage(usage: &Usage) -> ExitCode {
    eprintln!("ftp_server: {usage}\n{}", PROGRAM.usage_line());
    ExitCode::from(2)
}
