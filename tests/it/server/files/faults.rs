//! Failing disks, directories, peers and clocks: every fault leads to a reply or to the end of the
//! session, the old file is kept, and no thread, descriptor or partial remains longer than
//! documented.
//!
//! Faults that require root or other programs are in `full_disk`, `permissions`, `sync` and
//! `vanished_peers`.

use crate::support::wire::{Peer, connect, drain};
use crate::support::{PATIENCE, Server, eventually, noise, together};
use std::fs::{self, File};
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

/// More bytes than all buffers between server and client hold.
const LARGE: u64 = 256 << 20;

/// A limit of one megabyte, in blocks of 512 bytes.
const A_MEGABYTE: &str = "-f 2048";
const TOO_MUCH: usize = 4 << 20;

/// Sends more data than there is space for, even if the server stops reading.
fn overfill(peer: &mut Peer, command: &str) {
    let mut data = peer.begin(command);
    let _ = data.write_all(&noise(TOO_MUCH, 3));
    drop(data);
    peer.expect(552);
}

#[test]
fn a_full_disk_is_552_and_leaves_only_the_old_file() {
    let server = Server::limited(A_MEGABYTE, &[]);
    server.write("file", "old");
    let _witness = server.caller();
    let before = server.footprint();
    let mut peer = server.visitor();
    for kind in ["TYPE I", "TYPE A"] {
        peer.say(kind).expect(200);
        for command in ["STOR file", "STOR new", "APPE new", "STOU"] {
            overfill(&mut peer, command);
            assert_eq!(server.read("file"), b"old");
            assert_eq!(fs::read_dir(server.root()).unwrap().count(), 1, "{command}");
        }
    }
    peer.stor("file", "new");
    drop(peer);
    eventually("the release of threads and descriptors", || server.footprint() == before);
}

#[test]
fn a_full_disk_during_a_resume_removes_the_partial() {
    let server = Server::limited(A_MEGABYTE, &[]);
    server.write("file", "old");
    let mut peer = server.visitor();
    for (name, command) in [("file", "STOR file"), ("new", "STOR new"), ("new", "APPE new")] {
        peer.break_off(&format!("STOR {name}"), noise(100_000, 3));
        assert_eq!(server.partials(""), 1);
        if command.starts_with("STOR") {
            peer.epsv();
            peer.say("REST 100000").expect(350);
        }
        overfill(&mut peer, command);
        assert_eq!(server.partials(""), 0);
        assert_eq!(server.read("file"), b"old");
        assert!(!server.has("new"));
    }
}

#[test]
fn an_append_without_space_keeps_the_old_content() {
    let server = Server::limited(A_MEGABYTE, &[]);
    let old = noise(1000, 1);
    server.write("file", &old);
    overfill(&mut server.visitor(), "APPE file");
    assert!(server.read("file").starts_with(&old));
    assert_eq!(server.partials(""), 0);
}

/// All commands that depend on the working directory.
const CWD_COMMANDS: [&str; 28] = [
    "LIST",
    "NLST",
    "MLSD",
    "MLST",
    "STAT .",
    "LIST -la",
    "NLST *.txt",
    "RETR a",
    "STOR a",
    "APPE a",
    "STOU",
    "DELE a",
    "MKD a",
    "RMD a",
    "RMDA a",
    "RNFR a",
    "SIZE a",
    "MDTM a",
    "MFMT 20200101000000 a",
    "SITE CHMOD 644 a",
    "SITE UTIME 20200101000000 a",
    "SITE SYMLINK /a a",
    "HASH a",
    "XCRC a",
    "AVBL",
    "DSIZ",
    "CWD .",
    "CWD a",
];

fn expect_refused(peer: &mut Peer) {
    for command in CWD_COMMANDS {
        peer.epsv();
        peer.say(command).expect(550);
    }
    peer.say("PWD").expect_text(257, "\"/dir\"");
}

#[test]
fn in_a_removed_working_directory_commands_get_550_and_cwd_works() {
    let server = Server::start();
    server.make_dir("dir");
    let _witness = server.caller();
    let before = server.footprint();
    let mut peer = server.visitor();
    peer.say("CWD dir").expect(250);
    fs::remove_dir(server.path("dir")).unwrap();
    expect_refused(&mut peer);
    peer.say("CDUP").expect(250);
    peer.stor("file", "content");
    assert_eq!(peer.retr("file"), b"content");
    drop(peer);
    eventually("the release of threads and descriptors", || server.footprint() == before);
}

#[test]
fn a_renamed_working_directory_works_again_after_it_is_renamed_back() {
    let server = Server::start();
    server.make_dir("dir");
    let mut peer = server.visitor();
    peer.say("CWD dir").expect(250);
    fs::rename(server.path("dir"), server.path("moved")).unwrap();
    expect_refused(&mut peer);
    fs::rename(server.path("moved"), server.path("dir")).unwrap();
    peer.stor("file", "content");
    assert_eq!(server.read("dir/file"), b"content");
}

#[test]
fn a_server_whose_root_was_removed_refuses_commands() {
    let server = Server::start();
    let mut peer = server.visitor();
    fs::remove_dir(server.root()).unwrap();
    for command in ["RETR a", "STOR a", "STOU", "MKD a", "DELE a", "MLST a"] {
        peer.epsv();
        peer.say(command).expect(550);
    }
    server.visitor().say("PWD").expect_text(257, "\"/\"");
}

/// All commands that need the root.
const AT_THE_ROOT: [&str; 11] = [
    "LIST", "LIST -a", "LIST *", "NLST", "NLST *", "MLSD", "MLST", "STAT .", "CWD /", "AVBL",
    "DSIZ",
];

fn expect_root_gone(peer: &mut Peer) {
    for command in CWD_COMMANDS.iter().chain(&AT_THE_ROOT) {
        peer.epsv();
        peer.say(command).expect(550);
    }
    peer.say("MLST").expect_text(550, "log in again");
}

#[test]
fn a_replaced_root_is_used_only_by_new_logins() {
    let server = Server::start();
    server.write("old", "old");
    let mut before = server.visitor();
    assert_eq!(before.lines("NLST"), [b"old"]);
    let away = server.root().with_extension("away");
    fs::rename(server.root(), &away).unwrap();
    expect_root_gone(&mut before);
    let mut between = server.visitor();
    expect_root_gone(&mut between);
    fs::create_dir(server.root()).unwrap();
    server.write("new", "new");
    expect_root_gone(&mut before);
    expect_root_gone(&mut between);
    let mut after = server.visitor();
    assert_eq!(after.lines("NLST"), [b"new"]);
    after.stor("more", "content");
    assert_eq!(server.read("more"), b"content");
    before.login().say("TYPE I").expect(200);
    assert_eq!(before.lines("NLST").len(), 2);
    fs::remove_dir_all(server.root()).unwrap();
    fs::rename(away, server.root()).unwrap();
    assert_eq!(server.visitor().lines("NLST"), [b"old"]);
    // One line for each of the two sessions, although they were refused many times.
    assert_eq!(server.log().matches(" root-gone ").count(), 2);
}

#[test]
fn a_replaced_home_is_used_by_new_logins_and_counted_again() {
    let server = Server::with_accounts(&["anna:write:/home:100"], &[]);
    server.make_dir("home");
    let enter = || {
        let mut peer = server.user("anna");
        peer.say("TYPE I").expect(200);
        peer
    };
    let mut before = enter();
    before.stor("old", [1; 90]);
    fs::remove_dir_all(server.path("home")).unwrap();
    expect_root_gone(&mut before);
    server.make_dir("home");
    expect_root_gone(&mut before);
    let mut after = enter();
    assert!(after.lines("NLST").is_empty());
    after.stor("new", [2; 95]);
    assert_eq!(server.read("home/new"), [2; 95]);
    after.say("SITE QUOTA").expect_text(200, "95 of 100 ");
}

#[test]
fn quotas_apply_in_a_replaced_root() {
    let server = Server::with_accounts(&["anna:write:/home:100", "ben:write:"], &[]);
    server.make_dir("home");
    server.user("anna").stor("file", [b'x'; 90]);
    fs::remove_dir_all(server.root()).unwrap();
    server.make_dir("home");
    server.write("home/there", [1; 60]);
    // A client may store there before the account itself logs in.
    let mut ben = server.user("ben");
    ben.stor("home/more", [b'x'; 40]);
    let mut data = ben.begin("STOR home/much");
    data.write_all(b"x").unwrap();
    drop(data);
    ben.expect(552);
    server.user("anna").say("SITE QUOTA").expect_text(200, "100 of 100 ");
}

#[test]
fn a_reload_without_the_root_logs_it_and_keeps_the_old_settings() {
    let server = Server::start();
    fs::remove_dir(server.root()).unwrap();
    server.signal("HUP");
    server.wait_for_log(&["not-reloaded", "cannot serve"]);
    fs::create_dir(server.root()).unwrap();
    server.signal("HUP");
    server.wait_for_log(&["reloaded", "problems=0"]);
    server.visitor().stor("file", "content");
    assert_eq!(server.read("file"), b"content");
}

#[test]
fn a_deleted_or_replaced_file_is_sent_unchanged() {
    let old = noise(32 << 20, 2);
    let faults: [Fault; 2] = [
        |server| fs::remove_file(server.path("file")).unwrap(),
        |server| {
            server.write("other", "new");
            fs::rename(server.path("other"), server.path("file")).unwrap();
        },
    ];
    for fault in faults {
        let server = Server::start();
        server.write("file", &old);
        let mut peer = server.visitor();
        let data = peer.begin("RETR file");
        fault(&server);
        assert!(drain(data) == old);
        peer.expect(226);
    }
}

/// Returns the path of the only partial file.
fn partial(server: &Server) -> PathBuf {
    let names = fs::read_dir(server.root()).unwrap().map(|entry| entry.unwrap().path());
    names.filter(|path| path.to_string_lossy().contains(".ftp-partial-")).last().unwrap()
}

/// Returns file times that a misset clock produces.
fn strange_times() -> [SystemTime; 4] {
    const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);
    let now = SystemTime::now();
    [now - 2 * YEAR, now + 2 * YEAR, SystemTime::UNIX_EPOCH - YEAR, SystemTime::UNIX_EPOCH]
}

fn set_modified(path: &PathBuf, time: SystemTime) {
    File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
}

#[test]
fn setting_the_clock_does_not_break_running_uploads() {
    let server = Server::start();
    let (mut writer, mut other) = (server.visitor(), server.visitor());
    for time in strange_times() {
        let mut data = writer.begin_with("STOR file", "first ");
        set_modified(&partial(&server), time);
        for command in ["LIST", "NLST", "MLSD"] {
            other.list(command);
        }
        data.write_all(b"second").unwrap();
        drop(data);
        writer.expect(226);
        assert_eq!(server.read("file"), b"first second");
        other.say("DELE file").expect(250);
    }
}

#[test]
fn a_partial_with_a_future_time_is_kept() {
    let server = Server::start();
    let mut peer = server.visitor();
    peer.break_off("STOR file", "first ");
    set_modified(&partial(&server), strange_times()[1]);
    peer.list("LIST");
    peer.send("APPE file", "second");
    assert_eq!(server.read("file"), b"first second");
}

type Fault = fn(&Server);

/// Ways in which connections break while they are used. Each of them leaves `old` unchanged.
const BREAKS: &[(&str, Fault)] = &[
    ("an unread download", |server| {
        let mut peer = server.visitor();
        let _data = peer.begin("RETR large");
        peer.expect(426);
    }),
    ("a data connection half closed by its reader", |server| {
        let mut peer = server.visitor();
        let data = peer.begin("RETR large");
        data.shutdown(Shutdown::Write).unwrap();
        assert_eq!(drain(data).len() as u64, LARGE);
        peer.expect(226);
    }),
    ("a data connection half closed by its writer", |server| {
        let mut peer = server.visitor();
        let mut data = peer.begin("STOR new");
        data.write_all(b"content").unwrap();
        data.shutdown(Shutdown::Write).unwrap();
        assert_eq!(drain(data), b"");
        peer.expect(226);
        peer.say("DELE new").expect(250);
    }),
    ("a listing whose data connection is closed unread", |server| {
        let mut peer = server.visitor();
        drop(peer.begin("LIST"));
        assert!(matches!(peer.hear().code, 226 | 426));
    }),
    ("a download that is reset in the middle", |server| {
        let mut peer = server.visitor();
        let mut data = peer.begin("RETR large");
        data.read_exact(&mut [0; 1000]).unwrap();
        // Because of the unread bytes, this causes a reset and not an end of file.
        drop(data);
        peer.expect(426);
    }),
    ("an upload that is reset before its first byte", |server| {
        let mut peer = server.visitor();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        peer.say(format!("EPRT |1|127.0.0.1|{port}|")).expect(200);
        peer.say("STOR old").expect(150);
        // A connection in the accept queue is reset when the listener is closed.
        drop(listener);
        assert!(matches!(peer.hear().code, 425 | 426), "{}", peer.dialogue());
    }),
    ("a control connection that is reset in a download", |server| {
        let mut peer = server.visitor();
        let _data = peer.begin("RETR large");
        peer.reset();
        server.wait_for_log(&["retr", "control connection is lost"]);
    }),
    ("a control connection that is reset in an upload", |server| {
        let mut peer = server.visitor();
        let _data = peer.begin("STOR old");
        peer.reset();
        server.wait_for_log(&["stor", "control connection is lost"]);
    }),
    ("a control connection that is reset while a listing waits", |server| {
        let mut peer = server.visitor();
        peer.epsv();
        peer.say("LIST").expect(150);
        peer.reset();
        server.wait_for_log(&["list", "control connection is lost"]);
    }),
    ("a control connection that is half closed in an unread download", |server| {
        let mut peer = server.visitor();
        let _data = peer.begin("RETR large");
        peer.half_close();
        peer.expect(426);
        peer.expect_end();
    }),
    ("a control connection that is half closed in a stalled upload", |server| {
        let mut peer = server.visitor();
        let _data = peer.begin("STOR old");
        peer.half_close();
        peer.expect(426);
        peer.expect_end();
    }),
];

together! { connections_that_break_are_noticed:
    broken_connections_leave_no_resources
    the_server_stops_reading_from_a_client_that_reads_no_replies
    an_incomplete_command_is_not_executed
}

fn broken_connections_leave_no_resources() {
    std::thread::scope(|scope| {
        for (what, fault) in BREAKS {
            scope.spawn(move || {
                let server = Server::with(&["--transfer-timeout", "1"]);
                server.write("old", "old");
                server.write_sparse("large", LARGE);
                let _witness = server.caller();
                let before = server.footprint();
                fault(&server);
                let given_back = || server.footprint() == before;
                eventually(&format!("threads and descriptors after {what}"), given_back);
                assert_eq!(server.read("old"), b"old", "{what}");
                assert_eq!(server.partials(""), 0, "{what}");
                assert!(!server.has("new"), "{what}");
            });
        }
    });
}

fn the_server_stops_reading_from_a_client_that_reads_no_replies() {
    const MAX: usize = 64 << 20;
    let server = Server::start();
    let _witness = server.caller();
    let before = server.footprint();
    let mut deaf = connect(server.addr());
    deaf.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
    deaf.write_all(b"USER ftp\r\nPASS x\r\n").unwrap();
    let commands = "NOOP\r\n".repeat(10_000);
    let mut sent = 0;
    let ended = loop {
        match deaf.write(commands.as_bytes()) {
            Ok(length) => sent += length,
            Err(error) => break error,
        }
        assert!(sent < MAX, "the server continues to read");
    };
    assert!(matches!(ended.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{ended}");
    #[cfg(target_os = "linux")]
    assert!(server.peak_memory() < 32 << 10, "{} KiB", server.peak_memory());
    assert_eq!(server.visitor().list("NLST"), "");
    drop(deaf);
    eventually("the release of threads and descriptors", || server.footprint() == before);
}

fn an_incomplete_command_is_not_executed() {
    let server = Server::with(&["--idle-timeout", "1"]);
    let mut peer = server.visitor();
    let since = Instant::now();
    let mut control = connect(server.addr());
    control.write_all(b"USER ftp\r\nPASS x\r\n").unwrap();
    while control.write_all(b"x").is_ok() {
        assert!(since.elapsed() < PATIENCE / 2, "still served");
    }
    peer.expect(421);
}

/// A Perl script, because std cannot reset a connection on which the peer has sent nothing.
const SEND_AND_RESET: &str = r#"
use IO::Socket::INET; use Socket;
my $s = IO::Socket::INET->new("127.0.0.1:$ARGV[0]") or die;
syswrite $s, "half"; <STDIN>;
setsockopt $s, SOL_SOCKET, SO_LINGER, pack("ii", 1, 0) or die;
close $s;
"#;

#[test]
#[ignore = "needs perl"]
fn an_upload_that_is_reset_is_an_error() {
    let server = Server::start();
    server.write("file", "old");
    let _witness = server.caller();
    let before = server.footprint();
    let mut peer = server.visitor();
    let port = peer.epsv().port().to_string();
    let mut perl = Command::new("perl");
    let mut perl = perl.args(["-e", SEND_AND_RESET, &port]).stdin(Stdio::piped()).spawn().unwrap();
    peer.say("STOR file").expect(150);
    eventually("the first bytes", || server.partial_sizes("") == [4]);
    drop(perl.stdin.take());
    peer.expect(426);
    assert!(perl.wait().unwrap().success());
    assert_eq!(server.read("file"), b"old");
    assert_eq!(server.partial_sizes(""), [4]);
    peer.say("NOOP").expect(200);
    drop(peer);
    eventually("the release of threads and descriptors", || server.footprint() == before);
}
