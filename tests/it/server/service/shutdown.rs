//! The shutdown: graceful at the first signal, immediate at the second.

use crate::support::wire::{Peer, drain};
use crate::support::{Server, UnreadTerminal, eventually};
use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};
use tempfile::TempDir;

#[test]
fn sigterm_and_sigint_send_421_to_idle_sessions_and_exit_0() {
    for signal in ["TERM", "INT"] {
        let mut server = Server::start();
        let (mut stranger, mut visitor) = (server.caller(), server.visitor());
        server.signal(signal);
        for peer in [&mut stranger, &mut visitor] {
            peer.expect(421);
            peer.expect_end();
        }
        assert_eq!(server.exit().code(), Some(0));
    }
}

#[test]
fn a_server_without_sessions_ends_at_once() {
    let mut server = Server::start();
    server.terminate();
    assert_eq!(server.exit().code(), Some(0));
}

#[test]
fn an_upload_may_finish() {
    let mut server = Server::start();
    let (mut peer, mut idle) = (server.visitor(), server.caller());
    let mut data = peer.begin_with("STOR file", "first ");
    server.terminate();
    idle.expect(421);
    data.write_all(b"second").unwrap();
    drop(data);
    peer.expect(226);
    peer.expect(421);
    peer.expect_end();
    assert_eq!(server.exit().code(), Some(0));
    assert_eq!(server.read("file"), b"first second");
}

#[test]
fn a_download_may_finish() {
    const SIZE: u64 = 64 << 20;
    let mut server = Server::start();
    server.write_sparse("file", SIZE);
    let (mut peer, mut idle) = (server.visitor(), server.caller());
    let data = peer.begin("RETR file");
    server.terminate();
    idle.expect(421);
    assert_eq!(drain(data).len() as u64, SIZE);
    peer.expect(226);
    peer.expect(421);
    assert_eq!(server.exit().code(), Some(0));
}

#[test]
fn no_session_is_admitted_during_the_shutdown() {
    let mut server = Server::start();
    let mut peer = server.visitor();
    let data = peer.begin_with("STOR file", "content");
    server.terminate();
    eventually("a refused connection", || TcpStream::connect(server.addr()).is_err());
    drop(data);
    peer.expect(226);
    assert_eq!(server.exit().code(), Some(0));
}

#[test]
fn a_second_signal_ends_the_server_at_once() {
    let mut server = Server::start();
    server.write("file", "old");
    let (mut peer, mut idle) = (server.visitor(), server.caller());
    let _data = peer.begin_with("STOR file", "new");
    server.terminate();
    idle.expect(421);
    server.terminate();
    assert!(!server.exit().success());
    assert_eq!(server.read("file"), b"old");
}

#[test]
fn transfers_end_after_the_grace_period() {
    let mut server = Server::with(&["--shutdown-grace", "1"]);
    server.write("file", "old");
    let mut peer = server.visitor();
    let _data = peer.begin_with("STOR file", "new");
    let since = Instant::now();
    server.terminate();
    peer.expect(426);
    peer.expect(421);
    assert!(since.elapsed() > Duration::from_millis(900), "{:?}", since.elapsed());
    assert_eq!(server.exit().code(), Some(0));
    assert_eq!(server.read("file"), b"old");
}

#[test]
fn waiting_transfers_end_after_the_grace_period() {
    let mut server = Server::with(&["--shutdown-grace", "0"]);
    let mut peer = server.visitor();
    peer.epsv();
    peer.say("STOR file").expect(150);
    server.terminate();
    peer.expect(426);
    peer.expect(421);
    assert_eq!(server.exit().code(), Some(0));
}

#[test]
fn commands_sent_before_the_end_are_answered_before_it() {
    let mut server = Server::start();
    let mut peer = server.visitor();
    let data = peer.begin_with("STOR file", "content");
    peer.raw("SIZE file\r\nQUIT\r\n");
    server.terminate();
    drop(data);
    peer.expect(226);
    // Both are correct: the reply, or the announcement that there will be none.
    let next = peer.hear().code;
    assert!(matches!(next, 213 | 421), "{}", peer.dialogue());
    assert_eq!(server.exit().code(), Some(0));
}

#[test]
fn the_log_shows_the_start_and_the_transfers_that_delay_the_shutdown() {
    let mut server = Server::with_accounts(&["anna::", "ben::"], &["--anonymous", "write"]);
    let address = format!("addresses={}", server.addr());
    let version = format!("version={}", env!("CARGO_PKG_VERSION"));
    let root = server.root().canonicalize().unwrap();
    let root = format!("root={}", root.display());
    server.wait_for_log(&[
        "started",
        &address,
        &version,
        &root,
        "anonymous=write",
        "accounts=2 tls=off",
    ]);
    let (mut peer, mut idle) = (server.visitor(), server.caller());
    let data = peer.begin_with("STOR file", "content");
    server.terminate();
    idle.expect(421);
    server.wait_for_log(&["draining", "transfers=1", "seconds=30", "a second SIGTERM or SIGINT"]);
    drop(data);
    peer.expect(226);
    assert_eq!(server.exit().code(), Some(0));
}

#[test]
fn a_shutdown_without_transfers_is_not_logged_as_draining() {
    let mut server = Server::start();
    let mut peer = server.visitor();
    server.terminate();
    peer.expect(421);
    assert_eq!(server.exit().code(), Some(0));
    assert!(!server.log().contains("draining"), "{}", server.log());
}

/// Starts a server on a terminal, which `script` simulates.
fn on_terminal(before: &str) -> (UnreadTerminal, Peer, TempDir) {
    let root = TempDir::new().unwrap();
    let (program, dir) = (env!("CARGO_BIN_EXE_ftp_server"), root.path().display());
    let options = "--host 127.0.0.1 --port 0 --anonymous write";
    let mut terminal =
        UnreadTerminal::start(&format!("sh -c '{before} exec {program} {options} --root {dir}'"));
    let listening = terminal.next_line();
    let address = listening.strip_prefix("Listening on ").expect(&listening).parse().unwrap();
    let mut peer = Peer::connect(address);
    peer.expect(220);
    peer.login();
    (terminal, peer, root)
}

#[test]
#[ignore = "needs script"]
fn closing_the_terminal_shuts_the_server_down_gracefully() {
    let (mut terminal, mut peer, root) = on_terminal("");
    // While the terminal is open, SIGHUP is a reload.
    terminal.signal("HUP");
    peer.say("NOOP").expect(200);
    let data = peer.begin_with("STOR file", "content");
    terminal.close();
    drop(data);
    peer.expect(226);
    peer.expect(421);
    eventually("the end of the server", || terminal.has_ended());
    assert_eq!(fs::read(root.path().join("file")).unwrap(), b"content");
}

#[test]
#[ignore = "needs script"]
fn a_server_that_ignores_sighup_survives_closing_the_terminal() {
    let (mut terminal, mut peer, _root) = on_terminal("trap \"\" HUP;");
    terminal.close();
    terminal.signal("HUP");
    peer.say("NOOP").expect(200);
    terminal.signal("TERM");
    peer.expect(421);
    eventually("the end of the server", || terminal.has_ended());
}
