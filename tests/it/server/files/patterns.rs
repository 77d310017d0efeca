//! Wildcards and `ls` options in LIST and NLST.

use crate::support::Server;
use crate::support::wire::{Peer, drain};

fn server() -> (Server, Peer) {
    let server = Server::start();
    for dir in ["src/deep", "doc"] {
        server.make_dir(dir);
    }
    for (name, bytes) in [
        ("a.c", "1"),
        ("b.c", "22"),
        ("c.h", "333"),
        ("src/d.c", "4"),
        ("src/deep/e.c", ""),
        (".f.c", ""),
    ] {
        server.write(name, bytes);
    }
    let peer = server.visitor();
    (server, peer)
}

fn names(peer: &mut Peer, command: &str) -> Vec<String> {
    let lines = peer.lines(command);
    lines.into_iter().map(|line| String::from_utf8(line).unwrap()).collect()
}

/// Returns the last words of the lines of a long listing.
fn long_names(peer: &mut Peer, command: &str) -> Vec<String> {
    let lines = names(peer, command);
    lines.iter().filter_map(|line| line.split(' ').next_back().map(String::from)).collect()
}

#[test]
fn nlst_returns_matching_names_that_retr_accepts() {
    let (_server, mut peer) = server();
    assert_eq!(names(&mut peer, "NLST *.c"), ["a.c", "b.c"]);
    assert_eq!(names(&mut peer, "NLST [a-b].?"), ["a.c", "b.c"]);
    assert_eq!(names(&mut peer, "NLST */*.c"), ["src/d.c"]);
    assert_eq!(names(&mut peer, "NLST /s*/*/*.c"), ["/src/deep/e.c"]);
    assert_eq!(names(&mut peer, "NLST .*"), [".f.c"]);
    for name in names(&mut peer, "NLST s*/*.c") {
        assert_eq!(peer.retr(name), b"4");
    }
}

#[test]
fn list_expands_a_pattern_after_its_options() {
    let (_server, mut peer) = server();
    assert_eq!(long_names(&mut peer, "LIST *.h"), ["c.h"]);
    assert_eq!(long_names(&mut peer, "LIST -la *.c"), ["a.c", "b.c"]);
    assert_eq!(long_names(&mut peer, "LIST -Sr *.[ch]"), ["a.c", "b.c", "c.h"]);
}

#[test]
fn a_pattern_without_a_match_is_550_unless_it_is_a_file() {
    let (server, mut peer) = server();
    peer.epsv();
    peer.say("NLST *.none").expect(550);
    server.write("[x]", "");
    server.write("x", "");
    assert_eq!(names(&mut peer, "NLST [x]"), ["[x]"]);
}

#[test]
fn a_component_with_the_exact_name_of_a_file_is_not_a_pattern() {
    let (server, mut peer) = server();
    for name in ["[2024] Reports", "2 Reports", "[s]rc", "doc/[x]", "doc/x"] {
        server.make_dir(name);
    }
    for name in ["[2024] Reports/a.pdf", "[2024] Reports/b.txt", "2 Reports/c.pdf"] {
        server.write(name, "");
    }
    for name in ["src/x.h", "doc/[x]/1", "doc/x/2", "[s]rc/[x].h"] {
        server.write(name, "");
    }
    assert_eq!(names(&mut peer, "NLST [2024] Reports/*.pdf"), ["[2024] Reports/a.pdf"]);
    assert_eq!(long_names(&mut peer, "LIST [2024] Reports/*.pdf"), ["Reports/a.pdf"]);
    assert_eq!(names(&mut peer, "NLST [0-9] Reports/*.pdf"), ["2 Reports/c.pdf"]);
    assert_eq!(names(&mut peer, "NLST *c/[x].h"), ["[s]rc/[x].h", "src/x.h"]);
    assert_eq!(names(&mut peer, "NLST d*/[x]/?"), ["doc/[x]/1"]);
    for command in ["NLST doc/[x]", "LIST doc/[x]"] {
        assert_eq!(long_names(&mut peer, command).concat().chars().last(), Some('1'), "{command}");
    }
    peer.epsv();
    peer.say("NLST [s]rc/*.c").expect(550);
}

#[test]
fn other_verbs_do_not_expand_patterns() {
    let (_server, mut peer) = server();
    peer.epsv();
    for command in ["RETR *.c", "MLST *.c", "MLSD s*", "SIZE *.c", "DELE *.c"] {
        peer.say(command).expect(550);
    }
}

#[test]
fn patterns_stay_inside_the_root() {
    let (_server, mut peer) = server();
    assert_eq!(names(&mut peer, "NLST ../../../*.c"), ["../../../a.c", "../../../b.c"]);
}

#[test]
fn a_whole_tree_is_listed_directory_by_directory() {
    let (_server, mut peer) = server();
    let lines = names(&mut peer, "NLST -R");
    let expected =
        [".f.c", "a.c", "b.c", "c.h", "doc", "src", "src/d.c", "src/deep", "src/deep/e.c"];
    assert_eq!(lines, expected);
    assert_eq!(names(&mut peer, "NLST -R src"), ["src/d.c", "src/deep", "src/deep/e.c"]);
    let headings: Vec<String> =
        names(&mut peer, "LIST -R").into_iter().filter(|line| line.ends_with(':')).collect();
    assert_eq!(headings, [".:", "./doc:", "./src:", "./src/deep:"]);
}

#[test]
fn listings_are_sorted_by_size_and_time_and_in_reverse() {
    let (_server, mut peer) = server();
    for (name, year) in [("a.c", 2003), ("b.c", 2001), ("c.h", 2002)] {
        peer.say(format!("MFMT {year}0101000000 {name}")).expect(213);
    }
    assert_eq!(long_names(&mut peer, "LIST -t *.?"), ["a.c", "c.h", "b.c"]);
    assert_eq!(long_names(&mut peer, "LIST -tr *.?"), ["b.c", "c.h", "a.c"]);
    assert_eq!(long_names(&mut peer, "LIST -S *.?"), ["c.h", "b.c", "a.c"]);
    assert_eq!(names(&mut peer, "NLST -r *.?"), ["c.h", "b.c", "a.c"]);
}

#[test]
fn options_d_and_a_list_the_directory_and_dots() {
    let (_server, mut peer) = server();
    assert_eq!(long_names(&mut peer, "LIST -d src"), ["src"]);
    assert_eq!(long_names(&mut peer, "LIST -a doc"), [".", ".."]);
}

#[test]
fn a_pattern_that_takes_too_long_is_refused() {
    let server = Server::start();
    server.make_dir("d");
    for number in 0..300 {
        server.write(format!("d/{number}"), "");
    }
    let mut peer = server.visitor();
    peer.epsv();
    // Each component compares 300 names for each match of the previous one.
    peer.say("NLST d/*/../*/../*").expect(550);
    peer.say(format!("NLST {}*", "a/".repeat(2000))).expect(550);
    peer.say("NOOP").expect(200);
}

/// However long their common path is, many names need only a few MiB in a session.
#[cfg(target_os = "linux")]
#[test]
fn many_matches_with_a_long_path_need_little_memory() {
    let server = Server::start();
    let deep = vec!["d".repeat(250); 15].join("/");
    for number in 0..4000 {
        server.make_dir(format!("{deep}/{number}"));
    }
    let mut peer = server.visitor();
    let base = server.peak_memory();
    peer.epsv();
    peer.say(format!("NLST {deep}/*")).expect(550);
    drain(peer.begin(format!("LIST -R {deep}")));
    peer.expect(451);
    assert_eq!(peer.lines(format!("LIST -t {deep}")).len(), 4000);
    let grown = server.peak_memory() - base;
    assert!(grown < 24 << 10, "{grown} KiB");
}
