//! The access of visitors and accounts: `drop`, `read`, `store` and `write`.
//!
//! `replies.rs` tests every verb with each access; the tests here also depend on whether the name
//! exists.

use crate::support::Server;
use crate::support::wire::Peer;

fn server(access: &str) -> Server {
    let server = Server::with(&["--anonymous", access]);
    server.write("theirs", "theirs");
    server
}

/// Returns the lines of the reply to FEAT, each without its leading space.
fn features(peer: &mut Peer) -> Vec<String> {
    let said = peer.say("FEAT").expect(211).text();
    said.lines().filter_map(|line| Some(line.strip_prefix(' ')?.to_owned())).collect()
}

#[test]
fn drop_accepts_new_names() {
    let server = server("drop");
    let mut peer = server.visitor();
    peer.stor("stored", "stored");
    peer.send("APPE appended", "appended");
    peer.send("STOU", "unique");
    assert_eq!(server.read("stored"), b"stored");
    assert_eq!(server.read("appended"), b"appended");
    let names = peer.list("NLST");
    for name in ["stored", "appended", "theirs", "upload."] {
        assert!(names.contains(name), "{name} in {names}");
    }
    assert_eq!(server.partials(""), 0);
}

#[test]
fn drop_cannot_change_existing_files() {
    let server = server("drop");
    let mut peer = server.visitor();
    peer.stor("mine", "mine");
    for name in ["theirs", "mine"] {
        for line in [format!("STOR {name}"), format!("APPE {name}")] {
            peer.epsv();
            peer.say(line).expect_text(553, "The file exists");
        }
        peer.epsv();
        peer.say("REST 2").expect(350);
        peer.say(format!("STOR {name}")).expect(553);
        assert_eq!(server.read(name), name.as_bytes());
        for verb in ["RETR", "HASH", "XMD5", "DELE", "RNFR"] {
            peer.say(format!("{verb} {name}")).expect_text(550, "Permission denied");
        }
    }
    peer.say("MKD made").expect(550);
}

#[test]
fn drop_continues_an_interrupted_upload() {
    let server = server("drop");
    let mut peer = server.visitor();
    peer.break_off("STOR mine", "half");
    peer.say("SIZE mine").expect_text(213, "213 4");
    peer.say("REST 4").expect(350);
    peer.send("STOR mine", " and half");
    assert_eq!(server.read("mine"), b"half and half");
    peer.break_off("STOR other", "half");
    peer.send("APPE other", "!");
    assert_eq!(server.read("other"), b"half!");
}

#[test]
fn the_first_of_two_drops_to_one_name_wins() {
    let with_quota = Server::with_accounts(&["anna:write::1M"], &["--anonymous", "drop"]);
    for server in [server("drop"), with_quota] {
        let (mut first, mut second) = (server.visitor(), server.visitor());
        let slow = first.begin_with("STOR name", "slow");
        second.stor("name", "quick");
        drop(slow);
        first.expect_text(553, "The file exists");
        assert_eq!(server.read("name"), b"quick");
        assert_eq!(server.partials(""), 0);
    }
}

#[test]
fn store_replaces_and_appends_but_does_not_delete() {
    let server = server("store");
    let mut peer = server.visitor();
    peer.stor("theirs", "new");
    peer.send("APPE theirs", "er");
    assert_eq!(peer.retr("theirs"), b"newer");
    peer.say("MKD made").expect(257);
    for line in ["DELE theirs", "RMD made", "RMDA made", "RNFR theirs", "RNFR made"] {
        peer.say(line).expect_text(550, "Permission denied");
    }
    for line in ["MFMT 20200102030405 theirs", "SITE CHMOD 600 theirs", "SITE SYMLINK a b"] {
        peer.say(line).expect(550);
    }
    assert!(server.has("theirs") && server.has("made"));
}

#[test]
fn visitors_may_store_by_default() {
    // With `--config`, `Server` adds no `--anonymous`.
    let server = Server::with(&["--config", "/dev/null"]);
    assert!(server.next_line().contains("may read and store, not delete"));
    let mut peer = server.visitor();
    peer.stor("file", "content");
    assert_eq!(peer.retr("file"), b"content");
    peer.say("DELE file").expect(550);
}

#[test]
fn accounts_can_have_the_same_access_as_visitors() {
    let server = Server::with_accounts(&["anna:drop:", "ben:store:", "carl::"], &[]);
    for (name, store, delete) in [("anna", 425, 550), ("ben", 425, 550), ("carl", 550, 550)] {
        let mut peer = server.caller();
        peer.say(format!("USER {name}")).expect(331);
        peer.say("PASS secret").expect(230);
        peer.say("STOR new").expect(store);
        peer.say("DELE new").expect(delete);
    }
}

#[test]
fn feat_omits_commands_that_the_login_may_not_use() {
    for (access, has, has_not) in [
        (
            "drop",
            &["SIZE", "MDTM", "REST STREAM", "AVBL"][..],
            &["HASH", "XMD5", "RANG", "MFMT"][..],
        ),
        ("read", &["SIZE", "XMD5"], &["MFMT", "AVBL", "RMDA"]),
        ("store", &["SIZE", "XMD5", "AVBL"], &["MFMT", "MFF", "RMDA"]),
        ("write", &["SIZE", "XMD5", "AVBL", "MFMT", "MFF", "RMDA"], &[]),
    ] {
        let server = server(access);
        let features = features(&mut server.visitor());
        let lists = |name: &&&str| features.iter().any(|line| line.starts_with(**name));
        assert!(has.iter().all(|name| lists(&name)), "{access}: {features:?}");
        assert!(!has_not.iter().any(|name| lists(&name)), "{access}: {features:?}");
    }
    // Before the login, the access is not known yet.
    let all = features(&mut server("drop").caller());
    assert!(all.contains(&"MFMT".into()), "{all:?}");
}
