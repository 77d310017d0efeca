//! Session limits and timeouts.
//!
//! The deadlines here are one second long, and the tests wait for them to pass: they wait for the
//! server's action and then check the clock.

use crate::support::wire::{Peer, connect, connect_as};
use crate::support::{PATIENCE, Server, connect_when_admitted, noise, together};
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown};
use std::thread;
use std::time::{Duration, Instant};

const SECOND: Duration = Duration::from_secs(1);

/// Checks that at least a second has passed, within the clock's tolerance, and much less than the
/// time limit of tests.
fn assert_took_a_second(since: Instant) {
    let took = since.elapsed();
    assert!(took > SECOND - SECOND / 10 && took < PATIENCE / 2, "{took:?}");
}

#[test]
fn a_session_beyond_the_limit_gets_421() {
    let server = Server::with(&["--max-sessions", "2"]);
    let (mut first, mut second) = (server.caller(), server.caller());
    let mut third = Peer::connect(server.addr());
    third.expect(421);
    third.expect_end();
    second.say("NOOP").expect(200);
    first.say("QUIT").expect(221);
    connect_when_admitted(server.addr()).say("NOOP").expect(200);
}

#[test]
fn a_session_beyond_the_limit_of_an_address_gets_421() {
    let server = Server::with(&["--max-sessions-per-ip", "1"]);
    let mut first = server.caller();
    let mut second = Peer::connect(server.addr());
    second.expect(421);
    second.expect_end();
    let elsewhere = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
    Peer::new(connect_as(elsewhere, server.addr())).expect(220);
    first.say("QUIT").expect(221);
    connect_when_admitted(server.addr());
}

together! { deadlines_are_kept:
    an_idle_session_ends_with_421
    every_command_restarts_the_idle_timeout
    a_busy_client_that_does_not_log_in_is_disconnected
    a_client_that_never_pauses_is_disconnected
    a_client_that_never_ends_a_line_is_disconnected
    the_login_timeout_ends_with_the_login
    a_data_connection_that_does_not_arrive_is_425
    an_upload_that_stalls_is_426
    commands_do_not_keep_a_stalled_transfer_alive
    an_unread_download_is_426
    a_slow_transfer_is_neither_idle_nor_stalled
    rein_restarts_the_login_timeout
    a_flood_of_commands_does_not_keep_a_stalled_transfer_alive
}

fn an_idle_session_ends_with_421() {
    let server = Server::with(&["--idle-timeout", "1"]);
    let mut peer = server.visitor();
    let since = Instant::now();
    peer.expect(421);
    peer.expect_end();
    assert_took_a_second(since);
}

fn every_command_restarts_the_idle_timeout() {
    let server = Server::with(&["--idle-timeout", "1"]);
    let mut peer = server.visitor();
    let since = Instant::now();
    while since.elapsed() < SECOND + SECOND / 4 {
        peer.say("NOOP").expect(200);
    }
    peer.say("QUIT").expect(221);
}

fn a_busy_client_that_does_not_log_in_is_disconnected() {
    let server = Server::with(&["--login-timeout", "1"]);
    let since = Instant::now();
    let mut peer = server.caller();
    let mut idle = server.caller();
    while peer.say("NOOP").hear().code == 200 {}
    assert_took_a_second(since);
    idle.expect(421);
    idle.expect_end();
}

/// Sends the same bytes repeatedly until the server closes the connection.
fn flood(server: &Server, piece: &str) {
    let mut control = connect(server.addr());
    let mut replies = control.try_clone().unwrap();
    let deadline = Instant::now() + PATIENCE / 2;
    thread::scope(|scope| {
        scope.spawn(move || std::io::copy(&mut replies, &mut std::io::sink()));
        while control.write_all(piece.as_bytes()).is_ok() {
            if Instant::now() > deadline {
                control.shutdown(Shutdown::Both).unwrap();
                panic!("still served");
            }
        }
    });
}

fn a_client_that_never_pauses_is_disconnected() {
    let server = Server::with(&["--login-timeout", "1"]);
    let since = Instant::now();
    flood(&server, "NOOP\r\n");
    assert_took_a_second(since);
}

fn a_client_that_never_ends_a_line_is_disconnected() {
    let server = Server::with(&["--login-timeout", "1"]);
    let since = Instant::now();
    flood(&server, &"NOOP ".repeat(100));
    assert_took_a_second(since);
}

fn the_login_timeout_ends_with_the_login() {
    let server = Server::with(&["--login-timeout", "1"]);
    let mut peer = server.visitor();
    let mut never = server.caller();
    never.expect(421);
    peer.say("NOOP").expect(200);
}

fn a_data_connection_that_does_not_arrive_is_425() {
    let server = Server::with(&["--transfer-timeout", "1"]);
    let mut peer = server.visitor();
    for command in ["LIST", "STOR new"] {
        peer.epsv();
        peer.say(command).expect(150);
        let since = Instant::now();
        peer.expect(425);
        assert_took_a_second(since);
    }
    assert!(!server.has("new"));
    peer.say("NOOP").expect(200);
}

fn an_upload_that_stalls_is_426() {
    let server = Server::with(&["--transfer-timeout", "1"]);
    server.write("file", "old");
    let mut peer = server.visitor();
    let data = peer.begin_with("STOR file", "new");
    let since = Instant::now();
    peer.expect(426);
    assert_took_a_second(since);
    drop(data);
    assert_eq!(server.read("file"), b"old");
    peer.say("NOOP").expect(200);
}

fn commands_do_not_keep_a_stalled_transfer_alive() {
    let server = Server::with(&["--transfer-timeout", "1"]);
    let mut peer = server.visitor();
    let _data = peer.begin_with("STOR file", "some");
    let since = Instant::now();
    while peer.say("NOOP").hear().code == 200 {}
    assert_took_a_second(since);
    assert!(!server.has("file"));
}

fn an_unread_download_is_426() {
    let server = Server::with(&["--transfer-timeout", "1"]);
    server.write_sparse("large", 256 << 20);
    let mut peer = server.visitor();
    let data = peer.begin("RETR large");
    peer.expect(426);
    drop(data);
    peer.say("NOOP").expect(200);
}

fn a_slow_transfer_is_neither_idle_nor_stalled() {
    let server = Server::with(&["--transfer-timeout", "1", "--idle-timeout", "1"]);
    let mut peer = server.visitor();
    let mut data = connect(peer.epsv());
    peer.say("STOR file").expect(150);
    let since = Instant::now();
    let mut sent = 0;
    while since.elapsed() < SECOND * 2 {
        data.write_all(b"x").unwrap();
        sent += 1;
        // Each round trip ensures that the bytes do not accumulate in buffers.
        peer.say("NOOP").expect(200);
    }
    drop(data);
    peer.expect(226);
    assert_eq!(server.read("file").len(), sent);
    peer.say("NOOP").expect(200);
}

fn rein_restarts_the_login_timeout() {
    let server = Server::with(&["--login-timeout", "1"]);
    let (mut back, mut other) = (server.visitor(), server.visitor());
    let mut never = server.caller();
    never.expect(421);
    back.say("REIN").expect(220);
    back.login();
    other.say("USER ftp").expect(331);
    other.say("PASS x").expect(230);
}

fn a_flood_of_commands_does_not_keep_a_stalled_transfer_alive() {
    let server = Server::with(&["--transfer-timeout", "1"]);
    let mut peer = server.visitor();
    let _data = peer.begin("STOR file");
    let since = Instant::now();
    while peer.say("NOOP").hear().code == 200 {}
    assert_took_a_second(since);
}

/// The system accepts megabytes at once and reports no space until a third of them was read, which
/// takes this client longer than the transfer timeout.
#[test]
fn a_slow_but_steady_reader_is_not_a_stall() {
    const STEP: usize = 32 * 1024;
    let server = Server::with(&["--transfer-timeout", "1s"]);
    let content = noise(16 << 20, 1);
    server.write("big", &content);
    let mut peer = server.visitor();
    peer.say("TYPE I").expect(200);
    let mut data = peer.begin("RETR big");
    let mut read = vec![0; content.len()];
    let (_nobody, pace) = std::sync::mpsc::channel::<()>();
    let mut at = 0;
    while at < 50 * STEP {
        let _ = pace.recv_timeout(Duration::from_millis(80));
        data.read_exact(&mut read[at..at + STEP]).unwrap();
        at += STEP;
    }
    data.read_exact(&mut read[at..]).unwrap();
    peer.expect(226);
    assert!(read == content);
}
