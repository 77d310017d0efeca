//! Names that servers may change: in another encoding, and with the byte 255, which Telnet doubles. And a
//! file that grows while it is fetched.

use crate::our_client::commands::at_every_server;
use crate::support::content::{assert_holds, noise};
use crate::support::fixture::{run, start, wait_until};
use crate::support::servers::{Peer, Software};
use std::fs::{self, File};
use std::io::Write;

at_every_server! {in_clear [
    names_with_the_byte_255_are_downloaded_and_deleted
    a_file_that_grows_is_fetched_once
]}

#[test]
#[ignore = "needs proftpd and root"]
fn names_of_a_server_in_another_encoding_are_sent_in_utf_8() {
    let peer = Peer::start_in_windows_1252();
    peer.put_there("Zugeh\u{f6}rig.txt", &noise(1000));
    peer.put_here("\u{dc}ber.txt", &noise(2000));
    let commands = "RETRIEVE Zugeh\u{f6}rig.txt; STORE \u{dc}ber.txt; MIRROR . all";
    run(&mut peer.client(&[], commands));
    assert_holds(peer.here("Zugeh\u{f6}rig.txt"), &noise(1000));
    assert_holds(peer.there("\u{dc}ber.txt"), &noise(2000));
    assert_holds(peer.here("all/\u{dc}ber.txt"), &noise(2000));
}

fn names_with_the_byte_255_are_downloaded_and_deleted(peer: &Peer) {
    // pyftpdlib decodes names as text.
    if peer.software == Software::Pyftpdlib {
        return;
    }
    let names: [&[u8]; 4] = [b"a\xffb", b"\xff", b"dir\xff/\xff\xffb", b"dir\xff/plain"];
    fs::create_dir(peer.there("tree")).expect("a directory");
    let path = |name: &[u8]| [b"tree/", name].concat();
    for name in names {
        peer.put_there(path(name), &noise(name.len()));
        // The name that is left if a server removes a Telnet command from it.
        peer.put_there("tree/a", b"another");
    }
    run(&mut peer.client(&[], "MIRROR tree"));
    for name in names {
        assert_holds(peer.here(path(name)), &noise(name.len()));
    }
    run(&mut peer.client(&[], "CD tree; MDELETE *b"));
    assert!(!peer.there(path(names[0])).exists() && peer.there(path(names[1])).exists());
    assert_holds(peer.there("tree/a"), b"another");
}

/// The size of the file before it grows.
const BEFORE: usize = 3 * 1024 * 1024;

fn a_file_that_grows_is_fetched_once(peer: &Peer) {
    let content = noise(BEFORE + 100_000);
    peer.put_there("growing", &content[..BEFORE]);
    let client = start(&mut peer.client(&["--rate-limit", "2M"], "RETRIEVE growing"));
    let here = peer.here("");
    let has_begun = || {
        let files = fs::read_dir(&here).expect("a directory").flatten();
        files.filter_map(|file| file.metadata().ok()).any(|data| data.is_file() && data.len() > 0)
    };
    wait_until(has_begun, "the first bytes come");
    let path = peer.there("growing");
    let mut growing = File::options().append(true).open(path).expect("the file");
    growing.write_all(&content[BEFORE..]).expect("it grows");
    let output = client.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{output:?}");
    let fetched = fs::read(peer.here("growing")).expect("the file came");
    assert!(fetched.len() >= BEFORE && content.starts_with(&fetched), "{} bytes", fetched.len());
}
