//! The end of the server: graceful at the first signal, at once at the second.

use crate::support::wire::drain;
use crate::support::{Server, eventually};
use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

#[test]
fn sigterm_and_sigint_say_421_to_idle_sessions_and_exit_0() {
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
fn nobody_new_comes_in_meanwhile() {
    let mut server = Server::start();
    let mut peer = server.visitor();
    let data = peer.begin_with("STOR file", "content");
    server.terminate();
    eventually("a closed door", || TcpStream::connect(server.addr()).is_err());
    drop(data);
    peer.expect(226);
    assert_eq!(server.exit().code(), Some(0));
}

#[test]
fn a_second_signal_ends_it_at_once() {
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
fn transfers_have_no_more_than_the_grace() {
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
fn a_transfer_that_waits_for_its_data_connection_ends_with_the_grace_too() {
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
    // Either is in order: the answer, or word that there is none any more.
    let next = peer.hear().code;
    assert!(matches!(next, 213 | 421), "{}", peer.dialogue());
    assert_eq!(server.exit().code(), Some(0));
}
