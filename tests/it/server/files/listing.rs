//! LIST, NLST, MLSD, MLST and STAT: all names, unchanged, in the requested format.

use crate::support::Server;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};

/// Names that are difficult for programs.
const ODD: &[&[u8]] = &[
    b" space before",
    b"space after ",
    b"two  spaces",
    b"it's \"quoted\"",
    b"back\\slash",
    b"-l",
    b"--",
    b"...",
    b".hidden",
    b"*",
    b"[a-z]?",
    b"~",
    b"#1;type=dir; x",
    b"%41",
    b"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\xa6\x80",
    b"\xfe not utf-8 \x80",
    b"\xff\xff",
    b"-> arrow",
];

/// Returns the wire form of a name on the control connection: each byte 255 is doubled.
fn on_control(name: &[u8]) -> Vec<u8> {
    name.iter().flat_map(|b| vec![*b; if *b == 255 { 2 } else { 1 }]).collect()
}

fn server_of_odd_names() -> Server {
    let server = Server::start();
    for name in ODD {
        server.write(OsStr::from_bytes(name), name);
    }
    server
}

/// Returns whether a line ends in this name.
fn names(line: &[u8], name: &[u8]) -> bool {
    line.ends_with(&[b" ", name].concat())
}

#[test]
fn list_has_the_format_of_ls() {
    let server = Server::start();
    server.write("file", "content");
    fs::set_permissions(server.path("file"), fs::Permissions::from_mode(0o644)).unwrap();
    server.make_dir("dir");
    let mut peer = server.visitor();
    let listing = peer.list("LIST");
    let lines: Vec<Vec<&str>> =
        listing.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines.len(), 2, "{listing}");
    let (dir, file) = (&lines[0], &lines[1]);
    assert!(dir.len() == 9 && file.len() == 9, "{listing}");
    assert!(dir[0].starts_with('d') && dir[8] == "dir", "{listing}");
    assert!(file[0] == "-rw-r--r--" && file[4] == "7" && file[8] == "file", "{listing}");
    assert!(file[7].contains(':'), "a file of today shows the time: {listing}");
}

#[test]
fn listings_are_sorted() {
    let server = Server::start();
    ["b", "a", "C", "10", "9"].iter().for_each(|name| server.write(name, ""));
    let mut peer = server.visitor();
    assert_eq!(peer.list("NLST"), "10\r\n9\r\nC\r\na\r\nb\r\n");
}

#[test]
fn an_empty_directory_is_an_empty_listing() {
    let server = Server::start();
    let mut peer = server.visitor();
    assert_eq!(peer.list("LIST"), "");
    assert_eq!(peer.list("NLST"), "");
    assert_eq!(peer.lines("MLSD").len(), 2);
}

#[test]
fn every_name_is_listed_unchanged() {
    let server = server_of_odd_names();
    let mut peer = server.visitor();
    let mut sorted = ODD.to_vec();
    sorted.sort_unstable();
    assert_eq!(peer.lines("NLST").iter().map(Vec::as_slice).collect::<Vec<_>>().len(), ODD.len());
    let listing = peer.fetch("NLST");
    assert_eq!(listing, [sorted.join(&b"\r\n"[..]), b"\r\n".to_vec()].concat());
}

#[test]
fn every_name_is_in_list_and_mlsd_too() {
    let server = server_of_odd_names();
    let mut peer = server.visitor();
    for command in ["LIST", "MLSD"] {
        let listing = peer.fetch(command);
        for name in ODD {
            let end = [b" ", *name, b"\r\n"].concat();
            let found = listing.windows(end.len()).any(|window| window == end);
            assert!(found, "{command}: \"{}\"", name.escape_ascii());
        }
    }
}

#[test]
fn every_name_can_be_fetched_as_it_is_listed() {
    let server = server_of_odd_names();
    let mut peer = server.visitor();
    for name in ODD {
        assert_eq!(peer.retr(on_control(name)), *name);
        peer.say([b"SIZE ", on_control(name).as_slice()].concat()).expect(213);
    }
}

#[test]
fn every_name_can_be_stored_renamed_and_deleted() {
    let server = Server::start();
    let mut peer = server.visitor();
    for name in ODD {
        let name_on_control = on_control(name);
        peer.stor(&name_on_control, name);
        assert_eq!(server.read(OsStr::from_bytes(name)), *name);
        peer.say([b"RNFR ", name_on_control.as_slice()].concat()).expect(350);
        peer.say("RNTO other").expect(250);
        peer.say("RNFR other").expect(350);
        peer.say([b"RNTO ", name_on_control.as_slice()].concat()).expect(250);
        peer.say([b"DELE ", name_on_control.as_slice()].concat()).expect(250);
    }
    assert_eq!(fs::read_dir(server.root()).unwrap().count(), 0);
}

#[test]
fn line_ends_in_a_name_are_shown_as_question_marks() {
    let server = Server::start();
    server.write("a\r\nb\tc", "");
    let mut peer = server.visitor();
    assert_eq!(peer.list("NLST"), "a??b?c\r\n");
    for command in ["LIST", "MLSD"] {
        let lines = peer.lines(command);
        let last = lines.last().unwrap();
        let name = String::from_utf8_lossy(last);
        assert!(name.ends_with(" a??b?c") || name.ends_with(" a??b\tc"), "{name:?}");
    }
}

#[test]
fn two_thousand_names_are_listed_and_sorted() {
    let server = Server::start();
    let expected: Vec<Vec<u8>> = (0..2000).map(|n| format!("file {n:04}").into_bytes()).collect();
    expected.iter().rev().for_each(|name| server.write(OsStr::from_bytes(name), ""));
    let mut peer = server.visitor();
    assert!(peer.lines("NLST") == expected);
    assert_eq!(peer.lines("LIST").len(), 2000);
    assert_eq!(peer.lines("MLSD").len(), 2002);
}

#[test]
fn nlst_returns_paths_in_the_form_of_the_argument() {
    let server = Server::start();
    server.make_dir("dir/sub");
    server.write("dir/file", "");
    let mut peer = server.visitor();
    assert_eq!(peer.list("NLST dir"), "dir/file\r\ndir/sub\r\n");
    assert_eq!(peer.list("NLST dir/"), "dir/file\r\ndir/sub\r\n");
    assert_eq!(peer.list("NLST /dir"), "/dir/file\r\n/dir/sub\r\n");
    assert_eq!(peer.list("NLST dir/file"), "dir/file\r\n");
    peer.say("CWD dir").expect(250);
    assert_eq!(peer.list("NLST"), "file\r\nsub\r\n");
    assert_eq!(peer.list("NLST file"), "file\r\n");
}

#[test]
fn list_accepts_a_path_and_ls_options() {
    let server = Server::start();
    server.make_dir("a dir");
    server.write("a dir/.dot", "");
    server.write("a dir/file", "content");
    let mut peer = server.visitor();
    for command in ["LIST a dir", "LIST -l a dir", "LIST -L /a dir/", "LIST -- a dir"] {
        let lines = peer.lines(command);
        assert_eq!(lines.len(), 2, "{command}");
        assert!(names(&lines[0], b".dot") && names(&lines[1], b"file"), "{command}");
    }
    for command in ["LIST -a a dir", "LIST -la a dir", "LIST -l -a a dir"] {
        let lines = peer.lines(command);
        assert!(names(&lines[0], b".") && names(&lines[1], b".."), "{command}");
        assert_eq!(lines.len(), 4, "{command}");
    }
    let lines = peer.lines("LIST a dir/file");
    assert!(lines.len() == 1 && names(&lines[0], b"file"));
}

#[test]
fn an_existing_name_that_looks_like_options_is_a_name() {
    let server = Server::start();
    server.write("-la", "content");
    server.write("other", "");
    let mut peer = server.visitor();
    assert_eq!(peer.lines("LIST -la").len(), 1);
    assert_eq!(peer.lines("LIST -l").len(), 2);
}

#[test]
fn listing_a_missing_path_is_550() {
    let server = Server::start();
    let mut peer = server.visitor();
    peer.epsv();
    for command in ["LIST missing", "NLST missing", "MLSD missing", "MLST missing", "STAT missing"]
    {
        peer.say(command).expect(550);
    }
}

#[test]
fn mlsd_begins_with_the_directory_and_its_parent() {
    let server = Server::start();
    server.make_dir("dir");
    server.write("dir/file", "content");
    let mut peer = server.visitor();
    let lines = peer.lines("MLSD dir");
    let text: Vec<String> =
        lines.iter().map(|line| String::from_utf8_lossy(line).to_lowercase()).collect();
    assert!(text[0].contains("type=cdir;") && names(&lines[0], b"."), "{text:?}");
    assert!(text[1].contains("type=pdir;") && names(&lines[1], b".."), "{text:?}");
    assert!(text[2].contains("type=file;") && text[2].contains("size=7;"), "{text:?}");
    assert!(text[2].contains("modify=") && text[2].contains("unique="), "{text:?}");
    assert_eq!(lines.len(), 3);
}

#[test]
fn mlsd_accepts_only_directories() {
    let server = Server::start();
    server.write("file", "");
    let mut peer = server.visitor();
    peer.epsv();
    peer.say("MLSD file").expect(501);
}

#[test]
fn mlst_shows_one_name_on_the_control_connection() {
    let server = Server::start();
    server.make_dir("dir");
    server.write("dir/a file", "content");
    let mut peer = server.visitor();
    let said = peer.say("MLST dir/a file").expect(250);
    assert_eq!(said.lines.len(), 3, "{said:?}");
    assert!(said.lines[1].starts_with(b" type=file;"), "{said:?}");
    assert!(names(&said.lines[1], b"/dir/a file"), "{said:?}");
    let said = peer.say("MLST").expect(250);
    assert!(names(&said.lines[1], b"/"), "{said:?}");
}

#[test]
fn opts_mlst_selects_the_facts() {
    let server = Server::start();
    server.write("file", "content");
    let mut peer = server.visitor();
    peer.say("OPTS MLST size;type;").expect_text(200, "MLST OPTS type;size;");
    assert_eq!(peer.say("MLST file").expect(250).lines[1], b" type=file;size=7; /file");
    assert_eq!(peer.lines("MLSD").last().unwrap(), b"type=file;size=7; file");
    peer.say("FEAT").expect_text(211, " MLST type*;size*;modify;");
    peer.say("OPTS MLST").expect(200);
    assert_eq!(peer.say("MLST file").expect(250).lines[1], b"  /file");
}

#[test]
fn the_perm_fact_shows_the_permissions_of_the_login() {
    for (access, file, dir) in [
        ("drop", "perm=;", "perm=cel;"),
        ("read", "perm=r;", "perm=el;"),
        ("store", "perm=arw;", "perm=celm;"),
        ("write", "perm=adfrw;", "perm=cdeflmp;"),
    ] {
        let server = Server::with(&["--anonymous", access]);
        server.write("file", "");
        server.make_dir("dir");
        let mut peer = server.visitor();
        peer.say("MLST file").expect_text(250, file);
        peer.say("MLST dir").expect_text(250, dir);
    }
}

#[test]
fn links_inside_show_their_target_and_links_outside_do_not() {
    let server = Server::start();
    let outside = tempfile::tempdir().unwrap();
    server.write("file", "content");
    symlink("file", server.path("inside")).unwrap();
    symlink(outside.path(), server.path("outside")).unwrap();
    let mut peer = server.visitor();
    let listing = peer.list("LIST");
    assert!(listing.contains(" inside -> file\r\n"), "{listing}");
    assert!(listing.contains(" outside"), "{listing}");
    assert!(!listing.contains(outside.path().to_str().unwrap()), "{listing}");
}

#[test]
fn stat_lists_a_path_on_the_control_connection() {
    let server = Server::start();
    server.make_dir("dir");
    server.write("dir/file", "content");
    let mut peer = server.visitor();
    for command in ["STAT dir", "STAT -l dir", "STAT dir/file"] {
        let said = peer.say(command).expect(213);
        assert_eq!(said.lines.len(), 3, "{said:?}");
        assert!(names(&said.lines[1], b"file"), "{said:?}");
    }
}

#[test]
fn a_listing_is_text_in_every_type() {
    let server = Server::start();
    server.write("file", "");
    let mut peer = server.visitor();
    let image = peer.list("NLST");
    peer.say("TYPE A").expect(200);
    assert_eq!(peer.list("NLST"), image);
}
