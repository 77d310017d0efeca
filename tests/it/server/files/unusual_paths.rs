//! Names that are not regular files, and malicious paths, with all verbs.
//!
//! Each command gets one refusal, at once, without a real path or a system message.

use crate::support::Server;
use crate::support::wire::Peer;
use mt_ftp::protocol::{MAX_LINE, TABLE, Verb};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, symlink};
use std::{fs, process};

/// Commands that read a file, or follow a link to it.
const READING: &[&str] = &[
    "RETR", "SIZE", "HASH", "XCRC", "XMD5", "XSHA1", "XSHA256", "XSHA512", "CWD", "MLSD", "LIST",
    "NLST", "MLST", "MDTM", "STAT", "DSIZ", "AVBL", "STOR", "APPE",
];

/// Commands that change the target of a link.
const CHANGING: &[&str] = &[
    "SITE CHMOD 777",
    "SITE UTIME 20200101000000",
    "MFMT 20200101000000",
    "MFF UNIX.mode=0777;",
    "MFCT 20200101000000",
];

/// Returns all commands with a path, in a form that works.
fn verbs_with_paths() -> Vec<String> {
    let takes_none = |verb: Verb| match verb {
        Verb::User | Verb::Pass | Verb::Acct | Verb::Host | Verb::Clnt | Verb::Csid => true,
        Verb::Port | Verb::Eprt | Verb::Epsv | Verb::Type | Verb::Mode | Verb::Stru => true,
        Verb::Auth | Verb::Pbsz | Verb::Prot | Verb::Ccc => true,
        Verb::Allo | Verb::Rest | Verb::Rang | Verb::Opts | Verb::Help | Verb::Lang => true,
        // These are tested below in their own forms; STOU takes a prefix.
        Verb::Site | Verb::Mfmt | Verb::Mff | Verb::Mfct | Verb::Stou | Verb::Rnto => true,
        _ => verb.row().syntax.is_empty(),
    };
    let plain = TABLE.iter().filter(|row| !takes_none(row.verb)).map(|row| row.spelling);
    let more = ["SITE MKDIR", "SITE SYMLINK a"];
    plain.chain(CHANGING.iter().copied()).chain(more).map(String::from).collect()
}

/// Sends a command, and checks that it gets one refusal without system messages. Returns the code.
fn expect_refusal(peer: &mut Peer, server: &Server, line: impl AsRef<[u8]>) -> u16 {
    let said = peer.say(line).hear();
    let (code, text) = (said.code, said.text());
    let clean = !text.contains(server.root().to_str().unwrap())
        && !["os error", "/proc", "/tmp", "errno", "E2BIG"].iter().any(|word| text.contains(word));
    if !(500..600).contains(&code) || !clean || said.lines.len() != 1 {
        peer.fail("expected a clean refusal");
    }
    code
}

fn make_fifo(server: &Server, name: &str) {
    let made = process::Command::new("mkfifo").arg(server.path(name)).status().unwrap();
    assert!(made.success());
}

/// Returns a visitor with an arranged data connection, so that only the path can be the reason for
/// a refusal.
fn ready(server: &Server) -> Peer {
    let mut peer = server.visitor();
    peer.epsv();
    peer
}

#[test]
fn links_through_proc_are_not_followed() {
    let server = Server::start();
    let outside = tempfile::tempdir().unwrap();
    let secret = outside.path().join("secret");
    fs::write(&secret, "secret").unwrap();
    let opened = fs::File::open(&secret).unwrap();
    let before = fs::metadata(&secret).unwrap();
    for (name, target) in [
        ("root", "/proc/self/root"),
        ("cwd", "/proc/self/cwd"),
        ("fds", "/proc/self/fd"),
        ("environ", "/proc/self/environ"),
        ("up", "../../../../../../../proc/self/root"),
        ("dev", "/dev/fd"),
    ] {
        symlink(target, server.path(name)).unwrap();
    }
    symlink(format!("/proc/self/root{}", secret.display()), server.path("file")).unwrap();
    symlink(outside.path(), server.path("dir")).unwrap();
    symlink(format!("/proc/self/root{}", server.root().display()), server.path("back")).unwrap();
    let mut peer = ready(&server);
    let below = secret.strip_prefix("/").unwrap().to_str().unwrap();
    let paths = ["root", "cwd", "fds", "environ", "up", "dev", "file", "dir", "back", "root/proc"];
    let deeper = [format!("root/{below}"), "fds/0".into(), "dir/secret".into(), "dev/3".into()];
    for path in paths.iter().map(ToString::to_string).chain(deeper) {
        for verb in READING.iter().chain(CHANGING) {
            expect_refusal(&mut peer, &server, format!("{verb} {path}"));
        }
        for verb in ["MKD", "RMD", "RMDA", "SITE MKDIR"] {
            expect_refusal(&mut peer, &server, format!("{verb} {path}/x"));
        }
    }
    let after = opened.metadata().unwrap();
    assert_eq!((after.mode(), after.mtime(), after.nlink()), (before.mode(), before.mtime(), 1));
}

#[test]
fn dot_dot_in_every_spelling_stays_inside() {
    let server = Server::start();
    server.make_dir("dir");
    let name = server.root().file_name().unwrap().to_str().unwrap();
    let mut peer = ready(&server);
    let ups: [&[u8]; 12] = [
        b"..",
        b"../..",
        b"/..",
        b"//..//..",
        b"./../.",
        b"dir/../..",
        b"dir/../../dir/../..",
        b".//..//.",
        b"/../../../../../../../..",
        b"dir/./../../.",
        b"nowhere/../..",
        b"../",
    ];
    for up in ups {
        // All of these name the root, in which the root itself cannot be found.
        let there = [up, b"/", name.as_bytes()].concat();
        // Storing there would rightly create a file of that name in the root.
        for verb in READING.iter().filter(|verb| !matches!(**verb, "STOR" | "APPE")) {
            expect_refusal(&mut peer, &server, [verb.as_bytes(), b" ", &there].concat());
        }
        peer.say([b"CWD ", up].concat()).expect(250);
        peer.say("PWD").expect_text(257, "\"/\"");
    }
}

/// Other systems' spellings of `..` are ordinary names here.
#[test]
fn names_that_resemble_dot_dot_are_ordinary_names() {
    let server = Server::start();
    let mut peer = ready(&server);
    let looks: [&[u8]; 12] = [
        b"...",
        b". .",
        b".. ",
        b" ..",
        b"..\\",
        b"..\\..",
        b"%2e%2e",
        b"..%2f..",
        b"..%00",
        b"\xc0\xae\xc0\xae",
        b"\xef\xbc\x8e\xef\xbc\x8e",
        b"\xe2\x80\xa5",
    ];
    for look in looks {
        for verb in ["RETR ", "CWD ", "LIST ", "SIZE "] {
            expect_refusal(&mut peer, &server, [verb.as_bytes(), look].concat());
        }
        peer.say([b"MKD ", look].concat()).expect(257);
        assert!(server.has(std::ffi::OsStr::from_bytes(look)), "{}", look.escape_ascii());
        peer.say([b"CWD ", look].concat()).expect(250);
        peer.say("CDUP").expect(250);
        peer.say("PWD").expect_text(257, "\"/\"");
        peer.say([b"RMD ", look].concat()).expect(250);
    }
}

#[test]
fn a_nul_in_a_path_is_refused_by_every_verb() {
    let server = Server::start();
    server.write("file", "content");
    let mut peer = ready(&server);
    for verb in verbs_with_paths() {
        for name in [&b"file\0"[..], b"\0file", b"file\0.txt", b"..\0", b"fi\0le/x"] {
            expect_refusal(&mut peer, &server, [verb.as_bytes(), b" ", name].concat());
        }
    }
    peer.say("RNFR file").expect(350);
    expect_refusal(&mut peer, &server, b"RNTO new\0");
    assert_eq!(fs::read_dir(server.root()).unwrap().count(), 1);
}

#[test]
fn names_of_256_bytes_are_refused_by_every_verb() {
    let server = Server::start();
    server.write("file", "content");
    let mut peer = ready(&server);
    let (longest, too_long) = ("n".repeat(255), "n".repeat(256));
    for verb in verbs_with_paths() {
        for name in [too_long.clone(), format!("{too_long}/x"), format!("file/{longest}")] {
            expect_refusal(&mut peer, &server, format!("{verb} {name}"));
        }
    }
    peer.say("RNFR file").expect(350);
    expect_refusal(&mut peer, &server, format!("RNTO {too_long}"));
    assert_eq!(fs::read_dir(server.root()).unwrap().count(), 1);
}

#[test]
fn ten_thousand_components_are_refused_by_every_verb() {
    let server = Server::start();
    let mut peer = ready(&server);
    for verb in verbs_with_paths() {
        for part in ["d/", "../d/", "./d/../"] {
            expect_refusal(&mut peer, &server, format!("{verb} {}x/y", part.repeat(10_000)));
        }
        // As many components as fit into a line, all of which SITE MKDIR would create.
        let most = (MAX_LINE - verb.len() - 4) / 2;
        if verb == "SITE MKDIR" {
            continue;
        }
        expect_refusal(&mut peer, &server, format!("{verb} {}x/y", "d/".repeat(most - 1)));
    }
    assert_eq!(fs::read_dir(server.root()).unwrap().count(), 0);
    peer.say("NOOP").expect(200);
}

#[test]
fn quotes_in_names_are_doubled_in_replies() {
    let server = Server::start();
    let mut peer = server.visitor();
    for name in ["\"", "\"\"", "a\"b", "\"a\" \"b\"", "a \"", "\" x"] {
        let doubled = name.replace('"', "\"\"");
        peer.say(format!("MKD {name}")).expect_text(257, &format!("257 \"/{doubled}\" "));
        peer.say(format!("CWD {name}")).expect(250);
        peer.say("PWD").expect_text(257, &format!("257 \"/{doubled}\" "));
        peer.stor(name, name);
        assert_eq!(peer.retr(name), name.as_bytes());
        peer.say(format!("XCRC \"{doubled}\"")).expect(250);
        peer.say(format!("SITE SYMLINK \"{doubled}\" \"{doubled}-link\"")).expect(200);
        assert_eq!(peer.retr(format!("{name}-link")), name.as_bytes());
        assert_eq!(peer.lines("NLST").len(), 2);
        peer.say("CWD /").expect(250);
        peer.say(format!("RMDA {name}")).expect(250);
    }
}

/// Commands that would open the file are refused; all others treat it as an ordinary name.
fn expect_never_opened(server: &Server, name: &str) {
    let mut peer = ready(server);
    let opening = [
        "RETR",
        "STOR",
        "APPE",
        "SIZE",
        "HASH",
        "XCRC",
        "XMD5",
        "XSHA1",
        "XSHA256",
        "XSHA512",
        "CWD",
        "MLSD",
        "DSIZ",
        "AVBL",
        "RMD",
        "RMDA",
        "MKD",
        "SITE MKDIR",
    ];
    for verb in opening {
        for path in [name, &format!("{name}/x"), &format!("{name}/../{name}")] {
            expect_refusal(&mut peer, server, format!("{verb} {path}"));
        }
    }
    for command in ["REST 5", "RANG 0 3"] {
        peer.say(command).expect(350);
        expect_refusal(&mut peer, server, format!("RETR {name}"));
    }
    for verb in ["LIST", "NLST"] {
        assert_eq!(peer.lines(format!("{verb} {name}")).len(), 1, "{verb}");
    }
    assert!(peer.list("LIST -R").contains(name));
    for line in ["MLST", "STAT"] {
        assert!(peer.say(format!("{line} {name}")).hear().text().contains(name));
    }
    peer.say(format!("RNFR {name}")).expect(350);
    peer.say("RNTO moved").expect(250);
    peer.say("DELE moved").expect(250);
    assert!(!server.has("moved") && !server.has(name));
}

#[test]
fn a_fifo_is_never_opened() {
    let server = Server::start();
    make_fifo(&server, "thing");
    expect_never_opened(&server, "thing");
}

#[test]
fn a_socket_is_never_opened() {
    let server = Server::start();
    let listener = std::os::unix::net::UnixListener::bind(server.path("thing")).unwrap();
    listener.set_nonblocking(true).unwrap();
    expect_never_opened(&server, "thing");
    assert!(listener.accept().is_err(), "somebody connected");
}

#[test]
fn a_fifo_with_the_name_of_a_partial_is_never_opened() {
    let server = Server::start();
    let mut peer = server.visitor();
    peer.break_off("STOR file", "half");
    let partial = fs::read_dir(server.root()).unwrap().next().unwrap().unwrap().path();
    fs::remove_file(&partial).unwrap();
    make_fifo(&server, partial.file_name().unwrap().to_str().unwrap());
    // The upload uses another partial, and a partial that does not exist cannot be continued.
    peer.stor("file", "whole");
    assert_eq!(server.read("file"), b"whole");
    peer.epsv();
    peer.say("REST 2").expect(350);
    let code = peer.say("STOR other").hear().code;
    assert!((500..600).contains(&code), "{}", peer.dialogue());
}

#[test]
#[ignore = "needs root: makes devices"]
fn a_device_is_never_opened() {
    let server = Server::start();
    // The devices of /dev/zero, which never ends, and of /dev/tty, which waits for input.
    for (kind, major, minor) in [("c", "1", "5"), ("c", "5", "0"), ("b", "7", "0")] {
        let mut mknod = process::Command::new("mknod");
        mknod.arg(server.path("thing")).args([kind, major, minor]);
        assert!(mknod.status().unwrap().success());
        expect_never_opened(&server, "thing");
    }
}
