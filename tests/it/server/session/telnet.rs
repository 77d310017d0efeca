//! Telnet on the control connection: commands before the verb, and the byte 255 in names.

use crate::support::Server;
use crate::support::wire::Peer;
use std::ffi::OsStr;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;

const IAC: u8 = 255;
const WILL: u8 = 251;
const WONT: u8 = 252;
const DO: u8 = 253;
const DONT: u8 = 254;

/// A file that would be affected if another name were misread.
const VICTIM: &[u8] = b"\xe0";

fn has(server: &Server, name: &[u8]) -> bool {
    server.path(OsStr::from_bytes(name)).exists()
}

/// Sends a command in two pieces.
fn say_in_two(peer: &mut Peer, command: &[u8], split: usize) {
    let line = [command, b"\r\n"].concat();
    let (head, tail) = line.split_at(split.min(line.len()));
    peer.raw(head).raw(tail);
}

/// Runs every verb with the file `name`, whose wire form is `wire`.
fn every_verb_acts_on(server: &Server, name: &[u8], wire: &[u8], split: usize) {
    let mut peer = server.visitor();
    let mut say = |verb: &[u8], code: u16| {
        say_in_two(&mut peer, &[verb, wire].concat(), split);
        let said = peer.expect(code);
        assert!(has(server, VICTIM), "{}", peer.dialogue());
        said
    };
    say(b"MKD ", 257);
    assert!(has(server, name), "{}", name.escape_ascii());
    say(b"CWD ", 250);
    let mut say = |verb: &[u8], code: u16| {
        say_in_two(&mut peer, &[verb, b"/", wire].concat(), split);
        let said = peer.expect(code);
        assert!(has(server, VICTIM), "{}", peer.dialogue());
        said
    };
    say(b"MLST ", 250);
    say(b"RMD ", 250);
    std::fs::write(server.path(OsStr::from_bytes(name)), "four").unwrap();
    assert_eq!(say(b"SIZE ", 213).words(), "4");
    say(b"MDTM ", 213);
    say(b"MLST ", 250);
    say(b"STAT ", 213);
    say(b"HASH ", 213);
    say(b"XCRC ", 250);
    say(b"MFMT 20010203040506 ", 213);
    say(b"MFF modify=20010203040506; ", 213);
    say(b"SITE CHMOD 600 ", 200);
    say(b"SITE UTIME 20010203040506 ", 200);
    say(b"RNFR ", 350);
    say(b"RNTO ", 250);
    peer.say("TYPE I").expect(200);
    for (verb, content) in [(&b"STOR "[..], &b"1"[..]), (b"APPE ", b"2")] {
        peer.send([verb, b"/", wire].concat(), content);
    }
    assert_eq!(peer.retr([b"/", wire].concat()), b"12");
    say_in_two(&mut peer, &[b"DELE /", wire].concat(), split);
    peer.expect(250);
    assert!(!has(server, name) && has(server, VICTIM), "{}", peer.dialogue());
}

#[test]
fn a_name_with_255_before_any_byte_is_that_name_for_every_verb() {
    let server = Server::start();
    std::fs::write(server.path(OsStr::from_bytes(VICTIM)), "another file").unwrap();
    for byte in (1..=254u8).filter(|byte| !matches!(byte, b'\n' | b'\r' | b'/')) {
        let name = [IAC, byte, VICTIM[0]];
        every_verb_acts_on(&server, &name, &name, usize::MAX);
    }
}

#[test]
fn no_split_of_the_packets_changes_a_name_with_255() {
    let server = Server::start();
    std::fs::write(server.path(OsStr::from_bytes(VICTIM)), "another file").unwrap();
    for byte in [0xec, 0xf0, 0xf4, 0xfa, WILL, DO] {
        let name = [IAC, byte, VICTIM[0]];
        for split in 4..12 {
            every_verb_acts_on(&server, &name, &name, split);
        }
    }
}

#[test]
fn a_doubled_255_in_a_name_is_one_byte() {
    let server = Server::start();
    std::fs::write(server.path(OsStr::from_bytes(VICTIM)), "another file").unwrap();
    for byte in [b'a', 0xec, 0xfa, WILL, DO] {
        let (name, wire) = ([IAC, byte, VICTIM[0]], [IAC, IAC, byte, VICTIM[0]]);
        for split in 4..12 {
            every_verb_acts_on(&server, &name, &wire, split);
        }
    }
    let mut peer = server.visitor();
    let reply = peer.say(b"MKD a\xff\xffb").expect(257);
    assert!(reply.lines[0].starts_with(b"257 \"/a\xff\xffb\""), "{reply:?}");
    assert_eq!(peer.say(b"MKD \xff").expect(257).lines[0].split_at(9).0, b"257 \"/\xff\xff\"");
}

#[test]
fn an_incomplete_telnet_command_in_a_name_removes_no_bytes() {
    let server = Server::start();
    let mut peer = server.visitor();
    for half in [&b"\xff\xfa"[..], b"\xff", b"\xff\xfd", b"\xff\xfb", b"\xff\xf4\xff"] {
        peer.raw([b"SIZE ", half, b"\r\nNOOP\r\nPWD\r\n"].concat()).expect(550);
        peer.expect(200);
        peer.expect(257);
    }
}

#[test]
fn telnet_commands_before_the_argument_are_removed() {
    let server = Server::start();
    let mut peer = server.visitor();
    for option in [WILL, WONT, DO, DONT] {
        peer.raw([b'N', b'O', IAC, option, 31, b'O', b'P', b'\r', b'\n']).expect(200);
    }
    peer.raw([b"\xff\xfa\x18\x00xterm\r\n\xff\xf0".as_slice(), b"NOOP\r\n"].concat()).expect(200);
    peer.raw(b"NO\xff\xf1OP\r\n").expect(200);
    for synch in [&b"\xff\xf4\xff\xf2"[..], b"\xff\xf4\xf2", b"\xf2", b"\xff\xf4\xff"] {
        peer.raw([synch, b"ABOR\r\n"].concat()).expect(226);
        peer.raw([synch, b"SIZE \xff\xec\r\n"].concat()).expect(550);
    }
}

#[test]
fn requests_for_telnet_options_are_refused_at_once() {
    let server = Server::start();
    let mut stream = crate::support::wire::connect(server.addr());
    let mut greeting = Vec::new();
    while !greeting.ends_with(b"\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        greeting.extend(byte);
    }
    for (request, answer) in [(DO, WONT), (WILL, DONT)] {
        for option in [0, 1, 3, 24, 31, 250, 255] {
            std::io::Write::write_all(&mut stream, &[IAC, request, option]).unwrap();
            let mut refused = [0; 3];
            stream.read_exact(&mut refused).unwrap();
            assert_eq!(refused, [IAC, answer, option]);
        }
    }
    let mut peer = Peer::new(stream);
    peer.raw(b"\xff\xfe\x01\xff\xfc\x03NOOP\r\n").expect(200);
}
