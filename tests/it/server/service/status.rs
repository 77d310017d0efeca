//! `--status`: the page, the metrics and the health checks, requested as by browsers, scrapers and
//! load balancers, and in invalid ways.

use crate::support::wire::{Peer, connect};
use crate::support::{PATIENCE, Server, eventually};
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::{fs, thread};
use tempfile::TempDir;

/// A name that would have an effect in a page that does not escape it.
const NASTY: &str = "<script>document.title='run'<!-- \u{202e}&\"'";

/// A server with a status page.
pub struct Watched {
    /// The server.
    pub server: Server,
    status: SocketAddr,
}

/// A response.
#[derive(Debug)]
struct Answer {
    code: u16,
    head: String,
    body: String,
}

impl Answer {
    /// Parses a complete response.
    fn of(bytes: Vec<u8>) -> Answer {
        let text = String::from_utf8(bytes).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{text:?}"));
        let code = head.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)).expect(head);
        Answer { code: code.parse().expect(head), head: head.into(), body: body.into() }
    }

    fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value).next()
    }

    #[track_caller]
    fn expect(self, code: u16) -> Answer {
        assert_eq!(self.code, code, "{self:#?}");
        self
    }

    #[track_caller]
    fn shows(&self, words: &str) {
        assert!(self.body.contains(words), "{words:?} in {}", self.body);
    }

    /// Returns the value of a metric.
    #[track_caller]
    fn metric(&self, name: &str) -> f64 {
        let named = |line: &&str| line.rsplit_once(' ').is_some_and(|(key, _)| key == name);
        let line = self.body.lines().find(named).unwrap_or_else(|| panic!("{name}: {}", self.body));
        line.rsplit_once(' ').unwrap().1.parse().expect(line)
    }
}

impl Watched {
    fn with(options: &[&str]) -> Watched {
        Watched::of(Server::with(&[&["--status", "127.0.0.1:0"], options].concat()))
    }

    /// Reads the address of the status page from the third line of the output.
    pub fn of(server: Server) -> Watched {
        server.next_line();
        let line = server.next_line();
        let address =
            line.strip_prefix("Status on http://").and_then(|rest| rest.strip_suffix('/'));
        let status = address.expect(&line).parse().expect(&line);
        Watched { server, status }
    }

    /// Sends a request, and returns the response.
    fn ask(&self, request: impl AsRef<[u8]>) -> Answer {
        ask(self.status, request)
    }

    fn get(&self, path: &str) -> Answer {
        self.ask(format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", self.status))
    }

    fn page(&self) -> Answer {
        self.get("/").expect(200)
    }

    pub fn metric(&self, name: &str) -> f64 {
        self.get("/metrics").expect(200).metric(name)
    }
}

fn ask(at: SocketAddr, request: impl AsRef<[u8]>) -> Answer {
    let mut stream = connect(at);
    stream.write_all(request.as_ref()).unwrap();
    hear(stream)
}

fn hear(mut stream: TcpStream) -> Answer {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    Answer::of(bytes)
}

#[test]
fn the_page_loads_nothing_from_elsewhere() {
    let watched = Watched::with(&[]);
    let page = watched.page();
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    assert_eq!(page.header("content-length"), Some(page.body.len().to_string().as_str()));
    for (name, value) in [
        ("connection", "close"),
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "no-referrer"),
    ] {
        assert_eq!(page.header(name), Some(value), "{}", page.head);
    }
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
    // The page loads nothing and needs no script.
    for word in ["<script", "src=", "url(", "@import", "style=", "onclick"] {
        assert!(!page.body.contains(word), "{word}");
    }
    page.shows("http-equiv=\"refresh\"");
    page.shows("No sessions.");
    let paused = watched.get("/?paused").expect(200);
    assert!(!paused.body.contains("http-equiv=\"refresh\""));
}

#[test]
fn every_invalid_request_has_its_response() {
    let watched = Watched::with(&[]);
    let host = "Host: 127.0.0.1\r\n";
    let long = "x".repeat(9000);
    for (request, code) in [
        (format!("GET /healthz HTTP/1.1\r\n{host}\r\n"), 200),
        ("GET /healthz HTTP/1.0\r\n\r\n".into(), 200),
        ("GET /healthz HTTP/1.0\n\n".into(), 200),
        (format!("GET http://127.0.0.1/ HTTP/1.1\r\n{host}\r\n"), 200),
        (format!("GET /readyz HTTP/1.1\r\n{host}\r\n"), 200),
        (format!("GET /nothing HTTP/1.1\r\n{host}\r\n"), 404),
        (format!("GET /../etc/passwd HTTP/1.1\r\n{host}\r\n"), 404),
        (format!("GET //metrics HTTP/1.1\r\n{host}\r\n"), 404),
        ("GET / HTTP/1.1\r\n\r\n".into(), 400),
        (format!("GET / HTTP/1.1\r\n{host}{host}\r\n"), 400),
        ("USER anonymous\r\n\r\n".into(), 400),
        ("\x16\x03\x01\x02\0\x01\0\r\n\r\n".into(), 400),
        (format!("GET /\0 HTTP/1.1\r\n{host}\r\n"), 400),
        (format!("POST / HTTP/1.1\r\n{host}\r\n"), 405),
        (format!("DELETE /metrics HTTP/1.1\r\n{host}\r\n"), 405),
        (format!("GET /{long} HTTP/1.1\r\n{host}\r\n"), 414),
        (format!("GET /{} HTTP/1.1\r\n{host}\r\n", &long[..2000]), 414),
        (format!("GET / HTTP/1.1\r\n{host}X: {long}\r\n\r\n"), 431),
        (format!("GET / HTTP/3.0\r\n{host}\r\n"), 505),
    ] {
        let answer = watched.ask(&request);
        assert_eq!(answer.code, code, "{request:?}: {answer:#?}");
        assert_eq!(answer.header("allow").is_some(), code == 405);
        assert!(code < 300 || answer.body.lines().count() == 1, "{answer:#?}");
    }
}

#[test]
fn head_is_get_without_the_body() {
    let watched = Watched::with(&[]);
    for path in ["/", "/metrics", "/healthz", "/nothing"] {
        let head = watched.ask(format!("HEAD {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"));
        assert_eq!(head.body, "");
        assert_eq!(head.code, watched.get(path).code);
        assert!(head.header("content-length").unwrap().parse::<u32>().unwrap() > 0);
    }
}

/// A web page in a browser on this machine can point its own name to this address.
#[test]
fn requests_for_another_host_are_refused() {
    let watched = Watched::with(&[]);
    let code = |path: &str, host: &str| {
        watched.ask(format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n")).code
    };
    for host in ["127.0.0.1", "127.0.0.1:80", "[::1]:80", "localhost", "LocalHost.:9"] {
        assert_eq!(code("/", host), 200, "{host}");
    }
    for host in ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example:80", ""] {
        assert_eq!(code("/", host), 421, "{host}");
        assert_eq!(code("/metrics", host), 421, "{host}");
        // A load balancer may use any name, and learns nothing beyond the state of the port.
        assert_eq!(code("/healthz", host), 200, "{host}");
    }
    let through_a_proxy = "GET http://evil.example/ HTTP/1.1\r\nHost: localhost\r\n\r\n";
    watched.ask(through_a_proxy).expect(421);
}

#[test]
fn requests_for_the_name_in_the_option_are_accepted() {
    let watched = Watched::of(Server::with(&["--status", "LOCALHOST:0"]));
    watched.ask("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").expect(200);
}

#[test]
fn a_response_arrives_before_the_end_of_a_long_request() {
    let watched = Watched::with(&[]);
    let mut stream = connect(watched.status);
    let head = "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    // The server may close before it has read all of this.
    let _ = stream.write_all(&vec![b'x'; 1_000_000]);
    let mut status = [0; 12];
    stream.read_exact(&mut status).unwrap();
    assert_eq!(&status, b"HTTP/1.1 405");
}

#[test]
fn sessions_and_their_transfers_are_shown() {
    let watched = Watched::with(&[]);
    watched.server.write_sparse("a film.mp4", 256 << 20);
    let (mut down, mut up, mut stranger) =
        (watched.server.visitor(), watched.server.visitor(), watched.server.caller());
    let reading = down.begin("RETR a film.mp4");
    let writing = up.begin_with("STOR homework", vec![b'x'; 3 << 20]);
    let page = watched.page();
    page.shows("3 sessions");
    page.shows("<b class=\"out\">download</b> <bdi>/a film.mp4</bdi><progress");
    page.shows("of\u{a0}256\u{a0}MiB");
    page.shows("<b class=\"in\">upload</b> <bdi>/homework</bdi><small>3.0\u{a0}MiB");
    page.shows("<bdi>anonymous</bdi>");
    page.shows("not logged in");
    page.shows("127.0.0.1");
    drop(writing);
    up.expect(226);
    drop(reading);
    down.expect(426);
    let page = watched.page();
    page.shows("<bdi>/homework</bdi> <span class=\"narrow dim\">3.0 MiB</span></td>");
    page.shows("MiB</span><small class=\"failed\">failed: ");
    stranger.say("QUIT").expect(221);
    eventually("two sessions", || watched.page().body.contains("2 sessions"));
}

#[test]
fn the_charts_show_new_samples() {
    let watched = Watched::with(&[]);
    let mut peer = watched.server.visitor();
    watched.page().shows("aria-label=\"Throughput of the last five minutes. In: 0 B/s now");
    peer.stor("file", vec![b'x'; 1 << 20]);
    eventually("a sample that saw the file", || {
        let page = watched.page().body;
        page.contains("<path class=\"line in\"") && !page.contains("In: 0 B/s now, 0 B/s at most")
    });
    eventually("a session", || watched.page().body.contains("five minutes: 1 now, 1 at most."));
}

#[test]
fn text_from_clients_is_escaped() {
    let watched = Watched::with(&[]);
    let mut peer = watched.server.visitor();
    peer.stor(NASTY, "content");
    let _data = peer.begin_with(&format!("APPE {NASTY}"), "more");
    let mut guesser = watched.server.caller();
    guesser.say(format!("USER {NASTY}")).expect(331);
    guesser.say("PASS x").expect(530);
    let page = watched.page();
    assert!(!page.body.contains(['\u{202e}', '\0']) && !page.body.contains("<script"));
    let shown = "&lt;script&gt;document.title=&#39;run&#39;&lt;!-- \\u{202e}&amp;&quot;&#39;";
    // The text appears in the session, in the last transfer and in the refusal.
    assert_eq!(page.body.matches(shown).count(), 3, "{}", page.body);
    assert!(!watched.get("/metrics").body.contains("title"));
}

#[test]
fn failures_are_shown_at_every_log_level() {
    let watched = Watched::with(&["--log-level", "error"]);
    let mut peer = watched.server.caller();
    peer.say("USER anna").expect(331);
    peer.say("PASS wrong").expect(530);
    let page = watched.page();
    page.shows("login-failed");
    page.shows("<bdi>anna</bdi>");
    assert!(!watched.server.log().contains("login-failed"));
}

#[test]
fn metrics_count_sessions_logins_and_transfers() {
    let watched = Watched::with(&[]);
    let metrics = watched.get("/metrics").expect(200);
    assert_eq!(metrics.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    assert_eq!(metrics.metric("mt_ftp_sessions_total"), 0.0);
    let mut peer = watched.server.visitor();
    peer.stor("file", "12345");
    peer.retr("file");
    peer.list("LIST");
    peer.say("RETR none").expect(550);
    peer.break_off("STOR half", "123");
    peer.say("USER anna").expect(331);
    peer.say("PASS wrong").expect(530);
    let metrics = watched.get("/metrics").expect(200);
    for (name, value) in [
        ("mt_ftp_draining", 0.0),
        ("mt_ftp_sessions_open", 1.0),
        ("mt_ftp_sessions_total", 1.0),
        ("mt_ftp_sessions_limit", 4096.0),
        ("mt_ftp_logins_total{result=\"ok\"}", 1.0),
        ("mt_ftp_logins_total{result=\"failed\"}", 1.0),
        ("mt_ftp_transfers_total{kind=\"stor\",result=\"ok\"}", 1.0),
        ("mt_ftp_transfers_total{kind=\"stor\",result=\"failed\"}", 1.0),
        ("mt_ftp_transfers_total{kind=\"retr\",result=\"ok\"}", 1.0),
        ("mt_ftp_transfers_total{kind=\"retr\",result=\"failed\"}", 0.0),
        ("mt_ftp_transfers_total{kind=\"list\",result=\"ok\"}", 1.0),
        ("mt_ftp_transfers_running", 0.0),
        ("mt_ftp_transferred_bytes_total{direction=\"in\"}", 8.0),
        ("mt_ftp_transfer_duration_seconds_count{kind=\"stor\"}", 2.0),
        ("mt_ftp_transfer_duration_seconds_bucket{kind=\"stor\",le=\"+Inf\"}", 2.0),
    ] {
        assert_eq!(metrics.metric(name), value, "{name}");
    }
    assert!(metrics.metric("mt_ftp_transferred_bytes_total{direction=\"out\"}") > 5.0);
    assert!(metrics.metric("process_start_time_seconds") > 1.6e9);
    #[cfg(target_os = "linux")]
    assert!(metrics.metric("process_resident_memory_bytes") > 1e6);
}

#[test]
fn bytes_are_counted_once_while_they_move() {
    const IN: &str = "mt_ftp_transferred_bytes_total{direction=\"in\"}";
    let watched = Watched::with(&[]);
    let mut peer = watched.server.visitor();
    let data = peer.begin_with("STOR file", "123");
    let metrics = watched.get("/metrics");
    assert_eq!((metrics.metric(IN), metrics.metric("mt_ftp_transfers_running")), (3.0, 1.0));
    drop(data);
    peer.expect(226);
    assert_eq!(watched.metric(IN), 3.0);
    peer.stor("file", "1234");
    assert_eq!(watched.metric(IN), 7.0);
}

#[test]
fn the_page_shows_addresses_and_the_access_of_visitors() {
    let watched = Watched::with(&["--anonymous", "drop"]);
    let address = watched.server.addr();
    let page = watched.page();
    page.shows(&format!("Only on this machine</span><span>ftp://{address}/<"));
    page.shows(&format!("Connect with</span><span>ftp_client 127.0.0.1 {}<", address.port()));
    page.shows("Anonymous visitors may</span><span>list, and store new files<");
}

#[test]
fn limits_in_use_are_shown() {
    let options = ["--passive-ports", "20000-29999", "--max-sessions-per-ip", "7"];
    let watched = Watched::with(&options);
    let mut peer = watched.server.visitor();
    peer.epsv();
    let page = watched.page();
    page.shows("Passive ports in use</span><span>1 <span class=\"dim\">of 10000<");
    page.shows("From 127.0.0.1</span><span>1 <span class=\"dim\">of 7<");
    assert_eq!(watched.metric("mt_ftp_passive_ports_reserved"), 1.0);
    assert_eq!(watched.metric("mt_ftp_passive_ports_limit"), 10_000.0);
}

#[test]
fn status_is_available_when_no_session_is_admitted() {
    let watched = Watched::with(&["--max-sessions", "1"]);
    let _first = watched.server.visitor();
    Peer::connect(watched.server.addr()).expect(421);
    watched.get("/healthz").expect(200);
    watched.page().shows("1 full");
    assert_eq!(watched.metric("mt_ftp_turned_away_total{reason=\"full\"}"), 1.0);
}

#[cfg(target_os = "linux")]
#[test]
fn status_is_available_without_free_descriptors() {
    const MAX: &str = "-n 40";
    let watched = Watched::of(Server::limited(MAX, &["--status", "127.0.0.1:0"]));
    let mut inside = Vec::new();
    loop {
        let mut peer = Peer::connect(watched.server.addr());
        if peer.hear().code != 220 {
            break;
        }
        inside.push(peer);
    }
    // The requests follow one another, because there is only one spare descriptor.
    for _ in 0..5 {
        watched.get("/healthz").expect(200);
    }
    watched.page().shows("1 resources");
    inside[0].say("NOOP").expect(200);
}

#[test]
fn the_page_shows_a_draining_server() {
    let mut watched = Watched::with(&[]);
    let mut peer = watched.server.visitor();
    let data = peer.begin_with("STOR file", "content");
    watched.get("/readyz").expect(200);
    watched.server.terminate();
    eventually("a server that drains", || watched.get("/readyz").code == 503);
    watched.get("/healthz").expect(200);
    watched.page().shows("draining");
    assert_eq!(watched.metric("mt_ftp_draining"), 1.0);
    drop(data);
    peer.expect(226);
    assert_eq!(watched.server.exit().code(), Some(0));
}

#[test]
fn slow_clients_delay_no_others() {
    let watched = Watched::with(&[]);
    let _slow = slow_requests(&watched);
    watched.get("/healthz").expect(200);
}

#[test]
#[ignore = "long: a request may take seven seconds"]
fn slow_clients_are_disconnected() {
    let watched = Watched::with(&[]);
    watched.get("/healthz").expect(200);
    let (before, _) = watched.server.footprint();
    for mut stream in slow_requests(&watched) {
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
    }
    watched.get("/healthz").expect(200);
    assert_eq!(watched.server.footprint().0, before);
}

/// Opens forty connections: some send nothing, some send only a part, and some never read the
/// response.
fn slow_requests(watched: &Watched) -> Vec<TcpStream> {
    let words: [&[u8]; 3] =
        [b"", b"GET / HTTP/1.1\r\nHost:", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"];
    let slow = words.iter().cycle().take(40).map(|words| {
        let mut stream = connect(watched.status);
        stream.write_all(words).unwrap();
        stream
    });
    slow.collect()
}

#[test]
fn a_request_may_come_in_pieces() {
    let watched = Watched::with(&[]);
    let mut stream = connect(watched.status);
    for byte in b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n" {
        stream.write_all(&[*byte]).unwrap();
    }
    let answer = hear(stream).expect(200);
    assert_eq!(answer.body, "ok\n");
}

#[test]
fn clients_may_disconnect_early() {
    let watched = Watched::with(&[]);
    for words in ["", "GET", "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"] {
        let mut stream = connect(watched.status);
        stream.write_all(words.as_bytes()).unwrap();
        drop(stream);
        let mut stream = connect(watched.status);
        stream.write_all(words.as_bytes()).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut rest = String::new();
        stream.read_to_string(&mut rest).unwrap();
        assert_eq!(rest.is_empty(), words.len() < 4, "{rest}");
    }
    watched.get("/healthz").expect(200);
}

#[test]
fn many_concurrent_requests_are_answered() {
    let watched = Watched::with(&[]);
    let status = watched.status;
    thread::scope(|scope| {
        for path in ["/", "/metrics", "/healthz", "/readyz"] {
            for _ in 0..25 {
                let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
                scope.spawn(move || ask(status, request).expect(200));
            }
        }
    });
}

#[test]
fn the_page_limits_the_number_of_rows() {
    let watched = Watched::with(&[]);
    let mut peers: Vec<Peer> = (0..230).map(|_| watched.server.caller()).collect();
    let mut moving = watched.server.visitor();
    let _data = moving.begin_with("STOR file", "content");
    // The first session is the oldest, but it has a transfer.
    peers[0].login();
    let _other = peers[0].begin_with("STOR other", "content");
    let page = watched.page();
    assert_eq!(page.body.matches("scope=\"row\"").count(), 200);
    page.shows("and 31 more");
    page.shows("/other");
    let newest = page.body.find("<th scope=\"row\" class=\"tight\">230<").unwrap();
    assert!(newest > page.body.find("/other").unwrap());
}

#[test]
fn moving_the_status_page_needs_a_restart() {
    let dir = TempDir::new().unwrap();
    let config = dir.path().join("config");
    fs::write(&config, "status = 127.0.0.1:0\n").unwrap();
    let watched = Watched::of(Server::with(&["--config", config.to_str().unwrap()]));
    fs::write(&config, "status = 127.0.0.2:0\n").unwrap();
    watched.server.signal("HUP");
    watched.server.wait_for_log(&["not-reloaded", "status"]);
    watched.get("/readyz").expect(200);
}

#[test]
fn a_status_page_that_others_can_read_causes_a_warning() {
    let warns = |host: &str| {
        let watched = Watched::of(Server::with(&["--status", host]));
        watched.server.caller().say("QUIT").expect(221);
        watched.server.wait_for_log(&["closed"]);
        watched.server.log().contains("sees who is connected")
    };
    assert!(warns("0.0.0.0:0"));
    assert!(!warns("127.0.0.1:0"));
    assert!(!warns("0"));
}

#[test]
fn an_unusable_status_address_prevents_the_start() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = taken.local_addr().unwrap().to_string();
    let mut server = assert_cmd::Command::new(env!("CARGO_BIN_EXE_ftp_server"));
    server.args(["--host", "127.0.0.1", "--port", "0", "--root", ".", "--status", &at]);
    server.timeout(PATIENCE);
    let output = server.assert().code(1).stdout("").get_output().clone();
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert_eq!(complaint.lines().count(), 1, "{complaint}");
    assert!(complaint.contains("--status") && complaint.contains("127.0.0.1"), "{complaint}");
}

#[test]
fn without_the_option_there_is_no_status_page() {
    let server = Server::start();
    server.next_line();
    server.terminate();
    let mut server = server;
    assert_eq!(server.exit().code(), Some(0));
}

#[test]
#[ignore = "needs promtool"]
fn promtool_reports_no_problem() {
    let watched = Watched::with(&["--passive-ports", "20000-29999"]);
    let mut peer = watched.server.visitor();
    peer.stor("file", "content");
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let metrics = watched.get("/metrics").expect(200).body;
    promtool.stdin.take().unwrap().write_all(metrics.as_bytes()).unwrap();
    let output = promtool.wait_with_output().unwrap();
    assert!(output.status.success() && output.stdout.is_empty(), "{output:?}");
    assert!(output.stderr.is_empty(), "{output:?}");
}

/// Loads a page in a headless browser, and returns the resulting DOM and the browser's errors.
fn browse(url: &str, more: &[&str]) -> (String, String) {
    let profile = TempDir::new().unwrap();
    let output = Command::new("timeout")
        .args(["60", "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic"])
        .args(["--no-first-run", "--disable-background-networking", "--disable-component-update"])
        .args([
            "--disable-sync",
            "--disable-dev-shm-usage",
            "--enable-logging=stderr",
            "--dump-dom",
        ])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .args(more)
        .arg(url)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    let complaints = text(&output.stderr);
    let console = complaints.lines().filter(|line| line.contains("CONSOLE"));
    (text(&output.stdout), console.collect())
}

/// Returns the result of a script in a saved page, to which no policy applies, in a frame of this
/// width, because a window cannot be as narrow as a phone.
fn measure(page: &str, width: u32, script: &str, more: &[&str]) -> String {
    let dir = TempDir::new().unwrap();
    let page = page.replace("http-equiv=\"refresh\"", "");
    let tells = format!("{page}<script>parent.postMessage({script}, '*')</script>");
    fs::write(dir.path().join("page.html"), tells).unwrap();
    let frame = format!(
        "<!doctype html><title>nothing</title><script>\
         onmessage = event => document.title = event.data</script>\
         <iframe src=\"page.html\" style=\"border: 0; height: 2000px; width: {width}px\"></iframe>"
    );
    let file = dir.path().join("frame.html");
    fs::write(&file, frame).unwrap();
    let more = [&["--virtual-time-budget=5000"], more].concat();
    let (dom, _) = browse(&format!("file://{}", file.display()), &more);
    let title = dom.split_once("<title>").and_then(|(_, rest)| rest.split_once("</title>"));
    title.unwrap().0.to_owned()
}

/// Starts a server with busy sessions, with names of the maximum length and invalid names.
fn busy() -> (Watched, Vec<(Peer, TcpStream)>) {
    let watched = Watched::with(&["--passive-ports", "20000-29999"]);
    let unbroken = "x".repeat(200);
    let mut running = Vec::new();
    for name in [NASTY, "<img src=x onerror=document.title='run'>", &unbroken, "a b c"] {
        watched.server.write_sparse(name, 64 << 20);
        let mut peer = watched.server.visitor();
        let data = peer.begin(format!("RETR {name}"));
        running.push((peer, data));
        let mut peer = watched.server.visitor();
        peer.break_off(&format!("STOR {name}"), "some");
    }
    let mut guesser = watched.server.caller();
    guesser.say(format!("USER {unbroken}")).expect(331);
    guesser.say("PASS x").expect(530);
    (watched, running)
}

#[test]
#[ignore = "needs chromium"]
fn a_browser_shows_the_page_and_runs_no_script() {
    let (control, complaint) = browse("data:text/html,<p>x<script>console.error(7)</script>", &[]);
    assert!(control.contains("<p>x") && complaint.contains('7'), "{control}{complaint}");
    let (watched, _running) = busy();
    let (dom, complaints) = browse(&format!("http://{}/?paused", watched.status), &[]);
    assert_eq!(complaints, "");
    assert!(dom.contains(" sessions · mt_ftp</title>"), "{dom}");
    assert!(!dom.contains("<script") && !dom.contains("<img"), "{dom}");
    assert_eq!(dom.matches("<progress class=\"out\"").count(), 4, "{dom}");
}

#[test]
#[ignore = "needs chromium"]
fn a_phone_shows_the_page_without_horizontal_scrolling() {
    let (watched, _running) = busy();
    // Names longer than those of visitors, and an address longer than that of this machine.
    let page = watched.page().body.replace(">anonymous<", &format!(">{}<", "x".repeat(60)));
    let page = page.replace("127.0.0.1", "2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff");
    let widths = "(root => [innerWidth, root.scrollWidth - root.clientWidth].join())\
                  (document.documentElement)";
    for width in [320, 390, 768, 1280] {
        assert_eq!(measure(&page, width, widths, &[]), format!("{width},0"));
    }
}

#[test]
#[ignore = "needs chromium"]
fn the_page_supports_dark_mode() {
    let watched = Watched::with(&[]);
    let page = watched.page().body;
    let ground = "getComputedStyle(document.body).backgroundColor";
    let light = measure(&page, 1280, ground, &["--blink-settings=preferredColorScheme=1"]);
    let dark = measure(&page, 1280, ground, &["--blink-settings=preferredColorScheme=0"]);
    assert_eq!((light.as_str(), dark.as_str()), ("rgb(244, 245, 247)", "rgb(14, 17, 22)"));
}

#[test]
fn the_page_shows_the_load_balancer_of_a_session() {
    let watched = Watched::with(&["--proxy-protocol", "127.0.0.1"]);
    let mut peer = Peer::connect(watched.server.addr());
    peer.raw("PROXY TCP4 192.0.2.1 203.0.113.7 50000 21\r\n");
    peer.expect(220);
    watched
        .ask("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .expect(200)
        .shows("192.0.2.1 via&nbsp;127.0.0.1");
}

#[test]
fn readiness_depends_on_the_root() {
    let watched = Watched::with(&[]);
    watched.get("/readyz").expect(200);
    fs::remove_dir(watched.server.root()).unwrap();
    watched.get("/readyz").expect(503);
    watched.get("/healthz").expect(200);
    fs::create_dir(watched.server.root()).unwrap();
    watched.get("/readyz").expect(200);
}
