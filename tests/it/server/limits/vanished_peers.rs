//! Peers that disappear silently: how and when the server detects it.
//!
//! Two network namespaces are connected by a virtual cable, which the test disconnects.

use crate::support::{PATIENCE, Server, eventually};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use tempfile::TempDir;

const HERE: &str = "10.73.0.1";
const THERE: &str = "10.73.0.2";

/// A shell in the other namespace, which runs commands; its function `hear` prints a reply.
struct Elsewhere {
    shell: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

const WORDS: &str = r#"
say() { printf '%s\r\n' "$2" >&$1; }
hear() { read -r -u $1 line; echo "$line"; }
greet() { hear $1; say $1 'USER ftp'; hear $1; say $1 'PASS x'; hear $1; say $1 'TYPE I'; hear $1; }
"#;

impl Elsewhere {
    /// Starts a shell at the other end of the cable of `server`.
    fn beside(server: &Server) -> Elsewhere {
        let mut command = Command::new("unshare");
        command.args(["--net", "bash"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut shell = command.spawn().unwrap();
        let stdin = shell.stdin.take().unwrap();
        let stdout = BufReader::new(shell.stdout.take().unwrap());
        let mut elsewhere = Elsewhere { shell, stdin, stdout };
        // The namespace exists once the shell answers.
        elsewhere.tell(WORDS);
        elsewhere.tell("echo ready");
        elsewhere.expect("ready");
        let (pid, other) = (server.pid().to_string(), elsewhere.shell.id().to_string());
        let give = ["--net", "ip", "link", "set", "there", "netns", &other];
        assert!(Command::new("nsenter").arg("-t").arg(pid).args(give).status().unwrap().success());
        elsewhere.tell(&format!("ip addr add {THERE}/24 dev there && ip link set there up"));
        elsewhere
    }

    fn tell(&mut self, script: &str) {
        self.stdin.write_all(format!("{script}\n").as_bytes()).unwrap();
    }

    /// Reads the next line, which must begin with `start`.
    fn expect(&mut self, start: &str) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        assert!(line.starts_with(start), "expected {start:?}, got {line:?}");
        line
    }

    /// Opens a connection to a port as this descriptor.
    fn connect(&mut self, descriptor: u32, port: &str) {
        self.tell(&format!("exec {descriptor}<>/dev/tcp/{HERE}/{port}"));
    }

    /// Logs in on this descriptor.
    fn log_in(&mut self, control: u32, port: &str) {
        self.connect(control, port);
        self.tell(&format!("greet {control}"));
        for code in ["220", "331", "230", "200"] {
            self.expect(code);
        }
    }

    fn say(&mut self, control: u32, line: &str, code: &str) -> String {
        self.tell(&format!("say {control} '{line}'; hear {control}"));
        self.expect(code)
    }

    /// Begins a transfer whose data connection is the next descriptor.
    fn begin(&mut self, control: u32, command: &str) {
        let reply = self.say(control, "EPSV", "229");
        let port = reply.split('|').nth(3).unwrap().to_owned();
        self.connect(control + 1, &port);
        self.say(control, command, "150");
    }

    /// Disconnects the cable, so that no packets pass in either direction.
    fn pull_the_cable(&mut self) {
        self.tell("ip link set there down && echo pulled");
        self.expect("pulled");
    }
}

impl Drop for Elsewhere {
    fn drop(&mut self) {
        let _ = self.shell.kill();
        let _ = self.shell.wait();
    }
}

/// Starts a server with a cable whose other end is in the namespace `there`.
fn server_with_cable(options: &[&str]) -> Server {
    let script = "ip link set lo up && ip link add name here type veth peer name there \
        && ip addr add 10.73.0.1/24 dev here && ip link set here up && exec \"$@\"";
    let words = ["unshare", "--net", "sh", "-c", script, "sh"];
    Server::under(&words, TempDir::new().unwrap(), HERE, options)
}

#[test]
#[ignore = "needs root, iproute2 and bash"]
fn peers_that_disappear_silently_leave_no_resources() {
    assert!(PATIENCE.as_secs() > 10, "it takes a few seconds");
    let server = server_with_cable(&["--idle-timeout", "2", "--transfer-timeout", "1"]);
    server.write("old", "old");
    server.write_sparse("large", 256 << 20);
    let mut elsewhere = Elsewhere::beside(&server);
    let port = server.addr().port().to_string();
    // After the first session, all permanent resources are allocated.
    elsewhere.log_in(60, &port);
    elsewhere.say(60, "QUIT", "221");
    server.wait_for_log(&["closed", "why=quit"]);
    // The main thread, and those for signals, for reloading and for the log.
    eventually("the threads that always run", || server.threads() == 4);
    let before = server.footprint();

    for control in [20, 30, 40, 50] {
        elsewhere.log_in(control, &port);
    }
    elsewhere.begin(30, "RETR large");
    elsewhere.begin(40, "STOR old");
    elsewhere.tell("printf half >&41");
    eventually("the first bytes", || server.partial_sizes("") == [4]);
    elsewhere.say(50, "EPSV", "229");
    elsewhere.tell("say 50 LIST; hear 50");
    elsewhere.expect("150");
    elsewhere.pull_the_cable();

    server.wait_for_log(&["retr", "failed", "stalled"]);
    server.wait_for_log(&["stor", "failed", "stalled"]);
    server.wait_for_log(&["list", "failed", "in time"]);
    eventually("the release of threads and descriptors", || server.footprint() == before);
    assert_eq!(server.read("old"), b"old");
    assert_eq!(server.partial_sizes(""), [4]);
}

#[test]
#[ignore = "needs strace"]
fn keepalive_is_enabled_for_clients() {
    let trace = TempDir::new().unwrap();
    let calls = trace.path().join("calls").to_str().unwrap().to_owned();
    let words = ["strace", "-D", "-f", "-qq", "-e", "trace=setsockopt", "-o", &calls];
    let server = Server::under(&words, TempDir::new().unwrap(), "127.0.0.1", &[]);
    server.caller().say("QUIT").expect(221);
    let calls = std::fs::read_to_string(calls).unwrap();
    for option in
        ["SO_KEEPALIVE, [1]", "TCP_KEEPIDLE, [120]", "TCP_KEEPINTVL, [15]", "TCP_KEEPCNT, [4]"]
    {
        assert!(calls.contains(option), "{option}: {calls}");
    }
}
