//! Changing, creating, removing and renaming directories.

use crate::support::Server;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

#[test]
fn cwd_and_cdup_change_the_directory() {
    let server = Server::start();
    server.make_dir("a/b c");
    let mut peer = server.visitor();
    for (command, place) in [
        ("CWD a", "/a"),
        ("CWD b c", "/a/b c"),
        ("CDUP", "/a"),
        ("CWD ./b c/.", "/a/b c"),
        ("CWD ..", "/a"),
        ("CWD /", "/"),
        ("CWD //a///b c//", "/a/b c"),
        ("CWD /a/../a", "/a"),
    ] {
        peer.say(command).expect(250);
        peer.say("PWD").expect_text(257, &format!("257 \"{place}\" "));
    }
}

#[test]
fn a_refused_cwd_keeps_the_working_directory() {
    let server = Server::start();
    server.make_dir("a");
    server.write("a/file", "");
    let mut peer = server.visitor();
    peer.say("CWD a").expect(250);
    for name in ["missing", "file", "file/.."] {
        let code = peer.say(format!("CWD {name}")).hear().code;
        // Paths are normalized lexically, so `file/..` is a valid way to name the current
        // directory.
        assert!(code == 550 || name == "file/..", "{}", peer.dialogue());
        peer.say("PWD").expect_text(257, "\"/a\"");
    }
}

#[test]
fn names_are_relative_to_the_working_directory() {
    let server = Server::start();
    server.make_dir("a");
    let mut peer = server.visitor();
    peer.say("CWD a").expect(250);
    peer.stor("file", "content");
    peer.say("MKD sub").expect_text(257, "\"/a/sub\"");
    assert_eq!(server.read("a/file"), b"content");
    assert_eq!(peer.retr("../a/file"), b"content");
    assert_eq!(peer.retr("/a/file"), b"content");
}

#[test]
fn a_rename_needs_two_commands() {
    let server = Server::start();
    server.make_dir("dir");
    server.write("old name", "content");
    let mut peer = server.visitor();
    peer.say("RNFR old name").expect(350);
    peer.say("RNTO dir/new name").expect(250);
    assert!(!server.has("old name"));
    assert_eq!(server.read("dir/new name"), b"content");
}

#[test]
fn rnto_must_follow_rnfr_immediately() {
    let server = Server::start();
    server.write("file", "");
    let mut peer = server.visitor();
    peer.say("RNTO new").expect(503);
    for between in ["NOOP", "PWD", "BOGUS", "EPSV"] {
        peer.say("RNFR file").expect(350);
        peer.say(between).hear();
        peer.say("RNTO new").expect(503);
    }
    peer.say("RNFR file").expect(350);
    peer.say("RNTO new").expect(250);
    peer.say("RNTO newer").expect(503);
}

#[test]
fn renaming_a_missing_file_is_550() {
    let server = Server::start();
    server.write("file", "");
    let mut peer = server.visitor();
    peer.say("RNFR missing").expect(550);
    peer.say("RNTO new").expect(503);
    peer.say("RNFR file").expect(350);
    peer.say("RNTO missing/new").expect(550);
    assert!(server.has("file"));
}

#[test]
fn a_rename_replaces_a_file_but_not_a_nonempty_directory() {
    let server = Server::start();
    server.write("new", "new");
    server.write("old", "old");
    server.make_dir("empty");
    server.make_dir("full/sub");
    let mut peer = server.visitor();
    peer.say("RNFR new").expect(350);
    peer.say("RNTO old").expect(250);
    assert_eq!(server.read("old"), b"new");
    peer.say("RNFR empty").expect(350);
    peer.say("RNTO full").expect(550);
    peer.say("RNFR old").expect(350);
    peer.say("RNTO full").expect(550);
    assert!(server.has("full/sub") && server.has("empty") && server.has("old"));
}

#[test]
fn a_directory_cannot_be_moved_into_itself() {
    let server = Server::start();
    server.make_dir("dir/sub");
    let mut peer = server.visitor();
    peer.say("RNFR dir").expect(350);
    let code = peer.say("RNTO dir/sub/dir").hear().code;
    assert!((500..600).contains(&code), "{}", peer.dialogue());
    assert!(server.has("dir/sub"));
}

#[test]
fn a_directory_can_be_renamed() {
    let server = Server::start();
    server.make_dir("dir/sub");
    let mut peer = server.visitor();
    peer.say("RNFR dir").expect(350);
    peer.say("RNTO other").expect(250);
    assert!(server.has("other/sub") && !server.has("dir"));
}

#[test]
fn dele_removes_only_files() {
    let server = Server::start();
    server.write("file", "");
    server.make_dir("dir");
    let mut peer = server.visitor();
    peer.say("DELE file").expect(250);
    peer.say("DELE file").expect(550);
    peer.say("DELE dir").expect(550);
    assert!(!server.has("file") && server.has("dir"));
}

#[test]
fn dele_and_rename_act_on_a_link_itself() {
    let server = Server::start();
    server.write("file", "content");
    symlink("file", server.path("link")).unwrap();
    symlink("nowhere", server.path("dangling")).unwrap();
    let mut peer = server.visitor();
    peer.say("RNFR link").expect(350);
    peer.say("RNTO moved").expect(250);
    peer.say("DELE moved").expect(250);
    peer.say("DELE dangling").expect(250);
    assert!(!server.has("moved") && !server.has("dangling"));
    assert_eq!(server.read("file"), b"content");
}

#[test]
fn mkd_creates_one_directory() {
    let server = Server::start();
    server.write("file", "");
    let mut peer = server.visitor();
    peer.say("MKD dir").expect_text(257, "257 \"/dir\" ");
    peer.say("MKD dir").expect(550);
    peer.say("MKD file").expect(550);
    peer.say("MKD missing/dir").expect(550);
    peer.say("MKD file/dir").expect(550);
    peer.say("MKD /dir/sub/").expect_text(257, "257 \"/dir/sub\" ");
    assert!(server.has("dir/sub"));
}

#[test]
fn rmd_removes_only_empty_directories() {
    let server = Server::start();
    server.make_dir("full/empty");
    server.write("file", "");
    let mut peer = server.visitor();
    peer.say("RMD full").expect(550);
    peer.say("RMD file").expect(550);
    peer.say("RMD missing").expect(550);
    assert!(server.has("full/empty") && server.has("file"));
    peer.say("RMD full/empty").expect(250);
    peer.say("RMD full").expect(250);
    assert!(!server.has("full"));
}

#[test]
fn the_root_cannot_be_removed_or_renamed() {
    let server = Server::start();
    server.make_dir("dir");
    let mut peer = server.visitor();
    for name in ["/", ".", "..", "/..", "dir/.."] {
        for verb in ["RMD", "DELE", "RNFR", "MKD"] {
            peer.say(format!("{verb} {name}")).expect(550);
        }
        peer.say("RNFR dir").expect(350);
        peer.say(format!("RNTO {name}")).expect(550);
    }
    assert!(server.has("dir"));
}

#[test]
fn a_removed_working_directory_is_550() {
    let server = Server::start();
    server.make_dir("dir");
    let mut peer = server.visitor();
    peer.say("CWD dir").expect(250);
    fs::remove_dir(server.path("dir")).unwrap();
    peer.epsv();
    peer.say("LIST").expect(550);
    peer.say("STOR file").expect(550);
    peer.say("CDUP").expect(250);
}

#[test]
fn site_chmod_sets_permission_bits() {
    let server = Server::start();
    server.write("a file", "");
    let mut peer = server.visitor();
    for (text, mode) in [("600", 0o600), ("0755", 0o755)] {
        peer.say(format!("SITE CHMOD {text} a file")).expect(200);
        let now = fs::metadata(server.path("a file")).unwrap().permissions().mode();
        assert_eq!(now & 0o7777, mode);
    }
    peer.say("SITE CHMOD 600 missing").expect(550);
}

#[test]
fn a_name_has_at_most_255_bytes() {
    let server = Server::start();
    let mut peer = server.visitor();
    let longest = "n".repeat(255);
    peer.stor(&longest, "content");
    assert_eq!(peer.retr(&longest), b"content");
    peer.say(format!("MKD {}", "d".repeat(255))).expect(257);
    let too_long = "n".repeat(256);
    peer.epsv();
    peer.say(format!("STOR {too_long}")).expect(553);
    peer.say(format!("MKD {too_long}")).expect(553);
}

#[test]
fn an_upload_with_the_longest_name_can_be_resumed() {
    let server = Server::start();
    let longest = "n".repeat(255);
    let mut peer = server.visitor();
    peer.break_off(&format!("STOR {longest}"), "half");
    peer.say("REST 4").expect(350);
    peer.send(format!("STOR {longest}"), "!");
    assert_eq!(server.read(&longest), b"half!");
}
