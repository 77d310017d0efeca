//! `ftp_server`: the listener, a thread for each client, and the signals that end it all.
//!
//! What happens on a connection is in [`mt_ftp::server`].

use mt_ftp::args::{Outcome, Parsed, Program, Usage};
use mt_ftp::net::{self, Listeners};
use mt_ftp::protocol::Secret;
use mt_ftp::server::accounts::Access;
use mt_ftp::server::admission::spare_descriptor::SpareDescriptor;
use mt_ftp::server::cli::check;
use mt_ftp::server::cli::passwd::{self, Done, Request};
use mt_ftp::server::config::{self, Config, DEFAULT_HOST, PROGRAM};
use mt_ftp::server::log::{Level, Log};
use mt_ftp::server::monitor::http::{self, Status};
use mt_ftp::server::{Server, StartError, panic_hook};
use mt_ftp::shutdown::Shutdown;
use mt_ftp::sys::{self, EchoOff, Signal, Signals};
use std::error::Error;
use std::ffi::OsString;
use std::io::{self, BufRead, IsTerminal, Write};
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::process::ExitCode;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::{env, path, process, thread};

/// A session keeps its buffers on the heap, so its stack can be small.
const SESSION_STACK: usize = 256 * 1024;

/// How many clients may wait to be accepted. std's 128 make a burst of them wait a second.
const BACKLOG: u32 = 4096;

fn main() -> ExitCode {
    let mut words: Vec<OsString> = env::args_os().skip(1).collect();
    match words.first().and_then(|word| word.to_str()) {
        Some("passwd") => passwd(words.split_off(1)),
        Some("check") => with_options(words.split_off(1), check),
        _ => with_options(words, run),
    }
}

/// What the options come to.
struct Options {
    /// What was said on the command line.
    words: Parsed,
    /// The same, and below it what the file of `--config` says.
    given: Parsed,
    config: Config,
}

impl Options {
    /// Reads the file of `--config` and checks all values.
    fn read(words: Parsed) -> Result<Options, Usage> {
        let given = config::with_file(words.clone())?;
        let config = Config::new(&given)?;
        Ok(Options { words, given, config })
    }
}

/// Reads the options and hands them on. Every way to fail is one line and an exit status.
fn with_options(
    words: Vec<OsString>,
    action: impl FnOnce(Options) -> Result<(), Box<dyn Error>>,
) -> ExitCode {
    let options = match PROGRAM.parse(words) {
        Ok(Outcome::Help) => return print(&PROGRAM.help()),
        Ok(Outcome::Version) => return print(&format!("{}\n", PROGRAM.version_line())),
        Ok(Outcome::Run(words)) => Options::read(words),
        Err(usage) => Err(usage),
    };
    match options {
        Err(usage) => wrong_usage(&PROGRAM, &usage),
        Ok(options) => exit_code(action(options)),
    }
}

/// Listens, accepts, and gives every client a thread, until a signal ends it.
fn run(Options { words, given, config }: Options) -> Result<(), Box<dyn Error>> {
    let listeners = listen(&config)?;
    let status = config.status.as_ref().map(http::listen).transpose()?;
    // After the one question, which Ctrl-C may answer, and before the first thread, so that all of
    // them leave the signals to the one that waits.
    let signals = Signals::block(&[Signal::Interrupt, Signal::Terminate, Signal::Hangup])?;
    let descriptors = sys::raise_descriptors();
    sys::save_memory();
    let shutdown = Shutdown::new()?;
    let root = path::absolute(&config.root).unwrap_or_else(|_| config.root.clone());
    let log = Log::open(config.log_level, config.log_format, config.log_file.as_deref())
        .map_err(StartError::Log)?;
    let log = Arc::new(log);
    panic_hook::keep_quiet(Some(Arc::clone(&log)));
    let exposed = check::exposed(&given, &config);
    let server = Arc::new(Server::new(config, shutdown.clone(), log)?);
    spawn_signal_thread(signals, words, Arc::clone(&server), shutdown.clone())?;
    let addresses = listeners.addresses()?;
    let status = spawn_status_thread(status, &server, &addresses)?;
    announce(&addresses, &root.display().to_string(), &server.settings().config);
    status.into_iter().for_each(announce_status);
    warn_of_few_descriptors(descriptors, &server.settings().config);
    warn_of_few_threads(&server.settings().config);
    exposed.iter().for_each(|warning| eprintln!("ftp_server: warning: {warning}"));
    tell_manager("READY=1", &server);

    let mut spare = SpareDescriptor::new(&listeners);
    loop {
        let (stream, peer) = match net::accept(&listeners, &shutdown) {
            Ok(Some(client)) => client,
            Ok(None) => break,
            Err(error) => {
                spare.help(&listeners, &error, &server, &shutdown);
                continue;
            }
        };
        let Some(client) = server.admit(stream, peer) else { continue };
        let (serving, its) = (Arc::clone(&server), client.clone());
        let session = thread::Builder::new().name("session".into()).stack_size(SESSION_STACK);
        if let Err(error) = session.spawn(move || serving.serve(&its)) {
            server.give_up(&client, &error);
        }
    }

    tell_manager("STOPPING=1", &server);
    drop((listeners, spare));
    server.wait_for_sessions(server.settings().config.shutdown_grace);
    server.log().event(Level::Info, "ended", &[]);
    server.flush_logs();
    Ok(())
}

/// What the service manager has opened for us, or else a listener of our own.
fn listen(config: &Config) -> Result<Listeners, Box<dyn Error>> {
    let mut listeners = sys::inherited_listeners()?;
    if listeners.is_empty() {
        listeners.push(bind(config)?);
    }
    for listener in &listeners {
        sys::listen_backlog(listener, BACKLOG)?;
        net::prepare_listener(listener)?;
    }
    Ok(Listeners::new(listeners)?)
}

fn bind(config: &Config) -> Result<TcpListener, Box<dyn Error>> {
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
    Ok(TcpListener::bind(addresses.as_slice()).map_err(cannot)?)
}

fn ask_for_host() -> io::Result<String> {
    eprint!("Host to listen on [{DEFAULT_HOST}]: ");
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    let host = line.trim();
    Ok(if host.is_empty() { DEFAULT_HOST.into() } else { host.into() })
}

/// The lines a script or a person waits for, and a warning where it is due.
fn announce(addresses: &[SocketAddr], root: &str, config: &Config) {
    let may = match config.anonymous {
        None => "may not log in",
        Some(Access::Read) => "may read",
        Some(Access::Write) => "may read and write",
    };
    let listening: String = addresses.iter().map(|at| format!("Listening on {at}\n")).collect();
    let text = format!("{listening}Serving {root}; anonymous visitors {may}\n");
    // Who started it may not care to read: that is no reason not to serve.
    let _ = io::stdout().write_all(text.as_bytes()).and_then(|()| io::stdout().flush());
    let open = addresses.iter().find(|address| !address.ip().to_canonical().is_loopback());
    if let (Some(Access::Write), Some(address)) = (config.anonymous, open) {
        eprintln!(
            "ftp_server: warning: anyone who reaches {address} may store and delete files; \
             --anonymous read or none prevents it"
        );
    }
}

/// Tells the service manager, if there is one. That it did not hear is for the log alone.
fn tell_manager(state: &str, server: &Server) {
    if let Err(error) = sys::tell_manager(state) {
        server.log().event(
            Level::Warn,
            "manager-not-told",
            &[("state", &state), ("cause", &error)],
        );
    }
}

/// A third line, and a warning where others can ask.
fn announce_status(address: SocketAddr) {
    let text = format!("Status on http://{address}/\n");
    let _ = io::stdout().write_all(text.as_bytes()).and_then(|()| io::stdout().flush());
    if !address.ip().to_canonical().is_loopback() {
        eprintln!(
            "ftp_server: warning: anyone who reaches {address} sees who is connected and what \
             they move; --status 127.0.0.1:{} prevents it",
            address.port()
        );
    }
}

/// A session needs one descriptor, and two or three more while it transfers.
fn warn_of_few_descriptors(descriptors: u64, config: &Config) {
    let needed = config.max_sessions as u64 * 2;
    if descriptors < needed {
        eprintln!(
            "ftp_server: warning: {} sessions need about {needed} descriptors, and the system \
             allows {descriptors}: raise its limit (ulimit -n) or lower --max-sessions",
            config.max_sessions
        );
    }
}

/// Serves the status, where it is wanted, until the process ends, and gives its address.
fn spawn_status_thread(
    listener: Option<TcpListener>,
    server: &Arc<Server>,
    serving: &[SocketAddr],
) -> io::Result<Option<SocketAddr>> {
    let Some(listener) = listener else { return Ok(None) };
    let address = listener.local_addr()?;
    let serving: Vec<String> = serving.iter().map(SocketAddr::to_string).collect();
    let status = Status::new(listener, Arc::clone(server), serving.join(", "));
    let thread = thread::Builder::new().name("status".into()).stack_size(SESSION_STACK);
    thread.spawn(move || status.run()).map(|_| Some(address))
}

fn warn_of_few_threads(config: &Config) {
    let threads = sys::most_threads();
    if threads < config.max_sessions {
        eprintln!(
            "ftp_server: warning: the system has room for the threads of {threads} sessions, not {}: \
             raise vm.max_map_count by sysctl, five for each session",
            config.max_sessions
        );
    }
}

/// SIGHUP reloads. The first of the other signals drains, a second one ends the program where it
/// stands.
fn spawn_signal_thread(
    signals: Signals,
    words: Parsed,
    server: Arc<Server>,
    shutdown: Shutdown,
) -> io::Result<thread::JoinHandle<()>> {
    let reload = spawn_reload_thread(words, Arc::clone(&server))?;
    thread::Builder::new().name("signals".into()).stack_size(SESSION_STACK).spawn(move || {
        let mut ending = false;
        while let Ok(signal) = signals.wait() {
            // This waits for nothing, and comes before what the signal brings about.
            server.log().event(Level::Info, "signal", &[("name", &format!("{signal:?}"))]);
            match signal {
                // One that waits already will do for this one too.
                Signal::Hangup => drop(reload.try_send(())),
                Signal::Resize | Signal::Continue => {}
                Signal::Interrupt | Signal::Terminate if ending => {
                    server.flush_logs();
                    process::exit(1);
                }
                Signal::Interrupt | Signal::Terminate => {
                    ending = true;
                    shutdown.drain();
                }
            }
        }
    })
}

/// A thread of its own, since a file or a name server that does not answer must not keep the signals
/// from being heard.
fn spawn_reload_thread(words: Parsed, server: Arc<Server>) -> io::Result<SyncSender<()>> {
    let (sender, wanted) = sync_channel(1);
    thread::Builder::new().name("reload".into()).stack_size(SESSION_STACK).spawn(move || {
        while wanted.recv().is_ok() {
            reload(&words, &server);
        }
    })?;
    Ok(sender)
}

/// With the options as they are now; if they cannot be used, with those from before, so that
/// accounts and log are read and opened anew all the same.
fn reload(words: &Parsed, server: &Server) {
    let config = Options::read(words.clone()).map(|options| options.config);
    server.reload(config.unwrap_or_else(|usage| {
        server.log_problem(&usage);
        server.settings().config.clone()
    }));
}

/// `ftp_server check`.
fn check(Options { given, config, .. }: Options) -> Result<(), Box<dyn Error>> {
    let report = check::report(&given, &config);
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
        let done = match request.store(&password)? {
            Done::Added => "added",
            Done::Changed => "changed",
        };
        eprintln!("{}: {done} in {}", request.name, request.file.display());
        Ok(())
    }))
}

/// The terminal while it shows nothing of what is typed.
static SILENT: Mutex<Option<EchoOff>> = Mutex::new(None);

/// Gives the terminal its echo back, or takes it away.
fn set_silent(echo_off: Option<EchoOff>) {
    *SILENT.lock().unwrap_or_else(PoisonError::into_inner) = echo_off;
}

/// From the terminal twice and without echo, or the first line of what is piped in.
fn ask_for_password(name: &str) -> Result<Secret, Box<dyn Error>> {
    if !io::stdin().is_terminal() {
        return read_password();
    }
    // Ctrl-C at the prompt must not leave the terminal mute.
    let signals = Signals::block(&[Signal::Interrupt, Signal::Terminate])?;
    thread::spawn(move || {
        let _ = signals.wait();
        set_silent(None);
        eprintln!();
        process::exit(130);
    });
    let password = type_password(&format!("New password for {name}"))?;
    if type_password("The same again")? != password {
        return Err("the two passwords differ; nothing was changed".into());
    }
    Ok(password)
}

fn type_password(prompt: &str) -> Result<Secret, Box<dyn Error>> {
    eprint!("{prompt}: ");
    set_silent(Some(EchoOff::new()?));
    let password = read_password();
    set_silent(None);
    eprintln!();
    password
}

fn read_password() -> Result<Secret, Box<dyn Error>> {
    let mut line = Vec::new();
    io::stdin().lock().read_until(b'\n', &mut line)?;
    let end =
        line.iter().rposition(|byte| !matches!(byte, b'\n' | b'\r')).map_or(0, |last| last + 1);
    line.truncate(end);
    if line.is_empty() {
        return Err("a password is needed".into());
    }
    Secret::new(line).ok_or("a password cannot hold CR, LF or NUL".into())
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
