//! A server of our own for each test, and waiting that ends.
//!
//! [`Server`] is a guard: dropped, it kills the program and removes its directory. When a test
//! fails, it prints what the server logged. Every wait has [`PATIENCE`].

use crate::support::wire::Peer;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
#[cfg(target_os = "linux")]
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use std::{fs, thread};
use tempfile::TempDir;

/// How long anything may take before the test fails: much, since the machine may be busy.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// How many lines of the server's log are shown when a test fails.
const SHOWN: usize = 60;

const PROGRAM: &str = env!("CARGO_BIN_EXE_ftp_server");

/// A running `ftp_server` with a directory of its own.
pub struct Server {
    child: Child,
    address: SocketAddr,
    /// Taken by [`Server::crash`] alone.
    root: Option<TempDir>,
    stdout: Mutex<Receiver<String>>,
    stderr: Arc<Mutex<Vec<u8>>>,
}

impl Server {
    /// A server on 127.0.0.1 whose visitors may write.
    pub fn start() -> Server {
        Server::with(&[])
    }

    /// The same with more options.
    pub fn with(options: &[&str]) -> Server {
        Server::launch(TempDir::new().unwrap(), "127.0.0.1", options)
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

    fn run(mut command: Command, root: TempDir, host: &str, options: &[&str]) -> Server {
        command.args(["--host", host, "--port", "0", "--root"]).arg(root.path()).args(options);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stdout = lines_of(child.stdout.take().unwrap());
        let stderr = collect(child.stderr.take().unwrap());
        let first = stdout.recv_timeout(PATIENCE).unwrap_or_else(|_| {
            panic!("no word from the server: {}", String::from_utf8_lossy(&stderr.lock().unwrap()))
        });
        let address = first.strip_prefix("Listening on ").expect(&first).parse().expect(&first);
        Server { child, address, root: Some(root), stdout: Mutex::new(stdout), stderr }
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

    /// A visitor who is logged in and has chosen TYPE I.
    pub fn visitor(&self) -> Peer {
        let mut peer = self.caller();
        peer.login();
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

/// A directory of its own for the client to run in.
pub struct Client {
    dir: TempDir,
}

/// What a run of the client came to.
#[derive(Debug)]
pub struct Run {
    pub status: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Client {
    /// With an empty directory.
    pub fn new() -> Client {
        Client { dir: TempDir::new().unwrap() }
    }

    /// The path of a local file.
    pub fn path(&self, name: impl AsRef<OsStr>) -> PathBuf {
        self.dir.path().join(name.as_ref())
    }

    /// Puts a local file there.
    pub fn write(&self, name: impl AsRef<OsStr>, bytes: impl AsRef<[u8]>) {
        fs::write(self.path(name), bytes).unwrap();
    }

    /// Reads a local file.
    pub fn read(&self, name: impl AsRef<OsStr>) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    /// All local names, sorted, hidden ones too.
    pub fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.dir.path()).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name());
        let mut names: Vec<String> = names.map(|name| name.to_string_lossy().into()).collect();
        names.sort();
        names
    }

    /// The program, ready to run there and to be killed once patience is at its end.
    pub fn command(&self) -> assert_cmd::Command {
        let mut command = assert_cmd::Command::new(env!("CARGO_BIN_EXE_ftp_client"));
        command.current_dir(self.dir.path()).timeout(PATIENCE);
        command.env("HOME", self.dir.path()).env_remove("FTP_PASSWORD").env_remove("NETRC");
        command
    }

    /// Starts it with these words and leaves it running.
    pub fn spawn(&self, words: &[&str]) -> Child {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ftp_client"));
        command.args(words).current_dir(self.dir.path()).env("HOME", self.dir.path());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap()
    }

    /// Runs it with these words.
    pub fn run(&self, words: &[impl AsRef<OsStr>]) -> Run {
        Run::of(self.command().args(words))
    }

    /// Runs it with these words by another program, whose own words are the first two.
    pub fn run_by(&self, program: &[&str], operands: &[&str], words: &[&str]) -> Run {
        let mut command = assert_cmd::Command::new(program[0]);
        command.args(&program[1..]).args(operands).arg(env!("CARGO_BIN_EXE_ftp_client"));
        command.args(words).timeout(PATIENCE).env("HOME", self.dir.path());
        Run::of(command.env_remove("FTP_PASSWORD").env_remove("NETRC"))
    }

    /// Runs commands at a server.
    pub fn at(&self, server: SocketAddr, commands: impl AsRef<OsStr>) -> Run {
        let (host, port) = (server.ip().to_string(), server.port().to_string());
        self.run(&[OsStr::new("-c"), commands.as_ref(), OsStr::new(&host), OsStr::new(&port)])
    }

    /// Runs it with these lines on stdin.
    pub fn pipe(&self, words: &[&str], stdin: &str) -> Run {
        Run::of(self.command().args(words).write_stdin(stdin))
    }
}

impl Run {
    fn of(command: &mut assert_cmd::Command) -> Run {
        let output = command.output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let (stdout, stderr) = (text(output.stdout), text(output.stderr));
        Run { status: output.status.code(), stdout, stderr }
    }

    /// It ended with this status.
    pub fn expect(self, status: i32) -> Run {
        assert_eq!(self.status, Some(status), "{self:#?}");
        self
    }

    /// It said this on stderr.
    pub fn expect_error(self, words: &str) -> Run {
        assert!(self.stderr.contains(words), "expected {words:?}: {self:#?}");
        self
    }
}

/// Sends a signal by its name, which std cannot.
pub fn signal(child: &Child, name: &str) {
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-s", name, &pid]).status().unwrap().success());
}

/// Connects until there is a place: the one who left may not be counted out yet.
pub fn comes_in(address: SocketAddr) -> Peer {
    let mut place = None;
    eventually("a place", || {
        let mut peer = Peer::connect(address);
        place = (peer.hear().code == 220).then_some(peer);
        place.is_some()
    });
    place.unwrap()
}

/// Tries again until it holds, and fails once patience is at its end.
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        thread::yield_now();
    }
}

/// So many bytes without a pattern that a mistake could repeat; other bytes for another `seed`.
pub fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut bytes = vec![0; length.next_multiple_of(8)];
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    for piece in bytes.chunks_exact_mut(8) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        piece.copy_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
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
