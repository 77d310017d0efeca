//! Servers that allow only one session: cameras, printers, microcontrollers.

use crate::support::scripted_server::{ScriptedServer, TIME, listener};
use crate::support::{Client, Run, noise};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

const NAMES: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

/// Large enough for PGET to fetch it in ranges.
const SIZE: usize = 1_200_000;

fn content(name: &str) -> Vec<u8> {
    match name {
        "big" => noise(SIZE, 3),
        name => format!("content of {name}").into_bytes(),
    }
}

/// Serves a session until it ends; `let_in` is called at its beginning.
fn serve(server: &mut ScriptedServer, let_in: &dyn Fn(TcpStream)) {
    let mut from = 0;
    server.serve(|server, verb, operand| {
        match verb {
            "PASS" => {
                server.say("230 in");
                let_in(server.line());
            }
            "MLSD" => server.say("500 what?"),
            "LIST" => {
                let line = |name: &&str| format!("-rw-r--r-- 1 0 0 12 Jan 1 2020 {name}\r\n");
                give(server, NAMES.iter().map(line).collect::<String>().as_bytes());
            }
            "SIZE" => server.say(&format!("213 {}", content(operand).len())),
            "MDTM" => server.say(TIME),
            "PWD" => server.say("257 \"/\""),
            "REST" => {
                from = operand.parse().unwrap();
                server.say("350 go ahead");
            }
            "RETR" => give(server, &content(operand)[std::mem::take(&mut from)..]),
            "STOR" => {
                server.say("150 give me");
                let _ = server.data().read_to_end(&mut Vec::new());
                server.say("226 done");
            }
            _ => return false,
        }
        true
    });
}

/// Sends a file to a client that may have closed the connection.
fn give(server: &mut ScriptedServer, bytes: &[u8]) {
    server.say("150 here");
    let sent = server.data().write_all(bytes);
    server.say(if sent.is_ok() { "226 done" } else { "426 you left" });
}

/// Runs commands with a server that runs `accept` until the flag shows that the client has
/// ended and another connection arrives.
fn run(
    client: &Client,
    commands: &str,
    accept: impl FnOnce(&TcpListener, &AtomicBool) + Send,
) -> Run {
    let (listener, is_over) = (listener(), AtomicBool::new(false));
    let address = listener.local_addr().unwrap();
    let port = address.port().to_string();
    thread::scope(|scope| {
        let server = scope.spawn(|| accept(&listener, &is_over));
        let words = ["--timeout", "60", "-j", "4", "-c", commands, "127.0.0.1", &port];
        let run = client.run(&words);
        is_over.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(address));
        assert!(server.join().is_ok(), "the client left the script: {run:#?}");
        run
    })
}

/// Runs commands with a server where each new session ends the previous one; returns the number of sessions.
fn run_where_the_last_wins(client: &Client, commands: &str) -> (Run, usize) {
    let (current, begun) = (Mutex::new(None::<TcpStream>), AtomicUsize::new(0));
    let let_in = |line: TcpStream| {
        begun.fetch_add(1, Ordering::SeqCst);
        let before = current.lock().unwrap().replace(line);
        before.map(|before| before.shutdown(Shutdown::Both));
    };
    let run = run(client, commands, |listener, is_over| {
        thread::scope(|scope| {
            loop {
                let mut server = ScriptedServer::on(listener);
                if is_over.load(Ordering::SeqCst) {
                    break;
                }
                scope.spawn(move || serve(&mut server, &let_in));
            }
        });
    });
    (run, begun.into_inner())
}

fn assert_fetched(client: &Client, names: &[&str]) {
    for name in names {
        assert!(client.read(name) == content(name), "{name}");
    }
}

/// The number of runs of each command.
const RUNS: usize = 10;

/// The number of sessions until the client has detected the limit: some commands finish before the helpers
/// connect. Without detection there would be four sessions in each run.
const MOST_SESSIONS: usize = 20;

#[test]
fn a_server_with_one_session_is_detected() {
    for (command, names) in [
        ("MGET *", &NAMES[..]),
        ("MGET a b c d e f", &NAMES[..]),
        ("MIRROR", &NAMES[..]),
        ("PGET big", &["big"][..]),
    ] {
        let client = Client::new();
        let (run, begun) = run_where_the_last_wins(&client, &[command; RUNS].join(";"));
        let run = run.expect(0);
        assert_fetched(&client, names);
        let told = run.stderr.matches("continuing with one connection").count();
        assert!(told <= 1, "{command}: {run:#?}");
        assert!(begun <= MOST_SESSIONS, "{command}: {begun} sessions, {run:#?}");
    }
}

#[test]
fn uploads_to_a_server_with_one_session_succeed() {
    let client = Client::new();
    NAMES.iter().for_each(|name| client.write(name, content(name)));
    let (run, begun) = run_where_the_last_wins(&client, &["MPUT *"; RUNS].join(";"));
    run.expect(0);
    assert!(begun <= MOST_SESSIONS, "{begun} sessions");
}

#[test]
fn helpers_without_a_greeting_do_not_delay_the_end_of_a_command() {
    for (commands, names) in [
        ("MGET *; MGET *", &NAMES[..]),
        ("MIRROR; MIRROR", &NAMES[..]),
        ("PGET big; PGET big", &["big"][..]),
    ] {
        let client = Client::new();
        // The other connections wait in the queue of the listener.
        let only = |listener: &TcpListener, _: &AtomicBool| {
            serve(&mut ScriptedServer::on(listener), &|_| ());
        };
        run(&client, commands, only).expect(0);
        assert_fetched(&client, names);
    }
}
