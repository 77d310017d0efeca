//! Mirrors trees between our client and other servers, in both directions: 2,000 files with names that
//! mirror programs have mishandled.

use crate::our_client::commands::{at_every_server, takes};
use crate::support::content::{noise, os};
use crate::support::fixture::run;
use crate::support::servers::{Peer, Software};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::ffi::OsStringExt;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

at_every_server! {[
    a_tree_is_downloaded_once
    a_tree_is_uploaded_once
    changes_and_deletions_are_mirrored
]}

/// Names of directories, and of every fifth file in them.
const ODD: [&[u8]; 20] = [
    b"plain",
    b"two  words",
    b"-rf",
    b"--",
    b"*",
    b"what?",
    b"[x]",
    b"{a,b}",
    b"back\\slash",
    b"say \"hi\"",
    b"it's",
    "gr\u{fc}\u{df}e \u{65e5}\u{672c}".as_bytes(),
    b"latin \xe9",
    b"a;b",
    b"#x",
    b"|id",
    b"~",
    b"!ls",
    b"$HOME",
    b".hidden",
];

/// The number of files in each directory.
const FILES: usize = 106;

/// Creates a tree with those names that the server stores unchanged.
fn plant(peer: &Peer, root: &Path) {
    let names: Vec<&[u8]> = ODD.into_iter().filter(|name| takes(peer, name)).collect();
    // ProFTPD refuses to create a directory with such a name.
    let is_refused = |dir: &[u8]| peer.software == Software::Proftpd && dir.contains(&b'*');
    for (number, dir) in names.iter().filter(|dir| !is_refused(dir)).enumerate() {
        let dir = root.join(os(dir));
        fs::create_dir_all(dir.join("empty/er")).expect("directories");
        for file in 0..FILES {
            let odd = names.get(file / 5).filter(|_| file % 5 == 0);
            let name = odd.map_or_else(|| format!("file {file}").into_bytes(), |odd| odd.to_vec());
            // Some files are empty.
            let content = noise(file % 10 * (number + file));
            fs::write(dir.join(os(&name)), content).expect("a file");
            let time = UNIX_EPOCH + Duration::from_secs(1_000_000_000 + file as u64);
            let file = File::open(dir.join(os(&name))).expect("the file");
            file.set_modified(time).expect("an old time");
        }
    }
}

/// Maps each path to `None` for a directory, or to the time and content of a file.
type Tree = BTreeMap<String, Option<(u64, Vec<u8>)>>;

fn tree(root: &Path) -> Tree {
    let mut found = Tree::new();
    let mut waiting = vec![root.to_owned()];
    while let Some(dir) = waiting.pop() {
        for entry in fs::read_dir(&dir).expect("a directory").flatten() {
            let path = entry.path();
            let name = path.strip_prefix(root).expect("it is below").as_os_str().to_owned();
            let name = name.into_vec().escape_ascii().to_string();
            if path.is_dir() {
                found.insert(name, None);
                waiting.push(path);
                continue;
            }
            let time = path.metadata().and_then(|data| data.modified()).expect("a time");
            let time = time.duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
            found.insert(name, Some((time, fs::read(&path).expect("a file"))));
        }
    }
    found
}

#[derive(Clone, Copy, PartialEq)]
enum Times {
    Same,
    Any,
}

#[track_caller]
fn assert_same_tree(found: &Path, wanted: &Path, times: Times) {
    let (mut found, mut wanted) = (tree(found), tree(wanted));
    if times == Times::Any {
        for file in found.values_mut().chain(wanted.values_mut()).flatten() {
            file.0 = 0;
        }
    }
    let names = found.keys().chain(wanted.keys());
    let differ: Vec<&String> = names.filter(|name| found.get(*name) != wanted.get(*name)).collect();
    assert_eq!(differ, [] as [&String; 0]);
}

/// Returns what a mirror prints with `--dry-run`.
#[track_caller]
fn planned(peer: &Peer, words: &str) -> String {
    let output = run(&mut peer.client(&["-q"], format!("MIRROR --dry-run {words}")));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn a_tree_is_downloaded_once(peer: &Peer) {
    plant(peer, &peer.there("tree"));
    peer.own_by_user();
    run(&mut peer.client(&["-q"], "MIRROR tree"));
    assert_same_tree(&peer.here("tree"), &peer.there("tree"), Times::Same);
    assert_eq!(planned(peer, "--delete tree"), "");
}

fn a_tree_is_uploaded_once(peer: &Peer) {
    plant(peer, &peer.here("tree"));
    run(&mut peer.client(&["-q"], "MIRROR -R tree"));
    assert_same_tree(&peer.there("tree"), &peer.here("tree"), Times::Same);
    assert_eq!(planned(peer, "-R --delete tree"), "");
}

fn changes_and_deletions_are_mirrored(peer: &Peer) {
    for dir in ["a", "b/c", "gone"] {
        peer.put_there(format!("tree/{dir}/same"), &noise(100));
        peer.put_there(format!("tree/{dir}/other"), &noise(100));
    }
    run(&mut peer.client(&[], "MIRROR tree; MIRROR -R tree up"));
    peer.put_there("tree/a/other", &noise(101));
    peer.put_there("tree/new/file", &noise(102));
    fs::remove_dir_all(peer.there("tree/gone")).expect("it goes");
    fs::remove_file(peer.there("tree/b/c/other")).expect("it goes");
    let steps = planned(peer, "--delete tree");
    let wanted = "mkdir new\nget a/other\nget new/file\ndelete gone/same\ndelete gone/other\n\
                  rmdir gone\ndelete b/c/other\n";
    assert_eq!(steps, wanted);
    run(&mut peer.client(&[], "MIRROR --delete tree; MIRROR -R --delete tree up"));
    assert_same_tree(&peer.here("tree"), &peer.there("tree"), Times::Same);
    assert_same_tree(&peer.there("up"), &peer.here("tree"), Times::Any);
}
