//! Files and directories of the tree that are mount points, each in a mount namespace that ends
//! with its server.

use crate::support::accounts::AccountsFile;
use crate::support::wire::{connect, drain};
use crate::support::{Server, noise};
use std::fs;
use std::io::Write;
use std::process::Command;
use tempfile::TempDir;

/// A server that starts after a shell script, in its own mount namespace. In the script, `$1` is
/// the root and `$2` is another directory.
struct Mounted {
    server: Server,
    other: TempDir,
}

impl Mounted {
    fn after(script: &str, options: &[&str]) -> Mounted {
        let (root, other) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        let script = format!("set -e; {script}; shift 2; exec \"$@\"");
        let paths = [&root, &other].map(|dir| dir.path().to_str().unwrap().to_owned());
        let words = ["sh", "-c", &script, "sh", &paths[0], &paths[1]];
        let unshare = ["unshare", "--mount", "--propagation", "private"];
        let words = [&unshare[..], &words].concat();
        Mounted { server: Server::under(&words, root, "127.0.0.1", options), other }
    }

    /// Mounts a file of the other directory over one in the root.
    fn file(options: &[&str]) -> Mounted {
        Mounted::after(
            "echo old and longer > $2/file; : > $1/file; mount --bind $2/file $1/file",
            options,
        )
    }

    fn read(&self) -> Vec<u8> {
        fs::read(self.other.path().join("file")).unwrap()
    }

    /// Runs a shell script in the namespace, with the same parameters.
    fn run(&self, script: &str) {
        let mut command = Command::new("nsenter");
        let pid = self.server.pid().to_string();
        command.args(["--target", &pid, "--mount", "sh", "-ec", script, "sh"]);
        command.arg(self.server.root()).arg(self.other.path());
        assert!(command.status().unwrap().success(), "{script}");
    }
}

#[test]
#[ignore = "needs root, unshare and mount"]
fn a_file_that_is_a_mount_point_is_written_in_place_at_the_end() {
    let mounted = Mounted::file(&[]);
    let mut peer = mounted.server.visitor();
    let large = noise(3_000_000, 1);
    for content in [&b"new"[..], &large, b"", b"shorter"] {
        peer.stor("file", content);
        assert!(mounted.read() == content);
        assert!(peer.retr("file") == content);
        assert_eq!(mounted.server.partials(""), 0);
    }
    peer.break_off("STOR file", "half");
    assert_eq!(mounted.read(), b"shorter");
    mounted.server.visitor().send("APPE file", " still");
    assert_eq!(mounted.read(), b"shorter still");
    peer.say("REST 4").expect(350);
    peer.send("STOR file", " and half");
    assert_eq!(mounted.read(), b"half and half");
    peer.say("TYPE A").expect(200);
    peer.stor("file", "one\r\ntwo\r\n");
    assert_eq!(mounted.read(), b"one\ntwo\n");
    assert_eq!(mounted.server.partials(""), 0);
}

#[test]
#[ignore = "needs root, unshare and mount"]
fn a_mount_on_the_root_is_used_only_by_new_logins() {
    let mounted = Mounted::after(":", &[]);
    let mut before = mounted.server.visitor();
    assert!(before.lines("NLST").is_empty());
    mounted.run("mount -t tmpfs none $1; echo content > $1/file");
    for command in ["LIST", "NLST", "MLSD", "STOR new", "MKD new"] {
        before.epsv();
        before.say(command).expect(550);
    }
    let mut after = mounted.server.visitor();
    assert_eq!(after.lines("NLST"), [b"file"]);
    after.stor("new", "content");
    mounted.run("test -f $1/new; umount -l $1");
    after.epsv();
    after.say("NLST").expect(550);
    // No part of the upload was stored below the mount point.
    assert!(before.lines("NLST").is_empty());
    assert_eq!(fs::read_dir(mounted.server.root()).unwrap().count(), 0);
}

#[test]
#[ignore = "needs root, unshare and mount"]
fn files_without_a_size_are_sent_completely() {
    let script =
        "mkdir $1/proc $1/sys; mount --bind /proc $1/proc; mount --bind /sys/kernel $1/sys";
    let mounted = Mounted::after(script, &[]);
    let mut peer = mounted.server.visitor();
    let version = fs::read("/proc/version").unwrap();
    let fscaps = fs::read("/sys/kernel/fscaps").unwrap();
    for (name, content) in [
        ("proc/version", &version[..]),
        ("proc/sys/kernel/ostype", b"Linux\n"),
        ("sys/fscaps", &fscaps),
    ] {
        assert_eq!(peer.retr(name), content, "{name}");
        peer.say("TYPE A").expect(200);
        let text = String::from_utf8(content.to_vec()).unwrap().replace('\n', "\r\n");
        assert_eq!(peer.list(format!("RETR {name}")), text, "{name}");
        peer.say("TYPE I").expect(200);
        peer.stor("copy", content);
        let digest = peer.say("XSHA256 copy").expect(250).words();
        assert_eq!(peer.say(format!("XSHA256 {name}")).expect(250).words(), digest, "{name}");
    }
    let data = connect(peer.epsv());
    let opening = peer.say("RETR proc/version").expect(150).text();
    assert!(!opening.contains("bytes"), "{opening}");
    assert_eq!(drain(data), version);
    peer.expect(226);
    for kind in ["TYPE I", "TYPE A"] {
        peer.say(kind).expect(200);
        peer.say("REST 6").expect(350);
        assert!(peer.retr("proc/version").starts_with(&version[6..version.len() - 1]));
        peer.epsv();
        peer.say("REST 100000").expect(350);
        peer.say("RETR proc/version").expect(554);
    }
}

#[test]
#[ignore = "needs root, unshare and mount"]
fn a_file_that_is_mounted_read_only_is_refused_before_the_upload() {
    let mounted = Mounted::file(&[]);
    let mut peer = mounted.server.visitor();
    peer.break_off("STOR file", "half");
    mounted.run("mount -o remount,bind,ro $1/file");
    for command in ["STOR file", "APPE file"] {
        peer.epsv();
        peer.say(command).expect(550);
    }
    peer.say("REST 4").expect(350);
    peer.say("STOR file").expect(550);
    assert_eq!(mounted.read(), b"old and longer\n");
}

#[test]
#[ignore = "needs root, unshare and mount"]
fn a_mounted_file_without_space_for_the_new_content_keeps_the_old() {
    let disk = "mkdir $2/disk; mount -t tmpfs -o size=1m none $2/disk; echo old > $2/disk/file";
    let mount = ": > $1/file; mount --bind $2/disk/file $1/file";
    let mounted = Mounted::after(&format!("{disk}; {mount}"), &[]);
    let mut peer = mounted.server.visitor();
    let mut data = peer.begin("STOR file");
    data.write_all(&noise(2 << 20, 1)).unwrap();
    drop(data);
    peer.expect(552);
    assert_eq!(peer.retr("file"), b"old\n");
    assert_eq!(mounted.server.partials(""), 0);
    peer.stor("file", noise(1 << 19, 1));
    assert!(peer.retr("file") == noise(1 << 19, 1));
}

#[test]
#[ignore = "needs root, unshare and mount"]
fn a_file_written_in_place_counts_once() {
    let accounts = AccountsFile::new(&["anna:write::100"]);
    let mounted = Mounted::file(&["--users", accounts.path()]);
    let mut peer = mounted.server.user("anna");
    peer.say("TYPE I").expect(200);
    for (size, used) in [(40, 40), (50, 50), (10, 10), (0, 0), (50, 50)] {
        peer.stor("file", noise(size, 1));
        assert_eq!(mounted.read().len(), size);
        peer.say("SITE QUOTA").expect_text(200, &format!(" {used} "));
    }
    peer.stor("file", noise(40, 2));
    // The file has 40 bytes, the upload had 51, and 11 more are needed to copy it.
    let mut data = peer.begin("STOR file");
    data.write_all(&noise(51, 1)).unwrap();
    drop(data);
    peer.expect(552);
    assert_eq!(mounted.read(), noise(40, 2));
    peer.say("SITE QUOTA").expect_text(200, " 40 ");
    assert_eq!(mounted.server.partials(""), 0);
}
