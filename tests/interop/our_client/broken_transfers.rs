//! Transfers between our client and other servers, interrupted in the middle: the rest is transferred
//! over a new connection, and the file is correct.

use crate::our_client::commands::at_every_server;
use crate::support::content::{LARGE, assert_holds, noise};
use crate::support::cutting_proxy::{Between, Cut};
use crate::support::fixture::{names_in, run};
use crate::support::servers::{Peer, Software};

at_every_server! {in_clear [
    a_download_whose_data_is_cut_is_complete
    a_download_that_loses_everything_is_complete
    an_upload_whose_data_is_cut_is_complete
    an_upload_that_loses_everything_is_complete
    a_file_in_parts_is_complete_when_one_is_cut
    a_mirror_is_complete_when_one_transfer_is_cut
    an_interrupted_mirror_transfers_the_rest
]}

/// The offset of the interruption, early enough that most of the file is still missing.
const AFTER: usize = 3 * 1024 * 1024;

fn download(peer: &Peer, cut: Cut) {
    let content = noise(LARGE);
    peer.put_there("dir/file", &content);
    peer.put_here("file", b"old");
    let between = Between::start(peer.address(), cut, AFTER);
    run(&mut peer.client_at(between.address(), &[], "CD dir; RETRIEVE file"));
    between.assert_has_cut();
    between.assert_received("REST");
    assert_holds(peer.here("file"), &content);
    assert_eq!(names_in(&peer.here("")), [b"file"]);
}

fn a_download_whose_data_is_cut_is_complete(peer: &Peer) {
    download(peer, Cut::Data);
}

fn a_download_that_loses_everything_is_complete(peer: &Peer) {
    download(peer, Cut::Everything);
}

fn upload(peer: &Peer, cut: Cut) {
    let content = noise(LARGE);
    peer.put_here("file", &content);
    peer.put_there("dir/other", b"other");
    let between = Between::start(peer.address(), cut, AFTER);
    run(&mut peer.client_at(between.address(), &[], "CD dir; STORE file"));
    between.assert_has_cut();
    assert_holds(peer.there("dir/file"), &content);
    assert_eq!(names_in(&peer.there("dir")), [&b"file"[..], b"other"]);
}

fn an_upload_whose_data_is_cut_is_complete(peer: &Peer) {
    upload(peer, Cut::Data);
}

fn an_upload_that_loses_everything_is_complete(peer: &Peer) {
    upload(peer, Cut::Everything);
}

fn a_file_in_parts_is_complete_when_one_is_cut(peer: &Peer) {
    let content = noise(LARGE);
    peer.put_there("file", &content);
    let between = Between::start(peer.address(), Cut::Everything, AFTER / 4);
    run(&mut peer.client_at(between.address(), &[], "PGET -n 3 file"));
    between.assert_has_cut();
    assert_holds(peer.here("file"), &content);
    assert_eq!(names_in(&peer.here("")), [b"file"]);
}

/// The number of files; the transfer of one of them is interrupted.
const MIRRORED: usize = 8;

fn content(number: usize) -> Vec<u8> {
    noise(if number == 3 { LARGE } else { 1000 + number })
}

fn a_mirror_is_complete_when_one_transfer_is_cut(peer: &Peer) {
    for number in 0..MIRRORED {
        peer.put_there(format!("tree/{number}"), &content(number));
    }
    let between = Between::start(peer.address(), Cut::Everything, AFTER);
    run(&mut peer.client_at(between.address(), &[], "MIRROR tree"));
    between.assert_has_cut();
    let between = Between::start(peer.address(), Cut::Everything, AFTER);
    run(&mut peer.client_at(between.address(), &[], "MIRROR -R tree up"));
    between.assert_has_cut();
    for number in 0..MIRRORED {
        assert_holds(peer.here(format!("tree/{number}")), &content(number));
        assert_holds(peer.there(format!("up/{number}")), &content(number));
    }
    assert_eq!(names_in(&peer.here("tree")).len(), MIRRORED);
}

fn an_interrupted_mirror_transfers_the_rest(peer: &Peer) {
    for number in 0..MIRRORED {
        peer.put_there(format!("tree/{number}"), &content(number));
    }
    let between = Between::start(peer.address(), Cut::Everything, AFTER);
    // Without retries the transfer fails.
    let options = ["-q", "--retries", "0"];
    let mut command = peer.client_at(between.address(), &options, "MIRROR tree");
    let ended = command.status().expect("it starts");
    assert!(!ended.success());
    between.assert_has_cut();
    let again = |words: &str| run(&mut peer.client_at(between.address(), &["-q"], words));
    let rest = again("MIRROR --dry-run tree").stdout;
    let rest: Vec<&[u8]> =
        rest.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
    assert!(rest.contains(&&b"get 3"[..]), "{rest:?}");
    // All connections are cut, so each of the others can lose the file that is on its way.
    assert!(rest.len() < MIRRORED / 2, "{rest:?}");
    again("MIRROR tree");
    // Without MLSD the client does not know the exact time, so it cannot tell that the file is unchanged.
    if peer.software != Software::Vsftpd {
        between.assert_received("REST");
    }
    for number in 0..MIRRORED {
        assert_holds(peer.here(format!("tree/{number}")), &content(number));
    }
    assert_eq!(names_in(&peer.here("tree")).len(), MIRRORED);
}
