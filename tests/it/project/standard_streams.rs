//! Tests of both programs with standard output or standard error closed, full or unread: they do not
//! panic, their exit status is right, and the server works.

use crate::support::wire::Peer;
use crate::support::{Client, HASHING_PATIENCE, Server, UnreadTerminal, eventually, signal};
use std::fs::{self, File};
use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::Instant;
use tempfile::TempDir;

const SERVER: &str = env!("CARGO_BIN_EXE_ftp_server");
const CLIENT: &str = env!("CARGO_BIN_EXE_ftp_client");

/// The fault of a stream.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    Closed,
    Full,
    /// The stream is full; the test may read it later.
    Unread,
    /// Like `Unread`, but writes fail instead of blocking.
    UnreadNonBlocking,
    /// The reader has closed the stream.
    Broken,
}

const FAULTS: [Fault; 5] =
    [Fault::Closed, Fault::Full, Fault::Unread, Fault::UnreadNonBlocking, Fault::Broken];

/// The stream with the fault.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Stream {
    Output,
    Error,
}

const STREAMS: [Stream; 2] = [Stream::Output, Stream::Error];

/// A program that runs with a faulty stream.
struct Faulty {
    child: Child,
    /// The other end of the stream, if there is one.
    reader: Option<UnixStream>,
}

impl Faulty {
    fn start(program: &str, words: &[&str], stdin: &str, stream: Stream, fault: Fault) -> Faulty {
        let mut command = Command::new("sh");
        let script = match (fault, stream) {
            (Fault::Closed, Stream::Output) => "exec \"$@\" >&-",
            (Fault::Closed, Stream::Error) => "exec \"$@\" 2>&-",
            _ => "exec \"$@\"",
        };
        command.args(["-c", script, "sh", program]).args(words);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let (end, reader) = end(fault);
        match stream {
            Stream::Output => command.stdout(end),
            Stream::Error => command.stderr(end),
        };
        let mut child = command.spawn().unwrap();
        // The program may already have ended.
        let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
        Faulty { child, reader }
    }

    /// Reads the full stream in a thread, which returns the text after the filler.
    fn read(&mut self) -> Option<thread::JoinHandle<String>> {
        let mut reader = self.reader.take()?;
        Some(thread::spawn(move || {
            let mut text = Vec::new();
            let _ = reader.read_to_end(&mut text);
            let filler = text.iter().take_while(|byte| **byte == 0).count();
            String::from_utf8_lossy(&text[filler..]).into_owned()
        }))
    }

    /// Waits for the program to end, and returns its status and the text on the other stream.
    fn end(mut self) -> (ExitStatus, String) {
        let sound = [self.child.stdout.take().map(collect), self.child.stderr.take().map(collect)];
        let deadline = Instant::now() + HASHING_PATIENCE;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            if Instant::now() > deadline {
                self.child.kill().unwrap();
            }
            thread::park_timeout(std::time::Duration::from_millis(1));
        };
        (status, sound.into_iter().flatten().map(|thread| thread.join().unwrap()).collect())
    }
}

fn collect(mut stream: impl Read + Send + 'static) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut text = Vec::new();
        let _ = stream.read_to_end(&mut text);
        String::from_utf8_lossy(&text).into_owned()
    })
}

/// Creates both ends of a faulty stream: the program's and the reader's.
fn end(fault: Fault) -> (Stdio, Option<UnixStream>) {
    match fault {
        Fault::Closed => (Stdio::null(), None),
        Fault::Full => (File::options().write(true).open("/dev/full").unwrap().into(), None),
        Fault::Broken => (OwnedFd::from(UnixStream::pair().unwrap().0).into(), None),
        Fault::Unread | Fault::UnreadNonBlocking => {
            let (mut writer, reader) = UnixStream::pair().unwrap();
            writer.set_nonblocking(true).unwrap();
            // Fills the stream to the last byte.
            for size in [4096, 1] {
                while writer.write(&vec![0; size]).is_ok() {}
            }
            let full = writer.write(&[0]).unwrap_err();
            assert_eq!(full.kind(), ErrorKind::WouldBlock);
            writer.set_nonblocking(fault == Fault::UnreadNonBlocking).unwrap();
            (OwnedFd::from(writer).into(), Some(reader))
        }
    }
}

/// A run of a program with its expected result.
struct Case<'a> {
    program: &'a str,
    words: Vec<&'a str>,
    stdin: &'a str,
    /// The exit status if all output can be printed.
    status: i32,
    /// A word of the requested output, if the output is the purpose of the run.
    asked: Option<&'a str>,
}

impl<'a> Case<'a> {
    fn new(program: &'a str, words: &[&'a str], status: i32, asked: Option<&'a str>) -> Case<'a> {
        Case { program, words: words.to_vec(), stdin: "", status, asked }
    }

    fn run(&self, stream: Stream, fault: Fault) {
        let what = format!("{:?} with {stream:?} {fault:?}", self.words);
        let mut faulty = Faulty::start(self.program, &self.words, self.stdin, stream, fault);
        let asked = self.asked.filter(|_| stream == Stream::Output);
        // A server ends without printing its messages; all other output waits for the reader.
        let waits = self.program == CLIENT || asked.is_some();
        let unread = waits.then(|| faulty.read()).flatten();
        let (status, sound) = faulty.end();
        let fails = asked.is_some() && fault == Fault::Full;
        let expected = if fails { 1 } else { self.status };
        assert_eq!(status.code(), Some(expected), "{what}: {sound}");
        assert!(!sound.contains("panicked"), "{what}: {sound}");
        if let (Some(word), Some(unread)) = (asked, unread) {
            let text = unread.join().unwrap();
            assert!(text.contains(word), "{what}: {text}");
        }
        if fails {
            assert!(sound.contains("standard output"), "{what}: {sound}");
        }
    }
}

fn run_all(cases: &[Case<'_>]) {
    for case in cases {
        for stream in STREAMS {
            FAULTS.iter().for_each(|fault| case.run(stream, *fault));
        }
    }
}

#[test]
fn the_server_ends_correctly_with_any_fault() {
    let dir = TempDir::new().unwrap();
    let root = dir.path().to_str().unwrap();
    let users = dir.path().join("users");
    let users = users.to_str().unwrap();
    let cases = [
        Case::new(SERVER, &["--help"], 0, Some("--passive-ports")),
        Case::new(SERVER, &["--version"], 0, Some("ftp_server")),
        Case::new(SERVER, &["passwd", "--help"], 0, Some("--access")),
        Case::new(SERVER, &["check", "--root", root], 0, Some(root)),
        Case::new(SERVER, &["--nonsense"], 2, None),
        Case::new(SERVER, &["passwd"], 2, None),
        Case::new(SERVER, &["--port", "0", "--root", "/nonexistent"], 1, None),
        Case::new(SERVER, &["--root", root, "--log-file", "/nonexistent/log"], 1, None),
        Case::new(SERVER, &["passwd", users, ""], 2, None),
    ];
    run_all(&cases);
    // Only two faults are tested, because a new password hash takes long.
    let passwd = Case::new(SERVER, &["passwd", users, "anna"], 0, None);
    let passwd = Case { stdin: "secret\n", ..passwd };
    [Fault::Full, Fault::Unread].iter().for_each(|fault| passwd.run(Stream::Error, *fault));
    assert!(fs::read_to_string(users).unwrap().starts_with("anna:$pbkdf2"));
}

#[test]
fn the_client_ends_correctly_with_any_fault() {
    let server = Server::start();
    server.write("file", "content");
    let (host, port) = (server.addr().ip().to_string(), server.addr().port().to_string());
    let at = |options: &[&'static str]| [options, &[]].concat();
    let dir = Client::new();
    let local = dir.path("local");
    let get = format!("get file {}", local.display());
    let mut cases = vec![
        Case::new(CLIENT, &["--help"], 0, Some("--timeout")),
        Case::new(CLIENT, &["--version"], 0, Some("ftp_client")),
        Case::new(CLIENT, &["--nonsense"], 2, None),
        Case::new(CLIENT, &["-c", "ls"], 1, None),
    ];
    let with_server: [(Vec<&str>, i32, Option<&str>); 6] = [
        (at(&["-c", "ls"]), 0, Some("file")),
        (at(&["--json", "-c", "ls"]), 0, Some("\"file\"")),
        (at(&["-v", "-c", "pwd; cat file"]), 0, Some("content")),
        (vec!["-c", &get], 0, None),
        (at(&["-c", "get nothing"]), 1, None),
        (at(&["-c", "nonsense"]), 2, None),
    ];
    for (words, status, asked) in &with_server {
        let words = [words, &[host.as_str(), &port][..]].concat();
        cases.push(Case::new(CLIENT, &words, *status, *asked));
    }
    run_all(&cases);
    assert_eq!(fs::read(local).unwrap(), b"content");
}

/// Returns the address on which a process listens, from `/proc`.
fn listens_at(pid: u32) -> Option<SocketAddr> {
    let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).ok()?;
    let links: Vec<String> = descriptors
        .filter_map(|entry| fs::read_link(entry.ok()?.path()).ok())
        .map(|link| link.to_string_lossy().into_owned())
        .collect();
    let table = fs::read_to_string("/proc/net/tcp").ok()?;
    table.lines().skip(1).find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let listens = fields[3] == "0A" && links.contains(&format!("socket:[{}]", fields[9]));
        let port = u16::from_str_radix(fields[1].rsplit_once(':')?.1, 16).ok()?;
        listens.then(|| SocketAddr::from(([127, 0, 0, 1], port)))
    })
}

#[test]
fn a_server_works_with_any_fault() {
    thread::scope(|scope| {
        for (stream, fault) in STREAMS.into_iter().flat_map(|s| FAULTS.map(|fault| (s, fault))) {
            scope.spawn(move || {
                let root = TempDir::new().unwrap();
                // More sessions than descriptors, which causes a warning.
                let words = ["--host", "127.0.0.1", "--port", "0", "--max-sessions", "1000000"];
                let words = [&words[..], &["--root", root.path().to_str().unwrap()]].concat();
                let faulty = Faulty::start(SERVER, &words, "", stream, fault);
                let mut address = None;
                eventually("a listener", || {
                    address = listens_at(faulty.child.id());
                    address.is_some()
                });
                let mut peer = Peer::connect(address.unwrap());
                peer.expect(220);
                peer.login();
                peer.stor("file", "content");
                assert_eq!(peer.retr("file"), b"content");
                signal(&faulty.child, "TERM");
                peer.expect(421);
                let (status, sound) = faulty.end();
                assert_eq!(status.code(), Some(0), "{stream:?} {fault:?}: {sound}");
                assert!(!sound.contains("panicked"), "{stream:?} {fault:?}: {sound}");
            });
        }
    });
}

#[test]
#[ignore = "needs script"]
fn a_signal_ends_a_client_whose_terminal_is_stopped() {
    let server = Server::start();
    let (host, port) = (server.addr().ip(), server.addr().port());
    let commands = "pwd;".repeat(5_000);
    for signal in ["TERM", "INT", "HUP"] {
        let terminal = UnreadTerminal::start(&format!("{CLIENT} -v -c '{commands}' {host} {port}"));
        // The client waits in the system call write, to either stream.
        eventually("a blocked client", || terminal.is_in_call("1 0x"));
        terminal.signal(signal);
        eventually("the end of the client", || terminal.has_ended());
    }
}
