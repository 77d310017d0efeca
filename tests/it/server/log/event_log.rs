//! The event log: text from a peer is always escaped, passwords never appear at any level, and
//! every event is logged with its session.

use crate::support::wire::Peer;
use crate::support::{Server, at_once, eventually};
use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// All kinds of bytes that could forge a line, a field or a color, and legal ones.
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

/// Verbs whose arguments appear in the log.
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

/// Sends a command, and accepts any reply.
fn say(peer: &mut Peer, verb: &str, argument: &[u8]) -> u16 {
    peer.say([verb.as_bytes(), b" ", argument].concat()).hear().code
}

/// Stores and retrieves a file, so that both transfers are logged.
fn store_and_fetch(peer: &mut Peer, name: &[u8]) {
    let to = peer.epsv();
    if say(peer, "STOR", name) == 150 {
        drop(crate::support::wire::connect(to));
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

/// Returns the log when it contains everything that happened before the call.
fn complete_log(server: &Server) -> String {
    let mut peer = server.caller();
    peer.say("USER the-last-one").expect(331);
    peer.say("PASS x").expect(530);
    server.wait_for_log(&["login-failed", "the-last-one"]);
    server.log()
}

/// Checks the syntax of a line: a time, a level, an event, and fields with plain or quoted values.
pub fn check_line(line: &str) -> Result<(), &'static str> {
    let strange = |c: char| c.is_control() || !(c.is_ascii() || c.is_alphanumeric());
    if line.contains(strange) {
        return Err("an unescaped character");
    }
    let (time, rest) = line.split_at_checked(20).ok_or("no time")?;
    if !time.ends_with('Z') || time.as_bytes()[10] != b'T' {
        return Err("no time");
    }
    let rest = rest.trim_start();
    let (level, rest) = rest.split_once(' ').ok_or("no level")?;
    if !["error", "warn", "info", "debug"].contains(&level) {
        return Err("an unknown level");
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
            Some(quoted) => end_of_quoted(quoted).ok_or("unterminated quotes")?,
            None => value.find(' ').unwrap_or(value.len()),
        };
        let plain = !value.starts_with('"');
        if plain && value[..length].contains(['"', '=', '\\']) {
            return Err("an unquoted value with special characters");
        }
        rest = &value[length..];
    }
    Ok(())
}

/// Returns the length of a value up to its closing quote; the opening quote is already removed.
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
    // `lines` would accept CR LF as a line end, so CR is checked separately.
    assert!(!log.contains('\r'));
}

#[test]
fn the_log_parser_of_this_test_works() {
    let start = "2026-01-02T03:04:05Z info  ";
    for fields in ["login", "login user=anna peer=1.2.3.4:5", "x-y a=\"b \\\" \\\\\" c=\"\" d=e"] {
        assert_eq!(check_line(&format!("{start}{fields}")), Ok(()), "{fields}");
    }
    for fields in ["", "a b", "a b=c\"d", "a b=\"c", "a b=\"c\"d=e", "a b=\u{202e}", "a  b=c"] {
        assert!(check_line(&format!("{start}{fields}")).is_err(), "{fields}");
    }
    assert!(check_line("anything else").is_err());
}

/// Returns the log of a server that received each malicious text through every kind of input.
fn nasty_log(options: &[&str]) -> String {
    let server = Server::with(&[&["--max-login-failures", "1000"], options].concat());
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
    complete_log(&server)
}

#[test]
fn no_input_forges_or_colors_a_log_line() {
    for level in ["info", "debug"] {
        check_log(&nasty_log(&["--log-level", level]));
    }
}

#[test]
fn no_user_name_forges_or_colors_a_log_line() {
    let server = Server::with(&["--log-level", "debug", "--max-login-failures", "1000"]);
    // Each name uses a new connection, because replies to wrong passwords may be delayed.
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
fn passwords_are_never_logged_wherever_they_occur() {
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
    at_once(["error", "warn", "info", "debug"], |level| {
        let server = Server::with(&["--log-level", level, "--max-login-failures", "1000"]);
        for user in ["anonymous", "nobody"] {
            // Some come before the name is known, one after it, and some after the login.
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
            // The last line is cut off by the end of the connection.
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
    });
}

/// Reads all replies; the server may close the connection after too many malformed commands.
fn hear_to_the_end(peer: &mut Peer, lines: &[&[u8]]) {
    for _ in lines.iter().filter(|line| line.ends_with(b"\n")) {
        if peer.hear().code == 421 {
            break;
        }
    }
}

/// A value of a flat JSON object.
#[derive(Clone, Debug, PartialEq)]
enum Json {
    Text(String),
    Number(f64),
}

/// Returns the members of `{"key":"text","other":1.5}`, strictly by the grammar of RFC 8259, but
/// without spaces, which the server does not write.
fn members(line: &str) -> Option<Vec<(String, Json)>> {
    let mut rest = line.strip_prefix('{')?.strip_suffix('}')?;
    let mut members = Vec::new();
    while !rest.is_empty() {
        if !members.is_empty() {
            rest = rest.strip_prefix(',')?;
        }
        let (key, after) = json_text(rest)?;
        let value;
        (value, rest) = json_value(after.strip_prefix(':')?)?;
        members.push((key, value));
    }
    Some(members)
}

fn json_value(text: &str) -> Option<(Json, &str)> {
    if text.starts_with('"') {
        return json_text(text).map(|(text, rest)| (Json::Text(text), rest));
    }
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let number = &text[..end];
    let (whole, decimals) = number.split_once('.').unwrap_or((number, "0"));
    let fits = !whole.is_empty() && (whole == "0" || !whole.starts_with('0'));
    let number = number.parse().ok().filter(|_| fits && !decimals.is_empty())?;
    Some((Json::Number(number), &text[end..]))
}

fn json_text(text: &str) -> Option<(String, &str)> {
    let mut rest = text.strip_prefix('"')?;
    let mut units = Vec::new();
    loop {
        let c = rest.chars().next()?;
        rest = &rest[c.len_utf8()..];
        match c {
            '"' => return Some((String::from_utf16(&units).ok()?, rest)),
            '\\' if rest.starts_with(['"', '\\']) => {
                units.push(u16::from(rest.as_bytes()[0]));
                rest = &rest[1..];
            }
            '\\' => {
                let hex = rest.strip_prefix('u')?.get(..4)?;
                units.push(u16::from_str_radix(hex, 16).ok()?);
                rest = &rest[5..];
            }
            c if c < ' ' => return None,
            c => units.extend_from_slice(c.encode_utf16(&mut [0; 2])),
        }
    }
}

#[test]
fn the_json_parser_of_this_test_works() {
    let text = |text: &str| Json::Text(text.into());
    let read = |line| members(line).unwrap_or_else(|| panic!("{line}"));
    assert_eq!(read("{}"), []);
    assert_eq!(
        read("{\"a\":\"\\u0041\\ud83d\\ude42\\\"\\\\\",\"b\":1.050}"),
        [("a".into(), text("A🙂\"\\")), ("b".into(), Json::Number(1.05))]
    );
    for wrong in [
        "",
        "{",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":01}",
        "{\"a\":1.}",
        "{\"a\":\"\u{1}\"}",
        "{\"a\":\"\\x\"}",
        "{\"a\":\"\\ud83d\"}",
        "{\"a\":1\"b\":2}",
        "{\"a\":\"b}",
    ] {
        assert!(members(wrong).is_none(), "{wrong}");
    }
}

/// Returns the members of every line, and checks those that every line must have.
fn check_json(log: &str) -> Vec<Vec<(String, Json)>> {
    const NUMBERS: [&str; 10] = [
        "session",
        "bytes",
        "seconds",
        "times",
        "code",
        "problems",
        "untold",
        "sessions",
        "accounts",
        "transfers",
    ];
    let mut all = Vec::new();
    for line in log.lines() {
        let members = members(line).unwrap_or_else(|| panic!("no object: {line:?}"));
        let keys: Vec<&str> = members.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(keys[..3], ["time", "level", "event"], "{line}");
        let mut once = keys.clone();
        once.sort_unstable();
        once.dedup();
        assert_eq!(once.len(), keys.len(), "a key twice: {line}");
        for (key, value) in &members {
            let is_number = matches!(value, Json::Number(_));
            assert_eq!(is_number, NUMBERS.contains(&key.as_str()), "{key}: {line}");
        }
        let Json::Text(time) = &members[0].1 else { panic!("{line}") };
        let shape: String =
            time.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
        assert_eq!(shape, "0000-00-00T00:00:00.000Z");
        let hidden = |c: char| c.is_control() || ('\u{200b}'..='\u{202e}').contains(&c);
        assert!(!line.contains(hidden), "{line:?}");
        all.push(members);
    }
    all
}

/// Returns a name in the form of the log, in which two names always differ.
fn legible(name: &[u8]) -> String {
    let text = |chunk: std::str::Utf8Chunk<'_>| {
        let invalid = chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}"));
        chunk.valid().replace('\\', "\\\\") + &invalid.collect::<String>()
    };
    name.utf8_chunks().map(text).collect()
}

#[test]
fn different_names_stay_different_in_the_log() {
    const NAMES: [&[u8]; 6] =
        [b"\xe4", b"\xe5", b"\\xe4", b"\\\\xe4", b"\xe4\xe4", "\u{fffd}".as_bytes()];
    for format in ["text", "json"] {
        let server = Server::with(&["--log-format", format, "--log-level", "debug"]);
        let mut peer = server.visitor();
        for name in NAMES {
            peer.stor(name, "");
            say(&mut peer, "DELE", name);
            say(&mut peer, "CWD", name);
        }
        peer.say("QUIT").expect(221);
        server.wait_for_log(&["closed"]);
        let log = server.log();
        for event in ["stor", "dele", "refused", "command"] {
            // The fields after the event are the same in each line except for the name.
            let is_event = |line: &&str| {
                line.contains(&format!(" {event} ")) || line.contains(&format!("\"{event}\""))
            };
            let of_name =
                |line: &&str| ["/", "DELE ", "CWD "].iter().any(|mark| line.contains(mark));
            let without_time = |line: &str| {
                let line = line.split_once("Z").unwrap().1;
                line.split_once("seconds").map_or(line, |(before, _)| before).to_owned()
            };
            let lines: Vec<String> =
                log.lines().filter(is_event).filter(of_name).map(without_time).collect();
            let mut different = lines.clone();
            different.sort_unstable();
            different.dedup();
            assert!(lines.len() >= NAMES.len(), "{event}: {log}");
            assert_eq!(different.len(), lines.len(), "{event}: {lines:#?}");
        }
    }
}

#[test]
fn every_json_line_is_an_object_for_any_input() {
    for level in ["info", "debug"] {
        let log = nasty_log(&["--log-format", "json", "--log-level", level]);
        let events = check_json(&log);
        // The names are unchanged, except for bytes that are not UTF-8.
        let is_name = |name: &&&[u8]| !name.iter().any(|byte| matches!(byte, b'\r' | 0xff));
        for name in NASTY.iter().filter(is_name) {
            let path = format!("/{}", legible(name));
            let it = ("path".to_owned(), Json::Text(path));
            assert!(events.iter().any(|event| event.contains(&it)), "{it:?}");
        }
        if level == "info" {
            assert!(!log.contains("\"debug\""));
        }
    }
}

#[test]
#[ignore = "needs python3"]
fn python_parses_every_line_as_json() {
    const SCRIPT: &str = "import json,sys\nfor line in sys.stdin.buffer.read().split(b'\\n')[:-1]:\n    \
                          event = json.loads(line.decode('utf-8', 'strict'))\n    \
                          assert type(event.get('session', 1)) is int\n    print(event['event'])";
    let log = nasty_log(&["--log-format", "json", "--log-level", "debug"]);
    let mut python = Command::new("python3")
        .args(["-c", SCRIPT])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = python.stdin.take().unwrap();
    let lines = log.lines().count();
    let writer = std::thread::spawn(move || stdin.write_all(log.as_bytes()).unwrap());
    let output = python.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.status.success());
    assert_eq!(String::from_utf8(output.stdout).unwrap().lines().count(), lines);
}

#[test]
fn the_log_format_follows_a_reload() {
    let dir = TempDir::new().unwrap();
    let config = dir.path().join("config");
    fs::write(&config, "log-format = json").unwrap();
    let server = Server::with(&["--config", config.to_str().unwrap()]);
    fs::write(&config, "log-format = text").unwrap();
    server.signal("HUP");
    server.wait_for_log(&["info  reloaded problems=0"]);
    let log = server.log();
    assert!(log.starts_with('{') && log.contains("\"event\":\"signal\""), "{log}");
}

/// Returns the events of a session by its number.
fn events_of(log: &str, session: u32) -> Vec<&str> {
    let number = format!(" session={session} ");
    let lines = log.lines().filter(|line| line.contains(&number));
    lines.map(|line| line[27..].split(' ').next().unwrap()).collect()
}

#[test]
fn all_events_of_a_session_have_its_number() {
    let server = Server::start();
    let (mut one, mut two) = (server.caller(), server.caller());
    let ports = [&one, &two].map(|peer| format!(" peer={} ", peer.local()));
    one.say("USER nobody").expect(331);
    one.say("PASS x").expect(530);
    two.login();
    one.login();
    one.say("MKD dir").expect(257);
    two.stor("dir/file", "1");
    one.retr("dir/file");
    one.list("LIST");
    two.epsv();
    two.say("RETR nothing").expect(550);
    one.say("RNFR dir/file").expect(350);
    one.say("RNTO file").expect(250);
    two.say("QUIT").expect(221);
    one.say("REIN").expect(220);
    one.say("QUIT").expect(221);
    for session in ["1", "2"] {
        server.wait_for_log(&["closed", &format!("session={session} "), "why=quit"]);
    }
    let log = server.log();
    assert_eq!(
        events_of(&log, 1),
        ["connected", "login-failed", "login", "mkd", "retr", "list", "rnfr", "rnto", "closed"]
    );
    assert_eq!(events_of(&log, 2), ["connected", "login", "stor", "refused", "closed"]);
    for (port, session) in ports.iter().zip([" session=1 ", " session=2 "]) {
        let mut lines = log.lines().filter(|line| line.contains(port.as_str()));
        assert!(lines.all(|line| line.contains(session)), "{log}");
    }
}

#[test]
fn the_end_of_a_session_is_logged_with_its_reason() {
    let server = Server::with(&["--idle-timeout", "1"]);
    let mut idle = server.visitor();
    let mut left = server.caller();
    left.half_close();
    left.expect_end();
    server.wait_for_log(&["closed session=2", "why=left"]);
    let mut browser = server.caller();
    browser.say("GET / HTTP/1.1").expect(421);
    drop(browser);
    server.wait_for_log(&["closed session=3", "why=sent-away"]);
    server.visitor().reset();
    server.wait_for_log(&["lost session=4", "user=anonymous", "cause="]);
    let mut stranger = server.caller();
    idle.expect(421);
    drop(idle);
    server.wait_for_log(&["closed session=1", "user=anonymous", "why=idle-timeout"]);
    stranger.expect(421);
    drop(stranger);
    server.wait_for_log(&["closed session=5", "why=login-timeout"]);
    let mut last = server.caller();
    server.terminate();
    last.expect(421);
    drop(last);
    server.wait_for_log(&["closed session=6", "why=shutdown"]);
}

#[test]
fn a_flood_of_sessions_without_a_login_is_joined_and_hides_no_login() {
    let server = Server::start();
    let count = |words: &str| server.log().lines().filter(|line| line.contains(words)).count();
    let mut sessions = 0;
    let mut visit = |commands: &[(&str, u16)]| {
        let mut peer = server.caller();
        for (command, code) in commands {
            peer.say(command).expect(*code);
        }
        peer.say("QUIT").expect(221);
        peer.expect_end();
        sessions += 1;
        sessions
    };
    // Commands without a login do not make a difference.
    let empty: [&[(&str, u16)]; 3] = [&[], &[("USER anonymous", 331)], &[("LIST", 530)]];
    while count("times=1 why=quit") == 0 {
        let last = empty.map(&mut visit)[2];
        assert!(last < 3000, "{}", server.log());
    }
    let user = visit(&[("USER anonymous", 331), ("PASS x", 230), ("MKD made", 257)]);
    for _ in 0..20 {
        empty.iter().for_each(|commands| _ = visit(commands));
    }
    let last = visit(&[("USER anonymous", 331), ("PASS x", 230)]);
    server.wait_for_log(&["closed", &format!("session={last} ")]);
    let log = server.log();
    assert_eq!(events_of(&log, user), ["connected", "login", "mkd", "closed"]);
    assert_eq!(events_of(&log, last), ["connected", "login", "closed"]);
    eventually("the end of each logged session", || count(" connected ") == count(" closed "));
    let connected = count(" connected ");
    assert!(connected < last as usize, "{connected} of {last} sessions are logged");
    let mut begun = log.lines().filter(|line| line.contains(" connected "));
    assert!(begun.all(|line| !line.contains("user=")), "{log}");
}

#[test]
fn debug_logs_every_session_of_a_flood() {
    let server = Server::with(&["--log-level", "debug"]);
    for _ in 0..150 {
        let mut peer = server.caller();
        peer.say("QUIT").expect(221);
        peer.expect_end();
    }
    let count = |event| server.log().lines().filter(|line| line.contains(event)).count();
    eventually("the end of each session", || count(" closed ") == 150);
    assert_eq!(count(" connected "), 150);
}

#[test]
fn a_forbidden_command_is_a_warning_and_a_missing_file_is_not() {
    let server = Server::with(&["--anonymous", "read"]);
    server.make_dir("dir");
    let mut peer = server.visitor();
    peer.say("CWD dir").expect(250);
    peer.say("DELE file").expect(550);
    peer.epsv();
    peer.say("STOR file").expect(550);
    peer.say("RETR file").expect(550);
    peer.say("SIZE file").expect(550);
    peer.say("QUIT").expect(221);
    server.wait_for_log(&["closed"]);
    let log = server.log();
    let refused: Vec<&str> = log.lines().filter(|line| line.contains(" refused ")).collect();
    let words = [
        ("warn", "command=\"DELE file\" cwd=/dir why=\"Permission denied.\""),
        ("warn", "command=\"STOR file\" cwd=/dir why=\"Permission denied.\""),
        ("info", "command=\"RETR file\" cwd=/dir why=\"No such file or directory.\""),
    ];
    assert_eq!(refused.len(), words.len(), "{log}");
    for (line, (level, words)) in refused.iter().zip(words) {
        assert!(line[21..].starts_with(level) && line.contains(words), "{line}");
    }
}

#[test]
fn many_refusals_do_not_fill_the_log() {
    const TIMES: usize = 500;
    let server = Server::start();
    let mut peer = server.visitor();
    peer.raw("RETR nothing\r\n".repeat(TIMES));
    (0..TIMES).for_each(|_| drop(peer.expect(550)));
    peer.say("QUIT").expect(221);
    server.wait_for_log(&["closed"]);
    let log = server.log();
    let told = log.matches(" refused ").count();
    let untold = log.split(" untold=").nth(1).and_then(|rest| rest.split(' ').next());
    let untold: usize = untold.unwrap().parse().unwrap();
    assert_eq!(told + untold, TIMES);
    // Twenty at once, and one per second.
    assert!((20..TIMES / 2).contains(&told), "{told}");
}

#[test]
fn transfers_that_cannot_begin_do_not_fill_the_log() {
    const TIMES: usize = 500;
    let server = Server::start();
    server.write("file", "text");
    let mut peer = server.visitor();
    for command in ["RETR file", "LIST", "NLST", "MLSD"] {
        peer.raw(format!("{command}\r\n").repeat(TIMES));
        (0..TIMES).for_each(|_| drop(peer.expect(425)));
    }
    peer.say("QUIT").expect(221);
    server.wait_for_log(&["closed"]);
    let log = server.log();
    let told = log.lines().count();
    assert!((20..TIMES / 2).contains(&told), "{told}");
    assert_eq!(log.matches(" refused ").count(), log.matches("command=\"RETR file\"").count());
}

#[test]
fn transfers_without_data_do_not_fill_the_log() {
    const TIMES: usize = 300;
    let server = Server::start();
    server.write("file", "text");
    let mut peer = server.visitor();
    for _ in 0..TIMES {
        peer.raw("EPSV\r\nRETR file\r\nABOR\r\n");
        [229, 150, 426, 226].iter().for_each(|code| drop(peer.expect(*code)));
    }
    peer.say("QUIT").expect(221);
    server.wait_for_log(&["closed", "untold="]);
    let told = server.log().matches(" retr ").count();
    assert!((20..TIMES / 2).contains(&told), "{told}");
}

#[test]
fn lines_for_a_journal_have_the_priority_and_no_time() {
    // systemd sets this variable to the device and inode of the stream to its journal.
    let script = "export JOURNAL_STREAM=$(stat -Lc %d:%i /proc/self/fd/2); exec \"$@\"";
    let words = ["sh", "-c", script, "sh"];
    let with = |options: &[&str]| {
        let server = Server::under(&words, TempDir::new().unwrap(), "127.0.0.1", options);
        let mut peer = server.visitor();
        peer.epsv();
        peer.say("STOR /").hear();
        server
    };
    let server = with(&["--anonymous", "read"]);
    server.wait_for_log(&["<4>refused session=1", "command=\"STOR /\""]);
    let log = server.log();
    assert!(log.lines().all(|line| line.starts_with("<6>") || line.starts_with("<4>")), "{log}");
    assert!(log.starts_with("<6>started version="), "{log}");
    // --log-format takes precedence.
    let server = with(&["--anonymous", "read", "--log-format", "text"]);
    server.wait_for_log(&["warn  refused session=1"]);
    assert!(!server.log().contains("<4>"), "{}", server.log());
}
