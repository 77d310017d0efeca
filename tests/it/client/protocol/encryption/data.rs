//! TLS of data connections: the check of their peer, and of the end of the data.

use super::play_tls;
use crate::support::scripted_server::{Script, ScriptedServer, play_all};
use crate::support::tls::{Identity, Wire};
use crate::support::wire::accept;
use crate::support::{Client, noise};
use std::io::Write;
use std::net::{Shutdown, TcpListener};

/// The listener of the next data connection.
struct Passive<'a> {
    identity: &'a Identity,
    listener: TcpListener,
}

impl Passive<'_> {
    fn accept(&self) -> Wire {
        self.identity.accept(accept(&self.listener), 1).unwrap()
    }
}

/// Negotiates a data connection, and starts the transfer of this verb.
fn begin<'a>(server: &mut ScriptedServer, identity: &'a Identity, verb: &str) -> Passive<'a> {
    let listener = server.epsv();
    server.answer(verb, "150 go ahead");
    Passive { identity, listener }
}

fn tell_size(server: &mut ScriptedServer, size: &str) {
    server.answer("TYPE I", "200 binary");
    server.answer("SIZE", size);
    server.answer("MDTM", "213 20250102030405");
}

/// Sends bytes and closes the connection without a close_notify.
fn cut(mut data: Wire, bytes: &[u8]) {
    data.write_all(bytes).unwrap();
    data.tcp().shutdown(Shutdown::Both).unwrap();
}

#[test]
fn a_listing_without_close_notify_fails_and_deletes_nothing() {
    let Some(identity) = Identity::new() else { return };
    for commands in ["NLIST", "LIST", "MIRROR --delete . ."] {
        let client = Client::with_file("precious", "old");
        let script: Script<'_> = Box::new(|server| {
            server.welcome_to_tls(&identity, 1);
            while let Some(line) = server.next() {
                let verb = line.split(' ').next().unwrap();
                match verb {
                    "PWD" => server.say("257 \"/\""),
                    "EPSV" => server.offer("229 Extended (|||%|)"),
                    "NLST" | "LIST" | "MLSD" => {
                        server.say("150 here");
                        let data = identity.accept(server.data(), 1).unwrap();
                        let line = match verb {
                            "MLSD" => "type=file;size=3; new\r\n",
                            _ => "-rw-r--r-- 1 0 0 3 Jan  1  2025 new\r\n",
                        };
                        cut(data, line.as_bytes());
                        server.say("226 done");
                    }
                    "QUIT" => server.say("221 bye"),
                    _ => server.say("200 ok"),
                }
            }
        });
        let run = play_tls(&client, &["--retries", "0"], &identity, commands, vec![script]);
        run.expect(1).expect_error("close_notify");
        assert_eq!(client.read("precious"), b"old", "{commands}");
    }
}

#[test]
fn a_download_without_close_notify_succeeds_if_its_size_is_right() {
    let Some(identity) = Identity::new() else { return };
    for (size, status) in [("213 7", 0), ("550 unknown", 1), ("213 8", 1)] {
        let client = Client::new();
        let script: Script<'_> = Box::new(|server| {
            server.welcome_to_tls(&identity, 1);
            tell_size(server, size);
            cut(begin(server, &identity, "RETR").accept(), b"content");
            server.say("226 done");
            server.finish();
        });
        let run = play_tls(&client, &["--retries", "0"], &identity, "RETRIEVE a", vec![script]);
        run.expect(status);
        assert_eq!(client.path("a").exists(), status == 0, "{size}");
    }
}

#[test]
fn an_interrupted_download_is_resumed_over_the_same_session() {
    let Some(identity) = Identity::new() else { return };
    let (client, bytes) = (Client::new(), noise(200_000, 1));
    let script: Script<'_> = Box::new(|server| {
        server.welcome_to_tls(&identity, 1);
        tell_size(server, "213 200000");
        cut(begin(server, &identity, "RETR").accept(), &bytes[..90_000]);
        server.say("426 cut");
        server.answer("SIZE", "213 200000");
        server.answer("MDTM", "213 20250102030405");
        let listener = server.epsv();
        server.answer("REST 90000", "350 go ahead");
        server.answer("RETR", "150 go ahead");
        let mut data = identity.accept(accept(&listener), 1).unwrap();
        assert!(data.is_resumed());
        data.write_all(&bytes[90_000..]).unwrap();
        data.end();
        server.say("226 done");
        server.finish();
    });
    play_tls(&client, &[], &identity, "RETRIEVE a", vec![script]).expect(0);
    assert!(client.read("a") == bytes);
}

#[test]
fn an_upload_ends_in_a_close_notify_and_waits_for_the_server_to_read_it() {
    let Some(identity) = Identity::new() else { return };
    let (client, bytes) = (Client::new(), noise(4_000_000, 1));
    client.write("a", &bytes);
    let script: Script<'_> = Box::new(|server| {
        server.welcome_to_tls(&identity, 1);
        let mut stored = 0;
        while let Some(line) = server.next() {
            match line.split(' ').next().unwrap() {
                "EPSV" => server.offer("229 Extended (|||%|)"),
                "SIZE" if stored == 0 => server.say("550 none"),
                "SIZE" => server.say("213 4000000"),
                "STOR" => {
                    server.say("150 go ahead");
                    let mut data = identity.accept(server.data(), 1).unwrap();
                    assert!(data.is_resumed());
                    assert!(data.all().unwrap() == bytes);
                    drop(data);
                    server.say("226 done");
                    stored += 1;
                }
                "QUIT" => server.say("221 bye"),
                _ => server.say("200 ok"),
            }
        }
        assert_eq!(stored, 3);
    });
    let commands = "STORE a b; STORE a c; STORE a d";
    play_tls(&client, &["--retries", "0"], &identity, commands, vec![script]).expect(0);
}

#[test]
fn a_refused_upload_fails_with_the_reply() {
    let Some(identity) = Identity::new() else { return };
    let client = Client::with_file("a", "content");
    let script: Script<'_> = Box::new(|server| {
        server.welcome_to_tls(&identity, 1);
        server.answer("TYPE I", "200 binary");
        let passive = begin(server, &identity, "STOR");
        let mut data = passive.accept();
        assert_eq!(data.all().unwrap(), b"content");
        // The server replies before the client closes its half.
        server.say("552 no room");
        server.finish();
    });
    let run = play_tls(&client, &["--retries", "0"], &identity, "STORE a", vec![script]);
    run.expect(1).expect_error("552 no room");
}

#[test]
fn an_aborted_upload_sends_no_close_notify() {
    let Some(identity) = Identity::new() else { return };
    let client = Client::new();
    client.write("a", noise(50_000_000, 1));
    let script: Script<'_> = Box::new(|server| {
        server.welcome_to_tls(&identity, 1);
        server.answer("TYPE I", "200 binary");
        server.answer("SIZE", "550 none");
        let mut data = begin(server, &identity, "STOR").accept();
        server.say("452 full");
        assert!(data.all().is_err());
        server.finish();
    });
    let run = play_tls(&client, &["--retries", "0"], &identity, "STORE a", vec![script]);
    run.expect(1).expect_error("452 full");
}

#[test]
fn a_data_connection_to_another_server_is_closed() {
    let Some(identity) = Identity::new() else { return };
    let Some(other) = Identity::new() else { return };
    for (verb, command) in [("STOR", "STORE a"), ("RETR", "RETRIEVE b")] {
        let client = Client::with_file("a", "content");
        let script: Script<'_> = Box::new(|server| {
            server.welcome_to_tls(&identity, 1);
            match verb {
                "STOR" => server.answer("TYPE I", "200 binary"),
                _ => tell_size(server, "213 7"),
            }
            let mut data = begin(server, &other, verb).accept();
            assert!(data.all().is_err());
            server.answer("ABOR", "426 aborted\r\n226 done");
            server.finish();
        });
        let run = play_tls(&client, &["--retries", "0"], &identity, command, vec![script]);
        run.expect(3).expect_error("the data connection leads to another server");
        assert!(!client.path("b").exists());
    }
}

#[test]
fn a_data_connection_that_is_not_resumed_needs_the_same_certificate() {
    let Some(identity) = Identity::new() else { return };
    let client = Client::new();
    let script: Script<'_> = Box::new(|server| {
        server.welcome_to_tls(&identity, 1);
        tell_size(server, "213 7");
        let listener = server.epsv();
        server.answer("RETR", "150 here");
        // The control connection has another ID, so its TLS session cannot be resumed.
        let mut data = identity.accept(accept(&listener), 2).unwrap();
        assert!(!data.is_resumed());
        data.write_all(b"content").unwrap();
        data.end();
        server.say("226 done");
        server.finish();
    });
    play_tls(&client, &[], &identity, "RETRIEVE a", vec![script]).expect(0);
    assert_eq!(client.read("a"), b"content");
}

#[test]
fn cleartext_on_a_data_connection_is_reported() {
    let Some(identity) = Identity::new() else { return };
    let script: Script<'_> = Box::new(|server| {
        server.welcome_to_tls(&identity, 1);
        tell_size(server, "213 7");
        let passive = begin(server, &identity, "RETR");
        accept(&passive.listener).write_all(b"content").unwrap();
        server.say("226 done");
        server.finish();
    });
    let run = play_tls(&Client::new(), &["--retries", "0"], &identity, "RETRIEVE a", vec![script]);
    run.expect(1).expect_error("the server continued without TLS");
}

#[test]
fn a_negative_reply_is_the_error_of_a_failed_data_connection() {
    let Some(identity) = Identity::new() else { return };
    let script: Script<'_> = Box::new(|server| {
        server.welcome_to_tls(&identity, 1);
        tell_size(server, "213 7");
        let passive = begin(server, &identity, "RETR");
        drop(accept(&passive.listener));
        server.say("522 the session must be resumed");
        server.finish();
    });
    let run = play_tls(&Client::new(), &["--retries", "0"], &identity, "RETRIEVE a", vec![script]);
    run.expect(1).expect_error("522 the session must be resumed");
}

#[test]
fn nothing_is_transferred_if_the_server_refuses_prot_p() {
    let Some(identity) = Identity::new() else { return };
    for (option, level) in [("--tls", "PROT P"), ("--tls-clear-data", "PROT C")] {
        let script: Script<'_> = Box::new(|server| {
            server.start_tls(&identity, 1);
            server.answer("USER", "331 password");
            server.answer("PASS", "230 in");
            server.answer("PBSZ 0", "503 what for?");
            server.answer(level, "534 no");
            assert_eq!(server.next(), None);
        });
        let run = play_tls(&Client::new(), &[option], &identity, "LIST", vec![script]).expect(3);
        run.expect_error("534 no");
    }
}

#[test]
fn data_is_protected_however_the_user_logs_in() {
    let Some(identity) = Identity::new() else { return };
    let script: Script<'_> = Box::new(|server| {
        server.start_tls(&identity, 1);
        server.answer("USER me", "331 password");
        server.answer("PASS secret", "230 in");
        server.answer("PBSZ 0", "200 ok");
        server.answer("PROT P", "200 ok");
        begin(server, &identity, "NLST").accept().end();
        server.say("226 done");
        server.finish();
    });
    let commands = "QUOTE USER me; QUOTE PASS secret; NLIST";
    play_tls(&Client::new(), &["-n"], &identity, commands, vec![script]).expect(0);
}

#[test]
fn tls_clear_data_leaves_data_unencrypted() {
    let Some(identity) = Identity::new() else { return };
    let client = Client::new();
    let script: Script<'_> = Box::new(|server| {
        server.start_tls(&identity, 1);
        server.answer("USER", "331 password");
        server.answer("PASS", "230 in");
        server.answer("PBSZ 0", "200 ok");
        server.answer("PROT C", "200 ok");
        tell_size(server, "213 7");
        let passive = begin(server, &identity, "RETR");
        accept(&passive.listener).write_all(b"content").unwrap();
        server.say("226 done");
        server.finish();
    });
    play_tls(&client, &["--tls-clear-data"], &identity, "RETRIEVE a", vec![script]).expect(0);
    assert_eq!(client.read("a"), b"content");
}

#[test]
fn an_empty_listing_may_have_no_data_connection() {
    let Some(identity) = Identity::new() else { return };
    let script: Script<'_> = Box::new(|server| {
        server.welcome_to_tls(&identity, 1);
        let _listener = server.epsv();
        server.answer("NLST", "226 nothing here");
        server.finish();
    });
    let run =
        play_all(&Client::new(), &["--tls", "--tls-pin", &identity.pin], "NLIST", vec![script]);
    assert_eq!(run.expect(0).stdout, "");
}
