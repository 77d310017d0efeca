//! Without free descriptors or threads, existing sessions are served, the server neither spins nor
//! fills the log, and it recovers by itself.

use crate::support::wire::{Peer, connect};
use crate::support::{Server, connect_when_admitted, eventually, noise};
use std::net::{Ipv4Addr, TcpListener, TcpStream};

const DESCRIPTORS: usize = 64;

/// Connections that use up all descriptors, and the first one that was rejected.
struct Crowd {
    inside: Vec<TcpStream>,
    outside: TcpStream,
}

/// Returns the number of the server's open descriptors below its limit; inherited ones may be
/// above.
fn taken(server: &Server) -> usize {
    let open = std::fs::read_dir(format!("/proc/{}/fd", server.pid())).unwrap();
    let number = |entry: std::fs::DirEntry| entry.file_name().to_str()?.parse::<usize>().ok();
    open.flatten().filter_map(number).filter(|number| *number < DESCRIPTORS).count()
}

/// Returns the first bytes that the server has sent so far.
fn heard(stream: &TcpStream) -> Option<[u8; 3]> {
    let mut code = [0; 3];
    stream.peek(&mut code).is_ok_and(|length| length == 3).then_some(code)
}

/// Connects and waits for the greeting; `Err` if the server rejects the connection.
fn enter(server: &Server) -> Result<TcpStream, TcpStream> {
    let stream = connect(server.addr());
    stream.set_nonblocking(true).unwrap();
    // A starting thread briefly needs a descriptor, so a single rejection proves nothing.
    let is_full = || taken(server) == DESCRIPTORS;
    let refused = || is_full() && server.log().contains("exhausted");
    eventually("a greeting or a refusal", || heard(&stream).is_some() || refused());
    if heard(&stream) == Some(*b"220") { Ok(stream) } else { Err(stream) }
}

/// Connects until the server rejects a connection.
fn exhaust(server: &Server) -> Crowd {
    let mut inside = Vec::new();
    loop {
        match enter(server) {
            Ok(stream) => inside.push(stream),
            Err(outside) if taken(server) == DESCRIPTORS => return Crowd { inside, outside },
            // This one was rejected while a starting thread briefly used one more descriptor.
            Err(_) => {}
        }
    }
}

/// Connects until the server is out of descriptors, and then closes one connection.
fn exhaust_but_one(server: &Server) -> Crowd {
    let before = server.threads();
    let mut crowd = exhaust(server);
    drop(crowd.inside.pop());
    eventually("a reply to the rejected client", || heard(&crowd.outside).is_some());
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

/// Checks that a command fails temporarily and the session continues.
fn expect_for_now(peer: &mut Peer, command: &str) {
    let code = peer.say(command).hear().code;
    let code = if code == 150 { peer.hear().code } else { code };
    if !(400..500).contains(&code) || code == 421 {
        peer.fail("expected a temporary failure");
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
    eventually("the release of all resources", || server.footprint() == before);
    peer.stor("new", "content");
    assert_eq!(server.visitor().retr("new"), b"content");
}

#[test]
fn a_data_connection_that_cannot_be_accepted_is_425() {
    let server = server_with_old_file(&[]);
    let mut peer = server.visitor();
    let to = peer.epsv();
    // There is one descriptor for the file, and none for the data connection.
    let _crowd = exhaust_but_one(&server);
    for command in TRANSFERS {
        let _data = connect(to);
        eventually("a descriptor", || taken(&server) == DESCRIPTORS - 1);
        expect_for_now(&mut peer, command);
        // The listener that was arranged before is kept for the session.
        assert_eq!(peer.epsv(), to);
    }
    assert_untouched(&server);
}

/// Returns the processor time of the accepting thread, in hundredths of a second.
fn accepting_for(server: &Server) -> u64 {
    let pid = server.pid();
    let stat = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/stat")).unwrap();
    // After the name, which may contain anything, utime and stime are the fields 12 and 13.
    let (_, fields) = stat.rsplit_once(')').unwrap();
    fields.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<u64>().unwrap()).sum()
}

#[test]
fn out_of_descriptors_the_server_neither_spins_nor_fills_the_log() {
    let server = server_with_old_file(&["--transfer-timeout", "1"]);
    let mut peer = server.visitor();
    // Waits for a second of real time.
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

/// The system counts threads by user, and does not limit root.
#[test]
#[ignore = "needs root, setpriv and prlimit"]
fn a_server_out_of_threads_serves_again_when_some_are_free() {
    let server = Server::unprivileged("prlimit --pid $$ --nproc=16", &[]);
    let mut first = server.visitor();
    // The footprint includes the listener, which the session keeps.
    first.epsv();
    let before = server.footprint();
    let crowd: Vec<_> = (0..40).map(|_| Peer::connect(server.addr())).collect();
    server.wait_for_log(&["exhausted"]);
    first.stor("file", "content");
    let errors = server.log().lines().filter(|line| line.contains(" error ")).count();
    assert!(errors <= 3, "{errors} lines");
    drop(crowd);
    eventually("the release of all resources", || server.footprint() == before);
    assert_eq!(server.visitor().retr("file"), b"content");
}

/// A failed allocation would abort the program, so connections are rejected before.
#[test]
fn a_server_short_of_memory_serves_existing_sessions_and_recovers() {
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
    connect_when_admitted(server.addr()).login().say("NOOP").expect(200);
}
