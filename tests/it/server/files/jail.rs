//! Clients cannot leave the served directory or learn anything about what is outside.

use crate::support::Server;
use crate::support::wire::Peer;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::{fs, process};
use tempfile::TempDir;

/// Creates a server, and a directory outside of its root with a secret file.
fn server_beside_a_secret() -> (Server, TempDir) {
    let server = Server::start();
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("secret"), "secret").unwrap();
    (server, outside)
}

/// Checks that all commands with `name` are refused, without any text from outside.
fn expect_nothing_there(peer: &mut Peer, name: &str) {
    peer.epsv();
    for verb in ["RETR", "SIZE", "MDTM", "CWD", "LIST", "NLST", "MLSD", "MLST", "STAT"] {
        peer.say(format!("{verb} {name}")).expect(550);
    }
    for verb in ["STOR", "APPE"] {
        peer.say(format!("{verb} {name}")).expect(550);
    }
    for verb in ["MFMT 20200101000000", "SITE CHMOD 777"] {
        peer.say(format!("{verb} {name}")).expect(550);
    }
}

#[test]
fn the_parent_of_the_root_is_the_root() {
    let server = Server::start();
    server.write("file", "content");
    let mut peer = server.visitor();
    for name in ["../file", "../../../../file", "/../file", "/./../x/../../file"] {
        assert_eq!(peer.retr(name), b"content", "{name}");
    }
    peer.say("CDUP").expect(250);
    peer.say("CWD ../..").expect(250);
    peer.say("PWD").expect_text(257, "\"/\"");
}

#[test]
fn absolute_names_start_at_the_root_of_the_client() {
    let server = Server::start();
    let mut peer = server.visitor();
    expect_nothing_there(&mut peer, "/etc/passwd");
    expect_nothing_there(&mut peer, "../../../../../../../etc/passwd");
    expect_nothing_there(&mut peer, &format!("{}/x", server.root().display()));
}

#[test]
fn links_to_files_outside_are_not_followed() {
    let (server, outside) = server_beside_a_secret();
    symlink(outside.path().join("secret"), server.path("link")).unwrap();
    let relative = format!("../{}/secret", outside.path().file_name().unwrap().to_str().unwrap());
    symlink(relative, server.path("relative")).unwrap();
    let mut peer = server.visitor();
    for name in ["link", "relative"] {
        expect_nothing_there(&mut peer, name);
    }
    assert_eq!(fs::read(outside.path().join("secret")).unwrap(), b"secret");
}

#[test]
fn links_to_directories_outside_are_not_followed() {
    let (server, outside) = server_beside_a_secret();
    symlink(outside.path(), server.path("link")).unwrap();
    symlink("..", server.path("up")).unwrap();
    server.make_dir("dir");
    symlink("../..", server.path("dir/up")).unwrap();
    let beside = outside.path().file_name().unwrap().to_str().unwrap();
    let mut peer = server.visitor();
    for name in ["link/secret", &format!("up/{beside}/secret"), &format!("dir/up/{beside}/secret")]
    {
        expect_nothing_there(&mut peer, name);
    }
    for name in ["link", "up", "dir/up", "link/new"] {
        peer.say(format!("CWD {name}")).expect(550);
        peer.say(format!("MKD {name}/made")).expect(550);
        peer.say(format!("RMD {name}/made")).expect(550);
    }
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 1);
}

#[test]
fn no_rename_crosses_the_root() {
    let (server, outside) = server_beside_a_secret();
    symlink(outside.path(), server.path("link")).unwrap();
    server.write("file", "content");
    let mut peer = server.visitor();
    peer.say("RNFR link/secret").expect(550);
    peer.say("RNFR file").expect(350);
    peer.say("RNTO link/file").expect(550);
    assert_eq!(server.read("file"), b"content");
}

#[test]
fn a_link_outside_can_itself_be_deleted() {
    let (server, outside) = server_beside_a_secret();
    symlink(outside.path().join("secret"), server.path("link")).unwrap();
    server.visitor().say("DELE link").expect(250);
    assert!(!server.has("link"));
    assert!(outside.path().join("secret").exists());
}

#[test]
fn links_inside_are_followed() {
    let server = Server::start();
    server.make_dir("a/b");
    server.write("a/b/file", "content");
    symlink("a/b", server.path("relative")).unwrap();
    symlink(server.path("a/b"), server.path("absolute")).unwrap();
    symlink("../b/../b/file", server.path("a/b/deep")).unwrap();
    let mut peer = server.visitor();
    for name in ["relative/file", "absolute/file", "a/b/deep", "relative/deep"] {
        assert_eq!(peer.retr(name), b"content", "{name}");
    }
    peer.say("CWD absolute").expect(250);
    peer.stor("new", "through a link");
    assert_eq!(server.read("a/b/new"), b"through a link");
}

#[test]
fn storing_through_a_link_to_a_file_keeps_the_link() {
    let server = Server::start();
    server.make_dir("dir");
    server.write("dir/file", "old");
    symlink("dir/file", server.path("link")).unwrap();
    server.visitor().stor("link", "new");
    assert_eq!(server.read("dir/file"), b"new");
    assert!(server.path("link").is_symlink());
    assert_eq!((server.partials(""), server.partials("dir")), (0, 0));
}

#[test]
fn cycles_of_links_are_detected() {
    let server = Server::start();
    symlink("b", server.path("a")).unwrap();
    symlink("a", server.path("b")).unwrap();
    symlink("self/self", server.path("self")).unwrap();
    let mut peer = server.visitor();
    for name in ["a", "b", "self", "a/x", "self/x"] {
        expect_nothing_there(&mut peer, name);
    }
}

#[test]
fn a_path_may_contain_at_most_40_links() {
    let server = Server::start();
    server.write("l0", "content");
    for n in 1..=41 {
        symlink(format!("l{}", n - 1), server.path(format!("l{n}"))).unwrap();
    }
    let mut peer = server.visitor();
    assert_eq!(peer.retr("l40"), b"content");
    peer.say("SIZE l41").expect(550);
}

#[test]
fn only_regular_files_are_opened() {
    let server = Server::start();
    let fifo = server.path("fifo");
    assert!(process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let _socket = std::os::unix::net::UnixListener::bind(server.path("socket")).unwrap();
    symlink("fifo", server.path("link")).unwrap();
    let mut peer = server.visitor();
    peer.epsv();
    for name in ["fifo", "socket", "link"] {
        for verb in ["RETR", "STOR", "APPE", "SIZE"] {
            peer.say(format!("{verb} {name}")).expect(550);
        }
    }
    assert_eq!(peer.lines("NLST").len(), 3);
}

#[test]
fn a_link_may_lead_far_up() {
    let server = Server::start();
    let deep = ["d"; 200].join("/");
    server.make_dir(&deep);
    server.write("file", "content");
    let mut peer = server.visitor();
    peer.say(format!("SITE SYMLINK /file {deep}/link")).expect(200);
    assert_eq!(peer.retr(format!("{deep}/link")), b"content");
}

#[test]
fn deep_paths_work() {
    let server = Server::start();
    let path = vec!["d"; 500].join("/");
    server.make_dir(&path);
    let mut peer = server.visitor();
    peer.stor(format!("{path}/file"), "deep");
    assert_eq!(peer.retr(format!("{path}/file")), b"deep");
    peer.say(format!("CWD {path}")).expect(250);
    assert_eq!(peer.retr("file"), b"deep");
}

#[test]
fn ten_thousand_components_are_refused_quickly() {
    let server = Server::start();
    symlink(".", server.path("d")).unwrap();
    let mut peer = server.visitor();
    // Each CWD makes the path longer, although it leads to the same directory.
    let step = format!("CWD {}", ["d"; 10].join("/"));
    let codes: Vec<u16> = (0..1000).map(|_| peer.say(&step).hear().code).collect();
    assert!(codes.iter().all(|code| matches!(code, 250 | 550 | 553)), "{codes:?}");
    assert_ne!(codes[999], 250);
    peer.say(format!("CWD {}", "d/".repeat(2040))).hear();
    peer.say(format!("CWD {}", "../".repeat(1300))).expect(250);
    peer.say("PWD").expect_text(257, "\"/\"");
}

#[test]
fn no_reply_contains_a_real_path() {
    let server = Server::start();
    server.make_dir("dir");
    symlink("/etc", server.path("link")).unwrap();
    let mut peer = server.visitor();
    for command in ["PWD", "CWD missing", "CWD dir", "MLST", "STAT", "STAT /", "MKD /", "RMD /"] {
        peer.say(command).hear();
    }
    peer.say("SITE HELP").hear();
    expect_nothing_there(&mut peer, "/link/passwd");
    let real = server.root().to_str().unwrap();
    assert!(!peer.dialogue().contains(real), "{}", peer.dialogue());
    assert!(!peer.dialogue().contains("os error"), "{}", peer.dialogue());
}

#[test]
fn a_link_to_a_partial_is_a_dangling_link() {
    let server = Server::start();
    let mut peer = server.visitor();
    peer.break_off("STOR file", "half");
    let partial = fs::read_dir(server.root()).unwrap().next().unwrap().unwrap().file_name();
    let mut command = b"SITE SYMLINK ".to_vec();
    command.extend_from_slice(partial.as_bytes());
    command.extend_from_slice(b" link");
    peer.say(command).expect(200);
    peer.epsv();
    for command in ["RETR link", "SIZE link", "MLST link", "STOR link", "SITE CHMOD 644 link"] {
        peer.say(command).expect(550);
    }
}

#[test]
fn a_deep_path_needs_few_descriptors() {
    let server = Server::with_descriptors(64);
    let deep = ["d"; 200].join("/");
    server.make_dir(&deep);
    server.write(format!("{deep}/file"), "content");
    let mut peer = server.visitor();
    assert_eq!(peer.retr(format!("{deep}/file")), b"content");
}
