//! Generates command lines as a client might send them, and corrupts them.

use crate::support::random::Random;
use mt_ftp::protocol::{ArgumentRule, Row, TABLE, Verb};

/// Names in the shared tree. The last ones point outside the root.
pub const NAMES: &[&str] = &[
    "a",
    "b",
    "dir",
    "file",
    "dir/sub",
    "dir/file",
    "text",
    "big",
    "d e",
    "ü",
    "q\"q",
    "fifo",
    "link",
    "loop",
    "home",
    "out",
    "out/secret",
    "secret",
];

/// Unusual path components.
const ODD: &[&[u8]] = &[
    b"",
    b".",
    b"..",
    b"...",
    b"../..",
    b"..\\..",
    b"%2e%2e",
    b"..%2f",
    b"\xc0\xae\xc0\xae",
    b".\0.",
    b"..\0",
    b"~",
    b"*",
    b"?",
    b"[a-z]*",
    b"[",
    b"{a,b}",
    b"-R",
    b"-la",
    b"--",
    b" ",
    b"\t",
    b"\"",
    b"\"\"",
    b"\\",
    b"\x1b[31m",
    b"\x7f",
    b"\xff",
    b"\xff\xff",
    b"\xff\xec\xe0",
    b"\xe0",
    b"\xff\xfa",
    b"\xff\xfda",
    b"\xe2\x80\xae",
    b"\xc3\x28",
    b"\xf0\x9f\x92\xa9",
    b"C:",
    b"CON",
    b"a:b",
    b".ftp-partial-",
    b".ftp-partial-00000000000000000000000000000000",
    b"proc/self/root",
    b"|sh",
    b"$(x)",
    b"%s%n",
];

/// Numbers around limits.
const NUMBERS: &[&str] = &[
    "0",
    "1",
    "2",
    "7",
    "8",
    "10",
    "255",
    "256",
    "1000",
    "4096",
    "65535",
    "65536",
    "2147483647",
    "2147483648",
    "4294967295",
    "4294967296",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "-1",
    "+1",
    "00",
    "1.5",
    "1e9",
    "0x10",
    " 1",
    "99999999999999999999999999999999999999",
];

const TIMES: &[&str] = &[
    "20010203040506",
    "19700101000000",
    "19691231235959",
    "00000101000000",
    "99991231235959",
    "20240229235960",
    "20230229000000",
    "20010203040506.123",
    "200102030405",
    "191260102030405",
    "20011303040506",
    "2001020304050",
    "20010203040506.",
    "20380119031408",
    "99999999999999",
];

/// Sequences with a meaning for a line reader or Telnet parser.
const CONTROLS: &[&[u8]] = &[
    b"\r\n",
    b"\n",
    b"\r",
    b"\r\0",
    b"\0",
    b"\xff",
    b"\xff\xff",
    b"\xff\xf4\xff\xf2",
    b"\xff\xf2",
    b"\xff\xfb",
    b"\xff\xfd\x06",
    b"\xff\xfa\x18",
    b"\xff\xf0",
    b"\xff\xf4\xff",
    b"\xff\xec",
    b"\xff\0",
    b"\r\r\n",
    b"\0\r\n",
    b"\xf2",
    b"\x1b",
    b"\x80",
];

/// Returns true if a text has no CR, LF or NUL, except `CR NUL`, which encodes a CR in a name (RFC
/// 2640).
pub fn has_no_line_end(text: &[u8]) -> bool {
    let ends = |byte: &u8| matches!(byte, b'\r' | b'\n' | 0);
    let mut rest = text;
    while let Some(at) = rest.iter().position(ends) {
        match rest[at..].strip_prefix(b"\r\0") {
            Some(behind) => rest = behind,
            None => return false,
        }
    }
    true
}

/// Returns a command without its line end.
pub fn line(random: &mut Random) -> Vec<u8> {
    match random.below(40) {
        0 => words(random),
        1 => garbage(random, 60),
        2 => b"GET / HTTP/1.1".to_vec(),
        3 => random.pick(&["ADAT x", "XYZZY", "SMNT a", "LPSV"]).into(),
        _ => command(random),
    }
}

fn command(random: &mut Random) -> Vec<u8> {
    let mut row = &TABLE[random.index(TABLE.len())];
    // These end the session or its login, so they are rare.
    if matches!(row.verb, Verb::User | Verb::Rein | Verb::Quit | Verb::Pass) && random.chance(80) {
        row = Verb::Retr.row();
    }
    let mut line = spelling(random, row);
    let bare = match row.argument {
        ArgumentRule::None | ArgumentRule::Ignored => !random.chance(5),
        ArgumentRule::Optional => random.chance(40),
        ArgumentRule::Required => random.chance(3),
    };
    if !bare {
        line.push(b' ');
        line.extend(argument(random, row.verb));
    }
    line
}

fn spelling(random: &mut Random, row: &Row) -> Vec<u8> {
    let spelling = match row.aliases {
        [] => row.spelling,
        aliases if random.chance(50) => random.pick(aliases),
        _ => row.spelling,
    };
    match random.below(4) {
        0 => spelling.to_ascii_lowercase().into(),
        1 => spelling.bytes().map(|b| if random.chance(50) { b ^ 0x20 } else { b }).collect(),
        _ => spelling.into(),
    }
}

fn argument(random: &mut Random, verb: Verb) -> Vec<u8> {
    match verb {
        Verb::User => name_of_user(random).into(),
        Verb::Port => port(random).into(),
        Verb::Eprt => extended(random).into(),
        Verb::Epsv => random.pick(&["", "1", "2", "3", "all", "ALL "]).into(),
        Verb::Type => random.pick(&["A", "I", "L 8", "a n", "A T", "E", "L8", "L 7", "X"]).into(),
        Verb::Mode => random.pick(&["S", "B", "C", "Z", "?"]).into(),
        Verb::Stru => random.pick(&["F", "R", "P", "FF"]).into(),
        Verb::Allo | Verb::Rest => number(random).into(),
        Verb::Rang => format!("{} {}", number(random), number(random)).into(),
        Verb::Mfmt | Verb::Mfct => timed(random),
        Verb::Mff => facts(random),
        Verb::Opts => options(random).into(),
        Verb::Site => site(random),
        Verb::List | Verb::Nlst => listed(random),
        Verb::Xcrc | Verb::Xmd5 | Verb::Xsha1 | Verb::Xsha256 | Verb::Xsha512 => digest(random),
        Verb::Help => TABLE[random.index(TABLE.len())].spelling.into(),
        Verb::Lang => random.pick(&["en", "EN-gb", "fr", "x-y-z", ""]).into(),
        Verb::Auth => random.pick(&["TLS", "SSL", "tls-p", "TLS-C", "GSSAPI"]).into(),
        Verb::Pbsz => number(random).into(),
        Verb::Prot => random.pick(&["C", "S", "E", "P", "p", "PP"]).into(),
        _ => path(random),
    }
}

fn name_of_user(random: &mut Random) -> &'static str {
    random.pick(&["anonymous", "ftp", "FTP", "reader", "homebody", "root", "../x", "a\"b=c"])
}

/// Returns a path, often of an existing file.
pub fn path(random: &mut Random) -> Vec<u8> {
    match random.below(20) {
        0 => "n".repeat(254 + random.index(3)).into(),
        1 => random.pick(&["d/", "../", "./", "/", "a/../"]).repeat(random.index(900)).into(),
        2 => garbage(random, 20),
        3..12 => {
            let name = random.pick(NAMES).as_bytes();
            let slash: &[u8] = if random.chance(30) { b"/" } else { b"" };
            [slash, name].concat()
        }
        _ => {
            let parts: Vec<&[u8]> = (0..=random.index(5)).map(|_| part(random)).collect();
            parts.join(&b'/')
        }
    }
}

fn part(random: &mut Random) -> &'static [u8] {
    if random.chance(50) { random.pick(ODD) } else { random.pick(NAMES).as_bytes() }
}

fn number(random: &mut Random) -> String {
    if random.chance(40) { random.below(20).to_string() } else { random.pick(NUMBERS).into() }
}

fn port(random: &mut Random) -> &'static str {
    random.pick(&[
        "127,0,0,1,0,21",
        "10,0,0,1,200,1",
        "256,0,0,1,1,1",
        "1,2,3",
        "127,0,0,1,255,255,1",
        "0,0,0,0,200,1",
        "255,255,255,255,9,9",
        "-1,0,0,1,1,1",
        "127,0,0,1,0,0",
        "a,b,c,d,e,f",
    ])
}

fn extended(random: &mut Random) -> &'static str {
    random.pick(&[
        "|1|127.0.0.1|21|",
        "|2|::1|2000|",
        "|3|x|1|",
        "|1|::1|9999|",
        "|1|127.0.0.1|99999|",
        "!1!10.0.0.1!2000!",
        "||||",
        "|",
        "|2|fe80::1%lo|2000|",
        "|1|0.0.0.0|2000|",
    ])
}

fn timed(random: &mut Random) -> Vec<u8> {
    [random.pick(TIMES).as_bytes(), b" ", &path(random)].concat()
}

fn facts(random: &mut Random) -> Vec<u8> {
    let mut facts = Vec::new();
    for _ in 0..random.below(4) {
        let (time, number) = (random.pick(TIMES), number(random));
        let fact = match random.below(5) {
            0 => format!("modify={time};"),
            1 => format!("Create={time};"),
            2 => format!("UNIX.mode={number};"),
            3 => "UNIX.mode=0644;".into(),
            _ => format!("size={number};"),
        };
        facts.extend(fact.into_bytes());
    }
    [&facts[..], b" ", &path(random)].concat()
}

fn options(random: &mut Random) -> &'static str {
    random.pick(&[
        "UTF8 ON",
        "UTF8 OFF",
        "utf-8",
        "UTF8 NLST",
        "MLST",
        "MLST type;size;",
        "MLST ;;;",
        "HASH",
        "HASH MD5",
        "HASH SHA-512",
        "HASH x",
        "MODE Z LEVEL 9",
        "NOSUCH",
    ])
}

fn site(random: &mut Random) -> Vec<u8> {
    let word = random.pick(&[
        "HELP", "CHMOD", "UTIME", "UMASK", "SYMLINK", "MKDIR", "IDLE", "WHO", "QUOTA", "NOSUCH",
        "chmod",
    ]);
    let rest = match word {
        "CHMOD" | "chmod" => {
            let mode = random.pick(&["644", "0", "7777", "000", "9", "70000", "u+x", "2755"]);
            [mode.as_bytes(), b" ", &path(random)].concat()
        }
        "UTIME" if random.chance(50) => {
            let times = [random.pick(TIMES), random.pick(TIMES), random.pick(TIMES)].join(" ");
            [&path(random)[..], b" ", times.as_bytes(), b" UTC"].concat()
        }
        "UTIME" => timed(random),
        "UMASK" => random.pick(&["", "022", "777", "1777", "x"]).into(),
        "SYMLINK" => symlink(random),
        "MKDIR" => path(random),
        // 0 is refused, and a short timeout would end idle sessions.
        "IDLE" => random.pick(&["", "1", "2", "0", "x", "99999999999"]).into(),
        _ => Vec::new(),
    };
    [word.as_bytes(), if rest.is_empty() { b"" } else { b" " }, &rest].concat()
}

fn symlink(random: &mut Random) -> Vec<u8> {
    let mut words = Vec::new();
    for _ in 0..2 {
        let path = path(random);
        match random.chance(30) {
            true => words.push([b"\"", &path[..], b"\""].concat()),
            false => words.push(path),
        }
    }
    words.join(&b' ')
}

fn listed(random: &mut Random) -> Vec<u8> {
    let options = random.pick(&["", "-la ", "-R ", "-t ", "-Sr ", "-d ", "-- ", "-x", "-lR "]);
    [options.as_bytes(), &path(random)].concat()
}

fn digest(random: &mut Random) -> Vec<u8> {
    let path = path(random);
    match random.below(3) {
        0 => path,
        1 => format!("\"{}\"", String::from_utf8_lossy(&path)).into(),
        _ => [&path[..], b" ", number(random).as_bytes(), b" ", number(random).as_bytes()].concat(),
    }
}

fn words(random: &mut Random) -> Vec<u8> {
    let words: Vec<Vec<u8>> = (0..random.below(5)).map(|_| path(random)).collect();
    words.join(&b' ')
}

/// Returns at most `most` random bytes.
pub fn garbage(random: &mut Random, most: usize) -> Vec<u8> {
    (0..random.index(most)).map(|_| random.number() as u8).collect()
}

/// Returns a usual or unusual line end.
pub fn end_of_line(random: &mut Random) -> &'static [u8] {
    match random.below(30) {
        0..4 => b"\n",
        4 => b"\r\r\n",
        5 => b"\r\0\r\n",
        6 => b"",
        _ => b"\r\n",
    }
}

/// Corrupts the bytes.
pub fn mutate(random: &mut Random, bytes: &mut Vec<u8>) {
    for _ in 0..=random.below(3) {
        let at = random.index(bytes.len());
        let end = (at + random.index(8)).min(bytes.len());
        match random.below(9) {
            0 if !bytes.is_empty() => bytes[at] ^= 1 << random.below(8),
            1 if !bytes.is_empty() => bytes[at] = random.number() as u8,
            2 => drop(bytes.drain(at..end)),
            3 => {
                let again = bytes[at..end].repeat(1 + random.index(4));
                bytes.splice(at..at, again);
            }
            4 => bytes.truncate(at),
            5 => {
                let other = line(random);
                bytes.splice(at..end, other[random.index(other.len())..].to_vec());
            }
            6 if random.chance(20) => {
                // Around the maximum line length, and far beyond it.
                let length = random.pick(&[4000, 4095, 4096, 4097, 20_000]);
                bytes.splice(at..at, vec![b'x'; length]);
            }
            7 => drop(bytes.splice(at..at, garbage(random, 6))),
            _ => drop(bytes.splice(at..at, random.pick(CONTROLS).iter().copied())),
        }
    }
}
