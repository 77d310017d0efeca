//! Brute-force protection: attempts are slowed down, and the attacked account is not affected.

use crate::support::wire::{self, Peer};
use crate::support::{PATIENCE, Server, eventually, together};
use std::io::{BufRead, BufReader, Write};
use std::net::Ipv4Addr;
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

/// Starts a server with the accounts anna and ben, whose passwords are "secret".
fn server(options: &[&str]) -> Server {
    Server::with_accounts(&["anna:write:", "ben::"], options)
}

/// Connects from a separate address, before the greeting.
fn from(server: &Server, number: u8) -> Peer {
    Peer::new(wire::connect_as(Ipv4Addr::new(127, 0, 0, number).into(), server.addr()))
}

fn attempt(peer: &mut Peer, name: &str, password: &str) -> u16 {
    peer.say(format!("USER {name}")).expect(331);
    peer.say(format!("PASS {password}")).hear().code
}

/// Fails to log in as often as one session allows.
fn use_up(server: &Server, number: u8) {
    let mut peer = server.caller_from(number);
    assert_eq!(attempt(&mut peer, "anna", "wrong"), 530);
    assert_eq!(attempt(&mut peer, "anna", "wrong"), 530);
    assert_eq!(attempt(&mut peer, "anna", "wrong"), 421);
    peer.expect_end();
}

together! { wrong_passwords_are_answered_late:
    only_replies_to_wrong_passwords_are_delayed
    too_many_failed_logins_block_only_their_address
    an_address_that_has_logged_in_before_may_log_in_while_it_is_blocked
    fifty_connections_can_try_no_more_passwords_than_one
    the_shutdown_does_not_wait_for_delayed_logins
}

fn only_replies_to_wrong_passwords_are_delayed() {
    let server = server(&["--max-login-failures", "9"]);
    let mut peer = server.caller_from(2);
    let mut least = Duration::from_millis(250);
    for _ in 0..3 {
        let since = Instant::now();
        assert_eq!(attempt(&mut peer, "anna", "wrong"), 530);
        assert!(since.elapsed() >= least, "{:?}", since.elapsed());
        least *= 2;
    }
    assert_eq!(attempt(&mut peer, "anna", "secret"), 230);
}

fn too_many_failed_logins_block_only_their_address() {
    let server = server(&[]);
    use_up(&server, 2);
    let mut refused = from(&server, 2);
    refused.expect_text(421, "wrong passwords");
    refused.expect_end();
    server.wait_for_log(&["turned-away", "127.0.0.2"]);
    // The account is not locked either.
    assert_eq!(attempt(&mut server.caller_from(3), "anna", "secret"), 230);
}

#[test]
#[ignore = "long: the first refusal lasts five seconds"]
fn a_blocked_address_may_try_again_later() {
    let server = server(&[]);
    use_up(&server, 2);
    from(&server, 2).expect(421);
    let mut place = None;
    eventually("the end of the refusal", || {
        let mut peer = from(&server, 2);
        place = (peer.hear().code == 220).then_some(peer);
        place.is_some()
    });
    assert_eq!(attempt(&mut place.unwrap(), "anna", "secret"), 230);
}

fn an_address_that_has_logged_in_before_may_log_in_while_it_is_blocked() {
    let server = server(&[]);
    assert_eq!(attempt(&mut server.caller_from(2), "anna", "secret"), 230);
    let mut inside = server.caller_from(2);
    assert_eq!(attempt(&mut inside, "anna", "secret"), 230);
    let mut guesser = server.caller_from(2);
    for code in [530, 530, 421] {
        assert_eq!(attempt(&mut guesser, "ben", "wrong"), code);
    }
    assert_eq!(attempt(&mut server.caller_from(2), "anna", "secret"), 230);
    // Other users at that address wait, and receive a reply that says so.
    let mut other = server.caller_from(2);
    other.say("USER ben").expect(331);
    other.say("PASS secret").expect_text(421, "wrong passwords");
    other.expect_end();
    inside.say("NOOP").expect(200);
}

#[test]
fn visitors_are_not_counted() {
    let server = server(&["--anonymous", "read"]);
    for _ in 0..30 {
        assert_eq!(attempt(&mut server.caller_from(2), "anonymous", "whatever"), 230);
    }
}

fn fifty_connections_can_try_no_more_passwords_than_one() {
    const ANSWERS: u32 = 12;
    let server = server(&["--max-login-failures", "1000000"]);
    let (sender, answers) = channel();
    let since = Instant::now();
    for _ in 0..50 {
        let mut stream = wire::connect_as(Ipv4Addr::new(127, 0, 0, 2).into(), server.addr());
        // A client that does not wait for its replies is not faster.
        stream.write_all("USER anna\r\nPASS wrong\r\n".repeat(20).as_bytes()).unwrap();
        let sender = sender.clone();
        thread::spawn(move || {
            let lines = BufReader::new(stream).lines().map_while(Result::ok);
            lines.filter(|line| line.starts_with("530")).try_for_each(|_| sender.send(()))
        });
    }
    for _ in 0..ANSWERS {
        answers.recv_timeout(PATIENCE).unwrap();
    }
    // The first few come at once, then four or five per second.
    let least = Duration::from_secs(1) * (ANSWERS - 5) / 5;
    assert!(since.elapsed() >= least, "{ANSWERS} answers in {:?}", since.elapsed());
}

#[test]
fn a_class_behind_one_address_logs_in_without_delay() {
    let server = server(&[]);
    thread::scope(|scope| {
        for _ in 0..60 {
            scope.spawn(|| assert_eq!(attempt(&mut server.caller_from(2), "anna", "secret"), 230));
        }
    });
}

fn the_shutdown_does_not_wait_for_delayed_logins() {
    let mut server = server(&["--max-login-failures", "1000000"]);
    let mut crowd: Vec<Peer> = (0..20).map(|_| server.caller_from(2)).collect();
    for peer in &mut crowd {
        peer.raw("USER anna\r\nPASS wrong\r\n").expect(331);
    }
    server.terminate();
    for peer in &mut crowd {
        assert!(matches!(peer.hear().code, 421 | 530));
    }
    assert_eq!(server.exit().code(), Some(0));
}
