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
