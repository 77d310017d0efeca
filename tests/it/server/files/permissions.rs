//! Files and directories that the server's user may not read, write or enter, and permissions that
//! are removed during an operation.

use crate::support::wire::{Peer, drain};
use crate::support::{Server, noise};
use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

fn set_mode(server: &Server, name: &str, mode: u32) {
    fs::set_permissions(server.path(name), Permissions::from_mode(mode)).unwrap();
}

/// Starts a server for an unprivileged user on files that belong to root, so that access depends
/// only on the modes of the files.
fn server() -> (Server, Peer) {
    let server = Server::unprivileged(":", &[]);
    for dir in ["closed/sub", "fixed/sub", "blind", "open"] {
        server.make_dir(dir);
    }
    for name in ["secret", "shown", "closed/file", "fixed/file", "fixed/log"] {
        server.write(name, "old");
    }
    let modes = [("secret", 0o600), ("shown", 0o444), ("fixed/log", 0o666), ("closed", 0o000)];
    let dirs = [("fixed", 0o555), ("blind", 0o333), ("open", 0o777)];
    modes.iter().chain(&dirs).for_each(|(name, mode)| set_mode(&server, name, *mode));
    let peer = server.visitor();
    (server, peer)
}

fn refuses(peer: &mut Peer, commands: &[&str]) {
    for command in commands {
        peer.epsv();
        peer.say(command).expect(550);
    }
}

#[test]
#[ignore = "needs root and setpriv"]
fn a_file_without_read_permission_is_550() {
    let (server, mut peer) = server();
    refuses(
        &mut peer,
        &["RETR secret", "HASH secret", "XMD5 secret", "STOR secret", "APPE secret"],
    );
    refuses(&mut peer, &["LIST blind", "NLST blind", "MLSD blind", "STAT blind"]);
    peer.say("SIZE secret").expect(213);
    peer.stor("blind/new", "content");
    assert_eq!(peer.retr("blind/new"), b"content");
    assert_eq!(server.read("secret"), b"old");
}

#[test]
#[ignore = "needs root and setpriv"]
fn a_directory_without_search_permission_is_550() {
    let (server, mut peer) = server();
    for verb in ["LIST", "NLST", "MLSD", "STAT", "CWD", "DSIZ", "AVBL"] {
        refuses(&mut peer, &[&format!("{verb} closed")]);
    }
    for verb in ["RETR", "STOR", "APPE", "DELE", "RMD", "MKD", "RNFR", "SIZE", "MDTM", "MLST"] {
        refuses(&mut peer, &[&format!("{verb} closed/file"), &format!("{verb} closed/sub/x")]);
    }
    refuses(&mut peer, &["MFMT 20200101000000 closed/file", "SITE CHMOD 666 closed/file"]);
    peer.say("RNFR shown").expect(350);
    peer.say("RNTO closed/moved").expect(550);
    peer.say("PWD").expect_text(257, "\"/\"");
    assert_eq!(peer.lines("NLST").len(), 6);
    assert_eq!(server.read("closed/file"), b"old");
}

#[test]
#[ignore = "needs root and setpriv"]
fn a_file_without_write_permission_is_550() {
    let (server, mut peer) = server();
    refuses(&mut peer, &["STOR shown", "APPE shown", "MFMT 20200101000000 shown"]);
    refuses(&mut peer, &["SITE CHMOD 666 shown", "STOR fixed/new", "STOR fixed/file"]);
    refuses(&mut peer, &["APPE fixed/new", "MKD fixed/new", "DELE fixed/file", "RMD fixed/sub"]);
    refuses(&mut peer, &["SITE SYMLINK /shown fixed/new", "RMDA fixed/sub"]);
    peer.say("RNFR fixed/file").expect(350);
    peer.say("RNTO open/file").expect(550);
    // Writing in place creates no file.
    peer.send("APPE fixed/log", " and new");
    assert_eq!(server.read("fixed/log"), b"old and new");
    peer.say("CWD fixed").expect(250);
    refuses(&mut peer, &["STOU"]);
    assert_eq!(peer.lines("NLST"), [&b"file"[..], b"log", b"sub"]);
    assert_eq!(peer.retr("file"), b"old");
    assert_eq!(server.read("shown"), b"old");
}

#[test]
#[ignore = "needs root and setpriv"]
fn a_working_directory_without_permission_is_550_until_it_is_allowed() {
    let (server, mut peer) = server();
    peer.say("CWD open").expect(250);
    set_mode(&server, "open", 0o000);
    refuses(&mut peer, &["LIST", "NLST", "MLSD", "STOR new", "STOU", "MKD new", "RETR x", "CWD ."]);
    peer.say("PWD").expect_text(257, "\"/open\"");
    set_mode(&server, "open", 0o777);
    peer.stor("new", "content");
    assert_eq!(peer.retr("new"), b"content");
}

#[test]
#[ignore = "needs root and setpriv"]
fn an_upload_that_can_no_longer_be_renamed_remains_for_a_resume() {
    let (server, mut peer) = server();
    server.write("open/file", "old");
    set_mode(&server, "open/file", 0o666);
    let data = peer.begin_with("STOR open/file", "new");
    set_mode(&server, "open", 0o555);
    set_mode(&server, "open/file", 0o444);
    drop(data);
    peer.expect(550);
    assert_eq!(server.read("open/file"), b"old");
    assert_eq!(server.partial_sizes("open"), [3]);
    peer.epsv();
    peer.say("REST 3").expect(350);
    peer.say("STOR open/file").expect(550);
    set_mode(&server, "open/file", 0o666);
    set_mode(&server, "open", 0o777);
    let to = peer.epsv();
    peer.say("REST 3").expect(350);
    peer.say("STOR open/file").expect(150);
    crate::support::wire::connect(to).write_all(b"er").unwrap();
    peer.expect(226);
    assert_eq!(server.read("open/file"), b"newer");
    assert_eq!(server.partials("open"), 0);
}

#[test]
#[ignore = "needs root and setpriv"]
fn a_writable_file_in_a_directory_that_is_not_is_written_in_place() {
    let (server, mut peer) = server();
    let large = noise(3_000_000, 1);
    for content in [&b"new"[..], b"", &large, b"shorter"] {
        peer.stor("fixed/log", content);
        assert!(server.read("fixed/log") == content);
    }
    peer.break_off("STOR fixed/log", "");
    assert_eq!(server.read("fixed/log"), b"shorter");
    peer.break_off("STOR fixed/log", "half");
    peer.say("SIZE fixed/log").expect_text(213, "213 4");
    peer.say("REST 4").expect(350);
    peer.send("STOR fixed/log", " and half");
    peer.send("APPE fixed/log", "!");
    assert_eq!(server.read("fixed/log"), b"half and half!");
    assert_eq!(peer.lines("NLST fixed").len(), 3);
    assert_eq!(server.partials("fixed"), 0);
}

#[test]
#[ignore = "needs root and setpriv"]
fn two_sessions_do_not_write_one_file_in_place_at_once() {
    let (server, mut peer) = server();
    let data = peer.begin_with("STOR fixed/log", "new");
    let mut other = server.visitor();
    other.epsv();
    other.say("STOR fixed/log").expect(450);
    drop(data);
    peer.expect(226);
    assert_eq!(server.read("fixed/log"), b"new");
}

#[test]
#[ignore = "needs root and setpriv"]
fn a_writable_file_of_another_in_a_sticky_directory_is_written_in_place() {
    let (server, mut peer) = server();
    set_mode(&server, "open", 0o1777);
    for (name, mode) in [("open/shared", 0o666), ("open/shown", 0o644)] {
        server.write(name, "something old");
        set_mode(&server, name, mode);
    }
    for content in [&noise(3_000_000, 1)[..], b"new"] {
        peer.stor("open/shared", content);
        assert!(server.read("open/shared") == content);
        assert_eq!(server.partials("open"), 0);
    }
    let data = fs::metadata(server.path("open/shared")).unwrap();
    assert_eq!((data.uid(), data.mode() & 0o7777), (0, 0o666));
    refuses(&mut peer, &["STOR open/shown"]);
    peer.break_off("STOR open/shared", "half");
    assert_eq!(server.read("open/shared"), b"new");
    peer.say("REST 4").expect(350);
    peer.send("STOR open/shared", " and half");
    assert_eq!(server.read("open/shared"), b"half and half");
    assert_eq!(server.partials("open"), 0);
}

#[test]
#[ignore = "needs root and setpriv"]
fn an_upload_whose_directory_is_closed_meanwhile_is_written_in_place() {
    let (server, mut peer) = server();
    server.write("open/file", "old and longer");
    set_mode(&server, "open/file", 0o666);
    let data = peer.begin_with("STOR open/file", "new");
    set_mode(&server, "open", 0o555);
    drop(data);
    peer.expect(226);
    assert_eq!(server.read("open/file"), b"new");
    // A partial that could not be removed is empty and does not disturb later uploads.
    assert_eq!(server.partial_sizes("open"), [0]);
    peer.send("APPE open/file", "er");
    peer.say("REST 5").expect(350);
    peer.send("STOR open/file", "!");
    assert_eq!(server.read("open/file"), b"newer!");
}

#[test]
#[ignore = "needs root and setpriv"]
fn a_running_download_continues_when_the_file_becomes_unreadable() {
    const SIZE: u64 = 64 << 20;
    let (server, mut peer) = server();
    server.write_sparse("large", SIZE);
    let data = peer.begin("RETR large");
    set_mode(&server, "large", 0o000);
    assert_eq!(drain(data).len() as u64, SIZE);
    peer.expect(226);
    refuses(&mut peer, &["RETR large"]);
}
