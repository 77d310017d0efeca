//! What gets into the log: everything a peer chose is escaped, and no password ever, at any level.

use crate::harness::Server;
use crate::wire::Peer;

/// Every kind of byte that could forge a line, a field or a colour, and what is legal besides.
const NASTY: &[&[u8]] = &[
    b"\x1b[31mred\x1b[0m",
    b"\x1b]0;title\x07",
    b"a\rb",
    b"\r",
    b"tab\tbed",
    b"\x08\x08\x08back",
    b"del\x7f",
    b"quote\"d",
    b"\"",
    b"back\\slash\\",
    b"x user=root peer=10.0.0.1",
    b"a=b",
    b"=",
    b"\" user=root \"",
    b"two  blanks ",
    "\u{202e}txt.exe".as_bytes(),
    "\u{2066}isolate\u{2069}".as_bytes(),
    "\u{200e}\u{200f}\u{061c}marks".as_bytes(),
    "\u{2028}line\u{2029}paragraph".as_bytes(),
    "\u{85}next line".as_bytes(),
    "\u{9b}31mc1".as_bytes(),
    "\u{feff}bom\u{200b}".as_bytes(),
    b"\x9b31mraw c1",
    b"\x85",
    b"\xc0\x8a",
    b"\xe2\x80",
    b"\xff\xff",
    b"a\xff\xff\xff\xffb",
    b"%s%n%x",
    b"${jndi:x}",
    b"2026-01-01T00:00:00Z info  login user=root",
];

/// Verbs that put their argument into the log, one way or another.
const VERBS: &[&str] = &[
    "USER",
    "HOST",
    "CLNT",
    "CSID",
    "LANG",
    "HELP",
    "OPTS",
    "RETR",
    "STOR",
    "APPE",
    "STOU",
    "CWD",
    "LIST",
    "NLST",
    "MLSD",
    "MLST",
    "STAT",
    "SIZE",
    "MDTM",
    "HASH",
    "XCRC",
    "DELE",
    "RMD",
    "RMDA",
    "RNFR",
    "RNTO",
    "MFMT 20200101000000",
    "MFF modify=20200101000000;",
    "SITE CHMOD 644",
    "SITE MKDIR",
    "SITE SYMLINK a",
    "SITE UTIME 20200101000000",
    "SITE",
    "DSIZ",
    "AVBL",
    "XYZZY",
    "TYPE",
    "PORT",
    "EPRT",
];

/// Says it, and takes any answer.
fn say(peer: &mut Peer, verb: &str, argument: &[u8]) -> u16 {
    peer.say([verb.as_bytes(), b" ", argument].concat()).hear().code
}

/// A transfer that works, so that it is logged.
fn store_and_fetch(peer: &mut Peer, name: &[u8]) {
    let to = peer.epsv();
    if say(peer, "STOR", name) == 150 {
        drop(crate::wire::connect(to));
        peer.expect(226);
        peer.retr(name);
        assert!(!peer.lines("NLST").is_empty());
        assert_eq!(say(peer, "RNFR", name), 350);
        assert_eq!(say(peer, "RNTO", &[name, b"2"].concat()), 250);
        assert_eq!(say(peer, "DELE", &[name, b"2"].concat()), 250);
    }
    if say(peer, "MKD", name) == 257 {
        assert_eq!(say(peer, "CWD", name), 250);
        peer.say("CDUP").expect(250);
        assert_eq!(say(peer, "RMD", name), 250);
    }
}

/// The log once everything is in it that was said before.
fn complete_log(server: &Server) -> String {
    let mut peer = server.caller();
    peer.say("USER the-last-one").expect(331);
    peer.say("PASS x").expect(530);
    server.wait_for_log(&["login-failed", "the-last-one"]);
    server.log()
}

/// What a line is made of: a time, a level, an event, and fields whose values are plain or quoted.
fn check_line(line: &str) -> Result<(), &'static str> {
    let strange = |c: char| c.is_control() || !(c.is_ascii() || c.is_alphanumeric());
    if line.contains(strange) {
        return Err("a character that was to be escaped");
    }
    let (time, rest) = line.split_at_checked(20).ok_or("no time")?;
    if !time.ends_with('Z') || time.as_bytes()[10] != b'T' {
        return Err("no time");
    }
    let rest = rest.trim_start();
    let (level, rest) = rest.split_once(' ').ok_or("no level")?;
    if !["error", "warn", "info", "debug"].contains(&level) {
        return Err("no such level");
    }
    let rest = rest.trim_start();
    let event = rest.split(' ').next().unwrap_or_default();
    if event.is_empty() || !event.bytes().all(|b| b.is_ascii_lowercase() || b == b'-') {
        return Err("no event");
    }
    check_fields(&rest[event.len()..])
}

fn check_fields(mut rest: &str) -> Result<(), &'static str> {
    while !rest.is_empty() {
        let (name, value) = rest.split_once('=').ok_or("a field without a value")?;
        if !name.starts_with(' ') || !name[1..].bytes().all(|b| b.is_ascii_lowercase()) {
            return Err("a field without a name");
        }
        let length = match value.strip_prefix('"') {
            Some(quoted) => end_of_quoted(quoted).ok_or("quotes without end")?,
            None => value.find(' ').unwrap_or(value.len()),
        };
        let plain = !value.starts_with('"');
        if plain && value[..length].contains(['"', '=', '\\']) {
            return Err("a plain value that is not plain");
        }
        rest = &value[length..];
    }
    Ok(())
}

/// How long a value with its quotes is, of which the first is gone.
fn end_of_quoted(text: &str) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return Some(at + 2),
            _ => {}
        }
    }
    None
}

fn check_log(log: &str) {
    for line in log.lines() {
        if let Err(why) = check_line(line) {
            panic!("{why}: {line:?}");
        }
    }
    // `lines` takes CR LF for the end of one, too.
    assert!(!log.contains('\r'));
}

#[test]
fn the_reader_of_this_test_reads_a_log() {
    let start = "2026-01-02T03:04:05Z info  ";
    for fields in ["login", "login user=anna peer=1.2.3.4:5", "x-y a=\"b \\\" \\\\\" c=\"\" d=e"] {
        assert_eq!(check_line(&format!("{start}{fields}")), Ok(()), "{fields}");
    }
    for fields in ["", "a b", "a b=c\"d", "a b=\"c", "a b=\"c\"d=e", "a b=\u{202e}", "a  b=c"] {
        assert!(check_line(&format!("{start}{fields}")).is_err(), "{fields}");
    }
    assert!(check_line("anything else").is_err());
}

#[test]
fn nothing_a_peer_says_forges_or_paints_a_log() {
    for level in ["info", "debug"] {
        let server = Server::with(&["--log-level", level, "--max-login-failures", "1000"]);
        let mut peer = server.visitor();
        for name in NASTY {
            store_and_fetch(&mut peer, name);
            peer.epsv();
            for verb in VERBS.iter().filter(|verb| **verb != "USER") {
                if say(&mut peer, verb, name) == 150 {
                    peer.say("ABOR").expect(426);
                    peer.expect(226);
                    peer.epsv();
                }
            }
            say(&mut peer, "RMDA", name);
        }
        check_log(&complete_log(&server));
    }
}

#[test]
fn no_name_of_a_user_forges_or_paints_a_log() {
    let server = Server::with(&["--log-level", "debug", "--max-login-failures", "1000"]);
    // A name for each connection: wrong passwords may get slower.
    for name in NASTY {
        let mut peer = server.caller();
        if say(&mut peer, "USER", name) == 331 {
            peer.say("QUIT").expect(221);
        }
    }
    let mut peer = server.caller();
    peer.say(b"USER \x1b[31m\xe2\x80\xae\" peer=10.0.0.1 \\").expect(331);
    peer.say("PASS x").expect(530);
    let log = complete_log(&server);
    check_log(&log);
    assert!(log.contains("\\u{1b}[31m\\u{202e}\\\" peer=10.0.0.1 \\\\\""), "{log}");
}

#[test]
fn passwords_are_in_no_log_in_whatever_line_they_come() {
    const PASSWORD: &str = "hunter2";
    let long = |verb: &str| format!("{verb} {PASSWORD}{}\r\n", "x".repeat(5000));
    let (too_long, too_long_account) = (long("PASS"), long("ACCT"));
    let lines: &[&[u8]] = &[
        b"PASS hunter2\r\n",
        b"pass hunter2\r\n",
        b"PaSs hunter2\n",
        b"PASS  hunter2 \r\n",
        b"PASS -hunter2\r\n",
        b"PASS hunter2\rx\r\n",
        b"PASS hunter2\0\r\n",
        b"PASS \x1b[31mhunter2\r\n",
        b"PASS\thunter2\r\n",
        b"PASS=hunter2\r\n",
        b"PASS:hunter2\r\n",
        b"PASShunter2\r\n",
        b" PASS hunter2\r\n",
        b"\tPASS hunter2\r\n",
        b"\xff\xf4\xff\xf2PASS hunter2\r\n",
        b"\xf2PASS hunter2\r\n",
        b"P\xff\xf1ASS hunter2\r\n",
        b"PASS\xff\xfb\x01 hunter2\r\n",
        b"PASS hunter2\xff\xff\r\n",
        b"PASS \xff\xffhunter2\r\n",
        b"PASS hunter2\xff\xfa\x18",
        b"\xff\xf0\r\n",
        b"PASSWORD hunter2\r\n",
        b"PASSWD hunter2\r\n",
        b"ACCT hunter2\r\n",
        b"acct  hunter2\r\n",
        b"ACCT hunter2\0\r\n",
        b"ACCThunter2\r\n",
        b"ADAT hunter2\r\n",
        b"SITE PSWD hunter2 hunter2\r\n",
        b"SITE PASS hunter2\r\n",
        b"OPTS PASS hunter2\r\n",
        b"hunter2\r\n",
        too_long.as_bytes(),
        too_long_account.as_bytes(),
    ];
    for level in ["error", "warn", "info", "debug"] {
        let server = Server::with(&["--log-level", level, "--max-login-failures", "1000"]);
        for user in ["anonymous", "nobody"] {
            // Some before a name is known, one after it, some when someone is in already.
            let mut peer = server.caller();
            for line in lines {
                peer.raw(line);
            }
            peer.half_close();
            hear_to_the_end(&mut peer, lines);
            let mut peer = server.caller();
            peer.say(format!("USER {user}")).expect(331);
            peer.say(format!("PASS {PASSWORD}")).hear();
            peer.say("ABOR").hear();
            peer.say(format!("PASS {PASSWORD}")).hear();
            // And cut off by the end.
            peer.raw(format!("USER anonymous\r\nPASS {PASSWORD}"));
            peer.half_close();
            peer.expect(331);
            peer.expect_end();
        }
        if level == "info" || level == "debug" {
            let log = complete_log(&server);
            assert!(log.contains("login") || log.contains("PASS ****"), "{log}");
        }
        assert!(!server.log().contains(PASSWORD), "{}", server.log());
    }
}

/// All answers; who has talked nonsense for too long is sent away in the middle.
fn hear_to_the_end(peer: &mut Peer, lines: &[&[u8]]) {
    for _ in 0..lines.len() {
        if peer.hear().code == 421 {
            break;
        }
    }
}
