//! The target of `MIRROR -R`: it is made with its parent directories, and if it refuses everything, that is
//! reported in one line. The summary line of a mirror.

use crate::support::scripted_server::{Script, ScriptedServer, play_all};
use crate::support::{Client, Run, Server};
use std::fs;
use std::io::Read;

/// Returns a client with files in `d` and in two directories below it.
fn client() -> Client {
    let client = Client::new();
    for dir in ["d", "d/one", "d/two"] {
        fs::create_dir(client.path(dir)).unwrap();
        for file in ["a", "b", "c"] {
            client.write(format!("{dir}/{file}"), "abc");
        }
    }
    client
}

/// Returns the error lines of a run.
fn failures(run: &Run) -> Vec<&str> {
    run.stderr.lines().filter(|line| line.contains("error:")).collect()
}

#[test]
fn parent_directories_of_the_target_are_made() {
    for target in ["up", "deep/er/up", "/deep/er/up", "deep/er/up/"] {
        let (server, client) = (Server::start(), client());
        client.at(server.addr(), format!("MIRROR -R d {target}")).expect(0);
        assert_eq!(server.read(target.trim_matches('/').to_owned() + "/two/c"), b"abc");
        // The target exists by now.
        client
            .at(server.addr(), format!("MIRROR -R d {target}"))
            .expect(0)
            .expect_error("9 files the same; sent none");
    }
}

#[test]
fn a_target_that_cannot_be_made_is_one_error() {
    let server = Server::with(&["--anonymous", "read"]);
    for (target, said) in [
        ("up", "cannot make the directory up on the server"),
        ("a/b", "cannot make the directory a/b on the server"),
    ] {
        let run = client().at(server.addr(), format!("MIRROR -R d {target}")).expect(1);
        assert_eq!(failures(&run).len(), 1, "{run:#?}");
        run.expect_error(said).expect_error("550");
    }
    // A file already has the name.
    let server = Server::start();
    server.write("up", "theirs");
    let run = client().at(server.addr(), "MIRROR -R d up").expect(1);
    assert_eq!(failures(&run).len(), 1, "{run:#?}");
    assert_eq!(server.read("up"), b"theirs");
}

#[test]
fn a_target_that_refuses_everything_is_one_error() {
    let server = Server::with(&["--anonymous", "read"]);
    server.make_dir("up/one");
    server.make_dir("up/two");
    for target in ["up", ".", "/"] {
        for options in [["-j", "1"], ["-j", "4"]] {
            let (address, commands) = (server.addr(), format!("MIRROR -R d {target}"));
            let [host, port] = [address.ip().to_string(), address.port().to_string()];
            let run =
                client().run(&[options[0], options[1], "-c", &commands, &host, &port]).expect(1);
            assert_eq!(failures(&run).len(), 1, "{run:#?}");
            run.expect_error(&format!("cannot write to {target} on the server: 550"));
        }
    }
}

/// Accepts files and directories, except those below `closed` or with this name.
fn store(server: &mut ScriptedServer, closed: &str) -> Vec<String> {
    let mut heard = Vec::new();
    server.serve(|server, verb, operand| {
        let is_closed = operand.split('/').any(|part| part == closed);
        match verb {
            "STOR" | "MKD" => heard.push(format!("{verb} {operand}")),
            _ => {}
        }
        match verb {
            "PWD" => server.say("257 \"/\""),
            "CWD" => server.say("550 none"),
            "MLSD" if operand == "up" => server.send("type=file;size=1; other\r\n"),
            "MLSD" => server.send(""),
            "STOR" | "MKD" if is_closed => server.say(&format!("553 {operand}: Permission denied")),
            "STOR" => {
                server.say("150 give me");
                server.data().read_to_end(&mut Vec::new()).unwrap();
                server.say("226 done");
            }
            "SIZE" => server.say("213 3"),
            _ => return false,
        }
        true
    });
    heard
}

fn play(closed: &str) -> (Run, Vec<String>) {
    let mut heard = Vec::new();
    let script: Script<'_> = Box::new(|server| heard = store(server, closed));
    let run = play_all(&client(), &["-j", "1"], "MIRROR -R d up", vec![script]);
    (run, heard)
}

#[test]
fn nothing_is_sent_below_a_directory_that_cannot_be_made() {
    let (run, heard) = play("one");
    let run = run.expect(1);
    assert_eq!(failures(&run).len(), 2, "{run:#?}");
    run.expect_error("error: one: 553").expect_error("sent 6 of 9").expect_error("4 failed");
    assert!(!heard.iter().any(|line| line.starts_with("STOR up/one")), "{heard:?}");
}

#[test]
fn each_refused_file_among_others_is_reported() {
    let (run, _) = play("b");
    let run = run.expect(1);
    for name in ["up/b", "up/one/b", "up/two/b"] {
        assert!(run.stderr.contains(&format!("error: {name}: 553")), "{run:#?}");
    }
    run.expect_error("sent 6 of 9 (18 B)").expect_error("3 failed");
}

#[test]
fn the_last_line_is_a_summary() {
    let (server, client) = (Server::start(), client());
    client
        .at(server.addr(), "MIRROR -R d up")
        .expect(0)
        .expect_error("0 files the same; sent 9 (27 B) in ");
    client.write("d/one/new", "a".repeat(1536));
    let run = client.at(server.addr(), "MIRROR -R d up; MIRROR up d").expect(0);
    run.expect_error("9 files the same; sent 1 (1.5 KiB) in ")
        .expect_error("10 files the same; fetched none");
    let other = Client::new();
    let run = other.at(server.addr(), "MIRROR up; MIRROR --delete up/one up").expect(0);
    run.expect_error("fetched 10 (1.5 KiB) in ")
        .expect_error("; made 2 directories")
        .expect_error("; removed ");
}
