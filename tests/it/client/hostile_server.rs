//! The client with malicious servers: one wrong reply each, and the files that remain on disk.
//!
//! Each case is a server that is correct except for one reply. The client runs in a
//! directory `here` with an old file `a` and a link `link` to a file `precious` outside of it.
//! Nothing outside of `here` may change, and inside must be the files of the case.

use crate::support::scripted_server::{Script, ScriptedServer, play_all};
use crate::support::{Client, Run, at_once};
use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;

/// A server's answers; those of a case differ in one or two.
#[derive(Clone)]
struct Lies {
    greeting: &'static str,
    user: &'static str,
    pass: &'static str,
    cwd: &'static str,
    size: &'static str,
    mdtm: &'static str,
    /// `%` is replaced with the port.
    epsv: &'static str,
    /// The data of RETR, and its first and final replies.
    retr: &'static str,
    begins: &'static str,
    ends: &'static str,
    /// Listings of the root; other directories are empty.
    mlsd: &'static str,
    list: Option<&'static str>,
    nlst: &'static str,
}

const HONEST: Lies = Lies {
    greeting: "220 ready",
    user: "331 password",
    pass: "230 in",
    cwd: "250 there",
    size: "213 3",
    mdtm: "213 20250102030405",
    epsv: "229 Extended (|||%|)",
    retr: "new",
    begins: "150 here it comes",
    ends: "226 done",
    mlsd: "type=file;size=3;modify=20250102030405; a\r\n",
    list: None,
    nlst: "a\r\n",
};

/// Sends these replies and returns all commands of the client.
fn act(server: &mut ScriptedServer, lies: &Lies) -> Vec<String> {
    let (mut heard, mut listings) = (Vec::new(), 0);
    server.say(lies.greeting);
    while let Some(line) = server.next() {
        let (verb, argument) = line.split_once(' ').unwrap_or((&line, ""));
        listings += usize::from(verb == "MLSD");
        // The current directory may be listed again for another command.
        let listing = if listings == 1 || argument.is_empty() { lies.mlsd } else { "" };
        match verb {
            "USER" => server.say(lies.user),
            "PASS" => server.say(lies.pass),
            "QUIT" => server.say("221 bye"),
            _ if !lies.pass.starts_with("230") => server.say("530 log in first"),
            "CWD" => server.say(lies.cwd),
            "PWD" => server.say("257 \"/\""),
            "SIZE" => server.say(lies.size),
            "MDTM" => server.say(lies.mdtm),
            "EPSV" => server.offer(lies.epsv),
            "MLSD" if lies.list.is_some() => server.say("500 what?"),
            "MLSD" => send(server, lies, listing),
            "LIST" => send(server, lies, lies.list.unwrap_or_default()),
            "NLST" => send(server, lies, lies.nlst),
            "RETR" => retrieve(server, lies),
            _ => server.say("200 ok"),
        }
        heard.push(line);
    }
    heard
}

fn send(server: &mut ScriptedServer, lies: &Lies, text: &str) {
    server.say("150 here");
    server.data().write_all(text.as_bytes()).unwrap();
    server.say(if lies.mlsd.is_empty() { lies.ends } else { "226 done" });
}

fn retrieve(server: &mut ScriptedServer, lies: &Lies) {
    server.say(lies.begins);
    if lies.begins.starts_with('1') {
        // The client may have closed the connection.
        let _ = server.data().write_all(lies.retr.as_bytes());
        server.say(lies.ends);
    }
}

/// Runs commands and checks the files in `here`: names with their contents, in order.
fn left(name: &str, lies: &Lies, commands: &str, left: &[(&str, &str)]) -> (Run, Vec<String>) {
    let client = Client::new();
    fs::create_dir(client.path("here")).unwrap();
    client.write("precious", "mine");
    client.write("here/a", "old");
    symlink("../precious", client.path("here/link")).unwrap();
    let mut heard = Vec::new();
    let part: Script<'_> = Box::new(|server| heard = act(server, lies));
    let options = ["-k", "-j", "1", "--retries", "0"];
    let run = play_all(&client, &options, &format!("LCD here; {commands}"), vec![part]);
    assert_eq!(client.read("precious"), b"mine", "{name}: {run:#?}");
    assert_eq!(client.names(), ["here", "precious"], "{name}: {run:#?}");
    let mut found: Vec<(String, String)> = fs::read_dir(client.path("here"))
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name().to_string_lossy().into_owned(), content(&entry.path())))
        .collect();
    found.sort();
    let mut expected = left.to_vec();
    expected.extend(
        [("link", "-> ../precious")]
            .iter()
            .filter(|(link, _)| !left.iter().any(|(name, _)| name == link)),
    );
    expected.sort_unstable();
    let found: Vec<(&str, &str)> = found.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    assert_eq!(found, expected, "{name}: {run:#?}");
    assert!(!run.stderr.contains(['\x1b', '\x07', '\u{9b}']), "{name}: {run:#?}");
    (run, heard)
}

fn content(path: &std::path::Path) -> String {
    let kind = fs::symlink_metadata(path).unwrap();
    if kind.is_symlink() {
        format!("-> {}", fs::read_link(path).unwrap().display())
    } else if kind.is_dir() {
        "/".to_owned()
    } else {
        String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned()
    }
}

/// The name of a case, its listing, and the files that remain.
type Listed = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

const OLD: &[(&str, &str)] = &[("a", "old")];
const NEW: &[(&str, &str)] = &[("a", "new")];

#[test]
fn an_honest_server_works() {
    left("get", &HONEST, "GET a", NEW).0.expect(0);
    left("mget", &HONEST, "MGET *", NEW).0.expect(0);
    left("mirror", &HONEST, "MIRROR .", NEW).0.expect(0);
}

#[test]
fn a_wrong_reply_leaves_the_old_file() {
    #[rustfmt::skip]
    let cases: &[(&str, Lies, i32)] = &[
        ("no beginning", Lies { begins: "226 done", ..HONEST }, 1),
        ("a beginning that asks for more", Lies { begins: "350 go ahead", ..HONEST }, 1),
        ("no such file", Lies { begins: "550 no", ..HONEST }, 1),
        ("no data connection", Lies { begins: "425 no", ..HONEST }, 1),
        ("no login", Lies { begins: "530 who are you?", ..HONEST }, 1),
        ("a beginning that is none", Lies { begins: "999 what", ..HONEST }, 3),
        ("a beginning that ends all", Lies { begins: "421 go away", ..HONEST }, 3),
        ("a failure after all", Lies { ends: "451 the disk", ..HONEST }, 1),
        ("no room after all", Lies { ends: "452 full", ..HONEST }, 1),
        ("an end that ends all", Lies { ends: "421 go away", ..HONEST }, 3),
        ("an end that is none", Lies { ends: "thank you", ..HONEST }, 3),
        ("an end with the terminal in mind", Lies { ends: "550 \x1b]0;owned\x07\u{9b}2J", ..HONEST }, 1),
        ("less than it said", Lies { size: "213 4", ..HONEST }, 1),
        ("nothing where it said something", Lies { retr: "", ..HONEST }, 1),
        ("a size nobody has", Lies { size: "213 18446744073709551615", ..HONEST }, 1),
        ("a port that is none", Lies { epsv: "229 (|||0|)", ..HONEST }, 1),
        ("a port above all", Lies { epsv: "229 (|||65536|)", ..HONEST }, 1),
        ("no port", Lies { epsv: "229 later", ..HONEST }, 1),
    ];
    at_once(cases, |(name, lies, status)| {
        left(name, lies, "GET a", OLD).0.expect(*status);
    });
}

#[test]
fn a_file_that_grew_after_size_replaces_the_old_one() {
    for (name, size) in [("more than it said", "213 2"), ("from nothing", "213 0")] {
        left(name, &Lies { size, ..HONEST }, "GET a", NEW).0.expect(0);
    }
}

#[test]
fn invalid_sizes_times_and_addresses_are_ignored() {
    for (name, lies) in [
        ("another host", Lies { epsv: "229 (|1|192.0.2.1|%|)", ..HONEST }),
        ("a size beyond all", Lies { size: "213 99999999999999999999", ..HONEST }),
        ("a size below zero", Lies { size: "213 -1", ..HONEST }),
        ("a size in words", Lies { size: "213 large", ..HONEST }),
        ("a time in words", Lies { mdtm: "213 yesterday", ..HONEST }),
        ("a time that never was", Lies { mdtm: "213 20250231250000", ..HONEST }),
        ("a time before time", Lies { mdtm: "213 00000000000000", ..HONEST }),
        ("a time beyond time", Lies { mdtm: "213 99991231235959", ..HONEST }),
    ] {
        left(name, &lies, "GET a", NEW).0.expect(0);
    }
}

#[test]
fn a_refused_session_changes_nothing() {
    for (name, lies, status) in [
        ("not now", Lies { greeting: "421 full", ..HONEST }, 3),
        ("not you", Lies { greeting: "530 no", ..HONEST }, 3),
        ("another protocol", Lies { greeting: "SSH-2.0-OpenSSH_9.9", ..HONEST }, 3),
        ("a page", Lies { greeting: "HTTP/1.1 400 Bad Request\r\n\r\n", ..HONEST }, 3),
        ("no such user", Lies { user: "530 no", pass: "530 no", ..HONEST }, 4),
        ("a wrong password", Lies { pass: "530 no", ..HONEST }, 4),
        ("an account besides", Lies { pass: "332 account", ..HONEST }, 4),
        ("an end at the login", Lies { pass: "421 no", ..HONEST }, 3),
    ] {
        left(name, &lies, "GET a; MGET *; MIRROR .", OLD).0.expect(status);
    }
}

#[test]
fn no_password_is_sent_to_a_server_that_requires_tls_first() {
    for (name, user) in [
        ("at once", "530 Non-anonymous sessions must use encryption."),
        ("with a question", "331 TLS required before PASS"),
        ("with the end", "421 Sorry, cleartext sessions are not accepted on this server."),
    ] {
        let lies = Lies { user, ..HONEST };
        let (_, heard) = left(name, &lies, "USER me secret", OLD);
        assert!(!heard.iter().any(|line| line.contains("secret")), "{name}: {heard:?}");
    }
}

#[test]
fn a_name_in_a_listing_is_a_plain_file_name_or_rejected() {
    #[rustfmt::skip]
    let cases: &[Listed] = &[
        ("above", "type=file;size=3; ../precious\r\n", OLD),
        ("from the root", "type=file;size=3; /tmp/precious\r\n", OLD),
        ("below", "type=file;size=3; sub/b\r\n", OLD),
        ("this directory", "type=file;size=3; .\r\n", OLD),
        ("the directory above", "type=file;size=3; ..\r\n", OLD),
        ("none", "type=file;size=3; \r\n", OLD),
        ("cut short", "type=file;size=3; b\0../precious\r\n", OLD),
        ("too long", concat!("type=file;size=3; ",
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            "\r\n"), OLD),
        ("a pipe", "type=file;size=3; |touch gotcha\r\n", &[("a", "old"), ("|touch gotcha", "new")]),
        ("a shell", "type=file;size=3; !touch gotcha\r\n", &[("!touch gotcha", "new"), ("a", "old")]),
        ("substitution", "type=file;size=3; $(touch gotcha)\r\n", &[("$(touch gotcha)", "new"), ("a", "old")]),
        ("an option", "type=file;size=3; -rf\r\n", &[("-rf", "new"), ("a", "old")]),
        ("a home", "type=file;size=3; ~\r\n", &[("a", "old"), ("~", "new")]),
        ("a drive", "type=file;size=3; C:b\r\n", &[("C:b", "new"), ("a", "old")]),
        ("a backslash", "type=file;size=3; x\\b\r\n", &[("a", "old"), ("x\\b", "new")]),
        ("the terminal", "type=file;size=3; \x1b[2J\r\n", &[("\x1b[2J", "new"), ("a", "old")]),
        ("in place of a link", "type=file;size=3; link\r\n", &[("a", "old"), ("link", "new")]),
        ("twice", "type=file;size=3; b\r\ntype=file;size=3; b\r\n", &[("a", "old"), ("b", "new")]),
        ("no listing", "\r\n\r\n\0\0\0\r\n;;;; \r\n", OLD),
    ];
    for (name, mlsd, expected) in cases {
        for commands in ["MGET *", "MIRROR .", "MIRROR --dereference ."] {
            left(name, &Lies { mlsd, ..HONEST }, commands, expected);
        }
    }
}

#[test]
fn names_in_a_list_are_plain_file_names_or_rejected() {
    for (name, list) in [
        ("above", "-rw-r--r-- 1 0 0 3 Jan  1 2020 ../precious\r\n"),
        ("from the root", "-rw-r--r-- 1 0 0 3 Jan  1 2020 /tmp/precious\r\n"),
        ("of Windows", "01-01-20  10:00AM                    3 ..\r\n"),
        ("for programs", "+r,s3,m0,\t../precious\r\n"),
        ("a link out", "lrwxrwxrwx 1 0 0 3 Jan  1 2020 b -> /etc\r\n"),
    ] {
        left(name, &Lies { list: Some(list), ..HONEST }, "MIRROR .", OLD);
    }
}

#[test]
fn links_and_directories_do_not_combine_to_leave_the_directory() {
    #[rustfmt::skip]
    let cases: &[Listed] = &[
        ("to the root", "type=OS.unix=slink:/; b\r\n", OLD),
        ("above", "type=OS.unix=slink:../..; b\r\n", OLD),
        ("in two steps", "type=OS.unix=slink:sub/../../precious; b\r\n", OLD),
        ("to nothing", "type=OS.unix=slink:; b\r\n", OLD),
        ("inside", "type=OS.unix=slink:a; b\r\n", &[("a", "old"), ("b", "-> a")]),
        ("and then a directory", "type=OS.unix=slink:/etc; b\r\ntype=dir; b\r\n", OLD),
        ("a directory in place of our link", "type=dir; link\r\n", OLD),
        ("a link in place of our file", "type=OS.unix=slink:..; a\r\n", OLD),
    ];
    for (name, mlsd, expected) in cases {
        left(name, &Lies { mlsd, ..HONEST }, "MIRROR .", expected);
    }
}

#[test]
fn names_of_nlst_delete_only_matching_files() {
    let nlst = "b.c\r\n../b.c\r\n/b.c\r\nb.h\r\n..\r\n";
    let lies = Lies { list: Some("nobody can read this\r\n"), nlst, ..HONEST };
    let (run, heard) = left("mdelete", &lies, "MDELETE *.c", OLD);
    run.expect(0);
    let deleted: Vec<&String> = heard.iter().filter(|line| line.starts_with("DELE")).collect();
    assert_eq!(deleted, ["DELE b.c"]);
}

#[test]
fn a_local_name_cannot_inject_a_command() {
    let client = Client::new();
    fs::create_dir(client.path("d")).unwrap();
    for name in ["d/a\r\nDELE b", "d/a\nDELE b", "d/a\rDELE b"] {
        client.write(name, "content");
    }
    let mut heard = Vec::new();
    let part: Script<'_> = Box::new(|server| heard = act(server, &Lies { mlsd: "", ..HONEST }));
    let commands = "MPUT d/*; MIRROR -R d; PUT \"d/a\rDELE b\"; APPEND \"d/a\rDELE b\"; PUT d/none \"x\rDELE b\"";
    let run = play_all(&client, &["-k", "-j", "1", "--retries", "0"], commands, vec![part]);
    assert!(run.status != Some(0), "{run:#?}");
    let harmful = heard.iter().any(|line| line.contains("DELE") || line.starts_with("STOR"));
    assert!(!harmful, "{heard:?}");
}

#[test]
fn nothing_is_executed_for_a_name_that_a_shell_would_run() {
    for commands in
        [r#"GET a "|touch gotcha""#, r#"GET a "!touch gotcha""#, r#"GET a "`touch gotcha`""#]
    {
        let name = commands.split('"').nth(1).unwrap();
        left(commands, &HONEST, commands, &[("a", "old"), (name, "new")]).0.expect(0);
    }
    left("a listing", &HONEST, r#"LS . "|touch gotcha""#, OLD).0.expect(2);
    left("a macro", &HONEST, "QUOTE !touch gotcha", OLD);
}

#[test]
fn a_path_is_fetched_into_the_local_directory() {
    for (commands, expected) in [
        ("GET sub/dir/b", &[("a", "old"), ("b", "new")]),
        ("GET ../../b", &[("a", "old"), ("b", "new")]),
        ("GET /etc/b", &[("a", "old"), ("b", "new")]),
        ("GET ../precious", &[("a", "old"), ("precious", "new")]),
    ] {
        left(commands, &HONEST, commands, expected).0.expect(0);
    }
}

#[test]
fn printing_a_file_writes_no_file() {
    for (commands, lies, status) in [
        ("CAT a", HONEST, 0),
        ("MORE a", HONEST, 0),
        ("GET a -", HONEST, 0),
        ("CAT a", Lies { ends: "451 the disk", ..HONEST }, 1),
        ("CAT a", Lies { size: "213 4", ..HONEST }, 1),
    ] {
        let (run, _) = left(commands, &lies, commands, OLD);
        assert_eq!(run.expect(status).stdout, "new");
    }
}
