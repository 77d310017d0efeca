//! The client with servers that break the connection, send wrong data, or never stop.
//!
//! Each test contains the script of its server, line by line.

use crate::support::scripted_server::{Script, ScriptedServer, TIME, listener, play, play_all};
use crate::support::wire::accept;
use crate::support::{Client, at_once, eventually, noise, signal, together};
use std::io::{Read, Write};

/// The options of a client that has to wait for a timeout.
const IMPATIENT: &[&str] = &["--timeout", "1"];

fn assert_untouched(client: &Client) {
    assert_eq!(client.read("a"), b"old");
    assert_eq!(client.names(), ["a"]);
}

#[test]
fn a_correct_server_works() {
    let client = Client::new();
    play(&client, "RETRIEVE a", |server| {
        server.welcome();
        server.begin_retr("213 7").write_all(b"content").unwrap();
        server.say("226 done");
        server.finish();
    })
    .expect(0);
    assert_eq!(client.read("a"), b"content");
}

#[test]
fn half_of_the_data_is_a_failure_whatever_the_reply() {
    let client = Client::with_file("a", "old");
    play(&client, "RETRIEVE a", |server| {
        server.welcome();
        server.begin_retr("213 100").write_all(&[b'x'; 50]).unwrap();
        server.say("226 done");
        server.finish();
    })
    .expect(1)
    .expect_error("50");
    assert_untouched(&client);
}

#[test]
fn a_file_that_grows_during_the_download_is_fetched_once() {
    for command in ["RETRIEVE a", "REGET a", "MGET a", "RETRIEVE a -", "CAT a"] {
        let (client, mut fetched) = (Client::new(), 0);
        let run = play(&client, command, |server| {
            server.serve(|server, verb, _| {
                match verb {
                    "SIZE" => server.say("213 7"),
                    "MDTM" => server.say(TIME),
                    "RETR" => {
                        fetched += 1;
                        server.send("content and more");
                    }
                    _ => return false,
                }
                true
            });
        })
        .expect(0);
        let got = match run.stdout.as_str() {
            "" => client.read("a"),
            printed => printed.as_bytes().to_vec(),
        };
        assert_eq!((got.as_slice(), fetched), (&b"content and more"[..], 1), "{command}");
    }
}

#[test]
fn an_endlessly_growing_file_is_a_failure() {
    let client = Client::with_file("a", "old");
    play(&client, "RETRIEVE a", |server| {
        server.welcome();
        let mut data = server.begin_retr("213 100");
        while data.write_all(&[b'x'; 65536]).is_ok() {}
        drop(data);
        server.say("426 you left");
        server.finish();
    })
    .expect(1)
    .expect_error("100");
    assert_untouched(&client);
}

#[test]
fn without_size_the_226_decides() {
    let client = Client::new();
    play(&client, "RETRIEVE a", |server| {
        server.welcome();
        server.begin_retr("502 no").write_all(b"content").unwrap();
        server.say("226 done");
        server.finish();
    })
    .expect(0);
    assert_eq!(client.read("a"), b"content");
}

#[test]
fn a_426_after_all_of_the_data_is_a_failure() {
    let client = Client::with_file("a", "old");
    play(&client, "RETRIEVE a", |server| {
        server.welcome();
        server.begin_retr("213 7").write_all(b"content").unwrap();
        server.say("426 something went wrong");
        server.finish();
    })
    .expect(1)
    .expect_error("426");
    assert_untouched(&client);
}

#[test]
fn a_226_may_overtake_the_data() {
    let client = Client::new();
    let bytes = noise(1_000_000, 17);
    play(&client, "RETRIEVE a", |server| {
        server.welcome();
        let mut data = server.begin_retr("213 1000000");
        server.say("226 done");
        data.write_all(&bytes).unwrap();
        drop(data);
        server.finish();
    })
    .expect(0);
    assert!(client.read("a") == bytes);
}

together! { servers_that_do_not_answer_are_given_up:
    a_silent_server_times_out
    a_stalled_data_connection_times_out
    an_interrupted_client_leaves_only_the_old_file
    an_endless_line_in_a_reply_is_an_error
    an_endless_reply_is_an_error
    endless_preliminary_replies_are_an_error
    a_control_connection_closed_during_a_transfer_is_status_3
}

fn a_control_connection_closed_during_a_transfer_is_status_3() {
    let client = Client::with_file("a", "old");
    play(&client, "RETRIEVE a", |server| {
        server.welcome();
        let mut data = server.begin_retr("213 100");
        data.write_all(b"half").unwrap();
        server.close();
    })
    .expect(3);
    assert_untouched(&client);
}

fn a_stalled_data_connection_times_out() {
    let client = Client::with_file("a", "old");
    let script: Script<'_> = Box::new(|server| {
        server.welcome();
        let mut data = server.begin_retr("213 100");
        data.write_all(b"half").unwrap();
        server.hear("ABOR");
        server.say("426 stopped");
        server.say("226 aborted");
        server.finish();
    });
    play_all(&client, IMPATIENT, "RETRIEVE a", vec![script]).expect(1);
    assert_untouched(&client);
}

fn an_interrupted_client_leaves_only_the_old_file() {
    at_once([("INT", 130), ("TERM", 143), ("HUP", 129)], |(name, status)| {
        let client = Client::with_file("a", "old");
        let stage = listener();
        let port = stage.local_addr().unwrap().port().to_string();
        let child = client.spawn(&["-c", "RETRIEVE a", "127.0.0.1", &port]);
        let mut server = ScriptedServer::on(&stage);
        server.welcome();
        let mut data = server.begin_retr("213 100");
        data.write_all(b"half").unwrap();
        eventually("the hidden file", || client.names().len() == 2);
        signal(&child, name);
        server.finish();
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(status), "{output:?}");
        assert_untouched(&client);
    });
}

#[test]
fn after_a_refusal_of_epsv_the_client_uses_pasv() {
    let client = Client::new();
    play(&client, "RETRIEVE a; RETRIEVE a b", |server| {
        server.welcome();
        server.answer("TYPE I", "200 binary");
        for first in [true, false] {
            server.answer("SIZE", "213 7");
            server.answer("MDTM", TIME);
            if first {
                server.answer("EPSV", "500 what?");
            }
            let listener = listener();
            let [high, low] = listener.local_addr().unwrap().port().to_be_bytes();
            server.answer("PASV", &format!("227 Passive (127,0,0,1,{high},{low})"));
            server.answer("RETR", "150 here");
            accept(&listener).write_all(b"content").unwrap();
            server.say("226 done");
        }
        server.finish();
    })
    .expect(0);
    assert_eq!(client.read("b"), b"content");
}

#[test]
fn the_address_in_a_227_is_ignored() {
    let client = Client::new();
    play(&client, "RETRIEVE a", |server| {
        server.welcome();
        server.answer("TYPE I", "200 binary");
        server.answer("SIZE", "213 7");
        server.answer("MDTM", TIME);
        server.answer("EPSV", "502 no");
        let listener = listener();
        let [high, low] = listener.local_addr().unwrap().port().to_be_bytes();
        server.answer("PASV", &format!("227 Passive (10,9,8,7,{high},{low})"));
        server.answer("RETR", "150 here");
        accept(&listener).write_all(b"content").unwrap();
        server.say("226 done");
        server.finish();
    })
    .expect(0);
    assert_eq!(client.read("a"), b"content");
}

#[test]
fn a_229_without_a_port_is_a_failed_command() {
    for reply in ["229 (|||99999|)", "229 ok", "229 (|||0|)", "229 (||||)"] {
        let client = Client::with_file("a", "old");
        play(&client, "RETRIEVE a", |server| {
            server.welcome();
            server.answer("TYPE I", "200 binary");
            server.answer("SIZE", "213 7");
            server.answer("MDTM", TIME);
            server.answer("EPSV", reply);
            server.finish();
        })
        .expect(1);
        assert_untouched(&client);
    }
}

#[test]
fn a_data_port_where_nobody_listens_is_a_failed_command() {
    let client = Client::with_file("a", "old");
    play(&client, "RETRIEVE a", |server| {
        server.welcome();
        server.answer("TYPE I", "200 binary");
        server.answer("SIZE", "213 7");
        server.answer("MDTM", TIME);
        // The client's own port is taken, and nobody listens there.
        let port = server.peer().unwrap().port();
        server.answer("EPSV", &format!("229 (|||{port}|)"));
        server.finish();
    })
    .expect(1);
    assert_untouched(&client);
}

#[test]
fn replies_do_not_determine_local_names() {
    let client = Client::new();
    play(&client, "CD sub; PWD; LIST; RETRIEVE a", |server| {
        server.welcome();
        server.answer("CWD sub", "250 Now in ../../evil");
        server.answer("PWD", "257 \"/../../evil\" is current");
        let listener = server.epsv();
        server.answer("LIST", "150 listing of ../evil");
        accept(&listener).write_all(b"-rw-r--r-- 1 0 0 1 Jan 1 00:00 ../evil\r\n").unwrap();
        server.say("226 done");
        server.answer("TYPE I", "200 binary");
        server.answer("SIZE", "213 7");
        server.answer("MDTM", TIME);
        let listener = server.epsv();
        server.answer("RETR a", "150 Opening data connection for ../evil (7 bytes)");
        accept(&listener).write_all(b"content").unwrap();
        server.say("226 stored as ../evil");
        server.finish();
    })
    .expect(0);
    assert_eq!(client.names(), ["a"]);
    assert!(!client.path("../evil").exists());
}

#[test]
fn the_last_part_of_a_remote_name_must_be_a_file_name() {
    let client = Client::new();
    for name in ["..", "a/..", "a/", "."] {
        let run = play(&client, &format!("RETRIEVE {name}"), |server| {
            server.welcome();
            server.finish();
        });
        run.expect(1);
        assert_eq!(client.names(), [] as [&str; 0]);
    }
}

#[test]
fn a_store_that_the_server_ends_early_is_a_failure() {
    let client = Client::new();
    std::fs::File::create(client.path("a")).unwrap().set_len(64 << 20).unwrap();
    play(&client, "STORE a", |server| {
        server.welcome();
        let _data = server.begin_large_stor();
        server.say("226 that is enough");
        server.finish();
    })
    .expect(1);
}

#[test]
fn a_store_that_is_refused_in_the_middle_fails_with_the_reply() {
    let client = Client::new();
    std::fs::File::create(client.path("a")).unwrap().set_len(64 << 20).unwrap();
    play(&client, "STORE a", |server| {
        server.welcome();
        let mut data = server.begin_large_stor();
        data.read_exact(&mut [0; 1000]).unwrap();
        server.say("552 no room left");
        drop(data);
        server.finish();
    })
    .expect(1)
    .expect_error("552 no room left");
}

#[test]
fn a_store_succeeds_only_with_the_final_reply() {
    let client = Client::new();
    client.write("a", "content");
    play(&client, "STORE a", |server| {
        server.welcome();
        let mut data = server.begin_stor();
        let mut stored = Vec::new();
        data.read_to_end(&mut stored).unwrap();
        assert_eq!(stored, b"content");
        server.say("451 the disk broke");
        server.finish();
    })
    .expect(1)
    .expect_error("451");
}

#[test]
fn a_greeting_may_wait_and_may_have_many_lines() {
    let client = Client::new();
    play(&client, "PWD", |server| {
        server.say("120 soon");
        server.say("220-hello\r\n 221 not the end\r\n220-220 nor this");
        server.welcome();
        server.answer("PWD", "257 \"/a\"\"b\" here");
        server.finish();
    })
    .expect(0);
}

#[test]
fn a_negative_greeting_is_status_3() {
    for greeting in ["421 too many", "550 go away", "HTTP/1.1 400 Bad Request", "", "22 x"] {
        play(&Client::new(), "LIST", |server| server.say(greeting)).expect(3);
    }
}

#[test]
fn a_421_between_commands_is_status_3() {
    let client = Client::new();
    play(&client, "PWD", |server| {
        server.welcome();
        server.answer("PWD", "421 shutting down");
    })
    .expect(3)
    .expect_error("421");
}

fn a_silent_server_times_out() {
    let mute: Script<'_> = Box::new(|server| server.finish());
    let silent: Script<'_> = Box::new(|server| {
        server.welcome();
        server.hear("PWD");
        server.next();
    });
    at_once([("LIST", mute), ("PWD", silent)], |(command, script)| {
        play_all(&Client::new(), IMPATIENT, command, vec![script]).expect(3);
    });
}

/// Sends the same text until the client closes the connection.
fn flood(server: &mut ScriptedServer, piece: &str) {
    let flood = piece.repeat(1000);
    while server.send_raw(flood.as_bytes()).is_ok() {}
}

fn an_endless_reply_is_an_error() {
    play(&Client::new(), "LIST", |server| flood(server, "220-more\r\n")).expect(3);
}

fn an_endless_line_in_a_reply_is_an_error() {
    play(&Client::new(), "LIST", |server| flood(server, "220 no end ")).expect(3);
}

fn endless_preliminary_replies_are_an_error() {
    play(&Client::new(), "LIST", |server| flood(server, "120 soon\r\n")).expect(3);
}

#[test]
fn escape_sequences_in_replies_are_escaped() {
    let run = play(&Client::new(), "CD a", |server| {
        server.welcome();
        server.answer("CWD", "550 \x1b[2J\x1b]0;owned\x07 no");
        server.finish();
    })
    .expect(1);
    assert!(!run.stderr.contains(['\x1b', '\x07']), "{run:#?}");
}

#[test]
fn a_flood_of_unsolicited_replies_is_an_error() {
    let run = play(&Client::new(), "PWD; PWD", |server| {
        server.welcome();
        server.hear("PWD");
        flood(server, "257 \"/x\"\r\n");
    });
    assert!(matches!(run.status, Some(0 | 3)), "{run:#?}");
}
