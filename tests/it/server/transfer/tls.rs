//! Data connections with TLS: their content, interrupted uploads, and the TLS sessions that they may
//! resume.

use crate::support::ftps::{Ftps, data_in_clear, log_in, protect};
use crate::support::random::setting;
use crate::support::tls::Wire;
use crate::support::wire::{Peer, accept, connect};
use crate::support::{eventually, noise};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener};

/// Sizes around those of a TLS record and of the server's buffers.
const SIZES: [usize; 8] = [0, 1, 16_383, 16_384, 16_385, 65_536, 65_537, 3_000_001];

#[test]
fn transfers_are_complete_in_both_directions_and_end_with_close_notify() {
    let Some(ftps) = Ftps::start(&["--tls-reuse", "require"]) else { return };
    let mut peer = ftps.user();
    for (seed, size) in SIZES.into_iter().enumerate() {
        let bytes = noise(size, seed as u64);
        ftps.send(&mut peer, "STOR file", &bytes);
        assert!(ftps.server.read("file") == bytes, "{size}");
        assert!(ftps.fetch(&mut peer, "RETR file") == bytes, "{size}");
    }
    ftps.send(&mut peer, "APPE file", "more");
    assert_eq!(ftps.server.read("file").len(), 3_000_005);
    let listing = String::from_utf8(ftps.fetch(&mut peer, "LIST")).unwrap();
    assert!(listing.contains("3000005") && listing.ends_with("file\r\n"), "{listing}");
    let facts = ftps.fetch(&mut peer, "MLSD");
    assert!(String::from_utf8(facts).unwrap().contains("size=3000005"));
    peer.say("TYPE A").expect(200);
    ftps.send(&mut peer, "STOR text", "one\r\ntwo\r\n");
    assert_eq!(ftps.server.read("text"), b"one\ntwo\n");
    assert_eq!(ftps.fetch(&mut peer, "RETR text"), b"one\r\ntwo\r\n");
}

#[test]
fn tls_transfers_work_in_pieces_of_any_size() {
    let Some(ftps) = Ftps::start(&[]) else { return };
    let mut peer = ftps.user();
    let bytes = noise(20_000, 1);
    for piece in [1, 1_000, 7_777] {
        let mut data = ftps.begin(&mut peer, "STOR file");
        bytes.chunks(piece).for_each(|piece| data.write_all(piece).unwrap());
        data.end();
        peer.expect(226);
        assert!(ftps.server.read("file") == bytes, "{piece}");
    }
    // A client that reads slowly.
    let mut data = ftps.begin(&mut peer, "RETR file");
    let (mut got, mut piece) = (Vec::new(), [0; 333]);
    while let length @ 1.. = data.read(&mut piece).unwrap() {
        got.extend_from_slice(&piece[..length]);
    }
    peer.expect(226);
    assert!(got == bytes);
}

#[test]
fn active_mode_epsv_all_and_ipv6_work_with_tls() {
    let Some(ftps) = Ftps::start(&[]) else { return };
    ftps.server.write("file", "content");
    let mut peer = ftps.user();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    peer.say(format!("EPRT |1|127.0.0.1|{port}|")).expect(200);
    peer.say("RETR file").expect(150);
    // In active mode too, the FTP server is the TLS server (RFC 4217 section 7).
    let mut data = ftps.handshake(accept(&listener), Some(&peer)).unwrap();
    assert_eq!(data.all().unwrap(), b"content");
    peer.expect(226);
    peer.say("EPSV ALL").expect(200);
    assert_eq!(ftps.fetch(&mut peer, "RETR file"), b"content");

    if TcpListener::bind("[::1]:0").is_err() {
        return;
    }
    let Some(ftps) = Ftps::start(&["--host", "::1"]) else { return };
    ftps.server.write("file", "content");
    let mut peer = ftps.server.caller();
    ftps.auth(&mut peer, "AUTH TLS-P");
    log_in(&mut peer, "anna");
    assert_eq!(ftps.fetch(&mut peer, "RETR file"), b"content");
}

/// The way in which an upload is interrupted.
#[derive(Clone, Copy, Debug)]
enum Cut {
    /// The data connection ends without close_notify.
    End,
    /// A TLS record was changed on the way. The client does not read the resulting alert, so closing
    /// resets the connection.
    Changed,
    /// Both connections end at once, as if the client was killed.
    Killed,
    /// The data connection ends within a TLS record.
    WithinRecord,
}

fn cut(peer: Peer, data: Wire, how: Cut) -> Option<Peer> {
    match how {
        Cut::End => data.tcp().shutdown(Shutdown::Write).unwrap(),
        Cut::Changed => {
            (&mut data.tcp()).write_all(&[&[23, 3, 3, 0, 100][..], &[7; 100]].concat()).unwrap();
        }
        Cut::Killed => {
            drop((peer, data));
            return None;
        }
        Cut::WithinRecord => {
            // The header of a record, and fewer bytes than it announces.
            (&mut data.tcp()).write_all(&[23, 3, 3, 0x40, 0]).unwrap();
            (&mut data.tcp()).write_all(&[7; 100]).unwrap();
            data.tcp().shutdown(Shutdown::Write).unwrap();
        }
    }
    drop(data);
    Some(peer)
}

#[test]
fn an_interrupted_tls_upload_never_replaces_the_file() {
    let Some(ftps) = Ftps::start(&[]) else { return };
    let bytes = noise(100_000, 3);
    for how in [Cut::End, Cut::Changed, Cut::Killed, Cut::WithinRecord] {
        for (command, old) in [("STOR file", Some("old")), ("STOR new", None)] {
            ftps.server.write("file", "old");
            let mut peer = ftps.user();
            let data = ftps.begin_with(&mut peer, command, &bytes);
            match cut(peer, data, how) {
                Some(mut peer) => {
                    peer.expect(426);
                    peer.say("NOOP").expect(200);
                }
                None => ftps.server.wait_for_log(&["stor", "failed="]),
            }
            let name = command.split(' ').nth(1).unwrap();
            match old {
                Some(old) => assert_eq!(ftps.server.read(name), old.as_bytes(), "{how:?}"),
                None => eventually("no such name", || !ftps.server.has(name)),
            }
        }
    }
    // The received part can be continued.
    let mut peer = ftps.user();
    let data = ftps.begin_with(&mut peer, "STOR again", &bytes);
    let mut peer = cut(peer, data, Cut::End).unwrap();
    peer.expect(426);
    peer.say("SIZE again").expect_text(213, "100000");
    peer.say("REST 100000").expect(350);
    ftps.send(&mut peer, "STOR again", "rest");
    assert!(ftps.server.read("again") == [&bytes[..], b"rest"].concat());
}

#[test]
fn an_interrupted_tls_text_upload_creates_no_file() {
    let Some(ftps) = Ftps::start(&[]) else { return };
    let mut peer = ftps.user();
    peer.say("TYPE A").expect(200);
    let data = ftps.begin_with(&mut peer, "STOR text", "one\r\ntwo");
    let mut peer = cut(peer, data, Cut::End).unwrap();
    peer.expect(426);
    assert!(!ftps.server.has("text"));
}

#[test]
fn abor_noop_and_stat_are_answered_during_tls_transfers() {
    let Some(ftps) = Ftps::start(&["--tls-reuse", "require"]) else { return };
    ftps.server.write_sparse("large", 1 << 30);
    ftps.server.write("file", "old");
    let mut peer = ftps.user();
    for _ in 0..2 {
        let data = ftps.begin(&mut peer, "RETR large");
        peer.say("NOOP").expect(200);
        peer.say("STAT").expect_text(213, "bytes so far");
        peer.say("ABOR").expect(426);
        peer.expect(226);
        drop(data);
        let data = ftps.begin_with(&mut peer, "STOR file", "new");
        peer.say("ABOR").expect(426);
        peer.expect(226);
        drop(data);
        assert_eq!(ftps.server.read("file"), b"old");
    }
    // The client sends one TLS record with more than the server reads at once.
    let data = ftps.begin(&mut peer, "RETR large");
    peer.raw(["NOOP\r\n".repeat(500), "ABOR\r\n".into()].concat().as_bytes());
    for _ in 0..500 {
        peer.expect(200);
    }
    peer.expect(426);
    peer.expect(226);
    drop(data);
    assert_eq!(ftps.fetch(&mut peer, "RETR file"), b"old", "the session is still good");
}

#[test]
fn abor_is_answered_during_a_tls_handshake_of_the_data_connection() {
    let Some(ftps) = Ftps::start(&[]) else { return };
    ftps.server.write("file", "old");
    let mut peer = ftps.user();
    for command in ["STOR file", "RETR file", "LIST"] {
        // The client stops before the first byte of the handshake, or within its first message.
        for begun in [&b""[..], &[22, 3, 1, 2, 0, 1]] {
            let data = peer.begin(command);
            (&data).write_all(begun).unwrap();
            peer.say("NOOP").expect(200);
            peer.say("ABOR").expect(426);
            peer.expect(226);
        }
    }
    assert_eq!(ftps.fetch(&mut peer, "RETR file"), b"old");
}

#[test]
fn the_end_of_the_tls_control_connection_ends_the_transfer() {
    let Some(ftps) = Ftps::start(&[]) else { return };
    let mut peer = ftps.user();
    let data = ftps.begin_with(&mut peer, "STOR file", "new");
    peer.end_tls();
    ftps.server.wait_for_log(&["stor", "failed="]);
    assert!(!ftps.server.has("file"));
    drop(data);
}

#[test]
fn data_connections_resume_only_the_tls_session_of_their_control_connection() {
    for rule in ["allow", "require"] {
        let Some(ftps) = Ftps::start(&["--tls-reuse", rule]) else { return };
        ftps.server.write("file", "content");
        let (mut peer, other) = (ftps.user(), ftps.user());
        for round in 0..3 {
            let mut data = ftps.begin(&mut peer, "RETR file");
            assert!(data.is_resumed(), "download {round}");
            assert_eq!(data.all().unwrap(), b"content");
            peer.expect(226);
            // A client that only writes would not read session tickets, so the server sends none.
            let mut data = ftps.begin(&mut peer, "STOR file");
            assert!(data.is_resumed(), "upload {round}");
            data.write_all(b"content").unwrap();
            data.end();
            peer.expect(226);
        }
        for control in [None, Some(&other)] {
            let tcp = peer.begin("RETR file");
            let data = ftps.handshake(tcp, control);
            match rule {
                "allow" => {
                    let mut data = data.unwrap();
                    assert!(!data.is_resumed());
                    assert_eq!(data.all().unwrap(), b"content");
                    peer.expect(226);
                }
                _ => {
                    peer.expect(522);
                    if let Ok(mut data) = data {
                        assert!(data.all().is_err(), "the data ended like an empty file");
                    }
                    let tcp = peer.begin("STOR file");
                    let _data = ftps.handshake(tcp, control);
                    peer.expect(522);
                    assert_eq!(ftps.server.read("file"), b"content");
                    ftps.server.wait_for_log(&["tls-failed", "connection=data", "not-resumed"]);
                }
            }
        }
        assert_eq!(ftps.fetch(&mut peer, "RETR file"), b"content");
    }
}

#[test]
fn required_encryption_refuses_unencrypted_transfers() {
    let Some(ftps) = Ftps::start(&[]) else { return };
    ftps.server.write("file", "content");
    let mut peer = ftps.caller();
    peer.say("PBSZ 0").expect(200);
    // Allowed before the login, because visitors may use PROT C.
    peer.say("PROT C").expect(200);
    log_in(&mut peer, "anna");
    for command in ["RETR file", "STOR file", "APPE file", "STOU", "LIST", "NLST", "MLSD"] {
        let _data = data_in_clear(&mut peer);
        peer.say(command).expect(521);
    }
    peer.say("PROT P").expect(200);
    assert_eq!(ftps.fetch(&mut peer, "RETR file"), b"content");
    // Visitors may use both.
    let mut peer = ftps.caller();
    peer.login();
    assert_eq!(peer.retr("file"), b"content");
    protect(&mut peer);
    assert_eq!(ftps.fetch(&mut peer, "RETR file"), b"content");
    peer.say("PROT C").expect(200);
    assert_eq!(peer.retr("file"), b"content");
}

#[test]
fn a_data_connection_without_a_handshake_gets_425() {
    let Some(ftps) = Ftps::start(&[]) else { return };
    ftps.server.write("file", "old");
    let mut peer = ftps.user();
    for garbage in [&b"new content"[..], b"", b"GET / HTTP/1.1\r\n\r\n", &noise(500, 9)] {
        for command in ["STOR file", "RETR file"] {
            let mut data = peer.begin(command);
            data.write_all(garbage).unwrap();
            data.shutdown(Shutdown::Write).unwrap();
            peer.expect(425);
            let mut got = Vec::new();
            let _ = data.read_to_end(&mut got);
            assert!(!got.windows(3).any(|bytes| bytes == b"old"));
        }
    }
    assert_eq!(ftps.server.read("file"), b"old");
    assert_eq!(ftps.fetch(&mut peer, "RETR file"), b"old");
}

#[test]
fn a_client_without_the_tls_session_gets_no_data() {
    let Some(ftps) = Ftps::start(&["--tls-reuse", "require"]) else { return };
    ftps.server.write("file", "content");
    let mut peer = ftps.user();
    let address = peer.epsv();
    // A stranger with the client's address connects first.
    let stranger = connect(address);
    peer.say("RETR file").expect(150);
    let data = ftps.handshake(stranger, None);
    peer.expect(522);
    if let Ok(mut data) = data {
        assert!(data.all().is_err());
    }
}

/// Returns the server's memory in KiB, and its numbers of descriptors and threads.
#[cfg(target_os = "linux")]
fn footprint(ftps: &Ftps) -> (usize, usize, usize) {
    let path = format!("/proc/{}/status", ftps.server.pid());
    let status = std::fs::read_to_string(path).unwrap();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    let kib = resident.split_whitespace().next().unwrap().parse().unwrap();
    (kib, ftps.server.descriptors(), ftps.server.threads())
}

#[cfg(target_os = "linux")]
#[test]
#[ignore = "long: thousands of sessions; TLS_SESSIONS=100000 for more"]
fn many_tls_sessions_leave_no_resources() {
    let Some(ftps) = Ftps::start(&["--log-level", "warn", "--tls-reuse", "require"]) else {
        return;
    };
    let sessions = setting("TLS_SESSIONS", 3_000);
    let mut before = None;
    for number in 0..sessions {
        if number == sessions / 3 {
            eventually("the end of all sessions", || ftps.server.threads() < 6);
            before = Some(footprint(&ftps));
        }
        let mut peer = ftps.user();
        ftps.fetch(&mut peer, "LIST");
        ftps.send(&mut peer, "STOR file", "content");
        match number % 4 {
            0 => drop(ftps.begin_with(&mut peer, "STOR file", "cut")),
            1 => drop(peer.begin("RETR file")),
            2 => drop(peer),
            _ => {
                peer.say("QUIT").expect(221);
                peer.expect_end();
            }
        }
    }
    eventually("the end of all sessions", || ftps.server.threads() < 6);
    let (before, after) = (before.unwrap(), footprint(&ftps));
    assert_eq!((before.1, before.2), (after.1, after.2), "descriptors and threads");
    // The memory that the allocator keeps for many threads reaches its final size slowly.
    assert!(after.0 <= before.0 + before.0 / 20 + 512, "memory: {before:?}, {after:?}");
}
