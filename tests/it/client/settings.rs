//! Options and commands that change settings, and those that are accepted for old scripts.

use crate::support::scripted_server::{TIME, play_all};
use crate::support::wire::accept;
use crate::support::{Client, Server};
use std::fs::File;
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, UNIX_EPOCH};

#[test]
fn cdup_and_lpwd_print_the_directories() {
    let (server, client) = (Server::start(), Client::new());
    server.make_dir("d");
    let run = client.at(server.addr(), "CD d; CDUP; PWD; LPWD").expect(0);
    let here = client.path(".").canonicalize().unwrap();
    assert_eq!(run.stdout.lines().collect::<Vec<_>>(), ["/", here.to_str().unwrap()], "{run:#?}");
}

#[test]
fn umask_and_idle_print_and_set_values() {
    let (server, client) = (Server::start(), Client::new());
    client.write("a", "content");
    let run = client.at(server.addr(), "UMASK 077; UMASK; IDLE 60; IDLE; STORE a").expect(0);
    assert!(run.stdout.contains("077") && run.stdout.contains("60 seconds"), "{run:#?}");
    let mode = server.path("a").metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn size_and_time_are_printed() {
    let (server, client) = (Server::start(), Client::new());
    server.write("a", "content");
    let modified = UNIX_EPOCH + Duration::from_secs(1_735_787_045);
    File::options().write(true).open(server.path("a")).unwrap().set_modified(modified).unwrap();
    client.write("here", "");
    let run = client.at(server.addr(), "SIZE a; MODTIME a; LLS").expect(0);
    for words in ["7", "2025-01-02", "here"] {
        assert!(run.stdout.contains(words), "{words}: {run:#?}");
    }
}

#[test]
fn settings_without_an_effect_are_accepted() {
    let (server, client) = (Server::start(), Client::new());
    client.at(server.addr(), "HASH; MODE; MODE stream; FORM; STRUCT; RESET; TICK; PWD").expect(0);
    client.at(server.addr(), "MODE block").expect(2).expect_error("expected stream");
}

#[test]
fn with_glob_off_wildcards_are_literal() {
    let (server, client) = (Server::start(), Client::new());
    server.write("*", "star");
    server.write("a", "other");
    let port = server.addr().port().to_string();
    client.run(&["-g", "-c", "MGET *", "127.0.0.1", &port]).expect(0);
    assert_eq!(client.names(), ["*"]);
}

#[test]
fn trust_pasv_host_uses_the_address_in_a_227() {
    let client = Client::new();
    let elsewhere = TcpListener::bind(("127.0.0.2", 0)).unwrap();
    let [high, low] = elsewhere.local_addr().unwrap().port().to_be_bytes();
    let options = ["--trust-pasv-host"];
    play_all(
        &client,
        &options,
        "RETRIEVE a",
        vec![Box::new(move |server| {
            server.welcome();
            server.answer("TYPE I", "200 binary");
            server.answer("SIZE", "213 7");
            server.answer("MDTM", TIME);
            server.answer("EPSV", "502 no");
            server.answer("PASV", &format!("227 Passive (127,0,0,2,{high},{low})"));
            server.answer("RETR", "150 here");
            accept(&elsewhere).write_all(b"content").unwrap();
            server.say("226 done");
            server.finish();
        })],
    )
    .expect(0);
    assert_eq!(client.read("a"), b"content");
}
