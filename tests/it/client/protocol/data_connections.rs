//! Negotiation of data connections: EPSV, and PASV if EPSV is useless or turned off.

use crate::support::scripted_server::{Script, ScriptedServer, TIME, listener, play, play_all};
use crate::support::wire::accept;
use crate::support::{Client, at_once};
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

/// Returns a listener whose queue is full, so that connecting times out, and the connections that fill it.
fn swallowing() -> (TcpListener, Vec<TcpStream>) {
    let listener = listener();
    let address = listener.local_addr().unwrap();
    let connect = || TcpStream::connect_timeout(&address, Duration::from_millis(100)).ok();
    let queue = std::iter::from_fn(connect).collect();
    (listener, queue)
}

/// Replies to PASV and RETR, and sends the file.
fn retrieve_by_pasv(server: &mut ScriptedServer) {
    let listener = listener();
    let [high, low] = listener.local_addr().unwrap().port().to_be_bytes();
    server.answer("PASV", &format!("227 Passive (127,0,0,1,{high},{low})"));
    server.answer("RETR", "150 here");
    accept(&listener).write_all(b"content").unwrap();
    server.say("226 done");
}

fn answer_size_and_time(server: &mut ScriptedServer) {
    server.answer("SIZE", "213 7");
    server.answer("MDTM", TIME);
}

#[test]
fn after_a_useless_reply_to_epsv_the_client_uses_pasv() {
    let (_silent, queue) = swallowing();
    let swallowed = queue[0].peer_addr().unwrap().port();
    let replies = [
        "425 no".to_owned(),
        "451 no".to_owned(),
        "522 no".to_owned(),
        "200 ok".to_owned(),
        "229 ok".to_owned(),
        "229 (|||0|)".to_owned(),
        "229 (|2|::1|1026|)".to_owned(),
        // The client's own port is taken, and nobody listens there.
        "229 (|||OWN|)".to_owned(),
        format!("229 (|||{swallowed}|)"),
    ];
    at_once(&replies, |reply| {
        let client = Client::new();
        let script: Script<'_> = Box::new(|server| {
            let own = server.peer().unwrap().port().to_string();
            server.welcome();
            server.answer("TYPE I", "200 binary");
            answer_size_and_time(server);
            server.answer("EPSV", &reply.replace("OWN", &own));
            retrieve_by_pasv(server);
            answer_size_and_time(server);
            retrieve_by_pasv(server);
            server.finish();
        });
        let options = ["--retries", "0", "--timeout", "6"];
        play_all(&client, &options, "RETRIEVE a; RETRIEVE a b", vec![script]).expect(0);
        assert_eq!(client.read("b"), b"content", "{reply}");
    });
}

#[test]
fn if_pasv_is_refused_too_the_error_is_that_of_epsv() {
    let client = Client::new();
    let script: Script<'_> = Box::new(|server| {
        server.welcome();
        server.answer("TYPE I", "200 binary");
        answer_size_and_time(server);
        server.answer("EPSV", "522 use IPv6");
        server.answer("PASV", "502 what?");
        server.finish();
    });
    let run = play_all(&client, &["--retries", "0"], "RETRIEVE a", vec![script]);
    run.expect(1).expect_error("522 use IPv6");
}

#[test]
fn epsv_is_turned_off_and_on() {
    for command in ["EPSV", "EPSV4"] {
        let client = Client::new();
        let commands = format!("EPSV6 off; {command} off; GET a; {command} on; GET a b");
        play(&client, &commands, |server| {
            server.welcome();
            server.answer("TYPE I", "200 binary");
            answer_size_and_time(server);
            retrieve_by_pasv(server);
            answer_size_and_time(server);
            server.retr().write_all(b"content").unwrap();
            server.say("226 done");
            server.finish();
        })
        .expect(0);
    }
}
