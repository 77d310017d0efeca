//! Reconnecting with the same login, and the warning about unencrypted passwords.

use crate::support::accounts::PASSWORD;
use crate::support::scripted_server::{Script, ScriptedServer, TIME, play_all};
use crate::support::{Client, Server, noise};
use std::io::Write;
use tempfile::TempDir;

const SIZE: usize = 200_000;
const HALF: usize = 90_000;

/// Runs a login with an account.
fn let_in(server: &mut ScriptedServer) {
    server.say("220 ready");
    server.answer("USER tester", "331 password");
    server.answer("PASS secret", "332 account");
    server.answer("ACCT budget", "230 in");
}

#[test]
fn reconnecting_restores_account_and_directory() {
    let client = Client::new();
    let first: Script<'_> = Box::new(|server| {
        let_in(server);
        server.answer("CWD pub", "250 ok");
        server.answer("CWD deep", "250 ok");
        let mut data = server.begin_retr(&format!("213 {SIZE}"));
        data.write_all(&noise(SIZE, 1)[..HALF]).unwrap();
        server.close();
    });
    let second: Script<'_> = Box::new(|server| {
        let_in(server);
        server.answer("CWD pub", "250 ok");
        server.answer("CWD deep", "250 ok");
        server.answer("TYPE I", "200 binary");
        server.answer("SIZE", &format!("213 {SIZE}"));
        server.answer("MDTM", TIME);
        server.retr_from(HALF).write_all(&noise(SIZE, 1)[HALF..]).unwrap();
        server.say("226 done");
        server.finish();
    });
    let commands = "USER tester secret budget; CD pub; CD deep; RETRIEVE a";
    let run = play_all(&client, &["-n"], commands, vec![first, second]).expect(0);
    assert!(client.read("a") == noise(SIZE, 1));
    for secret in ["secret", "budget"] {
        assert!(!run.stderr.contains(secret), "{run:#?}");
    }
}

#[test]
fn reconnecting_restores_the_type() {
    let client = Client::new();
    let first: Script<'_> = Box::new(|server| {
        server.welcome();
        server.answer("MDTM", TIME);
        server.answer("TYPE A", "200 text");
        let listener = server.epsv();
        server.answer("RETR a", "150 here");
        drop(crate::support::wire::accept(&listener));
        server.close();
    });
    let second: Script<'_> = Box::new(|server| {
        server.welcome();
        server.answer("MDTM", TIME);
        server.answer("TYPE A", "200 text");
        server.retr().write_all(b"one\r\ntwo\r\n").unwrap();
        server.say("226 done");
        server.finish();
    });
    play_all(&client, &[], "ASCII; RETRIEVE a", vec![first, second]).expect(0);
    assert_eq!(client.read("a"), b"one\ntwo\n");
}

/// Addresses outside of loopback, in a separate network namespace.
const ELSEWHERE: [&str; 2] = ["10.9.8.7", "10.9.8.8"];

#[test]
#[ignore = "needs root"]
fn the_warning_about_an_unencrypted_password_is_printed_once() {
    let [one, other] = ELSEWHERE;
    let add = |address| format!("ip addr add {address}/32 dev lo");
    let script = format!("ip link set lo up && {} && {} && exec \"$@\"", add(one), add(other));
    let words = ["unshare", "--net", "sh", "-c", &script, "sh"];
    let client = Client::new();
    let users = client.path("users");
    client.write(
        "users",
        ["one", "two", "three"].map(|name| format!("{name}:{PASSWORD}:read:\n")).concat(),
    );
    let options = ["--users", users.to_str().unwrap()];
    let server = Server::under(&words, TempDir::new().unwrap(), "0.0.0.0", &options);
    let (pid, port) = (server.pid().to_string(), server.addr().port().to_string());
    let warnings = |host: &str, commands: &str| {
        let enter = ["nsenter", "--target", &pid, "--net"];
        let run = client.run_by(&enter, &[], &["-k", "-n", "-c", commands, host, &port]);
        run.stderr.matches("unencrypted").count()
    };
    assert_eq!(warnings(one, "USER one password; USER two password; USER three password"), 1);
    let again = format!("USER one password; CLOSE; CONNECT {one} {port}; USER one password");
    assert_eq!(warnings(one, &again), 1);
    let there_and_back = format!("{again}; CONNECT {other} {port}; USER two password; {again}");
    assert_eq!(warnings(one, &there_and_back), 2);
    assert_eq!(warnings(one, "USER anonymous me@here"), 0);
    // Connections of a machine to itself cannot be intercepted.
    let near = format!("USER one password; CONNECT 127.0.0.2 {port}; USER two password");
    assert_eq!(warnings("127.0.0.1", &near), 0);
}
