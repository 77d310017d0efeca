//! Uploads of a client that is killed, and the commands that continue them on `ftp_server`.

use crate::support::{Client, Server, eventually, noise};

const SIZE: usize = 3_000_000;

/// The number of bytes that the server has before the client is killed.
const BEFORE: u64 = 1_200_000;

/// Sends `d/a` slowly and kills the client; returns the number of bytes that the server keeps in `d`.
fn kill(command: &str, client: &Client, server: &Server) -> u64 {
    let (host, port) = (server.addr().ip().to_string(), server.addr().port().to_string());
    let words = ["--rate-limit", "8M", "-c", command, &host, &port];
    let mut child = client.spawn(&words);
    let kept = || {
        std::fs::create_dir_all(server.path("d")).unwrap();
        server.partial_sizes("d").first().copied().unwrap_or(0)
    };
    eventually("the first half", || kept() >= BEFORE);
    child.kill().unwrap();
    child.wait().unwrap();
    server.wait_for_log(&["stor", "failed"]);
    kept()
}

#[test]
fn reput_and_mirror_continue_the_upload_of_a_killed_client() {
    for command in ["REPUT d/a d/a", "MIRROR -R d d", "MIRROR -R d /d"] {
        let (server, client) = (Server::with(&["--log-level", "debug"]), Client::new());
        std::fs::create_dir(client.path("d")).unwrap();
        client.write("d/a", noise(SIZE, 3));
        let kept = kill(&command.replace("REPUT", "STORE"), &client, &server);
        client.at(server.addr(), command).expect(0);
        assert!(server.read("d/a") == noise(SIZE, 3), "{command}");
        assert_eq!(server.partials("d"), 0);
        assert!(server.log().contains(&format!("REST {kept}")), "{command}: {kept} are there");
    }
}

#[test]
fn a_remote_file_that_is_not_the_beginning_of_the_local_one_is_replaced() {
    for command in ["REPUT d/a d/a", "MIRROR -R d d"] {
        let (server, client) = (Server::with(&["--log-level", "debug"]), Client::new());
        std::fs::create_dir(client.path("d")).unwrap();
        client.write("d/a", noise(SIZE, 3));
        kill("STORE d/a d/a", &client, &server);
        // All but the first byte is the same.
        let mut other = noise(SIZE, 3);
        other[0] ^= 1;
        client.write("d/a", &other);
        client.at(server.addr(), command).expect(0);
        assert!(server.read("d/a") == other, "{command}");
        assert!(!server.log().contains("REST"), "{command}");
        assert_eq!(server.partials("d"), 0);
    }
}

#[test]
fn a_mirror_replaces_an_existing_file_and_does_not_continue_it() {
    let (server, client) = (Server::with(&["--log-level", "debug"]), Client::new());
    for dir in [client.path("d"), server.path("d")] {
        std::fs::create_dir(dir).unwrap();
    }
    client.write("d/a", noise(SIZE, 3));
    server.write("d/a", &noise(SIZE, 3)[..SIZE / 2]);
    client.at(server.addr(), "MIRROR -R d d").expect(0);
    assert!(server.read("d/a") == noise(SIZE, 3));
    assert!(!server.log().contains("REST"));
}
