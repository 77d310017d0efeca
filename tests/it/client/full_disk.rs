//! The client with a full disk: it fails at once, keeps old files, and frees the space.
//!
//! The disk is a small tmpfs in a mount namespace that ends with the test.

use crate::support::{Client, Run, Server, eventually, noise};
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// The size of a file that fits, and of one that does not.
const FITS: usize = 200_000;
const LARGE: usize = 8 << 20;

/// A disk of 2 MiB, and the process that keeps its namespace.
struct Disk {
    keeper: Child,
    client: Client,
}

impl Disk {
    /// Creates a disk with these mount options and an old file `a`.
    fn with(options: &str) -> Disk {
        let client = Client::new();
        let script = "mount -t tmpfs -o \"$0\" none \"$1\" && echo ready && exec cat";
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation", "private", "sh", "-c", script, options]);
        command.arg(client.path("")).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut keeper = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(keeper.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let disk = Disk { keeper, client };
        assert_eq!(line, "ready\n");
        fs::write(disk.path("a"), "old").unwrap();
        disk
    }

    /// Returns a path from outside of the namespace.
    fn path(&self, name: &str) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.keeper.id()));
        root.join(self.client.path(name).strip_prefix("/").unwrap())
    }

    fn names(&self, dir: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(dir)).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    }

    /// Runs the client on the disk.
    fn run(&self, server: &Server, commands: &str) -> Run {
        let (pid, port) = (self.keeper.id().to_string(), server.addr().port().to_string());
        let script = "cd \"$0\" && exec \"$@\"";
        self.client.run_by(
            &["nsenter", "--target", &pid, "--mount", "sh", "-c", script],
            &[self.client.path("").to_str().unwrap()],
            &["-c", commands, "127.0.0.1", &port],
        )
    }

    /// Checks that the commands fail because the disk is full, without retries, and keep the old file.
    #[track_caller]
    fn is_too_small_for(&self, server: &Server, commands: &str) {
        let run = self.run(server, commands).expect(1).expect_error("No space left");
        assert!(!run.stderr.contains("trying again"), "{run:#?}");
        assert_eq!(fs::read(self.path("a")).unwrap(), b"old");
    }

    fn assert_room(&self) {
        fs::write(self.path("room"), noise(FITS, 1)).expect("room for something else");
        fs::remove_file(self.path("room")).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = self.keeper.kill();
        let _ = self.keeper.wait();
    }
}

/// Returns the number of requested files.
fn asked(server: &Server) -> usize {
    server.log().lines().filter(|line| line.contains("RETR ")).count()
}

fn server() -> Server {
    let server = Server::with(&["--log-level", "debug"]);
    server.write("a", noise(LARGE, 7));
    server
}

#[test]
#[ignore = "needs root"]
fn a_file_that_is_too_large_fails_at_once_and_is_removed() {
    let (server, disk) = (server(), Disk::with("size=2m"));
    for (tries, command) in (1..).zip(["RETRIEVE a", "RETRIEVE a", "MGET a"]) {
        disk.is_too_small_for(&server, command);
        assert_eq!(disk.names(""), ["a"], "{command}");
        eventually("the log of that", || asked(&server) == tries);
        disk.assert_room();
    }
}

#[test]
#[ignore = "needs root"]
fn a_file_in_ranges_fails_at_once_and_is_removed() {
    let (server, disk) = (server(), Disk::with("size=2m"));
    disk.is_too_small_for(&server, "PGET -n 4 a");
    assert_eq!(disk.names(""), ["a"]);
    assert!(asked(&server) <= 4);
    disk.assert_room();
}

#[test]
#[ignore = "needs root"]
fn a_full_disk_ends_a_batch_after_the_files_that_fit() {
    const FILES: usize = 40;
    let (server, disk) = (server(), Disk::with("size=2m"));
    server.make_dir("d");
    (0..FILES).for_each(|n| server.write(format!("d/f{n:02}"), noise(FITS, n as u64)));
    for (command, dir) in [("MGET d/f*", ""), ("MIRROR d m", "m")] {
        let before = asked(&server);
        disk.is_too_small_for(&server, command);
        assert!(asked(&server) - before < FILES / 2, "{command} went on");
        let names = disk.names(dir);
        let fetched: Vec<&String> = names.iter().filter(|name| *name != "a").collect();
        assert!(fetched.len() >= 4, "{names:?}");
        for name in fetched {
            let number: u64 = name.strip_prefix('f').expect(name).parse().expect(name);
            let path = disk.path(dir).join(name);
            assert!(fs::read(&path).unwrap() == noise(FITS, number), "{name}");
            fs::remove_file(path).unwrap();
        }
    }
}

#[test]
#[ignore = "needs root"]
fn a_disk_without_room_for_a_name_is_an_error() {
    let (server, disk) = (server(), Disk::with("size=2m,nr_inodes=10"));
    (0..).take_while(|n| fs::write(disk.path(&format!("file {n}")), "").is_ok()).count();
    let names = disk.names("");
    for command in ["RETRIEVE a", "MGET a", "PGET a", "MIRROR . m"] {
        disk.is_too_small_for(&server, command);
        assert_eq!(disk.names(""), names, "{command}");
    }
    assert_eq!(asked(&server), 0);
}
