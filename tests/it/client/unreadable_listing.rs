//! Listings with lines that the client cannot parse: no command may rely on missing entries.
//!
//! Each server is correct except for its listings. The client runs in a directory `here`
//! that is a copy of an earlier state of the server.

use crate::support::scripted_server::{Script, ScriptedServer, play_all};
use crate::support::{Client, Run, at_once};
use std::io::Write;

/// The listings of a server.
#[derive(Clone, Copy)]
struct Listings {
    /// The server has MLSD; otherwise only LIST.
    machine: bool,
    root: &'static str,
    /// The directory `d`.
    below: &'static str,
    /// The final replies of the listings of the root and of `d`; empty: the server closes the connection.
    ends: [&'static str; 2],
}

const WHOLE: [&str; 2] = ["226 done", "226 done"];

impl Listings {
    fn mlsd(root: &'static str, below: &'static str) -> Listings {
        Listings { machine: true, root, below, ends: WHOLE }
    }

    fn list(root: &'static str, below: &'static str) -> Listings {
        Listings { machine: false, root, below, ends: WHOLE }
    }

    /// Serves the client and returns the commands that delete something.
    fn serve(self, server: &mut ScriptedServer) -> Vec<String> {
        let mut deleted = Vec::new();
        server.serve(|server, verb, operand| {
            match verb {
                "PWD" => server.say("257 \"/\""),
                "SIZE" => server.say("213 3"),
                "MDTM" => server.say("213 20250102030405"),
                "MLSD" if !self.machine => server.say("500 what?"),
                "MLSD" | "LIST" => {
                    let below = usize::from(operand.split(' ').next_back() == Some("d"));
                    send(server, [self.root, self.below][below], self.ends[below]);
                }
                "NLST" => server.say("502 what?"),
                "RETR" => server.send("new"),
                "DELE" | "RMD" => {
                    deleted.push(format!("{verb} {operand}"));
                    server.say("250 gone");
                }
                _ => return false,
            }
            true
        });
        deleted
    }
}

fn send(server: &mut ScriptedServer, text: &str, end: &str) {
    // If a listing is refused, there is no data connection.
    if end.starts_with("550") {
        return server.say(end);
    }
    server.say("150 here");
    server.data().write_all(text.as_bytes()).unwrap();
    if end.is_empty() { server.close() } else { server.say(end) }
}

/// Runs commands in a local copy with the files `a` and `d/b`, and with `old` and `d/old`, which the server
/// no longer has. Also returns the paths that the server was asked to delete.
fn run(listings: Listings, commands: &str) -> (Client, Run, Vec<String>) {
    let client = Client::new();
    for dir in ["here", "here/d"] {
        std::fs::create_dir(client.path(dir)).unwrap();
    }
    for file in ["here/a", "here/old", "here/d/b", "here/d/old"] {
        client.write(file, "abc");
    }
    let mut deleted = Vec::new();
    let part: Script<'_> = Box::new(|server| deleted = listings.serve(server));
    let options = ["-k", "-j", "1", "--retries", "0"];
    let run = play_all(&client, &options, &format!("LCD here; {commands}"), vec![part]);
    (client, run, deleted)
}

fn is_there(client: &Client, file: &str) -> bool {
    client.path("here").join(file).exists()
}

/// Invalid lines of MLSD, and the part of each that is shown.
const UNREADABLE_FACTS: &[(&str, &str)] = &[
    ("modify=20250102030405; old\r\n", "modify=20250102030405; old"),
    ("type=file;size=3; /pub/old\r\n", "/pub/old"),
    ("type=file;size=3; d/old\r\n", "d/old"),
    ("type=file;size=3; ..\r\n", "type=file;size=3; .."),
    ("type=file;size=3;\r\n", "type=file;size=3;"),
    ("-rw-r--r-- 1 a b 3 Jan  2  2025 old\r\n", "Jan  2  2025 old"),
    ("\x1b[2J junk\r\n", "junk"),
];

const A_AND_D: &str = "type=file;size=3;modify=20250102030405; a\r\ntype=dir; d\r\n";

const LIST_A_AND_D: &str =
    "total 2\r\n-rw-r--r-- 1 a b 3 Jan  2  2025 a\r\ndrwxr-xr-x 1 a b 3 Jan  2  2025 d\r\n";

fn leaked(text: String) -> &'static str {
    Box::leak(text.into_boxed_str())
}

/// Checks that nothing was deleted, that the line is shown, and that the status is 1.
fn assert_nothing_is_deleted(listings: Listings, shown: &str) {
    let (client, run, _) = run(listings, "MIRROR --delete . .");
    for file in ["a", "old", "d/b", "d/old"] {
        assert!(is_there(&client, file), "{file} is gone: {run:#?}");
    }
    let run = run.expect(1).expect_error(shown);
    assert!(!run.stderr.contains('\x1b'), "{run:#?}");
}

#[test]
fn a_root_with_an_unreadable_line_deletes_nothing() {
    for (line, shown) in UNREADABLE_FACTS {
        for text in [format!("{A_AND_D}{line}"), format!("{line}{A_AND_D}"), (*line).to_owned()] {
            assert_nothing_is_deleted(
                Listings::mlsd(leaked(text), "type=file;size=3; b\r\n"),
                shown,
            );
        }
    }
    for line in
        ["-rw-r--r-- 1 a b 3 Foo 99 2025 old", "old", "-rw-r--r-- 1 a b 3 Jan  2  2025 d/old"]
    {
        for text in [format!("{LIST_A_AND_D}{line}\r\n"), format!("{line}\r\n")] {
            let below = "-rw-r--r-- 1 a b 3 Jan  2  2025 b\r\n";
            assert_nothing_is_deleted(Listings::list(leaked(text), below), line);
        }
    }
}

#[test]
fn a_directory_with_an_unreadable_line_keeps_its_content() {
    let b = "type=file;size=3;modify=20250102030405; b\r\n";
    let list_b = "-rw-r--r-- 1 a b 3 Jan  2  2025 b\r\n";
    let facts = |line: &str| Listings::mlsd(A_AND_D, leaked(format!("{b}{line}")));
    let mut scenes: Vec<_> = UNREADABLE_FACTS.iter().map(|(line, _)| facts(line)).collect();
    scenes.push(Listings::mlsd(A_AND_D, "junk\r\n"));
    scenes.push(Listings::list(LIST_A_AND_D, leaked(format!("{list_b}junk\r\n"))));
    scenes.push(Listings::list(LIST_A_AND_D, "junk\r\n"));
    // The directory cannot be listed at all, or not completely.
    for end in ["550 not for you", "426 aborted", "451 disk"] {
        let ends = ["226 done", end];
        scenes.push(Listings { ends, ..Listings::mlsd(A_AND_D, "") });
        scenes.push(Listings { ends, ..Listings::list(LIST_A_AND_D, "") });
    }
    for listings in scenes {
        let (client, run, _) = run(listings, "MIRROR --delete . .");
        let run = run.expect(1);
        assert!(is_there(&client, "d/old") && is_there(&client, "d/b"), "{run:#?}");
        assert!(is_there(&client, "a"), "{run:#?}");
        // The root was listed completely.
        assert!(!is_there(&client, "old"), "{run:#?}");
    }
}

#[test]
fn entries_beside_an_unreadable_line_are_fetched() {
    let listings = Listings::mlsd("type=file;size=3; new\r\njunk\r\n", "type=file;size=3; b\r\n");
    let (client, run, _) = run(listings, "MIRROR --delete . .");
    run.expect(1).expect_error("junk");
    assert_eq!(client.read("here/new"), b"new");
}

#[test]
fn a_conflicting_file_is_not_removed_if_a_line_is_unreadable() {
    let listings = Listings::mlsd("type=dir; a\r\ntype=file;size=3; d\r\njunk\r\n", "");
    let (client, run, _) = run(listings, "MIRROR --delete . .");
    run.expect(1);
    assert!(is_there(&client, "a") && is_there(&client, "d/b"));
}

#[test]
fn an_interrupted_listing_deletes_nothing() {
    for end in ["426 aborted", "451 disk", "550 no", ""] {
        for machine in [true, false] {
            for root in ["", if machine { A_AND_D } else { LIST_A_AND_D }] {
                let listings = Listings { machine, root, below: "", ends: [end, "226 done"] };
                let (client, run, _) = run(listings, "MIRROR --delete . .");
                for file in ["a", "old", "d/b", "d/old"] {
                    assert!(is_there(&client, file), "{file} is gone after {end:?}: {run:#?}");
                }
                assert!(matches!(run.status, Some(1 | 3)), "{end:?}: {run:#?}");
            }
        }
    }
}

#[test]
fn a_confirmed_empty_listing_deletes_everything() {
    for (machine, root) in [
        (true, ""),
        (true, "type=cdir; .\r\ntype=pdir; ..\r\n"),
        (true, "type=dir; .\r\ntype=dir; ..\r\n"),
        (false, "total 0\r\n"),
        (false, "drwxr-xr-x 1 a b 3 Jan  2  2025 .\r\ndrwxr-xr-x 1 a b 3 Jan  2  2025 ..\r\n"),
    ] {
        let listings = Listings { machine, root, below: "", ends: WHOLE };
        let (client, run, _) = run(listings, "MIRROR --delete . .");
        run.expect(0);
        assert!(!is_there(&client, "old") && !is_there(&client, "d"), "{root}");
    }
}

#[test]
fn nothing_is_deleted_on_a_server_with_an_unreadable_line() {
    let files = "type=file;size=3; a\r\ntype=file;size=3; old\r\ntype=file;size=3; extra\r\n";
    let below = "type=file;size=3; b\r\ntype=file;size=3; old\r\n";
    let (_, run_whole, deleted) = run(
        Listings::mlsd(leaked(format!("{files}type=dir; d\r\n")), below),
        "MIRROR -R --delete . .",
    );
    run_whole.expect(0);
    assert_eq!(deleted, ["DELE extra"]);
    for line in ["junk", "type=file; d/e"] {
        let root = leaked(format!("{files}type=dir; d\r\n{line}\r\n"));
        let (_, run, deleted) = run(Listings::mlsd(root, below), "MIRROR -R --delete . .");
        run.expect(1).expect_error(line);
        assert!(deleted.is_empty(), "{deleted:?}");
    }
}

#[test]
fn listing_commands_report_unreadable_lines() {
    let listings =
        Listings::mlsd("type=file;size=3; x.c\r\njunk\r\ntype=dir; d\r\n", "rubbish\r\n");
    for (command, shown, printed) in [
        ("FIND", &["junk", "rubbish"][..], "x.c"),
        ("DU", &["junk", "rubbish"], "3\t."),
        ("MGET *.c", &["junk"], ""),
        ("MDELETE *.c", &["junk"], ""),
    ] {
        let (client, run, deleted) = run(listings, command);
        let run = shown.iter().fold(run.expect(1), |run, line| run.expect_error(line));
        assert!(run.stdout.contains(printed), "{run:#?}");
        assert_eq!(is_there(&client, "x.c"), command.starts_with("MGET"), "{run:#?}");
        assert!(deleted.is_empty(), "{deleted:?}");
    }
}

#[test]
fn json_listings_report_unreadable_lines() {
    for listings in [
        Listings::mlsd("type=file;size=3; x\r\njunk\r\n", ""),
        Listings::list("-rw-r--r-- 1 a b 3 Jan  2  2025 x\r\njunk\r\n", ""),
    ] {
        let client = Client::new();
        let part: Script<'_> = Box::new(|server| drop(listings.serve(server)));
        let run = play_all(&client, &["--json"], "LIST", vec![part]).expect(1).expect_error("junk");
        assert!(run.stdout.contains("\"name\":\"x\""), "{run:#?}");
    }
}

/// Serves one file `a` with LIST and refuses MLSD with this reply; returns the number of MLSD commands.
fn refuse_mlsd(server: &mut ScriptedServer, refusal: &str, listing: &str) -> usize {
    let mut asked = 0;
    server.serve(|server, verb, _| {
        match verb {
            "MLSD" => {
                asked += 1;
                server.say(refusal);
            }
            "LIST" => server.send(listing),
            "PWD" => server.say("257 \"/\""),
            _ => return false,
        }
        true
    });
    asked
}

#[test]
fn after_any_refusal_of_mlsd_the_client_uses_list() {
    for code in [402, 450, 500, 501, 503, 530, 550] {
        let (client, mut asked) = (Client::new(), 0);
        let script: Script<'_> = Box::new(|server| {
            let line = "-rw-r--r-- 1 0 0 3 Jan 1 2020 a\r\n";
            asked = refuse_mlsd(server, &format!("{code} no"), line);
        });
        let run = play_all(&client, &[], "FIND; FIND", vec![script]).expect(0);
        assert_eq!(run.stdout.lines().count(), 2, "{code}: {run:#?}");
        assert_eq!(asked, 1, "{code}");
    }
}

#[test]
fn mlsd_without_permission_is_not_an_empty_directory() {
    let client = Client::new();
    let script: Script<'_> =
        Box::new(|server| assert_eq!(refuse_mlsd(server, "550 .: Permission denied", ""), 1));
    let run = play_all(&client, &[], "FIND", vec![script]);
    run.expect(1).expect_error("550 .: Permission denied");
}

/// Mirrors a root with a directory `d` whose listing is refused with this reply; returns its local content.
fn mirror_refused(list: &'static str, cwd: &'static str) -> (Run, Vec<String>) {
    let client = Client::new();
    for dir in ["here", "here/d"] {
        std::fs::create_dir(client.path(dir)).unwrap();
    }
    client.write("here/d/old", "abc");
    let script: Script<'_> = Box::new(|server| {
        let mut is_below = false;
        server.serve(|server, verb, operand| {
            match verb {
                "MLSD" => server.say("500 what?"),
                "LIST" if is_below || operand.ends_with('d') => server.say(list),
                "LIST" => server.send("drwxr-xr-x 1 0 0 0 Jan 1 2020 d\r\n"),
                "PWD" => server.say("257 \"/\""),
                "CWD" if operand == "d" => {
                    is_below = cwd.starts_with('2');
                    server.say(cwd);
                }
                "CWD" => {
                    is_below = false;
                    server.say("250 back");
                }
                _ => return false,
            }
            true
        });
    });
    let options = ["-j", "1", "--retries", "0"];
    let run = play_all(&client, &options, "MIRROR --delete . here", vec![script]);
    let left = std::fs::read_dir(client.path("here/d")).unwrap();
    let left = left.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    (run, left.collect())
}

#[test]
fn a_directory_that_is_refused_as_empty_is_empty_if_it_can_be_entered() {
    for list in ["550 No files found", "450 d: No such file or directory", "550 Directory is empty"]
    {
        let (run, left) = mirror_refused(list, "250 there");
        run.expect(0);
        assert!(left.is_empty(), "{list}: {left:?}");
    }
    let (run, left) = mirror_refused("550 No files found", "550 no such directory");
    run.expect(1);
    assert_eq!(left, ["old"]);
    let (run, left) = mirror_refused("550 Access is denied.", "250 there");
    run.expect(1);
    assert_eq!(left, ["old"]);
}

#[test]
fn a_226_without_a_150_ends_the_listing_at_once() {
    let client = Client::new();
    let script: Script<'_> = Box::new(|server| {
        // The server neither accepts nor closes the data connection.
        server.welcome();
        while let Some(line) = server.next() {
            match line.split(' ').next().unwrap_or_default() {
                "EPSV" => server.offer("229 Extended (|||%|)"),
                "LIST" | "NLST" => server.say("226 nothing to list"),
                "PWD" => server.say("257 \"/\""),
                "QUIT" => server.say("221 bye"),
                _ => server.say("500 what?"),
            }
        }
    });
    // This must take less time than a single listing may wait for its data.
    let run = play_all(&client, &["--timeout", "60"], "FIND; PWD", vec![script]).expect(0);
    assert_eq!(run.stdout, "/\n");
}

/// After a 150 the listing may have been sent to another host, such as a firewall that replies for the client.
#[test]
fn in_active_mode_a_listing_that_never_arrives_is_an_error() {
    let commands = ["LIST", "NLIST", "FIND", "MIRROR --delete / ."];
    at_once(commands, |command| {
        let client = Client::with_file("precious", "old");
        let script = |server: &mut ScriptedServer| find_nothing(server, "150 here\r\n226 done");
        let options = ["-a", "--retries", "0", "--timeout", "60"];
        let run = play_all(&client, &options, command, vec![Box::new(script)]).expect(1);
        run.expect_error("cannot accept a data connection from the server");
        assert_eq!(client.read("precious"), b"old", "{command}");
    });
}

/// Serves an empty directory, with this reply to LIST.
fn find_nothing(server: &mut ScriptedServer, list: &str) {
    server.serve(|server, verb, _| {
        match verb {
            "MLSD" => server.say("500 what?"),
            "LIST" | "NLST" => server.say(list),
            "PWD" => server.say("257 \"/\""),
            _ => return false,
        }
        true
    });
}

#[test]
fn an_empty_directory_is_empty_in_active_mode_too() {
    let replies = [
        "450 No files found",
        "550 No files found",
        "150 here\r\n450 No files found",
        "226 nothing to list",
    ];
    at_once(replies, |reply| {
        for option in ["-a", "-p"] {
            let client = Client::new();
            let script: Script<'_> = Box::new(|server| find_nothing(server, reply));
            let options = [option, "--retries", "0", "--timeout", "60"];
            let commands = "LIST; NLIST; LIST d; FIND; PWD";
            let run = play_all(&client, &options, commands, vec![script]).expect(0);
            assert_eq!(run.stdout, "/\n", "{reply} {option}");
        }
    });
}
