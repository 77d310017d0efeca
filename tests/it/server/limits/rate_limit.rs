//! Rate limits: a limited transfer reacts to ABOR and to the shutdown, and the ignored tests
//! measure the rates.

use crate::support::wire::{Peer, connect_as, drain};
use crate::support::{Server, together};
use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

/// More data than any rate here allows in a second.
const LARGE: u64 = 64 * 1024 * 1024;

/// Starts a server with a rate limit of a few bytes per second.
fn limited_server(option: &str) -> Server {
    let server = Server::with(&[option, "1", "--transfer-timeout", "1s"]);
    server.write_sparse("large", LARGE);
    server
}

const LIMITS: [&str; 3] = ["--rate-limit", "--rate-limit-per-ip", "--rate-limit-total"];

together! { rates_hold_back:
    a_rate_limited_transfer_is_not_stalled
    removing_a_rate_limit_wakes_waiting_transfers
    a_rate_limited_transfer_can_be_aborted
    the_shutdown_does_not_wait_for_rate_limits
}

fn a_rate_limited_transfer_can_be_aborted() {
    for option in LIMITS {
        let server = limited_server(option);
        let mut peer = server.visitor();
        let data = peer.begin("RETR large");
        peer.say("NOOP").expect(200);
        peer.say("ABOR").expect(426);
        peer.expect(226);
        assert!(drain(data).len() < 1000);
        let mut data = peer.begin("STOR new");
        data.write_all(&[7; 10_000]).unwrap();
        peer.say("STAT").expect(213);
        peer.say("ABOR").expect(426);
        peer.expect(226);
        assert!(server.partial_sizes("").iter().all(|size| *size < 1000));
    }
}

fn the_shutdown_does_not_wait_for_rate_limits() {
    let mut server = Server::with(&["--rate-limit", "1", "--shutdown-grace", "0"]);
    server.write_sparse("large", LARGE);
    let mut peer = server.visitor();
    let data = peer.begin("RETR large");
    server.terminate();
    peer.expect(426);
    drop(data);
    assert!(server.exit().success());
}

fn removing_a_rate_limit_wakes_waiting_transfers() {
    let dir = tempfile::TempDir::new().unwrap();
    let config = dir.path().join("config");
    std::fs::write(&config, "rate-limit-total = 1\nrate-limit-per-ip = 1\n").unwrap();
    let server = Server::with(&["--config", config.to_str().unwrap()]);
    server.write_sparse("large", LARGE);
    let mut peer = server.visitor();
    let data = peer.begin("RETR large");
    std::fs::write(&config, "").unwrap();
    server.signal("HUP");
    assert_eq!(drain(data).len() as u64, LARGE);
    peer.expect(226);
}

fn a_rate_limited_transfer_is_not_stalled() {
    // The second piece moves later than the transfer timeout.
    let server = Server::with(&["--rate-limit", "40", "--transfer-timeout", "1s"]);
    server.write("file", [7; 128]);
    assert_eq!(server.visitor().retr("file").len(), 128);
}

#[test]
fn rate_limits_apply_to_listings() {
    let server = Server::with(&["--rate-limit", "1"]);
    (0..50).for_each(|number| server.write(format!("file{number}"), ""));
    let mut peer = server.visitor();
    let data = peer.begin("LIST");
    peer.say("ABOR").expect(426);
    peer.expect(226);
    assert!(drain(data).len() <= 64);
}

/// Returns the number of bytes that an endless transfer moved in this time.
fn moved_in(length: Duration, data: &mut TcpStream) -> u64 {
    let (started, mut moved) = (Instant::now(), 0);
    let mut buffer = vec![0; 64 * 1024];
    while started.elapsed() < length {
        moved += data.read(&mut buffer).unwrap() as u64;
    }
    moved
}

/// Checks that a ratio is within 5 % of 1 in one of several tries, because the machine may be
/// busy.
fn assert_near(what: &str, ratio: impl FnMut() -> f64) {
    let near = |ratio: &f64| (0.95..=1.05).contains(ratio);
    let mut seen = Vec::new();
    let mut tries = std::iter::repeat_with(ratio).take(5).inspect(|ratio| seen.push(*ratio));
    let found = tries.by_ref().any(|ratio| near(&ratio));
    drop(tries);
    println!("{what}: {seen:.3?}");
    assert!(found, "{what}: {seen:?}");
}

#[test]
#[ignore = "needs a quiet machine and a minute"]
fn any_rate_is_kept() {
    const SECONDS: u64 = 4;
    for rate in [1 << 10, 64 << 10, 1 << 20, 100 << 20, 1 << 30] {
        let text = rate.to_string();
        let server = Server::with(&["--rate-limit", &text]);
        server.write_sparse("large", rate * SECONDS * 4);
        let expected = (rate * SECONDS) as f64;
        // In memory, whose pages a virtual machine may have to request; that is slower than the
        // rate.
        let file = File::open(server.path("large")).unwrap();
        io::copy(&mut file.take(rate * SECONDS + rate), &mut io::sink()).unwrap();
        assert_near(&format!("download at {rate}"), || {
            let mut peer = server.visitor();
            let mut data = peer.begin("RETR large");
            moved_in(Duration::from_secs(SECONDS), &mut data) as f64 / expected
        });
        if rate >= 100 << 20 {
            continue;
        }
        assert_near(&format!("upload at {rate}"), || {
            let mut peer = server.visitor();
            let started = Instant::now();
            let bytes = vec![7; (rate * SECONDS) as usize];
            peer.stor("new", bytes);
            SECONDS as f64 / started.elapsed().as_secs_f64()
        });
        assert_near(&format!("small files at {rate}"), || {
            server.write("small", vec![7; (rate / 32) as usize]);
            let mut peer = server.visitor();
            let started = Instant::now();
            let mut moved = 0;
            while started.elapsed() < Duration::from_secs(SECONDS) {
                moved += peer.retr("small").len();
            }
            moved as f64 / rate as f64 / started.elapsed().as_secs_f64()
        });
    }
}

fn visitor_from(server: &Server, last: u8) -> Peer {
    let local = IpAddr::V4(Ipv4Addr::new(127, 0, 1, last));
    let mut peer = Peer::new(connect_as(local, server.addr()));
    peer.expect(220);
    peer.login();
    peer.say("TYPE I").expect(200);
    peer
}

/// Returns the bytes received in this time from each of these addresses, with one session per
/// entry.
fn race(server: &Server, addresses: &[u8], length: Duration) -> Vec<u64> {
    let mut transfers: Vec<(Peer, TcpStream)> = Vec::new();
    for last in addresses {
        let mut peer = visitor_from(server, *last);
        let to = peer.epsv();
        let data = connect_as(IpAddr::V4(Ipv4Addr::new(127, 0, 1, *last)), to);
        peer.say("RETR large").expect(150);
        transfers.push((peer, data));
    }
    thread::scope(|scope| {
        let readers: Vec<_> = transfers
            .iter_mut()
            .map(|(_, data)| scope.spawn(move || moved_in(length, data)))
            .collect();
        readers.into_iter().map(|reader| reader.join().unwrap()).collect()
    })
}

#[test]
#[ignore = "needs a quiet machine and half a minute"]
fn one_address_with_many_sessions_gets_only_its_share() {
    const SECONDS: u64 = 10;
    const RATE: u64 = 20 << 20;
    let server = Server::with(&["--rate-limit-total", "20M"]);
    server.write_sparse("large", 8 << 30);
    let mut addresses: Vec<u8> = (1..=50).collect();
    addresses.extend([200; 50]);
    let moved = race(&server, &addresses, Duration::from_secs(SECONDS));
    let fair = (RATE * SECONDS) as f64 / 51.0;
    let (others, greedy) = moved.split_at(50);
    let ratio = |moved: u64| moved as f64 / fair;
    let least = others.iter().copied().map(ratio).fold(f64::MAX, f64::min);
    let most = others.iter().copied().map(ratio).fold(0.0, f64::max);
    let greedy = ratio(greedy.iter().sum());
    let all = moved.iter().sum::<u64>() as f64 / (RATE * SECONDS) as f64;
    println!("others {least:.3} to {most:.3} of their share, greedy {greedy:.3}, all {all:.3}");
    assert!(least >= 0.5 && (0.95..=1.05).contains(&all), "{least} {all}");
}

#[test]
#[ignore = "needs a quiet machine"]
fn one_session_is_as_fast_as_many_of_another_address() {
    let server = Server::with(&["--rate-limit-total", "10M", "--rate-limit-per-ip", "8M"]);
    server.write_sparse("large", 8 << 30);
    let moved = race(&server, &[1, 2, 2, 2, 2], Duration::from_secs(5));
    let ratio = moved[0] as f64 / moved[1..].iter().sum::<u64>() as f64;
    println!("{ratio:.3}");
    assert!((0.9..=1.1).contains(&ratio), "{moved:?}");
}
