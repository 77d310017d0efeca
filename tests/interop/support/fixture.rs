//! Starts a server and creates a client directory for each test, and runs the clients.

use crate::support::content::os;
use std::env;
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write as _};
use std::net::TcpStream;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The time limit for a client, and for a condition that a test waits for.
const PATIENCE: Duration = Duration::from_secs(120);

/// A running server, its root, and the directory of its client. Drop kills the server and, if the
/// test has failed, prints its log.
pub(crate) struct Site {
    server: Child,
    host: String,
    port: u16,
    root: TempDir,
    here: TempDir,
    log: TempDir,
    /// The port for implicit TLS, if the server has a certificate.
    tls_port: Option<u16>,
}

impl Site {
    /// Starts a server on 127.0.0.1.
    pub(crate) fn start() -> Site {
        Site::start_on("127.0.0.1")
    }

    /// Starts a server on `host`.
    pub(crate) fn start_on(host: &str) -> Site {
        let [root, here, log] = [(); 3].map(|()| TempDir::new().expect("a temporary directory"));
        let (server, port, _) = launch(host, 0, root.path(), log.path(), &[]);
        Site { server, host: host.into(), port, root, here, log, tls_port: None }
    }

    /// Starts a server with the certificate of [`Site::certificate`], which requires TLS for every login.
    /// It also listens at [`Site::tls_port`].
    pub(crate) fn start_with_tls(options: &[&str]) -> Site {
        let [root, here, log] = [(); 3].map(|()| TempDir::new().expect("a temporary directory"));
        let file = log.path().join(CERTIFICATE);
        let mut make = Command::new(env!("CARGO_BIN_EXE_ftp_server"));
        make.args(["certificate", "--name", "localhost", "--name", "127.0.0.1"]).arg(&file);
        run(&mut make);
        let file = file.to_str().expect("the path is text");
        let tls = ["--tls-cert", file, "--tls-port", "0", "--tls-required", "all"];
        let options = [&tls, options].concat();
        let host = "127.0.0.1";
        let (server, port, tls_port) = launch(host, 0, root.path(), log.path(), &options);
        Site { server, host: host.into(), port, root, here, log, tls_port }
    }

    /// Returns the path of the certificate, which clients are to trust.
    pub(crate) fn certificate(&self) -> String {
        self.log.path().join(CERTIFICATE).to_str().expect("the path is text").to_owned()
    }

    /// Returns the port for implicit TLS.
    pub(crate) fn tls_port(&self) -> String {
        self.tls_port.expect("the server has a certificate").to_string()
    }

    /// Kills the server, as a power failure would.
    pub(crate) fn kill(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }

    /// Starts the server again with the same address and root. The loopback address must not be used by
    /// other tests, so that the port is still free.
    pub(crate) fn restart(&mut self) {
        assert_ne!(self.host, "127.0.0.1", "other tests may take a port on this address");
        let (root, log) = (self.root.path(), self.log.path());
        (self.server, _, _) = launch(&self.host, self.port, root, log, &[]);
    }

    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    pub(crate) fn port(&self) -> String {
        self.port.to_string()
    }

    /// Returns the URL of a path, which has no leading slash.
    pub(crate) fn url(&self, path: impl AsRef<[u8]>) -> String {
        let host = if self.host.contains(':') { &format!("[{}]", self.host) } else { &self.host };
        format!("ftp://{host}:{}/{}", self.port, percent_encoded(path.as_ref()))
    }

    /// Returns the server's path of the file with this name.
    pub(crate) fn there(&self, name: impl AsRef<[u8]>) -> PathBuf {
        self.root.path().join(os(name.as_ref()))
    }

    /// Returns the client's path of the file with this name, in the directory that it runs in.
    pub(crate) fn here(&self, name: impl AsRef<[u8]>) -> PathBuf {
        self.here.path().join(os(name.as_ref()))
    }

    /// Writes a file into the server's root.
    pub(crate) fn put_there(&self, name: impl AsRef<[u8]>, content: &[u8]) {
        write(&self.there(name), content);
    }

    /// Writes a file into the client's directory.
    pub(crate) fn put_here(&self, name: impl AsRef<[u8]>, content: &[u8]) {
        write(&self.here(name), content);
    }

    /// Returns the command of a client, which runs in its own directory.
    pub(crate) fn client(&self, program: &str) -> Command {
        client_in(self.here.path(), self.log.path(), program)
    }

    /// Like [`Site::client`], with `script` as the standard input.
    pub(crate) fn scripted(&self, program: &str, script: &[u8]) -> Command {
        let path = self.log.path().join("script");
        write(&path, script);
        let mut command = self.client(program);
        command.stdin(File::open(path).expect("the script was just written"));
        command
    }

    /// Returns the commands that the server has received so far, from its log.
    ///
    /// The log is written in order, but with a delay. Therefore this opens a session and waits for it in
    /// the log: everything before it has then been written. A server that was killed accepts no session.
    pub(crate) fn commands(&self) -> Vec<String> {
        let mut own = String::new();
        if let Ok(mut control) = TcpStream::connect((self.host.as_str(), self.port)) {
            let address = control.local_addr().expect("the socket is connected");
            own = format!(" peer={address} ");
            control.write_all(b"QUIT\r\n").expect("the server listens");
            let is_written = || {
                let log = self.log();
                log.lines().any(|line| line.contains(&own) && line.contains(" info  closed "))
            };
            wait_until(is_written, "the log is written");
        }
        let log = self.log();
        let is_theirs = |line: &&str| own.is_empty() || !line.contains(&own);
        let told = log.lines().filter(|line| line.contains(" debug command ")).filter(is_theirs);
        told.filter_map(|line| line.split_once(" line="))
            .map(|(_, line)| line.trim_matches('"').to_owned())
            .collect()
    }

    /// Returns how often the client has sent this command.
    pub(crate) fn count(&self, verb: &str) -> usize {
        self.commands().iter().filter(|line| line.split(' ').next() == Some(verb)).count()
    }

    /// Checks that the client has sent this command; otherwise the test would prove nothing.
    #[track_caller]
    pub(crate) fn assert_sent(&self, verb: &str) {
        assert!(self.count(verb) > 0, "the client has never sent {verb}");
    }

    /// Waits until the server has stored at least `size` bytes of an unfinished upload.
    pub(crate) fn wait_for_partial(&self, size: u64) {
        let unfinished = || {
            let entries = fs::read_dir(self.root.path()).expect("the root can be read");
            let partials = entries
                .flatten()
                .filter(|entry| entry.file_name().as_bytes().starts_with(b".ftp-partial-"));
            partials.filter_map(|entry| entry.metadata().ok()).any(|data| data.len() >= size)
        };
        wait_until(unfinished, "an upload has begun");
    }

    /// Waits until the client has at least `size` bytes of a file.
    pub(crate) fn wait_here(&self, name: &str, size: u64) {
        let path = self.here(name);
        wait_until(|| fs::metadata(&path).is_ok_and(|data| data.len() >= size), "a file is there");
    }

    /// Kills a client in the middle of a transfer and waits until its session has ended.
    pub(crate) fn cut_off(&self, client: Child) {
        kill(client);
        let ended = || {
            let log = self.log();
            log.contains(" info  lost ") || log.contains(" info  closed ")
        };
        wait_until(ended, "the session has ended");
    }

    fn log(&self) -> String {
        let bytes = fs::read(self.log.path().join("log")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.kill();
        if thread::panicking() {
            println!("--- the server saw\n{}", self.log());
        }
    }
}

/// Returns the command of a client that runs in this directory, with a clean environment, no terminal
/// and a time limit.
pub(crate) fn client_in(here: &Path, home: &Path, program: &str) -> Command {
    let mut command = Command::new("timeout");
    command.args(["--kill-after=5", &PATIENCE.as_secs().to_string(), program]);
    command.current_dir(here).stdin(Stdio::null()).env_clear();
    command.envs(env::var_os("PATH").map(|path| ("PATH", path)));
    // No single character set makes all names in these tests valid. Listings are in UTC.
    command.env("HOME", home).env("LC_ALL", "C.UTF-8").env("TZ", "UTC0");
    command
}

/// The name of the file with the certificate, beside the log.
const CERTIFICATE: &str = "certificate.pem";

/// Starts a server and reads the ports that it listens on, including that of `--tls-port`.
fn launch(
    host: &str,
    port: u16,
    root: &Path,
    log: &Path,
    options: &[&str],
) -> (Child, u16, Option<u16>) {
    let log = File::options().create(true).append(true).open(log.join("log"));
    let mut server = Command::new(env!("CARGO_BIN_EXE_ftp_server"))
        .args([
            "--host",
            host,
            "--port",
            &port.to_string(),
            "--log-level",
            "debug",
            "--anonymous",
            "write",
            "--root",
        ])
        .arg(root)
        .args(options)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log.expect("a log file"))
        .spawn()
        .expect("ftp_server starts");
    let mut stdout = BufReader::new(server.stdout.take().expect("a pipe"));
    let mut next_line = || {
        let mut line = String::new();
        stdout.read_line(&mut line).expect("ftp_server speaks");
        line
    };
    let port = port_of(&next_line());
    // The second line shows what is served.
    let tls_port = options.contains(&"--tls-port").then(|| {
        next_line();
        port_of(&next_line())
    });
    (server, port, tls_port)
}

/// Returns the port in `Listening on ADDRESS:PORT`, whatever follows it.
fn port_of(line: &str) -> u16 {
    let address =
        line.strip_prefix("Listening on ").and_then(|rest| rest.split_whitespace().next());
    let port = address.and_then(|address| address.rsplit_once(':')?.1.parse().ok());
    port.unwrap_or_else(|| panic!("ftp_server says {line:?}"))
}

/// Runs a client, and checks that it succeeds.
#[track_caller]
pub(crate) fn run(command: &mut Command) -> Output {
    let output = output(command);
    assert!(output.status.success(), "{}", report(command, &output));
    output
}

/// Runs a client, and checks that it fails with this exit status.
#[track_caller]
pub(crate) fn run_to_fail(command: &mut Command, status: i32) -> Output {
    let output = output(command);
    assert_eq!(output.status.code(), Some(status), "{}", report(command, &output));
    output
}

/// Runs a client whose exit status does not show failures, and checks that it prints no 4xx or 5xx reply.
#[track_caller]
pub(crate) fn run_unrefused(command: &mut Command) -> Output {
    let output = run(command);
    let text = String::from_utf8_lossy(&output.stdout);
    let refused = text.lines().any(|line| {
        matches!(line.as_bytes(), [b'4' | b'5', a, b, b' ', ..]
            if a.is_ascii_digit() && b.is_ascii_digit())
    });
    assert!(!refused, "{}", report(command, &output));
    output
}

/// Starts a client that [`kill`] will end.
pub(crate) fn start(command: &mut Command) -> Child {
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the client starts")
}

/// Kills a client in the middle of its work, so that its connections are lost.
pub(crate) fn kill(mut client: Child) {
    // `timeout`, which runs the client, creates its own process group.
    let group = format!("-{}", client.id());
    let _ = Command::new("sh").args(["-c", "kill -s KILL -- \"$0\"", &group]).status();
    let _ = client.wait();
}

fn output(command: &mut Command) -> Output {
    command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

fn report(command: &Command, output: &Output) -> String {
    let mut text = format!("{command:?}\nended with {}", output.status);
    if output.status.code() == Some(124) {
        text.push_str(": it took too long");
    }
    for (what, bytes) in [("stdout", &output.stdout), ("stderr", &output.stderr)] {
        let _ = write!(text, "\n--- {what}\n{}", String::from_utf8_lossy(bytes));
    }
    text
}

pub(crate) fn wait_until(mut condition: impl FnMut() -> bool, what: &str) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "timed out waiting until {what}");
        thread::park_timeout(Duration::from_millis(5));
    }
}

pub(crate) fn write(path: &Path, content: &[u8]) {
    fs::create_dir_all(path.parent().expect("a file is in a directory")).expect("a directory");
    fs::write(path, content).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}

fn percent_encoded(path: &[u8]) -> String {
    let mut text = String::new();
    for &byte in path {
        match byte {
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'/' | b'.' | b'-' | b'_' => {
                text.push(char::from(byte));
            }
            _ => {
                let _ = write!(text, "%{byte:02X}");
            }
        }
    }
    text
}

/// Returns the names in a directory, as sorted bytes.
pub(crate) fn names_in(directory: &Path) -> Vec<Vec<u8>> {
    let entries = fs::read_dir(directory).expect("the directory can be read");
    let name = |entry: fs::DirEntry| OsStr::as_bytes(&entry.file_name()).to_vec();
    let mut names: Vec<_> = entries.flatten().map(name).collect();
    names.sort();
    names
}
