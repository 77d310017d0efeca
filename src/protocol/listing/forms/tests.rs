//! Lines of real servers, and lines that are none.

use super::super::entry::{Entry, Kind, Owner, Unique};
use super::super::facts::Facts;
use super::super::testing::{Random, assert_shown_safely, at};
use std::time::UNIX_EPOCH;

const NOW: &str = "20250301120000";

fn parsed(line: &str) -> Entry {
    try_parse(line).unwrap_or_else(|| panic!("{line:?} is an entry"))
}

fn try_parse(line: &str) -> Option<Entry> {
    Entry::parse_ls(line.as_bytes(), at(NOW))
}

/// Who prints it, the line, and what it says as facts.
const LINES: &[(&str, &str, &str)] = &[
    (
        "vsftpd",
        "drwxr-xr-x    2 1000     1000         4096 Jan 15 10:22 in coming",
        "type=dir;modify=20250115102200; in coming",
    ),
    (
        "vsftpd",
        "-rw-------    1 ftp      ftp      5368709120 Sep 30  2023 image.iso",
        "type=file;size=5368709120;modify=20230930000000; image.iso",
    ),
    (
        "proftpd",
        "-rw-rw-r--   1 ftpadmin ftpusers     8817 Feb 28 23:59 ls-lR.gz",
        "type=file;size=8817;modify=20250228235900; ls-lR.gz",
    ),
    (
        "proftpd",
        "drwxrwsr-t  14 (?)      (?)          4096 Dec 24 18:00 ..",
        "type=pdir;modify=20241224180000; ..",
    ),
    (
        "pure-ftpd",
        "-rw-r--r--    1 500        500                 12 Mar  2 09:00  leading blank",
        "type=file;size=12;modify=20250302090000;  leading blank",
    ),
    (
        "wu-ftpd without a group",
        "dr-xr-xr-x   2 root     512 Apr  8  1994 etc",
        "type=dir;modify=19940408000000; etc",
    ),
    (
        "GNU ls with an ACL",
        "-rwxr-xr-x+ 1 joe users 77 2025-01-02 03:04 run.sh",
        "type=file;size=77;modify=20250102030400; run.sh",
    ),
    (
        "GNU ls under SELinux",
        "-rw-r--r--. 1 joe users 77 2025-01-02 03:04:05 notes",
        "type=file;size=77;modify=20250102030405; notes",
    ),
    (
        "macOS",
        "drwxr-xr-x@  5 joe  staff  160 Nov  5 07:08 Photos Library",
        "type=dir;modify=20241105070800; Photos Library",
    ),
    (
        "a Windows server with a domain",
        "-rw-r--r--   1 group domain user 531 Jan 29 03:26 report.doc",
        "type=file;size=531;modify=20250129032600; report.doc",
    ),
    (
        "neither links nor owner",
        "-rw-r--r-- 531 Jan 29 03:26 bare",
        "type=file;size=531;modify=20250129032600; bare",
    ),
    (
        "a block device",
        "brw-rw----   1 root disk     8,   1 Jan 29 03:26 sda1",
        "type=OS.unix=other;modify=20250129032600; sda1",
    ),
    (
        "a character device in one word",
        "crw-rw-rw-   1 root root 1,3 Jan 29 03:26 null",
        "type=OS.unix=other;modify=20250129032600; null",
    ),
    (
        "a socket",
        "srwxrwxrwx   1 root root 0 Jan 29 03:26 log",
        "type=OS.unix=other;modify=20250129032600; log",
    ),
    (
        "NetWare",
        "d [RWCEAFMS] supervisor            512       Jan 16 18:53    login",
        "type=dir;modify=20250116185300; login",
    ),
    (
        "NetWare",
        "- [R----F--] rhesus             214059       Oct 20 15:27    cx.exe",
        "type=file;size=214059;modify=20241020152700; cx.exe",
    ),
    (
        "NetWare without a blank",
        "d[RWCEAFMS] admin    512 Oct 20  2003 SYS",
        "type=dir;modify=20031020000000; SYS",
    ),
    (
        "IIS",
        "01-02-25  03:04PM       <DIR>          aspnet client",
        "type=dir;modify=20250102150400; aspnet client",
    ),
    (
        "IIS",
        "12-31-99  12:00AM                 1204  two  blanks.txt",
        "type=file;size=1204;modify=19991231000000;  two  blanks.txt",
    ),
    (
        "IIS with long years",
        "01-02-2025  03:04AM                    0 empty",
        "type=file;size=0;modify=20250102030400; empty",
    ),
    (
        "a DOS server with the year first",
        "2025-01-02  18:48                9,730 commas.zip",
        "type=file;size=9730;modify=20250102184800; commas.zip",
    ),
    (
        "a junction",
        "01-02-25  03:04PM       <JUNCTION>     there",
        "type=OS.unix=other;modify=20250102150400; there",
    ),
    (
        "publicfile",
        "+i8388621.48594,m825718503,r,s280,\tdjb.html",
        "type=file;size=280;modify=19960301221503; djb.html",
    ),
    (
        "publicfile",
        "+i8388621.50690,m824255907,/,\t514 and a tab\t",
        "type=dir;modify=19960213235827; 514 and a tab?",
    ),
    (
        "VMS",
        "README.TXT;4  1/2  2-JAN-2025 03:04:05 [SYSTEM] (RWED,RE,RE,)",
        "type=file;modify=20250102030405; README.TXT",
    ),
    (
        "VMS",
        "PUB.DIR;1  1 19-NOV-2001 21:41 [ftp,root] (RWE,RWE,RE,RE)",
        "type=dir;modify=20011119214100; PUB",
    ),
    (
        "VMS without a time",
        "A.B;12    2/8    15-JAN-2000    [IV2_XXX]   (RWED,RWED,RE,)",
        "type=file;modify=20000115000000; A.B",
    ),
];

#[test]
fn lines_of_real_servers_are_read() {
    for (server, line, facts) in LINES {
        let mut shown = Vec::new();
        parsed(line).write_mlsx(Facts::parse(b"type;size;modify"), &mut shown);
        assert_eq!(String::from_utf8_lossy(&shown), *facts, "{server}: {line}");
    }
}

#[test]
fn directories_and_names_are_kept_as_they_are() {
    assert_eq!(parsed("drwxr-xr-x 2 a b 4096 Jan 15 10:22 x").size, Some(4096));
    assert_eq!(parsed("+r,\ta\tb\u{e4} ").name, "a\tb\u{e4} ".as_bytes());
}

#[test]
fn links_have_targets() {
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
fn links_owner_and_group_are_told_apart() {
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
fn modes_have_twelve_bits() {
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
fn eplf_facts_are_kept() {
    let entry = parsed("+i8.50690,up644,unknown,,m824255907,\tx");
    assert_eq!((entry.mode, entry.kind), (Some(0o644), Kind::Other));
    assert_eq!(entry.unique, Some(Unique::Opaque(b"8.50690".to_vec())));
    assert_eq!(parsed("+m18446744073709551615,r,\tx").modified, None);
}

#[test]
fn vms_owners_are_in_brackets() {
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
fn other_lines_are_no_entries() {
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
        "13-02-25  03:04PM       <DIR>          x",
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
fn no_bytes_break_the_parser_or_what_is_made_of_them() {
    let mut random = Random(4);
    let moments = [at(NOW), UNIX_EPOCH, at("20240229120000"), at("99991231235959")];
    for round in 0..200_000 {
        let (_, line, _) = LINES[random.below(LINES.len())];
        let line = random.mutate(line.as_bytes());
        if let Some(entry) = Entry::parse_ls(&line, moments[round % moments.len()]) {
            assert_shown_safely(&entry, round);
        }
    }
}
