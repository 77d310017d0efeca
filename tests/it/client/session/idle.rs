//! Sessions that the server closes while idle, and which commands are repeated.

use crate::support::scripted_server::{Script, ScriptedServer, TIME, play_all};
use crate::support::{Client, Run};
use std::io::{Read, Write};

/// The way in which the server closes a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// By a 421, before the next command.
    Told,
    /// Without a reply, before or after the next command.
    Untold,
    /// By a 421 in reply to the next command.
    Answered,
}

/// Serves the login and `CWD pub`, and closes the session.
fn end(server: &mut ScriptedServer, ending: Ending) {
    server.welcome();
    server.hear("CWD pub");
    match ending {
        Ending::Told => server.say("250 ok\r\n421 idle for too long"),
        Ending::Untold => server.say("250 ok"),
        Ending::Answered => {
            server.say("250 ok");
            server.next();
            server.say("421 idle for too long");
        }
    }
    server.close();
}

/// Serves any commands, and returns those after the login.
fn serve(server: &mut ScriptedServer) -> Vec<String> {
    let mut heard = Vec::new();
    server.serve(|server, verb, operand| {
        if !matches!((verb, operand), ("USER", "anonymous") | ("PASS" | "QUIT", _)) {
            heard.push(format!("{verb} {operand}").trim_end().to_owned());
        }
        match verb {
            "PWD" => server.say("257 \"/pub\""),
            "SIZE" if heard.iter().any(|line| line.starts_with("APPE")) => server.say("213 14"),
            "SIZE" => server.say("213 7"),
            "MDTM" => server.say(TIME),
            "RNFR" => server.say("350 to what?"),
            "LIST" | "NLST" | "RETR" => server.send("content"),
            "STOR" | "APPE" => {
                server.say("150 give me");
                server.data().read_to_end(&mut Vec::new()).unwrap();
                server.say("226 done");
            }
            _ => return false,
        }
        true
    });
    heard
}

/// Runs a command over a session that ends in this way; returns the commands of the next session.
fn run(command: &str, ending: Ending) -> (Run, Vec<String>) {
    let client = Client::with_file("here", "content");
    let mut heard = Vec::new();
    let first: Script<'_> = Box::new(move |server| end(server, ending));
    let second: Script<'_> = Box::new(|server| heard = serve(server));
    let options = ["--retries", "0"];
    let run = play_all(&client, &options, &format!("CD pub; {command}"), vec![first, second]);
    (run, heard)
}

/// Commands of the client, and the FTP command that each sends.
const COMMANDS: &[(&str, &str)] = &[
    ("PWD", "PWD"),
    ("CD deep", "CWD deep"),
    ("CDUP", "CDUP"),
    ("SIZE a", "SIZE a"),
    ("MODTIME a", "MDTM a"),
    ("LIST", "LIST"),
    ("NLIST", "NLST"),
    ("RETRIEVE a", "RETR a"),
    ("RETRIEVE a -", "RETR a"),
    ("CAT a", "RETR a"),
    ("STORE here", "STOR here"),
    ("APPEND here", "APPE here"),
    ("MGET a", "RETR a"),
    ("MPUT here", "STOR here"),
    ("SYSTEM", "SYST"),
    ("MKDIR a", "MKD a"),
    ("RMDIR a", "RMD a"),
    ("DELETE a", "DELE a"),
    ("RENAME a b", "RNTO b"),
    ("CHMOD 644 a", "SITE CHMOD 644 a"),
    ("SITE IDLE 7", "SITE IDLE 7"),
    ("QUOTE NOOP", "NOOP"),
    ("ACCOUNT budget", "ACCT budget"),
    ("USER other secret", "USER other"),
];

/// The commands that are not idempotent, and not repeated after a silent close.
const HARMFUL: &[&str] = &["MKD", "RMD", "DELE", "SITE", "ACCT"];

#[test]
fn every_command_reconnects_after_a_421() {
    for ending in [Ending::Told, Ending::Answered] {
        for (command, sent) in COMMANDS {
            let (run, heard) = run(command, ending);
            let run = run.expect(0).expect_error("connected again");
            let is_sent = |line: &&String| line.starts_with(sent);
            assert_eq!(heard.first().map(String::as_str), Some("CWD pub"), "{command}: {heard:?}");
            assert_eq!(heard.iter().filter(is_sent).count(), 1, "{command}: {heard:?} {run:?}");
        }
    }
}

#[test]
fn idempotent_commands_are_repeated_after_a_silent_close() {
    let is_harmful = |sent: &str| HARMFUL.iter().any(|verb| sent.starts_with(verb));
    for (command, sent) in COMMANDS.iter().filter(|(_, sent)| !is_harmful(sent)) {
        let (run, heard) = run(command, Ending::Untold);
        run.expect(0);
        assert_eq!(heard.first().map(String::as_str), Some("CWD pub"), "{command}: {heard:?}");
        assert_eq!(heard.iter().filter(|line| line.starts_with(sent)).count(), 1, "{command}");
    }
}

#[test]
fn commands_that_may_have_been_executed_are_not_repeated() {
    for command in ["MKDIR a", "RMDIR a", "DELETE a", "CHMOD 644 a", "RENAME a b"] {
        let script: Script<'_> = Box::new(|server| {
            server.welcome();
            if command.starts_with("RENAME") {
                server.answer("RNFR a", "350 to what?");
            }
            server.next();
            server.close();
        });
        let run = play_all(&Client::new(), &["--retries", "2"], command, vec![script]);
        let run = run.expect(3);
        assert!(!run.stderr.contains("again"), "{command}: {run:?}");
    }
}

#[test]
fn a_421_in_the_middle_of_a_command_does_not_repeat_its_beginning() {
    let script: Script<'_> = Box::new(|server| {
        server.welcome();
        server.answer("DELE a", "250 gone");
        server.answer("DELE b", "421 enough");
        server.close();
    });
    let run = play_all(&Client::new(), &[], "DELETE a b", vec![script]);
    run.expect(3).expect_error("421 enough");
}

#[test]
fn reconnecting_an_idle_session_restores_the_type() {
    let client = Client::new();
    let first: Script<'_> = Box::new(|server| {
        server.welcome();
        server.answer("TYPE I", "200 binary");
        server.answer("SIZE a", "213 7\r\n421 idle for too long");
        server.close();
    });
    let second: Script<'_> = Box::new(|server| {
        server.welcome();
        server.answer("TYPE I", "200 binary");
        server.answer("SIZE b", "213 8");
        server.finish();
    });
    let run = play_all(&client, &[], "SIZE a; SIZE b", vec![first, second]).expect(0);
    assert_eq!(run.stdout, "7\n8\n");
}

#[test]
fn an_idle_session_that_cannot_be_restored_is_closed() {
    let first: Script<'_> = Box::new(|server| end(server, Ending::Told));
    let options = ["-k", "--retries", "0"];
    let run = play_all(&Client::new(), &options, "CD pub; PWD; PWD", vec![first]).expect(3);
    assert_eq!(run.stderr.matches("error: PWD: ").count(), 1, "{run:?}");
    assert!(run.stderr.contains("\nnot connected"), "{run:?}");
}

#[test]
fn quote_quit_ends_the_session_for_good() {
    let script: Script<'_> = Box::new(|server| {
        server.welcome();
        server.answer("QUIT", "221 bye");
        server.close();
    });
    let run = play_all(&Client::new(), &[], "QUOTE QUIT; PWD", vec![script]);
    run.expect(1).expect_error("not connected");
}

#[test]
fn a_server_that_returns_between_retries_is_used() {
    let client = Client::new();
    let first: Script<'_> = Box::new(|server| {
        server.welcome();
        let mut data = server.begin_retr("213 7");
        data.write_all(b"con").unwrap();
        server.close();
    });
    // The server is not ready yet.
    let second: Script<'_> = Box::new(|server| server.close());
    let third: Script<'_> = Box::new(|server| {
        server.welcome();
        server.answer("TYPE I", "200 binary");
        server.answer("SIZE", "213 7");
        server.answer("MDTM", TIME);
        server.retr_from(3).write_all(b"tent").unwrap();
        server.say("226 done");
        server.finish();
    });
    let scripts = vec![first, second, third];
    let run = play_all(&client, &["--retries", "2"], "RETRIEVE a", scripts).expect(0);
    assert_eq!(client.read("a"), b"content");
    assert_eq!(run.stderr.matches("trying again in").count(), 2, "{run:?}");
}

#[test]
fn a_refused_login_is_not_retried() {
    let client = Client::new();
    let first: Script<'_> = Box::new(|server| {
        server.welcome();
        let mut data = server.begin_retr("213 7");
        data.write_all(b"con").unwrap();
        server.close();
    });
    let second: Script<'_> = Box::new(|server| {
        server.say("220 ready");
        server.answer("USER", "331 password");
        server.answer("PASS", "530 no longer");
        server.finish();
    });
    let run = play_all(&client, &["--retries", "2"], "RETRIEVE a", vec![first, second]);
    run.expect(3).expect_error("530 no longer");
}

#[test]
fn connecting_is_retried_if_retries_is_given() {
    let refused: Script<'_> = Box::new(|server| {
        server.say("421 starting");
        server.close();
    });
    let script: Script<'_> = Box::new(|server| {
        server.welcome();
        server.answer("PWD", "257 \"/\"");
        server.finish();
    });
    let run = play_all(&Client::new(), &["--retries", "1"], "PWD", vec![refused, script]);
    run.expect(0).expect_error("421 starting; trying again in 0.25 s");
}

#[test]
fn with_retries_0_a_lost_final_reply_fails_at_once() {
    for command in ["RETRIEVE a", "STORE here", "APPEND here", "MGET a", "MPUT here"] {
        let client = Client::with_file("here", "content");
        let script: Script<'_> = Box::new(|server| {
            server.serve(|server, verb, _| {
                match verb {
                    "SIZE" => server.say("213 7"),
                    "MDTM" => server.say(TIME),
                    "RETR" => {
                        server.say("150 here");
                        server.data().write_all(b"content").unwrap();
                        server.close();
                    }
                    "STOR" | "APPE" => {
                        server.say("150 give me");
                        server.data().read_to_end(&mut Vec::new()).unwrap();
                        server.close();
                    }
                    _ => return false,
                }
                true
            });
        });
        let options = ["--retries", "0", "--timeout", "60"];
        let run = play_all(&client, &options, command, vec![script]).expect(3);
        assert!(!run.stderr.contains("trying again"), "{run:?}");
    }
}

#[test]
fn an_interrupted_walk_is_restarted() {
    for command in ["FIND", "DU", "MIRROR . copy", "MIRROR -R . .", "RM -r d"] {
        let client = Client::new();
        let first: Script<'_> = Box::new(|server| {
            server.serve(|server, verb, operand| {
                match (verb, operand) {
                    ("MLSD", "d") => server.close(),
                    ("MLSD", _) => server.send("type=dir; d\r\n"),
                    ("DELE", _) => server.say("550 d: Is a directory"),
                    ("PWD", _) => server.say("257 \"/\""),
                    _ => return false,
                }
                true
            });
        });
        let mut listed = 0;
        let second: Script<'_> = Box::new(|server| {
            server.serve(|server, verb, operand| {
                match (verb, operand) {
                    ("MLSD", "d") => {
                        listed += 1;
                        server.send("");
                    }
                    ("MLSD", _) => server.send("type=dir; d\r\n"),
                    _ => return false,
                }
                true
            });
        });
        let run = play_all(&client, &[], command, vec![first, second]);
        run.expect(0).expect_error("connected again");
        assert_eq!(listed, 1, "{command}");
    }
}

#[test]
fn a_rename_is_repeated_if_rnto_is_answered_with_421() {
    let first: Script<'_> = Box::new(|server| {
        server.welcome();
        server.answer("RNFR a", "350 to what?");
        server.answer("RNTO b", "421 enough");
        server.close();
    });
    let second: Script<'_> = Box::new(|server| {
        server.welcome();
        server.answer("RNFR a", "350 to what?");
        server.answer("RNTO b", "250 done");
        server.finish();
    });
    play_all(&Client::new(), &[], "RENAME a b", vec![first, second]).expect(0);
}

#[test]
fn each_retry_is_reported_in_one_line() {
    let busy: Script<'_> = Box::new(|server| {
        server.say("421-so many\r\n are here\r\n421 try again later");
        server.close();
    });
    let script: Script<'_> = Box::new(|server| {
        server.welcome();
        server.answer("PWD", "257 \"/\"\r\n421-idle\r\n421 for too long");
        server.close();
    });
    let last: Script<'_> = Box::new(|server| {
        server.welcome();
        server.answer("PWD", "257 \"/\"");
        server.finish();
    });
    let options = ["--retries", "1"];
    let run = play_all(&Client::new(), &options, "PWD; PWD", vec![busy, script, last]).expect(0);
    let lines: Vec<&str> = run.stderr.lines().collect();
    assert!(lines[0].ends_with("421 try again later; trying again in 0.25 s"), "{lines:?}");
    assert!(lines[2].ends_with("421 for too long; connected again"), "{lines:?}");
    assert_eq!(lines.len(), 3, "{lines:?}");
}
