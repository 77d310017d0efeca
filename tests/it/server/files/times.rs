//! MDTM, MFMT and the modify fact: in seconds and UTC.

use crate::support::Server;
use std::fs::File;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Times and their written form.
const MOMENTS: &[(u64, &str)] = &[
    (0, "19700101000000"),
    (951_782_400, "20000229000000"),
    (1_577_934_245, "20200102030405"),
    (2_147_483_648, "20380119031408"),
    (4_102_444_799, "20991231235959"),
];

fn set_modified(server: &Server, name: &str, seconds: u64) {
    let time = UNIX_EPOCH + Duration::from_secs(seconds);
    File::options().write(true).open(server.path(name)).unwrap().set_modified(time).unwrap();
}

fn modified(server: &Server, name: &str) -> SystemTime {
    server.path(name).metadata().unwrap().modified().unwrap()
}

#[test]
fn mdtm_shows_the_modification_time() {
    let server = Server::start();
    server.write("a file", "");
    let mut peer = server.visitor();
    for (seconds, text) in MOMENTS {
        set_modified(&server, "a file", *seconds);
        assert_eq!(peer.say("MDTM a file").expect(213).words(), *text);
    }
    peer.say("MDTM missing").expect(550);
}

#[test]
fn mfmt_sets_the_modification_time() {
    let server = Server::start();
    server.write("a file", "");
    let mut peer = server.visitor();
    for (seconds, text) in MOMENTS {
        peer.say(format!("MFMT {text} a file"))
            .expect_text(213, &format!("Modify={text}; /a file"));
        assert_eq!(modified(&server, "a file"), UNIX_EPOCH + Duration::from_secs(*seconds));
    }
}

#[test]
fn mfmt_takes_directories_and_fractions() {
    let server = Server::start();
    server.make_dir("dir");
    let mut peer = server.visitor();
    peer.say("MFMT 20200102030405.250 dir").expect(213);
    let expected = UNIX_EPOCH + Duration::from_millis(1_577_934_245_250);
    assert_eq!(modified(&server, "dir"), expected);
}

#[test]
fn mfmt_refuses_invalid_times_and_missing_files() {
    let server = Server::start();
    server.write("file", "");
    let before = modified(&server, "file");
    let mut peer = server.visitor();
    for time in ["2020", "20200230000000", "20200102250000", "2020010203040a", "yesterday"] {
        peer.say(format!("MFMT {time} file")).expect(501);
    }
    peer.say("MFMT 20200102030405").expect(501);
    peer.say("MFMT 20200102030405 missing").expect(550);
    assert_eq!(modified(&server, "file"), before);
}

#[test]
fn the_modify_fact_agrees_with_mdtm() {
    let server = Server::start();
    server.write("file", "");
    set_modified(&server, "file", MOMENTS[2].0);
    let mut peer = server.visitor();
    let fact = format!("modify={};", MOMENTS[2].1);
    peer.say("MLST file").expect_text(250, &fact);
    assert!(peer.list("MLSD").contains(&fact));
}

#[test]
fn an_old_file_is_listed_with_its_year() {
    let server = Server::start();
    server.write("file", "");
    set_modified(&server, "file", MOMENTS[1].0);
    assert!(server.visitor().list("LIST").contains(" Feb 29  2000 file\r\n"));
}
