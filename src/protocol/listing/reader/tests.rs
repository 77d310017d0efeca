//! Tests with lines that are entries, lines that are known to be none, and unreadable lines.

use super::super::testing::{Random, at};
use super::*;

/// Returns the names of the entries, and the unreadable lines with `?` before each.
fn shown<'a>(lines: impl Iterator<Item = Result<Entry, Unreadable<'a>>>) -> Vec<String> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let shown = |line| match line {
        Ok(Entry { name, .. }) => text(&name),
        Err(Unreadable(line)) => format!("? {}", text(line)),
    };
    lines.map(shown).collect()
}

fn mlsd(text: &str) -> Vec<String> {
    shown(read_mlsd(text.as_bytes()))
}

fn list(text: &str) -> Vec<String> {
    shown(read_list(text.as_bytes(), at("20250301120000")))
}

#[test]
fn mlsd_leaves_out_the_directory_and_the_one_above_it() {
    let text = "type=cdir; /a/b\r\ntype=pdir; ..\r\ntype=dir; .\r\ntype=dir; ..\r\n\
                type=file;size=1; x\r\n\r\ntype=dir; y z\r\n";
    assert_eq!(mlsd(text), ["x", "y z"]);
    assert!(mlsd("").is_empty() && mlsd("\r\n").is_empty());
}

#[test]
fn mlsd_returns_unreadable_lines() {
    for line in [
        "modify=20250102030405; no type and no size",
        "x",
        " x",
        "type=file;",
        "type=file; ",
        "type=file;size=3; /pub/a",
        "type=file;size=3; pub/a",
        "type=dir; pub/",
        "type=file; .",
        "type=dir; ..",
        "type=file; ..",
        "type=OS.unix=symlink; ..",
        "-rw-r--r-- 1 a b 7 Jan 25 00:17 x",
        "total 12",
        "ls: Permission denied",
    ] {
        let text = format!("type=dir; d\r\n{line}\r\ntype=dir; e");
        assert_eq!(mlsd(&text), ["d".to_owned(), format!("? {line}"), "e".to_owned()]);
        assert_eq!(mlsd(line), [format!("? {line}")]);
    }
}

#[test]
fn mlsd_of_other_servers_is_read() {
    assert_eq!(mlsd("size=5;type=file;modify=20090722092510;\ta 2009-07-22 b"), ["a 2009-07-22 b"]);
    assert_eq!(mlsd("type=file no semicolon"), ["no semicolon"]);
    assert_eq!(mlsd("type=file;  two blanks "), [" two blanks "]);
    assert_eq!(mlsd("\u{feff}type=file; first\ntype=file; second"), ["first", "second"]);
}

#[test]
fn list_returns_unreadable_lines() {
    let line = |name: &str| format!("-rw-r--r-- 1 a b 7 Jan 25 00:17 {name}");
    for bad in [
        &line("a/b"),
        &line("/a"),
        &line("a/"),
        &line(".."),
        "drwxr-xr-x 1 a b 7 Jan 25 00:17 /",
        "-rw-r--r-- 1 a b 7 Foo 25 00:17 x",
        "?????????? ? ? ? ? ? x",
        "x",
        "226 Transfer complete",
    ] {
        let text = format!("{}\r\n{bad}\r\n{}\r\n", line("x"), line("y"));
        assert_eq!(list(&text), ["x".to_owned(), format!("? {bad}"), "y".to_owned()]);
    }
}

#[test]
fn lines_that_are_no_entries_are_left_out() {
    for known in [
        "",
        "   ",
        "total 12",
        "insgesamt 12K",
        "drwxr-xr-x 1 a b 7 Jan 25 00:17 .",
        "drwxr-xr-x 1 a b 7 Jan 25 00:17 ..",
        "01-02-25  03:04PM       <DIR>          ..",
        "Directory DISK$USER:[ANONYMOUS]",
        "Total of 3 files, 8/16 blocks",
        "Grand total of 2 directories, 3 files",
        "--------  ------",
        " Volume in drive C has no label",
        "               3 File(s)  12,345 bytes",
    ] {
        let text = format!("-rw-r--r-- 1 a b 7 Jan 25 00:17 x\n{known}\n");
        assert_eq!(list(&text), ["x"], "{known}");
        assert!(list(known).is_empty(), "{known}");
    }
}

#[test]
fn a_line_that_is_too_long_is_unreadable() {
    for length in [MAX_LINE - 100, MAX_LINE + 1, 1 << 20] {
        let name = "x".repeat(length);
        let line = format!("-rw-r--r-- 1 a b 7 Jan 25 00:17 {name}");
        let expected = if line.len() > MAX_LINE { format!("? {line}") } else { name.clone() };
        assert_eq!(list(&line), [expected]);
        let line = format!("type=file; {name}");
        let expected = if line.len() > MAX_LINE { format!("? {line}") } else { name };
        assert_eq!(mlsd(&line), [expected]);
    }
}

#[test]
fn no_bytes_break_the_readers_and_no_line_is_lost() {
    let mut random = Random(7);
    let sample = b"type=file;size=1; a\ntype=dir; b\ntotal 3\n-rw-r--r-- 1 a b 7 Jan 25 00:17 x\n";
    for _ in 0..10_000 {
        let text = random.mutate(sample);
        for found in [read_mlsd(&text).count(), read_list(&text, at("20250301120000")).count()] {
            assert!(found <= text.split(|&byte| byte == b'\n').count());
        }
    }
}
