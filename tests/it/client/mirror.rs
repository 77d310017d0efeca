//! MIRROR in both directions, with `ftp_server` and with malicious servers.

mod interrupted;
mod large_trees;
mod list_times;
mod upload_target;
mod upload_times;

use crate::support::scripted_server::{Script, ScriptedServer, play, play_all};
use crate::support::wire::accept;
use crate::support::{Client, Server, noise};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// Names that mirror programs often mishandle.
const ODD: &[&[u8]] = &[
    b"a b",
    b" lead",
    b"trail ",
    b"-rf",
    b"#x",
    b"caf\xc3\xa9",
    b"\xff\xfe",
    b"a;b",
    b"it's",
    b"*",
    b"[x]",
    b"a\\b",
    b".hidden",
    b"a\"b",
    b"|id",
    b"!ls",
    b"~",
    b"=",
    b"a -> b",
];

fn os(name: &[u8]) -> &OsStr {
    OsStr::from_bytes(name)
}

/// Creates some hundred files with odd names, in directories with odd names, and empty directories.
fn grow(root: &Path) {
    for (number, dir) in ODD.iter().enumerate() {
        let dir = root.join("d").join(os(dir));
        fs::create_dir_all(dir.join("empty")).unwrap();
        for (other, name) in ODD.iter().enumerate() {
            fs::write(dir.join(os(name)), noise(number * 20 + other, 3)).unwrap();
        }
    }
}

/// Returns all paths below a directory, with the content of files.
fn tree(root: &Path) -> BTreeMap<Vec<u8>, Option<Vec<u8>>> {
    let mut found = BTreeMap::new();
    let mut waiting = vec![root.to_owned()];
    while let Some(dir) = waiting.pop() {
        for entry in fs::read_dir(&dir).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(root).unwrap().as_os_str().to_owned().into_vec();
            let data = fs::symlink_metadata(&path).unwrap();
            found.insert(name, data.is_file().then(|| fs::read(&path).unwrap()));
            if data.is_dir() {
                waiting.push(path);
            }
        }
    }
    found
}

#[test]
fn a_mirror_copies_every_name_and_byte_and_a_second_one_does_nothing() {
    let (server, client) = (Server::start(), Client::new());
    grow(server.root());
    client.at(server.addr(), "MIRROR d").expect(0);
    assert!(tree(&server.path("d")) == tree(&client.path("d")));
    let run = client.at(server.addr(), "MIRROR --delete d").expect(0).expect_error("fetched none");
    assert_eq!(run.stdout, "");
    assert_eq!(client.at(server.addr(), "MIRROR --dry-run d").expect(0).stdout, "");
}

#[test]
fn a_reverse_mirror_copies_every_name_and_byte_and_a_second_one_does_nothing() {
    let (server, client) = (Server::start(), Client::new());
    grow(&client.path(""));
    client.at(server.addr(), "MIRROR -R d").expect(0);
    assert!(tree(&server.path("d")) == tree(&client.path("d")));
    client.at(server.addr(), "MIRROR -R --delete d").expect(0).expect_error("sent none");
}

#[test]
fn names_that_are_not_utf_8_stay_different() {
    let (server, client) = (Server::start(), Client::new());
    let names: [&[u8]; 6] = [b"\xe4", b"\xf6", b"a\xe4", b"a\xf6", "ä".as_bytes(), b"\\xe4"];
    for name in names {
        let dir = server.path("d").join(os(name));
        fs::create_dir_all(dir.join(os(name))).unwrap();
        for path in [dir.join("file"), dir.join(os(name)).join("file")] {
            fs::write(path, name).unwrap();
        }
    }
    client.at(server.addr(), "MIRROR d; MIRROR -R d up; MIRROR --delete d").expect(0);
    assert!(tree(&server.path("d")) == tree(&client.path("d")));
    assert!(tree(&server.path("up")) == tree(&client.path("d")));
    let run =
        client.run(&["--json", "-c", "LIST d", "127.0.0.1", &server.addr().port().to_string()]);
    let lines: BTreeSet<&str> = run.stdout.lines().collect();
    assert_eq!(lines.len(), names.len(), "{run:#?}");
}

#[test]
fn an_interrupted_mirror_continues_with_the_rest() {
    let (server, client) = (Server::start(), Client::new());
    grow(server.root());
    fs::create_dir_all(client.path("d")).unwrap();
    let dir = server.path("d");
    // The files that were already there when the mirror was interrupted.
    for name in &ODD[..7] {
        let here = client.path("d").join(os(name));
        fs::create_dir(&here).unwrap();
        for file in ODD {
            let from = dir.join(os(name)).join(os(file));
            let data = fs::File::create(here.join(os(file))).unwrap();
            (&data).write_all(&fs::read(&from).unwrap()).unwrap();
            data.set_modified(from.metadata().unwrap().modified().unwrap()).unwrap();
        }
    }
    let files = ODD.len() * (ODD.len() - 7);
    client.at(server.addr(), "MIRROR d").expect(0).expect_error(&format!("fetched {files} ("));
    assert!(tree(&server.path("d")) == tree(&client.path("d")));
}

#[test]
fn a_dry_run_prints_the_steps_and_executes_none() {
    let (server, client) = (Server::start(), Client::new());
    server.make_dir("d/sub");
    server.write("d/sub/new", "new");
    server.write("d/same", "same");
    fs::create_dir(client.path("d")).unwrap();
    client.write("d/extra", "extra");
    let before = tree(&client.path("d"));
    let run = client.at(server.addr(), "MIRROR --delete --dry-run d").expect(0);
    assert_eq!(run.stdout, "mkdir sub\nget same\nget sub/new\ndelete extra\n");
    assert!(tree(&client.path("d")) == before);
    client.at(server.addr(), "MIRROR --delete d").expect(0);
    assert!(tree(&server.path("d")) == tree(&client.path("d")));
}

#[test]
fn changed_files_are_fetched_and_with_only_newer_only_newer_ones() {
    let (server, client) = (Server::start(), Client::new());
    server.make_dir("d");
    fs::create_dir(client.path("d")).unwrap();
    let old = SystemTime::now() - Duration::from_secs(100_000);
    for name in ["older", "newer"] {
        server.write(format!("d/{name}"), "theirs");
        client.write(format!("d/{name}"), "mine..");
    }
    fs::File::options()
        .write(true)
        .open(server.path("d/older"))
        .unwrap()
        .set_modified(old)
        .unwrap();
    fs::File::options()
        .write(true)
        .open(client.path("d/newer"))
        .unwrap()
        .set_modified(old)
        .unwrap();
    client.at(server.addr(), "MIRROR --only-newer d").expect(0);
    assert_eq!(client.read("d/newer"), b"theirs");
    assert_eq!(client.read("d/older"), b"mine..");
    client.at(server.addr(), "MIRROR d").expect(0);
    assert_eq!(client.read("d/older"), b"theirs");
}

#[test]
fn patterns_select_the_mirrored_files() {
    let (server, client) = (Server::start(), Client::new());
    server.make_dir("d/sub");
    for name in ["a.c", "a.o", "sub/b.c", "sub/b.o"] {
        server.write(format!("d/{name}"), name);
    }
    client.at(server.addr(), "MIRROR --exclude *.o d one; MIRROR --include *.o d two").expect(0);
    let names = |dir| tree(&client.path(dir)).into_keys().collect::<Vec<_>>();
    assert_eq!(names("one"), [b"a.c".to_vec(), b"sub".to_vec(), b"sub/b.c".to_vec()]);
    assert_eq!(names("two"), [b"a.o".to_vec(), b"sub".to_vec(), b"sub/b.o".to_vec()]);
}

#[test]
fn a_local_link_is_not_written_through() {
    let (server, client) = (Server::start(), Client::new());
    server.make_dir("d/sub");
    server.write("d/sub/x", "theirs");
    server.write("d/file", "theirs");
    fs::create_dir_all(client.path("d")).unwrap();
    fs::create_dir(client.path("elsewhere")).unwrap();
    client.write("precious", "mine");
    symlink(client.path("elsewhere"), client.path("d/sub")).unwrap();
    symlink(client.path("precious"), client.path("d/file")).unwrap();
    client.at(server.addr(), "MIRROR d").expect(1).expect_error("another kind of file exists");
    assert_eq!(fs::read_dir(client.path("elsewhere")).unwrap().count(), 0);
    assert_eq!(client.read("precious"), b"mine");
    assert_eq!(client.read("d/file"), b"theirs");
}

#[test]
fn a_reverse_mirror_does_not_follow_local_links() {
    let (server, client) = (Server::start(), Client::new());
    fs::create_dir(client.path("d")).unwrap();
    client.write("secret", "secret");
    symlink("../secret", client.path("d/link")).unwrap();
    symlink("..", client.path("d/loop")).unwrap();
    client.at(server.addr(), "MIRROR -R d").expect(0);
    assert!(tree(&server.path("d")).is_empty());
}

#[test]
fn a_reverse_mirror_skips_links_and_keeps_remote_files_of_their_names() {
    let (server, client) = (Server::start(), Client::new());
    fs::create_dir(client.path("d")).unwrap();
    client.write("d/file", "mine");
    for (name, to) in [("dir", "."), ("link", "file"), ("dangling", "nowhere")] {
        symlink(to, client.path(format!("d/{name}"))).unwrap();
    }
    server.make_dir("d/dir");
    server.write("d/dir/inside", "theirs");
    server.write("d/link", "theirs");
    let run = client.at(server.addr(), "MIRROR -R --delete d").expect(0);
    assert!(run.stderr.contains("skipped 3 links"), "{run:#?}");
    assert_eq!(server.read("d/dir/inside"), b"theirs");
    assert_eq!(server.read("d/link"), b"theirs");
    assert_eq!(server.read("d/file"), b"mine");
    assert!(!server.has("d/dangling"));
}

#[test]
fn dereference_sends_targets_of_links_and_stops_at_loops() {
    let (server, client) = (Server::start(), Client::new());
    fs::create_dir_all(client.path("d/sub")).unwrap();
    fs::create_dir(client.path("other")).unwrap();
    client.write("other/file", "elsewhere");
    client.write("d/sub/own", "mine");
    for (name, to) in [
        ("d/link", "../other/file"),
        ("d/dir", "../other"),
        ("d/loop", "."),
        ("d/sub/up", ".."),
        ("other/back", "../d"),
        ("d/dangling", "nowhere"),
        ("d/again", "sub"),
    ] {
        symlink(to, client.path(name)).unwrap();
    }
    let run = client.at(server.addr(), "MIRROR -R -L d").expect(1);
    for name in ["d/loop", "d/sub/up", "d/dir/back", "d/dangling", "d/again/up"] {
        assert!(run.stderr.contains(name), "{name}: {run:#?}");
    }
    let sent: Vec<Vec<u8>> = tree(&server.path("d")).into_keys().collect();
    let names = ["again", "again/own", "dir", "dir/file", "link", "sub", "sub/own"];
    assert_eq!(sent, names.map(|name| name.as_bytes().to_vec()));
    assert_eq!(server.read("d/link"), b"elsewhere");
}

#[test]
fn dereference_fetches_targets_of_remote_links() {
    let (server, client) = (Server::start(), Client::new());
    server.make_dir("d/sub");
    server.make_dir("other");
    server.write("other/file", "elsewhere");
    server.write("d/own", "mine");
    for (name, to) in [("d/link", "../other/file"), ("d/dir", "../other"), ("d/loop", ".")] {
        symlink(to, server.path(name)).unwrap();
    }
    let run = client.at(server.addr(), "MIRROR d").expect(0);
    assert!(run.stderr.contains("skipped 2 links"), "{run:#?}");
    assert!(client.path("d/loop").is_symlink() && !client.path("d/link").exists());
    let other = Client::new();
    other.at(server.addr(), "MIRROR -L d").expect(0);
    assert_eq!(other.read("d/link"), b"elsewhere");
    assert_eq!(other.read("d/dir/file"), b"elsewhere");
    assert_eq!(other.read("d/loop/own"), b"mine");
    let run = other.at(server.addr(), "MIRROR -L --dry-run d").expect(0);
    assert!(!run.stdout.contains("get"), "{run:#?}");
}

/// Returns the script of a server with this first listing; other directories are empty, and every file is `x`.
fn lists(mut listing: &'static str) -> impl FnOnce(&mut ScriptedServer) + Send {
    move |server| {
        server.serve(|server, verb, _| {
            match verb {
                "MLSD" => server.send(std::mem::take(&mut listing)),
                "RETR" => server.send("x"),
                _ => return false,
            }
            true
        });
    }
}

fn mirror_of(lines: &'static str, commands: &str) -> (Client, crate::support::Run) {
    let client = Client::new();
    fs::create_dir(client.path("here")).unwrap();
    client.write("outside", "mine");
    let part: Script<'_> = Box::new(lists(lines));
    let run = play_all(&client, &["-j", "1"], &format!("LCD here; {commands}"), vec![part]);
    assert_eq!(client.read("outside"), b"mine");
    assert_eq!(client.names(), ["here", "outside"], "nothing beside the directory: {run:#?}");
    (client, run)
}

#[test]
fn names_outside_of_the_directory_are_refused() {
    for (line, bad) in [
        ("type=file;size=1; ../outside\r\n", "../outside"),
        ("type=file;size=1; /etc/evil\r\n", "/etc/evil"),
        ("type=dir; ..\r\n", ".."),
        ("type=file;size=1; ..\r\n", ".."),
        ("type=file;size=1; .\r\n", "."),
        ("type=dir; a/../..\r\n", "a/../.."),
        ("type=file;size=1; a\0b\r\n", "not a valid local file name"),
        ("type=file;size=1; a/b\r\n", "a/b"),
    ] {
        for commands in ["MIRROR .", "MIRROR --delete ."] {
            let (client, run) = mirror_of(line, commands);
            let run = run.expect(1);
            assert!(run.stderr.contains(bad), "{run:#?}");
            assert!(tree(&client.path("here")).is_empty());
        }
    }
}

#[test]
fn mget_refuses_names_outside_of_the_directory() {
    for line in [
        "type=file;size=1; ..\r\n",
        "type=file;size=1; ../outside\r\n",
        "type=file;size=1; /etc/evil\r\n",
        "type=file;size=1; .\r\n",
    ] {
        let (client, run) = mirror_of(line, "MGET *");
        let left = tree(&client.path("here"));
        // A file given by a path may be fetched, but only under the last component of its path.
        assert!(left.keys().all(|name| !name.contains(&b'/')), "{run:#?}");
    }
}

#[test]
fn links_to_outside_of_the_directory_are_not_made() {
    let lines = "type=OS.unix=slink:/etc; a\r\ntype=OS.unix=slink:../..; b\r\n\
                 type=OS.unix=slink:c; d\r\n";
    let (client, run) = mirror_of(lines, "MIRROR .");
    run.expect(0);
    assert_eq!(tree(&client.path("here")).into_keys().collect::<Vec<_>>(), [b"d".to_vec()]);
}

#[test]
fn a_link_and_a_directory_of_the_same_name_are_not_both_made() {
    let lines = "type=OS.unix=slink:c; a\r\ntype=dir; a\r\ntype=file;size=1; a\r\n";
    let (client, _) = mirror_of(lines, "MIRROR .");
    assert_eq!(tree(&client.path("here")).len(), 1);
}

#[test]
fn an_endless_tree_is_an_error() {
    let client = Client::new();
    play(&client, "MIRROR . here", |server| {
        server.serve(|server, verb, _| {
            let lists = verb == "MLSD";
            if lists {
                server.send("type=dir; deeper\r\n");
            }
            lists
        });
    })
    .expect(1)
    .expect_error("is too large");
    assert_eq!(client.names(), [] as [&str; 0]);
}

#[test]
fn a_refused_listing_is_reported_and_deletes_nothing() {
    let (server, client) = (Server::start(), Client::new());
    server.make_dir("d/sub");
    fs::create_dir_all(client.path("d/sub")).unwrap();
    client.write("d/sub/mine", "mine");
    let run = play(&client, "MIRROR --delete d", |server| {
        server.welcome();
        let listener = server.epsv();
        server.answer("MLSD d", "150 here");
        accept(&listener).write_all(b"type=dir; sub\r\n").unwrap();
        server.say("226 done");
        let _listener = server.epsv();
        server.answer("MLSD d/sub", "550 not you");
        server.finish();
    });
    run.expect(1).expect_error("550 not you");
    assert_eq!(client.read("d/sub/mine"), b"mine");
}

#[test]
fn a_text_file_is_mirrored_once_whatever_its_size_in_the_listing() {
    // Most servers list the size of the stored file, with LF; others the size on the wire, with CR LF.
    for size in [4, 6] {
        let (client, mut fetched) = (Client::new(), 0);
        play(&client, "ASCII; MIRROR . here; MIRROR . here", |server| {
            server.serve(|server, verb, _| {
                match verb {
                    "MLSD" => {
                        let facts = format!("type=file;size={size};modify=20250102030405");
                        server.send(format!("{facts}; a\r\n"));
                    }
                    "RETR" => {
                        fetched += 1;
                        server.send("a\r\nb\r\n");
                    }
                    _ => return false,
                }
                true
            });
        })
        .expect(0);
        assert_eq!((client.read("here/a").as_slice(), fetched), (&b"a\nb\n"[..], 1), "{size}");
    }
}
