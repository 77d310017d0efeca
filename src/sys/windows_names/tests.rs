//! Tests of `windows_names`.

use super::*;

#[test]
fn names_with_another_meaning_on_windows_are_refused() {
    for name in [
        "a\\b",
        "..\\x",
        "\\\\host\\share",
        "C:",
        "C:x",
        "a:b",
        "a::$DATA",
        "a*",
        "a?",
        "\"",
        "<",
        ">",
        "|",
        "a\u{1}",
        "a\n",
        "a.",
        "a ",
        "...",
        ". ",
        "CON",
        "con",
        "Con.txt",
        "aux.c.h",
        "nul .x",
        "PRN",
        "COM1",
        "com9.log",
        "LPT¹",
        "CONIN$",
        "conout$.x",
        "CLOCK$",
        "FTP-PA~1",
        "progr~12",
        "a~1.txt",
    ] {
        assert!(is_reserved_name(name), "{name:?}");
    }
}

#[test]
fn all_other_names_are_accepted() {
    for name in [
        ".",
        "..",
        "a",
        ".a",
        "a b",
        " a",
        "CONSOLE",
        "com",
        "com10",
        "comb",
        "lpt",
        "auxiliary.c",
        "a.con",
        "x.nul",
        "ä.txt",
        "a~",
        "~1~",
        "a~b",
        "a~1.html",
        "long-name~1",
        "#a~1#.x.y",
    ] {
        assert!(!is_reserved_name(name), "{name:?}");
    }
}
