//! Data connections: their arrangement and the check of the peer.

use crate::support::wire::{Peer, accept, connect, connect_as, drain};
use crate::support::{Server, eventually};
use std::collections::BTreeSet;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::thread;
use tempfile::TempDir;

const OTHER_ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));

fn server_with_file() -> Server {
    let server = Server::start();
    server.write("file", "content");
    server
}

fn listener() -> TcpListener {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap()
}

fn port_command(to: SocketAddr) -> String {
    let [high, low] = to.port().to_be_bytes();
    format!("PORT {},{high},{low}", to.ip().to_string().replace('.', ","))
}

/// Starts a server on IPv6, if this machine supports it.
fn server_on(host: &str) -> Option<Server> {
    TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).ok()?;
    let server = Server::launch(TempDir::new().unwrap(), host, &[]);
    server.write("file", "content");
    Some(server)
}

#[test]
fn epsv_serves_a_transfer() {
    let server = server_with_file();
    let mut peer = server.visitor();
    for form in ["EPSV", "EPSV 1"] {
        let text = peer.say(form).expect(229).text();
        let port = text.split('|').nth(3).unwrap().parse().unwrap();
        let data = connect(SocketAddr::new(server.addr().ip(), port));
        peer.say("RETR file").expect(150);
        assert_eq!(drain(data), b"content");
        peer.expect(226);
    }
}

#[test]
fn rein_closes_every_port_of_the_old_login() {
    let server = server_with_file();
    let mut peer = server.visitor();
    peer.retr("file");
    let used = peer.epsv();
    peer.retr("file");
    let unused = peer.epsv();
    peer.say("REIN").expect(220);
    for port in [used, unused] {
        assert!(TcpStream::connect(port).is_err(), "{port}");
    }
    peer.login();
    peer.say("RETR file").expect(425);
    assert_eq!(peer.retr("file"), b"content");
}

#[test]
fn a_client_that_asks_again_gets_another_port() {
    let server = server_with_file();
    let mut peer = server.visitor();
    let mut before = peer.epsv();
    for _ in 0..20 {
        let next = if before.port().is_multiple_of(2) { peer.pasv() } else { peer.epsv() };
        assert_ne!(next.port(), before.port());
        assert!(TcpStream::connect(before).is_err(), "the old port is closed");
        before = next;
    }
    let data = connect(before);
    peer.say("RETR file").expect(150);
    assert_eq!(drain(data), b"content");
    peer.expect(226);
    assert_eq!(peer.epsv(), before, "one that worked stays");
}

#[test]
fn a_passive_port_changes_after_a_while() {
    let server = server_with_file();
    let mut peer = server.visitor();
    let mut ports = BTreeSet::new();
    for _ in 0..600 {
        let port = peer.epsv();
        let data = connect(port);
        peer.say("RETR file").expect(150);
        assert_eq!(drain(data), b"content");
        peer.expect(226);
        ports.insert(port);
    }
    assert!((3..=4).contains(&ports.len()), "{ports:?}");
}

/// Another address connects together with the client, and then alone.
fn only_another_address_connects(options: &[&str]) {
    let server = Server::with(options);
    server.write("file", "content");
    let mut peer = server.visitor();
    let to = peer.epsv();
    let (stranger, data) = (connect_as(OTHER_ADDRESS, to), connect(to));
    peer.say("RETR file").expect(150);
    assert_eq!(drain(data), b"content");
    drop(stranger);
    peer.expect(226);
    let stranger = connect_as(OTHER_ADDRESS, peer.epsv());
    peer.say("RETR file").expect(150);
    peer.expect_text(425, "address other than yours");
    drop(stranger);
    eventually("a warning in the log", || server.log().contains("elsewhere"));
    let log = server.log();
    let warnings: Vec<&str> = log.lines().filter(|line| line.contains("elsewhere")).collect();
    let [warning] = warnings[..] else { panic!("one warning per session: {log}") };
    assert!(warning.contains(" warn ") && warning.contains("from=127.0.0.2"), "{warning}");
    assert!(warning.contains("expected=127.0.0.1"), "{warning}");
    assert_eq!(peer.retr("file"), b"content");
    // REIN continues the same session.
    peer.say("REIN").expect(220);
    peer.login();
    let stranger = connect_as(OTHER_ADDRESS, peer.epsv());
    peer.say("RETR file").expect(150);
    peer.expect_text(425, "address other than yours");
    drop(stranger);
    peer.say("QUIT").expect(221);
    server.wait_for_log(&["closed"]);
    assert_eq!(server.log().matches("elsewhere").count(), 1, "{}", server.log());
}

#[test]
fn an_unexpected_data_connection_is_logged_and_shortens_the_wait() {
    let hour = ["--transfer-timeout", "1h"];
    let shared = [&hour[..], &["--passive-ports", "20000-60000"]].concat();
    thread::scope(|scope| {
        scope.spawn(|| only_another_address_connects(&hour));
        scope.spawn(|| only_another_address_connects(&shared));
    });
}

#[test]
fn pasv_announces_the_address_the_client_reached() {
    let server = Server::launch(TempDir::new().unwrap(), "0.0.0.0", &["--anonymous", "read"]);
    server.write("file", "content");
    for local in [Ipv4Addr::LOCALHOST, Ipv4Addr::new(127, 0, 0, 3)] {
        let mut peer = Peer::connect(SocketAddr::new(local.into(), server.addr().port()));
        peer.expect(220);
        peer.login();
        let to = peer.pasv();
        assert_eq!(to.ip(), local);
        let data = connect_as(IpAddr::V4(Ipv4Addr::LOCALHOST), to);
        peer.say("RETR file").expect(150);
        assert_eq!(drain(data), b"content");
        peer.expect(226);
    }
}

#[test]
fn the_client_may_connect_after_the_command() {
    let server = server_with_file();
    let mut peer = server.visitor();
    let to = peer.pasv();
    peer.say("RETR file").expect(150);
    assert_eq!(drain(connect(to)), b"content");
    peer.expect(226);
}

#[test]
fn active_mode_connects_to_the_client() {
    let server = server_with_file();
    let mut peer = server.visitor();
    let listener = listener();
    let here = listener.local_addr().unwrap();
    for command in [port_command(here), format!("EPRT |1|127.0.0.1|{}|", here.port())] {
        peer.say(command).expect(200);
        peer.say("RETR file").expect(150);
        assert_eq!(drain(accept(&listener)), b"content");
        peer.expect(226);
    }
}

#[test]
fn active_mode_stores() {
    let server = Server::start();
    let mut peer = server.visitor();
    let listener = listener();
    peer.say(port_command(listener.local_addr().unwrap())).expect(200);
    peer.say("STOR new").expect(150);
    accept(&listener).write_all(b"sent").unwrap();
    peer.expect(226);
    assert_eq!(server.read("new"), b"sent");
}

#[test]
fn active_mode_connects_only_to_the_client() {
    let server = Server::start();
    let mut peer = server.visitor();
    for command in ["PORT 127,0,0,2,200,1", "PORT 10,0,0,1,200,1", "PORT 0,0,0,0,200,1"] {
        peer.say(command).expect(501);
    }
    for command in ["EPRT |1|127.0.0.2|50000|", "EPRT |2|::1|50000|", "EPRT |2|fe80::1|50000|"] {
        peer.say(command).expect(501);
    }
    peer.say("LIST").expect(425);
}

#[test]
fn ports_below_1024_are_not_connected_to() {
    let server = Server::start();
    let mut peer = server.visitor();
    peer.say("PORT 127,0,0,1,0,25").expect(501);
    peer.say("PORT 127,0,0,1,3,255").expect(501);
    peer.say("EPRT |1|127.0.0.1|1023|").expect(501);
    peer.say("EPRT |1|127.0.0.1|1024|").expect(200);
}

#[test]
fn a_refused_active_connection_is_425() {
    let server = server_with_file();
    let mut peer = server.visitor();
    // The port belongs to a connection, and nothing listens on it.
    let taken = connect(server.addr());
    peer.say(port_command(taken.local_addr().unwrap())).expect(200);
    peer.say("RETR file").expect(150);
    peer.expect(425);
    assert_eq!(peer.retr("file"), b"content");
}

#[test]
fn a_transfer_uses_up_its_arrangement() {
    let server = server_with_file();
    let mut peer = server.visitor();
    peer.say("RETR file").expect(425);
    peer.retr("file");
    for command in ["RETR file", "LIST", "NLST", "MLSD", "STOR new", "APPE new", "STOU"] {
        peer.say(command).expect(425);
    }
    assert!(!server.has("new"));
}

#[test]
fn the_last_arrangement_wins() {
    let server = server_with_file();
    let mut peer = server.visitor();
    let listener = listener();
    peer.epsv();
    peer.say(port_command(listener.local_addr().unwrap())).expect(200);
    let to = peer.epsv();
    let data = connect(to);
    peer.say("RETR file").expect(150);
    assert_eq!(drain(data), b"content");
    peer.expect(226);
}

#[test]
fn a_connection_for_an_earlier_arrangement_is_not_used() {
    let server = server_with_file();
    let mut peer = server.visitor();
    let stale = connect(peer.epsv());
    let fresh = connect(peer.epsv());
    peer.say("RETR file").expect(150);
    assert_eq!(drain(fresh), b"content");
    peer.expect(226);
    let mut nothing = Vec::new();
    let _ = std::io::Read::read_to_end(&mut { stale }, &mut nothing);
    assert!(nothing.is_empty(), "{nothing:?}");
}

#[test]
fn a_wrong_active_address_discards_the_earlier_arrangement() {
    let server = server_with_file();
    let mut peer = server.visitor();
    peer.epsv();
    peer.say("PORT 127,0,0,2,200,1").expect(501);
    peer.say("RETR file").expect(425);
}

#[test]
fn epsv_all_refuses_all_other_commands() {
    let server = server_with_file();
    let mut peer = server.visitor();
    peer.say("EPSV ALL").expect(200);
    for command in ["PASV", "PORT 127,0,0,1,200,1", "EPRT |1|127.0.0.1|50000|"] {
        peer.say(command).expect(501);
    }
    assert_eq!(peer.retr("file"), b"content");
    peer.say("REIN").expect(220);
    peer.login();
    peer.pasv();
}

#[test]
fn an_unexpected_connection_is_dropped_and_the_client_is_served() {
    let server = server_with_file();
    let mut peer = server.visitor();
    let to = peer.epsv();
    let strangers = [connect_as(OTHER_ADDRESS, to), connect_as(OTHER_ADDRESS, to)];
    let data = connect(to);
    peer.say("RETR file").expect(150);
    assert_eq!(drain(data), b"content");
    peer.expect(226);
    for stranger in strangers {
        assert!(drain(stranger).is_empty());
    }
}

#[test]
fn an_unexpected_connection_cannot_store() {
    let server = Server::start();
    let mut peer = server.visitor();
    let to = peer.epsv();
    peer.say("STOR new").expect(150);
    let mut stranger = connect_as(OTHER_ADDRESS, to);
    let _ = stranger.write_all(b"forged");
    drop(stranger);
    connect(to).write_all(b"right").unwrap();
    peer.expect(226);
    assert_eq!(server.read("new"), b"right");
}

#[test]
fn ipv6_clients_are_served() {
    let Some(server) = server_on("::1") else { return };
    let mut peer = server.visitor();
    assert_eq!(peer.retr("file"), b"content");
    peer.say("EPSV 2").expect(229);
    peer.say("EPSV 1").expect(522);
    peer.say("PASV").expect(425);
    let listener = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).unwrap();
    peer.say(format!("EPRT |2|::1|{}|", listener.local_addr().unwrap().port())).expect(200);
    peer.say("RETR file").expect(150);
    assert_eq!(drain(accept(&listener)), b"content");
    peer.expect(226);
}

#[test]
fn a_dual_stack_server_treats_ipv4_clients_as_ipv4() {
    let Some(server) = server_on("::") else { return };
    let mut peer = Peer::connect(SocketAddr::new(OTHER_ADDRESS, server.addr().port()));
    peer.expect(220);
    peer.login();
    assert_eq!(peer.pasv().ip(), OTHER_ADDRESS);
    peer.say("EPSV 2").expect(522);
    peer.say("EPSV 1").expect(229);
    assert!(peer.say("STAT").expect(211).text().contains(" 127.0.0."), "{}", peer.dialogue());
}
