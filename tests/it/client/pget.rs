//! PGET, and the rate limit that all connections share.

use crate::support::scripted_server::{
    Script, ScriptedServer, TIME, listener, play_all, play_together,
};
use crate::support::wire::accept;
use crate::support::{Client, Server, noise, together};
use std::io::Write;
use std::net::TcpListener;

const SIZE: usize = 3_000_000;

#[test]
fn a_file_in_ranges_is_complete() {
    let (server, client) = (Server::start(), Client::new());
    for size in [0, 1, 300_000, 524_288, SIZE] {
        server.write("a", noise(size, 9));
        client.at(server.addr(), "PGET -n 4 a").expect(0);
        assert!(client.read("a") == noise(size, 9), "{size}");
        let times = [server.path("a"), client.path("a")].map(|path| {
            let modified = path.metadata().unwrap().modified().unwrap();
            modified.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
        });
        assert_eq!(times[0], times[1]);
    }
    client.at(server.addr(), "PGET missing").expect(1).expect_error("550");
    assert_eq!(client.names(), ["a"]);
}

/// The behavior of a server for ranges.
#[derive(Clone, Copy)]
struct Manner {
    /// It refuses REST.
    refuses: bool,
    /// It accepts REST, but sends from the beginning.
    deaf: bool,
    /// It closes all connections after this number of bytes of its first transfer.
    breaks_after: usize,
    /// Its replies to MDTM, first and later.
    times: [&'static str; 2],
    /// The growth of the file before the second SIZE.
    grows: usize,
    /// The content of the file by then.
    seed: u64,
}

const GOOD: Manner = Manner {
    refuses: false,
    deaf: false,
    breaks_after: usize::MAX,
    times: [TIME, TIME],
    grows: 0,
    seed: 9,
};

fn serve(manner: Manner) -> Script<'static> {
    Box::new(move |server: &mut ScriptedServer| {
        server.say("220 ready");
        let mut content = noise(SIZE, 9);
        let (mut from, mut asked, mut transfers) = (0, 0, 0);
        while let Some(line) = server.next() {
            let (verb, operand) = line.split_once(' ').unwrap_or((&line, ""));
            match verb {
                "SIZE" if asked > 0 => server.say(&format!("213 {}", SIZE + manner.grows)),
                "SIZE" => server.say(&format!("213 {SIZE}")),
                "MDTM" => {
                    server.say(manner.times[usize::from(asked > 0)]);
                    if asked > 0 {
                        content = noise(SIZE + manner.grows, manner.seed);
                    }
                    asked += 1;
                }
                "REST" if manner.refuses => server.say("502 what?"),
                "REST" => {
                    from = if manner.deaf { 0 } else { operand.parse().unwrap() };
                    server.say("350 go ahead");
                }
                "RETR" => {
                    transfers += 1;
                    server.say("150 here");
                    let mut data = server.data();
                    let rest = &content[std::mem::take(&mut from)..];
                    let end = if transfers == 1 {
                        manner.breaks_after.min(rest.len())
                    } else {
                        rest.len()
                    };
                    let all = data.write_all(&rest[..end]).is_ok();
                    drop(data);
                    if end < rest.len() {
                        return server.close();
                    }
                    server.say(if all { "226 done" } else { "426 you left" });
                }
                "ABOR" => server.say("226 aborted"),
                _ => server.answer_as_usual(verb),
            }
        }
    })
}

together! { parts_are_tried_again_after_a_pause:
    an_interrupted_range_is_continued
    without_rest_the_whole_file_is_fetched_over_one_connection
    a_server_that_ignores_rest_is_used_over_one_connection
    a_rate_limit_changes_no_byte
    a_server_that_drops_pipelined_commands_gets_one_at_a_time
}

fn an_interrupted_range_is_continued() {
    let client = Client::new();
    let breaking = || serve(Manner { breaks_after: 100_000, ..GOOD });
    let parts = vec![breaking(), breaking(), serve(GOOD), serve(GOOD)];
    play_together(&client, &[], "PGET -n 2 a", parts).expect(0);
    assert!(client.read("a") == noise(SIZE, 9));
    assert_eq!(client.names(), ["a"]);
}

fn without_rest_the_whole_file_is_fetched_over_one_connection() {
    let client = Client::new();
    let parts =
        vec![serve(Manner { refuses: true, ..GOOD }), serve(Manner { refuses: true, ..GOOD })];
    play_together(&client, &[], "PGET -n 2 a", parts).expect(0);
    assert!(client.read("a") == noise(SIZE, 9));
}

fn a_server_that_ignores_rest_is_used_over_one_connection() {
    let client = Client::new();
    let deaf = || serve(Manner { deaf: true, ..GOOD });
    play_together(&client, &[], "PGET -n 2 a", vec![deaf(), deaf()]).expect(0);
    assert!(client.read("a") == noise(SIZE, 9));
}

#[test]
fn ranges_of_a_changed_file_are_not_combined() {
    let client = Client::new();
    client.write("a", "old");
    let changing = || serve(Manner { times: [TIME, "213 20260102030405"], ..GOOD });
    play_together(&client, &[], "PGET -n 2 a", vec![changing(), changing()])
        .expect(1)
        .expect_error("does not match the remote file");
    assert_eq!(client.read("a"), b"old");
    assert_eq!(client.names(), ["a"]);
}

#[test]
fn ranges_of_a_file_that_has_grown_are_combined() {
    let client = Client::with_file("a", "old");
    let times = [TIME, "213 20260102030405"];
    let growing = |seed| move || serve(Manner { times, grows: 1000, seed, ..GOOD });
    let (same, other) = (growing(9), growing(10));
    play_together(&client, &[], "PGET -n 2 a", vec![other(), other()])
        .expect(1)
        .expect_error("does not match the remote file");
    assert_eq!(client.read("a"), b"old");
    play_together(&client, &[], "PGET -n 2 a", vec![same(), same()]).expect(0);
    assert!(client.read("a") == noise(SIZE, 9));
    assert_eq!(client.names(), ["a"]);
}

fn a_rate_limit_changes_no_byte() {
    let (server, client) = (Server::start(), Client::new());
    server.write("a", noise(100_000, 9));
    let port = server.addr().port().to_string();
    let commands = "RETRIEVE a; STORE a b; PGET a c; MGET a";
    client.run(&["--rate-limit", "1M", "-c", commands, "127.0.0.1", &port]).expect(0);
    assert!(client.read("a") == noise(100_000, 9) && server.read("b") == noise(100_000, 9));
    assert!(client.read("c") == noise(100_000, 9));
}

/// Sends the file, and reports the same size and time.
fn finish(server: &mut ScriptedServer, waiting: &TcpListener) {
    server.answer("RETR a", "150 here");
    accept(waiting).write_all(&noise(SIZE, 9)).unwrap();
    server.say("226 done");
    assert_eq!(server.piece().unwrap(), ["SIZE a", "MDTM a"]);
    server.say(&format!("213 {SIZE}\r\n{TIME}"));
    server.finish();
}

#[test]
fn size_time_and_epsv_are_pipelined() {
    let client = Client::new();
    play_all(
        &client,
        &[],
        "PGET -n 1 a",
        vec![Box::new(|server| {
            server.welcome();
            assert_eq!(server.piece().unwrap(), ["TYPE I", "SIZE a", "MDTM a", "EPSV"]);
            let waiting = listener();
            let port = waiting.local_addr().unwrap().port();
            server.say(&format!("200 ok\r\n213 {SIZE}\r\n{TIME}\r\n229 (|||{port}|)"));
            finish(server, &waiting);
        })],
    )
    .expect(0);
    assert!(client.read("a") == noise(SIZE, 9));
}

fn a_server_that_drops_pipelined_commands_gets_one_at_a_time() {
    let client = Client::new();
    let first: Script<'_> = Box::new(|server| {
        server.welcome();
        assert_eq!(server.piece().unwrap().len(), 4);
        server.say("200 ok");
        assert_eq!(server.next(), None);
    });
    let second: Script<'_> = Box::new(|server| {
        server.welcome();
        for (verb, reply) in [("TYPE I", "200 ok"), ("SIZE a", "213 3000000"), ("MDTM a", TIME)] {
            assert_eq!(server.piece().unwrap(), [verb]);
            server.say(reply);
        }
        let waiting = server.epsv();
        server.answer("RETR a", "150 here");
        accept(&waiting).write_all(&noise(SIZE, 9)).unwrap();
        server.say("226 done");
        server.answer("SIZE a", "213 3000000");
        server.answer("MDTM a", TIME);
        server.finish();
    });
    play_all(&client, &["--timeout", "1"], "PGET -n 1 a", vec![first, second]).expect(0);
    assert!(client.read("a") == noise(SIZE, 9));
}
