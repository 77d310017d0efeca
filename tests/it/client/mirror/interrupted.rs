//! Mirrors that are interrupted by the server, Ctrl-C or SIGKILL, and run again.

use crate::support::{Client, Server, eventually, noise, signal};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Child;

const FILES: usize = 60;
const SIZE: usize = 100_000;
const CONNECTIONS: usize = 4;

fn content(number: usize) -> Vec<u8> {
    noise(SIZE + number, number as u64 + 1)
}

fn fill(dir: &Path) {
    for number in 0..FILES {
        let sub = dir.join(format!("sub {}", number % 3));
        fs::create_dir_all(&sub).unwrap();
        fs::write(sub.join(format!("file {number}")), content(number)).unwrap();
    }
}

/// Returns all files below a directory.
fn all(dir: &Path) -> Vec<PathBuf> {
    let subs = (0..3).map(|sub| dir.join(format!("sub {sub}")));
    let entries = subs.filter_map(|sub| fs::read_dir(sub).ok()).flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}

/// Returns all files except partial ones.
fn files(dir: &Path) -> Vec<PathBuf> {
    let mut paths = all(dir);
    paths.retain(|path| !path.file_name().unwrap().to_string_lossy().starts_with('.'));
    paths
}

#[track_caller]
fn assert_whole(dir: &Path) {
    assert_eq!(files(dir).len(), FILES);
    for number in 0..FILES {
        let path = dir.join(format!("sub {}/file {number}", number % 3));
        assert!(fs::read(&path).unwrap() == content(number), "{}", path.display());
    }
}

/// Starts a mirror that is slow enough to be interrupted, and waits until it has begun.
fn begin(client: &Client, server: &Server, command: &str, target: &Path) -> Child {
    let (host, port) = (server.addr().ip().to_string(), server.addr().port().to_string());
    let slowly = ["-q", "--retries", "0", "--rate-limit", "2M", "-c", command, &host, &port];
    let child = client.spawn(&slowly);
    eventually("some files", || files(target).len() >= 5);
    child
}

/// Waits until the server has no sessions.
fn wait_for_end(server: &Server) {
    let count = |word| server.log().lines().filter(|line| line.contains(word)).count();
    eventually("all sessions to end", || {
        count(" info  connected ") == count(" info  lost ") + count(" info  closed ")
    });
}

/// Runs the mirror again, and checks that only the rest is transferred and all files are complete.
#[track_caller]
fn do_the_rest(client: &Client, server: &Server, command: &str, target: &Path) {
    let there = files(target).len();
    assert!(there < FILES, "it was interrupted");
    let port = server.addr().port().to_string();
    let run = client.run(&["--json", "-q", "-c", command, "127.0.0.1", &port]).expect(0);
    let (done, rest) = (run.stdout.lines().count(), FILES - there);
    // The times of the last uploads have not been set on the server.
    let untold = if command.contains("-R") { CONNECTIONS } else { 0 };
    assert!((rest..=rest + untold).contains(&done), "{rest} are the rest: {run:#?}");
    assert_whole(target);
    let dry = client.at(server.addr(), command.replace("MIRROR", "MIRROR --dry-run")).expect(0);
    assert_eq!(dry.stdout, "");
}

#[test]
fn an_interrupted_mirror_fetches_the_rest() {
    for (name, status) in [("INT", Some(130)), ("TERM", Some(143)), ("KILL", None)] {
        let (server, client) = (Server::start(), Client::new());
        fill(&server.path("d"));
        let target = client.path("d");
        let child = begin(&client, &server, "MIRROR d", &target);
        signal(&child, name);
        assert_eq!(child.wait_with_output().unwrap().status.code(), status, "{name}");
        do_the_rest(&client, &server, "MIRROR d", &target);
        assert_eq!(all(&target).len(), FILES, "{:?}", all(&target));
    }
}

#[test]
fn an_interrupted_reverse_mirror_sends_the_rest() {
    for name in ["INT", "TERM", "KILL"] {
        let (server, client) = (Server::start(), Client::new());
        fill(&client.path("d"));
        let target = server.path("d");
        let child = begin(&client, &server, "MIRROR -R d", &target);
        signal(&child, name);
        assert!(!child.wait_with_output().unwrap().status.success(), "{name}");
        wait_for_end(&server);
        do_the_rest(&client, &server, "MIRROR -R d", &target);
    }
}

#[test]
fn a_mirror_continues_after_a_restart_of_the_server() {
    let (server, client) = (Server::start(), Client::new());
    fill(&server.path("d"));
    let target = client.path("d");
    let child = begin(&client, &server, "MIRROR d", &target);
    let root = server.crash();
    let output = child.wait_with_output().unwrap();
    assert!(!output.status.success(), "{output:?}");
    let server = Server::launch(root, "127.0.0.1", &[]);
    do_the_rest(&client, &server, "MIRROR d", &target);
}
