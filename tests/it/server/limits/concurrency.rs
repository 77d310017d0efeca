//! Many clients at once, and the release of their resources afterwards.

use crate::support::{Server, connect_when_admitted, eventually, noise};
use std::io::Write;
use std::thread;

const CLIENTS: u64 = 64;
const SIZE: usize = 4 << 20;

#[test]
fn sixty_four_clients_store_and_retrieve_their_own_files() {
    let server = Server::start();
    // After the first greeting, all resources of the server itself are allocated.
    let _witness = server.caller();
    let before = server.footprint();
    thread::scope(|scope| {
        for client in 0..CLIENTS {
            let server = &server;
            scope.spawn(move || store_and_retrieve(server, client));
        }
    });
    eventually("the release of threads and descriptors", || server.footprint() == before);
    assert_eq!(server.partials(""), 0);
}

fn store_and_retrieve(server: &Server, client: u64) {
    let bytes = noise(SIZE, client + 1);
    let name = format!("file of {client}");
    let mut peer = server.visitor();
    peer.stor(&name, &bytes);
    assert!(peer.retr(&name) == bytes, "client {client}");
    peer.say("QUIT").expect(221);
}

#[test]
fn clients_that_disconnect_abruptly_leave_no_resources() {
    let server = Server::start();
    server.write_sparse("large", 64 << 20);
    let _witness = server.caller();
    let before = server.footprint();
    for _ in 0..10 {
        drop(server.caller());
        drop(server.visitor());
        let mut waiting = server.visitor();
        waiting.epsv();
        let mut reading = server.visitor();
        let _download = reading.begin("RETR large");
        let mut writing = server.visitor();
        writing.begin("STOR new").write_all(b"half").unwrap();
    }
    eventually("the release of threads and descriptors", || server.footprint() == before);
}

/// The system limits the number of mappings, and a signal stack for each thread would take two more.
#[cfg(target_os = "linux")]
#[test]
fn a_session_takes_two_memory_mappings() {
    /// Heaps of the C library, each of two mappings, which many sessions share.
    const HEAPS: usize = 16;
    let server = Server::start();
    let _witness = server.visitor();
    let before = server.mappings();
    let sessions: Vec<_> = (0..CLIENTS).map(|_| server.visitor()).collect();
    let added = server.mappings() - before;
    assert!(added <= 2 * (sessions.len() + HEAPS), "{added} mappings");
}

#[test]
fn an_idle_session_delays_no_other_session() {
    let server = Server::start();
    server.write_sparse("large", 256 << 20);
    let mut stuck = server.visitor();
    let _unread = stuck.begin("RETR large");
    let mut half = server.caller();
    half.raw("USER anon");
    let mut peer = server.visitor();
    peer.stor("file", "content");
    assert_eq!(peer.retr("file"), b"content");
    half.raw("ymous\r\n").expect(331);
}

#[test]
fn a_burst_of_connections_is_greeted() {
    let server = Server::start();
    let streams: Vec<_> =
        (0..300).map(|_| crate::support::wire::Peer::connect(server.addr())).collect();
    for mut peer in streams {
        peer.expect(220);
    }
}

#[test]
fn a_thousand_small_transfers_follow_each_other_in_one_session() {
    let server = Server::start();
    let mut peer = server.visitor();
    for round in 0..1000_u32 {
        peer.stor("file", round.to_le_bytes());
        assert_eq!(peer.retr("file"), round.to_le_bytes());
    }
}

#[test]
fn directories_may_change_while_they_are_listed() {
    let server = Server::start();
    (0..200).for_each(|n| server.write(format!("stays {n}"), ""));
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut peer = server.visitor();
            for round in 0..100 {
                peer.say(format!("MKD goes {round}")).expect(257);
                peer.say(format!("RMD goes {round}")).expect(250);
            }
        });
        let mut peer = server.visitor();
        for _ in 0..50 {
            let listing = peer.list("LIST");
            assert_eq!(listing.lines().filter(|line| line.contains("stays")).count(), 200);
        }
    });
}

#[test]
fn a_server_out_of_descriptors_serves_again_when_some_are_free() {
    let server = Server::with_descriptors(48);
    let mut first = server.visitor();
    let crowd: Vec<_> =
        (0..100).map(|_| crate::support::wire::Peer::connect(server.addr())).collect();
    server.wait_for_log(&["exhausted", "Too many open files"]);
    first.say("NOOP").expect(200);
    drop(crowd);
    connect_when_admitted(server.addr()).login().stor("file", "content");
    assert_eq!(first.retr("file"), b"content");
}
