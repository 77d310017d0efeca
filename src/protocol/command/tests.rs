//! Tests of `command`.

use super::parse::{HOST, NAME, NUMBER};
use super::*;
use crate::protocol::TABLE;
use crate::protocol::listing::Facts;
use std::time::{Duration, UNIX_EPOCH};

const FACTS: &str = "MLST and facts, each with a semicolon";

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn secret(text: &str) -> Secret {
    Secret::new(text).unwrap()
}

/// Returns at least one command of each verb, and one for each form of its argument.
fn samples() -> Vec<Command> {
    use Command::*;
    let time = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let minute = time - Duration::from_secs(20);
    vec![
        User(name("anonymous")),
        User(name(" a b ")),
        Pass(secret("")),
        Pass(secret(" x ")),
        Acct(secret("acct")),
        Rein,
        Quit,
        Cwd(name("a b")),
        Cwd(name(" lead")),
        Cdup,
        Port("127.0.0.1:1025".parse().unwrap()),
        Eprt("1.2.3.4:5".parse().unwrap()),
        Eprt("[::1]:65535".parse().unwrap()),
        Pasv,
        Epsv(EpsvArgument::Same),
        Epsv(EpsvArgument::V4),
        Epsv(EpsvArgument::V6),
        Epsv(EpsvArgument::All),
        Type(super::Type::Ascii(Format::NonPrint)),
        Type(super::Type::Ascii(Format::Telnet)),
        Type(super::Type::Ascii(Format::CarriageControl)),
        Type(super::Type::Ebcdic(Format::NonPrint)),
        Type(super::Type::Ebcdic(Format::Telnet)),
        Type(super::Type::Ebcdic(Format::CarriageControl)),
        Type(super::Type::Image),
        Type(super::Type::Local(8)),
        Type(super::Type::Local(255)),
        Mode(super::Mode::Stream),
        Mode(super::Mode::Block),
        Mode(super::Mode::Compressed),
        Mode(super::Mode::Deflate),
        Stru(Structure::File),
        Stru(Structure::Record),
        Stru(Structure::Page),
        Retr(name("-f")),
        Stor(name("\"q\"")),
        Stou(None),
        Stou(Some(name("pre"))),
        Appe(name("x")),
        Allo(0),
        Allo(u64::MAX),
        Rest(0),
        Rest(u64::MAX),
        Rnfr(name("x")),
        Rnto(name("y")),
        Abor,
        Dele(name("x ")),
        Rmd(name("x")),
        Mkd(name("x")),
        Pwd,
        List(None),
        List(Some(name("-la /a b"))),
        Nlst(None),
        Nlst(Some(name("*.c"))),
        Mlsd(None),
        Mlsd(Some(name("d"))),
        Mlst(None),
        Mlst(Some(name("f"))),
        Size(name("f")),
        Mdtm(name("f")),
        Mfmt(time, name(" f")),
        Stat(None),
        Stat(Some(name("."))),
        Syst,
        Help(None),
        Help(Some(name("RETR"))),
        Noop,
        Feat,
        Opts(super::Opts::Utf8(true)),
        Opts(super::Opts::Utf8(false)),
        Opts(super::Opts::Mlst(Facts::ALL)),
        Opts(super::Opts::Mlst(Facts::NONE)),
        Site(super::Site::Help),
        Site(super::Site::Quota),
        Site(super::Site::Chmod(0o644, name("a b"))),
        Site(super::Site::Chmod(0o7777, name("x"))),
        Site(super::Site::Chmod(0, name("x"))),
        Opts(super::Opts::Hash(None)),
        Opts(super::Opts::Hash(Some(Algorithm::Crc32))),
        Site(super::Site::Utime(UtimeForm::Seconds, time, name("a b"))),
        Site(super::Site::Utime(UtimeForm::Minutes, minute, name("a b"))),
        Site(super::Site::Utime(UtimeForm::ThreeTimes, time, name("a b"))),
        Site(super::Site::Umask(None)),
        Site(super::Site::Umask(Some(0o27))),
        Site(super::Site::Symlink(name("a \"b"), name("c d"))),
        Site(super::Site::Mkdir(name("a/b c"))),
        Site(super::Site::Idle(None)),
        Site(super::Site::Idle(Some(900))),
        Site(super::Site::Who),
        Host(name("ftp.example.org")),
        Hash(name("a b")),
        Digest(Algorithm::Crc32, name("a \"b\" 1 2"), None),
        Digest(Algorithm::Md5, name("a"), Some(ByteRange { start: 0, end: u64::MAX })),
        Digest(Algorithm::Sha1, name("a"), None),
        Digest(Algorithm::Sha256, name("\""), None),
        Digest(Algorithm::Sha512, name("a"), None),
        Rang(ByteRange { start: 1, end: 0 }),
        Mff(MffFacts { modified: Some(time), created: Some(time), mode: Some(0o644) }, name("a b")),
        Mfct(time, name("a b")),
        Avbl(None),
        Avbl(Some(name("d"))),
        Dsiz(None),
        Dsiz(Some(name("d"))),
        Rmda(name("d")),
        Csid(None),
        Csid(Some(name("Name=x;"))),
        Clnt(name("x 1.0")),
        Lang(None),
        Lang(Some(name("EN"))),
        Auth(Mechanism::Tls),
        Auth(Mechanism::TlsC),
        Auth(Mechanism::Ssl),
        Auth(Mechanism::TlsP),
        Pbsz(0),
        Prot(Protection::Clear),
        Prot(Protection::Safe),
        Prot(Protection::Confidential),
        Prot(Protection::Private),
        Ccc,
    ]
}

#[test]
fn writing_and_parsing_are_inverses() {
    for command in samples() {
        let mut line = Vec::new();
        command.write_to(&mut line);
        assert_eq!(Command::parse(&line), Ok(command), "{}", line.escape_ascii());
    }
}

#[test]
fn every_verb_has_a_sample() {
    let seen: std::collections::HashSet<Verb> = samples().iter().map(Command::verb).collect();
    for row in TABLE {
        assert!(seen.contains(&row.verb), "{}", row.spelling);
    }
}

#[test]
fn argument_rules_hold_for_every_verb() {
    for row in TABLE {
        let bare = Command::parse(row.spelling.as_bytes());
        let spaced = Command::parse(format!("{} ", row.spelling).as_bytes());
        assert_eq!(bare, spaced, "{}", row.spelling);
        match row.argument {
            ArgumentRule::Required => assert_eq!(bare, Err(Malformed::Missing(row.verb))),
            ArgumentRule::Optional => assert!(bare.is_ok()),
            ArgumentRule::Ignored => {
                assert!(bare.is_ok());
                assert_eq!(bare, Command::parse(format!("{} x", row.spelling).as_bytes()));
            }
            ArgumentRule::None => {
                assert!(bare.is_ok());
                let more = Command::parse(format!("{} x", row.spelling).as_bytes());
                assert_eq!(more, Err(Malformed::Unexpected(row.verb)));
            }
        }
    }
}

#[test]
fn verbs_ignore_case_and_names_keep_every_byte() {
    assert_eq!(Command::parse(b"retr  a "), Ok(Command::Retr(name(" a "))));
    assert_eq!(Command::parse(b"xCwD /"), Ok(Command::Cwd(name("/"))));
    let raw = Name::new(&b"\xff\xfe caf\xe9"[..]).unwrap();
    assert_eq!(Command::parse(b"RETR \xff\xfe caf\xe9"), Ok(Command::Retr(raw)));
}

#[test]
fn each_kind_of_error_is_reported() {
    use Malformed::*;
    let cases: &[(&[u8], Malformed)] = &[
        (b"", Unknown),
        (b" ", Unknown),
        (b"RETRX a", Unknown),
        (b"GET / HTTP/1.1", Unknown),
        (b"AUTH KERBEROS_V4", Parameter(Verb::Auth)),
        (b"AUTH", Missing(Verb::Auth)),
        (b"PBSZ many", Argument(Verb::Pbsz, NUMBER)),
        (b"PROT PP", Parameter(Verb::Prot)),
        (b"CCC x", Unexpected(Verb::Ccc)),
        (b"ADAT x", NotImplemented),
        (b"SMNT /", NotImplemented),
        (b"RETR a\0b", Argument(Verb::Retr, NAME)),
        (b"RETR a\rb", Argument(Verb::Retr, NAME)),
        (b"PASS a\nb", Argument(Verb::Pass, NAME)),
        (b"TYPE X", Parameter(Verb::Type)),
        (b"TYPE A X", Argument(Verb::Type, "N, T or C as the format")),
        (b"TYPE L 0", Argument(Verb::Type, "L and a byte size from 1 to 255")),
        (b"TYPE L", Argument(Verb::Type, "L and a byte size from 1 to 255")),
        (b"MODE X", Parameter(Verb::Mode)),
        (b"MODE 7", Argument(Verb::Mode, "S")),
        (b"STRU FF", Argument(Verb::Stru, "F")),
        (b"REST -1", Argument(Verb::Rest, NUMBER)),
        (b"REST +1", Argument(Verb::Rest, NUMBER)),
        (b"REST 18446744073709551616", Argument(Verb::Rest, NUMBER)),
        (b"ALLO 1 R", Argument(Verb::Allo, NUMBER)),
        (b"EPSV 3", Protocol),
        (b"EPSV x", Argument(Verb::Epsv, "1, 2 or ALL")),
        (b"EPRT |3|x|1|", Protocol),
        (b"SITE FORMAT c:", Parameter(Verb::Site)),
        (b"SITE CHMOD 8 x", Argument(Verb::Site, "CHMOD mode path")),
        (b"SITE CHMOD 77777 x", Argument(Verb::Site, "CHMOD mode path")),
        (b"SITE CHMOD 644", Argument(Verb::Site, "CHMOD mode path")),
        (b"OPTS NONE", Argument(Verb::Opts, "UTF8, MLST or HASH")),
        (b"OPTS HASH MD4", Argument(Verb::Opts, "HASH SHA-256, SHA-512, SHA-1, MD5 or CRC32")),
        (b"SITE UMASK 888", Argument(Verb::Site, "UMASK followed by three octal digits")),
        (b"SITE IDLE 0", Argument(Verb::Site, "IDLE followed by a number of seconds")),
        (b"RANG 1", Argument(Verb::Rang, "first last")),
        (b"MFF x=1; f", Parameter(Verb::Mff)),
        (b"MFF modify=1; f", Argument(Verb::Mff, "YYYYMMDDHHMMSS as the time")),
        (b"OPTS UTF8 maybe", Argument(Verb::Opts, "UTF8 ON or UTF8 OFF")),
        (b"MFMT 2024 x", Argument(Verb::Mfmt, "YYYYMMDDHHMMSS and a name")),
        (b"RETR a\r\0b\0", Argument(Verb::Retr, NAME)),
        (b"OPTS MLST fish cakes;", Argument(Verb::Opts, FACTS)),
        (b"OPTS MLST type;fish cakes;", Argument(Verb::Opts, FACTS)),
        (b"HOST ftp.example.org:21", Argument(Verb::Host, HOST)),
        (b"HOST [::1]:21", Argument(Verb::Host, HOST)),
        (b"HOST ::1", Argument(Verb::Host, HOST)),
        (b"HOST [1]", Argument(Verb::Host, HOST)),
    ];
    for (line, expected) in cases {
        assert_eq!(Command::parse(line).as_ref(), Err(expected), "{}", line.escape_ascii());
    }
}

#[test]
fn common_deviations_of_clients_are_accepted() {
    assert_eq!(Command::parse(b"type i"), Ok(Command::Type(Type::Image)));
    assert_eq!(Command::parse(b"TYPE L8"), Ok(Command::Type(Type::Local(8))));
    assert_eq!(Command::parse(b"TYPE A N "), Ok(Command::Type(Type::Ascii(Format::NonPrint))));
    assert_eq!(Command::parse(b"NOOP  "), Ok(Command::Noop));
    assert_eq!(Command::parse(b"\xf2ABOR"), Ok(Command::Abor));
    assert_eq!(Command::parse(b" \t NOOP"), Ok(Command::Noop));
    assert_eq!(Command::parse(b"\0\xf2 ABOR"), Ok(Command::Abor));
    assert_eq!(Command::parse(b"NOOP x"), Ok(Command::Noop));
    assert_eq!(Command::parse(b"QUIT x y"), Ok(Command::Quit));
    let port = "127.0.0.1:1025".parse().unwrap();
    assert_eq!(Command::parse(b"PORT 127, 0, 0, 1, 4, 1"), Ok(Command::Port(port)));
    let cr = Name::of_file(&b"a\rb"[..]).unwrap();
    assert_eq!(Command::parse(b"RETR a\r\0b"), Ok(Command::Retr(cr.clone())));
    let quoted = Command::parse(b"XCRC \"a\r\0b\"");
    assert_eq!(quoted, Ok(Command::Digest(Algorithm::Crc32, cr, None)));
    for host in ["ftp.example.org", "192.0.2.1", "[2001:db8::1]"] {
        let command = Command::parse(format!("HOST {host}").as_bytes());
        assert_eq!(command, Ok(Command::Host(name(host))));
    }
    assert_eq!(Command::parse(b"ALLO 12 R 7"), Ok(Command::Allo(12)));
    let mff = Command::parse(b"MFF Modify=20250102030405;UNIX.mode=0644; a b");
    assert!(mff.is_ok());
    assert_eq!(mff, Command::parse(b"MFF modify=20250102030405;unix.mode=644 a b"));
    assert_eq!(Command::parse(b"OPTS UTF8"), Ok(Command::Opts(Opts::Utf8(true))));
    let digest = |name: &str, span| Ok(Command::Digest(Algorithm::Crc32, self::name(name), span));
    assert_eq!(Command::parse(b"XCRC a b"), digest("a b", None));
    let span = Some(ByteRange { start: 0, end: 9 });
    assert_eq!(Command::parse(b"XCRC a b 0 9"), digest("a b", span));
    assert_eq!(Command::parse(b"XCRC \"a b\" 0 9"), digest("a b", span));
    for (form, words) in [
        (UtimeForm::Minutes, "202501020304 a b"),
        (UtimeForm::Seconds, "20250102030400 a b"),
        (UtimeForm::ThreeTimes, "a b 20240101000000 20250102030400 20240101000000 UTC"),
    ] {
        let time = UNIX_EPOCH + Duration::from_secs(1_735_787_040);
        let utime = Command::parse(format!("SITE UTIME {words}").as_bytes());
        assert_eq!(utime, Ok(Command::Site(Site::Utime(form, time, name("a b")))));
    }
}

#[test]
fn secrets_are_masked_in_debug_and_display() {
    let command = Command::parse(b"PASS geheim").unwrap();
    assert_eq!(command.to_string(), "PASS ****");
    assert!(!format!("{command:?}").contains("geheim"));
    assert_eq!(Command::parse(b"ACCT geheim").unwrap().to_string(), "ACCT ****");
}

#[test]
fn no_line_causes_a_panic() {
    let mut seed = 1u64;
    let mut next = || {
        seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (seed >> 33) as usize
    };
    for command in samples() {
        let mut line = Vec::new();
        command.write_to(&mut line);
        for _ in 0..200 {
            let mut bad = line.clone();
            for _ in 0..=next() % 3 {
                match next() % 3 {
                    0 if !bad.is_empty() => drop(bad.remove(next() % bad.len())),
                    1 => bad.insert(next() % (bad.len() + 1), next() as u8),
                    _ if !bad.is_empty() => {
                        let at = next() % bad.len();
                        bad[at] = next() as u8;
                    }
                    _ => {}
                }
            }
            if let Ok(parsed) = Command::parse(&bad) {
                let mut again = Vec::new();
                parsed.write_to(&mut again);
                assert_eq!(Command::parse(&again), Ok(parsed), "{}", bad.escape_ascii());
            }
        }
    }
}
