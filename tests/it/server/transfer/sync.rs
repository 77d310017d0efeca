//! `--sync`, and failing disks: the order of the system calls, and the result of an upload when
//! one of them fails. strace shows the calls and makes some of them fail.

use crate::support::wire::{Peer, connect};
use crate::support::{Server, eventually, noise};
use std::fs;
use std::io::Write;
use tempfile::TempDir;

/// A server whose system calls are traced.
struct Traced {
    server: Server,
    trace: TempDir,
}

impl Traced {
    /// Starts it with further arguments for strace and options for the server.
    fn with(words: &[&str], options: &[&str]) -> Traced {
        Traced::launch(TempDir::new().unwrap(), words, options)
    }

    fn launch(root: TempDir, words: &[&str], options: &[&str]) -> Traced {
        let trace = TempDir::new().unwrap();
        let output = trace.path().join("calls").to_str().unwrap().to_owned();
        // -D: the server is the direct child of the test, and strace its grandchild.
        let strace = ["strace", "-D", "-f", "-qq", "-s", "64", "-o", &output];
        let words = [&strace, words].concat();
        let server = Server::under(&words, root, "127.0.0.1", options);
        Traced { server, trace }
    }

    /// Returns the calls for uploads since the last 150, up to the final reply.
    fn calls(&self) -> Vec<&'static str> {
        const CALLS: [&str; 4] = ["fsync", "rename", "linkat", "226 "];
        let path = self.trace.path().join("calls");
        let read = || fs::read_to_string(&path).unwrap();
        let is_reply = |line: &&str| line.contains("150 ") || line.contains("226 ");
        eventually("the final reply", || {
            read().lines().rev().find(is_reply).is_some_and(|line| line.contains("226 "))
        });
        let text = read();
        let since = text.rfind("150 ").unwrap();
        // A call that another thread's call interrupts takes two lines; the second has its result.
        let done = text[since..].lines().filter(|line| !line.ends_with("<unfinished ...>"));
        let call = |line: &str| CALLS.into_iter().find(|call| line.contains(call));
        done.filter_map(call).collect()
    }
}

const WATCHED: &[&str] = &["-e", "trace=fsync,fdatasync,rename,renameat,renameat2,linkat,sendto"];

fn send_from(peer: &mut Peer, offset: u32, command: &str, bytes: &str) {
    let to = peer.epsv();
    peer.say(format!("REST {offset}")).expect(350);
    peer.say(command).expect(150);
    connect(to).write_all(bytes.as_bytes()).unwrap();
    peer.expect(226);
}

#[test]
#[ignore = "needs strace"]
fn with_sync_file_and_directory_are_synced_before_the_226() {
    const RENAMED: [&str; 4] = ["fsync", "rename", "fsync", "226 "];
    const LINKED: [&str; 4] = ["fsync", "linkat", "fsync", "226 "];
    const IN_PLACE: [&str; 2] = ["fsync", "226 "];
    let traced = Traced::with(WATCHED, &["--sync"]);
    let mut peer = traced.server.visitor();
    // A new file has no name until it is complete, or the name of its partial if it had to wait for data.
    peer.send("STOR file", noise(100_000, 1));
    let calls: Vec<_> = traced.calls().into_iter().skip_while(|call| *call == "linkat").collect();
    assert!(calls == LINKED || calls == RENAMED, "{calls:?}");
    for command in ["STOR file", "APPE new"] {
        peer.send(command, noise(100_000, 1));
        assert_eq!(traced.calls(), RENAMED, "{command}");
    }
    // A name that must be new is linked, because a rename would replace a file that was created in the meantime.
    peer.send("STOU", noise(100_000, 1));
    let calls: Vec<_> = traced.calls().into_iter().skip_while(|call| *call == "linkat").collect();
    assert_eq!(calls, LINKED);
    peer.send("APPE file", "more");
    assert_eq!(traced.calls(), IN_PLACE);
    send_from(&mut peer, 4, "STOR file", "in place");
    assert_eq!(traced.calls(), IN_PLACE);
    peer.break_off("STOR file", "half");
    send_from(&mut peer, 4, "STOR file", " and half");
    assert_eq!(traced.calls(), RENAMED);
    assert_eq!(traced.server.read("file"), b"half and half");
    peer.say("TYPE A").expect(200);
    peer.stor("file", "text\r\n");
    assert_eq!(traced.calls(), RENAMED);
}

#[test]
#[ignore = "needs strace"]
fn without_sync_no_fsync_is_called() {
    let traced = Traced::with(WATCHED, &[]);
    let mut peer = traced.server.visitor();
    peer.stor("file", "content");
    assert!(!traced.calls().contains(&"fsync"));
    peer.send("APPE file", "content");
    assert_eq!(traced.calls(), ["226 "]);
}

#[test]
#[ignore = "needs strace"]
fn a_failed_fsync_of_the_file_is_an_error_and_removes_the_partial() {
    let fails = ["-e", "trace=fsync", "-e", "inject=fsync:error=EIO:when=1"];
    let traced = Traced::with(&fails, &["--sync"]);
    let server = &traced.server;
    server.write("file", "old");
    let mut peer = server.visitor();
    let mut data = peer.begin("STOR file");
    data.write_all(b"new").unwrap();
    drop(data);
    peer.expect(451);
    assert_eq!(server.read("file"), b"old");
    // After a failed write the system does not try again, so the partial must not be used any
    // more.
    assert_eq!(server.partials(""), 0);
}

#[test]
#[ignore = "needs strace"]
fn a_failed_fsync_of_the_directory_is_an_error() {
    let fails = ["-e", "trace=fsync", "-e", "inject=fsync:error=EIO:when=2"];
    let traced = Traced::with(&fails, &["--sync"]);
    let mut peer = traced.server.visitor();
    let mut data = peer.begin("STOR file");
    data.write_all(b"new").unwrap();
    drop(data);
    peer.expect(451);
    assert_eq!(traced.server.read("file"), b"new");
    assert_eq!(traced.server.partials(""), 0);
}

/// Runs an upload during which strace makes a call fail, and expects this reply and this number of
/// partials.
fn expect_failure(root: TempDir, words: &[&str], code: u16, partials: usize) {
    let traced = Traced::launch(root, words, &[]);
    let server = &traced.server;
    server.write("file", "old");
    let mut peer = server.visitor();
    let mut data = peer.begin("STOR file");
    data.write_all(b"new").unwrap();
    drop(data);
    peer.expect(code);
    assert_eq!(server.read("file"), b"old", "{words:?}");
    assert_eq!(server.partials(""), partials, "{words:?}");
    peer.say("NOOP").expect(200);
}

#[test]
#[ignore = "needs strace"]
fn failed_writes_leave_the_old_file() {
    for (error, code) in [("EIO", 451), ("EROFS", 550), ("ENOSPC", 552), ("EDQUOT", 552)] {
        // Only calls for the partial are to fail, so its name must be known.
        let server = Server::start();
        server.visitor().break_off("STOR file", "half");
        let partial = fs::read_dir(server.root()).unwrap().last().unwrap().unwrap().path();
        let inject = format!("inject=write,splice:error={error}");
        let words = ["-P", partial.to_str().unwrap(), "-e", "trace=write,splice", "-e", &inject];
        expect_failure(server.crash(), &words, code, 0);
    }
}

#[test]
#[ignore = "needs strace"]
fn a_failed_rename_leaves_the_old_file() {
    let errors = [("EIO", 451, 1), ("EROFS", 550, 1), ("ENOSPC", 552, 0), ("EDQUOT", 552, 0)];
    for (error, code, partials) in errors {
        let inject = format!("inject=rename,renameat,renameat2:error={error}");
        let words = ["-e", "trace=rename,renameat,renameat2", "-e", &inject];
        expect_failure(TempDir::new().unwrap(), &words, code, partials);
    }
}
