//! Tests with lines of real servers, and with lines that are not entries.

mod dates;
mod ibm;
mod other;
mod unix;
mod vms;
mod windows;

use super::super::entry::{Entry, Kind, Owner, Unique};
use super::super::facts::Facts;
use super::super::reader::{Unreadable, read_list};
use super::super::testing::{Random, assert_shown_safely, at};
use std::time::UNIX_EPOCH;

const NOW: &str = "20250301120000";

fn parsed(line: &str) -> Entry {
    try_parse(line).unwrap_or_else(|| panic!("{line:?} is an entry"))
}

fn try_parse(line: &str) -> Option<Entry> {
    Entry::parse_ls(line.as_bytes(), at(NOW))
}

/// The name of the server, the lines of the listing, and the expected entries; `?` marks an unreadable
/// line. Bytes that are not ASCII may be written as `\x9f`, and a tab as `\t`.
type Sample = (&'static str, &'static [&'static str], &'static [&'static str]);

fn samples() -> impl Iterator<Item = Sample> {
    let families = [unix::LISTINGS, dates::LISTINGS, windows::LISTINGS];
    let others = [vms::LISTINGS, ibm::LISTINGS, other::LISTINGS];
    families.into_iter().chain(others).flatten().copied()
}

/// Returns the bytes that the text of a sample stands for.
fn bytes(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let hex = rest.strip_prefix("\\x").and_then(|rest| rest.get(..2));
        let (piece, length) = match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => (vec![byte], 4),
            None if rest.starts_with("\\t") => (vec![b'\t'], 2),
            None => (first.to_string().into_bytes(), first.len_utf8()),
        };
        bytes.extend(piece);
        rest = &rest[length..];
    }
    bytes
}

fn listing(lines: &[&str]) -> Vec<u8> {
    lines.iter().flat_map(|line| [bytes(line), b"\r\n".to_vec()].concat()).collect()
}

fn shown(line: Result<Entry, Unreadable<'_>>) -> String {
    let mut shown = Vec::new();
    match line {
        Ok(entry) => entry.write_mlsx(Facts::parse(b"type;size;modify"), &mut shown),
        Err(Unreadable(line)) => shown = [b"? ", line].concat(),
    }
    String::from_utf8_lossy(&shown).into_owned()
}

#[test]
fn listings_of_real_servers_are_parsed() {
    let mut wrong = String::new();
    for (server, lines, facts) in samples() {
        let found: Vec<String> = read_list(&listing(lines), at(NOW)).map(shown).collect();
        let expected: Vec<_> =
            facts.iter().map(|line| String::from_utf8_lossy(&bytes(line)).into_owned()).collect();
        if found != expected {
            wrong += &format!("{server}: {lines:#?}\n{found:#?}\ninstead of {expected:#?}\n");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn a_single_line_is_parsed_as_in_a_listing() {
    for (server, lines, facts) in samples() {
        if let ([line], [expected]) = (lines, facts)
            && !expected.starts_with('?')
        {
            let entry = Entry::parse_ls(&bytes(line), at(NOW)).expect(line);
            assert_eq!(shown(Ok(entry)), String::from_utf8_lossy(&bytes(expected)), "{server}");
        }
    }
}

#[test]
fn names_are_kept_unchanged() {
    assert_eq!(parsed("drwxr-xr-x 2 a b 4096 Jan 15 10:22 x").size, Some(4096));
    assert_eq!(parsed("+r,\ta\tb\u{e4} ").name, "a\tb\u{e4} ".as_bytes());
}

#[test]
fn link_targets_are_parsed() {
    for (shown, name, target) in [
        ("ltconfig -> /usr/share/lt", "ltconfig", "/usr/share/lt"),
        ("a -> b -> c", "a", "b -> c"),
        ("no target", "no target", ""),
        ("odd -> ", "odd -> ", ""),
        (" -> x", " -> x", ""),
        ("->", "->", ""),
    ] {
        let entry = parsed(&format!("lrwxrwxrwx   1 root root 7 Jan 25 00:17 {shown}"));
        assert_eq!(entry.name, name.as_bytes());
        assert_eq!(entry.kind, Kind::Link(target.into()));
    }
    assert_eq!(parsed("-rw-r--r-- 1 a b 7 Jan 25 00:17 x -> y").name, b"x -> y");
}

#[test]
fn link_count_owner_and_group_are_distinguished() {
    let name = |name: &str| Some(Owner::Name(name.into()));
    for (columns, links, owner, group) in [
        ("3 root wheel", Some(3), name("root"), name("wheel")),
        ("3 0 1000", Some(3), Some(Owner::Id(0)), Some(Owner::Id(1000))),
        ("3 root", Some(3), name("root"), None),
        ("root wheel", None, name("root"), name("wheel")),
        ("3", Some(3), None, None),
        ("", None, None, None),
        ("1 Domain Power Users", Some(1), name("Domain"), name("Users")),
    ] {
        let entry = parsed(&format!("-rw-r--r-- {columns} 77 Jan 25 00:17 x"));
        assert_eq!((entry.links, entry.owner, entry.group), (links, owner, group), "{columns}");
        assert_eq!(entry.size, Some(77));
    }
}

#[test]
fn devices_keep_their_owners() {
    for numbers in ["8, 1", "8,   1", "8,1"] {
        let entry = parsed(&format!("brw-rw---- 1 root disk {numbers} Jan 29 03:26 sda1"));
        assert_eq!(entry.owner, Some(Owner::Name(b"root".to_vec())));
        assert_eq!(entry.group, Some(Owner::Name(b"disk".to_vec())), "{numbers}");
    }
}

#[test]
fn all_twelve_mode_bits_are_parsed() {
    for (shown, mode) in [
        ("----------", 0),
        ("-rwxrwxrwx", 0o777),
        ("-rwsrwsrwt", 0o7777),
        ("---S--S--T", 0o7000),
        ("-rw-r-l---", 0o2640),
        ("-rw-r--r--+", 0o644),
    ] {
        let entry = parsed(&format!("{shown} 1 a b 7 Jan 25 00:17 x"));
        assert_eq!(entry.mode, Some(mode), "{shown}");
    }
}

#[test]
fn eplf_facts_are_parsed() {
    let entry = parsed("+i8.50690,up644,unknown,,m824255907,\tx");
    assert_eq!((entry.mode, entry.kind), (Some(0o644), Kind::Other));
    assert_eq!(entry.unique, Some(Unique::Opaque(b"8.50690".to_vec())));
    assert_eq!(parsed("+m18446744073709551615,r,\tx").modified, None);
}

#[test]
fn vms_owners_in_brackets_are_parsed() {
    let entry = parsed("PUB.DIR;1  1 19-NOV-2001 21:41 [ftp,root] (RWE,RWE,RE,RE)");
    assert_eq!(entry.owner, Some(Owner::Name(b"root".to_vec())));
    assert_eq!(entry.group, Some(Owner::Name(b"ftp".to_vec())));
}

#[test]
fn years_of_two_and_three_digits_are_completed() {
    for (date, modified) in [
        ("01-02-69", "20690102000000"),
        ("01-02-70", "19700102000000"),
        ("01-02-103", "20030102000000"),
    ] {
        let entry = parsed(&format!("{date}  12:00AM  <DIR>  x"));
        assert_eq!(entry.modified, Some(at(modified)), "{date}");
    }
}

#[test]
fn the_directory_itself_and_its_parent_are_marked() {
    assert_eq!(parsed("drwxr-xr-x 2 a b 7 Jan 25 00:17 .").kind, Kind::CurrentDir);
    assert_eq!(parsed("01-02-25  03:04PM       <DIR>          ..").kind, Kind::ParentDir);
    assert_eq!(parsed("drwxr-xr-x 2 a b 7 Jan 25 00:17 ...").kind, Kind::Dir);
}

#[test]
fn other_lines_are_not_entries() {
    for line in [
        "",
        " ",
        "total 12",
        "total 0",
        "a name",
        "-rw-r--r--",
        "-rw-r--r--   1 a b 7 Jan 25 00:17",
        "-rw-r--r--   1 a b 7 Jan 25 00:17 ",
        "-rw-r--r--   1 a b 7 Foo 25 00:17 x",
        "-rw-r--r--   1 a b 7 Jan 32 00:17 x",
        "-rw-r--r--   1 a b x Jan 25 00:17 x",
        "-rw-r--r--!  1 a b 7 Jan 25 00:17 x",
        "-rw-r--q--   1 a b 7 Jan 25 00:17 x",
        "?rw-r--r--   1 a b 7 Jan 25 00:17 x",
        "d [RWQ] a 512 Jan 16 18:53 x",
        "d x [RWC] a 512 Jan 16 18:53 x",
        "13-32-25  03:04PM       <DIR>          x",
        "01-02-25  13:04PM       <DIR>          x",
        "01-02-25  03:04PM       <DIR>",
        "01-02-25  03:04PM       <DIR>          ",
        "01-02-25  03:04PM                 12x4 x",
        "+i1,r,no tab",
        "+\t",
        "Directory DISK$USER:[ANONYMOUS]",
        "Total of 3 files, 8/16 blocks",
        "LONGNAME.TXT;1",
        "A.B;x 1/2  2-JAN-2025 03:04",
        "A.B;1 1/2  2-JAN 03:04",
        ";1 1/2  2-JAN-2025 03:04",
        "type=file;size=1; x",
        "226 Transfer complete",
    ] {
        assert_eq!(try_parse(line), None, "{line:?}");
    }
}

#[test]
fn no_input_causes_a_panic_or_a_forged_line() {
    let mut random = Random(4);
    let moments = [at(NOW), UNIX_EPOCH, at("20240229120000"), at("99991231235959")];
    let samples: Vec<Vec<u8>> = samples().map(|(_, lines, _)| listing(lines)).collect();
    for round in 0..12_000 {
        let sample = random.below(samples.len());
        let text = random.mutate(&samples[sample]);
        let now = moments[round % moments.len()];
        let lines = text.split(|&byte| byte == b'\n').count();
        let found: Vec<_> = read_list(&text, now).collect();
        assert!(found.len() <= lines, "round {round}");
        for entry in found.into_iter().flatten() {
            assert!(!entry.name.is_empty() && !entry.name.contains(&b'/'), "{entry:?}");
            assert_shown_safely(&entry, round);
        }
        if let Some(entry) = Entry::parse_ls(&text, now) {
            assert_shown_safely(&entry, round);
        }
    }
}

/// With a quadratic parser, this test would not finish.
#[test]
fn every_line_is_parsed_in_linear_time() {
    let starts =
        ["-rw-r--r-- ", "lrwxrwxrwx 1 a b 7 Jan 2 03:04 x", "d [R] ", "A.B;1 ", "+", "1 ", ""];
    let parts =
        [" ", "1 ", "12 ", "1a ", " -> ", "9", "^", "Jan ", "1-1-1 ", "\u{4e00} ", ",", ";"];
    for (start, part) in starts.iter().flat_map(|start| parts.map(|part| (start, part))) {
        let line = [start.as_bytes(), &part.repeat(8000 / part.len()).into_bytes()].concat();
        let text = [&line[..], b"\n"].concat().repeat(20);
        assert!(read_list(&text, at(NOW)).count() <= 20);
        let endless = [start.as_bytes(), &part.repeat(100_000 / part.len()).into_bytes()].concat();
        assert!(read_list(&endless, at(NOW)).all(|line| line == Err(Unreadable(&endless))));
    }
}
