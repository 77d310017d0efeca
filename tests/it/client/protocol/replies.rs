//! Greetings and replies that deviate from RFC 959.

use crate::support::scripted_server::{Script, play, play_all};
use crate::support::wire::accept;
use crate::support::{Client, at_once};
use std::io::{Read, Write};

#[test]
fn a_greeting_may_follow_other_text_and_may_be_empty() {
    let banner: String = (0..20_000).map(|line| format!("220-line {line}\r\n")).collect();
    let greetings = [
        "\r\n \r\nWelcome to all!\r\n220 ready".to_owned(),
        "220Welcome".to_owned(),
        "220".to_owned(),
        format!("{banner}220 ready"),
    ];
    at_once(&greetings, |greeting| {
        let client = Client::new();
        let script: Script<'_> = Box::new(|server| {
            server.say(greeting);
            server.answer("USER", "331 password");
            server.answer("PASS", "230 in");
            server.answer("PWD", "257 \"/\"");
            server.finish();
        });
        play_all(&client, &["--timeout", "10"], "PWD", vec![script]).expect(0);
    });
}

#[test]
fn text_without_a_code_is_not_a_greeting() {
    let client = Client::new();
    play(&client, "PWD", |server| {
        server.say("\r\n+OK mail here\r\nmore");
        server.finish();
    })
    .expect(3)
    .expect_error("not a reply of an FTP server: \"+OK mail here\"");
}

#[test]
fn the_path_of_a_257_may_be_unquoted() {
    for reply in ["257 /a b", "257 /a b is the current directory"] {
        let run = play(&Client::new(), "PWD", |server| {
            server.welcome();
            server.answer("PWD", reply);
            server.finish();
        });
        assert_eq!(run.expect(0).stdout, "/a b\n");
    }
}

#[test]
fn a_multiline_reply_with_another_final_code_is_shown_at_the_timeout() {
    play(&Client::new(), "PWD", |server| {
        server.welcome();
        server.answer("PWD", "257-\"/\"\r\n250 that is all");
        while server.next().is_some() {}
    })
    .expect(3)
    .expect_error("its last line was \"250 that is all\"");
}

#[test]
fn a_telnet_command_between_replies_is_ignored() {
    // IAC NOP (RFC 854), with which a server keeps a connection alive.
    const NOP: &[u8] = b"\xff\xf1";
    let client = Client::with_file("up", "content");
    play(&client, "PWD; RETRIEVE a; STORE up; PWD", |server| {
        server.welcome();
        server.send_raw(NOP).unwrap();
        server.answer("PWD", "257 \"/\"");
        server.send_raw(NOP).unwrap();
        let mut data = server.begin_retr("213 7");
        server.send_raw(NOP).unwrap();
        data.write_all(b"content").unwrap();
        drop(data);
        server.say("226 done");
        let listener = server.epsv();
        server.answer("STOR", "150 give me");
        let mut data = accept(&listener);
        server.send_raw(NOP).unwrap();
        let mut stored = Vec::new();
        data.read_to_end(&mut stored).unwrap();
        assert_eq!(stored, b"content");
        server.say("226 done");
        server.send_raw(NOP).unwrap();
        server.finish();
    })
    .expect(1)
    .expect_error("500 what?");
    assert_eq!(client.read("a"), b"content");
}
