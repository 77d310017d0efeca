//! Our client with other FTP servers: every command, with files compared byte by byte.

use crate::support::content::{NAMES, SIZES, TEXT, assert_holds, assert_same, noise};
use crate::support::fixture::{names_in, run, run_to_fail};
use crate::support::servers::{Peer, Software};
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, UNIX_EPOCH};

/// A name in Latin-1.
const LATIN: &[u8] = b"gr\xfc\xdfe.bin";

/// Defines a module for each server, with a test for each function in the list. Each function runs without
/// TLS and, unless it depends on that, over TLS.
macro_rules! at_every_server {
    (in_clear $scenes:tt) => {
        at_every_server! { vsftpd start Vsftpd "needs vsftpd and root" $scenes }
        at_every_server! { proftpd start Proftpd "needs proftpd and root" $scenes }
        at_every_server! { pure_ftpd start PureFtpd "needs pure-ftpd and root" $scenes }
        at_every_server! { pyftpdlib start Pyftpdlib "needs pyftpdlib and root" $scenes }
    };
    ($scenes:tt) => {
        at_every_server! { in_clear $scenes }
        mod encrypted {
            use super::*;
            at_every_server! { vsftpd start_encrypted Vsftpd "needs vsftpd and root" $scenes }
            at_every_server! { proftpd start_encrypted Proftpd "needs proftpd and root" $scenes }
            at_every_server! { pure_ftpd start_encrypted PureFtpd "needs pure-ftpd and root" $scenes }
            at_every_server! { pyftpdlib start_encrypted Pyftpdlib "needs pyftpdlib and root" $scenes }
        }
    };
    ($module:ident $start:ident $software:ident $needs:literal [$($scene:ident)*]) => {
        mod $module {
            use crate::support::servers::{Peer, Software};
            $(
                #[test]
                #[ignore = $needs]
                fn $scene() {
                    super::$scene(&Peer::$start(Software::$software));
                }
            )*
        }
    };
}
pub(crate) use at_every_server;

at_every_server! {[
    files_of_every_size_and_name_round_trip
    files_round_trip_in_active_mode
    text_round_trips
    files_replace_each_other
    directories_sizes_and_times_are_shown
    directories_and_files_are_managed
    interrupted_transfers_are_resumed
    many_files_round_trip
    one_file_is_downloaded_over_several_connections
    refusals_set_the_exit_status
    sessions_follow_each_other
]}

/// Quotes a name for our client's command line.
fn quoted(name: &[u8]) -> Vec<u8> {
    let mut word = b"\"".to_vec();
    for &byte in name {
        if matches!(byte, b'"' | b'\\') {
            word.push(b'\\');
        }
        word.push(byte);
    }
    word.push(b'"');
    word
}

/// Returns the output of a command as text.
#[track_caller]
fn printed(peer: &Peer, commands: &str) -> String {
    let output = run(&mut peer.client(&["-q"], commands));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Returns whether the server stores a name unchanged.
pub(crate) fn takes(peer: &Peer, name: &[u8]) -> bool {
    match peer.software {
        // vsftpd and Pure-FTPd do not implement Telnet, in which the byte 255 is sent twice (RFC 959
        // section 3.1.1.5.3 and RFC 854), so they would store two of them in the name.
        Software::Vsftpd => !name.contains(&0xff),
        Software::PureFtpd => !name.contains(&0xff) && !name.contains(&b'\\'),
        Software::Proftpd => true,
        // pyftpdlib decodes names as text, and changes those that are not valid.
        Software::Pyftpdlib => std::str::from_utf8(name).is_ok(),
    }
}

fn files_of_every_size_and_name_round_trip(peer: &Peer) {
    for size in SIZES {
        let content = noise(size);
        peer.put_here("file", &content);
        run(&mut peer.client(&[], "STORE file; RETRIEVE file back"));
        assert_holds(peer.there("file"), &content);
        assert_holds(peer.here("back"), &content);
    }
    for name in NAMES.iter().chain([&LATIN]).filter(|name| takes(peer, name)) {
        peer.put_here(name, &noise(1000));
        let word = quoted(name);
        let commands = [&b"STORE -- "[..], &word, b"; RETRIEVE -- ", &word, b" back"].concat();
        run(&mut peer.client(&[], commands));
        assert_holds(peer.there(name), &noise(1000));
        assert_holds(peer.here("back"), &noise(1000));
    }
}

fn files_round_trip_in_active_mode(peer: &Peer) {
    for size in &SIZES[..3] {
        let content = noise(*size);
        peer.put_here("file", &content);
        run(&mut peer.client(&["-a"], "STORE file; LIST; RETRIEVE file back"));
        assert_holds(peer.there("file"), &content);
        assert_holds(peer.here("back"), &content);
    }
    run(&mut peer.client(&[], "PASSIVE off; RETRIEVE file one; PASSIVE on; RETRIEVE file two"));
    assert_holds(peer.here("one"), &noise(SIZES[2]));
    assert_holds(peer.here("two"), &noise(SIZES[2]));
}

fn text_round_trips(peer: &Peer) {
    peer.put_here("text", TEXT);
    run(&mut peer.client(&[], "ASCII; STORE text; RETRIEVE text back; BINARY; RETRIEVE text raw"));
    assert_holds(peer.here("back"), TEXT);
    assert_same("raw", &fs::read(peer.here("raw")).expect("it came"), &kept(peer));
}

/// Returns the text as the server stores it.
fn kept(peer: &Peer) -> Vec<u8> {
    fs::read(peer.there("text")).expect("the server has it")
}

fn files_replace_each_other(peer: &Peer) {
    peer.put_there("file", &noise(100_000));
    peer.put_here("file", b"short");
    peer.put_here("other", &noise(70_000));
    run(&mut peer.client(&[], "STORE file; STORE other copy; RETRIEVE copy file; APPEND file"));
    assert_holds(peer.here("file"), &noise(70_000));
    assert_holds(peer.there("copy"), &noise(70_000));
    assert_holds(peer.there("file"), &[&b"short"[..], &noise(70_000)].concat());
    let sent = [b"from ".as_slice(), &noise(3000)].concat();
    peer.put_here("input", &sent);
    let mut command = peer.client(&[], "STORE - piped");
    command.stdin(File::open(peer.here("input")).expect("a file"));
    run(&mut command);
    assert_holds(peer.there("piped"), &sent);
    assert_same("-", &run(&mut peer.client(&["-q"], "RETRIEVE piped -")).stdout, &sent);
}

fn directories_sizes_and_times_are_shown(peer: &Peer) {
    peer.put_there("pub/sub/deep", &noise(50));
    peer.put_there("pub/a b", &noise(1234));
    fs::create_dir(peer.there("pub/empty")).expect("a directory");
    let time = UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    let file = File::options().write(true).open(peer.there("pub/a b")).expect("a file");
    file.set_modified(time).expect("an old time");
    peer.own_by_user();
    assert_eq!(printed(peer, "SIZE \"pub/a b\""), "1234\n");
    assert_eq!(printed(peer, "MODTIME \"pub/a b\""), "2001-09-09T01:46:40Z\n");
    assert_same("cat", &run(&mut peer.client(&["-q"], "CAT \"pub/a b\"")).stdout, &noise(1234));
    assert_eq!(printed(peer, "FIND pub"), "pub/a b\npub/empty/\npub/sub/\npub/sub/deep\n");
    assert_eq!(printed(peer, "DU pub"), "50\tpub/sub\n0\tpub/empty\n1284\tpub\n");
    let listing = printed(peer, "LIST pub");
    for name in ["a b", "empty", "sub"] {
        assert!(listing.lines().any(|line| line.ends_with(name)), "{name}: {listing}");
    }
    let names = printed(peer, "CD pub; NLIST");
    // Pure-FTPd also lists `.` and `..`.
    let mut names: Vec<&str> = names.lines().filter(|name| !name.starts_with('.')).collect();
    names.sort_unstable();
    assert_eq!(names, ["a b", "empty", "sub"]);
    let json = run(&mut peer.client(&["-q", "--json"], "LIST pub")).stdout;
    let json = String::from_utf8_lossy(&json).into_owned();
    assert!(json.contains(r#""name":"a b","type":"file","size":1234,"#), "{json}");
    assert!(printed(peer, "SYSTEM").contains("UNIX"));
    assert!(printed(peer, "QUOTE NOOP; RHELP; FEATURES; STATUS").contains("SIZE"));
}

fn directories_and_files_are_managed(peer: &Peer) {
    peer.put_there("file", b"content");
    peer.put_there("old/b1", b"");
    peer.put_there("old/b2", b"");
    peer.put_there("old/c", b"");
    let commands = "MKDIR one; MKDIR \"one/two words\"; CD one; PWD; CD \"two words\"; PWD; CDUP; \
                    CD ..; PWD; CD /one; CD /; CD -; CD -; RENAME file \"one/two words/moved\"; \
                    CHMOD 600 \"one/two words/moved\"; MKDIR gone; RMDIR gone; CD old; \
                    MDELETE b*; DELETE c; CDUP; RMDIR old";
    let said = printed(peer, commands);
    assert_eq!(said.lines().collect::<Vec<_>>()[..3], ["/one", "/one/two words", "/"]);
    assert_eq!(names_in(&peer.there("")), [b"one"]);
    let moved = peer.there("one/two words/moved");
    assert_holds(&moved, b"content");
    assert_eq!(fs::metadata(moved).expect("a file").permissions().mode() & 0o777, 0o600);
    run(&mut peer.client(&[], "SITE CHMOD 640 \"one/two words/moved\"; MKDIR -p a/b/c"));
    assert!(peer.there("a/b/c").is_dir());
}

fn interrupted_transfers_are_resumed(peer: &Peer) {
    let content = noise(1_500_000);
    peer.put_there("file", &content);
    peer.put_here("file", &content[..600_000]);
    run(&mut peer.client(&[], "REGET file"));
    assert_holds(peer.here("file"), &content);
    peer.put_there("up", &content[..700_000]);
    run(&mut peer.client(&[], "REPUT file up"));
    assert_holds(peer.there("up"), &content);
    // The stored file is the beginning of a different file.
    peer.put_there("up", &noise(700_001));
    peer.put_here("other", &noise(600_001));
    run(&mut peer.client(&[], "REPUT file up; REGET file other"));
    assert_holds(peer.there("up"), &content);
    assert_holds(peer.here("other"), &content);
}

fn many_files_round_trip(peer: &Peer) {
    for number in 0..30 {
        peer.put_here(format!("f {number}"), &noise(number * 100));
    }
    peer.put_here("not this", b"");
    run(&mut peer.client(&["-i"], "MPUT f*; !mkdir back; LCD back; MGET f*"));
    assert_eq!(names_in(&peer.there("")).len(), 30);
    for number in 0..30 {
        assert_holds(peer.there(format!("f {number}")), &noise(number * 100));
        assert_holds(peer.here(format!("back/f {number}")), &noise(number * 100));
    }
}

fn one_file_is_downloaded_over_several_connections(peer: &Peer) {
    let content = noise(SIZES[3]);
    peer.put_there("file", &content);
    run(&mut peer.client(&[], "PGET -n 4 file"));
    assert_holds(peer.here("file"), &content);
    assert_eq!(names_in(&peer.here("")), [b"file"]);
}

fn refusals_set_the_exit_status(peer: &Peer) {
    let mut wrong = peer.client(&[], "LIST");
    run_to_fail(wrong.env("FTP_PASSWORD", "wrong"), 4);
    let mut nobody = peer.without_login(peer.address(), &[], "LIST");
    run_to_fail(&mut nobody, 4);
    peer.put_here("file", b"mine");
    for command in [
        "RETRIEVE missing file",
        "CD missing",
        "DELETE missing",
        "RMDIR missing",
        "RENAME missing x",
        "SIZE missing",
        "CHMOD 600 missing",
        "STORE file missing/file",
        "MGET missing*",
        "PGET missing",
        "MIRROR missing",
    ] {
        run_to_fail(&mut peer.client(&[], command), 1);
    }
    assert_eq!(names_in(&peer.here("")), [b"file"]);
    assert_holds(peer.here("file"), b"mine");
}

fn sessions_follow_each_other(peer: &Peer) {
    peer.put_there("pub/file", b"content");
    let (ip, port) = (peer.address().ip(), peer.address().port());
    let commands = format!(
        "CONNECT {ip} {port}; USER tester secret; CD pub; CLOSE; CONNECT {ip} {port}; \
         USER tester secret; PWD; RETRIEVE pub/file; QUIT; DELETE pub/file"
    );
    let mut command = peer.without_login(peer.address(), &["-n", "-q"], commands);
    assert_same("pwd", &run(&mut command).stdout, b"/\n");
    assert_holds(peer.here("file"), b"content");
    assert_holds(peer.there("pub/file"), b"content");
}
