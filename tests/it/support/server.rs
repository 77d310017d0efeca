//! A separate server for each test.
//!
//! [`Server`] is a guard: on drop it kills the program and removes its directory. When a test
//! fails, it prints the server's log. All waits are limited by [`PATIENCE`].

use super::accounts::AccountsFile;
use super::wire::{Peer, connect_as};
use super::{PATIENCE, eventually, signal};
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
#[cfg(target_os = "linux")]
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::{fs, thread};
use tempfile::TempDir;

/// The number of log lines that are shown when a test fails.
const SHOWN: usize = 60;

const PROGRAM: &str = env!("CARGO_BIN_EXE_ftp_server");

/// A running `ftp_server` with its own directory.
pub struct Server {
    child: Child,
    address: SocketAddr,
    /// Taken only by [`Server::crash`].
    root: Option<TempDir>,
    accounts: Option<AccountsFile>,
    stdout: Mutex<Receiver<String>>,
    stderr: Arc<Mutex<Vec<u8>>>,
}

impl Server {
    /// Starts a server on 127.0.0.1 whose visitors may do everything.
    pub fn start() -> Server {
        Server::with(&[])
    }

    /// Like [`Server::start`], with options. With `--anonymous`, `--users` or `--config`, the options
    /// decide the access of visitors.
    pub fn with(options: &[&str]) -> Server {
        Server::launch(TempDir::new().unwrap(), "127.0.0.1", options)
    }

    /// Like [`Server::with`], with accounts whose password is `secret`, such as
    /// `anna:write:/home`: the name, the access, and the fields after it. Visitors may log in only
    /// if the options allow it.
    pub fn with_accounts(accounts: &[&str], options: &[&str]) -> Server {
        let file = AccountsFile::new(accounts);
        let mut server = Server::with(&[&["--users", file.path()], options].concat());
        server.accounts = Some(file);
        server
    }

    /// Starts a server for `root` on any port of `host`.
    pub fn launch(root: TempDir, host: &str, options: &[&str]) -> Server {
        Server::run(Command::new(PROGRAM), root, host, options)
    }

    /// Starts a server with this limit of descriptors.
    pub fn with_descriptors(most: usize) -> Server {
        Server::limited(&format!("-n {most}"), &[])
    }

    /// Starts a server with a system limit, in the syntax of the shell's `ulimit`.
    pub fn limited(limit: &str, options: &[&str]) -> Server {
        let script = format!("ulimit {limit} && exec \"$@\"");
        let words = ["sh", "-c", &script, "sh"];
        Server::under(&words, TempDir::new().unwrap(), "127.0.0.1", options)
    }

    /// Starts a server through another program; the server's command line follows the last of
    /// `words`.
    pub fn under(words: &[&str], root: TempDir, host: &str, options: &[&str]) -> Server {
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).arg(PROGRAM);
        Server::run(command, root, host, options)
    }

    /// Starts a server as an unprivileged user, with a limit that a shell command sets; only root
    /// can do this. The root directory belongs to that user, who has no other processes, because
    /// the system counts processes by user.
    #[cfg(target_os = "linux")]
    pub fn unprivileged(limit: &str, options: &[&str]) -> Server {
        static USERS: AtomicU32 = AtomicU32::new(0);
        let another = USERS.fetch_add(1, Ordering::Relaxed) % 100;
        let user = 10_000 + std::process::id() % 500 * 100 + another;
        let home = TempDir::new().unwrap();
        std::os::unix::fs::chown(home.path(), Some(user), Some(user)).unwrap();
        // That user may lack access to the build directory, so the program is copied by a child
        // process. If the test copied it, another test's child process could have the copy open
        // for writing when it is started.
        let program = home.path().join("ftp_server");
        assert!(Command::new("cp").arg(PROGRAM).arg(&program).status().unwrap().success());
        let [reuid, regid] = ["reuid", "regid"].map(|id| format!("--{id}={user}"));
        let script = format!("{limit} && shift && exec \"$0\" \"$@\"");
        let shell = ["sh", "-c", &script, program.to_str().unwrap()];
        let words = [&["setpriv", "--clear-groups", &reuid, &regid][..], &shell].concat();
        let server = Server::under(&words, home, "127.0.0.1", options);
        fs::remove_file(program).unwrap();
        server
    }

    /// Starts a server whose files are limited to this number of the shell's blocks, which looks
    /// like a full disk.
    pub fn with_largest_file(blocks: usize) -> Server {
        Server::limited(&format!("-f {blocks}"), &[])
    }

    /// Starts a server whose system calls are traced to a file, one per line.
    pub fn traced(to: &Path) -> Server {
        let mut strace = Command::new("strace");
        // -D: strace is the child, so that signals reach the server.
        strace.args(["-D", "-f", "-qq", "-e", "signal=none", "-o"]).arg(to).arg(PROGRAM);
        Server::run(strace, TempDir::new().unwrap(), "127.0.0.1", &["--log-level", "warn"])
    }

    /// Starts a server with this stderr.
    pub fn with_stderr(stderr: impl Into<Stdio>, options: &[&str]) -> Server {
        let mut command = Command::new(PROGRAM);
        command.stderr(stderr);
        Server::spawn(command, TempDir::new().unwrap(), "127.0.0.1", options)
    }

    fn run(mut command: Command, root: TempDir, host: &str, options: &[&str]) -> Server {
        command.stderr(Stdio::piped());
        Server::spawn(command, root, host, options)
    }

    fn spawn(mut command: Command, root: TempDir, host: &str, options: &[&str]) -> Server {
        command.args(["--host", host, "--port", "0", "--root"]).arg(root.path()).args(options);
        if !options.iter().any(|option| ["--anonymous", "--users", "--config"].contains(option)) {
            command.args(["--anonymous", "write"]);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stdout = lines_of(child.stdout.take().unwrap());
        let stderr = child.stderr.take().map(collect).unwrap_or_default();
        let first = stdout.recv_timeout(PATIENCE).unwrap_or_else(|_| {
            panic!(
                "the server printed nothing: {}",
                String::from_utf8_lossy(&stderr.lock().unwrap())
            )
        });
        let address = first.strip_prefix("Listening on ").expect(&first).parse().expect(&first);
        Server {
            child,
            address,
            root: Some(root),
            accounts: None,
            stdout: Mutex::new(stdout),
            stderr,
        }
    }

    /// Returns the address on which the server listens.
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// Returns the process id.
    #[cfg(target_os = "linux")]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Returns the served directory.
    pub fn root(&self) -> &Path {
        self.root.as_ref().unwrap().path()
    }

    /// Returns the real path of a name in the served directory.
    pub fn path(&self, name: impl AsRef<OsStr>) -> PathBuf {
        self.root().join(name.as_ref())
    }

    /// Writes a file in the served directory directly.
    pub fn write(&self, name: impl AsRef<OsStr>, bytes: impl AsRef<[u8]>) {
        fs::write(self.path(name), bytes).unwrap();
    }

    /// Creates a large sparse file in the served directory.
    pub fn write_sparse(&self, name: &str, length: u64) {
        fs::File::create(self.path(name)).unwrap().set_len(length).unwrap();
    }

    /// Creates a directory in the served directory.
    pub fn make_dir(&self, name: impl AsRef<OsStr>) {
        fs::create_dir_all(self.path(name)).unwrap();
    }

    /// Reads a file in the served directory.
    pub fn read(&self, name: impl AsRef<OsStr>) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    /// Returns whether a name exists, even as a dangling link.
    pub fn has(&self, name: impl AsRef<OsStr>) -> bool {
        self.path(name).symlink_metadata().is_ok()
    }

    /// Returns the number of partial uploads in a directory.
    pub fn partials(&self, dir: &str) -> usize {
        self.partial_sizes(dir).len()
    }

    /// Returns the current sizes of the partial uploads in a directory.
    pub fn partial_sizes(&self, dir: &str) -> Vec<u64> {
        let entries = fs::read_dir(self.path(dir)).unwrap().map(Result::unwrap);
        let partials = entries
            .filter(|entry| entry.file_name().to_string_lossy().starts_with(".ftp-partial-"));
        partials.filter_map(|entry| entry.metadata().ok()).map(|data| data.len()).collect()
    }

    /// Returns everything the server has written to stderr so far.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&self.stderr.lock().unwrap()).into_owned()
    }

    /// Waits until a line of the log contains all of these words.
    pub fn wait_for_log(&self, words: &[&str]) {
        let has_all = |line: &str| words.iter().all(|word| line.contains(word));
        eventually(&format!("a line of the log with {words:?}"), || {
            self.log().lines().any(has_all)
        });
    }

    /// Returns the next line on stdout after the first.
    pub fn next_line(&self) -> String {
        self.stdout.lock().unwrap().recv_timeout(PATIENCE).unwrap()
    }

    /// Connects and reads the greeting.
    pub fn caller(&self) -> Peer {
        let mut peer = Peer::connect(self.address);
        peer.expect(220);
        peer
    }

    /// Connects from 127.0.0.`host` and reads the greeting. Replies to an address with failed
    /// logins are delayed, so every wrong password comes from a separate address.
    pub fn caller_from(&self, host: u8) -> Peer {
        let from = Ipv4Addr::new(127, 0, 0, host);
        let mut peer = Peer::new(connect_as(from.into(), self.address));
        peer.expect(220);
        peer
    }

    /// Connects, logs in as a visitor and selects TYPE I.
    pub fn visitor(&self) -> Peer {
        let mut peer = self.caller();
        peer.login();
        peer.say("TYPE I").expect(200);
        peer
    }

    /// Connects, logs in to an account with the password `secret` and selects TYPE I.
    pub fn user(&self, name: &str) -> Peer {
        let mut peer = self.caller();
        peer.say(format!("USER {name}")).expect(331);
        peer.say("PASS secret").expect(230);
        peer.say("TYPE I").expect(200);
        peer
    }

    /// Sends a signal by its name.
    pub fn signal(&self, name: &str) {
        signal(&self.child, name);
    }

    /// Sends SIGTERM.
    pub fn terminate(&self) {
        self.signal("TERM");
    }

    /// Waits for the end of the server, which closes its stdout.
    pub fn exit(&mut self) -> ExitStatus {
        loop {
            let line = self.stdout.lock().unwrap().recv_timeout(PATIENCE);
            match line {
                Ok(_) => {}
                Err(RecvTimeoutError::Disconnected) => return self.child.wait().unwrap(),
                Err(RecvTimeoutError::Timeout) => panic!("the server does not stop"),
            }
        }
    }

    /// Kills the server and returns its directory.
    pub fn crash(mut self) -> TempDir {
        self.kill();
        self.root.take().unwrap()
    }

    /// Returns the numbers of threads and descriptors; zeros if the system does not report them.
    pub fn footprint(&self) -> (usize, usize) {
        #[cfg(target_os = "linux")]
        return (self.threads(), self.descriptors());
        #[cfg(not(target_os = "linux"))]
        (0, 0)
    }

    /// Returns the number of threads.
    #[cfg(target_os = "linux")]
    pub fn threads(&self) -> usize {
        self.status("Threads:")
    }

    /// Returns the peak memory in KiB.
    #[cfg(target_os = "linux")]
    pub fn peak_memory(&self) -> usize {
        self.status("VmHWM:")
    }

    /// Returns the number of voluntary context switches of the main thread.
    #[cfg(target_os = "linux")]
    pub fn switches(&self) -> usize {
        self.status("voluntary_ctxt_switches:")
    }

    /// Returns the number of open descriptors.
    #[cfg(target_os = "linux")]
    pub fn descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap().count()
    }

    /// Returns the number of memory mappings of the process.
    #[cfg(target_os = "linux")]
    pub fn mappings(&self) -> usize {
        fs::read_to_string(format!("/proc/{}/maps", self.child.id())).unwrap().lines().count()
    }

    #[cfg(target_os = "linux")]
    fn status(&self, field: &str) -> usize {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let value = status.lines().find_map(|line| line.strip_prefix(field)).unwrap();
        value.split_whitespace().next().unwrap().parse().unwrap()
    }

    fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
        if thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            let last = &lines[lines.len().saturating_sub(SHOWN)..];
            eprintln!("--- end of the server's log\n{}", last.join("\n"));
        }
    }
}

fn lines_of(stream: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            let _ = sender.send(line);
        }
    });
    receiver
}

fn collect(mut stream: impl Read + Send + 'static) -> Arc<Mutex<Vec<u8>>> {
    let all = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&all);
    thread::spawn(move || {
        let mut chunk = [0; 4096];
        while let Ok(length @ 1..) = stream.read(&mut chunk) {
            sink.lock().unwrap().extend_from_slice(&chunk[..length]);
        }
    });
    all
}
