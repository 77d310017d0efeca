//! HASH, XCRC and related verbs, and RANG, which selects a range.

use crate::support::Server;
use crate::support::wire::Peer;
use std::os::unix::fs::symlink;
use std::time::{Duration, Instant};

/// A name for HASH, the X verbs with the same algorithm, and the digests of "", "abc" and 640,000
/// bytes.
struct Known {
    algorithm: &'static str,
    verbs: &'static [&'static str],
    empty: &'static str,
    abc: &'static str,
    large: &'static str,
}

/// Values from Python's hashlib and zlib.
const KNOWN: [Known; 5] = [
    Known {
        algorithm: "SHA-256",
        verbs: &["XSHA256"],
        empty: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        abc: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        large: "74c3db5147cd508b22a5138b857e451b905d94d15728893ccf0027b235a6b1a3",
    },
    Known {
        algorithm: "SHA-512",
        verbs: &["XSHA512"],
        empty: "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce\
                47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e",
        abc: "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
              2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
        large: "2635f2c3021200597c8bc9a8ae21d6c5cac9a8dbcf93bf206027a93202d456a4\
                736b3dce0d71c612a43c514987eb84211ac7dc5ecea0a9a4711d0cb0664f1bca",
    },
    Known {
        algorithm: "SHA-1",
        verbs: &["XSHA1", "XSHA"],
        empty: "da39a3ee5e6b4b0d3255bfef95601890afd80709",
        abc: "a9993e364706816aba3e25717850c26c9cd0d89d",
        large: "8ca6a20604679f7715fcdd4648024cff546b0850",
    },
    Known {
        algorithm: "MD5",
        verbs: &["XMD5"],
        empty: "d41d8cd98f00b204e9800998ecf8427e",
        abc: "900150983cd24fb0d6963f7d28e17f72",
        large: "e20d86ce3ab9bb37f089f64cacf66cd6",
    },
    Known {
        algorithm: "CRC32",
        verbs: &["XCRC"],
        empty: "00000000",
        abc: "352441c2",
        large: "e1bde749",
    },
];

/// MD5 digests of parts of "0123456789".
const MD5_ALL: &str = "781e5e245d69b566979b86e28d23f2c7";
const MD5_2_TO_4: &str = "289dff07669d7a23de0ef88d2f7129e7";
const MD5_FROM_3: &str = "b2130cc690a15a0ed214904cfa7460d0";
const MD5_NOTHING: &str = "d41d8cd98f00b204e9800998ecf8427e";

fn digits() -> (Server, Peer) {
    let server = Server::start();
    server.write("digits", "0123456789");
    let mut peer = server.visitor();
    peer.say("OPTS HASH MD5").expect(200);
    (server, peer)
}

/// Compares a digest without regard to case, because programs compare numbers.
fn expect_digest(peer: &mut Peer, line: &str, code: u16, words: &str) {
    let said = peer.say(line).expect(code).words();
    if !said.eq_ignore_ascii_case(words) {
        peer.fail(&format!("expected {words:?}"));
    }
}

#[test]
fn every_algorithm_returns_known_values() {
    let server = Server::start();
    server.write("empty", "");
    server.write("a b c", "abc");
    server.write("large", "0123456789abcdef".repeat(40_000));
    let mut peer = server.visitor();
    for Known { algorithm, verbs, empty, abc, large } in KNOWN {
        peer.say(format!("OPTS HASH {algorithm}")).expect_text(200, algorithm);
        for (name, last, digest) in
            [("empty", 0, empty), ("a b c", 2, abc), ("large", 639_999, large)]
        {
            let words = format!("{algorithm} 0-{last} {digest} {name}");
            expect_digest(&mut peer, &format!("HASH {name}"), 213, &words);
            for verb in verbs {
                expect_digest(&mut peer, &format!("{verb} {name}"), 250, digest);
                expect_digest(&mut peer, &format!("{verb} \"{name}\""), 250, digest);
                expect_digest(&mut peer, &format!("{verb} \"/{name}\""), 250, digest);
            }
        }
    }
}

#[test]
fn opts_hash_selects_the_algorithm_that_feat_shows() {
    let (_server, mut peer) = digits();
    peer.say("OPTS HASH").expect_text(200, "MD5");
    peer.say("FEAT").expect_text(211, "\n HASH SHA-256;SHA-512;SHA-1;MD5*;CRC32\n");
    peer.say("opts hash sha-1").expect_text(200, "SHA-1");
    peer.say("OPTS HASH SHA-3").expect(501);
    peer.say("OPTS HASH").expect_text(200, "SHA-1");
    peer.say("REIN").expect(220);
    peer.say("OPTS HASH").expect_text(200, "SHA-256");
    peer.say("FEAT").expect_text(211, "\n HASH SHA-256*;SHA-512;SHA-1;MD5;CRC32\n");
}

#[test]
fn a_digest_covers_the_stored_bytes_in_every_type() {
    let server = Server::start();
    server.write("text", "one\ntwo\n");
    let mut peer = server.visitor();
    let image = peer.say("XCRC text").expect(250).words();
    peer.say("TYPE A").expect(200);
    assert_eq!(peer.say("XCRC text").expect(250).words(), image);
}

#[test]
fn rang_selects_the_bytes_of_hash() {
    let (_server, mut peer) = digits();
    for (rang, words) in [
        ("RANG 2 4", format!("MD5 2-4 {MD5_2_TO_4} digits")),
        ("RANG 3 9", format!("MD5 3-9 {MD5_FROM_3} digits")),
        ("RANG 3 1000", format!("MD5 3-9 {MD5_FROM_3} digits")),
        ("RANG 3 18446744073709551615", format!("MD5 3-9 {MD5_FROM_3} digits")),
        ("RANG 1 0", format!("MD5 0-9 {MD5_ALL} digits")),
    ] {
        peer.say(rang).expect(350);
        expect_digest(&mut peer, "HASH digits", 213, &words);
        // Only once.
        expect_digest(&mut peer, "HASH digits", 213, &format!("MD5 0-9 {MD5_ALL} digits"));
    }
    // REST remains in effect for the RETR after it.
    peer.say("REST 3").expect(350);
    expect_digest(&mut peer, "HASH digits", 213, &format!("MD5 3-9 {MD5_FROM_3} digits"));
    assert_eq!(peer.retr("digits"), b"3456789");
    peer.say("RANG 10 12").expect(350);
    peer.say("HASH digits").expect(554);
    peer.say("RANG 4 2").expect(501);
}

#[test]
fn rang_selects_the_bytes_of_retr() {
    let (_server, mut peer) = digits();
    for (rang, bytes) in [
        ("RANG 2 4", "234"),
        ("RANG 0 0", "0"),
        ("RANG 9 9", "9"),
        ("RANG 7 1000", "789"),
        ("RANG 0 18446744073709551615", "0123456789"),
        ("RANG 1 0", "0123456789"),
    ] {
        peer.say(rang).expect(350);
        assert_eq!(peer.retr("digits"), bytes.as_bytes(), "{rang}");
        assert_eq!(peer.retr("digits"), b"0123456789", "{rang}");
    }
    peer.epsv();
    for rang in ["RANG 10 11", "RANG 18446744073709551615 18446744073709551615"] {
        peer.say(rang).expect(350);
        peer.say("RETR digits").expect(554);
    }
}

#[test]
fn rang_counts_the_bytes_of_the_transfer_in_type_a() {
    let server = Server::start();
    server.write("text", "a\nb\n");
    server.write("empty", "");
    let mut peer = server.visitor();
    peer.say("TYPE A").expect(200);
    for (rang, bytes) in [("RANG 1 3", "\r\nb"), ("RANG 2 100", "\nb\r\n")] {
        peer.say(rang).expect(350);
        assert_eq!(peer.retr("text"), bytes.as_bytes(), "{rang}");
    }
    // At the end of the file there is nothing to send, as in TYPE I.
    peer.epsv();
    for (rang, name) in [("RANG 6 9", "text"), ("RANG 7 9", "text"), ("RANG 0 9", "empty")] {
        peer.say(rang).expect(350);
        peer.say(format!("RETR {name}")).expect(554);
    }
}

#[test]
fn rang_and_rest_replace_each_other() {
    let (_server, mut peer) = digits();
    peer.say("RANG 2 4").expect(350);
    peer.say("REST 8").expect(350);
    assert_eq!(peer.retr("digits"), b"89");
    peer.say("REST 8").expect(350);
    peer.say("RANG 2 4").expect(350);
    assert_eq!(peer.retr("digits"), b"234");
    peer.say("REST 8").expect(350);
    peer.say("RANG 1 0").expect(350);
    assert_eq!(peer.retr("digits"), b"0123456789");
}

#[test]
fn rang_does_not_apply_to_uploads() {
    let (server, mut peer) = digits();
    peer.epsv();
    for verb in ["STOR", "APPE"] {
        peer.say("RANG 2 4").expect(350);
        peer.say(format!("{verb} digits")).expect(503);
    }
    assert_eq!(server.read("digits"), b"0123456789");
    peer.stor("digits", "new");
    assert_eq!(server.read("digits"), b"new");
}

#[test]
fn x_verbs_accept_a_range_that_ends_before_its_second_number() {
    let (_server, mut peer) = digits();
    for (range, digest) in [
        ("0 10", MD5_ALL),
        ("0 0", MD5_ALL),
        ("2 5", MD5_2_TO_4),
        ("3 10", MD5_FROM_3),
        ("3 0", MD5_FROM_3),
        ("3 1000", MD5_FROM_3),
        ("3 18446744073709551615", MD5_FROM_3),
        ("10 10", MD5_NOTHING),
        ("10 0", MD5_NOTHING),
        ("4 4", MD5_NOTHING),
    ] {
        expect_digest(&mut peer, &format!("XMD5 digits {range}"), 250, digest);
        expect_digest(&mut peer, &format!("XMD5 \"digits\" {range}"), 250, digest);
    }
    peer.say("XMD5 digits 11 20").expect(554);
    peer.say("XMD5 digits 5 4").expect(501);
    peer.say("XMD5 \"digits\" 5").expect(501);
    peer.say("XMD5 \"digits").expect(501);
}

#[test]
fn a_name_that_looks_like_a_range_is_quoted() {
    let server = Server::start();
    server.write("take 2 5", "abc");
    server.write("take", "0123456789");
    server.write("say \"hi\"", "abc");
    let mut peer = server.visitor();
    expect_digest(&mut peer, "XMD5 take 2 5", 250, MD5_2_TO_4);
    expect_digest(&mut peer, "XMD5 \"take 2 5\"", 250, KNOWN[3].abc);
    expect_digest(&mut peer, "XMD5 \"say \"\"hi\"\"\"", 250, KNOWN[3].abc);
    expect_digest(&mut peer, "XMD5 say \"hi\"", 250, KNOWN[3].abc);
    expect_digest(&mut peer, "XMD5 \"take 2 5\" 0 3", 250, KNOWN[3].abc);
}

#[test]
fn digests_are_only_for_plain_files_inside_the_root() {
    let server = Server::start();
    server.make_dir("dir");
    symlink("/etc/hostname", server.path("out")).unwrap();
    let mut peer = server.visitor();
    for name in ["missing", "dir", "out", "/", "dir/missing"] {
        for verb in ["HASH", "XCRC", "XMD5", "XSHA", "XSHA1", "XSHA256", "XSHA512"] {
            peer.say(format!("{verb} {name}")).expect(550);
        }
    }
}

#[test]
fn abor_ends_a_digest() {
    let server = Server::start();
    server.write_sparse("large", 4 << 30);
    let mut peer = server.visitor();
    for command in ["HASH large", "XSHA512 large", "XCRC large 1 0"] {
        peer.say(command);
        let started = Instant::now();
        peer.say("ABOR").expect(426);
        peer.expect(226);
        // The documented limit is 100 ms; this machine may be busy.
        assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    }
    peer.say("PWD").expect(257);
}

#[test]
fn replies_stay_in_order_while_a_digest_runs() {
    // No 1xx reply announces the start of a digest, so an earlier reply would be mistaken for the
    // digest's reply.
    let (_server, mut peer) = digits();
    peer.raw("HASH digits\r\nNOOP\r\nXMD5 digits\r\nSTAT\r\nPWD\r\n");
    for code in [213, 200, 250, 211, 257] {
        let said = peer.expect(code).text();
        assert!(!said.contains("in progress"), "{said}");
    }
}

#[test]
fn hash_of_a_missing_file_uses_its_interrupted_upload() {
    let server = Server::start();
    let mut peer = server.visitor();
    peer.say("OPTS HASH MD5").expect(200);
    peer.say("HASH digits").expect(550);
    peer.break_off("STOR digits", "0123456789");
    peer.say("SIZE digits").expect_text(213, "213 10");
    peer.say("HASH digits").expect_text(213, &format!("213 MD5 0-9 {MD5_ALL} digits"));
    peer.say("RANG 2 4").expect(350);
    peer.say("HASH digits").expect_text(213, &format!("213 MD5 2-4 {MD5_2_TO_4} digits"));
    // Other commands still do not see the partial upload.
    peer.say("XMD5 digits").expect(550);
    peer.say("MDTM digits").expect(550);
    server.write("digits", "abc");
    peer.say("HASH digits").expect_text(213, "213 MD5 0-2 900150983cd24fb0d6963f7d28e17f72 digits");
}
