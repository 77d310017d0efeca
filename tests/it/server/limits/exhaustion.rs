//! Out of descriptors or threads: who is inside is served, nobody spins or writes the log full, and
//! it passes by itself.

use crate::support::wire::{Peer, connect};
use crate::support::{Server, comes_in, eventually, noise};
use std::net::{Ipv4Addr, TcpListener, TcpStream};

const DESCRIPTORS: usize = 64;

/// Connections that have taken all descriptors there were, and the one that got none.
struct Crowd {
    inside: Vec<TcpStream>,
    outside: TcpStream,
}

/// How many of the descriptors it may have are open; some that it was born with may be beyond.
fn taken(server: &Server) -> usize {
    let open = std::fs::read_dir(format!("/proc/{}/fd", server.pid())).unwrap();
    let number = |entry: std::fs::DirEntry| entry.file_name().to_str()?.parse::<usize>().ok();
    open.flatten().filter_map(number).filter(|number| *number < DESCRIPTORS).count()
}

/// The beginning of what the server has said by now.
fn heard(stream: &TcpStream) -> Option<[u8; 3]> {
    let mut code = [0; 3];
    stream.peek(&mut code).is_ok_and(|length| length == 3).then_some(code)
}

/// Connects, and waits until it is greeted; `Err` once the server has no place left.
fn enter(server: &Server) -> Result<TcpStream, TcpStream> {
    let stream = connect(server.addr());
    stream.set_nonblocking(true).unwrap();
    // A thread that begins has a descriptor for a moment, so that a refusal alone says little.
    let is_full = || taken(server) == DESCRIPTORS;
    let refused = || is_full() && server.log().contains("exhausted");
    eventually("a greeting or a refusal", || heard(&stream).is_some() || refused());
    if heard(&stream) == Some(*b"220") { Ok(stream) } else { Err(stream) }
}

/// Connects until the server has no place left.
fn exhaust(server: &Server) -> Crowd {
    let mut inside = Vec::new();
    loop {
        match enter(server) {
            Ok(stream) => inside.push(stream),
            Err(outside) if taken(server) == DESCRIPTORS => return Crowd { inside, outside },
            // Sent away while a thread that began had one more descriptor than it keeps.
            Err(_) => {}
        }
    }
}

/// The same, and then leaves one descriptor.
fn exhaust_but_one(server: &Server) -> Crowd {
    let before = server.threads();
    let mut crowd = exhaust(server);
    drop(crowd.inside.pop());
    eventually("an answer to who was outside", || heard(&crowd.outside).is_some());
    drop(crowd.inside.pop());
    let came_in = heard(&crowd.outside) == Some(*b"220");
    let sessions = crowd.inside.len() + usize::from(came_in);
    eventually("the end of two sessions", || server.threads() == before + sessions);
    while taken(server) < DESCRIPTORS - 1 {
        crowd.inside.extend(enter(server));
    }
    crowd
}

fn server_with_old_file(options: &[&str]) -> Server {
    let server = Server::limited(&format!("-n {DESCRIPTORS}"), options);
    server.write("old", "old");
    server.make_dir("dir");
    server
}

/// A failure that may pass, and a session that goes on.
fn expect_for_now(peer: &mut Peer, command: &str) {
    let code = peer.say(command).hear().code;
    let code = if code == 150 { peer.hear().code } else { code };
    if !(400..500).contains(&code) || code == 421 {
        peer.fail("expected a failure that may pass");
    }
    peer.say("NOOP").expect(200);
}

const TRANSFERS: [&str; 8] =
    ["RETR old", "STOR old", "STOR new", "APPE old", "STOU", "LIST", "NLST", "MLSD"];

fn assert_untouched(server: &Server) {
    assert_eq!(server.read("old"), b"old");
    assert_eq!(server.partials(""), 0);
    assert!(!server.has("new"));
}

#[test]
fn out_of_descriptors_every_command_is_answered() {
    let server = server_with_old_file(&[]);
    let mut peer = server.visitor();
    let before = server.footprint();
    let crowd = exhaust(&server);
    for command in ["EPSV", "PASV"] {
        peer.say(command).expect(425);
    }
    for command in ["CWD dir", "SITE MKDIR dir/new", "HASH old", "AVBL", "STAT ."] {
        expect_for_now(&mut peer, command);
    }
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    for command in TRANSFERS {
        peer.say(format!("EPRT |1|127.0.0.1|{port}|")).expect(200);
        expect_for_now(&mut peer, command);
    }
    assert_untouched(&server);
    drop(crowd);
    eventually("all to be given back", || server.footprint() == before);
    peer.stor("new", "content");
    assert_eq!(server.visitor().retr("new"), b"content");
}

#[test]
fn a_data_connection_that_cannot_be_accepted_is_425() {
    let server = server_with_old_file(&[]);
    let mut peer = server.visitor();
    let to = peer.epsv();
    // For the file, and none for the connection.
    let _crowd = exhaust_but_one(&server);
    for command in TRANSFERS {
        let _data = connect(to);
        eventually("a descriptor", || taken(&server) == DESCRIPTORS - 1);
        expect_for_now(&mut peer, command);
        // What was arranged before is kept for the session and needs none.
        assert_eq!(peer.epsv(), to);
    }
    assert_untouched(&server);
}

/// How long the thread that accepts has run, in hundredths of a second.
fn accepting_for(server: &Server) -> u64 {
    let pid = server.pid();
    let stat = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/stat")).unwrap();
    // After the name, which may hold anything, utime and stime are the twelfth and thirteenth.
    let (_, fields) = stat.rsplit_once(')').unwrap();
    fields.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<u64>().unwrap()).sum()
}

#[test]
fn out_of_descriptors_it_neither_spins_nor_fills_the_log() {
    let server = server_with_old_file(&["--transfer-timeout", "1"]);
    let mut peer = server.visitor();
    // Stands still for a second, which is our clock.
    let _data = peer.begin_with("STOR old", "half");
    let _crowd = exhaust(&server);
    let _more: Vec<_> = (0..200).map(|_| connect(server.addr())).collect();
    let before = accepting_for(&server);
    peer.expect(426);
    let ran = accepting_for(&server) - before;
    assert!(ran < 30, "the accepting thread ran for {ran} hundredths of a second");
    let errors = server.log().lines().filter(|line| line.contains(" error ")).count();
    assert!(errors <= 3, "{errors} lines");
}

/// Threads are counted by user, and root may have any number.
#[test]
#[ignore = "needs root, setpriv and prlimit"]
fn a_server_out_of_threads_serves_again_when_some_are_free() {
    let server = Server::unprivileged("prlimit --pid $$ --nproc=16", &[]);
    let mut first = server.visitor();
    // With its listener, which the session keeps.
    first.epsv();
    let before = server.footprint();
    let crowd: Vec<_> = (0..40).map(|_| Peer::connect(server.addr())).collect();
    server.wait_for_log(&["exhausted"]);
    first.stor("file", "content");
    let errors = server.log().lines().filter(|line| line.contains(" error ")).count();
    assert!(errors <= 3, "{errors} lines");
    drop(crowd);
    eventually("all to be given back", || server.footprint() == before);
    assert_eq!(server.visitor().retr("file"), b"content");
}

/// An allocation that fails would end the program, so clients are sent away before.
#[test]
fn a_server_short_of_memory_serves_who_is_in_and_later_others_again() {
    let server = Server::limited("-v 150000", &[]);
    server.write_sparse("large", 8 << 20);
    let mut first = server.visitor();
    let mut crowd = Vec::new();
    let full = (0..2000).any(|_| {
        let mut peer = Peer::connect(server.addr());
        let code = peer.hear().code;
        crowd.push(peer);
        code == 421
    });
    assert!(full, "there was room for all of them");
    server.wait_for_log(&["exhausted", "memory"]);
    assert_eq!(first.retr("large").len(), 8 << 20);
    first.stor("file", noise(3_000_000, 5));
    assert!(first.list("LIST").contains("large"));
    drop(crowd);
    comes_in(server.addr()).login().say("NOOP").expect(200);
}
