//! MGET and MPUT, and the number of writes that they need.

use crate::support::scripted_server::{Script, ScriptedServer, listener, play_all, play_together};
use crate::support::{Client, Run, Server, noise, signal, together};
use std::io::{ErrorKind, Read};
use std::sync::mpsc;

const FILES: usize = 12;

fn name(number: usize) -> String {
    format!("f{number:02}")
}

fn listing() -> String {
    let line = |n| format!("type=file;size=20;modify=20250102030405; {}\r\n", name(n));
    (0..FILES).map(line).collect()
}

fn content(name: &str) -> Vec<u8> {
    noise(20, name.bytes().map(u64::from).sum())
}

/// The treatment of commands that arrive in one write.
#[derive(Clone, Copy, PartialEq)]
enum Pieces {
    /// All are executed.
    Taken,
    /// Only the first is executed.
    Lost,
    /// All are executed, but the server closes the connection after the first file.
    OneFile,
}

/// Serves the files and returns the commands of each write.
fn serve(server: &mut ScriptedServer, pieces: Pieces) -> Vec<Vec<String>> {
    serve_while(server, pieces, |_| true)
}

/// The event of a file.
enum Moment {
    Asked,
    Served,
}

/// Like [`serve`], but calls `may` before and after each file; a file is refused if `may` returns false.
fn serve_while(
    server: &mut ScriptedServer,
    pieces: Pieces,
    mut may: impl FnMut(Moment) -> bool,
) -> Vec<Vec<String>> {
    server.say("220 ready");
    let mut heard = Vec::new();
    while let Some(mut piece) = server.piece() {
        heard.push(piece.clone());
        if pieces == Pieces::Lost {
            piece.truncate(1);
        }
        for line in piece {
            let (verb, operand) = line.split_once(' ').unwrap_or((&line, ""));
            match verb {
                "RETR" if !may(Moment::Asked) => server.say("530 not any more"),
                "MLSD" | "RETR" => {
                    let all = if verb == "MLSD" { listing().into() } else { content(operand) };
                    server.send(all);
                    may(Moment::Served);
                    if verb == "RETR" && pieces == Pieces::OneFile {
                        server.close();
                        return heard;
                    }
                }
                "STOR" => {
                    server.say("150 go ahead");
                    let mut data = server.data();
                    data.read_to_end(&mut Vec::new()).unwrap();
                    server.say("226 done");
                }
                "SIZE" => server.say("213 20"),
                "MFMT" => server.say("213 ok"),
                _ => server.answer_as_usual(verb),
            }
        }
    }
    heard
}

fn one_connection(client: &Client, commands: &str) -> (Run, Vec<Vec<String>>) {
    let mut heard = Vec::new();
    let part: Script<'_> = Box::new(|server| heard = serve(server, Pieces::Taken));
    let run = play_all(client, &["-j", "1"], commands, vec![part]);
    (run, heard)
}

fn assert_all(client: &Client) {
    for name in (0..FILES).map(name) {
        assert_eq!(client.read(&name), content(&name), "{name}");
    }
    assert_eq!(client.names().len(), FILES);
}

#[test]
fn each_further_download_costs_one_write() {
    let client = Client::new();
    let (run, heard) = one_connection(&client, "MGET *");
    run.expect(0);
    assert_all(&client);
    let all: Vec<&String> = heard.iter().flatten().collect();
    for verb in ["SIZE", "MDTM", "CWD", "REST"] {
        assert!(all.iter().all(|line| !line.starts_with(verb)), "{heard:#?}");
    }
    assert_eq!(all.iter().filter(|line| line.starts_with("TYPE")).count(), 1);
    // USER, PASS, EPSV, MLSD, TYPE with EPSV, the files, QUIT.
    assert!(heard.len() <= FILES + 6, "{heard:#?}");
}

#[test]
fn each_further_upload_costs_one_write() {
    let client = Client::new();
    for name in (0..FILES).map(name) {
        client.write(&name, content(&name));
    }
    let (run, heard) = one_connection(&client, "MPUT f*");
    run.expect(0);
    let stored = heard.iter().filter(|piece| piece[0].starts_with("STOR"));
    assert!(
        stored.clone().all(|piece| piece[1].starts_with("MFMT") && piece[2].starts_with("SIZE"))
    );
    assert_eq!(stored.count(), FILES);
    assert!(heard.len() <= FILES + 4, "{heard:#?}");
}

together! { servers_that_lose_commands_or_go_are_waited_for:
    after_ctrl_c_no_helper_reconnects
    a_server_that_drops_the_second_command_gets_one_at_a_time
    files_without_a_connection_to_fetch_them_fail
}

fn a_server_that_drops_the_second_command_gets_one_at_a_time() {
    let client = Client::new();
    let lossy = || -> Script<'static> { Box::new(|server| drop(serve(server, Pieces::Lost))) };
    play_all(&client, &["-j", "1", "--timeout", "1"], "MGET *", vec![lossy(), lossy()]).expect(0);
    assert_all(&client);
}

#[test]
fn a_server_without_more_connections_is_used_over_one() {
    let client = Client::new();
    let first: Script<'_> = Box::new(|server| drop(serve(server, Pieces::Taken)));
    let full = || -> Script<'static> { Box::new(|server| server.say("421 too many")) };
    // The three other connections are rejected while the first is in use.
    play_together(&client, &[], "MGET *", vec![first, full(), full(), full()]).expect(0);
    assert_all(&client);
}

fn files_without_a_connection_to_fetch_them_fail() {
    let client = Client::new();
    let first: Script<'_> = Box::new(|server| drop(serve(server, Pieces::OneFile)));
    let run = play_all(&client, &["-j", "1"], "MGET *", vec![first]).expect(3);
    assert_eq!(client.names(), [name(0)], "{run:#?}");
}

#[test]
fn a_file_that_a_helper_returns_late_is_still_fetched() {
    let client = Client::new();
    let (begun, has_begun) = mpsc::channel();
    let (done, is_done) = mpsc::channel();
    let first: Script<'_> = Box::new(move |server| {
        let mut turn = 0;
        serve_while(server, Pieces::Taken, |_| {
            turn += 1;
            match turn {
                1 => has_begun.recv().unwrap(),
                2 => done.send(()).unwrap(),
                _ => {}
            }
            true
        });
    });
    let second: Script<'_> = Box::new(move |server| {
        serve_while(server, Pieces::Taken, |_| {
            begun.send(()).unwrap();
            is_done.recv().unwrap();
            false
        });
    });
    play_together(&client, &["-j", "2"], "MGET f00 f01", vec![first, second]).expect(0);
    assert_eq!(client.names(), ["f00", "f01"]);
}

fn after_ctrl_c_no_helper_reconnects() {
    let (client, stage) = (Client::new(), listener());
    let port = stage.local_addr().unwrap().port().to_string();
    let words = ["-q", "-j", "1", "-c", "MGET *", "127.0.0.1", &port];
    let mut child = Some(client.spawn(&words));
    let mut status = None;
    serve_while(&mut ScriptedServer::on(&stage), Pieces::Taken, |_| {
        let child = child.take().unwrap();
        signal(&child, "INT");
        status = child.wait_with_output().unwrap().status.code();
        false
    });
    assert_eq!(status, Some(130));
    stage.set_nonblocking(true).unwrap();
    assert_eq!(stage.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
}

#[test]
fn failed_files_are_reported_and_the_others_fetched() {
    let (server, client) = (Server::start(), Client::new());
    for number in 0..5 {
        server.write(name(number), "content");
    }
    std::os::unix::fs::symlink("nowhere", server.path("f99")).unwrap();
    client.at(server.addr(), "MGET f0* missing f9*").expect(1).expect_error("missing");
    assert_eq!(client.names().len(), 5);
    assert_eq!(client.read("f04"), b"content");
}

#[test]
fn only_files_that_match_patterns_are_transferred() {
    let (server, client) = (Server::start(), Client::new());
    for name in ["a.c", "b.c", "a.h", ".x.c"] {
        client.write(name, name);
    }
    client.at(server.addr(), "MPUT *.c").expect(0);
    assert!(server.has("a.c") && server.has("b.c") && !server.has("a.h") && !server.has(".x.c"));
    let other = Client::new();
    other.at(server.addr(), "MGET a.*").expect(0);
    assert_eq!(other.names(), ["a.c"]);
    other.at(server.addr(), "MGET nothing*").expect(1).expect_error("no file matches");
}

#[test]
fn results_are_json_for_scripts() {
    let (server, client) = (Server::start(), Client::new());
    server.write("a b", "content");
    let port = server.addr().port().to_string();
    let run = client.run(&["--json", "-q", "-c", "MGET a* missing", "127.0.0.1", &port]).expect(1);
    let mut lines: Vec<&str> = run.stdout.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines[0], r#"{"transfer":"retrieve","remote":"a b","local":"a b","bytes":7}"#);
    assert!(lines[1].contains(r#""remote":"missing""#) && lines[1].contains("error"));
}

#[test]
fn trees_and_listings_are_json_for_scripts() {
    let (server, client) = (Server::start(), Client::new());
    server.make_dir("d/sub");
    server.write("d/a b", "content");
    server.write("d/sub/c", "more");
    let run = client.at(server.addr(), "FIND d; DU d").expect(0);
    assert_eq!(run.stdout, "d/a b\nd/sub/\nd/sub/c\n4\td/sub\n11\td\n");
    let port = server.addr().port().to_string();
    let run = client.run(&["--json", "-c", "LIST d", "127.0.0.1", &port]).expect(0);
    let lines: Vec<&str> = run.stdout.lines().collect();
    assert!(
        lines[0].starts_with(r#"{"name":"a b","type":"file","size":7,"modified":"20"#),
        "{run:#?}"
    );
    assert!(lines[1].starts_with(r#"{"name":"sub","type":"dir""#), "{run:#?}");
}

#[test]
fn a_text_file_is_fetched_whatever_its_size_in_the_listing() {
    let (client, mut fetched) = (Client::new(), 0);
    play_all(
        &client,
        &["-j", "1"],
        "ASCII; MGET *",
        vec![Box::new(|server| {
            server.serve(|server, verb, _| {
                match verb {
                    "MLSD" => server.send("type=file;size=4; a\r\ntype=file;size=4; b\r\n"),
                    "RETR" => {
                        fetched += 1;
                        server.send("a\r\nb\r\n");
                    }
                    _ => return false,
                }
                true
            });
        })],
    )
    .expect(0);
    assert_eq!(
        (client.read("a").as_slice(), client.read("b").as_slice()),
        (&b"a\nb\n"[..], &b"a\nb\n"[..])
    );
    assert_eq!(fetched, 2);
}
