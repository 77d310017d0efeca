//! `--passive-ports` and `--passive-address`.

use crate::support::Server;
use crate::support::wire::{self, Peer, free_port};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::thread;

fn caller(server: &Server, from: IpAddr) -> Peer {
    let mut peer = Peer::new(wire::connect_as(from, server.addr()));
    peer.expect(220);
    peer.login();
    peer
}

fn address(number: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(127, 0, 0, number))
}

#[test]
fn passive_ports_are_always_in_the_range() {
    let port = free_port();
    let server = Server::with(&["--passive-ports", &format!("{port}-{port}")]);
    server.write("a", "content");
    let mut peer = server.visitor();
    for _ in 0..20 {
        assert_eq!(peer.pasv().port(), port);
        assert_eq!(peer.epsv().port(), port);
        assert_eq!(peer.retr("a"), b"content");
    }
}

#[test]
fn one_port_serves_transfers_of_many_addresses_at_once() {
    let port = free_port();
    let server = Server::with(&["--passive-ports", &format!("{port}-{port}")]);
    for number in 1..=20u8 {
        server.write(format!("file{number}"), vec![number; 5000]);
    }
    thread::scope(|scope| {
        for number in 1..=20u8 {
            let server = &server;
            scope.spawn(move || {
                let mut peer = caller(server, address(number));
                peer.say("TYPE I").expect(200);
                for _ in 0..10 {
                    let to: SocketAddr = peer.epsv();
                    let data = wire::connect_as(address(number), to);
                    peer.say(format!("RETR file{number}")).expect(150);
                    assert_eq!(wire::drain(data), vec![number; 5000]);
                    peer.expect(226);
                }
            });
        }
    });
}

#[test]
fn two_sessions_of_one_address_take_turns_on_one_port() {
    let port = free_port();
    let server = Server::with(&["--passive-ports", &format!("{port}-{port}")]);
    server.write("a", "content");
    let (mut first, mut second) = (server.visitor(), server.visitor());
    let to = first.epsv();
    second.say("EPSV");
    // The second session waits until the first has its connection.
    let data = wire::connect(to);
    first.say("RETR a").expect(150);
    second.expect(229);
    assert_eq!(wire::drain(data), b"content");
    first.expect(226);
    let data = wire::connect(to);
    second.say("RETR a").expect(150);
    assert_eq!(wire::drain(data), b"content");
    second.expect(226);
}

#[test]
fn abor_ends_the_wait_for_a_shared_port() {
    let port = free_port();
    let server = Server::with(&["--passive-ports", &format!("{port}-{port}")]);
    server.write("a", "content");
    let mut peer = server.visitor();
    peer.epsv();
    peer.say("RETR a").expect(150);
    peer.say("ABOR").expect(426);
    peer.expect(226);
    assert_eq!(peer.retr("a"), b"content");
}

#[test]
fn the_announced_address_is_only_in_the_227() {
    for (host, announced) in [("203.0.113.7", "203,0,113,7"), ("localhost", "127,0,0,1")] {
        let server = Server::with(&["--passive-address", host]);
        let mut peer = server.visitor();
        peer.say("PASV").expect_text(227, &format!("({announced},"));
        peer.say("EPSV").expect_text(229, "(|||");
    }
}

/// A name that no name server resolves.
const NO_NAME: &str = "no-such-host.invalid";

#[test]
fn an_unresolved_name_affects_only_pasv_in_its_network() {
    let elsewhere = format!("{NO_NAME},127.0.0.2=10.0.0.6");
    let server = Server::with(&["--passive-address", &elsewhere]);
    server.wait_for_log(&["warn", "passive-address-unknown", NO_NAME]);
    server.write("file", "content");
    let mut peer = server.visitor();
    peer.say("PASV").expect_text(425, "EPSV");
    assert_eq!(peer.retr("file"), b"content");
    caller(&server, address(2)).say("PASV").expect_text(227, "(10,0,0,6,");
    // A reload that cannot resolve it either reports that.
    server.signal("HUP");
    server.wait_for_log(&["not-reloaded", NO_NAME]);
    peer.say("PASV").expect(425);
}

#[test]
fn check_reports_a_name_that_cannot_be_resolved() {
    let mut check = assert_cmd::Command::new(env!("CARGO_BIN_EXE_ftp_server"));
    let output =
        check.args(["check", "--root", ".", "--passive-address", NO_NAME]).assert().code(1);
    let told = String::from_utf8(output.get_output().stderr.clone()).unwrap();
    assert!(told.contains(NO_NAME) && told.contains("425"), "{told}");
}

#[test]
fn an_ipv6_passive_address_prevents_the_start() {
    for address in ["::1", "0.0.0.0", "300.1.1.1"] {
        let mut start = assert_cmd::Command::new(env!("CARGO_BIN_EXE_ftp_server"));
        let options = ["--port=0", "--host=127.0.0.1", "--root=.", "--passive-address", address];
        let output = start.timeout(crate::support::PATIENCE).args(options).assert().code(1);
        let told = String::from_utf8(output.get_output().stderr.clone()).unwrap();
        assert!(told.contains("--passive-address") && told.contains(address), "{told}");
    }
}

#[test]
fn clients_of_a_network_get_another_passive_address() {
    let server = Server::with(&[
        "--passive-address",
        "203.0.113.7",
        "--passive-address=127.0.0.0/30=10.0.0.5,127.0.0.2=10.0.0.6",
    ]);
    for (client, told) in [(9, "203,0,113,7"), (3, "10,0,0,5"), (2, "10,0,0,6")] {
        caller(&server, address(client)).say("PASV").expect_text(227, &format!("({told},"));
    }
    let server = Server::with(&["--passive-address", "127.0.0.2=10.0.0.6"]);
    caller(&server, address(2)).say("PASV").expect_text(227, "(10,0,0,6,");
    caller(&server, address(3)).say("PASV").expect_text(227, "(127,0,0,1,");
}
