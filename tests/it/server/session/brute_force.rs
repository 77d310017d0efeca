//! Guessing passwords is slow, and being guessed at is not punished.

use crate::support::wire::{self, Peer};
use crate::support::{PATIENCE, Server};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// A server that knows anna and ben, both by "secret".
fn server(options: &[&str]) -> Server {
    Server::with_accounts(&["anna:write:", "ben::"], options)
}

fn host(number: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(127, 0, 0, number))
}

/// A connection from an address of its own, before its greeting.
fn from(server: &Server, number: u8) -> Peer {
    Peer::new(wire::connect_as(host(number), server.addr()))
}

fn greeted(server: &Server, number: u8) -> Peer {
    let mut peer = from(server, number);
    peer.expect(220);
    peer
}

fn attempt(peer: &mut Peer, name: &str, password: &str) -> u16 {
    peer.say(format!("USER {name}")).expect(331);
    peer.say(format!("PASS {password}")).hear().code
}

/// Fails to log in as often as one session may.
fn use_up(server: &Server, number: u8) {
    let mut peer = greeted(server, number);
    assert_eq!(attempt(&mut peer, "anna", "wrong"), 530);
    assert_eq!(attempt(&mut peer, "anna", "wrong"), 530);
    assert_eq!(attempt(&mut peer, "anna", "wrong"), 421);
    peer.expect_end();
}

#[test]
fn each_wrong_password_takes_longer_to_be_told_and_a_right_one_takes_no_time() {
    let server = server(&["--max-login-failures", "9"]);
    let mut peer = greeted(&server, 2);
    let mut least = Duration::from_millis(250);
    for _ in 0..3 {
        let since = Instant::now();
        assert_eq!(attempt(&mut peer, "anna", "wrong"), 530);
        assert!(since.elapsed() >= least, "{:?}", since.elapsed());
        least *= 2;
    }
    assert_eq!(attempt(&mut peer, "anna", "secret"), 230);
}

#[test]
fn an_address_that_guessed_too_often_is_refused_for_a_while_and_then_not() {
    let server = server(&[]);
    use_up(&server, 2);
    let mut refused = from(&server, 2);
    refused.expect_text(421, "wrong passwords");
    refused.expect_end();
    server.wait_for_log(&["turned-away", "127.0.0.2"]);
    // The account is nobody's to lock, and a neighbour is somebody else.
    let mut neighbour = greeted(&server, 3);
    assert_eq!(attempt(&mut neighbour, "anna", "secret"), 230);
    // The first refusal is of five seconds.
    let deadline = Instant::now() + PATIENCE;
    loop {
        let mut peer = from(&server, 2);
        if peer.hear().code == 220 {
            assert_eq!(attempt(&mut peer, "anna", "secret"), 230);
            break;
        }
        assert!(Instant::now() < deadline, "refused for ever");
        thread::park_timeout(Duration::from_millis(100));
    }
}

#[test]
fn an_address_that_has_proved_to_know_a_password_keeps_its_way_in() {
    let server = server(&[]);
    assert_eq!(attempt(&mut greeted(&server, 2), "anna", "secret"), 230);
    let mut inside = greeted(&server, 2);
    assert_eq!(attempt(&mut inside, "anna", "secret"), 230);
    let mut guesser = greeted(&server, 2);
    for code in [530, 530, 421] {
        assert_eq!(attempt(&mut guesser, "ben", "wrong"), code);
    }
    assert_eq!(attempt(&mut greeted(&server, 2), "anna", "secret"), 230);
    // Others of that address wait, and are told so.
    let mut other = greeted(&server, 2);
    other.say("USER ben").expect(331);
    other.say("PASS secret").expect_text(421, "wrong passwords");
    other.expect_end();
    inside.say("NOOP").expect(200);
}

#[test]
fn visitors_are_not_counted() {
    let server = server(&["--anonymous", "read"]);
    for _ in 0..30 {
        assert_eq!(attempt(&mut greeted(&server, 2), "anonymous", "whatever"), 230);
    }
}

#[test]
fn fifty_connections_get_no_more_answers_than_one() {
    let server = server(&["--max-login-failures", "1000000"]);
    let seconds = 3;
    let until = Instant::now() + Duration::from_secs(seconds);
    let answers = AtomicU32::new(0);
    thread::scope(|scope| {
        for _ in 0..50 {
            scope.spawn(|| {
                // Who does not wait for the answer guesses no faster: nothing is checked before its
                // turn.
                let mut peer = greeted(&server, 2);
                while attempt(&mut peer, "anna", "wrong") == 530 && Instant::now() < until {
                    answers.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    let answers = answers.load(Ordering::Relaxed);
    assert!(answers > 0 && u64::from(answers) <= 5 + 5 * seconds, "{answers}");
}

#[test]
fn a_class_behind_one_address_logs_in_at_once() {
    let server = server(&[]);
    thread::scope(|scope| {
        for _ in 0..60 {
            scope.spawn(|| assert_eq!(attempt(&mut greeted(&server, 2), "anna", "secret"), 230));
        }
    });
}

#[test]
fn the_end_of_the_server_waits_for_no_guesser() {
    let mut server = server(&["--max-login-failures", "1000000"]);
    let mut crowd: Vec<Peer> = (0..20).map(|_| greeted(&server, 2)).collect();
    for peer in &mut crowd {
        peer.raw("USER anna\r\nPASS wrong\r\n").expect(331);
    }
    server.terminate();
    for peer in &mut crowd {
        assert!(matches!(peer.hear().code, 421 | 530));
    }
    assert_eq!(server.exit().code(), Some(0));
}
