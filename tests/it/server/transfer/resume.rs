//! Resumed uploads: which bytes are kept, and which replies are sent.

use crate::support::Server;
use std::fs::{self, File};
use std::io::Write;
use std::time::{Duration, SystemTime};

/// Starts a server with an upload of `name` that was interrupted after `half`; `name` may already
/// exist.
fn interrupted(old: Option<&str>) -> (Server, crate::support::wire::Peer) {
    let server = Server::start();
    if let Some(old) = old {
        server.write("name", old);
    }
    let mut peer = server.visitor();
    peer.break_off("STOR name", "half");
    assert_eq!(server.partials(""), 1);
    (server, peer)
}

#[test]
fn rest_and_stor_resume_an_interrupted_upload() {
    for old in [None, Some("something old and longer")] {
        let (server, mut peer) = interrupted(old);
        peer.say("REST 4").expect(350);
        peer.send("STOR name", " and half");
        assert_eq!(server.read("name"), b"half and half");
        assert_eq!(server.partials(""), 0);
    }
}

#[test]
fn rest_before_the_end_of_the_partial_truncates_it() {
    let (server, mut peer) = interrupted(None);
    peer.say("REST 2").expect(350);
    peer.send("STOR name", "t");
    assert_eq!(server.read("name"), b"hat");
}

#[test]
fn another_session_may_resume_an_upload() {
    let (server, peer) = interrupted(None);
    drop(peer);
    let mut peer = server.visitor();
    peer.say("REST 4").expect(350);
    peer.send("STOR name", "!");
    assert_eq!(server.read("name"), b"half!");
}

#[test]
fn a_partial_survives_a_crash_of_the_server() {
    let server = Server::start();
    let mut peer = server.visitor();
    let _data = peer.begin_with("STOR name", "half");
    let server = Server::launch(server.crash(), "127.0.0.1", &[]);
    let mut peer = server.visitor();
    peer.say("SIZE name").expect_text(213, "213 4");
    peer.say("REST 4").expect(350);
    peer.send("STOR name", "!");
    assert_eq!(server.read("name"), b"half!");
}

#[test]
fn rest_beyond_the_partial_is_554_and_changes_nothing() {
    let (server, mut peer) = interrupted(Some("old content"));
    peer.epsv();
    // lftp does this: it asks SIZE, gets the size of the old file, and continues from there.
    peer.say("SIZE name").expect_text(213, "213 11");
    peer.say("REST 11").expect(350);
    peer.say("STOR name").expect(554);
    assert_eq!(server.read("name"), b"old content");
    assert_eq!(server.partials(""), 1);
    peer.say("REST 4").expect(350);
    peer.send("STOR name", "!");
    assert_eq!(server.read("name"), b"half!");
}

#[test]
fn size_of_an_interrupted_new_upload_is_that_of_the_partial() {
    let (server, mut peer) = interrupted(None);
    peer.say("SIZE name").expect_text(213, "213 4");
    peer.say("SIZE other").expect(550);
    peer.epsv();
    peer.say("RETR name").expect(550);
    assert!(!server.has("name"));
}

#[test]
fn appe_resumes_if_the_name_does_not_exist() {
    let (server, mut peer) = interrupted(None);
    peer.send("APPE name", " done");
    assert_eq!(server.read("name"), b"half done");
    assert_eq!(server.partials(""), 0);
}

#[test]
fn appe_is_refused_if_it_is_ambiguous() {
    let (server, mut peer) = interrupted(Some("old"));
    peer.epsv();
    let text = peer.say("APPE name").expect(550).text();
    assert!(text.contains("REST") && text.contains("STOR"), "{text}");
    assert_eq!(server.read("name"), b"old");
    peer.stor("name", "new");
    peer.send("APPE name", "er");
    assert_eq!(server.read("name"), b"newer");
}

#[test]
fn appe_appends_to_the_file_if_another_login_was_interrupted() {
    let (server, peer) = interrupted(Some("old"));
    let mut other = server.visitor();
    other.send("APPE name", "er");
    drop(peer);
    assert_eq!(server.read("name"), b"older");
    // The same connection, but another login.
    other.break_off("STOR name", "half");
    other.epsv();
    other.say("APPE name").expect(550);
    other.login().say("TYPE I").expect(200);
    other.send("APPE name", " still");
    assert_eq!(server.read("name"), b"older still");
    other.say("REST 4").expect(350);
    other.send("STOR name", " and half");
    assert_eq!(server.read("name"), b"half and half");
    assert_eq!(server.partials(""), 0);
}

#[test]
fn appe_appends_to_the_file_after_a_crash_of_the_server() {
    let server = Server::start();
    server.write("name", "old");
    let mut peer = server.visitor();
    let _data = peer.begin_with("STOR name", "half");
    let server = Server::launch(server.crash(), "127.0.0.1", &[]);
    let mut peer = server.visitor();
    peer.send("APPE name", "er");
    assert_eq!(server.read("name"), b"older");
    peer.say("REST 4").expect(350);
    peer.send("STOR name", "!");
    assert_eq!(server.read("name"), b"half!");
}

#[test]
fn without_a_partial_rest_and_stor_write_in_place() {
    let server = Server::start();
    server.write("name", "0123456789");
    let mut peer = server.visitor();
    peer.say("REST 10").expect(350);
    peer.send("STOR name", "abc");
    assert_eq!(server.read("name"), b"0123456789abc");
    peer.say("REST 8").expect(350);
    peer.send("STOR name", "ABCDE");
    assert_eq!(server.read("name"), b"01234567ABCDE");
}

#[test]
fn without_a_partial_rest_beyond_the_end_is_554() {
    let server = Server::start();
    server.write("name", "old");
    let mut peer = server.visitor();
    for name in ["name", "missing"] {
        peer.epsv();
        peer.say("REST 4").expect(350);
        peer.say(format!("STOR {name}")).expect(554);
    }
    assert_eq!(server.read("name"), b"old");
    assert!(!server.has("missing"));
}

#[test]
fn rest_0_is_an_ordinary_stor() {
    let (server, mut peer) = interrupted(Some("old content"));
    peer.say("REST 0").expect(350);
    peer.send("STOR name", "new");
    assert_eq!(server.read("name"), b"new");
    assert_eq!(server.partials(""), 0);
}

#[test]
fn rest_does_not_apply_to_appe() {
    let server = Server::start();
    server.write("name", "old");
    let mut peer = server.visitor();
    peer.epsv();
    peer.say("REST 1").expect(350);
    peer.say("APPE name").expect(503);
    assert_eq!(server.read("name"), b"old");
}

#[test]
fn a_partial_that_is_being_written_cannot_be_continued() {
    let server = Server::start();
    let (mut first, mut second) = (server.visitor(), server.visitor());
    let data = first.begin_with("STOR name", "half");
    second.epsv();
    second.say("REST 4").expect(350);
    second.say("STOR name").expect(450);
    drop(data);
    first.expect(226);
    assert_eq!(server.read("name"), b"half");
}

#[test]
fn partials_are_never_listed() {
    let (_server, mut peer) = interrupted(None);
    for command in ["LIST", "LIST -a", "NLST", "NLST -a", "MLSD"] {
        assert!(!peer.list(command).contains("partial"), "{command}: {}", peer.dialogue());
    }
    let stat = peer.say("STAT /").expect(213).text();
    assert!(!stat.contains("partial"), "{stat}");
}

#[test]
fn partials_cannot_be_named() {
    let (server, mut peer) = interrupted(None);
    let partial = fs::read_dir(server.root()).unwrap().next().unwrap().unwrap().file_name();
    let partial = partial.to_str().unwrap();
    peer.epsv();
    for verb in ["RETR", "STOR", "APPE", "DELE", "RNFR", "SIZE", "MDTM", "MLST", "LIST", "MKD"] {
        peer.say(format!("{verb} {partial}")).expect(550);
        peer.say(format!("{verb} ./x/../{partial}")).expect(550);
    }
    peer.say("MKD .ftp-partial-of-my-own").expect(550);
    server.write("file", "");
    peer.say("RNFR file").expect(350);
    peer.say("RNTO .ftp-partial-of-my-own").expect(550);
    assert_eq!(server.partials(""), 1);
    assert!(server.has("file"));
}

#[test]
fn a_finished_stor_removes_the_partial() {
    let (server, mut peer) = interrupted(None);
    peer.stor("name", "new");
    assert_eq!(server.partials(""), 0);
    assert_eq!(server.read("name"), b"new");
}

#[test]
fn dele_removes_the_partial_with_and_without_the_file() {
    for old in [None, Some("old")] {
        let (server, mut peer) = interrupted(old);
        peer.say("DELE name").expect(250);
        assert_eq!(fs::read_dir(server.root()).unwrap().count(), 0);
        peer.say("DELE name").expect(550);
    }
}

#[test]
fn rmd_removes_a_directory_with_only_partials() {
    let server = Server::start();
    server.make_dir("dir");
    let mut peer = server.visitor();
    peer.break_off("STOR dir/name", "half");
    assert_eq!(server.partials("dir"), 1);
    peer.say("RMD dir").expect(250);
    assert!(!server.has("dir"));
}

#[test]
fn partials_older_than_a_day_are_removed() {
    let (server, mut peer) = interrupted(None);
    let partial = fs::read_dir(server.root()).unwrap().next().unwrap().unwrap().path();
    peer.list("LIST");
    assert_eq!(server.partials(""), 1);
    let old = SystemTime::now() - Duration::from_secs(25 * 60 * 60);
    File::options().write(true).open(&partial).unwrap().set_modified(old).unwrap();
    peer.list("LIST");
    assert_eq!(server.partials(""), 0);
}

#[test]
fn an_upload_interrupted_before_its_first_byte_leaves_no_partial() {
    let server = Server::start();
    let mut peer = server.visitor();
    peer.break_off("STOR name", "");
    assert_eq!(fs::read_dir(server.root()).unwrap().count(), 0);
}

/// In TYPE A the bytes on the wire are not those of the file: offsets count the bytes on the wire
/// (RFC 3659 section 5.4), and so does SIZE. A resume that cannot be exact must be refused.
#[test]
fn text_is_resumed_exactly_or_refused() {
    const WIRE: &str = "one\r\ntwo\r\nthree\r\n";
    let server = Server::start();
    let mut peer = server.visitor();
    peer.say("TYPE A").expect(200);
    peer.break_off("STOR name", &WIRE[..7]);
    let size = peer.say("SIZE name").hear();
    let at: usize = if size.code == 213 { size.words().parse().unwrap() } else { 7 };
    let to = peer.epsv();
    peer.say(format!("REST {at}")).hear();
    if peer.say("STOR name").hear().code == 150 {
        crate::support::wire::connect(to).write_all(&WIRE.as_bytes()[at..]).unwrap();
        peer.expect(226);
        assert_eq!(server.read("name"), b"one\ntwo\nthree\n", "{}", peer.dialogue());
    }
}

#[test]
fn text_interrupted_between_cr_and_lf_is_resumed_correctly() {
    const WIRE: &str = "one\r\ntwo\r\n";
    let server = Server::start();
    let mut peer = server.visitor();
    peer.say("TYPE A").expect(200);
    peer.break_off("STOR name", &WIRE[..4]);
    peer.say("SIZE name").expect_text(213, "3");
    let to = peer.epsv();
    peer.say("REST 3").expect(350);
    peer.say("STOR name").expect(150);
    crate::support::wire::connect(to).write_all(&WIRE.as_bytes()[3..]).unwrap();
    peer.expect(226);
    assert_eq!(server.read("name"), b"one\ntwo\n");
}

#[test]
fn text_is_continued_in_place_exactly_or_refused() {
    let server = Server::start();
    server.write("name", "one\ntwo\n");
    let mut peer = server.visitor();
    peer.say("TYPE A").expect(200);
    peer.say("SIZE name").expect_text(213, "213 10");
    let to = peer.epsv();
    peer.say("REST 5").expect(350);
    if peer.say("STOR name").hear().code == 150 {
        crate::support::wire::connect(to).write_all(b"TWO\r\n").unwrap();
        peer.expect(226);
        assert_eq!(server.read("name"), b"one\nTWO\n", "{}", peer.dialogue());
    }
}
