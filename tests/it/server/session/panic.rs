//! A panic ends only its session and is logged.
//!
//! No panic can be caused from outside, so the server runs within the test, with a log that panics
//! when a certain file is logged.

use crate::support::connect_when_admitted;
use crate::support::wire;
use mt_ftp::args::Outcome;
use mt_ftp::server::config::{Config, PROGRAM};
use mt_ftp::server::log::{Level, Log};
use mt_ftp::server::{IncomingConnection, Server, panic_hook};
use mt_ftp::shutdown::Shutdown;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::{fs, thread};
use tempfile::TempDir;

/// Collects log lines, and panics at `boom`.
#[derive(Clone, Default)]
struct Touchy {
    lines: Arc<Mutex<String>>,
}

impl Touchy {
    fn take(&self, line: &str) {
        assert!(!line.contains("path=/boom"), "I cannot write this");
        self.lines.lock().unwrap().push_str(line);
    }
}

/// Serves a directory from this process with one thread per client.
fn serve(root: &TempDir, log: Touchy) -> (Arc<Server>, SocketAddr) {
    panic_hook::install(None);
    let words =
        ["--root", root.path().to_str().unwrap(), "--max-sessions", "2", "--anonymous", "write"];
    let Ok(Outcome::Run(given)) = PROGRAM.parse(words.iter().map(Into::into)) else { panic!() };
    let config = Config::new(&given).unwrap();
    let log = Arc::new(Log::to(Level::Debug, move |line| log.take(line)));
    let server = Arc::new(Server::new(config, Shutdown::new().unwrap(), log).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let serving = Arc::clone(&server);
    thread::spawn(move || {
        while let Ok((stream, peer)) = listener.accept() {
            let incoming = IncomingConnection { stream, peer, tls_first: false };
            let Some(client) = serving.admit(incoming) else { continue };
            let server = Arc::clone(&serving);
            thread::spawn(move || server.serve(&client));
        }
    });
    (server, address)
}

#[test]
fn the_session_ends_with_421_the_log_names_the_line_and_other_sessions_continue() {
    let root = TempDir::new().unwrap();
    fs::write(root.path().join("boom"), "content").unwrap();
    let log = Touchy::default();
    let (_server, address) = serve(&root, log.clone());
    let visitor = || {
        let mut peer = connect_when_admitted(address);
        peer.login();
        peer
    };
    let mut other = visitor();
    for verb in ["RETR", "DELE", "NOOP"] {
        // Each session follows the end of the previous one.
        let mut peer = visitor();
        match verb {
            "RETR" => assert_eq!(wire::drain(peer.begin("RETR boom")), b"content"),
            "DELE" => drop(peer.say("DELE boom")),
            _ => {
                peer.say("NOOP").expect(200);
                continue;
            }
        }
        peer.expect(421);
        peer.expect_end();
    }
    other.say("STAT").expect(211);
    other.stor("file", "content");
    let lines = log.lines.lock().unwrap().clone();
    let panic = lines.lines().find(|line| line.contains(" panic ")).unwrap();
    for word in ["error", "session=2", "place=", "panic.rs:", "I cannot write this"] {
        assert!(panic.contains(word), "{panic}");
    }
}
