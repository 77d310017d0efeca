//! `--proxy-protocol`: clients that come through a load balancer, which announces their addresses.

use crate::support::random::Random;
use crate::support::wire::{self, Peer, free_port};
use crate::support::{Server, eventually};
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Starts a server that trusts only 127.0.0.1.
fn server(options: &[&str]) -> Server {
    Server::with(&[&["--proxy-protocol", "127.0.0.1"], options].concat())
}

/// Returns a version 1 header for a client at this address.
fn line(client: &str) -> Vec<u8> {
    format!("PROXY TCP4 {client} 203.0.113.7 50000 21\r\n").into_bytes()
}

/// Returns a version 2 header with the given bytes after its command.
fn binary(command: u8, family: u8, block: &[u8]) -> Vec<u8> {
    let length = u16::try_from(block.len()).unwrap().to_be_bytes();
    [b"\r\n\r\n\0\r\nQUIT\n", &[0x20 | command, family][..], &length, block].concat()
}

fn binary_for(client: Ipv4Addr) -> Vec<u8> {
    let block = [&client.octets()[..], &[203, 0, 113, 7], &[0xc3, 0x50], &[0, 21]].concat();
    // A field that the server does not use follows.
    binary(1, 0x11, &[&block[..], &[0x02, 0, 3], b"ftp"].concat())
}

/// Connects as the load balancer and sends this header.
fn announced(server: &Server, header: impl AsRef<[u8]>) -> Peer {
    let mut peer = Peer::connect(server.addr());
    peer.raw(header);
    peer
}

/// Returns a logged-in visitor at this address.
fn visitor(server: &Server, client: &str) -> Peer {
    let mut peer = announced(server, line(client));
    peer.expect(220);
    peer.login();
    peer.say("TYPE I").expect(200);
    peer
}

/// Opens a data connection as the load balancer for this client.
fn data(to: SocketAddr, client: &str) -> TcpStream {
    let mut data = wire::connect(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), to.port()));
    data.write_all(&line(client)).unwrap();
    data
}

fn dropped(stream: &mut TcpStream) {
    assert!(matches!(stream.read(&mut [0]), Ok(0) | Err(_)));
}

/// Returns two servers: one with passive ports per session, one with shared ports.
fn both_kinds() -> [Server; 2] {
    let port = free_port();
    [server(&[]), server(&["--passive-ports", &format!("{port}-{port}")])]
}

#[test]
fn the_announced_address_is_used_as_the_client_address() {
    let server = server(&[]);
    for header in [line("192.0.2.1"), binary_for(Ipv4Addr::new(192, 0, 2, 1))] {
        let mut peer = announced(&server, header);
        peer.expect(220);
        peer.login();
        peer.say("STAT").expect_text(211, "Connected from 192.0.2.1");
        peer.say("QUIT").expect(221);
    }
    server.wait_for_log(&["connected", "peer=192.0.2.1:50000", "via=127.0.0.1:"]);
    server.wait_for_log(&["login", "peer=192.0.2.1:50000"]);
    let mut v6 = announced(&server, "PROXY TCP6 2001:db8::1 2001:db8::2 50000 21\r\n");
    v6.expect(220);
    v6.login();
    v6.say("STAT").expect_text(211, "Connected from 2001:db8::1");
    v6.say("PASV").expect(425);
    v6.say("EPSV 1").expect(522);
    v6.say("EPSV").expect(229);
}

#[test]
fn a_header_may_come_in_parts_and_together_with_the_first_commands() {
    let server = server(&[]);
    let all = [line("192.0.2.1"), b"USER anonymous\r\nPASS x\r\n".to_vec()].concat();
    for cut in [1, 5, 6, 20, 41, 42, 43, all.len()] {
        let mut peer = announced(&server, &all[..cut]);
        peer.raw(&all[cut..]);
        peer.expect(220);
        peer.expect(331);
        peer.expect(230);
    }
    let header = binary_for(Ipv4Addr::new(192, 0, 2, 1));
    let mut peer = announced(&server, "");
    for byte in &header {
        peer.raw([*byte]);
    }
    peer.expect(220);
}

#[test]
fn a_connection_without_a_header_is_closed_before_the_greeting() {
    let server = server(&[]);
    for bytes in [
        &b"USER anonymous\r\n"[..],
        b"PROXY TCP4 192.0.2.1 203.0.113.7 50000\r\n",
        b"PROXY TCP4 0.0.0.0 203.0.113.7 50000 21\r\n",
        &[b'P'; 3000],
        &[&b"PROXY "[..], &[b'x'; 3000]].concat(),
        &binary(2, 0x11, &[0; 12]),
        &binary(1, 0x11, &[0; 3]),
        &binary(0, 0, &[0; 5000])[..16],
    ] {
        let mut stream = wire::connect(server.addr());
        stream.write_all(bytes).unwrap();
        let mut said = Vec::new();
        let _ = stream.read_to_end(&mut said);
        assert_eq!(said, b"", "{}", bytes.escape_ascii());
    }
    server.wait_for_log(&["warn", "unannounced", "peer=127.0.0.1:", "PROXY protocol header"]);
    assert!(!server.log().contains("connected"));
    visitor(&server, "192.0.2.1");
}

#[test]
fn a_late_header_closes_the_connection_and_delays_no_other_client() {
    let server = server(&["--login-timeout", "1"]);
    let mut slow: Vec<Peer> = (0..20).map(|_| announced(&server, "PROXY TCP4 19")).collect();
    announced(&server, line("192.0.2.1")).expect(220);
    for peer in &mut slow {
        peer.expect_end();
    }
    server.wait_for_log(&["unannounced", "in time"]);
}

#[test]
fn the_shutdown_does_not_wait_for_headers() {
    let mut server = server(&[]);
    let _silent = announced(&server, "PROXY");
    visitor(&server, "192.0.2.1");
    server.terminate();
    assert_eq!(server.exit().code(), Some(0));
}

#[test]
fn headers_from_other_addresses_are_not_trusted() {
    let server = server(&[]);
    let mut peer = Peer::new(wire::connect_as(Ipv4Addr::new(127, 0, 0, 2).into(), server.addr()));
    peer.expect(220);
    peer.raw(line("192.0.2.1")).expect(500);
    peer.login();
    peer.say("STAT").expect_text(211, "Connected from 127.0.0.2");
}

#[test]
fn sessions_are_counted_by_the_announced_address() {
    let server = server(&["--max-sessions-per-ip", "2"]);
    let _two = [(); 2].map(|()| visitor(&server, "192.0.2.1"));
    announced(&server, line("192.0.2.1")).expect_text(421, "from your address");
    server.wait_for_log(&["turned-away", "peer=192.0.2.1:50000", "via=127.0.0.1:"]);
    let _others = ["192.0.2.2", "192.0.2.3"].map(|client| visitor(&server, client));
}

#[test]
fn the_session_limit_applies_before_the_header_arrives() {
    let server = server(&["--max-sessions", "2"]);
    let (_inside, _silent) = (visitor(&server, "192.0.2.1"), announced(&server, "PROXY"));
    // The server does not wait for a header now, so the client may or may not be able to read the
    // reply.
    let mut late = wire::connect(server.addr());
    let mut said = Vec::new();
    let _ = late.write_all(&line("192.0.2.2")).and_then(|()| late.read_to_end(&mut said));
    assert!(!said.starts_with(b"220"));
    server.wait_for_log(&["turned-away", "peer=127.0.0.1:", "Too many sessions;"]);
}

#[test]
fn brute_force_protection_applies_to_the_announced_address() {
    let server = server(&["--max-login-failures", "1", "--anonymous", "read"]);
    let mut guesser = announced(&server, line("192.0.2.1"));
    guesser.expect(220);
    guesser.say("USER anna").expect(331);
    guesser.say("PASS guess").expect(421);
    announced(&server, line("192.0.2.1")).expect_text(421, "wrong passwords");
    visitor(&server, "192.0.2.2");
}

#[test]
fn health_checks_are_neither_logged_as_warnings_nor_counted() {
    let server = server(&["--max-sessions-per-ip", "1", "--log-level", "debug"]);
    for _ in 0..5 {
        drop(wire::connect(server.addr()));
    }
    server.wait_for_log(&["probed", "peer=127.0.0.1:"]);
    let mut checks = [(); 3].map(|()| announced(&server, binary(0, 0, b"")));
    for check in &mut checks {
        check.expect(220);
        check.say("QUIT").expect(221);
    }
    eventually("their ends", || server.log().matches(" closed ").count() == 3);
    let loud = |line: &str| line.contains(" warn ") || line.contains(" info ");
    let log = server.log();
    let lines: Vec<&str> = log.lines().filter(|line| loud(line)).collect();
    assert!(!lines.iter().any(|line| line.contains("peer=127.0.0.1:")), "{lines:?}");
}

#[test]
fn an_unannounced_client_counts_as_the_balancer() {
    let server = server(&["--max-sessions-per-ip", "1"]);
    let mut peer = announced(&server, "PROXY UNKNOWN\r\n");
    peer.expect(220);
    peer.login();
    peer.say("STAT").expect_text(211, "Connected from 127.0.0.1");
    announced(&server, "PROXY UNKNOWN\r\n").expect(421);
    // The load balancer's ports are not ports of the client.
    peer.say("PORT 127,0,0,1,200,200").expect(501);
    peer.say("EPRT |1|127.0.0.1|50000|").expect(501);
}

#[test]
fn pasv_announces_the_address_the_client_connected_to_by_default() {
    visitor(&server(&[]), "192.0.2.1").say("PASV").expect_text(227, "(203,0,113,7,");
    let server = server(&["--passive-address", "192.0.2.0/24=10.0.0.5"]);
    visitor(&server, "192.0.2.1").say("PASV").expect_text(227, "(10,0,0,5,");
    visitor(&server, "198.51.100.1").say("PASV").expect_text(227, "(203,0,113,7,");
}

#[test]
fn data_goes_only_to_the_announced_address() {
    let server = server(&[]);
    server.write("file", "content");
    let mut peer = visitor(&server, "127.0.0.9");
    let listener = TcpListener::bind("127.0.0.9:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    peer.say(format!("EPRT |1|127.0.0.1|{port}|")).expect(501);
    peer.say(format!("EPRT |1|127.0.0.9|{port}|")).expect(200);
    peer.say("RETR file").expect(150);
    assert_eq!(wire::drain(wire::accept(&listener)), b"content");
    peer.expect(226);
}

#[test]
fn data_connections_through_the_balancer_belong_to_the_announced_client() {
    for server in both_kinds() {
        server.write("file", "content");
        let mut peer = visitor(&server, "192.0.2.1");
        for _ in 0..3 {
            let to = peer.pasv();
            let mut stranger = data(to, "192.0.2.2");
            let mut silent = wire::connect(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), to.port()));
            silent.write_all(b"USER anonymous\r\n").unwrap();
            peer.say("RETR file").expect(150);
            dropped(&mut stranger);
            dropped(&mut silent);
            assert_eq!(wire::drain(data(to, "192.0.2.1")), b"content");
            peer.expect(226);
        }
        // The data of an upload may follow the header in the same packet.
        let to = peer.pasv();
        let mut stream = data(to, "192.0.2.1");
        peer.say("STOR up").expect(150);
        stream.write_all(b"content").unwrap();
        drop(stream);
        peer.expect(226);
        let to = peer.pasv();
        let mut stream = wire::connect(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), to.port()));
        peer.say("STOR together").expect(150);
        stream.write_all(&[line("192.0.2.1"), b"content".to_vec()].concat()).unwrap();
        drop(stream);
        peer.expect(226);
        assert_eq!(server.read("up"), b"content");
        assert_eq!(server.read("together"), b"content");
    }
}

#[test]
fn a_client_may_connect_to_the_passive_port_directly() {
    for server in both_kinds() {
        server.write("file", "content");
        let mut peer = visitor(&server, "127.0.0.9");
        let port = peer.pasv().port();
        let to = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port);
        let mut stranger = wire::connect_as(Ipv4Addr::new(127, 0, 0, 8).into(), to);
        let data = wire::connect_as(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 9)), to);
        peer.say("RETR file").expect(150);
        assert_eq!(wire::drain(data), b"content");
        dropped(&mut stranger);
        peer.expect(226);
    }
}

#[test]
fn silent_connections_delay_no_transfer() {
    for server in both_kinds() {
        server.write("file", "content");
        let mut peer = visitor(&server, "192.0.2.1");
        let to = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), peer.pasv().port());
        let _silent: Vec<TcpStream> = (0..10).map(|_| wire::connect(to)).collect();
        let mut late = wire::connect(to);
        late.write_all(b"PROXY TCP4 192.").unwrap();
        peer.say("RETR file").expect(150);
        peer.say("STAT").expect(213);
        late.write_all(b"0.2.1 203.0.113.7 50000 21\r\n").unwrap();
        assert_eq!(wire::drain(late), b"content");
        peer.expect(226);
    }
}

#[test]
fn a_balancer_with_other_clients_or_no_header_ends_the_wait() {
    let kinds: [(&[u8], &str); 3] = [
        (b"PROXY TCP4 192.0.2.2 203.0.113.7 50000 21\r\n", "from=192.0.2.2"),
        (b"USER anonymous\r\n", "from=127.0.0.1"),
        (b"", "from=127.0.0.1"),
    ];
    thread::scope(|scope| {
        for (said, told) in kinds {
            for server in both_kinds() {
                scope.spawn(move || {
                    server.write("file", "content");
                    let mut peer = visitor(&server, "192.0.2.1");
                    let to = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), peer.pasv().port());
                    let mut other = wire::connect(to);
                    other.write_all(said).unwrap();
                    peer.say("RETR file").expect(150);
                    peer.expect_text(425, "address other than yours");
                    eventually("a warning in the log", || {
                        let log = server.log();
                        log.contains("data-from-elsewhere") && log.contains(told)
                    });
                });
            }
        }
    });
}

#[test]
fn one_port_serves_many_clients_of_a_balancer_at_once() {
    let port = free_port();
    let server = server(&["--passive-ports", &format!("{port}-{port}")]);
    let clients: Vec<String> = (1..=20).map(|n| format!("192.0.2.{n}")).collect();
    for client in &clients {
        server.write(client, client.repeat(1000));
    }
    thread::scope(|scope| {
        for client in &clients {
            let server = &server;
            scope.spawn(move || {
                let mut peer = visitor(server, client);
                for round in 0..10 {
                    let to = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), peer.pasv().port());
                    let mut data = wire::connect(to);
                    let header = line(client);
                    // The connection comes before or after the command, in one piece or in two.
                    let (early, rest) =
                        header.split_at(if round % 2 == 0 { header.len() } else { 9 });
                    data.write_all(early).unwrap();
                    peer.say(format!("RETR {client}")).expect(150);
                    data.write_all(rest).unwrap();
                    assert_eq!(wire::drain(data), client.repeat(1000).as_bytes());
                    peer.expect(226);
                }
            });
        }
    });
}

#[test]
fn a_connection_accepted_for_another_session_is_kept() {
    let port = free_port();
    let server = server(&["--passive-ports", &format!("{port}-{port}")]);
    server.write("file", "content");
    let (mut first, mut second) = (visitor(&server, "192.0.2.1"), visitor(&server, "192.0.2.2"));
    let to = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), first.pasv().port());
    second.pasv();
    first.say("RETR file").expect(150);
    let mut data = wire::connect(to);
    data.write_all(b"PROXY ").unwrap();
    // The first session, the only one that waits, has accepted the connection; then its transfer
    // is interrupted.
    first.say("STAT").expect(213);
    first.say("ABOR").expect(426);
    first.expect(226);
    second.say("RETR file").expect(150);
    data.write_all(&line("192.0.2.2")[6..]).unwrap();
    assert_eq!(wire::drain(data), b"content");
    second.expect(226);
}

#[test]
fn a_reload_changes_the_trusted_balancers() {
    let dir = tempfile::TempDir::new().unwrap();
    let file = dir.path().join("conf");
    std::fs::write(&file, "proxy-protocol = 192.0.2.1\nproxy-protocol = 127.0.0.1\n").unwrap();
    let server = Server::with(&["--config", file.to_str().unwrap()]);
    let mut before = visitor(&server, "192.0.2.1");
    std::fs::write(&file, "proxy-protocol = 192.0.2.1\n").unwrap();
    server.signal("HUP");
    server.wait_for_log(&["reloaded", "problems=0"]);
    server.visitor().say("STAT").expect_text(211, "Connected from 127.0.0.1");
    before.say("STAT").expect_text(211, "Connected from 192.0.2.1");
}

/// Sends this in two pieces, and returns everything that is received.
fn say_anything(server: &Server, bytes: &[u8], cut: usize) -> Vec<u8> {
    let mut stream = wire::connect(server.addr());
    let (one, other) = bytes.split_at(cut);
    let mut said = Vec::new();
    // The server may close the connection at any time.
    let _ = stream.write_all(one).and_then(|()| stream.write_all(other));
    let _ = stream.shutdown(std::net::Shutdown::Write);
    let _ = stream.read_to_end(&mut said);
    said
}

#[test]
fn malformed_headers_do_not_stop_the_server() {
    const ROUNDS: u64 = 100;
    let server = server(&["--log-level", "debug"]);
    let samples = [
        line("192.0.2.1"),
        b"PROXY UNKNOWN\r\n".to_vec(),
        binary(0, 0, b""),
        binary_for(Ipv4Addr::new(192, 0, 2, 1)),
    ];
    let greeted = AtomicUsize::new(0);
    thread::scope(|scope| {
        for seed in 0..4 {
            let (server, samples, greeted) = (&server, &samples, &greeted);
            scope.spawn(move || {
                let mut random = Random(seed);
                for _ in 0..ROUNDS {
                    let mut bytes = samples[random.index(samples.len())].clone();
                    for _ in 0..random.below(3) {
                        let at = random.index(bytes.len());
                        bytes[at] = random.number() as u8;
                    }
                    bytes.truncate(bytes.len() - random.index(3) * random.index(bytes.len()) / 3);
                    let cut = random.index(bytes.len() + 1);
                    let said = say_anything(server, &bytes, cut);
                    assert!(said.is_empty() || said.starts_with(b"220 "), "{said:?}");
                    greeted.fetch_add(usize::from(!said.is_empty()), Ordering::Relaxed);
                }
            });
        }
    });
    // Otherwise the test would prove nothing.
    assert!((40..360).contains(&greeted.into_inner()));
    assert!(!server.log().contains("panic"));
    let mut peer = visitor(&server, "192.0.2.1");
    peer.say("QUIT").expect(221);
}
