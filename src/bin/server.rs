//! `ftp_server`: the listener, a thread for each client, and the signals that end it all.
//!
//! What happens on a connection is in [`mt_ftp::server`].

use mt_ftp::args::{Outcome, Parsed, Program, Usage};
use mt_ftp::net;
use mt_ftp::server::config::{self, Config, DEFAULT_HOST, PROGRAM};
use mt_ftp::server::log::{Level, Log};
use mt_ftp::server::login::Access;
use mt_ftp::server::passwd::{self, Done, Request};
use mt_ftp::server::{Server, check};
use mt_ftp::shutdown::Shutdown;
use mt_ftp::sys::{self, EchoOff, Signal, Signals};
use std::error::Error;
use std::ffi::OsString;
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
    let mut words: Vec<OsString> = env::args_os().skip(1).collect();
    match words.first().and_then(|word| word.to_str()) {
        Some("passwd") => passwd(words.split_off(1)),
        Some("check") => with_config(words.split_off(1), check),
        _ => with_config(words, |_, config| run(config)),
    }
}

/// Reads the options and hands them on. Every way to fail is one line and an exit status.
fn with_config(
    words: Vec<OsString>,
    action: impl FnOnce(&Parsed, Config) -> Result<(), Box<dyn Error>>,
) -> ExitCode {
    let given = match PROGRAM.parse(words) {
        Ok(Outcome::Help) => return print(&PROGRAM.help()),
        Ok(Outcome::Version) => return print(&format!("{}\n", PROGRAM.version_line())),
        Ok(Outcome::Run(given)) => config::with_file(given),
        Err(usage) => Err(usage),
    };
    match given.and_then(|given| Config::new(&given).map(|config| (given, config))) {
        Err(usage) => wrong_usage(&PROGRAM, &usage),
        Ok((given, config)) => exit_code(action(&given, config)),
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
    let server = Arc::new(Server::new(config, shutdown.clone(), log)?);
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

/// `ftp_server check`.
fn check(given: &Parsed, config: Config) -> Result<(), Box<dyn Error>> {
    let report = check::report(given, &config);
    io::stdout().write_all(report.text.as_bytes())?;
    if report.problems.is_empty() { Ok(()) } else { Err(report.problems.join("\n").into()) }
}

/// `ftp_server passwd`.
fn passwd(words: Vec<OsString>) -> ExitCode {
    let request = match passwd::PROGRAM.parse(words) {
        Ok(Outcome::Help) => return print(&passwd::PROGRAM.help()),
        Ok(Outcome::Version) => return print(&format!("{}\n", PROGRAM.version_line())),
        Ok(Outcome::Run(given)) => Request::new(&given),
        Err(usage) => Err(usage),
    };
    let request = match request {
        Ok(request) => request,
        Err(usage) => return wrong_usage(&passwd::PROGRAM, &usage),
    };
    exit_code(ask_for_password(&request.name).and_then(|password| {
        let done = match request.store(password.as_bytes())? {
            Done::Added => "added",
            Done::Changed => "changed",
        };
        eprintln!("{}: {done} in {}", request.name, request.file.display());
        Ok(())
    }))
}

/// From the terminal twice and without echo, or the first line of what is piped in.
fn ask_for_password(name: &str) -> Result<String, Box<dyn Error>> {
    let ask = |prompt: &str| -> io::Result<String> {
        let mut line = String::new();
        let terminal = io::stdin().is_terminal();
        let _silent = if terminal { Some(EchoOff::new()?) } else { None };
        if terminal {
            eprint!("{prompt}: ");
        }
        io::stdin().lock().read_line(&mut line)?;
        if terminal {
            eprintln!();
        }
        Ok(line.trim_end_matches(['\n', '\r']).into())
    };
    let password = ask(&format!("New password for {name}"))?;
    if password.is_empty() {
        return Err("a password is needed".into());
    }
    if io::stdin().is_terminal() && ask("The same again")? != password {
        return Err("the two passwords differ; nothing was changed".into());
    }
    Ok(password)
}

fn print(text: &str) -> ExitCode {
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => ExitCode::FAILURE,
        _ => ExitCode::SUCCESS,
    }
}

fn exit_code(result: Result<(), Box<dyn Error>>) -> ExitCode {
    let Err(error) = result else { return ExitCode::SUCCESS };
    eprintln!("ftp_server: {error}");
    ExitCode::FAILURE
}

fn wrong_usage(program: &Program, usage: &Usage) -> ExitCode {
    eprintln!("{}: {usage}\n{}", program.name, program.usage_line());
    ExitCode::from(2)
}
