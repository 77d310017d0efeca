//! A log that is full or unread: sessions continue, signals work at once, and lost
//! lines are counted and reported.

use crate::support::wire::{Peer, connect};
use crate::support::{Server, UnreadTerminal, eventually};
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, PipeReader, Read, Write};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use tempfile::TempDir;

/// Numbers of commands whose log lines exceed the capacity of a pipe, and that of the queue.
const FLOOD: usize = 1_000;
const LARGE_FLOOD: usize = 16_000;

/// A destination that accepts no lines, or only a few.
#[derive(Clone, Copy, Debug)]
enum Stuck {
    UnreadPipe,
    FullStderr,
    FullFile,
    UnreadFifo,
    FifoWithoutReader,
    TransferFifoWithoutReader,
    FullTransferLog,
}

const ALL: [Stuck; 7] = [
    Stuck::UnreadPipe,
    Stuck::FullStderr,
    Stuck::FullFile,
    Stuck::UnreadFifo,
    Stuck::FifoWithoutReader,
    Stuck::TransferFifoWithoutReader,
    Stuck::FullTransferLog,
];

/// A server whose log is stuck, with the objects that must live as long.
struct Scene {
    server: Server,
    status: SocketAddr,
    _reader: Option<PipeReader>,
    _fifo: Option<File>,
    _dir: TempDir,
}

fn make_fifo(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

fn full() -> File {
    File::options().write(true).open("/dev/full").unwrap()
}

impl Scene {
    fn new(stuck: Stuck) -> Scene {
        let dir = TempDir::new().unwrap();
        let fifo = dir.path().join("fifo");
        make_fifo(&fifo);
        let path = fifo.to_str().unwrap();
        let (mut reader, mut held) = (None, None);
        let mut stderr = Stdio::null();
        let mut to: &[&str] = &[];
        let (log, transfers) = (["--log-file", path], ["--transfer-log", path]);
        match stuck {
            Stuck::UnreadPipe => {
                let (unread, writer) = io::pipe().unwrap();
                reader = Some(unread);
                stderr = writer.into();
            }
            Stuck::FullStderr => stderr = full().into(),
            Stuck::FullFile => to = &["--log-file", "/dev/full"],
            Stuck::UnreadFifo => {
                held = Some(File::options().read(true).write(true).open(&fifo).unwrap());
                to = &log;
            }
            Stuck::FifoWithoutReader => to = &log,
            Stuck::TransferFifoWithoutReader => to = &transfers,
            Stuck::FullTransferLog => to = &["--transfer-log", "/dev/full"],
        }
        let options = ["--log-level", "debug", "--status", "127.0.0.1:0"];
        let server = Server::with_stderr(stderr, &[&options, to].concat());
        let status = status_of(&server);
        Scene { server, status, _reader: reader, _fifo: held, _dir: dir }
    }

    fn get(&self, path: &str) -> String {
        let mut stream = connect(self.status);
        write!(stream, "GET {path} HTTP/1.0\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    fn lost(&self, log: &str) -> usize {
        let page = self.get("/metrics");
        let name = format!("mt_ftp_log_lines_lost_total{{log=\"{log}\"}} ");
        let value = page.lines().find_map(|line| line.strip_prefix(&name)).unwrap();
        value.parse().unwrap()
    }
}

/// Returns the address of the status page, which is on the third line of the output.
fn status_of(server: &Server) -> SocketAddr {
    server.next_line();
    let line = server.next_line();
    let url = line.strip_prefix("Status on http://").expect(&line);
    url.trim_end_matches('/').parse().unwrap()
}

/// Sends commands that are logged, and reads their replies.
fn flood(peer: &mut Peer, commands: usize) {
    for _ in 0..commands / 500 {
        peer.raw("NOOP\r\n".repeat(500));
        (0..500).for_each(|_| drop(peer.expect(200)));
    }
}

/// Performs typical operations in two sessions.
fn work(server: &Server) {
    let mut peer = server.visitor();
    flood(&mut peer, FLOOD);
    peer.stor("file", "content");
    let mut other = server.visitor();
    assert_eq!(other.retr("file"), b"content");
    other.say("QUIT").expect(221);
    peer.say("DELE file").expect(250);
}

#[test]
fn sessions_and_signals_work_while_a_log_is_stuck() {
    thread::scope(|scope| {
        for stuck in ALL {
            scope.spawn(move || {
                let mut scene = Scene::new(stuck);
                work(&scene.server);
                assert!(scene.get("/healthz").starts_with("HTTP/1.1 200"), "{stuck:?}");
                scene.server.signal("HUP");
                work(&scene.server);
                // This session is still open, and must be notified.
                let mut peer = scene.server.visitor();
                scene.server.signal("TERM");
                peer.expect(421);
                assert_eq!(scene.server.exit().code(), Some(0), "{stuck:?}");
            });
        }
    });
}

#[test]
fn a_second_signal_ends_a_server_whose_log_is_stuck() {
    thread::scope(|scope| {
        for (stuck, signal) in ALL.into_iter().zip(["INT", "TERM"].into_iter().cycle()) {
            scope.spawn(move || {
                let mut scene = Scene::new(stuck);
                scene.server.write_sparse("large", 1 << 30);
                flood(&mut scene.server.visitor(), FLOOD);
                let mut peer = scene.server.visitor();
                let _data = peer.begin("RETR large");
                scene.server.signal(signal);
                eventually("the first signal", || {
                    scene.get("/metrics").contains("\nmt_ftp_draining 1\n")
                });
                scene.server.signal(signal);
                assert_eq!(scene.server.exit().code(), Some(1), "{stuck:?}");
            });
        }
    });
}

/// Reads lines until the end or until a line contains this word.
fn lines_until(source: impl Read, word: &str) -> Vec<String> {
    let mut lines = Vec::new();
    for line in BufReader::new(source).lines() {
        lines.push(line.unwrap());
        if lines.last().unwrap().contains(word) {
            break;
        }
    }
    lines
}

fn count(lines: &[String], words: &str) -> usize {
    lines.iter().filter(|line| line.contains(words)).count()
}

#[test]
fn lost_lines_are_counted_and_reported_when_the_log_is_read_again() {
    let mut scene = Scene::new(Stuck::UnreadPipe);
    let mut peer = scene.server.visitor();
    flood(&mut peer, LARGE_FLOOD);
    let lost = scene.lost("events");
    assert!(lost > 0);
    let page = scene.get("/");
    assert!(page.contains("log-fails"), "{page}");
    let lines = lines_until(scene._reader.take().unwrap(), "log-works");
    assert!(lines.last().unwrap().ends_with(&format!("warn  log-works lost={lost}")), "{lines:?}");
    // The lines before it are complete and in order.
    let (commands, replies) = (count(&lines, "line=NOOP"), count(&lines, "code=200"));
    assert!(
        commands > 1000 && (commands..=commands + 1).contains(&replies),
        "{commands} {replies}"
    );
    for line in &lines {
        super::event_log::check_line(line).unwrap_or_else(|why| panic!("{why}: {line}"));
    }
}

#[test]
fn a_fifo_receives_the_lines_logged_before_it_was_opened() {
    let dir = TempDir::new().unwrap();
    let [log, xferlog] = ["log", "xferlog"].map(|name| dir.path().join(name));
    make_fifo(&log);
    make_fifo(&xferlog);
    let options =
        ["--log-file", log.to_str().unwrap(), "--transfer-log", xferlog.to_str().unwrap()];
    let server = Server::with(&options);
    let mut peer = server.visitor();
    peer.stor("file", "content");
    let log = lines_until(File::open(log).unwrap(), " stor ");
    assert!(count(&log, " connected ") == 1 && count(&log, " login ") == 1, "{log:?}");
    assert_eq!(lines_until(File::open(xferlog).unwrap(), " /file ").len(), 1);
}

#[test]
fn a_reload_replaces_a_stuck_log() {
    let dir = TempDir::new().unwrap();
    let [config, fifo, file] = ["config", "fifo", "file"].map(|name| dir.path().join(name));
    make_fifo(&fifo);
    let set = |log: &Path| {
        let options =
            ["log-file", "transfer-log"].map(|name| format!("{name} = {}\n", log.display()));
        fs::write(&config, options.concat()).unwrap();
    };
    set(&fifo);
    let server = Server::with(&["--config", config.to_str().unwrap()]);
    // None of these destinations has a reader, so there is no end to wait for.
    (0..3).for_each(|_| server.signal("HUP"));
    server.visitor().stor("before", "");
    set(&file);
    server.signal("HUP");
    let has = |word: &str| fs::read_to_string(&file).is_ok_and(|text| text.contains(word));
    eventually("a new log", || has(" reloaded problems=0"));
    server.visitor().stor("after", "");
    eventually("both logs", || has(" stor ") && has(" /after b _ i a "));
}

#[test]
fn a_full_nonblocking_stream_is_waited_for() {
    let (reader, writer) = UnixStream::pair().unwrap();
    writer.set_nonblocking(true).unwrap();
    let server = Server::with_stderr(OwnedFd::from(writer), &["--log-level", "debug"]);
    let mut peer = server.visitor();
    flood(&mut peer, 2 * FLOOD);
    peer.say("QUIT").expect(221);
    let lines = lines_until(reader, " closed ");
    assert_eq!(count(&lines, "line=NOOP"), 2 * FLOOD);
    assert_eq!(count(&lines, "log-works"), 0);
}

#[test]
fn queued_lines_are_written_before_the_end() {
    for signals in [1, 2] {
        let dir = TempDir::new().unwrap();
        let log = dir.path().join("log");
        let mut server =
            Server::with(&["--log-file", log.to_str().unwrap(), "--log-level", "debug"]);
        server.write_sparse("large", 1 << 30);
        let text = || fs::read_to_string(&log).unwrap();
        let mut peer = server.visitor();
        let _data = (signals == 2).then(|| peer.begin("RETR large"));
        if signals == 1 {
            flood(&mut peer, FLOOD);
        }
        server.terminate();
        if signals == 2 {
            eventually("the first signal", || text().contains(" signal "));
            server.terminate();
        }
        assert_eq!(server.exit().code(), Some(signals - 1));
        let last = if signals == 1 { " ended" } else { " signal name=Terminate" };
        assert!(text().ends_with(&format!("{last}\n")), "{}", text().lines().last().unwrap());
        assert_eq!(text().matches(" signal ").count() as i32, signals);
    }
}

#[test]
#[ignore = "needs script"]
fn an_unread_terminal_stops_no_session() {
    for signal in ["TERM", "INT"] {
        let root = TempDir::new().unwrap();
        let program = env!("CARGO_BIN_EXE_ftp_server");
        let mut terminal = UnreadTerminal::start(&format!(
            "{program} --host 127.0.0.1 --port 0 --log-level debug --root {}",
            root.path().display()
        ));
        let listening = terminal.next_line();
        let address = listening.strip_prefix("Listening on ").expect(&listening).parse().unwrap();
        let visitor = || {
            let mut peer = Peer::connect(address);
            peer.expect(220);
            peer.login();
            peer
        };
        let mut peer = visitor();
        flood(&mut peer, FLOOD);
        let mut other = visitor();
        other.stor("file", "content");
        terminal.signal(signal);
        peer.expect(421);
        eventually("the end of the server", || terminal.has_ended());
    }
}
