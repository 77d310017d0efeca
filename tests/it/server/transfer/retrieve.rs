//! RETR: all bytes, from the requested offset, in the selected type.

use crate::support::{Server, noise};
use std::fs::OpenOptions;
use std::io::{Read, Write};

#[test]
fn files_of_every_size_are_sent_completely() {
    let server = Server::start();
    let mut peer = server.visitor();
    for size in [0, 1, 2, 32_767, 32_768, 65_535, 65_536, 65_537, 1_048_577, 9_000_000] {
        let bytes = noise(size, 7);
        server.write("file", &bytes);
        assert!(peer.retr("file") == bytes, "{size} bytes");
        peer.say("SIZE file").expect_text(213, &format!("213 {size}"));
    }
}

#[test]
fn the_150_contains_the_size() {
    let server = Server::start();
    server.write("file", "content");
    let mut peer = server.visitor();
    peer.epsv();
    let to = peer.epsv();
    let _data = crate::support::wire::connect(to);
    peer.say("RETR file").expect_text(150, "(7 bytes)");
    peer.expect(226);
}

#[test]
fn an_empty_file_announces_no_size() {
    let server = Server::start();
    server.write("file", "");
    let mut peer = server.visitor();
    for kind in ["TYPE I", "TYPE A"] {
        peer.say(kind).expect(200);
        let data = crate::support::wire::connect(peer.epsv());
        let opening = peer.say("RETR file").expect(150).text();
        assert!(!opening.contains("bytes"), "{opening}");
        assert_eq!(crate::support::wire::drain(data), b"");
        peer.expect(226);
        for begin in ["REST 1", "RANG 0 0", "RANG 1 5"] {
            peer.epsv();
            peer.say(begin).expect(350);
            peer.say("RETR file").expect(554);
        }
    }
    peer.say("XCRC file 1 5").expect(554);
}

#[test]
fn no_name_can_be_taken_for_the_size_in_the_150() {
    let server = Server::start();
    let mut peer = server.visitor();
    for name in ["a (5 bytes).txt", "(5 bytes)", "5 bytes", "(9"] {
        server.write(name, "1234567");
        for (kind, size) in [("I", Some("(7 bytes)")), ("A", None)] {
            peer.say(format!("TYPE {kind}")).expect(200);
            let data = crate::support::wire::connect(peer.epsv());
            let opening = peer.say(format!("RETR {name}")).expect(150).text();
            let first =
                opening.split_once('(').map(|(_, rest)| format!("({}", rest.trim_end_matches('.')));
            assert_eq!(first.as_deref(), size, "{opening}");
            assert_eq!(opening.contains(" bytes"), size.is_some(), "{opening}");
            crate::support::wire::drain(data);
            peer.expect(226);
        }
    }
}

#[test]
fn a_file_that_cannot_be_sent_is_refused_before_the_150() {
    let server = Server::start();
    server.make_dir("dir");
    let mut peer = server.visitor();
    peer.epsv();
    for name in ["missing", "dir", "/", "missing/file", "dir/missing"] {
        peer.say(format!("RETR {name}")).expect(550);
    }
    server.write("file", "");
    peer.say("RETR file/below").expect(550);
}

#[test]
fn rest_begins_at_an_offset() {
    let server = Server::start();
    let bytes = noise(100_000, 3);
    server.write("file", &bytes);
    let mut peer = server.visitor();
    for offset in [0, 1, 32_768, 99_999, 100_000] {
        peer.say(format!("REST {offset}")).expect(350);
        assert!(peer.retr("file") == bytes[offset..], "from {offset}");
    }
}

#[test]
fn rest_beyond_the_end_is_554() {
    let server = Server::start();
    server.write("file", "content");
    let mut peer = server.visitor();
    for offset in ["8", "18446744073709551615"] {
        peer.epsv();
        peer.say(format!("REST {offset}")).expect(350);
        peer.say("RETR file").expect(554);
    }
}

#[test]
fn rest_applies_only_to_the_next_transfer() {
    let server = Server::start();
    server.write("file", "content");
    let mut peer = server.visitor();
    peer.say("REST 3").expect(350);
    assert_eq!(peer.retr("file"), b"tent");
    assert_eq!(peer.retr("file"), b"content");
}

#[test]
fn only_transfers_use_up_rest_even_refused_ones() {
    let server = Server::start();
    server.write("file", "content");
    let mut peer = server.visitor();
    for command in ["NOOP", "PWD", "SIZE file", "BOGUS", "TYPE I", "PASV"] {
        peer.say("REST 3").expect(350);
        peer.say(command).hear();
        assert_eq!(peer.retr("file"), b"tent", "after {command}");
    }
    peer.say("REST 3").expect(350);
    peer.say("RETR missing").expect(550);
    assert_eq!(peer.retr("file"), b"content");
}

#[test]
fn text_is_sent_with_crlf() {
    let server = Server::start();
    let mut peer = server.visitor();
    peer.say("TYPE A").expect(200);
    for (local, wire) in [
        ("", ""),
        ("one\ntwo\n", "one\r\ntwo\r\n"),
        ("no end", "no end"),
        ("\n\n", "\r\n\r\n"),
        ("a\rb", "a\rb"),
        ("of Windows\r\ntwo\r\n", "of Windows\r\ntwo\r\n"),
        ("both\r\n\nkinds\r\r\n\r", "both\r\n\r\nkinds\r\r\n\r"),
    ] {
        server.write("file", local);
        assert_eq!(peer.list("RETR file"), wire);
        peer.say("SIZE file").expect_text(213, &wire.len().to_string());
        for offset in 0..wire.len() {
            peer.say(format!("REST {offset}")).expect(350);
            assert_eq!(peer.list("RETR file"), wire[offset..]);
        }
    }
}

#[test]
fn text_is_converted_correctly_across_chunks() {
    let server = Server::start();
    let local: Vec<u8> = noise(300_000, 5).iter().map(|b| b"\n\rab"[*b as usize % 4]).collect();
    let mut wire: Vec<u8> = Vec::new();
    for byte in &local {
        if *byte == b'\n' && wire.last() != Some(&b'\r') {
            wire.push(b'\r');
        }
        wire.push(*byte);
    }
    server.write("file", &local);
    let mut peer = server.visitor();
    peer.say("TYPE A").expect(200);
    assert!(peer.retr("file") == wire);
    peer.say("SIZE file").expect_text(213, &wire.len().to_string());
    peer.say("REST 70001").expect(350);
    assert!(peer.retr("file") == wire[70_001..]);
}

#[test]
fn type_a_is_the_default() {
    let server = Server::start();
    server.write("file", "one\n");
    let mut peer = server.caller();
    peer.login();
    assert_eq!(peer.retr("file"), b"one\r\n");
    peer.say("TYPE L 8").expect(200);
    assert_eq!(peer.retr("file"), b"one\n");
    peer.say("TYPE A N").expect(200);
    assert_eq!(peer.retr("file"), b"one\r\n");
}

#[test]
fn a_growing_file_is_sent_as_announced() {
    const SIZE: u64 = 32 << 20;
    let server = Server::start();
    server.write_sparse("file", SIZE);
    let mut peer = server.visitor();
    let data = peer.begin("RETR file");
    let mut file = OpenOptions::new().append(true).open(server.path("file")).unwrap();
    file.write_all(b"later").unwrap();
    assert_eq!(crate::support::wire::drain(data).len() as u64, SIZE);
    peer.expect(226);
}

#[test]
fn a_file_that_shrinks_during_a_download_is_an_error() {
    let server = Server::start();
    server.write_sparse("file", 256 << 20);
    let mut peer = server.visitor();
    let data = peer.begin("RETR file");
    let file = OpenOptions::new().write(true).open(server.path("file")).unwrap();
    file.set_len(10).unwrap();
    assert!(crate::support::wire::drain(data).len() < 256 << 20);
    peer.expect(426);
    peer.say("NOOP").expect(200);
}

#[test]
fn a_text_that_shrinks_during_a_download_is_an_error() {
    const LENGTH: u64 = 256 << 20;
    let server = Server::start();
    server.write_sparse("file", LENGTH);
    let mut peer = server.visitor();
    peer.say("TYPE A").expect(200);
    let data = peer.begin("RETR file");
    OpenOptions::new().write(true).open(server.path("file")).unwrap().set_len(10).unwrap();
    assert!((crate::support::wire::drain(data).len() as u64) < LENGTH);
    peer.expect(426);
    peer.say("NOOP").expect(200);
}

#[test]
fn a_client_that_closes_the_data_connection_gets_426_and_keeps_its_session() {
    let server = Server::start();
    server.write_sparse("file", 256 << 20);
    server.write("small", "content");
    let mut peer = server.visitor();
    let mut data = peer.begin("RETR file");
    data.read_exact(&mut [0; 1000]).unwrap();
    drop(data);
    peer.expect(426);
    assert_eq!(peer.retr("small"), b"content");
}

#[test]
fn many_may_retrieve_one_file() {
    let server = Server::start();
    let bytes = noise(3_000_000, 9);
    server.write("file", &bytes);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| assert!(server.visitor().retr("file") == bytes));
        }
    });
}
