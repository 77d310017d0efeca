//! A server of its own for each test.
//!
//! [`Server`] is a guard: dropped, it kills the program and removes its directory. When a test
//! fails, it prints what the server logged. Every wait has [`PATIENCE`].

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

/// How many lines of the server's log are shown when a test fails.
const SHOWN: usize = 60;

const PROGRAM: &str = env!("CARGO_BIN_EXE_ftp_server");

/// A running `ftp_server` with a directory of its own.
pub struct Server {
    child: Child,
    address: SocketAddr,
    /// Taken by [`Server::crash`] alone.
    root: Option<TempDir>,
    accounts: Option<AccountsFile>,
    stdout: Mutex<Receiver<String>>,
    stderr: Arc<Mutex<Vec<u8>>>,
}

impl Server {
    /// A server on 127.0.0.1 whose visitors may do everything.
    pub fn start() -> Server {
        Server::with(&[])
    }

    /// The same with more options, of which `--anonymous` and `--users` say what visitors may do.
    pub fn with(options: &[&str]) -> Server {
        Server::launch(TempDir::new().unwrap(), "127.0.0.1", options)
    }

    /// The same with accounts, whose password is `secret`, as in `anna:write:/home`: the name, the
    /// access, and what else follows the hash. Visitors come in only if the options say so.
    pub fn with_accounts(accounts: &[&str], options: &[&str]) -> Server {
        let file = AccountsFile::new(accounts);
        let mut server = Server::with(&[&["--users", file.path()], options].concat());
        server.accounts = Some(file);
        server
    }

    /// A server for `root` on any port of `host`.
    pub fn launch(root: TempDir, host: &str, options: &[&str]) -> Server {
        Server::run(Command::new(PROGRAM), root, host, options)
    }

    /// A server that may have so many descriptors and no more.
    pub fn with_descriptors(most: usize) -> Server {
        Server::limited(&format!("-n {most}"), &[])
    }

    /// A server under a limit of the system, in the words of the shell's `ulimit`.
    pub fn limited(limit: &str, options: &[&str]) -> Server {
        let script = format!("ulimit {limit} && exec \"$@\"");
        let words = ["sh", "-c", &script, "sh"];
        Server::under(&words, TempDir::new().unwrap(), "127.0.0.1", options)
    }

    /// A server that other programs start: the last of `words` is followed by the program.
    pub fn under(words: &[&str], root: TempDir, host: &str, options: &[&str]) -> Server {
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).arg(PROGRAM);
        Server::run(command, root, host, options)
    }

    /// A server of a user who may nothing special, under a limit that a shell command sets; only
    /// root can start one. Its root belongs to that user, who has no other processes, since the
    /// system counts them.
    #[cfg(target_os = "linux")]
    pub fn unprivileged(limit: &str, options: &[&str]) -> Server {
        static USERS: AtomicU32 = AtomicU32::new(0);
        let another = USERS.fetch_add(1, Ordering::Relaxed) % 100;
        let user = 10_000 + std::process::id() % 500 * 100 + another;
        let home = TempDir::new().unwrap();
        std::os::unix::fs::chown(home.path(), Some(user), Some(user)).unwrap();
        // That user may not be let into the directory where the program was built. Copied by us, it
        // could be open for writing in a child of another test when it is to run.
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

    /// A server whose files may have so many of the shell's blocks and no more, as if the disk were
    /// full then.
    pub fn with_largest_file(blocks: usize) -> Server {
        Server::limited(&format!("-f {blocks}"), &[])
    }

    /// A server whose system calls go to a file, a line each.
    pub fn traced(to: &Path) -> Server {
        let mut strace = Command::new("strace");
        // -D: strace is the child, so that signals reach the server.
        strace.args(["-D", "-f", "-qq", "-e", "signal=none", "-o"]).arg(to).arg(PROGRAM);
        Server::run(strace, TempDir::new().unwrap(), "127.0.0.1", &["--log-level", "warn"])
    }

    /// A server whose stderr goes where the test says.
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
            panic!("no word from the server: {}", String::from_utf8_lossy(&stderr.lock().unwrap()))
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

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// The number of its process.
    #[cfg(target_os = "linux")]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The directory it serves.
    pub fn root(&self) -> &Path {
        self.root.as_ref().unwrap().path()
    }

    /// The real path of a name in it.
    pub fn path(&self, name: impl AsRef<OsStr>) -> PathBuf {
        self.root().join(name.as_ref())
    }

    /// Puts a file there, behind the server's back.
    pub fn write(&self, name: impl AsRef<OsStr>, bytes: impl AsRef<[u8]>) {
        fs::write(self.path(name), bytes).unwrap();
    }

    /// Puts a file there that is large and takes no room: zeros.
    pub fn write_sparse(&self, name: &str, length: u64) {
        fs::File::create(self.path(name)).unwrap().set_len(length).unwrap();
    }

    /// Makes a directory there.
    pub fn make_dir(&self, name: impl AsRef<OsStr>) {
        fs::create_dir_all(self.path(name)).unwrap();
    }

    /// Reads a file there.
    pub fn read(&self, name: impl AsRef<OsStr>) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    /// Whether a name is there, if only as a link.
    pub fn has(&self, name: impl AsRef<OsStr>) -> bool {
        self.path(name).symlink_metadata().is_ok()
    }

    /// How many partial uploads wait in a directory.
    pub fn partials(&self, dir: &str) -> usize {
        self.partial_sizes(dir).len()
    }

    /// How long each of them is by now.
    pub fn partial_sizes(&self, dir: &str) -> Vec<u64> {
        let entries = fs::read_dir(self.path(dir)).unwrap().map(Result::unwrap);
        let partials = entries
            .filter(|entry| entry.file_name().to_string_lossy().starts_with(".ftp-partial-"));
        partials.filter_map(|entry| entry.metadata().ok()).map(|data| data.len()).collect()
    }

    /// What it has written to stderr so far.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&self.stderr.lock().unwrap()).into_owned()
    }

    /// Waits until a line of its log has all of these words.
    pub fn wait_for_log(&self, words: &[&str]) {
        let has_all = |line: &str| words.iter().all(|word| line.contains(word));
        eventually(&format!("a line of the log with {words:?}"), || {
            self.log().lines().any(has_all)
        });
    }

    /// The next line it prints to stdout after the first.
    pub fn next_line(&self) -> String {
        self.stdout.lock().unwrap().recv_timeout(PATIENCE).unwrap()
    }

    /// A connection that has read the greeting.
    pub fn caller(&self) -> Peer {
        let mut peer = Peer::connect(self.address);
        peer.expect(220);
        peer
    }

    /// A connection from 127.0.0.`host` that has read the greeting. An address that fails to log in
    /// is answered late, so every wrong password comes from an address of its own.
    pub fn caller_from(&self, host: u8) -> Peer {
        let from = Ipv4Addr::new(127, 0, 0, host);
        let mut peer = Peer::new(connect_as(from.into(), self.address));
        peer.expect(220);
        peer
    }

    /// A visitor who is logged in and has chosen TYPE I.
    pub fn visitor(&self) -> Peer {
        let mut peer = self.caller();
        peer.login();
        peer.say("TYPE I").expect(200);
        peer
    }

    /// The user of an account, who is logged in with `secret` and has chosen TYPE I.
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

    /// Asks it to end.
    pub fn terminate(&self) {
        self.signal("TERM");
    }

    /// Waits for its end, which closes its stdout.
    pub fn exit(&mut self) -> ExitStatus {
        loop {
            let line = self.stdout.lock().unwrap().recv_timeout(PATIENCE);
            match line {
                Ok(_) => {}
                Err(RecvTimeoutError::Disconnected) => return self.child.wait().unwrap(),
                Err(RecvTimeoutError::Timeout) => panic!("the server does not end"),
            }
        }
    }

    /// Kills it where it stands and gives its directory.
    pub fn crash(mut self) -> TempDir {
        self.kill();
        self.root.take().unwrap()
    }

    /// Threads and descriptors that it has, or nothing where that cannot be seen.
    pub fn footprint(&self) -> (usize, usize) {
        #[cfg(target_os = "linux")]
        return (self.threads(), self.descriptors());
        #[cfg(not(target_os = "linux"))]
        (0, 0)
    }

    /// How many threads it has.
    #[cfg(target_os = "linux")]
    pub fn threads(&self) -> usize {
        self.status("Threads:")
    }

    /// The most memory it ever had, in KiB.
    #[cfg(target_os = "linux")]
    pub fn peak_memory(&self) -> usize {
        self.status("VmHWM:")
    }

    /// How often its main thread was given a processor because something had happened.
    #[cfg(target_os = "linux")]
    pub fn switches(&self) -> usize {
        self.status("voluntary_ctxt_switches:")
    }

    /// How many descriptors it has open.
    #[cfg(target_os = "linux")]
    pub fn descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap().count()
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
