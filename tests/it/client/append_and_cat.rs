//! Interruptions of commands that must not send or print bytes twice: APPEND, CAT, MORE.

use crate::support::scripted_server::{ScriptedServer, TIME, play, play_all};
use crate::support::wire::accept;
use crate::support::{Client, Server};
use std::io::{Read, Write};

fn client_with_ten_bytes() -> Client {
    let client = Client::new();
    client.write("a", "0123456789");
    client
}

/// Runs an APPEND to a file of this size, of which the server receives everything but replies with an error.
fn break_off(server: &mut ScriptedServer, size: &str) {
    server.welcome();
    server.answer("TYPE I", "200 binary");
    server.answer("SIZE a", size);
    let listener = server.epsv();
    server.answer("APPE a", "150 go ahead");
    let mut sent = Vec::new();
    accept(&listener).read_to_end(&mut sent).unwrap();
    assert_eq!(sent, b"0123456789");
    server.say("426 aborted");
}

/// Sends the bytes that the client compares.
fn give_tail(server: &mut ScriptedServer, from: usize, bytes: &[u8]) {
    server.retr_from(from).write_all(bytes).unwrap();
    server.say("226 done");
}

fn take_rest(server: &mut ScriptedServer, from: usize) -> Vec<u8> {
    let listener = server.epsv();
    server.answer(&format!("REST {from}"), "350 go ahead");
    server.answer("STOR a", "150 go ahead");
    let mut rest = Vec::new();
    accept(&listener).read_to_end(&mut rest).unwrap();
    server.say("226 done");
    rest
}

#[test]
fn an_append_continues_without_sending_bytes_twice() {
    play(&client_with_ten_bytes(), "APPEND a", |server| {
        break_off(server, "213 100");
        server.answer("SIZE a", "213 104");
        give_tail(server, 100, b"0123");
        assert_eq!(take_rest(server, 104), b"456789");
        server.answer("SIZE a", "213 110");
        server.finish();
    })
    .expect(0);
}

#[test]
fn an_append_that_arrived_completely_succeeds() {
    play(&client_with_ten_bytes(), "APPEND a", |server| {
        break_off(server, "213 100");
        server.answer("SIZE a", "213 110");
        give_tail(server, 100, b"0123456789");
        server.finish();
    })
    .expect(0);
}

#[test]
fn an_append_of_which_nothing_arrived_is_repeated() {
    play(&client_with_ten_bytes(), "APPEND a", |server| {
        break_off(server, "550 no such file");
        server.answer("SIZE a", "550 no such file");
        let listener = server.epsv();
        server.answer("APPE a", "150 go ahead");
        accept(&listener).read_to_end(&mut Vec::new()).unwrap();
        server.say("226 done");
        server.answer("SIZE a", "213 10");
        server.finish();
    })
    .expect(0);
}

#[test]
fn an_append_is_not_continued_after_another_client_has_appended() {
    play(&client_with_ten_bytes(), "APPEND a", |server| {
        break_off(server, "213 100");
        server.answer("SIZE a", "213 104");
        give_tail(server, 100, b"else");
        server.finish();
    })
    .expect(1)
    .expect_error("426");
}

#[test]
fn a_confirmed_append_with_a_wrong_size_is_a_failure() {
    let run = play_all(
        &client_with_ten_bytes(),
        &["--retries", "0"],
        "APPEND a",
        vec![Box::new(|server| {
            server.welcome();
            server.answer("TYPE I", "200 binary");
            server.answer("SIZE a", "213 100");
            let listener = server.epsv();
            server.answer("APPE a", "150 go ahead");
            accept(&listener).read_to_end(&mut Vec::new()).unwrap();
            server.say("226 done");
            server.answer("SIZE a", "213 103");
            server.finish();
        })],
    );
    run.expect(1).expect_error("the server reports 103 bytes for a file of 110 bytes");
}

#[test]
fn printing_continues_after_the_printed_bytes() {
    for command in ["CAT a", "MORE a"] {
        let client = Client::new();
        let run = play(&client, command, |server| {
            server.welcome();
            server.begin_retr("213 7").write_all(b"con").unwrap();
            server.say("426 aborted");
            server.answer("SIZE", "213 7");
            server.answer("MDTM", TIME);
            server.retr_from(3).write_all(b"tent").unwrap();
            server.say("226 done");
            server.finish();
        });
        assert_eq!(run.expect(0).expect_error("trying again").stdout, "content");
        assert_eq!(client.names(), [] as [&str; 0]);
    }
}

#[test]
fn no_byte_is_printed_twice() {
    let client = Client::new();
    let run = play(&client, "CAT a", |server| {
        server.welcome();
        server.begin_retr("213 7").write_all(b"con").unwrap();
        server.say("426 aborted");
        server.answer("SIZE", "213 7");
        server.answer("MDTM", TIME);
        let _listener = server.epsv();
        server.answer("REST 3", "502 no");
        server.finish();
    });
    assert_eq!(run.expect(1).stdout, "con");
    let run = play(&client, "CAT a", |server| {
        server.welcome();
        server.begin_retr("213 7").write_all(b"con").unwrap();
        server.say("426 aborted");
        server.answer("SIZE", "213 8");
        server.answer("MDTM", TIME);
        server.finish();
    });
    assert_eq!(run.expect(1).stdout, "con");
}

#[test]
fn an_append_to_ftp_server_is_complete() {
    let (server, client) = (Server::start(), client_with_ten_bytes());
    server.write("log", "before ");
    client.at(server.addr(), "APPEND a log; APPEND a log; APPEND a new").expect(0);
    assert_eq!(server.read("log"), b"before 01234567890123456789");
    assert_eq!(server.read("new"), b"0123456789");
}

#[test]
fn results_of_transfers_are_json_for_scripts() {
    let (server, client) = (Server::start(), client_with_ten_bytes());
    std::fs::create_dir(client.path("d")).unwrap();
    let commands = "PUT a; PUT d/none; PUT a \"x y\"; APPEND a; GET a d; GET \"x y\"; GET none here; REGET a; \
                    REPUT a; PGET a b; PGET none; GET ..; GET a d/no/c; CAT a; GET a -; MGET no*; MPUT no*";
    let port = server.addr().port().to_string();
    let run = client.run(&["--json", "-q", "-k", "-c", commands, "127.0.0.1", &port]).expect(1);
    let done = |deed: &str, remote: &str, local: &str, bytes: u32| {
        format!(r#"{{"transfer":"{deed}","remote":"{remote}","local":"{local}","bytes":{bytes}}}"#)
    };
    let failed = |deed: &str, names: &str| format!(r#"{{"transfer":"{deed}",{names},"error":""#);
    let twice = "01234567890123456789";
    let expected = [
        done("store", "a", "a", 10),
        failed("store", r#""remote":"none","local":"d/none""#),
        done("store", "x y", "a", 10),
        done("append", "a", "a", 10),
        done("retrieve", "a", "d/a", 20),
        done("retrieve", "x y", "x y", 10),
        failed("retrieve", r#""remote":"none","local":"here""#),
        done("retrieve", "a", "a", 20),
        done("store", "a", "a", 20),
        done("retrieve", "a", "b", 20),
        failed("retrieve", r#""remote":"none","local":"none""#),
        failed("retrieve", r#""remote":"..""#),
        failed("retrieve", r#""remote":"a","local":"d/no/c""#),
        format!("{twice}{twice}{}", failed("retrieve", r#""remote":"no*""#)),
        failed("store", r#""local":"no*""#),
    ];
    let lines: Vec<&str> = run.stdout.lines().collect();
    for (line, expected) in lines.iter().zip(&expected) {
        assert!(line.starts_with(expected.as_str()), "{expected}: {run:#?}");
    }
    assert_eq!(lines.len(), expected.len(), "{run:#?}");
}
