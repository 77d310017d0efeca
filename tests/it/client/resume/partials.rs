//! Interrupted downloads, and how the same command continues them.

use super::lockstep::{Fetching, Lockstep, PIECE};
use crate::support::random::{Random, setting};
use crate::support::scripted_server::TIME;
use crate::support::{Client, Run, at_once, eventually, noise, signal};
use std::fs;
use std::os::unix::fs::symlink;
use std::process::Child;

const SIZE: usize = 1_200_000;

/// The number of bytes before the interruption.
const BEFORE: usize = 500_000;

/// The largest number of bytes that each connection may fetch twice.
const TWICE: usize = 64 * 1024;

const RETRIEVE: Fetching =
    Fetching { command: "RETRIEVE a", dir: "", files: &["a"], connections: 1 };
const REGET: Fetching = Fetching { command: "REGET a", ..RETRIEVE };
const MGET: Fetching = Fetching { command: "MGET a", ..RETRIEVE };
const PGET: Fetching = Fetching { command: "PGET a", connections: 3, ..RETRIEVE };
const MIRROR: Fetching =
    Fetching { command: "MIRROR / m", dir: "m", files: &["x", "y", "z"], connections: 2 };

const ALL: [Fetching; 5] = [RETRIEVE, REGET, MGET, PGET, MIRROR];

fn content(name: &str) -> Vec<u8> {
    noise(SIZE, name.as_bytes()[0].into())
}

/// Runs a test with a server that has the files.
fn scene(fetching: Fetching, play: impl Fn(&Client, &Lockstep)) {
    let client = Client::new();
    let files: Vec<_> = fetching.files.iter().map(|name| (*name, content(name))).collect();
    Lockstep::run(client.path(fetching.dir), &files, |server| play(&client, server));
}

fn start(fetching: Fetching, client: &Client, server: &Lockstep) -> Child {
    let words = fetching.words(server);
    client.spawn(&words.iter().map(String::as_str).collect::<Vec<_>>())
}

/// Starts the command and kills it after this number of bytes, unless it ends before.
fn kill_after(bytes: usize, fetching: Fetching, client: &Client, server: &Lockstep) {
    let end = server.arrived() + bytes;
    let mut child = start(fetching, client, server);
    eventually("the bytes before the end", || {
        server.arrived() >= end || child.try_wait().unwrap().is_some()
    });
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Checks that the command fetches the rest and leaves only the files.
#[track_caller]
fn does_the_rest(fetching: Fetching, client: &Client, server: &Lockstep) -> Run {
    server.go_on();
    let run = client.run(&fetching.words(server)).expect(0);
    for name in fetching.files {
        let path = client.path(fetching.dir).join(name);
        assert!(fs::read(path).unwrap() == content(name), "{fetching:?}: {name} {run:?}");
    }
    assert_eq!(fetching.names(client), fetching.files, "{fetching:?}");
    run
}

/// Checks that in several runs no connection received more than that twice, apart from what is in flight at
/// the end of a range: the rest of the piece that contains the end, and one more piece.
#[track_caller]
fn assert_sent_once(fetching: Fetching, server: &Lockstep) {
    let again = server.sent() - fetching.files.len() * SIZE;
    let (runs, transfers) = (server.runs(), server.transfers());
    let most = (runs - 1) * fetching.connections * TWICE + transfers * 2 * PIECE;
    assert!(again <= most, "{fetching:?}: {again} bytes in {transfers} transfers of {runs} runs");
}

#[test]
fn every_command_continues_a_download_that_a_signal_stopped() {
    let statuses = [("INT", 130), ("TERM", 143), ("HUP", 129)];
    let scenes = statuses.iter().flat_map(|signal| ALL.map(|fetching| (*signal, fetching)));
    at_once(scenes.collect::<Vec<_>>(), |((name, status), fetching)| {
        scene(fetching, |client, server| {
            server.stop_after(BEFORE, false);
            let child = start(fetching, client, server);
            eventually("the first half", || server.arrived() >= BEFORE);
            signal(&child, name);
            let output = child.wait_with_output().unwrap();
            let told = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(status), "{name} {fetching:?}: {told}");
            let continued_by = match fetching.command {
                "RETRIEVE a" | "REGET a" => "of 1.1 MiB kept; use REGET a to continue",
                "PGET a" => "of 1.1 MiB kept; use PGET a to continue",
                "MGET a" => "kept; use the same MGET to continue",
                _ => "kept; use the same MIRROR to continue",
            };
            assert!(told.contains(continued_by), "{name} {fetching:?}: {told}");
            does_the_rest(fetching, client, server);
            assert_sent_once(fetching, server);
        });
    });
}

#[test]
fn every_command_continues_a_download_after_a_lost_connection() {
    at_once(ALL, |fetching| {
        scene(fetching, |client, server| {
            server.stop_after(BEFORE, true);
            let run = client.run(&fetching.words(server));
            assert!(run.stderr.contains(" kept; "), "{fetching:?}: {run:?}");
            does_the_rest(fetching, client, server);
            assert_sent_once(fetching, server);
        });
    });
}

#[test]
fn any_command_continues_the_partial_file_of_another() {
    let one_file = [RETRIEVE, REGET, MGET, PGET];
    let pairs = one_file.iter().flat_map(|first| one_file.map(|second| (*first, second)));
    at_once(pairs.collect::<Vec<_>>(), |(first, second)| {
        scene(first, |client, server| {
            server.stop_after(BEFORE, false);
            kill_after(BEFORE, first, client, server);
            does_the_rest(second, client, server);
            assert_sent_once(first, server);
        });
    });
}

/// Kills the client at random moments; the next run must continue the partial file.
///
/// `KILLS=50 KILLS_SEED=7 cargo test --test it partials` kills more often.
#[test]
fn after_sigkill_at_any_moment_the_same_command_fetches_the_rest() {
    let (rounds, seed) = (setting("KILLS", 3), setting("KILLS_SEED", 1));
    at_once([RETRIEVE, PGET, MIRROR], |fetching| {
        let mut random = Random(seed);
        for round in 0..rounds {
            scene(fetching, |client, server| {
                let all = (SIZE * fetching.files.len()) as u64;
                let bytes = random.clone().below(all) as usize;
                kill_after(bytes, fetching, client, server);
                let was_done = fetching.names(client) == fetching.files;
                does_the_rest(fetching, client, server);
                println!("round {round} of {fetching:?}, seed {seed}: after {bytes} bytes");
                // RETRIEVE and PGET replace a file that was already complete.
                if !was_done {
                    assert_sent_once(fetching, server);
                }
            });
            random.number();
        }
    });
}

#[test]
fn a_client_that_is_killed_repeatedly_completes_the_download() {
    at_once([RETRIEVE, PGET, MIRROR], |fetching| {
        scene(fetching, |client, server| {
            for _ in 0..3 {
                server.stop_after(SIZE / 5, false);
                kill_after(SIZE / 5, fetching, client, server);
            }
            does_the_rest(fetching, client, server);
            assert_sent_once(fetching, server);
        });
    });
}

#[test]
fn a_partial_file_of_another_version_is_removed() {
    const LATER: &str = "213 20260102030405";
    at_once(ALL, |fetching| {
        for (size, time) in [(SIZE, LATER), (SIZE - 1, TIME)] {
            scene(fetching, |client, server| {
                server.stop_after(BEFORE, false);
                kill_after(BEFORE, fetching, client, server);
                server.go_on();
                let content = noise(size, 99);
                for name in fetching.files {
                    server.replace(name, content.clone(), time);
                }
                client.run(&fetching.words(server)).expect(0);
                for name in fetching.files {
                    let path = client.path(fetching.dir).join(name);
                    assert!(fs::read(path).unwrap() == content, "{fetching:?} {time}");
                }
                assert_eq!(fetching.names(client), fetching.files, "{fetching:?}");
            });
        }
    });
}

#[test]
fn mirror_with_delete_removes_partial_files_of_deleted_files() {
    let fetching = Fetching { command: "MIRROR --delete / m", connections: 3, ..MIRROR };
    scene(fetching, |client, server| {
        server.stop_after(BEFORE, false);
        kill_after(BEFORE, fetching, client, server);
        assert!(fetching.names(client).iter().any(|name| name.starts_with(".x.part-")));
        server.remove("x");
        let rest = Fetching { files: &["y", "z"], ..fetching };
        let mut parts = fetching.names(client);
        // A directory that no longer exists on the server also contained partial files.
        fs::create_dir(client.path("m/gone")).unwrap();
        fs::write(client.path("m/gone").join(parts.remove(0)), "part").unwrap();
        does_the_rest(rest, client, server);
    });
}

#[test]
fn a_link_with_the_name_of_a_partial_file_is_replaced_and_not_followed() {
    at_once(ALL, |fetching| {
        scene(fetching, |client, server| {
            server.stop_after(BEFORE, false);
            kill_after(BEFORE, fetching, client, server);
            fs::create_dir(client.path("elsewhere")).unwrap();
            let victim = client.path("elsewhere/victim");
            fs::write(&victim, "victim").unwrap();
            for part in fetching.names(client).iter().filter(|name| name.starts_with('.')) {
                let part = client.path(fetching.dir).join(part);
                fs::remove_file(&part).unwrap();
                symlink(&victim, part).unwrap();
            }
            server.go_on();
            client.run(&fetching.words(server)).expect(0);
            assert_eq!(fs::read(&victim).unwrap(), b"victim", "{fetching:?}");
            fs::remove_dir_all(client.path("elsewhere")).unwrap();
            assert_eq!(fetching.names(client), fetching.files, "{fetching:?}");
        });
    });
}

#[test]
fn two_clients_at_once_do_not_mix_their_bytes() {
    at_once([RETRIEVE, PGET], |fetching| {
        scene(fetching, |client, server| {
            server.stop_after(BEFORE, false);
            let first = start(fetching, client, server);
            eventually("the first half", || server.arrived() >= BEFORE);
            let held = fetching.names(client);
            let second = start(fetching, client, server);
            eventually("a part of its own", || fetching.names(client).len() > held.len());
            server.go_on();
            for child in [first, second] {
                let output = child.wait_with_output().unwrap();
                assert!(output.status.success(), "{output:?}");
                assert!(client.read("a") == content("a"));
            }
            assert_eq!(fetching.names(client), ["a"]);
        });
    });
}

#[test]
fn a_partial_file_with_a_damaged_end_is_fetched_again() {
    at_once([RETRIEVE, PGET, MIRROR], |fetching| {
        scene(fetching, |client, server| {
            server.stop_after(BEFORE, false);
            kill_after(BEFORE, fetching, client, server);
            for part in fetching.names(client).iter().filter(|name| name.starts_with('.')) {
                let path = client.path(fetching.dir).join(part);
                let mut bytes = fs::read(&path).unwrap();
                // After a power failure, a file system may leave zeros for data that had not reached the disk.
                let end = bytes.len().min(SIZE);
                bytes[..end].fill(0);
                fs::write(path, bytes).unwrap();
            }
            does_the_rest(fetching, client, server);
        });
    });
}

#[test]
fn without_sizes_and_times_the_end_of_a_partial_file_is_compared() {
    at_once([RETRIEVE, REGET, MGET], |fetching| {
        for is_changed in [false, true] {
            scene(fetching, |client, server| {
                server.tell_nothing();
                server.stop_after(BEFORE, false);
                kill_after(BEFORE, fetching, client, server);
                server.go_on();
                if is_changed {
                    server.replace("a", noise(SIZE, 99), TIME);
                    client.run(&fetching.words(server)).expect(0);
                    assert!(client.read("a") == noise(SIZE, 99), "{fetching:?}");
                    assert_eq!(client.names(), ["a"]);
                } else {
                    does_the_rest(fetching, client, server);
                    assert_sent_once(fetching, server);
                }
            });
        }
    });
}

#[test]
fn a_partial_file_is_found_from_another_remote_directory() {
    scene(RETRIEVE, |client, server| {
        server.stop_after(BEFORE, false);
        let inside = Fetching { command: "CD d; RETRIEVE a", ..RETRIEVE };
        kill_after(BEFORE, inside, client, server);
        does_the_rest(Fetching { command: "RETRIEVE d/a", ..RETRIEVE }, client, server);
        assert_sent_once(RETRIEVE, server);
    });
}

#[cfg(target_os = "linux")]
#[test]
fn an_unwritable_directory_is_named() {
    scene(RETRIEVE, |client, server| {
        let (port, command) = (server.addr().port().to_string(), "RETRIEVE a /sys/a");
        client
            .run(&["-c", command, "127.0.0.1", &port])
            .expect(1)
            .expect_error("cannot create files in \"/sys\"");
        assert_eq!((server.sent(), client.names()), (0, Vec::<String>::new()));
    });
}
