//! Fuzzes every parser of the crate: no input causes a panic, and written values are parsed back.

use super::{Budget, grammar};
use crate::support::random::Random;
use mt_ftp::args::{self, Outcome};
use mt_ftp::client::options::{self, Options};
use mt_ftp::client::{Endpoint, Url};
use mt_ftp::protocol::listing::{Entry, Facts, Perm, Unique, read_list, read_mlsd};
use mt_ftp::protocol::time::{self, Civil};
use mt_ftp::protocol::{
    Code, Command, Control, FtpPath, Line, MAX_LINE, MAX_PATH, Name, Reply, ReplyParser, Verb,
    address, ascii, parse_quoted, proxy, write_quoted,
};
use mt_ftp::server::accounts::Accounts;
use mt_ftp::server::config::{self, Config};
use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4};
use std::os::unix::ffi::OsStringExt;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Inputs per parser and round; the time limit is checked after each round.
const ROUND: u64 = 200;

/// Maximum number of rounds in a default run.
const ROUNDS: u64 = 40;

type Fuzz = fn(&mut Random);

const PARSERS: &[(&str, Fuzz)] = &[
    ("command", command),
    ("reply", reply),
    ("control line", control_line),
    ("path", path),
    ("address", addresses),
    ("proxy header", proxy_header),
    ("mlsx", mlsx),
    ("ls", ls),
    ("listings", listings),
    ("time", times),
    ("ascii", text),
    ("arguments", arguments),
    ("config file", config_file),
    ("accounts", accounts),
    ("url", url),
];

#[test]
fn no_input_panics_and_written_values_are_parsed_back() {
    for seed in Budget::new(20, ROUNDS).seeds() {
        for (name, fuzz) in PARSERS {
            let mut random = Random(seed.0);
            let _which = Which(name);
            (0..ROUND).for_each(|_| fuzz(&mut random));
        }
    }
}

/// Prints the parser's name on failure.
struct Which<'a>(&'a str);

impl Drop for Which<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- fuzzing: {}", self.0);
        }
    }
}

/// Returns the bytes that a function appends.
fn written(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    write(&mut out);
    out
}

/// Returns one of the samples, usually corrupted.
fn damaged(random: &mut Random, samples: &[&str]) -> Vec<u8> {
    let mut bytes = random.pick(samples).as_bytes().to_vec();
    if random.chance(70) {
        grammar::mutate(random, &mut bytes);
    }
    bytes
}

fn shown(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

fn damaged_line(random: &mut Random) -> Vec<u8> {
    let mut line = grammar::line(random);
    if random.chance(50) {
        grammar::mutate(random, &mut line);
    }
    line
}

fn command(random: &mut Random) {
    let line = damaged_line(random);
    let Ok(command) = Command::parse(&line) else { return };
    let once = written(|out| command.write_to(out));
    let again = Command::parse(&once);
    assert!(again.is_ok(), "{} {}: {again:?}", shown(&line), shown(&once));
    // Compares the text and not the values, because written times have no fraction.
    let twice = written(|out| again.unwrap().write_to(out));
    assert_eq!(shown(&twice), shown(&once), "{}", shown(&line));
    assert!(grammar::has_no_line_end(&once), "{}", shown(&once));
    if let Verb::Pass | Verb::Acct = command.verb() {
        assert_eq!(command.to_string(), format!("{} ****", command.verb()));
    }
}

fn reply(random: &mut Random) {
    let mut parser = ReplyParser::default();
    let mut lines = |bytes: &[u8]| {
        let lines =
            bytes.split(|&b| b == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
        lines.filter_map(|line| parser.line(line).unwrap_or(None)).collect::<Vec<Reply>>()
    };
    let code = Code::new(100 + random.below(500) as u16).unwrap();
    let mut some = || damaged_line(random);
    let made = match code.number() % 2 {
        0 => Reply::new(code, some()),
        _ => Reply::lines(code, some(), [some(), some()], some()),
    };
    let wire = written(|out| made.write_to(out));
    assert_eq!(lines(&wire), [made], "{}", shown(&wire));
    let mut broken = wire;
    grammar::mutate(random, &mut broken);
    for reply in lines(&broken) {
        drop((reply.text().len(), reply.body().len(), reply.to_string()));
    }
}

/// Checks that lines do not depend on how the bytes are split.
fn control_line(random: &mut Random) {
    let mut bytes = Vec::new();
    for _ in 0..=random.below(3) {
        bytes.extend(damaged_line(random));
        bytes.extend_from_slice(grammar::end_of_line(random));
    }
    let whole = lines_of(&[&bytes]);
    for line in &whole {
        let Line::Text(text) = line else { continue };
        assert!(text.len() <= MAX_LINE && !text.contains(&b'\n'), "{}", shown(&bytes));
    }
    // Splitting long inputs everywhere would take too long.
    let step = 1 + bytes.len() / 64;
    for at in (0..bytes.len()).step_by(step) {
        let (head, tail) = bytes.split_at(at);
        assert_eq!(lines_of(&[head, tail]), whole, "split at {at}: {}", shown(&bytes));
    }
    let single: Vec<&[u8]> = bytes.chunks(1).collect();
    assert_eq!(lines_of(&single), whole, "byte by byte: {}", shown(&bytes));
}

fn lines_of(pieces: &[&[u8]]) -> Vec<Line> {
    let mut control = Control::new(Pieces { rest: pieces, given: 0 });
    let mut lines = Vec::new();
    while let Some(line) = control.read_line().unwrap() {
        lines.push(line);
    }
    lines
}

/// A reader that returns at most one piece per call.
struct Pieces<'a> {
    rest: &'a [&'a [u8]],
    /// The number of bytes already returned from the first piece.
    given: usize,
}

impl Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some((first, rest)) = self.rest.split_first() {
            let length = (&first[self.given..]).read(buffer)?;
            if length > 0 {
                self.given += length;
                return Ok(length);
            }
            (self.rest, self.given) = (rest, 0);
        }
        Ok(0)
    }
}

fn path(random: &mut Random) {
    let mut bytes = grammar::path(random);
    if random.chance(50) {
        grammar::mutate(random, &mut bytes);
    }
    let quoted = written(|out| write_quoted(&bytes, out));
    assert_eq!(parse_quoted(&quoted).as_deref(), Some(&bytes[..]));
    let _ = parse_quoted(&bytes);
    let here = FtpPath::root().join(&Name::new("some/where").unwrap()).unwrap();
    let Some(name) = Name::new(bytes.clone()) else { return };
    let Ok(path) = here.join(&name) else { return };
    let all = path.as_bytes();
    assert!(all.starts_with(b"/") && all.len() <= MAX_PATH, "{}", shown(&bytes));
    assert!(path.parts().all(|part| !matches!(part, b"" | b"." | b"..")), "{}", shown(&bytes));
    let again = here.join(&Name::new(all).unwrap());
    assert_eq!(again.as_ref(), Ok(&path), "{}", shown(&bytes));
    assert_eq!(path.is_root(), path.file_name().is_none());
    assert!(all.starts_with(path.parent().as_bytes()));
}

fn addresses(random: &mut Random) {
    let port = 1 + random.below(65535) as u16;
    let v4 = SocketAddrV4::new(Ipv4Addr::from_bits(random.number() as u32), port);
    let v6 = Ipv6Addr::from_bits(u128::from(random.number()) << random.below(65));
    assert_eq!(address::parse_port(&written(|out| address::write_port(v4, out))), Some(v4));
    let passive = written(|out| address::write_passive(v4, out));
    assert_eq!(address::parse_passive(&passive), Some(v4));
    for any in [SocketAddr::V4(v4), SocketAddr::from((v6, port))] {
        let extended = written(|out| address::write_extended(any, out));
        assert_eq!(address::parse_extended(&extended), Ok(any));
    }
    let extended = written(|out| address::write_extended_passive(port, out));
    assert_eq!(address::parse_extended_passive(&extended, Ipv4Addr::LOCALHOST.into()), Some(port));
    for mut bytes in [passive, extended, b"|1|10.0.0.1|2000|".into(), b"1,2,3,4,5,6".into()] {
        grammar::mutate(random, &mut bytes);
        let _ = (address::parse_port(&bytes), address::parse_passive(&bytes));
        let _ = (
            address::parse_extended(&bytes),
            address::parse_extended_passive(&bytes, Ipv4Addr::LOCALHOST.into()),
        );
    }
}

/// Checks that the result for a prefix does not change with more data, and that bytes after the header
/// do not matter.
fn proxy_header(random: &mut Random) {
    const BINARY: &str = "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x13\x0a\0\0\x01\x0a\0\0\x02\x01\x01\0\x15\x02\0\x01x\x04\0\0";
    let samples = [
        "PROXY TCP4 10.0.0.1 10.0.0.2 50000 21\r\n",
        "PROXY TCP6 2001:db8::1 ::ffff:1.2.3.4 65535 0\r\nUSER a\r\n",
        "PROXY UNKNOWN x\r\n",
        BINARY,
        "\r\n\r\n\0\r\nQUIT\n\x20\0\0\0",
    ];
    let bytes = damaged(random, &samples);
    let whole = proxy::parse(&bytes);
    if let Ok(Some((_, length))) = whole {
        assert!(length <= bytes.len().min(proxy::MAX_HEADER), "{}", shown(&bytes));
        assert_eq!(proxy::parse(&bytes[..length]), whole, "{}", shown(&bytes));
    }
    let step = 1 + bytes.len() / 64;
    for end in (0..bytes.len()).step_by(step) {
        let part = proxy::parse(&bytes[..end]);
        assert!(part == Ok(None) || part == whole, "at {end}: {}", shown(&bytes));
    }
}

const MLSX: &[&str] = &[
    "type=file;size=12;modify=20250102030405;perm=adfrw;unique=fd00U1a; name",
    "Type=dir;Modify=20250102030405.123;UNIX.mode=0755;UNIX.owner=0;UNIX.group=ftp; a b",
    "type=cdir;create=19700101000000;perm=; .",
    "type=OS.unix=slink:/target;size=7; link",
    "type=pdir;UNIX.ownername=root;UNIX.uid=0;; ..",
    "size=18446744073709551615; s",
    " no facts",
];

fn mlsx(random: &mut Random) {
    let line = damaged(random, MLSX);
    let _ = (Facts::parse(&line), Perm::parse(&line), Unique::parse(&line));
    let Some(entry) = Entry::parse_mlsx(&line) else { return };
    let once = written(|out| entry.write_mlsx(Facts::ALL, out));
    assert!(!once.iter().any(u8::is_ascii_control), "{} {}", shown(&line), shown(&once));
    let Some(again) = Entry::parse_mlsx(&once) else { panic!("{} {}", shown(&line), shown(&once)) };
    let twice = written(|out| again.write_mlsx(Facts::ALL, out));
    assert_eq!(shown(&twice), shown(&once), "{}", shown(&line));
    let now = UNIX_EPOCH + Duration::from_secs(1_740_830_400);
    drop(written(|out| entry.write_ls(now, out)));
}

const LS: &[&str] = &[
    "drwxr-xr-x    2 1000     1000         4096 Jan 15 10:22 in coming",
    "-rw-------    1 ftp      ftp      5368709120 Sep 30  2023 image.iso",
    "-rwxr-xr-x+ 1 joe users 77 2025-01-02 03:04:05 run.sh",
    "lrwxrwxrwx 1 a b 7 Feb 29 23:59 link -> target -> x",
    "brw-rw----   1 root disk     8,   1 Jan 29 03:26 sda1",
    "-rw-r--r-- 531 Jan 29 03:26 bare",
    "d [RWCEAFMS] supervisor            512       Jan 16 18:53    login",
    "01-02-25  03:04PM       <DIR>          aspnet client",
    "2025-01-02  18:48                9,730 commas.zip",
    "+i8388621.48594,m825718503,r,s280,\tdjb.html",
    "NAME.TXT;1  2/4  2-JAN-2025 03:04:05  [GRP,OWN]  (RWED,RWED,RE,)",
    "dr-xr-xr-x   2 root     512 Apr  8  1994 etc",
    "crw-rw-rw-   1 root root 1,3 Jan 29 03:26 null",
    "total 12",
    "-rw-r--r-- 1 a b 12.5k 3 29 03:26 numbers",
    "-rw-r--r-- 1 a b 7 2025-01-02 03:04:05.123456789 +0200 full ISO",
    "-rw-r--r-- 1 a b 7 26. Juli, 20:10 day first",
    "-rw-r--r-- 1 a b 7 2005\u{b144}  1\u{c6d4}  6\u{c77c} signs",
    "0100644   500  101   12345    123456789       numeric",
    "05/14/2014  11:19 PM    <JUNCTION>     All Users [C:\\ProgramData]",
    "36611      A    04-23-103  10:57  os2",
    "206876  Apr 04, 2000 21:06 vshell/",
    "2048    Feb-28-1998  05:23:30   vxworks       <DIR>",
    "wfftp       1014196  06/03/04  Thur.   10:20:03",
    "-C--E-----FTP B BCC3I1       7670  1294495 Jan 13 07:42 conent",
    "20.20 07/03/29 1026 d-ewrewr 2650 85920 os9",
    "NONSTOP 101 528 6-Apr-07 14:21:18 255, 0 \"oooo\"",
    "QSYS            77824 02/23/00 15:09:55 *DIR dir/",
    "QPGMR                                   *MEM       MKCMD.MBR",
    "WYOSPT 3420   2003/05/21  1  200  FB      80  8053  PS  SEQ.FILE",
    "MEMBER1 01.01 2004/06/22 2004/06/22 16:32   128   128    0 BOBY12",
    "LOADMOD 00B308 000411  00 FO                31    ANY",
    "IBMUSER1  JOB01906  OUTPUT    3 Spool Files",
    "PROFILE  EXEC     F        65      107        2 2005-10-04 15:28:42 060191",
];

/// Headings, which change how the following lines are parsed.
const HEADINGS: &[&str] = &[
    "Volume Unit    Referred Ext Used Recfm Lrecl BlkSz Dsorg Dsname",
    " Name     VV.MM   Created       Changed      Size  Init   Mod   Id",
    "JOBNAME  JOBID    OWNER    STATUS CLASS",
    "LONG_NAME_OF_VMS.COM;12",
    "Migrated                                                OLD.DATA",
    "MEMBER",
    "",
];

/// Checks that no line of a listing is lost, and that all names are valid.
fn listings(random: &mut Random) {
    let lines = [LS, MLSX, HEADINGS].concat();
    let pieces = (0..random.below(8)).map(|_| damaged(random, &lines));
    let text = pieces.collect::<Vec<_>>().join(&b"\r\n"[..]);
    let now = UNIX_EPOCH + Duration::from_secs(random.below(4_000_000_000));
    let most = text.split(|&byte| byte == b'\n').count();
    let is_name = |name: &[u8]| !matches!(name, b"" | b"." | b"..") && !name.contains(&b'/');
    for found in [read_list(&text, now).collect::<Vec<_>>(), read_mlsd(&text).collect()] {
        assert!(found.len() <= most, "{}", shown(&text));
        assert!(found.iter().flatten().all(|entry| is_name(&entry.name)), "{}", shown(&text));
    }
}

fn ls(random: &mut Random) {
    let line = damaged(random, LS);
    let now = UNIX_EPOCH + Duration::from_secs(random.below(4_000_000_000));
    let Some(entry) = Entry::parse_ls(&line, now) else { return };
    assert!(!entry.name.is_empty(), "{}", shown(&line));
    let once = written(|out| entry.write_ls(now, out));
    assert!(!once.iter().any(u8::is_ascii_control), "{} {}", shown(&line), shown(&once));
    assert!(Entry::parse_ls(&once, now).is_some(), "{} {}", shown(&line), shown(&once));
    drop(written(|out| entry.write_mlsx(Facts::ALL, out)));
}

fn times(random: &mut Random) {
    // Any 14 digits.
    let seconds = random.below(315_000_000_000) as i64 - 62_000_000_000;
    let offset = Duration::from_secs(seconds.unsigned_abs());
    let time = if seconds < 0 { UNIX_EPOCH - offset } else { UNIX_EPOCH + offset };
    if (0..=9999).contains(&Civil::from_system(time).year) {
        let text = written(|out| time::write_timestamp(time, out));
        assert_eq!(time::parse_timestamp(&text), Some(time), "{}", shown(&text));
    }
    assert_eq!(Civil::from_system(time).to_system(), Some(time));
    let far = Duration::from_secs(random.number() >> random.below(64));
    for time in [UNIX_EPOCH.checked_add(far), UNIX_EPOCH.checked_sub(far)].into_iter().flatten() {
        drop(written(|out| time::write_timestamp(time, out)));
        drop(written(|out| time::write_ls_date(time, SystemTime::UNIX_EPOCH, out)));
    }
    let text = damaged(random, &["20250102030405", "20250102030405.999999999", "191250102030405"]);
    let _ = time::parse_timestamp(&text);
    let words = damaged(random, &["Jan 2 03:04", "Feb 29 2024", "dec 31 23:59:60"]);
    let words: Vec<&[u8]> = words.split(|&b| b == b' ').collect();
    if let [month, day, rest] = words[..] {
        let _ = time::parse_ls_date(month, day, rest, time);
    }
}

fn text(random: &mut Random) {
    let pieces = ["\r", "\n", "\r\n", "a", "bc\r", "\r\r\n", "\n\n"];
    let local: Vec<u8> =
        (0..random.below(40)).flat_map(|_| random.pick(&pieces).as_bytes()).copied().collect();
    let wire = written(|out| ascii::Encoder::default().convert(&local, out));
    let mut encoded = Vec::new();
    let mut reader = ascii::EncodingReader::new(&local[..]);
    reader.read_to_end(&mut encoded).unwrap();
    assert_eq!(shown(&encoded), shown(&wire));
    // Any data from a client, and data that the server itself sent.
    let stored = shown(&local).replace("\\r\\n", "\\n");
    for (stream, expected) in [(&wire, Some(&stored)), (&local, None)] {
        let mut whole = ascii::DecodingWriter::new(Vec::new());
        whole.write_all(stream).unwrap();
        let whole = whole.finish().unwrap();
        assert!(expected.is_none_or(|expected| *expected == shown(&whole)), "{}", shown(&local));
        let mut decoder = ascii::Decoder::default();
        let cut = random.index(stream.len());
        let pieces = written(|out| {
            stream[..cut].chunks(1 + cut / 3).for_each(|chunk| decoder.convert(chunk, out));
            decoder.convert(&stream[cut..], out);
            decoder.finish(out);
        });
        assert_eq!(shown(&pieces), shown(&whole), "{} at {cut}", shown(stream));
    }
}

const WORDS: &[&str] = &[
    "--host",
    "::1",
    "--port",
    "0",
    "--port=99999",
    "--root",
    "/",
    "--anonymous=write",
    "--users",
    "x",
    "--passive-ports",
    "1-2",
    "--max-sessions",
    "--idle-timeout",
    "5m",
    "--sync",
    "--sync=x",
    "--",
    "--help",
    "--version",
    "-h",
    "-c",
    "ls; get a",
    "-f",
    "-",
    "-u",
    "-akq",
    "-j4",
    "-j",
    "--timeout=1h",
    "--retries",
    "-1",
    "ftp://a:b@c:21/d%20e/",
    "host",
    "21",
    "",
    "-",
    "--=",
    "---",
    "--log-level",
    "debug",
    "--max-login-failures",
    "99999999999999999999",
    "--rate-limit",
    "10M",
    "--passive-address",
    "10.0.0.0/8=10.0.0.5,::1",
    "--proxy-protocol=10.0.0.0/8,fd00::/8",
];

fn arguments(random: &mut Random) {
    let words: Vec<OsString> =
        (0..random.below(6)).map(|_| OsString::from_vec(damaged(random, WORDS))).collect();
    let usage = match config::PROGRAM.parse(words.clone()) {
        Ok(Outcome::Run(given)) => Config::new(&given).err().unwrap_or_default(),
        Ok(_) => Vec::new(),
        Err(usage) => vec![usage],
    };
    assert!(usage.iter().all(|usage| !usage.to_string().is_empty()));
    let usage = match options::PROGRAM.parse(words) {
        Ok(Outcome::Run(given)) => Options::new(&given).err(),
        Ok(_) => None,
        Err(usage) => Some(usage),
    };
    assert!(usage.is_none_or(|usage| !usage.to_string().is_empty()));
    let word = damaged(random, &["10M", "1h", "yes", "65535", "18446744073709551615G", "30s"]);
    if let Ok(word) = std::str::from_utf8(&word) {
        let _ = (args::size(word), args::duration(word), args::boolean(word), args::port(word));
    }
}

fn config_file(random: &mut Random) {
    let lines: Vec<Vec<u8>> = (0..random.below(6))
        .map(|_| {
            let samples = [
                "port = 2121",
                "# comment",
                "host=::1",
                "sync = yes",
                "root = \"/a b\"",
                "sync",
                "users = x",
                "config = y",
                "  idle-timeout  =  5m  ",
                "no-such = 1",
                "= x",
                "port =",
            ];
            damaged(random, &samples)
        })
        .collect();
    let text = lines.join(&b'\n');
    let file = Path::new("config");
    let (given, wrong) = config::PROGRAM.parse_config(file, &text);
    assert!(wrong.iter().all(|usage| !usage.to_string().is_empty()));
    let _ = Config::new(&given);
    let _ = options::PROGRAM.parse_config(file, &text);
}

fn accounts(random: &mut Random) {
    let samples = [
        "anna:$pbkdf2-sha256$1$c2FsdCBvZiB0aGUgdGVzdA$L3vAmP1RE48rE1MK5MKIZXvGTV4bfubzlE8Y0CPZpkQ::",
        "ben:$pbkdf2-sha256$29000$c2FsdA$L3vAmP1RE48rE1MK5MKIZXvGTV4bfubzlE8Y0CPZpkQ:write:/a/../b",
        "# nobody",
        "",
        ":::",
        "carl:x:read:",
        "dora:$pbkdf2-sha256$4294967296$$::",
    ];
    let lines: Vec<Vec<u8>> = (0..random.below(4)).map(|_| damaged(random, &samples)).collect();
    match Accounts::parse(Path::new("users"), &lines.join(&b'\n')) {
        Ok(accounts) => drop(format!("{accounts:?}")),
        Err(error) => assert!(error.to_string().starts_with("users:"), "{error}"),
    }
}

fn url(random: &mut Random) {
    let samples = [
        "ftp://host/a%20b",
        "FTP://u:p%40@[::1]:2121/d/",
        "host:21",
        "[::1]",
        "::1",
        "ftp://@/%",
        "ftp://a@b@c:0/%0d%0a",
        "h/%ff%FE/x",
    ];
    let Ok(text) = String::from_utf8(damaged(random, &samples)) else { return };
    let _ = Url::is_one(&text);
    if let Ok(url) = Url::parse(&text) {
        drop(format!("{url:?}"));
    }
    let port = random.chance(50).then(|| random.pick(&["21", "0", "65536", "x", ""]));
    if let Ok(endpoint) = Endpoint::parse(&text, port) {
        let shown = endpoint.to_string();
        assert_eq!(Endpoint::parse(&shown, None).as_ref(), Ok(&endpoint), "{text:?} {shown:?}");
    }
}
