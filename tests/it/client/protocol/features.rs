//! The use of FEAT, and the commands that are not sent to a server that lacks them.

use crate::support::scripted_server::{Script, ScriptedServer, TIME, play_all};
use crate::support::{Client, Run, noise};
use std::io::{Read, Write};

const FEATURES: &str = "211-Features:\r\n UTF8\r\n SIZE\r\n211 End";

/// Replies to every listing command with one file, and returns the received commands.
fn serve(server: &mut ScriptedServer, features: &str) -> Vec<String> {
    let mut heard = Vec::new();
    server.with_features();
    server.serve(|server, verb, _| {
        heard.push(verb.to_owned());
        match verb {
            "FEAT" => server.say(features),
            "PWD" => server.say("257 \"/\""),
            "STOR" => {
                server.say("150 give me");
                server.data().read_to_end(&mut Vec::new()).unwrap();
                server.say("226 done");
            }
            "MLSD" => server.send("type=file;size=3; a\r\n"),
            "LIST" => server.send("-rw-r--r-- 1 0 0 3 Jan 1 2020 a\r\n"),
            _ => return false,
        }
        true
    });
    heard
}

fn heard(features: &str, commands: &str) -> Vec<String> {
    let (client, mut heard) = (Client::with_file("b", "abc"), Vec::new());
    let script: Script<'_> = Box::new(|server| heard = serve(server, features));
    play_all(&client, &["-j", "1"], commands, vec![script]).expect(0);
    heard
}

fn count(heard: &[String], verb: &str) -> usize {
    heard.iter().filter(|heard| *heard == verb).count()
}

#[test]
fn commands_that_feat_does_not_list_are_not_sent() {
    let lacking = heard(FEATURES, "FIND; STORE b; FIND");
    assert_eq!(count(&lacking, "FEAT"), 1, "{lacking:?}");
    for verb in ["MLSD", "MFMT", "HASH"] {
        assert_eq!(count(&lacking, verb), 0, "{verb}: {lacking:?}");
    }
    let having = heard("211-Features:\r\n MLST type*;\r\n MFMT\r\n211 End", "FIND; STORE b; FIND");
    assert_eq!((count(&having, "FEAT"), count(&having, "MLSD")), (1, 2), "{having:?}");
    assert_eq!(count(&having, "MFMT"), 1, "{having:?}");
}

#[test]
fn without_feat_all_commands_are_tried() {
    for refusal in ["500 what?", "502 no", "530 no", "211 nothing"] {
        let heard = heard(refusal, "FIND; FIND");
        assert_eq!((count(&heard, "FEAT"), count(&heard, "MLSD")), (1, 2), "{heard:?}");
        assert_eq!(count(&heard, "OPTS"), 0, "{heard:?}");
    }
}

#[test]
fn opts_utf8_is_sent_on_every_connection_if_feat_lists_it() {
    const SIZE: usize = 200_000;
    const HALF: usize = 90_000;
    for reply in ["200 UTF8 is on", "501 always on"] {
        let client = Client::new();
        let first: Script<'_> = Box::new(|server| {
            server.with_features();
            server.welcome();
            server.answer("FEAT", FEATURES);
            server.answer("OPTS UTF8 ON", reply);
            let mut data = server.begin_retr(&format!("213 {SIZE}"));
            data.write_all(&noise(SIZE, 1)[..HALF]).unwrap();
            server.close();
        });
        let second: Script<'_> = Box::new(|server| {
            server.with_features();
            server.welcome();
            server.answer("OPTS UTF8 ON", reply);
            server.answer("TYPE I", "200 binary");
            server.answer("SIZE", &format!("213 {SIZE}"));
            server.answer("MDTM", TIME);
            server.retr_from(HALF).write_all(&noise(SIZE, 1)[HALF..]).unwrap();
            server.say("226 done");
            server.finish();
        });
        play_all(&client, &[], "RETRIEVE a", vec![first, second]).expect(0);
        assert!(client.read("a") == noise(SIZE, 1), "{reply}");
    }
}

/// Fetches a name that is not ASCII from a server with these features, which replies with `reply`; returns
/// also the names that the server received.
fn fetch_beyond_ascii(features: &'static str, reply: &'static str) -> (Run, Vec<String>) {
    let (client, mut names) = (Client::new(), Vec::new());
    let script: Script<'_> = Box::new(|server| {
        server.with_features();
        server.serve(|server, verb, operand| {
            match verb {
                "FEAT" => server.say(features),
                "SIZE" | "MDTM" => server.say("550 not here"),
                "RETR" => {
                    names.push(operand.to_owned());
                    if reply.starts_with("550") { server.say(reply) } else { server.send(reply) }
                }
                _ => return false,
            }
            true
        });
    });
    let run = play_all(&client, &[], "RETRIEVE Zugehörig.txt copy", vec![script]);
    (run, names)
}

#[test]
fn a_refused_name_in_utf_8_is_explained_if_feat_does_not_list_utf8() {
    const EXPLAINED: &str = "the name was sent in UTF-8";
    const LATIN: &str = "211-Features:\r\n SIZE\r\n211 End";
    for (features, reply, status, is_explained) in [
        (LATIN, "550 not here", 1, true),
        ("502 no features", "550 not here", 1, true),
        (FEATURES, "550 not here", 1, false),
        (LATIN, "content", 0, false),
    ] {
        let (run, names) = fetch_beyond_ascii(features, reply);
        let run = run.expect(status);
        assert_eq!(run.stderr.matches(EXPLAINED).count(), usize::from(is_explained), "{run:#?}");
        assert!(names.iter().all(|name| name == "Zugehörig.txt"), "{names:?}");
    }
}
