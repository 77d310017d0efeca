//! Tests of writing and parsing facts.

use super::super::testing::{Random, assert_shown_safely, at, full, random_entry};
use super::*;

fn mlsx(entry: &Entry, facts: Facts) -> String {
    let mut out = Vec::new();
    entry.write_mlsx(facts, &mut out);
    String::from_utf8(out).expect("UTF-8")
}

fn ls(entry: &Entry) -> String {
    let mut out = Vec::new();
    entry.write_ls(at("20250701000000"), &mut out);
    String::from_utf8(out).expect("UTF-8")
}

fn parsed(line: &str) -> Entry {
    Entry::parse_mlsx(line.as_bytes()).unwrap_or_else(|| panic!("{line:?} is an entry"))
}

#[test]
fn every_fact_has_its_place_in_the_line() {
    assert_eq!(
        mlsx(&full(), Facts::ALL),
        "type=file;size=12;modify=20250102030405;create=20240229000000;perm=adfrw;\
         unique=806U246e0b1;UNIX.mode=0644;UNIX.owner=0;UNIX.group=wheel; a name"
    );
    assert_eq!(mlsx(&full(), Facts::NONE), " a name");
    assert_eq!(mlsx(&full(), Facts::parse(b"UNIX.MODE;Size;")), "size=12;UNIX.mode=0644; a name");
    assert_eq!(mlsx(&Entry::new("a", Kind::Dir), Facts::ALL), "type=dir; a");
}

#[test]
fn every_kind_has_its_type() {
    for (kind, line) in [
        (Kind::File, "type=file;size=7; a"),
        (Kind::Dir, "type=dir; a"),
        (Kind::CurrentDir, "type=cdir; a"),
        (Kind::ParentDir, "type=pdir; a"),
        (Kind::Link(b"/b".to_vec()), "type=OS.unix=slink:/b; a"),
        (Kind::Link(b"".to_vec()), "type=OS.unix=symlink; a"),
        (Kind::Other, "type=OS.unix=other; a"),
    ] {
        let entry = Entry { size: Some(7), ..Entry::new("a", kind) };
        assert_eq!(mlsx(&entry, Facts::ALL), line);
    }
}

#[test]
fn a_target_that_would_break_the_line_is_not_shown() {
    for target in ["a b", "a;b", "a\r\nb", "a\0", "\x7f"] {
        let link = Entry::new("l", Kind::Link(target.into()));
        assert_eq!(mlsx(&link, Facts::ALL), "type=OS.unix=symlink; l");
    }
}

#[test]
fn no_name_forges_a_line() {
    let entry = Entry {
        owner: Some(Owner::Name(b"Domain Users;x\n".to_vec())),
        unique: Some(Unique::Opaque(b"a; b\r".to_vec())),
        ..Entry::new("a\r\ntype=dir; b\0\x1b[2J\x7f;\u{e4}", Kind::Link(b"c\r\nd".to_vec()))
    };
    let name = "a??type=dir; b??[2J?;\u{e4}";
    assert_eq!(
        mlsx(&entry, Facts::ALL),
        format!("type=OS.unix=symlink;unique=a??b?;UNIX.owner=Domain?Users?x?; {name}")
    );
    assert_eq!(
        ls(&entry),
        format!("lrwxrwxrwx   1 Domain?Users?x? ftp             0 Jan  1  1970 {name} -> c??d")
    );
}

#[test]
fn mlsx_lines_are_parsed_as_they_are_written() {
    let mut random = Random(1);
    for _ in 0..50_000 {
        let entry = random_entry(&mut random);
        let mut line = Vec::new();
        entry.write_mlsx(Facts::ALL, &mut line);
        let again = Entry::parse_mlsx(&line);
        assert_eq!(again, Some(entry), "{}", String::from_utf8_lossy(&line));
    }
}

#[test]
fn facts_may_come_in_any_case_and_order_and_be_empty_or_unknown() {
    let entry = parsed("SIZE=5;x.y=z;Modify=;perm=;unique=;nonsense;;create=x;TYPE=File;  a=b; c ");
    let expected =
        Entry { size: Some(5), perm: Some(Perm::NONE), ..Entry::new(" a=b; c ", Kind::File) };
    assert_eq!(entry, expected);
    assert_eq!(parsed("type=dir x").kind, Kind::Dir);
    assert_eq!(parsed("size=3; x").kind, Kind::File);
    assert_eq!(parsed("type=;size=3; x").kind, Kind::File);
    assert_eq!(parsed("type=file;size=18446744073709551616; x").size, None);
}

#[test]
fn lines_without_a_name_or_a_type_are_no_entries() {
    for line in [
        "",
        " ",
        " x",
        "x",
        "type=file;",
        "type=file; ",
        "modify=20250102030405; x",
        "total 12",
        "=; x",
    ] {
        assert_eq!(Entry::parse_mlsx(line.as_bytes()), None, "{line:?}");
    }
}

#[test]
fn lines_of_other_servers_are_read() {
    // The examples of RFC 3659 section 7.7.4, Pure-FTPd, ProFTPD, FileZilla Server and xlight.
    let link = parsed("Type=OS.unix=slink:/foobar;Perm=;Unique=keVO1+4G4; foobar");
    assert_eq!(link.kind, Kind::Link(b"/foobar".to_vec()));
    assert_eq!(link.perm, Some(Perm::NONE));
    assert_eq!(link.unique, Some(Unique::Opaque(b"keVO1+4G4".to_vec())));
    assert_eq!(parsed("Type=OS.unix=chr-13/29;Perm=; device").kind, Kind::Other);
    assert_eq!(parsed("type=OS.unix=slink:;size=32; logs").kind, Kind::Link(Vec::new()));

    let pure = parsed(
        "type=dir;sizd=4096;modify=20250102030405;UNIX.mode=0755;UNIX.uid=1000;\
         UNIX.gid=1001;unique=fd01g1220c04; pub",
    );
    assert_eq!((pure.size, pure.mode), (None, Some(0o755)));
    assert_eq!((pure.owner, pure.group), (Some(Owner::Id(1000)), Some(Owner::Id(1001))));

    let pro = parsed(
        "modify=20250102030405;perm=adfrw;size=6;type=OS.unix=symlink;unique=801U5AA227;\
         UNIX.group=1000;UNIX.groupname=users;UNIX.mode=0120777;UNIX.ownername=joe;\
         UNIX.owner=1000; link",
    );
    assert_eq!((pro.kind, pro.mode), (Kind::Link(Vec::new()), Some(0o777)));
    assert_eq!(pro.owner, Some(Owner::Name(b"joe".to_vec())));
    assert_eq!(pro.group, Some(Owner::Name(b"users".to_vec())));
    assert_eq!(pro.unique, Some(Unique::Opaque(b"801U5AA227".to_vec())));

    let filezilla = parsed("type=file;modify=20250102030405.123;size=9;perm=awrfd; a  b.txt");
    assert_eq!(filezilla.name, b"a  b.txt");
    assert_eq!(filezilla.modified, Some(at("20250102030405.123")));

    let xlight = parsed("size=1089207168;type=file;modify=20250102030405; a [b].avi");
    assert_eq!((xlight.size, xlight.kind), (Some(1_089_207_168), Kind::File));
}

#[test]
fn no_input_breaks_the_mlsx_parser_or_its_output() {
    let mut random = Random(2);
    for round in 0..50_000 {
        let mut line = Vec::new();
        random_entry(&mut random).write_mlsx(Facts::ALL, &mut line);
        let line = random.mutate(&line);
        if let Some(entry) = Entry::parse_mlsx(&line) {
            assert_shown_safely(&entry, round);
        }
    }
}

#[test]
fn features_show_every_fact_and_mark_the_chosen() {
    let shown = |facts: Facts| {
        let mut out = Vec::new();
        facts.write_features(&mut out);
        String::from_utf8(out).expect("ASCII")
    };
    assert_eq!(
        shown(Facts::ALL),
        "type*;size*;modify*;create*;perm*;unique*;UNIX.mode*;UNIX.owner*;UNIX.group*;"
    );
    assert_eq!(
        shown(Facts::parse(b"modify;TYPE;")),
        "type*;size;modify*;create;perm;unique;UNIX.mode;UNIX.owner;UNIX.group;"
    );
}

#[test]
fn chosen_facts_are_read_as_they_are_written() {
    for set in 0..=Facts::ALL.0 {
        let mut out = Vec::new();
        Facts(set).write(&mut out);
        assert_eq!(Facts::parse(&out), Facts(set));
    }
    assert_eq!(Facts::parse(b"media-type;Unix.Mode;SIZE"), Facts::parse(b"size;UNIX.mode;"));
    assert_eq!(Facts::parse(b""), Facts::NONE);
    assert_eq!(Facts::parse(b";;typ;types;"), Facts::NONE);
}

#[test]
fn the_table_of_facts_is_in_the_order_of_the_bits() {
    for (place, (fact, _)) in FACT_NAMES.iter().enumerate() {
        assert_eq!(Facts::bit(*fact), 1 << place);
    }
}
