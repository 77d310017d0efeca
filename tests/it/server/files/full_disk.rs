//! Full, inode-less and read-only file systems: real ones, each in a mount namespace that ends
//! with its server.

use crate::support::wire::Peer;
use crate::support::{Server, noise};
use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;
use tempfile::TempDir;

const SIZE: usize = 2 << 20;

/// A server whose root is a small file system.
struct Disk {
    server: Server,
}

impl Disk {
    /// Starts a server on an in-memory file system with these mount options and a file `old`.
    fn with(options: &str) -> Disk {
        let script = "mount -t tmpfs -o \"$0\" none \"$1\" && shift && exec \"$@\"";
        let root = TempDir::new().unwrap();
        let path = root.path().to_str().unwrap().to_owned();
        let unshare = ["unshare", "--mount", "--propagation", "private"];
        let shell = ["sh", "-c", script, options, &path];
        let server = Server::under(&[&unshare[..], &shell].concat(), root, "127.0.0.1", &[]);
        let disk = Disk { server };
        fs::write(disk.path("old"), "old").unwrap();
        disk
    }

    /// Returns the path of a name as seen from outside of the namespace.
    fn path(&self, name: &str) -> PathBuf {
        let root = format!("/proc/{}/root{}", self.server.pid(), self.server.root().display());
        PathBuf::from(root).join(name)
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path("")).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    }

    /// Remounts the file system with other options, and returns whether that succeeded.
    fn remount(&self, options: &str) -> bool {
        let pid = self.server.pid().to_string();
        let mut command = Command::new("nsenter");
        command.args(["--target", &pid, "--mount", "mount", "-o", &format!("remount,{options}")]);
        command.arg(self.server.root()).output().unwrap().status.success()
    }

    fn assert_only_old(&self) {
        assert_eq!(fs::read(self.path("old")).unwrap(), b"old");
        assert_eq!(self.names(), ["old"]);
    }
}

/// Sends more data than there is space for, even if the server stops reading.
fn overfill(peer: &mut Peer, command: &str) {
    let mut data = peer.begin(command);
    let _ = data.write_all(&noise(2 * SIZE, 3));
    drop(data);
    peer.expect(552);
}

#[test]
#[ignore = "needs root"]
fn a_full_file_system_is_552_and_leaves_only_the_old_file() {
    let disk = Disk::with("size=2m");
    let mut peer = disk.server.visitor();
    for kind in ["TYPE I", "TYPE A"] {
        peer.say(kind).expect(200);
        for command in ["STOR old", "STOR new", "APPE new", "STOU"] {
            overfill(&mut peer, command);
            disk.assert_only_old();
        }
    }
    // The space that the last upload used is free again.
    peer.say("TYPE I").expect(200);
    peer.stor("new", noise(SIZE / 2, 1));
    assert!(peer.retr("new") == noise(SIZE / 2, 1));
}

#[test]
#[ignore = "needs root"]
fn a_disk_that_fills_while_an_upload_is_resumed_is_552() {
    let disk = Disk::with("size=2m");
    let mut peer = disk.server.visitor();
    peer.break_off("STOR old", noise(100_000, 3));
    peer.epsv();
    peer.say("REST 100000").expect(350);
    overfill(&mut peer, "STOR old");
    disk.assert_only_old();
    peer.break_off("STOR new", noise(100_000, 3));
    overfill(&mut peer, "APPE new");
    disk.assert_only_old();
    overfill(&mut peer, "APPE old");
    assert!(fs::read(disk.path("old")).unwrap().starts_with(b"old"));
    assert_eq!(disk.names(), ["old"]);
}

#[test]
#[ignore = "needs root"]
fn a_full_disk_can_be_read_and_cleaned_up() {
    let disk = Disk::with("size=2m");
    let mut rest = fs::File::create(disk.path("large")).unwrap();
    while rest.write_all(&[7; 4096]).is_ok() {}
    drop(rest);
    let mut peer = disk.server.visitor();
    for command in ["STOR old", "STOR new", "STOU"] {
        overfill(&mut peer, command);
        assert_eq!(disk.names(), ["large", "old"]);
    }
    peer.say("ALLO 4096").expect(552);
    peer.say("AVBL").expect_text(213, "213 0");
    assert_eq!(peer.retr("old"), b"old");
    assert_eq!(peer.lines("NLST"), [&b"large"[..], b"old"]);
    peer.say("DELE large").expect(250);
    peer.stor("old", "new");
    assert_eq!(fs::read(disk.path("old")).unwrap(), b"new");
}

#[test]
#[ignore = "needs root"]
fn out_of_inodes_is_552_and_keeps_existing_files() {
    let disk = Disk::with("size=2m,nr_inodes=20");
    let count =
        (0..).take_while(|n| fs::write(disk.path(&format!("file {n}")), "").is_ok()).count();
    let names = disk.names();
    assert_eq!(names.len(), count + 1);
    let mut peer = disk.server.visitor();
    for command in ["STOR old", "STOR new", "APPE new", "STOU", "MKD new", "SITE SYMLINK old new"] {
        peer.epsv();
        peer.say(command).expect(552);
        assert_eq!(disk.names(), names);
    }
    assert_eq!(peer.retr("old"), b"old");
    // Neither command needs a new inode.
    peer.send("APPE old", " and new");
    peer.say("RNFR old").expect(350);
    peer.say("RNTO older").expect(250);
    peer.say("DELE file 0").expect(250);
    peer.stor("new", "content");
    assert_eq!(fs::read(disk.path("older")).unwrap(), b"old and new");
}

const CHANGES: [&str; 12] = [
    "STOR old",
    "STOR new",
    "APPE old",
    "APPE new",
    "STOU",
    "MKD new",
    "DELE old",
    "RMD dir",
    "RMDA dir",
    "MFMT 20200101000000 old",
    "SITE CHMOD 600 old",
    "SITE SYMLINK old new",
];

#[test]
#[ignore = "needs root"]
fn a_file_system_that_becomes_read_only_is_550_until_it_is_writable_again() {
    let disk = Disk::with("size=2m");
    fs::create_dir(disk.path("dir")).unwrap();
    let mut peer = disk.server.visitor();
    peer.stor("file", "content");
    assert!(disk.remount("ro"));
    for command in CHANGES {
        peer.epsv();
        peer.say(command).expect(550);
    }
    peer.say("RNFR old").expect(350);
    peer.say("RNTO new").expect(550);
    assert_eq!(peer.retr("old"), b"old");
    assert_eq!(disk.names(), ["dir", "file", "old"]);
    assert!(disk.remount("rw"));
    peer.stor("old", "new");
    assert_eq!(fs::read(disk.path("old")).unwrap(), b"new");
}

#[test]
#[ignore = "needs root"]
fn a_file_system_cannot_be_remounted_read_only_during_an_upload() {
    let disk = Disk::with("size=2m");
    let mut peer = disk.server.visitor();
    let mut data = peer.begin_with("STOR old", "new and ");
    assert!(!disk.remount("ro"), "remounted although a file is open for writing");
    data.write_all(b"longer").unwrap();
    drop(data);
    peer.expect(226);
    assert_eq!(fs::read(disk.path("old")).unwrap(), b"new and longer");
    // Neither a finished nor an interrupted upload keeps a file open.
    peer.break_off("STOR old", "half");
    assert!(disk.remount("ro"));
    assert_eq!(peer.retr("old"), b"new and longer");
}
