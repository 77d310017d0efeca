//! The messages of the client: one line for users, one JSON object for programs.

use crate::support::{Client, Run, Server};
use std::fs::File;
use std::time::{Duration, SystemTime};

fn json(server: &Server, client: &Client, commands: &str) -> Run {
    let port = server.addr().port().to_string();
    client.run(&["--json", "-q", "-k", "-c", commands, "127.0.0.1", &port])
}

/// Returns the summary lines, up to the duration.
fn summaries(run: &Run) -> Vec<&str> {
    let verbs = ["sent ", "fetched ", "appended "];
    let lines = run.stderr.lines().filter(|line| verbs.iter().any(|verb| line.starts_with(verb)));
    lines.map(|line| line.split(" in ").next().unwrap()).collect()
}

/// Sets the time 2023-11-14T22:13:20Z.
fn set_time(server: &Server, name: &str) {
    let file = File::options().write(true).open(server.path(name)).unwrap();
    file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000)).unwrap();
}

#[test]
fn a_summary_has_direction_names_and_size() {
    let (server, client) = (Server::start(), Client::with_file("a.txt", "0123456789"));
    server.make_dir("d");
    let commands = "STORE a.txt; STORE a.txt d/b.txt; APPEND a.txt d/b.txt; RETRIEVE d/b.txt; \
                    RETRIEVE a.txt copy; RETRIEVE a.txt -; MPUT a* copy; MGET *.txt none";
    let run = client.at(server.addr(), commands).expect(1);
    assert_eq!(
        summaries(&run)[..6],
        [
            "sent a.txt (10 B",
            "sent a.txt as d/b.txt (10 B",
            "appended a.txt to d/b.txt (10 B",
            "fetched d/b.txt (20 B",
            "fetched a.txt as copy (10 B",
            "fetched a.txt to standard output (10 B",
        ],
        "{run:#?}"
    );
    assert!(summaries(&run).contains(&"sent 2 files (20 B"), "{run:#?}");
    assert!(summaries(&run).contains(&"fetched 1 of 2 files (10 B"), "{run:#?}");
}

#[test]
fn the_summary_of_a_resumed_transfer_has_the_bytes_of_this_run() {
    let (server, client) = (Server::start(), Client::with_file("a", "0123"));
    server.write("a", "0123456789");
    let run = client.at(server.addr(), "REGET a; REGET a").expect(0);
    assert_eq!(summaries(&run)[..1], ["fetched the last 6 B of a (10 B)"]);
    assert!(run.stderr.contains("a was complete already (10 B)"), "{run:#?}");
}

#[test]
fn json_listings_have_the_entries_of_list() {
    let (server, client) = (Server::start(), Client::new());
    server.make_dir("d.txt");
    for name in ["a.txt", "b.txt", "c.bin", "d.txt/e"] {
        server.write(name, "0123456789");
        set_time(&server, name);
    }
    let file = |name: &str| {
        format!(r#"{{"name":"{name}","type":"file","size":10,"modified":"2023-11-14T22:13:20Z"}}"#)
    };
    let listed = |path: &str| json(&server, &client, &format!("LIST {path}")).expect(0).stdout;
    assert_eq!(listed("a.txt"), format!("{}\n", file("a.txt")));
    assert_eq!(listed("d.txt"), format!("{}\n", file("e")));
    assert_eq!(listed("d.txt/e"), format!("{}\n", file("d.txt/e")));
    let all = listed("*.txt");
    let all: Vec<&str> = all.lines().collect();
    assert_eq!(all[..2], [file("a.txt"), file("b.txt")]);
    assert!(all[2].starts_with(r#"{"name":"d.txt","type":"dir","#), "{all:?}");
    // Listing a single file does not change how a directory is listed.
    let run = json(&server, &client, "LIST a.txt; LIST d.txt").expect(0);
    assert_eq!(run.stdout, format!("{}\n{}\n", file("a.txt"), file("e")));
}

#[test]
fn with_json_commands_print_nothing_but_json() {
    let (server, client) = (Server::start(), Client::new());
    server.make_dir("d");
    server.write("d/a", "0123456789");
    set_time(&server, "d/a");
    let said = |commands: &str| json(&server, &client, commands).expect(0).stdout;
    assert_eq!(said("PWD; CD d; PWD"), "{\"directory\":\"/\"}\n{\"directory\":\"/d\"}\n");
    assert_eq!(said("SIZE d/a"), "{\"path\":\"d/a\",\"size\":10}\n");
    assert_eq!(said("MODTIME d/a"), "{\"path\":\"d/a\",\"modified\":\"2023-11-14T22:13:20Z\"}\n");
    assert_eq!(said("DU"), "{\"path\":\"d\",\"bytes\":10}\n{\"path\":\".\",\"bytes\":10}\n");
    assert_eq!(said("SYSTEM"), "{\"code\":215,\"reply\":\"215 UNIX Type: L8\"}\n");
    assert!(said("STATUS").starts_with("{\"connected\":true,\"place\":\"127.0.0.1:/\""));
    for command in ["FIND", "LLS", "LPWD", "TYPE", "HELP", "HELP LIST", "RHELP", "FEATURES"] {
        let said = said(command);
        let is_object = |line: &str| line.starts_with('{') && line.ends_with('}');
        assert!(said.lines().all(is_object), "{command}: {said}");
    }
}

#[test]
fn with_json_each_change_is_one_object() {
    let (server, client) = (Server::with(&["--anonymous", "write"]), Client::new());
    for name in ["a", "b", "c", "old/x/y", "x.bak", "y.bak"] {
        server.make_dir(name.rsplit_once('/').map_or("", |(dir, _)| dir));
        server.write(name, "content");
    }
    for (command, lines) in [
        ("RENAME a \"a b\"", &[r#"{"change":"rename","remote":"a","to":"a b"}"#][..]),
        ("CHMOD 600 b", &[r#"{"change":"chmod","remote":"b","mode":"600"}"#]),
        (
            "DELETE b c",
            &[r#"{"change":"delete","remote":"b"}"#, r#"{"change":"delete","remote":"c"}"#],
        ),
        ("RM -r old", &[r#"{"change":"delete","remote":"old"}"#]),
        (
            "MDELETE *.bak",
            &[r#"{"change":"delete","remote":"x.bak"}"#, r#"{"change":"delete","remote":"y.bak"}"#],
        ),
        ("MKDIR d", &[r#"{"change":"mkdir","remote":"d"}"#]),
        ("MKDIR -p d/e/f", &[r#"{"change":"mkdir","remote":"d/e/f"}"#]),
        ("RMDIR d/e/f", &[r#"{"change":"rmdir","remote":"d/e/f"}"#]),
        ("LMKDIR here", &[r#"{"change":"mkdir","local":"here"}"#]),
        ("CD d; CDUP; BINARY; PASSIVE on; LCD here", &[]),
    ] {
        let run = json(&server, &client, command).expect(0);
        assert_eq!(run.stdout.lines().collect::<Vec<_>>(), lines, "{command}");
    }
}

#[test]
fn with_json_mirror_prints_its_changes() {
    let (server, client) = (Server::with(&["--anonymous", "write"]), Client::new());
    server.make_dir("from/sub");
    server.write("from/a", "content");
    std::os::unix::fs::symlink("a", server.path("from/link")).unwrap();
    std::fs::create_dir_all(client.path("to/old")).unwrap();
    client.write("to/old/x", "x");
    let changes = [
        r#"{"change":"mkdir","local":"to/sub""#,
        r#"{"transfer":"retrieve","remote":"from/a","local":"to/a""#,
        r#"{"change":"link","local":"to/link","target":"a""#,
        r#"{"change":"delete","local":"to/old/x""#,
        r#"{"change":"rmdir","local":"to/old""#,
    ];
    let command = "MIRROR --delete from to";
    let planned = json(&server, &client, &command.replace(' ', " --dry-run ")).expect(0).stdout;
    let planned: Vec<&str> = planned.lines().collect();
    assert_eq!(planned, changes.map(|change| format!("{change},\"dry_run\":true}}")));
    let done = json(&server, &client, command).expect(0).stdout;
    let done: Vec<&str> = done.lines().collect();
    let ends = ["}", ",\"bytes\":7}", "}", "}", "}"];
    let whole: Vec<String> =
        changes.iter().zip(ends).map(|(one, end)| format!("{one}{end}")).collect();
    assert_eq!(done, whole);
    client.write("to/new", "content");
    let back = json(&server, &client, "MIRROR -R --delete to from").expect(0).stdout;
    let sent = r#"{"transfer":"store","remote":"from/new","local":"to/new","bytes":7}"#;
    assert!(back.lines().any(|line| line == sent), "{back}");
    std::fs::remove_file(client.path("to/new")).unwrap();
    let back = json(&server, &client, "MIRROR -R --delete to from").expect(0).stdout;
    assert_eq!(back, "{\"change\":\"delete\",\"remote\":\"from/new\"}\n");
}

#[test]
fn with_json_a_change_of_many_that_fails_is_an_object_with_the_reason() {
    let (server, client) = (Server::with(&["--anonymous", "write"]), Client::new());
    server.make_dir("from/d");
    client.write("d", "in the way");
    let run = json(&server, &client, "MIRROR from .").expect(1);
    let refused = r#"{"change":"replace","local":"./d","error":"cannot create "#;
    assert!(run.stdout.starts_with(refused), "{run:#?}");
    // Without patterns a name that does not exist is tried.
    let run = json(&server, &client, "GLOB off; MDELETE none").expect(1);
    let refused = r#"{"change":"delete","remote":"none","error":"550 "#;
    assert!(run.stdout.starts_with(refused) && run.stdout.lines().count() == 1, "{run:#?}");
}

#[test]
fn json_reports_each_failure_once() {
    let (server, client) = (Server::start(), Client::new());
    let run =
        json(&server, &client, "CD none; RETRIEVE none; SIZE none; STORE none; LCD none").expect(1);
    let lines: Vec<&str> = run.stdout.lines().collect();
    assert_eq!(lines.len(), 5, "{run:#?}");
    for (line, begin) in lines.iter().zip([
        r#"{"command":"CD none","error":""#,
        r#"{"transfer":"retrieve","remote":"none","local":"none","error":""#,
        r#"{"command":"SIZE none","error":""#,
        r#"{"transfer":"store","#,
        r#"{"command":"LCD none","error":""#,
    ]) {
        assert!(line.starts_with(begin), "{line}");
    }
    assert!(lines[0].ends_with(r#","status":1}"#), "{}", lines[0]);
}
