//! Lines of the control connection: their length, their line ends, and their arrival in pieces.

use crate::support::{Server, noise};
use mt_ftp::protocol::MAX_LINE;
use std::fs;
use std::os::unix::ffi::OsStrExt;

/// Returns a NOOP of this many bytes; spaces after the verb have no meaning.
fn noop_of(length: usize) -> Vec<u8> {
    let mut line = b"NOOP".to_vec();
    line.resize(length, b' ');
    line
}

/// Returns random bytes without line ends and Telnet commands.
fn line_of_noise(length: usize, seed: u64) -> Vec<u8> {
    let mut line = noise(length, seed);
    line.iter_mut().filter(|b| matches!(**b, b'\n' | 255)).for_each(|b| *b = b'?');
    line
}

#[test]
fn the_longest_line_has_4096_bytes() {
    assert_eq!(MAX_LINE, 4096);
    let server = Server::start();
    let mut peer = server.caller();
    peer.say(noop_of(MAX_LINE)).expect(200);
    peer.say(noop_of(MAX_LINE + 1)).expect(500);
    peer.raw([noop_of(MAX_LINE), b"\n".to_vec()].concat()).expect(200);
    peer.raw([noop_of(MAX_LINE + 1), b"\n".to_vec()].concat()).expect(500);
}

#[test]
fn a_line_that_is_too_long_gets_one_500_and_is_skipped() {
    let server = Server::start();
    let mut peer = server.caller();
    peer.say(line_of_noise(100_000, 1)).expect(500);
    peer.raw([line_of_noise(5000, 2).as_slice(), b"\nPWD\r\n"].concat()).expect(500);
    peer.expect(530);
    peer.say("NOOP").expect(200);
}

#[test]
#[cfg(target_os = "linux")]
fn an_endless_line_needs_no_memory() {
    let server = Server::start();
    let mut peer = server.caller();
    let base = server.peak_memory();
    let piece = vec![b'a'; 1 << 20];
    for _ in 0..32 {
        peer.raw(&piece);
    }
    peer.say("").expect(500);
    peer.say("NOOP").expect(200);
    assert!(server.peak_memory() < base + 4096, "{} KiB", server.peak_memory() - base);
}

#[test]
fn lines_may_end_in_lf_alone() {
    let server = Server::start();
    let mut peer = server.caller();
    peer.raw("USER anonymous\n").expect(331);
    peer.raw("PASS x\nPWD\n").expect(230);
    peer.expect(257);
}

#[test]
fn a_line_end_in_a_name_is_refused_and_forges_nothing() {
    let server = Server::start();
    let mut peer = server.visitor();
    peer.raw("MKD a\rb\r\n").expect(501);
    peer.raw("MKD a\0b\r\n").expect(501);
    assert!(peer.lines("NLST").is_empty());
}

#[test]
fn a_carriage_return_in_a_name_is_followed_by_nul() {
    let server = Server::start();
    let mut peer = server.visitor();
    let made = peer.say(b"MKD a\r\0b").expect(257);
    assert!(made.lines[0].starts_with(b"257 \"/a\r\0b\""), "{made:?}");
    assert!(server.has("a\rb"));
    peer.say(b"CWD a\r\0b").expect(250);
    assert!(peer.say("PWD").expect(257).lines[0].starts_with(b"257 \"/a\r\0b\""));
    peer.say("CDUP").expect(250);
    assert_eq!(peer.fetch("NLST"), b"a?b\r\n", "a listing shows control characters as `?`");
    peer.say(b"MLST a\r\0b").expect(250);
    peer.stor(b"c\r\0", "x");
    assert!(server.has("c\r"), "a CR may be the last byte of a name");
    peer.say(b"RNFR c\r\0").expect(350);
    peer.say(b"RNTO \r\0c").expect(250);
    peer.say(b"DELE \r\0c").expect(250);
    peer.say(b"RMD a\r\0b").expect(250);
}

#[test]
fn a_carriage_return_in_a_reply_is_followed_by_nul() {
    let server = Server::start();
    server.make_dir("d\rx");
    server.write("d\rx/a\rb", "x");
    let mut peer = server.visitor();
    peer.say("TYPE I").expect(200);
    for (line, code, name) in [
        (&b"HASH d\r\0x/a\r\0b"[..], 213, &b" d\r\0x/a\r\0b"[..]),
        (b"MFMT 20200101000000 d\r\0x/a\r\0b", 213, b" /d\r\0x/a\r\0b"),
        (b"MFF UNIX.mode=0600; d\r\0x/a\r\0b", 213, b" /d\r\0x/a\r\0b"),
        (b"CWD d\r\0x", 250, b" /d\r\0x."),
        (b"PWD", 257, b"\"/d\r\0x\" is the current directory."),
    ] {
        let said = peer.say(line).expect(code);
        assert!(said.lines[0].ends_with(name), "{said:?}");
    }
    peer.say(b"MDTM 20210101000000 a\r\0b").expect(253);
    peer.send(b"STOU u\r\0v", "x");
    let mut stored = fs::read_dir(server.path("d\rx")).unwrap().map(|entry| entry.unwrap());
    let is_its = |entry: fs::DirEntry| entry.file_name().as_bytes().starts_with(b"u\rv.");
    assert!(stored.any(is_its), "{}", peer.dialogue());
}

#[test]
fn patterns_and_prefixes_may_contain_carriage_returns() {
    let server = Server::start();
    server.make_dir("d\rx");
    server.write("d\rx/a\rb", "x");
    let mut peer = server.visitor();
    for line in [&b"NLST d*/a*"[..], b"NLST d\r\0x", b"NLST d\r\0x/*", b"NLST -R d\r\0x"] {
        assert_eq!(peer.fetch(line), b"d?x/a?b\r\n", "{}", line.escape_ascii());
    }
}

#[test]
fn extra_carriage_returns_and_nuls_at_a_line_end_are_ignored() {
    let server = Server::start();
    let mut peer = server.visitor();
    for end in ["\r\r\n", "\r\0\n", "\r\n\0", "\r\r\r\n"] {
        peer.raw(format!("NOOP{end}")).expect(200);
        peer.raw(format!("MKD d{end}")).expect(257);
        peer.raw(format!("RMD d{end}")).expect(250);
    }
    for end in ["\0\r\n", "\0\n"] {
        peer.raw(format!("NOOP{end}")).expect(200);
        peer.raw(format!("MKD d{end}")).expect(501);
    }
}

#[test]
fn blanks_before_a_verb_and_arguments_of_noop_and_quit_are_ignored() {
    let server = Server::start();
    let mut peer = server.visitor();
    for line in [" NOOP", "\t  NOOP", "NOOP x", "noop are you there?"] {
        peer.say(line).expect(200);
    }
    peer.say("  MKD  a").expect(257);
    assert!(server.has(" a"), "the blanks of a name stay");
    peer.say("QUIT now").expect(221);
    peer.expect_end();
}

#[test]
fn pipelined_commands_are_answered_in_order() {
    let server = Server::start();
    let mut peer = server.caller();
    let round = "NOOP\r\nSYST\r\nPWD\r\nBOGUS\r\n";
    peer.raw(format!("USER ftp\r\nPASS x\r\n{}QUIT\r\n", round.repeat(500)));
    peer.expect(331);
    peer.expect(230);
    for _ in 0..500 {
        for code in [200, 215, 257, 500] {
            peer.expect(code);
        }
    }
    peer.expect(221);
    peer.expect_end();
}

#[test]
fn commands_after_quit_are_not_executed() {
    let server = Server::start();
    let mut peer = server.visitor();
    peer.raw("QUIT\r\nMKD late\r\n").expect(221);
    peer.expect_end();
    assert!(!server.has("late"));
}

#[test]
fn a_command_may_be_split_anywhere() {
    let server = Server::start();
    let dialogue = "USER anonymous\r\nPASS x\r\nPWD\r\n";
    for split in 1..dialogue.len() {
        let mut peer = server.caller();
        let (head, tail) = dialogue.split_at(split);
        peer.raw(head);
        // Once the server replies to this, it has read the first part.
        let answered = head.matches('\n').count();
        let mut codes = [331, 230, 257].into_iter();
        codes.by_ref().take(answered).for_each(|code| drop(peer.expect(code)));
        peer.raw(tail);
        codes.for_each(|code| drop(peer.expect(code)));
    }
}

#[test]
fn a_command_may_come_byte_by_byte() {
    let server = Server::start();
    let mut peer = server.caller();
    for byte in b"USER anonymous\r\nPASS x\r\nPWD\r\n" {
        peer.raw([*byte]);
    }
    for code in [331, 230, 257] {
        peer.expect(code);
    }
}

#[test]
fn commands_before_a_half_close_are_answered() {
    let server = Server::start();
    let mut peer = server.caller();
    peer.raw("NOOP\r\nSYST\r\n");
    peer.half_close();
    peer.expect(200);
    peer.expect(215);
    peer.expect_end();
}

#[test]
fn a_command_cut_off_by_the_end_is_not_executed() {
    let server = Server::start();
    server.write("file.old", "");
    let mut peer = server.visitor();
    peer.raw("DELE file.old\r\nMKD half");
    peer.half_close();
    peer.expect(250);
    peer.expect_end();
    assert!(!server.has("half") && !server.has("file.old"));
}

#[test]
fn spaces_of_a_name_are_kept() {
    let server = Server::start();
    let mut peer = server.visitor();
    peer.say("MKD  two before and one after ").expect(257);
    assert!(server.has(" two before and one after "));
    peer.say("CWD  two before and one after ").expect(250);
}

#[test]
fn random_bytes_do_not_end_a_session() {
    let server = Server::start();
    let mut peer = server.visitor();
    for seed in 1..300 {
        let verbs = ["", "LIST ", "CWD ", "MLST ", "EPRT ", "PORT ", "OPTS ", "SITE ", "MDTM "];
        let line = line_of_noise(seed as usize % 90, seed);
        let verb = verbs[seed as usize % verbs.len()];
        let code = peer.say([verb.as_bytes(), &line].concat()).hear().code;
        assert!((200..600).contains(&code) && code != 421, "{}", peer.dialogue());
    }
    peer.say("NOOP").expect(200);
    assert!(!server.log().contains("panicked"));
}
