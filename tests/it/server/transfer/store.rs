//! STOR, APPE and STOU: a name always refers to a complete file.

use crate::support::wire::connect;
use crate::support::{Server, noise};
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::{Duration, Instant};

#[test]
fn files_of_every_size_are_stored_completely() {
    let server = Server::start();
    let mut peer = server.visitor();
    for size in [0, 1, 32_767, 32_768, 65_535, 65_537, 1_048_577, 9_000_000] {
        let bytes = noise(size, 11);
        peer.stor("file", &bytes);
        assert!(server.read("file") == bytes, "{size} bytes");
    }
    assert_eq!(server.partials(""), 0);
}

#[test]
fn a_stored_file_replaces_the_old_one_entirely() {
    let server = Server::start();
    server.write("file", noise(100_000, 1));
    let mut peer = server.visitor();
    peer.stor("file", "short");
    assert_eq!(server.read("file"), b"short");
    peer.stor("file", "");
    assert_eq!(server.read("file"), b"");
}

#[test]
fn others_see_the_old_file_until_the_226() {
    let server = Server::start();
    server.write("file", "old");
    let (mut writer, mut reader) = (server.visitor(), server.visitor());
    let mut data = writer.begin_with("STOR file", "new and ");
    assert_eq!(reader.retr("file"), b"old");
    reader.say("SIZE file").expect_text(213, "213 3");
    assert_eq!(reader.lines("NLST"), [b"file"]);
    data.write_all(b"longer").unwrap();
    drop(data);
    writer.expect(226);
    assert_eq!(reader.retr("file"), b"new and longer");
}

#[test]
fn a_new_name_does_not_exist_until_the_226() {
    let server = Server::start();
    let (mut writer, mut reader) = (server.visitor(), server.visitor());
    let data = writer.begin_with("STOR new", "content");
    reader.epsv();
    reader.say("RETR new").expect(550);
    assert!(reader.lines("NLST").is_empty());
    drop(data);
    writer.expect(226);
    assert_eq!(reader.retr("new"), b"content");
}

#[test]
fn a_running_download_reads_the_old_file_to_its_end() {
    let server = Server::start();
    let old = noise(32 << 20, 2);
    server.write("file", &old);
    let (mut writer, mut reader) = (server.visitor(), server.visitor());
    let data = reader.begin("RETR file");
    writer.stor("file", "new");
    assert!(crate::support::wire::drain(data) == old);
    reader.expect(226);
}

#[test]
fn an_interrupted_upload_keeps_the_old_file() {
    let server = Server::start();
    server.write("file", "old");
    let mut peer = server.visitor();
    peer.break_off("STOR file", noise(100_000, 1));
    assert_eq!(server.read("file"), b"old");
    assert_eq!(peer.retr("file"), b"old");
}

#[test]
fn an_interrupted_upload_creates_no_new_name() {
    let server = Server::start();
    let mut peer = server.visitor();
    peer.break_off("STOR new", "half");
    assert!(!server.has("new"));
    assert!(peer.lines("NLST").is_empty());
}

#[test]
fn a_killed_client_leaves_the_old_file() {
    let server = Server::start();
    server.write("file", "old");
    let mut peer = server.visitor();
    let begun = Instant::now();
    let data = peer.begin_with("STOR file", noise(100_000, 1));
    // Data that was sent before the close is processed first, without waiting for the end of the
    // control connection, so this takes a moment.
    while begun.elapsed() < Duration::from_millis(50) {
        peer.say("STAT").expect(213);
    }
    // The system closes both connections, in any order.
    drop(peer);
    drop(data);
    server.wait_for_log(&["stor", "failed"]);
    assert_eq!(server.read("file"), b"old");
}

#[test]
fn a_half_close_after_quit_does_not_interrupt_an_upload() {
    let server = Server::start();
    let mut peer = server.visitor();
    let mut data = connect(peer.epsv());
    peer.raw("STOR file\r\nQUIT\r\n");
    peer.half_close();
    peer.expect(150);
    data.write_all(b"content").unwrap();
    drop(data);
    peer.expect(226);
    peer.expect(221);
    peer.expect_end();
    assert_eq!(server.read("file"), b"content");
}

#[test]
fn a_half_close_without_quit_interrupts_an_upload() {
    let server = Server::start();
    server.write("file", "old");
    let mut peer = server.visitor();
    let mut data = peer.begin("STOR file");
    data.write_all(b"new").unwrap();
    peer.half_close();
    drop(data);
    peer.expect(426);
    peer.expect_end();
    assert_eq!(server.read("file"), b"old");
}

#[test]
fn a_crash_of_the_server_leaves_the_old_file() {
    let server = Server::start();
    server.write("file", "old");
    let mut peer = server.visitor();
    let _data = peer.begin_with("STOR file", "new");
    let server = Server::launch(server.crash(), "127.0.0.1", &[]);
    let mut peer = server.visitor();
    assert_eq!(peer.retr("file"), b"old");
    assert_eq!(peer.lines("NLST"), [b"file"]);
    assert_eq!(server.partials(""), 1);
    peer.stor("file", "newer");
    assert_eq!(server.partials(""), 0);
}

#[test]
fn the_last_of_two_concurrent_uploads_wins_completely() {
    let server = Server::start();
    let (mut first, mut second) = (server.visitor(), server.visitor());
    let mut slow = first.begin_with("STOR file", "slow ");
    let fast = second.begin_with("STOR file", "fast and long");
    drop(fast);
    second.expect(226);
    assert_eq!(server.read("file"), b"fast and long");
    slow.write_all(b"end").unwrap();
    drop(slow);
    first.expect(226);
    assert_eq!(server.read("file"), b"slow end");
    assert_eq!(server.partials(""), 0);
}

#[test]
fn concurrent_uploads_to_one_name_leave_one_complete_file() {
    const SIZE: usize = 300_000;
    let server = Server::start();
    server.write("file", vec![b'x'; SIZE]);
    let is_whole = |bytes: &[u8]| bytes.len() == SIZE && bytes.iter().all(|b| *b == bytes[0]);
    std::thread::scope(|scope| {
        for letter in b'a'..b'g' {
            let server = &server;
            scope.spawn(move || {
                let mut peer = server.visitor();
                (0..5).for_each(|_| peer.stor("file", vec![letter; SIZE]));
            });
        }
        let mut peer = server.visitor();
        for _ in 0..20 {
            assert!(is_whole(&peer.retr("file")));
        }
    });
    assert!(is_whole(&server.read("file")));
    assert_eq!(server.partials(""), 0);
}

#[test]
fn a_file_that_cannot_be_stored_is_refused_before_the_150() {
    let server = Server::start();
    server.make_dir("dir");
    let mut peer = server.visitor();
    peer.epsv();
    for name in ["dir", "/", "missing/file", "dir/missing/file"] {
        for verb in ["STOR", "APPE"] {
            peer.say(format!("{verb} {name}")).expect(550);
        }
    }
    assert_eq!(fs::read_dir(server.root()).unwrap().count(), 1);
}

#[test]
fn a_directory_with_a_running_upload_cannot_be_removed() {
    let server = Server::start();
    server.make_dir("dir");
    let (mut writer, mut other) = (server.visitor(), server.visitor());
    let data = writer.begin_with("STOR dir/file", "content");
    other.say("RMD dir").expect(550);
    drop(data);
    writer.expect(226);
    assert_eq!(server.read("dir/file"), b"content");
}

#[test]
fn a_new_name_cannot_be_deleted_during_its_upload() {
    let server = Server::start();
    let (mut writer, mut other) = (server.visitor(), server.visitor());
    let data = writer.begin_with("STOR file", "content");
    other.say("DELE file").expect(450);
    drop(data);
    writer.expect(226);
    assert_eq!(server.read("file"), b"content");
}

#[test]
fn an_upload_continues_when_its_directory_is_renamed() {
    let server = Server::start();
    server.make_dir("dir");
    let (mut writer, mut other) = (server.visitor(), server.visitor());
    let data = writer.begin_with("STOR dir/file", "content");
    other.say("RNFR dir").expect(350);
    other.say("RNTO moved").expect(250);
    drop(data);
    writer.expect(226);
    assert_eq!(server.read("moved/file"), b"content");
}

#[test]
fn an_upload_whose_directory_is_removed_is_an_error() {
    let server = Server::start();
    server.make_dir("dir");
    let mut peer = server.visitor();
    let data = peer.begin_with("STOR dir/file", "content");
    fs::remove_dir_all(server.path("dir")).unwrap();
    drop(data);
    let code = peer.hear().code;
    assert!((400..600).contains(&code), "{}", peer.dialogue());
    peer.say("NOOP").expect(200);
}

#[test]
fn a_replaced_file_keeps_its_mode() {
    let server = Server::start();
    server.write("file", "old");
    fs::set_permissions(server.path("file"), fs::Permissions::from_mode(0o640)).unwrap();
    server.visitor().stor("file", "new");
    let mode = fs::metadata(server.path("file")).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o640);
}

/// Returns the output of `getfacl` for a file.
fn rights(server: &Server, name: &str) -> String {
    let output = Command::new("getfacl").args(["-cp"]).arg(server.path(name)).output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

fn set_rights(server: &Server, name: &str, entries: &str) {
    let done = Command::new("setfacl").args(["-m", entries]).arg(server.path(name)).status();
    assert!(done.unwrap().success());
}

#[test]
#[ignore = "needs setfacl"]
fn a_replaced_file_keeps_its_access_control_list() {
    let server = Server::start();
    server.make_dir("dir");
    for name in ["list", "dir/list", "dir/none"] {
        server.write(name, "old");
        fs::set_permissions(server.path(name), fs::Permissions::from_mode(0o600)).unwrap();
    }
    for name in ["list", "dir/list"] {
        set_rights(&server, name, "user:nobody:rw-,group::---,mask::rw-");
    }
    // The default list for new files does not apply to files that replace others.
    set_rights(&server, "dir", "default:user:nobody:rwx,default:group::rwx");
    let mut peer = server.visitor();
    for name in ["list", "dir/list", "dir/none"] {
        let before = rights(&server, name);
        let data = peer.begin_with(&format!("STOR {name}"), "new");
        let partial = fs::read_dir(server.path(name).parent().unwrap()).unwrap();
        let mut names = partial.map(|entry| entry.unwrap().path());
        let partial = names.find(|path| path.to_string_lossy().contains(".ftp-partial-")).unwrap();
        let meanwhile =
            rights(&server, partial.strip_prefix(server.root()).unwrap().to_str().unwrap());
        assert_eq!(meanwhile, before, "{name}");
        drop(data);
        peer.expect(226);
        assert_eq!(server.read(name), b"new");
        assert_eq!(rights(&server, name), before, "{name}");
    }
    peer.stor("dir/new", "new");
    assert!(rights(&server, "dir/new").contains("user:nobody:rw"));
}

#[test]
fn appe_appends_and_creates_a_missing_file() {
    let server = Server::start();
    let mut peer = server.visitor();
    peer.send("APPE log", "one ");
    peer.send("APPE log", "two ");
    peer.send("APPE log", "");
    peer.send("APPE log", "three");
    assert_eq!(server.read("log"), b"one two three");
}

#[test]
fn stou_creates_a_new_name_and_returns_it() {
    let server = Server::start();
    let mut peer = server.visitor();
    let mut names = Vec::new();
    for command in ["STOU", "STOU", "STOU report"] {
        let mut data = connect(peer.epsv());
        let name = peer.say(command).expect_text(150, "150 FILE: ").text()["150 FILE: ".len()..]
            .to_owned();
        data.write_all(name.as_bytes()).unwrap();
        drop(data);
        peer.expect_text(226, &name);
        assert_eq!(server.read(&name), name.as_bytes());
        names.push(name);
    }
    assert!(names[2].starts_with("report"), "{names:?}");
    names.dedup();
    assert_eq!(names.len(), 3);
}

#[test]
fn text_is_stored_with_native_line_ends() {
    let server = Server::start();
    let mut peer = server.visitor();
    peer.say("TYPE A").expect(200);
    for (wire, local) in [
        ("", ""),
        ("one\r\ntwo\r\n", "one\ntwo\n"),
        ("no end", "no end"),
        ("bare\nlf", "bare\nlf"),
        ("cr\rin it\r", "cr\rin it\r"),
        ("\r\r\n\r\n", "\r\n\n"),
    ] {
        peer.stor("file", wire);
        assert_eq!(server.read("file"), local.as_bytes(), "{wire:?}");
    }
}

#[test]
fn text_is_unchanged_after_upload_and_download_across_chunks() {
    let server = Server::start();
    let mut local: Vec<u8> = noise(300_000, 5).iter().map(|b| b"\n\rab"[*b as usize % 4]).collect();
    // A CR LF would come back as LF.
    local.dedup_by(|byte, before| *before == b'\r' && *byte == b'\n');
    server.write("first", &local);
    let mut peer = server.visitor();
    peer.say("TYPE A").expect(200);
    let wire = peer.retr("first");
    peer.stor("second", wire);
    assert!(server.read("second") == local);
}

#[test]
fn sync_changes_only_the_timing() {
    let server = Server::with(&["--sync"]);
    let mut peer = server.visitor();
    peer.stor("file", "content");
    assert_eq!(peer.retr("file"), b"content");
}

#[test]
fn a_waiting_command_does_not_mean_that_the_client_is_connected() {
    let server = Server::start();
    server.write("file", "old");
    let mut peer = server.visitor();
    let mut data = connect(peer.epsv());
    peer.raw("STOR file\r\nSIZE file\r\n");
    peer.expect(150);
    data.write_all(b"new").unwrap();
    peer.half_close();
    drop(data);
    peer.expect(426);
    assert_eq!(server.read("file"), b"old");
}

#[test]
fn a_partial_survives_a_stor_without_data() {
    let server = Server::with(&["--transfer-timeout", "1"]);
    let mut peer = server.visitor();
    peer.break_off("STOR file", "half");
    assert_eq!(server.partial_sizes(""), [4]);
    peer.epsv();
    peer.say("STOR file").expect(150);
    peer.expect(425);
    assert_eq!(server.partial_sizes(""), [4]);
}
