//! Overload: more of everything than the limits allow.

use crate::support::wire::{Peer, connect};
use crate::support::{PATIENCE, Server, connect_when_admitted, eventually};
use mt_ftp::sys;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

#[test]
fn out_of_descriptors_clients_get_421_and_sessions_continue() {
    let server = Server::with_descriptors(32);
    let mut first = server.visitor();
    let mut crowd: Vec<Peer> = Vec::new();
    let told = (0..100).filter(|_| {
        let mut peer = Peer::connect(server.addr());
        let code = peer.hear().code;
        crowd.push(peer);
        code == 421
    });
    assert!(told.count() >= 100 - 32);
    server.wait_for_log(&["exhausted", "Too many open files"]);
    first.say("NOOP").expect(200);
    // The log reports this at intervals, not for every client.
    assert!(server.log().matches("exhausted").count() <= 2, "{}", server.log());
    assert!(server.log().matches("turned-away").count() <= 2, "{}", server.log());
    drop(crowd);
    connect_when_admitted(server.addr()).login().stor("file", "content");
    first.say("TYPE I").expect(200);
    assert_eq!(first.retr("file"), b"content");
}

#[test]
fn out_of_descriptors_the_server_does_not_spin() {
    let server = Server::with_descriptors(32);
    let mut first = server.visitor();
    let crowd: Vec<Peer> = (0..40).map(|_| Peer::connect(server.addr())).collect();
    server.wait_for_log(&["exhausted"]);
    first.say("NOOP").expect(200);
    // No other client connects, so the server must not use the processor. A server that spins is
    // switched hundreds of times while a client talks to it.
    eventually("an idle server", || {
        let before = server.switches();
        for _ in 0..20 {
            first.say("NOOP").expect(200);
        }
        server.switches() - before < 60
    });
    drop(crowd);
}

#[test]
fn one_session_has_one_passive_listener_after_many_pasvs() {
    let server = Server::start();
    let mut peer = server.visitor();
    peer.epsv();
    let before = server.descriptors();
    for _ in 0..50 {
        peer.epsv();
        peer.pasv();
    }
    assert_eq!(server.descriptors(), before);
}

#[test]
fn a_range_of_ports_opens_only_the_listeners_in_use() {
    let server = Server::with(&["--passive-ports", "20000-29999"]);
    server.write("file", "content");
    let mut peer = server.visitor();
    peer.epsv();
    let before = server.descriptors();
    for _ in 0..300 {
        peer.epsv();
    }
    assert!(server.descriptors() <= before + 64, "{} now", server.descriptors());
    assert_eq!(peer.retr("file"), b"content");
}

#[test]
fn commands_are_rate_limited_only_before_login() {
    let server = Server::start();
    let mut peer = server.caller();
    let since = Instant::now();
    for _ in 0..60 {
        peer.say("NOOP").expect(200);
    }
    // 50 at once, and then 10 per second.
    assert!(since.elapsed() >= Duration::from_millis(800), "{:?}", since.elapsed());
    peer.login();
    let since = Instant::now();
    for _ in 0..1000 {
        peer.say("NOOP").expect(200);
    }
    assert!(since.elapsed() < PATIENCE);
}

#[test]
fn a_burst_of_connections_is_accepted_without_loss() {
    const BURST: usize = 600;
    let server = Server::with(&["--max-sessions", "2000"]);
    sys::raise_descriptor_limit();
    thread::scope(|scope| {
        let waiting: Vec<_> =
            (0..BURST).map(|_| scope.spawn(|| Peer::connect(server.addr()).hear().code)).collect();
        assert!(waiting.into_iter().all(|peer| peer.join().unwrap() == 220));
    });
}

#[test]
fn a_killed_server_can_be_started_again_at_once_on_its_port() {
    let server = Server::start();
    let (port, mut peer) = (server.addr().port().to_string(), server.visitor());
    peer.say("NOOP").expect(200);
    // The server closes this connection first, so its port is in TIME_WAIT.
    let root = server.crash();
    let again = Server::launch(root, "127.0.0.1", &["--port", &port]);
    again.visitor().say("NOOP").expect(200);
}

/// Sends a byte per second on each connection, before and after login.
fn dribble(crowd: &mut [TcpStream], done: &AtomicBool) {
    let line = b"NOOP NOOP NOOP NOOP NOOP NOOP NOOP NOOP NOOP";
    for byte in line.iter().cycle() {
        let next = Instant::now() + Duration::from_secs(1);
        for stream in crowd.iter_mut() {
            let _ = stream.write(&[*byte]);
        }
        while Instant::now() < next {
            if done.load(Ordering::Relaxed) {
                return;
            }
            thread::park_timeout(Duration::from_millis(20));
        }
    }
}

#[test]
#[ignore = "needs a machine to itself"]
fn five_thousand_slow_clients_delay_others_by_less_than_a_second() {
    const CROWD: usize = 5000;
    assert!(sys::raise_descriptor_limit() > CROWD as u64 + 1000, "this needs more descriptors");
    let server = Server::with(&["--max-sessions", "6000", "--log-level", "warn"]);
    let mut crowd: Vec<TcpStream> = (0..CROWD).map(|_| connect(server.addr())).collect();
    for stream in &mut crowd {
        let mut greeting = [0; 4];
        stream.read_exact(&mut greeting).unwrap();
        assert_eq!(&greeting, b"220 ");
    }
    let done = AtomicBool::new(false);
    let slowest = thread::scope(|scope| {
        scope.spawn(|| dribble(&mut crowd, &done));
        let until = Instant::now() + Duration::from_secs(5);
        let times = (0..).take_while(|_| Instant::now() < until).map(|number| {
            let since = Instant::now();
            let mut peer = server.visitor();
            peer.stor(format!("file{number}"), "content");
            assert_eq!(peer.retr(format!("file{number}")), b"content");
            peer.say("QUIT").expect(221);
            since.elapsed()
        });
        let slowest = times.max().unwrap();
        done.store(true, Ordering::Relaxed);
        slowest
    });
    assert!(slowest < Duration::from_secs(1), "{slowest:?}");
}
